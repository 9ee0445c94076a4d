"""The resampling matrix and the covariance of real exposures."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from webbweave.resample import build_output_grid, drizzle_exposure
from webbweave.resample.matrix import (
    CovarianceSums,
    covariance_add,
    covariance_reach,
    resampling_matrix,
)


@pytest.fixture(scope="module")
def combination(real_exposures):
    """Grid shape, and for each real exposure its map, weight and resampling matrix."""
    grid = build_output_grid(real_exposures)
    parts = []
    for exposure in real_exposures:
        weight = np.where(exposure.good, np.float32(0.5), np.float32(0))
        pixel_map = grid.pixel_map(exposure)
        parts.append((pixel_map, weight, resampling_matrix(weight, pixel_map, grid.shape)))
    return grid.shape, parts


def test_matrix_is_what_drizzling_does(real_exposures, combination):
    shape, parts = combination
    for exposure, (pixel_map, weight, matrix) in zip(real_exposures, parts, strict=True):
        data = np.where(weight > 0, exposure.data, 0)
        drizzled = drizzle_exposure({"data": data}, weight, pixel_map, shape)
        top = np.abs(drizzled.sums["data"]).max()
        sums = (matrix.T @ data.ravel().astype(float)).reshape(shape)
        np.testing.assert_allclose(sums, drizzled.sums["data"], rtol=0, atol=1e-13 * top)
        total = matrix.sum(axis=0).reshape(shape)
        np.testing.assert_allclose(total, drizzled.weight, rtol=0, atol=1e-13)
        threaded = resampling_matrix(weight, pixel_map, shape, threads=3)
        np.testing.assert_array_equal(threaded.data, matrix.data)
        np.testing.assert_array_equal(threaded.indices, matrix.indices)


def test_covariance_of_a_combination_is_exact(real_exposures, combination):
    shape, parts = combination
    total = sum(matrix.sum(axis=0) for _, _, matrix in parts).reshape(shape)
    reach = np.max([covariance_reach(matrix, shape) for _, _, matrix in parts], axis=0)
    sums = CovarianceSums.zeros(2, shape, tuple(reach.tolist()))
    with np.errstate(divide="ignore"):
        factor = sparse.diags_array(np.where(total > 0, 1 / total, 0).ravel())
    expected = 0
    for exposure, (_, weight, matrix) in zip(real_exposures, parts, strict=True):
        variances = np.stack([exposure.variances[n] for n in ("var_rnoise", "var_poisson")])
        variances = np.where(weight > 0, variances, 0)
        assert np.isfinite(variances).all()
        covariance_add(sums, matrix, total, variances, threads=2)
        m = factor @ matrix.T
        v = variances.sum(axis=0, dtype=float).ravel()
        expected = expected + m @ sparse.diags_array(v) @ m.T
    top = expected.diagonal().max()
    row_sum = sums.row_sum.sum(axis=0).ravel()
    np.testing.assert_allclose(row_sum, expected.sum(axis=1), rtol=1e-9, atol=1e-12 * top)
    variance = sums.diagonal.sum(axis=0).ravel()
    np.testing.assert_allclose(variance, expected.diagonal(), rtol=1e-9, atol=1e-12 * top)
    # All elements of the matrix, from the offsets: the upper triangle, then its mirror.
    coo = sparse.triu(expected).tocoo()
    dy = coo.coords[1] // shape[1] - coo.coords[0] // shape[1]
    dx = coo.coords[1] % shape[1] - coo.coords[0] % shape[1]
    number = dy * (2 * reach[1] + 1) + dx
    found = sums.covariance.reshape(-1, total.size)[number, coo.coords[0]]
    np.testing.assert_allclose(found, coo.data, rtol=1e-9, atol=1e-12 * top)
    assert np.count_nonzero(sums.covariance) == np.count_nonzero(coo.data)
