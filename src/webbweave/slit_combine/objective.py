"""The objective of the fit of a trace: differences of nods against a profile, and priors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from webbweave._kernels.slit_profile import objective as _objective
from webbweave._kernels.slit_profile import slopes as _slopes

from .differences import DiffSamples
from .options import FitOptions
from .profiles import ProfileTable, wing_array

__all__ = ["FitParameters", "Layout", "Penalty", "TraceObjective", "penalty"]

Floats = NDArray[np.float64]

# Soft walls that keep the width positive and below that of the tables, as the peer has them:
# height, the upper wall and its steepness per pixel, the steepness of the one at 0.
_WALL, _WALL_AT, _WALL_SLOPE, _ZERO_SLOPE = 1e4, 1.8, 10.0, 30.0

#: The first number of the parameters is the width in tenths of pixels.
WIDTH_UNIT = 0.1

# With a free width and three or more coefficients of a trace, the peer takes the first numbers for
# a wing (amplitude, scale and, from five parameters on, shift) and has this width, in pixels.
_PEER_WIDTH, _PEER_WING_FROM, _PEER_SHIFT_FROM = 0.2, 4, 5

# A wing of no width is as narrow as can be, and not nothing: all its light is in one pixel.
_LEAST_SCALE = 1e-12


@dataclass(frozen=True)
class FitParameters:
    """
    A parameter vector taken apart.

    Attributes
    ----------
    sigma : float
        Width, pixels.
    trace : ndarray of float64
        Coefficients, highest power first.
    wings : ndarray of float64, shape (n_wing, 3)
        Amplitude, scale, shift.
    """

    sigma: float
    trace: Floats
    wings: Floats


@dataclass(frozen=True)
class Layout:
    """
    What the numbers of a parameter vector mean.

    Attributes
    ----------
    fix_sigma : float
        The width in tenths of pixels if it is fixed; not positive if it is the first parameter.
    wings : tuple of (float, float, float)
        Wings that are not fitted.
    compat : bool
        Four or more parameters with a free width begin with a wing, as the peer has it.
    """

    fix_sigma: float = -1.0
    wings: tuple[tuple[float, ...], ...] = ()
    compat: bool = False

    @cached_property
    def _wings(self) -> Floats:
        return wing_array(self.wings)

    @property
    def free_sigma(self) -> bool:
        """Whether the first parameter is the width, unless it is that of a wing."""
        return not self.fix_sigma > 0.0

    def n_wing(self, size: int) -> int:
        """
        How many parameters are those of a wing.

        Parameters
        ----------
        size : int
            Number of all.

        Returns
        -------
        int
            0, 2 or 3.
        """
        if not (self.compat and self.free_sigma and size >= _PEER_WING_FROM):
            return 0
        return 3 if size >= _PEER_SHIFT_FROM else 2

    def fits_sigma(self, size: int) -> bool:
        """
        Whether the width is fitted.

        Parameters
        ----------
        size : int
            Number of parameters.

        Returns
        -------
        bool
            True if it is.
        """
        return self.free_sigma and not self.n_wing(size)

    def split(self, theta: Floats) -> FitParameters:
        """
        Take a parameter vector apart.

        Parameters
        ----------
        theta : ndarray of float64
            The width in tenths of pixels unless it is fixed, then coefficients of the trace.

        Returns
        -------
        FitParameters
            Its parts.
        """
        theta = np.array(theta, dtype=np.float64)
        wings = self._wings
        if n := self.n_wing(theta.size):
            own = np.concatenate([theta[:n], np.zeros(3 - n)])
            own[1] = own[1] or _LEAST_SCALE
            return FitParameters(_PEER_WIDTH, theta[n:], np.concatenate([wings, own[None]]))
        if self.free_sigma:
            return FitParameters(float(theta[0]) * WIDTH_UNIT, theta[1:], wings)
        return FitParameters(self.fix_sigma * WIDTH_UNIT, theta, wings)


@dataclass(frozen=True)
class Penalty:
    """
    What priors add to the objective.

    Attributes
    ----------
    value : float
        The sum.
    by_sigma, by_sigma2 : float
        First and second derivative by the width in pixels.
    by_trace, by_trace2 : ndarray of float64
        First and second derivatives by the coefficients of the trace.
    """

    value: float
    by_sigma: float
    by_sigma2: float
    by_trace: Floats
    by_trace2: Floats


def _logistic(t: float) -> float:
    return 1.0 / (1.0 + math.exp(-t)) if t > -700.0 else 0.0


def penalty(sigma: float, trace: Floats, options: FitOptions) -> Penalty:
    """
    The priors of width and trace, and the walls that keep the width in range.

    Parameters
    ----------
    sigma : float
        Width, pixels.
    trace : ndarray of float64
        Coefficients, highest power first.
    options : FitOptions
        Means and widths of the priors.

    Returns
    -------
    Penalty
        In units of half a chi-squared.
    """
    high = _logistic(_WALL_SLOPE * (sigma - _WALL_AT))
    low = _logistic(-_ZERO_SLOPE * sigma)
    information = 1.0 / options.sigma_prior_width**2
    off = sigma - options.sigma_prior
    value = _WALL * (high + low) + 0.5 * off * off * information
    slope = _WALL_SLOPE * high * (1.0 - high) - _ZERO_SLOPE * low * (1.0 - low)
    bend = _WALL_SLOPE**2 * high * (1.0 - high) * (1.0 - 2.0 * high)
    bend += _ZERO_SLOPE**2 * low * (1.0 - low) * (1.0 - 2.0 * low)
    # Two or three numbers: lists are faster than arrays.
    by_place = 1.0 / options.center_width**2
    free = 0.0 if not options.center_prior_all else by_place
    known = [free] * (trace.size - 1) + [by_place]
    offsets = [c - options.center_prior for c in trace.tolist()]
    pulls = [k * c for k, c in zip(known, offsets, strict=True)]
    value += 0.5 * sum(pull * c for pull, c in zip(pulls, offsets, strict=True))
    return Penalty(
        value,
        _WALL * slope + off * information,
        _WALL * bend + information,
        np.array(pulls),
        np.array(known),
    )


@dataclass(frozen=True)
class TraceObjective:
    """
    Half a chi-squared of a difference of nods, linear for outliers, with priors.

    Attributes
    ----------
    samples : DiffSamples
        The pixels.
    lookup : ProfileTable or None
        The tabulated profile.
    options : FitOptions
        Constants.
    layout : Layout
        What the parameters are.
    force_positive : bool
        Profiles below 0 become 0.
    """

    samples: DiffSamples
    lookup: ProfileTable | None
    options: FitOptions
    layout: Layout
    force_positive: bool

    def _data(self, at: FitParameters, slopes: Floats | None) -> float:
        return _objective(
            self.samples.kernel,
            at.sigma,
            at.trace,
            None if self.lookup is None else self.lookup.kernel,
            at.wings,
            slopes,
            positive=self.force_positive,
            huber=self.options.huber_alpha,
        )

    def value(self, theta: Floats) -> float:
        """
        The objective.

        Parameters
        ----------
        theta : ndarray of float64
            Parameters.

        Returns
        -------
        float
            Half a chi-squared.
        """
        at = self.layout.split(theta)
        return penalty(at.sigma, at.trace, self.options).value + self._data(at, None)

    def value_and_gradient(self, theta: Floats) -> tuple[float, Floats]:
        """
        The objective and its gradient.

        Parameters
        ----------
        theta : ndarray of float64
            Parameters.

        Returns
        -------
        value : float
            Half a chi-squared.
        gradient : ndarray of float64
            By the parameters.
        """
        value, slopes = self._with_slopes(theta, 1)
        return value, slopes[0]

    def value_and_curvature(self, theta: Floats) -> tuple[float, Floats, Floats]:
        """
        The objective, its gradient, and how steep it gets.

        Parameters
        ----------
        theta : ndarray of float64
            Parameters.

        Returns
        -------
        value : float
            Half a chi-squared.
        gradient : ndarray of float64
            By the parameters.
        curvature : ndarray of float64
            The diagonal of the Hessian of Gauss and Newton, with that of the priors.
        """
        value, slopes = self._with_slopes(theta, 2)
        return value, slopes[0], slopes[1]

    def _with_slopes(self, theta: Floats, order: int) -> tuple[float, Floats]:
        """The objective, and as many derivatives of it by the parameters, a row for each."""
        at = self.layout.split(theta)
        slopes = np.empty((order, 1 + at.trace.size + at.wings.size))
        value = self._data(at, slopes)
        prior = penalty(at.sigma, at.trace, self.options)
        known = ((prior.by_sigma, prior.by_trace), (prior.by_sigma2, prior.by_trace2))
        for k, (by_sigma, by_trace) in enumerate(known[:order]):
            slopes[k, 0] = (slopes[k, 0] + by_sigma) * WIDTH_UNIT ** (k + 1)
            slopes[k, 1 : 1 + at.trace.size] += by_trace
        value += prior.value
        if n := self.layout.n_wing(len(theta)):
            first = slopes.shape[1] - 3
            own = slopes[:, first : first + n]
            return value, np.concatenate([own, slopes[:, 1 : 1 + at.trace.size]], axis=1)
        begin = 0 if self.layout.free_sigma else 1
        return value, slopes[:, begin : 1 + at.trace.size]

    def slopes(self, theta: Floats) -> tuple[Floats, Floats]:
        """
        The profile of each pixel, and its derivatives.

        Parameters
        ----------
        theta : ndarray of float64
            Parameters.

        Returns
        -------
        profile : ndarray of float64, shape (n_pixel,)
            The profile.
        slopes : ndarray of float64, shape (n_pixel, 1 + n_trace)
            By the width and the coefficients, in pixels.
        """
        at = self.layout.split(theta)
        derivatives = np.empty((self.samples.diff.size, 1 + at.trace.size + at.wings.size))
        values = self._profile(at, derivatives)
        return values, derivatives[:, : 1 + at.trace.size]

    def profile(self, theta: Floats) -> Floats:
        """
        The profile of each pixel.

        Parameters
        ----------
        theta : ndarray of float64
            Parameters.

        Returns
        -------
        ndarray of float64, shape (n_pixel,)
            The profile.
        """
        return self._profile(self.layout.split(theta), None)

    def _profile(self, at: FitParameters, derivatives: Floats | None) -> Floats:
        values = np.empty(self.samples.diff.size)
        if values.size:
            _slopes(
                self.samples.kernel,
                at.sigma,
                at.trace,
                None if self.lookup is None else self.lookup.kernel,
                at.wings,
                values,
                derivatives,
                positive=self.force_positive,
            )
        return values
