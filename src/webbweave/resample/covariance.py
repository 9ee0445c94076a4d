"""Noise of a resampled spectrum: variances, and the covariance of each pixel with its neighbours.

Resampling is linear: the product is ``p = M d`` with the pixels d of all exposures, and so its
covariance is exactly ``C = M V M^T`` with the variances V of the pixels, which are independent
(Fruchter & Hook 2002, PASP 114, 144, section 7, describe the effect for images).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from webbweave.resample.matrix import CovarianceSums, covariance_add, covariance_reach

__all__ = ["Covariance", "Propagated", "aperture_taper", "neighbour_offsets", "propagate_noise"]


def neighbour_offsets(reach_y: int, reach_x: int) -> tuple[tuple[int, int], ...]:
    """
    List the neighbours of a pixel, each pair of pixels once.

    Parameters
    ----------
    reach_y, reach_x : int
        How far neighbours lie, in rows and columns.

    Returns
    -------
    tuple of (int, int)
        Steps (dy, dx) to the neighbours: (0, 0) first, then those to the right in the same row,
        then the rows above from left to right.
    """
    return tuple(
        (dy, dx)
        for dy in range(reach_y + 1)
        for dx in range(-reach_x, reach_x + 1)
        if dy > 0 or dx >= 0
    )


@dataclass(frozen=True, eq=False)
class Covariance:
    """
    The covariance of each pixel with its neighbours.

    Attributes
    ----------
    values : ndarray of float32, shape (n_offset, ny, nx)
        ``values[k, y, x]`` is the covariance of the pixels (y, x) and (y + dy, x + dx), where
        ``dy, dx = offsets[k]``, in the square of the unit of the data; 0 where there is no data.
        Pixels further apart are not correlated.
    offsets : tuple of (int, int)
        Steps (dy, dx) to the neighbours, as `neighbour_offsets` lists them; the first is (0, 0),
        the variance of the pixel itself.
    """

    values: NDArray[np.float32]
    offsets: tuple[tuple[int, int], ...]

    @property
    def reach(self) -> tuple[int, int]:
        """How far neighbours lie, in rows and columns."""
        return self.offsets[-1]

    @cached_property
    def noise_correlation(self) -> float:
        """
        How much noisier a large aperture is than uncorrelated pixels would make it.

        The square root of the variance of a sum over many pixels, over the sum of the variances of
        these pixels; the median over the pixels of the product, NaN if there is none.
        """
        rows = self.row_sums()
        own = self.values[0].astype(np.float64)
        seen = own > 0
        return math.sqrt(np.median(rows[seen] / own[seen])) if seen.any() else math.nan

    def row_sums(self) -> NDArray[np.float64]:
        """
        Sum the covariances of each pixel with all pixels, itself included.

        Returns
        -------
        ndarray of float64, shape (ny, nx)
            What each pixel contributes to the variance of a sum over all pixels.
        """
        total: NDArray[np.float64] = self.values[0].astype(np.float64)
        for (dy, dx), plane in zip(self.offsets[1:], self.values[1:], strict=True):
            here, there = _overlap(plane.shape, dy, dx)
            total[here] += plane[here]
            total[there] += plane[here]
        return total

    def correlation(self, dy: int, dx: int) -> NDArray[np.float64]:
        """
        Compute the correlation coefficient of each pixel with one neighbour.

        Parameters
        ----------
        dy, dx : int
            Step to the neighbour.

        Returns
        -------
        ndarray of float64, shape (ny, nx)
            Coefficients, NaN where either pixel has no data.
        """
        shape = self.values[0].shape
        coefficient = np.full(shape, np.nan)
        here, there = _overlap(shape, dy, dx)
        if (dy, dx) in self.offsets:
            plane = self.values[self.offsets.index((dy, dx))][here]
        elif (-dy, -dx) in self.offsets:
            plane = self.values[self.offsets.index((-dy, -dx))][there]
        else:
            plane = np.zeros(shape)[here]
        own = self.values[0].astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            coefficient[here] = plane / np.sqrt(own[here] * own[there])
        coefficient[~np.isfinite(coefficient)] = np.nan
        return coefficient

    def variance_of_sum(
        self, weights: ArrayLike, axis: int | None = None
    ) -> NDArray[np.float64] | float:
        """
        Compute the exact variance of weighted sums of pixels.

        Parameters
        ----------
        weights : array_like, shape (ny, nx)
            Weight of each pixel in the sum, 0 for pixels outside the aperture or without data. A
            mask will do, and shapes that broadcast, as (ny, 1) for the rows of an extraction.
        axis : {None, 0, 1}, optional
            Sum over all pixels, or along the columns (0) or the rows (1): an extracted spectrum.

        Returns
        -------
        float or ndarray of float64, shape (nx,) or (ny,)
            The variance, in the square of the unit of the data.
        """
        shape = self.values[0].shape
        weight = np.broadcast_to(np.asarray(weights, dtype=np.float64), shape)
        total = np.zeros(shape)
        for (dy, dx), plane in zip(self.offsets, self.values, strict=True):
            if (axis == 0 and dx) or (axis == 1 and dy):
                continue
            here, there = _overlap(shape, dy, dx)
            pairs = 1.0 if (dy, dx) == (0, 0) else 2.0
            total[here] += pairs * weight[here] * weight[there] * plane[here]
        result: NDArray[np.float64] = total.sum(axis=axis)
        return result if axis is not None else float(result)


def _overlap(
    shape: tuple[int, ...], dy: int, dx: int
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where an image overlaps itself shifted by a step: the pixels, and their neighbours."""

    def along(size: int, step: int) -> tuple[slice, slice]:
        return (
            slice(max(0, -step), max(0, size - max(0, step))),
            slice(max(0, step), max(0, size - max(0, -step))),
        )

    (y, y_there), (x, x_there) = along(shape[0], dy), along(shape[1], dx)
    return (y, x), (y_there, x_there)


@dataclass(frozen=True, eq=False)
class Propagated:
    """
    The noise of a resampled spectrum.

    Attributes
    ----------
    variances : dict of str to ndarray of float64, shape (ny, nx)
        The components of the variance, as `propagate_noise` was asked for them.
    covariance : Covariance
        Of all components together.
    """

    variances: dict[str, NDArray[np.float64]]
    covariance: Covariance


def aperture_taper(reach: tuple[int, int], aperture: float) -> NDArray[np.float64]:
    """
    Compute which share of the neighbours of a pixel lie in the same aperture.

    In a square of n x n pixels, neighbours at a step (dy, dx) are both inside for a fraction
    (1 - |dy| / n) (1 - |dx| / n) of the pixels. With covariances weighted so, the sum of the
    variances over such a square is exactly the variance of its sum.

    Parameters
    ----------
    reach : (int, int)
        How far neighbours lie, in rows and columns.
    aperture : float
        Size n of the square [pixel]; infinity for the plain sum over all neighbours.

    Returns
    -------
    ndarray of float64, shape (reach_y + 1, reach_x + 1)
        The share for each distance, not below 0.
    """
    rows, columns = (np.maximum(0.0, 1.0 - np.arange(n + 1) / aperture) for n in reach)
    taper: NDArray[np.float64] = np.outer(rows, columns)
    return taper


def propagate_noise(
    matrices: Sequence[sparse.csr_array],
    variances: Sequence[Mapping[str, NDArray[np.float64]]],
    shape: tuple[int, int],
    *,
    aperture: float | None = None,
    threads: int = 1,
) -> Propagated:
    """
    Propagate the variances of pixels to a linear combination of them.

    Parameters
    ----------
    matrices : sequence of `~scipy.sparse.csr_array`, shape (n_e, ny * nx)
        For each exposure, the coefficient of each of its pixels in each pixel of the product.
    variances : sequence of mapping of str to ndarray, shape (n_e,)
        For each exposure, the components of the variances of its pixels, the same in all.
    shape : (int, int)
        Shape (ny, nx) of the product.
    aperture : float, optional
        The variances are sums of the covariances of a pixel with itself and its neighbours, such
        that they may be added up over apertures of about this size [pixel]; see `aperture_taper`.
        Without, they are those of the pixels alone.
    threads : int, optional
        Number of threads; the result is the same for any.

    Returns
    -------
    Propagated
        Variances and covariances.
    """
    names = list(variances[0])
    reaches = [covariance_reach(matrix, shape) for matrix in matrices]
    reach = (max(y for y, _ in reaches), max(x for _, x in reaches))
    sums = CovarianceSums.zeros(max(1, len(names)), shape, reach)
    taper = None if aperture is None else aperture_taper(reach, aperture)
    no_weighting = np.ones(shape)
    for matrix, components in zip(matrices, variances, strict=True):
        planes = [components[name] for name in names] or [np.zeros(matrix.shape[0])]
        covariance_add(sums, matrix, no_weighting, planes, taper=taper, threads=threads)
    chosen = sums.diagonal if aperture is None else sums.row_sum
    return Propagated(
        dict(zip(names, chosen, strict=False)),
        Covariance(sums.covariance.astype(np.float32), neighbour_offsets(*reach)),
    )
