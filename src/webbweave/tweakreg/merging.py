"""One star seen in many images is one star: detections are merged before they are matched."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import KDTree

from webbweave.tweakreg.refining import match_mutual

__all__ = ["MergedSources", "drop_confused", "merge_detections"]

#: Of two sources closer than the separation, one that is brighter by this factor is measured well
#: enough to be kept: the other moves its centroid by less than a third of their distance.
_MUCH_BRIGHTER = 2.0


@dataclass(frozen=True, eq=False)
class MergedSources:
    """
    Sources, each from one or more detections.

    Attributes
    ----------
    xy : ndarray of float64, shape (n, 2)
        Weighted means of the positions.
    weight : ndarray of float64, shape (n,)
        Sums of the weights.
    count : ndarray of int, shape (n,)
        Numbers of detections.
    source : ndarray of int, shape (n_detection,)
        The source of each detection; -1 for those that were dropped.
    """

    xy: NDArray[np.float64]
    weight: NDArray[np.float64]
    count: NDArray[np.intp]
    source: NDArray[np.intp]


def drop_confused(
    xy: NDArray[np.float64], separation: float, flux: NDArray[np.float64] | None = None
) -> NDArray[np.bool_]:
    """
    Find the sources of one image that are no doubles.

    Parameters
    ----------
    xy : ndarray of float64, shape (n, 2)
        Positions; those that are not finite are dropped.
    separation : float
        Both of two sources that are closer are dropped ...
    flux : ndarray of float64, shape (n,), optional
        ... but for one that is at least twice as bright.

    Returns
    -------
    ndarray of bool, shape (n,)
        The sources to keep.
    """
    keep: NDArray[np.bool_] = np.array(np.isfinite(xy).all(axis=1))
    rows = np.flatnonzero(keep)
    if rows.size < 2 or separation <= 0:
        return keep
    pairs = rows[KDTree(xy[rows]).query_pairs(separation, output_type="ndarray")]
    for one, two in (pairs.T, pairs.T[::-1]):
        bad = np.ones(one.size, dtype=bool)
        if flux is not None:
            bad = ~(flux[one] >= _MUCH_BRIGHTER * flux[two])
        keep[one[bad]] = False
    return keep


def merge_detections(
    xy: ArrayLike,
    image: ArrayLike,
    separation: float,
    *,
    weight: ArrayLike | None = None,
    flux: ArrayLike | None = None,
) -> MergedSources:
    """
    Merge the detections of each star in several aligned images.

    Images are added one after another: a detection and a source that are the nearest of each
    other, within the separation, belong together, and the source moves to the mean of all its
    detections so far. So all detections count, and none of them for more than it is worth.

    Parameters
    ----------
    xy : array_like, shape (n, 2)
        Positions of all detections in one plane.
    image : array_like of int, shape (n,)
        The image that each is from.
    separation : float
        Detections of different images that are closer are one source; of one image, see
        `drop_confused`.
    weight : array_like, shape (n,), optional
        Inverse variances of the positions, or in proportion to them; 1 if not given.
    flux : array_like, shape (n,), optional
        Brightness, to decide between doubles.

    Returns
    -------
    MergedSources
        The sources, in the order of their first detection within the images.

    Raises
    ------
    ValueError
        If lengths differ, or the separation or a weight is not above 0.
    """
    points = np.asarray(xy, dtype=np.float64).reshape(-1, 2)
    images = np.asarray(image)
    n = len(points)
    weights = np.ones(n) if weight is None else np.asarray(weight, dtype=np.float64)
    fluxes = None if flux is None else np.asarray(flux, dtype=np.float64)
    for name, array in (("image", images), ("weight", weights), ("flux", fluxes)):
        if array is not None and array.shape != (n,):
            raise ValueError(f"{name} has shape {array.shape}, expected ({n},)")
    if not separation > 0:
        raise ValueError(f"separation: expected a number above 0, found {separation!r}")
    if not (weights > 0).all():
        raise ValueError("weight: expected numbers above 0")
    source = np.full(n, -1, dtype=np.intp)
    mean, total, count = np.empty((0, 2)), np.empty(0), np.empty(0, dtype=np.intp)
    for label in np.unique(images):
        rows = np.flatnonzero(images == label)
        keep = drop_confused(points[rows], separation, None if fluxes is None else fluxes[rows])
        rows = rows[keep]
        known, found = match_mutual(mean, points[rows], separation)
        source[rows[found]] = known
        new = np.delete(rows, found)
        source[new] = len(mean) + np.arange(new.size)
        mean, total, count = (
            np.concatenate([mean, np.zeros((new.size, 2))]),
            np.concatenate([total, np.zeros(new.size)]),
            np.concatenate([count, np.zeros(new.size, dtype=np.intp)]),
        )
        to, share = source[rows], weights[rows]
        total[to] += share
        count[to] += 1
        mean[to] += (points[rows] - mean[to]) * (share / total[to])[:, None]
    return MergedSources(mean, total, count, source)
