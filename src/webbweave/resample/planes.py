"""The arrays of a resampled spectrum, and what the schemes of combination share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from webbweave.resample.covariance import Covariance
from webbweave.resample.exposure import SlitExposure

__all__ = ["Planes", "context_image", "science_values", "total_error"]

#: Exposures that fit into one plane of the context image: the bits of an int32.
_CONTEXT_BITS = 32


@dataclass(frozen=True, eq=False, kw_only=True)
class Planes:
    """
    The arrays of a resampled spectrum.

    Attributes
    ----------
    data, error : ndarray of float32, shape (ny, nx)
        Science values and their errors, in the unit of the input.
    variances : dict of str to ndarray of float32, shape (ny, nx)
        The variance planes that could be made.
    weight : ndarray of float32, shape (ny, nx)
        Sum of the weights.
    context : ndarray of int32, shape (n_plane, ny, nx)
        Bit k % 32 of plane k // 32 is set where the k-th exposure contributes.
    dq : ndarray of uint32, shape (ny, nx), or None
        Data-quality bits, if they were asked for.
    covariance : Covariance or None
        The covariance of each pixel with its neighbours, if it is known.
    matrix : sequence of `~scipy.sparse.csr_array`, shape (ny * nx, ny_e * nx_e), or None
        The resampling matrix of each exposure, if it was asked for: product pixels are the sum over
        the exposures of the matrix times the exposure's pixels.
    n_rejected : int
        Number of input pixels that were rejected as outliers.
    """

    data: NDArray[np.float32]
    error: NDArray[np.float32]
    variances: dict[str, NDArray[np.float32]]
    weight: NDArray[np.float32]
    context: NDArray[np.int32]
    dq: NDArray[np.uint32] | None
    covariance: Covariance | None = None
    matrix: Sequence[sparse.csr_array] | None = None
    n_rejected: int = 0


def science_values(exposure: SlitExposure, scale: float) -> NDArray[np.float32]:
    """
    Take the science values as they are drizzled.

    Parameters
    ----------
    exposure : SlitExposure
        An exposure of shape (ny, nx).
    scale : float
        What a value is multiplied with on the output grid.

    Returns
    -------
    ndarray of float32, shape (ny, nx)
        Values without background, NaN for invalid pixels.
    """
    data = np.where(exposure.invalid, np.float32(np.nan), exposure.data).astype(np.float32)
    if exposure.background:
        data -= np.float32(exposure.background)
    return data * np.float32(scale)


def context_image(hits: Sequence[NDArray[np.bool_]]) -> NDArray[np.int32]:
    """
    Note which exposures contribute to each pixel.

    Parameters
    ----------
    hits : sequence of ndarray of bool, shape (ny, nx)
        Where each exposure contributes.

    Returns
    -------
    ndarray of int32, shape (n_plane, ny, nx)
        One bit per exposure.
    """
    n_plane = -(-len(hits) // _CONTEXT_BITS)
    context = np.zeros((n_plane, *hits[0].shape), dtype=np.uint32)
    for index, hit in enumerate(hits):
        bit = np.uint32(1 << index % _CONTEXT_BITS)
        context[index // _CONTEXT_BITS] |= hit.astype(np.uint32) * bit
    return context.view(np.int32)


def total_error(
    variances: Sequence[NDArray[np.float64]], shape: tuple[int, int]
) -> NDArray[np.float32]:
    """
    Take the square root of the sum of variances.

    Parameters
    ----------
    variances : sequence of ndarray of float64, shape (ny, nx)
        The components, NaN where one is not known.
    shape : (int, int)
        Shape (ny, nx) of the result.

    Returns
    -------
    ndarray of float32, shape (ny, nx)
        The error, NaN where no component is known.
    """
    stack = np.stack(variances) if variances else np.full((1, *shape), np.nan)
    known = np.isfinite(stack)
    total = np.where(known, stack, 0.0).sum(axis=0)
    return np.where(known.any(axis=0), np.sqrt(total), np.nan).astype(np.float32)
