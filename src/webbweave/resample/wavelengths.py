"""The wavelength table of a rectified spectrum: one wavelength per output column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "WavelengthTable",
    "at_position",
    "column_medians",
    "continued_to",
    "merge_wavelengths",
]

#: Neighbouring wavelengths closer than this fraction of the smallest step of an exposure are one:
#: they come from the same detector column seen by two exposures.
_SAME_WAVELENGTH = 0.1

#: A table is continued by wavelengths at least this fraction of its last step beyond its end, so
#: that no column is much narrower than its neighbours.
_CLEAR = 0.5


#: A step this many times longer than both its neighbours is a gap between detectors (about 160
#: columns wide in NIRSpec), and not a few columns that lack the place where wavelengths are taken.
_GAP = 5.0


@dataclass(frozen=True, eq=False)
class WavelengthTable:
    """
    Piecewise linear relation of output column and wavelength.

    Attributes
    ----------
    wavelengths : ndarray of float64, shape (n,)
        Wavelength of the centre of each column [micron], ascending.
    points : ndarray of float64, shape (n + 2 + 2 n_gap,)
        Columns -0.5, 0, 1, ..., n - 1, n - 0.5; at a gap between columns g and g + 1, also g + 0.5,
        twice.
    values : ndarray of float64, shape (n + 2 + 2 n_gap,)
        Wavelengths at `points` [micron].
    continued : bool
        Whether the first and the last step go on beyond the table.
    """

    wavelengths: NDArray[np.float64]
    points: NDArray[np.float64]
    values: NDArray[np.float64]
    continued: bool = False

    @classmethod
    def from_wavelengths(
        cls,
        wavelengths: NDArray[np.float64],
        *,
        continued: bool = False,
        compat: bool = False,
    ) -> WavelengthTable:
        """
        Extend a table by half a column at each end, and on both sides of each gap.

        Parameters
        ----------
        wavelengths : ndarray of float64, shape (n,)
            Wavelengths of the column centres [micron], ascending.
        continued : bool, optional
            Continue the table linearly.
        compat : bool, optional
            Extend the red end as jwst does: by the last step times the number of the column, which
            puts the last half column micrometres too far in the red. A gap is a column like others.

        Returns
        -------
        WavelengthTable
            The table; with a single wavelength it is constant.
        """
        n = wavelengths.size
        if n == 1:
            return cls(wavelengths, np.array([-0.5, 0.0, 0.5]), np.repeat(wavelengths, 3))
        steps = np.diff(wavelengths)
        blue = wavelengths[0] - 0.5 * steps[0]
        red = wavelengths[-1] + 0.5 * steps[-1]
        if compat and not continued:
            red = wavelengths[-2] + steps[-1] * (n - 0.5)
        points = np.concatenate([[-0.5], np.arange(n, dtype=np.float64), [n - 0.5]])
        values = np.concatenate([[blue], wavelengths, [red]])
        gaps = np.empty(0, dtype=int) if compat else _gaps(steps)
        where = np.repeat(gaps + 2, 2)
        edges = [
            wavelengths[gaps] + steps[gaps - 1] / 2,
            wavelengths[gaps + 1] - steps[gaps + 1] / 2,
        ]
        points = np.insert(points, where, np.repeat(gaps + 0.5, 2))
        values = np.insert(values, where, np.column_stack(edges).ravel())
        return cls(wavelengths, points, values, continued)

    @property
    def segments(self) -> list[tuple[int, int]]:
        """First and last column of each stretch without a gap."""
        ends = self.points[np.flatnonzero(np.diff(self.points) == 0)] - 0.5
        last = [*(int(end) for end in ends), self.wavelengths.size - 1]
        return list(zip([0, *(end + 1 for end in last[:-1])], last, strict=True))

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
            Fractional columns, NaN outside the table and in its gaps.
        """
        points, values = self.points, self.values
        column = np.interp(wavelength, values, points, left=np.nan, right=np.nan)
        for edge in np.flatnonzero(np.diff(points) == 0):
            column[(wavelength > values[edge]) & (wavelength < values[edge + 1])] = np.nan
        if self.continued and values[0] < values[-1]:
            for end, beyond in ((0, wavelength < values[0]), (-2, wavelength > values[-1])):
                slope = (points[end + 1] - points[end]) / (values[end + 1] - values[end])
                column[beyond] = points[end] + slope * (wavelength[beyond] - values[end])
        return column

    def as_lookup(
        self,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """
        Express the table as two relations with distinct, ascending arguments.

        Returns
        -------
        points, values : ndarray of float64
            Columns and their wavelengths.
        back_values, back_points : ndarray of float64
            Wavelengths and their columns, NaN in the gaps.
        """
        points, values = self.points.copy(), self.values
        before = np.flatnonzero(np.diff(points) == 0)
        points[before + 1] = np.nextafter(points[before], np.inf)
        inner = [np.nextafter(values[before], np.inf), np.nextafter(values[before + 1], -np.inf)]
        where = np.repeat(before + 1, 2)
        back_values = np.insert(values, where, np.column_stack(inner).ravel())
        return points, values, back_values, np.insert(self.points, where, np.nan)

    def resized(self, size: int) -> WavelengthTable:
        """
        Cut or extend the table at its red end.

        Parameters
        ----------
        size : int
            Number of columns.

        Returns
        -------
        WavelengthTable
            The new table; added wavelengths continue with the last step.
        """
        wavelengths = continued_to(self.wavelengths, size)
        return WavelengthTable.from_wavelengths(wavelengths, continued=self.continued)

    def extended_blue(self, size: int) -> WavelengthTable:
        """
        Cut or extend the table at its blue end.

        Parameters
        ----------
        size : int
            Number of columns.

        Returns
        -------
        WavelengthTable
            The new table; added wavelengths continue with the first step.
        """
        wavelengths = continued_to(self.wavelengths[::-1], size)[::-1].copy()
        return WavelengthTable.from_wavelengths(wavelengths, continued=self.continued)


def continued_to(values: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """
    Cut values at the end, or add some with the last step.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        The values.
    size : int
        How many are wanted.

    Returns
    -------
    ndarray of float64, shape (size,)
        The values and those added.
    """
    step = values[-1] - values[-2] if values.size > 1 else 0.0
    added = values[-1] + step * np.arange(1, max(size - values.size, 0) + 1)
    return np.concatenate([values[:size], added])


def _gaps(steps: NDArray[np.float64]) -> NDArray[np.intp]:
    """Indices of the steps that are gaps."""
    neighbours = np.maximum(steps[:-2], steps[2:])
    found: NDArray[np.intp] = np.flatnonzero(steps[1:-1] > _GAP * neighbours) + 1
    return found


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
