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

#: A function of the basis is dropped where it has less than this part of the weight of another.
_LEAST_WEIGHT = 1e-4


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
        return None if self.spectrum is None else sky_at(wave, self.spectrum)

    def rows(self, wave: Array) -> SplineDesign:
        return design(self.place(wave), self.df, 0, 1, clip=self.clip)

    def evaluate(self, wave: Array, coefficients: Array) -> Array:
        """The sky at any places; `coefficients` of all functions."""
        if self.df > 0:
            sky = spline_values(self.place(wave), coefficients, 0, 1, clip=self.clip)
        else:
            sky = np.where(np.isnan(wave), np.nan, coefficients[0])
        factor = self.factor(wave)
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
        Pixels so many standard deviations away from the sky are flagged; None flags none.
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
    planes = [
        np.asarray(plane, np.float64) for plane in (sci, var_total, var_rnoise, bar, yslit, wave)
    ]
    if any(plane.shape != good.shape for plane in planes):
        shapes = [plane.shape for plane in planes]
        raise ValueError(f"expected planes of the shape of the mask {good.shape}, found {shapes}")
    flux, variance, noise, bars, y, lam = planes
    spectrum = None
    if sky_arrays is not None:
        first, second = sky_arrays
        spectrum = np.asarray(first, np.float64), np.asarray(second, np.float64)
    clips = compat and not np.isnan(lam).any()
    basis = _Basis(np.asarray(grid, np.float64), int(df), spectrum, clips)
    full = np.flatnonzero(good & outside_limits(y, mask_yslit) & (flux < high_clip))
    in_range, absolute = _usual_variance(variance.flat[full], var_percentiles)
    sky_like = (bars.flat[full] > min_bar) & (noise.flat[full] > 0)
    if np.count_nonzero(sky_like) < FEWEST_SKY_PIXELS:
        return None
    index = full[sky_like & in_range]
    if spectrum is not None:
        index = index[np.isfinite(sky_at(lam.flat[index], spectrum))]
    if len(index) < FEWEST_SKY_PIXELS:
        return None
    threshold = absolute_threshold if absolute else None
    coefficients, covariance, kept, index = _fit(
        basis, flux, noise, variance, lam, index, threshold, compat=compat
    )
    sky2d = basis.evaluate(lam, coefficients)
    used, flagged = np.zeros(good.shape, np.bool_), np.zeros(good.shape, np.bool_)
    used.flat[index] = True
    if outlier_threshold is not None:
        distance = np.abs(flux.flat[full] - sky2d.flat[full])
        far = distance > outlier_threshold * np.sqrt(variance.flat[full])
        flagged.flat[full[far | ~in_range]] = True
    on_grid = _Basis(basis.grid, basis.df, spectrum, compat).evaluate(basis.grid, coefficients)
    fitted = lam.flat[index]
    on_grid[(basis.grid < fitted.min()) | (basis.grid > fitted.max())] = np.nan
    return SkyFit(
        basis.grid,
        on_grid,
        coefficients[kept],
        covariance[np.ix_(kept, kept)],
        kept,
        basis.df,
        sky2d,
        used,
        flagged,
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
    lam: Array,
    index: NDArray[np.intp],
    threshold: float | None,
    *,
    compat: bool,
) -> tuple[Array, Array, Mask, NDArray[np.intp]]:
    """Fit the functions; give coefficients, covariance, the functions kept and the pixels used."""
    if basis.df < 0:
        return np.ones(1), np.zeros((1, 1)), np.ones(1, np.bool_), index
    y, weight, v = flux.flat[index], 1 / noise.flat[index], variance.flat[index]
    at = lam.flat[index]
    factor = basis.factor(at)
    if basis.df == 0:
        # As a basis of which only the first function is not 0.
        ones = np.tile([1.0, 0, 0, 0], (len(index), 1))
        rows = SplineDesign(np.zeros(len(index), np.int32), ones, 4)
    elif basis.clip:
        rows = basis.rows(lam).select(index)
    else:
        rows = basis.rows(at)
    rows = rows if factor is None else rows.scaled(factor)
    share = _sums(rows, np.sqrt(weight))
    kept = share > _LEAST_WEIGHT * share.max()
    fit = fit_design(rows, y, weight, keep=kept)
    if threshold is not None:
        near = np.abs(y - rows.evaluate(fit.coefficients)) <= threshold
        if not near.all():
            rows, y, weight, v, index = (
                rows.select(near),
                y[near],
                weight[near],
                v[near],
                index[near],
            )
            fit = fit_design(rows, y, weight, keep=kept)
    covariance = fit.covariance
    if not compat:
        # The weights are not those of the whole noise: how this changes the coefficients.
        covariance = covariance @ _normal(rows, weight**2 * v) @ covariance
    n = max(basis.df, 1)
    return fit.coefficients[:n], covariance[:n, :n], fit.kept[:n], index


def _sums(rows: SplineDesign, weight: Array) -> Array:
    """Sum each function times a weight over the rows."""
    total = np.zeros(rows.n_function)
    for k in range(rows.values.shape[1]):
        total += np.bincount(rows.first + k, rows.values[:, k] * weight, rows.n_function)
    return total


def _normal(rows: SplineDesign, weight: Array) -> Array:
    """Sum the products of each two functions times a weight over the rows."""
    n, width = rows.n_function, rows.values.shape[1]
    band = np.zeros(n * width)  # element (i, i + k) at i * width + k
    for j in range(width):
        product, at = rows.values[:, j] * weight, (rows.first + j) * width
        for k in range(j, width):
            band += np.bincount(at + (k - j), product * rows.values[:, k], n * width)
    total = np.zeros((n, n))
    for k in range(min(width, n)):
        total += np.diag(band.reshape(n, width)[: n - k, k], k)
    return np.asarray(total + np.triu(total, 1).T)
