"""The sparse resampling matrix against the drizzle kernel, which sums up what it holds."""

from __future__ import annotations

import numpy as np
import pytest

from webbweave._kernels import drizzle
from webbweave._kernels import resampling_matrix as kernel
from webbweave.resample.drizzle import drizzle_exposure
from webbweave.resample.matrix import resampling_matrix

SHAPE = (31, 37)
GRID = (45, 50)


def turned_map(scale=1.1, angle=0.6):
    """A map with a hole, one row of which falls off the grid."""
    y, x = np.indices(SHAPE, dtype=float)
    a, b = scale * np.cos(angle), scale * np.sin(angle)
    map_x = a * (x - 18) - b * (y - 15) + 24
    map_y = b * (x - 18) + a * (y - 15) + 22
    map_x[10:12, 20] = np.nan
    map_y[25, 3] = np.inf
    map_y[0] += 1000
    return map_x, map_y


@pytest.fixture
def scene():
    rng = np.random.default_rng(3)
    weight = rng.uniform(0.5, 2.0, SHAPE).astype(np.float32)
    weight[5, 5:8] = 0, np.nan, -0.5
    value = rng.normal(size=SHAPE).astype(np.float32)
    return turned_map(), weight, value


@pytest.mark.parametrize("compat", [False, True])
@pytest.mark.parametrize("kind", ["square", "point"])
@pytest.mark.parametrize("pixfrac", [1.0, 0.6, 0.01])
def test_products_are_the_sums_of_the_drizzle_kernel(scene, kind, pixfrac, compat):
    pixel_map, weight, value = scene
    if compat:
        pixel_map[1][0] -= 1000  # with a corner far away, jwst would look at other pixels
    options = {"pixfrac": pixfrac, "kernel": kind, "compat": compat}
    matrix = resampling_matrix(weight, pixel_map, GRID, **options)
    drizzled = drizzle_exposure({"data": value}, weight, pixel_map, GRID, **options)
    assert drizzled.weight.max() > 0.5
    np.testing.assert_allclose(matrix.sum(axis=0), drizzled.weight.ravel(), rtol=0, atol=1e-13)
    sums = matrix.T @ value.ravel().astype(float)
    np.testing.assert_allclose(sums, drizzled.sums["data"].ravel(), rtol=0, atol=1e-13)


@pytest.mark.parametrize("scale", [0.4, 1.0, 3.0])
def test_rows_add_up_to_the_weight_inside(scene, scale):
    _, weight, _ = scene
    map_x, map_y = turned_map(scale)
    matrix = resampling_matrix(weight, (map_x, map_y), GRID, pixfrac=0.8)
    # The corners lie within one step of the map, and thus within 1.5 of its scale, of the centre.
    reach = 1.5 * scale
    inside = (map_x > reach) & (map_x < GRID[1] - 1 - reach)
    inside &= (map_y > reach) & (map_y < GRID[0] - 1 - reach)
    inside[:2] = False  # next to the row that is far away
    assert np.count_nonzero(inside) > 60
    row_sum = matrix.sum(axis=1).reshape(SHAPE)
    expected = np.nan_to_num(weight[inside].astype(float))
    np.testing.assert_allclose(row_sum[inside], expected, rtol=0, atol=1e-13)
    assert matrix.has_sorted_indices
    assert (np.diff(matrix.indices)[np.diff(np.repeat(*per_entry(matrix))) == 0] > 0).all()


def per_entry(matrix):
    """Arguments of np.repeat that give the row of each entry."""
    return np.arange(matrix.shape[0]), np.diff(matrix.indptr)


def test_pixels_that_take_no_part_have_empty_rows(scene):
    (map_x, map_y), weight, _ = scene
    count = np.diff(resampling_matrix(weight, (map_x, map_y), GRID).indptr).reshape(SHAPE)
    absent = ~(np.isfinite(map_x) & np.isfinite(map_y)) | ~(weight != 0) | np.isnan(weight)
    assert not count[absent].any()
    assert not count[0].any()
    away = (map_x < -2) | (map_x > GRID[1] + 1) | (map_y < -2) | (map_y > GRID[0] + 1)
    assert not count[2:][away[2:]].any()
    assert np.count_nonzero(count) > 900


def test_point_puts_all_in_one_cell(scene):
    (map_x, map_y), weight, _ = scene
    matrix = resampling_matrix(weight, (map_x, map_y), GRID, kernel="point")
    pixel = np.flatnonzero(np.diff(matrix.indptr))
    np.testing.assert_array_equal(matrix.data, weight.ravel()[pixel])
    row, column = np.rint([map_y.ravel()[pixel], map_x.ravel()[pixel]]).astype(int)
    np.testing.assert_array_equal(matrix.indices, row * GRID[1] + column)


@pytest.mark.parametrize(("scale", "grid"), [(0.4, GRID), (4.0, (150, 170))])
def test_ranges_one_behind_the_other_are_one_call(scene, scale, grid):
    _, weight, _ = scene
    pixel_map = turned_map(scale)
    whole = resampling_matrix(weight, pixel_map, grid)
    # Large pixels need more than the room for entries that there is at first.
    assert (whole.nnz > 6 * weight.size) == (scale == 4.0)
    for threads in (2, 3, 7, 31, 100):
        split = resampling_matrix(weight, pixel_map, grid, threads=threads)
        for name in ("data", "indices", "indptr"):
            np.testing.assert_array_equal(getattr(split, name), getattr(whole, name))


OPTIONS = {
    "pixfrac": 1.0,
    "kernel": drizzle.KERNEL_SQUARE,
    "edge": drizzle.EDGE_JACOBIAN,
    "n_row": 5,
    "n_column": 6,
    "row_start": 0,
    "row_stop": 3,
}


def arrays():
    y, x = np.indices((3, 4), dtype=float)
    return {"map_x": x, "map_y": y, "weight": np.ones((3, 4), np.float32)}


def test_identity_and_types():
    source = arrays()
    for array in source.values():
        array.flags.writeable = False
    count, cell, share = kernel.resampling_matrix(*source.values(), **OPTIONS)
    assert (count.dtype, cell.dtype, share.dtype) == (np.int32, np.int32, np.float64)
    np.testing.assert_array_equal(count, np.ones(12))
    np.testing.assert_array_equal(cell, np.add.outer([0, 6, 12], np.arange(4)).ravel())
    np.testing.assert_array_equal(share, np.ones(12))
    empty = kernel.resampling_matrix(*source.values(), **OPTIONS | {"row_stop": 0})
    assert [array.size for array in empty] == [0, 0, 0]


@pytest.mark.parametrize("name", arrays())
def test_wrong_arrays_are_named(name):
    def call(array):
        kernel.resampling_matrix(*(arrays() | {name: array}).values(), **OPTIONS)

    good = arrays()[name]
    with pytest.raises(TypeError, match=rf"^{name} must be .* {good.dtype}, found float16"):
        call(good.astype(np.float16))
    with pytest.raises(ValueError, match=rf"^{name} has shape \(0, 4\), expected"):
        call(good[:0])
    with pytest.raises(ValueError, match=rf"^{name} must be C-contiguous"):
        call(np.asfortranarray(good))


@pytest.mark.parametrize(
    "option",
    [{"pixfrac": 0.0}, {"pixfrac": np.nan}, {"kernel": 2}, {"edge": 2}],
)
def test_wrong_options_are_refused(option):
    with pytest.raises(ValueError, match="option has an invalid value"):
        kernel.resampling_matrix(*arrays().values(), **OPTIONS | option)


def test_wrong_sizes_are_refused():
    for rows in [(-1, 2), (0, 4), (2, 1)]:
        options = OPTIONS | dict(zip(("row_start", "row_stop"), rows, strict=True))
        with pytest.raises(IndexError, match="3 rows"):
            kernel.resampling_matrix(*arrays().values(), **options)
    for size in [{"n_row": 0}, {"n_column": -1}, {"n_row": 2**16, "n_column": 2**15}]:
        with pytest.raises(ValueError, match="expected 1 to 2147483647 cells"):
            kernel.resampling_matrix(*arrays().values(), **OPTIONS | size)


def test_wrong_names_are_refused(scene):
    pixel_map, weight, _ = scene
    with pytest.raises(ValueError, match="'lanczos'"):
        resampling_matrix(weight, pixel_map, GRID, kernel="lanczos")
    with pytest.raises(ValueError, match=r"from 0 to 1, found 1\.5"):
        resampling_matrix(weight, pixel_map, GRID, pixfrac=1.5)
    with pytest.raises(ValueError, match="weight has shape"):
        resampling_matrix(weight[1:], pixel_map, GRID)
