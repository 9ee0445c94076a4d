"""Pixels of many exposures put on a rectified grid by sub-samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from webbweave._kernels.histogram_drizzle import histogram_drizzle

__all__ = ["DrizzledPlanes", "drizzle_planes", "pseudo_drizzle", "sub_samples"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class DrizzledPlanes:
    """
    Sums of pixels in the cells of a grid; csrc/histogram_drizzle.h says of what.

    Attributes
    ----------
    num : ndarray, shape (n, ny, nx)
        Weighted sums of n planes of values.
    den, count : ndarray, shape (ny, nx)
        Sums of weights and of pixels.
    linear : ndarray, shape (ny, nx)
        Variances of `num` that add up over cells to that of their sum.
    square : ndarray, shape (ny, nx)
        The variance of `num` in each cell.
    above : ndarray, shape (ny, nx)
        Its covariance with that of the cell in the next row.
    """

    num: Array
    den: Array
    count: Array
    linear: Array
    square: Array
    above: Array

    def variance(self) -> Array:
        """
        Compute the variance of the weighted mean in each cell.

        Returns
        -------
        ndarray, shape (ny, nx)
            Variances, NaN where there is no weight.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(self.square / self.den**2)

    def correlation_above(self) -> Array:
        """
        Compute the correlation of the errors of each cell with those of the cell in the next row.

        Returns
        -------
        ndarray, shape (ny, nx)
            0 to 1; NaN where one of the two has no weight, and in the last row.
        """
        next_row = np.full_like(self.square, np.nan)
        next_row[:-1] = self.square[1:]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(self.above / np.sqrt(self.square * next_row))


def sub_samples(oversample: int, pixfrac: float, *, compat: bool = False) -> Array:
    """
    Compute the places of the sub-samples of a pixel.

    Parameters
    ----------
    oversample : int
        Their number, at least 1.
    pixfrac : float
        The part of a pixel that they fill, from the middle.
    compat : bool, optional
        As in msaexp, whose sub-samples fill twice as much.

    Returns
    -------
    ndarray, shape (oversample,)
        Offsets from the middle of the pixel [pixel].

    Raises
    ------
    ValueError
        If there is no sub-sample, or pixfrac is negative.
    """
    if int(oversample) != oversample or oversample < 1 or not 0 <= pixfrac < np.inf:
        raise ValueError(
            "oversample, pixfrac: expected a number of sub-samples and a part of a pixel, "
            f"found {oversample!r}, {pixfrac!r}"
        )
    n = int(oversample)
    if compat:
        return np.asarray((np.linspace(1 / n, 2 + 1 / n, n + 1)[:-1] - 1) * pixfrac)
    return np.asarray(((np.arange(n) + 0.5) / n - 0.5) * pixfrac)


def drizzle_planes(
    x: ArrayLike,
    y: ArrayLike,
    values: ArrayLike,
    variance: ArrayLike,
    weight: ArrayLike,
    x_edges: ArrayLike,
    y_edges: ArrayLike,
    *,
    oversample: int = 16,
    pixfrac: float = 0.8,
    sample_axes: str = "y",
    compat: bool = False,
) -> DrizzledPlanes:
    """
    Put several planes of values of the same pixels on a grid.

    Parameters
    ----------
    x, y : array_like, shape (p,)
        Places of the pixels.
    values : array_like, shape (n, p)
        Values of the planes.
    variance, weight : array_like, shape (p,)
        Variance and weight of the pixels.
    x_edges : array_like, shape (nx + 1,)
        Edges of the cells along x, increasing.
    y_edges : array_like, shape (ny + 1,)
        Edges of the cells along y, increasing.
    oversample : int, optional
        Sub-samples of a pixel along each sampled axis.
    pixfrac : float, optional
        The part of a pixel that they fill. A pixel is as large as the cells around it.
    sample_axes : str, optional
        Axes that are sampled: ``'y'``, ``'x'`` or ``'xy'``; along the other one a pixel is a point.
    compat : bool, optional
        Sub-samples as in msaexp; NaN goes into the sums.

    Returns
    -------
    DrizzledPlanes
        The sums. Pixels with a value, variance or weight that is not finite are left out.

    Raises
    ------
    ValueError
        If lengths differ, edges do not increase, or an option has no meaning.
    """
    points = [np.asarray(array, dtype=np.float64) for array in (x, y, variance, weight)]
    planes = np.asarray(values, dtype=np.float64)
    if planes.ndim != 2 or any(point.shape != planes.shape[1:] for point in points):
        raise ValueError(
            "pixels: expected arrays of one length, found "
            f"{[point.shape for point in points]} and values {planes.shape}"
        )
    if not set(sample_axes) <= {"x", "y"}:
        raise ValueError(f"sample_axes: expected 'y', 'x' or 'xy', found {sample_axes!r}")
    if not compat:
        good = np.isfinite(points[2]) & np.isfinite(points[3]) & np.isfinite(planes).all(axis=0)
        if not good.all():
            points, planes = [point[good] for point in points], planes[:, good]
    shifts = sub_samples(oversample, pixfrac, compat=compat)
    x_sets, y_sets = (
        _moved(edges, shifts if axis in sample_axes else np.zeros(1), f"{axis}_edges")
        for axis, edges in (("x", x_edges), ("y", y_edges))
    )
    shape = len(y_sets) - 1, len(x_sets) - 1
    sums = DrizzledPlanes(np.zeros((len(planes), *shape)), *(np.zeros(shape) for _ in range(5)))
    histogram_drizzle(
        x_sets,
        y_sets,
        np.ascontiguousarray(points[0]),
        np.ascontiguousarray(points[1]),
        np.ascontiguousarray(points[3]),
        np.ascontiguousarray(points[2]),
        np.ascontiguousarray(planes),
        sums.den,
        sums.num,
        sums.linear,
        sums.count,
        sums.square,
        sums.above,
        start=0,
        stop=planes.shape[1],
    )
    return sums


def pseudo_drizzle(
    xpix: ArrayLike,
    ypix: ArrayLike,
    data: ArrayLike,
    var: ArrayLike,
    wht: ArrayLike,
    xbin: ArrayLike,
    ybin: ArrayLike,
    arrays: Sequence[Array] | None = None,
    oversample: int = 4,
    pixfrac: float = 1,
    sample_axes: str = "y",
    *,
    compat: bool = False,
) -> tuple[Array, Array, Array, Array]:
    """
    Put pixels on a grid.

    Parameters
    ----------
    xpix, ypix : array_like, shape (p,)
        Places of the pixels.
    data, var, wht : array_like, shape (p,)
        Their values, variances and weights.
    xbin, ybin : array_like, shape (nx + 1,) and (ny + 1,)
        Edges of the cells.
    arrays : sequence of four ndarrays, optional
        What an earlier call returned, to add to; they are not changed.
    oversample, pixfrac, sample_axes, compat
        See `drizzle_planes`.

    Returns
    -------
    num, vnum, den, ntot : ndarray, shape (ny, nx)
        Sums of weight times value, of squared weight times variance, of weights and of pixels. The
        second is the one that adds up over cells, see `DrizzledPlanes`.

    Raises
    ------
    ValueError
        As `drizzle_planes`; if `arrays` are not four of this shape.
    """
    sums = drizzle_planes(
        xpix,
        ypix,
        np.asarray(data, dtype=np.float64)[None],
        var,
        wht,
        xbin,
        ybin,
        oversample=oversample,
        pixfrac=pixfrac,
        sample_axes=sample_axes,
        compat=compat,
    )
    # Pixels without weight are none.
    count = np.where(sums.den > 0, sums.count, 0.0)
    new = (sums.num[0], sums.linear, sums.den, count)
    if arrays is None:
        return new
    shapes = [np.shape(array) for array in arrays]
    if shapes != [sums.den.shape] * 4:
        raise ValueError(f"arrays: expected four of shape {sums.den.shape}, found {shapes}")
    num, vnum, den, ntot = (old + added for old, added in zip(arrays, new, strict=True))
    return num, vnum, den, ntot


def _moved(edges: ArrayLike, shifts: Array, name: str) -> Array:
    """Edges moved by parts of the cells on either side of each, shape (edges, shifts)."""
    edges = np.asarray(edges, dtype=np.float64)
    if edges.ndim != 1 or edges.size < 2 or not (np.diff(edges) > 0).all():
        raise ValueError(f"{name}: expected two numbers or more that increase, found {edges.shape}")
    return np.ascontiguousarray(edges[:, None] + shifts * np.gradient(edges)[:, None])
