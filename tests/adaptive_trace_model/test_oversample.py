"""Oversampling: flux is conserved, sources are sharp, and nothing crashes."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from synthetic_trace import (
    PIXEL,
    constant_spline,
    exact_models,
    make_scene,
    profile,
    spectrum,
)
from traces import oversampled_twice

from webbweave.adaptive_trace_model.evaluate import trace_image
from webbweave.adaptive_trace_model.oversample import (
    fine_rows,
    nearest_rows,
    oversample_image,
    oversample_plane,
)
from webbweave.adaptive_trace_model.splines import TraceModel
from webbweave.adaptive_trace_model.trace_model import (
    fit_all_regions,
    linear_oversample,
    oversample_flux,
    split_spline_models,
)

FACTORS = (1, 2, 3, 4, 1.3, 1.7, 2.5)


def packed(scene):
    return TraceModel.from_dicts(exact_models(scene), scene.flux.shape[1])


def oversampled(scene, factor=2, model=None, **keywords):
    model = packed(scene) if model is None else model
    keywords = {"require_ngood": 3} | keywords
    return oversample_image(
        scene.flux,
        scene.alpha,
        scene.region_map,
        model,
        factor,
        scene.alpha_on(factor),
        **keywords,
    )


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("compat", [False, True])
def test_flat_scene_is_conserved(factor, compat):
    scene = make_scene({4: (), 9: ()}, background=7.25, noise=0.0, n_column=80)
    images = oversampled(scene, factor, compat=compat)
    assert images.flux.shape[0] == np.ceil(scene.flux.shape[0] * factor)
    assert np.nanmean(images.flux) == pytest.approx(7.25, abs=1e-6)
    assert np.nanstd(images.flux) < 1e-6
    assert np.isnan(images.used).all()
    # Every sample of a region but the ends of its columns.
    labels = scene.region_map[nearest_rows(len(scene.flux), factor)]
    missing = (labels > 0) & np.isnan(images.flux)
    assert missing.sum() <= (4 * max(1, int(factor)) + 2 * compat) * 80


@pytest.mark.parametrize("factor", [2, 3, 2.5])
def test_source_is_what_finer_pixels_see(factor):
    scene = make_scene(n_column=120, noise=0.0, tilt=4.0)
    images = oversampled(scene, factor, dtype=np.float64)
    truth = scene.truth_on(factor)
    peak = np.nanmax(truth)
    near = np.isfinite(images.used)
    assert near.any(axis=0).all()
    assert np.abs(images.flux - truth)[near].max() < 2e-3 * peak
    # Where linear interpolation fails by far more.
    assert np.nanmax(np.abs(images.linear - truth)[near]) > 20e-3 * peak
    # And the source is where it is.
    rows = np.arange(len(truth), dtype=float)[:, None]
    centre = [
        np.nansum(rows * image * near, axis=0) / np.nansum(image * near, axis=0)
        for image in (np.nan_to_num(images.used), np.nan_to_num(truth))
    ]
    assert np.abs(centre[0] - centre[1]).max() < 0.01


def test_sum_of_a_column_is_kept():
    scene = make_scene(n_column=120, noise=0.0)
    images = oversampled(scene, 4)
    near = np.isfinite(images.used)
    coarse = np.isfinite(trace_image(packed(scene), scene.alpha, scene.region_map).used)
    fine_sum = np.where(near, images.flux, 0).sum(axis=0) / 4
    coarse_sum = np.where(coarse, scene.flux, 0).sum(axis=0)
    assert np.abs(fine_sum / coarse_sum - 1).max() < 0.01


def test_ripple_disappears():
    """The spectrum of one row oscillates because the trace is tilted; much less after it."""
    scene = make_scene(n_column=400, noise=0.0, tilt=5.0, curve=0.0)

    def ripple(image, alpha):
        near = np.where(np.isfinite(image), alpha, np.inf)
        weight = np.exp(-0.5 * (near / 0.05) ** 2)
        column = np.nansum(image * weight, axis=0) / np.nansum(weight * profile(alpha), axis=0)
        return np.std(column) / np.mean(column)

    images = oversampled(scene, 2)
    # Lines are no ripple.
    level = spectrum(400)
    linear, spline = (
        ripple(image / level, scene.alpha_on(2)) for image in (images.linear, images.flux)
    )
    assert linear > 3 * spline


def test_psf_optimal_leaves_the_residual_out():
    scene = make_scene(n_column=60)
    images = oversampled(scene, 2, slope_limit=0, psf_optimal=True)
    near = np.isfinite(images.used)
    np.testing.assert_array_equal(images.flux[near], images.used[near])
    np.testing.assert_array_equal(images.used, images.full)
    with_residual = oversampled(scene, 2, slope_limit=0)
    both = near & np.isfinite(images.residual)
    np.testing.assert_allclose(
        with_residual.flux[both], (images.used + images.residual)[both], rtol=1e-12
    )


def test_ends_are_trimmed():
    scene = make_scene(n_column=60)
    kept = oversampled(scene, 3, trim_ends=False)
    trimmed = oversampled(scene, 3, trim_ends=True)
    lost = np.isfinite(kept.full) & ~np.isfinite(trimmed.full)
    np.testing.assert_array_equal(lost.sum(axis=0), 6)


def test_bad_pixels_near_a_source_get_an_estimate():
    scene = make_scene(n_column=360, noise=0.0, bad=0.02)
    images = oversampled(scene, 2)
    truth = scene.truth_on(2)
    filled = np.isfinite(images.flux) & np.isnan(images.linear) & np.isfinite(images.used)
    filled &= np.isfinite(images.residual)
    assert filled.sum() > 50
    assert np.abs(images.flux - truth)[filled].max() < 0.03 * np.nanmax(truth)


def test_two_sources_one_at_the_end_of_the_slit():
    """jwst looks for sources about the middle only, and never at the ends of that range."""
    scene = make_scene({1: ((-0.9, 1000.0), (0.45, 500.0))}, n_column=120, noise=0.0)
    used = trace_image(packed(scene), scene.alpha, scene.region_map, pad=2).used
    for centre in (-0.9, 0.45):
        near = np.abs(scene.alpha - centre) < PIXEL
        ends = ~np.isfinite(trace_image(packed(scene), scene.alpha, scene.region_map).full)
        assert np.isfinite(used[near & ~ends]).all()
    middle = np.abs(scene.alpha + 0.2) < PIXEL
    assert np.isnan(used[middle]).all()


def test_source_far_from_zero():
    """Where the coordinate is not 0 in the middle of the slit, jwst finds no source."""
    scene = make_scene(n_column=120, noise=0.0)
    models = exact_models(scene)
    shifted = {
        1: {
            column: entry
            | {
                "model": type(entry["model"])(entry["model"].t + 5, entry["model"].c, 3),
                "bounds": tuple(np.add(entry["bounds"], 5)),
            }
            for column, entry in models[1].items()
        }
    }
    model = TraceModel.from_dicts(shifted, 120)
    here = trace_image(packed(scene), scene.alpha, scene.region_map).used
    there = trace_image(model, scene.alpha + 5, scene.region_map).used
    as_jwst = trace_image(model, scene.alpha + 5, scene.region_map, compat=True).used
    np.testing.assert_array_equal(np.isfinite(here), np.isfinite(there))
    np.testing.assert_allclose(here, there, rtol=1e-5)
    assert np.isnan(as_jwst).all()


@pytest.mark.parametrize("tilt", [0.3, 2.0, 6.0])
def test_ranges_of_compact_sources_are_centred(tilt):
    """To half a bin, which is a quarter of a pixel."""
    scene = make_scene(n_column=400, noise=0.0, tilt=tilt)
    fine = oversampled(scene, 4)
    alpha = scene.alpha_on(4)[np.isfinite(fine.used)]
    assert abs(alpha.max() + alpha.min()) / 2 < 0.3 * PIXEL


def test_diffuse_light_is_not_compact():
    scene = make_scene({1: ()}, background=50.0, n_column=150)
    models = fit_all_regions(scene.flux, scene.error, scene.alpha, scene.region_map)
    images = oversampled(scene, 2, TraceModel.from_dicts(models, 150))
    assert np.isfinite(images.full).any()
    assert np.isnan(images.used).all()
    shared = np.isfinite(images.linear)
    np.testing.assert_array_equal(images.flux[shared], images.linear[shared])


@pytest.mark.parametrize("factor", [2, 1.7])
@pytest.mark.parametrize("compat", [False, True])
def test_same_bits_for_any_number_of_threads(factor, compat):
    scene = make_scene({3: ((0, 900.0),), 5: ((0.3, 100.0),)}, n_column=170, bad=0.01, gap=0)
    once = oversampled(scene, factor, compat=compat)
    model = packed(scene)
    native = trace_image(model, scene.alpha, scene.region_map, compat=compat)
    for threads in (2, 8):
        again = oversampled(scene, factor, compat=compat, threads=threads)
        for name in ("flux", "used", "full", "linear", "residual"):
            assert getattr(again, name).tobytes() == getattr(once, name).tobytes()
        image = trace_image(model, scene.alpha, scene.region_map, compat=compat, threads=threads)
        assert image.used.tobytes() == native.used.tobytes()
        assert image.full.tobytes() == native.full.tobytes()


def test_only_wanted_images_are_made():
    scene = make_scene(n_column=60)
    every = oversampled(scene, 2, dtype=np.float32)
    one = oversampled(scene, 2, dtype=np.float32, planes=("flux",))
    assert one.linear is None
    assert one.full is None
    assert one.flux.dtype == np.float32
    np.testing.assert_array_equal(one.flux, every.flux)
    with pytest.raises(ValueError, match="planes"):
        oversampled(scene, 2, planes=("trace",))


def test_both_forms_of_models_agree():
    scene = make_scene(n_column=60)
    models = exact_models(scene)
    alpha_os = scene.alpha_on(2)
    spline_models, spline_scales = split_spline_models(models)
    arguments = scene.flux, scene.alpha, scene.region_map
    newer = oversample_flux(*arguments, models, oversample_factor=2.0, alpha_os=alpha_os)
    none = oversample_flux(*arguments, models, None, 2.0, alpha_os)
    seed = oversample_flux(*arguments, spline_models, spline_scales, 2.0, alpha_os)
    packed_one = oversample_flux(*arguments, packed(scene), None, 2.0, alpha_os)
    inside = np.isfinite(newer[2])
    for images in zip(newer, none, packed_one, seed, strict=True):
        np.testing.assert_array_equal(images[1], images[0])
        np.testing.assert_array_equal(images[2], images[0])
        # Models with scales of their own have no bounds: theirs are wider.
        np.testing.assert_array_equal(images[3][inside], images[0][inside])
    # All five are arrays of their own.
    assert newer[3] is not newer[0]
    assert not np.array_equal(newer[3], newer[0], equal_nan=True)


def test_signature():
    names = list(inspect.signature(oversample_flux).parameters.values())
    assert [p.name for p in names] == [
        "flux",
        "alpha",
        "region_map",
        "spline_models",
        "spline_scales",
        "oversample_factor",
        "alpha_os",
        "require_ngood",
        "slope_limit",
        "psf_optimal",
        "trim_ends",
        "pad",
        "compat",
    ]
    assert [p.default for p in names[7:]] == [10, 0.1, False, False, 3, False]
    assert all(p.default is p.empty for p in names[:7])
    assert names[-1].kind is inspect.Parameter.KEYWORD_ONLY


def test_wrong_forms_say_what_to_write():
    scene = make_scene(n_column=30)
    models = exact_models(scene)
    alpha_os = scene.alpha_on(2)
    spline_models, spline_scales = split_spline_models(models)
    arguments = scene.flux, scene.alpha, scene.region_map
    text = (
        "spline_scales is a number: this is the argument order of jwst 2.0 and later. Write "
        "oversample_flux(flux, alpha, region_map, spline_models, oversample_factor=2.0, "
        "alpha_os=alpha_os)"
    )
    with pytest.raises(TypeError) as caught:
        oversample_flux(*arguments, models, 2.0, alpha_os)
    assert str(caught.value) == text
    with pytest.raises(TypeError) as caught:
        oversample_flux(*arguments, models, None, alpha_os)
    assert str(caught.value) == text
    with pytest.raises(TypeError, match=r"spline_models\[1\]\[0\] is a dictionary"):
        oversample_flux(*arguments, models, spline_scales, 2.0, alpha_os)
    with pytest.raises(TypeError, match=r"spline_models\[1\]\[0\].*BSpline"):
        oversample_flux(*arguments, spline_models, None, 2.0, alpha_os)
    del spline_scales[1][7]
    with pytest.raises(TypeError, match=r"spline_scales\[1\]\[7\] is missing"):
        oversample_flux(*arguments, spline_models, spline_scales, 2.0, alpha_os)
    with pytest.raises(TypeError, match="alpha_os"):
        oversample_flux(*arguments, models, oversample_factor=2.0)


def test_models_without_bounds_end_a_pixel_beyond_their_knots():
    scene = make_scene(n_column=40)
    spline = constant_spline(0.05, -0.5, 0.5)
    models = {1: dict.fromkeys(range(40), spline)}
    scales = {1: dict.fromkeys(range(40), 100.0)}
    arguments = scene.flux, scene.alpha, scene.region_map, models, scales, 2.0, scene.alpha_on(2)
    full = oversample_flux(*arguments)[2]
    reach = np.abs(scene.alpha_on(2)[np.isfinite(full)]).max()
    assert 0.5 + PIXEL / 2 < reach <= 0.5 + PIXEL
    without = oversample_flux(*arguments, compat=True)[2]
    np.testing.assert_array_equal(np.isfinite(without), np.isfinite(scene.alpha_on(2)))


@pytest.mark.parametrize("factor", [0, -1, np.nan, np.inf])
def test_factor_must_be_positive(factor):
    scene = make_scene(n_column=30)
    with pytest.raises(ValueError, match="oversample_factor"):
        linear_oversample(scene.flux, scene.region_map, factor, 3)
    with pytest.raises(ValueError, match="oversample_factor"):
        oversample_image(
            scene.flux, scene.alpha, scene.region_map, packed(scene), factor, scene.alpha
        )


def test_coarser_grid_is_warned_of_once(caplog):
    scene = make_scene({1: ()}, background=3.0, noise=0.0, n_column=40)
    images = oversampled(scene, 0.5)
    assert [record.levelname for record in caplog.records].count("WARNING") == 1
    assert np.nanmean(images.flux) == pytest.approx(3.0)


def test_shapes_must_agree():
    scene = make_scene(n_column=30)
    shape = scene.flux.shape
    model, alpha_os = packed(scene), scene.alpha_on(2)
    wrong = np.zeros((5, 7))
    for name, arguments in {
        "alpha": (scene.flux, wrong, scene.region_map, model, 2, alpha_os),
        "region_map": (scene.flux, scene.alpha, wrong.astype(int), model, 2, alpha_os),
        "alpha_os": (scene.flux, scene.alpha, scene.region_map, model, 2, wrong),
    }.items():
        expected = (2 * shape[0], shape[1]) if name == "alpha_os" else shape
        with pytest.raises(ValueError, match=name) as caught:
            oversample_image(*arguments)
        assert "(5, 7)" in str(caught.value)
        assert str(expected) in str(caught.value)
    with pytest.raises(ValueError, match="30 columns"):
        trace_image(model, wrong, wrong.astype(int))


@pytest.mark.parametrize("n_row", [31, 32, 1032, 2048])
@pytest.mark.parametrize("factor", [1.1, 1.2, 1.3, 1.4, 1.6, 1.7, 1.8, 1.9, 2.3, 2.5, 2.7, 3])
@pytest.mark.parametrize("compat", [False, True])
def test_factors_that_do_not_divide_the_rows(n_row, factor, compat):
    """Some of these are an IndexError in jwst. A ramp remains a ramp."""
    rows = np.arange(n_row, dtype=float)[:, None]
    region_map = np.ones((n_row, 1), int)
    fine = linear_oversample(rows, region_map, factor, 3, compat=compat)[:, 0]
    at = fine_rows(n_row, factor)
    assert np.isfinite(fine).all()
    np.testing.assert_allclose(fine, np.clip(at, 0, n_row - 1), atol=1e-4)
    assert nearest_rows(n_row, factor).max() == n_row - 1


def test_touching_regions_share_no_samples():
    """With a factor that does not divide them, each sample belongs to its nearest pixel."""
    region_map = np.repeat([1, 2, 3], [7, 5, 8])[:, None] * np.ones((1, 20), int)
    values = region_map * 10.0
    fine = linear_oversample(values, region_map, 1.7, 3)
    np.testing.assert_array_equal(fine, values[nearest_rows(20, 1.7)])


def test_errors_next_to_bad_pixels():
    scene = make_scene({1: ()}, background=5.0, noise=0.0, n_column=40, bad=0.05)
    variance = np.where(np.isfinite(scene.flux), 4.0, np.nan)
    keep = np.zeros((2 * len(variance), 40), bool)
    keep[:, :20] = True
    plane = oversample_plane(
        variance,
        scene.region_map,
        2,
        require_ngood=3,
        keep=keep,
        is_variance=True,
        multiply=1.5,
    )
    labels = scene.region_map[nearest_rows(len(variance), 2)] > 0
    bad = np.isnan(variance[nearest_rows(len(variance), 2)]) & labels
    assert bad[:, 20:].any()
    np.testing.assert_array_equal(np.isnan(plane[:, 20:]), ~labels[:, 20:] | bad[:, 20:])
    np.testing.assert_array_equal(np.isnan(plane[:, :20]), ~labels[:, :20])
    np.testing.assert_allclose(plane[np.isfinite(plane)], 6.0)


def test_inputs_are_not_changed():
    scene = make_scene(n_column=40, bad=0.02)
    before = [a.copy() for a in (scene.flux, scene.error, scene.alpha, scene.region_map)]
    arrays = scene.flux, scene.error, scene.alpha, scene.region_map
    for array in arrays:
        array.setflags(write=False)
    models = fit_all_regions(*arrays, snr_threshold=1.0)
    oversampled_twice(scene, models)
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)
