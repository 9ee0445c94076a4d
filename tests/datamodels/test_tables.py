"""Tables as files: formats, round trips, broken files."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.table import QTable, Table

from webbweave.datamodels import read_table, save_table
from webbweave.errors import InputError, OutputError


@pytest.fixture
def table():
    rng = np.random.default_rng(1)
    columns = {"id": np.arange(1, 4), "x": rng.random(3), "y": rng.random(3), "flux": rng.random(3)}
    return QTable(columns, meta={"name": "a", "threshold": 1.5})


@pytest.mark.parametrize("kind", ["ecsv", "fits"])
def test_round_trip(table, kind, tmp_path):
    path = tmp_path / "new" / f"stars.{kind}"
    assert save_table(table[:1], path) == path
    save_table(table, path)  # replaces
    found = read_table(path)
    assert found.colnames == table.colnames
    for name in table.colnames:
        np.testing.assert_array_equal(found[name], table[name])
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_tables_as_text(tmp_path):
    path = tmp_path / "stars.txt"
    path.write_text("x y\n1.5 2\n3 4\n")
    assert read_table(path)["x"].tolist() == [1.5, 3.0]
    path = tmp_path / "stars.csv"
    path.write_text("x,y\n1.5,2\n")
    assert read_table(path)["x"].tolist() == [1.5]
    path = tmp_path / "stars.cat"  # a FITS file by its content
    Table({"x": [7.0]}).write(path, format="fits")
    assert read_table(path)["x"].tolist() == [7.0]


@pytest.mark.parametrize("suffix", ["ecsv", "fits", "csv"])
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "no such file"),
        (b"", "is empty"),
        (b"\x89PNG\x00\xff\xfe" * 99, "cannot be read as a table"),
    ],
)
def test_files_that_are_no_tables(tmp_path, content, reason, suffix):
    path = tmp_path / f"catalog.{suffix}"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=reason) as caught:
        read_table(path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    ("name", "content"),
    [("broken.ecsv", "x y\n1 2 3\n4\n"), ("broken.fits", "no fits at all")],
)
def test_broken_files(name, content, tmp_path):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=f"{name}: cannot be read as a table"):
        read_table(tmp_path / name)


def test_folders_are_no_tables(tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        read_table(tmp_path)


def test_where_nothing_can_be_written(table, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        save_table(table, tmp_path / "file" / "a_cat.ecsv")
