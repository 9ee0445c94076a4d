"""Nod differences: parity with the peer, and what they are."""

from __future__ import annotations

import json

import numpy as np
import pytest
from slit_stacks import stack_of
from synthetic_slitlet import make_slitlet

from webbweave.slit_combine.differences import make_diff_image, nod_difference
from webbweave.slit_combine.options import FitOptions
from webbweave.slit_combine.stack import SlitStack

PEER = FitOptions.peer()
NAMES = ("ipos", "ineg", "diff", "bdiff", "vdiff", "wdiff")


@pytest.mark.parametrize(
    "name", ["02_group_testkw", "02b_group_defaults", "04_fit_gauss_deg0", "08_sky"]
)
@pytest.mark.parametrize("nod", [1, 2, 3])
def test_differences_are_those_of_the_peer(peer_stack, peer_results, name, nod):
    stored = np.load(peer_results / f"{name}.npz")
    for key, found in zip(NAMES, make_diff_image(peer_stack(name), nod, options=PEER), strict=True):
        np.testing.assert_array_equal(found, stored[f"diffimg{nod}__{key}"], err_msg=key)


def test_nods_are_those_of_the_peer(peer_stack, peer_results):
    expected = json.loads((peer_results / "02_group_testkw.json").read_text())["unp"]
    nods = peer_stack().nods
    assert nods.values == expected["values"]
    assert nods.indices.tolist() == expected["indices"]
    assert nods.counts == expected["counts"]


def test_masks_of_the_background_matter_in_real_data(peer_stack):
    """72 pixels of the real slitlet have their background too faint by one or two sigma."""
    stack = peer_stack()
    peer, ours = (nod_difference(stack, 2, options) for options in (PEER, FitOptions()))
    with np.errstate(invalid="ignore"):
        bias = np.abs(peer.diff - ours.diff) / np.sqrt(ours.variance)
    changed = bias[bias > 1e-9]
    assert 10 < changed.size < 72
    assert 0.5 < np.median(changed) < 3.0


def test_a_difference_is_unbiased_and_has_its_variance():
    case = make_slitlet(1, n_exposures=6, bad_fraction=0.1, late_fraction=0.05)
    truth = case.flux * case.profile
    d = nod_difference(stack_of(case), 2)
    assert d.ipos.tolist() == [False, True, False] * 2
    good = case.mask
    with np.errstate(invalid="ignore"):
        mean = [(truth * good)[i].sum(axis=0) / good[i].sum(axis=0) for i in (d.ipos, d.ineg)]
        pulls = (d.diff - (mean[0] - mean[1])) / np.sqrt(d.variance)
    pulls = pulls[np.isfinite(pulls)]
    assert pulls.size > 0.9 * truth.shape[1]
    assert np.std(pulls) == pytest.approx(1.0, abs=0.07)
    assert (d.read_variance <= d.variance)[np.isfinite(d.variance)].all()


def test_sides_are_what_differences_are_made_of():
    stack = stack_of(make_slitlet(2))
    together, apart = make_diff_image(stack, 3), make_diff_image(stack, 3, separate=True)
    for k, sign in ((2, -1), (3, -1), (4, 1), (5, 1)):
        np.testing.assert_array_equal(together[k], apart[k][0] + sign * apart[k][1])
    alone = make_diff_image(stack_of(make_slitlet(2), diffs=False), 3)
    assert not alone[1].any()
    np.testing.assert_array_equal(alone[2], apart[2][0])


def test_nothing_is_subtracted_from_one_nod():
    stack = stack_of(make_slitlet(3, nods=[2, 2]))
    assert stack.diffs
    assert not stack.diffs_applied
    assert not nod_difference(stack, 2).ineg.any()
    assert stack_of(make_slitlet(3)).diffs_applied


def test_inputs_stay_as_they_are():
    case = make_slitlet(4)
    stack = stack_of(case)
    before = {name: np.copy(getattr(stack, name)) for name in ("data", "mask", "var_total")}
    for options in (PEER, FitOptions()):
        make_diff_image(stack, 1, options=options)
    for name, array in before.items():
        np.testing.assert_array_equal(getattr(stack, name), array)
        getattr(stack, name).setflags(write=False)
    make_diff_image(stack, 1)


def test_bad_stacks_are_named():
    case = make_slitlet(5, shape=(25, 4))
    good = {
        "shape": case.shape,
        "data": case.sci,
        "mask": case.mask,
        "var_total": case.var_total,
        "var_rnoise": case.var_rnoise,
        "wave": case.wave,
        "psf_fwhm": np.ones_like(case.wave),
        "base_coeffs": case.base_coeffs,
        "nods": case.nod,
    }
    assert SlitStack.build(**good).n == 3
    for name, value, message in (
        ("data", case.sci[:2], r"data: expected an array of shape \(3, 100\), found \(2, 100\)"),
        ("wave", case.wave[:, :7], r"wave: expected .* found \(3, 7\)"),
        ("base_coeffs", case.base_coeffs[:2], r"base_coeffs: expected one per exposure \(3\)"),
        ("nods", [1, 2], "expected"),
    ):
        with pytest.raises(ValueError, match=message):
            SlitStack.build(**{**good, name: value})
    with pytest.raises(ValueError, match=r"reference: expected one of the nods \[1, 2, 3\]"):
        SlitStack.build(**good, reference=5)
    with pytest.raises(KeyError, match="5 is none of"):
        make_diff_image(SlitStack.build(**good), 5)
