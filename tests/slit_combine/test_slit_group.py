"""The group: what it makes of files and arrays, what each argument does, what it refuses."""

from __future__ import annotations

import copy
import logging
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from slit_arrays import exposure_arrays, group_arrays
from synthetic_slitlet import make_slitlet

from webbweave.datamodels import read_model
from webbweave.errors import InputError
from webbweave.slit_combine import (
    MaskBit,
    SlitGroup,
    combine_grating_group,
    reference,
    set_lookup_prf,
)

#: The middle shutter of each exposure, counted from that of the source.
STEPS = {"x11": -1, "1x1": 0, "11x": 1}
#: Nothing that looks at the pixels of synthetic slitlets, whose bars are others.
PLAIN = {
    "undo_barshadow": False,
    "min_bar": None,
    "bad_shutter_names": [],
    "flag_trace_kwargs": None,
    "flag_percentile_kwargs": None,
    "slit_hotpix_kwargs": None,
    "with_extra_dq": False,
    "pad_border": 0,
    "do_multiple_mask": False,
    "sky_file": None,
}


@pytest.fixture(scope="module")
def slitlet():
    return make_slitlet(3, shape=(25, 64), bad_fraction=0.01)


@pytest.fixture(scope="module")
def group(example_files):
    return SlitGroup(example_files, "1345_933")


@pytest.fixture(scope="module")
def models(example_files):
    """The bundled exposures, opened once: their WCS are evaluated faster then."""
    return [read_model(path, lazy_wcs=True) for path in example_files]


@pytest.fixture
def make(models):
    def made(files=None, **options) -> SlitGroup:
        return SlitGroup(models if files is None else files, "1345_933", **options)

    return made


def plain(slitlet, **options) -> SlitGroup:
    return SlitGroup.from_arrays(group_arrays(slitlet), **{**PLAIN, **options})


def changed(slitlet, i=0, **entries):
    """The exposures of a slitlet, one of them with other entries (None: without)."""
    exposures = group_arrays(slitlet)
    for name, value in entries.items():
        *parents, last = name.split("__")
        node = exposures[i]
        for parent in parents:
            node = node[parent]
        if value is None:
            del node[last]
        else:
            node[last] = value
    return exposures


# What goes in comes out


def test_arrays_come_out_in_microjansky(slitlet):
    made = plain(slitlet)
    assert made.N == 3
    assert made.sh == slitlet.shape
    assert made.sci.dtype == np.float64
    # Where noise is far below zero, pixels are masked.
    assert (made.mask & ~slitlet.mask).sum() == 0
    assert np.count_nonzero(made.mask) > 0.98 * np.count_nonzero(slitlet.mask)
    used = made.mask
    np.testing.assert_allclose(made.sci[used], slitlet.sci[used], rtol=1e-12)
    np.testing.assert_allclose(made.var_total[used], slitlet.var_total[used], rtol=1e-12)
    np.testing.assert_allclose(made.wave, slitlet.wave)
    np.testing.assert_allclose(made.dwave_dx, slitlet.dwave_dx)
    assert made.var is made.var_total


def test_traces_are_those_of_the_exposures(slitlet):
    from_wcs = plain(slitlet, trace_from_yoffset=False)
    np.testing.assert_allclose(from_wcs.base_coeffs, slitlet.base_coeffs, atol=1e-9)
    # The offsets of the dither and the size of a pixel say the same.
    from_dither = plain(slitlet)
    np.testing.assert_allclose(from_dither.base_coeffs, slitlet.base_coeffs, atol=1e-9)
    np.testing.assert_allclose(from_dither.relative_nod_offset, [-5.06, 0, 5.06], atol=1e-9)
    assert from_dither.calc_reference_exposure == 2
    middle = np.abs(from_dither.yslit[0].reshape(slitlet.shape)).argmin(axis=0)
    expected = np.polyval(slitlet.base_coeffs[0], (np.arange(64) - 32) / 64)
    np.testing.assert_allclose(middle, expected, atol=0.5 + 1e-9)


def test_source_ypos_moves_the_trace(slitlet):
    made, moved = plain(slitlet), plain(slitlet, trace_with_ypos=True)
    pixels = 0.1 / 0.2284
    assert made.source_ypixel_position == pytest.approx(pixels)
    np.testing.assert_allclose(made.yslit - moved.yslit, pixels, atol=1e-9)


def test_trace_polynomials_can_be_changed(slitlet):
    made = plain(slitlet)
    made.set_trace_coeffs(degree=1)
    assert [coeffs.size for coeffs in made.base_coeffs] == [2, 2, 2]
    made.set_trace_coeffs()
    before = made.yslit.copy()
    made.trace_coeffs[1] = np.array([0.25])
    made.update_trace_from_coeffs()
    np.testing.assert_allclose(before[1] - made.yslit[1], 0.25)
    assert np.array_equal(before[[0, 2]], made.yslit[[0, 2]])
    with pytest.raises(ValueError, match="degree"):
        made.set_trace_coeffs(degree=-1)


def test_the_frame_of_the_first_exposure_holds_for_all(slitlet):
    """Each exposure counts shutters from that of its source; the bars do not move."""
    made = plain(slitlet)
    first, *others = made.slit_frame_y
    for other in others:
        np.testing.assert_allclose(other, first, atol=0.012)  # 5.06 px are 1.156, not 1.15
    own = made.slits[2].slit_y.ravel()
    assert np.median(first - own) == pytest.approx(2 * 1.15, abs=0.012)
    np.testing.assert_allclose(
        made.fixed_yshutter[0][made.mask[0]], (first / 0.2284 / 5)[made.mask[0]]
    )


def test_models_and_files_are_the_same(make, example_files, group):
    models = [read_model(path) for path in example_files]
    before = [copy.deepcopy(np.asarray(model.dq)) for model in models]
    made = make(models)
    assert np.array_equal(made.mask, group.mask)
    assert np.array_equal(made.sci, group.sci, equal_nan=True)
    for model, dq in zip(models, before, strict=True):
        assert np.array_equal(model.dq, dq)


def test_dictionaries_are_not_changed(slitlet):
    exposures = group_arrays(slitlet)
    before = copy.deepcopy(exposures)
    SlitGroup.from_arrays(exposures, sky_file=None)
    for found, expected in zip(exposures, before, strict=True):
        np.testing.assert_equal(found, expected)


def test_two_groups_in_threads_are_those_in_sequence(slitlet, make, group):
    other = plain(slitlet)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(make)
        second = pool.submit(plain, slitlet)
    for found, expected in ((first.result(), group), (second.result(), other)):
        assert np.array_equal(found.sci, expected.sci, equal_nan=True)
        assert np.array_equal(found.mask_bits, expected.mask_bits)
        assert found.meta == expected.meta


# The tests of pixels


def test_every_masked_pixel_says_why(group):
    assert np.array_equal(group.mask, group.mask_bits == 0)
    found = np.bitwise_or.reduce(group.mask_bits, axis=None)
    for bit in (MaskBit.DQ, MaskBit.BORDER, MaskBit.BAR, MaskBit.TRACE):
        assert found & bit
    assert not found & MaskBit.HOT_COLD
    assert not (group.mask & ~group.bkg_mask).any()


def test_planted_bad_pixels_are_masked_for_their_reason(slitlet):
    exposures = changed(slitlet)
    first = exposures[0]
    unit = 0.485
    first["dq"][:] = 0
    first["dq"][10, 20] = 536870912  # light of a shutter that failed open
    first["data"][12, 30] = 0.0
    first["data"][14, 30] = np.nan
    first["data"][16, 30] = 20000.0
    first["data"][18, 30] = -50.0
    first["var_rnoise"][20, 30] = 1.0 / unit**2
    made = SlitGroup.from_arrays(exposures, **PLAIN)
    bits = made.mask_bits[0].reshape(slitlet.shape)
    for y, x in ((10, 20), (9, 20), (11, 20), (10, 19), (10, 21)):
        assert bits[y, x] & MaskBit.FAILED_OPEN
    assert not bits[9, 19] & MaskBit.FAILED_OPEN
    assert bits[12, 30] & MaskBit.NOT_FINITE
    assert bits[14, 30] & MaskBit.NOT_FINITE
    assert bits[16, 30] & MaskBit.TOO_BRIGHT
    assert bits[18, 30] & MaskBit.TOO_NEGATIVE
    assert bits[20, 30] & MaskBit.NOISY
    assert made.dq[0].reshape(slitlet.shape)[12, 30] == 1
    wider = SlitGroup.from_arrays(exposures, **{**PLAIN, "dilate_failed_open": 2})
    bits = wider.mask_bits[0].reshape(slitlet.shape)
    assert bits[9, 19] & MaskBit.FAILED_OPEN
    none = SlitGroup.from_arrays(exposures, **{**PLAIN, "dilate_failed_open": False})
    bits = none.mask_bits[0].reshape(slitlet.shape)
    assert bits[10, 20] == MaskBit.DQ
    assert bits[9, 20] == 0


def test_a_source_brighter_than_the_limit_is_kept(slitlet):
    exposures = changed(slitlet)
    for exposure in exposures:
        exposure["data"] *= 1e5
        for name in ("var_rnoise", "var_poisson"):
            exposure[name] *= 1e10
    made = SlitGroup.from_arrays(exposures, **PLAIN)
    assert not (made.mask_bits & MaskBit.TOO_BRIGHT).any()
    assert made.mask.mean() > 0.9


def test_border_of_the_slit_is_padded(slitlet):
    exposures = changed(slitlet)
    for exposure in exposures:
        exposure["wave"][:4] = np.nan
    made = SlitGroup.from_arrays(exposures, **{**PLAIN, "pad_border": 2})
    border = (made.mask_bits[0] & MaskBit.BORDER).reshape(slitlet.shape) > 0
    assert border[:6].all()
    assert not border[6:].any()


def test_extra_bad_pixels_are_masked(slitlet):
    rows, columns = np.divmod(reference.bad_pixels("NRS1")[0], 2048)
    (chosen,) = np.nonzero((columns > 500) & (columns < 1500) & (rows > 100) & (rows < 1500))
    y, x = int(rows[chosen[3]]), int(columns[chosen[3]])
    exposures = [
        {**exposure, "xstart": x - 9, "ystart": y - 4} for exposure in group_arrays(slitlet)
    ]
    made = SlitGroup.from_arrays(exposures, **{**PLAIN, "with_extra_dq": True})
    bits = made.mask_bits[0].reshape(slitlet.shape)
    assert bits[5, 10] & MaskBit.EXTRA_DQ
    edge = [{**exposure, "xstart": 2000} for exposure in group_arrays(slitlet)]
    made = SlitGroup.from_arrays(edge, **{**PLAIN, "with_extra_dq": True})
    bits = made.mask_bits[0].reshape(slitlet.shape) & MaskBit.EXTRA_DQ
    # The last column that is used is 2038, counted from 0.
    assert not bits[:, 39].all()
    assert bits[:, 40:].all()


def test_hot_pixels_of_an_exposure_are_flagged(slitlet):
    exposures = changed(slitlet)
    exposures[1]["dq"][:] = 0
    exposures[1]["data"][3:8, 5:10] = 0.1
    exposures[1]["data"][5, 7] = 400.0
    made = SlitGroup.from_arrays(exposures, **{**PLAIN, "slit_hotpix_kwargs": {}})
    dq, count, status = made.flagged_hot_pixels[1]
    assert (count, status) == (1, 2)
    assert (dq & 2048 > 0).sum() == 5  # with its four neighbours
    assert not made.mask[1].reshape(slitlet.shape)[5, 7]
    few = SlitGroup.from_arrays(exposures, **{**PLAIN, "slit_hotpix_kwargs": {"max_flagged": 1}})
    assert few.flagged_hot_pixels[1][2] == 1
    assert few.mask[1].reshape(slitlet.shape)[5, 6]


def test_pixels_that_are_bad_in_most_exposures_are_bad_in_all(slitlet):
    made = plain(slitlet)
    exposures = group_arrays(slitlet)
    for i in (0, 2):
        exposures[i]["dq"][7, 7] = 1
    exposures[0]["dq"][9, 9] = 1
    options = {**PLAIN, "do_multiple_mask": True}
    bits = SlitGroup.from_arrays(exposures, **options).mask_bits.reshape(3, *slitlet.shape)
    assert made.mask.reshape(3, *slitlet.shape)[1, 7, 7]
    assert bits[1, 7, 7] == MaskBit.MULTIPLE
    assert bits[1, 9, 9] & MaskBit.MULTIPLE == 0


def test_hot_and_cold_counts(slitlet):
    """What is hot in two exposures is masked in all; the counts are not swapped."""
    exposures = group_arrays(slitlet)
    for i in (0, 1):
        exposures[i]["data"][5, 30] = 300.0
        exposures[i]["dq"][5, 30] = 0
    options = {**PLAIN, "hot_cold_kwargs": {"hot_percentile": 100.0, "cold_percentile": -100.0}}
    made = SlitGroup.from_arrays(exposures, **options)
    assert (made.meta["nhot"], made.meta["ncold"]) == (1, 0)
    assert not made.mask.reshape(3, *slitlet.shape)[:, 5, 30].any()
    peer = SlitGroup.from_arrays(exposures, **options, compat=True)
    assert (peer.meta["nhot"], peer.meta["ncold"]) == (0, 1)


def test_methods_of_flags_keep_or_change_the_mask(slitlet):
    made = plain(slitlet)
    before = made.mask.copy()
    made.flag_hot_cold_pixels(dilate=1)
    _, level = made.flag_percentile_outliers(update=False)
    assert np.isfinite(level)
    valid = made.flag_2d_outliers(in_place=False)
    assert valid.shape == (before.shape[1],)
    assert np.array_equal(made.mask, before)
    made.flag_2d_outliers(threshold=(-3, 3))
    assert (before & ~made.mask).any()
    assert ((made.mask_bits[before & ~made.mask] & MaskBit.TWO_D) > 0).all()
    made.flag_from_profile()
    once = made.mask.copy()
    made.flag_from_profile()
    assert not (made.mask & ~once).any()  # flags only add


def test_groups_travel_to_other_processes(slitlet):
    made = SlitGroup.from_arrays(group_arrays(slitlet), lookup_prf=set_lookup_prf())
    made.fit_all_traces(degree=0, evaluate=True, x0=[6.0, 0.3], verbose=False)
    sent = pickle.dumps(made)
    there = pickle.loads(sent)
    assert len(pickle.dumps(made.lookup_prf)) < 1000  # the tables stay where they are
    assert repr(there.lookup_prf) == repr(made.lookup_prf)
    for name in ("sci", "mask", "var_total", "yslit", "wave"):
        assert np.array_equal(getattr(made, name), getattr(there, name), equal_nan=True)
    again = there.fit_all_traces(degree=0, evaluate=True, x0=[6.0, 0.3], verbose=False)
    once = made.fit_all_traces(degree=0, evaluate=True, x0=[6.0, 0.3], verbose=False)
    for exp, fit in once.items():
        assert np.array_equal(fit["smod"], again[exp]["smod"], equal_nan=True)


def test_few_exposures_are_not_tested_against_their_own_median(caplog):
    pair = make_slitlet(5, n_exposures=2, shape=(25, 64), scale=3.0)
    made, peer = (
        SlitGroup.from_arrays(group_arrays(pair), compat=compat) for compat in (False, True)
    )
    before = made.mask.copy()
    assert made.flag_2d_outliers().all()
    assert np.array_equal(made.mask, before)
    assert "flag_2d_outliers" in made.meta["skipped"]
    assert "2 exposures without a fit" in caplog.text
    trace = np.abs(peer.yslit[0]) < 2
    assert not peer.flag_2d_outliers()[trace].all()  # the source is flagged
    fit = made.fit_all_traces(degree=0, verbose=False)
    y, x = 6, 11
    for one in fit.values():
        one["diff"][y * 64 + x] = 100.0
    assert not made.flag_2d_outliers(tfit=fit).reshape(pair.shape)[y, x]


def test_wings_reach_the_fits_of_all_traces(slitlet):
    made = plain(slitlet)
    settings = {"degree": 0, "evaluate": True, "x0": [6.0, 0.3], "verbose": False}
    narrow = made.fit_all_traces(**settings)
    wide = made.fit_all_traces(**settings, wings=[(0.3, 3.0, 0.0)])
    for nod, fit in wide.items():
        assert np.count_nonzero(fit["smod"] > 0) > np.count_nonzero(narrow[nod]["smod"] > 0)


def test_polynomials_are_minimised_as_msaexp_does_in_its_mode(slitlet):
    """Where Powell's method stops is a number of msaexp; a constant is the same to 1e-4."""
    found = {}
    for compat in (False, True):
        made = plain(slitlet, compat=compat)
        for degree in (0, 1):
            fit = made.fit_all_traces(niter=1, degree=degree)
            found[compat, degree] = fit[2]["method"].lower()
        asked = made.fit_all_traces(niter=1, degree=1, method="SLSQP")
        assert asked[2]["method"] == "SLSQP"
    assert found.pop((True, 1)) == "powell"
    assert set(found.values()) == {"l-bfgs-b"}


def test_residuals_of_fits_can_be_tested(slitlet):
    made = plain(slitlet)
    fit = made.fit_all_traces(degree=0)
    y, x = 6, 11
    for one in fit.values():
        one["diff"][y * 64 + x] = 100.0
    valid = made.flag_2d_outliers(tfit=fit, with_mask=True)
    assert not valid.reshape(slitlet.shape)[y, x]


# Bars, shutters, normalisation


def test_own_bars_replace_those_of_the_pipeline(make, group):
    kept = make(undo_barshadow=False)
    assert kept.meta["own_barshadow"] is False
    assert group.meta["own_barshadow"] is True
    assert group.meta["undo_barshadow"] is False
    both = group.mask & kept.mask
    ratio = group.orig_bar / group.bar
    np.testing.assert_allclose(group.sci[both], (kept.sci * ratio)[both], rtol=1e-12)
    np.testing.assert_allclose(group.var_total[both], (kept.var_total * ratio**2)[both], rtol=1e-12)
    undone = make(undo_barshadow=True)
    seen = undone.mask & kept.mask
    expected = (kept.sci - kept.sky_background) * kept.bar
    np.testing.assert_allclose(undone.data[seen], expected[seen], rtol=1e-12)


def test_bar_modes_and_limits(make, group):
    flat = make(bar_corr_mode="flat")
    assert np.nanmax(np.abs(flat.bar - group.bar)) > 0.01
    assert np.nanmin(np.where(group.mask, group.bar, np.nan)) > 0.4
    wider = make(min_bar=0.2)
    assert np.count_nonzero(wider.mask) > np.count_nonzero(group.mask)
    assert make(bar_corr_mode="nonsense", compat=True).meta["bar_corr_mode"] == "wave"


def test_number_of_shutters(make, group):
    assert group.meta["num_shutters"] == 3
    assert make(num_shutters=0).meta["num_shutters"] == 3
    five = make(num_shutters=5)
    assert five.meta["wrapped_barshadow"] is True
    one = make(num_shutters=1)
    assert one.meta["wrapped_barshadow"] is True  # the slitlet reaches beyond one shutter


def test_named_shutters_are_masked(make, group):
    made = make(bad_shutter_names=[1])
    gone = group.mask & ~made.mask
    near = np.abs(group.fixed_yshutter - 1) < 0.6
    assert (gone & near).sum() > 0.9 * near.sum()
    assert made.meta["bad_shutter_names"] == [1]
    assert not (made.mask & near).any()


def test_stuck_shutters_are_found(make, group, example_files):
    models = [read_model(path) for path in example_files]
    for model, place in zip(models, group.slit_frame_y, strict=True):
        dark = np.abs(place.reshape(25, 341) / group.slit_shutter_scale / 5 - 1) < 0.5
        model.data = np.where(dark, np.asarray(model.data) * 1e-3, model.data)
    made = make(models)
    assert made.meta["bad_shutter_names"] == [1]
    assert (made.mask_bits & MaskBit.STUCK).any()


def test_two_shutters_that_begin_below_the_source(slitlet):
    """A slitlet of the shutters -1 and 0 has the table of 0 and 1, moved."""
    exposures = group_arrays(slitlet)
    for exposure in exposures:
        place = exposure["slit_y"] + 1.15 * (STEPS[exposure["shutter_state"]])
        exposure["wave"] = np.where((place < -1.7) | (place > 0.57), np.nan, exposure["wave"])
    options = {**PLAIN, "num_shutters": 2, "undo_barshadow": 2}
    made = SlitGroup.from_arrays(exposures[1:], **options)
    u = made.fixed_yshutter
    deep = made.mask & np.isfinite(made.bar)
    for middle in (-1, 0):
        assert np.nanmedian(made.bar[deep & (np.abs(u - middle) < 0.2)]) > 0.85
    between = deep & (np.abs(u + 0.5) < 0.06)
    assert np.nanmedian(made.bar[between]) < 0.6


def test_normalisation_scales_flux_and_variance(make, group):
    plain_group = make(fix_prism_norm=False)
    both = group.mask & plain_group.mask
    factor = group.normalization[both]
    assert 0.9 < factor.min() < 1 < factor.max() < 1.1
    np.testing.assert_allclose(group.sci[both], plain_group.sci[both] * factor, rtol=1e-12)
    np.testing.assert_allclose(
        group.var_total[both], plain_group.var_total[both] * factor**2, rtol=1e-12
    )
    assert plain_group.normalization is None


@pytest.mark.parametrize("compat", [False, True])
@pytest.mark.parametrize("entry", ["quadrant", "xcen", "ycen"])
def test_headers_that_do_not_say_the_shutter(slitlet, entry, compat, caplog):
    """As of early versions of the pipeline: no normalisation of any exposure, and that is said."""
    exposures = [{**exposure, "quadrant": 2} for exposure in group_arrays(slitlet)]
    whole = SlitGroup.from_arrays(exposures, **PLAIN, compat=compat)
    assert whole.normalization is not None
    del exposures[0][entry]
    with caplog.at_level(logging.WARNING, "webbweave"):
        made = SlitGroup.from_arrays(exposures, **PLAIN, compat=compat)
    assert "nrs1_phot.fits: its shutter is not known, the group is not normalised" in caplog.text
    assert made.normalization is None
    assert made.meta["skipped"] == "PATHLOSS_UN, normalisation"
    used = made.mask & whole.mask
    np.testing.assert_allclose((made.sci * whole.normalization)[used], whole.sci[used], rtol=2e-7)
    made.fit_all_traces(degree=0, evaluate=True, x0=[6.0, 0.3], verbose=False)
    header = combine_grating_group({"a": made}, ["a"])["SPEC1D"].header
    assert "SHUTTRQ" in header


def test_headers_with_a_shutter_that_is_no_number(slitlet):
    with pytest.raises(InputError, match=r"entry quadrant: expected a number, found 'second'"):
        SlitGroup.from_arrays(changed(slitlet, quadrant="second"), **PLAIN)


def test_path_loss_is_undone(make, group):
    kept, point = make(undo_pathloss=False), make(undo_pathloss=2)
    assert group.meta["removed_pathloss"] == "PATHLOSS_UN"
    assert "removed_pathloss" not in kept.meta
    both = group.mask & kept.mask
    np.testing.assert_allclose(group.sci[both], (kept.sci * group.pathloss_corr)[both], rtol=1e-12)
    slit = group.slits[0]
    expected = (slit.pathloss_uniform / slit.pathloss_point.astype(float)).ravel()
    np.testing.assert_allclose(point.pathloss_corr[0], expected, rtol=1e-6)
    peer = make(undo_pathloss=2, compat=True)
    np.testing.assert_allclose(peer.pathloss_corr[0], slit.pathloss_uniform.ravel(), rtol=1e-6)
    used = peer.mask & point.mask
    assert np.median(peer.sci[used] / point.sci[used]) == pytest.approx(1, abs=0.01)


def test_path_loss_of_points_and_extended_sources(slitlet):
    planes = {"pathloss_point": np.full((25, 64), 0.8), "pathloss_uniform": np.full((25, 64), 0.9)}

    def removed(source_type, **options):
        exposures = [{**e, **planes, "source_type": source_type} for e in group_arrays(slitlet)]
        return SlitGroup.from_arrays(exposures, **PLAIN, **options).meta["removed_pathloss"]

    assert removed("POINT") == "PATHLOSS_PS"
    assert removed(None) == "PATHLOSS_UN"
    assert removed("EXTENDED") == "PATHLOSS_UN"
    assert removed("EXTENDED", compat=True) == "PATHLOSS_PS"


# Nods, sky, cut-outs


def test_positions_by_another_column(make):
    made = make(position_key="shutter_state")
    assert made.unp.values == ["11x", "1x1", "x11"]
    assert made.calc_reference_exposure == "1x1"
    assert make(position_key="position_number").unp.indices.tolist() == [0, 1, 2]
    assert make(reference_exposure=3).calc_reference_exposure == 3


def test_sky_of_the_visit_or_of_a_file_or_of_arrays(make, group, tmp_path):
    assert group.meta["sky_file"] == "jw01345062001_sky.csv"
    assert np.nanmax(group.sky_background) > 0.3
    none = make(sky_file=None)
    assert not none.sky_background.any()
    np.testing.assert_allclose(none.data, none.sci.astype(float) * np.where(none.mask, 1, np.nan))
    wave, flux = np.array([0.5, 6.0]), np.array([0.2, 0.2])
    given = make(sky_arrays=(wave, flux))
    assert given.meta["sky_file"] == "N/A"
    assert np.nanmax(np.abs(given.sky_background - 0.2)) < 1e-12
    flux[:] = 0  # copied
    assert np.nanmin(given.sky_background) == pytest.approx(0.2)
    (tmp_path / "sky.csv").write_text("wave,flux\n0.5,0.1\n6.0,0.1\n")
    read = make(sky_file=str(tmp_path / "sky.csv"))
    assert np.nanmax(read.sky_background) == pytest.approx(0.1)
    (tmp_path / "bad.csv").write_text("lambda,flux\n0.5,0.1\n")
    with pytest.raises(InputError, match=r"bad\.csv"):
        make(sky_file=str(tmp_path / "bad.csv"))
    with pytest.raises(InputError, match=r"no\.csv"):
        make(sky_file="no.csv")


def test_global_sky_is_not_for_gratings(slitlet):
    exposures = group_arrays(make_slitlet(1, grating="G235M", shape=(25, 64)))
    for exposure in exposures:
        exposure["meta"]["filename"] = "jw01345062001_03101_00001_nrs1_phot.fits"
    options = {**PLAIN, "sky_file": "read"}
    assert SlitGroup.from_arrays(exposures, **options).sky_arrays is None


def test_sky_can_be_estimated_by_the_constructor(make, caplog):
    made = make(estimate_sky_kwargs={"df": 21}, sky_file=None)
    assert made.sky_data["df"] == 21
    assert make(estimate_sky_kwargs={"df": 21}).sky_data["df"] == 7  # scales the global sky
    with caplog.at_level(logging.WARNING, "webbweave"):
        failed = make(estimate_sky_kwargs={"df": 2}, sky_file=None)
    assert "estimate_sky was not possible" in caplog.text
    assert failed.meta["skipped"] == "estimate_sky"


def test_gratings_are_always_differences():
    arrays = group_arrays(make_slitlet(1, grating="G235M", shape=(25, 64)))
    assert SlitGroup.from_arrays(arrays, **PLAIN, diffs=False).meta["diffs"] is True
    free = SlitGroup.from_arrays(arrays, **PLAIN, diffs=False, grating_diffs=False)
    assert free.meta["diffs"] is False
    assert free.IS_FIXED_SLIT is False


def test_fixed_slits_have_no_bars():
    slitlet = make_slitlet(1, fixed_slit=True, shape=(25, 64))
    arrays = group_arrays(slitlet)
    for exposure in arrays:
        del exposure["shutter_state"]
    options = {name: PLAIN[name] for name in ("sky_file", "with_extra_dq")}
    made = SlitGroup.from_arrays(arrays, **options)
    assert made.IS_FIXED_SLIT
    assert made.meta["num_shutters"] == 0
    assert made.meta["min_bar"] is None
    assert made.meta["bad_shutter_names"] == []
    assert (made.bar == 1).all()
    moved = SlitGroup.from_arrays(arrays, **options, with_fs_offset=True)
    expected = slitlet.base_coeffs[:, -1] + 1 + np.array([-5.06, 0, 5.06])
    np.testing.assert_allclose([c[-1] for c in moved.base_coeffs], expected, atol=1e-9)


def test_slits_without_a_source_have_positions_of_their_own(slitlet):
    exposures = [{**exposure, "source_ra": 0.0} for exposure in group_arrays(slitlet)]
    made = SlitGroup.from_arrays(exposures, **PLAIN)
    assert made.meta["position_key"] == "manual_position"
    assert made.unp.values == ["0.0", "10.1", "5.0"]
    two = SlitGroup.from_arrays(exposures[:2], **PLAIN)
    assert two.unp.values == ["-2.5", "2.5"]


def test_unequal_cutouts_have_a_common_part(slitlet):
    exposures = group_arrays(slitlet)
    planes = [name for name in exposures[1] if getattr(exposures[1][name], "ndim", 0) == 2]
    for name in planes:
        exposures[1][name] = exposures[1][name][2:, :-3]
    exposures[1]["ystart"] += 2
    whole = plain(slitlet)
    made = SlitGroup.from_arrays(exposures, **PLAIN)
    assert made.sh == (23, 61)
    assert made.shapes == [(25, 64), (23, 61), (25, 64)]
    assert made.slits[0].slice == (slice(2, 25), slice(0, 61))
    assert made.slits[1].slice == (slice(0, 23), slice(0, 61))
    for i in range(3):
        expected = whole.sci[i].reshape(25, 64)[2:, :61]
        np.testing.assert_array_equal(made.sci[i].reshape(23, 61), expected)
        distance = whole.yslit[i].reshape(25, 64)[2:, :61]
        np.testing.assert_allclose(made.yslit[i].reshape(23, 61), distance, atol=0.01)


def test_cutouts_that_do_not_overlap(slitlet):
    with pytest.raises(ValueError, match=r"do not overlap.*ystart 1000.*ystart 2000"):
        SlitGroup.from_arrays(changed(slitlet, 1, ystart=2000), **PLAIN)


def test_one_exposure(slitlet, caplog):
    with caplog.at_level(logging.WARNING, "webbweave"):
        made = SlitGroup.from_arrays([exposure_arrays(slitlet, 0)], **PLAIN)
    assert "nothing to subtract" in caplog.text
    assert made.meta["diffs_applied"] is False
    assert made.relative_nod_offset.tolist() == [0]
    assert made.calc_reference_exposure == 1
    _, negative, diff, *_ = made.make_diff_image(1)
    assert not negative.any()
    used = made.mask[0]
    np.testing.assert_allclose(diff[used], made.data[0][used])


def test_wavelengths_of_a_source_off_centre(make, group):
    moved = make(trace_with_xpos=True)
    step = np.nanmedian(np.abs(group.dwave_dx))
    shift = np.nanmedian(moved.wave - group.wave, axis=1)
    # A quarter of a shutter is 0.7 pixels; what gets through is nearer to the middle.
    assert (np.abs(shift) > 0.1 * step).all()
    assert (np.abs(shift) < 0.7 * step).all()
    assert np.nanmax(np.abs(moved.wtr - group.wtr)) > 0
    with pytest.raises(ValueError, match="CRDS"):
        make(trace_with_xpos=True, compat=True)


def test_wavelengths_without_a_wcs_stay(slitlet, caplog):
    made = plain(slitlet, trace_with_xpos=True)
    assert made.meta["skipped"] == "PATHLOSS_UN, wavelength zero point"
    np.testing.assert_allclose(made.wave, slitlet.wave)


def test_scales_of_pixels(group, make):
    assert group.slit_pixel_scale == pytest.approx(0.1044, rel=0.01)
    assert group.slit_shutter_scale == pytest.approx(0.2283, rel=0.01)
    peer = make(compat=True)
    assert peer.slit_pixel_scale == pytest.approx(0.104462, abs=1e-6)
    assert peer.slit_shutter_scale == pytest.approx(0.228351, abs=1e-6)
    assert make(nod_offset=4.5).meta["nod_offset"] == 4.5


def test_tables_of_a_group(group):
    table = group.slit_metadata()
    assert len(table) == 3
    assert table["source_name"].tolist() == ["1345_933"] * 3
    assert table["ny"].tolist() == [25] * 3
    assert table["trace_c2"][1] == group.base_coeffs[1][2]
    assert not table["is_extended"].any()
    assert table["pa_v3"][0] == pytest.approx(310.5, abs=0.1)
    assert group.info["y_index"].tolist() == [2, 3, 1]
    assert group.exptime.tolist() == [1021.222] * 3


def test_figures(group, make):
    made = make()
    fit = made.fit_all_traces(degree=0)
    assert len(made.plot_2d_differences().axes) >= 3
    assert len(made.plot_2d_differences(fit=fit, clip_sigma=3).axes) >= 9
    figure = made.plot_profile(exp=2, fit_result=fit[2])
    assert made.plot_profile(exp=1, ax=figure.axes[0]) is figure
    assert made.flag_from_profile(make_plot=True).axes
    assert made.estimate_sky(make_plot=True).axes
    assert made.fit_shutter_offset(make_plot=True).figure.axes


def test_shutter_offset_moves_the_bars(make, group):
    moved = make(shutter_offset=0.5)
    np.testing.assert_allclose(
        (moved.fixed_yshutter - group.fixed_yshutter)[moved.mask & group.mask], 0.1
    )
    fitted = make(estimate_sky_kwargs={}, sky_file=None, fit_shutter_offset_kwargs={})
    assert -0.2 < fitted.meta["shutter_offset"] < 0
    assert make().fit_shutter_offset() is None  # no sky was fitted


# Bad input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weight_type": "best"}, "weight_type: expected one of ivm.*found 'best'"),
        ({"bar_corr_mode": "spline"}, "bar_corr_mode: expected one of flat, wave.*'spline'"),
        ({"position_key": "moon"}, "position_key: expected a column of info.*'moon'"),
        ({"position_key": "shape"}, "position_key: the column 'shape' has no single value"),
        ({"reference_exposure": 9}, r"reference_exposure: .*\[1, 2, 3\], found 9"),
        ({"nod_offset": np.nan}, "nod_offset"),
    ],
)
def test_choices_that_do_not_exist(slitlet, options, message):
    with pytest.raises(ValueError, match=message):
        plain(slitlet, **options)


def test_unknown_arguments_name_the_nearest(slitlet, caplog):
    with pytest.raises(TypeError, match=r"'stuck_treshold'.*did you mean 'stuck_threshold'"):
        plain(slitlet, stuck_treshold=0.3)
    with caplog.at_level(logging.WARNING, "webbweave"):
        plain(slitlet, stuck_treshold=0.3, compat=True)
    assert "ignored" in caplog.text
    made = plain(slitlet)
    for call in (
        lambda: made.parse_data(typo=1),
        lambda: made.estimate_sky(typo=1),
        lambda: made.flag_percentile_outliers(typo=1),
        lambda: made.set_background_spectra(typo=1),
        lambda: made.fit_single_trace(typo=1),
        lambda: made.fit_all_traces(typo=1),
        lambda: made.get_trace_sn(typo=1),
        lambda: made.fit_params_by_sn(typo=1),
    ):
        with pytest.raises(TypeError, match="typo"):
            call()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("data", "SCI is missing"),
        ("var_rnoise", "VAR_RNOISE is missing"),
        ("var_poisson", "VAR_POISSON is missing"),
        ("wave", "no WCS, and no wave"),
        ("slit_pixel_scale", "no WCS, and no slit_pixel_scale"),
        ("xstart", "xstart is missing"),
        ("meta__dither__y_offset", "meta.dither.y_offset is missing"),
        ("meta__instrument__grating", "meta.instrument.grating is missing"),
        ("meta__photometry__pixelarea_steradians", "pixelarea_steradians is missing"),
    ],
)
def test_what_is_missing_is_named(slitlet, name, message):
    with pytest.raises(InputError, match=f"jw00001001001_03100_00001_nrs1_phot.fits: .*{message}"):
        SlitGroup.from_arrays(changed(slitlet, **{name: None}), **PLAIN)


def test_optional_planes_are_taken_as_one(slitlet):
    made = SlitGroup.from_arrays(changed(slitlet, barshadow=None), **PLAIN)
    assert made.meta["skipped"] == "BARSHADOW, PATHLOSS_UN"
    assert (made.bar[0] == 1).all()
    assert (made.pathloss_corr == 1).all()


def test_planes_of_another_shape(slitlet):
    with pytest.raises(InputError, match=r"VAR_RNOISE: expected the shape \(25, 64\).*\(2, 2\)"):
        SlitGroup.from_arrays(changed(slitlet, var_rnoise=np.ones((2, 2))), **PLAIN)


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ("grating", "G395M"),
        ("filter", "F290LP"),
        ("detector", "NRS2"),
        ("lamp_mode", "FIXEDSLIT"),
    ],
)
def test_mixed_modes(slitlet, entry, value):
    with pytest.raises(ValueError, match="the exposures of a group must"):
        SlitGroup.from_arrays(changed(slitlet, **{f"meta__instrument__{entry}": value}), **PLAIN)


def test_files_given_twice_or_not_at_all(make, example_files):
    with pytest.raises(ValueError, match=f"{example_files[0].name} is given 2 times"):
        make([example_files[0], str(example_files[0])])
    with pytest.raises(ValueError, match="found an empty list"):
        make([])
    with pytest.raises(TypeError, match="expected a list of exposures, found str"):
        make(str(example_files[0]))
    with pytest.raises(TypeError, match="found int"):
        make([1, 2])
    with pytest.raises(InputError, match=r"nowhere\.fits"):
        make(["nowhere.fits"])


def test_exposures_without_valid_pixels(slitlet, caplog):
    nothing = np.full((25, 64), np.nan)
    with caplog.at_level(logging.WARNING, "webbweave"):
        made = SlitGroup.from_arrays(changed(slitlet, data=nothing), **PLAIN)
    assert "jw00001001001_03100_00001_nrs1_phot.fits: no valid pixel" in caplog.text
    assert made.mask.any(axis=1).tolist() == [False, True, True]
    exposures = [{**exposure, "data": nothing} for exposure in group_arrays(slitlet)]
    with pytest.raises(InputError, match="no valid pixel in any exposure"):
        SlitGroup.from_arrays(exposures, **PLAIN)


def test_a_source_off_the_slit(slitlet):
    """The trace is then at the edge of what the WCS knows, and nothing is lost."""
    exposures = [{**exposure, "source_ypos": 40.0} for exposure in group_arrays(slitlet)]
    made = SlitGroup.from_arrays(exposures, **PLAIN, trace_with_ypos=True)
    assert np.isfinite(made.yslit).all()
    assert made.mask.mean() > 0.9


def test_missing_tables(slitlet, tmp_path, monkeypatch, make, caplog):
    found = reference.reference_path

    def without(*names):
        def path(name):
            return tmp_path / name if name in names else found(name)

        return path

    monkeypatch.setattr(reference, "reference_path", without("prism_normalization.npz"))
    made = make()
    assert made.normalization is None
    assert made.meta["skipped"] == "normalisation"
    monkeypatch.setattr(reference, "reference_path", without("bar_shadow.npz"))
    with pytest.raises(InputError, match=r"bar_shadow\.npz: the reference table is missing"):
        make()
    monkeypatch.setattr(reference, "reference_path", without("bad_pixels.npz"))
    with pytest.raises(InputError, match=r"bad_pixels\.npz"):
        make()


def test_data_can_be_parsed_again(make, group):
    made = make()
    made.parse_data(debug=True, with_extra_dq=False)
    assert made.meta["own_barshadow"] is True
    assert not (made.mask_bits & MaskBit.EXTRA_DQ).any()


def test_a_sky_beside_a_raw_file_is_subtracted(example_files, tmp_path):
    import shutil

    from astropy.io import fits

    raw = tmp_path / "jw01345062001_raw.fits"
    shutil.copy(example_files[0], raw)
    beside = tmp_path / "jw01345062001_sky.fits"
    with fits.open(example_files[0]) as hdulist:
        hdulist["SCI"].data[:] = 1.5
        hdulist.writeto(beside)
    options = {"sky_file": None, "undo_barshadow": False, "slit_hotpix_kwargs": None}
    made = SlitGroup([raw], "raw", **options)
    untouched = SlitGroup([example_files[0]], "plain", **options)
    difference = untouched.slits[0].data - made.slits[0].data
    expected = 1.5 / made.slits[0].barshadow
    known = np.isfinite(difference) & np.isfinite(expected)
    np.testing.assert_allclose(difference[known], expected[known], rtol=1e-4)
