"""Tables as files, in any format that astropy knows."""

from __future__ import annotations

import warnings
from pathlib import Path

from astropy.io.registry import IORegistryError
from astropy.table import QTable, Table

from webbweave.datamodels.writing import replace_atomically
from webbweave.errors import InputError

__all__ = ["read_table", "save_table"]

#: Files of these names are of these formats: what is in them is no plain text.
_FORMATS = (".ecsv", ".fits", ".hdf5", ".xml")


def read_table(path: str | Path) -> Table:
    """
    Read a table.

    Parameters
    ----------
    path : str or path
        A file in any format that `astropy.table.Table.read` knows by its name or content, else
        plain text.

    Returns
    -------
    `~astropy.table.Table`
        The table as it is.

    Raises
    ------
    InputError
        If the file is missing, empty, or no table.
    """
    path = Path(path)
    if not path.is_file():
        what = "is a folder, expected a table" if path.is_dir() else "no such file"
        raise InputError(f"{path}: {what}")
    try:
        if path.stat().st_size == 0:
            raise InputError(f"{path}: is empty, expected a table")
        with warnings.catch_warnings():
            # Many tables in a file, units that astropy does not know: no obstacle.
            warnings.simplefilter("ignore")
            try:
                return Table.read(str(path))
            except IORegistryError:  # the beginning does not tell the format
                if path.suffix.lower() in _FORMATS:
                    raise
                return Table.read(str(path), format="ascii")
    except InputError:
        raise
    except Exception as error:  # each format has its own way to say no
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise InputError(f"{path}: cannot be read as a table: {lines[0]}") from error


def save_table(table: Table, path: str | Path) -> Path:
    """
    Write a table; an existing file is replaced once the new one is complete.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The table.
    path : str or path
        The file to make, ``.fits`` for FITS, all else is ECSV; its folder is made if it does not
        exist.

    Returns
    -------
    path
        The file written.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    path = Path(path)
    kind = "fits" if path.suffix.lower() == ".fits" else "ascii.ecsv"
    plain = Table(table) if isinstance(table, QTable) else table

    def write(there: Path) -> None:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Keyword name.*HIERARCH")
            plain.write(str(there), format=kind)

    replace_atomically(path, write)
    return path
