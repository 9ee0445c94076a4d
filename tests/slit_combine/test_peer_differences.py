"""The page "Differences from jwst and msaexp", entry by entry: before (compat) and after."""

from __future__ import annotations

import copy
import logging
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from differences_page import assert_differences_are_tested
from slit_arrays import PIXEL_AREA, group_arrays
from synthetic_slitlet import SHUTTER_SCALE, make_slitlet

from webbweave.errors import InputError
from webbweave.slit_combine import (
    MaskBit,
    SlitGroup,
    combine_grating_group,
    extract_spectra,
    obj_header,
    pixel_table_to_1d,
    pseudo_drizzle,
    set_lookup_prf,
    split_visit_groups,
)
from webbweave.slit_combine.barshadow import bar_transmission
from webbweave.slit_combine.extended import shutter_flat_values
from webbweave.slit_combine.joint import fit_joint
from webbweave.slit_combine.pseudo_drizzle import drizzle_planes, sub_samples
from webbweave.slit_combine.psf_width import psf_fwhm, psf_sigma
from webbweave.slit_combine.reference import _tables, bad_pixels, bar_table
from webbweave.slit_combine.splines import spline_values
from webbweave.slit_combine.trace_sn import self_subtraction

MODES = (True, False)
#: Nothing but the planes as they are: what is planted is all there is.
PLAIN = {
    **{"undo_barshadow": False, "min_bar": None, "bad_shutter_names": [], "sky_file": None},
    **{"with_extra_dq": False, "slit_hotpix_kwargs": None, "flag_trace_kwargs": None},
    **{"flag_percentile_kwargs": None, "do_multiple_mask": False, "pad_border": 0},
}
GRID = np.linspace(0.7, 5.2, 40)
MICROJANSKY = PIXEL_AREA * 1e12  # of a pixel of 1 MJy/sr


def group_of(slitlet, compat=False, **options):
    return SlitGroup.from_arrays(group_arrays(slitlet), compat=compat, **{**PLAIN, **options})


def both(slitlet, **options):
    """The group of msaexp, and ours."""
    return [group_of(slitlet, compat, **options) for compat in MODES]


def slitlet_of(seed=0, **options):
    return make_slitlet(seed, fixed_slit=True, **options)


def outside(slitlet, i, row, column):
    """The index of a pixel."""
    return i, row * slitlet.shape[1] + column


@pytest.fixture(scope="module")
def real(example_files):
    """The groups of the bundled exposures."""
    return [SlitGroup(example_files, "1345_933", compat=compat) for compat in MODES]


def fitted(group):
    """A copy with a fit, the group itself staying as it is."""
    own = copy.copy(group)
    own.yslit, own.yshutter = group.yslit.copy(), group.yshutter.copy()
    own.trace_coeffs = list(group.trace_coeffs)
    own.fit_all_traces(degree=0)
    return own


def test_s1_pixels_masked_late(real):
    late = []
    for group in real:
        negative = [~group.unp[nod] for nod in group.unp]
        flagged = group.bkg_mask & ~group.mask
        late.append(
            sum((flagged[n].any(axis=0) & group.mask[n].any(axis=0)).sum() for n in negative)
        )
    assert late == [126, 132]
    shifts = []
    for compat in MODES:
        spectra = []
        for part in (0.0, 0.05):
            group = group_of(slitlet_of(), compat)
            lost = np.random.default_rng(100).random(group.mask.shape) < part
            group.mask_out(lost & (np.abs(group.yslit) > 3.5), MaskBit.TRACE)
            group.fit_all_traces(degree=0)
            table = group.get_flat_diff_arrays(fit=group.fit)
            spectra.append(pixel_table_to_1d(table, GRID, compat=compat))
        whole, without = spectra
        shifts.append(np.nanmean((without["flux"] - whole["flux"]) / whole["err"]))
    before, after = shifts
    assert before == pytest.approx(2.0, abs=0.1)
    assert abs(after) < 0.1


def test_s1_the_background_is_a_mean():
    slitlet = make_slitlet(None, fixed_slit=True, scale=0.0)
    index = outside(slitlet, 0, 12, 20)
    for compat, expected in zip(MODES, (0.5, 1.0), strict=True):
        group = group_of(slitlet, compat)
        bad = np.zeros(group.mask.shape, bool)
        bad[index] = True
        group.mask_out(bad, MaskBit.TRACE)
        negative = group.make_diff_image(2, separate=True)[2][1]
        assert negative[index[1]] / slitlet.sky[index] == pytest.approx(expected, rel=1e-6)


def test_s2_what_the_parameters_mean(real):
    before, after = (
        [
            group.fit_single_trace(exp=2, degree=degree, method=method, errors=False)
            for degree in (0, 2)
        ]
        for group, method in zip(real, ("powell", "L-BFGS-B"), strict=True)
    )
    # In msaexp, what three coefficients leave over is two parameters of wings, and a fixed width.
    assert [fit["chi2_fit"] for fit in before] == pytest.approx([5112.7, 5279.3], abs=0.1)
    assert [fit["sigma"] for fit in before] == pytest.approx([0.598, 0.2], abs=1e-3)
    assert [fit["chi2_fit"] for fit in after] == pytest.approx([5064.0, 5060.1], abs=0.1)
    assert [fit["sigma"] for fit in after] == pytest.approx([0.6036, 0.6020], abs=1e-3)


def test_s2_wings_are_asked_for():
    group = group_of(slitlet_of())
    plain = group.fit_single_trace(exp=2, degree=0)
    winged = group.fit_single_trace(exp=2, degree=0, wings=[(0.1, 2.0, 0.0)])
    assert plain["theta"].size == winged["theta"].size == 2
    assert winged["sigma"] < plain["sigma"]


def test_s3_groups_know_nothing_of_each_other():
    slitlets = [slitlet_of(seed) for seed in (1, 2)]
    for compat in MODES:

        def fit(job, compat=compat):
            slitlet, lookup = job
            group = group_of(slitlet, compat, lookup_prf=lookup)
            group.fit_all_traces(degree=0, niter=1)
            return group.fit[2]["theta"]

        jobs = [(slitlets[0], None), (slitlets[1], set_lookup_prf())] * 2
        serial = [fit(job) for job in jobs]
        with ThreadPoolExecutor(2) as threads:
            parallel = list(threads.map(fit, jobs))
        np.testing.assert_array_equal(serial[:2], serial[2:])
        np.testing.assert_array_equal(serial, parallel)
        # The table is used for the profile: in msaexp only for the path loss.
        assert fit((slitlets[1], None))[0] != pytest.approx(serial[1][0], rel=0.05)


def test_s4_traces_of_one_nod():
    """Two exposures of each nod whose traces are 0.8 pixels apart."""
    slitlet = make_slitlet(3, fixed_slit=True, nods=(1, 2, 3, 1, 2, 3), center=(0.0,), scale=3.0)
    widths = []
    for compat in MODES:
        arrays = group_arrays(slitlet)
        for exposure in arrays[3:]:
            # The source is one pixel higher, and so is what the WCS says.
            for name in ("data", "dq", "err", "var_poisson", "var_rnoise", "slit_y"):
                exposure[name] = np.roll(exposure[name], 1, axis=0)
            exposure["slit_y"][0] = exposure["slit_y"][1] - SHUTTER_SCALE
        options = {**PLAIN, "trace_from_yoffset": False}
        group = SlitGroup.from_arrays(arrays, compat=compat, **options)
        fit = group.fit_single_trace(exp=2, degree=0, force_positive=True)
        widths.append((fit["sigma"], fit["sigma_err"]))
    (before, _), (after, error) = widths
    assert abs(after - slitlet.sigma) < 4 * error
    assert before == pytest.approx(0.83, abs=0.02)


def background_tables(folder, slitlet):
    for i in range(slitlet.n):
        wave = np.linspace(0.5, 5.6, 200)
        table = Table({"wave": wave, "p50": np.full(200, 0.4), "perr": np.full(200, 0.01)})
        table.write(folder / f"jw00001001001_0310{i}_00001_nrs1_gbkg.fits")


def test_s5_the_folder_of_background_spectra(tmp_path, monkeypatch):
    slitlet = slitlet_of()
    background_tables(tmp_path, slitlet)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    # msaexp looks whether they are there, and then does not find them.
    for group in both(slitlet):
        assert group.set_background_spectra(path=tmp_path) is True
        expected = 0.4 * MICROJANSKY / (PIXEL_AREA / 4.88e-13)
        assert np.nanmedian(group.sky_background) == pytest.approx(expected, rel=1e-3)


def test_s6_a_second_look_at_the_profile():
    counts = []
    for group in both(make_slitlet(4, fixed_slit=True, n_hot=6)):
        seen = []
        for grow in (2, 200):
            group.flag_from_profile(grow=grow, require_multiple=False)
            seen.append(int(np.count_nonzero(group.mask)))
        counts.append(seen)
    before, after = counts
    assert before[1] > before[0]
    assert after[1] <= after[0]


def test_s7_nothing_is_kept_from_call_to_call(real):
    style = {"cmap": "viridis"}
    for group in (fitted(item) for item in real):
        group.plot_2d_differences(kws=style)
        assert style == {"cmap": "viridis"}
        assert [obj_header(group)["EXPTIME"] for _ in range(2)] == [pytest.approx(3063.666)] * 2
        start = np.array([5.0, 0.0])
        group.fit_single_trace(exp=2, x0=start)
        assert start.tolist() == [5.0, 0.0]


def test_s8_figures_and_tables_that_failed(real):
    for group in real:
        figure = group.plot_2d_differences()
        assert len(figure.axes) == group.unp.N
        with_fit = fitted(group)
        axis = group.plot_2d_differences().axes[0]
        drawn = with_fit.plot_profile(exp=3, ax=axis, fit_result=with_fit.fit[3])
        assert drawn is axis.figure
    names = set_lookup_prf(fixed_slit="S400A1"), set_lookup_prf(fixed_slit="S200A1")
    y = np.linspace(-3, 3, 7)
    values = [table(y, np.full(7, 2.0), 0.5) for table in names]
    np.testing.assert_array_equal(*values)
    assert values[0][3] == max(values[0]) > 0.2


def test_s9_the_table_of_bad_pixels():
    first, second = (bad_pixels("NRS1") for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert one is other
        assert not one.flags.writeable
    assert first[0].size == 26699


def test_s10_hot_and_cold():
    slitlet = slitlet_of(read_noise=0.05)
    found = []
    for compat in MODES:
        arrays = group_arrays(slitlet)
        for exposure in arrays:
            exposure["data"][5, 10:14] = 5.0 / MICROJANSKY
            exposure["data"][6, 30] = -0.12 / MICROJANSKY
        options = {**PLAIN, "hot_cold_kwargs": {}}
        group = SlitGroup.from_arrays(arrays, compat=compat, **options)
        found.append((group.meta["nhot"], group.meta["ncold"]))
    before, after = found
    assert after[0] >= 4
    assert after[1] >= 1
    assert before == after[::-1]


def test_s11_one_exposure(caplog):
    slitlet = slitlet_of(n_exposures=1)
    said = []
    for compat in MODES:
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            group = group_of(slitlet, compat)
        said.append("nothing to subtract" in caplog.text)
        negative = group.make_diff_image(group.unp.values[0], separate=True)[2][1]
        # What is not there is not a number in msaexp, and the difference is none then.
        assert np.isnan(negative).all() if compat else not negative.any()
    assert said == [False, True]
    assert group.meta["diffs"]
    assert not group.meta["diffs_applied"]


def test_s12_bars_beyond_the_table_above():
    table = bar_table(3)
    u = np.linspace(0.0, table.high + 0.6, 300)
    wave = np.full(u.size, 2.0)
    (before, wrapped), (after, repeated) = (
        bar_transmission(u, wave, 3, mode="flat", compat=compat) for compat in MODES
    )
    assert (wrapped, repeated) == (False, True)
    assert np.isnan(before).mean() == pytest.approx(0.27, abs=0.01)
    assert np.isfinite(after).all()


def test_s13_what_cannot_be_combined_is_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    good = group_arrays(slitlet_of())
    broken = [{name: item for name, item in e.items() if name != "var_rnoise"} for e in good]
    for compat in MODES:
        result = extract_spectra(
            "source",
            exposure_groups={"good": good, "broken": broken, "single": good[:1]},
            group_kws=PLAIN,
            lookup_prf_type=None,
            compat=compat,
        )
        status = dict(zip(result.summary["group"], result.summary["status"], strict=True))
        assert status == {"good": "combined", "broken": "failed", "single": "rejected"}
        assert "VAR_RNOISE" in result.summary["reason"][1]
        assert list(result.spectra) == ["prism-clear"]
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="VAR_RNOISE"):
        extract_spectra("s", exposure_groups={"broken": broken}, protect_exception=False)


def test_s13_no_programme_has_rules_of_its_own(tmp_path):
    paths = []
    for i in range(1, 7):
        path = tmp_path / f"jw02561001001_03101_0000{i}_nrs1_phot.1.fits"
        header = fits.Header({"GRATING": "PRISM", "FILTER": "CLEAR"})
        fits.PrimaryHDU(header=header).writeto(path)
        paths.append(path)
    for compat in MODES:
        groups = split_visit_groups(paths, compat=compat)
        assert [len(members) for members in groups.values()] == [6]
    asked = split_visit_groups(paths, split_uncover=[2561])
    assert [len(members) for members in asked.values()] == [3, 3]


def test_s14_unknown_arguments(caplog):
    arrays = group_arrays(slitlet_of())
    with pytest.raises(TypeError, match=r"'stuck_treshold'.*'stuck_threshold'"):
        SlitGroup(arrays, "s", stuck_treshold=1)
    with caplog.at_level(logging.WARNING):
        group = SlitGroup(arrays, "s", stuck_treshold=1, compat=True)
    assert "stuck_treshold" in caplog.text
    assert group.meta["stuck_threshold"] == 0.3


def test_s15_no_peer_is_imported(repository):
    text = "\n".join(path.read_text() for path in (repository / "src/webbweave").rglob("*.py"))
    imported = set(re.findall(r"^\s*(?:from|import) +([a-zA-Z_]\w*)", text, flags=re.MULTILINE))
    assert {"numpy", "astropy"} <= imported
    assert not imported & {"jwst", "stcal", "msaexp", "grizli", "numba", "crds"}


def test_s17_the_width_of_a_gaussian():
    wave = np.array([1.0, 3.0, 5.0])
    before, after = (psf_fwhm(wave) / psf_sigma(wave, compat=compat) for compat in MODES)
    np.testing.assert_allclose(before, 2.35)
    np.testing.assert_allclose(after, np.sqrt(8 * np.log(2)))
    ratio = before[0] / after[0]
    assert 1 - ratio == pytest.approx(0.0020, abs=1e-4)


def test_s18_two_units_of_chi_squared(real):
    for group in real:
        fit = group.fit_single_trace(exp=2, degree=0, errors=False)
        chi = (fit["diff"] - fit["smod"].ravel()) / np.sqrt(fit["vdiff"])
        assert fit["chi2_full"] == pytest.approx(np.nansum(chi**2))
        size = np.abs(chi)
        huber = np.where(size < 7, chi**2 / 2, 7 * (size - 3.5))
        # Besides, there are the priors.
        assert np.nansum(huber) == pytest.approx(fit["chi2_fit"], abs=40)
        assert fit["chi2_full"] > 2 * np.nansum(huber)


def test_s19_the_prior_of_the_centre(real):
    offsets = [
        np.mean(
            [
                group_of(slitlet_of(seed, center=(0.8,), scale=0.1), compat).fit_single_trace(
                    exp=2, degree=0, method="L-BFGS-B", errors=False
                )["trace_coeffs"][0]
                for seed in range(6)
            ]
        )
        for compat in MODES
    ]
    before, after = offsets
    assert before == pytest.approx(0.36, abs=0.03)
    assert after == pytest.approx(0.79, abs=0.03)
    penalties = []
    for group in real:
        options = group.fit_options
        penalties.append(0.8**2 / (2 * options.center_width**2))
    assert penalties == pytest.approx([32.0, 1.28])


def test_s20_small_basis_functions():
    u = np.linspace(-1.55, 1.55, 997)
    table = bar_table(3)
    before, after = (
        spline_values(u, table.flat, table.low, table.high, clip=clip) for clip in MODES
    )
    assert 0 < np.abs(before / after - 1).max() < 3e-4


def test_s21_the_grid_of_the_s_flat():
    wave = np.linspace(0.7, 5.2, 50)
    before, after = (shutter_flat_values(wave, 2, 295, 33, compat=compat) for compat in MODES)
    change = np.abs(before / after - 1)
    assert change.max() == pytest.approx(0.0021, abs=2e-4)
    first = [shutter_flat_values(wave, 2, 0, 0, compat=compat) for compat in MODES]
    np.testing.assert_allclose(*first, rtol=1e-4)


def test_s22_corrections_without_the_noise():
    rng = np.random.default_rng(5)
    n = 20000
    y = rng.uniform(-3, 3, n)
    wave = rng.uniform(1, 2, n)
    table = {
        "wave": wave,
        "yslit": y,
        "profile": np.exp(-(y**2)),
        "pathloss": 0.7 + 0.2 * (wave - 1),
        "var_rnoise": np.ones(n),
        "var_total": np.ones(n),
        "sky": np.zeros(n),
        "sci": 0.05 * np.exp(-(y**2)) + rng.normal(size=n),
        "normalization": np.full(n, 1.1) + 0.05 * y,
    }
    grid = np.linspace(1.02, 1.98, 100)
    before, after = (pixel_table_to_1d(table, grid, compat=compat) for compat in MODES)
    truth = 1 / (0.7 + 0.2 * (grid - 1))
    assert np.abs(after["path_corr"] / truth - 1).max() < 0.01
    assert np.std(after["norm_corr"]) < 0.01 < 0.1 < np.std(before["norm_corr"])
    np.testing.assert_array_equal(before["flux"], after["flux"])


def test_s23_variances_of_cells():
    edges_x, edges_y = np.array([0.0, 1.0]), np.array([-0.5, 0.5, 1.5])
    pixel = {"x": [0.5], "y": [0.5], "values": [[1.0]], "variance": [4.0], "weight": [3.0]}
    sums = drizzle_planes(**pixel, x_edges=edges_x, y_edges=edges_y, pixfrac=1.0)
    # Half of the pixel in each row.
    np.testing.assert_allclose(sums.linear / sums.den**2, 8.0)
    np.testing.assert_allclose(sums.variance(), 4.0)
    assert sums.correlation_above()[0, 0] == pytest.approx(1.0)
    _, vnum, den, _ = pseudo_drizzle(
        [0.5], [0.5], [1.0], [4.0], [3.0], edges_x, edges_y, oversample=16
    )
    assert vnum.sum() / den.sum() ** 2 == pytest.approx(4.0)


def test_s23_variances_in_the_product(real):
    for group, names in zip(real, (set(), {"VARIANCE", "CORR_UP"}), strict=True):
        product = combine_grating_group({"a": fitted(group)}, ["a"])
        assert {hdu.name for hdu in product} & {"VARIANCE", "CORR_UP"} == names
    ratio = product["WHT"].data * product["VARIANCE"].data
    assert np.nanmedian(ratio[product["WHT"].data > 0]) == pytest.approx(0.62, abs=0.1)


def test_s24_the_size_of_a_pixel(real):
    before, after = (group.slit_pixel_scale for group in real)
    assert before == pytest.approx(0.104462, abs=1e-6)
    assert after == pytest.approx(0.104552, abs=1e-6)
    # Nods of 0.529 arcsec.
    nods = [np.ptp(group.relative_nod_offset) / 2 for group in real]
    assert nods[0] - nods[1] == pytest.approx(0.0044, abs=2e-4)


def test_s25_each_exposure_has_its_own_frame():
    slitlet = make_slitlet(None)
    changes = []
    for compat in MODES:
        arrays = group_arrays(slitlet)
        for i, exposure in enumerate(arrays):
            exposure["slit_y"] = exposure["slit_y"] + 0.02 * i
            exposure |= {"quadrant": 2, "xcen": 20 + 150 * i}
        options = {**PLAIN, "fix_prism_norm": True}
        group = SlitGroup.from_arrays(arrays, compat=compat, **options)
        difference = group.slit_frame_y - group.slit_frame_y[0]
        frame = np.max(np.abs(difference - np.median(difference, axis=1, keepdims=True)))
        norm = np.max(np.abs(group.normalization / group.normalization[0] - 1))
        changes.append((np.abs(difference).max(), frame, norm))
    before, after = changes
    assert before == (0, 0, 0)
    assert after[0] > 0.02
    assert after[2] > 1e-3


def test_s26_precision(real):
    before, after = real
    names = ("sci", "var_rnoise", "var_poisson", "var_total", "bar")
    assert {getattr(before, name).dtype for name in names[:4]} == {np.dtype("f4")}
    assert {getattr(after, name).dtype for name in names} == {np.dtype("f8")}


def test_s27_weights():
    slitlet = make_slitlet(0)
    for group in both(slitlet):
        table = group.get_flat_diff_arrays()
        from webbweave.slit_combine.pixel_table import pixel_weights

        weight = pixel_weights(table, "exptime_bar")
        np.testing.assert_allclose(weight, 1000.0 * np.asarray(table["bar"]) ** 2)
        np.testing.assert_allclose(pixel_weights(table, "poisson") * table["var_total"], 1.0)


def test_s28_whose_width_is_in_the_header():
    for group, nod in zip(both(slitlet_of()), (1, 2), strict=True):
        group.fit_all_traces(degree=0, ref_exp=None)
        header = obj_header(group)
        assert list(group.fit) == [1, 2, 3]
        assert header["SIGMA"] == group.fit[nod]["sigma"]
        assert len({header[f"SIGMA{i}"] for i in range(3)}) == 3
        assert header["SIGERR0"] == group.fit[1]["sigma_err"]


def test_s29_self_subtraction():
    """An extended source that is in its own background."""
    lost, joint = [], []
    for seed in range(3):
        slitlet = slitlet_of(seed, sigma=1.6, center=(0.0,), scale=3.0)
        truth = slitlet.column_flux()
        group = group_of(slitlet)
        group.fit_all_traces(degree=0, force_positive=True)
        table = group.get_flat_diff_arrays(fit=group.fit)
        inside = np.abs(np.asarray(table["yslit"])) < 2
        spectrum = pixel_table_to_1d(table[inside], slitlet.wave[0][: slitlet.shape[1]])
        lost.append(np.nanmedian(spectrum["flux"] / truth))
        joint.append(np.nanmedian(fit_joint(group.stack(), initial_sigma=1.5).flux[0] / truth))
    assert np.mean(lost) == pytest.approx(0.88, abs=0.01)
    assert np.mean(joint) == pytest.approx(1.0, abs=0.005)
    # What goes is known from the profile, for each wavelength.
    factor = self_subtraction(group.stack(), 2, sigma=1.6, y_range=(-2, 2))
    assert np.nanmedian(factor.aperture) == pytest.approx(0.051, abs=0.002)


def test_s30_wavelengths_of_a_source_off_the_middle(example_files, real):
    with pytest.raises(ValueError, match="CRDS"):
        SlitGroup(example_files, "s", trace_with_xpos=True, compat=True)
    shifted = SlitGroup(example_files, "s", trace_with_xpos=True)
    step = (shifted.wave - real[1].wave) / np.abs(real[1].dwave_dx)
    places = [float(slit.get("source_xpos")) for slit in shifted.slits]
    assert places == pytest.approx([-0.25, -0.246, -0.255], abs=1e-3)
    assert np.nanmedian(step, axis=1) == pytest.approx([-0.256, -0.252, -0.261], abs=2e-3)


def test_s34_outliers_grow(example_files):
    """By a pixel on all sides: in msaexp one or three do, and four do not."""
    options = {"stuck_threshold": 0.5, "sky_file": None}
    numbers = {}
    for compat in MODES:
        group = SlitGroup(example_files, "a", compat=compat, **options)
        for scale in (1.2, 1):
            numbers[compat, scale] = [
                np.count_nonzero(
                    group.flag_percentile_outliers(scale=scale, dilate=dilate, update=False)[0]
                )
                for dilate in (None, np.ones((3, 3), bool), False)
            ]
    assert numbers[True, 1.2] == [3, 27, 27]
    assert numbers[True, 1] == [4, 4, 4]
    for scale in (1.2, 1):
        alone, grown, told = numbers[False, scale]
        assert alone == told > 0
        assert grown == 9 * alone


def test_s31_tables_are_read_once():
    before = _tables.cache_info()
    for _ in range(20):
        psf_fwhm(np.array([1.0, 2.0]))
    after = _tables.cache_info()
    assert after.misses - before.misses <= 1


def test_s32_the_footprint_of_a_pixel():
    before, after = (sub_samples(16, 0.8, compat=compat) for compat in MODES)
    assert (before.min(), before.max()) == pytest.approx((-0.75, 0.75))
    assert (after.min(), after.max()) == pytest.approx((-0.375, 0.375))
    assert [before.std(), after.std()] == pytest.approx([0.461, 0.231], abs=1e-3)


def test_s32_the_width_of_the_image(real):
    widths = []
    for group in real:
        product = combine_grating_group({"a": fitted(group)}, ["a"])
        table = product["PROF1D"].data
        near = np.abs(table["pix"]) < 3.5
        y, profile = table["pix"][near], np.nan_to_num(table["pfit"][near])
        mean = np.sum(y * profile) / profile.sum()
        widths.append(np.sqrt(np.sum((y - mean) ** 2 * profile) / profile.sum()))
    assert widths == pytest.approx([1.06, 0.89], abs=0.01)


def test_s33_limits_of_one_exposure():
    """One exposure is noisier than the others."""
    arrays = group_arrays(slitlet_of())
    for i, exposure in enumerate(arrays):
        exposure["dq"][:] = 0
        exposure["data"][:] = 1.0
        exposure["var_poisson"][:] = 0.0
        exposure["var_rnoise"][:] = 0.04 if i == 0 else 0.01
        exposure["data"][5, 5] = -0.55  # 2.75 or 5.5 standard deviations
    before, after = (
        SlitGroup.from_arrays(arrays, **PLAIN, compat=compat).mask.reshape(3, *exposure["dq"].shape)
        for compat in MODES
    )
    assert before[:, 5, 5].tolist() == [False, False, False]
    assert after[:, 5, 5].tolist() == [True, False, False]
    assert min(before.mean(), after.mean()) > 0.99


def test_every_difference_is_on_the_page_with_its_test(repository):
    # S16 is about the tests of the peer.
    assert_differences_are_tested(repository, "SlitGroup", "S", 35, untested=[16])
