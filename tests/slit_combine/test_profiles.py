"""Profiles across the dispersion: Gaussians and tables."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import erf
from synthetic_slitlet import pixel_profile as truth
from synthetic_slitlet import psf_fwhm

from webbweave.slit_combine.profiles import ProfileTable, pixel_profile, psf_spread


def small_table(**kwargs):
    """Gaussians of known widths."""
    axes = {
        "yslit": np.linspace(-8.0, 8.0, 513),
        "wave": np.array([1.0, 3.0, 5.0]),
        "width": np.array([0.0, 0.2, 0.4, 0.6, 0.8]),
        **kwargs,
    }
    wave, width, y = np.meshgrid(axes["wave"], axes["width"], axes["yslit"])
    wave, width, y = (np.moveaxis(a, 0, 0) for a in (wave, width, y))
    spread = psf_spread(wave, psf_fwhm(wave))
    values = np.stack(
        [pixel_profile(y[k], spread[k], float(w)).value for k, w in enumerate(axes["width"])]
    )
    return ProfileTable(axes["yslit"], axes["wave"], axes["width"], values)


def test_gaussians_are_exact():
    y, wave = np.meshgrid(np.linspace(-12, 12, 301), np.linspace(0.6, 5.3, 17))
    spread = psf_spread(wave, psf_fwhm(wave))
    for sigma in (0.1, 0.6, 2.0):
        found = pixel_profile(y, spread, sigma)
        np.testing.assert_allclose(found.value, truth(y, wave, sigma), atol=1e-13)
        h = 1e-5
        by_y = (truth(y + h, wave, sigma) - truth(y - h, wave, sigma)) / (2 * h)
        by_width = (truth(y, wave, sigma + h) - truth(y, wave, sigma - h)) / (2 * h)
        np.testing.assert_allclose(found.by_y, by_y, atol=1e-9)
        np.testing.assert_allclose(found.by_width, by_width, atol=1e-9)


def test_pixels_hold_all_the_light():
    y = np.arange(-40.0, 41.0) + 0.37
    for sigma in (0.1, 1.0, 3.0):
        assert pixel_profile(y, np.full(81, 0.3), sigma).value.sum() == pytest.approx(1.0)


def test_wings_add_their_part():
    y, spread = np.linspace(-9, 9, 100), np.full(100, 0.3)
    found = pixel_profile(y, spread, 0.5, wings=((0.2, 3.0, 1.0),)).value
    s = np.sqrt(2.0 * (0.3 + 0.25))
    wide = 0.5 * (erf((y + 1.5) / (3 * s)) - erf((y + 0.5) / (3 * s)))
    expected = 0.5 * (erf((y + 0.5) / s) - erf((y - 0.5) / s)) + 0.2 * wide
    np.testing.assert_allclose(found, expected, atol=1e-13)


def test_tables_are_interpolated():
    table = small_table()
    rng = np.random.default_rng(1)
    y, wave = rng.uniform(-6, 6, 500), rng.uniform(1.0, 5.0, 500)
    index = psf_spread(wave, np.nan, lookup=table)
    found = pixel_profile(y, index, 0.47, lookup=table)
    np.testing.assert_allclose(found.value, truth(y, wave, 0.47), atol=0.02)
    h = 1e-7
    sides = [pixel_profile(y + s, index, 0.47, lookup=table).value for s in (h, -h)]
    np.testing.assert_allclose(found.by_y, (sides[0] - sides[1]) / (2 * h), atol=1e-5)
    sides = [pixel_profile(y, index, 0.47 + s, lookup=table).value for s in (h, -h)]
    np.testing.assert_allclose(found.by_width, (sides[0] - sides[1]) / (2 * h), atol=1e-6)
    outside = psf_spread([0.9, 5.1, np.nan], np.nan, lookup=table)
    assert outside.tolist() == [-1.0] * 3
    assert pixel_profile([0.0] * 3, outside, 0.4, lookup=table).value.tolist() == [0.0] * 3


def test_the_table_of_the_peer_is_read_as_the_peer_reads_it(peer_results, peer_tables):
    packed = np.load(peer_tables / "psf" / "nirspec_merged_s200a1_psf_lookup_001_f4.npz")
    table = ProfileTable.from_cube(packed["PROF"], packed["YSLIT"], packed["WAVE"], packed["SIGMA"])
    stored = np.load(peer_results / "01_helpers.npz")
    index = psf_spread(stored["lut_w"], np.nan, lookup=table)
    for width in ("0.0", "0.123", "0.6", "1.7", "3.0"):
        found = pixel_profile(stored["lut_y"], index, float(width), lookup=table).value
        np.testing.assert_allclose(found, stored[f"lut_{width}"], atol=2e-7)


def test_planes_without_numbers_are_left_out():
    cube = np.ones((5, 3, 2))
    cube[:, 1] = np.nan
    cube[0, 0, 1] = np.nan
    table = ProfileTable.from_cube(cube, np.arange(5.0), [1.0, 2.0, 3.0], [0.0, 1.0])
    assert table.wave.tolist() == [1.0, 3.0]
    assert table.values.shape == (2, 2, 5)
    assert table.values[1, 0].tolist() == [0.0, 1.0, 1.0, 1.0, 1.0]


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r"spread: expected shape \(3,\), found \(2,\)"):
        pixel_profile(np.zeros(3), np.ones(2), 0.5)
    with pytest.raises(ValueError, match="wings: a tabulated"):
        pixel_profile([0.0], [0.0], 0.5, lookup=small_table(), wings=((0.1, 1.0, 0.0),))
    values = np.zeros((2, 2, 3))
    axis = np.arange(3.0)
    with pytest.raises(ValueError, match="yslit: expected equal steps"):
        ProfileTable(np.array([0.0, 1.0, 5.0]), axis[:2], axis[:2], values)
    with pytest.raises(ValueError, match="wave: expected two or more ascending"):
        ProfileTable(axis, axis[:1], axis[:2], values)
    with pytest.raises(ValueError, match=r"values: expected shape \(2, 2, 3\)"):
        ProfileTable(axis, axis[:2], axis[:2], values[:1])
    assert pixel_profile(np.zeros((0, 3)), np.zeros((0, 3)), 0.5).value.shape == (0, 3)
