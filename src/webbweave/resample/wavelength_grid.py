"""The wavelengths that a user asks for, made from those of the detector columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from webbweave.resample.wavelengths import WavelengthTable, merge_wavelengths

__all__ = ["common_wavelengths", "design_table", "is_common", "names_file", "parse_wavelength_grid"]

#: The names of grids; what they are called for one source, where all sources share one.
_NAMED = {"native": "native", "linear": "linear", "log": "log"} | {
    "common": "native",
    "common-linear": "linear",
    "common-log": "log",
}


def parse_wavelength_grid(
    choice: str | float | NDArray[np.float64],
) -> str | float | NDArray[np.float64]:
    """
    Check which wavelengths are asked for.

    Parameters
    ----------
    choice : str, float or array_like
        'native', 'linear', 'log', the same for all sources as 'common', 'common-linear',
        'common-log', a number of columns per native column (also as text), the path of a table, or
        wavelengths [micron].

    Returns
    -------
    str, float or ndarray of float64
        The same, with a number as float and wavelengths as array.

    Raises
    ------
    ValueError
        If a number is not positive, or wavelengths are not ascending positive numbers.
    """
    if isinstance(choice, str):
        try:
            values = np.asarray(float(choice))
        except ValueError:
            return choice.lower() if choice.lower() in _NAMED else choice
    else:
        values = np.asarray(choice, dtype=np.float64)
    if values.ndim == 0:
        if not (np.isfinite(values) and values > 0):
            raise ValueError(f"wavelength_grid: expected a positive number, found {choice}")
        return float(values)
    if values.ndim != 1 or values.size < 2:
        raise ValueError(
            "wavelength_grid: expected two wavelengths or more in a row, found shape "
            f"{values.shape}"
        )
    if not (np.isfinite(values).all() and values[0] > 0 and (np.diff(values) > 0).all()):
        raise ValueError(
            "wavelength_grid: expected positive wavelengths in micron that ascend, found "
            f"{values.size} from {values[0]:g} to {values[-1]:g} that do not"
        )
    return values


def names_file(choice: str | float | NDArray[np.float64]) -> bool:
    """
    Tell whether the wavelengths are in a file.

    Parameters
    ----------
    choice : str, float or array_like
        As for `parse_wavelength_grid`.

    Returns
    -------
    bool
        True for a text that is neither a number nor the name of a grid.
    """
    parsed = parse_wavelength_grid(choice)
    return isinstance(parsed, str) and parsed not in _NAMED


def is_common(choice: str | float | NDArray[np.float64]) -> bool:
    """
    Tell whether all sources are to have the same wavelengths, which are not given.

    Parameters
    ----------
    choice : str, float or array_like
        As for `parse_wavelength_grid`.

    Returns
    -------
    bool
        True for 'common', 'common-linear' and 'common-log'.
    """
    return isinstance(choice, str) and choice.startswith("common") and choice in _NAMED


def common_wavelengths(natives: Sequence[NDArray[np.float64]], choice: str) -> NDArray[np.float64]:
    """
    Make one grid of the native wavelengths of several sources.

    Parameters
    ----------
    natives : sequence of ndarray of float64, shape (n_s,)
        Native wavelengths of each source [micron], ascending; at least one.
    choice : {'common', 'common-linear', 'common-log'}
        The wavelengths of the first source, continued by those of the others where they go further;
        or equal steps over the range of all.

    Returns
    -------
    ndarray of float64, shape (n,)
        The wavelengths [micron].
    """
    return design_table(merge_wavelengths(natives), _NAMED[choice]).wavelengths


def design_table(
    wavelengths: NDArray[np.float64],
    choice: str | float | NDArray[np.float64] = "native",
    *,
    continued: bool = False,
    compat: bool = False,
) -> WavelengthTable:
    """
    Make the wavelength table of the output.

    Parameters
    ----------
    wavelengths : ndarray of float64, shape (n,)
        Native wavelengths: one per detector column [micron], ascending.
    choice : str, float or array_like
        - 'native': the table as it is.
        - a number k: k columns per native column, rounded so that each stretch between gaps has a
          whole number; wavelengths are interpolated, and the gaps stay.
        - 'linear', 'log': equal steps in wavelength, or in its logarithm, over the same range, as
          long as the median native step; in a gap, the columns stay empty.
        - 'common', 'common-linear', 'common-log': for one source, the same.
        - wavelengths [micron], ascending: these.
    continued : bool, optional
        Continue the table linearly beyond its ends.
    compat : bool, optional
        Make the native table as jwst does; see `WavelengthTable.from_wavelengths`.

    Returns
    -------
    WavelengthTable
        The table. A value per pixel is not divided by the number of columns: along the dispersion,
        the spectrum is averaged, not rebinned.

    Raises
    ------
    ValueError
        If the choice is none of these, or wavelengths lie outside the native ones.
    """
    choice = parse_wavelength_grid(choice)
    if isinstance(choice, np.ndarray):
        return _given(choice, wavelengths)
    if isinstance(choice, str):
        choice = _NAMED.get(choice, choice)
    is_native = choice == "native"
    native = WavelengthTable.from_wavelengths(
        wavelengths, continued=continued, compat=compat and is_native
    )
    if is_native or wavelengths.size < 2:
        return native
    if isinstance(choice, float):
        return _finer(native, choice)
    if choice not in _NAMED:
        raise ValueError(
            "wavelength_grid: expected 'native', 'linear', 'log', a number or wavelengths, found "
            f"{choice!r}; a table is read by the step"
        )
    return _even(native, logarithmic=choice == "log")


def _given(choice: NDArray[np.float64], native: NDArray[np.float64]) -> WavelengthTable:
    if choice[0] > native[-1] or choice[-1] < native[0]:
        raise ValueError(
            f"wavelength_grid: goes from {choice[0]:g} to {choice[-1]:g} micron, but the spectrum "
            f"from {native[0]:g} to {native[-1]:g}"
        )
    return WavelengthTable.from_wavelengths(choice, continued=True)


def _finer(native: WavelengthTable, per_column: float) -> WavelengthTable:
    """Divide the columns of each stretch without a gap."""
    points, values, _, _ = native.as_lookup()
    pieces = []
    for first, last in native.segments:
        n_native = last - first + 1
        n = max(round(n_native * per_column), 1)
        columns = first - 0.5 + (np.arange(n) + 0.5) * (n_native / n)
        pieces.append(np.interp(columns, points, values))
    return WavelengthTable.from_wavelengths(np.concatenate(pieces), continued=native.continued)


def _even(native: WavelengthTable, *, logarithmic: bool) -> WavelengthTable:
    """Equal steps from edge to edge."""
    scale = np.log if logarithmic else np.positive
    # The blue half column may reach below zero where steps are long.
    low, high = scale(max(native.values[0], native.wavelengths[0] / 2)), scale(native.values[-1])
    # In a logarithmic table the median step is that of the logarithms.
    step = np.median(np.diff(scale(native.wavelengths)))
    n = max(round((high - low) / step), 1)
    centres = low + (np.arange(n) + 0.5) * ((high - low) / n)
    wavelengths = np.exp(centres) if logarithmic else centres
    return WavelengthTable.from_wavelengths(wavelengths, continued=native.continued)
