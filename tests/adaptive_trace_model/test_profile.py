"""The profile of a region across the dispersion, and what is decided from it."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic_trace import PIXEL, make_scene, profile, spectrum

from webbweave.adaptive_trace_model.fit import FitOptions
from webbweave.adaptive_trace_model.prepare import prepare_and_fit
from webbweave.adaptive_trace_model.profile import (
    CrossProfile,
    column_sums,
    cross_profile,
    is_bright,
    trim_edges,
)
from webbweave.adaptive_trace_model.regions import RegionMap


def collapsed(scene, **keywords):
    regions = RegionMap.find(scene.region_map)
    region = regions.cut_region(0, scene.flux, scene.alpha, scene.error)
    size = regions.measure(0, scene.alpha).pixel_size
    return region, cross_profile(region.flux, region.error, region.alpha, size, **keywords)


def test_profile_is_that_of_the_source():
    scene = make_scene({1: ((0.2, 1000.0),)}, n_column=200, tilt=6.0, outliers=0.002, bad=0.01)
    region, found = collapsed(scene)
    middle = np.median(spectrum(200)) * 1000 * profile(found.alpha, 0.2)
    bright = middle > 100
    assert bright.sum() > 4
    np.testing.assert_allclose(found.flux[bright], middle[bright], rtol=0.1)
    np.testing.assert_allclose(np.diff(found.alpha), PIXEL / 2)
    # No pixel is beyond the last bin.
    assert found.alpha[0] == np.nanmin(region.alpha)
    assert np.nanmax(region.alpha) <= found.alpha[-1] + PIXEL / 4


def test_last_half_bin_is_lost_in_jwst():
    alpha = np.arange(5.0)[None, :] * np.ones((8, 1))
    arrays = np.full_like(alpha, 3.0), np.ones_like(alpha), alpha
    ours, theirs = (cross_profile(*arrays, 1.0, compat=compat) for compat in (False, True))
    np.testing.assert_array_equal(ours.alpha, np.arange(9) / 2)
    np.testing.assert_array_equal(theirs.alpha, np.arange(8) / 2)
    np.testing.assert_array_equal(ours.flux, [3, np.nan] * 4 + [3])
    np.testing.assert_array_equal(theirs.flux, [3, np.nan] * 4)


def test_no_profile():
    scene = make_scene(n_column=40)
    region, _ = collapsed(scene)
    arrays = region.flux, region.error, region.alpha
    assert cross_profile(arrays[0], None, arrays[2], PIXEL) is None
    assert cross_profile(arrays[0], np.zeros_like(arrays[1]), arrays[2], PIXEL) is None
    assert cross_profile(np.full_like(arrays[0], np.nan), *arrays[1:], PIXEL) is None
    assert cross_profile(*arrays[:2], np.full_like(arrays[2], np.nan), PIXEL) is None
    assert cross_profile(*arrays, np.nan) is None
    assert cross_profile(*arrays, 0.0) is None
    assert cross_profile(*arrays, 1e-12) is None


@pytest.mark.parametrize(
    ("peak", "snr", "expected"),
    [
        (None, None, True),
        ({5: 9.0}, None, True),
        ({5: 10.0}, None, False),
        (None, 3.9, True),
        (None, 4.0, False),
        ({5: 99.0}, 1.0, True),
        ({5: np.nan}, None, False),
    ],
)
def test_thresholds(peak, snr, expected):
    values = np.array([np.nan, 10.0]), np.array([1.0, 1.0]), np.array([4.0, np.nan])
    assert is_bright(CrossProfile(np.arange(2.0), *values), 5, peak, snr) is expected


def test_nothing_is_bright_without_a_profile():
    assert is_bright(None, 1, None, None)
    assert not is_bright(None, 1, {1: 0.0}, None)
    assert not is_bright(None, 1, None, 0.0)
    none = np.full(3, np.nan)
    assert not is_bright(CrossProfile(none, none, none, none), 1, {1: -1.0}, -1.0)


def test_noisy_edges_are_trimmed():
    scene = make_scene(n_column=150, tilt=0.0, curve=0.0, noise=0.3)
    region, before = collapsed(scene)
    flux = region.flux.copy()
    assert not trim_edges(flux, region.alpha, before)
    np.testing.assert_array_equal(flux, region.flux)
    edge = np.abs(region.alpha) > 1.05
    region.error[edge] *= 1000
    noisy = cross_profile(region.flux, region.error, region.alpha, PIXEL)
    assert trim_edges(flux, region.alpha, noisy)
    # The bin at the edge may hold half of the pixels of the next one.
    assert np.isnan(flux[edge]).all()
    assert np.isfinite(flux[np.abs(region.alpha) < 0.95]).all()


def test_wings_of_a_source_are_no_edge():
    # Photon noise makes the wings noisier than the dark sky around, which is not lost for it.
    scene = make_scene(n_column=150, tilt=0.0, curve=0.0, noise=1.0)
    region, profile = collapsed(scene)
    flux = region.flux.copy()
    assert not trim_edges(flux, region.alpha, profile)
    np.testing.assert_array_equal(flux, region.flux)
    assert trim_edges(flux, region.alpha, profile, compat=True)
    assert np.isnan(flux[np.abs(region.alpha) > 0.9]).all()


def test_nothing_is_trimmed_where_all_is_noise():
    n = np.linspace(-1, 1, 9)
    flux = np.ones((9, 9))
    for snr, error in ((np.full(9, np.nan), np.ones(9)), (np.ones(9), np.ones(9))):
        assert not trim_edges(flux, np.tile(n, (9, 1)), CrossProfile(n, n, error, snr))
    assert np.isfinite(flux).all()


def test_sums_of_a_subtracted_nod():
    """Where a nod was subtracted, the sum of a column is that of its positive source."""
    scene = make_scene({1: ((-0.45, 1000.0), (0.45, -1000.0))}, n_column=80, noise=0.1)
    region, found = collapsed(scene)
    assert np.nanmin(found.snr) < -5
    sums = column_sums(region.flux, found)
    np.testing.assert_allclose(sums, 1000 * spectrum(80), rtol=0.03)
    assert np.abs(column_sums(region.flux, None)).max() < 30


#: 1 is lost beside this float32.
BIG = 2.0**24


@pytest.mark.parametrize(
    ("column", "first_row", "height", "expected"),
    [
        ([BIG, 0, 1, 1, 1, 1, np.nan, 0, 1], 0, 0, BIG),  # one after the other
        ([BIG, 0, 1, 1, 1, 1, np.nan, 0, 1], 0, 9, BIG + 4),  # eight lanes, and a rest
        ([BIG, 0, 1, 1, 0, 0, np.nan, 0, 1], 4, 16, BIG + 2),  # the last one is in the lane of BIG
        ([BIG, 0, 1, 1, 0, 0, np.nan, 0, 1], 126, 256, BIG + 4),  # halves
    ],
)
def test_order_of_sums_as_in_jwst(column, first_row, height, expected):
    flux = np.array([column])
    rows = {"first_row": np.array([first_row], np.int32), "height": height}
    assert column_sums(flux, None, rounds=True, **rows) == [expected]
    image = np.full((height or len(column), 1), np.nan, np.float32)
    image[first_row : first_row + len(column), 0] = column
    # A second column, so that NumPy knows which of them are contiguous.
    image = np.array(np.repeat(image, 2, axis=1), order="F" if height else "C")
    np.testing.assert_array_equal(np.nansum(image, axis=0), expected)


@pytest.mark.parametrize("has_negative", [False, True])
@pytest.mark.parametrize(
    ("n_row", "first_row", "height"),
    [(26, 0, 26), (26, 2, 28), (5, 1, 7), (26, 503, 1032), (300, 33, 1032), (136, 0, 136)],
)
def test_sums_are_those_of_numpy(n_row, first_row, height, has_negative):
    """To the bit: one more ulp, and where a residual is at the limit another spline is fitted."""
    rng = np.random.default_rng(3)
    image = np.full((height, 200), np.nan, np.float32)
    values = rng.lognormal(0.0, 2.0, (n_row, 200)) * rng.choice([1, 1, 1, np.nan, -1], (n_row, 200))
    image[first_row : first_row + n_row] = values
    region = np.array(image[first_row : first_row + n_row].T, np.float64, order="C")
    profile = CrossProfile(*np.full((3, 1), np.nan), np.array([-9.0 if has_negative else 9.0]))
    found = {}
    in_pairs = {"first_row": np.full(200, first_row, np.int32), "height": height}
    for order, rows in (("C", {}), ("F", in_pairs)):
        ordered = np.array(image, order=order)
        where = ordered > 0 if has_negative else True
        found[order] = column_sums(region, profile, rounds=True, **rows)
        np.testing.assert_array_equal(found[order], np.nansum(ordered, axis=0, where=where))
    assert np.any(found["C"] != found["F"]) or n_row < 8


def test_memory_of_the_image_decides_about_sums_of_jwst():
    scene = make_scene(n_column=60, noise=1.0)
    flux, rest = np.float32(scene.flux), (scene.error, scene.alpha, scene.region_map)
    options = FitOptions(lrange=20)

    def scales(order, **keywords):
        image = np.array(flux, order=order)
        return prepare_and_fit(image, *rest, options, **keywords).scale

    by_row, by_column = scales("C", compat=True), scales("F", compat=True)
    assert np.any(by_row != by_column)
    np.testing.assert_allclose(by_row, by_column, rtol=1e-6)
    np.testing.assert_array_equal(scales("C", compat=True, by_column=True), by_column)
    np.testing.assert_array_equal(scales("C"), scales("F"))


def test_thresholds_choose_the_regions():
    scene = make_scene(
        {2: ((0, 3000.0),), 6: ((0, 1.0),), 7: ((0.3, 3000.0),)}, n_column=60, background=60.0
    )
    arrays = scene.flux, scene.error, scene.alpha, scene.region_map
    options = FitOptions(lrange=20)
    every = prepare_and_fit(*arrays, options)
    by_snr = prepare_and_fit(*arrays, options, snr_threshold=15.0)
    by_peak = prepare_and_fit(*arrays, options, peak_threshold={2: 1e9, 6: 1e9, 7: 100.0})
    for model, fitted in ((every, [2, 6, 7]), (by_snr, [2, 7]), (by_peak, [7])):
        np.testing.assert_array_equal(model.labels, [2, 6, 7])
        np.testing.assert_array_equal(model.labels[(model.model >= 0).any(axis=1)], fitted)


def test_without_errors_nothing_is_over_a_threshold(caplog):
    caplog.set_level("INFO")
    scene = make_scene(n_column=60)
    options = FitOptions(lrange=20)
    for error in (None, np.zeros_like(scene.error)):
        arrays = scene.flux, error, scene.alpha, scene.region_map
        assert prepare_and_fit(*arrays, options, snr_threshold=1.0).n_model == 0
        assert prepare_and_fit(*arrays, options).n_model == 60
    texts = [record.message for record in caplog.records if "no errors" in record.message]
    assert len(texts) == 4
