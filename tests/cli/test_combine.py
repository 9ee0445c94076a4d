"""``webbweave combine``: what it writes, prints and returns."""

from __future__ import annotations

import inspect
import re
import shutil

import numpy as np
import pytest
import synthetic
from astropy.io import fits
from astropy.table import Table

from webbweave import cli, slit_combine
from webbweave.cli.combine_options import arguments_of, combine_parameters
from webbweave.data import example_exposures
from webbweave.datamodels import read_table
from webbweave.report import combine_page
from webbweave.slit_combine import SlitGroup, extract_spectra, split_sources

PRODUCT, SUMMARY = "nirspec_prism-clear_1345_933.spec.fits", "nirspec_1345_933.extract.ecsv"


def run(*arguments):
    return cli.main(["combine", *(str(argument) for argument in arguments)])


def listing(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The three exposures, and the same of a second source under another name."""
    made = tmp_path_factory.mktemp("data")
    for path in example_exposures():
        shutil.copy(path, made / path.name)
        other = made / path.name.replace("1345_933", "1345_7")
        shutil.copy(path, other)
        fits.setval(other, "SRCNAME", value="twin of/7", extname="SCI")
        # Read by their headers, these files lack what had no keyword when they were written.
        fits.setval(other, "MSAQUAD", value=2, extname="SCI")
    return made


@pytest.fixture
def files(folder):
    return sorted(folder.glob("*1345_933.fits"))


@pytest.fixture
def twins(folder):
    return sorted(folder.glob("*1345_7.fits"))


def test_product_is_a_spectrum_of_the_lines(files, tmp_path, capsys):
    before = {path: path.read_bytes() for path in files}
    assert run(*files, "--output-dir", tmp_path) == 0
    assert listing(tmp_path) == sorted([SUMMARY, PRODUCT])
    assert before == {path: path.read_bytes() for path in files}
    spectrum = fits.getdata(tmp_path / PRODUCT, "SPEC1D")
    for line in (0.5008 * 5.23, 0.6565 * 5.23):  # [O III] and H-alpha at redshift 4.23
        there = abs(spectrum["wave"] - line) < 0.02
        beside = (abs(spectrum["wave"] - line) < 0.15) & (abs(spectrum["wave"] - line) > 0.08)
        assert spectrum["flux"][there].max() > 10 * np.median(spectrum["flux"][beside])
    printed = capsys.readouterr().out
    assert re.search(r"^inputs +3 exposures of 1 source, 1 group$", printed, re.MULTILINE)
    assert re.search(
        r"^1345_933 +prism-clear, 3 exposures, 3063\.7 s; peak S/N \d+\.\d at (2\.6|3\.4)\d* "
        r"micron; width 0\.\d\d, offset \+0\.\d\d pixels$",
        printed,
        re.MULTILINE,
    )
    assert str(tmp_path / PRODUCT) in printed
    assert read_table(tmp_path / SUMMARY)["status"].tolist() == ["combined"]


def test_sources_are_told_apart_and_cores_give_the_same(files, twins, tmp_path, capsys):
    assert run(*files, *twins, "--output-dir", tmp_path / "a") == 0
    printed = capsys.readouterr().out
    assert "6 exposures of 2 sources, 2 groups" in printed
    assert re.search(r"^twin_of_7 +prism-clear, 3 exposures", printed, re.MULTILINE)
    names = [PRODUCT, PRODUCT.replace("1345_933", "twin_of_7")]
    tables = [SUMMARY, SUMMARY.replace("1345_933", "twin_of_7")]
    assert listing(tmp_path / "a") == sorted([*names, *tables])
    assert run(*files, *twins, "--output-dir", tmp_path / "b", "--cores", "2", "-q") == 0
    for name in names:
        one, two = (Table.read(tmp_path / k / name, hdu="SPEC1D") for k in "ab")
        assert len(one) > 400
        for column in one.colnames:
            np.testing.assert_array_equal(one[column], two[column])
    # The header of the twin was edited, and nothing else.
    flux = [fits.getdata(tmp_path / "a" / name, "SPEC1D")["flux"] for name in names]
    np.testing.assert_allclose(*flux, rtol=1e-9, atol=1e-9)


def test_options_arrive(files, tmp_path):
    more = ("--weight-type", "poisson", "--no-diffs", "--wave-sample", 0.5, "--ny", 9)
    assert run(*files, *more, "--root", "mine", "--output-dir", tmp_path, "-q") == 0
    with fits.open(tmp_path / PRODUCT.replace("nirspec", "mine")) as hdus:
        assert hdus["SPEC1D"].header["WEIGHT_TYPE"] == "poisson"
        assert hdus["SPEC1D"].header["DIFFS"] is False
        assert hdus["SCI"].data.shape[0] == 2 * 9 + 1
        assert hdus["SCI"].data.shape[1] == pytest.approx(501 * 0.5 / 1.05, rel=0.02)


def test_defaults_are_those_of_the_functions():
    known = {
        name: parameter.default
        for function in (SlitGroup, extract_spectra)
        for name, parameter in inspect.signature(function).parameters.items()
    }
    parameters = combine_parameters()
    for name in ("pad_border", "initial_sigma", "stuck_threshold", "trace_niter", "position_key"):
        declared = parameters[name][0].rpartition("default=")[2].rstrip(")")
        assert declared == str(known[name])
    assert "default=0,3,5" in parameters["join"][0]
    assert "default=0)" in parameters["undo_barshadow"][0]  # extract_spectra has False


def test_arguments_of_options():
    found = arguments_of(
        {
            "undo_barshadow": "2",
            "trace_with_ypos": "false",
            "reference_exposure": "2",
            "min_bar": 0.3,
            "estimate_sky": True,
            "flag_hot_cold": False,
            "flag_2d": True,
            "step": 0.5,
        }
    )
    assert found.pop("drizzle_kws") == {**slit_combine.DRIZZLE_KWS, "step": 0.5}
    assert found.pop("group_kws") == {"min_bar": 0.3, "estimate_sky_kwargs": {}}
    assert found == {
        "undo_barshadow": 2,
        "trace_with_ypos": False,
        "reference_exposure": 2,
        "flag_2d_kwargs": {},
    }


def test_a_group_that_cannot_be_combined_is_listed(files, twins, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(combine_page, "figure_uri", lambda _: "")  # that takes longest
    assert run(files[0], *twins, "--output-dir", tmp_path, "--report") == 1
    printed = capsys.readouterr().out
    assert re.search(r"^rejected +1345_933 jw01345062001.*: one exposure, ", printed, re.MULTILINE)
    assert listing(tmp_path) == sorted(
        [
            SUMMARY,
            SUMMARY.replace("1345_933", "twin_of_7"),
            PRODUCT.replace("1345_933", "twin_of_7"),
            "nirspec_report.html",
        ]
    )
    page = (tmp_path / "nirspec_report.html").read_text(encoding="utf-8")
    assert "one exposure, nothing to subtract" in page
    assert read_table(tmp_path / SUMMARY)["reason"][0].startswith("one exposure")


def test_quiet_tells_what_failed(files, tmp_path, capsys):
    assert run(*files, "--reference-exposure", 17, "--output-dir", tmp_path, "-q") == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "failed: 1345_933" in said.err
    assert "expected 'auto' or one of [1, 2, 3], found 17" in said.err
    assert listing(tmp_path) == [SUMMARY]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda files, _: [*files, files[0]], "is given twice"),
        (lambda files, tmp: [*files, tmp / "none.fits"], "none.fits: no such file"),
        (lambda files, _: [*files, "--do-gratings", "G140M"], "none of 3 exposures is of G140M"),
        (lambda files, _: [*files, "--join", "0,99"], "asks for more pieces"),
        (lambda files, _: [*files, "--cores", "many"], "maximum_cores: expected"),
    ],
)
def test_bad_input(make, said, files, tmp_path, capsys):
    assert run(*make(files, tmp_path), "--output-dir", tmp_path / "o") == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_a_file_of_many_slits_is_refused(files, tmp_path, capsys):
    path = tmp_path / "many.fits"
    shutil.copy(files[0], path)
    fits.setval(path, "DATAMODL", value="MultiSlitModel")
    assert run(*files, path, "--output-dir", tmp_path / "o") == 2
    said = capsys.readouterr().err
    assert "many.fits: DATAMODL: expected SlitModel" in said
    assert "MultiSlitModel" in said
    assert not (tmp_path / "o").exists()


def test_an_option_that_is_none_of_its_choices(files, tmp_path):
    with pytest.raises(SystemExit) as exit_:
        run(*files, "--weight-type", "best", "--output-dir", tmp_path / "o")
    assert exit_.value.code == 2


def test_files_of_other_gratings_are_named(files, twins, tmp_path, capsys):
    changed = tmp_path / twins[0].name
    shutil.copy(twins[0], changed)
    fits.setval(changed, "GRATING", value="MIRROR")
    assert run(*files, changed, "--output-dir", tmp_path / "o") == 0
    assert re.search(rf"^left out +{changed.name}", capsys.readouterr().out, re.MULTILINE)


def test_interrupts_leave_whole_products(files, twins, tmp_path, capsys, monkeypatch):
    once = slit_combine.summarise_source

    def interrupted(result, **options):
        if result.target == "twin_of_7":
            raise KeyboardInterrupt
        return once(result, **options)

    monkeypatch.setattr(slit_combine, "summarise_source", interrupted)
    assert run(*files, *twins, "--output-dir", tmp_path, "--report") == 2
    assert "interrupted" in capsys.readouterr().err
    names = [SUMMARY, PRODUCT]
    both = [*names, *(name.replace("1345_933", "twin_of_7") for name in names)]
    assert listing(tmp_path) == sorted(both)  # and no report
    assert len(Table.read(tmp_path / PRODUCT, hdu="SPEC1D")) == 501


def test_pictures_and_report(files, tmp_path):
    assert run(*files, "--output-dir", tmp_path, "--report", "--pictures", "-q") == 0
    page, picture = "nirspec_1345_933_report.html", "nirspec_1345_933.png"
    assert listing(tmp_path) == sorted([SUMMARY, PRODUCT, page, picture])
    text = (tmp_path / page).read_text(encoding="utf-8")
    assert "<code>weight_type</code>" in text
    assert PRODUCT in text


def test_sources_by_name_number_and_file(tmp_path):
    paths = []
    for number, name in enumerate(("named", None, None), start=1):
        model = synthetic.slit_model(0.0, number=number)
        model.source_name = name
        model.source_id = 12 if number == 2 else None
        paths.append(tmp_path / f"jw1_{number}_phot.5.s_{number}.fits")
        model.save(paths[-1])
    assert split_sources(paths) == {
        "named": [str(paths[0])],
        "12": [str(paths[1])],
        "s_3": [str(paths[2])],
    }
