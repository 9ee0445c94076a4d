"""Types of the binding of csrc/slit_samples.h, which is the manual."""

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]
_Flags = NDArray[np.uint8]
_Indices = NDArray[np.int64]

def list_samples(
    shape: tuple[int, int],
    side: _Flags,
    may_add: _Flags,
    may_subtract: _Flags,
    spread: _Floats,
    distance: _Floats,
    base: _Floats,
    diff: _Floats,
    variance: _Floats,
    read_variance: _Floats,
) -> tuple[
    tuple[_Indices, _Indices],
    tuple[_Indices, _Indices, _Floats, _Floats, _Floats, _Floats],
    tuple[_Indices, _Indices, _Floats, _Floats, _Floats],
]: ...
