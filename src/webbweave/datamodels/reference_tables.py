"""Reference catalogs of users: any table that astropy reads, and how ours are saved."""

from __future__ import annotations

import warnings
from pathlib import Path

from astropy.io import registry
from astropy.table import QTable, Table

from webbweave.datamodels.gaia import SERVICE_CATALOGS
from webbweave.datamodels.writing import replace_atomically
from webbweave.errors import InputError

__all__ = ["check_reference_name", "read_reference_table", "save_reference_table"]


def check_reference_name(name: str) -> None:
    """
    Check that a reference catalog is a file or one that the service knows.

    Parameters
    ----------
    name : str
        What the user asked for.

    Raises
    ------
    ValueError
        If it is neither.
    """
    if name.strip().upper() not in SERVICE_CATALOGS and not Path(name).is_file():
        known = ", ".join(SERVICE_CATALOGS)
        raise ValueError(f"abs_refcat: expected an existing file or one of {known}, found {name!r}")


def read_reference_table(path: str | Path) -> Table:
    """
    Read a reference catalog.

    Parameters
    ----------
    path : str or path
        A table in any format that astropy knows: by its name or content, else plain text.

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
        what = "is a folder, expected a reference catalog" if path.is_dir() else "no such file"
        raise InputError(f"{path}: {what}")
    try:
        if path.stat().st_size == 0:
            raise InputError(f"{path}: is empty, expected a reference catalog")
        with warnings.catch_warnings():
            # Many tables in a file, units that astropy does not know: no obstacle.
            warnings.simplefilter("ignore")
            return _read(path)
    except InputError:
        raise
    except Exception as error:  # each format has its own way to say no
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise InputError(f"{path}: cannot be read as a table: {lines[0]}") from error


def _read(path: Path) -> Table:
    try:
        return Table.read(str(path))
    except registry.IORegistryError:
        return Table.read(str(path), format="ascii")


def save_reference_table(table: Table, path: str | Path) -> Path:
    """
    Save a reference catalog, so that it can be used as one.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The catalog.
    path : str or path
        The file, overwritten; ``.fits`` for FITS, all else is ECSV.

    Returns
    -------
    path
        The file.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    path = Path(path)
    kind = "fits" if path.suffix.lower() == ".fits" else "ascii.ecsv"
    plain = Table(table) if isinstance(table, QTable) else table
    replace_atomically(path, lambda temporary: plain.write(str(temporary), format=kind))
    return path
