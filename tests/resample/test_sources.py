"""Many sources and single exposures: which are done, how, and what becomes of those that fail."""

from __future__ import annotations

import logging
import tempfile
import tracemalloc

import asdf
import numpy as np
import pytest
import synthetic
from astropy.modeling.models import Identity, Shift
from gwcs import WCS
from stdatamodels.jwst import datamodels

from webbweave import ResampleSpecStep
from webbweave.datamodels import get_path, read_model, tree_of
from webbweave.errors import InputError, WeaveError
from webbweave.resample import sources

ARRAYS = ("data", "err", "wht", "con", "wavelength", "var_rnoise", "var_poisson", "var_flat")


def call(data, **parameters):
    return ResampleSpecStep.call(data, configure_log=False, **parameters)


def models():
    return [
        synthetic.slit_model(nod, number=number + 1) for number, nod in enumerate((0.0, 0.3, -0.3))
    ]


def visit(n_exposure=2, sources=("A", "B", "C")):
    """Exposures of several sources with numbers 11, 12, ..."""
    exposures = [synthetic.multi_slit_model(n + 1, sources) for n in range(n_exposure)]
    for model in exposures:
        for index, slit in enumerate(tree_of(model)["slits"]):
            slit["source_id"] = 11 + index
    return exposures


def saved(exposures, folder):
    paths = [folder / model.meta.filename for model in exposures]
    for model, path in zip(exposures, paths, strict=True):
        model.save(path)
    return paths


def names(product):
    return [slit.source_name for slit in product.slits]


def assert_same(slit, other):
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(slit, name), getattr(other, name), err_msg=name)


@pytest.fixture(scope="module")
def whole():
    """The product of two exposures of A, B and C with nothing wrong."""
    return call(visit(2))


# --- exposures one by one ---


def test_single_exposures_add_up_to_the_combination():
    combined, singles = call(models()), call(models(), single=True)
    assert len(singles) == 3
    total = sum(np.nan_to_num(single.data) * single.wht.astype(float) for single in singles)
    weight = sum(single.wht.astype(float) for single in singles)
    np.testing.assert_allclose(weight, combined.wht, rtol=1e-6)
    used = weight > 0
    np.testing.assert_allclose(
        (total / np.where(used, weight, 1))[used], combined.data[used], rtol=1e-5, atol=1e-16
    )
    position = np.array([10.0, 100.0]), np.array([5.0, 15.0])
    for number, single in enumerate(singles, start=1):
        np.testing.assert_array_equal(single.wavelength, combined.wavelength)
        np.testing.assert_array_equal(single.meta.wcs(*position), combined.meta.wcs(*position))
        assert single.con.max() == 1
        assert single.meta.resample.pointings == 1
        assert single.meta.exposure.exposure_time == 100.0
        assert single.meta.exposure.start_time == 60000.0 + number
        assert single.meta.cal_step.resample == "COMPLETE"
        used = single.wht > 0
        assert np.isfinite(single.err[used]).all()
        assert np.isfinite(single.var_rnoise[used]).all()


def test_single_exposures_have_the_source_in_the_same_place():
    pedestal = models()
    rows = []
    for single in call(pedestal, single=True):
        profile = np.nansum(single.data, axis=1)
        rows.append(np.sum(profile * np.arange(profile.size)) / profile.sum())
    assert np.ptp(rows) < 0.05  # the nods are three pixels


def test_single_exposure_errors_of_jwst(real_exposures, example_files):
    # Sums of the product of jwst 3.0.0 for the first exposure, of three on a common grid.
    for parameters, shape, science, error in (
        ({}, (31, 341), 944.744653, 174.650455),
        ({"pixel_scale_ratio": 2.0}, (60, 341), 1864.300062, 486.673290),
    ):
        product = call(example_files, single=True, compat=True, **parameters)
        assert product.data.shape == shape
        assert np.nansum(product.data, dtype=float) == pytest.approx(science, rel=1e-6)
        assert np.nansum(product.err, dtype=float) == pytest.approx(error, rel=1e-6)
        assert not [name for name in tree_of(product) if name.startswith("var_")]
        assert product.meta.bunit_err == "MJy/sr"
        assert product.meta.filename.endswith("_00001_nrs2_phot.138.1345_outlier_s2d.fits")


def test_single_without_errors_in_the_input(caplog):
    lacking = models()
    del tree_of(lacking[0])["err"]
    product = call(lacking, single=True, compat=True)
    assert "no usable ERR" in caplog.text
    assert np.isnan(product.err).all()
    assert np.isfinite(product.data).any()


def test_single_spectra_of_many_slits():
    product = call(visit(), single=True)
    assert names(product) == ["A", "A", "B", "B", "C", "C"]
    files = [slit.meta.filename for slit in product.slits]
    assert files[:2] == files[2:4]
    assert files[0] == "jw01234001001_02101_00001_nrs1_outlier_s2d.fits"
    assert files[1] == "jw01234001001_02101_00002_nrs1_outlier_s2d.fits"
    alone = call([synthetic.slit_model(0.3 * n, number=n + 1) for n in range(2)], single=True)
    for slit, other in zip(product.slits[2:4], alone, strict=True):
        assert_same(slit, other)
    assert names(call(visit(), single=True, compat=True)) == names(product)


def test_the_two_detectors_are_one_exposure():
    pair = [synthetic.slit_model(number=1), synthetic.slit_model(number=1)]
    tree_of(pair[1])["meta"]["instrument"]["detector"] = "NRS2"
    first, second = call([*pair, synthetic.slit_model(0.3, number=2)], single=True)
    assert first.con.max() == 0b11
    assert second.con.max() == 0b1
    assert first.meta.instrument.detector == "MULTIPLE"


def test_single_exposures_without_data_are_left_out(caplog):
    inputs = models()
    tree_of(inputs[1])["data"] = np.full(synthetic.SHAPE, np.nan, dtype=np.float32)
    products = call(inputs, single=True)
    assert [p.meta.observation.exposure_number for p in products] == ["1", "3"]
    assert caplog.text.count("left out") == 1


def test_single_products_are_saved_under_their_own_names(tmp_path):
    inputs = models()
    tree_of(inputs[2])["meta"]["filename"] = inputs[1].meta.filename
    call(inputs, single=True, save_results=True, output_dir=str(tmp_path))
    root = "jw01234001001_02101_0000"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"{root}1_nrs1_outlier_s2d.fits",
        f"{root}2_nrs1-2_outlier_s2d.fits",
        f"{root}2_nrs1_outlier_s2d.fits",
    ]
    with datamodels.open(tmp_path / f"{root}1_nrs1_outlier_s2d.fits") as again:
        assert again.meta.resample.pointings == 1
    one = call(synthetic.slit_model(), single=True)
    assert isinstance(one, datamodels.SlitModel)


# --- which sources ---


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("B", ["B"]),
        ("C, A", ["A", "C"]),
        ("12", ["B"]),
        (["A", 13], ["A", "C"]),
        (12, ["B"]),
        (("B", "12"), ["B"]),
    ],
)
def test_some_sources(wanted, expected):
    assert names(call(visit(1), sources=wanted)) == expected


def test_unknown_sources_are_refused_with_what_there_is():
    with pytest.raises(InputError, match=r"no 'Z'.*the 3 in the exposures: A, B, C$"):
        call(visit(1), sources="A,Z")
    many = visit(1, sources=[f"S{n}" for n in range(12)])
    with pytest.raises(InputError, match=r"S0, S1, .*S9, and 2 more$"):
        call(many, sources=[99])
    for nothing in ([], " , "):
        with pytest.raises(ValueError, match="sources"):
            call(visit(1), sources=nothing)


def test_sources_among_files_of_one_slit():
    inputs = [*models()[:2], synthetic.slit_model(number=3, source="S2")]
    assert call(inputs, sources="S1").meta.resample.pointings == 2
    assert call(inputs, sources=["S2"]).meta.resample.pointings == 1


def test_a_source_in_one_exposure_only():
    inputs = visit(2)
    del tree_of(inputs[0])["slits"][1]
    product = call(inputs)
    assert names(product) == ["A", "C", "B"]
    assert [slit.meta.resample.pointings for slit in product.slits] == [2, 2, 1]
    alone = call(synthetic.slit_model(0.3, number=2))
    assert_same(product.slits[2], alone)


def test_slits_with_missing_names():
    inputs = visit(2)
    for model in inputs:
        for slit in tree_of(model)["slits"]:
            slit["source_name"] = " "
    assert [slit.source_id for slit in call(inputs).slits] == [11, 12, 13]
    for model in inputs:
        for slit in tree_of(model)["slits"]:
            del slit["source_id"], slit["source_name"], slit["name"]
    product = call(inputs)
    assert len(product.slits) == 3
    assert [slit.meta.resample.pointings for slit in product.slits] == [2, 2, 2]
    assert len(call(inputs, sources="unnamed 2").slits) == 1


# --- failures ---


def spoil_wcs(slit):
    del slit["meta"]["wcs"]


def spoil_data(slit):
    slit["data"] = np.full(synthetic.SHAPE, np.nan, np.float32)


def spoil_dq(slit):
    slit["dq"] = np.zeros((3, 3), np.uint32)


def spoil_unit(slit):
    slit["meta"]["bunit_data"] = "MJy/sr"


def spoil_type(slit):
    slit["data"] = "no array"


FAILURES = {
    "no WCS": (spoil_wcs, (0,), "no WCS"),
    "all NaN": (spoil_data, (0, 1), "no exposure has a pixel to use"),
    "DQ": (spoil_dq, (1,), r"DQ has shape \(3, 3\)"),
    "units mixed": (spoil_unit, (1,), "BUNIT is 'MJy/sr'"),
    "what nobody thought of": (spoil_type, (0,), "AttributeError"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_one_failed_source_does_not_stop_the_rest(case, whole, caplog):
    spoil, exposures, reason = FAILURES[case]
    inputs = visit(2)
    for index in exposures:
        spoil(tree_of(inputs[index])["slits"][1])
    step = ResampleSpecStep()
    with caplog.at_level(logging.WARNING):
        product = step.run(inputs)
    assert names(product) == ["A", "C"]
    assert_same(product.slits[0], whole.slits[0])
    assert_same(product.slits[1], whole.slits[2])
    ((source, why),) = step.failures
    assert source == "B"
    import re

    assert re.search(reason, why)
    assert "1 of 3 sources failed:\n  B: " in caplog.text
    assert product.meta.cal_step.resample == "COMPLETE"
    history = [entry["description"] for entry in tree_of(product)["history"]["entries"]]
    assert any(entry.startswith("source B failed: ") for entry in history)


SPOILERS = (spoil_wcs, spoil_data, spoil_dq)


def test_failures_are_those_of_the_last_run():
    inputs = visit(1)
    spoil_dq(tree_of(inputs[0])["slits"][1])
    step = ResampleSpecStep()
    step.run(inputs)
    assert [failure.source for failure in step.failures] == ["B"]
    step.run(synthetic.slit_model())
    assert step.failures == []


def test_all_failed():
    inputs = visit(1)
    for slit, spoil in zip(tree_of(inputs[0])["slits"], SPOILERS, strict=True):
        spoil(slit)
    with pytest.raises(WeaveError, match=r"all 3 sources failed: A: .*no WCS.*; B: .*; C: .*DQ"):
        call(inputs)
    with pytest.raises(InputError, match="no WCS"):
        call(inputs, sources="A")


def test_an_empty_slit_among_good_ones(caplog):
    inputs = visit(3)
    spoil_data(tree_of(inputs[0])["slits"][1])
    product = call(inputs)
    assert [slit.meta.resample.pointings for slit in product.slits] == [3, 2, 3]
    assert "left out" in caplog.text


def test_a_read_noise_variance_of_the_wrong_shape(whole, caplog):
    inputs = visit(2)
    tree_of(inputs[0])["slits"][1]["var_rnoise"] = np.ones((3, 3), np.float32)
    product = call(inputs)
    assert "VAR_RNOISE has shape (3, 3)" in caplog.text
    assert_same(product.slits[0], whole.slits[0])
    np.testing.assert_allclose(product.slits[1].wht, whole.slits[1].wht, rtol=1e-5)
    used = product.slits[1].wht > 0
    assert np.isfinite(product.slits[1].err[used]).all()


# --- in threads, and on disk ---


@pytest.mark.parametrize("parameters", [{}, {"single": True}, {"compat": True}])
def test_threads_change_nothing(parameters):
    inputs = visit(2, sources=("A", "B", "C", "D"))
    spoil_dq(tree_of(inputs[0])["slits"][2])
    one, two = ResampleSpecStep(**parameters), ResampleSpecStep(**parameters, maximum_cores="2")
    first, second = one.run(inputs), two.run(inputs)
    assert names(first) == names(second)
    assert one.failures == two.failures
    assert one.summaries == two.summaries
    assert set(one.progress.seconds) == set(two.progress.seconds)
    for slit, other in zip(first.slits, second.slits, strict=True):
        for name in ("data", "err", "wht", "con"):
            np.testing.assert_array_equal(getattr(slit, name), getattr(other, name))


def test_on_disk_is_the_same(whole, tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    paths = saved(visit(2), tmp_path)
    outside = call(
        paths, in_memory=False, output_file="all.fits", output_dir=str(tmp_path), maximum_cores=2
    )
    for slit, other in zip(whole.slits, outside.slits, strict=True):
        assert_same(slit, other)
        assert isinstance(other.data.base, np.memmap)
    with datamodels.open(tmp_path / "all_s2d.fits") as again:
        assert_same(again.slits[1], whole.slits[1])
    assert list(scratch.iterdir()) == []
    one = call(models(), in_memory=False)
    assert_same(one, call(models()))


@pytest.mark.parametrize("in_memory", [True, False])
def test_memory_does_not_grow_with_the_sources(in_memory, tmp_path, monkeypatch):
    paths = saved(visit(2, sources=[f"S{n}" for n in range(6)]), tmp_path)
    held = []
    resample_slit = sources.resample_slit

    def measured(*arguments, **settings):
        resampled = resample_slit(*arguments, **settings)
        if not held:
            tracemalloc.start()
        of_numpy = tracemalloc.DomainFilter(True, np.lib.tracemalloc_domain)
        snapshot = tracemalloc.take_snapshot().filter_traces([of_numpy])
        held.append(sum(trace.size for trace in snapshot.traces))
        return resampled

    monkeypatch.setattr(sources, "resample_slit", measured)
    try:
        product = call(paths, in_memory=in_memory)
    finally:
        tracemalloc.stop()
    assert len(held) == 6
    growth = (held[5] - held[1]) / 4
    of_a_product = sum(
        value.nbytes
        for value in tree_of(product)["slits"][0].values()
        if isinstance(value, np.ndarray)
    )
    assert held[1] > of_a_product
    if in_memory:  # the product stays, and what was made of the inputs goes
        assert 0.9 < growth / of_a_product < 1.1
    else:
        assert growth < 0.05 * of_a_product


def test_models_of_the_caller_are_not_emptied(tmp_path):
    (path,) = saved(visit(1), tmp_path)
    model = read_model(path)
    product = call([model], in_memory=False)
    assert len(model.slits) == 3
    assert model.slits[0].data.shape == synthetic.SHAPE
    assert get_path(tree_of(model)["slits"][2], "meta.wcs") is not None
    assert_same(call([model]).slits[2], product.slits[2])


# --- parameters ---


def test_every_argument_of_the_documentation_of_jwst_is_there():
    spec = set(ResampleSpecStep.load_spec_file())
    assert {
        "pixfrac",
        "kernel",
        "pixel_scale_ratio",
        "pixel_scale",
        "output_shape",
        "output_wcs",
        "fillval",
        "weight_type",
        "single",
        "blendheaders",
        "in_memory",
        "propagate_dq",
    } <= spec


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("native", "native"),
        ("2", 2.0),
        (1.5, 1.5),
        ("1.0,1.5", [1.0, 1.5]),
        (np.array([1.0, 1.0 + 1e-16 + 1e-15, 2.0]), [1.0, 1.0 + 1e-16 + 1e-15, 2.0]),
        ([1, 2, 3], [1, 2, 3]),
    ],
)
def test_wavelength_grid_reaches_the_options(given, expected):
    value = ResampleSpecStep(wavelength_grid=given).recipe().options.wavelength_grid
    if isinstance(expected, list):
        np.testing.assert_array_equal(value, expected)
    else:
        assert value == expected
        assert type(value) is type(expected)


def test_lists_on_the_command_line_of_stpipe(tmp_path):
    (path,) = saved(visit(1), tmp_path)
    arguments = ["webbweave.resample.ResampleSpecStep", str(path), f"--output_dir={tmp_path}"]
    step = ResampleSpecStep.from_cmdline(
        [*arguments, "--sources=C,11", "--output_shape=100,20", "--single=true"]
    )
    assert step.n_done == 2
    with datamodels.open(tmp_path / "jw01234001001_02101_00001_nrs1_s2d.fits") as product:
        assert names(product) == ["A", "C"]
        assert product.slits[0].data.shape == (20, 100)


def test_files_of_grids_are_read(tmp_path):
    (tmp_path / "grid.csv").write_text("wavelength\n1.5\n1.75\n2.5\n")
    step = ResampleSpecStep(wavelength_grid=tmp_path / "grid.csv")
    np.testing.assert_array_equal(step.recipe().options.wavelength_grid, [1.5, 1.75, 2.5])
    with pytest.raises(InputError, match=r"none\.csv: no such file"):
        ResampleSpecStep(wavelength_grid=tmp_path / "none.csv").recipe()
    path = tmp_path / "wcs.asdf"
    wcs = synthetic.slit_wcs()
    asdf.AsdfFile({"wcs": wcs, "pixel_scale": 0.1}).write_to(path)
    recipe = ResampleSpecStep(output_wcs=path).recipe()
    assert recipe.given_wcs.name == str(path)
    assert recipe.given_wcs.pixel_scale == 0.1
    with pytest.raises(InputError, match=r"none\.asdf: no such file"):
        ResampleSpecStep(output_wcs=tmp_path / "none.asdf").recipe()


def test_parameters_reach_the_options():
    step = ResampleSpecStep(
        combine="clip",
        error_mode="pixel",
        save_matrix=True,
        weight_type=None,
        single=True,
        in_memory=False,
        blendheaders=False,
    )
    recipe = step.recipe()
    assert recipe.options.combine == "clip"
    assert recipe.options.error_mode == "pixel"
    assert recipe.options.save_matrix is True
    assert recipe.options.weight_type is None
    assert (recipe.single, recipe.blend, recipe.in_memory) == (True, False, False)
    with pytest.raises(ValueError, match="wavelength_grid"):
        ResampleSpecStep(wavelength_grid=["1.0", "red"]).recipe()
    for parameters in ({"combine": "sum"}, {"error_mode": "none"}, {"single": "perhaps"}):
        with pytest.raises(Exception, match=next(iter(parameters))):
            ResampleSpecStep(**parameters)


def test_a_long_parameter_does_not_fill_the_history():
    product = call(models(), sources=["S1"] * 500)
    (entry,) = tree_of(product)["history"]["entries"]
    assert len(entry["description"]) < 1500
    assert "sources=['S1', 'S1'" in entry["description"]


def test_warnings_are_kept_by_source(tmp_path):
    models = visit(2)
    tree_of(models[1])["slits"][1]["var_flat"] = np.zeros((3, 3), np.float32)
    step = ResampleSpecStep(maximum_cores=2)
    product = step.run(models)
    bad = product.slits[1].source_name
    assert list(step.warnings) == [bad]
    assert any("VAR_FLAT has shape (3, 3)" in text for text in step.warnings[bad])


@pytest.mark.parametrize("grid", ["common", "common-linear", "common-log"])
def test_one_wavelength_grid_for_all_sources(grid):
    models = visit(2, sources=("A", "B"))
    for model in models:
        # The second slit sees wavelengths further in the red.
        slit = tree_of(model)["slits"][1]
        slit["meta"]["wcs"] = redder(slit["meta"]["wcs"])
    own = call(models).slits
    assert not np.array_equal(own[0].wavelength[0], own[1].wavelength[0])
    first, second = call(models, wavelength_grid=grid).slits
    np.testing.assert_array_equal(first.wavelength[0], second.wavelength[0])
    wavelength = first.wavelength[0]
    step = float(np.diff(wavelength).max())
    assert wavelength[0] == pytest.approx(own[0].wavelength[0, 0], abs=step)
    assert wavelength[-1] == pytest.approx(own[1].wavelength[0, -1], abs=step)
    # Each source has data in its own range only, and up to the ends of its tilted columns.
    for slit, alone in ((first, own[0]), (second, own[1])):
        seen = wavelength[np.isfinite(slit.data).any(axis=0)]
        assert seen[0] == pytest.approx(alone.wavelength[0, 0], abs=0.02)
        assert seen[-1] == pytest.approx(alone.wavelength[0, -1], abs=0.02)


def redder(wcs, shift=0.1):
    """The same WCS with longer wavelengths [micron]."""
    first, *others = wcs.pipeline
    moved = first.transform | (Identity(2) & Shift(shift))
    redder = WCS([(first.frame, moved), *[(step.frame, step.transform) for step in others]])
    redder.bounding_box = wcs.bounding_box.bounding_box(order="F")
    return redder
