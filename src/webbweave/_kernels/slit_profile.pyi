"""Types of the binding of csrc/slit_profile.h, which is the manual."""

from typing import Self, final

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]
_Indices = NDArray[np.int64]
_Table = tuple[_Floats, _Floats, float, float] | None

@final
class Samples:
    def __new__(
        cls,
        column_start: _Indices,
        sample_start: _Indices,
        x: _Floats,
        diff: _Floats,
        inverse_error: _Floats,
        weight: _Floats,
        pixel: _Indices,
        y: _Floats,
        spread: _Floats,
        share: _Floats,
        /,
    ) -> Self: ...
    def moved(self, y: _Floats) -> Self: ...

def profile(
    y: _Floats, spread: _Floats, width: float, table: _Table, wings: _Floats, out: _Floats
) -> None: ...
def objective(
    samples: Samples,
    width: float,
    trace: _Floats,
    table: _Table,
    wings: _Floats,
    slopes: _Floats | None,
    *,
    positive: bool,
    huber: float,
) -> float: ...
def slopes(
    samples: Samples,
    width: float,
    trace: _Floats,
    table: _Table,
    wings: _Floats,
    values: _Floats,
    derivatives: _Floats | None,
    *,
    positive: bool,
) -> None: ...
