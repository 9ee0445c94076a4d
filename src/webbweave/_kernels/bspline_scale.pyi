"""Types of the binding of csrc/bspline_scale.h, which is the manual."""

import numpy as np
from numpy.typing import NDArray

def scale_columns(
    alpha: NDArray[np.float64],
    flux: NDArray[np.float64],
    error: NDArray[np.float64] | None,
    knots: NDArray[np.float64],
    coefficients: NDArray[np.float64],
    n_knot: NDArray[np.int32],
    lower: NDArray[np.float64],
    upper: NDArray[np.float64],
    model: NDArray[np.int32],
    scale: NDArray[np.float64],
    chi2: NDArray[np.float32],
    scale_error: NDArray[np.float64] | None,
    flags: NDArray[np.uint8],
    *,
    compat: bool,
    start: int,
    stop: int,
) -> None: ...
