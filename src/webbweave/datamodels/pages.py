"""Memory of arrays that are mapped from files."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np

__all__ = ["release"]


def release(array: Any) -> None:
    """
    Let the system take back the memory that an array mapped from a file holds.

    The array can still be used, and is read again then. Changes that were made in memory are lost.

    Parameters
    ----------
    array : object
        A contiguous array of a model that `read_model` opened; anything else is left alone.
    """
    mapping = getattr(array, "_mmap", None)
    advise = getattr(mmap, "MADV_DONTNEED", None)
    if not isinstance(array, np.memmap) or not isinstance(mapping, mmap.mmap) or advise is None:
        return
    whole = np.frombuffer(mapping, np.uint8)
    first = array.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
    # Whole pages only: what is beside the array may be in use.
    start = -(-first // mmap.PAGESIZE) * mmap.PAGESIZE
    stop = (first + array.nbytes) // mmap.PAGESIZE * mmap.PAGESIZE
    if array.flags.c_contiguous and 0 <= start < stop <= whole.size:
        mapping.madvise(advise, start, stop - start)
