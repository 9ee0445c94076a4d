"""Arrays that wait on disk until they are saved, for products larger than the memory."""

from __future__ import annotations

import os
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbweave.errors import OutputError

__all__ = ["spill"]

#: Arrays below this size stay in memory: a map takes a page of memory itself.
_SMALLEST = 4096


def spill(tree: dict[str, Any]) -> None:
    """
    Move the arrays of a tree to disk.

    The files go to the folder for temporary files (``TMPDIR``) and disappear with the arrays, also
    if the process is killed, where the system lets go of open files (all but Windows).

    Parameters
    ----------
    tree : dict
        The tree of a model or of one slit, changed in place: its arrays, and those of the
        dictionaries in it, are replaced by maps of files with the same content, which may be
        changed like any array.

    Raises
    ------
    OutputError
        If the folder does not take them.
    """
    for key, value in tree.items():
        if isinstance(value, dict):
            spill(value)
        elif (
            isinstance(value, np.ndarray)
            and value.nbytes >= _SMALLEST
            and not value.dtype.hasobject
        ):
            tree[key] = _on_disk(value)


def _on_disk(array: NDArray[Any]) -> NDArray[Any]:
    try:
        return _written(array)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(
            f"{tempfile.gettempdir()}: cannot hold an array of {array.nbytes} bytes: {reason}; "
            "TMPDIR may name another folder"
        ) from error


def _written(array: NDArray[Any]) -> NDArray[Any]:
    handle, name = tempfile.mkstemp(prefix="webbweave-", suffix=".npy")
    path = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            np.save(stream, array)
        mapped = np.load(path, mmap_mode="r+")
    except BaseException:
        path.unlink()
        raise
    try:
        path.unlink()
    except PermissionError:  # Windows keeps a file as long as it is mapped
        weakref.finalize(mapped._mmap, _remove, path)
    return np.asarray(mapped)


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
