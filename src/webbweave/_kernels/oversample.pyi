"""Types of the binding of csrc/oversample.h, which is the manual."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

def oversample_linear(
    region_map: NDArray[np.int32],
    first: NDArray[np.int32],
    stop: NDArray[np.int32],
    image: NDArray[Any],
    table: tuple[NDArray[np.float64], NDArray[np.int32]],
    keep: NDArray[np.uint8] | None,
    out: NDArray[Any],
    *,
    label: int,
    factor: float,
    as_jwst: bool,
    require_good: int,
    edge: int,
    preserve_nan: bool,
    is_variance: bool,
    multiply: float,
    column_start: int,
    column_stop: int,
) -> None: ...
def oversample_flux(
    region_map: NDArray[np.int32],
    first: NDArray[np.int32],
    stop: NDArray[np.int32],
    alpha: NDArray[Any],
    splines: tuple[NDArray[Any], ...],
    flux: NDArray[Any],
    table: tuple[NDArray[np.float64], NDArray[np.int32]],
    fine_alpha: NDArray[Any],
    ranges: NDArray[np.float64] | None,
    planes: tuple[NDArray[Any] | None, ...],
    edges: NDArray[np.float64] | None,
    count: NDArray[np.int64] | None,
    *,
    label: int,
    rounds: bool,
    factor: float,
    as_jwst: bool,
    slope_limit: float,
    require_good: int,
    edge: int,
    rounds_residual: bool,
    without_residual: bool,
    trim_ends: bool,
    trims_column: bool,
    column_start: int,
    column_stop: int,
) -> None: ...
