"""Types of the binding of csrc/collapse.h, which is the manual."""

import numpy as np
from numpy.typing import NDArray

def collapse_profile(
    flux: NDArray[np.float64],
    error: NDArray[np.float64],
    alpha: NDArray[np.float64],
    lower: NDArray[np.float64],
    upper: NDArray[np.float64],
    profile: NDArray[np.float64],
    *,
    rounds: bool,
) -> int: ...
def collapse_sums(
    flux: NDArray[np.float64],
    sums: NDArray[np.float64],
    first_row: NDArray[np.int32] | None,
    *,
    rounds: bool,
    positive_only: bool,
    height: int,
) -> None: ...
