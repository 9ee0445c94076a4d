"""Where the pixels are: against the analytic scenes, through the two ways of reading a WCS."""

from __future__ import annotations

import numpy as np
import pytest
import synthetic_ifu as si

from webbweave.adaptive_trace_model.geometry import find_mode, ifu_geometry, slit_geometry
from webbweave.datamodels import read_model, tree_of
from webbweave.errors import InputError
from webbweave.wcs import FastWcs, TemplateCache

IFUS = ("nrs_ifu", "nrs_ifu_named", "mrs")
MODES = {
    "nrs_ifu": "NRS_IFU",
    "nrs_ifu_named": "NRS_IFU",
    "mrs": "MIR_MRS",
    "nrs_slit": "NRS_SLIT",
    "lrs": "MIR_LRS_SLIT",
    "lrs_slitless": "MIR_LRS_SLITLESS",
}


def geometry_of(kind, model):
    tree = tree_of(model)
    wcs, shape = tree["meta"]["wcs"], tree["data"].shape
    if kind in IFUS:
        return ifu_geometry(wcs, shape, mode=MODES[kind], regions=tree.get("regions"))
    return slit_geometry(wcs, shape, mode=MODES[kind])


def fine_truth(kind, scene, factor):
    """Coordinate of the samples whose nearest pixel is in a region."""
    n = scene.flux.shape[0]
    rows = np.arange(int(np.ceil(n * factor))) / factor - (factor - 1) / (2 * factor)
    nearest = np.clip(np.rint(rows), 0, n - 1).astype(int)
    alpha = np.full((rows.size, si.N_COLUMN), np.nan)
    height = si.HEIGHTS.get(kind, si.HEIGHT)
    for number, label in enumerate(np.unique(scene.region_map[scene.region_map > 0])):
        inside = scene.region_map[nearest] == label
        along = si.PIXEL * (rows[:, None] - si.middle_row(number, height)[None, :])
        alpha[inside] = along[inside]
    return alpha


@pytest.mark.parametrize("kind", si.KINDS)
def test_coordinates_of_pixels(kind):
    model, scene = si.model(kind)
    geometry = geometry_of(kind, model)
    inside = scene.region_map > 0
    np.testing.assert_allclose(geometry.alpha[inside], scene.alpha[inside], atol=1e-12)
    if kind in IFUS:
        np.testing.assert_array_equal(geometry.region_map, scene.region_map)
        assert np.isnan(geometry.alpha[~inside]).all()
    else:  # a slit is all that is in its bounding box
        rows = np.flatnonzero(geometry.region_map.any(axis=1))
        assert (rows[0], rows[-1]) == (3, len(inside) - 4)
    np.testing.assert_array_equal(geometry.to_work(tree_of(model)["data"]), scene.flux)
    np.testing.assert_array_equal(geometry.to_detector(scene.flux), tree_of(model)["data"])


@pytest.mark.parametrize("factor", [1.3, 2.0, 3.0])
@pytest.mark.parametrize("kind", si.KINDS)
def test_coordinates_of_the_finer_grid(kind, factor):
    model, scene = si.model(kind)
    grid = geometry_of(kind, model).oversampled(factor, threads=2)
    truth = fine_truth(kind, scene, factor)
    inside = np.isfinite(truth) & np.isfinite(grid.alpha)
    assert inside.sum() > 0.98 * np.isfinite(truth).sum()
    np.testing.assert_allclose(grid.alpha[inside], truth[inside], atol=1e-12)
    columns = np.broadcast_to(np.arange(si.N_COLUMN), truth.shape)
    micron = 1e6 * (si.WAVE[0] + si.WAVE[1] * columns)
    known = np.isfinite(grid.wavelength)
    np.testing.assert_allclose(grid.wavelength[known], micron[known], rtol=1e-6)
    assert known[inside].mean() > (0.85 if kind == "mrs" else 0.999)
    if factor.is_integer() and kind in IFUS:
        np.testing.assert_array_equal(np.isfinite(truth), np.isfinite(grid.alpha))


def test_no_wavelength_unless_wanted():
    model, _ = si.model("nrs_ifu")
    grid = geometry_of("nrs_ifu", model).oversampled(2.0, wavelength=False)
    assert grid.wavelength is None
    wanted = geometry_of("nrs_ifu", model).oversampled(2.0)
    np.testing.assert_array_equal(grid.alpha, wanted.alpha)


def test_wavelengths_of_miri_end_where_those_of_its_channels_do():
    model, _ = si.model("mrs")
    grid = geometry_of("mrs", model).oversampled(2.0)
    low = 1e6 * (si.WAVE[0] + 0.1 * si.N_COLUMN * si.WAVE[1])
    known = grid.wavelength[np.isfinite(grid.wavelength)]
    assert known.min() > low
    assert known.min() == pytest.approx(low, abs=1e6 * si.WAVE[1])


def test_both_kinds_of_nirspec_wcs_agree():
    pair = [geometry_of(kind, si.model(kind)[0]) for kind in ("nrs_ifu", "nrs_ifu_named")]
    np.testing.assert_array_equal(pair[0].alpha, pair[1].alpha)
    fine = [geometry.oversampled(2.0) for geometry in pair]
    np.testing.assert_array_equal(fine[0].alpha, fine[1].alpha)
    np.testing.assert_array_equal(fine[0].wavelength, fine[1].wavelength)


@pytest.mark.parametrize("kind", ["nrs_ifu", "mrs", "nrs_slit"])
def test_text_of_a_file_gives_the_same_as_its_gwcs(kind, tmp_path):
    model, _ = si.model(kind)
    path = tmp_path / "a_cal.fits"
    model.save(path)
    lazy = read_model(path, lazy_wcs=True, templates=TemplateCache())
    plain = read_model(path)
    assert isinstance(tree_of(lazy)["meta"]["wcs"], FastWcs)
    found, expected = (geometry_of(kind, item) for item in (lazy, plain))
    source = tree_of(lazy)["meta"]["wcs"]._source
    assert type(source).__name__ == "YamlSource"  # without a detour over the gwcs
    np.testing.assert_array_equal(found.alpha, expected.alpha)
    np.testing.assert_array_equal(found.region_map, expected.region_map)
    fine, plainly = found.oversampled(2.0), expected.oversampled(2.0)
    np.testing.assert_array_equal(fine.alpha, plainly.alpha)
    np.testing.assert_array_equal(fine.wavelength, plainly.wavelength)


def test_modes():
    assert find_mode("NRS1", "NRS_IFU", ifu=True) == "NRS_IFU"
    assert find_mode("NRS2", "NRS_MSASPEC", ifu=False) == "NRS_MOS"
    assert find_mode("NRS2", "NRS_BRIGHTOBJ", ifu=False) == "NRS_SLIT"
    assert find_mode("MIRIFULONG", "MIR_MRS", ifu=True) == "MIR_MRS"
    assert find_mode("MIRIMAGE", "MIR_LRS-SLITLESS", ifu=False) == "MIR_LRS_SLITLESS"
    assert find_mode("MIRIMAGE", "MIR_LRS-FIXEDSLIT", ifu=False) == "MIR_LRS_SLIT"
    with pytest.raises(ValueError, match=r"MIRI WFSS is not supported\."):
        find_mode("MIRIMAGE", "MIR_WFSS", ifu=False)
    for detector in ("NIS", None):
        with pytest.raises(ValueError, match="Unknown detector"):
            find_mode(detector, "NIS_SOSS", ifu=False)


def test_what_is_missing_is_named():
    slit, _ = si.model("nrs_slit")
    wcs = tree_of(slit)["meta"]["wcs"]
    with pytest.raises(InputError, match=r"slit 7: expected a WCS in meta\.wcs, found none"):
        slit_geometry(None, (26, 150), mode="NRS_SLIT", name="slit 7")
    with pytest.raises(InputError, match="frame 'alpha_beta', found detector, slit_frame, world"):
        slit_geometry(wcs, (26, 150), mode="MIR_LRS_SLIT")
    with pytest.raises(InputError, match=r"x: expected a WCS with a frame 'slicer'"):
        ifu_geometry(wcs, (26, 150), mode="NRS_IFU", name="x")
    ifu, scene = si.model("nrs_ifu")
    wcs = tree_of(ifu)["meta"]["wcs"]
    with pytest.raises(InputError, match=r"shape \(70, 150\), found shape \(7, 150\)"):
        ifu_geometry(wcs, (70, 150), mode="NRS_IFU", regions=scene.region_map[:7])
    named, _ = si.model("nrs_ifu_named")
    with pytest.raises(InputError, match=r"map of the slices of shape .* found none"):
        ifu_geometry(tree_of(named)["meta"]["wcs"], (70, 150), mode="NRS_IFU")
