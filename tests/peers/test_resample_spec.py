"""compat=True against jwst itself, run side by side; skipped where jwst is not installed."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from stdatamodels.jwst import datamodels

# Keep the peer from asking its reference server for parameters.
os.environ.setdefault("STPIPE_DISABLE_CRDS_STEPPARS", "true")

jwst_resample = pytest.importorskip("jwst.resample")

from webbweave import ResampleSpecStep  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")

CASES = [
    {},
    {"pixel_scale_ratio": 0.7},
    {"pixel_scale": 0.05},
    {"weight_type": "exptime", "pixfrac": 0.7},
    {"kernel": "point"},
    {"fillval": "-1.5"},
    {"propagate_dq": True, "output_shape": [400, 50]},
]


def run(files, **parameters):
    models = [datamodels.open(file) for file in files]
    inputs = models[0] if len(models) == 1 else models
    theirs = jwst_resample.ResampleSpecStep.call(inputs, configure_log=False, **parameters)
    ours = ResampleSpecStep.call(files, configure_log=False, compat=True, **parameters)
    pair = []
    for product in (ours, theirs):
        pair.append(list(product.slits) if hasattr(product, "slits") else [product])
    assert len(pair[0]) == len(pair[1])
    return zip(*pair, strict=True)


def assert_parity(ours, theirs):
    weight = np.asarray(theirs.wht)
    heavy = weight > 1e-3 * np.median(weight[weight > 0])
    assert ours.data.shape == theirs.data.shape
    np.testing.assert_array_equal(ours.wavelength, theirs.wavelength)
    np.testing.assert_array_equal(ours.con, theirs.con)
    assert (ours.dq is None) == (theirs.dq is None)
    if theirs.dq is not None:
        np.testing.assert_array_equal(ours.dq, theirs.dq)
    scale = np.nanmax(abs(theirs.data[heavy]))
    np.testing.assert_allclose(ours.data[heavy], theirs.data[heavy], rtol=5e-6, atol=5e-6 * scale)
    np.testing.assert_allclose(ours.wht[heavy], weight[heavy], rtol=5e-6)
    for name in ("err", "var_rnoise", "var_poisson", "var_flat"):
        found, expected = getattr(ours, name), getattr(theirs, name)
        np.testing.assert_array_equal(np.isnan(found), np.isnan(expected), err_msg=name)
        np.testing.assert_allclose(found[heavy], expected[heavy], rtol=1e-5, err_msg=name)
    ny, nx = ours.data.shape
    y, x = np.mgrid[:ny, 0:nx:20]
    for found, expected in zip(ours.meta.wcs(x, y), theirs.meta.wcs(x, y), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=3e-13)
    for name in ("pixelarea_steradians", "pixelarea_arcsecsq"):
        assert getattr(ours.meta.photometry, name) == pytest.approx(
            getattr(theirs.meta.photometry, name)
        )
    regions = (ours.meta.wcsinfo.s_region, theirs.meta.wcsinfo.s_region)
    corners = [np.array(region.split()[2:], dtype=float) for region in regions]
    np.testing.assert_allclose(*corners, rtol=0, atol=2e-9)


@pytest.mark.parametrize("parameters", CASES)
@pytest.mark.parametrize("n_exposure", [1, 3])
def test_bundled_exposures(example_files, n_exposure, parameters):
    files = [str(path) for path in example_files[:n_exposure]]
    for ours, theirs in run(files, **parameters):
        assert_parity(ours, theirs)
        for name in ("exposure_time", "duration", "start_time", "end_time"):
            expected = getattr(theirs.meta.exposure, name)
            assert getattr(ours.meta.exposure, name) == pytest.approx(expected)
        assert ours.meta.resample.pointings == theirs.meta.resample.pointings
        assert ours.meta.resample.pixel_scale_ratio == pytest.approx(
            theirs.meta.resample.pixel_scale_ratio, rel=1e-9
        )


def test_blended_headers(example_files):
    files = [str(path) for path in example_files]
    ((ours, theirs),) = run(files)
    found, expected = (
        ours.to_flat_dict(include_arrays=False),
        theirs.to_flat_dict(include_arrays=False),
    )
    own = ("meta.filename", "meta.date", "meta.wcs", "meta.calibration", "cal_logs", "meta.asn")
    for key, value in expected.items():
        if key.startswith(own) or key in ("meta.group_id", "meta.wcsinfo.spectral_region"):
            continue
        assert found.get(key) == (pytest.approx(value) if isinstance(value, float) else value), key
    names = set(theirs.hdrtab.dtype.names)
    assert set(ours.hdrtab.dtype.names) == names
    for name in names - {"FILENAME", "DATE"}:
        assert [str(v) for v in ours.hdrtab[name]] == [
            str(v.encode() if isinstance(v, str) else v) for v in theirs.hdrtab[name]
        ], name


@pytest.mark.parametrize("mode", ["nrs_fs_g395m", "nrs_mos_g395m"])
def test_rendered_multi_slit(shared_dir, tmp_path, mode):
    slits = ["--slits", "4"] if "mos" in mode else []
    render = [sys.executable, str(shared_dir / "tools" / "render.py"), mode, *slits]
    subprocess.run([*render, "--out", str(tmp_path)], check=True, capture_output=True)
    files = sorted(str(path) for path in tmp_path.glob("*_cal.fits"))
    for ours, theirs in run(files):
        assert_parity(ours, theirs)
