"""Arrays on disk: the same content, in files that disappear with them."""

from __future__ import annotations

import tempfile

import numpy as np
import pytest

from webbweave.datamodels import spill
from webbweave.errors import OutputError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_spilled_arrays_are_the_same_and_can_be_changed(folder):
    image = np.arange(5000.0, dtype=np.float32).reshape(50, 100)
    table = np.zeros(600, dtype=[("a", "f8"), ("b", "S4")])
    table["b"] = b"text"
    small = np.arange(3)
    tree = {"image": image.T, "meta": {"table": table, "name": "x"}, "small": small, "none": None}
    spill(tree)
    np.testing.assert_array_equal(tree["image"], image.T)
    np.testing.assert_array_equal(tree["meta"]["table"], table)
    assert tree["meta"]["table"].dtype == table.dtype
    assert tree["small"] is small
    assert tree["meta"]["name"] == "x"
    assert isinstance(tree["image"].base, np.memmap)
    tree["image"][0, 0] = -1.0
    assert tree["image"].min() == -1.0
    assert image.min() == 0.0


def test_no_file_is_left(folder):
    tree = {"image": np.ones((100, 100))}
    spill(tree)
    del tree
    assert list(folder.iterdir()) == []


def test_a_missing_folder_is_named(folder, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "missing"))
    with pytest.raises(OutputError, match=r"missing.*40000 bytes.*TMPDIR"):
        spill({"image": np.ones((100, 100), np.float32)})
