"""The fit of a trace column by column with a spline fit that the caller brings along."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
from astropy.stats import sigma_clipped_stats
from numpy.typing import NDArray

from webbweave.adaptive_trace_model.fit import FEWER_INTERVALS, FitOptions

__all__ = ["fit_columns_with"]

log = logging.getLogger(__name__)

#: The scale of a column is judged by its brightest pixels, so many of them (as in jwst 3.0.0) ...
_N_BRIGHT = 5

#: ... and pixels further than this number of standard deviations from it are left out.
_CLIP = 2.0


def fit_columns_with(
    fit: Callable[..., Any],
    flux: NDArray[Any],
    alpha: NDArray[Any],
    fit_scale: NDArray[Any] | None,
    options: FitOptions,
) -> dict[int, dict[str, Any]]:
    """
    Fit the columns of one slit with any function that has the arguments of `bspline_fit`.

    Slow, and for experiments: the rules of jwst 3.0.0, a column at a time.

    Parameters
    ----------
    fit : callable
        Called as ``fit(x, y, nbkpts=, wrapsig_low=, wrapsig_high=, wrapiter=, space_ratio=)``;
        gives a spline, or None.
    flux, alpha : ndarray, shape (ny, nx)
        Data, and the coordinate along the slit.
    fit_scale : ndarray, shape (nx,), or None
        What the flux of a column is divided by.
    options : FitOptions
        How to fit.

    Returns
    -------
    dict
        Column to ``{"model", "scale", "bounds"}``.
    """
    n_column = flux.shape[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        pixel = abs(np.nanmedian(np.diff(alpha, axis=0)))
        height = (np.nanmax(alpha) - np.nanmin(alpha)) / pixel
        scaled = flux if fit_scale is None else flux / fit_scale
    n_interval = options.spline_bkpt or int(options.auto_bkpt_factor * height)
    min_good = options.require_ngood
    min_good = int(options.auto_ngood_factor * height) if min_good is None else min_good
    models: dict[int, dict[str, Any]] = {}
    last = None
    for column in range(n_column) if options.col_index is None else options.col_index:
        good = np.isfinite(flux[:, column]) & np.isfinite(alpha[:, column])
        if np.count_nonzero(good) <= min_good:
            continue
        window = slice(max(column - options.lrange, 0), min(column + options.lrange, n_column))
        found = _fit_window(
            fit, alpha[:, window], scaled[:, window], options, n_interval, column, last is None
        )
        last = last if found is None else found
        scale = None if last is None else _scale(*last, alpha[:, column], flux[:, column])
        if last is not None and scale is not None:
            models[int(column)] = {"model": last[0], "scale": scale, "bounds": last[1]}
    return models


def _fit_window(
    fit: Callable[..., Any],
    alpha: NDArray[Any],
    flux: NDArray[Any],
    options: FitOptions,
    n_interval: int,
    column: int,
    is_first: bool,
) -> tuple[Any, tuple[float, float]] | None:
    good = np.isfinite(alpha) & np.isfinite(flux)
    order = np.argsort(alpha[good], kind="stable")
    x, y = alpha[good][order], flux[good][order]
    keywords = {
        "wrapsig_low": options.sigma_low,
        "wrapsig_high": options.sigma_high,
        "wrapiter": options.fit_iter,
        "space_ratio": options.space_ratio,
    }
    try:
        model = fit(x, y, nbkpts=n_interval, **keywords)
        if model is None and is_first and n_interval > FEWER_INTERVALS:
            model = fit(x, y, nbkpts=n_interval - FEWER_INTERVALS, **keywords)
    except (ValueError, RuntimeError) as error:
        log.warning("Spline fit failed at column %d: %s", column, error)
        return None
    return None if model is None else (model, (float(x[0]), float(x[-1])))


def _scale(
    model: Any, bounds: tuple[float, float], alpha: NDArray[Any], flux: NDArray[Any]
) -> float | None:
    inside = (alpha >= bounds[0]) & (alpha <= bounds[1])
    if np.count_nonzero(inside) < _N_BRIGHT:
        return None
    profile = np.asarray(model(alpha[inside]))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = flux[inside] / profile
        weight = np.where(np.isfinite(ratio) & (ratio >= 0) & (profile >= 0), profile, 0.0)
        bright = (weight >= np.sort(weight)[-_N_BRIGHT]) & np.isfinite(ratio)
        if not bright.any():
            return None
        mean, _, deviation = sigma_clipped_stats(ratio[bright])
        weight[np.abs(mean - ratio) > _CLIP * deviation] = 0.0
    total = weight.sum()
    return float(np.nansum(ratio * weight) / total) if total > 0 else None
