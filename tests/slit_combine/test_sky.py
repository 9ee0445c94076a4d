"""The sky of synthetic slitlets is found within its covariance."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic_slitlet import make_slitlet

from webbweave.slit_combine.sky import estimate_sky, outside_limits, sky_at
from webbweave.slit_combine.splines import design

GRID = np.linspace(0.5, 5.6, 200)


def yslit_of(slit):
    return slit.ypix - np.take_along_axis(slit.trace, slit.xslit[None].repeat(slit.n, 0), 1)


def run(slit, *, grid=GRID, **options):
    return estimate_sky(
        slit.sci,
        slit.mask,
        slit.var_total,
        slit.var_rnoise,
        slit.bar,
        yslit_of(slit),
        slit.wave,
        grid,
        **{"df": 13, **options},
    )


def test_noiseless_sky_is_itself():
    slit = make_slitlet(None, scale=0.0, shape=(25, 96))
    fit = run(slit)
    np.testing.assert_allclose(fit.sky2d, slit.sky, rtol=1e-3)
    inside = np.isfinite(fit.model)
    np.testing.assert_allclose(fit.model[inside], 0.4 + 0.1 * np.sin(2 * GRID[inside]), rtol=1e-3)
    assert GRID[inside][0] >= slit.wave[fit.used].min()
    assert GRID[inside][-1] <= slit.wave[fit.used].max()
    assert fit.as_dict(use=False)["use"] is False


def test_sky_is_within_its_covariance():
    at = np.linspace(1.0, 5.0, 9)
    truth = 0.4 + 0.1 * np.sin(2 * at)
    basis = design(np.interp(at, GRID, np.arange(200) / 200), 13, 0, 1).dense()
    pulls = {False: [], True: []}
    for seed in range(60):
        slit = make_slitlet(seed, gain=200.0)
        for compat, found in pulls.items():
            fit = run(slit, absolute_threshold=None, high_clip=99, compat=compat)
            rows = basis[:, fit.kept]
            error = np.sqrt(np.einsum("ij,jk,ik->i", rows, fit.covariance, rows))
            found.append((rows @ fit.coefficients - truth) / error)
    assert abs(np.mean(pulls[False])) < 0.2
    assert np.std(pulls[False]) == pytest.approx(1, abs=0.12)
    # What msaexp gives is the error of read noise alone.
    assert np.std(pulls[True]) > 1.5


def test_bad_pixels_are_found_and_do_not_pull():
    slit = make_slitlet(3, n_hot=0, scale=0.2)
    clean = run(slit)
    rng = np.random.default_rng(0)
    beside = np.flatnonzero(clean.used)
    planted = rng.choice(beside, 20, replace=False)
    slit.sci.flat[planted] += 0.35  # below the clip, so it is the fit that must withstand them
    fit = run(slit, high_clip=2)
    assert not fit.used.flat[planted].any()
    assert fit.flagged.flat[planted].mean() > 0.8
    assert np.nanmax(np.abs(fit.sky2d - clean.sky2d)) < 0.03
    assert run(slit, outlier_threshold=None).flagged.sum() == 0


def test_clean_groups_stay_clean():
    flagged = total = 0
    for seed in range(10):
        slit = make_slitlet(seed)
        # The extremes of the variance are left out whatever they are; here is none.
        flagged += run(slit, var_percentiles=None).flagged.sum()
        total += slit.mask.sum()
    assert flagged <= 0.001 * total


def test_known_spectrum_constant_and_one():
    slit = make_slitlet(4)
    known = GRID, 2 * (0.4 + 0.1 * np.sin(2 * GRID))
    constant = run(slit, df=0, sky_arrays=known)
    assert constant.coefficients.shape == (1,)
    assert abs(constant.coefficients[0] - 0.5) < 4 * np.sqrt(constant.covariance[0, 0])
    np.testing.assert_allclose(constant.sky2d, slit.sky, atol=0.01)
    one = run(slit, df=-1, sky_arrays=known)
    np.testing.assert_allclose(one.sky2d, sky_at(slit.wave, known))
    flat = run(slit, df=0)
    assert np.ptp(flat.sky2d) == 0
    assert flat.sky2d.flat[0] == pytest.approx(0.41, abs=0.03)
    spline = run(slit, df=5, sky_arrays=known)
    np.testing.assert_allclose(spline.sky2d, slit.sky, atol=0.03)


def test_outside_of_a_known_spectrum_is_no_sky():
    slit = make_slitlet(4)
    part = (GRID > 2) & (GRID < 3)
    fit = run(slit, df=4, sky_arrays=(GRID[part], np.ones(part.sum())))
    outside = (slit.wave < GRID[part][0]) | (slit.wave > GRID[part][-1])
    np.testing.assert_array_equal(np.isnan(fit.sky2d), outside)
    assert not fit.used[outside].any()


def test_levels_of_the_variance():
    slit = make_slitlet(5)
    most = run(slit, var_percentiles=None)
    counted = run(slit, var_percentiles=(-3, -3), absolute_threshold=None)
    assert 0 < most.used.sum() - counted.used.sum() <= 12
    parts = run(slit, var_percentiles=(30, 70))
    full = outside_limits(yslit_of(slit), [[-4.5, 4.5]]) & (slit.sci < 0.8)
    low, high = np.percentile(slit.var_total[full], [30, 70])
    usual = full & (slit.bar > 0.95) & (slit.var_total > low) & (slit.var_total < high)
    np.testing.assert_array_equal(parts.used, usual)


def test_few_pixels_are_no_sky():
    slit = make_slitlet(6)
    assert run(slit, mask_yslit=[[-50, 50]]) is None
    assert run(slit, high_clip=-5) is None
    assert run(slit, sky_arrays=([9.0, 10.0], [1.0, 1.0])) is None


def test_inputs_are_not_changed_and_may_be_single():
    slit = make_slitlet(7)
    planes = [a.astype("f4") for a in (slit.sci, slit.var_total, slit.var_rnoise, slit.bar)]
    copies = [a.copy() for a in planes]
    sci, total, rnoise, bar = planes
    single = estimate_sky(
        sci, slit.mask, total, rnoise, bar, yslit_of(slit), slit.wave, GRID, df=13
    )
    np.testing.assert_allclose(single.sky2d, run(slit).sky2d, rtol=1e-2)
    for now, before in zip(planes, copies, strict=True):
        np.testing.assert_array_equal(now, before)


def test_bad_input_is_refused():
    slit = make_slitlet(8)
    with pytest.raises(ValueError, match="pairs of ascending limits"):
        run(slit, mask_yslit=[[4, -4]])
    with pytest.raises(ValueError, match="two var_percentiles"):
        run(slit, var_percentiles=[5])
    with pytest.raises(ValueError, match="ascending wavelengths"):
        run(slit, sky_arrays=([2.0, 1.0], [1.0, 1.0]))
    with pytest.raises(ValueError, match="planes of the shape of the mask"):
        estimate_sky(slit.sci[:2], *[slit.mask] * 6, GRID)
    np.testing.assert_array_equal(
        outside_limits(np.array([-1.0, 0, 1, np.nan]), [[-1, 0.5]]), [True, False, True, True]
    )


def test_functions_are_dropped_whatever_the_noise():
    """Whether pixels tell of a function depends on where they are, not on what is in them."""
    slit = make_slitlet(4)
    known = GRID, 1e3 ** np.linspace(-1, 1, GRID.size)
    plain, scaled = run(slit, df=21), run(slit, df=21, sky_arrays=known)
    np.testing.assert_array_equal(plain.kept, scaled.kept)
    assert 4 < np.count_nonzero(plain.kept) < 21


def test_variances_beyond_percentiles_are_not_masked():
    slit = make_slitlet(4)
    counted = run(slit, var_percentiles=(-5, -5))
    shares = run(slit, var_percentiles=(5, 95))
    assert counted.flagged.sum() >= 10
    assert shares.used.sum() < 0.95 * counted.used.sum()
    assert shares.flagged.sum() < 5  # outliers only


def test_a_known_sky_is_compared_with_the_pixels():
    slit = make_slitlet(4)
    slit.sci[0, 40] = 0.79
    known = GRID, 0.4 + 0.1 * np.sin(2 * GRID)
    one = run(slit, df=-1, sky_arrays=known, absolute_threshold=0.2, mask_yslit=[])
    assert not one.used[0, 40]
    assert one.used.sum() > 500
