"""Types of the binding of csrc/slit_nods.h, which is the manual."""

import numpy as np
from numpy.typing import NDArray

def nod_mean(
    data: NDArray[np.float64],
    sky: NDArray[np.float64],
    variance: NDArray[np.float64],
    read_variance: NDArray[np.float64],
    mask: NDArray[np.uint8],
    counted: NDArray[np.uint8],
    chosen: NDArray[np.uint8],
    out: NDArray[np.float64],
    *,
    rounds: bool,
) -> None: ...
