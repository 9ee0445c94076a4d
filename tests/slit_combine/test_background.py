"""Background spectra scale to a group."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic_slitlet import make_slitlet

from webbweave.slit_combine.background import background_sky, fit_background_scale


def yslit_of(slit):
    return slit.ypix - np.take_along_axis(slit.trace, slit.xslit[None].repeat(slit.n, 0), 1)


def test_background_has_the_corrections_of_the_flux():
    wave = np.array([[1.5, 4.0, 0.5], [2.0, 2.5, np.nan]])
    phot, loss = np.full((2, 3), 6.0), np.full((2, 3), 2.0)
    spectrum = [1.0, 2.0, 3.0], [0.1, 0.2, 0.4], [0.01, 0.01, 0.03]
    sky, variance = background_sky(
        wave, phot, loss, [(*spectrum, 4e-13), (*spectrum, 2e-13)], [2e-13, 4e-13]
    )
    np.testing.assert_allclose(sky, [[0.15 * 6, 0, 0], [0.2 * 1.5, 0.3 * 1.5, np.nan]])
    error = np.array([[0.01 * 6, 0, 0], [0.01 * 1.5, 0.02 * 1.5, np.nan]])
    np.testing.assert_allclose(variance, error**2 + (0.03 * sky) ** 2)
    with pytest.raises(ValueError, match="1 background spectra and 2 pixel areas for 2"):
        background_sky(wave, phot, loss, [(*spectrum, 4e-13)], [1e-13, 1e-13])


def run(slit, background, **options):
    return fit_background_scale(
        slit.sci,
        background,
        slit.var_total,
        slit.mask,
        yslit_of(slit),
        slit.wave,
        **{"df": 5, "resid_limits": (-9, 9), **options},
    )


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"by_wavelength": True},
        {"poly": True, "df": 2},
        {"wsteps": [0.6, 2, 3, 4, 5.3]},
    ],
)
def test_scale_is_found(options):
    slit = make_slitlet(2, read_noise=0.02)
    truth = 0.9 + 0.05 * slit.wave
    fit = run(slit, slit.sky / truth, **options)
    np.testing.assert_allclose(fit.scale, truth, rtol=0.03)
    assert fit.n_pixel > 500


@pytest.mark.parametrize("poly", [False, True])
def test_steps_are_percentiles_of_all_wavelengths(poly):
    """As in msaexp: of masked pixels too, and for polynomials as for splines."""
    slit = make_slitlet(2)
    slit.wave[0, :5] = np.nan
    slit.mask[:, slit.xslit < 20] = False
    steps = np.nanpercentile(slit.wave, np.linspace(0, 100, 17))
    fits = [
        run(slit, slit.sky / 0.9, poly=poly, **options).scale
        for options in ({}, {"wsteps": steps}, {"by_wavelength": True})
    ]
    np.testing.assert_array_equal(fits[0], fits[1])
    assert np.nanmax(np.abs(fits[0] - fits[2])) > 1e-3


def test_constant_scale_is_within_its_error():
    slit = make_slitlet(3)
    fit = run(slit, slit.sky / 1.1, df=0)
    assert fit.coefficients.shape == (1,)
    assert np.ptp(fit.scale) == 0
    error = np.sqrt(1 / np.sum((slit.sky / 1.1) ** 2 / slit.var_total) * 2)
    assert abs(fit.scale.flat[0] - 1.1) < 5 * error


def test_outliers_and_the_source_are_left_out():
    slit = make_slitlet(4, n_hot=20)
    fit = run(slit, slit.sky, resid_limits=(-3, 5))
    np.testing.assert_allclose(fit.scale, 1, atol=0.1)
    all_rows = run(slit, slit.sky, mask_yslit=[], resid_limits=(-1e9, 1e9))
    assert np.abs(all_rows.scale - 1).max() > 0.2


def test_wavelengths_that_are_missing_have_no_scale():
    slit = make_slitlet(5)
    slit.wave[:, :48] = np.nan
    fit = run(slit, slit.sky)
    np.testing.assert_array_equal(np.isnan(fit.scale), np.isnan(slit.wave))


def test_few_pixels_make_no_scale():
    slit = make_slitlet(6)
    assert run(slit, slit.sky, mask_yslit=[[-99, 99]]) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"df": -1}, "no negative number of functions"),
        ({"df": 3}, "at least 4 functions"),
        ({"resid_limits": (5, -3)}, "ascending resid_limits"),
        ({"mask_yslit": [[1, 1]]}, "ascending limits"),
        ({"wsteps": [3, 2]}, "ascending wavelengths"),
    ],
)
def test_bad_input_is_refused(options, message):
    slit = make_slitlet(7)
    with pytest.raises(ValueError, match=message):
        run(slit, slit.sky, **options)
