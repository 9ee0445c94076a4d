"""Bad input: a clear message or a defined result, and the input is left alone."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic_trace import make_scene

from webbweave.adaptive_trace_model.evaluate import trace_image
from webbweave.adaptive_trace_model.fit import FitOptions
from webbweave.adaptive_trace_model.oversample import oversample_image
from webbweave.adaptive_trace_model.prepare import prepare_and_fit
from webbweave.adaptive_trace_model.splines import TraceModel
from webbweave.adaptive_trace_model.trace_model import fit_all_regions, linear_oversample

FACTOR = 1.7


def process(flux, error, alpha, region_map, *, compat, threshold=None):
    """Fit, evaluate and oversample: whatever happens to a region must not harm the others."""
    flux, alpha = np.asarray(flux), np.asarray(alpha)
    model = prepare_and_fit(
        flux,
        error,
        alpha,
        region_map,
        FitOptions(lrange=20),
        snr_threshold=threshold,
        compat=compat,
    )
    images = trace_image(model, alpha, region_map, compat=compat)
    rows = int(np.ceil(len(flux) * FACTOR))
    at = np.clip(np.rint(np.arange(rows) / FACTOR), 0, len(flux) - 1).astype(int)
    fine = oversample_image(
        flux, alpha, region_map, model, FACTOR, alpha[at], require_ngood=3, compat=compat
    )
    return model, images, fine


@pytest.fixture(params=[False, True], ids=["corrected", "compat"])
def compat(request):
    return request.param


@pytest.fixture
def scene():
    return make_scene({2: ((0.0, 3e4),), 5: ((0.2, 2e4),)}, n_column=60, gap=6)


def spoil(scene, label, **changes):
    """Arrays in which one region is changed."""
    arrays = {
        "flux": scene.flux.copy(),
        "error": scene.error.copy(),
        "alpha": scene.alpha.copy(),
        "region_map": scene.region_map.copy(),
    }
    inside = scene.region_map == label
    for name, value in changes.items():
        arrays[name][inside] = value(arrays[name][inside]) if callable(value) else value
    return arrays


def one_bright_pixel(values):
    values = np.zeros_like(values)
    values[len(values) // 2] = 1e6
    return values


def shuffled(values):
    return np.random.default_rng(3).permutation(values)


SPOILED = {
    "all NaN": {"flux": np.nan},
    "all infinite": {"flux": np.inf},
    "constant": {"flux": 3.0},
    "zero": {"flux": 0.0},
    "negative pedestal": {"flux": lambda v: v - 1e5},
    "one bright pixel": {"flux": one_bright_pixel},
    "no error": {"error": 0.0},
    "error NaN": {"error": np.nan},
    "alpha NaN": {"alpha": np.nan},
    "alpha constant": {"alpha": 0.25},
    "alpha shuffled": {"alpha": shuffled},
    "alpha descending": {"alpha": lambda v: -v},
    "alpha huge": {"alpha": lambda v: 1e30 * v},
    "alpha infinite": {"alpha": np.inf},
}


@pytest.mark.parametrize("what", SPOILED)
@pytest.mark.parametrize("threshold", [None, 3.0])
def test_one_region_is_spoiled(scene, compat, what, threshold):
    arrays = spoil(scene, 5, **SPOILED[what])
    before = {name: array.copy() for name, array in arrays.items()}
    model, images, fine = process(**arrays, compat=compat, threshold=threshold)
    clean = process(
        scene.flux, scene.error, scene.alpha, scene.region_map, compat=compat, threshold=threshold
    )
    other = scene.region_map == 2
    np.testing.assert_array_equal(images.used[other], clean[1].used[other])
    np.testing.assert_array_equal(model.scale[0], clean[0].scale[0])
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, before[name])
    if what == "constant":
        assert np.nanmax(np.abs(fine.flux[np.isfinite(fine.linear)])) < 1e6
    if what in ("all NaN", "zero", "alpha NaN"):
        assert np.isnan(images.used[scene.region_map == 5]).all()


def test_no_region(scene, compat):
    nothing = np.zeros_like(scene.region_map)
    model, images, fine = process(scene.flux, scene.error, scene.alpha, nothing, compat=compat)
    assert model.labels.size == 0
    assert np.isnan(images.used).all()
    assert np.isnan(fine.flux).all()
    assert fit_all_regions(scene.flux, scene.error, scene.alpha, nothing, compat=compat) == {}


def test_array_of_no_size(compat):
    for shape in ((0, 5), (5, 0), (0, 0)):
        empty = np.zeros(shape)
        assert fit_all_regions(empty, empty, empty, empty.astype(int), compat=compat) == {}
        fine = linear_oversample(empty, empty.astype(int), 2, 3, compat=compat)
        assert fine.shape == (2 * shape[0], shape[1])


@pytest.mark.parametrize("rows", [slice(None), slice(30, 31), slice(30, 33), slice(30, 34)])
@pytest.mark.parametrize("columns", [slice(None), slice(20, 21), slice(0, 3)])
def test_small_and_cut_regions(scene, compat, rows, columns):
    """Down to one row and one column, and touching the edges of the array."""
    cut = (rows, columns)
    arrays = scene.flux[cut], scene.error[cut], scene.alpha[cut], scene.region_map[cut]
    model, images, fine = process(*arrays, compat=compat)
    assert images.used.shape == arrays[0].shape
    assert fine.flux.shape[0] == np.ceil(arrays[0].shape[0] * FACTOR)
    assert model.model.shape[1] == arrays[0].shape[1]


def test_columns_without_data(scene, compat):
    flux, alpha = scene.flux.copy(), scene.alpha.copy()
    flux[:, 20] = np.nan
    alpha[:, 30] = np.nan
    rows = np.flatnonzero(scene.region_map[:, 40] == 2)
    alpha[rows[4:], 40] = np.nan  # four valid rows: fewer than a scale needs in jwst
    model, images, _fine = process(flux, scene.error, alpha, scene.region_map, compat=compat)
    assert model.model[0, 20] == -1
    assert np.isnan(images.full[:, 30]).all()
    assert (model.model[0, [19, 21, 29, 31]] >= 0).all()


def test_regions_that_interleave(compat):
    """Rows of two labels take turns: each region is only its own pixels."""
    labels = np.ones((40, 30), int)
    labels[::2] = 2
    values = labels * 10.0
    fine = linear_oversample(values, labels, 1, 3, compat=compat)
    assert np.isin(fine[np.isfinite(fine)], (10.0, 20.0)).all()
    model = TraceModel.from_dicts({}, 30)
    assert np.isnan(trace_image(model, values, labels, compat=compat).used).all()
