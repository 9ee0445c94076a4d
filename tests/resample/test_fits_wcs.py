"""FITS keywords of a grid, read by astropy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from webbweave.resample.fits_wcs import TABLE_NAME, column_names, spectral_wcs, wavelength_table

ASCENDING = np.array([0.6, 0.61, 0.65, 1.0, 5.3])


def read(path, keywords, table, shape):
    image = fits.ImageHDU(np.zeros(shape, np.float32), name="SCI")
    for name, value in keywords.items():
        image.header[name.upper()] = value
    extension = fits.BinTableHDU(table, name=TABLE_NAME)
    fits.HDUList([fits.PrimaryHDU(), image, extension]).writeto(path)
    with fits.open(path) as hdus:
        return WCS(hdus["SCI"].header, hdus)


@pytest.mark.parametrize("axis", [1, 2])
@pytest.mark.parametrize("wavelengths", [ASCENDING, ASCENDING[::-1]], ids=["up", "down"])
def test_astropy_reads_the_wavelengths_and_offsets(tmp_path, axis, wavelengths):
    table = wavelength_table({"wave_slit_7": wavelengths, "other": ASCENDING[:3]})
    keywords = spectral_wcs(axis, 4, 0.1, source=1.25, column="wave_slit_7")
    wcs = read(tmp_path / "a.fits", keywords, table, (4, 5) if axis == 1 else (5, 4))
    along, across = np.meshgrid(np.arange(5.0), np.arange(4.0))
    pixels = (along, across) if axis == 1 else (across, along)
    world = wcs.pixel_to_world_values(*pixels)
    np.testing.assert_array_equal(world[axis - 1], np.broadcast_to(wavelengths, (4, 5)))
    np.testing.assert_allclose(world[2 - axis], 0.1 * (across - 1.25), rtol=0, atol=1e-15)
    assert (wcs.wcs.cunit[axis - 1], wcs.wcs.cunit[2 - axis]) == ("um", "arcsec")
    for found, pixel in zip(wcs.world_to_pixel_values(*world), pixels, strict=True):
        np.testing.assert_allclose(found, pixel, atol=1e-12)


def test_between_pixels_and_at_the_outer_edges_it_is_linear(tmp_path):
    table = wavelength_table({"wavelength": ASCENDING})
    wcs = read(tmp_path / "a.fits", spectral_wcs(1, 2, 0.1), table, (2, 5))
    wavelength, _ = wcs.pixel_to_world_values([-0.5, 2.25, 4.5], [0, 0, 0])
    expected = [0.595, 0.65 + 0.25 * 0.35, 5.3 + 0.5 * 4.3]
    np.testing.assert_allclose(wavelength, expected, rtol=1e-14)


@pytest.mark.parametrize(("n_position", "middle"), [(1, 0), (4, 2), (5, 2)])
def test_without_a_source_offsets_are_from_the_middle(n_position, middle):
    assert spectral_wcs(1, n_position, 0.1)["crpix2"] == middle + 1
    assert spectral_wcs(2, n_position, 0.1)["crpix1"] == middle + 1


def test_off_the_sky_offsets_are_in_pixels(tmp_path):
    keywords = spectral_wcs(1, 4, math.nan, source=1.0)
    wcs = read(tmp_path / "a.fits", keywords, wavelength_table({"wavelength": ASCENDING}), (4, 5))
    assert wcs.wcs.cunit[1] == "pix"
    assert wcs.pixel_to_world_values(0, 3)[1] == 2.0


def test_column_names_are_plain_and_different():
    names = column_names(["5", "S200A1", "s200a1", "a b", "a.b", "", " ", "Å"])
    assert names[:2] == ["wave_slit_5", "wave_slit_S200A1"]
    assert names[3:6] == ["wave_slit_a_b", "wave_slit_a_b_2", "wavelength"]
    assert len({name.lower() for name in names}) == len(names)
    assert all(name.isascii() and name.replace("_", "").isalnum() for name in names)


def test_more_columns_than_a_table_can_have():
    columns = {f"wave_slit_{number}": ASCENDING for number in range(1000)}
    assert wavelength_table(columns) is None
    del columns["wave_slit_0"]
    assert len(wavelength_table(columns).dtype) == 999
