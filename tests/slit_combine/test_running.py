"""Running filters are those of SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from webbweave.slit_combine.running import running_maximum, running_median, running_percentiles

LEVELS = [95, 50, 5, 0, 100, 33.3]


@pytest.mark.parametrize("width", [1, 2, 3, 6, 25, 64, 500])
def test_filters_are_those_of_scipy(width):
    values = np.round(np.random.default_rng(width).normal(size=700), 1)
    np.testing.assert_array_equal(
        running_maximum(values, width), ndimage.maximum_filter(values, size=width)
    )
    np.testing.assert_array_equal(
        running_median(values, width), ndimage.median_filter(values, size=width)
    )
    expected = [ndimage.percentile_filter(values, level, size=width) for level in LEVELS]
    np.testing.assert_array_equal(running_percentiles(values, width, LEVELS), expected)


@pytest.mark.parametrize("n", [1, 2, 7, 30])
@pytest.mark.parametrize("width", [1, 2, 5, 64, 301])
def test_windows_wider_than_the_sequence_are_mirrored_again(n, width):
    # SciPy 1.17 reads beyond its arrays here.
    values = np.random.default_rng(n + width).normal(size=n)
    mirrored = np.pad(values, (width // 2, width - 1 - width // 2), mode="symmetric")
    windows = np.sort(np.lib.stride_tricks.sliding_window_view(mirrored, width), axis=1)
    np.testing.assert_array_equal(running_maximum(values, width), windows[:, -1])
    np.testing.assert_array_equal(running_median(values, width), windows[:, width // 2])
    ranks = [min(int(width * level / 100), width - 1) for level in LEVELS]
    np.testing.assert_array_equal(running_percentiles(values, width, LEVELS), windows[:, ranks].T)


def test_constant_step_and_spike():
    values = np.repeat([1.0, 2.0], 20)
    values[7] = 50
    np.testing.assert_array_equal(running_median(values, 5), np.repeat([1.0, 2.0], 20))
    high = running_maximum(values, 3)
    assert list(np.nonzero(high == 50)[0]) == [6, 7, 8]


def test_nothing_and_other_types():
    assert running_maximum([], 3).shape == (0,)
    assert running_percentiles([], 3, [5, 95]).shape == (2, 0)
    values = np.arange(10, dtype=">f4")[::-1]
    np.testing.assert_array_equal(running_median(values, 3)[1:-1], values[1:-1])


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="NaN"):
        running_maximum([1, np.nan], 3)
    with pytest.raises(ValueError, match="positive, found 0"):
        running_median([1.0], 0)
    with pytest.raises(ValueError, match="between 0 and 100"):
        running_percentiles([1.0], 3, [50, 101])
    with pytest.raises(ValueError, match="expected a sequence"):
        running_median(np.ones((2, 2)), 3)
