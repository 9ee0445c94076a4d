"""Types of the binding of csrc/star_refine.h, which is the manual."""

import numpy as np
from numpy.typing import NDArray

COLUMNS: int

def star_refine(
    value: NDArray[np.float32],
    mask: NDArray[np.uint8] | None,
    place: NDArray[np.float64],
    out: NDArray[np.float64],
    *,
    half: int,
    sigma: float,
    start: int,
    stop: int,
) -> None: ...
