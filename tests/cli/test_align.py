"""``webbweave align``: what it writes, prints and returns."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from astropy.table import Table
from dithered_models import exposures
from stdatamodels.jwst import datamodels
from stdatamodels.jwst.datamodels import ImageModel, SlitModel

from webbweave import cli
from webbweave.datamodels import read_table
from webbweave.tweakreg import TweakRegStep
from webbweave.tweakreg.verdict import verdict


def run(*arguments):
    return cli.main(["align", *(str(argument) for argument in arguments)])


def listing(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    return exposures(tmp_path_factory.mktemp("catalogs"), n_star=200)


@pytest.fixture
def images(field, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    paths = []
    for model in field.models:
        paths.append(folder / model.meta.filename)
        model.copy().save(paths[-1])
    return paths


@pytest.fixture
def lost(field, images):
    """A catalog in which nothing is where it should be, for the second image."""
    rng = np.random.default_rng(3)
    path = images[1].with_name("lost.ecsv")
    Table(dict(zip("xy", rng.uniform(0, 1000, (2, 150)), strict=True))).write(path)
    with datamodels.open(images[1]) as model:
        model.meta.tweakreg_catalog = str(path)
        model.save(images[1].with_name("new_cal.fits"))
    images[1].with_name("new_cal.fits").replace(images[1])
    return images


def products(images, output):
    return [output / path.name.replace("_cal", "_tweakreg") for path in images]


def test_products_are_aligned(field, images, tmp_path, capsys):
    output = tmp_path / "products"
    assert run(*images, "--use-custom-catalogs", "--output-dir", output) == 0
    assert listing(output) == [path.name for path in products(images, output)]
    models = [datamodels.open(path) for path in products(images, output)]
    assert field.rms(field.models).max() > 200
    assert field.rms(models).max() < 1.5
    printed = capsys.readouterr().out
    assert "3 images of 3 exposures" in printed
    for path in images:
        assert len(re.findall(rf"^image +{path.name}  COMPLETE: ", printed, re.MULTILINE)) == 1
    assert "not moved, the others are aligned to it" in printed
    moved = re.findall(r"moved (\S+) mas east, (\S+) mas north", printed)
    truth = -field.errors(field.models)[1:].mean(axis=2)
    assert np.array(moved, dtype=float) == pytest.approx(truth, abs=2.0)


def test_catalog_and_fit_table(field, images, tmp_path, capsys):
    stars = tmp_path / "stars.ecsv"
    field.reference.write(stars)
    more = ("--use-custom-catalogs", "--abs-refcat", stars, "--save-fit-table", "--method", "joint")
    assert run(*images, *more, "--output-dir", tmp_path / "o") == 0
    printed = capsys.readouterr().out
    assert f"{len(field.reference)} stars of stars.ecsv" in printed
    assert printed.count("stars of the catalog, rms ") == 3
    table = read_table(tmp_path / "o" / "tweakreg_fit.ecsv")
    assert table["absolute_status"].tolist() == ["SUCCESS"] * 3
    assert str(tmp_path / "o" / "tweakreg_fit.ecsv") in printed
    apply = ("--apply-solution", tmp_path / "o" / "tweakreg_fit.ecsv")
    assert run(*images, *apply, "--output-dir", tmp_path / "again") == 0
    models = [datamodels.open(path) for path in products(images, tmp_path / "again")]
    assert field.rms(models).max() < 1.5


def test_a_relative_solution_is_applied_to_the_same_exposures(field, images, tmp_path, capsys):
    """The reference, which was not moved, stays; the others go where they went."""
    more = ("--use-custom-catalogs", "--save-fit-table", "--dry-run", "--output-dir", tmp_path)
    assert run(*images, *more) == 0
    apply = ("--apply-solution", tmp_path / "tweakreg_fit.ecsv", "--report")
    assert run(*images, *apply, "--output-dir", tmp_path / "o") == 0
    models = [datamodels.open(path) for path in products(images, tmp_path / "o")]
    assert field.rms(models).max() < 1.5
    assert models[0].meta.wcs(3.0, 900.0) == field.models[0].meta.wcs(3.0, 900.0)
    assert "COMPLETE: moved +0.0 mas east, +0.0 mas north" in capsys.readouterr().out


def test_association_and_catfile(images, tmp_path, field):
    folder = images[0].parent
    members = [{"expname": path.name, "exptype": "science"} for path in images]
    (folder / "all_asn.json").write_text(
        json.dumps({"products": [{"name": "visit", "members": members}]})
    )
    lines = [
        f"{path.name} {catalog}\n" for path, catalog in zip(images, field.catalogs, strict=True)
    ]
    (folder / "cats.txt").write_text("".join(lines))
    more = ("--catfile", folder / "cats.txt", "--report", "--quiet")
    output = tmp_path / "o"
    assert run(folder / "all_asn.json", *more, "--output-dir", output) == 0
    names = [path.name for path in products(images, output)]
    assert listing(output) == sorted([*names, "visit_report.html"])


def test_dry_run_writes_no_image(images, tmp_path, capsys):
    before = {path: path.read_bytes() for path in images}
    more = ("--dry-run", "--report", "--save-fit-table", "--use-custom-catalogs")
    assert run(*images, *more, "--output-dir", tmp_path / "o") == 0
    assert listing(tmp_path / "o") == ["tweakreg_fit.ecsv", "tweakreg_report.html"]
    printed = capsys.readouterr().out
    assert "no image is written" in printed
    assert printed.count("COMPLETE: moved") == 2
    assert {path: path.read_bytes() for path in images} == before


def test_a_failed_image_is_told_and_the_others_are_written(lost, tmp_path, field, capsys):
    output = tmp_path / "o"
    assert run(*lost, "--use-custom-catalogs", "--report", "--output-dir", output) == 1
    printed = capsys.readouterr().out
    assert re.search(rf"{lost[1].name}  FAILED: no significant peak", printed)
    paths = products(lost, output)
    assert listing(output) == sorted([*(path.name for path in paths), "tweakreg_report.html"])
    with datamodels.open(paths[1]) as model:
        assert model.meta.cal_step.tweakreg == "FAILED"
        corner = model.meta.wcs(3.0, 900.0)
        assert np.array_equal(corner, field.models[1].meta.wcs(3.0, 900.0))
    assert "no significant peak" in (output / "tweakreg_report.html").read_text()


def test_one_exposure_is_nothing_to_do(images, tmp_path, capsys):
    assert run(images[0], "--report", "--output-dir", tmp_path / "o") == 0
    assert "SKIPPED: at least two exposures are required" in capsys.readouterr().out


def test_beside_the_input_unless_told(images, tmp_path, monkeypatch, capfd):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert run(*images, "--use_custom_catalogs", "--quiet") == 0
    assert listing(elsewhere) == []
    assert all(path.exists() for path in products(images, images[0].parent))
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


def slit(images):
    path = images[0].with_name("slit_cal.fits")
    SlitModel((4, 5)).save(path)
    return path


def cut(images):
    path = images[0].with_name("cut_cal.fits")
    path.write_bytes(images[0].read_bytes()[:9_000])
    return path


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        (lambda i: i[0].with_name("missing_cal.fits"), (), "no such file"),
        (slit, (), "expected an ImageModel, found SlitModel"),
        (cut, (), "truncated|cannot be read"),
        (None, ("--abs-refcat", "GAIADR9"), "GAIADR9"),
        (None, ("--catfile", "nowhere.txt"), "nowhere.txt"),
        (None, ("--apply-solution", "nowhere.ecsv"), "nowhere.ecsv"),
        (None, ("--catalog-format", "votable"), "votable"),
        (None, ("--snr-threshold", "high"), "snr.threshold"),
        (None, ("--starfinder", "sextractor"), "'dao', 'iraf', 'segmentation'"),
        (None, ("--minobj", "2.5"), "minobj"),
        (None, ("--nclip", "-1"), "nclip"),
        (None, ("--kron-params", "1"), "kron_params"),
        (None, ("--searchradius", "1"), "--searchradius"),
    ],
)
def test_bad_input(make, arguments, message, images, tmp_path, capsys):
    files = images if make is None else [images[0], make(images)]
    before = listing(tmp_path)
    try:
        status = run(*files, *arguments, "--output-dir", tmp_path / "o")
    except SystemExit as stop:
        status = stop.code
    captured = capsys.readouterr()
    assert status == 2
    assert captured.out == ""
    assert re.search(message, captured.err)
    assert "Traceback" not in captured.err
    assert listing(tmp_path) == before


def test_help_names_every_parameter(capsys):
    with pytest.raises(SystemExit) as stop:
        run("--help")
    assert stop.value.code == 0
    printed = capsys.readouterr().out
    from webbweave.stpipe import HOUSEKEEPING

    for name in set(TweakRegStep.load_spec_file()) - HOUSEKEEPING - {"output_use_model", "suffix"}:
        assert f"--{name}" in printed


def test_lists_of_numbers_reach_the_step(images, tmp_path, monkeypatch):
    seen = {}

    class Probe(TweakRegStep):
        def process(self, input):  # noqa: A002
            seen.update(kron=self.kron_params, npixels=self.npixels, skip=self.peakmax)
            return super().process(input)

    monkeypatch.setattr("webbweave.tweakreg.TweakRegStep", Probe)
    more = ("--kron-params", "2.5,1.4", "--npixels", 7, "--use-custom-catalogs", "--peakmax", 9)
    assert run(*images, *more, "--output-dir", tmp_path / "o", "-q") == 0
    assert seen == {"kron": [2.5, 1.4], "npixels": 7, "skip": 9.0}


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_interrupt(tmp_path):
    image = ImageModel((800, 800))
    image.data = np.random.default_rng(1).normal(size=image.data.shape).astype(np.float32)
    image.meta.filename = "noise_cal.fits"
    path = tmp_path / image.meta.filename
    image.save(path)
    output = tmp_path / "o"
    command = [sys.executable, "-m", "webbweave", "align", *[str(path)] * 100, "--verbose"]
    process = subprocess.Popen(
        [*command, "--output-dir", str(output)], stderr=subprocess.PIPE, text=True
    )
    while "No sources found in noise_cal" not in (line := process.stderr.readline()):
        assert line
    os.kill(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "interrupted" in error
    assert not output.exists() or listing(output) == []


def values(**changes):
    plain = {
        "status": "COMPLETE",
        "reason": "",
        "relative_status": "SUCCESS",
        "absolute_status": "",
        "relative_n_used": 20,
        "relative_n_matched": 22,
        "relative_rms": 0.0021,
        "east": 0.1,
        "north": -2.5,
        "rotation": 0.01,
        "scale": 1.0,
    }
    return plain | changes


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {},
            "moved +100.0 mas east, -2.500 arcsec north, turned +36.0 arcsec; 20 of 22 stars, rms",
        ),
        ({"scale": 1.0 + 4e-6}, "scaled +4.0 ppm"),
        ({"reason": "no catalog"}, "rms 2.10 mas (no catalog)"),
        ({"status": "FAILED", "reason": "no sources"}, "FAILED: no sources"),
        ({"relative_status": "REFERENCE"}, "not moved, the others are aligned to it"),
        ({"relative_status": "APPLIED"}, "turned +36.0 arcsec"),
        ({"relative_status": "FAILED: why"}, "COMPLETE: not moved (FAILED: why)"),
        ({"relative_status": ""}, "COMPLETE: not moved (nothing was fitted)"),
    ],
)
def test_verdict(changes, text):
    assert text in verdict(values(**changes))
