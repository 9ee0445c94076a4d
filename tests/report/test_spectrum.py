"""Tests of the numbers of a report, on a source that is known."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from webbweave.report import summarise
from webbweave.report.spectrum import (
    column_wavelengths,
    count_exposures,
    find_source_rows,
    row_scale,
    signal_to_noise,
    spatial_profile,
    summarise_slit,
)

SOURCE_ROW, LINE_COLUMN, LINE_FLUX, CONTINUUM, ERROR = 12, 40, 50.0, 2.0, 0.25


def test_import_draws_nothing():
    code = "import sys, webbweave.report; print('matplotlib' in sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "False"


def test_signal_to_noise_without_an_error_is_nan():
    ratio = signal_to_noise([3.0, 1.0, np.nan, 1.0, 1.0], [1.5, 0.0, 1.0, np.nan, -1.0])
    assert_array_equal(ratio, [2.0, np.nan, np.nan, np.nan, np.nan])


def test_count_exposures_counts_bits_of_all_planes():
    context = np.zeros((2, 1, 3), dtype=np.int32)
    context[0, 0] = [0, 0b1011, -1]  # all 32 bits set is -1
    context[1, 0] = [0, 0b1, np.iinfo(np.int32).min]  # only the sign bit
    assert_array_equal(count_exposures(context), [[0, 4, 33]])
    assert_array_equal(count_exposures(context[0].astype(">i4")), [[0, 3, 32]])


def test_column_wavelengths_survive_pixels_without():
    image = np.array([[1.0, np.nan, 3.0], [1.0, np.nan, np.nan]])
    assert_array_equal(column_wavelengths(image, 3), [1.0, np.nan, 3.0])
    assert_array_equal(column_wavelengths(None, 2), [np.nan, np.nan])
    assert_array_equal(column_wavelengths(np.ones((3, 2)), 2), [1.0, 1.0])
    for n_row in (1, 4, 5):
        random = np.random.default_rng(n_row).normal(size=(n_row, 60))
        random[random < 0] = np.nan
        known = np.isfinite(random).any(axis=0)
        expected = np.full(60, np.nan)
        expected[known] = np.nanmedian(random[:, known], axis=0)
        assert_array_equal(column_wavelengths(random, 60), expected)


def test_spatial_profile_is_the_weighted_mean():
    data = np.array([[1.0, 3.0, np.nan], [np.nan] * 3])
    weight = np.array([[3.0, 1.0, 1.0], [1.0] * 3])
    mean, error = spatial_profile(data, np.full((2, 3), 2.0), weight)
    assert_allclose(mean, [1.5, np.nan])
    assert_allclose(error, [2.0 * np.sqrt(10) / 4, np.nan])


@pytest.mark.parametrize("turn", [0.0, 90.0, 200.0])
@pytest.mark.parametrize("declination", [0.0, 52.9, -89.5])
def test_row_scale_and_direction(turn, declination):
    def wcs(x, y):
        offset = 0.105 / 3600 * np.asarray(y)
        east, north = offset * np.sin(np.deg2rad(turn)), offset * np.cos(np.deg2rad(turn))
        return 10 + east / np.cos(np.deg2rad(declination)), declination + north, x

    scale, angle = row_scale(wcs, (31, 10))
    assert scale == pytest.approx(0.105, rel=1e-4)
    # Near the pole the direction changes on the way.
    assert (angle - turn + 180) % 360 - 180 == pytest.approx(0, abs=0.1)


def test_row_scale_is_unknown_without_a_wcs():
    assert row_scale(None, (5, 5)) == (None, None)
    assert row_scale(lambda x, y: (x * np.nan, y, x), (5, 5)) == (None, None)


@pytest.mark.parametrize("sky", [0.0, 4.0])
def test_summary_recovers_the_spectrum_of_the_source(tree, sky):
    summary = summarise_slit(tree(sky=sky))
    start, stop = summary.source_rows
    assert (start, stop) == (SOURCE_ROW - 2, SOURCE_ROW + 3)
    line = slice(LINE_COLUMN, LINE_COLUMN + 2)
    rows = np.arange(start, stop) - SOURCE_ROW
    inside = np.exp(-0.5 * rows**2.0).sum() / np.exp(-0.5 * np.arange(-9, 10) ** 2.0).sum()
    assert inside > 0.95
    net = summary.spectrum - (stop - start) * sky
    assert_allclose(net[line], inside * (LINE_FLUX + CONTINUUM), rtol=1e-5)
    assert_allclose(net[50:], inside * CONTINUUM, rtol=1e-5)
    assert_allclose(summary.error[3:], ERROR * np.sqrt(stop - start), rtol=1e-6)
    assert_allclose(summary.background[3:], (stop - start) * sky, atol=1e-3)
    assert np.isnan(summary.spectrum[:3]).all()
    expected = inside * (LINE_FLUX + CONTINUUM) / (ERROR * np.sqrt(stop - start))
    assert summary.peak_snr == pytest.approx(expected, rel=1e-3)
    assert summary.peak_wavelength in summary.wavelength[line]
    assert summary.has_sky is (sky > 0)
    assert summary.most_exposures == 2
    assert summary.exposure_time == 2042.4
    assert not summary.has_negative_stripes


def test_summary_signal_to_noise_of_a_pixel(tree):
    made = tree()
    summary = summarise_slit(made)
    assert_allclose(summary.snr, made["data"] / ERROR, rtol=1e-6)


def test_source_is_found_in_noise_and_beside_a_hot_pixel(tree):
    made = tree(noise=3)
    made["data"][4, 80] = 1e4
    start, stop = summarise_slit(made).source_rows
    assert start <= SOURCE_ROW - 1
    assert stop >= SOURCE_ROW + 2
    assert stop - start <= 7


def test_source_of_a_uniform_image_is_all_of_it():
    assert find_source_rows(np.ones((4, 9)), np.ones((4, 9))) == (0, 4)


def test_subtracted_nods_are_noticed(tree):
    made = tree()
    made["data"] = made["data"] - 0.5 * np.roll(made["data"], 7, axis=0)
    assert summarise_slit(made).has_negative_stripes


def test_summary_of_what_is_not_there(tree, empty_tree):
    summary = summarise_slit(empty_tree())
    assert summary.source_rows == (0, 0)
    assert np.isnan(summary.peak_snr)
    assert summary.wavelength_range is None
    assert summary.most_exposures == 0
    bare = summarise_slit({"data": tree()["data"]})
    assert bare.name == "unnamed source"
    assert bare.source_rows == (SOURCE_ROW - 2, SOURCE_ROW + 3)
    assert np.isnan(bare.error).all()


def test_summarise_lists_all_slits(slit, several, tree):
    assert [one.name for one in summarise(slit)] == ["known"]
    trees = [tree(name="a"), tree(name="b")]
    assert [one.name for one in summarise(several(trees))] == ["a", "b"]


def test_summarise_changes_nothing(slit):
    before = {key: slit._instance[key].copy() for key in ("data", "err", "wht", "con")}
    summarise(slit)
    for key, array in before.items():
        assert_array_equal(slit._instance[key], array)
