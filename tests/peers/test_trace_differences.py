"""Where jwst crashes or hides in a trace model, beside what is done here instead.

Other differences are told by their sides under ``compat``; these cannot be. Skipped where jwst is
not installed.
"""

from __future__ import annotations

import logging
import os

import numpy as np
import pytest
import synthetic_ifu as si
from synthetic_trace import exact_models, make_scene

# Keep the peer from asking its reference server for parameters.
os.environ.setdefault("STPIPE_DISABLE_CRDS_STEPPARS", "true")

jwst_trace = pytest.importorskip("jwst.adaptive_trace_model")

from jwst.adaptive_trace_model import trace_model as theirs  # noqa: E402

from webbweave import AdaptiveTraceModelStep  # noqa: E402
from webbweave.adaptive_trace_model import model_products  # noqa: E402
from webbweave.adaptive_trace_model import trace_model as ours  # noqa: E402
from webbweave.datamodels import tree_of  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")

PLANES = ("data", "err", "dq", "var_rnoise", "var_poisson", "var_flat")


def their_step(model, **parameters):
    step = jwst_trace.AdaptiveTraceModelStep()
    for name, value in parameters.items():
        setattr(step, name, value)
    return step.process(model)


@pytest.mark.parametrize("factor", [1.0, 2.0])
def test_t6_one_integration_in_one_axis_more(factor):
    model, _ = si.model("nrs_slit")
    tree = tree_of(model)
    for name in PLANES:
        tree[name] = tree[name][np.newaxis]
    with pytest.raises(IndexError):
        their_step(model, oversample=factor)
    for compat in (True, False):
        result = AdaptiveTraceModelStep(oversample=factor, compat=compat).process(model)
        assert result.data.ndim == 3
        assert np.isfinite(result.trace_model).any()


def test_t6_columns_without_coordinates():
    scene = make_scene(n_column=60)
    models = exact_models(scene)
    alpha = scene.alpha.copy()
    alpha[:, 30] = np.nan
    with pytest.raises(IndexError):
        theirs._trace_image(scene.flux.shape, models, scene.region_map, alpha)
    full = ours._trace_image(scene.flux.shape, models, scene.region_map, alpha)[1]
    assert np.isnan(full[:, 30]).all()
    assert np.isfinite(full[:, 29]).any()
    rows = np.flatnonzero(scene.region_map[:, 30])
    alpha[rows[:4], 30] = scene.alpha[rows[:4], 30]
    options = {"lrange": 20, "require_ngood": 2}
    with pytest.raises(IndexError):
        theirs.fit_2d_spline_trace(scene.flux, alpha, **options)
    for compat in (True, False):
        found = ours.fit_2d_spline_trace(scene.flux, alpha, compat=compat, **options)
        assert 29 in found


@pytest.mark.parametrize(("n_row", "factor"), [(2048, 1.3), (1032, 1.7)])
def test_t6_factors_that_do_not_divide_the_rows(n_row, factor):
    ramp = np.arange(n_row, dtype=float)[:, None]
    region_map = np.ones((n_row, 1), int)
    with pytest.raises(IndexError):
        theirs.linear_oversample(ramp, region_map, factor, 3)
    for compat in (True, False):
        fine = ours.linear_oversample(ramp, region_map, factor, 3, compat=compat)
        assert np.isfinite(fine).all()


def boxes_of_slices(wcs, transform):
    if transform is None:
        boxes = wcs.bounding_box.bounding_boxes
        return {key[0] + 1: [tuple(box[name]) for name in "xy"] for key, box in boxes.items()}
    return {
        key: [tuple(side) for side in item.bounding_box.bounding_box(order="F")]
        for key, item in transform.selector.items()
    }


@pytest.mark.parametrize("kind", ["nrs_ifu", "nrs_ifu_named"])
def test_t11_the_old_bounding_boxes(kind):
    for oversample, is_changed in (
        (
            lambda model: theirs.fit_and_oversample(model, fit_threshold=1e9, oversample_factor=2),
            True,
        ),
        (
            lambda model: ours.fit_and_oversample(model, fit_threshold=1e9, oversample_factor=2),
            False,
        ),
    ):
        model, _ = si.model(kind, labels=tuple(range(1, 31)))
        wcs = model.meta.wcs
        transform = wcs.pipeline[1].transform if kind == "nrs_ifu" else None
        before = boxes_of_slices(wcs, transform)
        oversample(model)
        after = boxes_of_slices(wcs, transform)
        assert (before != after) is is_changed
        assert before[3] == [(-0.5, 149.5), (45.5, 67.5)]
        if is_changed:
            assert after[3] == [(-0.5, 149.5), (91.5, 135.5)]


def test_t17_one_line_per_region(caplog):
    # Eight samples are in a window: too few for any fit.
    alpha = np.tile(np.arange(1.0, 5.0)[:, None], (1, 60))
    options = {"lrange": 1, "require_ngood": 3, "spline_bkpt": 5}
    n_line = {}
    for module in (theirs, ours):
        caplog.clear()
        with caplog.at_level(logging.INFO):
            assert not module.fit_2d_spline_trace(np.ones((4, 60)), alpha, **options)
        n_line[module] = len(caplog.records)
    assert n_line[theirs] == 60
    assert n_line[ours] == 1


def test_t18_files_and_slits_are_named():
    model, _ = si.time_series()
    with pytest.raises(ValueError, match=r"^Oversampling is not supported for TSO data\.$"):
        their_step(model, oversample=2.0)
    multi, _ = si.multi_slit(("A", "B", "C"))
    tree_of(multi)["slits"][1]["err"] = np.ones((3, 4), np.float32)
    with pytest.raises(IndexError) as caught:
        their_step(multi)
    assert "slit" not in str(caught.value)
    for compat in (True, False):
        with pytest.raises(ValueError, match=r"nrs2_cal\.fits: Oversampling is not supported"):
            AdaptiveTraceModelStep(oversample=2.0, compat=compat).process(model)
        step = AdaptiveTraceModelStep(compat=compat)
        result = step.process(multi)
        assert [failure.slit for failure in step.failures] == ["B"]
        assert np.isfinite(result.slits[2].trace_model).any()


def test_t13_threads_for_slits(caplog, monkeypatch):
    multi, _ = si.multi_slit(("A", "B"))
    with caplog.at_level(logging.INFO):
        their_step(multi, maximum_cores="2")
    assert "Working on slit B" in caplog.text
    assert "Multiprocessing" not in caplog.text
    asked = []
    kernel = model_products.run_in_order

    def spy(work, items, **keywords):
        asked.append(keywords["threads"])
        return kernel(work, items, **keywords)

    monkeypatch.setattr(model_products, "run_in_order", spy)
    AdaptiveTraceModelStep(maximum_cores="2").process(multi)
    assert asked == [2]
