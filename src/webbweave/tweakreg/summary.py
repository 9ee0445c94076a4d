"""What a page shows of an alignment: outlines, offsets, and what is left of the errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from webbweave.tweakreg.absolute import LEAST_MERGING
from webbweave.tweakreg.merge import merge_detections, mutual_neighbours
from webbweave.tweakreg.offsets import OffsetPeak, find_peak, offset_histogram
from webbweave.tweakreg.outcomes import Alignment, GroupOutcome
from webbweave.tweakreg.overlap import SkyPolygon
from webbweave.tweakreg.pointing import UNMOVED, ImageSources, detections
from webbweave.tweakreg.stages import MatchOptions
from webbweave.tweakreg.v2v3_plane import LinearCorrection
from webbweave.wcs.tangent import TangentPlane, mean_direction

__all__ = ["AlignmentSummary", "ImageSummary", "summarise_alignment"]

#: Cells of the histogram on either side of its middle: as many as a figure can show.
_HALF = 60

#: The histogram goes this much beyond the offset that was found, so that the peak is inside.
_BEYOND = 1.3

#: Stars are the same within so many rms of the worst fit: all but outliers.
_WITHIN = 6.0

_Points = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ImageSummary:
    """
    One image.

    Attributes
    ----------
    name, group : str
        The image and its group.
    outcome : GroupOutcome
        What became of the group.
    outline_before, outline : ndarray of float64, shape (4, 2)
        Its corners in the plane of the field, towards east and north [arcsec].
    compared_with : str
        What its sources are compared with; empty if there is nothing.
    points : ndarray of float64, shape (n, 2)
        The matched sources in that plane, corrected [arcsec].
    before, after : ndarray of float64, shape (n, 2)
        Their distance from the stars that they are matched with [arcsec].
    magnitude : ndarray of float64, shape (n_source,)
        Instrumental magnitudes of all sources; NaN where there is no flux.
    matched : ndarray of int, shape (n,)
        Which of the sources are matched.
    star_magnitude : ndarray of float64, shape (n,)
        Catalog magnitudes of the matched; NaN where there are none.
    counts : ndarray of int64, shape (2 R + 1, 2 R + 1), or None
        Pairs of uncorrected sources and stars by their offset (north, east).
    cell : float
        Width of a cell of the histogram [arcsec].
    peak : OffsetPeak or None
        Its peak.
    """

    name: str
    group: str
    outcome: GroupOutcome
    outline_before: _Points
    outline: _Points
    compared_with: str
    points: _Points
    before: _Points
    after: _Points
    magnitude: NDArray[np.float64]
    matched: NDArray[np.intp]
    star_magnitude: NDArray[np.float64]
    counts: NDArray[np.int64] | None
    cell: float
    peak: OffsetPeak | None


@dataclass(frozen=True, eq=False)
class AlignmentSummary:
    """
    All images of an alignment.

    Attributes
    ----------
    images : tuple of ImageSummary
        The images, in order.
    ra, dec : float
        Where the plane of the field touches the sky [degree].
    stars : ndarray of float64, shape (n, 2)
        The reference catalog in that plane [arcsec]; empty without one.
    catalog : str
        Its name; empty without one.
    """

    images: tuple[ImageSummary, ...]
    ra: float
    dec: float
    stars: _Points
    catalog: str


@dataclass(frozen=True, eq=False)
class _Stars:
    """What the sources of an image are compared with."""

    label: str
    ra: NDArray[np.float64]
    dec: NDArray[np.float64]
    mag: NDArray[np.float64]


def summarise_alignment(
    images: Sequence[ImageSources],
    fluxes: Sequence[NDArray[np.float64]],
    alignment: Alignment,
    relative: MatchOptions,
    absolute: MatchOptions,
) -> AlignmentSummary:
    """
    Compare the images of an alignment, before and after, with each other or with the catalog.

    Sources of images on the catalog are compared with it. Those of the others are compared with
    the stars that the aligned images of other groups see, with their corrections.

    Parameters
    ----------
    images : sequence of ImageSources
        The images that were aligned.
    fluxes : sequence of ndarray of float64
        The fluxes of their sources, NaN if unknown.
    alignment : Alignment
        The alignment.
    relative, absolute : MatchOptions
        How they were matched.

    Returns
    -------
    AlignmentSummary
        The summary.
    """
    final = [UNMOVED if c is None else c for c in alignment.corrections]
    outlines = [image.outline(c) for image, c in zip(images, final, strict=True)]
    plane = TangentPlane(
        *mean_direction(*(np.concatenate([getattr(o, k) for o in outlines]) for k in ("ra", "dec")))
    )
    field = _Field(images, final, alignment, plane)
    found: list[ImageSummary | None] = [None] * len(images)
    for group, outcome in zip(alignment.groups, alignment.outcomes, strict=True):
        for i in group.members:
            on_catalog = field.reference is not None and outcome.absolute is not None
            stars = field.reference if on_catalog else None
            stars = field.others(group.members) if stars is None else stars
            found[i] = _summary(
                images[i],
                (fluxes[i], final[i], outlines[i]),
                (group.id, outcome),
                field,
                stars,
                absolute if on_catalog else relative,
            )
    reference = field.reference
    return AlignmentSummary(
        tuple(one for one in found if one is not None),
        plane.ra,
        plane.dec,
        np.zeros((0, 2)) if reference is None else _project(plane, reference.ra, reference.dec),
        "" if reference is None else reference.label,
    )


def _project(plane: TangentPlane, ra: NDArray[np.float64], dec: NDArray[np.float64]) -> _Points:
    return 3600.0 * np.stack(plane.project(ra, dec), axis=-1)


class _Field:
    """All detections of the aligned images, and the stars that they are of."""

    def __init__(
        self,
        images: Sequence[ImageSources],
        corrections: Sequence[LinearCorrection],
        alignment: Alignment,
        plane: TangentPlane,
    ) -> None:
        self.plane = plane
        catalog = alignment.reference
        self.reference = None
        if catalog is not None:
            self.reference = _Stars(Path(catalog.name).name, catalog.ra, catalog.dec, catalog.mag)
        good, rms = [], [0.0]
        for group, outcome in zip(alignment.groups, alignment.outcomes, strict=True):
            fits = [fit for fit in (outcome.relative, outcome.absolute) if fit is not None]
            if any(fit.success or fit.status == "REFERENCE" for fit in fits):
                good += list(group.members)
            rms += [fit.rms for fit in fits if fit.success and math.isfinite(fit.rms)]
        self.radius = max(LEAST_MERGING, _WITHIN * max(rms))
        self.found = detections(images, corrections, good)
        _, self.star = merge_detections(
            self.found.ra, self.found.dec, self.found.image, radius=self.radius
        )

    def others(self, members: Sequence[int]) -> _Stars:
        """Find the stars that other groups see: means of their detections."""
        other = ~np.isin(self.found.image, members)
        points = _project(self.plane, self.found.ra[other], self.found.dec[other])
        _, star = np.unique(self.star[other], return_inverse=True)
        number = np.maximum(np.bincount(star), 1)
        x, y = (np.bincount(star, points[:, axis]) / number / 3600.0 for axis in (0, 1))
        ra, dec = self.plane.deproject(x, y)
        return _Stars("the other images" if len(ra) else "", ra, dec, np.full(len(ra), np.nan))


def _summary(
    image: ImageSources,
    own: tuple[NDArray[np.float64], LinearCorrection, SkyPolygon],
    of_group: tuple[str, GroupOutcome],
    field: _Field,
    stars: _Stars,
    options: MatchOptions,
) -> ImageSummary:
    flux, correction, outline = own
    group, outcome = of_group
    plane = field.plane
    places = [image.sky(c) for c in (UNMOVED, correction)]
    ra, dec = places[1]
    known = np.isfinite(ra) & np.isfinite(dec)
    first, second = mutual_neighbours(ra[known], dec[known], stars.ra, stars.dec, field.radius)
    matched = np.flatnonzero(known)[first]
    if outcome.status != "COMPLETE":
        matched, second = matched[:0], second[:0]
    before, after = (_project(plane, *place) for place in places)
    right = _project(plane, stars.ra, stars.dec)
    start = image.outline(UNMOVED)
    # Stars far from the image are behind the plane, or no use.
    near = np.all(
        np.abs(right - np.nanmean(_project(plane, start.ra, start.dec), axis=0)) < 3600, 1
    )
    counts, cell, peak = _histogram(right[near], before, outcome, options, image.plane.pixel_scale)
    with np.errstate(divide="ignore", invalid="ignore"):
        magnitude = -2.5 * np.log10(np.where(flux > 0, flux, np.nan))
    return ImageSummary(
        name=image.name,
        group=group,
        outcome=outcome,
        outline_before=_project(plane, start.ra, start.dec),
        outline=_project(plane, outline.ra, outline.dec),
        compared_with=stars.label,
        points=after[matched],
        before=before[matched] - right[second],
        after=after[matched] - right[second],
        magnitude=magnitude,
        matched=matched,
        star_magnitude=stars.mag[second],
        counts=counts,
        cell=cell,
        peak=peak,
    )


def _histogram(
    stars: _Points,
    sources: _Points,
    outcome: GroupOutcome,
    options: MatchOptions,
    pixel_scale: float,
) -> tuple[NDArray[np.int64] | None, float, OffsetPeak | None]:
    """Count the offsets of all pairs, with cells that a figure can show."""
    if not (len(stars) and len(sources)):
        return None, math.nan, None
    move = outcome.move
    distance = 0.0 if move is None else math.hypot(move.east, move.north)
    radius = max(options.searchrad, _BEYOND * distance)
    cell = max(pixel_scale, radius / _HALF)
    counts = offset_histogram(stars, sources, bin_size=cell, radius=radius)
    return counts, cell, find_peak(counts, bin_size=cell)
