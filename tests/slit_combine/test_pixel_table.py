"""The table of pixels of all exposures."""

from __future__ import annotations

import numpy as np
import pytest
from group_double import group_of, stored_group
from synthetic_slitlet import make_slitlet

from webbweave.errors import InputError
from webbweave.slit_combine.lookup_psf import LookupTablePSF
from webbweave.slit_combine.pixel_table import (
    WEIGHT_TYPES,
    get_flat_diff_arrays,
    pixel_weights,
    stack_pixel_tables,
)


def test_without_noise_the_pixels_are_source_times_profile():
    slitlet = make_slitlet(None, n_exposures=4)
    group = group_of(slitlet)
    table = get_flat_diff_arrays(group, fit=group.fit)
    assert len(table) == slitlet.mask.sum()
    assert list(dict.fromkeys(table["exposure_index"])) == [0, 3, 1, 2]  # nods 1, 1, 2, 3
    flux = slitlet.flux[0]  # the same in all exposures, there is no tilt
    for i in range(4):
        rows = table["exposure_index"] == i
        np.testing.assert_allclose(table["sci"][rows], flux * table["profile"][rows], atol=1e-12)
        np.testing.assert_allclose(table["wave"][rows], slitlet.wave[i])
        subtracted = slitlet.nod != slitlet.nod[i]
        want = slitlet.var_rnoise[i] + slitlet.var_rnoise[subtracted].sum(0) / subtracted.sum() ** 2
        np.testing.assert_allclose(table["var_rnoise"][rows], want)
        sky = (slitlet.sky + slitlet.flux * slitlet.profile)[subtracted].mean(axis=0)
        np.testing.assert_allclose(table["sky"][rows], sky)


def test_without_differences():
    slitlet = make_slitlet(None)
    group = group_of(slitlet, diffs=False)
    table = get_flat_diff_arrays(group, fit=group.fit)
    np.testing.assert_allclose(table["sci"], (slitlet.flux * slitlet.profile).ravel(), atol=1e-12)
    np.testing.assert_allclose(table["sky"], slitlet.sky.ravel())
    np.testing.assert_allclose(table["var_total"], slitlet.var_total.ravel())


def test_masks_of_both_sides_count():
    slitlet = make_slitlet(2, bad_fraction=0.05, late_fraction=0.05)
    group = group_of(slitlet)
    table = get_flat_diff_arrays(group, fit=group.fit)
    for i in range(3):
        others = [k for k in range(3) if k != i]
        usable = slitlet.mask[i] & slitlet.mask[others].any(axis=0)
        assert (table["exposure_index"] == i).sum() == usable.sum()
    full = get_flat_diff_arrays(group, apply_mask=False, fit=group.fit)
    assert len(full) == slitlet.mask.size
    assert full["mask"].sum() == len(table)
    kept = full[full["mask"]]
    for name in table.colnames:
        np.testing.assert_array_equal(kept[name], table[name])


def test_late_flags_do_not_halve_the_sky():
    """Pixels flagged late leave numerator and denominator; in msaexp the numerator only."""
    slitlet = make_slitlet(None, late_fraction=0.1, scale=0.0)
    sky = {}
    for compat in (False, True):
        group = group_of(slitlet)
        group.compat = compat
        table = get_flat_diff_arrays(group)
        sky[compat] = table["sky"] / 0.4
        if not compat:
            np.testing.assert_allclose(table["sci"], 0, atol=1e-12)
    assert sky[False].min() > 0.7
    assert sky[True].min() < 0.63


def test_profile_is_one_without_a_fit():
    table = get_flat_diff_arrays(group_of(make_slitlet(1)))
    assert (table["profile"] == 1).all()
    assert (table["pathloss"] == 1).all()
    assert table.meta["WITHPATH"][0] is False


def test_path_loss_is_that_of_each_exposure():
    slitlet = make_slitlet(1)
    group = group_of(slitlet)
    assert (get_flat_diff_arrays(group, fit=group.fit, with_pathloss=True)["pathloss"] == 1).all()
    group.lookup_prf = psf = LookupTablePSF()
    table = get_flat_diff_arrays(group, fit=group.fit, with_pathloss=True)
    for i, place in enumerate((-0.2, 0.0, 0.2)):
        rows = table["exposure_index"] == i
        want = psf.path_loss(table["wave"][rows], slitlet.sigma, place)
        np.testing.assert_allclose(table["pathloss"][rows], want, rtol=1e-12)
        assert table.meta[f"XPOS{i}"][0] == pytest.approx(place)
    assert table.meta["WITHPATH"][0] is True
    assert (get_flat_diff_arrays(group, with_pathloss=True)["pathloss"] == 1).all()
    assert (get_flat_diff_arrays(group, fit=group.fit)["pathloss"] == 1).all()


def test_columns_have_the_type_asked_for():
    group = group_of(make_slitlet(1))
    table = get_flat_diff_arrays(group, apply_mask=False, float_dtype=np.float32)
    assert table["sci"].dtype == np.float32
    assert table["mask"].dtype == bool
    assert table["exposure_index"].dtype.kind == "i"


def test_nothing_given_is_changed():
    slitlet = make_slitlet(1)
    group = group_of(slitlet)
    before = {k: v.copy() for k, v in vars(group).items() if isinstance(v, np.ndarray)}
    table = get_flat_diff_arrays(group, fit=group.fit)
    for name in table.colnames:
        table[name] = 0
    for name, array in before.items():
        np.testing.assert_array_equal(getattr(group, name), array)


def test_a_fit_of_other_nods_is_refused():
    group = group_of(make_slitlet(1))
    with pytest.raises(KeyError, match="no nod 1, only"):
        get_flat_diff_arrays(group, fit={7: {}})


@pytest.mark.parametrize("weight_type", WEIGHT_TYPES)
def test_weights(weight_type):
    table = get_flat_diff_arrays(group_of(make_slitlet(1)))
    want = {
        "ivm": 1 / table["var_rnoise"],
        "poisson": 1 / table["var_total"],
        "exptime": table["exptime"],
        "exptime_bar": table["exptime"] * table["bar"] ** 2,
        "mask": np.ones(len(table)),
    }[weight_type]
    np.testing.assert_allclose(pixel_weights(table, weight_type), want)


def test_weight_with_bars_is_an_inverse_variance():
    slitlet = make_slitlet(1, gain=1e9)
    table = get_flat_diff_arrays(group_of(slitlet, diffs=False))
    product = pixel_weights(table, "exptime_bar") * table["var_rnoise"]
    np.testing.assert_allclose(product, product[0], rtol=1e-9)


def test_unknown_weights_are_refused():
    with pytest.raises(ValueError, match=r"weight_type: expected one of ivm, .*found 'snr'"):
        pixel_weights({}, "snr")


def test_stacks_count_exposures_on():
    group = group_of(make_slitlet(1))
    table = get_flat_diff_arrays(group, fit=group.fit)
    both = stack_pixel_tables([table, table], [3, 3])
    assert len(both) == 2 * len(table)
    assert set(both["exposure_index"]) == set(range(6))
    assert both.meta["XPOS5"] == table.meta["XPOS2"]
    with pytest.raises(InputError, match="no table"):
        stack_pixel_tables([], [])
    with pytest.raises(InputError, match="have columns"):
        stack_pixel_tables([table, table["sci", "wave"]], [3, 3])


def test_parity(shared_dir):
    group = stored_group(shared_dir)
    stored = np.load(shared_dir / "oracle/slit_combine/06_pixtab_gauss.npz")
    table = get_flat_diff_arrays(group, fit=group.fit)
    assert len(table) == 13919
    assert table.colnames == stored.files
    for name in table.colnames:
        np.testing.assert_allclose(table[name], stored[name], rtol=1e-9, err_msg=name)
