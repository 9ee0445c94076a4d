"""The packed reference tables: what they hold, and what happens without them."""

from __future__ import annotations

import csv
import logging
import shutil

import numpy as np
import pytest
import yaml
from astropy.io import fits

from webbweave.data import reference_path
from webbweave.errors import InputError
from webbweave.slit_combine import reference


@pytest.fixture
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(reference, "reference_path", lambda name: tmp_path / name)
    return tmp_path


@pytest.fixture(scope="module")
def originals(shared_dir):
    return shared_dir / "data" / "nirspec_msa" / "ref"


@pytest.mark.parametrize("n_shutter", [1, 2, 3])
def test_bar_shadow_is_that_of_the_original(originals, n_shutter):
    text = (originals / f"prism_{n_shutter}_bar_coeffs_wave.yaml").read_text()
    expected = yaml.load(text, Loader=yaml.CSafeLoader)
    table = reference.bar_table(n_shutter)
    assert [table.low, table.high] == expected["minmax"]
    assert np.array_equal(table.wave, expected["coeffs"])
    assert np.array_equal(table.wavelengths, expected["wavelengths"])
    assert table.flat.shape == (len(table.wave),)


def test_sky_is_that_of_the_original(originals):
    paths = sorted((originals / "msa_sky").glob("*.csv"))
    assert len(paths) == 107
    for path in paths[::9]:
        with path.open() as stream:
            rows = [(float(row["wave"]), float(row["flux"])) for row in csv.DictReader(stream)]
        found = reference.global_sky(path.name.removesuffix("_sky.csv"))
        assert np.array_equal(np.transpose(found), rows)


def test_sensitivity_is_that_of_the_original(originals):
    folder = originals / "extended_sensitivity"
    expected = fits.getdata(folder / "msaexp_sensitivity_g395m_f290lp_001.fits")
    table = reference.sensitivity_table("G395M", "F290LP")
    assert np.array_equal(table.wavelength, expected["wavelength"])
    np.testing.assert_allclose(table.sensitivity, expected["sensitivity"], rtol=1e-7)
    assert sorted(table.quadrants) == [1, 2, 3, 4]
    np.testing.assert_allclose(table.quadrants[3], expected["q3"], rtol=1e-7)


def test_bad_pixels_are_on_the_detector():
    for detector, count in [("NRS1", 26699), ("NRS2", 371)]:
        index, value = reference.bad_pixels(detector)
        assert index.size == value.size == count
        assert (np.diff(index) > 0).all()
        assert 0 <= index[0] < index[-1] < 2048**2
        assert (value > 0).all()


def test_tables_make_sense():
    wave, fwhm = reference.psf_fwhm()
    assert wave.size == 26
    assert (fwhm.min(), fwhm.max()) == (1.24, 1.9)
    wavelength, dlds, resolution = reference.dispersion("PRISM")
    # Two pixels are the width of a resolution element.
    np.testing.assert_allclose(wavelength / dlds / 2, resolution, rtol=0.2)
    flat = reference.shutter_flat(2)
    assert flat.coeffs.shape == (51, 7, 7)
    assert (flat.x_limits, flat.y_limits) == ((0, 370), (0, 180))
    assert reference.fixed_slit_flat("S200A1").coeffs.shape == (5, 64)
    assert reference.sensitivity_ratio_s400a1().shape == (41,)
    assert reference.normalization_table().coeffs.shape == (31, 4, 3)


def test_profiles_hold_all_the_light():
    tables = reference.lookup_tables("S400A1")
    step = round(1 / (tables.y[1] - tables.y[0]))
    sums = tables.profile[::step, 10, 10].sum()
    assert sums == pytest.approx(1, abs=3e-3)
    assert reference.lookup_tables("S1600A1").wave.size == tables.wave.size + 1


def test_nobody_can_change_a_table():
    with pytest.raises(ValueError, match="read-only"):
        reference.bar_table(3).wave[0, 0] = 0
    assert reference.bar_table(3).wave is reference.bar_table(3).wave


def test_what_there_is_no_table_for():
    assert reference.global_sky("jw99999001001") is None
    assert reference.sensitivity_table("G140M", "CLEAR") is None
    assert reference.fixed_slit_flat("S9000") is None
    assert reference.shutter_flat(5) is None
    with pytest.raises(ValueError, match="expected 1, 2 or 3, found 4"):
        reference.bar_table(4)
    with pytest.raises(ValueError, match="'1999'"):
        reference.psf_fwhm("1999")
    with pytest.raises(ValueError, match=r"expected one of .*prism.*, found 'IMAGING'"):
        reference.dispersion("IMAGING")
    with pytest.raises(InputError, match="expected NRS1 or NRS2, found 'NRCA1'"):
        reference.bad_pixels("NRCA1")


def test_missing_required_tables_are_named(empty_folder):
    for read, file in [
        (lambda: reference.bar_table(3), "bar_shadow.npz"),
        (lambda: reference.bad_pixels("NRS1"), "bad_pixels.npz"),
        (reference.psf_fwhm, "psf_fwhm.npz"),
        (lambda: reference.dispersion("prism"), "dispersion.npz"),
        (reference.lookup_tables, "lookup_psf_s200a1.npz"),
    ]:
        with pytest.raises(InputError, match=str(empty_folder / file)):
            read()


def test_missing_optional_tables_are_skipped_and_logged(empty_folder, caplog):
    with caplog.at_level(logging.WARNING, "webbweave"):
        assert reference.normalization_table() is None
        assert reference.sensitivity_table("PRISM", "CLEAR") is None
        assert reference.shutter_flat(1) is None
        assert reference.fixed_slit_flat("S200A1") is None
        assert reference.sensitivity_ratio_s400a1() is None
        assert reference.global_sky("jw01345062001") is None
    assert len(caplog.records) == 6
    assert "the correction is skipped" in caplog.text
    # A table that comes back is used: what is missing is not remembered.
    shutil.copy(reference_path("prism_normalization.npz"), empty_folder)
    assert reference.normalization_table() is not None
