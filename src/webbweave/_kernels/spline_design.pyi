"""Types of the binding of csrc/spline_design.h, which is the manual."""

import numpy as np
from numpy.typing import NDArray

def spline_rows(
    x: NDArray[np.float64],
    first: NDArray[np.int32],
    value: NDArray[np.float64],
    *,
    n_function: int,
    low: float,
    high: float,
) -> None: ...
def spline_clip(
    first: NDArray[np.int32], value: NDArray[np.float64], *, n_function: int, floor: float
) -> None: ...
def spline_sums(
    x: NDArray[np.float64],
    coefficients: NDArray[np.float64],
    out: NDArray[np.float64],
    *,
    low: float,
    high: float,
) -> None: ...
def spline_normal(
    first: NDArray[np.int32],
    value: NDArray[np.float64],
    y: NDArray[np.float64],
    weight: NDArray[np.float64],
    band: NDArray[np.float64],
    right: NDArray[np.float64],
) -> None: ...
def spline_least_squares(
    first: NDArray[np.int32],
    value: NDArray[np.float64],
    y: NDArray[np.float64],
    weight: NDArray[np.float64],
    keep: NDArray[np.uint8],
    coefficients: NDArray[np.float64],
    covariance: NDArray[np.float64] | None,
    *,
    tolerance: float,
) -> None: ...
