"""How large the noise of detections is, and how far from its star each one is in its units."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

__all__ = [
    "LEAST_SIGMA",
    "relative_weights",
    "rms",
    "scatter",
    "scatter_beyond",
    "standard_distances",
]

#: Standard deviation of a normal distribution over the median of the absolute values.
_MAD_TO_SIGMA = 1.482602218505602

#: Residuals are not told apart below this [arcsec]: 1 microarcsecond, far below all noise, far
#: above what rounding leaves.
LEAST_SIGMA = 1e-6


def scatter(values: NDArray[np.float64]) -> float:
    """
    Estimate the standard deviation of numbers around 0, whatever the outliers.

    Parameters
    ----------
    values : ndarray of float64, any shape
        The numbers.

    Returns
    -------
    float
        From the median of the absolute values; NaN of none, never below `LEAST_SIGMA`.
    """
    if values.size == 0:
        return math.nan
    return max(float(np.median(np.abs(values))) * _MAD_TO_SIGMA, LEAST_SIGMA)


def scatter_beyond(
    values: NDArray[np.float64],
    variance: NDArray[np.float64],
    known: NDArray[np.float64],
    least: float,
) -> float:
    """
    Find the part of a scatter that other noise does not explain.

    Parameters
    ----------
    values : ndarray of float64, shape (n, 2)
        The numbers, around 0.
    variance, known : ndarray of float64, shape (n,)
        The variance of each row is ``s**2 * variance + known``.
    least : float
        The smallest s to return.

    Returns
    -------
    float
        The s with which the rows scatter as expected.
    """

    def excess(sigma: float) -> float:
        expected = np.sqrt(sigma**2 * variance + known)
        return scatter(values / expected[:, None]) - 1.0

    most = max(2.0 * scatter(values / np.sqrt(variance)[:, None]), 2.0 * least)
    return float(brentq(excess, least, most, rtol=1e-3)) if excess(least) > 0 else least


def standard_distances(
    place: NDArray[np.float64],
    star: NDArray[np.intp],
    counting: NDArray[np.float64],
    weight: NDArray[np.float64],
    n_star: int,
) -> NDArray[np.float64]:
    """
    Measure how far detections are from their stars, in units of what is expected along an axis.

    A detection that is part of the mean of its star has pulled it nearer, one that is not has not.
    A detection alone is where its star is.

    Parameters
    ----------
    place : ndarray of float64, shape (n, 2)
        The detections.
    star : ndarray of int, shape (n,)
        Their stars.
    counting : ndarray of float64, shape (n,)
        The weights with which they are part of the means, 0 for those that are not.
    weight : ndarray of float64, shape (n,)
        Their weights: the inverse of the variance along an axis.
    n_star : int
        The number of stars.

    Returns
    -------
    ndarray of float64, shape (n,)
        The distances; NaN for a star of which nothing counts.
    """
    total = np.bincount(star, counting, minlength=n_star)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.stack(
            [np.bincount(star, counting * axis, minlength=n_star) / total for axis in place.T],
            axis=1,
        )
        sign = np.where(counting > 0, -1.0, 1.0)
        variance = 1.0 / weight + sign / total[star]
        square = np.sum((place - mean[star]) ** 2, axis=1)
        alone = variance * weight < 1e-9
        return np.where(alone, 0.0, np.sqrt(square / variance))


def relative_weights(weight: NDArray[np.float64] | None, length: int) -> NDArray[np.float64]:
    """
    Divide weights by their median, so that the noise that is estimated is that of a typical one.

    Parameters
    ----------
    weight : ndarray of float64, shape (n,), or None
        The weights; None if all weigh the same.
    length : int
        Their number.

    Returns
    -------
    ndarray of float64, shape (n,)
        Relative weights.

    Raises
    ------
    ValueError
        If a weight is negative or not finite.
    """
    if weight is None:
        return np.ones(length)
    relative = np.asarray(weight, dtype=np.float64)
    if np.any(relative < 0) or not np.all(np.isfinite(relative)):
        raise ValueError("expected weights that are finite and not negative")
    positive = relative[relative > 0]
    return relative / np.median(positive) if len(positive) else relative


def rms(square: NDArray[np.float64]) -> float:
    """
    Take the root of the mean of squares.

    Parameters
    ----------
    square : ndarray of float64, shape (n,)
        The squares.

    Returns
    -------
    float
        The root; NaN of none.
    """
    return float(np.sqrt(np.mean(square))) if len(square) else math.nan
