"""The alignment of images: relative, absolute, and what became of each group."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from webbweave.errors import ServiceError
from webbweave.tweakreg.absolute import AbsoluteAlignment, align_absolute, align_groups_jointly
from webbweave.tweakreg.as_jwst import align_as_jwst
from webbweave.tweakreg.grouping import Group, group_images
from webbweave.tweakreg.outcomes import (
    Alignment,
    AlignmentOptions,
    GroupOutcome,
    ReferenceFinder,
    with_groups,
)
from webbweave.tweakreg.pointing import UNMOVED, ImageSources, describe_move
from webbweave.tweakreg.reference import ReferenceCatalog
from webbweave.tweakreg.relative import RelativeAlignment, align_relative
from webbweave.tweakreg.stages import MatchOptions, StageFit
from webbweave.tweakreg.v2v3_plane import LinearCorrection

__all__ = ["align_images"]

log = logging.getLogger(__name__)


def align_images(
    images: Sequence[ImageSources],
    group_ids: Sequence[str],
    options: AlignmentOptions,
    find_reference: ReferenceFinder | None = None,
) -> Alignment:
    """
    Align images to each other and, if there is one, to a reference catalog.

    Parameters
    ----------
    images : sequence of ImageSources
        The images.
    group_ids : sequence of str
        The name of the group of each image.
    options : AlignmentOptions
        How.
    find_reference : callable, optional
        Gives the reference catalog of the field.

    Returns
    -------
    Alignment
        The corrections. An image without one that can be trusted keeps its place, and does not
        keep the others from being aligned; with `AlignmentOptions.compat`, see
        `~webbweave.tweakreg.as_jwst.align_as_jwst`.
    """
    groups = group_images(group_ids)
    images = with_groups(images, groups)
    if options.compat:
        return align_as_jwst(images, groups, options, find_reference)
    relative = None
    if len(groups) > 1:
        relative = _relative(images, groups, options)
    corrections = relative.corrections if relative else [UNMOVED] * len(images)
    aligned = (
        [fit.success or fit.status == "REFERENCE" for fit in relative.fits] if relative else [True]
    )
    absolute, catalog, problem = None, None, ""
    if find_reference is not None:
        try:
            catalog = find_reference(
                [image.outline(c) for image, c in zip(images, corrections, strict=True)]
            )
        except ServiceError as error:
            problem = f"no reference catalog: {error}"
            log.warning("%s", problem)
        else:
            problem = _too_few(catalog, options.absolute)
        if catalog is not None and not problem:
            absolute = _absolute(images, groups, corrections, aligned, catalog, options)
    return _finished(images, groups, relative, absolute, catalog, problem)


def _relative(
    images: Sequence[ImageSources], groups: Sequence[Group], options: AlignmentOptions
) -> RelativeAlignment:
    found = align_relative(
        images,
        groups,
        options.relative,
        expand_refcat=options.expand_refcat,
        enforce_user_order=options.enforce_user_order,
    )
    if options.method != "joint":
        return found
    able = [fit.success or fit.status == "REFERENCE" for fit in found.fits]
    if sum(able) < 2:
        return found
    better = align_groups_jointly(
        images, groups, AbsoluteAlignment(found.corrections, found.fits), able, options.relative
    )
    fits = [
        StageFit("SUCCESS", *_numbers_of(fit)) if fit.status == "REFERENCE" else fit
        for fit in better.fits
    ]
    return RelativeAlignment(better.corrections, fits, found.stars, found.order)


def _numbers_of(fit: StageFit) -> tuple[str, int, int, float, float]:
    return fit.geometry, fit.n_matched, fit.n_used, fit.rms_before, fit.rms


def _absolute(
    images: Sequence[ImageSources],
    groups: Sequence[Group],
    corrections: Sequence[LinearCorrection],
    aligned: Sequence[bool],
    catalog: ReferenceCatalog,
    options: AlignmentOptions,
) -> AbsoluteAlignment:
    return align_absolute(
        images,
        groups,
        corrections,
        aligned,
        catalog,
        options.absolute,
        joint=options.method != "chain",
    )


def _too_few(catalog: ReferenceCatalog, options: MatchOptions) -> str:
    if len(catalog) >= options.minobj:
        return ""
    problem = (
        f"Not enough sources ({len(catalog)}) in the reference catalog {catalog.name}, expected "
        f"{options.minobj}"
    )
    log.warning("%s: no absolute alignment", problem)
    return problem


def _finished(
    images: Sequence[ImageSources],
    groups: Sequence[Group],
    relative: RelativeAlignment | None,
    absolute: AbsoluteAlignment | None,
    catalog: ReferenceCatalog | None,
    problem: str,
) -> Alignment:
    """Say of each group what became of it."""
    unmoved: list[LinearCorrection] = [UNMOVED] * len(images)
    last = absolute or relative
    final = last.corrections if last else unmoved
    corrections: list[LinearCorrection | None] = [None] * len(images)
    on_catalog = [False] * len(images)
    outcomes = []
    for k, group in enumerate(groups):
        first = relative.fits[k] if relative else None
        second = absolute.fits[k] if absolute else None
        if problem:
            second = StageFit(f"FAILED: {problem}")
        good = any(
            fit is not None and (fit.success or fit.status == "REFERENCE")
            for fit in (first, second)
        )
        moves = any(fit is not None and fit.success for fit in (first, second))
        bad = [fit.status for fit in (second, first) if fit and fit.status.startswith("FAILED")]
        move = describe_move(images, unmoved, final, group.members) if moves else None
        for i in group.members:
            corrections[i] = final[i] if moves else None
            on_catalog[i] = second is not None and second.success
        n_sources = sum(len(images[i].x) for i in group.members)
        if second is not None and second.success:
            bad = []
        reason = "; ".join(text.removeprefix("FAILED: ") for text in bad)
        outcomes.append(
            GroupOutcome("COMPLETE" if good else "FAILED", reason, first, second, move, n_sources)
        )
    return Alignment(
        tuple(groups),
        tuple(outcomes),
        tuple(corrections),
        tuple(on_catalog),
        catalog,
        relative.stars if relative else None,
    )
