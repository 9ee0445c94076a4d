"""One slice or slit, cut out of the image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Region"]


@dataclass(frozen=True)
class Region:
    """
    The pixels of a slice or slit, column by column.

    The arrays are transposed with respect to the image: a column across the dispersion is
    contiguous in memory, since that is what every kernel works on. Each begins with the first row
    of the region there, so that a tilted one takes no more room than a straight one.

    Parameters
    ----------
    label : int
        Number of the region in the region map.
    first_row : ndarray of int32, shape (n_column,)
        Row of the image that row 0 of each column is; all columns of the image are there.
    flux, alpha : ndarray of float64, shape (n_column, n_row)
        Data, and the coordinate along the slit; NaN outside the region.
    error : ndarray of float64, shape (n_column, n_row), optional
        Standard deviation of the flux; NaN outside the region.
    single : bool, optional
        The arrays hold float32 numbers, as those of the data model do; what reproduces jwst has to
        know, since its rounding is that of the data.
    pixel_size : float, optional
        Absolute of the median step of the coordinate from row to row, if it has been measured.
    """

    label: int
    first_row: NDArray[np.int32]
    flux: NDArray[np.float64]
    alpha: NDArray[np.float64]
    error: NDArray[np.float64] | None = None
    single: bool = False
    pixel_size: float | None = None
