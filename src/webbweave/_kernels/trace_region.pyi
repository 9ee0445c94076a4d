"""Types of the binding of csrc/trace_region.h, which is the manual."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

def region_labels(region_map: NDArray[np.int32], present: NDArray[np.uint8]) -> int: ...
def region_rows(
    region_map: NDArray[np.int32],
    index: NDArray[np.int32],
    first: NDArray[np.int32],
    stop: NDArray[np.int32],
) -> None: ...
def region_cut(
    region_map: NDArray[np.int32],
    first: NDArray[np.int32],
    stop: NDArray[np.int32],
    image: NDArray[Any],
    values: NDArray[np.float64],
    *,
    label: int,
    rounds: bool,
) -> None: ...
def coordinate_extent(
    alpha: NDArray[np.float64], scratch: NDArray[np.float64], *, rounds: bool
) -> tuple[float, float, float]: ...
