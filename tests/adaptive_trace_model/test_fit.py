"""fit_trace: a known profile is recovered, errors are true, threads do not matter, bad input."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, fields

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.interpolate import BSpline
from scipy.special import ndtr

from webbweave.adaptive_trace_model.fit import FEWEST_COLUMNS, FitOptions, _tasks, fit_trace
from webbweave.adaptive_trace_model.modes import fit_setup
from webbweave.adaptive_trace_model.region import Region
from webbweave.adaptive_trace_model.splines import ColumnFlag
from webbweave.progress import Progress

PIXEL = 0.1
NUMBERS = ("knots", "coefficients", "n_knot", "lower", "upper", "model", "scale")
ACCOUNTS = ("flags", "n_point", "n_rejected", "chi2", "scale_error", "covariance")


def profile(alpha):
    """The share of a point source at 0.03 arcsec in a pixel."""
    return sum(
        share * (ndtr((alpha - 0.03 + PIXEL / 2) / s) - ndtr((alpha - 0.03 - PIXEL / 2) / s))
        for share, s in ((0.8, 0.075), (0.2, 0.18))
    )


def trace(n_column=120, n_row=26, tilt=5.0, label=1, flux=2000.0):
    """A region with a tilted, curved trace, and the noiseless flux."""
    i, j = np.arange(n_column)[:, None], np.arange(n_row)
    middle = n_row / 2 + tilt * (i / n_column - 0.5) + 1.5 * (i / n_column - 0.5) ** 2
    alpha = (j - middle) * PIXEL
    truth = flux * (1 + 0.3 * np.sin(i / 9.0) + (i % 23 == 0)) * profile(alpha)
    error = np.sqrt(9 + truth)
    return Region(label, np.zeros(len(alpha), np.int32), truth, alpha, error), truth


def noisy(region, rng, *, with_errors=True):
    flux = region.flux + rng.normal(0, 1, region.flux.shape) * region.error
    error = region.error if with_errors else None
    return Region(region.label, region.first_row, flux, region.alpha, error)


def sums(region):
    return np.nansum(region.flux, axis=1)


def fitted(region, *, options=None, **keywords):
    options = options or FitOptions(lrange=30, space_ratio=1.6)
    plan = {region.label: (region, sums(region))}
    return fit_trace([region.label], plan, len(region.flux), options, **keywords)


def evaluated(model, region, column):
    place = np.searchsorted(model.labels, region.label)
    return model.scale[place, column] * model.spline(region.label, column)(region.alpha[column])


def variance(model, column, alpha):
    """The variance of the spline of a column, from the band of the covariance."""
    n = model.n_knot[0, column]
    basis = BSpline.design_matrix(alpha, model.knots[0, column, :n], 3, extrapolate=True).toarray()
    band = model.covariance[0, column, : n - 4].astype(float)
    whole = np.diag(band[:, 0])
    for k in range(1, 4):
        whole += np.diag(band[:-k, k], k) + np.diag(band[:-k, k], -k)
    return np.einsum("pi,ij,pj->p", basis, whole, basis)


@pytest.mark.parametrize("compat", [False, True])
def test_the_profile_is_recovered(compat):
    region, truth = trace()
    model = fitted(region, compat=compat)
    assert model.n_model == 120
    worst = max(np.abs(evaluated(model, region, i) / truth[i].max() - truth[i] / truth[i].max())
                .max() for i in range(120))  # fmt: skip
    assert worst < 0.004
    assert_allclose(model.scale[0], sums(region), rtol=0.004)


@pytest.mark.parametrize("weighting", ["uniform", "ivm"])
@pytest.mark.parametrize("compat", [False, True])
def test_the_profile_is_recovered_within_the_noise(weighting, compat):
    region, truth = trace()
    data = noisy(region, np.random.default_rng(1))
    data.flux[np.random.default_rng(2).random(data.flux.shape) < 0.01] = np.nan
    options = FitOptions(lrange=30, space_ratio=1.6, weighting=weighting)
    model = fitted(data, options=options, compat=compat)
    assert model.n_model == 120
    residual = np.array([evaluated(model, region, i) - truth[i] for i in range(120)])
    # 51 coefficients from the 61 * 26 samples of a window, and one scale for five pixels.
    assert np.std(residual / region.error) < 0.35
    assert 0.8 < np.median(model.chi2) < 1.2


def test_weights_by_variance_lower_the_noise():
    region, truth = trace()
    # Every other column is faint, so that its normalised samples are noisy.
    region.flux[1::2] *= 0.05
    region = Region(1, region.first_row, region.flux, region.alpha, np.sqrt(9 + region.flux))
    residual = {}
    for weighting in ("uniform", "ivm"):
        options = FitOptions(lrange=30, space_ratio=1.6, weighting=weighting)
        squares = []
        for seed in range(8):
            data = noisy(region, np.random.default_rng(seed))
            model = fitted(data, options=options)
            wing = np.abs(region.alpha[60]) > 0.4
            squares.append((evaluated(model, region, 60) - truth[60])[wing] ** 2)
        residual[weighting] = np.sqrt(np.mean(squares))
    assert residual["ivm"] < 0.5 * residual["uniform"]


@pytest.mark.parametrize("flux", [1.0, 100.0])
@pytest.mark.parametrize(
    "setup",
    [
        {"lrange": 30, "spline_bkpt": 30},
        {"lrange": 30, "spline_bkpt": 30, "weighting": "ivm"},
        ("NRS_IFU", "NRS1", "G140H"),
        ("NRS_MOS", "NRS1", "PRISM"),
        ("MIR_MRS", "MIRIFUSHORT", None),
        ("MIR_LRS_SLIT", "MIRIMAGE", None),
    ],
    ids=["uniform", "ivm", "grating", "prism", "mrs", "lrs"],
)
def test_errors_of_the_trace_are_its_scatter(setup, flux):
    region, _ = trace(n_column=111, n_row=24, flux=2000.0 * flux)
    column = 55
    if not isinstance(setup, dict):
        known = {field.name for field in fields(FitOptions)}
        chosen = asdict(fit_setup(*setup)).items()
        setup = {name: value for name, value in chosen if name in known and value is not None}
    options = FitOptions(col_index=np.array([column]), **setup)
    rng = np.random.default_rng(3)
    traces, errors = [], []
    for _ in range(200):
        model = fitted(noisy(region, rng), options=options, errors=True)
        shape = model.spline(1, column)(region.alpha[column])
        scale, scale_error = model.scale[0, column], model.scale_error[0, column]
        traces.append(scale * shape)
        of_shape = variance(model, column, region.alpha[column])
        errors.append(np.sqrt(scale**2 * of_shape + shape**2 * scale_error**2))
    ratio = np.median(errors, axis=0) / np.std(traces, axis=0)
    assert abs(np.median(ratio) - 1) < 0.1
    near = np.abs(region.alpha[column]) < 0.45
    assert abs(np.median(ratio[near]) - 1) < 0.1


def test_errors_without_errors_of_pixels_come_from_the_residuals():
    region, _ = trace(n_column=61)
    flat = np.full(region.flux.shape, 20.0)
    flat_noise = Region(1, region.first_row, region.flux, region.alpha, flat)
    data = noisy(flat_noise, np.random.default_rng(4))
    alpha = region.alpha[30]
    # Column sums that are known make the noise of all samples of a kind the same.
    plan = {1: (data, np.full(61, 2000.0)), 2: None}
    del plan[2]
    options = FitOptions(lrange=30, spline_bkpt=30)
    known = variance(fit_trace([1], plan, 61, options, errors=True), 30, alpha)
    blind = Region(1, data.first_row, data.flux, data.alpha)
    model = fit_trace([1], {1: (blind, np.full(61, 2000.0))}, 61, options, errors=True)
    assert np.isnan(model.scale_error).all()
    assert np.isnan(model.chi2).all()
    wing = np.abs(alpha) > 0.5
    assert 0.8 < np.median(np.sqrt(variance(model, 30, alpha) / known)[wing]) < 1.2


@pytest.mark.parametrize("compat", [False, True])
def test_threads_do_not_change_a_bit(compat):
    rng = np.random.default_rng(5)
    regions = [noisy(trace(n_column=90, label=label)[0], rng) for label in (3, 7)]
    for region in regions:
        region.flux[40:50] = np.nan  # columns without data
        region.alpha[:4] = np.nan
    plan = {region.label: (region, sums(region)) for region in regions}
    models = [
        fit_trace([3, 5, 7], plan, 90, FitOptions(lrange=10), threads=n, errors=True, compat=compat)
        for n in (1, 2, 5)
    ]
    for name in NUMBERS + ACCOUNTS:
        for other in models[1:]:
            assert np.array_equal(getattr(models[0], name), getattr(other, name), equal_nan=True), (
                name
            )
    assert models[0].n_model > 100
    assert np.all(models[0].model[1] == -1)  # region 5 has not been fitted
    with pytest.raises(KeyError, match="column 7 of region 5"):
        models[0].spline(5, 7)


def sparse_columns():
    """A trace without tilt on the left: its samples there are too sparse for the knots."""
    alpha = (np.arange(26) - 13) * PIXEL + 0.01 * np.maximum(np.arange(100) - 40, 0)[:, None]
    return Region(1, np.zeros(len(alpha), np.int32), 100 * profile(alpha), alpha)


def test_a_column_borrows_the_nearest_spline():
    region = sparse_columns()
    options = FitOptions(lrange=8, space_ratio=1.0)
    model = fitted(region, options=options)
    own = model.n_knot[0] > 0
    borrowed = (model.flags[0] & ColumnFlag.BORROWED) != 0
    assert own.any()
    assert borrowed.any()
    for i in range(100):
        near = np.flatnonzero(own & (np.abs(np.arange(100) - i) <= 8))
        if own[i]:
            assert model.model[0, i] == i
        elif len(near):
            assert borrowed[i]
            assert model.model[0, i] == near[np.argmin(np.abs(near - i))]
        else:
            assert model.model[0, i] == -1
            assert np.isnan(model.scale[0, i])
    assert np.all(model.flags[0, ~own] & ColumnFlag.TOO_SPARSE)


@pytest.mark.parametrize("leg", [np.arange(100), np.arange(100)[::-1]])
def test_jwst_borrows_the_last_spline_in_its_order(leg):
    region = sparse_columns()
    model = fitted(
        region, options=FitOptions(lrange=8, space_ratio=1.0, col_index=leg), compat=True
    )
    own = model.n_knot[0] > 0
    last = -1
    for i in leg:
        last = i if own[i] else last
        assert model.model[0, i] == last
    fewer = (model.flags[0] & ColumnFlag.FEWER_KNOTS) != 0
    assert fewer.sum() <= 1
    if fewer.any():  # only before there is anything to borrow
        assert not own[leg[: int(np.argmax(fewer[leg]))]].any()


def test_columns_without_enough_pixels_are_left_out():
    region, _ = trace()
    region.flux[50, 8:] = np.nan
    region.flux[51] = np.nan
    region.alpha[52] = np.nan
    model = fitted(region, options=FitOptions(lrange=20, require_ngood=8))
    assert np.all(model.flags[0, 50:53] == ColumnFlag.TOO_FEW)
    assert np.all(model.model[0, 50:53] == -1)
    assert model.n_model == 117
    assert model.n_point[0, 60] == np.isfinite(region.flux + region.alpha)[40:81].sum()


def test_columns_in_the_dark_have_no_model():
    region, _ = trace()
    flux = region.flux
    flux[60] = -1.0
    model = fit_trace([1], {1: (region, sums(trace()[0]))}, 120, FitOptions(lrange=30))
    assert model.flags[0, 60] & ColumnFlag.NO_SCALE
    assert model.model[0, 60] == -1
    jwst = fit_trace([1], {1: (region, sums(trace()[0]))}, 120, FitOptions(lrange=30), compat=True)
    assert jwst.scale[0, 60] == 0.0  # a trace of zeros
    assert jwst.model[0, 60] == 60


def test_knots_come_from_the_rows_with_data():
    region, _ = trace(n_row=40)
    flux = np.where(np.abs(region.alpha) < 1.0, region.flux, np.nan)
    cut = Region(1, region.first_row, flux, region.alpha, region.error)
    options = FitOptions(lrange=30, space_ratio=1.6)
    assert fitted(cut, options=options).n_model == 120
    # jwst spreads as many knots over the data as the whole height asks for.
    knots = {c: fitted(cut, options=options, compat=c).n_knot.max() for c in (False, True)}
    assert knots[True] > 1.5 * knots[False] or knots[True] == 0


@pytest.mark.parametrize("filled", [np.nan, np.inf])
def test_a_region_without_data_has_no_model(filled):
    region, _ = trace()
    region.flux[:] = filled
    for compat in (False, True):
        model = fitted(region, compat=compat)
        assert model.n_model == 0
        assert np.all(model.flags == ColumnFlag.TOO_FEW)
    region.alpha[:] = np.nan
    assert fitted(region).n_model == 0


def test_a_constant_region_of_one_row_or_column():
    for shape in ((30, 1), (1, 30), (1, 1)):
        flat = np.ones(shape)
        alpha = np.broadcast_to(np.arange(shape[1]) * PIXEL, shape).copy()
        region = Region(1, np.zeros(len(alpha), np.int32), flat, alpha, flat)
        for compat in (False, True):
            model = fitted(region, options=FitOptions(spline_bkpt=5), compat=compat)
            assert model.n_model <= shape[0]


def test_nothing_to_fit():
    model = fit_trace([1, 2], {}, 17, FitOptions())
    assert model.n_model == 0
    assert model.labels.tolist() == [1, 2]
    assert model.model.shape == (2, 17)


def test_one_line_per_region_is_logged(caplog):
    region, _ = trace()
    region.flux[51] = np.nan
    with caplog.at_level(logging.INFO):
        fitted(region)
    assert [record.getMessage() for record in caplog.records] == [
        "Region 1: 119 of 120 columns have a model (too few 1)"
    ]


@pytest.mark.parametrize("threads", [1, 2, 8])
@pytest.mark.parametrize("n_region", [0, 1, 3, 40])
@pytest.mark.parametrize("n_column", [0, 1, 63, 64, 97, 2048])
def test_all_columns_are_in_one_part(threads, n_region, n_column):
    jobs = list(range(n_region))
    tasks = _tasks(jobs, n_column, threads)
    for job in jobs:
        own = [range(start, stop) for other, start, stop in tasks if other == job]
        assert [c for part in own for c in part] == list(range(n_column))
        assert len(own) == 1 or min(map(len, own)) >= FEWEST_COLUMNS // 2 or n_column == 0
    if threads > 1 and n_region * n_column > threads * FEWEST_COLUMNS:
        last = max(stop - start for _, start, stop in tasks[-threads:])
        assert last < 2 * FEWEST_COLUMNS or n_column < 2 * FEWEST_COLUMNS


def test_progress_is_reported():
    class Interrupted(Progress):
        def track(self, items, description, total=None):
            seen.append((description, total))
            return super().track(items, description, total)

    seen = []
    fitted(trace()[0], progress=Interrupted(), threads=2)
    assert seen == [("Fitting splines", 5)]  # parts of 40, 26, 18, 16 and 20 columns
    with pytest.raises(KeyboardInterrupt):
        fitted(trace()[0], progress=Progress(interrupted=True))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": [2, 1]}, "labels must be different and ascending"),
        ({"labels": [2]}, "region 1 is not one of the labels"),
        ({"n_column": 119}, "region 1 has 120 columns"),
        ({"sums": np.ones(3)}, r"column sums of shape \(3,\)"),
        ({"options": FitOptions(weighting="none")}, "weighting: expected"),
        ({"options": FitOptions(lrange=0)}, "lrange of at least 1"),
        ({"options": FitOptions(fit_iter=-1)}, "fit_iter of at least 0"),
        ({"options": FitOptions(sigma_low=np.nan)}, "must not be NaN"),
        ({"options": FitOptions(col_index=np.array([120]))}, "from 0 to 119"),
        ({"options": FitOptions(weighting="ivm")}, "region 1 has no errors"),
    ],
)
def test_misuse_is_refused(change, message):
    region, _ = trace()
    bare = Region(1, region.first_row, region.flux, region.alpha)
    call = {"labels": [1], "n_column": 120, "sums": None, "options": FitOptions()} | change
    with pytest.raises(ValueError, match=message):
        fit_trace(call["labels"], {1: (bare, call["sums"])}, call["n_column"], call["options"])


def test_inputs_are_left_alone():
    region, _ = trace()
    before = region.flux.copy(), region.alpha.copy()
    divisor = sums(region)
    for array in (region.flux, region.alpha, region.error, divisor):
        array.flags.writeable = False
    fit_trace([1], {1: (region, divisor)}, 120, FitOptions(), errors=True)
    assert np.array_equal(region.flux, before[0])
    assert np.array_equal(region.alpha, before[1])


def stored(folder, name):
    """A stored case of jwst: its regions as it sees them, its options, and its splines."""
    case = np.load(folder / "oracle" / "adaptive_trace_model" / f"{name}.npz")
    case = {key: case[key] for key in ("flux", "alpha", "region", "meta", *case.files[7:])}
    keywords = json.loads(str(case["meta"]))["fit_kwargs"]
    names = set(FitOptions.__dataclass_fields__)
    options = {key: value for key, value in keywords.items() if key in names and value is not None}
    options["col_index"] = np.array(options["col_index"])
    plan = {}
    for label in np.unique(case["region"][case["region"] > 0]).tolist():
        inside = case["region"] == label
        flux = np.where(inside, case["flux"], np.float32(np.nan))
        alpha = np.where(inside, case["alpha"].astype(np.float32), np.float32(np.nan))
        positive = np.where(flux > 0, flux, np.float32(0)) if name == "slit_fs_nod" else flux
        planes = [np.ascontiguousarray(plane.T, dtype=float) for plane in (flux, alpha)]
        region = Region(label, np.zeros(inside.shape[1], np.int32), *planes, single=True)
        plan[label] = region, np.nansum(positive, axis=0).astype(float)
    return plan, FitOptions(**options), case


@pytest.mark.parametrize("name", ["ifu_small", "lrs_slit", "slit_fs_nod", "mos_00"])
def test_stored_results_of_jwst(shared_dir, name):
    plan, options, case = stored(shared_dir, name)
    model = fit_trace(sorted(plan), plan, case["flux"].shape[1], options, compat=True)
    row, column = np.searchsorted(model.labels, case["sp_reg"]), case["sp_col"]
    order = {label: list(columns) for label, columns in model.as_dicts(options.col_index).items()}
    assert [(r, c) for r in order for c in order[r]] == list(
        zip(case["sp_reg"].tolist(), column.tolist(), strict=True)
    )
    source = model.model[row, column]
    n = model.n_knot[row, source]
    assert np.array_equal(n, case["sp_nt"])
    used = np.arange(model.knots.shape[2])[None]
    assert np.array_equal(model.knots[row, source][used < n[:, None]], case["sp_t"])
    assert np.array_equal(model.lower[row, source], case["sp_lo"])
    assert np.array_equal(model.upper[row, source], case["sp_hi"])
    theirs = np.zeros((len(n), model.knots.shape[2]))
    theirs[used < n[:, None] - 4] = case["sp_c"]
    size = np.abs(theirs).max(axis=1, keepdims=True)
    coefficients = model.coefficients[row, source] * (used < n[:, None] - 4)
    assert np.abs((coefficients - theirs) / size).max() < 2e-11
    assert_allclose(model.scale[row, column], case["sp_scale"], rtol=1e-11)
