"""Fits of width and trace: parity with the peer, truth, errors."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy.special import erf
from slit_stacks import stack_of
from synthetic_slitlet import make_slitlet

from webbweave.slit_combine.differences import diff_samples, nod_difference
from webbweave.slit_combine.objective import Layout, TraceObjective, penalty
from webbweave.slit_combine.options import FitOptions
from webbweave.slit_combine.profiles import ProfileTable
from webbweave.slit_combine.trace_fit import fit_all_traces, fit_single_trace
from webbweave.slit_combine.trace_sn import fit_params_by_sn, get_trace_sn

PEER = FitOptions.peer()
FREE = FitOptions().without_priors()

# How the stored fits of the peer were made.
PEER_FIT = {
    "niter": 4,
    "ref_exp": 2,
    "degree": 0,
    "initial_sigma": 7.0,
    "force_positive": False,
    "with_bounds": False,
    "tol": 1e-8,
    "options": PEER,
    "verbose": False,
}


def objective_of(stack, nod, *, options=PEER, positive=False, fix_sigma=-1.0):
    samples = diff_samples(stack, nod_difference(stack, nod, options), options)
    layout = Layout(fix_sigma=fix_sigma, wings=options.wings, compat=options.compat)
    return TraceObjective(samples, stack.lookup, options, layout, positive)


def test_objective_is_that_of_the_peer(peer_stack, peer_results):
    stored = np.load(peer_results / "04_fit_gauss_deg0.npz")
    stack = peer_stack()
    for positive, values in ((True, stored["objfun_fp1"]), (False, stored["objfun_fp0"])):
        objective = objective_of(stack, 2, positive=positive)
        for theta, expected in zip(stored["objfun_theta"], values, strict=True):
            found = objective.value(theta[np.isfinite(theta)])
            assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("method", ["L-BFGS-B", "SLSQP", "powell"])
def test_fit_is_that_of_the_peer(peer_stack, peer_results, method):
    stored = np.load(peer_results / "04_fit_gauss_deg0.npz")
    fits, stack = fit_all_traces(peer_stack(), method=method, **PEER_FIT)
    assert list(fits) == [2, 1, 3]
    assert fits[2]["sigma"] == pytest.approx(0.56072, abs=1e-4)
    assert fits[2]["trace_coeffs"] == pytest.approx([0.80561], abs=1e-4)
    assert fits[2]["chi2_fit"] == pytest.approx(4293.989, abs=1e-3)
    np.testing.assert_allclose(stack.yslit, stored["yslit"], atol=1e-6)
    for nod, fit in fits.items():
        np.testing.assert_allclose(fit["theta"], stored[f"fit{nod}__theta"], atol=1e-4)
        assert fit["chi2_fit"] == pytest.approx(float(stored[f"fit{nod}__chi2_fit"]), rel=1e-7)
        for name in ("diff", "vdiff", "wdiff"):
            np.testing.assert_array_equal(fit[name], stored[f"fit{nod}__{name}"])
        for name in ("snum", "svnum", "sden", "smod"):
            expected = stored[f"fit{nod}__{name}"]
            scale = np.nanmax(np.abs(expected))
            np.testing.assert_allclose(fit[name], expected, atol=1e-6 * scale)


def test_fit_of_a_tabulated_profile_is_that_of_the_peer(peer_stack, peer_tables):
    packed = np.load(peer_tables / "psf" / "nirspec_merged_s200a1_psf_lookup_001_f4.npz")
    table = ProfileTable.from_cube(packed["PROF"], packed["YSLIT"], packed["WAVE"], packed["SIGMA"])
    fits, _ = fit_all_traces(peer_stack(lookup=table), **PEER_FIT)
    assert fits[2]["sigma"] == pytest.approx(0.34735, abs=1e-4)
    assert fits[2]["trace_coeffs"] == pytest.approx([0.78272], abs=1e-4)
    assert fits[2]["chi2_fit"] == pytest.approx(4287.310, abs=2e-3)


def test_fit_without_differences_is_that_of_the_peer(peer_stack):
    """With the stored sky and mask; what msaexp 0.9.17 gives if it is run there."""
    fits, _ = fit_all_traces(peer_stack("08_sky", diffs=False), **PEER_FIT)
    assert fits[2]["sigma"] == pytest.approx(0.667103, abs=1e-4)
    assert fits[2]["trace_coeffs"] == pytest.approx([0.827674], abs=1e-4)
    assert fits[2]["chi2_fit"] == pytest.approx(3871.895178, rel=1e-8)
    assert not fits[2]["ineg"].any()


def test_corrected_fit_of_the_real_slitlet(peer_stack):
    """A wider prior of the centre lets the trace go where the light is; chi-squared falls."""
    peer = fit_all_traces(peer_stack(), **PEER_FIT)[0][2]
    ours = fit_all_traces(peer_stack(), **{**PEER_FIT, "options": FitOptions()})[0][2]
    assert ours["trace_coeffs"][0] > peer["trace_coeffs"][0]
    assert ours["chi2_fit"] < peer["chi2_fit"] - 25
    assert ours["chi2_full"] < peer["chi2_full"]
    assert 0.005 < ours["sigma_err"] < 0.05
    assert 0.005 < ours["trace_err"][0] < 0.05


@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize("fix_sigma", [-1.0, 5.0])
@pytest.mark.parametrize("options", [PEER, FitOptions(wings=((0.1, 2.0, 0.3),))])
def test_gradient_is_that_of_differences(positive, fix_sigma, options):
    stack = stack_of(make_slitlet(3, shape=(25, 12)))
    objective = objective_of(stack, 2, options=options, positive=positive, fix_sigma=fix_sigma)
    for trace in ([0.2], [0.1, -0.2], [0.1, 0.2, -0.3]):
        width = [] if fix_sigma > 0 else [4.5]
        theta = np.array(width + trace)
        gradient = objective.value_and_gradient(theta)[1]
        steps = 1e-5 * np.eye(theta.size)
        sides = [[objective.value(theta + sign * s) for s in steps] for sign in (1, -1)]
        expected = (np.array(sides[0]) - sides[1]) / 2e-5
        np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-3)


def test_curvature_is_that_of_the_gradient_where_the_model_is_true():
    """With free amplitudes and no noise, what Gauss and Newton leave out is 0 at the truth."""
    stack = stack_of(make_slitlet(None, shape=(25, 12), center=(0.3,))).with_trace([[0.3]] * 3)
    objective = objective_of(stack, 2, options=FREE)
    theta = np.array([6.0, 0.3])
    value, gradient, curvature = objective.value_and_curvature(theta)
    assert value == objective.value_and_gradient(theta)[0]
    np.testing.assert_array_equal(gradient, objective.value_and_gradient(theta)[1])
    steps = 1e-4 * np.eye(2)
    sides = [[objective.value_and_gradient(theta + s * k)[1] for k in steps] for s in (1, -1)]
    bends = np.diagonal(np.subtract(*sides)) / 2e-4
    np.testing.assert_allclose(curvature, bends, rtol=1e-3)


def test_priors_have_the_derivatives_they_say():
    trace, h = np.array([0.3, -0.2]), 1e-5
    for options in (PEER, FitOptions()):
        for sigma in (0.05, 0.4, 1.75, 2.4):
            at = penalty(sigma, trace, options)
            sides = [penalty(sigma + s, trace, options) for s in (h, -h)]
            slope = (sides[0].value - sides[1].value) / (2 * h)
            bend = (sides[0].by_sigma - sides[1].by_sigma) / (2 * h)
            assert at.by_sigma == pytest.approx(slope, rel=1e-5, abs=1e-5)
            assert at.by_sigma2 == pytest.approx(bend, rel=1e-5, abs=1e-4)
    assert penalty(0.6, trace, PEER).by_trace == pytest.approx([30.0, -20.0])
    assert penalty(0.6, trace, FitOptions()).by_trace == pytest.approx([0.0, -0.8])


def test_degrees_are_nested():
    """More coefficients fit better; the peer takes three for a wing and does worse."""
    case = make_slitlet(4, shape=(25, 40), center=(0.4, -0.5, 0.3))
    found = [
        fit_single_trace(stack_of(case), 1, degree=k, options=FREE, verbose=False)
        for k in (0, 1, 2)
    ]
    chi2 = [fit["chi2_fit"] for fit in found]
    assert chi2[0] > chi2[1] + 10 > chi2[2] + 10
    assert found[2]["trace_coeffs"] == pytest.approx([0.4, -0.5, 0.3], abs=0.15)
    assert found[2]["sigma"] == pytest.approx(0.6, abs=0.08)
    peer = fit_single_trace(stack_of(case), 1, degree=2, options=PEER, verbose=False)
    assert peer["sigma"] == 0.2
    assert peer["trace_coeffs"].size == 2


def test_peer_takes_the_first_parameters_for_a_wing():
    stack = stack_of(make_slitlet(5, shape=(25, 4)), diffs=False)
    objective = objective_of(stack, 2)
    profile = objective.slopes(np.array([0.3, 2.0, 0.4, 0.1, 0.2]))[0]
    samples = objective.samples
    s = np.sqrt(2.0 * (samples.spread + 0.2**2))
    y = samples.y - (0.1 * stack.columns()[samples.columns] + 0.2)

    def box(y, s):
        return 0.5 * (erf((y + 0.5) / s) - erf((y - 0.5) / s))

    np.testing.assert_allclose(profile, box(y, s) + 0.3 * box(y + 0.4, 2.0 * s), atol=1e-12)


def test_wings_are_an_option():
    case = make_slitlet(None, shape=(25, 6))
    plain = objective_of(stack_of(case), 1, options=FREE)
    winged = objective_of(stack_of(case), 1, options=FitOptions(wings=((0.2, 3.0, 0.0),)))
    theta = np.array([6.0, 0.3])
    assert winged.slopes(theta)[0].max() > plain.slopes(theta)[0].max()


def test_pulls_of_width_and_centre():
    """
    Errors are those of the noise, to 10 %.

    The standard deviation of 400 numbers is known to 3.5 %, their mean to 0.05. Seeds are fixed, so
    that the result is always the same. Of the seeds 10000 to 13999, standard deviations are 0.993
    and 1.022 +/- 0.011, means -0.04 and -0.03 +/- 0.016.
    """
    pulls = []
    for seed in range(400):
        center = (0.3, 0.8)[seed % 2]
        case = make_slitlet(seed, shape=(15, 6), nods=[2, 3], center=(center,), read_noise=0.02)
        fit = fit_single_trace(
            stack_of(case).with_trace([[center]] * 2),
            2,
            x0=[6.0, center],
            force_positive=False,
            options=FREE,
            verbose=False,
        )
        offset = fit["trace_coeffs"][0] - center
        pulls.append([(fit["sigma"] - 0.6) / fit["sigma_err"], offset / fit["trace_err"][0]])
    assert np.std(pulls, axis=0) == pytest.approx([1.0, 1.0], abs=0.1)
    assert np.mean(pulls, axis=0) == pytest.approx([0.0, 0.0], abs=0.1)


def test_spectra_agree_with_the_truth_within_errors():
    chi = []
    for seed in range(100):
        case = make_slitlet(seed, shape=(15, 8), nods=[2, 3], grating="G395M", fixed_slit=True)
        fit = fit_single_trace(
            stack_of(case).with_trace([[0.3]] * 2),
            2,
            x0=[6.0, 0.3],
            evaluate=True,
            force_positive=False,
            options=FREE,
            verbose=False,
        )
        flux = fit["snum"] / fit["sden"]
        chi.append((flux - case.column_flux()) * fit["sden"] / np.sqrt(fit["svnum"]))
    assert 0.9 < np.mean(np.square(chi)) < 1.1
    assert abs(np.mean(chi)) < 0.1


def test_flux_where_pixels_were_flagged_late():
    """What the denominators of the background are worth: the peer's sky is too faint there."""
    case = make_slitlet(None, late_fraction=0.1, sky=lambda wave: np.full_like(wave, 2.0))
    stack = stack_of(case)
    late = stack.mask[1] & ((stack.bkg_mask & ~stack.mask)[[0, 2]].sum(axis=0) == 1)
    signal = case.flux * case.profile + 2.0
    good = stack.mask[[0, 2]]
    with np.errstate(invalid="ignore"):
        others = (signal[[0, 2]] * good).sum(axis=0) / good.sum(axis=0)
    truth = signal[1] - others
    errors = [nod_difference(stack, 2, options).diff - truth for options in (FREE, PEER)]
    assert late.sum() > 50
    np.testing.assert_allclose(errors[0][late], 0.0, atol=1e-12)
    assert np.median(errors[1][late]) == pytest.approx(1.0, abs=0.05)  # half of the sky


def test_fit_all_traces_moves_every_nod():
    case = make_slitlet(7, shape=(25, 16), center=(0.5,))
    before = stack_of(case)
    fits, after = fit_all_traces(before, degree=0, options=FREE, verbose=False)
    assert list(fits) == [2, 1, 3]
    assert all(c == pytest.approx([0.5], abs=0.1) for c in after.trace_coeffs)
    assert all(c == pytest.approx([0.0]) for c in before.trace_coeffs)
    ny, nx = case.shape
    expected = np.repeat(np.arange(ny), nx) - np.repeat(case.trace[:, None], ny, 1).reshape(3, -1)
    np.testing.assert_allclose(after.yslit, expected, atol=0.1)
    assert fits[1]["sigma"] == fits[2]["sigma"]
    assert fits[1]["sigma_err"] == fits[2]["sigma_err"] > 0
    own, moved = fit_all_traces(before, degree=0, ref_exp=None, options=FREE, verbose=False)
    assert len({fit["sigma"] for fit in own.values()}) == 3
    assert len({float(c[0]) for c in moved.trace_coeffs}) == 3
    still, same = fit_all_traces(
        before, degree=0, ref_exp=None, dchi_threshold=-1e9, options=FREE, verbose=False
    )
    assert all(c == pytest.approx([0.0]) for c in same.trace_coeffs)
    assert still[1]["trace_coeffs"][0] != 0.0
    told, _ = fit_all_traces(before, evaluate=True, x0=[5.0, 0.2], verbose=False)
    assert all(fit["theta"] == pytest.approx([5.0, 0.2]) for fit in told.values())


@pytest.mark.parametrize("method", ["bfgs", "TNC", "SLSQP", "nelder-mead"])
def test_every_minimiser_finds_the_same(method):
    stack = stack_of(make_slitlet(8, shape=(25, 10)))
    fits = [
        fit_single_trace(stack, 2, degree=0, method=m, tol=1e-9, verbose=False)
        for m in ("L-BFGS-B", method)
    ]
    assert fits[1]["theta"] == pytest.approx(fits[0]["theta"], abs=2e-3)


def test_results_do_not_depend_on_threads():
    stacks = [stack_of(make_slitlet(seed, shape=(25, 24))) for seed in range(6)]
    options = [FREE, PEER, FitOptions(wings=((0.1, 2.0, 0.0),))] * 2

    def work(i):
        return fit_all_traces(stacks[i], degree=0, options=options[i], verbose=False)[0]

    serial = [work(i) for i in range(6)]
    with ThreadPoolExecutor(2) as pool:
        threaded = list(pool.map(work, range(6)))
    for one, two in zip(serial, threaded, strict=True):
        for nod in one:
            for name in ("theta", "chi2_fit", "snum", "smod", "covariance"):
                np.testing.assert_array_equal(one[nod][name], two[nod][name])


def test_signal_to_noise_decides_what_is_fitted():
    bright = stack_of(make_slitlet(9, shape=(25, 16)))
    faint = stack_of(make_slitlet(9, shape=(25, 16), scale=0.01))
    fit, sn = get_trace_sn(bright, theta=[6.0, 0.3])
    np.testing.assert_allclose(sn, fit["snum"] / np.sqrt(fit["svnum"]))
    degrees = ((-1000, 5, 10), (0, 1, 2))
    _, value, fixed, degree = fit_params_by_sn(bright, degree_sn=degrees)
    assert 10 < value < 20
    assert (fixed, degree) == (False, 2)
    _, value, fixed, degree = fit_params_by_sn(faint, degree_sn=degrees)
    assert value < 5
    assert (fixed, degree) == (True, 0)


def test_bad_input_is_named():
    stack = stack_of(make_slitlet(10, shape=(25, 6)))
    with pytest.raises(KeyError, match=r"9 is none of the values \[1, 2, 3\]"):
        fit_single_trace(stack, 9)
    with pytest.raises(ValueError, match="method: expected one of l-bfgs-b"):
        fit_single_trace(stack, 1, method="magic")
    with pytest.raises(ValueError, match="degree: expected 0 or more"):
        fit_single_trace(stack, 1, degree=-1)
    with pytest.raises(ValueError, match="x0: expected the width and one or more"):
        fit_single_trace(stack, 1, x0=[3.0])
    with pytest.raises(ValueError, match="niter: expected 1 or more"):
        fit_all_traces(stack, niter=0)
    with pytest.raises(ValueError, match=r"ref_exp: expected 'auto'.*\[1, 2, 3\], found 7"):
        fit_all_traces(stack, ref_exp=7)
    with pytest.raises(TypeError, match="colour"):
        fit_all_traces(stack, colour="red")
    with pytest.raises(ValueError, match="degree_sn"):
        fit_params_by_sn(stack, degree_sn=((1, 2), (0,)))
    with pytest.raises(ValueError, match="huber_alpha: expected a positive"):
        FitOptions(huber_alpha=0.0)
    with pytest.raises(ValueError, match="wings"):
        FitOptions(wings=((1.0, 2.0),))


def test_usual_reference_that_does_not_exist_is_the_one_of_the_stack(caplog):
    case = make_slitlet(11, shape=(25, 8), nods=[1, 3])
    with caplog.at_level("INFO", logger="webbweave"):
        fits, _ = fit_all_traces(stack_of(case, reference=3), degree=0, verbose=False)
    assert list(fits) == [3, 1]
    assert "no nod 2, taking 3" in caplog.text


def test_nothing_valid_is_an_error_and_dead_columns_are_not():
    case = make_slitlet(12, shape=(25, 8))
    stack = stack_of(case)
    case.mask[:, case.xslit < 4] = False
    fit = fit_single_trace(stack_of(case), 1, degree=0, verbose=False)
    assert (fit["sden"][:4] == 0).all()
    assert (fit["sden"][4:] > 0).all()
    assert np.isnan(fit["smod"][:, :4]).all()
    case.mask[:] = False
    with pytest.raises(ValueError, match="nod 1: no pixel of the difference is valid"):
        fit_single_trace(stack_of(case), 1, degree=0)
    assert stack.mask is not None


@pytest.mark.parametrize("n", [2, 4, 6, 9])
@pytest.mark.parametrize(("grating", "fixed_slit"), [("PRISM", False), ("G140M", True)])
def test_any_number_of_exposures_without_noise_is_exact(n, grating, fixed_slit):
    case = make_slitlet(None, n_exposures=n, shape=(25, 8), grating=grating, fixed_slit=fixed_slit)
    fits, stack = fit_all_traces(
        stack_of(case), niter=8, ref_exp="auto", degree=0, force_positive=False, options=FREE
    )
    for fit in fits.values():
        assert fit["sigma"] == pytest.approx(0.6, abs=2e-3)  # the walls push it
        assert fit["trace_coeffs"] == pytest.approx([0.3], abs=1e-3)
        np.testing.assert_allclose(fit["snum"] / fit["sden"], case.column_flux(), rtol=2e-3)
    assert stack.n == n
