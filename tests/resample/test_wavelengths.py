"""The wavelength table: its ends, its kinks, and how those of several exposures are united."""

from __future__ import annotations

import numpy as np
import pytest

from webbweave.resample.wavelengths import (
    WavelengthTable,
    at_position,
    column_medians,
    merge_wavelengths,
)


def test_ends_reach_half_a_column_out():
    table = WavelengthTable.from_wavelengths(np.array([1.0, 1.2, 1.5, 1.9]))
    np.testing.assert_allclose(table.values, [0.9, 1.0, 1.2, 1.5, 1.9, 2.1])
    np.testing.assert_allclose(table.points, [-0.5, 0, 1, 2, 3, 3.5])
    found = table.column(np.array([0.89, 0.90001, 1.35, 2.09999, 2.11, np.nan]))
    np.testing.assert_allclose(found, [np.nan, -0.5, 1.5, 3.5, np.nan, np.nan], atol=1e-4)


def test_a_single_wavelength_is_constant():
    table = WavelengthTable.from_wavelengths(np.array([2.0]))
    np.testing.assert_array_equal(table.values, [2, 2, 2])
    np.testing.assert_array_equal(table.points, [-0.5, 0, 0.5])


def test_wavelengths_at_a_place_are_smooth_where_medians_jump():
    y, x = np.mgrid[:21, :60].astype(float)
    wavelength = 1.0 + 0.01 * x + 0.0005 * x**2 / 60 + 0.002 * y
    position = y - 10.2
    wavelength[:12, 30:40] = np.nan  # rows that are missing shift the median
    wavelength[:5, :3] = np.nan
    position[np.isnan(wavelength)] = np.nan
    smooth = at_position(wavelength, position)
    columns = np.r_[:30, 40:60]
    truth = 1.0 + 0.01 * columns + 0.0005 * columns**2 / 60 + 0.002 * 10.2
    np.testing.assert_allclose(smooth, truth, rtol=1e-12)
    medians = column_medians(wavelength)
    assert np.ptp(np.diff(medians)) > 0.005


def test_the_direction_of_rows_does_not_matter():
    y, x = np.mgrid[:9, :12].astype(float)
    wavelength, position = 2 + 0.1 * x + 0.01 * y, y - 3.4
    np.testing.assert_allclose(
        at_position(wavelength[::-1], position[::-1]), at_position(wavelength, position)
    )


def test_without_the_place_in_the_slit_medians_are_taken():
    y, x = np.mgrid[:9, :12].astype(float)
    wavelength = 2 + 0.1 * x + 0.01 * y
    np.testing.assert_array_equal(at_position(wavelength, y + 5), column_medians(wavelength))
    assert at_position(np.full((3, 4), np.nan), np.full((3, 4), np.nan)).size == 0


def test_union_of_shifted_tables():
    first = 2.0 + 0.01 * np.arange(50)
    merged = merge_wavelengths([first, first + 0.0995, first - 0.2003])
    assert merged[0] == pytest.approx(1.7997)
    assert merged[-1] == pytest.approx(first[-1] + 0.0995)
    assert set(first) <= set(merged)
    # No column is much narrower or wider than the rest.
    assert np.diff(merged).min() > 0.0049
    assert np.diff(merged).max() < 0.0151


def test_order_of_the_others_does_not_matter():
    first = 2.0 + 0.01 * np.arange(50)
    others = [first + 0.1, first - 0.3, first + 0.25]
    expected = merge_wavelengths([first, *others])
    np.testing.assert_array_equal(merge_wavelengths([first, *others[::-1]]), expected)


def test_a_detector_gap_stays_one_step():
    blue, red = 1.0 + 0.01 * np.arange(20), 1.5 + 0.01 * np.arange(20)
    for pair in ([blue, red], [red, blue]):
        merged = merge_wavelengths(pair)
        np.testing.assert_array_equal(merged, np.concatenate([blue, red]))
        assert np.count_nonzero(np.diff(merged) > 0.02) == 1


def test_the_same_wavelengths_come_once():
    first = 2.0 + 0.01 * np.arange(50)
    merged = merge_wavelengths([first, first + 1e-12, first - 1e-6], compat=True)
    assert merged.size == 50
    # jwst looks at the steps of the first exposure only: a finer one does not count.
    fine = np.concatenate([first, first[-1] + 0.0005 * np.arange(1, 9)])
    assert merge_wavelengths([first, fine], compat=True).size < fine.size
    assert merge_wavelengths([fine, first]).size == fine.size


def test_empty_tables_are_passed_over():
    assert merge_wavelengths([]).size == 0
    assert merge_wavelengths([np.empty(0), np.arange(3.0)]).size == 3
