"""Uniform B-splines: against SciPy, against stored values, and least squares on them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import BSpline

from webbweave.slit_combine.splines import design, fit_design, spline_values


def scipy_basis(x, n_function, low, high):
    inner = np.linspace(low, high, n_function - 2)
    knots = np.concatenate([[low] * 3, inner, [high] * 3])
    return BSpline.design_matrix(x, knots, 3).toarray()


@pytest.mark.parametrize("n_function", [4, 5, 11, 51])
def test_basis_is_that_of_scipy(n_function):
    x = np.random.default_rng(n_function).uniform(-1.6, 1.6, 300)
    x[:2] = -1.6, 1.6
    expected = scipy_basis(x, n_function, -1.6, 1.6)
    rows = design(x, n_function, -1.6, 1.6)
    np.testing.assert_allclose(rows.dense(), expected, atol=1e-15)
    np.testing.assert_allclose(rows.dense().sum(axis=1), 1)
    c = np.cos(np.arange(n_function))
    np.testing.assert_allclose(rows.evaluate(c), expected @ c, atol=1e-14)
    np.testing.assert_allclose(spline_values(x, c, -1.6, 1.6), expected @ c, atol=1e-14)


@pytest.mark.parametrize("n_function", [4, 7, 13, 51])
def test_basis_of_the_peer(shared_dir, n_function):
    stored = np.load(shared_dir / "oracle/slit_combine/01_helpers.npz")
    x, expected = stored["bspl_x"], stored[f"bspl_{n_function}"]
    clipped = design(x, n_function, 0, 1, clip=True).dense()
    np.testing.assert_allclose(clipped, expected, atol=1e-15)
    np.testing.assert_array_equal(clipped == 0, expected == 0)
    # What msaexp takes away is small, but not nothing.
    unclipped = design(x, n_function, 0, 1).dense()
    assert 0 < np.abs(unclipped - expected).max() < 1e-4


def test_clipping_depends_on_the_sample_and_ends_with_a_nan():
    x = np.array([0.001, 0.3, 0.9])
    whole = design(x, 5, 0, 1).dense()
    clipped = design(x, 5, 0, 1, clip=True).dense()
    taken = whole != clipped
    assert taken.any()
    assert (whole[taken] < 1e-4 * whole.max(axis=0)[np.nonzero(taken)[1]]).all()
    np.testing.assert_array_equal(design(x[:1], 5, 0, 1, clip=True).dense(), whole[:1])
    with_nan = design([*x, np.nan], 5, 0, 1, clip=True)
    np.testing.assert_array_equal(with_nan.dense()[:3], whole)
    c = np.arange(5.0)
    np.testing.assert_allclose(spline_values(x, c, 0, 1, clip=True), clipped @ c)


def test_outside_is_zero_and_nan_stays():
    x = np.array([[-0.01, 0.5], [1.01, np.nan]])
    values = spline_values(x, np.ones(6), 0, 1)
    np.testing.assert_allclose(values, [[0, 1], [0, np.nan]])
    assert np.isnan(design(x, 6, 0, 1).values[3]).all()


def test_sets_of_coefficients_and_any_shape():
    x = np.linspace(0, 1, 24).reshape(2, 3, 4)
    c = np.random.default_rng(1).normal(size=(9, 2))
    values = spline_values(x, c, 0, 1)
    assert values.shape == (2, 3, 4, 2)
    np.testing.assert_allclose(values[..., 1], spline_values(x, c[:, 1], 0, 1))
    assert spline_values(np.zeros((0, 2)), c, 0, 1).shape == (0, 2, 2)
    assert spline_values(0.5, np.ones(4), 0, 1) == pytest.approx(1)


def test_inputs_of_any_layout_are_not_changed():
    big = np.linspace(0, 1, 40, dtype=">f4")[::2]
    before = big.copy()
    values = spline_values(big, np.ones(4, np.float32), 0, 1)
    np.testing.assert_allclose(values, 1)
    np.testing.assert_array_equal(big, before)


def test_selected_and_scaled_rows():
    x = np.linspace(0, 1, 50)
    rows = design(x, 8, 0, 1)
    part = rows.select(x > 0.5).scaled(2 * x[x > 0.5])
    np.testing.assert_allclose(part.dense(), (rows.dense() * 2 * x[:, None])[x > 0.5])
    np.testing.assert_allclose(rows.scaled(3).dense(), 3 * rows.dense())


def test_fit_is_least_squares():
    rng = np.random.default_rng(5)
    x, y, weight = rng.uniform(size=400), rng.normal(size=400), rng.uniform(0.1, 3, 400)
    rows = design(x, 12, 0, 1)
    fit = fit_design(rows, y, weight)
    root = np.sqrt(weight)[:, None]
    expected, *_ = np.linalg.lstsq(rows.dense() * root, y * root[:, 0])
    np.testing.assert_allclose(fit.coefficients, expected, rtol=1e-10)
    normal = (rows.dense() * root).T @ (rows.dense() * root)
    np.testing.assert_allclose(fit.covariance, np.linalg.inv(normal), rtol=1e-8, atol=1e-12)
    assert fit.kept.all()


def test_fit_leaves_out_what_is_not_wanted_and_what_is_not_known():
    x = np.linspace(0.35, 1, 300)
    rows = design(x, 13, 0, 1)
    keep = np.arange(13) != 7
    fit = fit_design(rows, np.sin(5 * x), np.full(300, 4.0), keep=keep)
    known = keep & (rows.dense().max(axis=0) > 1e-5)
    np.testing.assert_array_equal(fit.kept, known)
    expected, *_ = np.linalg.lstsq(rows.dense()[:, known], np.sin(5 * x))
    np.testing.assert_allclose(fit.coefficients[known], expected, atol=1e-9)
    assert not fit.coefficients[~known].any()
    assert not fit.covariance[~known].any()
    assert not fit.covariance[:, ~known].any()


def test_fit_of_one_and_of_no_sample():
    empty = fit_design(design([], 5, 0, 1), [], [])
    assert not empty.kept.any()
    one = fit_design(design([0.0], 5, 0, 1), [3.0], [0.25])
    np.testing.assert_allclose(one.coefficients, [3, 0, 0, 0, 0])
    assert one.covariance[0, 0] == pytest.approx(4)


def test_errors_of_coefficients_are_those_of_the_noise():
    rng = np.random.default_rng(11)
    x = np.sort(rng.uniform(size=600))
    sigma = 0.1 + x
    rows = design(x, 7, 0, 1)
    truth = np.linspace(1, 2, 7)
    pulls = []
    for _ in range(200):
        fit = fit_design(rows, rows.evaluate(truth) + rng.normal(0, sigma), sigma**-2)
        pulls.append((fit.coefficients - truth) / np.sqrt(np.diag(fit.covariance)))
    assert np.abs(np.mean(pulls, axis=0)).max() < 4 / np.sqrt(200)
    np.testing.assert_allclose(np.std(pulls, axis=0), 1, atol=0.2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((3, 0, 1), "at least 4 functions, asked for 3"),
        ((5, 1, 1), "low 1 and high 1"),
        ((5, 0, np.inf), "high inf"),
        ((5, np.nan, 1), "low nan"),
    ],
)
def test_bad_bases_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        design([0.5], *arguments)


def test_bad_coefficients_and_samples_are_refused():
    rows = design(np.linspace(0, 1, 9), 5, 0, 1)
    with pytest.raises(ValueError, match="expected 5 coefficients"):
        rows.evaluate(np.ones(6))
    with pytest.raises(ValueError, match="one or two axes"):
        spline_values([0.5], np.ones((4, 2, 2)), 0, 1)
    with pytest.raises(ValueError, match="one number for each of 9 rows"):
        fit_design(rows, np.ones(8), np.ones(9))
    with pytest.raises(ValueError, match="must be finite"):
        fit_design(rows, np.full(9, np.nan), np.ones(9))
    with pytest.raises(ValueError, match="not negative"):
        fit_design(rows, np.ones(9), -np.ones(9))
    with pytest.raises(ValueError, match="expected 5 bool in keep"):
        fit_design(rows, np.ones(9), np.ones(9), keep=np.ones(4, bool))
