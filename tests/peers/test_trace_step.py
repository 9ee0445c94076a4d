"""compat=True of the trace step against jwst itself, run side by side on scenes of all modes."""

from __future__ import annotations

import os

import numpy as np
import pytest
import synthetic_ifu as si
from synthetic_trace import PIXEL, profile

# Keep the peer from asking its reference server for parameters.
os.environ.setdefault("STPIPE_DISABLE_CRDS_STEPPARS", "true")

jwst_trace = pytest.importorskip("jwst.adaptive_trace_model")

from stdatamodels.jwst import datamodels  # noqa: E402

from webbweave import AdaptiveTraceModelStep  # noqa: E402
from webbweave.adaptive_trace_model import trace_model  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")

#: One unit in the last place of a float32, twice: of the peak of an image.
TOLERANCE = 3e-7
#: Of coefficients and scales, which are float64: two ways of solving the same equations.
SPLINE_TOLERANCE = 1e-10
#: jwst wants all thirty slices of the instrument.
THIRTY = tuple(range(1, 31))
ARRAYS = ("data", "err", "var_rnoise", "var_poisson", "var_flat", "trace_model")


def run(kind, tmp_path, **parameters):
    if kind == "multi":
        model, _ = si.multi_slit()
    elif kind == "series":
        model, _ = si.time_series()
    else:
        model, _ = si.model(kind, labels=THIRTY if kind.startswith("nrs_ifu") else None)
    path = tmp_path / "a_cal.fits"
    model.save(path)
    theirs = jwst_trace.AdaptiveTraceModelStep()
    for name, value in parameters.items():
        setattr(theirs, name, value)
    with datamodels.open(path) as opened:
        expected = theirs.process(opened)
    found = AdaptiveTraceModelStep(compat=True, **parameters).process(path)
    return list(
        zip(getattr(found, "slits", [found]), getattr(expected, "slits", [expected]), strict=True)
    )


def assert_parity(found, expected):
    for name in ARRAYS:
        one, other = np.asarray(getattr(found, name)), np.asarray(getattr(expected, name))
        np.testing.assert_array_equal(np.isnan(one), np.isnan(other), err_msg=name)
        if np.isfinite(other).any():
            peak = np.nanmax(np.abs(other))
            np.testing.assert_allclose(one, other, rtol=0, atol=TOLERANCE * peak, err_msg=name)
    np.testing.assert_array_equal(found.dq, expected.dq)


def assert_same_wcs(found, expected, kind):
    one, other = found.meta.wcs, expected.meta.wcs
    assert one.available_frames == other.available_frames
    ny, nx = found.data.shape[-2:]
    y, x = np.mgrid[:ny:5, :nx:7].astype(float)
    third = (1,) if kind == "nrs_ifu_named" else ()
    for a, b in zip(one(x, y, *third), other(x, y, *third), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13)


@pytest.mark.parametrize("factor", [1.0, 2.0, 1.5])
@pytest.mark.parametrize("kind", [*si.KINDS, "multi"])
def test_all_modes(kind, factor, tmp_path):
    for found, expected in run(kind, tmp_path, oversample=factor):
        assert np.isfinite(expected.trace_model).any()
        assert_parity(found, expected)
        if factor != 1.5 or kind != "mrs":  # where half pixels fall on the map of the slices
            assert_same_wcs(found, expected, kind)
        if factor != 1.0 and kind != "nrs_ifu_named":  # where jwst goes on outside of slices
            np.testing.assert_array_equal(found.wavelength, expected.wavelength)


@pytest.mark.parametrize(
    "parameters",
    [
        {"psf_optimal": True},
        {"fit_threshold": 0.0, "slope_limit": 0.0},
        {"slope_limit": 0.02},
        {"fit_threshold": 1e9},
    ],
)
@pytest.mark.parametrize("kind", ["mrs", "nrs_slit"])
def test_parameters(kind, parameters, tmp_path):
    for found, expected in run(kind, tmp_path, oversample=2.0, **parameters):
        assert_parity(found, expected)


@pytest.mark.parametrize("nod", [0.0, 60.0])
@pytest.mark.parametrize("order", ["C", "F"])
def test_splines(order, nod):
    """Sums of columns must agree to the bit: they depend on the memory of the image."""
    scene = si.render(THIRTY[:2], seed=5)
    flux = np.array(scene.flux, order=order)
    away = PIXEL * si.HEIGHT / 4
    flux -= np.float32(nod) * np.float32(profile(scene.alpha, away))
    arrays = flux, np.array(scene.error, order=order), scene.alpha, scene.region_map
    options = {"spline_bkpt": 30, "require_ngood": 8}
    theirs = jwst_trace.trace_model.fit_all_regions(*arrays, **options)
    ours = trace_model.fit_all_regions(*arrays, compat=True, **options)
    assert sum(map(len, theirs.values())) > 200
    for label, columns in theirs.items():
        assert ours[label].keys() == columns.keys()
        for column, expected in columns.items():
            found = ours[label][column]
            np.testing.assert_array_equal(found["model"].t, expected["model"].t)
            peak = np.abs(expected["model"].c).max()
            np.testing.assert_allclose(
                found["model"].c, expected["model"].c, rtol=0, atol=SPLINE_TOLERANCE * peak
            )
            np.testing.assert_allclose(
                found["scale"], expected["scale"], rtol=SPLINE_TOLERANCE, atol=SPLINE_TOLERANCE
            )


def test_time_series(tmp_path):
    for found, expected in run("series", tmp_path):
        assert_parity(found, expected)
