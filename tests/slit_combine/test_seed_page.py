"""Every argument of the page that the class was made from does what it is for."""

from __future__ import annotations

import copy
import inspect
import logging
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pytest
from astropy.table import Table
from seed_page import ATTRIBUTES, CONSTRUCTOR, METHODS, positional
from slit_arrays import group_arrays
from synthetic_slitlet import make_slitlet

from webbweave.datamodels import read_model
from webbweave.slit_combine import MaskBit, SlitGroup, combine_grating_group, reference
from webbweave.slit_combine.group_state import GroupState
from webbweave.slit_combine.lookup_psf import LookupTablePSF

#: Nothing that looks at the pixels, so that one thing at a time changes.
PLAIN = {
    **{"undo_barshadow": False, "min_bar": None, "bad_shutter_names": [], "sky_file": None},
    **{"with_extra_dq": False, "slit_hotpix_kwargs": None, "flag_trace_kwargs": None},
    **{"flag_percentile_kwargs": None, "do_multiple_mask": False, "pad_border": 0},
}
SHAPE = (25, 64)
EXTENDED = {"fflat": {"name": "crds://jwst_nirspec_fflat_0001_ext.fits"}}
SKY = (np.array([0.5, 6.0]), np.array([0.2, 0.2]))


class Effect(NamedTuple):
    """A value of an argument, and what it changes beside the other value, usually the default."""

    value: Any
    observe: Callable[[SlitGroup, Any], Any]
    compare: Callable[[Any, Any], bool]
    base: dict[str, Any] = {}  # noqa: RUF012 - nobody changes it
    other: Any = None  # instead of the default


def less(before, after):
    return after < before


def more(before, after):
    return after > before


def differ(before, after):
    return not np.array_equal(np.asarray(before), np.asarray(after), equal_nan=True)


def are(before_expected, after_expected):
    return lambda before, after: (before, after) == (before_expected, after_expected)


# What is observed; `g` is the group, `r` what the method returned.


def n_valid(g, r):
    return int(np.count_nonzero(g.mask))


def meta(name):
    return lambda g, r: g.meta[name]


def planted(row, column, i=0):
    """Whether a pixel is in use."""
    return lambda g, r: bool(g.mask[i].reshape(g.sh)[row, column])


def bits(bit):
    return lambda g, r: bool((g.mask_bits & bit).any())


def sky_data(name):
    return lambda g, r: np.size(g.sky_data[name]) if name != "npix" else g.sky_data[name]


def result(name):
    return lambda g, r: r[name]


def subtracted(g, r):
    return bool(g.make_diff_image(2)[1].any())


# What the exposures are.


def prism(**options):
    return group_arrays(make_slitlet(3, shape=SHAPE, bad_fraction=0.01, **options))


def grating(name="G395M"):
    exposures = group_arrays(make_slitlet(3, shape=SHAPE, grating="G395M"))
    for exposure in exposures:
        exposure["meta"]["instrument"]["grating"] = name
    return exposures


def extended():
    return [{**e, "quadrant": 2, "meta": {**e["meta"], "ref_file": EXTENDED}} for e in prism()]


def with_value(value, *places, dq=0):
    """Exposures with a flux [microjansky], and data quality, planted in pixels."""
    exposures = prism()
    for i, row, column in places:
        exposures[i]["data"][row, column] = value / 0.485
        exposures[i]["dq"][row, column] = dq
    return exposures


def beside_a_bad_pixel():
    rows, columns = np.divmod(reference.bad_pixels("NRS1")[0], 2048)
    (chosen,) = np.nonzero((columns > 500) & (columns < 1500) & (rows > 100) & (rows < 1500))
    place = {"xstart": int(columns[chosen[3]]) - 9, "ystart": int(rows[chosen[3]]) - 4}
    return [{**exposure, **place} for exposure in prism()]


def with_path_loss():
    planes = {"pathloss_uniform": np.full(SHAPE, 0.9), "pathloss_point": np.full(SHAPE, 0.8)}
    return [{**exposure, **planes} for exposure in prism()]


def with_border():
    exposures = prism()
    for exposure in exposures:
        exposure["wave"][:4] = np.nan
    return exposures


def with_dark_shutter():
    """A shutter with half of the signal of the others."""
    exposures = prism(scale=0.1, gain=1e6)
    for i, exposure in enumerate(exposures):
        place = exposure["slit_y"] / 0.2284 / 5 + (i - 1) * 5.06 / 5
        dark = np.abs(place - 1.0) < 0.5
        exposure["data"] = np.where(dark, 0.5 * exposure["data"], exposure["data"])
    return exposures


def fixed_slits():
    return group_arrays(make_slitlet(3, shape=SHAPE, fixed_slit=True))


def flux_of_product(g, r):
    g.fit_all_traces(degree=0, evaluate=True, x0=[6.0, 0.3])
    product = combine_grating_group({"a": g}, ["a"])
    return np.asarray(product["SPEC1D"].data["flux"])


HOT = ((0, 5, 30), (1, 5, 30))

#: The arguments of the constructor: exposures, and what an argument does to their group.
CONSTRUCTED: dict[str, tuple[Callable[[], Any], Effect]] = {
    "files": (prism, Effect(slice(0, 2), lambda g, r: g.N, are(3, 2))),
    "name": (prism, Effect("mine", lambda g, r: g.name, are("slitlet", "mine"))),
    "position_key": (
        prism,
        Effect("shutter_state", lambda g, r: list(g.unp), are([1, 2, 3], ["11x", "1x1", "x11"])),
    ),
    "diffs": (prism, Effect(False, subtracted, are(True, False))),
    "grating_diffs": (grating, Effect(False, subtracted, are(True, False), {"diffs": False})),
    "stuck_threshold": (
        with_dark_shutter,
        Effect(
            *(0.9, meta("bad_shutter_names"), are([], [2])),
            base={"bad_shutter_names": None},
        ),
    ),
    "hot_cold_kwargs": (
        lambda: with_value(9.0, *HOT),
        Effect({"hot_percentile": 8.0}, planted(5, 30, 2), are(True, False)),
    ),
    "bad_shutter_names": (prism, Effect([1], n_valid, less, other=[])),
    "dilate_failed_open": (
        lambda: with_value(0.3, (0, 9, 9), dq=536870912),
        Effect(2, planted(9, 11), are(True, False)),
    ),
    "num_shutters": (prism, Effect(5, meta("num_shutters"), are(3, 5))),
    "undo_barshadow": (
        *(prism,),
        Effect(True, lambda g, r: g.data, differ, other=False),
    ),
    "min_bar": (prism, Effect(0.9, n_valid, less)),
    "bar_corr_mode": (
        *(prism,),
        Effect("flat", lambda g, r: g.bar, differ, {"undo_barshadow": 2}),
    ),
    "fix_prism_norm": (
        lambda: [{**e, "quadrant": 2} for e in prism()],
        Effect(False, lambda g, r: g.normalization is None, are(False, True)),
    ),
    "extended_calibration_kwargs": (extended, Effect({"threshold": 0.5}, n_valid, less)),
    "with_sflat_correction": (
        *(extended,),
        Effect(False, lambda g, r: g.sflat_data is None, are(False, True)),
    ),
    "with_extra_dq": (
        *(beside_a_bad_pixel,),
        Effect(True, planted(5, 10), are(True, False), other=False),
    ),
    "slit_hotpix_kwargs": (
        lambda: with_value(400.0, (1, 3, 30)),
        Effect({}, planted(3, 30, 1), are(True, False), other=None),
    ),
    "sky_arrays": (
        *(prism,),
        Effect(SKY, lambda g, r: np.nanmax(g.sky_background), are(0.0, 0.2)),
    ),
    "sky_file": (
        *(prism,),
        Effect("SKY_CSV", lambda g, r: np.nanmax(g.sky_background), are(0.0, 0.1)),
    ),
    "set_background_spectra_kwargs": (
        *(prism,),
        Effect({"path": "GBKG"}, lambda g, r: g.sky_data is None, are(True, False)),
    ),
    "global_sky_df": (
        *(prism,),
        Effect(
            *(9, lambda g, r: g.sky_data["df"], are(7, 9)),
            {"estimate_sky_kwargs": {}, "sky_file": "SKY_CSV"},
        ),
    ),
    "estimate_sky_kwargs": (
        *(prism,),
        Effect({"df": 15}, lambda g, r: g.sky_data is None, are(True, False)),
    ),
    "flag_profile_kwargs": (
        lambda: with_value(9.0, *HOT),
        Effect({}, planted(5, 30), are(True, False)),
    ),
    "do_multiple_mask": (
        lambda: with_value(0.3, (0, 7, 7), (2, 7, 7), dq=1),
        Effect(True, planted(7, 7, 1), are(True, False), other=False),
    ),
    "flag_trace_kwargs": (
        lambda: with_value(30.0, (0, 15, 30)),
        Effect({}, planted(15, 30), are(True, False), other=None),
    ),
    "flag_2d_kwargs": (
        lambda: with_value(9.0, *((i, 5, 30) for i in range(3))),
        Effect({}, planted(5, 30, 2), are(True, False)),
    ),
    "flag_percentile_kwargs": (
        lambda: with_value(90.0, (0, 15, 30)),
        Effect({}, planted(15, 30), are(True, False), other=None),
    ),
    "undo_pathloss": (
        *(with_path_loss,),
        Effect(False, lambda g, r: np.nanmax(g.sci), differ),
    ),
    "trace_with_xpos": (
        *("EXAMPLES",),
        Effect(True, lambda g, r: np.nanmedian(g.wave), differ),
    ),
    "trace_with_ypos": (prism, Effect(True, lambda g, r: g.yslit, differ)),
    "trace_from_yoffset": (
        lambda: [{**e, "slit_y": e["slit_y"] - 0.3 * i} for i, e in enumerate(prism())],
        Effect(False, lambda g, r: np.round(g.relative_nod_offset, 2).tolist(), differ),
    ),
    "with_fs_offset": (
        *(fixed_slits,),
        Effect(True, lambda g, r: np.array(g.base_coeffs)[:, -1], differ),
    ),
    "fit_shutter_offset_kwargs": (
        *(prism,),
        Effect(
            {},
            meta("shutter_offset"),
            differ,
            {"estimate_sky_kwargs": {"df": 15}, "undo_barshadow": 2},
        ),
    ),
    "shutter_offset": (prism, Effect(0.5, lambda g, r: np.nanmax(g.fixed_yshutter), more)),
    "nod_offset": (prism, Effect(4.5, meta("nod_offset"), differ)),
    "pad_border": (with_border, Effect(2, planted(5, 30), are(True, False), other=0)),
    "weight_type": (prism, Effect("mask", flux_of_product, differ)),
    "reference_exposure": (prism, Effect(3, lambda g, r: g.calc_reference_exposure, are(2, 3))),
    "lookup_prf": (
        *(prism,),
        Effect(
            LookupTablePSF(),
            lambda g, r: g.fit_single_trace(exp=2, degree=0)["sigma"],
            differ,
        ),
    ),
}


def with_sky(g):
    g.estimate_sky(df=15)


def with_fit(g):
    g.lookup_prf = LookupTablePSF()
    g.fit_all_traces(degree=0, method="L-BFGS-B")


def with_hidden_hot_pixels(g):
    """Bright pixels that are masked, but finite."""
    bad = np.zeros(g.mask.shape, bool)
    bad[:, 40 * np.arange(3, 30)] = True
    g.sci[bad] = 40.0
    g.mask_out(bad, MaskBit.DQ)


def with_fit_aside(g):
    """Fits that the group does not know of."""
    g.aside = g.fit_all_traces(degree=0, method="L-BFGS-B")
    g.fit = None


def axes_of(g, r):
    return len(r.axes)


def n_flagged(g, r):
    found = r[0] if isinstance(r, tuple) else r
    return int(np.count_nonzero(found))


def n_outliers(g, r):
    return int(np.count_nonzero(~r))


PROFILE = {"grow": 1.0, "require_multiple": False}
FIT = {"degree": 0, "errors": False, "verbose": False, "exp": 2}
ALL = {"degree": 0, "errors": False, "verbose": False}
LEVELS = {"plevels": [0.5, 0.8, 0.9], "scale": 1}
BACKGROUND = {"path": "GBKG", "df": 5}

#: Arguments of methods: what is called before, and what the argument does.
CALLED: dict[str, tuple[Callable[[SlitGroup], None] | None, dict[str, Effect]]] = {
    "estimate_sky": (
        None,
        {
            "mask_yslit": Effect([[-2, 2]], sky_data("npix"), more, {"df": 15}),
            "min_bar": Effect(0.5, sky_data("npix"), more, {"df": 15}),
            "var_percentiles": Effect((20, 80), sky_data("npix"), less, {"df": 15}),
            "df": Effect(9, sky_data("sky_coeffs"), less, other=15),
            "high_clip": Effect(0.4, sky_data("npix"), less, {"df": 15}),
            "use": Effect(False, lambda g, r: np.nanmax(g.sky_background), less, {"df": 15}),
            "outlier_threshold": Effect(2, n_valid, less, {"df": 15}),
            "absolute_threshold": Effect(0.05, sky_data("npix"), less, {"df": 15}),
            "make_plot": Effect(True, lambda g, r: r is None, are(True, False), {"df": 15}),
            "grating_limits": Effect(
                {"prism": [0.5, 4.0, 0.01]}, sky_data("sky_wave"), less, {"df": 15}
            ),
        },
    ),
    "fit_all_traces": (
        None,
        {
            "niter": Effect(1, lambda g, r: r[2]["chi2_init"], more, ALL),
            "dchi_threshold": Effect(
                *(-1e9, lambda g, r: np.ptp(g.trace_coeffs), less, {**ALL, "ref_exp": None})
            ),
            "ref_exp": Effect(3, lambda g, r: next(iter(r)), are(2, 3), ALL),
        },
    ),
    "fit_params_by_sn": (
        None,
        {
            "sn_percentile": Effect(20, lambda g, r: r[1], less),
            "sigma_threshold": Effect(1e9, lambda g, r: r[2], are(False, True)),
            "degree_sn": Effect([[-1000, 0], [0, 2]], lambda g, r: r[3], are(0, 2)),
        },
    ),
    "fit_shutter_offset": (
        with_sky,
        {
            "minimizer_kwargs": Effect({"method": "nelder-mead"}, lambda g, r: r.nfev, differ),
            "update": Effect(False, lambda g, r: g.meta["shutter_offset"] == 0, are(False, True)),
            "make_plot": Effect(True, lambda g, r: "figure" in r, are(False, True)),
            "max_sn": Effect(0.01, lambda g, r: r is None, are(False, True)),
            "prior": Effect((0.3, 1e-4), lambda g, r: abs(r.offset - 0.3) < 0.01, are(False, True)),
        },
    ),
    "fit_single_trace": (
        None,
        {
            "x0": Effect([9.0, -0.5], result("chi2_init"), more, FIT),
            "initial_sigma": Effect(9.0, result("chi2_init"), differ, FIT),
            "exp": Effect(3, result("ipos"), differ, {**FIT, "exp": 2}, other=2),
            "force_positive": Effect(False, result("chi2_fit"), less, FIT),
            "method": Effect("L-BFGS-B", result("nfev"), less, FIT),
            "tol": Effect(0.1, result("nfev"), less, FIT),
            "evaluate": Effect(
                True,
                lambda g, r: r["theta"].tolist() == [6.0, 0.1],
                are(False, True),
                {**FIT, "x0": [6.0, 0.1]},
            ),
            "degree": Effect(1, lambda g, r: r["trace_coeffs"].size, less, {**FIT, "degree": 2}),
            "sigma_bounds": Effect((8, 9), lambda g, r: r["sigma"] >= 0.8, are(False, True), FIT),
            "trace_bounds": Effect(
                *((-0.05, 0.05), lambda g, r: abs(r["trace_coeffs"][0]) <= 0.05),
                *(are(False, True), FIT),
            ),
            "fix_sigma": Effect(5.0, lambda g, r: r["sigma"] == 0.5, are(False, True), FIT),
            "with_bounds": Effect(False, result("sigma"), less, {**FIT, "sigma_bounds": (8, 9)}),
            "verbose": Effect(
                *(False, "LOG", less, {k: v for k, v in FIT.items() if k != "verbose"})
            ),
        },
    ),
    "flag_2d_outliers": (
        with_hidden_hot_pixels,
        {
            "filter_size": Effect(25, lambda g, r: r, differ, {"threshold": [-2, 2]}),
            "threshold": Effect([-2, 2], n_outliers, more),
            "with_mask": Effect(True, n_outliers, less),
            "dilate_structure": Effect(np.ones((1, 1), bool), n_outliers, less),
            "in_place": Effect(False, n_valid, more),
        },
    ),
    "flag_from_profile": (
        None,
        {
            "grow": Effect(0.2, n_valid, less, {"require_multiple": False}),
            "nfilt": Effect(40, n_valid, differ, PROFILE),
            "require_multiple": Effect(False, n_valid, differ, {"grow": 0.5}),
            "make_plot": Effect(True, lambda g, r: r is None, are(True, False)),
        },
    ),
    "flag_hot_cold_pixels": (
        None,
        {
            "cold_percentile": Effect(0.35, lambda g, r: r[0], more),
            "hot_percentile": Effect(0.5, lambda g, r: r[1], more),
            "absolute": Effect(
                *(False, lambda g, r: r[1], more),
                {"cold_percentile": 10, "hot_percentile": 90},
            ),
            "min_nexp": Effect(3, lambda g, r: r[1], less, {"hot_percentile": 0.4}),
            "dilate": Effect(2, lambda g, r: n_flagged(g, r[2]), more, {"hot_percentile": 0.5}),
        },
    ),
    "flag_percentile_outliers": (
        None,
        {
            "plevels": Effect(
                [0.5, 0.8, 0.99], lambda g, r: r[1], more, {"scale": 1}, [0.5, 0.8, 0.9]
            ),
            "scale": Effect(3, lambda g, r: r[1], more, {"plevels": [0.5, 0.8, 0.9]}, 1),
            "yslit": Effect([-0.5, 0.5], lambda g, r: r[1], more, LEVELS),
            "dilate": Effect(None, n_flagged, less, LEVELS),
            "update": Effect(False, n_valid, more, LEVELS),
        },
    ),
    "flag_trace_outliers": (
        None,
        {
            "yslit": Effect([-6, 6], n_flagged, less, {"threshold": 0.3}),
            "filter_size": Effect(60, n_flagged, less, {"threshold": 0.3}),
            "threshold": Effect(0.3, n_flagged, more),
        },
    ),
    "get_flat_diff_arrays": (
        with_fit,
        {
            "apply_mask": Effect(False, lambda g, r: len(r), more),
            "fit": Effect("FIT", lambda g, r: np.ptp(r["profile"]), more),
            "with_pathloss": Effect(
                True, lambda g, r: np.median(r["pathloss"]), less, {"fit": "FIT"}
            ),
            "float_dtype": Effect(np.float32, lambda g, r: r["sci"].dtype.itemsize, are(8, 4)),
        },
    ),
    "get_global_sky": (
        None,
        {"sky_file": Effect("SKY_CSV", lambda g, r: g.sky_arrays is None, are(True, False))},
    ),
    "get_trace_sn": (
        None,
        {
            "exposure_position": Effect(3, result("ipos"), differ),
            "theta": Effect([9.0, 0.3], result("sn"), differ),
            "force_positive": Effect(False, result("sn"), differ),
        },
    ),
    "make_diff_image": (
        None,
        {
            "exp": Effect(3, lambda g, r: r[2], differ),
            "separate": Effect(True, lambda g, r: len(r[2]), are(SHAPE[0] * SHAPE[1], 2)),
        },
    ),
    "mask_stuck_closed_shutters": (
        None,
        {
            "stuck_threshold": Effect(2.0, lambda g, r: len(g.meta["bad_shutter_names"]), more),
            "min_bar": Effect(
                2.0, lambda g, r: len(g.meta["bad_shutter_names"]), less, {"stuck_threshold": 2.0}
            ),
        },
    ),
    "parse_data": (
        None,
        {
            "debug": Effect(True, "LOG", more),
            "with_sflat_correction": Effect(
                False, lambda g, r: g.sflat_data is None, are(False, True)
            ),
            "with_extra_dq": Effect(False, planted(5, 10), are(False, True)),
        },
    ),
    "plot_2d_differences": (
        with_fit_aside,
        {
            "fit": Effect("FIT", axes_of, more),
            "clip_sigma": Effect(10, lambda g, r: r.axes[0].images[0].get_clim()[1], more),
            "kws": Effect(
                *({"cmap": "viridis"}, lambda g, r: r.axes[0].images[0].get_cmap().name),
                are("bone_r", "viridis"),
            ),
            "figsize": Effect((12, 2), lambda g, r: r.get_figwidth(), more),
        },
    ),
    "plot_profile": (
        with_fit_aside,
        {
            "exp": Effect(
                3,
                lambda g, r: (
                    np.asarray(r.axes[0].collections[0].get_offsets())
                    if r.axes[0].collections
                    else r.axes[0].lines[0].get_xdata()
                ),
                differ,
            ),
            "ax": Effect("AX", lambda g, r: r.get_figwidth() == 3.0, are(False, True)),
            "fit_result": Effect("FIT_1", lambda g, r: len(r.axes[0].lines), more),
            "ymax": Effect(0.7, lambda g, r: r.axes[0].get_ylim()[1], more),
        },
    ),
    "set_background_spectra": (
        None,
        {
            "path": Effect("GBKG", lambda g, r: r, are(None, True)),
            "skip_h_gratings": Effect(False, lambda g, r: r, are(None, True), {"path": "GBKG"}),
            "df": Effect(5, lambda g, r: g.sky_background, differ, {"path": "GBKG"}),
            "by_wavelength": Effect(True, lambda g, r: g.sky_background, differ, BACKGROUND),
            "wsteps": Effect([0.6, 2, 5.3], lambda g, r: g.sky_background, differ, BACKGROUND),
            "poly": Effect(True, lambda g, r: g.sky_background, differ, BACKGROUND),
            "mask_yslit": Effect([[-8, 8]], lambda g, r: g.sky_background, differ, BACKGROUND),
            "resid_limits": Effect((-1, 1), lambda g, r: g.sky_background, differ, BACKGROUND),
            "apply_to_background": Effect(False, lambda g, r: g.sci, differ, BACKGROUND),
        },
    ),
    "set_trace_coeffs": (
        None,
        {"degree": Effect(1, lambda g, r: len(g.base_coeffs[0]), are(3, 2))},
    ),
}
#: Methods whose arguments need other exposures than `prism`.
EXPOSURES = {
    ("set_background_spectra", "skip_h_gratings"): lambda: grating("G395H"),
    ("parse_data", "with_sflat_correction"): extended,
    ("parse_data", "with_extra_dq"): beside_a_bad_pixel,
}


@pytest.fixture
def resolve(tmp_path):
    """Files and figures that values stand for."""

    def resolved(value, group=None):
        if isinstance(value, dict):
            return {name: resolved(item, group) for name, item in value.items()}
        if isinstance(value, str):
            if value == "SKY_CSV":
                (tmp_path / "sky.csv").write_text("wave,flux\n0.5,0.1\n6.0,0.1\n")
                return str(tmp_path / "sky.csv")
            if value == "GBKG":
                wave = np.linspace(0.5, 5.6, 200)
                sky = 0.4 + 0.1 * np.sin(2 * wave)
                for i in range(3):
                    table = Table({"wave": wave, "p50": sky, "perr": np.full(200, 0.01)})
                    name = f"jw00001001001_0310{i}_00001_nrs1_gbkg.fits"
                    table.write(tmp_path / name, overwrite=True)
                return str(tmp_path)
            if value == "FIT":
                return group.fit or group.aside
            if value == "FIT_1":
                return group.aside[1]
            if value == "AX":
                return plt.figure(figsize=(3.0, 3.0)).add_subplot()
        return value

    yield resolved
    plt.close("all")


def build(exposures, options):
    return SlitGroup.from_arrays(exposures, **{**PLAIN, **options})


@pytest.mark.parametrize("name", CONSTRUCTED)
def test_argument_of_the_constructor(name, resolve, example_files):
    make, effect = CONSTRUCTED[name]
    if make == "EXAMPLES":
        exposures = [read_model(path, lazy_wcs=True) for path in example_files]
    else:
        exposures = make()
    base = resolve({**effect.base})
    value = resolve(effect.value)
    default = inspect.signature(SlitGroup).parameters[name].default
    other = default if effect.other is None and name not in PLAIN else effect.other
    seen = []
    for one in (other, value):
        options = {**base, name: one}
        chosen = exposures
        if name == "files":
            options = base
            chosen = exposures[one] if isinstance(one, slice) else exposures
        elif name == "name" and one is inspect.Parameter.empty:
            options = base
        group = build(chosen, options)
        seen.append(effect.observe(group, None))
    assert effect.compare(*seen), seen


CASES = [(method, name) for method, (_, effects) in CALLED.items() for name in effects]


@pytest.mark.parametrize(("method", "name"), CASES, ids=[".".join(case) for case in CASES])
def test_argument_of_a_method(method, name, resolve, caplog, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a path that is not given is this folder
    setup, effects = CALLED[method]
    effect = effects[name]
    if method == "set_background_spectra" and name == "path":
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
    default = inspect.signature(getattr(SlitGroup, method)).parameters[name].default
    first = build(EXPOSURES.get((method, name), prism)(), {})
    if setup is not None:
        setup(first)
    seen = []
    for one in (default if effect.other is None else effect.other, effect.value):
        group = copy.deepcopy(first)
        options = resolve({**effect.base, name: one}, group)
        caplog.clear()
        with caplog.at_level(logging.INFO, "webbweave"):
            returned = getattr(group, method)(**options)
        observed = len(caplog.records) if effect.observe == "LOG" else None
        seen.append(effect.observe(group, returned) if observed is None else observed)
    assert effect.compare(*seen), seen


def test_no_argument_is_left_out():
    assert set(CONSTRUCTED) == set(CONSTRUCTOR)
    listed = {(name, key) for name, arguments in METHODS.items() for key in arguments}
    assert set(CASES) == listed


def described(doc: str) -> set[str]:
    """The names in the parameters' section of a docstring."""
    section = re.split(r"\n\s*(?:Returns|Raises|Notes|Attributes)\n\s*-+\n", doc)[0]
    rows = re.findall(r"^ *((?:\*\*)?[\w, *]+) : ", section, flags=re.MULTILINE)
    return {name.strip(" *") for row in rows for name in row.split(",")}


@pytest.mark.parametrize("name", ["SlitGroup", *METHODS])
def test_every_argument_has_a_row_in_the_docstring(name):
    function = SlitGroup if name == "SlitGroup" else getattr(SlitGroup, name)
    assert set(positional(function)) <= described(function.__doc__)


def test_attributes_of_the_page():
    group = build(prism(), {})
    n_pixel = SHAPE[0] * SHAPE[1]
    for name, n_axis in ATTRIBUTES.items():
        value = getattr(group, name)
        if n_axis is not None:
            wide = SHAPE[1] if name in ("xtr", "ytr", "wtr") else n_pixel
            assert value.shape == (3, wide), name
    assert group.sh == SHAPE
    kinds = {"dq": "u", "mask": "b", "xslit": "i", "ypix": "i"}
    for name in ATTRIBUTES:
        if ATTRIBUTES[name] is not None:
            assert getattr(group, name).dtype.kind == kinds.get(name, "f"), name
    rows = re.findall(r"^([\w, ]+) : ", inspect.getdoc(GroupState), flags=re.MULTILINE)
    documented = [name.strip() for row in rows for name in row.split(",")]
    for name in (*ATTRIBUTES, "base_coeffs", "trace_coeffs", "fit", "sky_data"):
        assert hasattr(group, name)
        assert name in documented or name == "var"  # which is a property


def test_attributes_say_the_same():
    """What the page says of them: where the trace is, and what belongs together."""
    group = build(prism(), {})
    assert group.var is group.var_total
    np.testing.assert_allclose(
        group.var_total, group.var_poisson + group.var_rnoise + group.var_sky
    )
    x = (group.xslit - SHAPE[1] / 2) / SHAPE[1]
    for i in range(3):
        trace = np.polyval(group.base_coeffs[i], x[i])
        np.testing.assert_allclose(group.yslit[i], group.ypix[i] - trace, atol=1e-12)
        np.testing.assert_allclose(group.ytr[i], trace[: SHAPE[1]], atol=1e-9)
        middle = np.abs(group.yslit_orig[i]).reshape(SHAPE).argmin(axis=0)
        on_trace = group.wave[i].reshape(SHAPE)[middle, np.arange(SHAPE[1])]
        np.testing.assert_allclose(group.wtr[i], on_trace, atol=1e-9)
    assert np.array_equal(group.mask, np.isfinite(group.data))
    assert group.xtr.tolist() == [list(range(SHAPE[1]))] * 3


def test_methods_without_arguments():
    """They do what the constructor has done, or say what it knows."""
    group = build(prism(), {"bad_shutter_names": [1]})
    masked = np.count_nonzero(~group.mask)
    group.meta["bad_shutter_names"] = [0, 1]
    group.apply_bad_shutter_mask()
    assert np.count_nonzero(~group.mask) > masked
    group = build([{**e, "quadrant": 2} for e in prism()], {"fix_prism_norm": False})
    before = group.sci.copy()
    group.apply_normalization_correction()
    np.testing.assert_allclose(
        group.sci[group.mask], (before * group.normalization)[group.mask], rtol=1e-12
    )
    before, bar = group.sci.copy(), group.bar.copy()
    group.apply_spline_bar_correction()
    np.testing.assert_allclose(
        group.sci[group.mask], (before * bar / group.bar)[group.mask], rtol=1e-12
    )
    group.slits[0].slice = None
    group.calculate_slices()
    assert group.slits[0].slice == (slice(0, SHAPE[0]), slice(0, SHAPE[1]))
    assert len(group.parse_metadata()) == len(group.slit_metadata()) == group.N
    group.trace_coeffs[0] = np.array([0.5])
    before = group.yslit.copy()
    group.update_trace_from_coeffs()
    np.testing.assert_allclose(before[0] - group.yslit[0], 0.5)
