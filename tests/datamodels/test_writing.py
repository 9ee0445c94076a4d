"""Saving: valid and complete, or not at all."""

from __future__ import annotations

import errno
import logging
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from stdatamodels.jwst import datamodels

from webbweave.datamodels import (
    attach_table,
    extend_schema,
    of_slits,
    replace_atomically,
    save_model,
    tree_of,
)
from webbweave.datamodels.writing import _Extensions
from webbweave.errors import OutputError


def image():
    return datamodels.ImageModel(
        {"meta": {"telescope": "JWST"}, "data": np.ones((3, 4), np.float32)}
    )


def test_saved_and_named(tmp_path):
    path = save_model(image(), tmp_path / "new" / "image_i2d.fits")
    with datamodels.open(path) as again:
        assert again.meta.filename == "image_i2d.fits"
        np.testing.assert_array_equal(again.data, 1)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
def test_a_failure_leaves_everything_as_it_was(tmp_path, monkeypatch, failure):
    model = image()
    path = save_model(model, tmp_path / "image.fits")
    content = path.read_bytes()

    def write_half(self, target, *_, **__):
        Path(target).write_bytes(b"SIMPLE")
        raise failure

    monkeypatch.setattr(fits.HDUList, "writeto", write_half)
    expected = OutputError if isinstance(failure, OSError) else KeyboardInterrupt
    with pytest.raises(expected) as caught:
        save_model(model, path)
    if expected is OutputError:
        assert "No space left" in str(caught.value)
        assert str(path) in str(caught.value)
    assert path.read_bytes() == content
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    assert model.meta.filename == "image.fits"


def test_existing_files_can_be_protected(tmp_path):
    path = save_model(image(), tmp_path / "image.fits")
    with pytest.raises(OutputError, match="exists already"):
        save_model(image(), path, overwrite=False)
    with pytest.raises(OutputError, match="is an input"):
        save_model(image(), path, inputs=[tmp_path / "." / "image.fits"])


def test_unwritable_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        save_model(image(), tmp_path / "file" / "image.fits")


def test_invalid_header_values_are_left_out(tmp_path, caplog):
    model = image()
    tree_of(model)["meta"]["exposure"] = {"nints": "three"}
    with caplog.at_level(logging.WARNING):
        path = save_model(model, tmp_path / "image.fits")
    assert "meta.exposure.nints" in caplog.text
    with datamodels.open(path) as again:
        assert again.meta.exposure.nints is None


def test_replace_atomically(tmp_path):
    path = tmp_path / "note.txt"
    replace_atomically(path, lambda temporary: temporary.write_text("first"))
    replace_atomically(path, lambda temporary: temporary.write_text("second"))
    assert path.read_text() == "second"


def test_invalid_products_are_refused(tmp_path):
    model = image()
    tree_of(model)["meta"]["instrument"] = "NIRSPEC"
    model._instance["meta"]["wcsinfo"] = {"s_region": ["not", "text"]}
    with pytest.raises(OutputError, match=r"image\.fits: the product is not valid"):
        save_model(model, tmp_path / "image.fits")
    assert list(tmp_path.iterdir()) == []


def several(n_slit=3):
    slits = [
        {
            "name": str(number),
            "data": np.full((2, 3), number, np.float32),
            "extra": np.full((1, 2, 3), -number, np.float32),
            "meta": {"wcsinfo": {"dispersion_direction": 1}, "mine": {"note": f"slit {number}"}},
        }
        for number in range(1, n_slit + 1)
    ]
    return datamodels.MultiSlitModel({"meta": {"telescope": "JWST"}, "slits": slits})


def test_saved_as_stdatamodels_saves(tmp_path):
    ours = save_model(several(), tmp_path / "ours" / "a.fits")
    (tmp_path / "theirs").mkdir()
    theirs = tmp_path / "theirs" / "a.fits"
    several().save(theirs)
    with fits.open(ours) as one, fits.open(theirs) as other:
        difference = fits.FITSDiff(one, other, ignore_keywords=["DATE"], ignore_hdus=["ASDF"])
        assert difference.identical, difference.report()
        assert [(hdu.name, hdu.ver) for hdu in one][-1] == ("ASDF", 1)


def test_entries_that_the_schema_does_not_know(tmp_path):
    model = several()
    note = {"type": "string", "fits_keyword": "MYNOTE", "fits_hdu": "SCI"}
    meta = {"mine": {"type": "object", "properties": {"note": note}}}
    entries = {
        "extra": {"fits_hdu": "EXTRA", "datatype": "float32", "ndim": 3},
        "meta": {"type": "object", "properties": meta},
    }
    extend_schema(model, of_slits(entries))
    table = np.array([(1, 2.5)], dtype=[("NUMBER", "i4"), ("VALUE", "f8")])
    attach_table(model, "my_table", table, "A table", extension="MY-TABLE")
    path = save_model(model, tmp_path / "a.fits")
    with fits.open(path) as hdus:
        assert hdus["MY-TABLE"].data["VALUE"] == 2.5
        for number in (1, 2, 3):
            assert hdus["SCI", number].header["MYNOTE"] == f"slit {number}"
            assert hdus["SCI", number].header["DISPAXIS"] == 1
            np.testing.assert_array_equal(hdus["EXTRA", number].data, -number)
    with datamodels.open(path) as again:
        np.testing.assert_array_equal(again.slits[1].extra, -2)
        assert again.slits[1].meta.mine.note == "slit 2"
        assert again.my_table["NUMBER"] == 1
    # Another model of the class knows nothing of it.
    assert "extra" not in several().schema["properties"]["slits"]["items"]["properties"]


def test_an_invalid_entry_of_a_slit_is_named(tmp_path):
    model = several()
    model._instance["slits"][1]["meta"]["wcsinfo"] = {"s_region": ["not", "text"]}
    with pytest.raises(OutputError, match="not valid"):
        save_model(model, tmp_path / "a.fits")
    assert list(tmp_path.iterdir()) == []


def test_extensions_are_found_as_astropy_finds_them():
    def hdu(name, ver):
        return fits.ImageHDU(np.zeros(1), name=name, ver=ver)

    ours, theirs = _Extensions([fits.PrimaryHDU()]), fits.HDUList([fits.PrimaryHDU()])

    def check():
        for key in ("SCI", "sci", ("SCI", 2), ("sci ", 3), ("DQ", 1), "NONE", ("SCI", 9), 0, -1):
            try:
                expected = theirs.index_of(key)
            except KeyError:
                with pytest.raises(KeyError):
                    ours.index_of(key)
                assert key not in ours
            else:
                assert ours.index_of(key) == expected

    parts = [hdu("SCI", 1), hdu("DQ", 1), hdu("SCI", 2), hdu("SCI", 3)]
    for part in parts:
        check()
        for hdulist in (ours, theirs):
            hdulist.append(part)
    check()
    for hdulist in (ours, theirs):
        hdulist.remove(parts[0])
    check()
    another = hdu("DQ", 1)
    for hdulist in (ours, theirs):
        hdulist.append(another)
        hdulist.remove(parts[1])
    check()
    for hdulist in (ours, theirs):
        assert hdulist.index_of(another) == len(hdulist) - 1
