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
