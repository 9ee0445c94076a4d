"""One cubic spline through samples, with rejection of outliers."""

from __future__ import annotations

import logging
import operator

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import BSpline

from webbweave._kernels import bspline as kernel
from webbweave.adaptive_trace_model.splines import DEGREE

__all__ = ["bspline_fit"]

log = logging.getLogger(__name__)


def bspline_fit(
    xvec: ArrayLike,
    yvec: ArrayLike,
    nbkpts: int = 50,
    wrapsig_low: float = 3.0,
    wrapsig_high: float = 3.0,
    wrapiter: int = 3,
    space_ratio: float = 1.2,
    verbose: bool = False,
    *,
    compat: bool = False,
) -> BSpline | None:
    """
    Fit a cubic spline with equally spaced knots, and reject outliers.

    Samples after a gap that is far wider than most are left out first. Then the spline is fitted by
    least squares, samples far from it are rejected, and so on.

    Parameters
    ----------
    xvec : array_like of float, shape (n,)
        Where the samples are, in ascending order.
    yvec : array_like of float, shape (n,)
        Their values. Samples that are not finite are left out.
    nbkpts : int, optional
        Number of intervals between knots.
    wrapsig_low, wrapsig_high : float, optional
        Samples further below or above the spline than this number of standard deviations are
        rejected.
    wrapiter : int, optional
        Number of fits at most; 0 gives None.
    space_ratio : float, optional
        No spline is fitted if ten gaps between samples are wider than this number of intervals.
    verbose : bool, optional
        Log the number of rejected samples of each iteration.
    compat : bool, optional
        The knots and the numbers of jwst, which depend on the type of `xvec` and on where its zero
        is.

    Returns
    -------
    `scipy.interpolate.BSpline` or None
        The spline. None if the samples are too few or too sparse, or do not determine it.

    Raises
    ------
    ValueError
        If the arrays are not of one length and dimension, `xvec` does not ascend, `nbkpts` is not
        positive, `wrapiter` negative, or one of the other numbers is NaN. With `compat`, also if
        there are less than ten samples, while `xvec` that does not ascend gives None.

    References
    ----------
    Law & Clarke 2026, AJ 171, 304
    """
    x, y, single = _finite_samples(xvec, yvec)
    n_interval, n_iteration = _count("nbkpts", nbkpts, 1), _count("wrapiter", wrapiter, 0)
    if np.isnan([wrapsig_low, wrapsig_high, space_ratio]).any():
        raise ValueError("wrapsig_low, wrapsig_high and space_ratio must not be NaN")
    if np.any(x[1:] < x[:-1]):
        if compat:
            return None
        raise ValueError("xvec must be in ascending order")
    room = kernel.room(n_interval)
    knots, coefficients = np.zeros(room), np.zeros(room)
    counts = np.zeros((max(n_iteration, 1), 2), np.int64)
    outcome, n_knot, n_done, stopped = kernel.FEW, 0, 0, False
    if len(x):
        outcome, n_knot, n_done, stopped = kernel.fit_samples(
            x,
            y,
            knots,
            coefficients,
            counts,
            n_interval=n_interval,
            n_iteration=n_iteration,
            sigma_low=wrapsig_low,
            sigma_high=wrapsig_high,
            space_ratio=space_ratio,
            compat=compat,
            single=single,
        )
    if compat and outcome == kernel.FEW:
        raise ValueError(f"expected at least 10 samples that are finite, found {len(x)}")
    if verbose:
        _report(counts[:n_done], stopped)
    if outcome != kernel.FITTED:
        return None
    return BSpline(knots[:n_knot], coefficients[: n_knot - DEGREE - 1], DEGREE)


def _finite_samples(
    xvec: ArrayLike, yvec: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], bool]:
    """Give the finite samples in double precision, and whether the positions are float32."""
    x, y = np.asarray(xvec), np.asarray(yvec)
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(
            f"expected xvec and yvec of one length, found shapes {x.shape} and {y.shape}"
        )
    good = np.isfinite(x) & np.isfinite(y)
    return x[good].astype(float), y[good].astype(float), x.dtype == np.float32


def _count(name: str, value: int, least: int) -> int:
    number = operator.index(value)
    if number < least:
        raise ValueError(f"{name} must be at least {least}, found {value}")
    return number


def _report(counts: NDArray[np.int64], stopped: bool) -> None:
    for iteration, (rejected, kept) in enumerate(counts.tolist()):
        log.info("Iter %d Rejected %d Kept %d", iteration, rejected, kept)
    if stopped:
        log.info("Stopping iteration: too many points rejected")
