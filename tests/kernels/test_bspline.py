"""The bindings of the spline fit: what they refuse, and what they write."""

from __future__ import annotations

import numpy as np
import pytest

from webbweave._kernels import bspline, bspline_scale

SHAPE = (12, 20)
N_INTERVAL = 8


def made_up():
    """The arrays of a call that works, in order."""
    alpha = np.arange(20.0) + np.arange(12)[:, None] / 12
    n, room = SHAPE[0], bspline.room(N_INTERVAL)
    return {
        "alpha": alpha,
        "flux": np.exp(-0.5 * ((alpha - 10) / 3) ** 2),
        "error": np.ones(SHAPE),
        "divisor": np.ones(n),
        "wanted": np.ones(n, bool),
        "knots": np.zeros((n, room)),
        "coefficients": np.zeros((n, room)),
        "n_knot": np.zeros(n, np.int32),
        "lower": np.zeros(n),
        "upper": np.zeros(n),
        "flags": np.zeros(n, np.uint8),
        "n_point": np.zeros(n, np.int32),
        "n_rejected": np.zeros(n, np.int32),
        "covariance": np.zeros((n, room, 4), np.float32),
    }


def fit(arrays, **replaced):
    options = {
        "single": False,
        "compat": False,
        "n_interval": N_INTERVAL,
        "n_iteration": 2,
        "sigma_low": 3.0,
        "sigma_high": 3.0,
        "space_ratio": 1.2,
        "n_left": 3,
        "n_right": 3,
        "min_valid": 5,
        "is_retried": True,
        "is_weighted": False,
        "is_tapered": False,
        "start": 0,
        "stop": SHAPE[0],
    }
    bspline.fit_columns(*arrays.values(), **(options | replaced))


def scale(arrays, **replaced):
    names = ("alpha", "flux", "error", "knots", "coefficients", "n_knot", "lower", "upper")
    n = SHAPE[0]
    given = {name: arrays[name] for name in names} | {
        "model": np.arange(n, dtype=np.int32),
        "scale": np.zeros(n),
        "chi2": np.zeros(n, np.float32),
        "scale_error": np.zeros(n),
        "flags": arrays["flags"],
    }
    given |= {name: value for name, value in replaced.items() if name in given}
    rest = {"compat": False, "start": 0, "stop": n}
    rest |= {name: value for name, value in replaced.items() if name in rest}
    bspline_scale.scale_columns(*given.values(), **rest)
    return given


def test_columns_and_scales():
    arrays = made_up()
    fit(arrays)
    assert np.all(arrays["n_knot"] == N_INTERVAL - 1 + 8)
    assert np.all(arrays["n_point"][3:-3] == 7 * 20)
    assert np.all(arrays["covariance"][:, : N_INTERVAL + 3, 0] > 0)
    found = scale(arrays)
    np.testing.assert_allclose(found["scale"], 1, rtol=0.02)
    assert np.all(found["scale_error"] > 0)


def test_what_may_be_missing():
    arrays = made_up() | dict.fromkeys(["error", "divisor", "wanted", "covariance"])
    fit(arrays)
    assert np.all(arrays["n_knot"] > 0)
    found = scale(arrays, scale_error=None)
    np.testing.assert_allclose(found["scale"], 1, rtol=0.02)
    assert np.isnan(found["chi2"]).all()


@pytest.mark.parametrize("name", [name for name in made_up() if name not in ("alpha", "error")])
def test_wrong_arrays_are_refused(name):
    arrays = made_up()
    with pytest.raises(ValueError, match=f"{name} has shape"):
        fit(arrays | {name: arrays[name][:5]})
    with pytest.raises(TypeError, match=f"{name} must be an array of"):
        fit(arrays | {name: arrays[name].astype("S3")})


@pytest.mark.parametrize(
    ("replaced", "error"),
    [
        ({"stop": SHAPE[0] + 1}, IndexError),
        ({"start": 3, "stop": 2}, IndexError),
        ({"n_interval": 0}, ValueError),
        ({"n_interval": 9}, ValueError),  # no room for so many knots
        ({"sigma_high": np.nan}, ValueError),
        ({"n_left": -1}, OverflowError),
    ],
)
def test_misuse_is_refused(replaced, error):
    with pytest.raises(error):
        fit(made_up(), **replaced)


def test_weights_need_errors():
    with pytest.raises(ValueError, match="invalid value"):
        fit(made_up() | {"error": None}, is_weighted=True)


def test_wrong_models_are_refused():
    arrays = made_up()
    with pytest.raises(IndexError):
        scale(arrays)  # there are no splines yet
    fit(arrays)
    with pytest.raises(IndexError):
        scale(arrays, model=np.full(SHAPE[0], SHAPE[0], np.int32))
    with pytest.raises(IndexError):
        scale(arrays, stop=SHAPE[0] + 1)
    with pytest.raises(ValueError, match="model has shape"):
        scale(arrays, model=np.zeros(2, np.int32))
    read_only = np.zeros(SHAPE[0])
    read_only.flags.writeable = False
    with pytest.raises(ValueError, match="scale must be writable"):
        scale(arrays, scale=read_only)


def test_fit_of_samples():
    room = bspline.room(5)
    arrays = [np.arange(50.0), np.arange(50.0) ** 2, np.zeros(room), np.zeros(room)]
    options = {
        "n_interval": 5,
        "n_iteration": 1,
        "sigma_low": 3.0,
        "sigma_high": 3.0,
        "space_ratio": 1.2,
        "compat": False,
        "single": False,
    }
    assert bspline.fit_samples(*arrays, None, **options) == (bspline.FITTED, 12, 0, False)
    with pytest.raises(ValueError, match="y has shape"):
        bspline.fit_samples(arrays[0], arrays[1][1:], *arrays[2:], None, **options)
    with pytest.raises(ValueError, match="knots has shape"):
        bspline.fit_samples(*arrays[:2], arrays[2][1:], arrays[3], None, **options)
    with pytest.raises(ValueError, match="invalid value"):
        bspline.fit_samples(arrays[0][::-1].copy(), *arrays[1:], None, **options)
