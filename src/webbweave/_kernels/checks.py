"""What every binding asks of an array before it takes its address."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["check_array"]

#: Most arrays have one of these very objects, which is seen faster than that two are equal.
_DTYPES = {
    name: np.dtype(name)
    for name in ("float64", "float32", "int64", "int32", "intp", "uint32", "uint8", "bool")
}


def check_array(
    name: str,
    array: Any,
    dtype: str,
    shape: tuple[int | None, ...],
    *,
    writable: bool = False,
    may_be_empty: bool = False,
) -> tuple[int, ...]:
    """
    Raise unless an array is what a kernel expects.

    Parameters
    ----------
    name : str
        What the array is called in messages.
    array : object
        The candidate.
    dtype : str
        The data type, native byte order.
    shape : tuple of int or None
        The shape; None stands for any length.
    writable : bool, optional
        The kernel writes to it.
    may_be_empty : bool, optional
        Lengths may be 0.

    Returns
    -------
    tuple of int
        The shape found.

    Raises
    ------
    TypeError
        If it is not an array, or one of another type.
    ValueError
        If the shape is wrong, or the array is not C-contiguous or not writable.
    """
    found = getattr(array, "dtype", None)
    if found is not _DTYPES.get(dtype, dtype) and found != dtype:
        raise TypeError(f"{name} must be an array of {dtype}, found {found or type(array)}")
    sizes: tuple[int, ...] = array.shape
    if sizes != shape and not _fits(sizes, shape):
        raise _wrong_shape(name, sizes, shape, may_be_empty)
    if 0 in sizes and not may_be_empty:
        raise _wrong_shape(name, sizes, shape, may_be_empty)
    flags = array.flags
    if not flags.c_contiguous:
        raise ValueError(f"{name} must be C-contiguous")
    if writable and not flags.writeable:
        raise ValueError(f"{name} must be writable")
    return sizes


def _fits(sizes: tuple[int, ...], shape: tuple[int | None, ...]) -> bool:
    if len(sizes) != len(shape):
        return False
    # A loop, since this is called for every array of every call of a kernel.
    for n, want in zip(sizes, shape):  # noqa: B905, SIM110
        if want is not None and n != want:
            return False
    return True


def _wrong_shape(
    name: str, found: tuple[int, ...], shape: tuple[int | None, ...], may_be_empty: bool
) -> ValueError:
    expected = str(shape).replace("None", "n") + ("" if may_be_empty else ", not empty")
    return ValueError(f"{name} has shape {found}, expected {expected}")
