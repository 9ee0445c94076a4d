"""Catalog files: formats, broken files, and which catalog belongs to which exposure."""

from __future__ import annotations

import itertools
import json
import logging
from pathlib import Path

import pytest

from webbweave.datamodels import (
    catalog_choices,
    catalog_path,
    chosen_catalog,
    collect_inputs,
    read_catfile,
)
from webbweave.errors import InputError


def test_unknown_formats():
    assert catalog_path("jw01_nrcb1_cal.fits", "fits", "there") == Path(
        "there/jw01_nrcb1_cal_cat.fits"
    )
    with pytest.raises(ValueError, match="catalog_format: expected 'ecsv' or 'fits', found 'csv'"):
        catalog_path("a.fits", "csv")


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
