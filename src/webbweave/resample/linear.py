"""The combination of exposures as a linear map, with exact errors."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from webbweave.resample.covariance import propagate_noise
from webbweave.resample.exposure import DO_NOT_USE, VARIANCES, SlitExposure
from webbweave.resample.grid import OutputGrid
from webbweave.resample.matrix import resampling_matrix
from webbweave.resample.options import ResampleOptions, parse_fillval
from webbweave.resample.planes import Planes, context_image, science_values, total_error
from webbweave.resample.rejection import median_of_exposures, reject_outliers
from webbweave.resample.weights import pixel_weights

__all__ = ["DrizzledExposure", "combine_linearly"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class DrizzledExposure:
    """
    One exposure on the output grid.

    Attributes
    ----------
    values : ndarray of float64, shape (n,)
        Its pixels, 0 where invalid.
    variances : dict of str to ndarray of float64, shape (n,)
        The components of their variances.
    shares : `~scipy.sparse.csr_array`, shape (n, ny * nx)
        The weight with which each pixel enters each cell of the output.
    """

    values: NDArray[np.float64]
    variances: dict[str, NDArray[np.float64]]
    shares: sparse.csr_array

    @cached_property
    def weight(self) -> NDArray[np.float64]:
        """Sum of the weights per cell, shape (ny * nx,)."""
        weight: NDArray[np.float64] = self.shares.T @ np.ones(self.shares.shape[0])
        return weight

    @cached_property
    def mean(self) -> NDArray[np.float64]:
        """Weighted mean per cell, NaN without weight, shape (ny * nx,)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            mean: NDArray[np.float64] = (self.shares.T @ self.values) / self.weight
        return mean

    def without(self, rejected: NDArray[np.bool_]) -> DrizzledExposure:
        """
        Take pixels out.

        Parameters
        ----------
        rejected : ndarray of bool, shape (n,)
            The pixels to take out.

        Returns
        -------
        DrizzledExposure
            The exposure without them.
        """
        kept = self.shares.copy()
        kept.data[np.repeat(rejected, np.diff(kept.indptr))] = 0.0
        kept.eliminate_zeros()
        return DrizzledExposure(self.values, self.variances, kept)


def combine_linearly(
    exposures: Sequence[SlitExposure],
    grid: OutputGrid,
    options: ResampleOptions,
    *,
    scale: float,
) -> Planes:
    """
    Drizzle all exposures and propagate their noise exactly.

    Parameters
    ----------
    exposures : sequence of SlitExposure
        The exposures.
    grid : OutputGrid
        The grid of the product, of shape (ny, nx).
    options : ResampleOptions
        How to do it.
    scale : float
        What a science value is multiplied with.

    Returns
    -------
    Planes
        The arrays of the product.
    """
    weights = pixel_weights(exposures, options.weight_type)
    variances = _variances(exposures, scale)
    drizzled = [
        _drizzle(*item, grid, scale, options)
        for item in zip(exposures, weights, variances, strict=True)
    ]
    n_rejected = 0
    if options.combine == "clip":
        rejected = reject_outliers(drizzled, grid.shape)
        n_rejected = sum(int(np.count_nonzero(pixels)) for pixels in rejected)
        drizzled = [item.without(pixels) for item, pixels in zip(drizzled, rejected, strict=True)]
    weight = np.sum([item.weight for item in drizzled], axis=0)
    if options.combine == "median":
        data, matrices = median_of_exposures(drizzled)
    else:
        with np.errstate(divide="ignore", invalid="ignore"):
            data = np.sum([item.shares.T @ item.values for item in drizzled], axis=0) / weight
        matrices = [_normalised(item.shares, weight) for item in drizzled]
    return _finish(exposures, drizzled, matrices, data, weight, grid, options, n_rejected, scale)


def _drizzle(
    exposure: SlitExposure,
    weight: NDArray[np.float32],
    variances: dict[str, NDArray[np.float64]],
    grid: OutputGrid,
    scale: float,
    options: ResampleOptions,
) -> DrizzledExposure:
    window = exposure.grid.window
    x, y = grid.pixel_map(exposure)
    shares = resampling_matrix(
        weight[window],
        (x[window], y[window]),
        grid.shape,
        pixfrac=options.pixfrac,
        kernel=options.kernel,
        threads=options.threads,
    )
    if not shares.nnz:
        log.warning("%s: none of its pixels falls on the output grid", exposure.name)
    values = np.nan_to_num(science_values(exposure, scale)[window].astype(np.float64)).ravel()
    return DrizzledExposure(values, variances, shares)


def _variances(
    exposures: Sequence[SlitExposure], scale: float
) -> list[dict[str, NDArray[np.float64]]]:
    """
    Take the variances as they are propagated: of all exposures the same components.

    Where an exposure lacks one that others have, its pixels are taken to be as noisy as theirs.
    """
    planes: list[dict[str, NDArray[np.float64]]] = [{} for _ in exposures]
    for name in VARIANCES:
        known = [e.variances[name][e.good] for e in exposures if name in e.variances]
        if not known:
            continue
        typical = float(np.median(np.concatenate(known)))
        for exposure, own in zip(exposures, planes, strict=True):
            variance = exposure.variances.get(name)
            if variance is None:
                log.warning(
                    "%s: no usable %s, its pixels are taken to have the median of the other"
                    " exposures, %.4g",
                    exposure.name,
                    name.upper(),
                    typical,
                )
                variance = np.full(exposure.data.shape, typical)
            used = np.where(exposure.good, variance, 0.0)[exposure.grid.window]
            own[name] = used.ravel().astype(np.float64) * scale**2
    return planes


def _normalised(shares: sparse.csr_array, weight: NDArray[np.float64]) -> sparse.csr_array:
    """Coefficients of the weighted mean: shares over the weight of their cell."""
    with np.errstate(divide="ignore"):
        inverse = np.where(weight != 0, 1.0 / weight, 0.0)
    return sparse.csr_array(
        (shares.data * inverse[shares.indices], shares.indices, shares.indptr), shape=shares.shape
    )


def _finish(
    exposures: Sequence[SlitExposure],
    drizzled: Sequence[DrizzledExposure],
    matrices: Sequence[sparse.csr_array],
    data: NDArray[np.float64],
    weight: NDArray[np.float64],
    grid: OutputGrid,
    options: ResampleOptions,
    n_rejected: int,
    scale: float,
) -> Planes:
    shape = grid.shape
    empty = (weight == 0).reshape(shape)
    noise = propagate_noise(
        matrices,
        [item.variances for item in drizzled],
        shape,
        aperture=options.error_aperture if options.error_mode == "total" else None,
        threads=options.threads,
    )
    for plane in noise.variances.values():
        plane[empty] = np.nan
    dq = _data_quality(exposures, drizzled, shape) if options.propagate_dq else None
    if dq is not None:
        dq[~np.isfinite(data.reshape(shape))] |= np.uint32(DO_NOT_USE)
    data[weight == 0] = parse_fillval(options.fillval)
    return Planes(
        data=data.reshape(shape).astype(np.float32),
        error=total_error(list(noise.variances.values()), shape),
        variances={name: plane.astype(np.float32) for name, plane in noise.variances.items()},
        weight=weight.reshape(shape).astype(np.float32),
        context=context_image([(item.weight > 0).reshape(shape) for item in drizzled]),
        dq=dq,
        covariance=noise.covariance if noise.variances else None,
        matrix=_products(matrices, exposures, scale) if options.save_matrix else None,
        n_rejected=n_rejected,
    )


def _products(
    matrices: Sequence[sparse.csr_array], exposures: Sequence[SlitExposure], scale: float
) -> list[sparse.csr_array]:
    """Matrices that turn the pixels of whole exposures, as they are in the files, into products."""
    products = []
    for matrix, exposure in zip(matrices, exposures, strict=True):
        number = np.arange(exposure.data.size).reshape(exposure.data.shape)
        pixels = number[exposure.grid.window].ravel()
        entries = matrix.tocoo()
        pixel, cell = entries.coords
        products.append(
            sparse.csr_array(
                (entries.data * scale, (cell, pixels[pixel])),
                shape=(matrix.shape[1], exposure.data.size),
            )
        )
    return products


def _data_quality(
    exposures: Sequence[SlitExposure], drizzled: Sequence[DrizzledExposure], shape: tuple[int, int]
) -> NDArray[np.uint32]:
    """Combine the bits of all pixels that contribute to a cell."""
    dq = np.zeros(shape[0] * shape[1], dtype=np.uint32)
    for exposure, item in zip(exposures, drizzled, strict=True):
        bits = exposure.dq[exposure.grid.window].ravel()
        present = int(np.bitwise_or.reduce(bits[np.diff(item.shares.indptr) > 0], initial=0))
        for position in range(present.bit_length()):
            bit = np.uint32(1 << position)
            if present & bit:
                dq[item.shares.T @ (bits & bit != 0).astype(np.float64) > 0] |= bit
    return dq.reshape(shape)
