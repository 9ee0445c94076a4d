"""The line, on the sky or the micro-shutters, along which a rectified spectrum has its pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from webbweave.errors import InputError

__all__ = ["Positions", "SlitLine", "check_together", "fit_line", "place_line"]

#: Plane coordinates x and y of the pixels of an exposure.
Positions = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True)
class SlitLine:
    """
    A straight line on a plane: the positions of the output along the slit.

    The positions are called rows here; they are the columns where the dispersion runs along y.

    Attributes
    ----------
    x0, y0 : float
        Plane coordinates of row 0, in the unit of the plane.
    dx, dy : float
        Step per output row.
    """

    x0: float
    y0: float
    dx: float
    dy: float

    @property
    def is_steep(self) -> bool:
        """Whether y varies faster than x along the line."""
        return abs(self.dx) < abs(self.dy)

    def row(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """
        Find the row of plane positions, along the axis that varies faster.

        Parameters
        ----------
        x, y : ndarray of float64
            Plane coordinates.

        Returns
        -------
        ndarray of float64
            Fractional output rows.
        """
        return (y - self.y0) / self.dy if self.is_steep else (x - self.x0) / self.dx

    def at(self, row: NDArray[np.float64]) -> Positions:
        """
        Find the plane coordinates of rows.

        Parameters
        ----------
        row : ndarray of float64
            Fractional output rows.

        Returns
        -------
        x, y : ndarray of float64
            Plane coordinates.
        """
        return self.x0 + self.dx * row, self.y0 + self.dy * row

    def along(self, positions: Positions) -> NDArray[np.float64]:
        """
        Project positions on the direction of the line.

        Parameters
        ----------
        positions : (ndarray of float64, ndarray of float64)
            Plane coordinates.

        Returns
        -------
        ndarray of float64
            Distance along the line from where the origin of the plane is projected to, in the unit
            of the plane, growing with the row.
        """
        x, y = positions
        distance: NDArray[np.float64] = (x * self.dx + y * self.dy) / np.hypot(self.dx, self.dy)
        return distance


def fit_line(
    x: NDArray[np.float64], y: NDArray[np.float64], *, ratio: float, name: str
) -> SlitLine:
    """
    Fit the positions of neighbouring pixels along the slit.

    Parameters
    ----------
    x, y : ndarray of float64, shape (n,)
        Plane coordinates; those that are NaN are passed over.
    ratio : float
        Input pixel scale over output pixel scale.
    name : str
        What an error message calls the exposure.

    Returns
    -------
    SlitLine
        The least-squares line, with row 0 at the first pixel that is defined.

    Raises
    ------
    InputError
        If fewer than two positions are defined.
    """
    defined = np.isfinite(x) & np.isfinite(y)
    n = int(np.count_nonzero(defined))
    if n < 2:
        raise InputError(f"{name}: expected a slit of two rows or more, found {n}")
    row = np.arange(n) * ratio
    dx, x0 = np.polyfit(row, x[defined], 1)
    dy, y0 = np.polyfit(row, y[defined], 1)
    return SlitLine(float(x0), float(y0), float(dx), float(dy))


def place_line(
    line: SlitLine, positions: Sequence[Positions], *, chord: bool = False
) -> tuple[SlitLine, int]:
    """
    Move a line along itself so that its rows cover all pixels, and count them.

    Parameters
    ----------
    line : SlitLine
        The line.
    positions : sequence of (ndarray of float64, ndarray of float64)
        Plane coordinates of the pixels of each exposure.
    chord : bool, optional
        Do as jwst does for NIRSpec: put the data on row n/2, half a row off, and take the chord of
        the box around all pixels for the line.

    Returns
    -------
    line : SlitLine
        The line with its new row 0.
    n_row : int
        Number of rows; the pixels are centred on them.
    """
    x_range = _range([x for x, _ in positions])
    y_range = _range([y for _, y in positions])
    extent, step = (
        (y_range[1] - y_range[0], line.dy) if line.is_steep else (x_range[1] - x_range[0], line.dx)
    )
    n_row = math.ceil(extent / abs(step)) + 1
    if chord:
        x0 = _row_zero(x_range, line.dx, n_row / 2)
        y0 = _row_zero(y_range, line.dy, n_row / 2)
        return SlitLine(x0, y0, line.dx, line.dy), n_row
    centre = (n_row - 1) / 2
    if line.is_steep:
        y0 = _row_zero(y_range, line.dy, centre)
        x0 = line.x0 + line.dx * (y0 - line.y0) / line.dy
    else:
        x0 = _row_zero(x_range, line.dx, centre)
        y0 = line.y0 + line.dy * (x0 - line.x0) / line.dx
    return SlitLine(x0, y0, line.dx, line.dy), n_row


def _range(planes: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
    return (
        min(float(np.nanmin(plane)) for plane in planes),
        max(float(np.nanmax(plane)) for plane in planes),
    )


def _row_zero(limits: tuple[float, float], step: float, centre: float) -> float:
    """The coordinate of row 0 that puts the middle of `limits` on row `centre`."""
    low, high = limits
    margin = centre * abs(step) - (high - low) / 2
    return low - margin if step > 0 else high + margin


def check_together(
    names: Sequence[str], positions: Sequence[Positions], line: SlitLine, *, arcsec: float
) -> None:
    """
    Refuse exposures further apart than a slit length: they are not of one source.

    Parameters
    ----------
    names : sequence of str
        What an error message calls the exposures.
    positions : sequence of (ndarray of float64, ndarray of float64)
        Plane coordinates of the pixels of each exposure.
    line : SlitLine
        The direction of the slit.
    arcsec : float
        Arcseconds per unit of the plane.

    Raises
    ------
    InputError
        If an exposure does not belong to the others.
    """
    step = np.hypot(line.dx, line.dy)
    along = [line.along(position) for position in positions]
    across = [(x * line.dy - y * line.dx) / step for x, y in positions]
    extents = np.array([[np.nanmin(a), np.nanmax(a)] for a in along])
    centres = np.array([np.nanmean(a) for a in across])
    length = float((extents[:, 1] - extents[:, 0]).max())
    order = np.argsort(extents[:, 0])
    end = extents[order[0], 1]
    for before, index in pairwise(order):
        apart = max(extents[index, 0] - end, abs(centres[index] - centres[before]))
        if apart > length:
            raise InputError(
                f"{names[index]}: does not overlap {names[before]} on the sky: "
                f'the slits are {arcsec * apart:.1f}" apart, expected less than the slit length of '
                f'{arcsec * length:.1f}"'
            )
        end = max(end, extents[index, 1])
