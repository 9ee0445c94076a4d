"""Sources and sky of all exposures at once."""

from __future__ import annotations

import numpy as np
import pytest
from slit_stacks import stack_of
from synthetic_slitlet import make_slitlet

from webbweave.slit_combine.joint import fit_joint
from webbweave.slit_combine.options import FitOptions
from webbweave.slit_combine.trace_fit import fit_single_trace
from webbweave.slit_combine.trace_sn import self_subtraction

FREE = FitOptions().without_priors()


def sky_of(case):
    ny, nx = case.shape
    return case.sky[0].reshape(ny, nx)[ny // 2]


def test_everything_is_recovered_within_errors():
    flux, sky, shape = [], [], []
    for seed in range(100):
        case = make_slitlet(seed, shape=(17, 6), nods=[1, 2], bad_fraction=0.05)
        fit = fit_joint(stack_of(case), options=FREE)
        flux.append((fit.flux[0] - case.column_flux()) / fit.flux_err[0])
        sky.append((fit.sky - sky_of(case)) / fit.sky_err)
        shape.append(
            [
                (fit.sigma[0] - 0.6) / fit.sigma_err[0],
                (fit.trace_coeffs[0, 0] - 0.3) / fit.trace_err[0, 0],
            ]
        )
    assert 0.9 < np.mean(np.square(flux)) < 1.1
    assert 0.85 < np.mean(np.square(sky)) < 1.15
    assert abs(np.mean(flux)) < 0.1
    # A standard deviation of 100 numbers is known to 7 %.
    assert np.std(shape, axis=0) == pytest.approx([1.0, 1.0], abs=0.15)
    assert np.mean(shape, axis=0) == pytest.approx([0.0, 0.0], abs=0.3)


@pytest.mark.parametrize("n", [2, 5, 9])
@pytest.mark.parametrize(("grating", "fixed_slit"), [("PRISM", False), ("G235M", True)])
def test_without_noise_it_is_exact(n, grating, fixed_slit):
    case = make_slitlet(None, n_exposures=n, shape=(25, 8), grating=grating, fixed_slit=fixed_slit)
    fit = fit_joint(stack_of(case), options=FREE)
    assert fit.success
    assert fit.sigma == pytest.approx([0.6], abs=1e-6)
    np.testing.assert_allclose(fit.flux[0], case.column_flux(), rtol=1e-6)
    np.testing.assert_allclose(fit.sky, sky_of(case), rtol=1e-6)
    np.testing.assert_allclose(fit.model, case.sci, rtol=1e-5)
    assert fit.chi2 < 1e-6


def test_it_recovers_what_the_subtraction_of_nods_loses():
    """A wide source in neighbouring nods: an aperture loses what was foretold, this does not."""
    case = make_slitlet(None, shape=(25, 24), nods=[2, 3], sigma=2.2)
    stack = stack_of(case).with_trace([[0.3]] * 2)
    told = self_subtraction(stack, 2, sigma=2.2, options=FREE)
    diff = np.where(stack.mask.all(axis=0), stack.data[0] - stack.data[1], 0.0)
    near = np.abs(stack.yslit[0]) <= 3.0
    ny, nx = case.shape
    light = (diff * near).reshape(ny, nx).sum(axis=0)
    whole = (case.profile[0] * near).reshape(ny, nx).sum(axis=0)
    lost = 1.0 - np.sum(light) / np.sum(case.column_flux() * whole)
    assert lost > 0.1
    assert lost == pytest.approx(np.average(told.aperture, weights=case.column_flux()), abs=0.01)
    assert (told.optimal > 0.0).all()
    case = make_slitlet(20, shape=(25, 24), nods=[2, 3], sigma=2.2, read_noise=0.01)
    fit = fit_joint(stack_of(case), initial_sigma=2.0, options=FREE)
    ratio = np.sum(fit.flux[0]) / np.sum(case.column_flux())
    assert ratio == pytest.approx(1.0, abs=0.03)
    assert fit.sigma[0] == pytest.approx(2.2, abs=4 * fit.sigma_err[0])


def test_errors_are_smaller_than_those_of_differences():
    case = make_slitlet(21, shape=(25, 16))
    stack = stack_of(case)
    joint = fit_joint(stack, options=FREE)
    single = fit_single_trace(stack, 2, degree=0, options=FREE, verbose=False)
    assert joint.sigma_err[0] < single["sigma_err"]
    assert joint.trace_err[0, 0] < single["trace_err"][0]
    of_difference = np.sqrt(single["svnum"]) / single["sden"]
    assert np.median(joint.flux_err[0] / of_difference) < 0.8


def test_two_sources():
    case = make_slitlet(22, shape=(25, 24), second=(4.0, 0.4))
    fit = fit_joint(stack_of(case), offsets=(0.0, 4.0), options=FREE)
    assert fit.trace_coeffs[:, 0] == pytest.approx([0.3, 4.3], abs=0.1)
    assert fit.sigma == pytest.approx([0.6, 0.6], abs=0.15)
    for flux, error, part in zip(fit.flux, fit.flux_err, (1.0, 0.4), strict=True):
        chi = (flux - part * case.column_flux()) / error
        assert np.mean(chi**2) < 2.0
    one = fit_joint(stack_of(case), options=FREE)
    assert one.chi2 > fit.chi2 + 100
    total = fit.source_model.sum(axis=0) + fit.sky[case.xslit]
    np.testing.assert_allclose(total, fit.model, rtol=1e-9)


def test_outliers_do_little():
    clean = make_slitlet(23, shape=(25, 16))
    hot = make_slitlet(23, shape=(25, 16), n_hot=4)
    fits = [fit_joint(stack_of(case), options=FREE) for case in (clean, hot)]
    truth = clean.column_flux()
    chi = [(fit.flux[0] - truth) / fit.flux_err[0] for fit in fits]
    assert np.median(np.abs(chi[1])) < 1.5
    assert fits[1].trace_coeffs[0, 0] == pytest.approx(0.3, abs=0.1)


def test_tilted_wavelengths_go_to_their_bins():
    case = make_slitlet(None, shape=(25, 30), tilt=0.2, sky=lambda wave: 0.3 + 0.0 * wave)
    stack = stack_of(case)
    fit = fit_joint(stack, wave_grid=np.linspace(1.0, 5.0, 12), options=FREE)
    known = np.isfinite(fit.flux[0])
    assert known.sum() >= 10
    np.testing.assert_allclose(fit.sky[known], 0.3, atol=0.05)
    assert (fit.wave[1:] > fit.wave[:-1]).all()


def test_the_covariance_of_bins_holds_the_shape():
    case = make_slitlet(24, shape=(25, 8))
    fit = fit_joint(stack_of(case), options=FREE)
    part = np.einsum("bip,pq,bjq->bij", fit.slopes, fit.parameter_covariance, fit.slopes)
    total = np.sqrt(np.diagonal(fit.covariance + part, axis1=1, axis2=2))
    np.testing.assert_allclose(total[:, 0], fit.flux_err[0])
    np.testing.assert_allclose(total[:, 1], fit.sky_err)
    known = fit_joint(stack_of(case), fix_sigma=0.6, options=FREE)
    assert known.sigma_err[0] == 0.0
    assert (known.flux_err < fit.flux_err).all()


def test_bins_that_do_not_tell_are_nan():
    case = make_slitlet(25, shape=(25, 10))
    case.mask[:, (case.xslit == 3) & (case.ypix != 2)] = False
    fit = fit_joint(stack_of(case), options=FREE)
    assert np.isnan(fit.flux[0, 3])
    assert np.isfinite(np.delete(fit.flux[0], 3)).all()
    assert np.isfinite(fit.sigma).all()


def test_bad_input_is_named():
    stack = stack_of(make_slitlet(26, shape=(25, 5)))
    with pytest.raises(ValueError, match="offsets: expected one number"):
        fit_joint(stack, offsets=())
    with pytest.raises(ValueError, match="degree"):
        fit_joint(stack, degree=-1)
    with pytest.raises(ValueError, match="wave_grid"):
        fit_joint(stack, wave_grid=[3.0, 2.0])
    case = make_slitlet(26, shape=(25, 5))
    case.mask[:] = False
    with pytest.raises(ValueError, match="no pixel is valid"):
        fit_joint(stack_of(case))
    with pytest.raises(ValueError, match="y_range"):
        self_subtraction(stack, 1, sigma=0.5, y_range=(2.0, 1.0))
