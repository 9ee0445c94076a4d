"""Matched pairs of two catalogues: mutual nearest neighbours, with a tolerance that shrinks."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import rel_entr

from webbweave._kernels import xymatch as kernel
from webbweave.tweakreg.fitting import iter_linear_fit
from webbweave.tweakreg.linear import SingularMatrixError
from webbweave.tweakreg.offsets import FALSE_ALARM, offset_histogram

__all__ = ["CORE_RADII", "Pairs", "Transformation", "match_mutual", "refine_pairs"]

log = logging.getLogger(__name__)

#: Pairs needed to follow a rotation and a scale besides the shift; below, three times the
#: parameters are not there.
_MOST_FOR_SHIFT = 6

#: Passes at most; each halves the error at least where the catalogues match at all.
_PASSES = 30

#: References that the transformation is fitted to at most, about: every k-th of a long list. What
#: is found is used to match, and need not be better than a part of the tolerance.
_ENOUGH = 5000

#: Cells per tolerance of the histogram that the core of the residuals is measured on.
_CELLS = 24

#: The radius of the core is where the evidence for it comes near to the best: it is flat there.
_NEAR_BEST = 0.9

#: The new tolerance in units of this radius: that is 1.25 sigma of a Gaussian core on a high
#: background and 2 sigma without one, so this is 4 to 6 sigma.
CORE_RADII = 3.2

#: Pairs farther than so many times their typical distance do not count for a transformation.
_CLIP = 3.0

#: Root mean square distance over the median one, for normally distributed errors in two axes.
_MEDIAN_TO_RMS = 1.0 / math.sqrt(math.log(2.0))

#: A pointing error is a rotation of a few degrees at most, and a change of scale of less than that;
#: what a fit to chance pairs finds may be anything.
_MOST_TURN = 0.1

#: The tolerance need not be smaller than where so many chance pairs are expected: good and bad
#: positions are all kept where there is nothing to confuse them with. One outlier is clipped.
_HARMLESS = 0.01

#: Below this part of the tolerance asked for, it is not made smaller.
_LEAST_TOLERANCE = 1e-3

#: A pass that changes positions by less than this part of the tolerance, and the tolerance by less
#: than a tenth, is the last.
_SETTLED = 0.01


@dataclass(frozen=True, eq=False)
class Transformation:
    """
    Where image points lie in the frame of the reference: ``matrix @ image + shift``.

    Attributes
    ----------
    matrix : ndarray of float64, shape (2, 2)
        The matrix.
    shift : ndarray of float64, shape (2,)
        The shift.
    """

    matrix: NDArray[np.float64]
    shift: NDArray[np.float64]

    def __call__(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Transform points, shape (n, 2)."""
        return points @ self.matrix.T + self.shift


@dataclass(frozen=True, eq=False)
class Pairs:
    """
    Matched points.

    Attributes
    ----------
    ref_index, img_index : ndarray of int, shape (n,)
        The pairs, ascending in the reference; no point occurs twice.
    transformation : Transformation
        Image to reference, as used for the match.
    tolerance : float
        Largest distance of a pair.
    expected_chance : float
        Pairs of unrelated points that are expected within the tolerance.
    """

    ref_index: NDArray[np.intp]
    img_index: NDArray[np.intp]
    transformation: Transformation
    tolerance: float
    expected_chance: float


def _axes(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.ascontiguousarray(points[:, 0]), np.ascontiguousarray(points[:, 1])


def match_mutual(
    ref: NDArray[np.float64],
    img: NDArray[np.float64],
    tolerance: float,
    separation: float = 0.0,
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """
    Pair points each of which is the nearest of the other.

    Parameters
    ----------
    ref, img : ndarray of float64, shape (n, 2)
        Positions in one frame; those that are not finite match nothing.
    tolerance : float
        Largest distance of a pair.
    separation : float, optional
        Points that have another one of their list within this distance take no part.

    Returns
    -------
    ref_index, img_index : ndarray of int, shape (n,)
        The pairs, ascending in the reference.
    """
    lists = []
    for points in (ref, img):
        x, y = _axes(points)
        keep = None
        if separation > 0:
            keep = kernel.isolated(x, y, separation=separation, rule=kernel.COINCIDENT_NONE)
        lists.append((x, y, keep))
    partner = kernel.match(*lists[0], *lists[1], tolerance=tolerance, rule=kernel.MATCH_MUTUAL)
    found = np.flatnonzero(partner >= 0)
    return found, partner[found].astype(np.intp)


def refine_pairs(
    ref: NDArray[np.float64],
    img: NDArray[np.float64],
    shift: tuple[float, float],
    *,
    tolerance: float,
    separation: float = 0.0,
    start: float | None = None,
    shrink: bool = True,
) -> Pairs:
    """
    Match two catalogues, starting from a shift, with a tolerance that shrinks.

    A transformation (shift, rotation, scale) is fitted to the mutual nearest neighbours, and the
    distances of all pairs are compared with a uniform background of chance pairs: the radius
    within which they are least likely to be nothing else gives the next tolerance. It does not
    become smaller than where hardly any chance pair is expected. This ends when neither changes
    any more. Real pairs need not be the majority.

    Parameters
    ----------
    ref, img : ndarray of float64, shape (n, 2)
        Positions; those that are not finite match nothing.
    shift : (float, float)
        Offset image minus reference.
    tolerance : float
        Largest distance of a pair; to start with, too, if `start` is not given.
    separation : float, optional
        Points that have another one of their list within this distance are ambiguous at the
        tolerance asked for; at a smaller one, within the same multiple of it. They take no part.
    start : float, optional
        A smaller tolerance to start with, if offsets are known to scatter by less.
    shrink : bool, optional
        Refine; otherwise match once.

    Returns
    -------
    Pairs
        What was found; possibly nothing.
    """
    model = Transformation(np.eye(2), -np.asarray(shift, dtype=np.float64))
    some = ref[:: max(1, len(ref) // _ENOUGH)]
    share = len(ref) / len(some) if len(some) else 1.0
    # One pair more, since no pair around it does not mean that there could be none.
    density = share * _density_around(some, model(img), tolerance, more=1.0)
    least = max(_LEAST_TOLERANCE * tolerance, math.sqrt(_HARMLESS / (math.pi * density)))
    current = tolerance if start is None else min(max(start, least), tolerance)
    for _ in range(_PASSES if shrink else 0):
        moved = model(img)
        rows, columns = match_mutual(some, moved, current)
        if len(rows) == 0:
            break
        near = _together(some[rows] - moved[columns])
        better = _fit(some[rows[near]], img[columns[near]], current)
        if better is None:
            break
        change = float(np.abs(better(img[columns]) - moved[columns]).max())
        model = better
        smaller = max(CORE_RADII * _core_radius(some, model(img), current), least)
        settled = change < _SETTLED * current and smaller > 0.9 * current
        current = min(current, smaller)
        if settled:
            break
    moved = model(img)
    rows, columns = match_mutual(ref, moved, current, separation * current / tolerance)
    area = math.pi * current**2
    chance = area * max(density, share * _density_around(some, moved, current))
    return Pairs(rows, columns, model, current, chance)


def _together(difference: NDArray[np.float64]) -> NDArray[np.bool_]:
    """
    Choose pairs whose differences lie near the median one, if most do.

    A first fit to all pairs can bend towards outliers so far that clipping no longer finds them.
    """
    distance = np.hypot(*(difference - np.median(difference, axis=0)).T)
    return np.asarray(distance <= _CLIP * _MEDIAN_TO_RMS * np.median(distance))


def _fit(
    ref: NDArray[np.float64], img: NDArray[np.float64], tolerance: float
) -> Transformation | None:
    """Fit what the number of pairs allows, robustly; None if they determine nothing."""
    geometry = "rscale" if len(ref) > _MOST_FOR_SHIFT else "shift"
    try:
        fit = iter_linear_fit(ref, img, fitgeom=geometry, nclip=10, sigma=(_CLIP, "mad"))
    except SingularMatrixError:
        return None
    matrix, center = fit["matrix"], fit["center"]
    if not fit["proper"] or np.abs(matrix - np.eye(2)).max() > _MOST_TURN:
        log.debug("A fit to %d pairs within %g is no small rotation", len(ref), tolerance)
        return None
    return Transformation(matrix, fit["shift"] + center - matrix @ center)


def _profile(
    ref: NDArray[np.float64], moved: NDArray[np.float64], tolerance: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Count the pairs in each cell within the tolerance, by distance from the centre."""
    cell = tolerance / _CELLS
    counts = offset_histogram(ref, moved, bin_size=cell, radius=tolerance)
    axis = np.arange(-_CELLS, _CELLS + 1)
    distance = cell * np.hypot(axis[:, None], axis).ravel()
    order = np.argsort(distance, kind="stable")
    order = order[distance[order] <= tolerance]
    return distance[order], counts.ravel()[order].astype(np.float64)


def _core_radius(ref: NDArray[np.float64], moved: NDArray[np.float64], tolerance: float) -> float:
    """Find the radius within which real pairs stand out best; infinity if they do not."""
    distance, counts = _profile(ref, moved, tolerance)
    cells = _core(counts)
    # The cells reach half a diagonal beyond their centres.
    return float(distance[cells - 1] + np.sqrt(0.5) * tolerance / _CELLS) if cells else math.inf


def _core(counts: NDArray[np.float64]) -> int:
    """
    Count the first cells in which pairs stand out best against the others; 0 if they do not.

    If all N pairs lay evenly in the cells, n of them within a part q would be less likely than
    exp(-N D), where D is the divergence of n / N from q (Chernoff 1952, AMS 23, 493).
    """
    total = counts.sum()
    if total == 0:
        return 0
    part = np.arange(1, len(counts) + 1) / len(counts)
    found = np.clip(np.cumsum(counts) / total, part, 1.0)
    evidence = total * (rel_entr(found, part) + rel_entr(1.0 - found, 1.0 - part))
    if evidence.max() < math.log(len(counts) / FALSE_ALARM):
        return 0
    return int(np.argmax(evidence > _NEAR_BEST * evidence.max())) + 1


def _density_around(
    ref: NDArray[np.float64],
    moved: NDArray[np.float64],
    radius: float,
    more: float = 0.0,
) -> float:
    """Estimate the pairs per unit of area by chance, from those between the radius and twice it."""
    distance, counts = _profile(ref, moved, 2.0 * radius)
    ring = distance > radius
    area = float(ring.sum()) * (2.0 * radius / _CELLS) ** 2
    return (float(counts[ring].sum()) + more) / area
