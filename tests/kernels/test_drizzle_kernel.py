"""The drizzle kernel against shapely, its conservation laws, threads and misuse."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
import shapely

from webbweave._kernels import drizzle

OPTIONS = {
    "pixfrac": 1.0,
    "kernel": drizzle.KERNEL_SQUARE,
    "edge": drizzle.EDGE_JACOBIAN,
    "nan_rule": drizzle.NAN_SKIP,
    "context_bit": 1,
}


def linear_map(shape, matrix, centre):
    """The map that takes the centre of an array of this shape to (x, y) = centre."""
    y, x = np.indices(shape, dtype=float)
    x -= (shape[1] - 1) / 2
    y -= (shape[0] - 1) / 2
    (a, b), (c, d) = matrix
    return a * x + b * y + centre[0], c * x + d * y + centre[1]


def inputs(map_x, map_y, n_plane=2, seed=1):
    """Arguments from map_x to dq, with random values, weights and flags."""
    rng = np.random.default_rng(seed)
    shape = map_x.shape
    return {
        "map_x": map_x,
        "map_y": map_y,
        "value": rng.normal(size=(n_plane, *shape)).astype(np.float32),
        "weight": rng.uniform(0.5, 2.0, shape).astype(np.float32),
        "dq": rng.integers(0, 2**32, shape, dtype=np.uint32),
    }


def outputs(shape, n_plane=2):
    return {
        "out_weight": np.zeros(shape),
        "out_sum": np.zeros((n_plane, *shape)),
        "out_dq": np.zeros(shape, np.uint32),
        "out_context": np.zeros(shape, np.uint32),
    }


def add(source, out, rows=None, **options):
    start, stop = rows or (0, out["out_weight"].shape[0])
    arrays = list((source | out).values())
    drizzle.drizzle_add(*arrays, **(OPTIONS | options), row_start=start, row_stop=stop)
    return out


def corner_maps(corners):
    """A 2 x 2 map whose pixel (0, 0) has these corners under pixfrac 1.

    They are those of a parallelogram: the map is linear.
    """
    origin, right, _, up = corners
    i, j = np.meshgrid([0.5, 1.5], [0.5, 1.5])
    points = origin + i[..., None] * (right - origin) + j[..., None] * (up - origin)
    return np.ascontiguousarray(points[..., 0]), np.ascontiguousarray(points[..., 1])


def bilinear_maps(corners):
    """A 3 x 3 map whose pixel (1, 1) has these corners under pixfrac 1: any quadrilateral.

    A corner is the mean of the four pixels around it. With c the mean of the corners, the pixel
    at c and the four beside it on it too, the diagonal neighbours are 4 corner - 3 c.
    """
    centre = corners.mean(axis=0)
    points = np.tile(centre, (3, 3, 1))
    for (j, i), corner in zip([(0, 0), (0, 2), (2, 2), (2, 0)], corners, strict=True):
        points[j, i] = 4 * corner - 3 * centre
    return np.ascontiguousarray(points[..., 0]), np.ascontiguousarray(points[..., 1])


def cells(shape):
    y, x = np.indices(shape)
    return shapely.box(x - 0.5, y - 0.5, x + 0.5, y + 0.5)


def one_pixel(maps, index):
    source = inputs(*maps, n_plane=1)
    weight = np.zeros_like(source["weight"])
    weight[index] = 1.0
    return source | {"weight": weight}


@pytest.mark.parametrize("size", [0.3, 1.0, 3.0, 20.0])
@pytest.mark.parametrize("kind", ["parallelogram", "quadrilateral"])
def test_overlaps_are_those_of_shapely(kind, size):
    rng = np.random.default_rng(11)
    shape = (9, 11)
    grid = cells(shape)
    unit = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2
    for _ in range(60):
        turn = rng.uniform(0, 2 * np.pi)
        matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        matrix = matrix @ np.diag([size, size * rng.choice([-1, 1]) * rng.uniform(0.3, 1)])
        corners = unit @ matrix.T + rng.uniform(-1.5, [11.5, 9.5])
        if kind == "quadrilateral":
            corners += size * rng.uniform(-0.12, 0.12, (4, 2))
            source = one_pixel(bilinear_maps(corners), (1, 1))
        else:
            source = one_pixel(corner_maps(corners), (0, 0))
        polygon = shapely.Polygon(corners)
        expected = shapely.area(shapely.intersection(polygon, grid)) / polygon.area
        out = add(source, outputs(shape, 1))
        np.testing.assert_allclose(out["out_weight"], expected, rtol=1e-12, atol=2e-14)
        clear = expected > 1e-9
        assert (out["out_context"][clear] == 1).all()
        assert (out["out_context"][expected == 0] == 0).all()


def test_sums_and_flags_follow_the_shares():
    """Every array from the shares of the single pixels, found one at a time."""
    shape, grid = (4, 5), (9, 9)
    maps = linear_map(shape, [[1.1, -0.4], [0.5, 0.9]], (4.2, 3.7))
    source = inputs(*maps)
    expected = outputs(grid)
    for index in np.ndindex(shape):
        share = add(one_pixel(maps, index), outputs(grid, 1), pixfrac=0.7)["out_weight"]
        weight = share * source["weight"][index]
        expected["out_weight"] += weight
        expected["out_sum"] += weight * source["value"][:, *index, None, None]
        expected["out_dq"] |= np.where(share > 0, source["dq"][index], 0).astype(np.uint32)
    expected["out_context"] = np.where(expected["out_weight"] > 0, 8, 0)
    out = add(source, outputs(grid), pixfrac=0.7, context_bit=8)
    for name, array in expected.items():
        np.testing.assert_allclose(out[name], array, rtol=1e-12, atol=1e-13, err_msg=name)


@pytest.mark.parametrize("pixfrac", [0.1, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("scale", [0.4, 1.0, 3.0])
def test_weight_and_flux_are_conserved(scale, pixfrac):
    rng = np.random.default_rng(5)
    shape = (23, 19)
    y, x = np.indices(shape)
    for _ in range(5):
        turn = rng.uniform(0, 2 * np.pi)
        matrix = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        map_x, map_y = linear_map(shape, matrix, (60, 60))
        map_x += 0.3 * scale * np.sin(0.4 * x + 0.3 * y + rng.uniform(0, 6))
        map_y += 0.3 * scale * np.cos(0.3 * x - 0.4 * y + rng.uniform(0, 6))
        source = inputs(map_x, map_y)
        out = add(source, outputs((121, 121)), pixfrac=pixfrac)
        weight = source["weight"].astype(float)
        np.testing.assert_allclose(out["out_weight"].sum(), weight.sum(), rtol=1e-12)
        flux = (weight * source["value"]).sum(axis=(1, 2))
        np.testing.assert_allclose(out["out_sum"].sum(axis=(1, 2)), flux, rtol=0, atol=1e-10)
        assert out["out_weight"].min() >= -1e-14


def test_a_hole_in_the_map_costs_only_itself():
    """Without its neighbour a pixel keeps its weight and its place; under EDGE_SKIP it is lost."""
    map_x, map_y = linear_map((8, 8), [[0.9, 0.2], [-0.2, 0.9]], (6, 6))
    whole = inputs(map_x, map_y)
    holed = whole | {"map_x": map_x.copy()}
    holed["map_x"][3, 4] = np.nan
    masked = whole | {"weight": whole["weight"].copy()}
    masked["weight"][3, 4] = 0
    out, expected = add(holed, outputs((13, 13))), add(masked, outputs((13, 13)))
    np.testing.assert_allclose(out["out_weight"], expected["out_weight"], atol=1e-14)
    np.testing.assert_allclose(out["out_sum"], expected["out_sum"], atol=1e-14)
    masked["weight"][2:5, 3:6] = 0
    out = add(holed, outputs((13, 13)), edge=drizzle.EDGE_SKIP)
    expected = add(masked, outputs((13, 13)), edge=drizzle.EDGE_SKIP)
    np.testing.assert_array_equal(out["out_weight"], expected["out_weight"])


def large_source():
    map_x, map_y = linear_map((150, 140), [[1.3, -0.5], [0.45, 1.2]], (95, 90))
    map_y[40:44, 30:60] = np.nan
    return inputs(map_x, map_y)


@pytest.mark.parametrize("kernel", [drizzle.KERNEL_SQUARE, drizzle.KERNEL_POINT])
@pytest.mark.parametrize("n_band", [2, 7, 8, 180])
def test_any_division_into_rows_is_identical(kernel, n_band):
    source = large_source()
    whole = add(source, outputs((180, 190)), kernel=kernel, pixfrac=0.8)
    split = outputs((180, 190))
    edges = np.linspace(0, 180, n_band + 1).astype(int)
    for rows in pairwise(edges):
        add(source, split, rows, kernel=kernel, pixfrac=0.8)
    for name, array in whole.items():
        np.testing.assert_array_equal(split[name], array, err_msg=name)


def test_threads_equal_serial():
    source = large_source()
    whole = add(source, outputs((180, 190)))
    edges = np.linspace(0, 180, 25).astype(int)
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            shared = outputs((180, 190))
            tasks = [pool.submit(add, source, shared, rows) for rows in pairwise(edges)]
            for task in tasks:
                task.result()
            for name, array in whole.items():
                np.testing.assert_array_equal(shared[name], array, err_msg=name)


@pytest.fixture
def arrays():
    maps = linear_map((4, 5), [[1, 0], [0, 1]], (3, 2.5))
    return inputs(*maps), outputs((6, 7))


NAMES = [*inputs(np.zeros((2, 2)), np.zeros((2, 2))), *outputs((2, 2))]


def call(arrays, name, array):
    source, out = arrays
    replaced = {name: array}
    add(
        {key: replaced.get(key, old) for key, old in source.items()},
        {key: replaced.get(key, old) for key, old in out.items()},
        rows=(0, 6),
    )


@pytest.mark.parametrize("name", NAMES)
def test_wrong_arrays_are_named(arrays, name):
    good = (arrays[0] | arrays[1])[name]
    with pytest.raises(TypeError, match=rf"^{name} must be .* {good.dtype}, found float16"):
        call(arrays, name, np.zeros_like(good, np.float16))
    with pytest.raises(TypeError, match=rf"^{name} must be .* found >"):
        call(arrays, name, good.astype(good.dtype.newbyteorder(">")))
    with pytest.raises(TypeError, match=rf"^{name} must be .* found .*list"):
        call(arrays, name, good.tolist())
    with pytest.raises(ValueError, match=rf"^{name} has shape \(0, .*, expected"):
        call(arrays, name, good[:0])
    with pytest.raises(ValueError, match=rf"^{name} has shape \(\d+,\), expected"):
        call(arrays, name, good.ravel())
    with pytest.raises(ValueError, match=rf"^{name} must be C-contiguous"):
        call(arrays, name, np.asfortranarray(good))
    if name not in ("map_x", "out_weight"):  # these define the shapes
        with pytest.raises(ValueError, match=rf"^{name} has shape .*, expected"):
            call(arrays, name, np.ascontiguousarray(good[..., :-1]))
    if name.startswith("out"):
        good.flags.writeable = False
        with pytest.raises(ValueError, match=rf"^{name} must be writable"):
            call(arrays, name, good)


def test_read_only_inputs_are_accepted(arrays):
    source, out = arrays
    expected = add(source, outputs((6, 7)))
    for array in source.values():
        array.flags.writeable = False
    add(source, out)
    np.testing.assert_array_equal(out["out_weight"], expected["out_weight"])


def test_flags_and_context_are_optional(arrays):
    source, out = arrays
    expected = add(source, outputs((6, 7)))
    add(source | {"dq": None}, out | {"out_context": None})
    np.testing.assert_array_equal(out["out_weight"], expected["out_weight"])
    assert not out["out_dq"].any()
    add(source, outputs((6, 7)) | {"out_dq": None})


def test_wrong_options_are_refused(arrays):
    for rows in [(-1, 6), (0, 7), (4, 3)]:
        with pytest.raises(IndexError, match="6 rows"):
            add(*arrays, rows=rows)
    for option in [{"pixfrac": 0.0}, {"pixfrac": np.nan}, {"kernel": 5}, {"edge": 5}]:
        with pytest.raises(ValueError, match="option"):
            add(*arrays, **option)
    with pytest.raises(ValueError, match="option"):
        add(*arrays, nan_rule=-1)
    with pytest.raises(OverflowError):
        add(*arrays, context_bit=2**32)
    assert not arrays[1]["out_weight"].any()
