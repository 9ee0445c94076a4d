"""Catalog files: formats, broken files, and which catalog belongs to which exposure."""

from __future__ import annotations

import itertools
import json
import logging
from pathlib import Path

import numpy as np
import pytest
from astropy.table import QTable, Table

from webbweave.datamodels import (
    catalog_choices,
    catalog_path,
    chosen_catalog,
    collect_inputs,
    read_catalog,
    read_catfile,
    save_catalog,
)
from webbweave.errors import InputError, OutputError


@pytest.fixture
def table():
    rng = np.random.default_rng(1)
    columns = {"id": np.arange(1, 4), "x": rng.random(3), "y": rng.random(3), "flux": rng.random(3)}
    return QTable(columns, meta={"name": "a", "threshold": 1.5})


@pytest.mark.parametrize("kind", ["ecsv", "fits"])
def test_round_trip(table, kind, tmp_path):
    path = catalog_path("jw01_nrcb1_cal.fits", kind, tmp_path / "new")
    assert path.name == f"jw01_nrcb1_cal_cat.{kind}"
    assert save_catalog(table, path, kind) == path
    save_catalog(table, path, kind)  # replaces
    found = read_catalog(path)
    assert found.colnames == table.colnames
    for name in table.colnames:
        np.testing.assert_array_equal(found[name], table[name])
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_catalogs_as_text(tmp_path):
    path = tmp_path / "stars.txt"
    path.write_text("x y\n1.5 2\n3 4\n")
    assert read_catalog(path)["x"].tolist() == [1.5, 3.0]
    path = tmp_path / "stars.csv"
    path.write_text("x,y\n1.5,2\n")
    assert read_catalog(path)["x"].tolist() == [1.5]
    path = tmp_path / "stars.cat"  # a FITS file by its content
    Table({"x": [7.0]}).write(path, format="fits")
    assert read_catalog(path)["x"].tolist() == [7.0]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.ecsv", None, "no such file"),
        ("empty.ecsv", "", "the file is empty"),
        ("broken.ecsv", "x y\n1 2 3\n4\n", "cannot be read as a table"),
        ("broken.fits", "no fits at all", "cannot be read as a table"),
    ],
)
def test_files_that_are_no_catalogs(name, content, message, tmp_path):
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=rf"{name}: {message}"):
        read_catalog(path)
    with pytest.raises(InputError, match="no such file"):
        read_catalog(tmp_path)


def test_saving_refuses(table, tmp_path):
    with pytest.raises(ValueError, match="catalog_format: expected 'ecsv' or 'fits', found 'csv'"):
        save_catalog(table, tmp_path / "a.csv", "csv")
    with pytest.raises(ValueError, match="catalog_format"):
        catalog_path("a.fits", "ascii")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        save_catalog(table, tmp_path / "file" / "a_cat.ecsv")


def test_catfile(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text(
        "# exposures\n\nsome/a.fits stars/a.ecsv # good\nb.fits\n  c.fits\t/abs/c.txt\n"
    )
    assert read_catfile(path) == {
        "a.fits": tmp_path / "stars/a.ecsv",
        "b.fits": None,
        "c.fits": Path("/abs/c.txt"),
    }
    path.write_text("a.fits x.ecsv y.ecsv\n")
    with pytest.raises(
        ValueError, match=r"'catfile' can contain at most two columns\..*line 1 has"
    ):
        read_catfile(path)
    path.write_text("a.fits x.ecsv\nb.fits\na.fits y.ecsv\n")
    with pytest.raises(ValueError, match=r"line 3: a\.fits has another catalog"):
        read_catfile(path)
    with pytest.raises(InputError, match=r"catfile .*none\.txt: cannot be read: No such file"):
        read_catfile(tmp_path / "none.txt")
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read"):
        read_catfile(path)


def test_a_catfile_without_exposures(tmp_path, caplog):
    path = tmp_path / "list.txt"
    path.write_text("# nothing\n")
    with caplog.at_level(logging.WARNING):
        assert catalog_choices(path) is None
    assert "custom catalogs are not used" in caplog.text


def association(folder, entry):
    folder.mkdir(exist_ok=True)
    members = [{"expname": "sub/a.fits", "exptype": "science", **entry}]
    path = folder / "asn.json"
    path.write_text(json.dumps({"products": [{"name": "p", "members": members}]}))
    return collect_inputs(path).members


IN_FILE = {
    "none": None,
    "absent": "b.fits b.ecsv\n",
    "blank": "a.fits\n",
    "named": "a.fits f.ecsv\n",
}
IN_ASN = {"absent": {}, "blank": {"tweakreg_catalog": " "}, "named": {"tweakreg_catalog": "s.ecsv"}}
IN_META = {"absent": None, "blank": "", "named": "m.ecsv"}


@pytest.mark.parametrize(
    ("catfile", "asn", "meta"), list(itertools.product(IN_FILE, IN_ASN, IN_META))
)
def test_precedence(catfile, asn, meta, tmp_path):
    members = association(tmp_path / "asn", IN_ASN[asn])
    named = ""
    if IN_FILE[catfile] is not None:
        named = str(tmp_path / "list.txt")
        Path(named).write_text(IN_FILE[catfile])
    choices = catalog_choices(named, members)
    found = chosen_catalog(choices, "a.fits", IN_META[meta])
    from_meta = Path("m.ecsv") if meta == "named" else None
    if catfile in ("blank", "named"):
        expected = tmp_path / "f.ecsv" if catfile == "named" else None
    elif catfile == "absent" or asn == "absent":
        expected = from_meta
    else:
        expected = tmp_path / "asn" / "s.ecsv" if asn == "named" else None
    assert found == expected


def test_none_in_an_association_means_find_sources(tmp_path):
    members = association(tmp_path, {"tweakreg_catalog": None, "group_id": "g1"})
    assert catalog_choices("", members) == {"a.fits": None}
    assert members[0].attributes["group_id"] == "g1"
    assert members[0].folder == tmp_path


def test_a_catalog_beside_the_exposure(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    beside = tmp_path / "data" / "a_cat.ecsv"
    beside.write_text("x")
    assert chosen_catalog({}, "a.fits", "a_cat.ecsv", tmp_path / "data") == beside
    (tmp_path / "a_cat.ecsv").write_text("x")
    assert chosen_catalog({}, "a.fits", "a_cat.ecsv", tmp_path / "data") == Path("a_cat.ecsv")
    assert chosen_catalog({}, "a.fits", "none.ecsv", tmp_path / "data") == Path("none.ecsv")
