"""Relative alignment: one group after another is aligned to those before it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from webbweave.tweakreg.grouping import Group
from webbweave.tweakreg.image_plane import ImagePlane, moved_correction
from webbweave.tweakreg.merge import StarList
from webbweave.tweakreg.overlap import (
    SkyPolygon,
    next_group,
    overlap_matrix,
    source_hull,
    starting_pair,
)
from webbweave.tweakreg.pointing import (
    UNMOVED,
    Detections,
    ImageSources,
    carried,
    detections,
    footprints,
)
from webbweave.tweakreg.stages import Fitted, MatchOptions, StageFit, fit_lists
from webbweave.tweakreg.v2v3_plane import LinearCorrection

__all__ = ["RelativeAlignment", "align_relative"]

log = logging.getLogger(__name__)

_EMPTY = StageFit("FAILED: empty source catalog")


@dataclass(frozen=True, eq=False)
class RelativeAlignment:
    """
    Groups that are aligned to each other.

    Attributes
    ----------
    corrections : list of LinearCorrection
        The correction of each image.
    fits : list of StageFit
        The outcome for each group.
    stars : StarList
        The final reference catalog.
    order : list of int
        The groups in the order of alignment; the first is the reference.
    """

    corrections: list[LinearCorrection]
    fits: list[StageFit]
    stars: StarList
    order: list[int]


def align_relative(
    images: Sequence[ImageSources],
    groups: Sequence[Group],
    options: MatchOptions,
    *,
    expand_refcat: bool = False,
    enforce_user_order: bool = False,
) -> RelativeAlignment:
    """
    Align groups of images to each other.

    Parameters
    ----------
    images : sequence of ImageSources
        All images.
    groups : sequence of Group
        Which of them move together.
    options : MatchOptions
        How sources are matched and corrections fitted.
    expand_refcat : bool, optional
        Whether what is aligned adds to the reference catalog; otherwise all groups are aligned to
        the first one.
    enforce_user_order : bool, optional
        With `expand_refcat`: align in the order given, not by overlap.

    Returns
    -------
    RelativeAlignment
        The corrections. A group that fails keeps its place, says why, and adds nothing.
    """
    work = _Chain(images, groups, options, expand_refcat)
    filled = [k for k, g in enumerate(groups) if any(len(images[i].x) for i in g.members)]
    for k in set(range(len(groups))) - set(filled):
        log.warning("Group %s will not be aligned: empty source catalog", groups[k].id)
    if len(filled) < 2:
        log.warning("Too few groups of images with sources: %d, expected at least 2", len(filled))
        for k in filled:
            work.fits[k] = StageFit("FAILED: no other group with sources")
        return RelativeAlignment(work.corrections, work.fits, work.stars, list(filled))
    by_overlap = expand_refcat and not enforce_user_order
    for k in work.ordered(filled) if by_overlap else iter(filled):
        work.add(k)
    if not any(fit.success for fit in work.fits):
        reference = work.order[0]
        work.fits[reference] = StageFit("FAILED: no other group could be aligned to this one")
    return RelativeAlignment(work.corrections, work.fits, work.stars, work.order)


class _Chain:
    """The state of an alignment."""

    def __init__(
        self,
        images: Sequence[ImageSources],
        groups: Sequence[Group],
        options: MatchOptions,
        expand: bool,
    ) -> None:
        none = np.zeros(0)
        self.images, self.groups, self.options, self.expand = images, groups, options, expand
        self.corrections = [UNMOVED] * len(images)
        self.fits = [_EMPTY] * len(groups)
        self.stars = StarList(none, none, none, np.zeros(0, dtype=np.int64))
        self.weighted = all(image.weight is not None for image in images)
        self.order: list[int] = []

    def _footprints(self, k: int) -> list[SkyPolygon]:
        return footprints(self.images, self.corrections, self.groups[k].members)

    def ordered(self, filled: Sequence[int]) -> Iterator[int]:
        """Yield the groups by their overlap with the reference catalog, as it is then."""
        shapes = {k: self._footprints(k) for k in filled}
        first, second = starting_pair(overlap_matrix([shapes[k] for k in filled]))
        first, second = filled[first], filled[second]
        yield first
        yield second
        left = [k for k in filled if k not in (first, second)]
        while left:
            hull = source_hull(self.stars.ra, self.stars.dec)
            chosen, _ = next_group(
                shapes[first] if hull is None else [hull],
                [shapes[k] for k in left],
                range(len(left)),
            )
            yield left.pop(chosen)

    def add(self, k: int) -> None:
        """Align one group; the first is the reference."""
        group = self.groups[k]
        found = detections(self.images, self.corrections, group.members)
        self.order.append(k)
        if len(self.order) == 1:
            self.fits[k] = StageFit("REFERENCE", self.options.fitgeometry)
            self._extend(found, np.full(len(found), -1, dtype=np.intp))
            log.info("Group %s is the reference", group.id)
            return
        plane = self.images[group.members[0]].plane
        fitted = self._fit(plane, found)
        self.fits[k] = fitted.outcome
        if fitted.correction is None:
            log.warning("Group %s is not aligned: %s", group.id, fitted.outcome.status)
            return
        self._correct(group, fitted.correction)
        log.info(
            "Group %s is aligned: %d of %d matches used, rms %.2f mas",
            group.id,
            fitted.outcome.n_used,
            fitted.outcome.n_matched,
            1000 * fitted.outcome.rms,
        )
        if self.expand:
            star = np.full(len(found), -1, dtype=np.intp)
            star[fitted.img_index] = fitted.ref_index
            # What was clipped is neither the star that it was matched with, nor surely another.
            keep = np.ones(len(found), dtype=bool)
            keep[fitted.img_index[~fitted.used]] = False
            again = detections(self.images, self.corrections, group.members)
            self._extend(again, star, keep)

    def _fit(self, plane: ImagePlane, found: Detections) -> Fitted:
        return fit_lists(
            plane.from_world(self.stars.ra, self.stars.dec),
            plane.from_world(found.ra, found.dec),
            plane.pixel_scale,
            self.options,
            ref_weight=self.stars.weight if self.weighted else None,
            img_weight=found.weight if self.weighted else None,
        )

    def _correct(self, group: Group, correction: LinearCorrection) -> None:
        """Move all images of a group by what was found in the plane of its first one."""
        first = self.images[group.members[0]]
        for i in group.members:
            if i == group.members[0]:
                own = correction
            elif self.options.compat:
                own = moved_correction(correction, first.plane, self.images[i].plane)
            else:
                own = carried(correction, first, self.images[i])
            self.corrections[i] = own.after(self.corrections[i])

    def _extend(
        self,
        found: Detections,
        star: NDArray[np.intp],
        keep: NDArray[np.bool_] | None = None,
    ) -> None:
        keep = np.ones(len(found), dtype=bool) if keep is None else keep
        weight = np.ones(len(found)) if found.weight is None else found.weight
        if self.options.compat:
            keep = keep & (star < 0)  # the reference stays, what is new is added
        keep = keep & (weight > 0)
        self.stars, _ = self.stars.add(found.ra[keep], found.dec[keep], star[keep], weight[keep])
