"""Types of the binding of csrc/trace_image.h, which is the manual."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

def trace_evaluate(
    region_map: NDArray[np.int32],
    first: NDArray[np.int32],
    stop: NDArray[np.int32],
    alpha: NDArray[Any],
    splines: tuple[NDArray[Any], ...],
    scale_error: NDArray[np.float64] | None,
    covariance: NDArray[np.float32] | None,
    edges: NDArray[np.float64] | None,
    count: NDArray[np.int64] | None,
    full: NDArray[Any] | None,
    error: NDArray[Any] | None,
    *,
    label: int,
    rounds: bool,
    is_between: bool,
    slope_limit: float,
    column_start: int,
    column_stop: int,
) -> None: ...
def trace_keep_compact(
    region_map: NDArray[np.int32],
    first: NDArray[np.int32],
    stop: NDArray[np.int32],
    alpha: NDArray[Any],
    ranges: NDArray[np.float64] | None,
    source: NDArray[Any],
    used: NDArray[Any],
    *,
    label: int,
    rounds: bool,
    column_start: int,
    column_stop: int,
) -> None: ...
