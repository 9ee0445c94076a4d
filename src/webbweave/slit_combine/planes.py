"""What the tests of a group ask of planes (exposures, pixels), and footprints on their images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "PLUS",
    "SQUARE",
    "Mask",
    "Plane",
    "as_planes",
    "ascending_limits",
    "check_shape",
    "footprint_of",
    "median_of_finite",
]

Plane = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: A pixel and its four neighbours.
PLUS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.bool_)
PLUS.setflags(write=False)

#: A pixel and its eight neighbours.
SQUARE = np.ones((3, 3), np.bool_)
SQUARE.setflags(write=False)


def as_planes(*planes: ArrayLike) -> tuple[Plane, ...]:
    """Give planes in double precision; all have one shape, (N, P)."""
    arrays = tuple(np.asarray(plane, np.float64) for plane in planes)
    if arrays[0].ndim != 2 or any(array.shape != arrays[0].shape for array in arrays):
        shapes = [array.shape for array in arrays]
        raise ValueError(f"expected planes of one shape (exposures, pixels), found {shapes}")
    return arrays


def check_shape(planes: NDArray[np.generic], shape: tuple[int, int]) -> int:
    """Give the number of pixels of an image; it must be that of the planes."""
    n_pixel = int(np.prod(shape))
    if planes.shape[1] != n_pixel:
        raise ValueError(f"planes have {planes.shape[1]} pixels, expected {shape[0]} x {shape[1]}")
    return n_pixel


def ascending_limits(limits: Sequence[float]) -> tuple[float, float]:
    """Give two limits that ascend."""
    if len(limits) != 2 or not limits[0] < limits[1]:
        raise ValueError(f"expected a lower and an upper limit, found {list(limits)}")
    return float(limits[0]), float(limits[1])


def footprint_of(dilate: ArrayLike | None) -> Mask | None:
    """Give what pixels grow by; None if they do not."""
    if dilate is None:
        return None
    if isinstance(dilate, bool):
        return SQUARE if dilate else None
    footprint = np.asarray(dilate, np.bool_)
    if footprint.ndim != 2:
        raise ValueError(f"expected a footprint of two axes, found shape {footprint.shape}")
    return footprint


def median_of_finite(planes: Plane) -> Plane:
    """Take the median over the exposures, without what is not finite; NaN where nothing is."""
    # As numpy.nanmedian, which warns of columns without numbers and is slow with many of them.
    ordered = np.sort(np.where(np.isfinite(planes), planes, np.nan), axis=0)
    n = np.count_nonzero(np.isfinite(ordered), axis=0)
    columns = np.arange(planes.shape[1])
    last = len(planes) - 1
    below = ordered[np.clip((n - 1) // 2, 0, last), columns]
    return np.asarray(0.5 * (below + ordered[np.clip(n // 2, 0, last), columns]))
