"""Types of the binding of csrc/slit_profile.h, which is the manual."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]
_Table = tuple[_Floats, _Floats, float, float] | None

def profile(
    y: _Floats, spread: _Floats, width: float, table: _Table, wings: _Floats, out: _Floats
) -> None: ...
def objective(
    samples: tuple[NDArray[Any], ...],
    width: float,
    trace: _Floats,
    table: _Table,
    wings: _Floats,
    gradient: _Floats | None,
    *,
    positive: bool,
    huber: float,
) -> float: ...
def slopes(
    samples: tuple[NDArray[Any], ...],
    width: float,
    trace: _Floats,
    table: _Table,
    wings: _Floats,
    values: _Floats,
    derivatives: _Floats | None,
    *,
    positive: bool,
) -> None: ...
