"""Under compat=True, the numbers of jwst 3.0.0, from its stored results."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.interpolate import BSpline

from webbweave.adaptive_trace_model.evaluate import trace_image
from webbweave.adaptive_trace_model.oversample import oversample_image
from webbweave.adaptive_trace_model.splines import TraceModel
from webbweave.adaptive_trace_model.trace_model import (
    fit_all_regions,
    linear_oversample,
    oversample_flux,
    split_spline_models,
)

CASES = ("ifu_small", "lrs_slit", "slit_fs_nod", "mos_00", "mos_01")
FACTORS = {"os2": 2.0, "os3": 3.0, "os1p5": 1.5}
ULP = 3e-7  # of the peak: one step of float32
WILD = 10.0  # larger coefficients are those of windows that do not determine the spline


class Case:
    """One stored case."""

    def __init__(self, folder, name):
        with np.load(folder / f"{name}.npz") as file:
            self.arrays = dict(file)
        self.meta = json.loads(str(self.arrays["meta"]))
        self.options = self.meta["oversample_kwargs"]
        self.fit_kwargs = self.meta["fit_kwargs"]
        if self.fit_kwargs.get("peak_threshold"):
            by_label = self.fit_kwargs["peak_threshold"].items()
            self.fit_kwargs["peak_threshold"] = {int(k): v for k, v in by_label}
        self.tags = [tag for tag in FACTORS if f"{tag}_flux" in self.arrays]
        labels = np.unique(self["region"])
        self.models = {int(n): {} for n in labels if n > 0}
        knots, coefficients = iter(self["sp_t"]), iter(self["sp_c"])
        for k, n in enumerate(self["sp_nt"]):
            t = np.array([next(knots) for _ in range(n)])
            c = np.array([next(coefficients) for _ in range(n - 4)])
            self.models[int(self["sp_reg"][k])][int(self["sp_col"][k])] = {
                "model": BSpline(t, c, 3),
                "scale": float(self["sp_scale"][k]),
                "bounds": (float(self["sp_lo"][k]), float(self["sp_hi"][k])),
            }

    def __getitem__(self, name):
        return self.arrays[name]

    def wild_columns(self):
        """Columns of the image with a model that no two solvers agree about."""
        return [
            column
            for models in self.models.values()
            for column, entry in models.items()
            if np.abs(entry["model"].c).max() > WILD
        ]


@pytest.fixture(scope="module", params=CASES)
def case(request, shared_dir):
    folder = shared_dir / "oracle" / "adaptive_trace_model"
    if not folder.is_dir():
        pytest.skip("needs the stored results of jwst")
    return Case(folder, request.param)


def assert_same(found, expected, tolerance, leave_out=()):
    found, expected = np.array(found), np.array(expected)
    for image in (found, expected):
        image[:, leave_out] = np.nan
    np.testing.assert_array_equal(np.isfinite(found), np.isfinite(expected))
    if np.isfinite(expected).any():
        peak = np.nanmax(np.abs(expected))
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * peak)


def test_images_of_stored_splines(case):
    model = TraceModel.from_dicts(case.models, case["flux"].shape[1])
    images = trace_image(
        model,
        case["alpha"],
        case["region"],
        slope_limit=case.meta["slope_limit"],
        pad=case.options["pad"],
        compat=True,
    )
    assert_same(images.used, case["trace_used"], ULP)
    assert_same(images.full, case["trace_full"], ULP)


def test_oversampling_with_stored_splines(case):
    model = TraceModel.from_dicts(case.models, case["flux"].shape[1])
    for tag in case.tags:
        images = oversample_image(
            case["flux"],
            case["alpha"],
            case["region"],
            model,
            FACTORS[tag],
            case[f"{tag}_alpha"],
            slope_limit=case.meta["slope_limit"],
            psf_optimal=case.meta["psf_optimal"],
            compat=True,
            **case.options,
        )
        stored = {"residual": "resid"}
        for name in ("flux", "used", "full", "linear", "residual"):
            expected = case[f"{tag}_{stored.get(name, name)}"]
            assert_same(getattr(images, name), expected, 1e-13)


def test_errors_are_interpolated_the_same(case):
    for tag in case.tags:
        found = linear_oversample(
            case["err"], case["region"], FACTORS[tag], 3, preserve_nan=False, compat=True
        )
        assert found.dtype == np.float32
        assert_same(found, case[f"{tag}_err"], 1e-7)


@pytest.fixture(scope="module")
def fitted(case):
    return fit_all_regions(
        case["flux"],
        case["err"],
        case["alpha"],
        case["region"],
        compat=True,
        **case.fit_kwargs,
    )


def test_fit(case, fitted):
    assert fitted.keys() == case.models.keys()
    for region, expected in case.models.items():
        assert list(fitted[region]) == list(expected)  # the order of fitting too
        for column, entry in expected.items():
            found = fitted[region][column]
            np.testing.assert_array_equal(found["model"].t, entry["model"].t)
            assert found["bounds"] == entry["bounds"]
            largest = np.abs(entry["model"].c).max()
            if largest < WILD:
                tolerance = 1e-8 * largest
                np.testing.assert_allclose(found["model"].c, entry["model"].c, atol=tolerance)
                assert found["scale"] == pytest.approx(entry["scale"], rel=1e-8)


def test_from_data_to_oversampled_flux(case, fitted):
    for tag in case.tags:
        images = oversample_flux(
            case["flux"],
            case["alpha"],
            case["region"],
            fitted,
            oversample_factor=FACTORS[tag],
            alpha_os=case[f"{tag}_alpha"],
            slope_limit=case.meta["slope_limit"],
            compat=True,
            **case.options,
        )
        for name, image in zip(("flux", "used", "full", "linear", "resid"), images, strict=True):
            assert image.dtype == np.float64
            assert_same(image, case[f"{tag}_{name}"], ULP, case.wild_columns())


def test_form_of_the_first_version(case, fitted):
    """It differs by the bounds that its models do not have."""
    tag = case.tags[0]
    models, scales = split_spline_models(fitted)
    arguments = (case["flux"], case["alpha"], case["region"], models, scales, FACTORS[tag])
    images = oversample_flux(*arguments, case[f"{tag}_alpha"], compat=True, **case.options)
    expected = case[f"{tag}_full"]
    both = np.isfinite(expected)
    both[:, case.wild_columns()] = False
    assert np.isfinite(images[2][both]).all()
    np.testing.assert_allclose(
        images[2][both], expected[both], atol=ULP * np.nanmax(np.abs(expected), initial=1)
    )


def test_corrected_and_reproduced_traces_are_near(case):
    images = [
        trace_image(
            TraceModel.from_dicts(models, case["flux"].shape[1]),
            case["alpha"],
            case["region"],
            slope_limit=case.meta["slope_limit"],
            pad=case.options["pad"],
        ).used
        for models in (
            case.models,
            fit_all_regions(
                case["flux"], case["err"], case["alpha"], case["region"], **case.fit_kwargs
            ),
        )
    ]
    both = np.isfinite(images[0]) & np.isfinite(images[1])
    if case.models and not any(case.models.values()):
        assert not both.any()
        return
    both[:, case.wild_columns()] = False
    difference = np.abs(images[0] - images[1])[both] / np.nanmax(images[0])
    assert np.median(difference) < 1e-3
