"""Tests that find bad pixels in the planes of a group of exposures of one slitlet.

Planes have the shape (N, P): N exposures of P = ny * nx pixels. Each function tells what it found
and changes nothing; pixels that are masked already are NaN in ``data`` and never found again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import binary_dilation, label
from scipy.special import ndtri

from webbweave.slit_combine.planes import (
    PLUS,
    SQUARE,
    Mask,
    as_planes,
    ascending_limits,
    check_shape,
    footprint_of,
    median_of_finite,
)
from webbweave.slit_combine.running import running_maximum, running_median, running_percentiles

__all__ = [
    "PLUS",
    "SQUARE",
    "HotColdPixels",
    "StuckShutters",
    "bad_shutter_pixels",
    "hot_cold_pixels",
    "multiple_mask",
    "outliers_2d",
    "percentile_outliers",
    "profile_outliers",
    "restore_profile_flags",
    "stuck_shutters",
    "trace_outliers",
]

#: A shutter with fewer pixels than this part of those of the fullest one is not judged: it is cut
#: by the edge of the cut-out.
_FULL_SHUTTER = 0.5

#: A bad shutter takes its half of the bars on both sides along, so a little more than half a pitch.
_SHUTTER_REACH = 0.6

#: Fewer pixels in the trace than this make no distribution.
FEWEST_TRACE_PIXELS = 100

#: Pixels brighter than the trace are outliers only if they are not noise.
_TRACE_SIGMA = 3.0

#: One pixel in 30000 is brighter than this by noise; with its neighbours that makes 1 in 3500.
_PERCENTILE_SIGMA = 4.0

#: Pixels below the profile are outliers only if they are not noise.
_PROFILE_SIGMA = 5.0

#: The percentiles of the profile: those of a normal distribution are -1.64, 0 and 1.64 sigma.
_PROFILE_LEVELS = (95, 50, 5)


@dataclass(frozen=True)
class StuckShutters:
    """
    The light in each shutter of a slitlet.

    Parameters
    ----------
    shutters : tuple of int
        The shutters with valid pixels, in ascending order; 0 is that of the source.
    median_sn : tuple of float
        The median signal to noise ratio of their pixels.
    n_pixel : tuple of int
        Their numbers of pixels, in all exposures.
    bad : tuple of int
        Those that are closed.
    """

    shutters: tuple[int, ...]
    median_sn: tuple[float, ...]
    n_pixel: tuple[int, ...]
    bad: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class HotColdPixels:
    """
    Pixels that are hot or cold in several exposures.

    Parameters
    ----------
    flag : ndarray of int64, shape (P,)
        1 for cold pixels, 2 for hot ones, 3 for what is near both.
    n_cold, n_hot : int
        Their numbers.
    """

    flag: NDArray[np.int64]
    n_cold: int
    n_hot: int


def stuck_shutters(
    sci: ArrayLike,
    var_total: ArrayLike,
    mask: ArrayLike,
    bar: ArrayLike,
    shutter: ArrayLike,
    *,
    threshold: float = 0.3,
    min_bar: float = 0.7,
) -> StuckShutters:
    """
    Find the shutters that are closed, by the sky that is missing in them.

    A single shutter is closed if the median signal to noise ratio of its pixels is below the
    threshold. With several, it is if the median is below the threshold times that of the brightest
    shutter, and at least half of it is in the cut-out.

    Parameters
    ----------
    sci, var_total : array_like of float, shape (N, P)
        Flux and its variance.
    mask : array_like of bool, shape (N, P)
        True for valid pixels.
    bar : array_like of float, shape (N, P)
        Transmission of the bars; pixels with less than `min_bar` say nothing on the shutter.
    shutter : array_like of float, shape (N, P)
        Coordinate along the slitlet, in shutters, integer in their middles; NaN is left out.
    threshold, min_bar : float, optional
        The limits.

    Returns
    -------
    StuckShutters
        What was found.
    """
    flux, variance, good, bars, place = as_planes(sci, var_total, mask, bar, shutter)
    used = good.astype(np.bool_) & (bars > min_bar) & np.isfinite(place)
    number = np.round(place[used]).astype(np.int64)
    sn = flux[used] / np.sqrt(variance[used])
    shutters, n_pixel = np.unique(number, return_counts=True)
    medians = np.array([np.median(sn[number == k]) for k in shutters])
    if len(shutters) == 1:
        bad = medians < threshold
    elif len(shutters):
        bad = (medians < threshold * medians.max()) & (n_pixel > _FULL_SHUTTER * n_pixel.max())
    else:
        bad = np.zeros(0, np.bool_)
    return StuckShutters(
        tuple(shutters.tolist()),
        tuple(medians.tolist()),
        tuple(n_pixel.tolist()),
        tuple(shutters[bad].tolist()),
    )


def bad_shutter_pixels(shutter: ArrayLike, bad: Sequence[int]) -> Mask:
    """
    Find the pixels of bad shutters, with the bars beside them.

    Parameters
    ----------
    shutter : array_like of float, shape (N, P)
        Coordinate along the slitlet, in shutters, integer in their middles.
    bad : sequence of int
        The bad shutters.

    Returns
    -------
    ndarray of bool, shape (N, P)
        True for the pixels within 0.6 of a bad shutter.
    """
    place = np.asarray(shutter, np.float64)
    found = np.zeros(place.shape, np.bool_)
    for number in bad:
        found |= np.abs(place - number) < _SHUTTER_REACH
    return found


def trace_outliers(
    data: ArrayLike,
    var_total: ArrayLike,
    yslit: ArrayLike,
    wave: ArrayLike,
    *,
    limits: Sequence[float] = (-2, 2),
    filter_size: int = -2,
    threshold: float = 1.5,
    stable: bool = True,
) -> Mask | None:
    """
    Find pixels beside the trace that are brighter than the trace.

    Parameters
    ----------
    data, var_total : array_like of float, shape (N, P)
        Flux, NaN where masked, and its variance.
    yslit : array_like of float, shape (N, P)
        Distance from the trace, pixels.
    wave : array_like of float, shape (N, P)
        Wavelength, micron.
    limits : sequence of float, optional
        The trace is what lies between.
    filter_size : int, optional
        The trace is as bright as the brightest of so many pixels in order of wavelength; a negative
        number counts per exposure.
    threshold : float, optional
        Outliers are brighter than this times the trace, and than 3 standard deviations.
    stable : bool, optional
        Pixels of the same wavelength stay in order; msaexp leaves that to the way of sorting.

    Returns
    -------
    ndarray of bool, shape (N, P), or None
        The outliers. None if there are less than 100 pixels in the trace.

    Raises
    ------
    ValueError
        If planes do not fit together, limits do not ascend, or the filter has no width.
    """
    flux, variance, y, lam = as_planes(data, var_total, yslit, wave)
    low, high = ascending_limits(limits)
    width = _filter_width(filter_size, len(flux))
    in_trace = (y > low) & (y < high)
    used = in_trace & np.isfinite(flux) & np.isfinite(lam)
    if np.count_nonzero(used) < FEWEST_TRACE_PIXELS:
        return None
    order = np.argsort(lam[used], kind="stable" if stable else "quicksort")
    brightest = running_maximum(flux[used][order], width)
    # Only what is not noise can be an outlier, and that is little: the rest needs no model.
    found = (flux > _TRACE_SIGMA * np.sqrt(variance)) & ~in_trace
    trace = np.interp(lam[found], lam[used][order], brightest)
    found[found] = flux[found] > threshold * trace
    return found


def percentile_outliers(
    data: ArrayLike,
    yslit: ArrayLike,
    shape: tuple[int, int],
    *,
    levels: Sequence[float] = (0.95, -4, -0.1),
    scale: float = 2,
    limits: Sequence[float] = (-2.0, 2.0),
    dilate: ArrayLike | None = SQUARE,
    var_total: ArrayLike | None = None,
    odd_only: bool = False,
) -> tuple[Mask, float]:
    """
    Find pixels brighter than the distribution in the trace lets expect.

    The flux at two levels of the distribution is extrapolated to a third one as if it was normal.

    Parameters
    ----------
    data : array_like of float, shape (N, P)
        Flux, NaN where masked.
    yslit : array_like of float, shape (N, P)
        Distance from the trace, pixels.
    shape : (int, int)
        Rows and columns: P is their product.
    levels : sequence of 3 float, optional
        Levels within 0 and 1; a negative one is 1 less so many of the pixels that the trace has in
        one exposure.
    scale : float, optional
        The limit lies this times as far from the first level as the third one.
    limits : sequence of float, optional
        The trace is what lies between, pixels.
    dilate : array_like of bool, optional
        Footprint by which outliers grow, in each exposure; None or False for no growth, True for
        a pixel and its neighbours.
    var_total : array_like of float, shape (N, P), optional
        Variance of the flux: with it outliers are also brighter than 4 standard deviations, so that
        pixels with more noise than those in the trace are none. msaexp does not look at it.
    odd_only : bool, optional
        Outliers grow only if their number is odd, as in msaexp.

    Returns
    -------
    outlier : ndarray of bool, shape (N, P)
        The outliers and what is around them.
    level : float
        The flux above which they are; NaN if there are less than 100 pixels in the trace, or the
        second level is below the first one.

    Raises
    ------
    ValueError
        If planes do not fit together, limits do not ascend, or there are not three levels below 1.
    """
    flux, y = as_planes(data, yslit)
    low, high = ascending_limits(limits)
    if len(levels) != 3 or not all(level < 1 for level in levels):
        raise ValueError(f"expected three levels below 1, found {list(levels)}")
    trace = flux[(y > low) & (y < high) & np.isfinite(flux)]
    nothing = np.zeros(flux.shape, np.bool_), float("nan")
    if len(trace) < FEWEST_TRACE_PIXELS:
        return nothing
    first, second, third = (
        level if level >= 0 else 1 + level * len(flux) / len(trace) for level in levels
    )
    if not (0 < first < second and third > 0):
        return nothing
    start, stop = np.percentile(trace, [100 * first, 100 * second])
    z = ndtri([first, second, third])
    limit = float(start + scale * (stop - start) / (z[1] - z[0]) * (z[2] - z[0]))
    outlier = flux > limit
    if var_total is not None:
        flux, variance = as_planes(flux, var_total)
        outlier &= flux > _PERCENTILE_SIGMA * np.sqrt(variance)
    footprint = footprint_of(dilate)
    number = np.count_nonzero(outlier)
    if footprint is not None and (number % 2 if odd_only else number):
        check_shape(flux, shape)
        images = outlier.reshape(len(flux), *shape)
        outlier = binary_dilation(images, footprint[None]).reshape(flux.shape)
    return outlier, limit


def profile_outliers(
    data: ArrayLike,
    var_total: ArrayLike,
    yslit: ArrayLike,
    *,
    grow: float = 2,
    filter_size: int = -32,
    require_multiple: bool = True,
) -> Mask:
    """
    Find pixels far from the profile across the dispersion.

    In order of the distance from the trace, running percentiles p95, p50 and p5 of all pixels make
    the limits: p95 + `grow` (p95 - p50), and 5 standard deviations below the smaller of p5 and 0.

    Parameters
    ----------
    data, var_total : array_like of float, shape (N, P)
        Flux, NaN where masked, and its variance.
    yslit : array_like of float, shape (N, P)
        Distance from the trace, pixels.
    grow : float, optional
        See above.
    filter_size : int, optional
        Pixels that the percentiles run over; a negative number is a part of all of them.
    require_multiple : bool, optional
        With more than two exposures, pixels are outliers, in all of them, only if they are in two
        thirds of them.

    Returns
    -------
    ndarray of bool, shape (N, P)
        The outliers.

    Raises
    ------
    ValueError
        If planes do not fit together, or the filter has no width.
    """
    flux, variance, y = as_planes(data, var_total, yslit)
    if filter_size == 0:
        raise ValueError("nfilt must not be 0")
    used = np.isfinite(flux) & np.isfinite(y)
    n_used = int(np.count_nonzero(used))
    width = filter_size if filter_size > 0 else n_used // -filter_size
    if width == 0:  # fewer pixels than parts
        return np.zeros(flux.shape, np.bool_)
    order = np.argsort(y[used], kind="stable")
    at = y[used][order]
    p95, p50, p5 = running_percentiles(flux[used][order], width, _PROFILE_LEVELS)
    high = np.interp(y[used], at, p95 + grow * (p95 - p50))
    low = np.interp(y[used], at, np.minimum(p5, 0)) - _PROFILE_SIGMA * np.sqrt(variance[used])
    found = np.zeros(flux.shape, np.bool_)
    found[used] = (flux[used] > high) | (flux[used] < low)
    if require_multiple and len(flux) > 2:
        found[:] = found.sum(axis=0) >= _two_thirds(len(flux))
    return found


def restore_profile_flags(mask: ArrayLike, previous: ArrayLike, *, compat: bool = False) -> Mask:
    """
    Give the mask from which the test of the profile starts when it is made again.

    Parameters
    ----------
    mask, previous : array_like of bool, shape (N, P)
        The valid pixels, and those that the same test found before.
    compat : bool, optional
        As msaexp: what was found before becomes valid again, even where other tests masked it too.

    Returns
    -------
    ndarray of bool, shape (N, P)
        The mask: by default that which was given.
    """
    good = np.array(mask, np.bool_)
    return good | np.asarray(previous, np.bool_) if compat else good


def hot_cold_pixels(
    data: ArrayLike,
    shape: tuple[int, int],
    *,
    cold: float = -0.1,
    hot: float = 1.5,
    absolute: bool = True,
    min_exposures: int = -1,
    n_position: int = 1,
    dilate: ArrayLike | None = None,
    compat: bool = False,
) -> HotColdPixels:
    """
    Find pixels that are bright or faint in several exposures, where the source has moved on.

    Parameters
    ----------
    data : array_like of float, shape (N, P)
        Flux, NaN where masked.
    shape : (int, int)
        Rows and columns: P is their product.
    cold, hot : float, optional
        Below and above are cold and hot pixels.
    absolute : bool, optional
        These are fluxes; else percentiles of all fluxes.
    min_exposures : int, optional
        In how many exposures, but no less than two; a number below 1 is added to that of all.
    n_position : int, optional
        Number of nod positions; it matters with `compat` only.
    dilate : array_like of bool, optional
        Footprint by which what was found grows, as in `percentile_outliers`.
    compat : bool, optional
        As msaexp: a `min_exposures` below 1 stands for so many times the exposures that a position
        has, 1 for -1; so a bright source is hot if it was exposed twice in one place.

    Returns
    -------
    HotColdPixels
        What was found.

    Raises
    ------
    ValueError
        If the shapes do not fit together, or `n_position` is not positive.
    """
    (flux,) = as_planes(data)
    if n_position < 1:
        raise ValueError(f"the number of nod positions must be positive, found {n_position}")
    n_pixel = check_shape(flux, shape)
    least = min_exposures
    if least < 1:
        each = -min_exposures * len(flux) // n_position
        least = each if compat else len(flux) + min_exposures
    low, high = cold, hot
    if not absolute:
        finite = flux[np.isfinite(flux)]
        low, high = np.percentile(finite, [cold, hot]) if len(finite) else (-np.inf, np.inf)
    found = [
        np.count_nonzero(flux < low, axis=0) >= max(least, 2),
        np.count_nonzero(flux > high, axis=0) >= max(least, 2),
    ]
    footprint = footprint_of(dilate)
    if footprint is not None:
        found = [binary_dilation(one.reshape(shape), footprint).reshape(n_pixel) for one in found]
    flag = np.where(found[0], 1, 0) + np.where(found[1], 2, 0)
    return HotColdPixels(flag, *(int(np.count_nonzero(one)) for one in found))


def outliers_2d(
    sci: ArrayLike,
    variance: ArrayLike,
    wave: ArrayLike,
    shape: tuple[int, int],
    *,
    mask: ArrayLike | None = None,
    filter_size: int = 5,
    threshold: Sequence[float] = (-5, 5),
    trim_multiples: bool = False,
    dilate: ArrayLike | None = PLUS,
) -> Mask:
    """
    Find pixels that stand out of their neighbours in wavelength, in most exposures.

    The median over the exposures, in units of its noise (of one exposure), is compared with its
    running median in order of wavelength.

    Parameters
    ----------
    sci, variance : array_like of float, shape (N, P)
        Flux and its variance; or what a fit left over, and the variance of this, per nod.
    wave : array_like of float, shape (P,)
        Wavelength, micron.
    shape : (int, int)
        Rows and columns: P is their product.
    mask : array_like of bool, shape (N, P), optional
        Use valid samples only; else all that are finite.
    filter_size : int, optional
        Pixels that the median runs over.
    threshold : sequence of 2 float, optional
        Outliers are below the first or above the second.
    trim_multiples : bool, optional
        Outliers that touch each other are none: a line or the trace, but no bad pixel.
    dilate : array_like of bool, optional
        Footprint by which outliers grow, as in `percentile_outliers`.

    Returns
    -------
    ndarray of bool, shape (P,)
        The outliers and what is around them.

    Raises
    ------
    ValueError
        If planes do not fit together, thresholds do not ascend, or the filter has no width.
    """
    flux, noise = as_planes(sci, variance)
    n_pixel = check_shape(flux, shape)
    lam = np.asarray(wave, np.float64)
    if lam.shape != (n_pixel,):
        raise ValueError(f"expected {n_pixel} wavelengths, found shape {lam.shape}")
    low, high = ascending_limits(threshold)
    if mask is not None:
        (good,) = as_planes(mask)
        flux, noise = np.where(good, flux, np.nan), np.where(good, noise, np.nan)
    middle, spread = median_of_finite(flux), np.sqrt(median_of_finite(noise))
    used = np.nonzero(np.isfinite(middle) & np.isfinite(spread) & np.isfinite(lam))[0]
    used = used[np.argsort(lam[used], kind="stable")]
    residual = (middle[used] - running_median(middle[used], filter_size)) / spread[used]
    found = np.zeros(n_pixel, np.bool_)
    found[used] = (residual < low) | (residual > high)
    image = found.reshape(shape)
    if trim_multiples:
        groups, _ = label(image)
        image = image & (np.bincount(groups.ravel())[groups] == 1)
    footprint = footprint_of(dilate)
    if footprint is not None:
        image = binary_dilation(image, footprint)
    return np.asarray(image.reshape(n_pixel))


def multiple_mask(mask: ArrayLike) -> Mask:
    """
    Find the pixels that are masked in most exposures, but not in all.

    Parameters
    ----------
    mask : array_like of bool, shape (N, P)
        True for valid pixels.

    Returns
    -------
    ndarray of bool, shape (P,)
        True for pixels that are masked in two thirds of three or more exposures, and not in all.
    """
    good = np.asarray(mask, np.bool_)
    n_bad = len(good) - np.count_nonzero(good, axis=0)
    if len(good) < 3:
        return np.zeros(good.shape[1:], np.bool_)
    return np.asarray((n_bad >= _two_thirds(len(good))) & (n_bad < len(good)))


def _two_thirds(n_exposure: int) -> int:
    return 2 * (n_exposure // 3)


def _filter_width(filter_size: int, n_exposure: int) -> int:
    if filter_size == 0:
        raise ValueError("filter_size must not be 0")
    return filter_size if filter_size > 0 else -filter_size * n_exposure
