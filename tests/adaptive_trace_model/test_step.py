"""The step on models and files of all modes: what it attaches, oversamples, keeps and refuses."""

from __future__ import annotations

import json
import logging

import numpy as np
import pytest
import synthetic
import synthetic_ifu as si
from astropy.io import fits
from gwcs import WCS
from stdatamodels.jwst import datamodels
from stdatamodels.jwst.datamodels import ImageModel, dqflags

from webbweave import AdaptiveTraceModelStep, ResampleSpecStep
from webbweave.adaptive_trace_model import trace_model
from webbweave.datamodels import shallow_copy, tree_of
from webbweave.errors import InputError, WeaveError

MIRI = ("mrs", "lrs", "lrs_slitless")
BRIGHT = {kind: labels[min(1, len(labels) - 1)] for kind, (*_, labels) in si.KINDS.items()}
VARIANCES = ("var_rnoise", "var_poisson", "var_flat")
DO_NOT_USE = dqflags.pixel["DO_NOT_USE"]
ESTIMATED = dqflags.pixel["FLUX_ESTIMATED"]


def run(data, **parameters):
    return AdaptiveTraceModelStep(**parameters).process(data)


def turned(kind, plane):
    return np.rot90(plane) if kind in MIRI else np.asarray(plane)


def arrays(tree):
    return {key: item.copy() for key, item in tree.items() if isinstance(item, np.ndarray)}


@pytest.mark.parametrize("kind", si.KINDS)
def test_trace_is_the_source_and_nothing_else_changes(kind):
    model, scene = si.model(kind)
    before, tree = arrays(tree_of(model)), tree_of(model)
    result = run(model)
    assert result is not model
    assert result.meta.cal_step.adaptive_trace_model == "COMPLETE"
    assert "trace_model" not in tree
    assert tree["meta"].get("cal_step", {}).get("adaptive_trace_model") is None
    trace = turned(kind, result.trace_model)
    assert trace.dtype == np.float32
    covered = np.isfinite(trace)
    assert set(scene.region_map[covered]) == {BRIGHT[kind]}
    peak = np.nanmax(scene.truth)
    residual = (trace - scene.truth)[covered]
    assert residual.std() < 0.01 * peak
    # What the model covers is nearly all of the source.
    source = scene.truth - 0.5
    assert np.nansum(source[covered]) > 0.85 * np.nansum(source)
    for name, array in before.items():
        np.testing.assert_array_equal(tree[name], array)
        np.testing.assert_array_equal(tree_of(result)[name], array)
        assert not np.shares_memory(tree_of(result)[name], tree[name])


@pytest.mark.parametrize("factor", [1.3, 2.0, 3.0])
@pytest.mark.parametrize("kind", si.KINDS)
def test_oversampled_arrays(kind, factor):
    model, scene = si.model(kind)
    result = run(model, oversample=factor)
    n = int(np.ceil(scene.flux.shape[0] * factor))
    rows = np.arange(n) / factor - (factor - 1) / (2 * factor)
    number = min(1, len(si.KINDS[kind][3]) - 1)
    height = si.HEIGHTS.get(kind, si.HEIGHT)
    along = si.PIXEL * (rows[:, None] - si.middle_row(number, height)[None, :])
    truth = 0.5 + 40.0 * si.spectrum(si.N_COLUMN) * si.profile(along, si.CENTRE)
    planes = ("data", "err", "dq", "wavelength", "trace_model", *VARIANCES)
    image = {name: turned(kind, getattr(result, name)) for name in planes}
    for plane in image.values():
        assert plane.shape == (n, si.N_COLUMN)
    covered = np.isfinite(image["trace_model"]) & (np.abs(along) < 0.6)
    assert covered.sum() > 3.8 * factor * si.N_COLUMN
    assert (image["data"] - truth)[covered].std() < 0.02 * truth.max()
    # NaN and flags go together, in all of them.
    bad = np.isnan(image["data"])
    np.testing.assert_array_equal((image["dq"] & DO_NOT_USE) != 0, bad)
    for name in ("err", *VARIANCES):
        np.testing.assert_array_equal(np.isnan(image[name]), bad, err_msg=name)
    assert np.isfinite(image["wavelength"][~bad]).mean() > 0.88
    assert result.area is None
    assert result.meta.photometry.pixelarea_steradians == pytest.approx(si.PIXEL_AREA / factor)
    if kind.startswith(("nrs_ifu", "mrs")):
        assert set(np.unique(result.regions)) == {0, *si.KINDS[kind][3]}


def test_errors_grow_by_the_known_factor():
    model, scene = si.model("nrs_slit")
    tree = tree_of(model)
    inside = scene.region_map > 0
    tree["err"] = np.where(inside, 0.5, np.nan).astype(np.float32)
    for name in VARIANCES:
        tree[name] = np.where(inside, 0.04, np.nan).astype(np.float32)
    result = run(model, oversample=2.0)
    growth = 0.23 * 2 + 0.77
    known = np.isfinite(result.err)
    np.testing.assert_allclose(result.err[known], 0.5 * growth, rtol=1e-6)
    for name in VARIANCES:
        np.testing.assert_allclose(getattr(result, name)[known], 0.04 * growth**2, rtol=1e-6)


@pytest.mark.parametrize("factor", [1.3, 1.7, 2.0, 2.5, 4.0])
def test_flat_scenes_stay_flat(factor):
    model, scene = si.model("nrs_ifu", peak=0.0)
    tree_of(model)["data"] = np.where(scene.region_map > 0, 2.5, np.nan).astype(np.float32)
    result = run(model, oversample=factor)
    np.testing.assert_allclose(result.data[np.isfinite(result.data)], 2.5, rtol=1e-6)
    assert not np.isfinite(result.trace_model).any()


@pytest.mark.parametrize("factor", [2.0, 3.0])
def test_flux_of_a_pixel_is_shared_by_its_parts(factor):
    brightness, flux = (
        run(si.model("nrs_ifu", unit=unit)[0], oversample=factor) for unit in ("MJy/sr", "MJy")
    )
    for name in ("data", "trace_model", "err"):
        ratio = getattr(brightness, name) / getattr(flux, name)
        np.testing.assert_allclose(ratio[np.isfinite(ratio)], factor, rtol=1e-5)
    ratio = brightness.var_flat / flux.var_flat
    np.testing.assert_allclose(ratio[np.isfinite(ratio)], factor**2, rtol=1e-5)


def test_bad_pixels_near_the_source_are_estimated():
    model, scene = si.model("nrs_slit")
    tree = tree_of(model)
    row, column = round(si.middle_row(0)[75]), 75
    for name in ("data", "err", *VARIANCES):
        tree[name][row, column] = np.nan
    tree["dq"][row, column] = DO_NOT_USE
    result = run(model, oversample=2.0)
    part = slice(2 * row, 2 * row + 2), column
    truth = scene.truth[row, column]
    assert np.all(np.abs(result.data[part] - truth) < 0.2 * truth)
    assert np.all(result.dq[part] & ESTIMATED)
    assert not np.any(result.dq[part] & DO_NOT_USE)
    assert np.isfinite(result.err[part]).all()


def test_dark_slices_are_interpolated_only():
    model, scene = si.model("nrs_ifu")
    result = run(model, oversample=2.0)
    dark = np.repeat(scene.region_map, 2, axis=0) == 1
    assert not np.isfinite(result.trace_model[dark]).any()
    assert np.isfinite(result.data[dark]).mean() > 0.85
    everything = run(model, fit_threshold=0.0, slope_limit=0.0)
    assert set(scene.region_map[np.isfinite(everything.trace_model)]) == {1, 2, 3}


def test_psf_optimal_leaves_residuals_out():
    result = run(si.model("nrs_ifu")[0], oversample=2.0, psf_optimal=True)
    covered = np.isfinite(result.trace_model) & np.isfinite(result.data)
    assert covered.mean() > 0.5
    np.testing.assert_array_equal(result.data[covered], result.trace_model[covered])


def test_negative_mean_is_given_back():
    model, _ = si.model("nrs_slit")
    plain = run(model, oversample=2.0, fit_threshold=0.0)
    tree_of(model)["data"] -= np.float32(100.0)
    lowered = run(model, oversample=2.0, fit_threshold=0.0)
    assert np.nanmedian(lowered.data) < -90
    covered = np.isfinite(lowered.trace_model)
    assert covered.any()
    shift = (plain.trace_model - lowered.trace_model)[covered & np.isfinite(plain.trace_model)]
    np.testing.assert_allclose(shift, 100.0, atol=6.0)
    assert np.median(shift) == pytest.approx(100.0, abs=0.3)


def test_one_integration_in_one_axis_more():
    model, _ = si.model("nrs_slit")
    plain = run(model, oversample=2.0)
    tree = tree_of(model)
    for name in ("data", "err", "dq", *VARIANCES):
        tree[name] = tree[name][np.newaxis]
    cube = run(model, oversample=2.0)
    for name in ("data", "err", "dq", *VARIANCES):
        assert getattr(cube, name).shape == (1, 52, 150)
        np.testing.assert_array_equal(getattr(cube, name)[0], getattr(plain, name))
    for name in ("trace_model", "wavelength"):
        np.testing.assert_array_equal(getattr(cube, name), getattr(plain, name))


def test_time_series_keeps_its_transit():
    dips = np.array([1.0, 1.0, 0.9, 0.8, 0.9, 1.0])
    model, truth = si.time_series(dips=dips)
    result = run(model, scale_per_integration=True)
    assert result.trace_model.shape == truth.shape[1:]
    covered = np.isfinite(result.trace_model)
    flat = result.trace_model[covered].sum() / truth[:, covered].sum(axis=1)
    scaled = result.trace_integrations[:, covered].sum(axis=1) / truth[:, covered].sum(axis=1)
    assert flat.max() / flat.min() > 1.15  # one trace for all: wrong by the depth of the transit
    np.testing.assert_allclose(scaled, scaled.mean(), rtol=2e-3)
    np.testing.assert_allclose(scaled, 1.0, atol=5e-3)
    assert "trace_integrations" not in tree_of(run(model))


def test_time_series_is_not_oversampled():
    model, _ = si.time_series()
    with pytest.raises(ValueError, match=r"nrs2_cal\.fits: Oversampling is not supported for TSO"):
        run(model, oversample=2.0)


def test_several_slits(caplog):
    model, scenes = si.multi_slit(("A", "B"))
    with caplog.at_level(logging.INFO, "webbweave"):
        results = [run(model, oversample=2.0, maximum_cores=cores) for cores in ("none", "2")]
    assert "Working on slit A" in caplog.text
    for one, other, scene in zip(*(result.slits for result in results), scenes, strict=True):
        np.testing.assert_array_equal(one.data, other.data)
        assert one.data.shape == (52, 150)
        covered = np.isfinite(one.trace_model)
        residual = one.trace_model - np.repeat(scene.truth, 2, axis=0)
        assert covered.sum() > 1000
        assert abs(np.nanmean(residual[covered])) < 0.05 * np.nanmax(scene.truth)


def test_one_bad_slit_does_not_lose_the_others(caplog):
    model, _ = si.multi_slit(("A", "B", "C"))
    tree = tree_of(model)
    del tree["slits"][1]["meta"]["wcs"]
    tree["slits"][2]["err"] = np.ones((3, 4), np.float32)
    step = AdaptiveTraceModelStep()
    result = step.process(model)
    assert [failure.slit for failure in step.failures] == ["B", "C"]
    assert np.isfinite(result.slits[0].trace_model).any()
    assert "trace_model" not in tree_of(result)["slits"][1]
    assert "nrs2_cal.fits, slit B: expected a WCS in meta.wcs, found none" in caplog.text
    assert "slit C: expected ERR of the shape (26, 150) of SCI, found (3, 4)" in caplog.text
    assert result.meta.cal_step.adaptive_trace_model == "COMPLETE"
    del tree["slits"][0]["meta"]["wcs"]
    with pytest.raises(WeaveError, match=r"all 3 slits failed: .*slit A: expected a WCS"):
        run(model)


def test_unsupported_models_are_handed_through(caplog):
    model = ImageModel((4, 5))
    model.meta.exposure.type = "MIR_LRS-FIXEDSLIT"
    model.meta.filename = "old_cal.fits"
    result = run(model)
    assert result.meta.cal_step.adaptive_trace_model == "FAILED"
    assert model.meta.cal_step.adaptive_trace_model is None
    np.testing.assert_array_equal(result.data, model.data)
    for text in (
        "not implemented for datamodel type <ImageModel>",
        "requires MIRI LRS cal files in <SlitModel> format",
        "No trace model will be attempted.",
    ):
        assert text in caplog.text


def test_unknown_modes_are_refused():
    model, _ = si.model("lrs")
    tree_of(model)["meta"]["exposure"]["type"] = "MIR_WFSS"
    with pytest.raises(ValueError, match=r"mirimage_cal\.fits: MIRI WFSS is not supported\."):
        run(model)
    tree_of(model)["meta"]["instrument"]["detector"] = "NIS"
    with pytest.raises(ValueError, match=r"mirimage_cal\.fits: Unknown detector 'NIS'"):
        run(model)


@pytest.mark.parametrize("name", ["data", "region map", "errors missing", "errors zero"])
def test_nothing_to_fit(name):
    model, _ = si.model("nrs_ifu")
    tree = tree_of(model)
    if name == "data":
        tree["data"][:] = np.nan
    elif name == "region map":
        tree["regions"] = np.zeros_like(tree["regions"])
    elif name == "errors missing":
        del tree["err"]
    else:
        tree["err"][:] = 0.0
    for factor in (1.0, 2.0):
        result = run(model, oversample=factor)
        assert result.meta.cal_step.adaptive_trace_model == "COMPLETE"
        assert not np.isfinite(result.trace_model).any()


def test_other_bad_inputs():
    model, _ = si.model("nrs_slit")
    for factor in (0.0, -2.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="oversample: expected a positive number"):
            run(model, oversample=factor)
    with pytest.raises(ValueError, match="maximum_cores"):
        run(model, maximum_cores="some")
    tree = tree_of(model)
    tree["dq"] = tree["dq"][:5]
    with pytest.raises(InputError, match=r"nrs2_cal\.fits: expected DQ of the shape \(26, 150\)"):
        run(model, oversample=2.0)
    tree["data"] = np.zeros((0, 5), np.float32)
    with pytest.raises(InputError, match=r"2 or 3 dimensions with pixels, found shape \(0, 5\)"):
        run(model)
    del tree["data"]
    with pytest.raises(InputError, match="expected an array SCI, found none"):
        run(model)


def test_coarser_grids_work_with_a_warning(caplog):
    result = run(si.model("nrs_slit")[0], oversample=0.5)
    assert result.data.shape == (13, 150)
    assert "the grid becomes coarser" in caplog.text


# --- files ----------------------------------------------------------------------------------


def test_file_in_file_out(tmp_path):
    model, _ = si.model("nrs_ifu")
    path = tmp_path / model.meta.filename
    model.save(path)
    content = path.read_bytes()
    step = AdaptiveTraceModelStep(
        oversample=2.0, output_dir=str(tmp_path / "out"), save_results=True, skip=False
    )
    result = step.run(str(path))
    product = tmp_path / "out" / path.name.replace("_cal", "_adaptive_trace_model")
    assert path.read_bytes() == content
    with datamodels.open(product) as saved:
        np.testing.assert_array_equal(saved.data, result.data)
        np.testing.assert_array_equal(saved.trace_model, result.trace_model)
        assert type(saved.meta.wcs) is WCS
        pixel = (70.0, 73.0)
        assert saved.meta.wcs(*pixel) == pytest.approx(model.meta.wcs(70.0, 36.25), rel=1e-12)
    assert any("webbweave" in str(e) for e in tree_of(result)["history"]["entries"])


@pytest.mark.parametrize("factor", [1.0, 2.0])
def test_products_of_files_can_be_saved_by_others(factor, tmp_path):
    model, _ = si.multi_slit()
    model.save(tmp_path / "a_cal.fits")
    result = run(tmp_path / "a_cal.fits", oversample=factor)
    copied = result.copy()
    for number, item in enumerate((result, copied)):
        item.save(tmp_path / f"b{number}_cal.fits")
        with datamodels.open(tmp_path / f"b{number}_cal.fits") as saved:
            frames = saved.slits[0].meta.wcs.available_frames
            assert frames[0] == ("detector" if factor == 1.0 else "coordinates")
            np.testing.assert_array_equal(saved.slits[1].data, result.slits[1].data)


def test_intermediate_products(tmp_path):
    model, _ = si.model("mrs")
    for factor, suffixes in (
        (1.0, {"spline_full", "spline_used"}),
        (2.0, {"spline_full", "spline_used", "linear_interp", "spline_residual"}),
    ):
        folder = tmp_path / str(factor)
        step = AdaptiveTraceModelStep(
            oversample=factor, save_intermediate_results=True, output_dir=str(folder)
        )
        result = step.process(model)
        root = model.meta.filename.removesuffix("cal.fits")
        assert {path.name for path in folder.iterdir()} == {
            f"{root}{suffix}.fits" for suffix in suffixes
        }
        with datamodels.open(folder / f"{root}spline_used.fits") as used:
            np.testing.assert_array_equal(used.data, result.trace_model)
        with datamodels.open(folder / f"{root}spline_full.fits") as full:
            covered = np.isfinite(result.trace_model)
            np.testing.assert_array_equal(full.data[covered], result.trace_model[covered])
            assert np.isfinite(full.data).sum() > covered.sum()


def test_parts_add_up_to_the_oversampled_data():
    """All in the same unit and with the same zero point, also where both are changed."""
    model, _ = si.model("nrs_slit", unit="MJy")
    tree_of(model)["data"] -= np.float32(30.0)
    made = trace_model.fit_and_oversample(
        model, fit_threshold=0.0, oversample_factor=2.0, return_intermediate_models=True
    )
    result, full, used, linear, residual = (item.data for item in made)
    compact = np.isfinite(used) & np.isfinite(residual) & np.isfinite(result)
    np.testing.assert_allclose(result[compact], (used + residual)[compact], atol=1e-4)
    elsewhere = ~np.isfinite(used) & np.isfinite(result)
    np.testing.assert_array_equal(result[elsewhere], linear[elsewhere])
    np.testing.assert_array_equal(full[compact], used[compact])
    assert np.nanmedian(linear) < -10


def test_slits_of_a_model_by_themselves():
    multi, _ = si.multi_slit(("A", "B"))
    expected = run(multi).slits[1].trace_model
    slit = datamodels.SlitModel(shallow_copy(tree_of(multi)["slits"][1]))
    made = trace_model.fit_and_oversample(slit, metadata_model=multi)
    assert made is slit
    np.testing.assert_array_equal(slit.trace_model, expected)
    with pytest.raises(ValueError, match="Unknown detector"):
        trace_model.fit_and_oversample(slit)


def test_associations_name_their_products(tmp_path):
    members = []
    for number in (1, 2):
        model, _ = si.model("nrs_slit", number=number)
        model.save(tmp_path / model.meta.filename)
        members.append({"expname": model.meta.filename, "exptype": "science"})
    association = {"asn_id": "a3001", "products": [{"name": "x", "members": members}]}
    (tmp_path / "asn.json").write_text(json.dumps(association))
    step = AdaptiveTraceModelStep(save_results=True, output_dir=str(tmp_path / "out"), skip=False)
    results = step.run(str(tmp_path / "asn.json"))
    assert [result.meta.cal_step.adaptive_trace_model for result in results] == ["COMPLETE"] * 2
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        f"jw01234001001_02101_0000{number}_nrs2_a3001_adaptive_trace_model.fits"
        for number in (1, 2)
    ]


def test_skipped_in_pipelines_unless_asked_for(caplog):
    model, _ = si.model("nrs_slit")
    assert AdaptiveTraceModelStep().skip
    step = AdaptiveTraceModelStep()
    step.parent = AdaptiveTraceModelStep()
    with caplog.at_level(logging.INFO):
        result = step.run(model)
    assert result.meta.cal_step.adaptive_trace_model == "SKIPPED"
    assert "skip=False" in caplog.text


# --- beyond ---------------------------------------------------------------------------------


def test_traces_are_saved_and_used_again(tmp_path):
    for make in (lambda: si.model("nrs_ifu")[0], lambda: si.multi_slit()[0]):
        model = make()
        folder = tmp_path / type(model).__name__
        step = AdaptiveTraceModelStep(save_trace=True, output_dir=str(folder))
        first = step.process(model)
        (path,) = folder.iterdir()
        assert path.suffix == ".asdf"
        again = run(model, trace_file=str(path))
        finer = run(model, trace_file=str(path), oversample=2.0, slope_limit=0.05)
        expected = run(model, oversample=2.0, slope_limit=0.05)
        for items in ((first, again), (expected, finer)):
            one, other = (getattr(item, "slits", [item]) for item in items)
            for a, b in zip(one, other, strict=True):
                np.testing.assert_array_equal(a.trace_model, b.trace_model)
                np.testing.assert_array_equal(a.data, b.data)


def test_traces_of_another_exposure_are_refused(tmp_path):
    step = AdaptiveTraceModelStep(save_trace=True, output_dir=str(tmp_path))
    step.process(si.model("nrs_ifu")[0])
    (path,) = tmp_path.iterdir()
    with pytest.raises(InputError, match="trace model is of another exposure"):
        run(si.model("nrs_slit")[0], trace_file=str(path))
    multi, _ = si.multi_slit()
    with pytest.raises(WeaveError, match="expected a trace model named 'A', found ''"):
        run(multi, trace_file=str(path))
    with pytest.raises(InputError, match=r"none\.asdf"):
        run(multi, trace_file=str(tmp_path / "none.asdf"))


@pytest.mark.parametrize("factor", [1.0, 2.0])
@pytest.mark.parametrize("kind", ["nrs_ifu", "multi", "mrs"])
def test_errors_and_columns_are_saved(kind, factor, tmp_path):
    faint = {"peak": 2.0, "background": 0.2}
    # Faint enough for the noise to be more than what splines leave of such a narrow profile.
    model = si.multi_slit(**faint)[0] if kind == "multi" else si.model(kind, **faint)[0]
    step = AdaptiveTraceModelStep(
        oversample=factor,
        fit_threshold=0.0,
        slope_limit=0.02,
        trace_errors=True,
        column_table=True,
        output_dir=str(tmp_path),
    )
    result = step.process(model)
    path = step.save_model(result, force=True)
    with fits.open(path) as hdus:
        assert {"TRACEMODEL", "TRACEERR", "TRACECOLS"} <= {hdu.name for hdu in hdus}
    with datamodels.open(path) as saved:
        for own, item in zip(
            tree_of(result).get("slits", [tree_of(result)]),
            getattr(saved, "slits", [saved]),
            strict=True,
        ):
            np.testing.assert_array_equal(item.trace_model, own["trace_model"])
            error, used = own["trace_error"], own["trace_model"]
            known = np.isfinite(error) & np.isfinite(used)
            assert known.sum() > 0.9 * np.isfinite(used).sum()
            assert (error[known] > 0).all()
            assert not np.isfinite(error[~np.isfinite(used)]).any()
            assert np.median(error[known]) < np.nanmedian(own["err"][known])
            table = own["trace_columns"]
            assert {"region", "column", "chi2", "n_rejected", "scale"} <= set(table.dtype.names)
            bright = BRIGHT.get(kind, 1)
            modelled = table[(table["model"] >= 0) & (table["region"] == bright)]
            assert len(modelled) == si.N_COLUMN
            assert 0.7 < np.median(modelled["chi2"]) < 1.7
            assert (modelled["n_rejected"] < 0.1 * modelled["n_point"]).all()


def test_oversampled_slit_resampled_at_its_native_scale():
    # Of the slits of one source with both grids: the same spectrum on the same number of rows.
    model = synthetic.slit_model()
    plain = ResampleSpecStep().process(model)
    finer = run(model, oversample=2.0, fit_threshold=0.0)
    back = ResampleSpecStep(pixel_scale_ratio=0.5).process(finer)
    assert back.data.shape == plain.data.shape
    spectra = [np.nansum(product.data, axis=0) for product in (plain, back)]
    inner = slice(10, -10)
    np.testing.assert_allclose(spectra[1][inner], spectra[0][inner], rtol=0.02)
