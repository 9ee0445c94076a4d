"""The step: truth of the corrections, status of each image, what is written, what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from astropy import wcs as astropy_wcs
from astropy.io import fits
from astropy.table import Table
from dithered_models import exposures
from stdatamodels.jwst.datamodels import ImageModel, SlitModel
from synthetic_image_wcs import SIZE

import webbweave
from webbweave.datamodels import open_model, read_table, tree_of
from webbweave.errors import InputError, MissingColumnsError
from webbweave.integration import get_steps
from webbweave.tweakreg import TweakRegStep
from webbweave.tweakreg.wcs_correction import read_correction


@pytest.fixture(autouse=True)
def _no_reference_server(monkeypatch):
    monkeypatch.setenv("STPIPE_DISABLE_CRDS_STEPPARS", "true")


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    return exposures(tmp_path_factory.mktemp("three"))


@pytest.fixture(scope="module")
def table_file(three, tmp_path_factory):
    path = tmp_path_factory.mktemp("reference") / "my_stars.ecsv"
    three.reference.write(path)
    return str(path)


def align(field, **parameters):
    step = TweakRegStep(use_custom_catalogs=True, **parameters)
    return step, step.run(field.models)


def statuses(result):
    return [model.meta.cal_step.tweakreg for model in result]


def same_wcs(one, other):
    x, y = np.array([0.0, 500.0, 1000.0]), np.array([3.0, 700.0, 30.0])
    return np.array_equal(one.meta.wcs(x, y), other.meta.wcs(x, y))


@pytest.mark.parametrize("geometry", ["shift", "rshift", "rscale", "general"])
def test_relative_alignment(three, geometry, tmp_path):
    field = three
    if geometry == "shift":
        field = exposures(tmp_path, turn=0.0)
    assert field.rms(field.models).max() > 200
    step, result = align(field, fitgeometry=geometry)
    assert statuses(result) == ["COMPLETE"] * 3
    # 450 stars with 0.05 pixels of 63 mas in each of two images: 0.3 mas at the corners.
    assert field.rms(result).max() < 0.9
    assert same_wcs(result[0], field.models[0])
    assert step.fit_table["relative_status"].tolist() == ["REFERENCE", "SUCCESS", "SUCCESS"]
    assert set(step.fit_table["relative_geometry"]) == {geometry}


@pytest.mark.parametrize("method", ["auto", "joint", "chain"])
def test_absolute_alignment(three, table_file, method):
    step, result = align(three, abs_refcat=table_file, method=method)
    assert statuses(result) == ["COMPLETE"] * 3
    assert three.rms(result).max() < 0.6
    bias = three.errors(result).mean(axis=(0, 2))
    assert np.abs(bias).max() < 0.25
    assert [model.meta.wcs.name for model in result] == ["FIT-LVL3-my_stars"] * 3
    assert (step.fit_table["absolute_status"] == "SUCCESS").all()


def test_the_joint_solution_of_all_is_better_than_a_chain(tmp_path):
    """Where the images overlap in part, all pairs of images tell more than those with one."""
    better = []
    for seed in range(3):
        field = exposures(tmp_path, 4, n_star=150, seed=seed, dither=20.0)
        errors = [
            field.rms(align(field, method=method)[1], relative=True).mean()
            for method in ("joint", "chain")
        ]
        better.append(errors[0] / errors[1])
    assert np.mean(better) < 0.9


def test_one_exposure_and_a_catalog(three, table_file):
    step = TweakRegStep(use_custom_catalogs=True, abs_refcat=table_file)
    result = step.run(three.models[1:2])
    assert statuses(result) == ["COMPLETE"]
    three_of = type(three)(result, three.truth[1:2], three.reference)
    assert three_of.rms(result).max() < 0.8
    assert (step.fit_table["relative_status"] == "").all()


def test_inputs_are_not_changed_and_the_order_is_kept(three, table_file):
    before = [model.copy() for model in three.models]
    _, result = align(three, abs_refcat=table_file)
    for old, new, given in zip(before, result, three.models, strict=True):
        assert same_wcs(old, given)
        assert given.meta.cal_step.tweakreg is None
        assert given.meta.wcs.available_frames == old.meta.wcs.available_frames
        assert tree_of(given)["meta"]["wcsinfo"] == tree_of(old)["meta"]["wcsinfo"]
        assert new is not given
        assert new.meta.filename == given.meta.filename
        assert not np.shares_memory(new.data, given.data)
        assert new.meta.wcs is not given.meta.wcs
        assert "v2v3corr" in new.meta.wcs.available_frames


def test_what_is_written_into_the_models(three, tmp_path):
    step, result = align(three, output_dir=str(tmp_path), save_results=True, save_fit_table=True)
    assert sorted(path.name for path in tmp_path.glob("*.fits")) == [
        f"jw01345001001_02201_{k:05d}_nrcb1_tweakreg.fits" for k in (1, 2, 3)
    ]
    first, second = (open_model(path) for path in sorted(tmp_path.glob("*.fits"))[:2])
    assert (first.meta.wcsinfo.ctype1, second.meta.wcsinfo.ctype1) == (None, "RA---TAN-SIP")
    with fits.open(sorted(tmp_path.glob("*.fits"))[1]) as file:
        assert file[0].header["S_TWKREG"] == "COMPLETE"
        header = file["SCI"].header
        approximation = astropy_wcs.WCS(header)
        corners = np.array(header["S_REGION"].split()[2:], float).reshape(4, 2)
    x, y = np.array([10.0, 500.0, 1000.0]), np.array([30.0, 900.0, 500.0])
    fast = np.array(approximation.all_pix2world(x, y, 0))
    np.testing.assert_allclose(fast, second.meta.wcs(x, y), rtol=0, atol=0.02 * 0.063 / 3600)
    edges = [-0.5, -0.5, SIZE - 0.5, SIZE - 0.5], [-0.5, SIZE - 0.5, SIZE - 0.5, -0.5]
    np.testing.assert_allclose(corners.T, second.meta.wcs(*edges), atol=2e-9)
    assert second.meta.wcsinfo.ra_ref == 1.0
    values = tree_of(second)["meta"]["tweakreg"]
    assert values["relative_status"] == "SUCCESS"
    assert values["relative_n_used"] > 300
    table = read_table(tmp_path / "tweakreg_fit.ecsv")
    np.testing.assert_array_equal(table["east"], step.fit_table["east"])
    assert table["east"].unit == "arcsec"
    # The WCS is complete in the file.
    there = np.array(second.meta.wcs(x, y))
    np.testing.assert_array_equal(there, result[1].meta.wcs(x, y))


def test_no_approximation_if_not_asked_for(three):
    _, result = align(three, sip_approx=False)
    assert result[1].meta.wcsinfo.ctype1 is None
    _, result = align(three, sip_degree=4, sip_inv_degree=3, sip_npoints=16)
    info = result[1].meta.wcsinfo
    assert (info.a_order, info.b_order, info.ap_order) == (4, 4, 3)


def test_images_of_one_exposure_move_together(tmp_path):
    field = exposures(tmp_path, 3, detectors=2, n_star=300)
    step, result = align(field)
    assert len(step.fit_table) == 3
    assert result.group_names == [f"jw01345001001_02201_{k}" for k in (1, 2, 3)]
    assert [len(group) for group in result.models_grouped] == [2, 2, 2]
    assert field.rms(result).max() < 0.9
    for k in range(3):
        moved = field.errors(result)[2 * k : 2 * k + 2].mean(axis=2)
        # One rigid movement of both: errors at the places of the two differ by the rotation only.
        assert np.abs(moved[0] - moved[1]).max() < 0.9


def test_groups_by_the_user(tmp_path):
    field = exposures(tmp_path, 2, detectors=2, n_star=300)
    for index, model in enumerate(field.models):
        model.meta.group_id = f"own {index}"
    step, _ = align(field)
    assert step.fit_table["group_id"].tolist() == ["own 0", "own 1", "own 2", "own 3"]


def test_a_group_without_solution_does_not_spoil_the_others(tmp_path):
    field = exposures(tmp_path, 4)
    rng = np.random.default_rng(3)
    noise = Table(rng.uniform(0, SIZE, (400, 2)), names=["x", "y"])
    noise.write(field.catalogs[2], overwrite=True)
    Table(names=["x", "y"]).write(field.catalogs[3], overwrite=True)
    step, result = align(field, expand_refcat=True)
    assert statuses(result) == ["COMPLETE", "COMPLETE", "FAILED", "FAILED"]
    assert same_wcs(result[2], field.models[2])
    assert field.rms(result)[1] < 0.9
    reasons = step.fit_table["reason"].tolist()
    assert "no significant peak" in reasons[2]
    assert reasons[3] == "empty source catalog"
    assert tree_of(result[2])["meta"]["tweakreg"]["reason"] == reasons[2]


def test_nothing_could_be_aligned(tmp_path):
    field = exposures(tmp_path, 2)
    Table(np.random.default_rng(3).uniform(0, SIZE, (300, 2)), names=["x", "y"]).write(
        field.catalogs[1], overwrite=True
    )
    step, result = align(field)
    assert statuses(result) == ["FAILED", "FAILED"]
    assert "no other group could be aligned" in step.fit_table["reason"][0]


@pytest.mark.parametrize("seed", range(4))
def test_large_errors_are_solved_or_fail(tmp_path, seed):
    angle = np.random.default_rng(seed).uniform(0, 2 * np.pi)
    far = 3.5 * np.array([np.cos(angle), np.sin(angle)])
    field = exposures(tmp_path, 2, shifts=[(0, 0), far], n_star=150, seed=seed)
    _, result = align(field)
    assert statuses(result) == ["COMPLETE"] * 2  # coarse to fine
    assert field.rms(result).max() < 1.5
    _, result = align(field, max_searchrad=2.0)
    assert statuses(result) == ["FAILED"] * 2
    assert same_wcs(result[1], field.models[1])


@pytest.mark.parametrize("place", [(0.0, 10.0), (120.0, 89.999), (3.0, -89.99)])
def test_anywhere_on_the_sky(tmp_path, place):
    field = exposures(tmp_path, 3, place=place, n_star=300)
    path = tmp_path / "stars.csv"
    field.reference.write(path)
    _, result = align(field, abs_refcat=str(path))
    assert statuses(result) == ["COMPLETE"] * 3
    assert field.rms(result).max() < 0.8


def test_one_group_alone_is_skipped(three, caplog, tmp_path):
    step = TweakRegStep(use_custom_catalogs=True)
    result = step.run(three.models[:1])
    assert statuses(result) == ["SKIPPED"]
    assert "At least two exposures are required" in caplog.text
    assert same_wcs(result[0], three.models[0])
    assert statuses(TweakRegStep(compat=True).run(three.models[:1])) == ["FAILED"]


def test_service_down(three, monkeypatch, tmp_path):
    monkeypatch.setenv("ASTROMETRIC_CATALOG_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("time.sleep", lambda _: None)
    step, result = align(three, abs_refcat="gaiadr3")
    assert statuses(result) == ["COMPLETE"] * 3
    assert three.rms(result).max() < 0.9
    assert all("no reference catalog" in reason for reason in step.fit_table["reason"])
    one = TweakRegStep(use_custom_catalogs=True, abs_refcat="GAIADR3").run(three.models[:1])
    assert statuses(one) == ["FAILED"]


def test_a_catalog_that_is_too_small_or_elsewhere(three, tmp_path):
    path = tmp_path / "few.ecsv"
    three.reference[:10].write(path)
    step, result = align(three, abs_refcat=str(path))
    assert statuses(result) == ["COMPLETE"] * 3
    assert three.rms(result).max() < 0.9
    assert "Not enough sources (10)" in step.fit_table["reason"][0]
    Table({"RA": np.full(50, 30.0), "DEC": np.linspace(-30, -29, 50)}).write(path, overwrite=True)
    step, result = align(three, abs_refcat=str(path))
    assert statuses(result) == ["COMPLETE"] * 3
    assert three.rms(result).max() < 0.9
    assert step.fit_table["absolute_status"][0].startswith("FAILED: no significant peak")


def test_groups_that_are_not_aligned_to_each_other_are_found_in_the_catalog(tmp_path):
    field = exposures(tmp_path, 2)
    path = tmp_path / "stars.ecsv"
    field.reference.write(path)
    step, result = align(field, abs_refcat=str(path), searchrad=0.01, max_searchrad=0.01)
    assert step.fit_table["relative_status"][1].startswith("FAILED")
    assert statuses(result) == ["COMPLETE"] * 2
    assert field.rms(result).max() < 0.9


def test_dry_run(three):
    step, result = align(three, dry_run=True)
    assert statuses(result) == ["SKIPPED"] * 3
    pairs = zip(result, three.models, strict=True)
    assert not any(new.meta.wcs is given.meta.wcs for new, given in pairs)
    assert all(same_wcs(*pair) for pair in zip(result, three.models, strict=True))
    assert step.fit_table["relative_status"].tolist() == ["REFERENCE", "SUCCESS", "SUCCESS"]


def test_a_solution_is_applied_to_other_images_of_the_visit(three, table_file, tmp_path):
    step, aligned = align(three, abs_refcat=table_file)
    path = tmp_path / "fit.ecsv"
    step.fit_table.write(path)
    result = TweakRegStep(apply_solution=str(path)).run(three.models)
    assert statuses(result) == ["COMPLETE"] * 3
    np.testing.assert_allclose(three.errors(result), three.errors(aligned), atol=0.005)
    other = three.models[1].copy()
    other.meta.observation.exposure_number = "7"
    mean = TweakRegStep(apply_solution=str(path)).run([other])[0]
    before, after = (np.array(model.meta.wcs(511.5, 511.5)) for model in (other, mean))
    east = (after - before)[0] * np.cos(np.deg2rad(before[1])) * 3600
    assert east == pytest.approx(np.mean(step.fit_table["east"]), abs=0.02)
    other.meta.observation.visit_number = "002"
    assert statuses(TweakRegStep(apply_solution=str(path)).run([other])) == ["FAILED"]
    three.reference.write(path, overwrite=True)
    with pytest.raises(MissingColumnsError, match="columns of a fit table"):
        TweakRegStep(apply_solution=str(path)).run(three.models)


def test_corrections_add_up(three, table_file):
    """A second run finds what the first has left: nothing."""
    _, first = align(three)
    _, second = align(type(three)(first, three.truth, three.reference), abs_refcat=table_file)
    assert three.rms(second).max() < 0.6
    plane, correction = read_correction(second[1].meta.wcs)
    assert plane.v2_ref == three.models[1].meta.wcsinfo.v2_ref
    assert np.hypot(*correction.shift) < 2.0


def test_images_whose_pointing_cannot_be_corrected(three):
    models = [model.copy() for model in three.models]
    del models[1].meta.wcs
    del tree_of(models[2])["meta"]["wcsinfo"]["v2_ref"]
    result = TweakRegStep(use_custom_catalogs=True).run([*models, three.models[2]])
    assert statuses(result) == ["COMPLETE", "FAILED", "FAILED", "COMPLETE"]
    assert "v2_ref" in tree_of(result[2])["meta"]["tweakreg"]["reason"]


def test_compat_calls_everything_complete(tmp_path):
    field = exposures(tmp_path, 3)
    Table([[1.0], [1.0]], names=["x", "y"]).write(field.catalogs[2], overwrite=True)
    _, result = align(field, compat=True)
    assert statuses(result) == ["COMPLETE"] * 3
    _, result = align(field, compat=True, separation=0.7, tolerance=0.7)
    assert statuses(result) == ["FAILED"] * 3
    assert same_wcs(result[1], field.models[1])


def test_weights_of_the_user_count(tmp_path):
    field = exposures(tmp_path, 2, noise=0.3, weights=True, n_star=300)
    weighted, _ = align(field)
    for path in field.catalogs:
        table = Table.read(path)
        del table["weight"]
        table.write(path, overwrite=True)
    plain, _ = align(field)
    assert weighted.fit_table["relative_n_used"][1] > 150
    # A weighted scatter is that of the better sources.
    assert weighted.fit_table["relative_rms"][1] < 0.97 * plain.fit_table["relative_rms"][1]


def test_refused(three, tmp_path):
    with pytest.raises(ValueError, match="Input must contain at least one image model"):
        TweakRegStep().run([])
    with pytest.raises(TypeError, match="expected an ImageModel, found SlitModel"):
        TweakRegStep().run([SlitModel()])
    with pytest.raises(ValueError, match="abs_refcat: expected an existing file or one of"):
        align(three, abs_refcat="nowhere.ecsv")
    with pytest.raises(ValueError, match="catalog_format"):
        align(three, catalog_format="csv")
    with pytest.raises(Exception, match="method"):
        align(three, method="magic")
    with pytest.raises(ValueError, match="searchrad"):
        align(three, searchrad=-1.0)
    path = tmp_path / "no_columns.ecsv"
    Table({"a": [1.0]}).write(path)
    with pytest.raises(MissingColumnsError, match="RA"):
        align(three, abs_refcat=str(path))
    models = [model.copy() for model in three.models]
    models[0].meta.tweakreg_catalog = str(tmp_path / "missing.ecsv")
    with pytest.raises(InputError, match=r"missing\.ecsv: no such file"):
        TweakRegStep(use_custom_catalogs=True).run(models)


def test_an_association(three, tmp_path):
    members = []
    for index, model in enumerate(three.models):
        model.save(tmp_path / model.meta.filename)
        entry = {"expname": model.meta.filename, "exptype": "science"}
        if index == 1:
            entry["group_id"] = "another"
        members.append(entry)
    path = tmp_path / "asn.json"
    path.write_text(json.dumps({"products": [{"name": "field", "members": members}]}))
    step = TweakRegStep(use_custom_catalogs=True, output_dir=str(tmp_path), save_fit_table=True)
    result = step.run(str(path))
    assert statuses(result) == ["COMPLETE"] * 3
    assert three.rms(result).max() < 0.9
    assert result.group_names[1] == "another"
    assert (tmp_path / "field_fit.ecsv").exists()
    again = step.run([str(tmp_path / entry["expname"]) for entry in members])
    np.testing.assert_array_equal(three.errors(again), three.errors(result))


def test_libraries_and_containers(three):
    class Library:
        def __init__(self, models):
            self.models, self.lent, self.asn = models, 0, {}

        def __enter__(self):
            return self

        def __exit__(self, *_):
            assert self.lent == 0

        def __iter__(self):
            for model in self.models:
                self.lent += 1
                yield model

        def __len__(self):
            return len(self.models)

        def shelve(self, model, index=None, modify=True):
            assert not modify
            self.lent -= 1

    step = TweakRegStep(use_custom_catalogs=True)
    result = step.run(Library(three.models))
    assert statuses(result) == ["COMPLETE"] * 3
    with result:
        model = result.borrow(1)
        result.shelve(model, 1)
    assert list(result.map_function(lambda model, index: index)) == [0, 1, 2]
    assert statuses(step.run(result)) == ["COMPLETE"] * 3


def test_threads_do_not_matter(three):
    one, many = (align(three, maximum_cores=cores)[1] for cores in ("none", "2"))
    np.testing.assert_array_equal(three.errors(one), three.errors(many))


def test_results_on_disk(three):
    models = [model.copy() for model in three.models]
    for model in models:
        model.data = np.zeros((64, 64), np.float32)
    in_memory = TweakRegStep(use_custom_catalogs=True).run(models)
    on_disk = TweakRegStep(use_custom_catalogs=True, in_memory=False).run(models)
    kinds = [type(tree_of(result[0])["data"].base) for result in (in_memory, on_disk)]
    assert [issubclass(kind, np.memmap) for kind in kinds] == [False, True]


def test_public_names():
    assert webbweave.TweakRegStep is TweakRegStep
    assert ("webbweave.tweakreg.TweakRegStep", "webbweave.tweakreg", False) in get_steps()
    assert (TweakRegStep.class_alias, TweakRegStep.reference_file_types) == ("tweakreg", [])
    with pytest.raises(TypeError):
        TweakRegStep().run(ImageModel(), 3)
