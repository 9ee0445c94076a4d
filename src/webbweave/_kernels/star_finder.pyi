"""Types of the binding of csrc/star_finder.h and csrc/star_measure.h, which are the manuals."""

import numpy as np
from numpy.typing import NDArray

MISSING_FIT: int
MISSING_POISON: int
TIES_FIRST: int
TIES_ALL: int
DAOFIND: int
STARFIND: int
COLUMNS: int

def star_correlate(
    value: NDArray[np.float32],
    mask: NDArray[np.uint8] | None,
    gauss: NDArray[np.float64],
    kernel: NDArray[np.float64],
    inside: NDArray[np.uint8],
    out: NDArray[np.float32],
    *,
    sigma: float,
    missing: int,
    row_start: int,
    row_stop: int,
) -> None: ...
def star_peaks(
    correlation: NDArray[np.float32],
    mask: NDArray[np.uint8] | None,
    pixel: NDArray[np.uint64],
    *,
    threshold: float,
    radius: int,
    ties: int,
    row_start: int,
    row_stop: int,
) -> int: ...
def star_measure(
    value: NDArray[np.float32],
    mask: NDArray[np.uint8] | None,
    gauss: NDArray[np.float64],
    kernel: NDArray[np.float64],
    inside: NDArray[np.uint8],
    correlation: NDArray[np.float32],
    pixel: NDArray[np.uint64],
    out: NDArray[np.float64],
    *,
    sigma: float,
    method: int,
    missing: int,
    start: int,
    stop: int,
) -> None: ...
