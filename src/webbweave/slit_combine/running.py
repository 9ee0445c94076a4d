"""Running maximum, median and percentiles of a sequence, mirrored at its ends."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from webbweave._kernels import running_filter as kernel

__all__ = ["running_maximum", "running_median", "running_percentiles"]


def running_maximum(values: ArrayLike, width: int) -> NDArray[np.float64]:
    """
    Find the largest value around each sample.

    The window of sample i is ``[i - width // 2, i - width // 2 + width)``, and the sequence is
    mirrored at its ends, as in `scipy.ndimage.maximum_filter1d`.

    Parameters
    ----------
    values : array_like of float, shape (n,)
        The sequence, without NaN.
    width : int
        Number of samples in a window.

    Returns
    -------
    ndarray of float64, shape (n,)
        The maxima.

    Raises
    ------
    ValueError
        If there is a NaN, or the width is not positive.
    """
    samples = _sequence(values, width)
    out = np.empty(len(samples))
    if len(samples):
        kernel.running_maximum(samples, out, width=width)
    return out


def running_percentiles(
    values: ArrayLike, width: int, levels: Sequence[float]
) -> NDArray[np.float64]:
    """
    Find percentiles of the samples around each sample.

    The window is that of `running_maximum`. A percentile is one of the samples, with no
    interpolation: that of rank ``int(width * level / 100)``, as in
    `scipy.ndimage.percentile_filter`.

    Parameters
    ----------
    values : array_like of float, shape (n,)
        The sequence, without NaN.
    width : int
        Number of samples in a window.
    levels : sequence of float
        From 0 to 100.

    Returns
    -------
    ndarray of float64, shape (n_level, n)
        The percentiles.

    Raises
    ------
    ValueError
        If there is a NaN, the width is not positive, or a level is not within 0 and 100.
    """
    samples = _sequence(values, width)
    if any(not 0 <= level <= 100 for level in levels):
        raise ValueError(f"percentiles are between 0 and 100, found {list(levels)}")
    ranks = np.array([min(int(width * level / 100), width - 1) for level in levels], np.uintp)
    out = np.empty((len(ranks), len(samples)))
    if out.size:
        order = np.argsort(samples, kind="stable")
        place = np.empty(len(samples), np.int32)
        place[order] = np.arange(len(samples), dtype=np.int32)
        kernel.running_ranks(place, samples[order], ranks, out, width=width)
    return out


def running_median(values: ArrayLike, width: int) -> NDArray[np.float64]:
    """
    Find the median of the samples around each sample.

    For an even width it is the upper one of the two in the middle, as in
    `scipy.ndimage.median_filter`. See `running_percentiles`.

    Parameters
    ----------
    values : array_like of float, shape (n,)
        The sequence, without NaN.
    width : int
        Number of samples in a window.

    Returns
    -------
    ndarray of float64, shape (n,)
        The medians.

    Raises
    ------
    ValueError
        If there is a NaN, or the width is not positive.
    """
    (median,) = running_percentiles(values, width, [50])
    return np.asarray(median)


def _sequence(values: ArrayLike, width: int) -> NDArray[np.float64]:
    samples = np.ascontiguousarray(values, np.float64)
    if samples.ndim != 1:
        raise ValueError(f"expected a sequence, found an array of shape {samples.shape}")
    if width < 1:
        raise ValueError(f"the width of a running window must be positive, found {width}")
    if np.isnan(samples).any():
        raise ValueError("a running filter has no meaning where values are NaN")
    return samples
