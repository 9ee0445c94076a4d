"""What the bindings of the kernels of slitlets refuse, and edges of what they take."""

from __future__ import annotations

import numpy as np
import pytest

from webbweave._kernels.slit_nods import nod_mean
from webbweave._kernels.slit_profile import Samples, objective, profile, slopes
from webbweave._kernels.slit_samples import list_samples

NO_WINGS = np.empty((0, 3))
TRACE = np.zeros(1)


def samples(**kwargs):
    """Two columns, of three pixels and of none, with one sample each."""
    arrays = {
        "column_start": np.array([0, 3, 3]),
        "sample_start": np.array([0, 3, 3]),
        "x": np.array([-0.25, 0.25]),
        "diff": np.array([1.0, 3.0, 1.0]),
        "inverse_error": np.ones(3),
        "weight": np.ones(3),
        "pixel": np.arange(3),
        "y": np.array([-1.0, 0.0, 1.0]),
        "spread": np.full(3, 0.3),
        "share": np.ones(3),
    }
    return Samples(*{**arrays, **kwargs}.values())


def value_of(arrays, **kwargs):
    settings = {"positive": False, "huber": 7.0, **kwargs}
    return objective(arrays, 0.5, TRACE, None, NO_WINGS, None, **settings)


def test_objective_of_a_perfect_profile_is_zero():
    values = np.empty(3)
    slopes(samples(), 0.5, TRACE, None, NO_WINGS, values, None, positive=False)
    assert value_of(samples(diff=7.0 * values)) == pytest.approx(0.0, abs=1e-12)
    assert value_of(samples()) > 0.01


def test_nothing_is_zero():
    empty = np.empty(0)
    nothing = samples(
        column_start=np.zeros(3, np.int64),
        sample_start=np.zeros(3, np.int64),
        pixel=np.empty(0, np.int64),
        **dict.fromkeys(("diff", "inverse_error", "weight", "y", "spread", "share"), empty),
    )
    assert value_of(nothing) == 0.0


def test_outliers_pull_linearly():
    far, farther = (value_of(samples(diff=np.array([1.0, 3.0, d]))) for d in (1e4, 2e4))
    assert farther / far == pytest.approx(2.0, rel=0.01)
    assert value_of(samples(diff=np.array([1.0, 3.0, 1e4])), huber=1e9) > 100 * far


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"diff": np.ones(3, np.float32)}, TypeError, "diff must be an array of float64"),
        ({"y": np.ones(6)[::2]}, ValueError, "y must be C-contiguous"),
        ({"weight": np.ones(2)}, ValueError, r"weight has shape \(2,\)"),
        ({"column_start": np.array([0, 3])}, ValueError, "column_start has shape"),
        ({"column_start": np.array([0, 3, 2])}, IndexError, "fit together"),
        ({"sample_start": np.array([0, 4, 3])}, IndexError, "fit together"),
        ({"sample_start": np.array([0, 2, 3])}, IndexError, "fit together"),
        ({"pixel": np.array([0, 1, 3])}, IndexError, "fit together"),
        ({"pixel": np.array([0, -1, 2])}, IndexError, "fit together"),
        ({"sample_start": np.array([0.0, 3, 3])}, TypeError, "int64"),
    ],
)
def test_wrong_samples_are_refused(kwargs, error, message):
    with pytest.raises(error, match=message):
        samples(**kwargs)


def test_wrong_outputs_are_refused():
    out = np.empty((3, 2))
    with pytest.raises(ValueError, match=r"out has shape \(3, 2\)"):
        profile(np.zeros(3), np.ones(3), 0.5, None, NO_WINGS, out)
    with pytest.raises(ValueError, match="slopes has shape"):
        objective(
            samples(), 0.5, TRACE, None, NO_WINGS, np.empty((1, 5)), positive=False, huber=7.0
        )
    with pytest.raises(TypeError, match="None"):
        objective(None, 0.5, TRACE, None, NO_WINGS, None, positive=False, huber=7.0)
    out = np.empty((3, 3))
    out.setflags(write=False)
    with pytest.raises(ValueError, match="out must be writable"):
        profile(np.zeros(3), np.ones(3), 0.5, None, NO_WINGS, out)
    with pytest.raises(ValueError, match="wings has shape"):
        profile(np.zeros(3), np.ones(3), 0.5, None, np.empty((1, 2)), np.empty((3, 3)))


def test_masked_nods_are_not_looked_at():
    planes = [np.full((2, 3), value) for value in (5.0, 1.0, 4.0, 2.0)]
    planes[0][1] = np.nan
    mask = np.array([[1, 1, 0], [0, 0, 0]], np.uint8)
    out = np.empty((4, 3))
    nod_mean(*planes, mask, mask, np.ones(2, np.uint8), out, rounds=False)
    np.testing.assert_array_equal(out[:, :2].T, [[5.0, 1.0, 4.0, 2.0]] * 2)
    assert np.isnan(out[:, 2]).all()
    with pytest.raises(ValueError, match=r"chosen has shape \(3,\)"):
        nod_mean(*planes, mask, mask, np.ones(3, np.uint8), out, rounds=False)


def test_moved_samples_share_all_but_their_places():
    still, y = samples(), np.array([-0.5, 0.5, 1.5])
    assert value_of(still.moved(y)) == value_of(samples(y=y))
    assert value_of(still.moved(y).moved(np.array([-1.0, 0.0, 1.0]))) == value_of(still)
    assert value_of(still.moved(y)) != value_of(still)
    with pytest.raises(ValueError, match=r"y has shape \(2,\)"):
        still.moved(np.zeros(2))
    with pytest.raises(TypeError, match="float64"):
        still.moved(np.zeros(3, np.float32))


def planes(**kwargs):
    """One row of two columns; the first of three exposures is added, the others subtracted."""
    on = np.ones((3, 2), np.uint8)
    arrays = {
        "shape": (1, 2),
        "side": np.array([1, 2, 2], np.uint8),
        "may_add": on,
        "may_subtract": on,
        "spread": np.full((3, 2), 0.3),
        "distance": np.arange(6.0).reshape(3, 2),
        "base": np.full((3, 2), 0.25),
        "diff": np.array([1.0, 2.0]),
        "variance": np.full(2, 4.0),
        "read_variance": np.ones(2),
    }
    return list_samples(*{**arrays, **kwargs}.values())


def test_samples_of_a_difference():
    starts, (place, *_), (sample_place, owner, y, _, share) = planes()
    np.testing.assert_array_equal(starts, [[0, 1, 2], [0, 3, 6]])
    np.testing.assert_array_equal(place, [0, 1])
    np.testing.assert_array_equal(sample_place, [0, 2, 4, 1, 3, 5])
    np.testing.assert_array_equal(owner, [0, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(y, [-0.25, 2.0, 4.0, -0.25, 3.0, 5.0])
    np.testing.assert_array_equal(share, [1.0, -0.5, -0.5] * 2)
    starts, pixels, of_samples = planes(diff=np.full(2, np.nan))
    np.testing.assert_array_equal(starts, np.zeros((2, 3)))
    assert all(array.size == 0 for array in (*pixels, *of_samples))


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"side": np.array([1, 2, 3], np.uint8)}, ValueError, "invalid value"),
        ({"side": np.array([1, 2], np.uint8)}, ValueError, r"may_add has shape \(3, 2\)"),
        ({"shape": (2, 2)}, ValueError, "may_add has shape"),
        ({"spread": np.ones((3, 2), np.float32)}, TypeError, "spread must be an array of float64"),
        ({"base": np.ones((3, 1))}, ValueError, "base has shape"),
        ({"diff": np.ones(3)}, ValueError, "diff has shape"),
    ],
)
def test_wrong_planes_are_refused(kwargs, error, message):
    with pytest.raises(error, match=message):
        planes(**kwargs)
