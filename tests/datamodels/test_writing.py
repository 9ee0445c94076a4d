"""Saving: valid and complete, or not at all."""

from __future__ import annotations

import errno
import logging
from pathlib import Path

import numpy as np
import pytest
from stdatamodels.jwst import datamodels

from webbweave.datamodels import replace_atomically, save_model, tree_of
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

    monkeypatch.setattr(datamodels.ImageModel, "save", write_half)
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
