"""The sparse matrix that resampling is, and what follows from it: the covariance of the product."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from webbweave._kernels import drizzle as _drizzle
from webbweave._kernels import resampling_matrix as _kernel
from webbweave.parallel import run_ranges
from webbweave.resample.drizzle import KERNELS, SMALLEST_PIXFRAC, check_kernel, map_is_complete

__all__ = ["resampling_matrix"]


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
    parts: dict[int, tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]] = {}

    def work(start: int, stop: int) -> None:
        parts[start] = _kernel.resampling_matrix(
            map_x,
            map_y,
            weight,
            pixfrac=max(pixfrac, SMALLEST_PIXFRAC),
            kernel=KERNELS[kernel],
            edge=_drizzle.EDGE_SKIP if compat else _drizzle.EDGE_JACOBIAN,
            centre_inside=compat and map_is_complete(map_x),
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
