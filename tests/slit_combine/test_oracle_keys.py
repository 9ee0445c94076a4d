"""Every array that msaexp's stored results hold has its counterpart, to the tolerance of parity."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.special import erf

from webbweave.slit_combine import LookupTablePSF, SlitGroup, pseudo_drizzle
from webbweave.slit_combine.inputs import open_exposures
from webbweave.slit_combine.profiles import pixel_profile

#: The options of the tests of msaexp, and of the fits that were stored.
TEST_OPTIONS = {"stuck_threshold": 0.5, "sky_file": None, "flag_profile_kwargs": {}}
FIT = {
    **{"niter": 4, "degree": 0, "initial_sigma": 7, "with_bounds": False, "force_positive": False},
    **{"tol": 1e-8, "verbose": False},
}
#: Relative or, of coordinates and of what fits find, absolute; all others are identical.
RELATIVE = 1e-6
COORDINATE = 1e-9
#: Nods in pixels: the stored size of a pixel is off by 6e-10 of it. What msaexp 0.9.17 gives when
#: it is run on the same machine agrees to 4e-12 of it (nod_offset 5.06403847241 px in msaexp and
#: 5.06403847239 here, where 5.06403846941 is stored).
NODS = 4e-9
FITTED = 1e-4
NOD_COORDINATES = ("yslit", "base_coeffs", "relative_nod_offset")
DIFFERENCES = ("ipos", "ineg", "diff", "bdiff", "vdiff", "wdiff")


def stored(folder, name):
    with np.load(folder / f"{name}.npz") as arrays:
        return {key: arrays[key] for key in arrays.files}


@pytest.fixture(scope="module")
def groups(example_files):
    """The group after its fit, and after its sky; and with tabulated profiles."""
    made = {name: SlitGroup(example_files, "a", compat=True, **TEST_OPTIONS) for name in "ab"}
    made["a"].fit_all_traces(**FIT)
    made["b"].estimate_sky()
    made["c"] = SlitGroup(
        example_files, "a", compat=True, lookup_prf=LookupTablePSF(), **TEST_OPTIONS
    )
    made["c"].fit_all_traces(**FIT)
    return made


def assert_same(name, found, expected):
    found = np.asarray(found)
    assert found.shape == expected.shape, name
    if expected.dtype.kind in "biu":
        assert np.array_equal(found, expected), name
        return
    tolerance = {"rtol": RELATIVE, "atol": 1e-12}
    if name in ("wave", "fixed_yshutter"):
        tolerance = {"rtol": 0, "atol": COORDINATE}
    elif name in NOD_COORDINATES:
        tolerance = {"rtol": 0, "atol": NODS}
    np.testing.assert_allclose(found, expected, **tolerance, err_msg=name)


def assert_group(group, arrays, *, other=(), moved=()):
    """Compare attributes and differences; give the keys that are left."""
    left = []
    for name, expected in arrays.items():
        start, _, part = name.partition("__")
        if start.startswith("diffimg"):
            found = group.make_diff_image(int(start[-1]))[DIFFERENCES.index(part)]
            assert_same(part, found, expected)
        elif part or name in other:
            left.append(name)
        elif name in moved:
            np.testing.assert_allclose(getattr(group, name), expected, rtol=0, atol=FITTED)
        else:
            assert_same(name, getattr(group, name), expected)
    return left


def test_the_group_after_its_fit(groups, peer_results):
    arrays = stored(peer_results, "04_fit_gauss_deg0")
    group = groups["a"]
    objective = ("objfun_fp1", "objfun_fp0", "objfun_theta")  # in test_trace_fit.py
    left = assert_group(group, arrays, other=objective, moved=("yslit", "trace_coeffs"))
    assert set(objective) <= set(left)
    fitted = [name for name in left if name.startswith("fit")]
    assert len(fitted) == len(left) - 3 == 48
    for name in fitted:
        start, _, key = name.partition("__")
        found, expected = group.fit[int(start[-1])][key], arrays[name]
        if key in ("theta", "sigma", "trace_coeffs"):
            scale = 10 if key == "theta" else 1  # the width is counted in 0.1 pixels
            np.testing.assert_allclose(found, expected, rtol=0, atol=scale * FITTED, err_msg=name)
        elif key == "chi2_fit" and start == "fit2":
            assert found == pytest.approx(float(expected), rel=1e-9)
        elif key.startswith("chi2"):  # where the minimiser begins or stops, in the last iteration
            assert found == pytest.approx(float(expected), rel=1e-7)
        elif key in ("snum", "svnum", "sden", "smod"):
            # They follow the parameters, which agree to 1e-6.
            peak = np.nanmax(np.abs(expected))
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * peak, err_msg=name)
        else:
            assert_same(key, found, expected)


def test_the_group_with_its_sky(groups, peer_results):
    arrays = stored(peer_results, "08_sky")
    group = groups["b"]
    left = assert_group(group, arrays)
    assert len(left) == 10
    for name in left:
        key = name.partition("__")[2]
        found, expected = group.sky_data[key], arrays[name]
        if key == "sky_covar":  # of its diagonal: elsewhere are sums of what cancels
            scale = np.sqrt(np.outer(*[np.diag(expected)] * 2))
            assert np.max(np.abs(found - expected) / scale) < RELATIVE
        else:
            assert_same(key, found, expected)


@pytest.mark.parametrize(("name", "key"), [("04_fit_gauss_deg0", "a"), ("08_sky", "b")])
def test_meta_and_scalars(groups, peer_results, name, key):
    group = groups[key]
    summary = json.loads((peer_results / f"{name}.json").read_text())
    close = ("nod_offset", "slit_pixel_scale", "slit_shutter_scale", "source_ypixel_position")
    meta = dict(summary.pop("meta"))
    assert group.meta["nod_offset"] == pytest.approx(meta.pop("nod_offset"), rel=2e-9)
    assert {k: v for k, v in group.meta.items() if k != "nod_offset"} == meta
    found = {
        "N": group.N,
        "grating": group.grating,
        "filter": group.filter,
        "sh": list(group.sh),
        "calc_reference_exposure": group.calc_reference_exposure,
        "nmask": int(np.count_nonzero(group.mask)),
        "nmask_per": np.count_nonzero(group.mask, axis=1).tolist(),
        "info": {column: group.info[column].tolist() for column in group.info.colnames},
        "unp": {
            "values": group.unp.values,
            "indices": group.unp.indices.tolist(),
            "counts": group.unp.counts,
        },
        **{scalar: pytest.approx(getattr(group, scalar), rel=2e-9) for scalar in close[1:]},
    }
    assert found == summary


@pytest.mark.parametrize(("case", "key"), [("gauss", "a"), ("lut", "c")])
def test_tables_of_pixels(groups, peer_results, case, key):
    arrays = stored(peer_results, f"06_pixtab_{case}")
    group = groups[key]
    table = group.get_flat_diff_arrays(fit=group.fit, with_pathloss=True)
    assert table.colnames == list(arrays)
    assert len(table) == 13919
    for name, expected in arrays.items():
        if name in ("yslit", "profile", "pathloss"):  # of the fit
            np.testing.assert_allclose(table[name], expected, rtol=0, atol=FITTED, err_msg=name)
        elif name == "sci":  # differences of fluxes that agree to that
            np.testing.assert_allclose(table[name], expected, rtol=0, atol=1e-7 * expected.max())
        else:
            assert_same(name if name == "wave" else "", table[name], expected)
    if case == "lut":
        assert 0.5 < np.median(table["pathloss"]) < 0.9


@pytest.mark.parametrize("case", ["gauss", "lut"])
def test_drizzled_sums(peer_results, case):
    """All twelve sums, for the same table of pixels."""
    table = stored(peer_results, f"06_pixtab_{case}")
    arrays = stored(peer_results, f"07_combine_{case}")
    path, variance = table["pathloss"], table["var_total"]
    planes = {
        "sci": (table["sci"] / path, variance / path**2),
        "bkg": (table["sky"] / path, variance / path**2),
        "prof": (table["profile"], variance / path**2),
    }
    spectrum = [name for name in arrays if name.startswith("oned_")]  # in test_one_d.py
    seen = ["wave_bin", "xbin", "ybin", *spectrum]
    for name, (data, var) in planes.items():
        found = pseudo_drizzle(
            *(table["wave"], table["yslit"], data, var, 1 / table["var_rnoise"]),
            *(arrays["xbin"], arrays["ybin"]),
            **{"oversample": 16, "pixfrac": 0.8, "compat": True},
        )
        for key, sums in zip(("num", "vnum", "den", "ntot"), found, strict=True):
            expected = arrays[f"{name}_{key}"]
            peak = np.abs(expected).max()
            np.testing.assert_allclose(sums, expected, rtol=1e-9, atol=1e-12 * peak, err_msg=name)
            seen.append(f"{name}_{key}")
    assert sorted(seen) == sorted(arrays)


def test_planes_and_coordinates_of_the_exposures(example_files, peer_results):
    arrays = stored(peer_results, "00_inputs_wcs")
    for i, exposure in enumerate(open_exposures(example_files)):
        y, x = np.indices(exposure.shape, dtype=float)
        ra, dec, wave = exposure.wcs(x, y)
        frame = exposure.wcs.get_transform("detector", "slit_frame")
        slit_x, slit_y, lam = frame(x, y)
        found = {"ra": ra, "dec": dec, "slit_x": slit_x, "slit_y": slit_y, "wave": wave}
        for name, plane in found.items():
            known = np.isfinite(arrays[f"wave{i}"])
            # Positions are right ascensions of 215 degrees, of which 3e-14 are known.
            atol = 1e-12 if name in ("ra", "dec") else 1e-11
            np.testing.assert_allclose(
                plane[known], arrays[f"{name}{i}"][known], rtol=0, atol=atol, err_msg=name
            )
        np.testing.assert_allclose(lam[known], arrays[f"slit_lam{i}"][known], rtol=1e-11)
        assert np.array_equal(np.isfinite(exposure.wave), np.isfinite(arrays[f"wave{i}"]))
        box = exposure.wcs.to_gwcs().bounding_box.bounding_box(order="F")
        assert np.array_equal(box, arrays[f"bbox{i}"])
        for key, name in (("wavelength", "wavelength"), ("barshadow", "barshadow")):
            plane = getattr(exposure, name)
            assert np.array_equal(plane, arrays[f"{key}{i}"], equal_nan=True)
        for place in ("ypos0", "ypos1"):
            assert np.array_equal(arrays[f"trace_x{i}_{place}"], np.arange(exposure.shape[1]))


def test_profiles_of_a_pixel(peer_results):
    helpers = stored(peer_results, "01_helpers")
    x, nothing = helpers["prf_x"], np.zeros(helpers["prf_x"].size)
    for name, place, sigma in (("prf_s06", 0.0, 0.6), ("prf_s12", 0.3, 1.2)):
        found = pixel_profile(x - place, nothing, sigma).value
        np.testing.assert_allclose(found, helpers[name], rtol=0, atol=1e-12)
    # Of samples of 0.05 instead of pixels: nothing here has them, but it is the same function.
    half = 0.025
    sides = [erf((x + sign * half) / np.sqrt(2)) for sign in (1, -1)]
    np.testing.assert_allclose(
        (sides[0] - sides[1]) / (4 * half), helpers["prf_dxnone"], atol=1e-12
    )


def test_flags_leave_the_mask(peer_results):
    """A look for hot and cold pixels does not mask them; others are in test_flags_oracle.py."""
    flags = stored(peer_results, "03_flags")
    for name in ("hot_cold__mask", "hot_cold_pct__mask"):
        assert np.array_equal(flags[name], flags["stuck__mask"])


#: What other tests compare, by file: beginnings of keys.
ELSEWHERE = {
    "00_inputs_wcs": ("data", "err", "dq", "var_", "trace_y", "trace_w"),
    "01_helpers": (
        *("fwhm", "bar_", "norm_", "grid_", "bspl_", "slitfrac_", "lut_", "lutloss_", "pixfrac_"),
        "sflat_",
    ),
    "03_flags": ("trace_outliers", "percentile", "from_profile", "2d", "stuck", "hot_cold"),
}
HERE = {
    "00_inputs_wcs": (
        *("ra", "dec", "slit_x", "slit_y", "slit_lam", "wave", "bbox", "barshadow", "trace_x"),
    ),
    "01_helpers": ("prf_",),
    "03_flags": (),
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_no_key_is_left_out(peer_results, name):
    known = (*ELSEWHERE[name], *HERE[name])
    for key in stored(peer_results, name):
        assert key.startswith(known), key


def test_no_file_is_left_out(peer_results):
    names = {path.stem for path in peer_results.iterdir()}
    groups_of_files = {"02_group_testkw", "02b_group_defaults", "04_fit_gauss_deg0", "08_sky"}
    tables = {
        f"{start}_{case}" for start in ("06_pixtab", "07_combine") for case in ("gauss", "lut")
    }
    headers = {f"input_meta_{i}" for i in range(3)}
    assert names == groups_of_files | tables | set(ELSEWHERE) | headers


def test_headers(example_files, peer_results):
    for i, exposure in enumerate(open_exposures(example_files)):
        summary = json.loads((peer_results / f"input_meta_{i}.json").read_text())
        elsewhere = {
            "exposure_time": "meta.exposure.exposure_time",
            "effexp": "meta.exposure.effective_exposure_time",
            "pixarsr": "meta.photometry.pixelarea_steradians",
            "exp_type": "meta.exposure.type",
            "lamp_mode": "meta.instrument.lamp_mode",
            "dither": "meta.dither",
        }
        for name, expected in summary.items():
            assert exposure.get(elsewhere.get(name, name)) == expected, name
