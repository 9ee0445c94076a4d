"""Files of named arrays, for what is neither an image nor a spectrum."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asdf
import numpy as np
from numpy.typing import NDArray

from webbweave.datamodels.plugins import load_plugins
from webbweave.datamodels.writing import replace_atomically
from webbweave.errors import InputError, OutputError

__all__ = ["read_arrays", "write_arrays"]

#: Of the layout of these files: raised when older versions cannot read it any more.
_VERSION = 1


def write_arrays(
    path: str | Path, kind: str, arrays: Mapping[str, NDArray[Any]], *, overwrite: bool = True
) -> Path:
    """
    Write arrays to an ASDF file.

    Parameters
    ----------
    path : str or path
        Where to write; the folder is made if it does not exist.
    kind : str
        What they are.
    arrays : mapping of str to ndarray
        The arrays by name.
    overwrite : bool, optional
        Whether an existing file may be replaced.

    Returns
    -------
    path
        The file written.

    Raises
    ------
    OutputError
        If it exists while `overwrite` is False, or cannot be written; the folder is then as it was.
    """
    path = Path(path)
    if path.exists() and not overwrite:
        raise OutputError(f"{path}: exists already")
    tree = {"webbweave": {"kind": kind, "version": _VERSION, "arrays": dict(arrays)}}
    load_plugins()
    replace_atomically(path, lambda temporary: asdf.AsdfFile(tree).write_to(temporary))
    return path


def read_arrays(path: str | Path, kind: str) -> dict[str, NDArray[Any]]:
    """
    Read the arrays of a file that `write_arrays` made.

    Parameters
    ----------
    path : str or path
        The file.
    kind : str
        What they must be.

    Returns
    -------
    dict of str to ndarray
        The arrays by name, in memory.

    Raises
    ------
    InputError
        If the file cannot be read, or holds something else.
    """
    path = Path(path)
    load_plugins()
    try:
        with asdf.open(path, lazy_load=False, memmap=False) as file:
            content = dict(file.tree.get("webbweave", {}))
            arrays = {name: np.array(a) for name, a in content.get("arrays", {}).items()}
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    found = content.get("kind"), content.get("version")
    if found != (kind, _VERSION):
        raise InputError(f"{path}: expected {kind} of version {_VERSION}, found {found}")
    return arrays
