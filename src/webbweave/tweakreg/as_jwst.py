"""Alignment by the rules of jwst 3.0: what fails, what is kept, and what is called complete."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from webbweave.errors import ServiceError
from webbweave.tweakreg.absolute import align_absolute
from webbweave.tweakreg.grouping import Group
from webbweave.tweakreg.image_plane import ImagePlane
from webbweave.tweakreg.outcomes import Alignment, AlignmentOptions, GroupOutcome, ReferenceFinder
from webbweave.tweakreg.pointing import UNMOVED, ImageSources, describe_move
from webbweave.tweakreg.reference import ReferenceCatalog
from webbweave.tweakreg.relative import align_relative
from webbweave.tweakreg.stages import MatchOptions, StageFit
from webbweave.tweakreg.v2v3_plane import LinearCorrection
from webbweave.tweakreg.wcs_correction import apply_correction
from webbweave.wcs.tangent import angular_separation

__all__ = ["align_as_jwst"]

log = logging.getLogger(__name__)

#: The pair of defaults of jwst 1.14, which 3.0 would refuse: it runs as in 1.14.
_SEED_PAIR = (0.1, 0.7)

_CONFUSION = (
    "Parameter '{}separation' must be larger than '{}tolerance' by at least a factor of sqrt(2) to "
    "avoid source confusion."
)


def align_as_jwst(
    images: Sequence[ImageSources],
    groups: Sequence[Group],
    options: AlignmentOptions,
    find_reference: ReferenceFinder | None,
) -> Alignment:
    """
    Align images as jwst 3.0 does.

    Parameters
    ----------
    images, groups : sequence
        The images, which know their groups, and the groups.
    options, find_reference
        As in `~webbweave.tweakreg.alignment.align_images`, which calls this.

    Returns
    -------
    Alignment
        The corrections: none at all if a stage fails as a whole, else those of the groups that
        were fitted; all images are then called complete.
    """
    fits: list[StageFit | None] = [None] * len(groups)
    corrections: list[LinearCorrection] = [UNMOVED] * len(images)
    problem = ""
    if len(groups) > 1:
        if options.relative.confuses:
            problem = _CONFUSION.format("", "")
        else:
            found = align_relative(
                images,
                groups,
                options.relative,
                expand_refcat=options.expand_refcat,
                enforce_user_order=options.enforce_user_order,
            )
            fits, corrections = list(found.fits), found.corrections
            if sum(any(len(images[i].x) for i in g.members) for g in groups) < 2:
                problem = "Too few input images (or groups of images) with non-empty catalogs."
            else:
                problem = _moved_too_far(images, corrections, options.relative)
    if problem:
        log.warning("%s Skipping relative alignment...", problem)
    last = _Stage(None, corrections, problem)
    if find_reference is not None:
        last = _absolute(images, corrections, options, find_reference)
    return _summary(images, groups, fits, last)


@dataclass(frozen=True, eq=False)
class _Stage:
    """What the last stage did: no corrections if it took all with it, a problem if it gave up."""

    fit: StageFit | None
    corrections: Sequence[LinearCorrection] | None
    problem: str = ""
    catalog: ReferenceCatalog | None = None


def _moved_too_far(
    images: Sequence[ImageSources],
    corrections: Sequence[LinearCorrection],
    options: MatchOptions,
) -> str:
    """Judge all images by the one whose corners move most."""
    reach = options.searchrad
    if not options.use2dhist:
        reach = max(abs(options.xoffset), abs(options.yoffset))
    limit = 2.0 * (reach + options.tolerance)
    for image, correction in zip(images, corrections, strict=True):
        before, after = image.outline(UNMOVED), image.outline(correction)
        corners = zip(before.ra, before.dec, after.ra, after.dec, strict=True)
        if not all(3600.0 * angular_separation(*corner) < limit for corner in corners):
            return f"WCS has been tweaked by more than {10 * options.tolerance} arcsec."
    return ""


def _absolute(
    images: Sequence[ImageSources],
    corrections: Sequence[LinearCorrection],
    options: AlignmentOptions,
    find_reference: ReferenceFinder,
) -> _Stage:
    """Fit all images as one group; a fit that fails takes the relative solution with it."""
    matching = options.absolute
    pair = matching.separation, matching.tolerance
    if matching.confuses and pair != _SEED_PAIR:
        return _Stage(None, corrections, _CONFUSION.format("abs_", "abs_"))
    try:
        catalog = find_reference([image.outline(UNMOVED) for image in images])
    except ServiceError as error:
        log.warning("No reference catalog: %s", error)
        return _Stage(StageFit(f"FAILED: {error}"), corrections)
    if len(catalog) < matching.minobj:
        problem = (
            f"Not enough sources ({len(catalog)}) in the reference catalog for the single-group "
            "alignment step to perform a fit. Skipping alignment to the input reference catalog!"
        )
        log.warning("%s", problem)
        return _Stage(None, corrections, problem, catalog)
    # The plane of an image with a correction has that correction once more in it.
    again = [
        replace(image, plane=_corrected_plane(image.plane, correction))
        for image, correction in zip(images, corrections, strict=True)
    ]
    everything = [Group("987654", tuple(range(len(images))))]
    found = align_absolute(
        again, everything, [UNMOVED] * len(images), [True], catalog, matching, joint=False
    )
    outcome = found.fits[0]
    if not outcome.success:
        return _Stage(outcome, None, "", catalog)
    final = [new.after(old) for new, old in zip(found.corrections, corrections, strict=True)]
    return _Stage(outcome, final, "", catalog)


def _corrected_plane(plane: ImagePlane, correction: LinearCorrection) -> ImagePlane:
    wcs = apply_correction(plane.wcs, correction.matrix, correction.shift, plane.plane)
    return ImagePlane(wcs, plane.plane, compat=True)


def _summary(
    images: Sequence[ImageSources],
    groups: Sequence[Group],
    fits: Sequence[StageFit | None],
    last: _Stage,
) -> Alignment:
    unmoved: list[LinearCorrection] = [UNMOVED] * len(images)
    kept: list[LinearCorrection | None] = [None] * len(images)
    outcomes = []
    absolute = last.fit is not None and last.fit.success
    for group, first in zip(groups, fits, strict=True):
        move = None
        moves = not last.problem and (absolute or (first is not None and first.success))
        if moves and last.corrections is not None:
            move = describe_move(images, unmoved, last.corrections, group.members)
            for i in group.members:
                kept[i] = last.corrections[i]
        outcomes.append(
            GroupOutcome(
                "FAILED" if last.problem else "COMPLETE",
                last.problem,
                first,
                last.fit,
                move,
                sum(len(images[i].x) for i in group.members),
            )
        )
    return Alignment(
        tuple(groups), tuple(outcomes), tuple(kept), (absolute,) * len(images), last.catalog, None
    )
