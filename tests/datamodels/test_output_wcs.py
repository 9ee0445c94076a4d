"""Files with a WCS or wavelengths to resample onto."""

from __future__ import annotations

import asdf
import numpy as np
import pytest
import synthetic
from astropy import units as u
from astropy.table import Table

from webbweave.datamodels import read_output_wcs, read_wavelengths
from webbweave.errors import InputError


def write(path, **tree):
    asdf.AsdfFile(tree).write_to(path)
    return path


def test_wcs_and_what_comes_with_it(tmp_path):
    wcs = synthetic.slit_wcs()
    path = write(
        tmp_path / "wcs.asdf",
        wcs=wcs,
        pixel_area=2e-13,
        pixel_scale=0.1,
        pixel_shape=[30, 20],
        array_shape=[21, 31],
    )
    stored = read_output_wcs(path)
    path.unlink()
    assert stored.name == str(path)
    assert (stored.pixel_area, stored.pixel_scale) == (2e-13, 0.1)
    assert (stored.pixel_shape, stored.array_shape) == ((30, 20), (21, 31))
    np.testing.assert_array_equal(stored.wcs(50, 12), wcs(50, 12))
    bare = read_output_wcs(write(tmp_path / "bare.asdf", wcs=wcs))
    assert bare.pixel_area is bare.pixel_scale is bare.pixel_shape is bare.array_shape is None


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"pixel_area": 1.0, "other": 2}, "expected an entry 'wcs', found other, pixel_area"),
        ({"wcs": {"a": 1}}, "expected a gwcs in the entry 'wcs', found dict"),
        ({"wcs": None, "pixel_area": -1.0}, "'wcs'"),
        ({"wcs": synthetic.slit_wcs(), "pixel_area": -1.0}, "'pixel_area', found -1.0"),
        ({"wcs": synthetic.slit_wcs(), "pixel_scale": "big"}, "'pixel_scale', found 'big'"),
        ({"wcs": synthetic.slit_wcs(), "pixel_shape": [3]}, "two positive numbers .*'pixel_shape'"),
        ({"wcs": synthetic.slit_wcs(), "array_shape": 5}, "two positive numbers .*'array_shape'"),
    ],
)
def test_wrong_entries_are_named(tmp_path, tree, message):
    path = write(tmp_path / "wrong.asdf", **tree)
    with pytest.raises(InputError, match=r"wrong\.asdf: .*" + message):
        read_output_wcs(path)


def test_wrong_files_are_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.asdf: no such file"):
        read_output_wcs(tmp_path / "none.asdf")
    text = tmp_path / "text.asdf"
    text.write_text("SIMPLE")
    with pytest.raises(InputError, match=r"text\.asdf: expected an ASDF file"):
        read_output_wcs(text)
    with pytest.raises(InputError, match="cannot be opened"):
        read_output_wcs(tmp_path)
    broken = tmp_path / "broken.asdf"
    broken.write_text("#ASDF 1.0.0\n%YAML 1.1\n---\n{wcs: [\n")
    with pytest.raises(InputError, match=r"broken\.asdf: cannot be read as ASDF"):
        read_output_wcs(broken)


WAVELENGTHS = np.array([1.0, 1.5, 2.25])


def test_tables_of_wavelengths(tmp_path):
    plain = tmp_path / "plain.txt"
    np.savetxt(plain, WAVELENGTHS)
    np.testing.assert_allclose(read_wavelengths(plain), WAVELENGTHS)
    named = Table({"number": [1, 2, 3], "Wavelength": WAVELENGTHS * 1e4 * u.AA})
    for name in ("named.ecsv", "named.fits"):
        named.write(tmp_path / name)
        np.testing.assert_allclose(read_wavelengths(tmp_path / name), WAVELENGTHS)


def test_wrong_tables_are_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.fits: no such file"):
        read_wavelengths(tmp_path / "none.fits")
    many = tmp_path / "many.ecsv"
    Table({"a": [1.0], "b": [2.0]}).write(many)
    with pytest.raises(InputError, match=r"many\.ecsv: expected one column.* found a, b"):
        read_wavelengths(many)
    seconds = tmp_path / "seconds.ecsv"
    Table({"wavelength": [1.0] * u.s}).write(seconds)
    with pytest.raises(InputError, match=r"seconds\.ecsv: expected wavelengths in the column"):
        read_wavelengths(seconds)
    text = tmp_path / "text.txt"
    text.write_text("name\nred\nblue\n")
    with pytest.raises(InputError, match=r"text\.txt: expected wavelengths"):
        read_wavelengths(text)
    not_fits = tmp_path / "not.fits"
    not_fits.write_text("name\n")
    with pytest.raises(InputError, match=r"not\.fits: cannot be read as a table"):
        read_wavelengths(not_fits)
