"""The command line: what it writes, prints and returns."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import synthetic
from astropy.io import fits
from stdatamodels.jwst import datamodels

from webbweave import cli
from webbweave.data import example_exposures
from webbweave.datamodels import tree_of


@pytest.fixture
def exposures(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    paths = []
    for number, nod in enumerate((0.0, 0.3, -0.3), start=1):
        model = synthetic.slit_model(nod, number=number)
        paths.append(folder / model.meta.filename)
        model.save(paths[-1])
    return paths


def run(*arguments):
    return cli.main([str(argument) for argument in arguments])


def listing(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


def test_product_and_report(exposures, tmp_path, capsys):
    output = tmp_path / "products"
    assert run("resample", *exposures, "--output-dir", output, "--report") == 0
    name = "jw01234001001_02101_00001_nrs1_s2d.fits"
    assert listing(output) == [name, "report.html"]
    printed = capsys.readouterr().out
    for word in ("3 exposures", "G235M", "300.0 s", "S/N", "seconds", name):
        assert word in printed
    with datamodels.open(output / name) as product:
        assert product.meta.resample.pointings == 3


def test_beside_the_input_unless_told(exposures, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert run("resample", exposures[0], "--quiet") == 0
    assert listing(elsewhere) == []
    assert exposures[0].with_name("jw01234001001_02101_00001_nrs1_s2d.fits").exists()


def test_parameters_reach_the_step(exposures, tmp_path):
    arguments = ("--pixel-scale-ratio", 2, "--pixfrac", 0.8, "--weight_type", "exptime")
    more = ("--fillval", "-5", "--kernel", "square", "--no-blendheaders", "--maximum-cores", "2")
    more += ("--output-shape", "90,30", "--propagate_dq")
    assert run("resample", *exposures, "--output-dir", tmp_path, *arguments, *more, "-q") == 0
    with datamodels.open(tmp_path / "jw01234001001_02101_00001_nrs1_s2d.fits") as product:
        assert product.meta.resample.pixel_scale_ratio == 2
        assert product.meta.resample.pixfrac == 0.8
        assert product.meta.resample.weight_type == "exptime"
        assert product.data.min() == -5
        assert product.data.shape == product.dq.shape == (30, 90)


def test_association(exposures, tmp_path):
    members = [{"expname": path.name, "exptype": "science"} for path in exposures]
    path = exposures[0].with_name("all_asn.json")
    path.write_text(json.dumps({"products": [{"name": "jw01234_s7", "members": members}]}))
    assert run("resample", path, "--output-dir", tmp_path / "o", "--quiet") == 0
    assert listing(tmp_path / "o") == ["jw01234_s7_s2d.fits"]


def test_quiet_prints_nothing(exposures, tmp_path, capfd):
    assert run("resample", exposures[0], "--output-dir", tmp_path, "--quiet") == 0
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err == ""


def test_no_progress_bar_in_a_pipe(exposures, tmp_path, capfd):
    assert run("resample", *exposures, "--output-dir", tmp_path) == 0
    assert capfd.readouterr().err == ""


def test_demo(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run("demo") == 0
    printed = capsys.readouterr().out
    root = "webbweave-demo/jw01345-o062_s00933_nirspec_clear-prism_s2d"
    assert listing(tmp_path)[1:] == sorted(
        [
            *(f"{root}.fits", f"{root}.png", "webbweave-demo/report.html"),
            "webbweave-demo/nirspec_1345_933.extract.ecsv",
            "webbweave-demo/nirspec_1345_933.png",
            "webbweave-demo/nirspec_prism-clear_1345_933.spec.fits",
        ]
    )
    assert "3 exposures" in printed
    assert "3063.7 s" in printed
    assert "webbweave resample" in printed
    assert "1345_933       prism-clear, 3 exposures, 3063.7 s; peak S/N" in printed
    with datamodels.open(f"{root}.fits") as product:
        data, error = np.asarray(product.data), np.asarray(product.err)
        wavelength = np.asarray(product.wavelength)[0]
        # The source at redshift 4.23: [O III] 5007 and H-alpha, positive, in the same rows.
        rows = {}
        for line in (0.5008 * 5.23, 0.6565 * 5.23):
            column = abs(wavelength - line) < 0.02
            profile = np.nansum(data[:, column], axis=1)
            noise = np.sqrt(np.nansum(error[:, column] ** 2, axis=1))
            rows[line] = int(np.argmax(profile))
            assert profile[rows[line]] > 10 * noise[rows[line]]
        first, second = rows.values()
        assert abs(first - second) <= 1
        assert abs(first - data.shape[0] // 2) <= 2


def broken(exposures, **changes):
    with datamodels.open(exposures[0]) as model:
        for name, value in changes.items():
            if value is None:
                tree_of(model).pop(name)
            else:
                tree_of(model)[name] = value
        path = exposures[0].with_name("broken_cal.fits")
        model.save(path)
    return path


def cut(exposures):
    path = exposures[0].with_name("cut_cal.fits")
    path.write_bytes(exposures[0].read_bytes()[:100_000])
    return path


def text(exposures):
    path = exposures[0].with_name("text_cal.fits")
    path.write_text("not an image")
    return path


def without_wcs(exposures):
    with datamodels.open(exposures[0]) as model:
        del tree_of(model)["meta"]["wcs"]
        path = exposures[0].with_name("nowcs_cal.fits")
        model.save(path)
    return path


def without_extension(exposures, name):
    path = exposures[0].with_name(f"without_{name.lower()}_cal.fits")
    with fits.open(exposures[0]) as hdulist:
        del hdulist[name]
        hdulist.writeto(path)
    return path


def cube(exposures):
    path = exposures[0].with_name("cube_cal.fits")
    datamodels.CubeModel(np.zeros((2, 3, 4), np.float32)).save(path)
    return path


def other_grating(exposures):
    path = exposures[1]
    fits.setval(path, "GRATING", value="G395M")
    return path


def far_away(exposures):
    model = synthetic.slit_model(number=9, wcs=synthetic.slit_wcs(ra=151.0))
    path = exposures[0].with_name("far_cal.fits")
    model.save(path)
    return path


NAN = np.full(synthetic.SHAPE, np.nan, np.float32)
FLAGGED = np.ones(synthetic.SHAPE, np.uint32)

#: What is wrong, how to make it, whether a good exposure goes with it, and what must be said.
BAD_INPUT = {
    "missing": (lambda e: e[0].with_name("missing_cal.fits"), False, "no such file"),
    "directory": (lambda e: e[0].parent, False, "is a directory"),
    "not FITS": (text, False, "expected a FITS file"),
    "truncated": (cut, False, "truncated"),
    "no WCS": (without_wcs, False, "no WCS"),
    "no ASDF": (lambda e: without_extension(e, "ASDF"), False, "no WCS"),
    "no SCI": (lambda e: broken(e, data=None), False, "expected an extension SCI"),
    "lost SCI": (lambda e: without_extension(e, "SCI"), False, "extension is missing.*SCI"),
    "all NaN": (lambda e: broken(e, data=NAN), False, "SCI is NaN in all"),
    "all flagged": (lambda e: broken(e, dq=FLAGGED), False, "flagged DO_NOT_USE"),
    "zero size": (lambda e: broken(e, data=NAN[:0]), False, "SCI is empty|no science array"),
    "cube": (cube, False, "CubeModel"),
    "other grating": (other_grating, True, "G395M"),
    "apart": (far_away, True, "does not overlap"),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input(case, exposures, tmp_path, capsys):
    import re

    make, with_good, message = BAD_INPUT[case]
    path = make(exposures)
    before = listing(tmp_path)
    files = [exposures[0], path] if with_good else [path]
    assert run("resample", *files, "--output-dir", tmp_path / "products") == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    assert captured.err.startswith("webbweave resample: error: ")
    assert re.search(message, captured.err)
    assert path.name in captured.err
    assert listing(tmp_path) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--kernel", "gaussian"], "'square', 'point'"),
        (["--weight_type", "variance"], "'ivm', 'exptime', 'None'"),
        (["--pixelfraction", "1"], "--pixelfraction"),
        (["--pixfrac", "1.5"], "pixfrac"),
        (["--pixel_scale", "-1"], "pixel_scale"),
        (["--maximum_cores", "few"], "maximum_cores"),
        (["--fillval", "none"], "fillval"),
        (["--output_shape", "3"], "output_shape"),
        (["--output_shape", "3,x"], "output_shape"),
    ],
)
def test_bad_parameters(arguments, message, exposures, tmp_path, capsys):
    before = listing(tmp_path)
    try:
        status = run("resample", exposures[0], "--output-dir", tmp_path / "products", *arguments)
    except SystemExit as stop:
        status = stop.code
    captured = capsys.readouterr()
    assert status == 2
    assert message in captured.err
    assert "Traceback" not in captured.err
    assert listing(tmp_path) == before


def test_debug_shows_the_traceback(tmp_path, capfd):
    assert run("resample", tmp_path / "missing.fits", "--debug") == 2
    assert "no such file" in capfd.readouterr().err


def test_unwritable_output_folder(exposures, tmp_path, capsys):
    blocker = tmp_path / "occupied"
    blocker.write_text("")
    before = listing(tmp_path)
    assert run("resample", exposures[0], "--output-dir", blocker / "products") == 2
    error = capsys.readouterr().err
    assert "cannot be written" in error
    assert str(blocker) in error
    assert listing(tmp_path) == before


def program(*arguments, **settings):
    return subprocess.Popen(
        [sys.executable, "-m", "webbweave", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **settings,
    )


posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX limits and signals")


def limit_file_size():
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


@posix
def test_full_disk(exposures, tmp_path):
    # A limit on the size of files fails a write half-way, as a full disk does.
    output = tmp_path / "products"
    process = program("resample", *exposures, "--output-dir", output, preexec_fn=limit_file_size)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "cannot be written" in error
    assert "s2d.fits" in error
    assert "Traceback" not in error
    assert listing(output) == []


@posix
def test_interrupt(exposures, tmp_path):
    output = tmp_path / "products"
    process = program("resample", *exposures * 400, "--output-dir", output, "--verbose")
    assert "1200 exposures" in process.stderr.readline()
    time.sleep(0.5)
    assert process.poll() is None
    os.kill(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "interrupted" in error
    assert "Traceback" not in error
    assert not output.exists() or listing(output) == []


def test_help_names_every_parameter(capsys):
    with pytest.raises(SystemExit) as stop:
        run("resample", "--help")
    assert stop.value.code == 0
    printed = capsys.readouterr().out
    from webbweave import ResampleSpecStep
    from webbweave.stpipe import HOUSEKEEPING

    for name in set(ResampleSpecStep.load_spec_file()) - HOUSEKEEPING:
        assert f"--{name}" in printed


def test_version(capsys):
    with pytest.raises(SystemExit):
        run("--version")
    assert capsys.readouterr().out.startswith("webbweave 0.")


def test_example_exposures_are_bundled():
    assert len(example_exposures()) == 3


def test_many_sources_get_a_line_each(exposures, tmp_path, capsys):
    paths = []
    for number in (1, 2):
        paths.append(tmp_path / f"multi{number}_cal.fits")
        synthetic.multi_slit_model(number).save(paths[-1])
    assert run("resample", *paths, "--output-dir", tmp_path / "products", "--report") == 0
    printed = capsys.readouterr().out
    assert "2 exposures with 4 slits" in printed
    assert [line.split()[0] for line in printed.splitlines()][1:3] == ["A", "B"]


@pytest.fixture
def visit(tmp_path):
    """Two exposures of A, B and C."""
    folder = tmp_path / "visit"
    folder.mkdir()
    paths = []
    for number in (1, 2):
        model = synthetic.multi_slit_model(number, ("A", "B", "C"))
        paths.append(folder / model.meta.filename)
        model.save(paths[-1])
    return paths


def spoil(path, *indices):
    with datamodels.open(path) as model:
        for index in indices:
            tree_of(model)["slits"][index]["dq"] = np.zeros((3, 3), np.uint32)
        model.save(path.with_name("spoiled_cal.fits"))
    path.with_name("spoiled_cal.fits").replace(path)


def test_chosen_sources_in_threads(visit, tmp_path, capsys):
    output = tmp_path / "products"
    assert run("resample", *visit, "--output-dir", output, "--sources", "C,A", "--jobs", 2) == 0
    printed = capsys.readouterr().out
    assert "2 exposures with 4 slits" in printed
    assert [line.split()[0] for line in printed.splitlines()][1:3] == ["A", "C"]
    with datamodels.open(output / "jw01234001001_02101_00001_nrs1_s2d.fits") as product:
        assert [slit.source_name for slit in product.slits] == ["A", "C"]
    assert run("resample", *visit, "--output-dir", output, "--sources", "Z") == 2
    assert "there is no 'Z'; expected some of the 3" in capsys.readouterr().err


def test_some_failed(visit, tmp_path):
    spoil(visit[0], 1)
    output = tmp_path / "products"
    process = program("resample", *visit, "--output-dir", output, "--quiet", "-j", "2")
    printed, error = process.communicate(timeout=60)
    assert process.returncode == 1
    assert printed == ""
    assert "1 of 3 sources failed:\n  B: " in error
    assert "00001_nrs1_cal.fits[2]: DQ has shape (3, 3)" in error
    assert "Traceback" not in error
    with datamodels.open(output / "jw01234001001_02101_00001_nrs1_s2d.fits") as product:
        assert [slit.source_name for slit in product.slits] == ["A", "C"]


def test_all_failed(visit, tmp_path, capsys):
    spoil(visit[0], 0, 1, 2)
    output = tmp_path / "products"
    assert run("resample", *visit, "--output-dir", output) == 2
    error = capsys.readouterr().err
    assert "all 3 sources failed: A: " in error
    assert not output.exists()


def test_very_many_sources_get_totals(visit, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(cli.resample, "_MOST_LINES", 2)
    spoil(visit[1], 2)
    more = ("--no-in_memory", "--single")
    assert run("resample", *visit, "--output-dir", tmp_path / "products", *more) == 1
    printed = capsys.readouterr().out
    assert "4 spectra of 2 sources" in printed
    assert "S/N" not in printed


def test_exposures_one_by_one(exposures, tmp_path, capsys):
    output = tmp_path / "products"
    assert run("resample", *exposures[:2], "--output-dir", output, "--single", "--report") == 0
    names = [f"jw01234001001_02101_0000{n}_nrs1_outlier_s2d" for n in (1, 2)]
    assert listing(output) == sorted(
        [f"{name}.fits" for name in names] + [f"{name}_report.html" for name in names]
    )
    assert capsys.readouterr().out.count("S/N") == 0  # a line each
