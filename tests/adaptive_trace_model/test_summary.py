"""Tests of the summary of a trace model."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose
from traces import modelled_scene

from webbweave.adaptive_trace_model.summary import summarise_trace


def test_summary_counts_and_finds_the_source():
    scene = modelled_scene()
    summary = summarise_trace("one", **scene)
    assert (summary.n_region, summary.n_region_modelled) == (2, 1)
    n_column = scene["flux"].shape[1]
    assert (summary.n_column, summary.n_column_modelled) == (2 * n_column, n_column)
    assert summary.label == 7
    assert summary.n_trace == np.isfinite(scene["trace"]).sum()
    assert_allclose(summary.ripple.centre, 0.0, atol=0.02)
    assert_allclose(summary.ripple.width, 1.0)
    assert summary.ripple.before.amplitude > 0.05
    assert summary.ripple.after is None


def test_summary_of_a_column_shows_samples_and_spline():
    fit = summarise_trace("one", **modelled_scene()).column_fit
    assert fit.own.sum() < fit.alpha.size
    assert_allclose(np.interp(fit.alpha, fit.curve_alpha, fit.curve), fit.profile, atol=0.02)
    assert (np.diff(fit.knots) > 0).all()


def test_summary_of_oversampled_data_has_less_ripple():
    scene = modelled_scene()
    fine = modelled_scene(per_pixel=4)
    summary = summarise_trace(
        "one", **scene, oversampled=(fine["flux"], fine["alpha"], fine["trace"]), factor=4.0
    )
    assert summary.ripple.after.amplitude < 0.25 * summary.ripple.before.amplitude
    assert summary.data.shape == summary.trace.shape
    assert summary.data.shape[0] > 3 * 20


def test_summary_without_a_trace():
    scene = modelled_scene()
    scene["trace"] = np.full_like(scene["trace"], np.nan)
    summary = summarise_trace("none", **scene)
    assert summary.label is None
    assert summary.data is None
    assert summary.ripple is None
    assert summary.n_trace == 0
