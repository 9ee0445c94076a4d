"""The bindings of the trace kernels refuse what the kernels could not survive."""

from __future__ import annotations

import numpy as np
import pytest

from webbweave._kernels.collapse import collapse_profile, collapse_sums
from webbweave._kernels.oversample import oversample_flux, oversample_linear
from webbweave._kernels.trace_image import trace_evaluate, trace_keep_compact
from webbweave._kernels.trace_region import (
    coordinate_extent,
    region_cut,
    region_labels,
    region_rows,
)

NY, NX, STRIDE = 6, 5, 9


def region(**changes):
    arrays = {
        "region_map": np.ones((NY, NX), np.int32),
        "first": np.zeros(NX, np.int32),
        "stop": np.full(NX, NY, np.int32),
    }
    return tuple((arrays | changes).values())


def splines():
    line = np.zeros(NX)
    none = np.full(NX, -1, np.int32)
    knots = np.zeros((NX, STRIDE))
    return knots, knots, np.zeros(NX, np.int32), line, line, none, line


def evaluate(where=None, arrays=None, full=None, start=0, stop=NX, edges=None, count=None):
    trace_evaluate(
        *(region() if where is None else where),
        np.zeros((NY, NX)),
        splines() if arrays is None else arrays,
        None,
        None,
        edges,
        count,
        full,
        None,
        label=1,
        rounds=False,
        is_between=True,
        slope_limit=0.1,
        column_start=start,
        column_stop=stop,
    )


def test_evaluate():
    full = np.full((NY, NX), 7.0)
    evaluate(full=full)
    assert (full == 7).all()  # no models: nothing is written
    for wrong in (
        {"first": np.zeros(NX - 1, np.int32)},
        {"first": np.zeros(NX)},
        {"region_map": np.ones((NY, NX), np.int32)[:, ::-1]},
    ):
        with pytest.raises((TypeError, ValueError)):
            evaluate(region(**wrong))
    for wrong in ({"stop": np.full(NX, NY + 1, np.int32)}, {"first": np.full(NX, -1, np.int32)}):
        with pytest.raises(IndexError):
            evaluate(region(**wrong))
    for start, stop in ((0, NX + 1), (3, 2)):
        with pytest.raises(IndexError):
            evaluate(start=start, stop=stop)
    with pytest.raises(ValueError, match="coefficients"):
        evaluate(arrays=(splines()[0], np.zeros((NX, STRIDE - 1)), *splines()[2:]))
    with pytest.raises(ValueError, match="full"):
        evaluate(full=np.zeros((NY, NX - 1)))
    full.setflags(write=False)
    with pytest.raises(ValueError, match="writable"):
        evaluate(full=full)
    with pytest.raises(ValueError, match="count"):
        evaluate(edges=np.arange(4.0), count=np.zeros(3, np.int64))


def test_keep_compact():
    image = np.ones((NY, NX))
    alpha = np.arange(NY)[:, None] * np.ones(NX)
    options = {"label": 1, "rounds": False, "column_start": 0, "column_stop": NX}
    trace_keep_compact(*region(), alpha, np.array([[1.0, 3.0]]), image, image, **options)
    np.testing.assert_array_equal(np.isfinite(image[:, 0]), [0, 0, 1, 1, 0, 0])
    trace_keep_compact(*region(), alpha, np.empty((0, 2)), image, image, **options)
    assert np.isnan(image).all()
    with pytest.raises(ValueError, match="ranges"):
        trace_keep_compact(*region(), alpha, np.zeros((2, 3)), image, image, **options)
    with pytest.raises(TypeError, match="used"):
        trace_keep_compact(*region(), alpha, None, image, None, **options)


def test_regions():
    with pytest.raises(TypeError, match="region_map"):
        region_labels(np.ones((NY, NX)), np.zeros(3, np.uint8))
    rows = np.zeros((1, NX), np.int32)
    with pytest.raises(IndexError):
        region_rows(region()[0], np.array([0, 5], np.int32), rows, rows.copy())
    values, (labels, first, stop) = np.zeros((NX, 1)), region()
    with pytest.raises(ValueError, match="values have 1 rows, expected"):
        region_cut(labels, first, stop, np.ones((NY, NX)), values, label=1, rounds=False)
    with pytest.raises(IndexError, match="rows of the region"):
        region_cut(labels, first, stop + NY, np.ones((NY, NX)), values, label=1, rounds=False)
    with pytest.raises(ValueError, match="scratch"):
        coordinate_extent(np.ones((NX, NY)), np.zeros((NX, NY - 1)), rounds=False)


def test_collapse():
    flux = np.ones((NX, NY))
    with pytest.raises(ValueError, match="error"):
        collapse_profile(
            flux, flux[:-1], flux, np.zeros(2), np.ones(2), np.zeros((3, 2)), rounds=False
        )
    with pytest.raises(ValueError, match="sums"):
        collapse_sums(flux, np.zeros(NY), None, rounds=False, positive_only=False, height=0)
    options = {"rounds": True, "positive_only": False}
    for first_row, height in ((1, NY), (0, NY - 1), (-1, NY), (NY + 1, NY)):
        rows = np.full(NX, first_row, np.int32)
        with pytest.raises(IndexError):
            collapse_sums(flux, np.zeros(NX), rows, **options, height=height)
    with pytest.raises(TypeError, match="first_row"):
        collapse_sums(flux, np.zeros(NX), None, **options, height=NY)


def linear(table, out, **changes):
    options = {"label": 1, "factor": 2.0, "as_jwst": False, "require_good": 0, "edge": 0}
    options |= {"preserve_nan": True, "is_variance": False, "multiply": 1.0}
    options |= {"column_start": 0, "column_stop": NX}
    oversample_linear(*region(), np.ones((NY, NX)), table, None, out, **(options | changes))


def test_oversample():
    table = np.arange(2 * NY) / 2 - 0.25, np.arange(2 * NY, dtype=np.int32) // 2
    out = np.zeros((2 * NY, NX))
    linear(table, out)
    assert (out == 1).all()
    for factor in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="factor"):
            linear(table, out, factor=factor)
    with pytest.raises(ValueError, match="out"):
        linear(table, out[:-1])
    with pytest.raises(ValueError, match="array"):
        linear((table[0], table[1] + np.int32(1)), out)
    with pytest.raises(IndexError):
        linear(table, out, column_stop=NX + 1)
    with pytest.raises(ValueError, match="fine_alpha"):
        oversample_flux(
            *region(),
            np.ones((NY, NX)),
            splines(),
            np.ones((NY, NX)),
            table,
            out[:-1],
            None,
            (None,) * 5,
            None,
            None,
            label=1,
            rounds=False,
            factor=2.0,
            as_jwst=False,
            slope_limit=0.1,
            require_good=0,
            edge=0,
            rounds_residual=False,
            without_residual=False,
            trim_ends=False,
            trims_column=False,
            column_start=0,
            column_stop=NX,
        )
