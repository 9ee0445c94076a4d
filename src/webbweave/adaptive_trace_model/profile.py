"""The profile of a slice or slit across the dispersion: its brightness, and its edges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.stats import sigma_clip
from numpy.typing import NDArray

from webbweave._kernels.collapse import collapse_profile, collapse_sums

__all__ = ["CrossProfile", "column_sums", "cross_profile", "is_bright", "trim_edges"]

#: Noise of a bin of the profile above the mean of all, in standard deviations, from which it is
#: taken for an edge of the slit ... (as in jwst 3.0.0)
_NOISY = 5.0

#: ... unless its S/N is at least this (as in jwst 3.0.0).
_SIGNIFICANT = 5.0

#: More bins than this are no profile but a mistake in alpha: the images have no such columns.
_MOST_BINS = 100_000


@dataclass(frozen=True, eq=False)
class CrossProfile:
    """
    A region collapsed along the dispersion, in bins of half a pixel; NaN in bins without pixels.

    Parameters
    ----------
    alpha : ndarray of float64, shape (n,)
        Coordinate along the slit of the centres of the bins.
    flux, error, snr : ndarray of float64, shape (n,)
        Medians of the data, their errors, and their ratios.
    """

    alpha: NDArray[np.float64]
    flux: NDArray[np.float64]
    error: NDArray[np.float64]
    snr: NDArray[np.float64]


def cross_profile(
    flux: NDArray[np.float64],
    error: NDArray[np.float64] | None,
    alpha: NDArray[np.float64],
    pixel_size: float,
    *,
    single: bool = False,
    compat: bool = False,
) -> CrossProfile | None:
    """
    Collapse a region along the dispersion.

    Parameters
    ----------
    flux, error, alpha : ndarray of float64, shape (n_column, n_row)
        Data, their errors and the coordinate along the slit; NaN outside the region.
    pixel_size : float
        Size of a pixel along the slit, in the unit of `alpha`.
    single : bool, optional
        Under `compat`, compute in float32.
    compat : bool, optional
        As jwst 3.0.0 does it: the pixels of the last half bin are in none.

    Returns
    -------
    CrossProfile or None
        The profile; None if no pixel has data, an error above 0 and a coordinate.
    """
    if error is None or not pixel_size > 0:
        return None
    known = alpha[np.isfinite(alpha)]
    if not known.size:
        return None
    lower, upper = float(known.min()), float(known.max())
    step = pixel_size / 2
    if not (upper - lower) / step < _MOST_BINS:
        return None
    if compat:
        real: Any = np.float32 if single else np.float64
        half = real(step) / 2
        centres = np.arange(real(lower), real(upper), real(step))
    else:
        # Of a range of n steps and a half, the last pixel is in bin n.
        centres = lower + step * np.arange(int((upper - lower) / step + 0.5) + 1)
        half = step / 2
    if not len(centres):
        return None
    lows, highs = ((centres + side * half).astype(np.float64) for side in (-1, 1))
    medians = np.empty((3, len(centres)))
    rounds = compat and single
    if not collapse_profile(flux, error, alpha, lows, highs, medians, rounds=rounds):
        return None
    return CrossProfile(centres.astype(np.float64), *medians)


def is_bright(
    profile: CrossProfile | None,
    region: int,
    peak_threshold: Mapping[int, float] | None,
    snr_threshold: float | None,
) -> bool:
    """
    Say whether a region is to be fitted.

    Parameters
    ----------
    profile : CrossProfile or None
        Its profile.
    region : int
        Its number.
    peak_threshold : mapping of int to float, optional
        Flux that the profile must exceed, by region.
    snr_threshold : float, optional
        Signal-to-noise ratio that the profile must exceed.

    Returns
    -------
    bool
        True without thresholds, or if one of them is exceeded.
    """
    if peak_threshold is None and snr_threshold is None:
        return True
    if profile is None:
        return False
    peak = _largest(profile.flux) > peak_threshold[region] if peak_threshold is not None else False
    snr = _largest(profile.snr) > snr_threshold if snr_threshold is not None else False
    return bool(peak or snr)


def _largest(values: NDArray[np.float64]) -> float:
    finite = values[~np.isnan(values)]
    return float(finite.max()) if len(finite) else np.nan


def trim_edges(
    flux: NDArray[np.floating],
    alpha: NDArray[np.floating],
    profile: CrossProfile,
    *,
    compat: bool = False,
) -> bool:
    """
    Take the edges of a slit out, where the profile is noise of uncommon strength.

    The wings of a bright source are noisier than the sky too, and faint. So the noisy part must
    begin at the edge; without that, the wings would take everything beyond them away.

    Parameters
    ----------
    flux : ndarray of float
        The data of the region; trimmed pixels become NaN, in place.
    alpha : ndarray of float
        Coordinates along the slit, of the same shape.
    profile : CrossProfile
        Its profile.
    compat : bool, optional
        As jwst: everything beyond any noisy place is trimmed, seen from ``alpha = 0``.

    Returns
    -------
    bool
        Whether anything was trimmed.
    """
    valid = np.isfinite(profile.snr)
    if not valid.any():
        return False
    usual = sigma_clip(profile.error[valid], masked=False)
    bad = valid & (np.abs(profile.snr) < _SIGNIFICANT)
    bad[valid] &= profile.error[valid] > usual.mean() + _NOISY * usual.std()
    if not bad.any() or bad[valid].all():
        return False
    if compat:
        below = profile.alpha[bad & (profile.alpha < 0)]
        above = profile.alpha[bad & (profile.alpha > 0)]
    else:
        places, noisy = profile.alpha[valid], bad[valid]
        below = places[: int(np.argmin(noisy))]
        above = places[len(places) - int(np.argmin(noisy[::-1])) :]
    if len(below):
        flux[alpha <= below.max()] = np.nan
    if len(above):
        flux[alpha >= above.min()] = np.nan
    return bool(len(below) or len(above))


def column_sums(
    flux: NDArray[np.float64],
    profile: CrossProfile | None,
    first_row: NDArray[np.int32] | None = None,
    *,
    rounds: bool = False,
    height: int = 0,
) -> NDArray[np.float64]:
    """
    Sum the columns of a region: what each column is normalised with.

    Parameters
    ----------
    flux : ndarray of float64, shape (n_column, n_row)
        Its data.
    profile : CrossProfile or None
        Its profile. If that is significantly negative somewhere, as where a nod was subtracted,
        only what is positive is summed.
    first_row : ndarray of int32, shape (n_column,), optional
        First row of each column; needed with a height.
    rounds : bool, optional
        Sum as float32, like NumPy: row by row, unless there is a height.
    height : int, optional
        The number of rows of the image. To be given if columns of the image are contiguous in
        memory: NumPy sums these in pairs of parts.

    Returns
    -------
    ndarray of float64, shape (n_column,)
        The sums; 0 for a column without data.
    """
    sums = np.empty(len(flux))
    has_negative = profile is not None and bool(np.any(profile.snr < -_SIGNIFICANT))
    collapse_sums(
        flux,
        sums,
        first_row,
        rounds=rounds,
        positive_only=has_negative,
        height=height,
    )
    return sums
