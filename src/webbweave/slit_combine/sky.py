"""The spectrum of the sky in the empty parts of a slitlet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from webbweave.slit_combine.splines import SplineDesign, design, fit_design, spline_values

__all__ = ["SkyFit", "estimate_sky", "outside_limits", "sky_at"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: Fewer pixels than this make no sky.
FEWEST_SKY_PIXELS = 64

#: A function of the basis is dropped whose sum over the pixels is less than this part of the
#: largest of these sums, in which noise and known spectrum do not count: the limit of msaexp.
_LEAST_SHARE = 1e-4


@dataclass(frozen=True, eq=False)
class SkyFit:
    """
    The sky of a group.

    Parameters
    ----------
    wave, model : ndarray of float64, shape (n_wave,)
        The standard grid of wavelengths, micron, and the sky there, microjansky per pixel; NaN
        outside the wavelengths of the pixels used.
    coefficients : ndarray of float64, shape (n_kept,)
        Of the functions that were kept.
    covariance : ndarray of float64, shape (n_kept, n_kept)
        Of these.
    kept : ndarray of bool, shape (n_function,)
        The functions of the basis that have enough pixels.
    df : int
        Number of functions that was asked for; 0 and less: one constant.
    sky2d : ndarray of float64, shape (N, P)
        The sky at each pixel; NaN where the wavelength is.
    used : ndarray of bool, shape (N, P)
        The pixels of the fit.
    flagged : ndarray of bool, shape (N, P)
        Pixels far from the sky, or of extreme variance among its pixels.
    """

    wave: Array
    model: Array
    coefficients: Array
    covariance: Array
    kept: Mask
    df: int
    sky2d: Array
    used: Mask
    flagged: Mask

    def as_dict(self, *, use: bool = True) -> dict[str, Any]:
        """
        Give the sky as the attribute `sky_data` of msaexp.

        Parameters
        ----------
        use : bool, optional
            Whether the sky is subtracted.

        Returns
        -------
        dict
            The arrays by the names of msaexp.
        """
        return {
            "sky_wave": self.wave,
            "sky_model": self.model,
            "sky_coeffs": self.coefficients,
            "sky_covar": self.covariance,
            "spl_trim": self.kept,
            "df": self.df,
            "sky2d": self.sky2d,
            "use": use,
            "npix": int(np.count_nonzero(self.used)),
            "mask": self.used,
        }


@dataclass(frozen=True, eq=False)
class _Basis:
    """The functions of the sky: splines in the index of the grid, times a known spectrum."""

    grid: Array
    df: int
    spectrum: tuple[Array, Array] | None
    clip: bool

    def place(self, wave: Array) -> Array:
        return np.interp(wave, self.grid, np.arange(len(self.grid)) / len(self.grid))

    def factor(self, wave: Array) -> Array | None:
        """The known spectrum, None without one."""
        return None if self.spectrum is None else sky_at(wave, self.spectrum)

    def rows(self, place: Array) -> SplineDesign:
        if self.df > 0:
            return design(place, self.df, 0, 1, clip=self.clip)
        # A constant: as a basis of which only the first function is not 0.
        ones = np.tile([1.0, 0, 0, 0], (place.size, 1))
        return SplineDesign(np.zeros(place.size, np.int32), ones, ones.shape[1])

    def evaluate(
        self, wave: Array, coefficients: Array, place: Array, factor: Array | None
    ) -> Array:
        """The sky at wavelengths, their places and factors; `coefficients` of all functions."""
        if self.df > 0:
            sky = spline_values(place, coefficients, 0, 1, clip=self.clip)
        else:
            sky = np.where(np.isnan(wave), np.nan, coefficients[0])
        return sky if factor is None else sky * factor


def sky_at(wave: ArrayLike, sky_arrays: Sequence[ArrayLike]) -> Array:
    """
    Interpolate a known spectrum of the sky.

    Parameters
    ----------
    wave : array_like of float
        Wavelengths, micron; any shape.
    sky_arrays : (array_like, array_like)
        Ascending wavelengths, micron, and the sky there, microjansky per pixel.

    Returns
    -------
    ndarray of float64
        The sky; NaN outside the spectrum.

    Raises
    ------
    ValueError
        If the spectrum is not two arrays of one length, or its wavelengths do not ascend.
    """
    at, flux = (np.asarray(array, np.float64) for array in sky_arrays)
    if at.ndim != 1 or at.shape != flux.shape or len(at) < 2 or not np.all(np.diff(at) > 0):
        raise ValueError(
            "expected sky_arrays of ascending wavelengths and of flux, found shapes "
            f"{at.shape} and {flux.shape}"
        )
    places = np.asarray(wave, np.float64)
    return np.asarray(np.interp(places, at, flux, left=np.nan, right=np.nan))


def outside_limits(y: Array, ranges: Sequence[Sequence[float]]) -> Mask:
    """
    Find what lies in none of some open ranges.

    Parameters
    ----------
    y : ndarray of float64
        Values.
    ranges : sequence of (float, float)
        The ranges.

    Returns
    -------
    ndarray of bool
        True outside all of them.

    Raises
    ------
    ValueError
        If a range is not two ascending numbers.
    """
    outside = np.ones(y.shape, np.bool_)
    for limits in ranges:
        if np.shape(limits) != (2,) or not limits[0] < limits[1]:
            raise ValueError(f"mask_yslit must be pairs of ascending limits, found {limits}")
        outside &= ~((y > limits[0]) & (y < limits[1]))
    return outside


def estimate_sky(
    sci: ArrayLike,
    mask: ArrayLike,
    var_total: ArrayLike,
    var_rnoise: ArrayLike,
    bar: ArrayLike,
    yslit: ArrayLike,
    wave: ArrayLike,
    grid: ArrayLike,
    *,
    mask_yslit: Sequence[Sequence[float]] = ((-4.5, 4.5),),
    min_bar: float = 0.95,
    var_percentiles: Sequence[float] | None = (-5, -5),
    df: int = 51,
    high_clip: float = 0.8,
    outlier_threshold: float | None = 7,
    absolute_threshold: float | None = 0.2,
    sky_arrays: Sequence[ArrayLike] | None = None,
    compat: bool = False,
) -> SkyFit | None:
    """
    Fit a spline to the pixels beside the source.

    Weights are the inverse of the variance of the read noise, so that the spline is not drawn to
    pixels that are faint by chance.

    Parameters
    ----------
    sci, var_total, var_rnoise, bar, yslit, wave : array_like of float, shape (N, P)
        Flux in microjansky, its whole variance and that of the read noise, transmission of the
        bars, distance from the trace in pixels, wavelength in micron.
    mask : array_like of bool, shape (N, P)
        True for valid pixels.
    grid : array_like of float, shape (n_wave,)
        The standard grid of wavelengths of the grating, micron, ascending.
    mask_yslit : sequence of (float, float), optional
        Ranges of `yslit` with sources.
    min_bar : float, optional
        The fit uses pixels with more than this transmission.
    var_percentiles : (float, float), optional
        Percentiles of `var_total` between which pixels are used; a negative number -k is the value
        with k below or k - 1 above it, and turns `absolute_threshold` on. None uses all.
    df : int, optional
        Number of functions; 0: a constant; below: the constant 1.
    high_clip : float, optional
        Brighter pixels are not sky.
    outlier_threshold : float, optional
        Pixels so many standard deviations away from the sky are flagged, and those that negative
        `var_percentiles` leave out; None flags none.
    absolute_threshold : float, optional
        Pixels so far away are left out of a second fit.
    sky_arrays : (array_like, array_like), optional
        A known spectrum (wavelength, flux) that the functions are multiplied with.
    compat : bool, optional
        As msaexp: small values of the functions are clipped where it does so, and the covariance is
        that of read noise alone.

    Returns
    -------
    SkyFit or None
        The sky. None if there are less than 64 pixels of it.

    Raises
    ------
    ValueError
        If planes do not fit together, or ranges do not ascend.
    """
    good = np.asarray(mask, np.bool_)
    planes = [np.asarray(plane) for plane in (sci, var_total, var_rnoise, bar, yslit, wave)]
    if any(plane.shape != good.shape for plane in planes):
        shapes = [plane.shape for plane in planes]
        raise ValueError(f"expected planes of the shape of the mask {good.shape}, found {shapes}")
    spectrum = None
    if sky_arrays is not None:
        first, second = sky_arrays
        spectrum = np.asarray(first, np.float64), np.asarray(second, np.float64)
    sci_flat, *others = (plane.reshape(-1) for plane in planes)
    lam = others[-1].astype(np.float64, copy=False)
    clips = compat and not np.isnan(lam).any()
    basis = _Basis(np.asarray(grid, np.float64), int(df), spectrum, clips)
    # What follows is about these pixels only; `index` are those of them that are fitted.
    beside = outside_limits(planes[4], mask_yslit).reshape(-1)
    full = np.flatnonzero(good.reshape(-1) & (sci_flat < high_clip) & beside)
    flux, variance, noise, bars = (
        plane[full].astype(np.float64) for plane in (sci_flat, *others[:3])
    )
    in_range, absolute = _usual_variance(variance, var_percentiles)
    sky_like = (bars > min_bar) & (noise > 0)
    if np.count_nonzero(sky_like) < FEWEST_SKY_PIXELS:
        return None
    place, factor = basis.place(lam), basis.factor(lam)
    sky_like &= in_range
    if factor is not None:
        sky_like &= np.isfinite(factor[full])
    index = np.flatnonzero(sky_like)
    if len(index) < FEWEST_SKY_PIXELS:
        return None
    threshold = absolute_threshold if absolute else None
    coefficients, covariance, kept, index = _fit(
        basis, flux, noise, variance, factor, place, full, index, threshold, compat=compat
    )
    sky2d = basis.evaluate(lam, coefficients, place, factor)
    used, flagged = np.zeros(lam.shape, np.bool_), np.zeros(lam.shape, np.bool_)
    used[full[index]] = True
    if outlier_threshold is not None:
        far = np.abs(flux - sky2d[full]) > outlier_threshold * np.sqrt(variance)
        # A share of the pixels has the variances beyond a percentile, and nothing is wrong with it.
        flagged[full[far | ~in_range if absolute else far]] = True
    on_grid = _Basis(basis.grid, basis.df, spectrum, compat).evaluate(
        basis.grid, coefficients, basis.place(basis.grid), basis.factor(basis.grid)
    )
    fitted = lam[full[index]]
    on_grid[(basis.grid < fitted.min()) | (basis.grid > fitted.max())] = np.nan
    return SkyFit(
        basis.grid,
        on_grid,
        coefficients[kept],
        covariance[np.ix_(kept, kept)],
        kept,
        basis.df,
        sky2d.reshape(good.shape),
        used.reshape(good.shape),
        flagged.reshape(good.shape),
    )


def _usual_variance(variance: Array, levels: Sequence[float] | None) -> tuple[Mask, bool]:
    """Find the pixels whose variance is not extreme, and whether a level is a number of pixels."""
    if levels is None or len(variance) == 0:
        return np.ones(len(variance), np.bool_), False
    if len(levels) != 2:
        raise ValueError(f"expected two var_percentiles, found {list(levels)}")
    last = len(variance) - 1
    limits = []
    for level, from_above in zip(levels, (False, True), strict=True):
        if level < 0:
            k = min(int(-level), last)
            k = last + 1 - k if from_above else k
            limits.append(np.partition(variance, k)[k])
        else:
            limits.append(np.percentile(variance, level))
    return (variance > limits[0]) & (variance < limits[1]), min(levels) < 0


def _fit(
    basis: _Basis,
    flux: Array,
    noise: Array,
    variance: Array,
    factor: Array | None,
    place: Array,
    full: NDArray[np.intp],
    index: NDArray[np.intp],
    threshold: float | None,
    *,
    compat: bool,
) -> tuple[Array, Array, Mask, NDArray[np.intp]]:
    """Fit the functions; give coefficients, covariance, the functions kept and the pixels used."""
    pixels = full[index]
    if basis.df < 0:
        if threshold is not None:
            known = 1.0 if factor is None else factor[pixels]
            near = np.abs(flux[index] - known) <= threshold
            index = index[near] if near.any() else index
        return np.ones(1), np.zeros((1, 1)), np.ones(1, np.bool_), index
    # Clipping depends on all places.
    rows = basis.rows(place).select(pixels) if basis.clip else basis.rows(place[pixels])
    y, weight = flux[index], 1 / noise[index]
    _, share = rows.normal_equations(np.ones(len(y)), np.ones(len(y)))
    kept = share > _LEAST_SHARE * share.max()
    rows = rows if factor is None else rows.scaled(factor[pixels])
    fit, used = fit_design(rows, y, weight, keep=kept), index
    if threshold is not None:
        near = np.abs(y - rows.evaluate(fit.coefficients)) <= threshold
        if not near.all():
            weight = np.where(near, weight, 0)  # faster than to take them out
            fit = fit_design(rows, y, weight, keep=kept)
            used = index[near]
    covariance = fit.covariance
    if not compat:
        # The weights are not those of the whole noise: how this changes the coefficients.
        noise_matrix, _ = rows.normal_equations(y, weight**2 * variance[index])
        covariance = covariance @ noise_matrix @ covariance
    n = max(basis.df, 1)
    return fit.coefficients[:n], covariance[:n, :n], fit.kept[:n], used
