"""The wavelength table of a rectified spectrum: one wavelength per output column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["WavelengthTable", "at_position", "column_medians", "merge_wavelengths"]

#: Neighbouring wavelengths closer than this fraction of the smallest step of an exposure are one:
#: they come from the same detector column seen by two exposures.
_SAME_WAVELENGTH = 0.1

#: A table is continued by wavelengths at least this fraction of its last step beyond its end, so
#: that no column is much narrower than its neighbours.
_CLEAR = 0.5


@dataclass(frozen=True, eq=False)
class WavelengthTable:
    """
    Piecewise linear relation of output column and wavelength.

    Attributes
    ----------
    wavelengths : ndarray of float64, shape (n,)
        Wavelength of the centre of each column [micron], ascending.
    points : ndarray of float64, shape (n + 2,)
        Columns -0.5, 0, 1, ..., n - 1, n - 0.5.
    values : ndarray of float64, shape (n + 2,)
        Wavelengths at `points` [micron].
    """

    wavelengths: NDArray[np.float64]
    points: NDArray[np.float64]
    values: NDArray[np.float64]

    @classmethod
    def from_wavelengths(
        cls, wavelengths: NDArray[np.float64], *, compat: bool = False
    ) -> WavelengthTable:
        """
        Extend a table by half a column at each end.

        Parameters
        ----------
        wavelengths : ndarray of float64, shape (n,)
            Wavelengths of the column centres [micron], ascending.
        compat : bool, optional
            Extend the red end as jwst does: by the last step times the number of the column, which
            puts the last half column micrometres too far in the red.

        Returns
        -------
        WavelengthTable
            The table; with a single wavelength it is constant.
        """
        n = wavelengths.size
        if n == 1:
            return cls(wavelengths, np.array([-0.5, 0.0, 0.5]), np.repeat(wavelengths, 3))
        first_step = wavelengths[1] - wavelengths[0]
        last_step = wavelengths[-1] - wavelengths[-2]
        blue = wavelengths[0] - 0.5 * first_step
        red = (
            wavelengths[-2] + last_step * (n - 0.5) if compat else wavelengths[-1] + 0.5 * last_step
        )
        points = np.concatenate([[-0.5], np.arange(n, dtype=np.float64), [n - 0.5]])
        return cls(wavelengths, points, np.concatenate([[blue], wavelengths, [red]]))

    def column(self, wavelength: NDArray[np.float64]) -> NDArray[np.float64]:
        """
        Find the column of each wavelength.

        Parameters
        ----------
        wavelength : ndarray of float64, any shape
            Wavelengths [micron].

        Returns
        -------
        ndarray of float64
            Fractional columns, NaN outside the table.
        """
        return np.interp(wavelength, self.values, self.points, left=np.nan, right=np.nan)


def column_medians(wavelength: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Take the median wavelength of every detector column over its valid rows.

    Parameters
    ----------
    wavelength : ndarray of float64, shape (ny, nx)
        Wavelengths [micron], NaN outside the slit.

    Returns
    -------
    ndarray of float64, shape (n,)
        Medians of the columns with at least one valid row, ascending.
    """
    filled = np.isfinite(wavelength).any(axis=0)
    return np.sort(np.nanmedian(wavelength[:, filled], axis=0))


def at_position(
    wavelength: NDArray[np.float64], position: NDArray[np.float64]
) -> NDArray[np.float64]:
    """
    Take the wavelength of every detector column at one place along the slit.

    A median over whichever rows are valid jumps where the set of valid rows changes, because
    wavelengths are tilted with respect to the columns. At a fixed place they are smooth.

    Parameters
    ----------
    wavelength : ndarray of float64, shape (ny, nx)
        Wavelengths [micron], NaN outside the slit.
    position : ndarray of float64, shape (ny, nx)
        Distance along the slit from the place wanted, monotonic along the columns, NaN outside.

    Returns
    -------
    ndarray of float64, shape (n,)
        Wavelengths where `position` crosses zero, interpolated linearly, ascending; columns that do
        not contain the place are left out. If none does, the medians of all columns.
    """
    below, above = position[:-1], position[1:]
    with np.errstate(invalid="ignore"):
        crossing = (below <= 0) & (above > 0) | (below >= 0) & (above < 0)
    crossing &= np.isfinite(wavelength[:-1]) & np.isfinite(wavelength[1:])
    if not crossing.any():
        return column_medians(wavelength)
    columns = np.flatnonzero(crossing.any(axis=0))
    rows = crossing[:, columns].argmax(axis=0)
    p0, p1 = position[rows, columns], position[rows + 1, columns]
    w0, w1 = wavelength[rows, columns], wavelength[rows + 1, columns]
    crossed: NDArray[np.float64] = w0 + (w1 - w0) * (-p0 / (p1 - p0))
    return np.sort(crossed)


def merge_wavelengths(
    tables: Sequence[NDArray[np.float64]], *, compat: bool = False
) -> NDArray[np.float64]:
    """
    Unite the wavelengths of several exposures.

    The first exposure is extended by the others, the one that overlaps most first, with those of
    their wavelengths that lie beyond its range. A gap between two detectors stays one long step.

    Parameters
    ----------
    tables : sequence of ndarray of float64, shape (n_e,)
        Wavelengths of each exposure [micron], ascending; empty ones are passed over.
    compat : bool, optional
        Take all wavelengths beyond the range, and the smallest step from the first exposure only,
        as jwst does.

    Returns
    -------
    ndarray of float64, shape (n,)
        The wavelengths, ascending and distinct; empty if all tables are.
    """
    filled = [table for table in tables if table.size]
    if not filled:
        return np.empty(0)
    merged, remaining = filled[0], filled[1:]
    while remaining:
        overlaps = [min(merged[-1], t[-1]) - max(merged[0], t[0]) for t in remaining]
        other = remaining.pop(int(np.argmax(overlaps)))
        low, high = merged[0], merged[-1]
        if not compat and merged.size > 1:
            low -= _CLEAR * (merged[1] - merged[0])
            high += _CLEAR * (merged[-1] - merged[-2])
        merged = np.concatenate([other[other < low], merged, other[other > high]])
    stepped = filled[:1] if compat else filled
    steps = [abs(np.diff(table).min()) for table in stepped if table.size > 1]
    smallest = max(
        _SAME_WAVELENGTH * min(steps, default=0.0), 100.0 * float(np.finfo(np.float64).eps)
    )
    distinct = np.append(np.abs(np.diff(merged)) >= smallest, True)
    result: NDArray[np.float64] = merged[distinct]
    return result
