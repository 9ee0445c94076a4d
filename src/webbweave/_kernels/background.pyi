"""Types of the binding of csrc/background.h, which is the manual."""

import numpy as np
from numpy.typing import NDArray

def background_boxes(
    value: NDArray[np.float32],
    mask: NDArray[np.uint8] | None,
    median: NDArray[np.float64],
    rms: NDArray[np.float64],
    count: NDArray[np.uint32],
    *,
    box: int,
    clip: float,
    max_round: int,
    box_start: int,
    box_stop: int,
) -> None: ...
def background_rows(
    coef: NDArray[np.float64],
    index_y: NDArray[np.uint32],
    weight_y: NDArray[np.float64],
    index_x: NDArray[np.uint32],
    weight_x: NDArray[np.float64],
    value: NDArray[np.float32] | None,
    mask: NDArray[np.uint8] | None,
    out: NDArray[np.float32],
    *,
    low: float,
    high: float,
    row_start: int,
    row_stop: int,
) -> None: ...
def masked_median(value: NDArray[np.float32], mask: NDArray[np.uint8] | None) -> float: ...
