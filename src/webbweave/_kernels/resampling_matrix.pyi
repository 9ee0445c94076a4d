"""Types of the binding of csrc/resampling_matrix.h, which is the manual."""

import numpy as np
from numpy.typing import NDArray

def resampling_matrix(
    map_x: NDArray[np.float64],
    map_y: NDArray[np.float64],
    weight: NDArray[np.float32],
    *,
    pixfrac: float,
    kernel: int,
    edge: int,
    n_row: int,
    n_column: int,
    row_start: int,
    row_stop: int,
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]: ...
