"""How much the spectrum of a point source ripples when it is taken through a fixed aperture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.polynomial import Polynomial
from numpy.typing import NDArray

__all__ = ["Ripple", "aperture_share", "measure_ripple"]

#: Part of an aperture that must be covered by valid pixels.
_LEAST_COVERAGE = 0.999

#: The share of the light in an aperture changes slowly with the width of the point spread function:
#: what a cubic polynomial in the column follows is no ripple.
_TREND_DEGREE = 3

#: Fewer columns than this say nothing about a ripple.
_LEAST_COLUMNS = 20


@dataclass(frozen=True)
class Ripple:
    """
    The share of a source's light in an aperture, along the spectrum.

    Parameters
    ----------
    share : ndarray of float64, shape (n_column,)
        Light in the aperture over the light of the column; NaN where it is not known.
    trend : ndarray of float64, shape (n_column,)
        Its slow change: a cubic polynomial.
    amplitude : float
        Standard deviation of ``share / trend - 1``; NaN if too few columns are known.
    """

    share: NDArray[np.float64]
    trend: NDArray[np.float64]
    amplitude: float


def aperture_share(
    flux: NDArray[np.floating], alpha: NDArray[np.floating], centre: float, width: float
) -> NDArray[np.float64]:
    """
    Sum the light in a fixed interval along the slit, as a share of each column's light.

    A pixel is taken to be lit evenly: it gives the interval the part that lies within. This is what
    a spaxel of a cube, or a row of a rectified spectrum, receives.

    Parameters
    ----------
    flux : ndarray, shape (ny, nx)
        Data of one region, dispersion along x; NaN elsewhere.
    alpha : ndarray, shape (ny, nx)
        Coordinate along the slit, monotonic in each column.
    centre, width : float
        The interval, in the unit of `alpha`.

    Returns
    -------
    ndarray of float64, shape (nx,)
        NaN where valid pixels do not cover the interval, or a column has no light.
    """
    position = np.asarray(alpha, dtype=np.float64)
    half = _half_pixels(position)
    low, high = centre - width / 2, centre + width / 2
    known = np.isfinite(flux) & np.isfinite(position) & np.isfinite(half)
    inside = np.minimum(position + half, high) - np.maximum(position - half, low)
    overlap = np.where(known, np.clip(inside, 0.0, None), 0.0)
    light = np.where(known, flux, 0.0).astype(np.float64)
    covered = overlap.sum(axis=0) >= _LEAST_COVERAGE * width
    total = (light * np.where(known, 2 * half, 0.0)).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(covered & (total > 0), (light * overlap).sum(axis=0) / total, np.nan)


def _half_pixels(position: NDArray[np.float64]) -> NDArray[np.float64]:
    """Half the distance to the neighbours in the column; the other one's where one is missing."""
    gap = np.abs(np.diff(position, axis=0))
    none = np.full((1, position.shape[1]), np.nan)
    below, above = np.concatenate([none, gap]), np.concatenate([gap, none])
    below, above = np.where(np.isnan(below), above, below), np.where(np.isnan(above), below, above)
    half: NDArray[np.float64] = (below + above) / 4
    return half


def measure_ripple(
    flux: NDArray[np.floating],
    alpha: NDArray[np.floating],
    centre: float,
    width: float,
    *,
    columns: NDArray[np.bool_] | None = None,
) -> Ripple:
    """
    Measure how much the light in a fixed interval along the slit ripples along the spectrum.

    Parameters
    ----------
    flux, alpha : ndarray, shape (ny, nx)
        Data of one region and the coordinate along the slit, see `aperture_share`.
    centre, width : float
        The interval, in the unit of `alpha`: for a spaxel, one pixel.
    columns : ndarray of bool, shape (nx,), optional
        The columns to look at.

    Returns
    -------
    Ripple
        The share of the light, and how much it scatters about its trend.
    """
    share = aperture_share(flux, alpha, centre, width)
    known = np.isfinite(share)
    if columns is not None:
        known &= columns
    trend = np.full(share.shape, np.nan)
    if np.count_nonzero(known) < _LEAST_COLUMNS:
        return Ripple(share, trend, np.nan)
    x = np.flatnonzero(known)
    fitted = Polynomial.fit(x, share[known], _TREND_DEGREE)
    trend[x[0] : x[-1] + 1] = fitted(np.arange(x[0], x[-1] + 1))
    amplitude = float(np.std(share[known] / trend[known] - 1))
    return Ripple(share, trend, amplitude)
