"""All exposures of a slitlet at once: sources and sky solved together, nothing subtracted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .differences import stack_spread
from .options import FitOptions
from .profiles import pixel_profile
from .stack import SlitStack

__all__ = ["JointFit", "fit_joint"]

Floats = NDArray[np.float64]

# Bins whose equations, scaled to unit diagonal, have a smaller eigenvalue do not tell source and
# sky apart: profiles that cover all valid pixels alike.
_LEAST_EIGENVALUE = 1e-6

# Nor do bins of which all valid pixels together hold less than this part of the light of a source.
_LEAST_LIGHT = 0.01

# Outliers are given less weight so many times; after that weights hardly change.
_ROUNDS = 4

# Widths in pixels that a fit may reach; those of `fit_single_trace` reach from 0.1 to 2.
_SIGMA_LIMITS = (0.02, 4.0)


@dataclass(frozen=True)
class JointFit:
    """
    Sources and sky of a slitlet.

    Bins are those of the wavelengths of the trace of the reference, or the ones asked for.

    Attributes
    ----------
    wave : ndarray of float64, shape (n_bin,)
        Wavelength of each bin, micron.
    flux, flux_err : ndarray of float64, shape (n_source, n_bin)
        Flux of each source and its error, microjansky; NaN where the data do not tell. The error
        holds what the errors of widths and traces add.
    sky, sky_err : ndarray of float64, shape (n_bin,)
        Background per pixel, and its error.
    covariance : ndarray of float64, shape (n_bin, n_source + 1, n_source + 1)
        Of the fluxes and the sky of a bin, widths and traces being known.
    slopes : ndarray of float64, shape (n_bin, n_source + 1, n_parameter)
        What fluxes and sky change by with the parameters: the covariance of bins i and j from
        these is ``slopes[i] @ parameter_covariance @ slopes[j].T``.
    sigma, sigma_err : ndarray of float64, shape (n_source,)
        Width of each source, pixels.
    trace_coeffs, trace_err : ndarray of float64, shape (n_source, degree + 1)
        Polynomial from the base of the trace to each source, pixels, highest power first.
    parameter_covariance : ndarray of float64, shape (n_parameter, n_parameter)
        Of the widths, unless fixed, and traces: source by source.
    chi2 : float
        Half a chi-squared, linear for outliers; without priors.
    ndata : int
        Number of pixels in it.
    model : ndarray of float64, shape (N, P)
        Sources and sky; NaN where nothing was fitted.
    source_model : ndarray of float64, shape (n_source, N, P)
        The sources alone.
    success : bool
        Whether the minimiser converged.
    """

    wave: Floats
    flux: Floats
    flux_err: Floats
    sky: Floats
    sky_err: Floats
    covariance: Floats
    slopes: Floats
    sigma: Floats
    sigma_err: Floats
    trace_coeffs: Floats
    trace_err: Floats
    parameter_covariance: Floats
    chi2: float
    ndata: int
    model: Floats
    source_model: Floats
    success: bool


@dataclass(frozen=True)
class _State:
    """The linear solution for some parameters."""

    design: Floats  # (n_source + 1, n)
    solution: Floats  # (n_bin, n_source + 1)
    inverse: Floats  # (n_bin, n_source + 1, n_source + 1)
    known: NDArray[np.bool_]  # (n_bin,)
    residual: Floats  # (n,) in standard deviations; 0 in bins that are not known
    jacobian: Floats  # (n, n_parameter) of it
    slopes: Floats  # (n_bin, n_source + 1, n_parameter)


@dataclass(frozen=True)
class _Problem:
    """The valid samples of all exposures."""

    place: NDArray[np.int64]  # in the raveled planes
    y: Floats  # distance from the base of the trace
    x: Floats
    spread: Floats
    data: Floats
    error: Floats
    bins: NDArray[np.int64]
    n_bin: int
    n_source: int
    degree: int
    fix_sigma: float | None
    stack: SlitStack
    options: FitOptions
    start: Floats
    priors: tuple[Floats, Floats] = field(repr=False)  # means and inverse widths

    @property
    def per_source(self) -> int:
        return self.degree + 1 + (self.fix_sigma is None)

    def split(self, theta: Floats) -> tuple[Floats, Floats]:
        """Widths and traces of the sources."""
        rows = np.asarray(theta).reshape(self.n_source, self.per_source)
        if self.fix_sigma is not None:
            return np.full(self.n_source, self.fix_sigma), rows
        return rows[:, 0], rows[:, 1:]

    def designs(self, theta: Floats) -> tuple[Floats, list[list[Floats]]]:
        """Profiles of the sources, the sky; and derivatives of each profile by its parameters."""
        sigma, trace = self.split(theta)
        design = np.ones((self.n_source + 1, self.y.size))
        changes = []
        for s in range(self.n_source):
            found = pixel_profile(
                self.y - np.polyval(trace[s], self.x),
                self.spread,
                float(sigma[s]),
                lookup=self.stack.lookup,
                wings=self.options.wings,
            )
            design[s] = found.value
            powers = [-found.by_y * self.x**k for k in range(self.degree, -1, -1)]
            changes.append([*([found.by_width] if self.fix_sigma is None else []), *powers])
        return design, changes

    def sums(self, values: Floats) -> Floats:
        sums = np.bincount(self.bins, weights=values, minlength=self.n_bin)
        return sums.astype(np.float64, copy=False)

    def evaluate(self, theta: Floats, weight: Floats) -> _State:
        """Solve for fluxes and sky, and project the derivatives (Kaufman's variable projection)."""
        design, changes = self.designs(theta)
        w = weight / self.error**2
        n = self.n_source + 1
        matrix = np.empty((self.n_bin, n, n))
        for i in range(n):
            for j in range(i + 1):
                matrix[:, i, j] = matrix[:, j, i] = self.sums(w * design[i] * design[j])
        light = np.stack([self.sums(row) for row in design[:-1]], axis=1)
        inverse, known = _invert(matrix, np.all(light > _LEAST_LIGHT, axis=1))
        right = np.stack([self.sums(w * row * self.data) for row in design], axis=1)
        solution = np.einsum("bij,bj->bi", inverse, right)
        root = np.sqrt(w) * known[self.bins]
        residual = (self.data - np.einsum("in,ni->n", design, solution[self.bins])) * root
        jacobian = np.empty((self.y.size, self.n_source * self.per_source))
        slopes = np.empty((self.n_bin, n, jacobian.shape[1]))
        for p in range(jacobian.shape[1]):
            s, k = divmod(p, self.per_source)
            change = changes[s][k] * solution[self.bins, s]
            onto = np.stack([self.sums(w * row * change) for row in design], axis=1)
            slopes[:, :, p] = -np.einsum("bij,bj->bi", inverse, onto)
            along = np.einsum("in,ni->n", design, slopes[self.bins, :, p])
            jacobian[:, p] = -(change + along) * root
        return _State(design, solution, inverse, known, residual, jacobian, slopes)


def _invert(matrix: Floats, seen: NDArray[np.bool_]) -> tuple[Floats, NDArray[np.bool_]]:
    """Inverses; zeros, and False, where there is none."""
    scale = np.sqrt(np.diagonal(matrix, axis1=1, axis2=2))
    known = seen & (scale > 0.0).all(axis=1)
    scale = np.where(scale > 0.0, scale, 1.0)
    unit = matrix / (scale[:, :, None] * scale[:, None, :])
    unit[~known] = np.eye(matrix.shape[1])
    known &= np.linalg.eigvalsh(unit)[:, 0] > _LEAST_EIGENVALUE
    unit[~known] = np.eye(matrix.shape[1])
    inverse = np.linalg.inv(unit) / (scale[:, :, None] * scale[:, None, :])
    inverse[~known] = 0.0
    return inverse, known


def trace_wavelengths(stack: SlitStack) -> Floats:
    """
    The wavelengths of the columns along the trace of the reference.

    Parameters
    ----------
    stack : SlitStack
        The exposures.

    Returns
    -------
    ndarray of float64, shape (nx,)
        Micron; NaN where the trace leaves the cutout or has no wavelength.
    """
    ny, nx = stack.shape
    exposure = int(np.flatnonzero(stack.nods[stack.reference])[0])
    wave = stack.wave[exposure].reshape(ny, nx)
    row = np.arange(ny)[:, None] - stack.yslit[exposure].reshape(ny, nx)
    low = np.floor(row[0]).astype(np.int64)
    part = row[0] - low
    inside = (low >= 0) & (low < ny - 1)
    low = np.where(inside, low, 0)
    columns = np.arange(nx)
    found = wave[low, columns] * (1.0 - part) + wave[low + 1, columns] * part
    return np.where(inside, found, np.nan)


def _assign(wave: Floats, grid: Floats) -> NDArray[np.int64]:
    """The bin of each wavelength, edges being midway between those of the grid; or -1."""
    middle = 0.5 * (grid[1:] + grid[:-1])
    first, last = 2.0 * grid[0] - middle[0], 2.0 * grid[-1] - middle[-1]
    found = np.searchsorted(middle, wave)
    with np.errstate(invalid="ignore"):
        return np.where((wave >= first) & (wave <= last), found, -1)


def _problem(
    stack: SlitStack,
    offsets: Floats,
    degree: int,
    initial_sigma: float,
    fix_sigma: float | None,
    grid: Floats,
    options: FitOptions,
) -> _Problem:
    spread = stack_spread(stack, options)
    bins = _assign(stack.wave, grid)
    valid = (
        stack.mask
        & np.isfinite(stack.data)
        & np.isfinite(spread)
        & (stack.var_total > 0.0)
        & (bins >= 0)
    )
    place = np.flatnonzero(valid)
    if not place.size:
        raise ValueError("data: no pixel is valid")
    exposure, pixel = np.divmod(place, stack.mask.shape[1])
    columns = stack.columns()
    base = np.stack([np.polyval(c, columns) for c in stack.base_coeffs])
    column = stack.xslit[pixel]
    width = [] if fix_sigma is not None else [initial_sigma]
    start, mean, known = [], [], []
    for offset in offsets:
        start += [*width, *[0.0] * degree, offset]
        mean += [*([options.sigma_prior] if width else []), *[0.0] * degree]
        mean.append(offset + options.center_prior)
        known += [*([1.0 / options.sigma_prior_width] if width else []), *[0.0] * degree]
        known.append(1.0 / options.center_width)
    return _Problem(
        place=place,
        y=np.subtract(stack.ypix[pixel], base[exposure, column], dtype=np.float64),
        x=columns[column],
        spread=np.ascontiguousarray(spread.ravel()[place]),
        data=stack.data.ravel()[place],
        error=np.sqrt(stack.var_total.ravel()[place]),
        bins=bins.ravel()[place],
        n_bin=grid.size,
        n_source=offsets.size,
        degree=degree,
        fix_sigma=fix_sigma,
        stack=stack,
        options=options,
        start=np.array(start),
        priors=(np.array(mean), np.array(known)),
    )


def _minimize(
    problem: _Problem, theta: Floats, weight: Floats, trace_limit: float
) -> tuple[Floats, bool]:
    from scipy.optimize import least_squares

    mean, known = problem.priors
    at: dict[bytes, _State] = {}

    def state(p: Floats) -> _State:
        key = p.tobytes()
        if key not in at:
            at.clear()
            at[key] = problem.evaluate(p, weight)
        return at[key]

    low, high = problem.start - trace_limit, problem.start + trace_limit
    if problem.fix_sigma is None:
        low[:: problem.per_source], high[:: problem.per_source] = _SIGMA_LIMITS
    found = least_squares(
        lambda p: np.concatenate([state(p).residual, (p - mean) * known]),
        np.clip(theta, low, high),
        jac=lambda p: np.concatenate([state(p).jacobian, np.diag(known)]),
        bounds=(low, high),
        x_scale=0.1,
        xtol=1e-9,
        ftol=1e-12,
        gtol=1e-9,
    )
    return found.x, bool(found.success)


def _outcome(
    problem: _Problem, theta: Floats, weight: Floats, grid: Floats, success: bool
) -> JointFit:
    state = problem.evaluate(theta, weight)
    known = problem.priors[1]
    information = state.jacobian.T @ state.jacobian + np.diag(known**2)
    try:
        of_parameters: Floats = np.linalg.inv(information).astype(np.float64, copy=False)
    except np.linalg.LinAlgError:
        of_parameters = np.full_like(information, np.nan)
    unknown = ~state.known
    solution = state.solution.copy()
    covariance, slopes = state.inverse.copy(), state.slopes.copy()
    for array in (solution, covariance, slopes):
        array[unknown] = np.nan
    total = covariance + np.einsum("bip,pq,bjq->bij", slopes, of_parameters, slopes)
    error = np.sqrt(np.diagonal(total, axis1=1, axis2=2))
    shape = problem.stack.mask.shape
    model = np.full((problem.n_source + 1, shape[0] * shape[1]), np.nan)
    model[:, problem.place] = state.design * solution[problem.bins].T
    model = model.reshape(-1, *shape)
    chi = np.abs(state.residual) / np.sqrt(weight)
    alpha = problem.options.huber_alpha
    sigma, trace = problem.split(theta)
    parameter_error = np.sqrt(np.diagonal(of_parameters))
    rows = parameter_error.reshape(problem.n_source, problem.per_source)
    free = problem.fix_sigma is None
    return JointFit(
        wave=grid,
        flux=solution[:, :-1].T.copy(),
        flux_err=error[:, :-1].T.copy(),
        sky=solution[:, -1].copy(),
        sky_err=error[:, -1].copy(),
        covariance=covariance,
        slopes=slopes,
        sigma=np.array(sigma),
        sigma_err=rows[:, 0].copy() if free else np.zeros(problem.n_source),
        trace_coeffs=np.array(trace),
        trace_err=rows[:, 1:].copy() if free else rows.copy(),
        parameter_covariance=of_parameters,
        chi2=float(np.sum(np.where(chi < alpha, 0.5 * chi**2, alpha * (chi - 0.5 * alpha)))),
        ndata=int(state.known[problem.bins].sum()),
        model=model.sum(axis=0),
        source_model=model[:-1],
        success=success,
    )


def fit_joint(
    stack: SlitStack,
    *,
    offsets: Sequence[float] = (0.0,),
    degree: int = 0,
    initial_sigma: float = 0.5,
    fix_sigma: float | None = None,
    trace_limit: float = 3.0,
    wave_grid: ArrayLike | None = None,
    options: FitOptions | None = None,
) -> JointFit:
    """
    Fit sources and sky to all exposures, with no exposure subtracted from another.

    In each bin of wavelength the fluxes of the sources and the sky, which is the same in all
    exposures and all along the slit, solve linear equations; widths and traces are fitted around
    that. As sources are in the model wherever they are, no light of theirs counts as background.
    Outliers are weighted down.

    Parameters
    ----------
    stack : SlitStack
        The exposures; `data` with the sky in them, or with a first estimate of it subtracted.
    offsets : sequence of float, optional
        Where the sources are about, pixels from the base of the trace: one number for each.
    degree : int, optional
        Of the polynomials from the base of the trace to the sources.
    initial_sigma : float, optional
        Width to begin with, pixels.
    fix_sigma : float, optional
        The width, pixels, if it is not to be fitted.
    trace_limit : float, optional
        How far coefficients may go from where they begin, pixels.
    wave_grid : array_like, optional
        Ascending wavelengths of the bins, micron. By default those of the trace of the reference.
    options : FitOptions, optional
        Priors, about `offsets` for traces, and wings.

    Returns
    -------
    JointFit
        Spectra, sky, shapes, errors.

    Raises
    ------
    ValueError
        If an argument makes no sense, or no pixel is valid.
    """
    options = FitOptions() if options is None else options
    places = np.atleast_1d(np.asarray(offsets, dtype=np.float64))
    if places.ndim != 1 or not places.size or not np.isfinite(places).all():
        raise ValueError(f"offsets: expected one number for each source, found {offsets}")
    if degree < 0:
        raise ValueError(f"degree: expected 0 or more, found {degree}")
    if wave_grid is None:
        along = trace_wavelengths(stack)
        grid = np.sort(along[np.isfinite(along)])
    else:
        grid = np.asarray(wave_grid, dtype=np.float64)
    if grid.ndim != 1 or grid.size < 2 or not (np.diff(grid) > 0.0).all():
        raise ValueError("wave_grid: expected two or more ascending wavelengths")
    problem = _problem(stack, places, degree, initial_sigma, fix_sigma, grid, options)
    theta, weight, success = problem.start, np.ones(problem.y.size), True
    for _ in range(_ROUNDS):
        theta, success = _minimize(problem, theta, weight, trace_limit)
        chi = np.abs(problem.evaluate(theta, weight).residual) / np.sqrt(weight)
        new = np.where(chi > options.huber_alpha, options.huber_alpha / np.maximum(chi, 1e-9), 1.0)
        if np.array_equal(new, weight):
            break
        weight = new
    return _outcome(problem, theta, weight, grid, success)
