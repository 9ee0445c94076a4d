"""Named arrays in npz and FITS files."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from astropy.io import fits

from webbweave.datamodels import read_named_arrays
from webbweave.errors import InputError

PLANE = np.linspace(0, 1, 12).reshape(3, 4)
AXIS = np.arange(4, dtype=np.int16)


@pytest.fixture
def folder(tmp_path):
    np.savez_compressed(tmp_path / "tables.npz", PLANE=PLANE, AXIS=AXIS, other=PLANE)
    hdus = [fits.ImageHDU(PLANE, name="PLANE"), fits.ImageHDU(AXIS, name="AXIS")]
    table = fits.BinTableHDU.from_columns([fits.Column("a", "D", array=PLANE[0])], name="OTHER")
    fits.HDUList([fits.PrimaryHDU(), *hdus, table]).writeto(tmp_path / "tables.fits")
    content = (tmp_path / "tables.fits").read_bytes()
    (tmp_path / "tables.fits.gz").write_bytes(gzip.compress(content))
    return tmp_path


@pytest.mark.parametrize("name", ["tables.npz", "tables.fits", "tables.fits.gz"])
def test_the_same_arrays_from_every_format(folder, name):
    found = read_named_arrays(folder / name, ("PLANE", "AXIS"))
    assert list(found) == ["PLANE", "AXIS"]
    np.testing.assert_array_equal(found["PLANE"], PLANE, strict=True)
    np.testing.assert_array_equal(found["AXIS"], AXIS, strict=True)
    assert all(array.dtype.isnative for array in found.values())


@pytest.mark.parametrize("name", ["tables.npz", "tables.fits"])
def test_what_is_missing_is_named(folder, name):
    with pytest.raises(InputError, match=f"{name}: has no array OTHER, GONE"):
        read_named_arrays(folder / name, ("PLANE", "OTHER", "GONE"))


@pytest.mark.parametrize("name", ["tables.npz", "tables.fits", "tables.fits.gz"])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
def test_files_cut_short(folder, name, part):
    content = (folder / name).read_bytes()
    (folder / f"cut-{name}").write_bytes(content[: int(len(content) * part)])
    with pytest.raises(InputError, match=f"cut-{name}: (truncated|cannot be read)"):
        read_named_arrays(folder / f"cut-{name}", ("PLANE", "AXIS"))


def test_other_files(folder):
    (folder / "empty.npz").touch()
    (folder / "text.npz").write_text("no tables")
    np.savez(folder / "objects.npz", PLANE=np.array([{}, 1], dtype=object))
    for name, match in (
        ("empty.npz", "expected an npz or FITS file, found one that starts b''"),
        ("text.npz", "expected an npz or FITS file, found one that starts b'no tables'"),
        ("objects.npz", "cannot be read: .*allow_pickle"),
        ("gone.npz", "no such file"),
        (".", "is a directory"),
    ):
        with pytest.raises(InputError, match=match):
            read_named_arrays(folder / name, ("PLANE",))
