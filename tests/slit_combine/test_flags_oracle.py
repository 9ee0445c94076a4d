"""The tests for bad pixels find what msaexp found in a real group, pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
from stored_group import SHAPE, StoredGroup

from webbweave.slit_combine import flags


@pytest.fixture(scope="module")
def stored(shared_dir):
    return StoredGroup(shared_dir)


def test_trace_outliers(stored):
    found = flags.trace_outliers(stored.data, stored.var_total, stored.yslit, stored.wave)
    assert found.sum() == 48
    np.testing.assert_array_equal(stored.mask & ~found, stored.flags["trace_outliers__mask"])


def test_the_group_is_what_all_tests_leave(stored):
    # Where the hot pixels are masked first, as in the stored group.
    data = np.where(np.isfinite(stored.group["sci"]), stored.data, np.nan)
    mask = stored.mask & np.isfinite(data)
    outlier = flags.trace_outliers(data, stored.var_total, stored.yslit, stored.wave)
    assert outlier.sum() == 47
    mask &= ~outlier
    data[~mask] = np.nan
    outlier, level = flags.percentile_outliers(data, stored.yslit, SHAPE)
    assert not outlier.any()
    assert level == pytest.approx(1.229, abs=1e-3)
    mask &= ~flags.multiple_mask(mask)
    np.testing.assert_array_equal(mask, stored.group["mask"])
    assert mask.sum() == 13919


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("percentile", {}),
        ("percentile_tight", {"levels": [0.9, 0.98, 0.999], "scale": 1, "dilate": False}),
    ],
)
def test_percentile_outliers(stored, name, options):
    found, level = flags.percentile_outliers(stored.data, stored.yslit, SHAPE, **options)
    assert level == pytest.approx(float(stored.flags[f"{name}__level"]), rel=1e-12)
    np.testing.assert_array_equal(found, stored.flags[f"{name}__outlier"])
    np.testing.assert_array_equal(stored.mask & ~found, stored.flags[f"{name}__mask"])


@pytest.mark.parametrize(
    ("name", "options"),
    [("from_profile", {}), ("from_profile_single", {"grow": 1, "require_multiple": False})],
)
def test_profile_outliers(stored, name, options):
    found = flags.profile_outliers(stored.data, stored.var_total, stored.yslit, **options)
    np.testing.assert_array_equal(stored.mask & ~found, stored.flags[f"{name}__mask"])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("hot_cold", {}),
        ("hot_cold_pct", {"cold": 2, "hot": 98, "absolute": False, "dilate": flags.PLUS}),
    ],
)
def test_hot_cold_pixels(stored, name, options):
    found = flags.hot_cold_pixels(stored.data, SHAPE, n_position=3, compat=True, **options)
    ours = flags.hot_cold_pixels(stored.data, SHAPE, n_position=3, **options)
    np.testing.assert_array_equal(ours.flag, found.flag)  # they differ from four exposures on
    np.testing.assert_array_equal(found.flag, stored.flags[f"{name}__flag"])
    assert found.n_cold == np.sum(found.flag & 1 != 0)
    assert found.n_hot == np.sum(found.flag & 2 != 0)


@pytest.mark.parametrize(
    ("name", "options"),
    [("2d", {"threshold": [-10, 10], "trim_multiples": True}), ("2d_5", {})],
)
def test_outliers_2d(stored, name, options):
    found = flags.outliers_2d(stored.sci, stored.var_total, stored.wave[0], SHAPE, **options)
    np.testing.assert_array_equal(~found, stored.flags[f"{name}__valid"])
    np.testing.assert_array_equal(stored.mask & ~found, stored.flags[f"{name}__mask"])


def test_stuck_shutters(stored):
    found = flags.stuck_shutters(
        stored.sci, stored.var_total, stored.mask, stored.bar, stored.shutter
    )
    assert found.shutters == (-1, 0, 1)
    assert found.bad == ()
    good = ~flags.bad_shutter_pixels(stored.shutter, found.bad)
    np.testing.assert_array_equal(stored.mask & good, stored.flags["stuck__mask"])
