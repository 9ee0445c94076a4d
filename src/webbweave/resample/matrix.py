"""The sparse matrix that resampling is, and what follows from it: the covariance of the product."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from webbweave._kernels import covariance as _covariance
from webbweave._kernels import drizzle as _drizzle
from webbweave._kernels import resampling_matrix as _kernel
from webbweave.parallel import run_ranges
from webbweave.resample.drizzle import KERNELS, SMALLEST_PIXFRAC, check_kernel
from webbweave.resample.scan import scanned_pixels

__all__ = ["CovarianceSums", "covariance_add", "covariance_reach", "resampling_matrix"]


@dataclass(frozen=True, eq=False)
class CovarianceSums:
    """
    What is kept of the covariance C of the cells of an output grid.

    C is symmetric, so the offsets (dy, dx) of one half plane are enough: dy > 0, or dy = 0 and
    dx >= 0. They are numbered row by row, dx from -reach_x (0 in the first row) to reach_x, so the
    offset (0, 0) is number 0.

    Attributes
    ----------
    row_sum : ndarray of float64, shape (n_plane, ny, nx)
        Sum of the covariances of a cell with all cells, per plane of variances. The variance of a
        sum over many cells is the sum of these, but for the cells at its border.
    diagonal : ndarray of float64, shape (n_plane, ny, nx)
        Variance of a cell, per plane.
    covariance : ndarray of float64, shape (n_offset, ny, nx)
        Covariance of a cell with the one at an offset, of all planes together.
    reach : (int, int)
        The largest dy and dx.
    """

    row_sum: NDArray[np.float64]
    diagonal: NDArray[np.float64]
    covariance: NDArray[np.float64]
    reach: tuple[int, int]

    @classmethod
    def zeros(cls, n_plane: int, shape: tuple[int, int], reach: tuple[int, int]) -> CovarianceSums:
        """
        Make one to add to.

        Parameters
        ----------
        n_plane : int
            Number of planes of variances.
        shape : (int, int)
            Shape (ny, nx) of the grid.
        reach : (int, int)
            The largest dy and dx.

        Returns
        -------
        CovarianceSums
            All zero.
        """
        reach_y, reach_x = reach
        n_offset = reach_y * (2 * reach_x + 1) + reach_x + 1
        planes = (n_plane, *shape)
        return cls(np.zeros(planes), np.zeros(planes), np.zeros((n_offset, *shape)), reach)

    @property
    def offsets(self) -> NDArray[np.int64]:
        """The offset (dy, dx) of each plane of `covariance`, shape (n_offset, 2)."""
        _, reach_x = self.reach
        number = np.arange(self.covariance.shape[0], dtype=np.int64) + reach_x
        dy, dx = np.divmod(number, 2 * reach_x + 1)
        return np.stack([dy, dx - reach_x], axis=1)


def resampling_matrix(
    weight: ArrayLike,
    pixel_map: tuple[ArrayLike, ArrayLike],
    shape: tuple[int, int],
    *,
    pixfrac: float = 1.0,
    kernel: str = "square",
    compat: bool = False,
    threads: int = 1,
) -> csr_array:
    """
    Find the weight of each pixel of an exposure in each cell of the output grid.

    The sums of `drizzle_exposure` are the products of the transposed matrix with the planes, if
    pixels whose science value is NaN have weight 0.

    Parameters
    ----------
    weight : array_like, shape (ny_in, nx_in)
        Weight of each pixel; 0 leaves it out.
    pixel_map : (array_like, array_like), shape (ny_in, nx_in) each
        Output column and row of each pixel centre, NaN for none.
    shape : (int, int)
        Shape (ny, nx) of the output grid, at most 2**31 - 1 cells.
    pixfrac : float, optional
        Linear size of the shrunk pixel, in [0, 1].
    kernel : {'square', 'point'}, optional
        The pixel as a quadrilateral, or all of it to the cell of its centre.
    compat : bool, optional
        Follow jwst, as in `drizzle_exposure`.
    threads : int, optional
        Number of threads; the result is the same for any.

    Returns
    -------
    scipy.sparse.csr_array of float64, shape (ny_in * nx_in, ny * nx)
        The weight times the share of the pixel's area that lies in the cell; sorted indices. A row
        adds up to the weight of its pixel where the whole pixel lies on the grid.

    Raises
    ------
    ValueError
        If an option is unknown or shapes differ.
    """
    kernel = check_kernel(kernel, pixfrac)
    map_x, map_y = (np.ascontiguousarray(axis, dtype=np.float64) for axis in pixel_map)
    weight = np.ascontiguousarray(weight, dtype=np.float32)
    if compat:
        weight = np.where(scanned_pixels((map_x, map_y), shape), weight, np.float32(0.0))
    parts: dict[int, tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]] = {}

    def work(start: int, stop: int) -> None:
        parts[start] = _kernel.resampling_matrix(
            map_x,
            map_y,
            weight,
            pixfrac=max(pixfrac, SMALLEST_PIXFRAC),
            kernel=KERNELS[kernel],
            edge=_drizzle.EDGE_SKIP if compat else _drizzle.EDGE_JACOBIAN,
            n_row=shape[0],
            n_column=shape[1],
            row_start=start,
            row_stop=stop,
        )

    run_ranges(work, map_x.shape[0], threads)
    # Concatenation also frees the room that was not needed.
    count, cell, share = (
        np.concatenate(arrays)
        for arrays in zip(*(parts[start] for start in sorted(parts)), strict=True)
    )
    first = np.zeros(count.size + 1, dtype=np.int64)
    np.cumsum(count, out=first[1:])
    matrix = csr_array((share, cell, first), shape=(count.size, shape[0] * shape[1]))
    matrix.has_sorted_indices = True
    return matrix


def covariance_reach(matrix: csr_array, shape: tuple[int, int]) -> tuple[int, int]:
    """
    Find how far apart the cells are that a pixel connects.

    Parameters
    ----------
    matrix : scipy.sparse.csr_array, shape (n_in, ny * nx)
        From `resampling_matrix`.
    shape : (int, int)
        Shape (ny, nx) of the output grid.

    Returns
    -------
    (int, int)
        The largest distance in rows, and in columns, between two cells of one pixel: covariances
        of cells farther apart are zero.

    Raises
    ------
    ValueError
        If the matrix is not one of this grid, or its indices are not sorted.
    """
    first, cell = _structure(matrix, shape)
    return _covariance.covariance_reach(first, cell, n_row=shape[0], n_column=shape[1])


def covariance_add(
    sums: CovarianceSums,
    matrix: csr_array,
    total_weight: ArrayLike,
    variances: ArrayLike,
    *,
    scale: float = 1.0,
    keep: ArrayLike | None = None,
    taper: ArrayLike | None = None,
    threads: int = 1,
) -> None:
    """
    Add one exposure to the covariance of a combination.

    The combination is the sum over its exposures of ``M @ values`` with the coefficients
    ``M[cell, pixel] = scale * matrix[pixel, cell] / total_weight[cell]``; the exposure adds
    ``M V M^T``, where V has the variances of its pixels on the diagonal.

    Parameters
    ----------
    sums : CovarianceSums
        What to add to, in place.
    matrix : scipy.sparse.csr_array, shape (n_in, ny * nx)
        From `resampling_matrix`.
    total_weight : array_like, shape (ny, nx)
        Sum of the weights of all exposures; cells where it is 0 stay out.
    variances : array_like, shape (n_plane, n_in) or (n_plane, ny_in, nx_in)
        Variances of the pixels, in planes. A NaN goes to the cells that its pixel has a share in,
        in its plane and in the covariances.
    scale : float, optional
        What the values of the exposure are multiplied with.
    keep : array_like of bool, shape (ny, nx), optional
        Cells that are used; others have no covariance with any. All, by default.
    taper : array_like, shape (reach_y + 1, reach_x + 1), optional
        How much the covariances with cells at a distance count in the row sums. 1, by default.
    threads : int, optional
        Number of threads; the result is the same for any.

    Raises
    ------
    ValueError
        If shapes differ, or the matrix connects cells beyond the reach of `sums`.
    """
    total_weight = np.ascontiguousarray(total_weight, dtype=np.float64)
    first, cell = _structure(matrix, total_weight.shape)
    share = np.ascontiguousarray(matrix.data, dtype=np.float64)
    planes = np.ascontiguousarray(variances, dtype=np.float32)
    planes = planes.reshape(planes.shape[0], -1)
    used = None if keep is None else np.ascontiguousarray(keep, dtype=bool).view(np.uint8)

    distance = None if taper is None else np.ascontiguousarray(taper, dtype=np.float64)

    def work(start: int, stop: int) -> None:
        _covariance.covariance_add(
            first,
            cell,
            share,
            total_weight,
            used,
            planes,
            distance,
            sums.row_sum,
            sums.diagonal,
            sums.covariance,
            scale=scale,
            reach_y=sums.reach[0],
            reach_x=sums.reach[1],
            cell_start=start,
            cell_stop=stop,
        )

    run_ranges(work, total_weight.size, threads)


def _structure(
    matrix: csr_array, shape: tuple[int, ...]
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The index arrays of a matrix in the types of the kernel."""
    if matrix.shape[1] != np.prod(shape):
        raise ValueError(f"the matrix has shape {matrix.shape}, expected {np.prod(shape)} columns")
    first = np.ascontiguousarray(matrix.indptr, dtype=np.int64)
    return first, np.ascontiguousarray(matrix.indices, dtype=np.int32)
