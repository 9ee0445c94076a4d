"""Types of the binding of csrc/offset_histogram.h, which is the manual."""

import numpy as np
from numpy.typing import NDArray

def offset_histogram(
    ref_x: NDArray[np.float64],
    ref_y: NDArray[np.float64],
    img_x: NDArray[np.float64],
    img_y: NDArray[np.float64],
    count: NDArray[np.uint32],
    *,
    bin_size: float,
    reach: float,
    ref_start: int,
    ref_stop: int,
) -> None: ...
