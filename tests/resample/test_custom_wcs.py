"""A grid that the user gives: the same data as on the own grid, and its shape, scale and area."""

from __future__ import annotations

import logging
from dataclasses import replace

import asdf
import numpy as np
import pytest
import synthetic
import synthetic_lrs
from astropy.modeling.models import Identity, Mapping
from gwcs import WCS
from gwcs import coordinate_frames as cf

from webbweave.datamodels import StoredWCS, read_output_wcs
from webbweave.errors import InputError
from webbweave.resample import ResampleOptions, resample_slit
from webbweave.resample.custom_wcs import build_custom_grid


def nods():
    return [synthetic.exposure(nod=nod) for nod in (0.0, 0.3)]


def lrs_nods():
    return [synthetic_lrs.exposure(nod=nod) for nod in (0.0, 1.1)]


def lamps():
    return [synthetic.exposure(wcs=synthetic.lamp_wcs())]


def given(wcs, **settings):
    return StoredWCS("given.asdf", wcs, **settings)


def stored(tmp_path, wcs, **tree):
    path = tmp_path / "wcs.asdf"
    asdf.AsdfFile({"wcs": wcs, **tree}).write_to(path)
    return read_output_wcs(path)


@pytest.mark.parametrize("compat", [False, True])
@pytest.mark.parametrize("ratio", [0.7, 1.0, 2.0])
@pytest.mark.parametrize("exposures", [nods, lrs_nods, lamps])
def test_the_own_grid_given_back(tmp_path, exposures, ratio, compat):
    options = ResampleOptions(pixel_scale_ratio=ratio, compat=compat)
    expected = resample_slit(exposures(), options)
    wcs = stored(tmp_path, expected.grid.to_gwcs())
    found = resample_slit(exposures(), ResampleOptions(compat=compat), given_wcs=wcs)
    assert found.data.shape == expected.data.shape
    if exposures is not lamps:
        np.testing.assert_allclose(found.grid.pixel_scale, expected.grid.pixel_scale, rtol=1e-3)
        assert found.pixel_area == pytest.approx(expected.pixel_area, rel=1e-3)
        if not compat:
            assert found.ratio == pytest.approx(ratio, rel=1e-3)
    heavy = expected.weight > 1e-3 * np.median(expected.weight)
    scale = np.nanmax(expected.data)
    # A lamp has no scale, so that its fluxes are not divided among the rows.
    factor = ratio if exposures is lamps else 1.0
    tolerance = 1e-3 if exposures is not lamps else 1e-4
    np.testing.assert_allclose(
        found.data[heavy], factor * expected.data[heavy], rtol=tolerance, atol=1e-4 * scale
    )
    np.testing.assert_allclose(found.wavelength, expected.wavelength, rtol=1e-7)
    assert found.grid.dispersion_axis == expected.grid.dispersion_axis
    assert found.grid.spectral_range == pytest.approx(expected.grid.spectral_range)


def test_real_exposures_on_their_own_grid(real_exposures, tmp_path):
    expected = resample_slit(real_exposures)
    wcs = stored(tmp_path, expected.grid.to_gwcs())
    found = resample_slit(real_exposures, given_wcs=wcs)
    heavy = expected.weight > 1e-3 * np.median(expected.weight)
    scale = np.nanmax(abs(expected.data[heavy]))
    np.testing.assert_allclose(found.data[heavy], expected.data[heavy], atol=1e-4 * scale)
    np.testing.assert_array_equal(found.context, expected.context)
    assert found.grid.s_region().split()[0] == "POLYGON"
    assert found.ratio == pytest.approx(1.0, abs=2e-3)


def test_the_grid_is_not_changed():
    wcs = resample_slit(nods()).grid.to_gwcs()
    shape, box = wcs.array_shape, wcs.bounding_box.bounding_box()
    result = resample_slit(nods(), ResampleOptions(output_shape=(100, 15)), given_wcs=given(wcs))
    assert result.data.shape == (15, 100)
    made = result.grid.to_gwcs()
    assert made.array_shape == (15, 100)
    assert made.bounding_box.bounding_box(order="C") == ((-0.5, 14.5), (-0.5, 99.5))
    assert wcs.array_shape == shape
    assert wcs.bounding_box.bounding_box() == box
    full = resample_slit(nods(), given_wcs=given(wcs))
    np.testing.assert_array_equal(result.data[:, :95], full.data[:15, :95])


SHAPES = {"pixel_shape": (30, 20), "array_shape": (21, 31)}


def test_which_shape_goes_first():
    wcs = resample_slit([synthetic.exposure()]).grid.to_gwcs()
    own = wcs.array_shape
    every = given(wcs, **SHAPES)
    assert build_custom_grid(every, (50, 40)).shape == (40, 50)
    assert build_custom_grid(every).shape == (20, 30)
    assert build_custom_grid(replace(every, pixel_shape=None)).shape == (21, 31)
    assert build_custom_grid(given(wcs)).shape == own
    # jwst: the shape of the WCS itself, then array_shape, then pixel_shape.
    assert build_custom_grid(every, (50, 40), compat=True).shape == (40, 50)
    assert build_custom_grid(every, compat=True).shape == own
    wcs.array_shape = None
    assert build_custom_grid(every, compat=True).shape == (21, 31)
    assert build_custom_grid(replace(every, array_shape=None), compat=True).shape == (20, 30)
    assert build_custom_grid(given(wcs)).shape == own  # that of the bounding box
    wcs.bounding_box = None
    with pytest.raises(InputError, match=r"given\.asdf: .*output_shape"):
        build_custom_grid(given(wcs))


def test_area_and_scale():
    exposures = nods()
    plain = resample_slit(exposures)
    wcs = plain.grid.to_gwcs()
    area = exposures[0].pixel_area

    def run(compat=False, **settings):
        return resample_slit(
            exposures, ResampleOptions(compat=compat), given_wcs=given(wcs, **settings)
        )

    expected = run()
    # An area given changes the header, not the errors.
    found = run(pixel_area=3 * area)
    assert found.pixel_area == 3 * area
    np.testing.assert_array_equal(found.error, expected.error)
    np.testing.assert_array_equal(found.data, expected.data)
    # A scale given changes one side of the pixel.
    half = run(pixel_scale=synthetic.PIXEL_SCALE / 2)
    assert half.pixel_area == pytest.approx(area / 2, rel=1e-3)
    np.testing.assert_array_equal(half.error, expected.error)
    assert half.ratio == expected.ratio
    # jwst: the ratio is that of the areas, and the square of the scale is taken for steradians.
    assert run(compat=True, pixel_area=area / 2).pixel_area == area / 2
    scaled = run(compat=True, pixel_area=area / 2)
    flux = np.nansum(scaled.data, dtype=float) / np.nansum(plain.data, dtype=float)
    assert flux == pytest.approx(0.5, rel=0.02)
    assert run(compat=True, pixel_scale=0.07).pixel_area == pytest.approx(0.0049)
    assert scaled.ratio == 1.0


def test_the_header_tells_the_true_ratio():
    wcs = resample_slit(nods(), ResampleOptions(pixel_scale_ratio=2.0)).grid.to_gwcs()
    assert resample_slit(nods(), given_wcs=given(wcs)).ratio == pytest.approx(2.0, rel=1e-3)
    compat = ResampleOptions(compat=True)
    assert resample_slit(nods(), compat, given_wcs=given(wcs)).ratio == 1.0


def test_without_an_area():
    exposures = [replace(exposure, pixel_area=None) for exposure in nods()]
    wcs = resample_slit(exposures).grid.to_gwcs()
    for compat in (False, True):
        result = resample_slit(exposures, ResampleOptions(compat=compat), given_wcs=given(wcs))
        assert result.pixel_area is None
        assert result.ratio == pytest.approx(1.0, rel=1e-3)
    # An area in the file is used for the header; jwst does without.
    with_area = given(wcs, pixel_area=3e-13)
    assert resample_slit(exposures, given_wcs=with_area).pixel_area == 3e-13
    as_jwst = resample_slit(exposures, ResampleOptions(compat=True), given_wcs=with_area)
    assert as_jwst.pixel_area is None


def test_one_line_names_what_is_ignored(caplog):
    wcs = resample_slit(nods()).grid.to_gwcs()
    options = ResampleOptions(pixel_scale=0.05, pixel_scale_ratio=2.0, wavelength_grid="log")
    with caplog.at_level(logging.INFO, logger="webbweave"):
        result = resample_slit(nods(), options, given_wcs=given(wcs))
    lines = [record.getMessage() for record in caplog.records if "ignored" in record.getMessage()]
    assert lines == [
        "output_wcs is given, pixel_scale, pixel_scale_ratio, wavelength_grid are ignored"
    ]
    assert result.data.shape == wcs.array_shape


def test_a_wcs_of_another_kind_is_refused():
    spectral = resample_slit([synthetic.exposure()]).grid.to_gwcs()
    sky, wavelength = spectral.output_frame.frames
    detector = spectral.input_frame
    image = WCS([(detector, spectral.forward_transform | Mapping((0, 1), n_inputs=3)), (sky, None)])
    with pytest.raises(InputError, match=r"given\.asdf: .*from 2 pixel to 3 world.* from 2 to 2"):
        build_custom_grid(given(image), (5, 5))
    other = cf.CompositeFrame(
        [sky, cf.CoordinateFrame(1, "TEMPORAL", (2,), name="time", unit=("s",), axes_names=("t",))]
    )
    no_axis = WCS([(detector, spectral.forward_transform), (other, None)])
    with pytest.raises(InputError, match=r"wavelength as third axis, found axes .*TEMPORAL"):
        build_custom_grid(given(no_axis), (5, 5))
    forward = spectral.forward_transform | Identity(3)
    one_way = Mapping((0, 1, 0, 1)) | Mapping((0, 1), n_inputs=4) | forward
    with pytest.raises(InputError, match="no inverse"):
        build_custom_grid(given(WCS([(detector, one_way), (spectral.output_frame, None)])), (5, 5))
    metres = cf.SpectralFrame(name="spectral", axes_order=(2,), unit=("m",))
    in_metres = WCS(
        [(detector, spectral.forward_transform), (cf.CompositeFrame([sky, metres]), None)]
    )
    with pytest.raises(InputError, match="in micron, found m"):
        build_custom_grid(given(in_metres), (5, 5))
    assert wavelength.unit[0] == "micron"


def test_a_lamp_does_not_fit_on_the_sky():
    wcs = resample_slit(nods()).grid.to_gwcs()
    with pytest.raises(InputError, match=r"given\.asdf"):
        resample_slit(lamps(), given_wcs=given(wcs))
