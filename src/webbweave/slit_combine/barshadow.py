"""The shadow of the bars between the shutters of a slitlet."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from webbweave.slit_combine.reference import BarTable, bar_table
from webbweave.slit_combine.splines import design, spline_values

__all__ = ["BAR_MODES", "bar_transmission", "frames_of_first", "shutter_shift"]

Array = NDArray[np.float64]

#: Without wavelengths, or with.
BAR_MODES = ("flat", "wave")
#: There are tables for slitlets of up to so many shutters.
_MOST_SHUTTERS = 3
#: Coordinates that reach so far beyond a table are those of a longer slitlet [shutters].
_WRAP_MARGIN = 0.5
#: The first shutter of slitlets of 1, 2 and 3, counted from that of the source, in the tables.
_FIRST_SHUTTER = {1: 0, 2: 0, 3: -1}
#: A shutter is open if it has so large a part of the pixels of the one with the most.
_OPEN_FRACTION = 0.8
#: The slit frame has the height of an open shutter as its unit: 0.529 arcsec from shutter to
#: shutter against 0.46 arcsec that are open (JWST user documentation, NIRSpec MSA).
_UNITS_PER_SHUTTER = 1.15


def bar_transmission(
    u: ArrayLike,
    wave: ArrayLike,
    n_shutter: int,
    *,
    mode: str = "wave",
    wrap: bool | None = None,
    compat: bool = False,
) -> tuple[Array, bool]:
    """
    Evaluate the transmission along a slitlet.

    Parameters
    ----------
    u : array_like of float
        Place along the slit, 0 in the middle of the source's shutter [shutters].
    wave : array_like of float
        Wavelengths [micron], of the same shape. Outside of the table, its ends hold.
    n_shutter : int
        Number of shutters. Above 3, the middle one of three is repeated.
    mode : str, optional
        ``'wave'``, or ``'flat'`` for the table that holds for all wavelengths.
    wrap : bool, optional
        Whether to repeat the middle shutter; by default if places are far outside the table.
    compat : bool, optional
        As msaexp: small basis functions are left out, and without wavelengths the largest place
        does not count for the repetition.

    Returns
    -------
    bar : ndarray of float64
        The transmission; NaN where a place is not in the table, or not known.
    wrapped : bool
        Whether the middle shutter was repeated.

    Raises
    ------
    ValueError
        If there is no such mode.
    """
    if mode not in BAR_MODES:
        raise ValueError(f"bar_corr_mode: expected one of {', '.join(BAR_MODES)}, found {mode!r}")
    places = np.asarray(u, np.float64)
    waves = np.asarray(wave, np.float64)
    table = bar_table(n_shutter if 1 <= n_shutter <= _MOST_SHUTTERS else _MOST_SHUTTERS)
    if wrap is None:
        wrap = n_shutter > _MOST_SHUTTERS or (
            n_shutter > 0 and _reaches_beyond(places, table, minimum_only=compat and mode == "flat")
        )
    if wrap:
        places = (places + 0.5) % 1.0 - 0.5
    inside = (places >= table.low) & (places <= table.high)
    if mode == "flat":
        bar = spline_values(places, table.flat, table.low, table.high, clip=compat)
    else:
        bar = _by_wavelength(places, waves, table, clip=compat)
    return np.where(inside, bar, np.nan), bool(wrap)


def _reaches_beyond(places: Array, table: BarTable, *, minimum_only: bool) -> bool:
    if not np.isfinite(places).any():
        return False
    low = np.nanmin(places)
    high = low if minimum_only else np.nanmax(places)
    return bool(low < table.low - _WRAP_MARGIN or high > table.high + _WRAP_MARGIN)


def _by_wavelength(places: Array, waves: Array, table: BarTable, *, clip: bool) -> Array:
    """Splines whose coefficients are interpolated in wavelength."""
    rows = design(places, len(table.flat), table.low, table.high, clip=clip)
    steps = np.interp(waves.ravel(), table.wavelengths, np.arange(table.wavelengths.size))
    known = np.isfinite(steps)
    below = np.zeros(steps.size, np.intp)
    below[known] = np.minimum(steps[known], table.wavelengths.size - 2)
    part = steps - below
    bar = np.zeros(steps.size)
    for k in range(rows.values.shape[1]):
        index = np.minimum(rows.first + k, len(table.wave) - 1)
        lower, upper = table.wave[index, below], table.wave[index, below + 1]
        bar += rows.values[:, k] * (lower + part * (upper - lower))
    return bar.reshape(places.shape)


def shutter_shift(u: ArrayLike, n_shutter: int) -> int:
    """
    Find how the shutters of a slitlet are numbered against its table.

    Parameters
    ----------
    u : array_like of float
        Places of the pixels in use [shutters]; NaN for others.
    n_shutter : int
        Number of shutters.

    Returns
    -------
    int
        What is to be added to the places; 0 if the open shutters are not as many as they should be.
    """
    if n_shutter not in _FIRST_SHUTTER:
        return 0
    places = np.asarray(u, np.float64)
    names, counts = np.unique(np.round(places[np.isfinite(places)]), return_counts=True)
    if not names.size:
        return 0
    present = names[counts > _OPEN_FRACTION * counts.max()]
    if len(present) != n_shutter or present[-1] - present[0] != n_shutter - 1:
        return 0
    return int(_FIRST_SHUTTER[n_shutter] - present[0])


def frames_of_first(slit_y: Array) -> Array:
    """
    Give the places along the slit of all exposures in the numbering of the first.

    The frame of an exposure has its origin in the shutter of the source, another one at each nod.

    Parameters
    ----------
    slit_y : ndarray of float64, shape (N, P)
        Places along the slit in the frame of each exposure.

    Returns
    -------
    ndarray of float64, shape (N, P)
        The same, moved by whole shutters.
    """
    moved = slit_y.copy()
    for row in moved[1:]:
        both = np.isfinite(row) & np.isfinite(slit_y[0])
        if both.any():
            difference = np.median(slit_y[0, both] - row[both])
            row += np.round(difference / _UNITS_PER_SHUTTER) * _UNITS_PER_SHUTTER
    return moved
