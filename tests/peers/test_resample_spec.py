"""compat=True against jwst itself, run side by side; skipped where jwst is not installed."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys

import asdf
import numpy as np
import pytest
from astropy.modeling.models import Identity, Scale, Shift
from gwcs import WCS
from gwcs.coordinate_frames import CompositeFrame
from stdatamodels.jwst import datamodels

# Keep the peer from asking its reference server for parameters.
os.environ.setdefault("STPIPE_DISABLE_CRDS_STEPPARS", "true")

jwst_resample = pytest.importorskip("jwst.resample")

from webbweave import ResampleSpecStep  # noqa: E402
from webbweave.datamodels import read_output_wcs  # noqa: E402
from webbweave.resample import ResampleOptions, resample_slit  # noqa: E402
from webbweave.resample.products import slit_inputs  # noqa: E402

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


def run(files, change=None, **parameters):
    def inputs():
        models = [datamodels.open(file) for file in files]
        for model in models if change else ():
            change(model)
        return models[0] if len(models) == 1 else models

    theirs = jwst_resample.ResampleSpecStep.call(inputs(), configure_log=False, **parameters)
    data = inputs() if change else files
    ours = ResampleSpecStep.call(data, configure_log=False, compat=True, **parameters)
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
    if regions[1] is None:
        assert regions[0] is None
        return
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


def end_at(model, name):
    """Cut the WCS of an exposure: a lamp exposure has no sky."""
    wcs = model.meta.wcs
    steps = []
    for step in wcs.pipeline:
        if step.frame.name == name:
            steps.append((step.frame, None))
            break
        transform = step.transform
        if step.frame.name == "slit_frame":
            transform = transform | Identity(2) & Scale(1e6)
        steps.append((step.frame, transform))
    cut = WCS(steps)
    cut.bounding_box = wcs.bounding_box
    model.meta.wcs = cut
    model.meta.exposure.type = "NRS_LAMP"


@pytest.mark.parametrize("parameters", [{}, {"pixel_scale_ratio": 2.0}, {"pixel_scale_ratio": 0.7}])
@pytest.mark.parametrize("n_exposure", [1, 3])
def test_lamp(example_files, n_exposure, parameters):
    files = [str(path) for path in example_files[:n_exposure]]

    def make_lamp(model):
        end_at(model, "msa_frame")

    for ours, theirs in run(files, make_lamp, **parameters):
        assert_parity(ours, theirs)
        names = [product.meta.wcs.output_frame.frames[0].name for product in (ours, theirs)]
        assert names == ["resampled_msa_frame"] * 2


def follow_a_target(model):
    """Add the frame of a target that has moved since the first exposure."""
    number = int(model.meta.observation.exposure_number) - 1
    wcs = model.meta.wcs
    steps = [(step.frame, step.transform) for step in wcs.pipeline[:-1]]
    drift = Shift(-1e-4 * number) & Shift(5e-5 * number) & Identity(1)
    target = CompositeFrame(wcs.output_frame.frames, name="moving_target")
    moving = WCS([*steps, (wcs.output_frame, drift), (target, None)])
    moving.bounding_box = wcs.bounding_box
    model.meta.wcs = moving


@pytest.mark.parametrize("n_exposure", [1, 3])
def test_moving_target(example_files, n_exposure):
    files = [str(path) for path in example_files[:n_exposure]]
    for ours, theirs in run(files, follow_a_target):
        assert_parity(ours, theirs)


LRS_CASES = [
    {},
    {"pixel_scale_ratio": 0.7},
    {"pixel_scale": 0.05},
    {"weight_type": "exptime", "pixfrac": 0.7},
    {"kernel": "point"},
]


def place_source(model):
    model.source_xpos, model.source_ypos = 320.3, 250.0


@pytest.mark.parametrize("mode", ["miri_lrs_slit", "miri_lrs_slitless"])
def test_rendered_lrs(shared_dir, tmp_path, mode):
    render = [sys.executable, str(shared_dir / "tools" / "render.py"), mode]
    subprocess.run([*render, "--out", str(tmp_path)], check=True, capture_output=True)
    files = sorted(str(path) for path in tmp_path.glob("*_cal.fits"))
    for parameters in LRS_CASES:
        for ours, theirs in run(files, **parameters):
            assert_parity(ours, theirs)
            assert ours.meta.resample.pixel_scale_ratio == pytest.approx(
                theirs.meta.resample.pixel_scale_ratio, rel=1e-9
            )


def lrs_pair(shared_dir):
    folder = shared_dir / "oracle" / "resample"
    make = runpy.run_path(str(folder / "make_miri_pair.py"))["make_pair"]
    models = make(folder / "miri_pair_input.npz")
    for model in models:
        place_source(model)
    return models


@pytest.mark.parametrize("parameters", LRS_CASES)
def test_lrs_pair(shared_dir, parameters):
    inputs = lrs_pair(shared_dir)
    theirs = jwst_resample.ResampleSpecStep.call(inputs, configure_log=False, **parameters)
    inputs = lrs_pair(shared_dir)
    ours = ResampleSpecStep.call(inputs, configure_log=False, compat=True, **parameters)
    assert_parity(ours, theirs)
    assert ours.source_xpos == pytest.approx(theirs.source_xpos, abs=1e-6)
    assert ours.source_ypos == pytest.approx(theirs.source_ypos, abs=1e-6)


GIVEN = [
    ({}, {}),
    ({"pixel_area": 3e-13}, {}),
    ({"pixel_scale": 0.07}, {}),
    ({"pixel_shape": [300, 25], "array_shape": [24, 310]}, {}),
    ({"pixel_scale": 0.07, "pixel_area": 3e-13}, {"output_shape": [330, 28]}),
]


@pytest.mark.parametrize(("entries", "parameters"), GIVEN)
@pytest.mark.parametrize("design", [{}, {"pixel_scale_ratio": 2.0}])
@pytest.mark.parametrize("mode", ["nirspec", "lrs", "no area"])
def test_output_wcs(request, example_files, tmp_path, mode, design, entries, parameters):
    def inputs():
        if mode == "lrs":
            return lrs_pair(request.getfixturevalue("shared_dir"))
        models = [datamodels.open(path) for path in example_files[:2]]
        for model in models if mode == "no area" else ():
            model.meta.photometry.pixelarea_steradians = None
        return models

    designed = jwst_resample.ResampleSpecStep.call(inputs(), configure_log=False, **design)
    path = tmp_path / "wcs.asdf"
    asdf.AsdfFile({"wcs": designed.meta.wcs, **entries}).write_to(path)
    theirs = jwst_resample.ResampleSpecStep.call(
        inputs(), configure_log=False, output_wcs=str(path), **parameters
    )
    models = inputs()  # stdatamodels reads arrays when they are used
    exposures = [slit_inputs(f"{i}", model)[0].exposure() for i, model in enumerate(models)]
    shape = tuple(parameters["output_shape"]) if parameters else None
    options = ResampleOptions(compat=True, output_shape=shape)
    ours = resample_slit(exposures, options, given_wcs=read_output_wcs(path))
    assert ours.data.shape == theirs.data.shape
    heavy = theirs.wht > 1e-3 * np.median(theirs.wht[theirs.wht > 0])
    scale = np.nanmax(abs(theirs.data[heavy]))
    np.testing.assert_allclose(ours.data[heavy], theirs.data[heavy], rtol=5e-6, atol=5e-6 * scale)
    np.testing.assert_allclose(ours.weight[heavy], theirs.wht[heavy], rtol=5e-6)
    np.testing.assert_allclose(ours.error[heavy], theirs.err[heavy], rtol=1e-5)
    np.testing.assert_array_equal(ours.context, theirs.con)
    np.testing.assert_allclose(ours.wavelength, theirs.wavelength, rtol=1e-7)
    area = theirs.meta.photometry.pixelarea_steradians
    assert ours.pixel_area == (None if area is None else pytest.approx(area, rel=1e-9))
    assert ours.ratio == theirs.meta.resample.pixel_scale_ratio
