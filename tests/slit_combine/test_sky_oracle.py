"""Sky and offset of the shutters are those of msaexp in a real group."""

from __future__ import annotations

import numpy as np
import pytest
from stored_group import SHUTTER_SCALE, StoredGroup

from webbweave.slit_combine.shutter_offset import fit_shutter_offset
from webbweave.slit_combine.sky import estimate_sky


@pytest.fixture(scope="module")
def stored(shared_dir):
    return StoredGroup(shared_dir)


def run(stored, **options):
    group = stored.group
    names = ("sci", "mask", "var_total", "var_rnoise", "bar", "yslit", "wave")
    return estimate_sky(*(group[name] for name in names), stored.grid, **options)


@pytest.mark.parametrize("compat", [True, False])
def test_sky(stored, compat):
    fit, with_sky = run(stored, compat=compat), stored.with_sky
    data = fit.as_dict()
    assert data["npix"] == with_sky["sky_data__npix"] == 3704
    assert fit.flagged.sum() == 18
    assert (fit.kept.sum(), len(fit.kept), data["df"]) == (37, 51, 51)
    for name in ("spl_trim", "mask", "sky_wave"):
        np.testing.assert_array_equal(data[name], with_sky[f"sky_data__{name}"])
    np.testing.assert_array_equal(stored.group["mask"] & ~fit.flagged, with_sky["mask"])
    np.testing.assert_allclose(fit.coefficients, with_sky["sky_data__sky_coeffs"], rtol=1e-6)
    np.testing.assert_allclose(fit.sky2d, with_sky["sky_data__sky2d"], rtol=1e-6)
    model = with_sky["sky_data__sky_model"]
    np.testing.assert_array_equal(np.isnan(fit.model), np.isnan(model))
    if compat:
        np.testing.assert_allclose(fit.model, model, rtol=1e-6)
        np.testing.assert_allclose(fit.covariance, with_sky["sky_data__sky_covar"], rtol=1e-6)
    else:  # without the clipping of small values
        assert 1e-6 < np.nanmax(np.abs(fit.model / model - 1)) < 1e-3


@pytest.mark.parametrize("compat", [True, False])
def test_shutter_offset(stored, compat):
    group, sky = stored.group, stored.with_sky
    fit = fit_shutter_offset(
        sky["sci"],
        sky["mask"] & sky["sky_data__mask"],
        sky["var_rnoise"].astype(float) + group["var_poisson"],
        sky["bar"],
        sky["sky_data__sky2d"],
        group["slit_frame_y"] / SHUTTER_SCALE / 5,
        sky["wave"],
        stored.bar_model,
        compat=compat,
    )
    assert fit.offset == pytest.approx(-0.083, abs=5e-4)
    assert fit.chi2_init == pytest.approx(6150.9, abs=0.05)
    assert fit.fun == pytest.approx(6140.8, abs=0.05)
    assert len(fit.samples) == len(fit.sample_chi2) == fit.nfev
    assert (np.diff(fit.samples) >= 0).all()
