"""The binding of the offset histogram: against numpy, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from webbweave._kernels.offset_histogram import offset_histogram


def call(ref, img, size=7, bin_size=0.5, reach=3.5, start=0, stop=None, **change):
    count = np.zeros((size, size), np.uint32)
    arrays = {
        "ref_x": np.ascontiguousarray(ref[:, 0]),
        "ref_y": np.ascontiguousarray(ref[:, 1]),
        "img_x": np.ascontiguousarray(img[:, 0]),
        "img_y": np.ascontiguousarray(img[:, 1]),
        "count": count,
    } | change
    offset_histogram(
        *arrays.values(),
        bin_size=bin_size,
        reach=reach,
        ref_start=start,
        ref_stop=len(ref) if stop is None else stop,
    )
    return arrays["count"]


@pytest.fixture
def points():
    rng = np.random.default_rng(3)
    return rng.uniform(0, 9, (120, 2)), rng.uniform(0, 9, (150, 2))


def test_counts_are_those_of_numpy(points):
    ref, img = points
    offsets = (img[None] - ref[:, None]).reshape(-1, 2) / 0.5
    edges = np.arange(8) - 3.5
    expected, _, _ = np.histogram2d(offsets[:, 1], offsets[:, 0], bins=(edges, edges))
    np.testing.assert_array_equal(call(ref, img), expected)
    parts = call(ref, img, stop=50) + call(ref, img, start=50)
    np.testing.assert_array_equal(parts, expected)


def test_adds_to_what_is_there_and_reads_only(points):
    ref, img = points
    x = np.ascontiguousarray(ref[:, 0])
    x.flags.writeable = False
    first = call(ref, img, ref_x=x).copy()
    again = call(ref, img, count=first.copy())
    np.testing.assert_array_equal(again, 2 * first)


def test_no_points_no_pairs(points):
    ref, _ = points
    none = np.empty((0, 2))
    assert not call(ref, none).any()
    assert not call(none, ref).any()


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"ref_x": np.zeros(3, np.float32)}, TypeError, "ref_x .* float64"),
        ({"ref_y": np.zeros(3)}, ValueError, "ref_y .* shape"),
        ({"img_y": np.zeros(3)}, ValueError, "img_y .* shape"),
        ({"count": np.zeros((7, 6), np.uint32)}, ValueError, "count .* shape"),
        ({"count": np.zeros((7, 7), np.int64)}, TypeError, "count .* uint32"),
        ({"size": 6}, ValueError, "too small"),
        ({"bin_size": 0.0}, ValueError, "option"),
        ({"reach": 3.6}, ValueError, "option"),
        ({"reach": np.nan}, ValueError, "option"),
        ({"start": 5, "stop": 4}, IndexError, "5:4"),
        ({"stop": 121}, IndexError, "120 references"),
    ],
)
def test_refuses(points, change, error, match):
    with pytest.raises(error, match=match):
        call(*points, **change)
