"""Widths, tabulated profiles, and the light through a slit."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from scipy.special import erf

from webbweave.errors import InputError
from webbweave.slit_combine.lookup_psf import LookupTablePSF, set_lookup_prf
from webbweave.slit_combine.path_loss import (
    average_path_loss,
    get_spectrum_path_loss,
    slit_prf_fraction,
)
from webbweave.slit_combine.psf_width import psf_fwhm, psf_sigma


@pytest.fixture(scope="module")
def psf():
    return LookupTablePSF()


@pytest.fixture
def helpers(shared_dir):
    return np.load(shared_dir / "oracle/slit_combine/01_helpers.npz")


def test_width_is_constant_outside_and_a_gaussian_has_it():
    assert psf_fwhm(0.1) == psf_fwhm(0.5) == 1.24
    assert psf_fwhm(9.0) == psf_fwhm(5.6) == 1.90
    assert np.isnan(psf_fwhm(np.nan))
    half = psf_fwhm(3.0) / 2
    assert np.exp(-0.5 * (half / psf_sigma(3.0)) ** 2) == pytest.approx(0.5, rel=1e-12)
    assert psf_sigma(3.0, compat=True) / psf_sigma(3.0) == pytest.approx(1.00205, abs=1e-4)


def test_profiles_hold_the_light(psf):
    y = np.arange(-11, 12)
    for shift in (0.0, 0.3):
        assert psf.evaluate(y + shift, 2.0, 0.5).sum() == pytest.approx(1, abs=3e-3)
    narrow, wide = psf.evaluate(0.0, 2.0, 0.0), psf.evaluate(0.0, 2.0, 1.5)
    assert narrow > 2 * wide > 0


def test_profile_between_table_points_is_the_mean(psf):
    middle = (psf.wave[4] + psf.wave[5]) / 2
    ends = psf.evaluate(0.5, psf.wave[4:6], 0.6)
    assert psf.evaluate(0.5, middle, 0.6) == pytest.approx(ends.mean(), rel=1e-12)
    widths = psf.tables.sigma[7:9]
    ends = [psf.evaluate(0.5, middle, width) for width in widths]
    assert psf.evaluate(0.5, middle, widths.mean()) == pytest.approx(np.mean(ends), rel=1e-12)
    assert psf.plane(0.35).shape == (psf.wave.size, psf.y.size)


def test_profile_is_zero_where_it_is_not_known(psf):
    y, wave = np.array([-13.0, 0, 0, 0, np.nan]), np.array([2.0, 0.4, 5.8, np.nan, 2.0])
    np.testing.assert_array_equal(psf.evaluate(y, wave, 0.3), 0)
    assert psf.evaluate(0.0, 2.0, 3.0) == psf.evaluate(0.0, 2.0, 2.0) > 0
    assert psf(0.1, 2.0, 0.3) == psf.evaluate(0.1, 2.0, 0.3)


def test_wavelengths_without_profile_are_dropped(psf):
    tables = psf.tables
    profile = tables.profile.copy()
    profile[:, 5] = np.nan
    holed = LookupTablePSF(type(tables)(profile, *_rest(tables)))
    assert holed.wave.size == tables.wave.size - 1
    ends = psf.evaluate(0.2, tables.wave[[4, 6]], 0.4)
    part = (tables.wave[5] - tables.wave[4]) / (tables.wave[6] - tables.wave[4])
    want = ends[0] * (1 - part) + ends[1] * part
    assert holed.evaluate(0.2, tables.wave[5], 0.4) == pytest.approx(want, rel=1e-9)


def _rest(tables):
    return tables.y, tables.wave, tables.sigma, tables.loss, tables.x_offset


def test_path_loss_of_a_point_is_one_and_falls(psf):
    wave = np.array([0.3, 1.0, 3.0, 5.0, 6.0, np.nan])
    np.testing.assert_array_equal(psf.path_loss(wave), [0, 1, 1, 1, 0, 0])
    inner = wave[1:4]
    assert (psf.path_loss(inner, 0.8) < 1).all()
    assert (psf.path_loss(inner, 0.8, 0.3) < psf.path_loss(inner, 0.8)).all()
    np.testing.assert_array_equal(psf.path_loss(inner, 0.8, -0.3), psf.path_loss(inner, 0.8, 0.3))


@pytest.mark.parametrize("sigma", [0.0, 0.123, 0.6, 1.7, 3.0])
def test_parity_of_the_profiles(psf, helpers, sigma):
    # The stored values are of tables in double precision, which differ by 3e-8.
    got = psf.evaluate(helpers["lut_y"], helpers["lut_w"], sigma)
    np.testing.assert_allclose(got, helpers[f"lut_{sigma}"], atol=4e-8)


def test_parity_with_tables_in_double_precision(msaexp_psf, helpers):
    psf = LookupTablePSF(msaexp_psf)
    for sigma in (0.0, 0.123, 0.6, 1.7, 3.0):
        got = psf.evaluate(helpers["lut_y"], helpers["lut_w"], sigma)
        np.testing.assert_allclose(got, helpers[f"lut_{sigma}"], rtol=1e-13)
    for sigma, offset in ((0.0, 0.0), (0.6, 0.25), (1.0, -0.4)):
        got = psf.path_loss(helpers["norm_wave"], sigma, offset)
        np.testing.assert_allclose(got, helpers[f"lutloss_{sigma}_{offset}"], rtol=1e-13)


@pytest.mark.parametrize(("sigma", "offset"), [(0.0, 0.0), (0.6, 0.25), (1.0, -0.4)])
def test_parity_of_the_path_loss(psf, helpers, sigma, offset):
    got = psf.path_loss(helpers["norm_wave"], sigma, offset)
    np.testing.assert_allclose(got, helpers[f"lutloss_{sigma}_{offset}"], atol=6e-8)


def test_parity_of_widths_and_fractions(helpers):
    np.testing.assert_allclose(psf_fwhm(helpers["fwhm_wave"]), helpers["fwhm"], rtol=1e-12)
    for name in ("0.0_0.0", "0.2_0.0", "0.2_0.2", "1.0_-0.4"):
        sigma, x_pos = map(float, name.split("_"))
        got = slit_prf_fraction(helpers["norm_wave"], sigma, x_pos, compat=True)
        np.testing.assert_allclose(got, helpers[f"slitfrac_{name}"], rtol=1e-9)


@pytest.mark.parametrize("slit", ["S200A1", "s200a2", "S400A1", "S1600A1", "S200B1"])
def test_every_fixed_slit_has_a_table(slit):
    chosen = set_lookup_prf(fixed_slit=slit)
    assert chosen.slit == slit.upper()
    assert chosen.evaluate(0.0, 2.0, 0.2) > 0.3
    assert slit.upper() in repr(chosen)


def test_choices_do_not_meet():
    wide = set_lookup_prf(fixed_slit="S1600A1")
    narrow = set_lookup_prf()
    assert wide.path_loss(2.0, 1.0) > narrow.path_loss(2.0, 1.0)


def test_own_tables(psf, tmp_path):
    names = ("PROF", "YSLIT", "WAVE", "SIGMA", "LOSS", "LOSS_XOFFSET")
    arrays = dict(zip(names, (psf.tables.profile, *_rest(psf.tables)), strict=True))
    np.savez(tmp_path / "own.npz", **arrays)
    half = arrays | {"LOSS": arrays["LOSS"] ** 2}
    np.savez(tmp_path / "half.npz", **half)
    own = set_lookup_prf(tmp_path / "own.npz", tmp_path / "half.npz", version="007")
    assert own.evaluate(0.2, 2.0, 0.4) == psf.evaluate(0.2, 2.0, 0.4)
    assert own.path_loss(2.0, 1.0) < psf.path_loss(2.0, 1.0)

    planes = [fits.ImageHDU(array.astype(float), name=name) for name, array in arrays.items()]
    fits.HDUList([fits.PrimaryHDU(), *planes]).writeto(tmp_path / "as_msaexp.fits")
    same = LookupTablePSF(tmp_path / "as_msaexp.fits")
    assert same.tables.profile.dtype == np.float64
    assert same.evaluate(0.2, 2.0, 0.4) == psf.evaluate(0.2, 2.0, 0.4)
    assert same.path_loss(2.0, 1.0) == pytest.approx(psf.path_loss(2.0, 1.0), rel=1e-7)

    np.savez(tmp_path / "few.npz", PROF=1)
    np.savez(tmp_path / "back.npz", **(arrays | {"SIGMA": arrays["SIGMA"][::-1]}))
    np.savez(tmp_path / "odd.npz", **(arrays | {"WAVE": arrays["WAVE"][1:]}))
    other = {"WAVE": arrays["WAVE"][1:], "LOSS": arrays["LOSS"][1:], "PROF": arrays["PROF"][:, 1:]}
    np.savez(tmp_path / "other.npz", **(arrays | other))
    (tmp_path / "text.npz").write_text("no tables")
    for name, match in (
        ("few", "no array YSLIT"),
        ("odd", "PROF has the shape"),
        ("back", "SIGMA must be two or more increasing values"),
        ("text", "expected an npz"),
        ("gone", "no such file"),
    ):
        with pytest.raises(InputError, match=f"{name}.npz: .*{match}"):
            set_lookup_prf(tmp_path / f"{name}.npz")
    with pytest.raises(InputError, match=r"other.npz: has 37 wavelengths"):
        set_lookup_prf(tmp_path / "own.npz", tmp_path / "other.npz")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"fixed_slit": "S300"}, "fixed_slit: expected one of S200A1"),
        ({"version": "002"}, "version: expected '001'"),
        ({"version": "x"}, "version"),
        ({"lookup_prf_type": "split"}, "lookup_prf_type"),
    ],
)
def test_unknown_tables(change, match):
    with pytest.raises(ValueError, match=match):
        set_lookup_prf(**change)


def test_fraction_of_a_gaussian():
    sigma = np.hypot(psf_sigma(2.0), 0.7)
    half = 0.1 / 0.10544
    want = erf(half / np.sqrt(2) / sigma)
    assert slit_prf_fraction(2.0, 0.7) == pytest.approx(want, rel=1e-12)
    assert slit_prf_fraction(2.0, 0.7, slit_width=50) == pytest.approx(1)
    assert 0 < slit_prf_fraction(2.0, 0.7, 0.5) < slit_prf_fraction(2.0, 0.7) < 1
    assert slit_prf_fraction(2.0, 0.7, 0.3) == pytest.approx(slit_prf_fraction(2.0, 0.7, -0.3))
    for bad in ({"slit_width": 0}, {"pixel_scale": -1}, {"sigma": -0.1}, {"sigma": np.nan}):
        with pytest.raises(ValueError, match="expected positive"):
            slit_prf_fraction(2.0, **bad)


def test_corrections_of_a_spectrum():
    wave = np.linspace(0.7, 5.2, 30)
    spec = Table({"wave": wave}, meta={"SIGMA": 0.6, "SRCXPOS": -0.25})
    one = get_spectrum_path_loss(spec)
    point = slit_prf_fraction(wave, 0.01)
    np.testing.assert_allclose(one * slit_prf_fraction(wave, 0.6, -0.25), point, rtol=1e-12)
    assert average_path_loss(spec) is None  # none was asked for
    assert spec.colnames == ["wave"]

    header = {"SIGMA": 0.6, "XPOS0": 0.0, "XPOS1": (-0.4, "with comment"), "WITHPATH": True}
    column = average_path_loss(spec, header)
    through = [slit_prf_fraction(wave, 0.6, x) for x in (0.0, -0.4)]
    np.testing.assert_allclose(column, point / np.mean(through, axis=0), rtol=1e-12)
    assert "path_corr" in spec.colnames

    spec.meta["WITHPATH"] = True
    np.testing.assert_allclose(average_path_loss(spec), one, rtol=1e-12)
    with pytest.raises(InputError, match="no keyword SIGMA"):
        average_path_loss(spec, {"WITHPATH": True, "SRCXPOS": 0.0})
    with pytest.raises(InputError, match="no column wave"):
        get_spectrum_path_loss(Table({"flux": wave}, meta=spec.meta))
