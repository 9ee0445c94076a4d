"""Robust combination of exposures: medians, and rejection of outliers by comparison with them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from astropy.stats import mad_std
from numpy.typing import NDArray
from scipy import sparse

__all__ = ["median_efficiency", "median_of_exposures", "reject_outliers"]

log = logging.getLogger(__name__)

#: An outlier deviates from the median image by more than this many standard deviations of the
#: pixel, and more than this fraction of the local difference between neighbouring pixels: what a
#: shift of the exposure by that many pixels would explain. Values and method are those of driz_cr
#: (Fruchter & Hook 2002, PASP 114, 144, section 5) in its first, generous pass.
_SIGMA = 5.0
_GRADIENT = 1.2

#: A pixel is compared if at least this fraction of it lies where there is a median: less has no
#: say in the product, nor in what is expected of the pixel.
_COMPARABLE = 0.1

#: With fewer exposures a median cannot tell which one is the outlier.
_FEWEST = 3

#: Variance of the mean over variance of the median of n numbers with normal errors (integrals over
#: order statistics, e.g. Kenney & Keeping 1962, Mathematics of Statistics, and a simulation); 2
#: numbers have the mean for a median.
_EFFICIENCY = {1: 1.0, 2: 1.0, 3: 0.743, 4: 0.838, 5: 0.697, 6: 0.776, 7: 0.679, 8: 0.743}
#: The limit of many numbers, and the first corrections for odd and even numbers of them: 2 / pi
#: (1 + c / n), good to 1 % from 9 on.
_LIMIT = 2.0 / np.pi
_CORRECTION_ODD, _CORRECTION_EVEN = 0.47, 1.4


class _Drizzled(Protocol):
    """What is needed of a drizzled exposure: see `webbweave.resample.linear.DrizzledExposure`."""

    @property
    def values(self) -> NDArray[np.float64]: ...
    @property
    def variances(self) -> dict[str, NDArray[np.float64]]: ...
    @property
    def shares(self) -> sparse.csr_array: ...
    @property
    def weight(self) -> NDArray[np.float64]: ...
    @property
    def mean(self) -> NDArray[np.float64]: ...


def median_efficiency(n: NDArray[np.int_]) -> NDArray[np.float64]:
    """
    Compare the variances of mean and median of a few numbers.

    Parameters
    ----------
    n : ndarray of int
        How many numbers with equal normal errors.

    Returns
    -------
    ndarray of float64
        Variance of the mean over that of the median.
    """
    table = np.full(max(_EFFICIENCY) + 1, _LIMIT)
    for count, efficiency in _EFFICIENCY.items():
        table[count] = efficiency
    correction = np.where(n % 2 == 1, _CORRECTION_ODD, _CORRECTION_EVEN)
    large = _LIMIT * (1.0 + correction / np.maximum(n, 1))
    return np.where(n < table.size, table[np.minimum(n, table.size - 1)], large)


def median_of_exposures(
    drizzled: Sequence[_Drizzled],
) -> tuple[NDArray[np.float64], list[sparse.csr_array]]:
    """
    Take the median over the exposures in each cell, their weighted mean where there are only two.

    Parameters
    ----------
    drizzled : sequence of DrizzledExposure
        The exposures on the output grid.

    Returns
    -------
    data : ndarray of float64, shape (n_cell,)
        The medians, NaN where no exposure contributes.
    matrices : list of `~scipy.sparse.csr_array`, shape (n, n_cell)
        Coefficients of a mean with the noise of the median. A median is not linear; for errors
        alike in all exposures its variance is that of their mean over `median_efficiency`.
    """
    weights = np.stack([item.weight for item in drizzled])
    count = np.count_nonzero(weights > 0, axis=0)
    many = count >= _FEWEST
    total = weights.sum(axis=0)
    means = np.stack([item.mean for item in drizzled])
    data = np.full(total.shape, np.nan)
    data[many] = np.nanmedian(means[:, many], axis=0)
    few = ~many & (total > 0)
    data[few] = np.nansum(means[:, few] * weights[:, few], axis=0) / total[few]
    inflation = np.sqrt(median_efficiency(count)) * np.maximum(count, 1)
    matrices = []
    for item, weight in zip(drizzled, weights, strict=True):
        with np.errstate(divide="ignore", invalid="ignore"):
            factor = np.where(many, 1.0 / (weight * inflation), 1.0 / total)
        factor[weight == 0] = 0.0
        shares = item.shares
        matrices.append(
            sparse.csr_array(
                (shares.data * factor[shares.indices], shares.indices, shares.indptr),
                shape=shares.shape,
            )
        )
    return data, matrices


def reject_outliers(
    drizzled: Sequence[_Drizzled], shape: tuple[int, int]
) -> list[NDArray[np.bool_]]:
    """
    Find the pixels of each exposure that do not agree with the median of all.

    The median image is mapped back to the pixels of each exposure; those that deviate by more than
    their noise and more than a small shift on the local gradient explain are outliers. Where fewer
    than three exposures see the sky nothing is rejected.

    Parameters
    ----------
    drizzled : sequence of DrizzledExposure
        The exposures on the output grid.
    shape : (int, int)
        Shape (ny, nx) of that grid.

    Returns
    -------
    list of ndarray of bool, shape (n,)
        The pixels to reject.
    """
    if len(drizzled) < _FEWEST:
        log.warning(
            "combine 'clip' needs %d exposures or more, found %d: nothing is rejected",
            _FEWEST,
            len(drizzled),
        )
        return [np.zeros(item.values.size, dtype=bool) for item in drizzled]
    means = np.stack([item.mean for item in drizzled])
    known = np.count_nonzero(np.isfinite(means), axis=0) >= _FEWEST
    median = np.zeros(known.size)
    median[known] = np.nanmedian(means[:, known], axis=0)
    gradient = _largest_difference(median.reshape(shape), known.reshape(shape)).ravel()
    return [_outliers(item, median, gradient, known) for item in drizzled]


def _largest_difference(
    image: NDArray[np.float64], known: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """The largest difference of each cell to the four cells around it."""
    largest = np.zeros(image.shape)
    for axis in (0, 1):
        step = abs(np.diff(image, axis=axis))
        both = known.take(range(1, known.shape[axis]), axis) & known.take(
            range(known.shape[axis] - 1), axis
        )
        step[~both] = 0.0
        edge = [(0, 0), (0, 0)]
        for side in ((1, 0), (0, 1)):
            edge[axis] = side
            largest = np.maximum(largest, np.pad(step, edge))
    return largest


def _outliers(
    item: _Drizzled,
    median: NDArray[np.float64],
    gradient: NDArray[np.float64],
    known: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    shares = item.shares
    weight = shares @ np.ones(median.size)
    known_weight = shares @ known.astype(np.float64)
    comparable = known_weight > _COMPARABLE * weight
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = (shares @ median) / known_weight
        tolerance = (shares @ gradient) / known_weight
    deviation = abs(item.values - expected)
    if item.variances:
        sigma = np.sqrt(np.sum(list(item.variances.values()), axis=0))
    else:
        sigma = np.full(deviation.size, _robust_scatter(deviation[comparable]))
    rejected: NDArray[np.bool_] = comparable & (deviation > _SIGMA * sigma + _GRADIENT * tolerance)
    return rejected


def _robust_scatter(deviation: NDArray[np.float64]) -> float:
    """The standard deviation of numbers around zero, from their median absolute value."""
    return float(mad_std(np.concatenate([deviation, -deviation]))) if deviation.size else 0.0
