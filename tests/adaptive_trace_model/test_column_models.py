"""Models in the form of jwst, made on demand: like dictionaries, and never out of date."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from synthetic_trace import make_scene
from traces import oversampled_twice

from webbweave.adaptive_trace_model.fit import FitOptions
from webbweave.adaptive_trace_model.models import pack_models
from webbweave.adaptive_trace_model.prepare import prepare_and_fit
from webbweave.adaptive_trace_model.regions import RegionMap
from webbweave.adaptive_trace_model.splines import TraceModel
from webbweave.adaptive_trace_model.trace_model import fit_all_regions

N_COLUMN = 80
KNOWN = {"model", "scale", "bounds"}


def arrays_of(scene):
    return scene.flux, scene.error, scene.alpha, scene.region_map


@pytest.fixture(scope="module")
def scene():
    """One region is faint, and some columns of the other have no data: they borrow splines."""
    scene = make_scene({2: ((0.0, 3e4),), 5: ((0.2, 2.0),)}, n_column=N_COLUMN, gap=0)
    region = scene.region_map == 2
    for column in range(30, 34):
        rows = np.flatnonzero(region[:, column])
        scene.flux[rows[len(rows) // 2 :], column] = np.nan
    return scene


@pytest.fixture
def models(scene):
    return fit_all_regions(*arrays_of(scene), snr_threshold=50.0)


def test_items_are_those_of_the_trace_model(scene, models):
    trace = prepare_and_fit(*arrays_of(scene), FitOptions(), snr_threshold=50.0)
    assert list(models) == [2, 5]
    assert models[5] == {}
    assert list(models[2]) == np.flatnonzero(trace.model[0] >= 0).tolist()
    for column, item in models[2].items():
        source = trace.model[0, column]
        n = trace.n_knot[0, source]
        assert item.keys() == KNOWN
        np.testing.assert_array_equal(item["model"].t, trace.knots[0, source, :n])
        np.testing.assert_array_equal(item["model"].c, trace.coefficients[0, source, : n - 4])
        assert item["scale"] == trace.scale[0, column]
        assert item["bounds"] == (trace.lower[0, source], trace.upper[0, source])
        assert {type(x) for x in (item["scale"], *item["bounds"])} == {float}


def test_columns_with_one_spline_share_it():
    trace = TraceModel.empty(np.array([1]), 3, 8)
    trace.knots[0, 1] = [0, 0, 0, 0, 1, 1, 1, 1]
    trace.coefficients[0, 1, :4] = 2.0
    trace.n_knot[0, 1] = 8
    trace.model[0], trace.scale[0] = [1, 1, -1], [3.0, 4.0, np.nan]
    trace.lower[0, 1], trace.upper[0, 1] = 0.0, 1.0
    models = trace.as_dicts()[1]
    assert list(models) == [0, 1]
    assert models[0]["model"] is models[1]["model"]
    assert models[0]["model"](0.5) == pytest.approx(2.0)
    assert [models[column]["scale"] for column in models] == [3.0, 4.0]
    with pytest.raises(KeyError):
        models[2]


def test_they_are_used_like_dictionaries(models):
    columns = models[2]
    size = len(columns)
    assert 7 in columns
    assert N_COLUMN not in columns
    assert columns[7] is columns[7]
    assert columns.get(N_COLUMN) is None
    assert repr(columns) == f"<models of region 2, {size} columns>"
    plain = columns.copy()
    assert type(plain) is dict
    assert columns == plain
    assert columns.pop(7) == plain[7]
    assert len(columns) == size - 1
    assert 7 in plain
    columns[7] = plain[8]
    assert list(columns)[-1] == 7
    assert columns[7] is plain[8]
    with pytest.raises(TypeError, match="column 7: expected a model, found None"):
        columns[7] = None


def test_asking_whether_a_column_is_there_makes_nothing(models):
    assert 7 in models[2]
    assert models[2].untouched is not None
    assert models[2][7].keys() == KNOWN
    assert models[2].untouched is None


def test_they_can_be_pickled(scene, models):
    again = pickle.loads(pickle.dumps(models))
    for found, expected in zip(
        oversampled_twice(scene, again), oversampled_twice(scene, models), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


def test_packed_only_if_that_is_needed(scene, models):
    """The flat arrays serve as they are until an item is handed out, which may be changed."""
    regions = RegionMap.find(scene.region_map)
    flat = pack_models(models, None, regions, scene.alpha, compat=False)
    assert flat is pack_models(models, None, regions, scene.alpha, compat=False)
    plain = {region: dict(columns) for region, columns in models.items()}
    assert pack_models(models, None, regions, scene.alpha, compat=False) is not flat
    alike = pack_models(plain, None, regions, scene.alpha, compat=False)
    np.testing.assert_array_equal(alike.scale, flat.scale)


def test_images_are_the_same_either_way(scene, models):
    quick = oversampled_twice(scene, models)
    slow = oversampled_twice(scene, {region: dict(columns) for region, columns in models.items()})
    assert np.isfinite(quick[2]).any()
    for found, expected in zip(quick, slow, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_changes_count(scene, models):
    before = oversampled_twice(scene, models)[2]
    models[2][7]["scale"] *= 2
    after = oversampled_twice(scene, models)[2]
    np.testing.assert_array_equal(after[:, 7], 2 * before[:, 7])
    del models[2][8]
    assert np.isnan(oversampled_twice(scene, models)[2][:, 8]).all()
    others = np.delete(np.arange(N_COLUMN), [7, 8])
    np.testing.assert_array_equal(after[:, others], before[:, others])


def test_regions_may_be_taken_away(scene):
    models = fit_all_regions(*arrays_of(scene))
    both = oversampled_twice(scene, models)[2]
    del models[2]
    one = oversampled_twice(scene, models)[2]
    region = np.repeat(scene.region_map, 2, axis=0)
    assert np.isfinite(both[region == 2]).any()
    assert np.isnan(one[region == 2]).all()
    np.testing.assert_array_equal(one[region == 5], both[region == 5])


def test_only_columns_in_an_order(scene):
    columns = np.array([9, 3, 5])
    models = fit_all_regions(*arrays_of(scene), col_index=columns)
    assert list(models[2]) == columns.tolist()
    traced = np.isfinite(oversampled_twice(scene, models)[2]).any(axis=0)
    assert np.flatnonzero(traced).tolist() == sorted(columns)


def test_models_of_another_image_are_refused(scene, models):
    narrow = make_scene({2: ((0.0, 3e4),), 5: ((0.2, 2.0),)}, n_column=20, gap=0)
    with pytest.raises(ValueError, match=r"spline_models\[2\]\[20\]: there is no column 20"):
        oversampled_twice(narrow, models)
