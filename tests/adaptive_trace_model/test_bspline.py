"""bspline_fit: known curves, outliers, gaps, what jwst's tests claim, and its stored results."""

from __future__ import annotations

import json
import logging

import numpy as np
import pytest
from scipy.interpolate import make_lsq_spline

from webbweave.adaptive_trace_model.bspline import bspline_fit

LOGGER = "webbweave.adaptive_trace_model.bspline"


def gaussian(x, centre, sigma):
    return np.exp(-0.5 * ((x - centre) / sigma) ** 2)


@pytest.mark.parametrize("compat", [False, True])
def test_flat_data(compat):
    x = np.arange(100.0)
    spline = bspline_fit(x, np.full(100, 3.5), compat=compat)
    np.testing.assert_allclose(spline(x), 3.5, rtol=1e-7)


@pytest.mark.parametrize("compat", [False, True])
def test_default_knots_follow_a_profile(compat):
    x = np.linspace(-20, 20, 1000)
    y = gaussian(x, 1.0, 3.0) + 0.1
    spline = bspline_fit(x, y, compat=compat)
    np.testing.assert_allclose(spline(x), y, rtol=1e-3)


@pytest.mark.parametrize("compat", [False, True])
def test_many_knots_follow_spikes(compat):
    x = np.arange(100.0)
    y = np.where(np.arange(100) % 10 == 5, 2.0, 1.0)
    spline = bspline_fit(x, y, nbkpts=90, wrapiter=1, compat=compat)
    assert np.abs(spline(x) - y).max() < 0.3


@pytest.mark.parametrize("compat", [False, True])
def test_one_far_point_is_rejected(compat):
    x = np.linspace(0, 10, 1000)
    y = 2.0 + gaussian(x, 5.0, 1.0)
    y[500] = 100.0
    spline = bspline_fit(x, y, wrapiter=5, compat=compat)
    away = np.abs(x - x[500]) > 0.5
    np.testing.assert_allclose(spline(x[away]), 2.0 + gaussian(x[away], 5.0, 1.0), rtol=1e-3)


@pytest.mark.parametrize("compat", [False, True])
def test_too_few_or_sparse_samples_give_none(compat):
    gaps = np.concatenate([np.linspace(50 * k, 50 * k + 1, 20) for k in range(20)])
    assert bspline_fit(gaps, np.ones(400), compat=compat) is None
    assert bspline_fit(np.arange(10.0), np.ones(10), compat=compat) is None
    y = np.where(np.arange(100) % 5 < 2, np.nan, 1.0)
    assert bspline_fit(np.arange(100.0), y, compat=compat) is None
    assert bspline_fit(np.arange(100.0), np.ones(100), wrapiter=0, compat=compat) is None


def test_fewer_than_ten_samples():
    assert bspline_fit([], []) is None
    assert bspline_fit(np.arange(9.0), np.ones(9)) is None
    assert bspline_fit([np.nan] * 50, np.ones(50)) is None
    with pytest.raises(ValueError, match="at least 10 samples that are finite, found 0"):
        bspline_fit([], [], compat=True)


def test_iterations_are_logged(caplog):
    x = np.arange(100.0)
    y = np.ones(100)
    y[10] = 100.0
    with caplog.at_level(logging.INFO, LOGGER):
        spline = bspline_fit(x, y, wrapiter=2, verbose=True, compat=True)
    # The outlier pulls its neighbours far enough away to lose them as well.
    assert [record.getMessage() for record in caplog.records] == ["Iter 0 Rejected 3 Kept 97"]
    away = np.abs(x - 10) > 5
    np.testing.assert_allclose(spline(x[away]), 1.0, rtol=1e-3)
    caplog.clear()
    with caplog.at_level(logging.INFO, LOGGER):
        bspline_fit(x, y, wrapiter=2, compat=True)
    assert not caplog.records


@pytest.mark.parametrize("compat", [False, True])
def test_too_many_outliers_stop_the_iteration(caplog, compat):
    x = np.arange(100.0)
    y = np.where(np.arange(100) % 5 == 0, 10.0, 1.0)
    with caplog.at_level(logging.INFO, LOGGER):
        spline = bspline_fit(x, y, 10, 0.5, 0.5, wrapiter=10, verbose=True, compat=compat)
    assert "Stopping iteration: too many points rejected" in caplog.text
    assert "Iter 9" not in caplog.text
    assert spline(x).mean() > 1


def test_noise_is_averaged():
    rng = np.random.default_rng(11)
    x = np.sort(rng.uniform(-3, 3, 4000))
    truth = gaussian(x, 0.2, 0.6)
    y = truth + rng.normal(0, 0.02, 4000)
    y[rng.choice(4000, 40, replace=False)] += 1.0
    spline = bspline_fit(x, y, nbkpts=40)
    # 40 outliers are gone; 43 coefficients from 4000 samples leave a tenth of the noise.
    assert np.std(spline(x) - truth) < 1.15 * 0.02 * np.sqrt(43 / 4000)


@pytest.mark.parametrize("compat", [False, True])
def test_least_squares_are_those_of_scipy(compat):
    rng = np.random.default_rng(12)
    x = np.linspace(1, 3, 500) + rng.uniform(-0.001, 0.001, 500)
    y = np.sin(5 * x) + rng.normal(0, 0.1, 500)
    spline = bspline_fit(x, y, 15, wrapiter=1, compat=compat)
    # jwst loses the first sample, which is far from zero.
    used = slice(1, None) if compat else slice(None)
    other = make_lsq_spline(x[used], y[used], spline.t)
    np.testing.assert_allclose(spline.c, other.c, rtol=1e-11)


def test_knots_are_equally_spaced_by_default():
    x = np.linspace(5, 7, 300)
    spline = bspline_fit(x, np.sin(x), 20, wrapiter=1)
    np.testing.assert_allclose(spline.t[4:-4], 5 + 0.1 * (np.arange(19) + 0.5), rtol=1e-14)
    assert np.array_equal(spline.t[[0, 3, -4, -1]], [5, 5, 7, 7])
    # The place of zero does not matter.
    shifted = bspline_fit(x - 6, np.sin(x), 20, wrapiter=1)
    np.testing.assert_allclose(shifted.t + 6, spline.t, rtol=1e-14)
    np.testing.assert_allclose(shifted.c, spline.c, rtol=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_knots_of_jwst_are_a_floating_point_range(dtype):
    rng = np.random.default_rng(13)
    extra = 0
    for _ in range(200):
        first, width, n = rng.uniform(-1, 0), rng.uniform(0.1, 4), int(rng.integers(5, 80))
        x = np.linspace(first, first + width, 40 * n).astype(dtype)
        spline = bspline_fit(x, np.zeros(len(x)), n, wrapiter=1, compat=True, space_ratio=9)
        low, high = dtype(spline.t[0]), dtype(spline.t[-1])
        spacing = (high - low) / n
        expected = np.arange(low + spacing / 2, high - spacing / 2, spacing)
        assert len(spline.t) == len(expected) + 8
        assert np.abs(spline.t[4:-4] - expected).max() < 4 * np.spacing(dtype(4))
        extra += len(expected) == n
    assert 10 < extra < 100


def test_an_end_without_samples_is_no_trouble():
    x = np.concatenate([[0.0, 0.001], np.linspace(1.1, 10, 500)])
    y = 2 + gaussian(x, 6, 1)
    spline = bspline_fit(x, y, 20, space_ratio=50, wrapiter=1)
    assert len(spline.t) == 19 + 8 - 2  # two knots less
    np.testing.assert_allclose(spline(x[2:]), y[2:], rtol=1e-2)
    assert np.abs(spline.c).max() < 10


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0, 2.0], [1.0]), r"shapes \(2,\) and \(1,\)"),
        ((np.ones((2, 2)), np.ones((2, 2))), r"found shapes \(2, 2\)"),
        (([2.0, 1.0], [1.0, 1.0]), "ascending"),
        ((np.arange(9.0), np.ones(9), 0), "nbkpts must be at least 1, found 0"),
        ((np.arange(9.0), np.ones(9), 5, np.nan), "must not be NaN"),
        ((np.arange(9.0), np.ones(9), 5, 3, 3, -1), "wrapiter must be at least 0, found -1"),
    ],
)
def test_misuse_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        bspline_fit(*arguments)


def test_jwst_has_no_spline_for_samples_out_of_order():
    assert bspline_fit(np.arange(100.0)[::-1], np.ones(100), compat=True) is None


def test_inputs_are_left_alone():
    x, y = np.arange(100.0), np.ones(100)
    y[10] = 50
    before = x.copy(), y.copy()
    x.flags.writeable = y.flags.writeable = False
    assert bspline_fit(x, y) is not None
    assert np.array_equal(x, before[0])
    assert np.array_equal(y, before[1])


def test_what_scipy_makes_of_missing_samples_is_reproduced_for_jwst():
    pytest.importorskip("scipy", minversion="1.15", reason="solves by rotations since then")
    x = np.concatenate([[0.0, 0.001], np.linspace(1.1, 10, 500)])
    y = 2 + gaussian(x, 6, 1)
    spline = bspline_fit(x, y, 20, space_ratio=50, wrapiter=1, compat=True)
    used = np.arange(502) != 2  # lies beyond the gap
    theirs = make_lsq_spline(x[used], y[used], spline.t)
    np.testing.assert_allclose(spline.c, theirs.c, rtol=1e-9)
    # Nothing is known of the basis function in the gap, and yet there is a number.
    gap = (spline.t[2:-2] > 0.3) & (spline.t[2:-2] < 0.8)
    assert np.isfinite(spline.c[gap]).all()


def test_stored_results_of_jwst(shared_dir):
    cases = np.load(shared_dir / "oracle" / "adaptive_trace_model" / "bspline_cases.npz")
    for i, case in enumerate(json.loads(str(cases["meta"]))):
        if case.get("none"):
            try:
                spline = bspline_fit(cases[f"x{i}"], cases[f"y{i}"], compat=True, **case["kw"])
            except ValueError:
                spline = None
            assert spline is None, i
        else:
            spline = bspline_fit(cases[f"x{i}"], cases[f"y{i}"], compat=True, **case["kw"])
            size = np.abs(cases[f"c{i}"]).max()  # up to 1e69 where samples are missing
            assert np.array_equal(spline.t, cases[f"t{i}"]), i
            np.testing.assert_allclose(spline.c / size, cases[f"c{i}"] / size, atol=1e-12)
