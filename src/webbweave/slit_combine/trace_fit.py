"""Fits of the trace and of the width of a source to differences of nods."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .differences import DiffSamples, NodDifference, diff_samples, nod_difference
from .fit_errors import trace_covariance
from .objective import Layout, TraceObjective
from .options import FitOptions
from .stack import SlitStack

__all__ = [
    "METHODS",
    "TraceFit",
    "fit_all_traces",
    "fit_params_by_sn",
    "fit_single_trace",
    "get_trace_sn",
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

# Relative to `tol`: how flat the objective is at the end with L-BFGS-B. An objective is some
# thousands, so that with tol = 1e-6 it is known to 1e-9, and parameters to 1e-4 of their errors.
_FLAT = 1e-6
# and how small its gradient: 100 tol, as a tenth of pixel has an error of about 0.1.
_STEEP = 100.0


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

    def __init__(self, stack: SlitStack, exp: Any, options: FitOptions) -> None:
        self.difference: NodDifference = nod_difference(stack, exp, options)
        self.samples: DiffSamples = diff_samples(stack, self.difference, options)


def _start(x0: ArrayLike | None, initial_sigma: float, degree: int, layout: Layout) -> Floats:
    if x0 is not None:
        theta = np.array(x0, dtype=np.float64).ravel()
    else:
        if degree < 0:
            raise ValueError(f"degree: expected 0 or more, found {degree}")
        theta = np.zeros(degree + 1)
        if layout.free_sigma:
            theta = np.concatenate([[initial_sigma], theta])
    if theta.size < 1 + layout.free_sigma or not np.isfinite(theta).all():
        raise ValueError(
            f"x0: expected {'the width and ' if layout.free_sigma else ''}one or more coefficients "
            f"of a trace, found {theta}"
        )
    return theta


def _minimize(
    objective: TraceObjective,
    start: Floats,
    method: str,
    tol: float,
    bounds: list[tuple[float, float]] | None,
) -> tuple[Floats, int, bool]:
    from scipy.optimize import minimize

    name = method.lower()
    if name not in METHODS:
        raise ValueError(f"method: expected one of {', '.join(METHODS)}, found {method!r}")
    if name in {"bfgs", "cg"}:
        bounds = None  # these know none
    if bounds is not None:
        start = np.clip(start, *np.transpose(bounds))
    settings: dict[str, Any] = {"tol": tol}
    if name == "l-bfgs-b":
        settings = {"options": {"ftol": _FLAT * tol, "gtol": _STEEP * tol}}
    function = objective.value_and_gradient if METHODS[name] else objective.value
    found = minimize(function, start, jac=METHODS[name], method=name, bounds=bounds, **settings)
    calls = int(found.nfev)
    if name == "l-bfgs-b" and found.status == 2:
        # The line search stumbles over the kinks of clipped and of tabulated profiles.
        again = minimize(objective.value, found.x, method="powell", bounds=bounds, tol=tol)
        calls += int(again.nfev)
        found = again if again.fun < found.fun else found
    return np.atleast_1d(found.x), calls, bool(found.success)


def _fluxes(
    objective: TraceObjective, theta: Floats, shape: tuple[int, int]
) -> tuple[Floats, Floats, Floats, Floats, float]:
    """Sums of columns, model and chi-squared of the data."""
    samples = objective.samples
    profile = objective.slopes(theta)[0]
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
    return _fit(
        stack,
        exp,
        _Prepared(stack, exp, options),
        options,
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


def _fit(
    stack: SlitStack,
    exp: Any,
    prepared: _Prepared,
    options: FitOptions,
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
) -> TraceFit:
    """What `fit_single_trace` does, with its difference at hand."""
    if options.wings and stack.lookup is not None:
        raise ValueError("wings: a tabulated profile has its own")
    layout = Layout(fix_sigma=fix_sigma, wings=options.wings, compat=options.compat)
    start = _start(x0, initial_sigma, degree, layout)
    samples = prepared.samples.at(stack, options)
    if not samples.diff.size:
        raise ValueError(f"nod {exp!r}: no pixel of the difference is valid")
    objective = TraceObjective(samples, stack.lookup, options, layout, force_positive)
    bounds = None
    if with_bounds:
        bounds = [trace_bounds] * (start.size - layout.free_sigma)
        bounds = [sigma_bounds, *bounds] if layout.free_sigma else bounds
    chi2_init = objective.value(start)
    theta, calls, success = start, 1, True
    if not evaluate:
        theta, calls, success = _minimize(objective, start, method, tol, bounds)
    at = layout.split(theta)
    n_par = 1 + at.trace.size
    covariance = np.full((n_par, n_par), np.nan)
    if errors and not evaluate:
        covariance = trace_covariance(objective, theta)
    with np.errstate(invalid="ignore"):
        error = np.sqrt(np.diag(covariance))
    snum, svnum, sden, smod, chi2_full = _fluxes(objective, theta, stack.shape)
    difference = prepared.difference
    fit = TraceFit(
        theta=theta,
        sigma=at.sigma,
        trace_coeffs=at.trace,
        chi2_init=chi2_init,
        chi2_fit=objective.value(theta),
        chi2_full=chi2_full,
        ndata=int(samples.diff.size),
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
        force_positive=force_positive,
        bounds=bounds,
        method=method,
        tol=tol,
        nfev=calls,
        success=success,
    )
    if verbose:
        log.info(
            "nod %s: width %.3f px, trace %s px, chi2 %.1f -> %.1f",
            exp,
            at.sigma,
            np.round(at.trace, 3),
            chi2_init,
            fit["chi2_fit"],
        )
    return fit


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
    prepared = {nod: _Prepared(stack, nod, options) for nod in groups}
    fits: dict[Any, TraceFit] = {}
    for k in range(niter):
        begin = fits
        fits, traces = {}, list(stack.trace_coeffs)
        last = kwargs.get("errors", True) and k == niter - 1
        for nod in groups:
            first = begin[nod]["theta"] if begin else x0
            fixed = evaluate or reference not in (None, nod)
            if fixed and reference not in (None, nod):
                first = fits[reference]["theta"]
            settings = {**kwargs, "x0": first, "evaluate": fixed, "errors": last}
            fits[nod] = fit = _fit(stack, nod, prepared[nod], options, **settings)
            source = fit if reference is None else fits[reference]
            moved = fit["chi2_fit"] - fit["chi2_init"] < dchi_threshold
            if reference is not None or fixed or moved:
                for i in np.flatnonzero(fit["ipos"]):
                    traces[i] = source["trace_coeffs"]
        stack = stack.with_trace(traces)
    if reference is not None:
        for name in ("covariance", "sigma_err", "trace_err"):
            for nod in groups[1:]:
                fits[nod][name] = fits[reference][name]
    return fits, stack


def get_trace_sn(
    stack: SlitStack,
    *,
    exposure_position: Any = "auto",
    theta: Sequence[float] = (4.0, 0),
    force_positive: bool = True,
    options: FitOptions | None = None,
    **kwargs: Any,
) -> tuple[TraceFit, Floats]:
    """
    The signal-to-noise ratio of each column for a trace as it is.

    Parameters
    ----------
    stack : SlitStack
        The exposures.
    exposure_position : object, optional
        Which nod; 'auto' for the reference.
    theta : sequence of float, optional
        Width in tenths of pixels, and trace.
    force_positive : bool, optional
        As in `fit_single_trace`.
    options : FitOptions, optional
        Priors, wings, and whether to work as the peer.
    **kwargs
        Of `fit_single_trace`.

    Returns
    -------
    fit : TraceFit
        The evaluation.
    sn : ndarray of float64, shape (nx,)
        Flux over its error; NaN where there is none.
    """
    nod = stack.reference if exposure_position == "auto" else exposure_position
    settings = {"verbose": False, **kwargs, "x0": theta, "evaluate": True}
    fit = fit_single_trace(stack, nod, force_positive=force_positive, options=options, **settings)
    with np.errstate(invalid="ignore", divide="ignore"):
        return fit, fit["snum"] / np.sqrt(fit["svnum"])


def fit_params_by_sn(
    stack: SlitStack,
    *,
    sn_percentile: float = 80,
    sigma_threshold: float = 5,
    degree_sn: Sequence[Sequence[float]] = ((-1000,), (0,)),
    **kwargs: Any,
) -> tuple[Floats, float, bool, int]:
    """
    What the data are good enough to fit.

    Parameters
    ----------
    stack : SlitStack
        The exposures.
    sn_percentile : float, optional
        The signal-to-noise ratio of a trace is this percentile of those of its columns.
    sigma_threshold : float, optional
        Below this ratio, the width is not fitted.
    degree_sn : two sequences of float, optional
        Ratios, ascending, and the degree of the trace at each.
    **kwargs
        Of `get_trace_sn`.

    Returns
    -------
    sn : ndarray of float64, shape (nx,)
        Ratio of each column.
    sn_value : float
        The percentile.
    fix_sigma : bool
        Whether to leave the width.
    degree : int
        Of the trace.

    Raises
    ------
    ValueError
        If the two parts of `degree_sn` differ in length.
    """
    if len(degree_sn) != 2 or len(degree_sn[0]) != len(degree_sn[1]) or not len(degree_sn[0]):
        raise ValueError(f"degree_sn: expected two sequences of equal length, found {degree_sn}")
    sn = get_trace_sn(stack, **kwargs)[1]
    known = sn[np.isfinite(sn)]
    value = float(np.percentile(known, sn_percentile)) if known.size else float("nan")
    if not np.isfinite(value):
        return sn, value, True, int(degree_sn[1][0])
    degree = int(np.interp(value, degree_sn[0], degree_sn[1]))
    return sn, value, value < sigma_threshold, degree
