"""Files of named arrays, for what is neither an image nor a spectrum."""

from __future__ import annotations

import warnings
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import asdf
import numpy as np
from astropy.utils.exceptions import AstropyWarning
from numpy.typing import NDArray

from webbweave.datamodels.fits_files import FITS_MAGIC, GZIP_MAGIC, complete_fits, first_bytes
from webbweave.datamodels.plugins import load_plugins
from webbweave.datamodels.writing import replace_atomically
from webbweave.errors import InputError, OutputError

__all__ = ["read_arrays", "read_named_arrays", "write_arrays"]

#: Of the layout of these files: raised when older versions cannot read it any more.
_VERSION = 1
#: First bytes of a zip file, which an npz file is.
_ZIP_MAGIC = b"PK"


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


def read_named_arrays(path: str | Path, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """
    Read arrays from an npz file, or from the extensions of a FITS file.

    Parameters
    ----------
    path : str or path
        The file; what it is is told from its content. A FITS file may be gzipped.
    names : sequence of str
        Names of the arrays, or of the image extensions.

    Returns
    -------
    dict of str to ndarray
        These arrays, in memory and in the byte order of the machine.

    Raises
    ------
    InputError
        If the file is missing, cannot be read, is cut short, or does not have all of them.
    """
    path = Path(path)
    first = first_bytes(path)
    if not first.startswith((_ZIP_MAGIC, FITS_MAGIC, GZIP_MAGIC)):
        raise InputError(f"{path}: expected an npz or FITS file, found one that starts {first!r}")
    try:
        found = (_of_npz if first.startswith(_ZIP_MAGIC) else _of_fits)(path, names)
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    missing = [name for name in names if name not in found]
    if missing:
        raise InputError(f"{path}: has no array {', '.join(missing)}")
    return {name: np.asarray(a, dtype=a.dtype.newbyteorder("=")) for name, a in found.items()}


def _of_npz(path: Path, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    # A file that numpy opens itself stays open if it is cut short.
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as packed:
        return {name: packed[name] for name in names if name in packed.files}


def _of_fits(path: Path, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyWarning)
        with complete_fits(path) as hdus:
            arrays = {hdu.name: hdu.data for hdu in hdus if hdu.is_image and hdu.data is not None}
    return {name: arrays[name] for name in names if name in arrays}
