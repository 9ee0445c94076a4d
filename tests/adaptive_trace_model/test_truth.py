"""Truth: a rendered point source, its trace, and its spectrum through a fixed aperture."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic_trace import PIXEL, make_scene

from webbweave.adaptive_trace_model.evaluate import trace_image
from webbweave.adaptive_trace_model.fit import FitOptions
from webbweave.adaptive_trace_model.modes import fit_setup
from webbweave.adaptive_trace_model.oversample import oversample_image
from webbweave.adaptive_trace_model.prepare import prepare_and_fit
from webbweave.adaptive_trace_model.ripple import measure_ripple

HALF_WINDOW = 50
BACKGROUND = 5.0
OPTIONS = FitOptions(lrange=HALF_WINDOW, space_ratio=1.6)
INNER = slice(HALF_WINDOW, -HALF_WINDOW)  # columns with a whole window


def scene(noise=0.0, flux=3000.0, seed=4):
    return make_scene(
        {1: ((0.0, flux),)},
        n_column=500,
        height=35,
        tilt=13.0,
        curve=3.0,
        background=BACKGROUND,
        noise=noise,
        seed=seed,
    )


def fitted(one):
    return prepare_and_fit(one.flux, one.error, one.alpha, one.region_map, OPTIONS)


def test_trace_of_a_noisy_source():
    one = scene(noise=1.0)
    trace = trace_image(fitted(one), one.alpha, one.region_map, slope_limit=0.1, pad=2).used
    seen = np.isfinite(trace)
    assert (seen.sum(axis=0)[INNER] >= 4).all()
    truth, alpha = np.where(seen, one.truth, 0.0), np.where(seen, one.alpha, 0.0)
    light = np.where(seen, trace, 0.0)
    residual = (light - truth)[:, INNER] / np.nanmax(one.truth, axis=0)[INNER]
    assert residual[seen[:, INNER]].std() < 0.012
    assert abs(light.sum() / truth.sum() - 1) < 0.002
    centroid = [(image * alpha).sum(axis=0) / image.sum(axis=0) / PIXEL for image in (light, truth)]
    off = (centroid[0] - centroid[1])[INNER]
    assert abs(off.mean()) < 0.002
    assert np.abs(off).max() < 0.02


@pytest.mark.parametrize(("factor", "largest"), [(2, 0.022), (3, 0.010), (4, 0.006)])
def test_spectrum_through_an_aperture_of_two_pixels(factor, largest):
    """Per channel within 1 % of the truth, where it is off by 8 % as observed."""
    one = scene()
    alpha = one.alpha_on(factor)
    fine = oversample_image(
        one.flux,
        one.alpha,
        one.region_map,
        fitted(one),
        factor,
        alpha,
        require_ngood=3,
        slope_limit=0.1,
        trim_ends=True,
        pad=2,
    )
    off = {}
    for name, flux, places in (("native", one.flux, one.alpha), ("fine", fine.flux, alpha)):
        share = measure_ripple(flux - BACKGROUND, places, 0.0, 2 * PIXEL).share[INNER]
        # The profile is the same in all columns: so is the true share.
        off[name] = np.abs(share / share.mean() - 1).max()
    assert off["native"] > 0.07
    assert off["fine"] < largest


def test_knots_of_the_prism_follow_a_narrow_source():
    """With the knots of jwst the peak is cut: 1 % of the light is missing, 0.01 % with ours."""
    one = make_scene({1: ((0.0, 3000.0),)}, n_column=300, height=30, tilt=60.0, noise=0.0)
    found = {}
    for compat in (True, False):
        setup = fit_setup("NRS_IFU", "NRS1", "PRISM", compat=compat)
        options = FitOptions(
            lrange=setup.lrange,
            space_ratio=setup.space_ratio,
            auto_bkpt_factor=setup.auto_bkpt_factor or 0.0,
            auto_ngood_factor=setup.auto_ngood_factor or 0.0,
        )
        model = prepare_and_fit(one.flux, one.error, one.alpha, one.region_map, options)
        trace = trace_image(model, one.alpha, one.region_map, slope_limit=0.1, pad=2).used
        seen = np.isfinite(trace)
        residual = (trace - one.truth)[seen] / np.nanmax(one.truth)
        found[compat] = residual.std(), trace[seen].sum() / one.truth[seen].sum() - 1
    assert found[False][0] < 0.5 * found[True][0]
    assert found[True][1] < -0.008
    assert abs(found[False][1]) < 3e-4


def test_ripple_of_a_noisy_spaxel_is_down_to_its_noise():
    one = scene(noise=1.0, flux=30000.0)
    alpha = one.alpha_on(3)
    fine = oversample_image(
        one.flux,
        one.alpha,
        one.region_map,
        fitted(one),
        3,
        alpha,
        require_ngood=3,
        slope_limit=0.1,
        trim_ends=True,
        pad=2,
    )
    native = measure_ripple(one.flux - BACKGROUND, one.alpha, 0.0, PIXEL).amplitude
    assert native > 0.08
    assert measure_ripple(fine.flux - BACKGROUND, alpha, 0.0, PIXEL).amplitude < native / 6
