"""Tables of background spectra, one per exposure and detector."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from webbweave.datamodels.tables import read_table
from webbweave.errors import InputError

__all__ = ["background_path", "read_background_spectra"]

Array = NDArray[np.float64]

#: The area of a pixel, steradian, that spectra without the keyword REFPAREA are for (msaexp).
REFERENCE_AREA = 4.88e-13

#: The parts of a file name, between underscores, that are those of an exposure and a detector.
_NAME_PARTS = 4


def background_path(filename: str, folder: str | Path = "") -> Path:
    """
    Give the name of the background spectrum of an exposure.

    Parameters
    ----------
    filename : str
        The name of the exposure, ``jw<visit>_<group>_<exposure>_<detector>_...``.
    folder : str or path, optional
        Where the spectrum is.

    Returns
    -------
    `~pathlib.Path`
        ``<first four parts>_gbkg.fits`` in the folder.
    """
    parts = Path(filename).name.split("_")[:_NAME_PARTS]
    return Path(folder) / ("_".join(parts) + "_gbkg.fits")


def read_background_spectra(
    filenames: Sequence[str], folder: str | Path = ""
) -> list[tuple[Array, Array, Array, float]] | None:
    """
    Read the background spectra of exposures.

    Parameters
    ----------
    filenames : sequence of str
        The names of the exposures.
    folder : str or path, optional
        Where the spectra are.

    Returns
    -------
    list of (wave, flux, error, reference_area), or None
        Per exposure: wavelengths in micron, ascending; flux and its error, microjansky per pixel;
        and the area of a pixel that they are for, steradian. None if a file is missing.

    Raises
    ------
    InputError
        If a file cannot be read, or is no such table.
    """
    paths = [background_path(name, folder) for name in filenames]
    if not all(path.is_file() for path in paths):
        return None
    return [_spectrum(path, read_table(path)) for path in paths]


def _spectrum(path: Path, table: Table) -> tuple[Array, Array, Array, float]:
    missing = [name for name in ("wave", "p50", "perr") if name not in table.colnames]
    if missing:
        raise InputError(f"{path}: no column {missing[0]}, found {', '.join(table.colnames)}")
    wave, flux, error = (np.asarray(table[name], np.float64) for name in ("wave", "p50", "perr"))
    if len(wave) < 2 or not np.all(np.diff(wave) > 0):
        raise InputError(f"{path}: the wavelengths of column wave must be two or more and ascend")
    area = table.meta.get("REFPAREA", REFERENCE_AREA)
    if not isinstance(area, (int, float)) or not area > 0:
        raise InputError(f"{path}: keyword REFPAREA must be a positive area, found {area!r}")
    return wave, flux, error, float(area)
