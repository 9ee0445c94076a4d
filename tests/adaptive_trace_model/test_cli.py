"""``webbweave trace``: what it writes, prints and returns."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import synthetic_ifu as si
from stdatamodels.jwst import datamodels

from webbweave import cli
from webbweave.datamodels import tree_of


def run(*arguments):
    return cli.main([str(argument) for argument in arguments])


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture
def exposure(tmp_path):
    (tmp_path / "data").mkdir()
    model, _ = si.model("nrs_ifu")
    path = tmp_path / "data" / model.meta.filename
    model.save(path)
    return path


PRODUCT = "jw01234001001_02101_00001_nrs1_adaptive_trace_model.fits"


def test_product(exposure, tmp_path, capsys):
    assert run("trace", exposure, "--output-dir", tmp_path / "out", "--oversample", 2) == 0
    assert names(tmp_path / "out") == [PRODUCT]
    printed = capsys.readouterr().out
    for word in ("NIRSPEC", "1800 pixels", "1 of 3 regions", "seconds", "fit", PRODUCT):
        assert word in printed
    with datamodels.open(tmp_path / "out" / PRODUCT) as product:
        assert product.data.shape == (140, 150)
        assert product.meta.cal_step.adaptive_trace_model == "COMPLETE"


def test_beside_the_input_unless_told(exposure, tmp_path, monkeypatch, capsys):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert run("trace", exposure, "-q") == 0
    assert names(tmp_path / "elsewhere") == []
    assert names(exposure.parent) == sorted([exposure.name, PRODUCT])
    assert capsys.readouterr().out == ""


def test_parameters_reach_the_step(exposure, tmp_path):
    more = ("--fit-threshold", 0, "--slope_limit", 0, "--save-trace", "--column-table", "-j", 2)
    assert run("trace", exposure, "--output-dir", tmp_path / "out", *more, "-q") == 0
    assert names(tmp_path / "out") == [
        PRODUCT,
        PRODUCT.replace("adaptive_trace_model.fits", "trace.asdf"),
    ]
    with datamodels.open(tmp_path / "out" / PRODUCT) as product:
        regions = np.unique(product.regions[np.isfinite(product.trace_model)])
    assert regions.tolist() == [1, 2, 3]


def test_association_of_several_exposures(exposure, tmp_path, capsys):
    second, _ = si.model("nrs_ifu", number=2)
    second.save(exposure.parent / second.meta.filename)
    members = [
        {"expname": name, "exptype": "science"} for name in (exposure.name, second.meta.filename)
    ]
    path = exposure.parent / "asn.json"
    path.write_text(json.dumps({"asn_id": "o001", "products": [{"name": "x", "members": members}]}))
    assert run("trace", path, "--output-dir", tmp_path / "out") == 0
    assert names(tmp_path / "out") == [
        f"jw01234001001_02101_0000{number}_nrs1_o001_adaptive_trace_model.fits" for number in (1, 2)
    ]
    assert "2 exposures" in capsys.readouterr().out


def test_some_slits_failed(tmp_path, capsys):
    model, _ = si.multi_slit(("A", "B"))
    tree_of(model)["slits"][0]["err"] = np.ones((3, 4), np.float32)
    model.save(tmp_path / "a_cal.fits")
    assert run("trace", tmp_path / "a_cal.fits") == 1
    with datamodels.open(tmp_path / "a_adaptive_trace_model.fits") as product:
        assert np.isfinite(product.slits[1].trace_model).any()
    assert "1 of 2 slits failed" in capsys.readouterr().out


def test_unsupported_exposures(tmp_path, capsys):
    path = tmp_path / "b_cal.fits"
    datamodels.ImageModel((3, 3)).save(path)
    assert run("trace", path) == 1
    with datamodels.open(tmp_path / "b_adaptive_trace_model.fits") as product:
        assert product.meta.cal_step.adaptive_trace_model == "FAILED"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--oversample", "0"], "oversample: expected a positive number, found 0.0"),
        (["--weighting", "best"], "invalid choice"),
        (["--trace-file", "none.asdf"], "none.asdf"),
        (["--maximum-cores", "some"], "maximum_cores"),
    ],
)
def test_bad_options(exposure, tmp_path, capsys, arguments, message):
    before = names(tmp_path)
    try:
        status = run("trace", exposure, "--output-dir", tmp_path / "out", *arguments)
    except SystemExit as stop:
        status = stop.code
    assert status == 2
    assert message in capsys.readouterr().err
    assert [name for name in names(tmp_path) if name not in before] in ([], ["out"])


def test_missing_and_broken_files(exposure, tmp_path, capsys):
    assert run("trace", tmp_path / "none_cal.fits") == 2
    assert "none_cal.fits: no such file" in capsys.readouterr().err
    exposure.write_bytes(exposure.read_bytes()[:100_000])
    assert run("trace", exposure, "--output-dir", tmp_path / "out") == 2
    assert "truncated" in capsys.readouterr().err
    assert names(tmp_path / "out") == [] or not (tmp_path / "out").exists()


def test_report_shows_the_traces(exposure, tmp_path, capsys):
    folder = tmp_path / "out"
    assert run("trace", exposure, "--output-dir", folder, "--oversample", 3, "--report") == 0
    (page,) = folder.glob("*_report.html")
    text = page.read_text(encoding="utf-8")
    assert str(page) in capsys.readouterr().out
    assert text.count("</figure>") == 3
    before, after = map(float, re.search(r"([\d.]+) % → ([\d.]+) %", text).groups())
    assert after < before / 2


def test_report_of_several_exposures(exposure, tmp_path):
    other = exposure.with_name("jw01234001001_02101_00002_nrs1_cal.fits")
    model, _ = si.model("nrs_slit")
    model.meta.filename = other.name
    model.save(other)
    folder = tmp_path / "out"
    assert run("trace", exposure, other, "--output-dir", folder, "--report") == 0
    text = (folder / "trace_report.html").read_text(encoding="utf-8")
    assert "2 spectra" in text
    assert other.name in text
