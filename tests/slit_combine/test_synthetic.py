"""The generator of slitlets is what the other tests stand on."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic_slitlet import NOD, make_slitlet


@pytest.mark.parametrize(("grating", "fixed_slit"), [("PRISM", False), ("G395M", True)])
@pytest.mark.parametrize("n", [2, 3, 9])
def test_slitlets_hold_what_was_put_in(grating, fixed_slit, n):
    case = make_slitlet(None, grating=grating, fixed_slit=fixed_slit, n_exposures=n)
    ny, nx = case.shape
    light = (case.sci - case.sky).reshape(n, ny, nx).sum(axis=1)
    np.testing.assert_allclose(light, np.tile(case.column_flux(), (n, 1)), rtol=2e-3)
    rows = np.arange(ny)[:, None]
    profile = case.profile.reshape(n, ny, nx)
    inside = (profile * rows).sum(axis=1) / profile.sum(axis=1)
    np.testing.assert_allclose(inside, case.trace, atol=2e-2)
    assert case.trace[1, 0] - case.trace[0, 0] == pytest.approx(NOD)
    assert (case.bar == 1.0).all() == fixed_slit


def test_noise_is_that_of_the_variances():
    case = make_slitlet(1)
    pulls = (case.sci - case.sky - case.flux * case.profile) / np.sqrt(case.var_total)
    assert abs(pulls.mean()) < 0.07
    assert pulls.std() == pytest.approx(1.0, abs=0.05)


def test_flaws_are_where_they_are_said_to_be():
    case = make_slitlet(2, n_hot=5, bad_fraction=0.1, late_fraction=0.05)
    assert case.hot.sum() == 15
    assert np.array_equal(np.isfinite(case.sci), case.mask)
    assert case.bkg_mask.mean() == pytest.approx(0.9, abs=0.02)
    assert (case.mask & ~case.bkg_mask).sum() == 0
    assert case.mask.sum() < case.bkg_mask.sum()
