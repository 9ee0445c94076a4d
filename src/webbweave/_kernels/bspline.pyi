"""Types of the binding of csrc/bspline_fit.h and csrc/bspline_columns.h."""

import numpy as np
from numpy.typing import NDArray

FITTED: int
FEW: int

def room(n_interval: int) -> int: ...
def fit_samples(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    knots: NDArray[np.float64],
    coefficients: NDArray[np.float64],
    log: NDArray[np.int64] | None,
    *,
    n_interval: int,
    n_iteration: int,
    sigma_low: float,
    sigma_high: float,
    space_ratio: float,
    compat: bool,
    single: bool,
) -> tuple[int, int, int, bool]: ...
def fit_columns(
    alpha: NDArray[np.float64],
    flux: NDArray[np.float64],
    error: NDArray[np.float64] | None,
    divisor: NDArray[np.float64] | None,
    wanted: NDArray[np.bool_] | None,
    knots: NDArray[np.float64],
    coefficients: NDArray[np.float64],
    n_knot: NDArray[np.int32],
    lower: NDArray[np.float64],
    upper: NDArray[np.float64],
    flags: NDArray[np.uint8],
    n_point: NDArray[np.int32],
    n_rejected: NDArray[np.int32],
    covariance: NDArray[np.float32] | None,
    *,
    single: bool,
    compat: bool,
    n_interval: int,
    n_iteration: int,
    sigma_low: float,
    sigma_high: float,
    space_ratio: float,
    n_left: int,
    n_right: int,
    min_valid: int,
    is_retried: bool,
    is_weighted: bool,
    is_tapered: bool,
    start: int,
    stop: int,
) -> None: ...
