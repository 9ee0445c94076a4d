"""Background spectra that were made from other slitlets, and how they scale to a group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.polynomial.chebyshev import chebvander
from numpy.typing import ArrayLike, NDArray

from webbweave.slit_combine.sky import outside_limits
from webbweave.slit_combine.splines import SplineDesign, design, fit_design

__all__ = ["BackgroundScale", "background_sky", "fit_background_scale"]

Array = NDArray[np.float64]

#: The systematic error of a background spectrum, as a part of it (msaexp).
_SYSTEMATIC = 0.03

#: Fewer pixels than this make no scale.
FEWEST_SCALE_PIXELS = 10

#: The percentiles of the wavelengths at which the steps of a scale are equal, unless given.
_N_STEP = 17


@dataclass(frozen=True, eq=False)
class BackgroundScale:
    """
    A function of wavelength that a background is multiplied with.

    Parameters
    ----------
    scale : ndarray of float64, shape (N, P)
        The function; NaN where the wavelength is.
    coefficients : ndarray of float64
        Of its functions.
    n_pixel : int
        Number of pixels that it was fitted to.
    """

    scale: Array
    coefficients: Array
    n_pixel: int


def background_sky(
    wave: ArrayLike,
    phot_corr: ArrayLike,
    pathloss_corr: ArrayLike,
    spectra: Sequence[tuple[ArrayLike, ArrayLike, ArrayLike, float]],
    pixel_area: Sequence[float],
) -> tuple[Array, Array]:
    """
    Interpolate background spectra to the pixels of a group.

    Parameters
    ----------
    wave, phot_corr, pathloss_corr : array_like of float, shape (N, P)
        Wavelength in micron, and the corrections that the flux has been multiplied with.
    spectra : sequence of (wave, flux, error, reference_area)
        One per exposure: ascending wavelengths, microjansky per pixel, and the area of a pixel that
        they are for, steradian.
    pixel_area : sequence of float
        That of the exposures, steradian.

    Returns
    -------
    sky2d, var_sky : ndarray of float64, shape (N, P)
        The background, 0 outside its wavelengths, and its variance.

    Raises
    ------
    ValueError
        If the numbers of spectra, areas and exposures differ.
    """
    lam, phot, loss = (np.asarray(a, np.float64) for a in (wave, phot_corr, pathloss_corr))
    if not len(lam) == len(spectra) == len(pixel_area):
        raise ValueError(
            f"found {len(spectra)} background spectra and {len(pixel_area)} pixel areas for "
            f"{len(lam)} exposures"
        )
    sky2d, var_sky = np.zeros(lam.shape), np.zeros(lam.shape)
    for i, (*columns, reference_area) in enumerate(spectra):
        at, flux, error = (np.asarray(column, np.float64) for column in columns)
        factor = phot[i] / loss[i] / (pixel_area[i] / reference_area)
        sky2d[i] = np.interp(lam[i], at, flux, left=0, right=0) * factor
        noise = np.interp(lam[i], at, error, left=0, right=0) * factor
        var_sky[i] = noise**2 + (_SYSTEMATIC * sky2d[i]) ** 2
    return sky2d, var_sky


def fit_background_scale(
    sci: ArrayLike,
    sky2d: ArrayLike,
    var_total: ArrayLike,
    mask: ArrayLike,
    yslit: ArrayLike,
    wave: ArrayLike,
    *,
    df: int,
    by_wavelength: bool = False,
    wsteps: ArrayLike | None = None,
    poly: bool = False,
    mask_yslit: Sequence[Sequence[float]] = ((-4, 4),),
    resid_limits: Sequence[float] = (-3, 5),
) -> BackgroundScale | None:
    """
    Fit the function of wavelength that makes a background that of a group.

    Parameters
    ----------
    sci, sky2d, var_total, yslit, wave : array_like of float, shape (N, P)
        Flux, background, the whole variance, distance from the trace in pixels, wavelength in
        micron.
    mask : array_like of bool, shape (N, P)
        True for valid pixels.
    df : int
        Number of spline functions, at least 4, or 0 for a constant; with `poly` the degree.
    by_wavelength : bool, optional
        The functions are of the wavelength; else of the place between `wsteps`.
    wsteps : array_like of float, optional
        Ascending wavelengths, micron, that the functions take as equally spaced; 17 percentiles of
        all wavelengths unless given.
    poly : bool, optional
        Chebyshev polynomials instead of splines.
    mask_yslit : sequence of (float, float), optional
        Ranges of `yslit` with sources.
    resid_limits : (float, float), optional
        Pixels are used if flux less background, in standard deviations, is between these.

    Returns
    -------
    BackgroundScale or None
        The function. None if there are less than 10 pixels.

    Raises
    ------
    ValueError
        If planes do not fit together, `df` is negative or, of splines, 1 to 3, or ranges do not
        ascend.
    """
    good = np.asarray(mask, np.bool_)
    planes = [np.asarray(a, np.float64) for a in (sci, sky2d, var_total, yslit, wave)]
    if any(plane.shape != good.shape for plane in planes):
        shapes = [plane.shape for plane in planes]
        raise ValueError(f"expected planes of the shape of the mask {good.shape}, found {shapes}")
    flux, sky, variance, y, lam = planes
    if df < 0:
        raise ValueError(f"expected no negative number of functions, found {df}")
    if len(resid_limits) != 2 or not resid_limits[0] < resid_limits[1]:
        raise ValueError(f"expected ascending resid_limits, found {list(resid_limits)}")
    usable = good & np.isfinite(lam) & (variance > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        residual = (flux - sky) / np.sqrt(variance)
    used = usable & outside_limits(y, mask_yslit)
    used &= (residual > resid_limits[0]) & (residual < resid_limits[1])
    n_pixel = int(np.count_nonzero(used))
    if n_pixel < FEWEST_SCALE_PIXELS:
        return None
    place, ends = _places(lam, lam[usable], by_wavelength=by_wavelength, wsteps=wsteps)
    weight = 1 / variance[used]
    if poly:
        t = 2 * (place - ends[0]) / (ends[1] - ends[0]) - 1
        root = np.sqrt(weight)
        matrix = chebvander(t[used], df) * (sky[used] * root)[:, None]
        coefficients = np.linalg.lstsq(matrix, flux[used] * root)[0]
        scale = np.polynomial.chebyshev.chebval(np.clip(t, -1, 1), coefficients)
    else:
        rows = _rows(place.reshape(-1), df, ends)
        fit = fit_design(rows.select(used.reshape(-1)).scaled(sky[used]), flux[used], weight)
        coefficients = fit.coefficients[: max(df, 1)]
        scale = rows.evaluate(fit.coefficients).reshape(lam.shape)
    scale = np.asarray(np.where(np.isnan(lam), np.nan, scale), np.float64)
    return BackgroundScale(scale, np.asarray(coefficients, np.float64), n_pixel)


def _places(
    wave: Array, valid: Array, *, by_wavelength: bool, wsteps: ArrayLike | None
) -> tuple[Array, tuple[float, float]]:
    """Where pixels are in the basis, within its ends: outside the scale stays as at the end."""
    if by_wavelength:
        low, high = float(valid.min()), float(valid.max())
        if not low < high:
            raise ValueError(f"all pixels have the wavelength {low} micron")
        return np.clip(wave, low, high), (low, high)
    if wsteps is None:
        steps = np.percentile(wave[np.isfinite(wave)], np.linspace(0, 100, _N_STEP))
    else:
        steps = np.asarray(wsteps, np.float64)
    if steps.ndim != 1 or len(steps) < 2 or not np.all(np.diff(steps) > 0):
        raise ValueError(f"wsteps must be two or more ascending wavelengths, found {steps}")
    return np.interp(wave, steps, np.linspace(0, 1, len(steps))), (0.0, 1.0)


def _rows(place: Array, df: int, ends: tuple[float, float]) -> SplineDesign:
    if df > 0:
        return design(place, df, *ends)
    # A constant: as a basis of which only the first function is not 0.
    return SplineDesign(np.zeros(len(place), np.int32), np.tile([1.0, 0, 0, 0], (len(place), 1)), 4)
