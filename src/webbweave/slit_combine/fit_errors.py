"""How well the width and the trace of a source are known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .objective import TraceObjective, penalty

__all__ = ["trace_covariance"]

Floats = NDArray[np.float64]


def trace_covariance(
    objective: TraceObjective, theta: Floats, profile: Floats, slopes: Floats
) -> Floats:
    """
    The covariance of width and trace at the minimum, the fluxes of all columns being unknown.

    The fluxes are weighted by the readout variance while the objective has the whole one, and
    outliers pull less than others; so the covariance is that of an M-estimator,
    inv(H) V inv(H), H being the Hessian of Gauss and Newton and V the covariance of the gradient.
    The priors count as measurements.

    Parameters
    ----------
    objective : TraceObjective
        What was minimised.
    theta : ndarray of float64
        Where the minimum is.
    profile, slopes : ndarray of float64, shapes (n_pixel,) and (n_pixel, 1 + n_trace)
        What ``objective.slopes(theta)`` gives.

    Returns
    -------
    ndarray of float64, shape (1 + n_trace, 1 + n_trace)
        In pixels: of the width, then of the coefficients of the trace, highest power first; zeros
        for the width if it is fixed. NaN if the data do not tell.
    """
    samples, options = objective.samples, objective.options
    at = objective.layout.split(theta)
    n_par = slopes.shape[1]
    free = np.arange(0 if objective.layout.fits_sigma(len(theta)) else 1, n_par)
    out = np.zeros((n_par, n_par))
    columns = samples.columns
    sums = samples.column_sums
    power = sums(profile**2 * samples.weight)
    with np.errstate(invalid="ignore", divide="ignore"):
        flux = np.where(power > 0.0, sums(samples.diff * profile * samples.weight) / power, 0.0)
        power = np.where(power > 0.0, power, np.inf)[columns]
    residual = samples.diff - flux[columns] * profile
    inlier = np.abs(residual) < options.huber_alpha * np.sqrt(samples.variance)
    inside = inlier / samples.variance
    by_data = profile * samples.weight / power  # of the flux of a column
    changes, pulls = [], []
    for k in free:
        slope = slopes[:, k]
        own = (samples.diff - 2.0 * flux[columns] * profile) * slope * samples.weight / power
        change = flux[columns] * slope + sums(own)[columns] * profile
        changes.append(change)
        pulls.append(change * inside - by_data * sums(change * profile * inside)[columns])
    prior = penalty(at.sigma, at.trace, options)
    known = np.concatenate([[prior.by_sigma2], prior.by_trace2])[free]
    # Not three factors at once: that is ten times slower.
    hessian = np.einsum("ip,jp->ij", inside * changes, changes) + np.diag(known)
    spread = np.einsum("ip,jp->ij", samples.variance * pulls, pulls) + np.diag(known)
    try:
        inverse = np.linalg.inv(hessian)
    except np.linalg.LinAlgError:
        return np.full_like(out, np.nan)
    out[np.ix_(free, free)] = inverse @ spread @ inverse
    return out
