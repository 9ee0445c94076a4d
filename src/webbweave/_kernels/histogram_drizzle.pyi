"""Types of the binding of csrc/histogram_drizzle.h, which is the manual."""

import numpy as np
from numpy.typing import NDArray

def histogram_drizzle(
    x_edge: NDArray[np.float64],
    y_edge: NDArray[np.float64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    weight: NDArray[np.float64],
    variance: NDArray[np.float64],
    value: NDArray[np.float64],
    den: NDArray[np.float64],
    num: NDArray[np.float64],
    linear: NDArray[np.float64],
    count: NDArray[np.float64],
    square: NDArray[np.float64],
    above: NDArray[np.float64],
    *,
    start: int,
    stop: int,
) -> None: ...
