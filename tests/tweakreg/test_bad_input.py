"""Bad input of the step: a clear message, or a status for the image; nothing else is lost."""

from __future__ import annotations

import dithered_models
import numpy as np
import pytest
from astropy.modeling.models import Identity
from astropy.table import Table
from dithered_models import draw, exposures
from gwcs import WCS
from stpipe.config_parser import ValidationError
from synthetic_image_wcs import SIZE, WCSINFO, image_wcs

from webbweave.datamodels import tree_of
from webbweave.errors import InputError
from webbweave.tweakreg import TweakRegStep
from webbweave.tweakreg.v2v3_plane import V2V3Plane
from webbweave.tweakreg.wcs_correction import apply_correction

X, Y = np.array([0.0, 500.0, 1000.0]), np.array([3.0, 700.0, 30.0])


@pytest.fixture
def four(tmp_path):
    """Exposures 0, 1 and 3 are good; 2 is for the tests."""
    return exposures(tmp_path, 4, n_star=100)


def run(models, **options):
    step = TweakRegStep(use_custom_catalogs=True, sip_approx=False, **options)
    return step, step.run(models)


def assert_only_one_fails(field, reason, **options):
    """The image keeps its WCS as it is, the others are aligned."""
    models = [model.copy() for model in field.models]
    before = [np.array(model.meta.wcs(X, Y)) for model in models]
    frames = [list(model.meta.wcs.available_frames) for model in models]
    step, result = run(models, **options)
    assert [m.meta.cal_step.tweakreg for m in result] == [
        "COMPLETE",
        "COMPLETE",
        "FAILED",
        "COMPLETE",
    ]
    assert reason in tree_of(result[2])["meta"]["tweakreg"]["reason"]
    np.testing.assert_array_equal(np.array(result[2].meta.wcs(X, Y)), before[2])
    assert result[2].meta.wcs.available_frames == frames[2]
    assert field.rms(result)[[0, 1, 3]].max() < 2.0
    for model, place, names in zip(models, before, frames, strict=True):
        np.testing.assert_array_equal(np.array(model.meta.wcs(X, Y)), place)
        assert model.meta.wcs.available_frames == names
    return step


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_few_sources(four, number):
    Table.read(four.catalogs[2])[:number].write(four.catalogs[2], overwrite=True)
    reason = "no significant peak" if number else "empty source catalog"
    assert_only_one_fails(four, reason)


def test_one_source_many_times(four):
    Table({"x": np.full(100, 500.0), "y": np.full(100, 480.0)}).write(
        four.catalogs[2], overwrite=True
    )
    assert_only_one_fails(four, "")


def test_each_source_twice(four):
    """What is listed twice cannot be told apart; it does no harm."""
    table = Table.read(four.catalogs[2])
    Table({name: np.tile(table[name], 2) for name in ("x", "y")}).write(
        four.catalogs[2], overwrite=True
    )
    _, result = run(four.models)
    for k, model in enumerate(result):
        assert model.meta.cal_step.tweakreg == "COMPLETE" or k == 2
        assert model.meta.cal_step.tweakreg == "FAILED" or four.rms(result)[k] < 2.0


@pytest.mark.parametrize(
    ("geometry", "status"), [("shift", "COMPLETE"), ("rshift", "COMPLETE"), ("general", "FAILED")]
)
def test_sources_on_a_line(tmp_path, geometry, status):
    """A shift and a rotation follow from stars along a row, but nothing across it."""
    field = exposures(tmp_path, 2, n_star=3000, turn=0.0)
    first = field.truth[0]
    for path, truth in zip(field.catalogs, field.truth, strict=True):
        table = Table.read(path)
        row = first.invert(*truth(table["x"], table["y"]), with_bounding_box=False)[1]
        table[np.abs(row - 500.0) < 3.0].write(path, overwrite=True)
    step, result = run(field.models, fitgeometry=geometry)
    assert result[1].meta.cal_step.tweakreg == status
    if status == "COMPLETE":
        assert field.rms(result)[1] < 3.0
    else:
        assert "do not determine" in step.fit_table["reason"][1]


@pytest.mark.parametrize("what", ["nan", "flagged", "blank", "half masked"])
def test_images_without_much_in_them(tmp_path, what):
    field = exposures(tmp_path, 3, n_star=150, noise=0.0)
    draw(field, np.random.default_rng(1))
    model = field.models[1]
    if what == "nan":
        model.data[:] = np.nan
    elif what == "flagged":
        model.dq[:] = 1
    elif what == "blank":
        model.data = np.random.default_rng(3).normal(5, 1, (SIZE, SIZE)).astype(np.float32)
    else:
        model.dq[: SIZE // 2] |= 513
        model.data[: SIZE // 2] = 0.0
    result = TweakRegStep(sip_approx=False).run(field.models)
    statuses = [m.meta.cal_step.tweakreg for m in result]
    if what == "half masked":
        assert statuses == ["COMPLETE"] * 3
        assert field.rms(result).max() < 0.5
    else:
        assert statuses == ["COMPLETE", "FAILED", "COMPLETE"]
        assert "empty source catalog" in tree_of(result[1])["meta"]["tweakreg"]["reason"]
        assert field.rms(result)[2] < 0.3


def test_groups_that_do_not_overlap(four):
    """An image of another part of the sky."""
    model = four.models[2]
    tree_of(model)["meta"]["wcs"] = image_wcs(ra=30.0, dec=-60.0)
    assert_only_one_fails(four, "no significant peak", expand_refcat=True)


def test_catalogs_with_gaps(four):
    table = Table.read(four.catalogs[2])
    table["x"][::7] = np.nan
    table.write(four.catalogs[2], overwrite=True)
    step, result = run(four.models)
    assert [m.meta.cal_step.tweakreg for m in result] == ["COMPLETE"] * 4
    assert four.rms(result).max() < 2.0
    assert step.fit_table["n_sources"][2] == len(table) - len(table[::7])


def test_catalogs_without_positions(four):
    Table({"a": [1.0], "flux": [2.0]}).write(four.catalogs[2], overwrite=True)
    with pytest.raises(ValueError, match=r"'tweakreg' source catalogs must contain.*'a', 'flux'"):
        run(four.models)


def test_catalogs_that_are_no_tables(four):
    four.catalogs[2].write_text("# no table\n")
    with pytest.raises(InputError, match=four.catalogs[2].name):
        run(four.models)


def test_lists_of_catalogs(four, tmp_path):
    path = tmp_path / "list.txt"
    with pytest.raises(InputError, match=r"list\.txt"):
        run(four.models, catfile=str(path))
    path.write_text("a.fits b.ecsv c.ecsv\n")
    with pytest.raises(ValueError, match="at most two columns"):
        run(four.models, catfile=str(path))
    # A list of other images: those of the headers count.
    path.write_text(f"other_cal.fits {four.catalogs[0]}\n")
    _, result = run(four.models, catfile=str(path))
    assert [m.meta.cal_step.tweakreg for m in result] == ["COMPLETE"] * 4


def test_images_without_a_frame_for_aberration(tmp_path, monkeypatch):
    """The correction follows v2v3 then."""
    monkeypatch.setattr(
        dithered_models, "image_wcs", lambda **options: image_wcs(aberration=False, **options)
    )
    field = exposures(tmp_path, 2, n_star=100)
    _, result = run(field.models)
    assert result[1].meta.cal_step.tweakreg == "COMPLETE"
    assert field.rms(result)[1] < 2.0
    frames = result[1].meta.wcs.available_frames
    assert frames == ["detector", "v2v3", "v2v3corr", "world"]


def without_v2v3(wcs):
    direct = wcs.get_transform("detector", "world")
    new = WCS([(wcs.input_frame, direct), (wcs.output_frame, None)])
    new.bounding_box = ((-0.5, SIZE - 0.5), (-0.5, SIZE - 0.5))
    return new


def corrected_by_another_tool(wcs):
    steps = []
    for step in wcs.pipeline:
        steps.append((step.frame, step.transform))
        if step.frame.name == "v2v3vacorr":
            steps[-1] = (step.frame, Identity(2))
            frame = type(step.frame)(name="v2v3corr", unit=step.frame.unit, axes_order=(0, 1))
            steps.append((frame, step.transform))
    new = WCS(steps)
    new.bounding_box = ((-0.5, SIZE - 0.5), (-0.5, SIZE - 0.5))
    return new


def corrected_elsewhere(wcs):
    plane = V2V3Plane.of(WCSINFO | {"v2_ref": 0.0})
    return apply_correction(wcs, np.eye(2), (0.01, 0.0), plane)


@pytest.mark.parametrize("changed", [without_v2v3, corrected_by_another_tool, corrected_elsewhere])
def test_pointings_that_cannot_be_corrected(four, changed):
    tree = tree_of(four.models[2])
    tree["meta"]["wcs"] = changed(tree["meta"]["wcs"])
    reason = {"without_v2v3": "v2v3", "corrected_elsewhere": "reference angles"}
    assert_only_one_fails(four, reason.get(changed.__name__, "v2v3corr is called None"))


def test_a_reference_catalog_of_nothing(four, tmp_path):
    path = tmp_path / "empty.ecsv"
    Table({"RA": np.zeros(0), "DEC": np.zeros(0)}).write(path)
    with pytest.raises(InputError, match=r"empty\.ecsv: .*at least 1 row, found 0"):
        run(four.models, abs_refcat=str(path))


@pytest.mark.parametrize(
    "options",
    [
        {"starfinder": "sextractor"},
        {"fitgeometry": "cubic"},
        {"abs_fitgeometry": "cubic"},
        {"multithresh_mode": "logarithmic"},
        {"apermask_method": "guess"},
        {"connectivity": 6},
        {"nclip": -1},
        {"abs_sigma": -1.0},
    ],
)
def test_choices_that_do_not_exist(four, options):
    (name,) = options
    with pytest.raises((ValueError, ValidationError), match=name):
        run(four.models, **options)


def test_parameters_that_do_not_exist():
    with pytest.raises((TypeError, ValueError, ValidationError), match="no_such"):
        TweakRegStep.call([], no_such_parameter=1)
