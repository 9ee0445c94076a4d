"""The input pixels that jwst drizzles onto a grid, which are not all that overlap it.

The drizzle package looks only at the pixels inside a polygon: the outline of the image, with
straight sides, is clipped to the output grid, and the vertices of what is left are sought on the
image. What counts as inside was found by passing maps of many shapes, whose pixels have weights one
at a time, through the package; see the user guide for what it loses.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = ["scanned_pixels"]

#: The search for a vertex ends when the rectangle that holds it is no larger than this [pixel];
#: the polygon is widened by as much. Measured on drizzle 2.2, to 0.0003.
_SLACK = 0.03

#: What golden sections leave of an interval.
_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0

#: Sides that rise less than this [pixel] are level: rounding errors of the vertices are smaller,
#: and the steps in which vertices are found (0.01) are larger.
_LEVEL = 1e-9

_Edges = tuple[float, float, float, float]
_Map = tuple[NDArray[np.float64], NDArray[np.float64]]


def scanned_pixels(pixel_map: _Map, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """
    Find the pixels that jwst drizzles, if they overlap the grid.

    Parameters
    ----------
    pixel_map : (ndarray of float64, ndarray of float64), shape (ny_in, nx_in) each
        Output column and row of each pixel centre, NaN for none.
    shape : (int, int)
        Shape (ny, nx) of the output grid.

    Returns
    -------
    ndarray of bool, shape (ny_in, nx_in)
        Whether a pixel is looked at. All are where the map has no value at a corner of the
        rectangle that holds its values, as is so with slits that are not parallel to the detector.
    """
    edges = _edges(pixel_map)
    if edges is None:
        return np.ones(pixel_map[0].shape, dtype=bool)
    left, right, top, bottom = edges
    corners = _interpolate(
        pixel_map, np.array([left, right, right, left]), np.array([top, top, bottom, bottom])
    )
    if not np.isfinite(corners).all():
        return np.ones(pixel_map[0].shape, dtype=bool)
    polygon = _clip(corners, shape)
    inside = np.zeros(pixel_map[0].shape, dtype=bool)
    if len(polygon) > 2:
        _fill(inside, _search(pixel_map, polygon, edges), edges)
    return inside


def _edges(pixel_map: _Map) -> _Edges | None:
    """Find the edges (left, right, top, bottom) of the pixels that the map has a value for."""
    finite = np.isfinite(pixel_map[0]) & np.isfinite(pixel_map[1])
    rows = np.flatnonzero(finite.any(axis=1))
    columns = np.flatnonzero(finite.any(axis=0))
    if not rows.size or min(finite.shape) < 2:
        return None
    return columns[0] - 0.5, columns[-1] + 0.5, rows[0] - 0.5, rows[-1] + 0.5


def _interpolate(
    pixel_map: _Map, x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Interpolate the map between the pixels around (x, y), extrapolate it off the array."""
    ny, nx = pixel_map[0].shape
    i = np.clip(np.floor(x).astype(int), 0, nx - 2)
    j = np.clip(np.floor(y).astype(int), 0, ny - 2)
    u, v = x - i, y - j
    upper, lower = (
        np.stack([axis[row, i] * (1.0 - u) + axis[row, i + 1] * u for axis in pixel_map], axis=-1)
        for row in (j, j + 1)
    )
    position: NDArray[np.float64] = upper * (1.0 - v)[:, None] + lower * v[:, None]
    return position


def _clip(corners: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Clip a polygon to the grid, side by side (Sutherland & Hodgman 1974, CACM 17, 32)."""
    polygon = list(corners)
    for axis, size in ((0, shape[1]), (1, shape[0])):
        for limit, sign in ((-0.5, 1.0), (size - 0.5, -1.0)):
            clipped = []
            for start, stop in pairwise([*polygon, *polygon[:1]]):
                before, after = (sign * (point[axis] - limit) for point in (start, stop))
                if before >= 0.0:
                    clipped.append(start)
                if (before >= 0.0) != (after >= 0.0):
                    clipped.append(start + before / (before - after) * (stop - start))
            polygon = clipped
    return np.array(polygon)


def _search(pixel_map: _Map, points: NDArray[np.float64], edges: _Edges) -> NDArray[np.float64]:
    """Search where on the image output positions lie, by golden sections of a rectangle."""
    low, high = (np.tile(edges[k::2], (len(points), 1)) for k in (0, 1))
    while (high - low).max() > _SLACK:
        trial = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        distance = np.stack(
            [
                ((_interpolate(pixel_map, trial[a][:, 0], trial[b][:, 1]) - points) ** 2).sum(-1)
                for b in (0, 1)
                for a in (0, 1)
            ]
        )
        # Outside of the map is far away.
        best = np.nan_to_num(distance, nan=np.inf).argmin(axis=0)
        upper = np.stack([best % 2 == 1, best // 2 == 1], axis=-1)
        low, high = np.where(upper, trial[0], low), np.where(upper, high, trial[1])
    middle: NDArray[np.float64] = 0.5 * (low + high)
    return middle


def _fill(inside: NDArray[np.bool_], polygon: NDArray[np.float64], edges: _Edges) -> None:
    """Mark the pixels inside a polygon on the image."""
    left, right = _sides(polygon)
    if len(left) < 2 or len(right) < 2:
        return
    # The uppermost row may begin outside of the polygon, the lowermost one not: found so.
    first = math.ceil(left[0, 1] - 0.5 + 2.0 * _SLACK)
    last = math.floor(left[-1, 1] + _SLACK)
    row = np.arange(max(first, math.ceil(edges[2])), min(last, math.floor(edges[3])) + 1)
    starts, stops = [], []
    for begins in (True, False):
        start = np.maximum(edges[0], _bound(left, row, begins, np.maximum) - _SLACK)
        stop = np.minimum(edges[1], _bound(right, row, begins, np.minimum) + _SLACK)
        # A stretch of less than a pixel does not count.
        starts.append(np.where(stop - start >= 1.0, start, -np.inf))
        stops.append(np.where(stop - start >= 1.0, stop, np.inf))
    start, stop = np.maximum(*starts), np.minimum(*stops)
    for j, a, b in zip(row, start, stop, strict=True):
        if math.isfinite(a):
            inside[j, math.ceil(a) : math.floor(b) + 1] = True


def _sides(polygon: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Divide a polygon into its left and its right side, both from its top to its bottom."""
    n = len(polygon)
    top, bottom = int(polygon[:, 1].argmin()), int(polygon[:, 1].argmax())
    sides = []
    for step in (1, -1):
        count = step * (bottom - top) % n + 1
        side = polygon[(top + step * np.arange(count)) % n]
        rising = np.diff(side[:, 1]) > _LEVEL
        if rising.any():
            ends = np.flatnonzero(rising)
            side = side[ends[0] : ends[-1] + 2]
        else:
            side = side[:0]
        sides.append(side)
    middle = 0.5 * (polygon[top, 1] + polygon[bottom, 1])
    x = [np.interp(middle, side[:, 1], side[:, 0]) if len(side) else 0.0 for side in sides]
    return (sides[0], sides[1]) if x[0] < x[1] else (sides[1], sides[0])


def _bound(
    side: NDArray[np.float64], row: NDArray[np.int_], begins: bool, tightest: np.ufunc
) -> NDArray[np.float64]:
    """Limit rows by the line that a row begins with, or by the one that has begun by its middle."""
    n_line = len(side) - 1
    line = np.searchsorted(side[1:, 1], row - 0.5).clip(max=n_line - 1)
    if not begins:
        later = np.searchsorted(side[:-1, 1], row - _SLACK, side="right") - 1
        line = np.maximum(line, later)
    x, y = side[line].T
    slope = (side[line + 1, 0] - x) / (side[line + 1, 1] - y)
    bounds = tightest(x + (row - 0.5 - y) * slope, x + (row + 0.5 - y) * slope)
    return np.asarray(bounds, dtype=np.float64)
