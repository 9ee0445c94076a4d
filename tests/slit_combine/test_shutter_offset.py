"""The offset of the shutters is found from their shadows in the sky."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic_slitlet import PITCH, SHUTTER_SCALE, bar_transmission, make_slitlet

from webbweave.slit_combine.shutter_offset import fit_shutter_offset


def model(u, wave):
    return bar_transmission(u)


def planes(seed, offset):
    """A group without a source, and the coordinate that its shutters would have without offset."""
    slit = make_slitlet(seed, scale=0.0, read_noise=0.02)
    shutter = slit.slit_frame_y / SHUTTER_SCALE / PITCH - offset / PITCH
    bar = model(shutter, slit.wave)
    # What was corrected for the bars in the wrong place.
    sci = slit.sci * slit.bar / bar
    variance = slit.var_total * slit.bar**2
    return sci, slit.mask, variance, bar, slit.sky, shutter, slit.wave


def test_noiseless_offset_is_found():
    data = planes(None, 0.37)
    fit = fit_shutter_offset(*data, model, prior=(0, 50))
    assert fit.offset == pytest.approx(0.37, abs=1e-5)
    assert fit.chi2_init > 1000 * fit.fun
    assert fit.samples.min() <= 0 <= fit.offset <= fit.samples.max()
    assert fit.sample_chi2.min() == fit.fun


@pytest.mark.parametrize("compat", [False, True])
def test_offset_is_within_its_error(compat):
    pulls = []
    for seed in range(40):
        fit = fit_shutter_offset(*planes(seed, -0.1), model, prior=(0, 5), compat=compat)
        pulls.append((fit.offset + 0.1) / fit.offset_error)
    assert abs(np.mean(pulls)) < 4 / np.sqrt(40)
    assert np.std(pulls) == pytest.approx(1, abs=0.35)


def test_prior_pulls():
    free = fit_shutter_offset(*planes(1, 0.3), model, prior=(0, 5))
    tight = fit_shutter_offset(*planes(1, 0.3), model, prior=(0, 1e-3))
    elsewhere = fit_shutter_offset(*planes(1, 0.3), model, prior=(0.2, 1e-3))
    assert abs(tight.offset) < 0.1 < abs(free.offset)
    assert elsewhere.offset == pytest.approx(0.2, abs=0.05)
    assert tight.offset_error < free.offset_error


def test_losing_pixels_is_no_gain():
    sci, mask, variance, bar, sky, shutter, wave = planes(2, 0.0)
    # Pixels at one end do not fit, and an offset takes them out of the model.
    sci = np.where(shutter > 1.2, sci + 1, sci)

    def ends(u, wave):
        return np.where(u < 1.21, model(u, wave), np.nan)

    data = sci, mask, variance, bar, sky, shutter, wave, ends
    bfgs = {"method": "nelder-mead", "tol": 1e-4}
    ours = fit_shutter_offset(*data, prior=(0, 0.5), minimizer_kwargs=bfgs)
    peer = fit_shutter_offset(*data, prior=(0, 0.5), minimizer_kwargs=bfgs, compat=True)
    assert ours.n_pixel < peer.n_pixel
    assert abs(ours.offset) < 4 * ours.offset_error
    assert np.isfinite(peer.fun)


def test_bright_sources_and_missing_pixels_are_no_fit():
    data = planes(1, 0.1)
    assert fit_shutter_offset(*data, model, trace_sn=np.full(50, 60.0)) is None
    assert fit_shutter_offset(*data, model, trace_sn=[np.nan, 3.0]) is not None
    assert fit_shutter_offset(*data, model, trace_sn=[60.0], max_sn=100) is not None
    nothing = (data[0], np.zeros_like(data[1]), *data[2:])
    assert fit_shutter_offset(*nothing, model) is None


def test_bad_input_is_refused():
    data = planes(1, 0.1)
    with pytest.raises(ValueError, match="positive width"):
        fit_shutter_offset(*data, model, prior=(0, 0))
    with pytest.raises(ValueError, match="shape of the mask"):
        fit_shutter_offset(data[0][:1], *data[1:], model)
