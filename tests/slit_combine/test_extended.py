"""Calibration beyond the wavelengths of the pipeline."""

from __future__ import annotations

import numpy as np
import pytest
from slit_arrays import group_arrays
from synthetic_slitlet import make_slitlet

from webbweave.slit_combine import SlitGroup, reference
from webbweave.slit_combine.extended import (
    CalibrationStatus,
    extended_flux_calibration,
    fixed_slit_profile,
    is_extended,
    lacks_quadrant,
    shutter_flat_values,
)
from webbweave.slit_combine.inputs import open_exposure
from webbweave.slit_combine.splines import spline_values

EXTENDED = {"fflat": {"name": "crds://jwst_nirspec_fflat_0001_ext.fits"}}


def exposure(grating="G395M", *, fixed_slit=False, extended=True, **entries):
    """An exposure that was calibrated with extended reference files."""
    arrays = group_arrays(make_slitlet(None, grating=grating, fixed_slit=fixed_slit))[0]
    meta = dict(arrays["meta"])
    blocking = {"G395M": "F290LP", "PRISM": "CLEAR"}.get(grating, "F170LP")
    meta["instrument"] = {**meta["instrument"], "filter": blocking}
    meta["ref_file"] = EXTENDED if extended else {}
    return open_exposure({**arrays, **entries, "meta": meta})


def test_only_extended_spectra_are_calibrated():
    assert is_extended(exposure())
    plain = exposure(extended=False)
    assert not is_extended(plain)
    assert extended_flux_calibration(plain) == (None, CalibrationStatus.NOT_EXTENDED)
    unknown = exposure("G235M")
    unknown.entries["meta"]["instrument"]["filter"] = "F999LP"
    assert extended_flux_calibration(unknown) == (None, CalibrationStatus.NO_TABLE)


def test_calibration_is_the_inverse_of_the_sensitivity():
    table = reference.sensitivity_table("G395M", "F290LP")
    one = exposure()
    corr, status = extended_flux_calibration(one)
    assert status == CalibrationStatus.APPLIED
    expected = 1 / np.interp(one.wave, table.wavelength, table.sensitivity)
    known = np.isfinite(corr)
    assert known.mean() > 0.9
    np.testing.assert_allclose(corr[known], expected[known])
    quadrant, _ = extended_flux_calibration(exposure(quadrant=2))
    relative = np.interp(one.wave, table.wavelength, table.quadrants[2])
    both = known & np.isfinite(quadrant)
    np.testing.assert_allclose((corr / quadrant)[both], relative[both])


def test_calibration_of_the_other_detector_and_of_fixed_slits():
    table = reference.sensitivity_table("G395M", "F290LP")
    one = exposure()
    corr, _ = extended_flux_calibration(one)
    other = exposure()
    other.entries["meta"]["instrument"]["detector"] = "NRS2"
    second, _ = extended_flux_calibration(other)
    ratio = np.interp(one.wave, table.wavelength, table.nrs1_nrs2)
    both = np.isfinite(corr) & np.isfinite(second)
    # Between wavelengths of the table, a ratio of interpolated values is not quite that of a ratio.
    np.testing.assert_allclose((second / corr)[both], ratio[both], rtol=1e-5)
    only, _ = extended_flux_calibration(other, threshold=-1)
    np.testing.assert_allclose(only[both], ratio[both], rtol=1e-4)
    slit, _ = extended_flux_calibration(exposure(fixed_slit=True, name="S200A1"))
    scale = np.interp(one.wave, table.wavelength, table.nrs1_s200a1)
    both = np.isfinite(corr) & np.isfinite(slit)
    np.testing.assert_allclose((slit / corr)[both], scale[both])


def test_low_sensitivity_is_left_out():
    strict, _ = extended_flux_calibration(exposure(), threshold=0.5)
    lenient, _ = extended_flux_calibration(exposure(), threshold=0.01)
    assert np.isnan(strict).sum() > np.isnan(lenient).sum()
    relative = 1 / strict[np.isfinite(strict)]
    assert relative.min() > 0.5 * relative.max()


def test_shutter_flat_is_damped_and_known_where_it_is_tabulated():
    wave = np.linspace(0.4, 5.8, 300)
    flat = shutter_flat_values(wave, 2, 180, 85)
    outside = (wave < 0.55) | (wave > 5.6)
    assert np.isnan(flat[outside]).all()
    inside = flat[(wave > 0.7) & (wave < 5.2)]
    assert np.isfinite(inside).all()
    assert 0.5 < inside.min() < inside.max() < 1.5
    assert shutter_flat_values(wave, 5, 180, 85) is None


def test_flat_of_a_fixed_slit():
    one = exposure("PRISM", fixed_slit=True, name="S200A1")
    trace = np.full(one.shape[1], 12.0)
    flat = fixed_slit_profile(one, trace)
    table = reference.fixed_slit_flat("S200A1")
    # One pixel by hand: the sum over both bases.
    y, x = 13, 20
    rows = spline_values(np.array([y - 12.0]), table.coeffs.T, *table.y_limits)[0]
    weights = spline_values(one.wave[y, x : x + 1], np.eye(5), *table.wave_limits)[0]
    assert flat[y, x] == pytest.approx(rows @ weights)
    assert np.isnan(flat[0]).all()  # eroded
    assert fixed_slit_profile(exposure(fixed_slit=True, name="S9000"), trace) is None


def test_group_of_extended_spectra():
    slitlet = make_slitlet(2, shape=(25, 64))
    arrays = group_arrays(slitlet)
    for one in arrays:
        one["quadrant"] = 2
        one["meta"]["ref_file"] = EXTENDED
    options = {"sky_file": None, "with_extra_dq": False, "slit_hotpix_kwargs": None}
    made = SlitGroup.from_arrays(arrays, **options)
    assert made.calibration_status == [2, 2, 2]
    assert made.sflat_data.shape == made.sci.shape
    without = SlitGroup.from_arrays(
        arrays, **options, with_sflat_correction=False, extended_calibration_kwargs=None
    )
    assert without.sflat_data is None
    assert without.calibration_status == [0, 0, 0]
    both = made.mask & without.mask
    assert both.mean() > 0.3
    corr = made.phot_corr / without.phot_corr / made.sflat_data
    np.testing.assert_allclose(made.sci[both], (without.sci * corr)[both], rtol=1e-10)


def test_group_of_extended_spectra_whose_shutter_is_not_known(caplog):
    arrays = group_arrays(make_slitlet(2, shape=(25, 64)))
    for one in arrays:
        one["quadrant"] = 2
        one["meta"]["ref_file"] = EXTENDED
    del arrays[1]["quadrant"]
    options = {"sky_file": None, "with_extra_dq": False, "slit_hotpix_kwargs": None}
    with caplog.at_level("WARNING", "webbweave"):
        made = SlitGroup.from_arrays(arrays, **options)
    assert made.sflat_data is None  # of none of the exposures
    assert made.normalization is None
    assert {"s-flat", "normalisation"} <= set(made.meta["skipped"].split(", "))
    assert "the group has no s-flat" in caplog.text
    gratings = exposure(quadrant=None), exposure(quadrant=2)
    assert [lacks_quadrant(one) for one in gratings] == [
        bool(reference.sensitivity_table("G395M", "F290LP").quadrants),
        False,
    ]
    assert not lacks_quadrant(exposure(quadrant=None, extended=False))
    assert not lacks_quadrant(exposure(quadrant=None, fixed_slit=True))
