"""Absolute alignment: groups that are aligned to each other are moved onto a reference catalog."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from webbweave.tweakreg.grouping import Group
from webbweave.tweakreg.image_plane import moved_correction
from webbweave.tweakreg.joint import GroupFit
from webbweave.tweakreg.joint_alignment import REACH, align_jointly
from webbweave.tweakreg.merge import merge_detections
from webbweave.tweakreg.pointing import Detections, ImageSources, SkyMove, detections, moved
from webbweave.tweakreg.reference import ReferenceCatalog
from webbweave.tweakreg.stages import MatchOptions, StageFit, fit_lists
from webbweave.tweakreg.v2v3_plane import LinearCorrection
from webbweave.wcs.tangent import TangentPlane, mean_direction

__all__ = ["AbsoluteAlignment", "align_absolute", "align_groups_jointly"]

log = logging.getLogger(__name__)

#: Detections within this distance [arcsec] may be of one star after the relative alignment,
#: whatever the separation is: ten times the scatter of a poor one.
LEAST_MERGING = 0.05


@dataclass(frozen=True, eq=False)
class AbsoluteAlignment:
    """
    Groups on a reference catalog.

    Attributes
    ----------
    corrections : list of LinearCorrection
        The correction of each image, that of the relative alignment included.
    fits : list of StageFit
        The outcome for each group.
    """

    corrections: list[LinearCorrection]
    fits: list[StageFit]


def align_absolute(
    images: Sequence[ImageSources],
    groups: Sequence[Group],
    corrections: Sequence[LinearCorrection],
    aligned: Sequence[bool],
    reference: ReferenceCatalog,
    options: MatchOptions,
    *,
    joint: bool = True,
) -> AbsoluteAlignment:
    """
    Align groups to a reference catalog.

    The groups that are aligned to each other move together at first: their merged detections are
    matched with the catalog. The others are matched each by itself. Then, if asked for, all
    groups and stars are solved for at once, with the catalog.

    Parameters
    ----------
    images : sequence of ImageSources
        All images.
    groups : sequence of Group
        Which of them move together.
    corrections : sequence of LinearCorrection
        The corrections so far, one for each image.
    aligned : sequence of bool
        The groups that are aligned to each other.
    reference : ReferenceCatalog
        The catalog.
    options : MatchOptions
        How sources are matched and corrections fitted.
    joint : bool, optional
        Whether to solve for all groups at once in the end.

    Returns
    -------
    AbsoluteAlignment
        The corrections. A group that fails keeps the correction that it has.
    """
    result = list(corrections)
    fits = [StageFit("FAILED: empty source catalog", options.fitgeometry)] * len(groups)
    together = [k for k in range(len(groups)) if aligned[k]]
    blocks = [together] if together else []
    blocks += [[k] for k in range(len(groups)) if not aligned[k]]
    for block in blocks:
        members = [i for k in block for i in groups[k].members]
        if not any(len(images[i].x) for i in members):
            continue
        outcome = _align_block(images, members, result, reference, options)
        for k in block:
            fits[k] = outcome
        names = ", ".join(groups[k].id for k in block)
        if outcome.success:
            log.info("%s: aligned to %s with %d stars", names, reference.name, outcome.n_used)
        else:
            log.warning("%s: not aligned to %s: %s", names, reference.name, outcome.status)
    found = AbsoluteAlignment(result, fits)
    able = [fit.success for fit in fits]
    if not (joint and any(able)) or options.compat:
        return found
    return align_groups_jointly(images, groups, found, able, options, reference)


def _align_block(
    images: Sequence[ImageSources],
    members: Sequence[int],
    corrections: list[LinearCorrection],
    reference: ReferenceCatalog,
    options: MatchOptions,
) -> StageFit:
    """Move some images as one onto the catalog; the corrections are changed in place."""
    found = detections(images, corrections, members)
    if options.compat:
        return _align_as_jwst(images, members, corrections, found, reference, options)
    ra, dec, weight = _merged(found, max(options.separation, LEAST_MERGING))
    plane = TangentPlane(*map(float, mean_direction(ra, dec)))
    ref, img = (
        3600.0 * np.stack(plane.project(*place), axis=-1)
        for place in ((reference.ra, reference.dec), (ra, dec))
    )
    ahead = _in_front(plane, reference)
    ref[~ahead] = np.nan
    fitted = fit_lists(
        ref,
        img,
        min(images[i].plane.pixel_scale for i in members),
        options,
        ref_weight=reference.weight,
        img_weight=None if reference.weight is not None else weight,
    )
    if fitted.correction is not None:
        move = SkyMove(plane, fitted.correction)
        for i in members:
            corrections[i] = moved(images[i], corrections[i], move)
    return fitted.outcome


def _in_front(plane: TangentPlane, reference: ReferenceCatalog) -> NDArray[np.bool_]:
    """Tell the stars on this side of the sky: the projection maps the other side onto it too."""
    lat0, lat = np.deg2rad(plane.dec), np.deg2rad(reference.dec)
    dlon = np.deg2rad(reference.ra - plane.ra)
    return np.asarray(np.sin(lat0) * np.sin(lat) + np.cos(lat0) * np.cos(lat) * np.cos(dlon) > 0)


def _merged(
    found: Detections, radius: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    stars, _ = merge_detections(found.ra, found.dec, found.image, radius=radius)
    return stars.ra, stars.dec, stars.n_detections.astype(np.float64)


def _align_as_jwst(
    images: Sequence[ImageSources],
    members: Sequence[int],
    corrections: list[LinearCorrection],
    found: Detections,
    reference: ReferenceCatalog,
    options: MatchOptions,
) -> StageFit:
    """Match all detections, each for itself, in the plane of the first image."""
    plane = images[members[0]].plane
    fitted = fit_lists(
        plane.from_world(reference.ra, reference.dec),
        plane.from_world(found.ra, found.dec),
        plane.pixel_scale,
        options,
        ref_weight=reference.weight,
        img_weight=found.weight,
    )
    if fitted.correction is not None:
        for i in members:
            own = moved_correction(fitted.correction, plane, images[i].plane)
            corrections[i] = own.after(corrections[i])
    return fitted.outcome


def align_groups_jointly(
    images: Sequence[ImageSources],
    groups: Sequence[Group],
    start: AbsoluteAlignment,
    able: Sequence[bool],
    options: MatchOptions,
    reference: ReferenceCatalog | None = None,
) -> AbsoluteAlignment:
    """
    Solve for the corrections of all groups at once.

    Parameters
    ----------
    images : sequence of ImageSources
        All images.
    groups : sequence of Group
        Which of them move together.
    start : AbsoluteAlignment
        The corrections so far, good to a few hundredths of an arcsecond, and their outcomes.
    able : sequence of bool
        The groups that take part.
    options : MatchOptions
        The geometry, and how many matches are needed.
    reference : ReferenceCatalog, optional
        The catalog; without one, the mean of all corrections is 0.

    Returns
    -------
    AbsoluteAlignment
        The corrections; a group that fails keeps the one that it has, and its outcome.
    """
    taking = [k for k in range(len(groups)) if able[k]]
    members = [i for k in taking for i in groups[k].members]
    corrections, fits = list(start.corrections), list(start.fits)
    found = detections(images, corrections, members)
    number = {k: place for place, k in enumerate(taking)}
    planes = []
    for k in taking:
        ra, dec = images[groups[k].members[0]].plane.to_world(np.zeros((1, 2)))
        planes.append(TangentPlane(float(ra[0]), float(dec[0])))
    alignment = align_jointly(
        found.ra,
        found.dec,
        found.image,
        np.array([number[int(k)] for k in found.group], dtype=np.intp),
        planes,
        radius=_merging_radius([fits[k] for k in taking], options),
        reference=reference,
        weight=found.weight,
        geometry=options.fitgeometry,
        min_stars=options.minobj,
        # However many rounds are asked for, clipping ends where nothing changes; none is none.
        sigma=options.sigma if options.nclip > 0 else 0.0,
    )
    for k in taking:
        own = alignment.solution.groups[number[k]]
        if own.status != "SUCCESS" or (reference is not None and not own.absolute):
            log.warning("Group %s keeps the fit of all groups as one: %s", groups[k].id, own.status)
            continue
        move = SkyMove(planes[number[k]], LinearCorrection(own.matrix, own.shift))
        for i in groups[k].members:
            corrections[i] = moved(images[i], corrections[i], move)
        fits[k] = _with_joint(fits[k], own)
    return AbsoluteAlignment(corrections, fits)


def _merging_radius(fits: Sequence[StageFit], options: MatchOptions) -> float:
    """
    Return the distance within which detections may be of one star, from how well groups fit.

    A larger one than needed would tie groups together by chance pairs.
    """
    known = [fit.rms for fit in fits if math.isfinite(fit.rms)]
    needed = REACH * max(known, default=math.inf)
    return max(LEAST_MERGING, min(options.separation, needed))


def _with_joint(fit: StageFit, own: GroupFit) -> StageFit:
    """Replace the numbers of the fit of all groups as one by those of the group's own."""
    error = np.sqrt(np.maximum(np.diag(own.covariance), 0.0))
    turn = 0.0 if len(error) < 3 else math.degrees(error[2])
    return replace(
        fit,
        n_matched=own.n_matched,
        n_used=own.n_used,
        # The joint solution starts where the fit of all as one ends.
        rms_before=fit.rms_before if math.isfinite(fit.rms_before) else own.rms_before,
        rms=own.rms,
        sigma=(float(error[0]), float(error[1]), turn),
    )
