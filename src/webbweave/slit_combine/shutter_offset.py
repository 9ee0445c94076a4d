"""Where the bars between shutters are: the offset of a slitlet, from the shadows in its sky."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import OptimizeResult, minimize

__all__ = ["fit_shutter_offset"]

Array = NDArray[np.float64]

#: Pixels per shutter, as the fixed coordinate along the slitlet takes it.
PIXELS_PER_SHUTTER = 5.0

#: Pixels further from the source's shutter than this, in shutters, are outside of three shutters.
_REACH = 1.4

#: The minimiser works on hundredths of a pixel: its steps and tolerances suit numbers about 1.
_SCALE = 100.0

#: Half the step of the slope of the bars, in shutters: errors are the square of this times their
#: third derivative, and far above rounding.
_STEP = 1e-4

#: The pixels of the fit must have a bar model this many widths of the prior around its middle.
_PRIOR_WIDTHS = 5.0

#: The methods of `scipy.optimize.minimize` that take a slope.
_WITH_SLOPE = frozenset({"bfgs", "cg", "l-bfgs-b", "newton-cg", "slsqp", "tnc"})

#: Of the signal to noise ratio in the trace; it tells how much of the source is beside the trace.
_SN_PERCENTILE = 95


def fit_shutter_offset(
    sci: ArrayLike,
    mask: ArrayLike,
    variance: ArrayLike,
    bar: ArrayLike,
    sky2d: ArrayLike,
    shutter: ArrayLike,
    wave: ArrayLike,
    bar_model: Callable[[Array, Array], Array],
    *,
    minimizer_kwargs: Mapping[str, Any] | None = None,
    prior: Sequence[float] = (0, 0.05),
    trace_sn: ArrayLike | None = None,
    max_sn: float = 50,
    compat: bool = False,
) -> OptimizeResult | None:
    """
    Fit the offset of the shutters to the shadows that their bars throw in the sky.

    What is least is the sum of ``(sci * bar - sky2d * bar_model(u, wave))**2 / variance``, with
    ``u = shutter + offset / 5``, plus the square of the offset's distance from the prior.

    Parameters
    ----------
    sci, variance, bar, sky2d : array_like of float, shape (N, P)
        Flux, with the sky and corrected for the bars; its variance without that of the sky; the
        transmission of the bars that it was corrected for; and the sky, microjansky per pixel.
    mask : array_like of bool, shape (N, P)
        Valid pixels of the sky.
    shutter : array_like of float, shape (N, P)
        Coordinate along the slitlet without any offset, in shutters.
    wave : array_like of float, shape (N, P)
        Wavelength, micron.
    bar_model : callable
        Gives the transmission of the bars at coordinates and wavelengths; NaN where unknown.
    minimizer_kwargs : mapping, optional
        Of `scipy.optimize.minimize`; by default ``{"method": "bfgs", "tol": 1e-5}``.
    prior : (float, float), optional
        Middle and standard deviation of the offset, pixels.
    trace_sn : array_like of float, optional
        Signal to noise ratio of the columns of the trace.
    max_sn : float, optional
        There is no fit if the 95th percentile of `trace_sn` is above this.
    compat : bool, optional
        As msaexp: at each offset the sum is over the pixels that have a bar model there. By default
        these are the same for all offsets, so that losing pixels is no gain; and the gradient comes
        from the slope of the bars, not from differences of the sum.

    Returns
    -------
    `scipy.optimize.OptimizeResult` or None
        ``x`` is 100 times the offset. Besides what the minimiser gives: ``offset`` and its standard
        deviation ``offset_error``, pixels, with that of the prior; ``chi2_init`` without
        an offset, ``n_pixel``; ``samples`` and ``sample_chi2``, the offsets that were tried, in
        ascending order, and their sums. None if the source is too bright, or no pixel is left.

    Raises
    ------
    ValueError
        If planes do not fit together, or the width of the prior is not positive.
    """
    if len(prior) != 2 or not prior[1] > 0:
        raise ValueError(f"expected a prior of middle and positive width, found {prior}")
    if trace_sn is not None:
        finite = np.asarray(trace_sn, np.float64)
        finite = finite[np.isfinite(finite)]
        if len(finite) and np.percentile(finite, _SN_PERCENTILE) > max_sn:
            return None
    good = np.asarray(mask, np.bool_)
    planes = [np.asarray(a, np.float64) for a in (sci, bar, sky2d, variance, shutter, wave)]
    if any(plane.shape != good.shape for plane in planes):
        shapes = [plane.shape for plane in planes]
        raise ValueError(f"expected planes of the shape of the mask {good.shape}, found {shapes}")
    used = good & (np.abs(planes[4]) < _REACH)
    flux, bars, sky, noise, u, lam = (plane[used] for plane in planes)
    residuals = _Shadows(flux * bars, sky, 1 / noise, u, lam, bar_model, tuple(prior), compat)
    if residuals.n_pixel == 0:
        return None
    options = {"method": "bfgs", "tol": 1e-5, **(minimizer_kwargs or {})}
    uses_slope = not compat and str(options["method"]).lower() in _WITH_SLOPE
    slope = residuals.slope if uses_slope else None
    result = minimize(residuals.total, np.zeros(1), jac=slope, **options)
    order = np.argsort(residuals.tried)
    result.samples = np.array(residuals.tried)[order]
    result.sample_chi2 = np.array(residuals.sums)[order]
    result.offset = float(result.x[0]) / _SCALE
    result.offset_error = residuals.error(result.offset)
    result.chi2_init = residuals.sums[0]
    result.n_pixel = residuals.n_pixel
    return result


class _Shadows:
    """The sum that is minimised, its slope, and where it was evaluated."""

    def __init__(
        self,
        flux: Array,
        sky: Array,
        weight: Array,
        u: Array,
        wave: Array,
        bar_model: Callable[[Array, Array], Array],
        prior: tuple[float, ...],
        compat: bool,
    ) -> None:
        self.prior = prior
        self.model = bar_model
        self.tried: list[float] = []
        self.sums: list[float] = []
        keep = np.isfinite(flux) & np.isfinite(sky) & np.isfinite(weight) & np.isfinite(u)
        if not compat:
            for side in (-_PRIOR_WIDTHS, _PRIOR_WIDTHS):
                offset = prior[0] + side * prior[1]
                keep &= np.isfinite(bar_model(u + offset / PIXELS_PER_SHUTTER, wave))
        self.flux, self.sky, self.weight = flux[keep], sky[keep], weight[keep]
        self.u, self.wave = u[keep], wave[keep]
        self.n_pixel = int(np.count_nonzero(keep))

    def _bars(self, offset: float, step: float = 0.0) -> Array:
        return self.model(self.u + (offset / PIXELS_PER_SHUTTER + step), self.wave)

    def total(self, x: Array) -> float:
        offset = float(x[0]) / _SCALE
        residual = self.flux - self.sky * self._bars(offset)
        chi2 = float(np.nansum(residual**2 * self.weight))
        chi2 += ((offset - self.prior[0]) / self.prior[1]) ** 2
        self.tried.append(offset)
        self.sums.append(chi2)
        return chi2

    def _change(self, offset: float) -> Array:
        """How the model of the pixels changes per pixel of offset."""
        difference = self._bars(offset, _STEP) - self._bars(offset, -_STEP)
        return self.sky * difference / (2 * _STEP * PIXELS_PER_SHUTTER)

    def slope(self, x: Array) -> Array:
        offset = float(x[0]) / _SCALE
        residual = self.flux - self.sky * self._bars(offset)
        slope = -2 * float(np.nansum(residual * self.weight * self._change(offset)))
        slope += 2 * (offset - self.prior[0]) / self.prior[1] ** 2
        return np.array([slope / _SCALE])

    def error(self, offset: float) -> float:
        """The standard deviation of the offset, from the curvature of the sum."""
        curvature = float(np.nansum(self._change(offset) ** 2 * self.weight))
        return float(1 / np.sqrt(curvature + 1 / self.prior[1] ** 2))
