"""The trace rows of the page "Differences from jwst": before (compat) and after."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import synthetic_ifu as si
from differences_page import assert_differences_are_tested
from synthetic_trace import PIXEL, exact_models, make_scene

from webbweave import AdaptiveTraceModelStep
from webbweave.adaptive_trace_model.bspline import bspline_fit
from webbweave.adaptive_trace_model.evaluate import trace_image
from webbweave.adaptive_trace_model.fit import FitOptions, fit_trace
from webbweave.adaptive_trace_model.oversample import nearest_rows, oversample_image
from webbweave.adaptive_trace_model.prepare import prepare_and_fit
from webbweave.adaptive_trace_model.profile import column_sums, cross_profile, trim_edges
from webbweave.adaptive_trace_model.region import Region
from webbweave.adaptive_trace_model.regions import RegionMap
from webbweave.adaptive_trace_model.splines import ColumnFlag, TraceModel
from webbweave.adaptive_trace_model.trace_model import (
    fit_2d_spline_trace,
    fit_and_oversample,
    linear_oversample,
    oversample_flux,
)
from webbweave.datamodels import tree_of

OPTIONS = FitOptions(space_ratio=1.6)


def fitted(scene, compat, flux=None, options=OPTIONS):
    flux = scene.flux if flux is None else flux
    return prepare_and_fit(flux, scene.error, scene.alpha, scene.region_map, options, compat=compat)


def both(function, *arguments, **keywords):
    """What jwst gives, and what we do."""
    return [function(*arguments, compat=compat, **keywords) for compat in (True, False)]


def first_region(scene):
    return RegionMap.find(scene.region_map).cut_region(0, scene.flux, scene.alpha, scene.error)


def change_with_type(compat):
    """Columns with other knots, and changes of scale and trace, if the flux is in float64."""
    scene = make_scene()
    models = [fitted(scene, compat, scene.flux.astype(dtype)) for dtype in (np.float32, float)]
    one, other = (
        trace_image(
            m, scene.alpha, scene.region_map, slope_limit=0, compat=compat, dtype=float
        ).used
        for m in models
    )
    return (
        int((models[0].n_knot != models[1].n_knot).sum()),
        np.nanmax(np.abs(models[0].scale / models[1].scale - 1)),
        np.nanmax(np.abs(one - other)) / np.nanmax(scene.truth),
    )


def test_t1_the_type_of_the_flux():
    before, after = change_with_type(True), change_with_type(False)
    assert before[0] == pytest.approx(68, abs=10)  # of 240 columns
    assert before[1] == pytest.approx(2.7e-5, rel=0.3)
    assert before[2] == pytest.approx(4.0e-5, rel=0.3)
    assert after == (0, 0.0, 0.0)


def test_t2_the_number_of_knots():
    rng = np.random.default_rng(13)
    extra = np.zeros(2)
    for _ in range(300):
        first, width, n = rng.uniform(-1, 0), rng.uniform(0.1, 4), int(rng.integers(5, 80))
        x = np.linspace(first, first + width, 40 * n).astype(np.float32)
        splines = both(bspline_fit, x, np.zeros(len(x)), n, wrapiter=1, space_ratio=9)
        extra += [len(spline.t) - 8 != n - 1 for spline in splines]
    assert extra[0] / 300 == pytest.approx(0.20, abs=0.03)
    assert extra[1] == 0


def test_t3_the_distance_from_zero():
    x = np.linspace(5, 7, 300)
    before, after = both(bspline_fit, x, np.sin(x), 20, wrapiter=1)
    assert before.t[0] == x[1]
    assert after.t[0] == x[0]
    is_none = {}
    for n_gap in (8, 9, 10):
        x = np.concatenate([10 + 1.5 * k + np.linspace(0, 1, 100) for k in range(n_gap + 1)])
        is_none[n_gap] = [s is None for s in both(bspline_fit, x, np.ones(len(x)), 60)]
    assert is_none == {8: [False, False], 9: [True, False], 10: [True, True]}


def beside_a_gap(stop, n_sample=930):
    """Samples that begin again just before the end of the second basis function."""
    rng = np.random.default_rng(5)
    x = np.concatenate([[0.0], np.linspace(stop, 10, n_sample)])
    grid = np.linspace(0, 10, 500)
    truth, there = (2 + np.exp(-0.5 * (at - 6) ** 2) for at in (x, grid))
    y = truth + rng.normal(0, 0.01, len(x))
    splines = both(bspline_fit, x, y, 20, wrapiter=1, space_ratio=99)
    return (
        [np.abs(spline.c).max() for spline in splines],
        [np.abs(spline(grid) - there).max() for spline in splines],
        [len(spline.t) for spline in splines],
    )


def test_t4_coefficients_that_nothing_determines():
    (before, after), errors, knots = beside_a_gap(0.735)
    assert before == pytest.approx(1.8e4, rel=0.1)
    assert errors[0] == pytest.approx(1.2e4, rel=0.1)
    assert after == pytest.approx(3.01, abs=0.02)
    assert errors[1] < 0.05
    assert knots[0] == knots[1] + 1


def test_t5_columns_in_the_dark():
    scene = make_scene(n_column=120)
    flux = scene.flux.copy()
    flux[:, 60] = -np.abs(flux[:, 60])
    before, after = (fitted(scene, compat, flux) for compat in (True, False))
    assert before.scale[0, 60] == 0.0
    assert before.model[0, 60] >= 0
    assert after.model[0, 60] == -1
    assert after.flags[0, 60] & ColumnFlag.NO_SCALE
    full = [
        trace_image(model, scene.alpha, scene.region_map, slope_limit=0, compat=compat).used[:, 60]
        for model, compat in ((before, True), (after, False))
    ]
    assert (full[0][np.isfinite(full[0])] == 0).all()
    assert np.isfinite(full[0]).sum() > 10
    assert np.isnan(full[1]).all()


def test_t7_the_middle_of_the_window():
    rng = np.random.default_rng(1)
    alpha = np.sort(rng.uniform(-1, 1, (400, 100)), axis=0)
    columns = np.arange(100.0)
    flux = np.broadcast_to(columns, alpha.shape).copy()  # the spline is the mean column
    options = {"lrange": 10, "space_ratio": 9, "spline_bkpt": 4, "require_ngood": 3, "fit_iter": 1}
    grid = np.linspace(-0.9, 0.9, 99)
    for models, offset in zip(
        both(fit_2d_spline_trace, flux, alpha, **options), (-0.5, 0.0), strict=True
    ):
        found = [np.mean(models[k]["model"](grid)) - k for k in range(10, 90)]
        assert np.mean(found) == pytest.approx(offset, abs=0.05)
    scene = make_scene()
    for compat, width in ((True, 100), (False, 101)):
        assert fitted(scene, compat).n_point[0, 120] == width * 22


def test_t26_near_columns_weigh_more():
    rng = np.random.default_rng(1)
    alpha = np.sort(rng.uniform(-1, 1, (400, 101)), axis=0)
    distance = np.arange(-50.0, 51)
    flux = np.broadcast_to(distance**2, alpha.shape).copy()  # the spline is the mean square
    options = {"lrange": 10, "space_ratio": 9, "spline_bkpt": 4, "require_ngood": 3, "fit_iter": 1}
    grid = np.linspace(-0.9, 0.9, 99)
    models = both(fit_2d_spline_trace, flux, alpha, **options)
    before, after = (np.mean(columns[50]["model"](grid)) for columns in models)
    assert before == pytest.approx(33.5, abs=1.0)  # of -10 to 9
    weight = np.clip(1 - (distance / 11) ** 2, 0, None)
    assert np.sum(weight * distance**2) / weight.sum() == pytest.approx(24)
    assert after == pytest.approx(24, abs=1.0)


def test_t26_the_trace_of_a_source_with_lines():
    """The background is a smaller share of a line than of the columns beside it."""
    off = {}
    for noise in (0.0, 1.0):
        scene = make_scene({1: ((0.0, 1000.0),)}, height=30, background=20, noise=noise)
        for compat in (True, False):
            images = trace_image(
                fitted(scene, compat),
                scene.alpha,
                scene.region_map,
                slope_limit=0,
                compat=compat,
                dtype=float,
            )
            error = np.sqrt(scene.truth) if noise else np.nanmax(scene.truth)
            off[noise, compat] = np.sqrt(np.nanmean(((images.used - scene.truth) / error) ** 2))
    assert [off[0.0, compat] for compat in (True, False)] == pytest.approx([51e-4, 35e-4], rel=0.05)
    assert [off[1.0, compat] for compat in (True, False)] == pytest.approx([1.75, 1.52], rel=0.05)


def test_t8_knots_for_the_rows_with_data():
    scene = make_scene(n_column=120, height=52, tilt=2.0, noise=0.3)
    models = {}
    for half_width, n_good in ((1.0, None), (1.3, 8)):
        flux = np.where(np.abs(scene.alpha) < half_width, scene.flux, np.nan)
        options = FitOptions(space_ratio=1.6, require_ngood=n_good)
        for compat in (True, False):
            models[half_width, compat] = fitted(scene, compat, flux, options)
    # 20 of 52 rows: a column of jwst wants half of them all.
    assert models[1.0, True].n_model == 0
    assert models[1.0, False].n_model == 120
    # 26 of 52 rows.
    before, after = models[1.3, True], models[1.3, False]
    assert before.n_knot.max() == pytest.approx(111, abs=1)
    assert after.n_knot.max() == pytest.approx(58, abs=1)
    assert before.n_model == 93
    assert np.count_nonzero(before.flags & ColumnFlag.TOO_SPARSE) > 20
    assert after.n_model == 120


def offsets_of_compact_ranges(compat):
    """Middle of the range of compact samples minus the place of the source, in pixels."""
    found = []
    for centre in np.linspace(-0.15, 0.15, 13):
        for tilt in (1.0, 3.0, 6.0):
            scene = make_scene(
                {1: ((centre, 1000.0),)}, n_column=120, noise=0.0, tilt=tilt, curve=0.5
            )
            model = TraceModel.from_dicts(exact_models(scene), 120)
            alpha = scene.alpha_on(2)
            used = oversample_image(
                scene.flux,
                scene.alpha,
                scene.region_map,
                model,
                2,
                alpha,
                compat=compat,
                planes=("used",),
            ).used
            there = alpha[np.isfinite(used)]
            found.append(((there.min() + there.max()) / 2 - centre) / PIXEL)
    return np.array(found)


def test_t21_the_middle_of_a_compact_source():
    before, after = offsets_of_compact_ranges(True), offsets_of_compact_ranges(False)
    assert before.mean() == pytest.approx(0.20, abs=0.02)
    assert after.mean() == pytest.approx(-0.05, abs=0.02)
    assert np.abs(before).max() == pytest.approx(0.51, abs=0.02)
    assert np.abs(after).max() == pytest.approx(0.26, abs=0.02)


def test_t10_unit_and_zero_point_of_all_images():
    ratios, steps = [], []
    for compat in (True, False):
        model, _ = si.model("nrs_slit", unit="MJy")
        tree_of(model)["data"] -= np.float32(30.0)
        made = fit_and_oversample(
            model,
            fit_threshold=0.0,
            oversample_factor=2.0,
            return_intermediate_models=True,
            compat=compat,
        )
        flux, full, used, linear, _ = (item.data for item in made)
        elsewhere = ~np.isfinite(used) & np.isfinite(flux)
        steps.append(np.median((linear - flux)[elsewhere]))
        ratios.append(np.nanmedian(full / used))
    assert steps == pytest.approx([14.65, 0.0], abs=0.01)  # the mean of half of a pixel
    assert ratios == pytest.approx([2.0, 1.0])


def test_t12_which_spline_is_borrowed():
    alpha = (np.arange(26) - 13) * PIXEL + 0.01 * np.maximum(np.arange(100) - 40, 0)[:, None]
    flux = 100 * np.exp(-0.5 * ((alpha - 0.03) / 0.075) ** 2)
    region = Region(1, np.zeros(len(alpha), np.int32), flux, alpha)
    results = {}
    for name, order in (("up", np.arange(100)), ("down", np.arange(100)[::-1])):
        options = FitOptions(lrange=8, space_ratio=1.0, col_index=order)
        for compat in (True, False):
            model = fit_trace([1], {1: (region, flux.sum(axis=1))}, 100, options, compat=compat)
            used = np.flatnonzero(model.model[0] >= 0)
            results[name, compat] = len(used), np.abs(model.model[0][used] - used).max()
    assert results["up", True] == (61, 0)
    assert results["down", True] == (100, 39)
    assert results["up", False] == results["down", False] == (70, 8)


def test_t15_sums_of_columns():
    scene = make_scene(height=40)
    exact = np.nansum(np.where(scene.region_map > 0, scene.flux, np.nan).astype(float), axis=0)
    before, after = (
        np.abs(column_sums(first_region(scene).flux, None, rounds=rounds) / exact - 1).max()
        for rounds in (True, False)
    )
    assert before == pytest.approx(3.7e-7, rel=0.2)
    assert after < 1e-15


def test_t16_a_background_makes_a_source_less_steep():
    pixels = {}
    for compat in (True, False):
        for background in (0.0, 100.0):
            scene = make_scene(n_column=150, background=background, noise=0.1)
            model = fitted(scene, compat)
            used = trace_image(model, scene.alpha, scene.region_map, compat=compat).used
            pixels[compat, background] = int(np.isfinite(used).sum())
    for compat in (True, False):
        ratio = pixels[compat, 100.0] / pixels[compat, 0.0]
        assert ratio == pytest.approx(0.78, abs=0.01)


def test_t19_linear_flux_is_an_image_of_its_own():
    scene = make_scene(n_column=60)
    arguments = scene.flux, scene.alpha, scene.region_map, exact_models(scene)
    for compat in (True, False):
        flux, used, _, linear, _ = oversample_flux(
            *arguments, oversample_factor=2.0, alpha_os=scene.alpha_on(2), compat=compat
        )
        assert not np.shares_memory(flux, linear)
        compact = np.isfinite(used) & np.isfinite(linear)
        assert np.abs(flux - linear)[compact].max() > 0.1 * np.nanmax(scene.truth)


def kept_samples(x, compat, caplog):
    """Count the samples that the gap filter leaves, as the log tells."""
    caplog.clear()
    with caplog.at_level(logging.INFO):
        bspline_fit(x, 1 + 1e-3 * np.sin(77 * x), 20, 9, 9, 2, 9, verbose=True, compat=compat)
    text = caplog.records[0].getMessage()
    assert "Rejected 0 " in text
    return int(text.split()[-1])


def test_t20_gaps_of_a_regular_grid(caplog):
    for x, n_before in (
        (np.linspace(-1, 1, 1000).astype(np.float32), 924),
        (np.linspace(5, 7, 400), 349),
    ):
        assert kept_samples(x, True, caplog) == n_before
        assert kept_samples(x, False, caplog) == len(x)


def test_t22_weak_coefficients():
    _, errors, knots = beside_a_gap(0.59)
    assert errors[0] == pytest.approx(0.28, abs=0.03)
    assert errors[1] < 0.02
    assert knots[0] == knots[1] + 1


def test_t23_fine_rows_belong_to_their_nearest_pixel():
    scene = make_scene({1: ((0, 1000.0),), 2: ((0, 1000.0),)}, gap=0, n_column=60, noise=0.0)
    labels = scene.region_map
    fine = labels[nearest_rows(len(labels), 1.7)]
    values = np.where(labels > 0, 10.0 * labels, np.nan)
    images = both(linear_oversample, values, labels, 1.7, 3)
    missing = [int((np.isnan(image) & (fine > 0)).sum()) for image in images]
    assert missing == [22, 0]
    assert (fine > 0).sum() == 4489
    np.testing.assert_array_equal(images[1], np.where(fine > 0, 10.0 * fine, np.nan))


def test_t24_wings_of_a_source_are_no_edge():
    scene = make_scene(n_column=150, tilt=0.0, curve=0.0, noise=1.0)
    lost = []
    for compat in (True, False):
        region = first_region(scene)
        flux = region.flux.copy()
        profile = cross_profile(flux, region.error, region.alpha, PIXEL, compat=compat)
        trim_edges(flux, region.alpha, profile, compat=compat)
        lost.append(1 - np.isfinite(flux).sum() / np.isfinite(region.flux).sum())
    assert lost == pytest.approx([0.74, 0.0], abs=0.01)


def test_t13_threads_for_everything():
    model, _ = si.multi_slit(("A", "B"))
    for compat in (True, False):
        one, other = (
            AdaptiveTraceModelStep(oversample=2.0, maximum_cores=cores, compat=compat).process(
                model
            )
            for cores in ("none", "2")
        )
        for a, b in zip(one.slits, other.slits, strict=True):
            for name in ("data", "err", "trace_model"):
                np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def test_every_difference_is_on_the_page_with_its_test(repository):
    assert_differences_are_tested(repository, "adaptive_trace_model", "T", 26)
