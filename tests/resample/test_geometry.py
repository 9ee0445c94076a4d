"""Projection, angles and outlines on the sky."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import synthetic
from astropy.coordinates import SkyCoord
from astropy.modeling.models import Pix2Sky_TAN, RotateNative2Celestial

from webbweave.errors import InputError
from webbweave.resample import ResampleOptions, build_output_grid, resample_slit
from webbweave.resample.exposure import evaluate_slit
from webbweave.resample.footprint import sky_box_region
from webbweave.resample.scales import spatial_scale
from webbweave.wcs.tangent import TangentPlane, angular_separation


@pytest.mark.parametrize("centre", [(0.0, 0.0), (359.99, 45.0), (120.0, -89.9), (30.0, 90.0)])
def test_projection_agrees_with_astropy_and_inverts(centre):
    x, y = np.random.default_rng(1).uniform(-0.02, 0.02, (2, 50))
    plane = TangentPlane(*centre)
    ra, dec = plane.deproject(x, y)
    expected = (Pix2Sky_TAN() | RotateNative2Celestial(*centre, 180))(x, y)
    found = SkyCoord(ra, dec, unit="deg")
    assert found.separation(SkyCoord(*expected, unit="deg")).arcsec.max() < 1e-8
    np.testing.assert_allclose(plane.project(ra, dec), (x, y), atol=1e-12)


def test_separation_agrees_with_astropy():
    points = (10.0, 20.0, 10.00003, 20.00001)
    expected = SkyCoord(*points[:2], unit="deg").separation(SkyCoord(*points[2:], unit="deg"))
    assert angular_separation(*points) == pytest.approx(expected.deg, rel=1e-9)
    assert angular_separation(359.999, 0, 0.001, 0) == pytest.approx(0.002)
    assert np.isnan(angular_separation(np.nan, 0, 1, 1))


def corners(region):
    return np.array(region.removeprefix("POLYGON ICRS  ").split(), dtype=float).reshape(4, 2)


def test_box_region_wraps_at_zero():
    found = corners(sky_box_region(np.array([359.999, 0.001]), np.array([-1.0, 1.0])))
    np.testing.assert_allclose(
        found, [[359.999, -1], [0.001, -1], [0.001, 1], [359.999, 1]], atol=1e-9
    )


def test_slit_is_evaluated_on_its_bounding_box_only():
    wcs = synthetic.slit_wcs()
    wcs.bounding_box = ((9.5, 200.5), (2.2, 22.7))
    grid = evaluate_slit(wcs, synthetic.SHAPE)
    assert grid.window == (slice(2, 23), slice(10, 201))
    x, y = 50, 12
    expected = wcs(x, y)
    inside = (y - grid.y_start, x - grid.x_start)
    found = (grid.ra[inside], grid.dec[inside], grid.wavelength[inside])
    np.testing.assert_allclose(found, expected, rtol=1e-14)
    exposure = synthetic.exposure(wcs=wcs)
    column, row = build_output_grid([exposure]).pixel_map(exposure)
    assert column.shape == synthetic.SHAPE
    assert np.isnan(column[:, :10]).all()
    assert np.isfinite(column[y, x])
    assert np.isfinite(row[y, x])


def test_a_wcs_without_slit_frame_is_refused():
    from gwcs import WCS

    wcs = synthetic.slit_wcs()
    plain = WCS([(wcs.input_frame, wcs.forward_transform), (wcs.output_frame, None)])
    with pytest.raises(InputError, match="slit_frame"):
        evaluate_slit(plain, synthetic.SHAPE, name="lrs.fits")
    far = synthetic.slit_wcs()
    far.bounding_box = ((900.0, 950.0), (0.0, 20.0))
    with pytest.raises(InputError, match="bounding box"):
        evaluate_slit(far, synthetic.SHAPE)


def test_scales():
    exposure = synthetic.exposure()
    assert spatial_scale(exposure) == pytest.approx(synthetic.PIXEL_SCALE, rel=1e-4)
    for ratio in (0.5, 1.0, 2.0):
        grid = build_output_grid([exposure], ratio=ratio)
        assert grid.pixel_scale == pytest.approx(synthetic.PIXEL_SCALE / ratio, rel=1e-4)
        expected = 2 * synthetic.HALF_LENGTH / synthetic.PIXEL_SCALE * ratio
        assert grid.shape[0] == pytest.approx(expected, abs=2)


def test_slit_frame_of_the_output_is_that_of_the_reference():
    exposure = synthetic.exposure()
    grid = build_output_grid([exposure])
    wcs = grid.to_gwcs()
    row = np.arange(grid.n_row)
    ra, dec, wavelength = wcs(np.full(grid.n_row, 110), row)
    expected = exposure.wcs.get_transform("world", "slit_frame")(ra, dec, wavelength)[1]
    np.testing.assert_allclose(grid.slit_y, expected, atol=1e-7)
    found = wcs.get_transform("detector", "slit_frame")(110, row)
    np.testing.assert_allclose(found[1], expected, atol=1e-7)
    np.testing.assert_allclose(found[2], wavelength)


def test_real_slit_frame(real_exposures):
    grid = build_output_grid(real_exposures)
    first = real_exposures[0]
    row = np.arange(grid.n_row)
    middle = grid.table.wavelengths[grid.shape[1] // 2]
    slit_wavelength = np.full(grid.n_row, middle * 1e-6)
    ra, dec, _ = first.grid.to_sky(np.zeros(grid.n_row), grid.slit_y, slit_wavelength)
    np.testing.assert_allclose(grid.line.row(*grid.plane.project(ra, dec)), row, atol=1e-6)
    # The inverse transform of the file is a fit of its own.
    to_slit = first.wcs.get_transform("world", "slit_frame")
    inverse = to_slit(*grid.sky(row.astype(float)), np.full(grid.n_row, middle))[1]
    np.testing.assert_allclose(grid.slit_y, inverse, atol=3e-4)


def test_the_reference_is_the_first_exposure_with_data():
    dark = synthetic.exposure(np.full(synthetic.SHAPE, 0.0), nod=0.3)
    bright = synthetic.exposure()
    assert build_output_grid([dark, bright]).reference == 1
    assert build_output_grid([bright, dark]).reference == 0
    assert build_output_grid([dark]).reference == 0


def moved(ra, dec, **settings):
    return [
        synthetic.exposure(nod=nod, wcs=synthetic.slit_wcs(nod, ra, dec), **settings)
        for nod in (0.0, 0.3)
    ]


@pytest.mark.parametrize("compat", [False, True])
@pytest.mark.parametrize("place", [(0.0, 0.0), (0.0, -60.0), (359.99999, 45.0), (10.0, 89.99999)])
def test_a_slit_anywhere_on_the_sky(place, compat):
    options = ResampleOptions(compat=compat)
    expected = resample_slit(moved(150.0, 2.0), options)
    found = resample_slit(moved(*place), options)
    assert abs(found.data.shape[0] - expected.data.shape[0]) <= 1
    np.testing.assert_allclose(found.wavelength[0], expected.wavelength[0], rtol=1e-5)
    profile = np.nansum(found.data, axis=0, dtype=float)[10:-10]
    wanted = np.nansum(expected.data, axis=0, dtype=float)[10:-10]
    np.testing.assert_allclose(profile, wanted, rtol=3e-3)
    # The source falls on its place on the sky.
    light = np.nan_to_num(found.data).sum(axis=1)
    row = np.average(np.arange(light.size), weights=np.where(light > 0.2 * light.max(), light, 0))
    at_source = found.grid.sky(np.array([row]))
    centre = SkyCoord(*place, unit="deg")
    offset = SkyCoord(*at_source, unit="deg").separation(centre).arcsec[0]
    assert offset < 0.1 * synthetic.PIXEL_SCALE
    assert len(corners(found.grid.s_region())) == 4


def test_the_outline_does_not_go_around_the_sky():
    grid = build_output_grid(moved(0.0, 30.0))
    ra = corners(grid.s_region())[:, 0]
    assert ra.min() < 0.01
    assert ra.max() > 359.99


def test_an_exposure_without_data_does_not_spoil_the_grid():
    good = synthetic.exposure(nod=0.3)
    empty = synthetic.exposure(np.full(synthetic.SHAPE, np.nan))
    assert build_output_grid([empty, good]).reference == 1
    result = resample_slit([empty, good])
    alone = resample_slit([good])
    assert result.used == (1,)
    np.testing.assert_array_equal(result.data, alone.data)


@pytest.mark.parametrize("compat", [False, True])
def test_exposures_of_unequal_shape(compat):
    """The detector cut-out is larger, the slit in it the same."""
    first, second = synthetic.exposure(), synthetic.exposure(nod=0.3)
    pad = ((0, 5), (0, 9))
    larger = replace(
        second,
        data=np.pad(second.data, pad, constant_values=np.nan),
        dq=np.pad(second.dq, pad, constant_values=1),
        variances={
            name: np.pad(plane, pad, constant_values=np.nan)
            for name, plane in second.variances.items()
        },
    )
    options = ResampleOptions(compat=compat)
    found = resample_slit([first, larger], options)
    expected = resample_slit([first, second], options)
    np.testing.assert_array_equal(found.wavelength, expected.wavelength)
    heavy = expected.weight > 1e-3 * np.median(expected.weight)
    # The corners of pixels at the border of an array are extrapolated.
    heavy[:, -6:] = False
    assert heavy.mean() > 0.8
    peak = np.nanmax(expected.data)
    np.testing.assert_allclose(found.data[heavy], expected.data[heavy], atol=1e-6 * peak)


def test_a_missing_pixel_area(caplog):
    """A scale in arcsec is then ignored, a ratio is not; fluxes are not divided among the rows."""
    exposures = [replace(exposure, pixel_area=None) for exposure in moved(150.0, 2.0)]
    plain = resample_slit(exposures)
    assert plain.pixel_area is None
    scaled = resample_slit(exposures, ResampleOptions(pixel_scale=0.05))
    assert "PIXAR_SR" in caplog.text
    np.testing.assert_array_equal(scaled.data, plain.data)
    assert scaled.ratio == 1.0
    twice = resample_slit(exposures, ResampleOptions(pixel_scale_ratio=2.0))
    assert twice.ratio == 2.0
    assert twice.pixel_area is None
    assert twice.data.shape[0] == pytest.approx(2 * plain.data.shape[0], abs=2)
    level = np.nanmax(twice.data) / np.nanmax(plain.data)
    assert level == pytest.approx(1.0, abs=0.05)
