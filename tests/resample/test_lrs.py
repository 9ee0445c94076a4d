"""Spectra that are dispersed along y: flux, lines, geometry and outline."""

from __future__ import annotations

import runpy
from dataclasses import replace

import numpy as np
import pytest
import synthetic_lrs as scene
from astropy.coordinates import SkyCoord
from astropy.modeling.models import Mapping
from gwcs import WCS
from stdatamodels.jwst.datamodels import ImageModel

from webbweave import ResampleSpecStep
from webbweave.errors import InputError
from webbweave.resample import ResampleOptions, build_output_grid, resample_slit
from webbweave.resample.products import slit_inputs
from webbweave.resample.scales import spatial_scale

NODS = (0.0, 1.1)


def pair(**settings):
    return [scene.exposure(nod=nod, name=f"lrs{nod}", **settings) for nod in NODS]


def line_shift(flux, wavelength, centre, sigma):
    """Pixels between a line of the source and its true place."""
    row = np.arange(flux.size)
    near = abs(wavelength - centre) < 4 * sigma
    continuum = 1e-9 * (1.0 - 0.05 * (wavelength - 8.0))
    found = np.average(row[near], weights=(flux - continuum)[near])
    return found - np.average(row[near], weights=(scene.spectrum(wavelength) - continuum)[near])


@pytest.mark.parametrize("compat", [False, True])
@pytest.mark.parametrize(
    "options", [{}, {"pixel_scale_ratio": 0.7}, {"pixel_scale_ratio": 2.0}, {"pixfrac": 0.6}]
)
@pytest.mark.parametrize("unit", ["MJy", "MJy/sr"])
def test_flux_and_lines_are_recovered(unit, options, compat):
    result = resample_slit(pair(unit=unit), ResampleOptions(compat=compat, **options))
    flux = np.nansum(result.data, axis=1, dtype=float)
    if unit == "MJy/sr":
        flux *= result.pixel_area
    wavelength = result.grid.wavelength[:, 0]
    ratio = (flux / scene.spectrum(wavelength))[4:-4]
    assert np.median(ratio) == pytest.approx(1.0, abs=1e-3)
    # Along the dispersion, neighbouring rows are averaged where the lines are tilted.
    # Shrunk pixels fall into the row of their centre, up to half a row away.
    tolerance = 0.02 if "pixfrac" not in options else 0.2
    np.testing.assert_allclose(ratio, 1.0, atol=tolerance)
    for centre, sigma in scene.LINES:
        assert line_shift(flux, wavelength, centre, sigma) == pytest.approx(0.0, abs=tolerance)


@pytest.mark.parametrize("ra", [0.0, 80.0])
@pytest.mark.parametrize("dec", [-69.5, 89.9999])
@pytest.mark.parametrize("angle", [35.0, 80.0, 160.0, 300.0])
def test_any_angle_anywhere_on_the_sky(ra, dec, angle):
    exposures = [scene.exposure(nod=nod, wcs=scene.lrs_wcs(nod, ra, dec, angle)) for nod in NODS]
    grid = build_output_grid(exposures)
    reference = build_output_grid(pair())
    assert abs(grid.shape[1] - reference.shape[1]) <= 1
    assert grid.pixel_scale == pytest.approx(scene.PIXEL_SCALE, rel=1e-3)
    source = SkyCoord(ra, dec, unit="deg")
    y, x = np.mgrid[: grid.shape[0], : grid.shape[1]]
    found = SkyCoord(*grid.to_gwcs()(x, y)[:2], unit="deg")
    distance = found.separation(source).arcsec
    # The source lies on the line of the columns, less than a pixel from one of them.
    assert distance.min() < scene.PIXEL_SCALE / 2 + 1e-3
    for exposure, nod in zip(exposures, NODS, strict=True):
        column, row = grid.pixel_map(exposure)
        defined = np.isfinite(column)
        assert column[defined].min() >= -1e-6
        assert column[defined].max() <= grid.shape[1] - 1 + 1e-6
        # The source, wherever it is on the detector, falls on one column.
        rows = np.arange(20, 110)
        centre = scene.CENTRE[0] + nod / scene.PIXEL_SCALE - 0.006 * (rows - scene.CENTRE[1])
        trace = [np.interp(c, np.arange(64), column[r]) for r, c in zip(rows, centre, strict=True)]
        expected = float(grid.line.row(*grid.plane.project(ra, dec)))
        np.testing.assert_allclose(trace, expected, atol=1e-3)
        assert np.isfinite(row[defined]).all()


def test_rows_run_as_on_the_detector():
    grid = build_output_grid(pair())
    assert grid.dispersion_axis == 2
    assert (np.diff(grid.wavelength[:, 0]) < 0).all()
    assert (grid.wavelength == grid.wavelength[:, :1]).all()
    assert grid.spectral_range == (grid.wavelength.min(), grid.wavelength.max())
    exposure = scene.exposure()
    row = grid.pixel_map(exposure)[1]
    inside = np.isfinite(row)
    assert (np.diff(row, axis=0)[inside[:-1] & inside[1:]] > 0).all()
    # jwst turns all but the fixed slit around.
    for kind, sign in (("MIR_LRS-FIXEDSLIT", -1), ("MIR_LRS-SLITLESS", 1)):
        turned = build_output_grid(pair(exposure_type=kind), compat=True)
        assert (sign * np.diff(turned.wavelength[:, 0]) > 0).all()


def test_wavelengths_are_those_at_the_middle_of_the_slit():
    exposure = scene.exposure()
    grid = build_output_grid([exposure])
    x, y = np.full(100, 0.0), np.arange(15.0, 115.0)
    middle_row = grid.shape[0] // 2
    centre = np.interp(
        float(grid.line.row(np.zeros(1), np.zeros(1))[0]),
        grid.pixel_map(exposure)[0][middle_row + 5][9:55],
        np.arange(9, 55),
    )
    x += centre - 0.006 * (y - (middle_row + 5))
    truth = exposure.wcs(x, y)[2]
    found = np.array([abs(grid.wavelength[:, 0] - w).min() for w in truth])
    assert found.max() < 1e-4


def test_every_pixel_keeps_its_weight():
    exposures = pair()
    result = resample_slit(exposures)
    weight = sum(
        1.0 / e.variances["var_rnoise"][e.good].astype(float).sum() * e.good.sum() ** 2
        for e in exposures
    )
    # Only the tilt of the end rows reaches beyond the table.
    assert result.weight.sum(dtype=float) == pytest.approx(weight, rel=5e-3)
    kept = resample_slit(exposures, ResampleOptions(compat=True)).weight.sum(dtype=float)
    assert kept < 0.97 * weight


@pytest.mark.parametrize("compat", [False, True])
def test_wcs_round_trip(compat):
    grid = build_output_grid(pair(), compat=compat)
    wcs = grid.to_gwcs()
    assert wcs.array_shape == grid.shape
    assert wcs.available_frames == ["detector", "world"]
    y, x = np.mgrid[: grid.shape[0], : grid.shape[1]].astype(float)
    world = wcs(x, y)
    np.testing.assert_allclose(world[2], grid.wavelength, rtol=1e-14)
    np.testing.assert_allclose(wcs.invert(*world), (x, y), atol=1e-7)
    exposure = scene.exposure(nod=NODS[1])
    ours = grid.pixel_map(exposure)
    theirs = wcs.invert(*exposure.wcs(*np.mgrid[:64, :130][:, 30:34].reshape(2, -1)))
    picked = [plane.T[30:34].ravel() for plane in ours]
    for found, expected in zip(picked, theirs, strict=True):
        both = np.isfinite(expected) & np.isfinite(found)
        assert both.sum() > 400
        np.testing.assert_allclose(found[both], expected[both], atol=1e-6)


def test_shape_asked_for():
    grid = build_output_grid(pair())
    larger = grid.resized(grid.shape[0] + 4, grid.shape[1] + 3)
    n = grid.shape[0]
    np.testing.assert_allclose(larger.wavelength[:n, 0], grid.wavelength[:, 0], rtol=1e-14)
    assert (np.diff(larger.wavelength[:, 0]) < 0).all()
    np.testing.assert_allclose(larger.sky(np.arange(3.0)), grid.sky(np.arange(3.0)))
    smaller = grid.resized(50, 20)
    np.testing.assert_allclose(smaller.wavelength[:, 0], grid.wavelength[:50, 0], rtol=1e-14)
    exposure = scene.exposure()
    inside = np.isfinite(grid.pixel_map(exposure)[1])
    np.testing.assert_allclose(
        larger.pixel_map(exposure)[1][inside], grid.pixel_map(exposure)[1][inside], atol=1e-9
    )


def test_scale_of_the_input():
    assert spatial_scale(scene.exposure()) == pytest.approx(scene.PIXEL_SCALE, rel=1e-4)


def polygon(region):
    numbers = np.array(region.removeprefix("POLYGON ICRS  ").split(), dtype=float)
    return SkyCoord(numbers[::2], numbers[1::2], unit="deg")


def test_outline_of_the_slit():
    grid = build_output_grid(pair())
    corners = polygon(grid.s_region())
    input_outline = polygon(scene.exposure().s_region)
    width = min(input_outline[i].separation(input_outline[i - 1]).arcsec for i in range(4))
    sides = [corners[i].separation(corners[(i + 1) % 4]).arcsec for i in range(4)]
    length = (grid.shape[1] - 1) * grid.pixel_scale
    np.testing.assert_allclose(sides, [length, width, length, width], rtol=1e-4)
    ends = SkyCoord(*grid.sky(np.array([0.0, grid.shape[1] - 1.0])), unit="deg")
    assert corners[0].separation(ends[0]).arcsec == pytest.approx(width / 2, rel=1e-4)
    assert corners[1].separation(ends[1]).arcsec == pytest.approx(width / 2, rel=1e-4)
    box = build_output_grid(pair(exposure_type="MIR_LRS-SLITLESS")).s_region()
    found = polygon(box)
    assert found.ra.deg.min() == pytest.approx(ends.ra.deg.min(), abs=1e-8)
    assert found.dec.deg.max() == pytest.approx(ends.dec.deg.max(), abs=1e-8)
    no_region = build_output_grid(pair(s_region="")).s_region()
    assert no_region == box


def test_the_source_is_found_on_the_product(tmp_path):
    models = [scene.lrs_model(nod, number=i + 1) for i, nod in enumerate(NODS)]
    product = ResampleSpecStep.call(models, configure_log=False)
    assert product.meta.wcsinfo.dispersion_direction == 2
    profile = np.nansum(np.asarray(product.data, dtype=float), axis=0)
    centroid = np.average(np.arange(profile.size), weights=profile)
    assert product.source_xpos == pytest.approx(centroid, abs=0.02)
    wavelength = product.meta.wcs(product.source_xpos, product.source_ypos)[2]
    assert wavelength == pytest.approx(scene.lrs_wcs()(*scene.CENTRE)[2], rel=1e-9)
    path = tmp_path / "lrs_s2d.fits"
    product.save(str(path))
    assert path.is_file()


def test_old_products_are_images():
    found = ResampleSpecStep.call(scene.lrs_model(model_class=ImageModel), configure_log=False)
    expected = ResampleSpecStep.call(scene.lrs_model(), configure_log=False)
    assert type(found).__name__ == "SlitModel"
    np.testing.assert_array_equal(found.data, expected.data)


def test_a_wcs_of_another_kind_is_refused():
    wcs = scene.lrs_wcs()
    to_sky = wcs.forward_transform | Mapping((0, 1), n_inputs=3)
    image = WCS([(wcs.input_frame, to_sky), (wcs.output_frame.frames[0], None)])
    exposure = replace(scene.exposure(), wcs=image, name="lrs1.fits")
    with pytest.raises(InputError, match=r"lrs1\.fits.*deg, deg, um"):
        _ = exposure.grid


def test_as_jwst(shared_dir):
    folder = shared_dir / "oracle" / "resample"
    make = runpy.run_path(str(folder / "make_miri_pair.py"))["make_pair"]
    stored = np.load(folder / "miri_pair.npz")
    expected = {key.removeprefix("0_"): stored[key] for key in stored}
    models = make(folder / "miri_pair_input.npz")
    exposures = [slit_inputs(f"{i}", model)[0].exposure() for i, model in enumerate(models)]
    result = resample_slit(exposures, ResampleOptions(compat=True))
    assert result.data.shape == (390, 63)
    assert np.nansum(result.data, dtype=float) == pytest.approx(243576.327, rel=1e-8)
    heavy = expected["wht"] > 1e-3 * np.median(expected["wht"][expected["wht"] > 0])
    pairs = {
        "data": (result.data, 5e-6),
        "wht": (result.weight, 5e-6),
        "err": (result.error, 1e-5),
        **{name: (plane, 1e-5) for name, plane in result.variances.items()},
    }
    for name, (found, tolerance) in pairs.items():
        np.testing.assert_array_equal(np.isnan(found), np.isnan(expected[name]), err_msg=name)
        np.testing.assert_allclose(
            found[heavy], expected[name][heavy], rtol=tolerance, err_msg=name
        )
    np.testing.assert_array_equal(result.context, expected["con"])
    np.testing.assert_array_equal(result.wavelength, expected["wavelength"])
    y, x = np.mgrid[: result.grid.shape[0], 0 : result.grid.shape[1] : 20]
    ra, dec, _ = result.grid.to_gwcs()(x, y)
    np.testing.assert_allclose(ra, expected["wcs_ra"], rtol=0, atol=1e-6 / 3.6e6)
    np.testing.assert_allclose(dec, expected["wcs_dec"], rtol=0, atol=1e-6 / 3.6e6)
