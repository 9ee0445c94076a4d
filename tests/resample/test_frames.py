"""NIRSpec exposures whose WCS does not end on the fixed sky: lamps and moving targets."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest
import synthetic

from webbweave import ResampleSpecStep
from webbweave.datamodels import tree_of
from webbweave.errors import InputError
from webbweave.resample import ResampleOptions, build_output_grid, resample_slit


def lamp(**settings):
    return synthetic.exposure(wcs=synthetic.lamp_wcs(), name="lamp.fits", **settings)


@pytest.mark.parametrize("ratio", [0.7, 1.0, 2.0])
@pytest.mark.parametrize("compat", [False, True])
def test_lamp_flux_is_recovered(ratio, compat):
    options = ResampleOptions(pixel_scale_ratio=ratio, compat=compat)
    result = resample_slit([lamp()], options)
    flux = np.nansum(result.data, axis=0, dtype=float)
    wavelength = result.grid.wavelength[0]
    near_lines = np.any(
        [abs(wavelength - line) < 6 * width for line, width in synthetic.LINES], axis=0
    )
    continuum = (flux / synthetic.spectrum(wavelength))[20:-20][~near_lines[20:-20]]
    np.testing.assert_allclose(continuum, 1.0, atol=2e-3)


def test_lamp_rows_lie_on_the_shutters():
    exposure = lamp()
    grid = build_output_grid([exposure])
    length = 2 * synthetic.HALF_LENGTH / synthetic.PIXEL_SCALE
    assert grid.shape[0] == pytest.approx(length, abs=2)
    assert np.isnan(grid.pixel_scale)
    assert grid.s_region() is None
    column, row = grid.pixel_map(exposure)
    inside = np.isfinite(row)
    assert np.nanmin(row) >= 0
    assert np.nanmax(row) <= grid.shape[0] - 1
    # One row is one pixel of the middle column.
    y_msa = exposure.grid.dec[inside]
    fitted = np.polyfit(row[inside], y_msa, 1)
    assert fitted[0] == pytest.approx(synthetic.MSA_STEP * synthetic.PIXEL_SCALE, rel=1e-4)
    wcs = grid.to_gwcs()
    assert wcs.output_frame.name == "world"
    assert wcs.output_frame.frames[0].name == "resampled_msa_frame"
    assert [str(unit) for unit in wcs.output_frame.unit[:2]] == ["m", "m"]
    np.testing.assert_allclose(wcs(column[inside], row[inside])[1], y_msa, rtol=0, atol=1e-15)
    y, x = np.mgrid[: grid.shape[0], : grid.shape[1]].astype(float)
    np.testing.assert_allclose(wcs.invert(*wcs(x, y)), (x, y), atol=1e-8)
    np.testing.assert_allclose(wcs(x, y)[2], grid.wavelength, rtol=1e-14)


def test_lamp_has_no_scale_in_arcsec(caplog):
    with caplog.at_level(logging.WARNING):
        result = resample_slit([lamp()], ResampleOptions(pixel_scale=0.05))
    assert "lamp.fits: its pixel scale is not known, pixel_scale is ignored" in caplog.text
    assert result.ratio == 1.0
    expected = resample_slit([lamp()])
    np.testing.assert_array_equal(result.data, expected.data)


def test_lamp_product(tmp_path):
    model = synthetic.slit_model()
    tree = tree_of(model)
    tree["meta"]["wcs"] = synthetic.lamp_wcs()
    tree["meta"]["exposure"]["type"] = "NRS_LAMP"
    product = ResampleSpecStep.call(model, configure_log=False)
    assert product.meta.wcsinfo.s_region is None
    assert product.meta.wcsinfo.dispersion_direction == 1
    path = tmp_path / "lamp_s2d.fits"
    product.save(str(path))
    assert path.is_file()


def test_lamp_shape_asked_for():
    grid = build_output_grid([lamp()])
    larger = grid.resized(grid.shape[0] + 3, grid.shape[1] + 5)
    np.testing.assert_array_equal(larger.wavelength[0, : grid.shape[1]], grid.wavelength[0])
    assert larger.shape == (grid.shape[0] + 3, grid.shape[1] + 5)
    assert larger.line == grid.line


def test_lamp_and_sky_do_not_mix():
    with pytest.raises(InputError, match="lamp"):
        resample_slit([synthetic.exposure(), lamp()])


DRIFT = (2.0 / 3600, -1.0 / 3600)


@pytest.mark.parametrize("compat", [False, True])
def test_a_moving_target_is_followed(compat):
    options = ResampleOptions(compat=compat)
    nods = (0.0, 0.3)
    still = [synthetic.exposure(nod=nod) for nod in nods]
    drifts = ((0.0, 0.0), DRIFT)
    moving = [
        synthetic.exposure(nod=nod, wcs=synthetic.moving_wcs(nod, drift))
        for nod, drift in zip(nods, drifts, strict=True)
    ]
    expected = resample_slit(still, options)
    found = resample_slit(moving, options)
    assert found.data.shape == expected.data.shape
    both = np.isfinite(expected.data) & np.isfinite(found.data)
    peak = np.nanmax(expected.data)
    # The sky is curved: two arcsec further on, the slit is turned by a hair.
    np.testing.assert_allclose(found.data[both], expected.data[both], atol=2e-4 * peak)
    wcs = found.grid.to_gwcs()
    assert wcs.output_frame.name == "world"
    assert "moving_target" not in wcs.available_frames
    ra, dec, _ = wcs(100, found.grid.shape[0] // 2)
    assert (ra, dec) == pytest.approx((150.0, 2.0), abs=1e-3)
    # Without the frame of the target the exposures would not overlap.
    lost = [
        replace(exposure, wcs=synthetic.slit_wcs(nod, 150.0 + drift[0], 2.0 + drift[1]))
        for exposure, nod, drift in zip(moving, nods, drifts, strict=True)
    ]
    with pytest.raises(InputError, match="does not overlap"):
        resample_slit(lost, options)
