"""The public functions, from data to models and images: known traces are found."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import BSpline
from synthetic_trace import PIXEL, exact_models, make_scene

from webbweave.adaptive_trace_model import trace_model
from webbweave.adaptive_trace_model.evaluate import trace_image
from webbweave.adaptive_trace_model.fit import FitOptions
from webbweave.adaptive_trace_model.oversample import oversample_image
from webbweave.adaptive_trace_model.prepare import prepare_and_fit
from webbweave.adaptive_trace_model.splines import TraceModel
from webbweave.adaptive_trace_model.trace_model import (
    fit_2d_spline_trace,
    fit_all_regions,
    oversample_flux,
)
from webbweave.adaptive_trace_model.trace_products import load_trace_model, save_trace_model
from webbweave.errors import InputError, OutputError


def arrays_of(scene):
    return scene.flux, scene.error, scene.alpha, scene.region_map


def fitted(scene, **keywords):
    return prepare_and_fit(*arrays_of(scene), FitOptions(lrange=50), **keywords)


@pytest.fixture(scope="module")
def scene():
    return make_scene({2: ((0.0, 3e4),), 5: ((0.25, 2e4),)}, n_column=300, bad=0.01, tilt=8.0)


@pytest.fixture(scope="module")
def model(scene):
    return fitted(scene)


def test_trace_is_found(scene, model):
    images = trace_image(model, scene.alpha, scene.region_map)
    inner = np.isfinite(images.used)
    inner[:, :10] = inner[:, -10:] = False
    assert inner.sum() > 2000
    difference = (images.used - scene.truth)[inner] / np.nanmax(scene.truth)
    assert np.std(difference) < 0.01
    rows = np.arange(len(scene.flux), dtype=float)[:, None]
    for label in (2, 5):
        near = inner & (scene.region_map == label)
        centres = [
            np.where(near, rows * image, 0).sum(axis=0)[10:-10]
            / np.where(near, image, 0).sum(axis=0)[10:-10]
            for image in (images.used, scene.truth)
        ]
        assert abs(np.median(centres[0] - centres[1])) < 0.02
    sums = [np.where(inner, image, 0).sum() for image in (images.used, scene.truth)]
    assert sums[0] == pytest.approx(sums[1], rel=2e-3)


def test_outliers_and_bad_pixels_do_not_matter(scene, model):
    spoiled = make_scene(
        {2: ((0.0, 3e4),), 5: ((0.25, 2e4),)}, n_column=300, bad=0.01, tilt=8.0, outliers=0.0015
    )
    clean = trace_image(model, scene.alpha, scene.region_map).used
    other = trace_image(fitted(spoiled), scene.alpha, scene.region_map).used
    both = np.isfinite(clean) & np.isfinite(other)
    assert np.median(np.abs(clean - other)[both] / scene.error[both]) < 0.5


def test_one_slit():
    """What jwst's own test asks: every column, scales near 1, trace near the data."""
    scene = make_scene(n_column=120, noise=0.2)
    models = fit_2d_spline_trace(scene.flux, scene.alpha)
    assert list(models) == list(range(120))
    assert all(isinstance(entry["model"], BSpline) for entry in models.values())
    sums = np.nansum(scene.flux, axis=0)
    scaled = fit_2d_spline_trace(scene.flux, scene.alpha, sums, col_index=range(119, -1, -1))
    assert list(scaled) == list(range(119, -1, -1))
    ratio = [scaled[column]["scale"] / sums[column] for column in range(120)]
    assert np.abs(np.array(ratio) - 1).max() < 0.06
    used, full = trace_model._trace_image(
        scene.flux.shape, {1: scaled}, scene.region_map, scene.alpha, slope_limit=0.1
    )
    seen = np.isfinite(full)
    assert np.abs(full - scene.truth)[seen].max() < 0.25 * np.nanmax(scene.truth)
    assert 0 < np.isfinite(used).sum() < seen.sum()
    assert seen[np.isfinite(used)].all()


@pytest.mark.parametrize("factor", [2, 3])
def test_oversampled_data_are_near_the_truth(factor):
    scene = make_scene({4: ((0.1, 1e6),)}, n_column=200, tilt=8.0)
    models = fit_all_regions(*arrays_of(scene), maximum_cores=2)
    images = oversample_flux(
        scene.flux,
        scene.alpha,
        scene.region_map,
        models,
        oversample_factor=factor,
        alpha_os=scene.alpha_on(factor),
    )
    truth = scene.truth_on(factor)
    near = np.isfinite(images[1])
    near[:, :20] = near[:, -20:] = False
    rms = [np.std((image - truth)[near]) / np.nanmax(truth) for image in (images[0], images[3])]
    assert rms[0] < 0.005
    assert rms[1] > 5 * rms[0]


def test_threads_do_not_matter(scene):
    one = fitted(scene, errors=True)
    for threads in (2, 8):
        other = fitted(scene, errors=True, threads=threads)
        for name, array in one.as_arrays().items():
            np.testing.assert_array_equal(other.as_arrays()[name], array)


def test_errors_of_the_trace(scene):
    """The scatter of the trace over realisations of the noise is what the error says."""
    traces, errors = [], []
    for seed in range(12):
        noisy = make_scene({1: ((0.0, 1e4),)}, n_column=110, seed=seed + 10)
        images = trace_image(
            fitted(noisy, errors=True), noisy.alpha, noisy.region_map, slope_limit=0.1
        )
        traces.append(images.used)
        errors.append(images.error)
        np.testing.assert_array_equal(np.isfinite(images.error), np.isfinite(images.used))
    traces, errors = np.array(traces), np.array(errors)
    always = np.isfinite(traces).all(axis=0)
    always[:, :10] = always[:, -10:] = False
    scatter = np.std(traces[:, always], axis=0, ddof=1)
    ratio = np.median(errors[:, always], axis=0) / scatter
    assert 0.7 < np.median(ratio) < 1.4


def test_model_is_reused_without_a_fit(scene, model, tmp_path):
    """Saved once; then any slope limit, any factor, also for the next exposure."""
    path = save_trace_model(model, tmp_path / "new" / "trace.asdf")
    assert [entry.name for entry in path.parent.iterdir()] == ["trace.asdf"]
    again = load_trace_model(path)
    for name, array in model.as_arrays().items():
        np.testing.assert_array_equal(again.as_arrays()[name], array)
    following = make_scene({2: ((0.0, 3e4),), 5: ((0.25, 2e4),)}, n_column=300, tilt=8.0, seed=77)
    for limit in (0.0, 0.2):
        images = [
            trace_image(m, following.alpha, following.region_map, slope_limit=limit).used
            for m in (model, again)
        ]
        np.testing.assert_array_equal(*images)
    images = oversample_image(
        following.flux,
        following.alpha,
        following.region_map,
        again,
        1.5,
        following.alpha_on(1.5),
    )
    truth = following.truth_on(1.5)
    near = np.isfinite(images.used) & np.isfinite(images.residual)
    near[:, :10] = near[:, -10:] = False
    assert np.std((images.flux - truth)[near]) < 0.01 * np.nanmax(truth)


def test_saved_model_is_small(model, tmp_path):
    with_errors = save_trace_model(model, tmp_path / "trace.asdf")
    room = model.knots.nbytes + model.coefficients.nbytes
    assert with_errors.stat().st_size < 1.2 * room + 100 * model.model.size


def test_files_that_are_no_models(model, tmp_path):
    with pytest.raises(InputError, match="absent"):
        load_trace_model(tmp_path / "absent.asdf")
    other = tmp_path / "other.asdf"
    other.write_text("hello")
    with pytest.raises(InputError, match=r"other\.asdf"):
        load_trace_model(other)
    path = save_trace_model(model, tmp_path / "trace.asdf")
    with pytest.raises(OutputError, match="exists already"):
        save_trace_model(model, path, overwrite=False)
    with pytest.raises(ValueError, match="needs scale"):
        TraceModel.from_arrays({k: v for k, v in model.as_arrays().items() if k != "scale"})
    with pytest.raises(ValueError, match="knots has shape"):
        TraceModel.from_arrays(model.as_arrays() | {"knots": np.zeros(3)})
    with pytest.raises(ValueError, match="beyond the 300"):
        TraceModel.from_arrays(model.as_arrays() | {"model": model.model + 300})


def test_evaluated_anywhere(scene):
    model = TraceModel.from_dicts(exact_models(scene), 300)
    alpha = np.linspace(-2, 2, 41)[:, None] * np.ones(300)
    trace = model.evaluate(alpha, np.full(alpha.shape, 5))
    inside = np.isfinite(trace)
    low, high = np.nanmin(scene.alpha), np.nanmax(scene.alpha)
    assert not inside[(alpha < low - PIXEL) | (alpha > high + PIXEL)].any()
    expected = exact_models(scene)[5][7]
    column = expected["scale"] * expected["model"](alpha[:, 7])
    np.testing.assert_allclose(trace[inside[:, 7], 7], column[inside[:, 7]], rtol=1e-9, atol=1e-9)


def test_dictionaries_and_back(model):
    packed = TraceModel.from_dicts(model.as_dicts(), 300)
    np.testing.assert_array_equal(packed.labels, model.labels)
    np.testing.assert_array_equal(packed.scale, model.scale)
    alpha, region = np.zeros((1, 300)), np.full((1, 300), 2)
    np.testing.assert_array_equal(packed.evaluate(alpha, region), model.evaluate(alpha, region))


def test_own_fit_of_the_caller(monkeypatch, caplog):
    """A function in the place of bspline_fit is used, as tests of pipelines do."""
    scene = make_scene(n_column=12, noise=0.0)
    calls = []

    def no_fit(x, y, **keywords):
        calls.append(keywords["nbkpts"])

    monkeypatch.setattr(trace_model, "bspline_fit", no_fit)
    assert fit_2d_spline_trace(scene.flux, scene.alpha) == {}
    assert len(calls) == 2 * 12
    assert calls[0] - calls[1] == 3

    def broken(x, y, **keywords):
        raise RuntimeError("no idea")

    monkeypatch.setattr(trace_model, "bspline_fit", broken)
    assert fit_2d_spline_trace(scene.flux, scene.alpha) == {}
    assert "Spline fit failed at column 3: no idea" in caplog.text
    spline = exact_models(scene)[1][0]["model"]
    monkeypatch.setattr(trace_model, "bspline_fit", lambda x, y, **keywords: spline)
    models = fit_2d_spline_trace(scene.flux, scene.alpha)
    for column in range(12):
        scale = exact_models(scene)[1][column]["scale"]
        assert models[column]["scale"] == pytest.approx(scale, rel=1e-3)


def test_names_of_jwst_for_parts_of_the_fit():
    scene = make_scene(n_column=60)
    alpha, flux, error, snr = trace_model._crossdisp_profile(scene.flux, scene.error, scene.alpha)
    assert alpha.shape == flux.shape == error.shape == snr.shape
    assert alpha[0] == np.float32(np.nanmin(scene.alpha))
    nothing = trace_model._crossdisp_profile(scene.flux, np.zeros_like(scene.error), scene.alpha)
    assert nothing == (None, None, None, None)
    trimmed = scene.flux.copy()
    trace_model._trim_edges(trimmed, scene.alpha, alpha, error, snr)
    np.testing.assert_array_equal(trimmed, scene.flux)
    assert trace_model._threshold_test(flux, snr, 1, {1: 10.0}, None)
    assert not trace_model._threshold_test(flux, snr, 1, {1: 1e9}, None)
    assert not trace_model._threshold_test(None, None, 1, None, 3.0)
    one = trace_model._fit_one_region(*arrays_of(scene), 1, lrange=20)
    assert len(one) > 50
    assert trace_model._fit_one_region(*arrays_of(scene), 1, snr_threshold=1e9) == {}


def test_unknown_keywords_are_refused(scene):
    with pytest.raises(TypeError, match="'sigma'"):
        fit_all_regions(*arrays_of(scene), sigma=3)
    with pytest.raises(ValueError, match="maximum_cores"):
        fit_all_regions(*arrays_of(scene), maximum_cores="some")


def test_public_names():
    for name in trace_model.__all__:
        assert callable(getattr(trace_model, name))
