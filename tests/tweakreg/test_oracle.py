"""compat=True against stored results of tweakwcs and stsci.stimage."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from webbweave.tweakreg import NotEnoughPointsError, XYXYMatch, iter_linear_fit
from webbweave.tweakreg.offsets import offset_histogram
from webbweave.tweakreg.peer_matching import peer_peak

#: Fits whose residuals are below this are free of noise: the peer clips rounding errors there.
NOISE_FREE = 1e-12

#: A fit of points of two kinds only, free of noise after one round: what the peer does next hangs
#: on a rounding error.
DEGENERATE = {(375, "shift/none/5/std")}


@pytest.fixture(scope="module")
def stored(shared_dir) -> Path:
    folder = shared_dir / "oracle" / "tweakreg"
    if not folder.is_dir():
        pytest.skip("needs the stored results of tweakwcs")
    return folder


@pytest.fixture(scope="module")
def cases(stored):
    with np.load(stored / "small_cases.npz") as file:
        arrays = {name: file[name] for name in file.files}
    return json.loads(str(arrays.pop("meta"))), arrays


def peer_histogram(ref, img, case):
    """The histogram in the window of the peer."""
    scale, radius = case["pscale"], case["searchrad"]
    return offset_histogram(ref, img, bin_size=scale, radius=radius, reach=radius / scale + 0.5)


def matcher(case, tolerance, separation):
    return XYXYMatch(
        searchrad=case["searchrad"], tolerance=tolerance, separation=separation, compat=True
    )


def test_small_cases_histograms_and_peaks(cases):
    metas, arrays = cases
    assert len(metas) == 200
    for case in metas:
        number = case["case"]
        counts = peer_histogram(arrays[f"ref{number}"], arrays[f"img{number}"], case)
        expected = np.zeros(case["hist_shape"], int)
        row, column, count = arrays[f"hist{number}"].T
        expected[row, column] = count
        np.testing.assert_array_equal(counts, expected)
        if "peak" in case:
            x, y, status = peer_peak(counts)
            assert status == case["peak_status"]
            np.testing.assert_allclose((x, y), case["peak"], atol=1e-9)


def test_small_cases_pairs(cases):
    metas, arrays = cases
    for case in metas:
        number = case["case"]
        match = matcher(case, case["tol"], case["sep"])
        found = match.match(arrays[f"ref{number}"], arrays[f"img{number}"], case["pscale"])
        np.testing.assert_allclose(found.offset, case["shift"], atol=1e-9)
        assert found.ref_index.tolist() == case["ref_idx"]
        assert found.img_index.tolist() == case["input_idx"]


@pytest.mark.parametrize("fitgeom", ["shift", "rshift", "rscale", "general"])
def test_small_cases_fits(cases, fitgeom):
    metas, arrays = cases
    compared = 0
    for case in metas:
        number = case["case"]
        for key, expected in case.get("fits", {}).items():
            geometry, weights, nclip, statistic = key.split("/")
            if geometry != fitgeom or (number, key) in DEGENERATE:
                continue
            arguments = (
                arrays[f"ref{number}"][case["ref_idx"]],
                arrays[f"img{number}"][case["input_idx"]],
                None if weights == "none" else arrays[f"wx{number}"],
                arrays[f"wu{number}"] if weights == "both" else None,
            )
            options = {"nclip": int(nclip), "sigma": (2.5, statistic), "compat": True}
            if "error" in expected:
                with pytest.raises(NotEnoughPointsError):
                    iter_linear_fit(*arguments, fitgeom, **options)
                continue
            # Of two points the mirror image fits as well: rounding decides in the peer.
            ambiguous = expected["nfit"] == 2 and not expected["proper"]
            if expected["rmse"] < NOISE_FREE or ambiguous:
                continue
            compared += compare_fit(iter_linear_fit(*arguments, fitgeom, **options), expected)
    assert compared > 800


def compare_fit(fit, expected):
    assert np.packbits(fit["fitmask"]).tolist() == expected["mask"]
    assert fit["eff_nclip"] == expected["eff_nclip"]
    assert fit["proper"] == expected["proper"]
    np.testing.assert_allclose(fit["matrix"], expected["matrix"], atol=1e-12)
    for name in ("shift", "center", "rmse", "mae", "std", "scale"):
        np.testing.assert_allclose(fit[name], expected[name], rtol=1e-12, atol=1e-12)
    for name in ("proper_rot", "rot", "skew"):
        np.testing.assert_allclose(fit[name], expected[name], atol=1e-10)
    return 1


@pytest.mark.parametrize("name", ["chip_200_3", "chip_2000_2", "chip_20000_2", "mosaic_2000_3"])
def test_fields(stored, name):
    with np.load(stored / f"match_{name}.npz") as file:
        arrays = {key: file[key] for key in file.files}
    case = json.loads(str(arrays["meta"]))
    ref, img = arrays["ref"], arrays["img"]
    np.testing.assert_array_equal(peer_histogram(ref, img, case), arrays["hist"])
    for separation, tolerance in ((1.0, 0.7), (0.5, 0.3), (0.1, 0.07)):
        found = matcher(case, tolerance, separation).match(ref, img, case["pscale"])
        np.testing.assert_allclose(found.offset, case["shift"], atol=1e-9)
        np.testing.assert_array_equal(found.ref_index, arrays[f"sep{separation}_ref"])
        np.testing.assert_array_equal(found.img_index, arrays[f"sep{separation}_im"])
    # And what is corrected: nearly all true pairs, and the fit is better than a milliarcsecond.
    own = XYXYMatch(searchrad=case["searchrad"], tolerance=0.7, separation=1.0)
    found = own.match(ref, img, case["pscale"])
    right = arrays["truth"][found.img_index] == found.ref_index
    assert right.mean() > 0.97
    assert right.sum() > 0.9 * (arrays["truth"] >= 0).sum()
    fit = iter_linear_fit(ref[found.ref_index], img[found.img_index], fitgeom="rshift")
    np.testing.assert_allclose(
        fit["matrix"] @ -fit["center"] + fit["shift"] + fit["center"],
        -np.asarray(case["off"]) @ fit["matrix"].T,
        atol=1.5e-3,
    )
