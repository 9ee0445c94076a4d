"""SlitGroup in the mode of msaexp beside msaexp, and what msaexp does where it is not followed.

Skipped where msaexp 0.9.17, whose numbers ``compat=True`` gives, cannot be imported.
"""

from __future__ import annotations

import copy
import importlib.metadata
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from astropy.io import fits
from msaexp_peer import VERSION, import_msaexp, psf_file

from webbweave.slit_combine import (
    SlitGroup,
    combine_grating_group,
    extract_spectra,
    set_lookup_prf,
)

mpl.use("Agg")

try:
    if importlib.metadata.version("msaexp") != VERSION:
        raise ImportError(f"another release than {VERSION}")
    theirs = import_msaexp()
    import msaexp.utils
except ImportError as reason:
    pytest.skip(f"needs msaexp {VERSION}: {reason}", allow_module_level=True)

pytestmark = pytest.mark.filterwarnings("ignore")

#: The options of the tests of msaexp.
PLAIN = {"stuck_threshold": 0.5, "sky_file": None}
SKY = (np.linspace(0.5, 5.6, 200), 0.2 + 0.1 * np.linspace(0.5, 5.6, 200))
#: Choices of arguments of the class; those that are not named have their defaults.
CHOICES = {
    "defaults": {},
    "plain": PLAIN,
    "test": {**PLAIN, "flag_profile_kwargs": {}},
    "sky": {**PLAIN, "diffs": False, "estimate_sky_kwargs": {}},
    "bars": {**PLAIN, "undo_barshadow": True},
    "pipeline": {**PLAIN, "undo_barshadow": False, "fix_prism_norm": False},
    "flat": {**PLAIN, "bar_corr_mode": "flat", "min_bar": None},
    "raw": {**PLAIN, "slit_hotpix_kwargs": None, "with_extra_dq": False, "pad_border": 0},
    "path": {**PLAIN, "undo_pathloss": 2, "dilate_failed_open": 3},
    "traces": {**PLAIN, "trace_from_yoffset": False, "trace_with_ypos": True},
    "nods": {**PLAIN, "position_key": "position_number", "nod_offset": 5.0, "shutter_offset": 0.2},
    "flags": {
        **{**PLAIN, "flag_trace_kwargs": {"threshold": 1.2}, "flag_percentile_kwargs": None},
        **{"hot_cold_kwargs": {"hot_percentile": 0.5, "cold_percentile": -0.05}},
    },
    "outliers": {**PLAIN, "flag_2d_kwargs": {}, "do_multiple_mask": False},
    "shutters": {**PLAIN, "bad_shutter_names": [1], "num_shutters": 0},
    "arrays": {**PLAIN, "sky_arrays": SKY, "weight_type": "poisson"},
}
IDENTICAL = ("mask", "bkg_mask", "dq", "xslit", "ypix", "sh")
#: To 1e-6 of each number.
PLANES = (
    *("sci", "var_rnoise", "var_poisson", "var_sky", "var_total", "phot_corr", "pathloss_corr"),
    *("bar", "orig_bar", "normalization", "sky_background", "data", "dwave_dx", "exptime"),
)
#: To 1e-9 of what they are counted in: micron, pixel, shutter.
COORDINATES = (
    *("wave", "yslit", "yslit_orig", "yshutter", "fixed_yshutter", "slit_frame_y", "xtr", "ytr"),
    *("wtr", "base_coeffs", "trace_coeffs", "relative_nod_offset"),
)
SCALARS = ("N", "grating", "filter", "calc_reference_exposure", "IS_FIXED_SLIT")
SCALES = ("slit_pixel_scale", "slit_shutter_scale", "source_ypixel_position")
FITTED = 1e-4
OBJECTIVE = 1e-9
WITHOUT_PATH = {**theirs.DRIZZLE_KWS, "with_pathloss": False}


@pytest.fixture(scope="module")
def files(example_files):
    return [str(path) for path in example_files]


@pytest.fixture(autouse=True)
def no_server(monkeypatch):
    """Keep the packages that msaexp imports from asking their reference server for anything."""
    monkeypatch.setenv("STPIPE_DISABLE_CRDS_STEPPARS", "true")
    monkeypatch.setenv("CRDS_SERVER_URL", "https://crds.invalid")


@pytest.fixture(autouse=True)
def no_table(monkeypatch):
    """No profile of a test before: msaexp keeps it in its module, and extract_spectra sets it."""
    monkeypatch.setattr(theirs, "LOOKUP_PRF", None)


@pytest.fixture(scope="module")
def made(files):
    """The groups of msaexp and ours in its mode, by the name of their choice, made once."""
    groups = {}

    def make(choice):
        if choice not in groups:
            options = CHOICES[choice]
            groups[choice] = (
                theirs.SlitGroup(files, "a", **options),
                SlitGroup(files, "a", compat=True, **options),
            )
        return groups[choice]

    return make


@pytest.fixture
def pair(made):
    """Copies of both that can be changed."""

    def make(choice):
        return tuple(copied(group) for group in made(choice))

    return make


def copied(group):
    """A copy but for the models of the files, which nothing changes."""
    one = copy.copy(group)
    for name, value in vars(group).items():
        if name != "slits":
            setattr(one, name, copy.deepcopy(value))
    return one


@pytest.fixture
def groups(pair):
    """Both, with the options of the tests of msaexp."""
    return pair("plain")


def assert_planes(their, our):
    """Compare all that a group holds of its exposures."""
    for name in IDENTICAL:
        assert np.array_equal(getattr(our, name), getattr(their, name)), name
    for name in PLANES:
        if hasattr(their, name):
            found, expected = (np.asarray(getattr(one, name), float) for one in (our, their))
            # A sky agrees to 1e-6: what is left of the flux may be a thousandth of it.
            atol = 1e-8 if name == "data" and hasattr(their, "sky_data") else 0
            np.testing.assert_allclose(found, expected, rtol=1e-6, atol=atol, err_msg=name)
    for name in COORDINATES:
        found, expected = (np.asarray(getattr(one, name), float) for one in (our, their))
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("choice", CHOICES)
def test_groups_are_those_of_msaexp(pair, choice):
    their, our = pair(choice)
    assert_planes(their, our)
    for name in SCALARS:
        assert getattr(our, name) == getattr(their, name), name
    for name in SCALES:
        assert getattr(our, name) == pytest.approx(getattr(their, name), rel=1e-9), name
    assert list(our.unp.values) == list(their.unp.values)
    assert np.array_equal(our.unp.indices, their.unp.indices)
    expected = dict(their.meta)
    assert our.meta["nod_offset"] == pytest.approx(expected.pop("nod_offset"), rel=1e-9)
    assert {key: our.meta[key] for key in expected} == expected


@pytest.mark.parametrize("choice", ["test", "sky", "shutters"])
def test_differences_are_those_of_msaexp(pair, choice):
    their, our = pair(choice)
    for nod in their.unp.values:
        for separate in (False, True):
            expected = their.make_diff_image(exp=nod, separate=separate)
            found = our.make_diff_image(exp=nod, separate=separate)
            for plane, known in zip(found, expected, strict=True):
                # As above; the two means of a sky cancel.
                atol = 1e-8 if choice == "sky" else 1e-13
                np.testing.assert_allclose(plane, known, rtol=1e-6, atol=atol)


@pytest.mark.parametrize("options", [{}, {"df": 21, "use": False}, {"high_clip": 0.3}])
def test_skies_are_those_of_msaexp(groups, options):
    their, our = groups
    their.estimate_sky(**options)
    our.estimate_sky(**options)
    assert np.array_equal(our.mask, their.mask)
    assert set(their.sky_data) <= set(our.sky_data)
    for key, expected in their.sky_data.items():
        found = np.asarray(our.sky_data[key])
        assert found.shape == np.shape(expected), key
        if found.dtype.kind in "biu":
            assert np.array_equal(found, expected), key
        else:
            # Of the functions at the ends, few pixels tell, and neighbours cancel.
            near = key in ("sky_coeffs", "sky_model", "sky2d")
            atol = 1e-6 * np.nanmax(np.abs(expected)) if near else 0
            np.testing.assert_allclose(found, expected, rtol=1e-6, atol=atol, err_msg=key)
    near = 1e-6 * np.nanmax(np.abs(their.sky_data["sky2d"]))
    np.testing.assert_allclose(our.data, their.data, rtol=1e-6, atol=near)


def at_parameters(group, before, theta, **options):
    """The objective and the sums of each nod at given parameters."""
    group.trace_coeffs = [np.array(before)] * group.N
    group.update_trace_from_coeffs()
    settings = {"evaluate": True, "verbose": False, **options}
    return {nod: group.fit_single_trace(exp=nod, x0=theta, **settings) for nod in group.unp.values}


def assert_objective(their, our, before, theta, **options):
    expected, found = (at_parameters(g, before, theta, **options) for g in (their, our))
    for nod, known in expected.items():
        assert found[nod]["chi2_fit"] == pytest.approx(known["chi2_fit"], rel=OBJECTIVE)
        for key in ("snum", "svnum", "sden", "smod", "diff", "vdiff", "wdiff"):
            # Far out, a profile is the difference of two error functions that are nearly 1.
            atol = 1e-15 if key == "smod" else 0
            np.testing.assert_allclose(
                found[nod][key], known[key], rtol=1e-6, atol=atol, err_msg=key
            )
        assert np.array_equal(found[nod]["ipos"], known["ipos"])
        assert np.array_equal(found[nod]["ineg"], known["ineg"])


@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize(
    "theta", [[5.8, 0.83], [6.1, -0.08, 0.8], [0.4, 1.5, 0.04, 0.8], [0.3, 2.0, 0.4, 0.1, 0.2]]
)
def test_objectives_are_those_of_msaexp(groups, theta, positive):
    """From four parameters on, the first are those of a wing."""
    options = {"force_positive": positive, "degree": len(theta) - 2}
    assert_objective(*groups, [0.8], theta, **options)


def test_objectives_of_a_fixed_width_are_those_of_msaexp(groups):
    assert_objective(*groups, [0.7], [0.1, -0.1, 0.8], fix_sigma=4.5)


@pytest.mark.parametrize("degree", [0, 1, 2])
def test_fits_are_those_of_msaexp(groups, degree):
    their, our = groups
    expected = their.fit_all_traces(degree=degree, verbose=False) or their.fit
    found = our.fit_all_traces(degree=degree, verbose=False)
    assert list(found) == list(expected)
    for nod, known in expected.items():
        assert found[nod]["sigma"] == pytest.approx(known["sigma"], abs=FITTED)
        assert found[nod]["trace_coeffs"] == pytest.approx(known["trace_coeffs"], abs=FITTED)
        # Where a minimiser stops: 1e-8 of it or so.
        assert found[nod]["chi2_fit"] <= known["chi2_fit"] * (1 + 1e-7)
    np.testing.assert_allclose(our.yslit, their.yslit, rtol=0, atol=FITTED)
    reference = expected[2]
    assert_objective(their, our, reference["trace_coeffs"], reference["theta"], degree=degree)


def test_signal_to_noise_is_that_of_msaexp(groups):
    (expected, found) = (group.get_trace_sn() for group in groups)
    np.testing.assert_allclose(found["sn"], expected["sn"], rtol=1e-6)
    (expected, found) = (group.fit_params_by_sn() for group in groups)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-6)
    assert found[1] == pytest.approx(expected[1], rel=1e-6)
    assert tuple(found[2:]) == tuple(expected[2:])


def test_shutter_offset_is_that_of_msaexp(groups):
    their, our = groups
    results = []
    for group in groups:
        group.estimate_sky()
        results.append(group.fit_shutter_offset())
    assert np.atleast_1d(results[1].x) == pytest.approx(np.atleast_1d(results[0].x), abs=FITTED)
    assert our.meta["shutter_offset"] == pytest.approx(their.meta["shutter_offset"], abs=FITTED)
    assert results[1].fun == pytest.approx(results[0].fun, rel=1e-6)


def with_the_fit_of_msaexp(groups, degree=0):
    """Both with the same traces, and what both give at the same parameters."""
    their = groups[0]
    their.fit_all_traces(degree=degree, verbose=False)
    theta, trace = their.fit[2]["theta"], their.fit[2]["trace_coeffs"]
    for group in groups:
        group.fit = at_parameters(group, trace, theta, degree=degree)


@pytest.mark.parametrize("lookup", [False, True])
def test_tables_of_pixels_are_those_of_msaexp(groups, lookup):
    if lookup:
        theirs.set_lookup_prf()
        groups[0].lookup_prf = theirs.LOOKUP_PRF
        groups[1].lookup_prf = set_lookup_prf(psf_file())
    with_the_fit_of_msaexp(groups)
    expected, found = (g.get_flat_diff_arrays(fit=g.fit, with_pathloss=lookup) for g in groups)
    assert found.colnames == expected.colnames
    assert len(found) == len(expected) > 13000
    for name in expected.colnames:
        np.testing.assert_allclose(
            *(found[name], np.asarray(expected[name])), rtol=1e-6, err_msg=name
        )


def test_products_are_those_of_msaexp(groups):
    with_the_fit_of_msaexp(groups)
    products = [
        combine({"a": {"obj": group, "fit": group.fit}}, ["a"], drizzle_kws=WITHOUT_PATH)
        for combine, group in zip(
            (theirs.combine_grating_group, combine_grating_group), groups, strict=True
        )
    ]
    expected, found = (product["SPEC1D"].data for product in products)
    assert set(expected.names) <= set(found.names)
    for name in expected.names:
        values, known = (np.asarray(table[name], float) for table in (found, expected))
        peak = np.nanmax(np.abs(known))
        # Sums of noise cancel.
        np.testing.assert_allclose(values, known, rtol=1e-6, atol=1e-9 * peak, err_msg=name)
    for name in ("SCI", "WHT", "PROFILE"):
        known = products[0][name].data
        peak = np.nanmax(np.abs(known))
        np.testing.assert_allclose(
            products[1][name].data, known, rtol=1e-6, atol=1e-9 * peak, err_msg=name
        )
    header, known = (product["SPEC1D"].header for product in products[::-1])
    for key in ("NCOMBINE", "GRATING", "FILTER", "CALCREF"):
        assert header[key] == known[key], key
    for key in ("EXPTIME", "SIGMA"):
        assert header[key] == pytest.approx(known[key], rel=1e-9), key


FLAGS = {
    "flag_trace_outliers": ({}, {"threshold": 1.1, "yslit": [-3, 3]}, {"filter_size": 9}),
    "flag_percentile_outliers": (
        {},
        {"scale": 1.2},
        {"plevels": [0.8, 0.9, 0.99], "scale": 1, "dilate": False},
        {"update": False, "scale": 1},
        {"scale": 1, "dilate": None},
        {"scale": 0.9, "dilate": np.ones((1, 3), bool)},
    ),
    "flag_from_profile": ({}, {"grow": 1, "require_multiple": False}, {"nfilt": 200}),
    "flag_hot_cold_pixels": (
        {},
        {"hot_percentile": 0.4, "cold_percentile": -0.03, "min_nexp": 2},
        {"hot_percentile": 98, "cold_percentile": 2, "absolute": False},
    ),
    "flag_2d_outliers": ({}, {"threshold": [-3, 3], "with_mask": True}, {"filter_size": 11}),
    "mask_stuck_closed_shutters": ({}, {"stuck_threshold": 0.99, "min_bar": 0.9}),
}


@pytest.mark.parametrize(
    ("method", "options"), [(name, options) for name in FLAGS for options in FLAGS[name]]
)
def test_flags_are_those_of_msaexp(groups, method, options):
    expected, found = (getattr(group, method)(**options) for group in groups)
    their, our = groups
    assert np.array_equal(our.mask, their.mask)
    assert np.array_equal(np.isfinite(our.sci), np.isfinite(their.sci))
    if isinstance(expected, tuple):
        for one, known in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, known, rtol=1e-6)
    elif expected is not None:
        assert np.array_equal(found, expected)


def fitted(group):
    """The fit of the reference, from traces that have not moved."""
    group.trace_coeffs = [coeffs * 0.0 for coeffs in group.trace_coeffs]
    group.update_trace_from_coeffs()
    group.fit_all_traces(degree=0, verbose=False)
    return group.fit[2]


def test_s3_what_one_group_sets_holds_for_all(pair, monkeypatch):
    """A table and a prior of the module, and ours of the group."""
    their, our = pair("test")
    monkeypatch.setattr(theirs, "CENTER_PRIOR", theirs.CENTER_PRIOR)
    other = copied(their)
    assert fitted(their)["sigma"] == pytest.approx(0.5825, abs=1e-4)
    theirs.set_lookup_prf()
    for group in (their, other):
        assert fitted(group)["sigma"] == pytest.approx(0.3536, abs=1e-4)
    theirs.LOOKUP_PRF = None
    theirs.CENTER_PRIOR = 0.8
    assert fitted(their)["trace_coeffs"] == pytest.approx([0.8546], abs=1e-4)
    theirs.CENTER_PRIOR = 0.0
    assert fitted(other)["trace_coeffs"] == pytest.approx([0.8317], abs=1e-4)
    # What the constructor is given is not used for the profile.
    theirs_with = copied(their)
    theirs_with.lookup_prf = set_lookup_prf()
    assert fitted(theirs_with)["sigma"] == pytest.approx(0.5825, abs=1e-4)
    our.lookup_prf = set_lookup_prf()
    assert fitted(our)["sigma"] == pytest.approx(0.3536, abs=1e-4)


def test_s8_what_fails_in_msaexp(groups):
    their = groups[0]
    with pytest.raises(TypeError):
        their.plot_2d_differences()
    fitted(their)
    with pytest.raises(IndexError):
        their.plot_profile(exp=2, fit_result=their.fit[2])
    _, axis = plt.subplots()
    with pytest.raises(UnboundLocalError):
        their.plot_profile(exp=2, ax=axis)
    table = msaexp.utils.LookupTablePSF()
    with pytest.raises(TypeError):
        table(np.linspace(-3, 3, 7), np.full(7, 2.0), 0.5)
    plt.close("all")


def test_s10_hot_and_cold_of_the_exposures(files):
    """Pixels above 0.5 microjansky in all exposures; none is below -0.05 in all."""
    options = {**PLAIN, "hot_cold_kwargs": {"hot_percentile": 0.5, "cold_percentile": -0.05}}
    found = [
        (group.meta["nhot"], group.meta["ncold"])
        for group in (
            theirs.SlitGroup(files, "a", **options),
            *[SlitGroup(files, "a", compat=compat, **options) for compat in (True, False)],
        )
    ]
    assert found[0] == found[1]
    assert found[0][0] == found[2][1] == 0
    assert found[0][1] > 360
    assert found[2][0] > 360


def test_s11_one_exposure_has_no_difference(files):
    their, our = (
        theirs.SlitGroup(files[:1], "a", **PLAIN),
        SlitGroup(files[:1], "a", compat=True, **PLAIN),
    )
    assert their.meta["diffs"]
    for group in (their, our):
        for plane in group.make_diff_image(1)[2:]:
            assert not np.isfinite(plane).any()
        positive, negative = group.make_diff_image(1, separate=True)[2]
        assert np.isfinite(positive).sum() == group.mask.sum() > 4500
        assert not np.isfinite(negative).any()
        assert len(group.get_flat_diff_arrays()) == 0
    their.fit_all_traces(degree=0, ref_exp=None, verbose=False)
    # The priors, and nothing of the data.
    assert their.fit[1]["chi2_fit"] < 0.1
    ours = SlitGroup(files[:1], "a", **PLAIN)
    assert np.count_nonzero(np.isfinite(ours.make_diff_image(1)[2])) > 4500
    assert ours.fit_all_traces(degree=0)[1]["chi2_fit"] > 1000


def in_a_process(program, *arguments, folder=None):
    """What a program prints that runs with the packages of this one."""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    return run.stdout


def test_s13_what_is_written_and_what_is_swallowed(files, tmp_path):
    """In a process of its own, for what comes after is logged to that folder too."""
    program = (
        "import sys, matplotlib\n"
        "matplotlib.use('Agg')\n"
        "from msaexp_peer import import_msaexp\n"
        "theirs = import_msaexp()\n"
        "theirs.extract_spectra(target='1345_933', files=sys.argv[1:])\n"
        "print('one:', theirs.extract_spectra(target='b', files=sys.argv[1:2]))\n"
    )
    printed = in_a_process(program, *files, folder=tmp_path)
    assert "No valid spectra" in printed
    assert printed.splitlines()[-1] == "one: None"
    written = sorted(path.name.removeprefix("nirspec_") for path in tmp_path.iterdir())
    products = ("d2d.png", "flam.png", "fnu.png", "pixtab.fits", "spec.fits")
    assert written == [
        *[f"{target}.extract.{end}" for target in ("1345_933", "b") for end in ("log", "yml")],
        *[f"prism-clear_1345_933.{product}" for product in products],
    ]
    assert (Path(tempfile.gettempdir()) / "msaexp_slit_combine.log.txt").is_file()


def test_s13_a_group_with_a_broken_exposure_vanishes(files, tmp_path):
    """One cut-out of the second group is said to be elsewhere on the detector."""
    second = []
    for k, path in enumerate(files):
        copy = tmp_path / Path(path).name.replace("jw01345062", "jw01345063")
        with fits.open(path) as hdus:
            if k == 1:
                hdus["SCI"].header["SLTSTRT1"] = 5000
            hdus.writeto(copy)
        second.append(str(copy))
    program = (
        "import sys, matplotlib\n"
        "matplotlib.use('Agg')\n"
        "from msaexp_peer import import_msaexp\n"
        "theirs = import_msaexp()\n"
        "both, broken = sys.argv[1:], sys.argv[4:]\n"
        "print('both:', list(theirs.extract_spectra(target='a', files=both, root='a')))\n"
        "print('broken:', theirs.extract_spectra(target='b', files=broken, root='b'))\n"
    )
    printed = in_a_process(program, *files, *second, folder=tmp_path).splitlines()
    assert printed[-1] == "broken: None"
    assert [line.strip() for line in printed].count("failed TypeError") == 2
    assert "both: ['prism-clear']" in printed
    with fits.open(tmp_path / "a_prism-clear_1345_933.spec.fits") as product:
        assert product["SPEC1D"].header["NCOMBINE"] == 3  # of the six exposures
    ours = extract_spectra("a", files=[*files, *second], group_kws=PLAIN, compat=True)
    status = dict(zip(ours.summary["status"], ours.summary["reason"], strict=True))
    assert sorted(status) == ["combined", "failed"]
    assert "do not overlap" in status["failed"]
    assert "xstart 5000" in status["failed"]


def test_s14_unknown_arguments_of_msaexp(files):
    group = theirs.SlitGroup(files, "a", **PLAIN, stuck_treshold=1.0)
    assert "stuck_treshold" not in group.meta
    assert group.meta["stuck_threshold"] == 0.5
    group.fit_all_traces(degree=0, verbose=False, inital_sigma=9)


def test_s15_msaexp_beside_jwst_3(files):
    """Without the two names, in a process of its own."""
    program = (
        "from msaexp import slit_combine\n"
        "try:\n    slit_combine.SlitGroup(__import__('sys').argv[1:], 'a')\n"
        "except ImportError as error:\n    print('ImportError:', error)\n"
    )
    printed = in_a_process(program, *files)
    if importlib.metadata.version("jwst") >= "3":
        assert "ImportError: cannot import name 'pixel'" in printed


def test_s18_half_a_chi_squared(pair):
    fit = fitted(pair("test")[0])
    chi = (fit["diff"] - fit["smod"].ravel()) / np.sqrt(fit["vdiff"])
    assert fit["chi2_fit"] == pytest.approx(5215.11, abs=0.01)
    assert np.nansum(chi**2) == pytest.approx(11248.0, abs=0.1)
    assert np.count_nonzero(np.isfinite(chi)) == 4640


def test_s27_weights_of_msaexp(pair):
    """The spectrum is that of the formula of the code, not of the documented one."""
    their = pair("test")[0]
    fitted(their)
    their.meta["weight_type"] = "exptime_bar"
    made = {"a": {"obj": their, "fit": their.fit}}
    product = theirs.combine_grating_group(made, ["a"], drizzle_kws=WITHOUT_PATH)
    spectrum = product["SPEC1D"].data
    table = their.get_flat_diff_arrays(fit=their.fit)
    grid = np.asarray(spectrum["wave"], float)
    apart = []
    for weight in (table["exptime"] * table["bar"] ** 2, table["exptime"] / table["bar"]):
        found = theirs.pixel_table_to_1d(table, grid, weight=weight)
        off = np.nanmax(np.abs(found["flux"] - spectrum["flux"]))
        apart.append(off / np.nanmax(np.abs(spectrum["flux"])))
    assert apart[0] < 1e-12
    assert apart[1] == pytest.approx(0.0975, abs=1e-3)


def test_s34_outliers_grow_if_they_are_odd(groups):
    """Three outliers at 1.2 times the distance, four at 1."""
    their = groups[0]
    grown = [
        int(np.count_nonzero(copied(their).flag_percentile_outliers(scale=scale)[0]))
        for scale in (1.2, 1)
    ]
    assert grown == [27, 4]
