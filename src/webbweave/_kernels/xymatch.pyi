"""Types of the binding of csrc/xymatch.h, which is the manual."""

import numpy as np
from numpy.typing import NDArray

MATCH_MUTUAL: int
MATCH_NEAREST: int
COINCIDENT_NONE: int
COINCIDENT_LOWEST: int

def match(
    ref_x: NDArray[np.float64],
    ref_y: NDArray[np.float64],
    ref_keep: NDArray[np.uint8] | None,
    img_x: NDArray[np.float64],
    img_y: NDArray[np.float64],
    img_keep: NDArray[np.uint8] | None,
    *,
    tolerance: float,
    rule: int,
) -> NDArray[np.int64]: ...
def isolated(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    *,
    separation: float,
    rule: int,
) -> NDArray[np.uint8]: ...
