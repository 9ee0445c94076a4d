"""The bindings of the star and background kernels refuse arrays that do not fit."""

from __future__ import annotations

import numpy as np
import pytest

from webbweave._kernels import background, star_finder, star_refine

F4, U1 = np.zeros((6, 8), dtype=np.float32), np.zeros((6, 8), dtype=np.uint8)
SQUARE = np.ones((3, 3))
IMAGE = {"value": F4, "mask": None}
KERNEL = {"gauss": SQUARE, "kernel": SQUARE, "inside": SQUARE.astype(np.uint8), "sigma": 1.0}
ROWS = {"row_start": 0, "row_stop": 6}


def correlate(**change):
    own = {"out": F4.copy(), "missing": star_finder.MISSING_POISON}
    star_finder.star_correlate(**IMAGE | KERNEL | ROWS | own | change)


def peaks(**change):
    own = {
        "correlation": F4,
        "mask": None,
        "pixel": np.zeros(4, dtype=np.uint64),
        "threshold": 0.0,
        "radius": 1,
        "ties": 0,
    }
    return star_finder.star_peaks(**ROWS | own | change)


def measure(**change):
    own = {
        "correlation": F4,
        "pixel": np.array([20], dtype=np.uint64),
        "out": np.zeros((1, star_finder.COLUMNS)),
        "method": star_finder.DAOFIND,
        "missing": star_finder.MISSING_FIT,
        "start": 0,
        "stop": 1,
    }
    star_finder.star_measure(**IMAGE | KERNEL | own | change)


def refine(**change):
    own = {
        "place": np.ones((1, 2)),
        "out": np.zeros((1, star_refine.COLUMNS)),
        "half": 2,
        "sigma": 1.0,
        "start": 0,
        "stop": 1,
    }
    star_refine.star_refine(**IMAGE | own | change)


def boxes(**change):
    own = {
        "median": np.zeros(4),
        "rms": np.zeros(4),
        "count": np.zeros(4, dtype=np.uint32),
        "box": 4,
        "clip": 3.0,
        "max_round": 5,
        "box_start": 0,
        "box_stop": 4,
    }
    background.background_boxes(**IMAGE | own | change)


def rows(**change):
    own = {
        "coef": np.zeros((2, 2)),
        "index_y": np.zeros((6, 4), dtype=np.uint32),
        "weight_y": np.zeros((6, 4)),
        "index_x": np.zeros((8, 4), dtype=np.uint32),
        "weight_x": np.zeros((8, 4)),
        "value": None,
        "mask": None,
        "out": F4.copy(),
        "low": 0.0,
        "high": 1.0,
    }
    background.background_rows(**ROWS | own | change)


WRONG = [
    (correlate, {"value": F4.astype(float)}, TypeError),
    (correlate, {"mask": U1[:4]}, ValueError),
    (correlate, {"gauss": np.ones((4, 4))}, ValueError),
    (correlate, {"gauss": np.ones((3, 5))}, ValueError),
    (correlate, {"kernel": np.ones((5, 5))}, ValueError),
    (correlate, {"out": F4[:, :4]}, ValueError),
    (correlate, {"row_stop": 7}, IndexError),
    (correlate, {"missing": 9}, ValueError),
    (peaks, {"radius": -1}, ValueError),
    (peaks, {"row_start": -1}, IndexError),
    (peaks, {"ties": 9}, ValueError),
    (peaks, {"pixel": np.zeros(4)}, TypeError),
    (measure, {"pixel": np.array([48], dtype=np.uint64)}, IndexError),
    (measure, {"stop": 2}, IndexError),
    (measure, {"out": np.zeros((1, 3))}, ValueError),
    (measure, {"method": 9}, ValueError),
    (measure, {"correlation": F4[:3]}, ValueError),
    (refine, {"half": 0}, ValueError),
    (refine, {"sigma": 0.0}, ValueError),
    (refine, {"stop": 2}, IndexError),
    (refine, {"place": np.ones((1, 3))}, ValueError),
    (refine, {"mask": U1[:, :3]}, ValueError),
    (boxes, {"box": 0}, ValueError),
    (boxes, {"clip": 0.0}, ValueError),
    (boxes, {"box": 5, "box_stop": 5}, IndexError),
    (boxes, {"box": 6, "box_stop": 4}, IndexError),
    (boxes, {"rms": np.zeros(3)}, ValueError),
    (rows, {"row_stop": 7}, IndexError),
    (rows, {"index_x": np.full((8, 4), 2, dtype=np.uint32)}, IndexError),
    (rows, {"weight_y": np.zeros((5, 4))}, ValueError),
    (rows, {"value": F4.astype(float)}, TypeError),
]


@pytest.mark.parametrize(("call", "change", "error"), WRONG)
def test_arrays_that_do_not_fit(call, change, error):
    call()
    with pytest.raises(error):
        call(**change)


def test_medians():
    rng = np.random.default_rng(1)
    for size in ((1, 1), (3, 4), (7, 9)):
        value = rng.standard_normal(size).astype(np.float32)
        assert background.masked_median(value, None) == pytest.approx(np.median(value), rel=1e-7)
        mask = (rng.random(size) < 0.4).astype(np.uint8)
        if not mask.all():
            expected = np.median(value[mask == 0])
            assert background.masked_median(value, mask) == pytest.approx(expected, rel=1e-6)
    assert np.isnan(background.masked_median(F4, U1 + 1))
    with pytest.raises(ValueError, match="mask"):
        background.masked_median(F4, U1[:2])
