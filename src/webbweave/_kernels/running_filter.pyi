"""Types of the binding of csrc/running_filter.h, which is the manual."""

import numpy as np
from numpy.typing import NDArray

def running_maximum(
    value: NDArray[np.float64], out: NDArray[np.float64], *, width: int
) -> None: ...
def running_ranks(
    place: NDArray[np.int32],
    ascending: NDArray[np.float64],
    rank: NDArray[np.uintp],
    out: NDArray[np.float64],
    *,
    width: int,
) -> None: ...
