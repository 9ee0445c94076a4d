"""Fits of the trace and of the width of a source to differences of nods."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .differences import (
    DiffSamples,
    NodDifference,
    diff_samples,
    nod_difference,
    stack_spread,
)
from .fit_errors import trace_covariance
from .objective import WIDTH_UNIT, Layout, TraceObjective
from .options import FitOptions
from .stack import SlitStack

__all__ = [
    "METHODS",
    "TraceFit",
    "fit_all_traces",
    "fit_single_trace",
]

log = logging.getLogger(__name__)

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: Minimisers of `scipy.optimize.minimize`, and whether they use the gradient.
METHODS = {
    "l-bfgs-b": True,
    "bfgs": True,
    "cg": True,
    "tnc": True,
    "slsqp": True,
    "trust-constr": True,
    "powell": False,
    "nelder-mead": False,
    "cobyla": False,
}

# The reference that the page of the peer has by default, whether or not there is such a nod.
_USUAL_REFERENCE = 2

# Relative to `tol`: what L-BFGS-B may leave of the objective, some thousands. With tol = 1e-6 it is
# known to 1e-6 or so, and parameters to a thousandth of their errors.
_FLAT, _FLATTEST = 1e-4, 1e-13
# SLSQP ends when a step gains less than this times `tol`: as it begins with steps of the right
# size, with all of `tol` it may end at the first of them.
_LAST_STEP = 0.05
# What L-BFGS-B may leave of the gradient by parameters in units of about their errors: they are
# then known to a ten-thousandth of these.
_STEEP = 1e-4
# The steps that L-BFGS-B remembers. With more, SciPy 1.17 solves its two-by-two systems with
# threads of OpenBLAS: without OPENBLAS_NUM_THREADS=1, that costs 2 to 5 times the whole fit.
# Parameters in units of about their errors need a third more calls with one, and the same time.
_MEMORY = 1


# The tolerance while traces still move, but for the last two rounds: half a chi-squared is known to
# it, parameters to a few hundredths of their errors.
_ROUGH = 1e-3

# The largest unit of a parameter, pixels.
_LONGEST = 0.5

# A power of the coordinate along the trace is at least so large: a trace of one column has a scale.
_LEAST_LEVER = 0.01

# The statuses of minimisers when their line search failed.
_STUMBLED = {"l-bfgs-b": 2, "slsqp": 8}


class TraceFit(TypedDict):
    """
    What a fit to one difference gave.

    ``theta``: parameters, the width in tenths of pixels unless fixed, then the trace; ``sigma``:
    width, pixels; ``trace_coeffs``; ``chi2_init``, ``chi2_fit``: half a chi-squared, linear for
    outliers, with priors, at the first and the last parameters; ``chi2_full``: chi-squared of the
    data alone; ``ndata``: number of pixels in it; ``ipos``, ``ineg``: exposures added and
    subtracted; ``diff``, ``vdiff``, ``wdiff`` (ny nx,): the difference, its variance and readout
    variance; ``snum``, ``svnum``, ``sden`` (nx,): sums of each column, the flux being snum / sden
    and its variance svnum / sden**2; ``smod`` (ny, nx): the model; ``covariance``: of the width and
    the trace, pixels; ``sigma_err``, ``trace_err``: square roots of its diagonal.
    """

    theta: Floats
    sigma: float
    trace_coeffs: Floats
    chi2_init: float
    chi2_fit: float
    chi2_full: float
    ndata: int
    ipos: Flags
    ineg: Flags
    diff: Floats
    vdiff: Floats
    wdiff: Floats
    snum: Floats
    svnum: Floats
    sden: Floats
    smod: Floats
    covariance: Floats
    sigma_err: float
    trace_err: Floats
    force_positive: bool
    bounds: list[tuple[float, float]] | None
    method: str
    tol: float
    nfev: int
    success: bool


class _Prepared:
    """A difference and its samples, which stay the same while traces move."""

    def __init__(
        self, stack: SlitStack, exp: Any, options: FitOptions, spread: Floats | None = None
    ) -> None:
        self.difference: NodDifference = nod_difference(stack, exp, options)
        self.samples: DiffSamples = diff_samples(stack, self.difference, options, spread)


def _units(objective: TraceObjective, curvature: Floats) -> Floats:
    """
    Numbers that change the objective about alike: steps of a minimiser begin with the right size.

    They are errors where the data tell something, and at most half a pixel along the whole trace.
    """
    samples = objective.samples
    in_column = np.diff(samples.starts[0])
    x = samples.x
    first = curvature.size - objective.layout.split(np.zeros(curvature.size)).trace.size
    powers = [
        np.sqrt((in_column * x ** (2 * k)).sum() / in_column.sum())
        for k in range(curvature.size - first - 1, -1, -1)
    ]
    most = np.concatenate(
        [np.full(first, _LONGEST / WIDTH_UNIT), _LONGEST / np.maximum(powers, _LEAST_LEVER)]
    )
    known = np.maximum(curvature, 1.0 / most**2)  # it is negative in the walls of the width
    return 1.0 / np.sqrt(known)


@dataclass
class _Scaled:
    """An objective by parameters in other units, as a minimiser calls it: first one, then other."""

    objective: TraceObjective
    unit: Floats
    place: Floats
    last_value: float
    last_gradient: Floats

    def _move(self, place: Floats) -> None:
        if (place == self.place).all():
            return
        value, slope = self.objective.value_and_gradient(place * self.unit)
        self.place, self.last_value, self.last_gradient = place.copy(), value, slope * self.unit

    def value(self, place: Floats) -> float:
        """The objective."""
        self._move(place)
        return self.last_value

    def gradient(self, place: Floats) -> Floats:
        """Its gradient."""
        self._move(place)
        return self.last_gradient


def _minimize(
    objective: TraceObjective,
    start: Floats,
    method: str,
    tol: float,
    bounds: list[tuple[float, float]] | None,
) -> tuple[Floats, tuple[float, float], int, bool]:
    """Parameters, values at the start and in the minimum, calls, and whether it is a minimum."""
    from scipy.optimize import minimize

    name = method.lower()
    if name in {"bfgs", "cg"}:
        bounds = None  # these know none
    if bounds is not None:
        start = np.clip(start, *np.transpose(bounds))
    if not METHODS[name]:
        first = objective.value(start)
        found = minimize(objective.value, start, method=name, bounds=bounds, tol=tol)
        values = first, float(found.fun)
        return np.atleast_1d(found.x), values, int(found.nfev), bool(found.success)
    first, slope, curvature = objective.value_and_curvature(start)
    unit = _units(objective, curvature)
    scaled = _Scaled(objective, unit, start / unit, first, slope * unit)
    settings: dict[str, Any] = {"tol": tol}
    if name == "slsqp":
        settings["tol"] = _LAST_STEP * tol
    elif name == "l-bfgs-b":
        flat = max(_FLAT * tol, _FLATTEST)
        settings = {"options": {"ftol": flat, "gtol": _STEEP, "maxcor": _MEMORY}}
    if bounds is not None:
        settings["bounds"] = [
            (low / u, high / u) for (low, high), u in zip(bounds, unit, strict=True)
        ]
    found = minimize(scaled.value, start / unit, jac=scaled.gradient, method=name, **settings)
    theta, calls, success = np.atleast_1d(found.x) * unit, int(found.nfev), bool(found.success)
    if _STUMBLED.get(name) == found.status:
        # Clipped and tabulated profiles have kinks.
        again = _minimize(objective, theta, "powell", tol, bounds)
        calls += again[2]
        if again[1][1] < found.fun:
            return again[0], (first, again[1][1]), calls, again[3]
    return theta, (first, float(found.fun)), calls, success


def _fluxes(
    samples: DiffSamples, profile: Floats, shape: tuple[int, int]
) -> tuple[Floats, Floats, Floats, Floats, float]:
    """Sums of columns, model and chi-squared of the data."""
    weighted = profile * samples.weight
    snum = samples.column_sums(samples.diff * weighted)
    sden = samples.column_sums(profile * weighted)
    svnum = samples.column_sums(samples.variance * weighted**2)
    with np.errstate(invalid="ignore", divide="ignore"):
        values = (snum / sden)[samples.columns] * profile
    model = np.full(shape[0] * shape[1], np.nan)
    model[samples.pixels] = values
    chi2 = float(np.nansum((samples.diff - values) ** 2 / samples.variance))
    return snum, svnum, sden, model.reshape(shape), chi2


def fit_single_trace(
    stack: SlitStack,
    exp: Any = 1,
    *,
    x0: ArrayLike | None = None,
    initial_sigma: float = 3.0,
    force_positive: bool = True,
    method: str = "L-BFGS-B",
    tol: float = 1e-6,
    evaluate: bool = False,
    degree: int = 2,
    sigma_bounds: tuple[float, float] = (1, 20),
    trace_bounds: tuple[float, float] = (-1, 1),
    fix_sigma: float = -1,
    with_bounds: bool = True,
    verbose: bool = True,
    errors: bool = True,
    options: FitOptions | None = None,
) -> TraceFit:
    """
    Fit width and trace of a source to one nod position minus the others.

    Parameters
    ----------
    stack : SlitStack
        The exposures.
    exp : object, optional
        Which nod.
    x0 : array_like, optional
        Where to begin: the width in tenths of pixels unless it is fixed, then the polynomial added
        to the trace, highest power first. By default `initial_sigma`, and 0.
    initial_sigma : float, optional
        Width to begin with, tenths of pixels.
    force_positive : bool, optional
        The profile of the difference is 0 where it would be negative: only the light of this nod
        is fitted.
    method : str, optional
        Minimiser of `scipy.optimize.minimize`, see `METHODS`.
    tol : float, optional
        Its tolerance.
    evaluate : bool, optional
        Do not fit: take `x0`.
    degree : int, optional
        Of the polynomial.
    sigma_bounds, trace_bounds : tuple of float, optional
        Limits of the width in tenths of pixels, and of every coefficient in pixels.
    fix_sigma : float, optional
        The width in tenths of pixels, if it is not to be fitted: a positive number.
    with_bounds : bool, optional
        Use the limits.
    verbose : bool, optional
        Log the result at level INFO.
    errors : bool, optional
        Compute the covariance, unless `evaluate`.
    options : FitOptions, optional
        Priors, wings, and whether to work as the peer.

    Returns
    -------
    TraceFit
        The result.

    Raises
    ------
    KeyError
        If there is no such nod.
    ValueError
        If an argument makes no sense, or no pixel of the difference is valid.
    """
    options = FitOptions() if options is None else options
    arguments = _Arguments(
        x0=x0,
        initial_sigma=initial_sigma,
        force_positive=force_positive,
        method=method,
        tol=tol,
        evaluate=evaluate,
        degree=degree,
        sigma_bounds=sigma_bounds,
        trace_bounds=trace_bounds,
        fix_sigma=fix_sigma,
        with_bounds=with_bounds,
        verbose=verbose,
        errors=errors,
    )
    prepared = _Prepared(stack, exp, options)
    return _report(stack, exp, prepared, _solve(stack, exp, prepared, options, arguments))


@dataclass(frozen=True)
class _Arguments:
    """The arguments of `fit_single_trace`."""

    x0: ArrayLike | None = None
    initial_sigma: float = 3.0
    force_positive: bool = True
    method: str = "L-BFGS-B"
    tol: float = 1e-6
    evaluate: bool = False
    degree: int = 2
    sigma_bounds: tuple[float, float] = (1, 20)
    trace_bounds: tuple[float, float] = (-1, 1)
    fix_sigma: float = -1
    with_bounds: bool = True
    verbose: bool = True
    errors: bool = True

    def __post_init__(self) -> None:
        if self.method.lower() not in METHODS:
            raise ValueError(f"method: expected one of {', '.join(METHODS)}, found {self.method!r}")
        if self.degree < 0:
            raise ValueError(f"degree: expected 0 or more, found {self.degree}")

    def start(self, layout: Layout) -> Floats:
        """The parameters to begin with."""
        if self.x0 is not None:
            theta = np.array(self.x0, dtype=np.float64).ravel()
        else:
            width = [self.initial_sigma] if layout.free_sigma else []
            theta = np.array([*width, *[0.0] * (self.degree + 1)])
        if theta.size < 1 + layout.free_sigma or not np.isfinite(theta).all():
            raise ValueError(
                f"x0: expected {'the width and ' if layout.free_sigma else ''}one or more "
                f"coefficients of a trace, found {theta}"
            )
        return theta

    def bounds(self, n_trace: int, layout: Layout) -> list[tuple[float, float]] | None:
        """The limits of the parameters."""
        if not self.with_bounds:
            return None
        width = [self.sigma_bounds] if layout.free_sigma else []
        return [*width, *[self.trace_bounds] * n_trace]


@dataclass(frozen=True)
class _Solution:
    """Parameters, and how they were found."""

    arguments: _Arguments
    objective: TraceObjective
    theta: Floats
    chi2: tuple[float, float]
    bounds: list[tuple[float, float]] | None
    calls: int
    success: bool

    @property
    def trace(self) -> Floats:
        return self.objective.layout.split(self.theta).trace


def _solve(
    stack: SlitStack, exp: Any, prepared: _Prepared, options: FitOptions, arguments: _Arguments
) -> _Solution:
    if options.wings and stack.lookup is not None:
        raise ValueError("wings: a tabulated profile has its own")
    layout = Layout(fix_sigma=arguments.fix_sigma, wings=options.wings, compat=options.compat)
    start = arguments.start(layout)
    samples = prepared.samples.at(stack)
    if not samples.diff.size:
        raise ValueError(f"nod {exp!r}: no pixel of the difference is valid")
    objective = TraceObjective(samples, stack.lookup, options, layout, arguments.force_positive)
    bounds = arguments.bounds(start.size - layout.free_sigma, layout)
    if arguments.evaluate:
        chi2 = objective.value(start)
        return _Solution(arguments, objective, start, (chi2, chi2), bounds, 1, True)
    found = _minimize(objective, start, arguments.method, arguments.tol, bounds)
    return _Solution(arguments, objective, found[0], found[1], bounds, *found[2:])


def _report(stack: SlitStack, exp: Any, prepared: _Prepared, solution: _Solution) -> TraceFit:
    objective, arguments, difference = (
        solution.objective,
        solution.arguments,
        prepared.difference,
    )
    at = objective.layout.split(solution.theta)
    if arguments.errors and not arguments.evaluate:
        profile, slopes = objective.slopes(solution.theta)
        covariance = trace_covariance(objective, solution.theta, profile, slopes)
    else:
        profile = objective.profile(solution.theta)
        covariance = np.full((1 + at.trace.size, 1 + at.trace.size), np.nan)
    with np.errstate(invalid="ignore"):
        error = np.sqrt(np.diag(covariance))
    snum, svnum, sden, smod, chi2_full = _fluxes(objective.samples, profile, stack.shape)
    if arguments.verbose:
        log.info(
            "nod %s: width %.3f px, trace %s px, chi2 %.1f -> %.1f",
            exp,
            at.sigma,
            np.round(at.trace, 3),
            *solution.chi2,
        )
    return TraceFit(
        theta=solution.theta,
        sigma=at.sigma,
        trace_coeffs=at.trace,
        chi2_init=solution.chi2[0],
        chi2_fit=solution.chi2[1],
        chi2_full=chi2_full,
        ndata=int(objective.samples.diff.size),
        ipos=difference.ipos,
        ineg=difference.ineg,
        diff=difference.diff,
        vdiff=difference.variance,
        wdiff=difference.read_variance,
        snum=snum,
        svnum=svnum,
        sden=sden,
        smod=smod,
        covariance=covariance,
        sigma_err=float(error[0]),
        trace_err=error[1:],
        force_positive=arguments.force_positive,
        bounds=solution.bounds,
        method=arguments.method,
        tol=arguments.tol,
        nfev=solution.calls,
        success=solution.success,
    )


def _reference(stack: SlitStack, ref_exp: Any) -> Any:
    if ref_exp is None or ref_exp in stack.nods:
        return ref_exp
    if ref_exp == _USUAL_REFERENCE:
        log.info("ref_exp: there is no nod %s, taking %s", ref_exp, stack.reference)
    elif ref_exp != "auto":
        raise ValueError(
            f"ref_exp: expected 'auto', None or one of the nods {stack.nods.values}, "
            f"found {ref_exp!r}"
        )
    return stack.reference


def fit_all_traces(
    stack: SlitStack,
    *,
    niter: int = 3,
    dchi_threshold: float = -25,
    ref_exp: Any = 2,
    options: FitOptions | None = None,
    evaluate: bool = False,
    x0: ArrayLike | None = None,
    **kwargs: Any,
) -> tuple[dict[Any, TraceFit], SlitStack]:
    """
    Fit the traces of all nods, over and over, as the subtracted ones move with them.

    Parameters
    ----------
    stack : SlitStack
        The exposures.
    niter : int, optional
        How often.
    dchi_threshold : float, optional
        Without a reference, traces move if the objective changes by less than this (it is half a
        chi-squared, and negative for a better fit).
    ref_exp : object, optional
        The nod whose fit holds for all, or 'auto' for the one of the stack. None: each nod has its
        own. The default, if there is no such nod, means 'auto'.
    options : FitOptions, optional
        Priors, wings, and whether to work as the peer.
    evaluate : bool, optional
        Do not fit at all.
    x0 : array_like, optional
        Where to begin.
    **kwargs
        Of `fit_single_trace`.

    Returns
    -------
    fits : dict
        The result for each nod, that of the reference first.
    stack : SlitStack
        The exposures with the traces found.

    Raises
    ------
    ValueError
        If an argument makes no sense.
    """
    options = FitOptions() if options is None else options
    if niter < 1:
        raise ValueError(f"niter: expected 1 or more, found {niter}")
    reference = _reference(stack, ref_exp)
    groups = [nod for nod in stack.nods if nod != reference]
    if reference is not None:
        groups.insert(0, reference)
    spread = stack_spread(stack, options)
    prepared = {nod: _Prepared(stack, nod, options, spread) for nod in groups}
    plain = _Arguments(x0=x0, evaluate=evaluate, **kwargs)
    found: dict[Any, _Solution] = {}
    for k in range(niter):
        traces, begin, used = list(stack.trace_coeffs), found, stack
        found = {}
        # The others follow the reference: only in the end it matters how well.
        for nod in groups if k == niter - 1 or reference is None else groups[:1]:
            arguments = plain
            if reference is not None and k < niter - 2 and METHODS[plain.method.lower()]:
                arguments = replace(plain, tol=max(plain.tol, _ROUGH))
            if reference is not None and nod != reference:
                arguments = replace(plain, x0=found[reference].theta, evaluate=True)
            elif nod in begin:
                arguments = replace(arguments, x0=begin[nod].theta)
            found[nod] = one = _solve(used, nod, prepared[nod], options, arguments)
            better = one.chi2[1] - one.chi2[0] < dchi_threshold
            if reference is None and (evaluate or better):
                for i in np.flatnonzero(prepared[nod].difference.ipos):
                    traces[i] = one.trace
        if reference is not None:
            traces = [found[reference].trace] * stack.n
        stack = used.with_trace(traces)
    fits = {nod: _report(used, nod, prepared[nod], one) for nod, one in found.items()}
    if reference is not None:
        for nod in groups[1:]:
            fits[nod]["covariance"] = fits[reference]["covariance"]
            fits[nod]["sigma_err"] = fits[reference]["sigma_err"]
            fits[nod]["trace_err"] = fits[reference]["trace_err"]
    return fits, stack
