"""Covariances of combinations against M V M^T by scipy, with made-up and real geometry."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from webbweave._kernels import covariance as kernel
from webbweave.resample.matrix import (
    CovarianceSums,
    covariance_add,
    covariance_reach,
    resampling_matrix,
)

GRID = (12, 15)


def explicit(matrix, weight, variance, scale=1.0, keep=None):
    """C = M V M^T of one plane of variances, as a sparse matrix."""
    with np.errstate(divide="ignore"):
        factor = np.where(weight == 0, 0, scale / weight).ravel()
    if keep is not None:
        factor = factor * keep.ravel()
    m = sparse.diags_array(factor) @ matrix.T
    return (m @ sparse.diags_array(np.ravel(variance).astype(float)) @ m.T).tocsr()


def at_offset(covariance, shape, dy, dx):
    """C_ab at each cell a, for the cell b at an offset; zero where b is off the grid."""
    row, column = np.indices(shape)
    on_grid = (row + dy < shape[0]) & (column + dx >= 0) & (column + dx < shape[1])
    a = (row * shape[1] + column)[on_grid]
    values = np.zeros(shape)
    values[on_grid] = covariance[a, a + dy * shape[1] + dx]
    return values


def check(sums, explicit_planes, shape):
    """Compare all outputs, and make sure that nothing lies beyond the reach."""
    total = sum(explicit_planes)
    for row_sum, diagonal, plane in zip(sums.row_sum, sums.diagonal, explicit_planes, strict=True):
        top = plane.diagonal().max()
        expected = plane.sum(axis=1).reshape(shape)
        np.testing.assert_allclose(row_sum, expected, rtol=1e-12, atol=1e-14 * top)
        expected = plane.diagonal().reshape(shape)
        np.testing.assert_allclose(diagonal, expected, rtol=1e-12, atol=1e-14 * top)
    seen = total.diagonal().sum()
    top = total.diagonal().max()
    for (dy, dx), plane in zip(sums.offsets, sums.covariance, strict=True):
        expected = at_offset(total, shape, dy, dx)
        np.testing.assert_allclose(plane, expected, rtol=1e-12, atol=1e-14 * top)
        seen += 2 * plane.sum() * ((dy, dx) != (0, 0))
    assert seen == pytest.approx(total.sum(), rel=1e-12)


def made_up(seed=4, n_pixel=60, most=5):
    """A matrix of pixels that hit 0 to `most` cells near each other, and what goes with it."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(n_pixel):
        corner = rng.integers(0, [GRID[0] - 3, GRID[1] - 4])
        dy, dx = rng.integers(0, [3, 4], (rng.integers(0, most + 1), 2)).T
        rows.append(np.unique((corner[0] + dy) * GRID[1] + corner[1] + dx))
    first = np.cumsum([0, *map(len, rows)])
    cell = np.concatenate(rows)
    share = rng.uniform(0.1, 1.0, cell.size)
    matrix = sparse.csr_array((share, cell, first), shape=(n_pixel, GRID[0] * GRID[1]))
    weight = rng.uniform(0.5, 3.0, GRID)
    variance = rng.uniform(0.1, 2.0, (3, n_pixel)).astype(np.float32)
    return matrix, weight, variance


def add(matrix, weight, variance, reach=None, **options):
    reach = reach or covariance_reach(matrix, weight.shape)
    sums = CovarianceSums.zeros(len(variance), weight.shape, reach)
    covariance_add(sums, matrix, weight, variance, **options)
    return sums


@pytest.mark.parametrize("longer", [0, 1])
def test_made_up_matrix(longer):
    matrix, weight, variance = made_up()
    assert covariance_reach(matrix, GRID) == (2, 3)
    sums = add(matrix, weight, variance, (2 + longer, 3 + longer), scale=1.7)
    check(sums, [explicit(matrix, weight, v, 1.7) for v in variance], GRID)


def test_two_exposures_add_up():
    matrix, weight, variance = made_up()
    other, _, _ = made_up(seed=5)
    sums = add(matrix, weight, variance)
    covariance_add(sums, other, weight, variance[::-1], scale=0.3)
    planes = [
        explicit(matrix, weight, v) + explicit(other, weight, u, 0.3)
        for v, u in zip(variance, variance[::-1], strict=True)
    ]
    check(sums, planes, GRID)


def test_cells_without_weight_and_cells_not_kept_stay_out():
    matrix, weight, variance = made_up()
    weight[4, 5:8] = 0
    keep = np.ones(GRID, bool)
    keep[7:9, 3:6] = False
    sums = add(matrix, weight, variance, keep=keep)
    check(sums, [explicit(matrix, weight, v, keep=keep) for v in variance], GRID)
    out = ~keep | (weight == 0)
    assert not sums.row_sum[:, out].any()
    assert not sums.covariance[:, out].any()
    assert sums.diagonal[:, ~out].any()


def test_offsets_are_numbered_row_by_row():
    offsets = CovarianceSums.zeros(1, (2, 3), (1, 2)).offsets
    expected = [(0, 0), (0, 1), (0, 2), (1, -2), (1, -1), (1, 0), (1, 1), (1, 2)]
    np.testing.assert_array_equal(offsets, expected)
    np.testing.assert_array_equal(CovarianceSums.zeros(1, (2, 3), (0, 0)).offsets, [(0, 0)])


def test_nan_variance_stays_where_its_pixel_goes():
    matrix, weight, variance = made_up()
    pixel = int(np.argmax(np.diff(matrix.indptr)))
    cells = matrix.indices[matrix.indptr[pixel] : matrix.indptr[pixel + 1]]
    assert cells.size >= 3
    keep = np.ones(GRID, bool)
    keep.flat[cells[0]] = False
    clean = add(matrix, weight, variance, keep=keep)
    variance[1, pixel] = np.nan
    sums = add(matrix, weight, variance, keep=keep)
    hit = np.zeros(GRID, bool)
    hit.flat[cells[1:]] = True
    for name in ("row_sum", "diagonal"):
        array = getattr(sums, name)
        np.testing.assert_array_equal(np.isnan(array[1]), hit)
        np.testing.assert_array_equal(array[[0, 2]], getattr(clean, name)[[0, 2]])
        np.testing.assert_array_equal(array[1][~hit], getattr(clean, name)[1][~hit])
    for (dy, dx), plane in zip(sums.offsets, sums.covariance, strict=True):
        # Both cells must be of the pixel.
        pairs = np.isin(cells[1:] + dy * GRID[1] + dx, cells[1:])
        row, column = np.divmod(cells[1:], GRID[1])
        pairs &= (column + dx >= 0) & (column + dx < GRID[1])
        expected = np.zeros(GRID, bool)
        expected[row[pairs], column[pairs]] = True
        np.testing.assert_array_equal(np.isnan(plane), expected)


@pytest.mark.parametrize("threads", [2, 3, 8, 1000])
def test_threads_equal_serial(threads):
    matrix, weight, variance = made_up(n_pixel=400)
    serial = add(matrix, weight, variance)
    shared = add(matrix, weight, variance, threads=threads)
    for name in ("row_sum", "diagonal", "covariance"):
        np.testing.assert_array_equal(getattr(shared, name), getattr(serial, name))


@pytest.mark.parametrize("kind", ["square", "point"])
@pytest.mark.parametrize("scale", [0.45, 1.0, 2.2])
def test_turned_and_stretched_pixels(scale, kind):
    y, x = np.indices((14, 17), dtype=float)
    a, b = scale * np.cos(0.4), scale * np.sin(0.4)
    pixel_map = (a * x - b * y + 5, b * x + a * y + 1 + 0.1 * np.sin(x))
    rng = np.random.default_rng(8)
    weight = rng.uniform(0.5, 2, x.shape)
    variance = rng.uniform(0.5, 2, (2, *x.shape)).astype(np.float32)
    matrix = resampling_matrix(weight, pixel_map, (30, 35), kernel=kind)
    total = matrix.sum(axis=0).reshape(30, 35)
    sums = add(matrix, total, variance)
    check(sums, [explicit(matrix, total, v) for v in variance], (30, 35))
    if kind == "point":
        assert sums.reach == (0, 0)
        np.testing.assert_allclose(sums.row_sum, sums.diagonal, rtol=1e-12)


def test_row_sums_give_the_variance_of_the_sum_of_all_cells():
    """Pixels wholly on a grid of their own scale: the sum of all cells is that of the values."""
    y, x = np.indices((20, 20), dtype=float)
    pixel_map = (x + 3.3, y + 2.6)
    variance = np.random.default_rng(2).uniform(1, 2, (1, 20, 20)).astype(np.float32)
    matrix = resampling_matrix(np.ones((20, 20)), pixel_map, (26, 27))
    sums = add(matrix, np.ones((26, 27)), variance)
    assert sums.row_sum.sum() == pytest.approx(variance.sum(dtype=float), rel=1e-12)
    # A shift by (0.3, 0.4 modulo 1) leaves this fraction of the variance in a cell.
    fraction = (0.7**2 + 0.3**2) * (0.6**2 + 0.4**2)
    middle = np.s_[0, 6:20, 6:20]
    assert sums.diagonal[middle].mean() == pytest.approx(fraction * 1.5, rel=0.03)


def call(**replaced):
    arrays = {
        "first": np.array([0, 2, 3]),
        "cell": np.array([0, 1, 5], np.int32),
        "share": np.ones(3),
        "weight": np.ones((2, 3)),
        "keep": np.ones((2, 3), np.uint8),
        "variance": np.ones((1, 2), np.float32),
        "taper": np.ones((1, 2)),
        "row_sum": np.zeros((1, 2, 3)),
        "diagonal": np.zeros((1, 2, 3)),
        "covariance": np.zeros((2, 2, 3)),
    }
    options = {"scale": 1.0, "reach_y": 0, "reach_x": 1, "cell_start": 0, "cell_stop": 6}
    options |= {key: value for key, value in replaced.items() if key in options}
    arrays |= {key: value for key, value in replaced.items() if key in arrays}
    kernel.covariance_add(*arrays.values(), **options)
    return arrays


def test_small_case():
    out = call()
    np.testing.assert_array_equal(out["row_sum"][0], [[2, 2, 0], [0, 0, 1]])
    np.testing.assert_array_equal(out["diagonal"][0], [[1, 1, 0], [0, 0, 1]])
    np.testing.assert_array_equal(out["covariance"][1], [[1, 0, 0], [0, 0, 0]])
    np.testing.assert_array_equal(call(keep=None)["row_sum"], out["row_sum"])
    np.testing.assert_array_equal(call(taper=None)["row_sum"], out["row_sum"])
    tapered = call(taper=np.array([[1.0, 0.5]]))["row_sum"]
    np.testing.assert_array_equal(tapered[0], [[1.5, 1.5, 0], [0, 0, 1]])
    empty = {"first": np.zeros(3, int), "cell": np.zeros(0, np.int32), "share": np.zeros(0)}
    assert not call(**empty)["row_sum"].any()


@pytest.mark.parametrize("name", call())
def test_wrong_arrays_are_named(name):
    good = call()[name]
    with pytest.raises(TypeError, match=rf"^{name} must be .* {good.dtype}, found float16"):
        call(**{name: good.astype(np.float16)})
    with pytest.raises(ValueError, match=rf"^{name} has shape"):
        call(**{name: good[None]})
    if good.ndim > 1 and good.shape[0] > 1:
        with pytest.raises(ValueError, match=rf"^{name} must be C-contiguous"):
            call(**{name: np.asfortranarray(good)})
    if name in ("row_sum", "diagonal", "covariance"):
        good.flags.writeable = False
        with pytest.raises(ValueError, match=rf"^{name} must be writable"):
            call(**{name: good})


@pytest.mark.parametrize(
    ("replaced", "error", "message"),
    [
        ({"reach_x": 0, "taper": None, "covariance": np.zeros((1, 2, 3))}, ValueError, "too short"),
        ({"reach_y": -1}, ValueError, "expected 0 or more"),
        ({"cell_start": 4, "cell_stop": 3}, IndexError, "grid of 6 cells"),
        ({"cell_stop": 7}, IndexError, "grid of 6 cells"),
        ({"cell": np.array([1, 0, 5], np.int32)}, ValueError, "not those of a sparse matrix"),
        ({"cell": np.array([0, 1, 6], np.int32)}, ValueError, "not those of a sparse matrix"),
        ({"first": np.array([0, 4, 3])}, ValueError, "not those of a sparse matrix"),
        ({"share": np.ones(2)}, ValueError, "share has shape"),
    ],
)
def test_misuse_is_refused(replaced, error, message):
    with pytest.raises(error, match=message):
        call(**replaced)


def test_wrong_grids_are_refused():
    matrix, weight, variance = made_up()
    with pytest.raises(ValueError, match="expected 6 columns"):
        covariance_reach(matrix, (2, 3))
    with pytest.raises(ValueError, match="expected positive"):
        kernel.covariance_reach(matrix.indptr.astype(int), matrix.indices, n_row=-1, n_column=2)
    sums = CovarianceSums.zeros(3, GRID, (2, 3))
    with pytest.raises(ValueError, match="expected 165 columns"):
        covariance_add(sums, matrix, weight[1:], variance)
    with pytest.raises(ValueError, match="row_sum has shape"):
        covariance_add(sums, matrix, weight, variance[1:])
    with pytest.raises(ValueError, match="variance has shape"):
        covariance_add(sums, matrix, weight, variance[:, 1:])
    with pytest.raises(ValueError, match="too short"):
        covariance_add(CovarianceSums.zeros(3, GRID, (1, 3)), matrix, weight, variance)
