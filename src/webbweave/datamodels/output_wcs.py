"""Files that say onto which grid, or which wavelengths, a spectrum is to be resampled."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asdf
import numpy as np
from astropy.table import Table
from gwcs import WCS
from numpy.typing import NDArray

from webbweave.datamodels.plugins import load_plugins
from webbweave.errors import InputError

__all__ = ["StoredWCS", "read_output_wcs", "read_wavelengths"]

#: First bytes of an ASDF file (ASDF Standard 1.6, low-level file layout).
_ASDF_MAGIC = b"#ASDF"


@dataclass(frozen=True, eq=False)
class StoredWCS:
    """
    A WCS from a file, with what came with it.

    Attributes
    ----------
    name : str
        Path of the file.
    wcs : `~gwcs.WCS`
        The WCS.
    pixel_area : float or None
        Nominal area of a pixel [steradian].
    pixel_scale : float or None
        Pixel scale [arcsec].
    pixel_shape : (int, int) or None
        Shape (nx, ny) of the product.
    array_shape : (int, int) or None
        Shape (ny, nx) of the product.
    """

    name: str
    wcs: WCS
    pixel_area: float | None = None
    pixel_scale: float | None = None
    pixel_shape: tuple[int, int] | None = None
    array_shape: tuple[int, int] | None = None


def read_output_wcs(path: str | Path) -> StoredWCS:
    """
    Read a WCS to resample onto.

    Parameters
    ----------
    path : str or path
        An ASDF file with the entry ``wcs``, and perhaps ``pixel_area`` [steradian], ``pixel_scale``
        [arcsec], ``pixel_shape`` (nx, ny) and ``array_shape`` (ny, nx).

    Returns
    -------
    StoredWCS
        What the file holds; nothing refers to the file any more.

    Raises
    ------
    InputError
        If the file is missing, not ASDF, or an entry is missing or of the wrong kind.
    """
    path = Path(path)
    _check_is_asdf(path)
    load_plugins()
    try:
        with asdf.open(path, lazy_load=False, memmap=False) as file:
            tree = dict(file.tree)
    except Exception as error:  # asdf raises whatever its parsers and converters do
        raise InputError(f"{path}: cannot be read as ASDF: {error}") from error
    if "wcs" not in tree:
        raise InputError(f"{path}: expected an entry 'wcs', found {_entries(tree)}")
    wcs = tree["wcs"]
    if not isinstance(wcs, WCS):
        raise InputError(f"{path}: expected a gwcs in the entry 'wcs', found {_kind(wcs)}")
    return StoredWCS(
        str(path),
        wcs,
        _positive(path, tree, "pixel_area"),
        _positive(path, tree, "pixel_scale"),
        _shape(path, tree, "pixel_shape"),
        _shape(path, tree, "array_shape"),
    )


def _check_is_asdf(path: Path) -> None:
    try:
        with path.open("rb") as stream:
            start = stream.read(len(_ASDF_MAGIC))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file, expected an ASDF file with a WCS") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be opened: {error.strerror}") from error
    if start != _ASDF_MAGIC:
        raise InputError(f"{path}: expected an ASDF file, found one that starts with {start!r}")


def _entries(tree: dict[str, Any]) -> str:
    names = {str(name) for name in tree} - {"asdf_library", "history"}
    return ", ".join(sorted(names)) or "none"


def _kind(value: Any) -> str:
    """The type of an entry, for a message; without its extension, asdf hands out raw nodes."""
    return str(getattr(value, "_tag", None) or type(value).__name__)


def _positive(path: Path, tree: dict[str, Any], key: str) -> float | None:
    value = tree.get(key)
    if value is None:
        return None
    if isinstance(value, int | float | np.number) and np.isfinite(value) and value > 0:
        return float(value)
    raise InputError(f"{path}: expected a positive number in the entry {key!r}, found {value!r}")


def _shape(path: Path, tree: dict[str, Any], key: str) -> tuple[int, int] | None:
    value = tree.get(key)
    if value is None:
        return None
    try:
        first, second = (int(size) for size in value)
    except (TypeError, ValueError):
        first = second = 0
    if min(first, second) < 1:
        raise InputError(
            f"{path}: expected two positive numbers in the entry {key!r}, found {value!r}"
        )
    return first, second


def read_wavelengths(path: str | Path) -> NDArray[np.float64]:
    """
    Read the wavelengths to resample onto.

    Parameters
    ----------
    path : str or path
        A table that astropy reads (FITS, ECSV, or plain text): its column ``wavelength``, or its
        only column; in the unit of the column, or in micron if it has none.

    Returns
    -------
    ndarray of float64, shape (n,)
        The wavelengths [micron], in the order of the file.

    Raises
    ------
    InputError
        If the file is missing, no table, or without such a column.
    """
    path = Path(path)
    table = _read_table(path)
    names = {name.lower(): name for name in table.colnames}
    if len(names) == 1:
        (name,) = names.values()
    elif "wavelength" in names:
        name = names["wavelength"]
    else:
        raise InputError(
            f"{path}: expected one column, or one named 'wavelength', found "
            + ", ".join(table.colnames)
        )
    column = table[name]
    try:
        numbers = np.ma.filled(np.ma.asarray(column, dtype=np.float64), np.nan)
        values: NDArray[np.float64] = np.array(numbers, dtype=np.float64)
        return values * float(column.unit.to("micron") if column.unit else 1.0)
    except (TypeError, ValueError) as error:  # text, or a unit that is no length
        raise InputError(f"{path}: expected wavelengths in the column {name!r}: {error}") from error


def _read_table(path: Path) -> Table:
    if not path.is_file():
        raise InputError(f"{path}: no such file, expected a table of wavelengths")
    suffix = path.suffix.lower()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if suffix in (".fits", ".fit", ".gz"):
                return Table.read(path, format="fits")
            if suffix == ".ecsv":
                return Table.read(path, format="ascii.ecsv")
            table = Table.read(path, format="ascii", guess=True)
            if all(_is_number(name) for name in table.colnames):
                # The first wavelength was taken for a heading.
                table = Table.read(path, format="ascii.no_header")
    except Exception as error:  # the readers of astropy raise many kinds
        raise InputError(f"{path}: cannot be read as a table: {error}") from error
    return table


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
