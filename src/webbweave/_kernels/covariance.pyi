"""Types of the binding of csrc/covariance.h, which is the manual."""

import numpy as np
from numpy.typing import NDArray

def covariance_reach(
    first: NDArray[np.int64], cell: NDArray[np.int32], *, n_row: int, n_column: int
) -> tuple[int, int]: ...
def covariance_add(
    first: NDArray[np.int64],
    cell: NDArray[np.int32],
    share: NDArray[np.float64],
    weight: NDArray[np.float64],
    keep: NDArray[np.uint8] | None,
    variance: NDArray[np.float32],
    taper: NDArray[np.float64] | None,
    row_sum: NDArray[np.float64],
    diagonal: NDArray[np.float64],
    covariance: NDArray[np.float64],
    *,
    scale: float,
    reach_y: int,
    reach_x: int,
    cell_start: int,
    cell_stop: int,
) -> None: ...
