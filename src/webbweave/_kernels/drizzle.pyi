"""Types of the binding of csrc/drizzle.h, which is the manual."""

import numpy as np
from numpy.typing import NDArray

KERNEL_SQUARE: int
KERNEL_POINT: int
EDGE_JACOBIAN: int
EDGE_SKIP: int
NAN_SKIP: int
NAN_POISON: int

def drizzle_add(
    map_x: NDArray[np.float64],
    map_y: NDArray[np.float64],
    value: NDArray[np.float32],
    weight: NDArray[np.float32],
    dq: NDArray[np.uint32] | None,
    out_weight: NDArray[np.float64],
    out_sum: NDArray[np.float64],
    out_dq: NDArray[np.uint32] | None,
    out_context: NDArray[np.uint32] | None,
    *,
    pixfrac: float,
    kernel: int,
    edge: int,
    nan_rule: int,
    context_bit: int,
    row_start: int,
    row_stop: int,
) -> None: ...
