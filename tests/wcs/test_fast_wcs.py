"""A compiled WCS gives the coordinates of the gwcs that it was made of."""

from __future__ import annotations

import copy
import itertools
import pickle

import asdf
import numpy as np
import pytest
from astropy import units as u
from astropy.modeling import CompoundModel, fix_inputs
from astropy.modeling import models as m
from gwcs import WCS
from gwcs import coordinate_frames as cf
from synthetic import SHAPE, slit_wcs

from webbweave.datamodels import read_model
from webbweave.wcs import fast_wcs

#: 1e-9 arcsec, in degrees.
SKY = 1e-9 / 3600


@pytest.fixture(scope="module")
def example_wcs(example_files):
    return [read_model(path).meta.wcs for path in example_files]


def grid(wcs, margin=0):
    (x0, x1), (y0, y1) = wcs.bounding_box.bounding_box(order="F")
    y, x = np.mgrid[
        np.ceil(y0) - margin : np.floor(y1) + 1 + margin,
        np.ceil(x0) - margin : np.floor(x1) + 1 + margin,
    ]
    return x, y


def assert_agree(found, expected, tolerance=1e-12):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        assert one.dtype == np.float64
        np.testing.assert_array_equal(np.isnan(one), np.isnan(other))
        scale = np.nanmax(np.abs(other), initial=0.0)
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * scale)


def assert_all_pairs_agree(wcs, x, y):
    fast = fast_wcs(wcs)
    frames = wcs.available_frames
    assert fast.available_frames == frames
    points = {frames[0]: (x, y)}
    for frame in frames[1:]:
        points[frame] = wcs.get_transform(frames[0], frame)(x, y)
    for start, stop in itertools.combinations(frames, 2):
        expected = wcs.get_transform(start, stop)(*points[start])
        assert_agree(fast.get_transform(start, stop)(*points[start]), expected)
    return fast


def test_every_pair_of_frames_of_the_examples(example_wcs):
    for wcs in example_wcs:
        x, y = grid(wcs)
        fast = assert_all_pairs_agree(wcs, x, y)
        ra, dec, wavelength = fast.get_transform("detector", "world")(x, y)
        expected = wcs.get_transform("detector", "world")(x, y)
        inside = np.isfinite(expected[0])
        assert 0.3 < inside.mean() < 1
        np.testing.assert_allclose(ra[inside], expected[0][inside], rtol=0, atol=SKY)
        np.testing.assert_allclose(dec[inside], expected[1][inside], rtol=0, atol=SKY)
        np.testing.assert_allclose(wavelength, expected[2], rtol=1e-13)


def test_nothing_is_called_that_is_not_known(example_wcs):
    wcs = example_wcs[0]
    fast = fast_wcs(wcs)
    # A program that can be stored without models does not call any.
    transform = fast.get_transform("detector", "world")
    restored = pickle.loads(pickle.dumps(transform))
    x, y = grid(wcs)
    assert_agree(restored(x, y), transform(x, y), 0)
    assert b"astropy" not in pickle.dumps(transform)


@pytest.mark.parametrize("mode", ["fs", "miri_lrs_slit", "miri_lrs_slitless", "nircam"])
def test_other_modes(shared_dir, mode):
    name = {"fs": "nrs_fs_g395m", "nircam": "nircam_module_b"}
    path = shared_dir / "data" / "wcs" / f"{name.get(mode, mode)}.asdf"
    with asdf.open(path, memmap=False, lazy_load=False) as file:
        exposure = file.tree["exposures"][0]
        wcs = exposure["slits"][-1]["wcs"] if "slits" in exposure else exposure["wcs"]
    x, y = grid(wcs)
    step = max(1, x.shape[0] // 12), max(1, x.shape[1] // 50)
    fast = assert_all_pairs_agree(wcs, x[:: step[0], :: step[1]], y[:: step[0], :: step[1]])
    assert b"astropy" not in pickle.dumps(fast.get_transform("detector", "world"))


def test_bounding_box(example_wcs):
    for wcs in (example_wcs[0], slit_wcs()):
        fast = fast_wcs(wcs)
        x, y = grid(wcs, margin=3)
        found, expected = fast(x, y), wcs(x, y)
        assert_agree(found, expected)
        assert np.isnan(found[0][:3]).all()
        assert np.isnan(found[2][:, -3:]).all()
        open_ended = fast(x, y, with_bounding_box=False)
        assert_agree(open_ended, wcs(x, y, with_bounding_box=False))
        assert np.isfinite(open_ended[2][:, -3:]).any()
        edge = (x.max() - 3 + 0.5, y.min() + 12.0)
        assert np.isfinite(fast(*edge)[2])
        assert np.isnan(fast(edge[0] + 1e-6, edge[1])[2])
        assert fast(edge[0] + 1e-6, edge[1], fill_value=-7.0)[2] == -7.0
        assert fast.bounding_box is wcs.bounding_box


def test_shapes(example_wcs):
    wcs = example_wcs[0]
    fast = fast_wcs(wcs)
    expected = wcs(100.0, 12.0)
    found = fast(100, 12)
    assert all(isinstance(value, float) for value in found)
    np.testing.assert_allclose(found, expected, rtol=1e-13)
    transform = fast.get_transform("detector", "slit_frame")
    line = transform(np.arange(30), 12)
    assert [plane.shape for plane in line] == [(30,)] * 3
    outer = transform(np.arange(30)[None], np.arange(5, 15)[:, None])
    assert [plane.shape for plane in outer] == [(10, 30)] * 3
    np.testing.assert_array_equal(outer[1][7], line[1])
    assert [plane.shape for plane in transform(np.empty((0, 4)), 1.0)] == [(0, 4)] * 3
    with pytest.raises(TypeError, match="expected 2 coordinates, found 3"):
        transform(1, 2, 3)


def test_results_do_not_depend_on_how_pixels_are_grouped(example_wcs):
    transform = fast_wcs(example_wcs[0]).get_transform("detector", "world")
    y, x = np.mgrid[0:24:0.25, 0:340:0.5]  # many more than are handled at a time
    whole = transform(x, y)
    for row in (0, 51, 95):
        assert_agree(transform(x[row], y[row]), [plane[row] for plane in whole], 1e-15)


def test_inputs_are_not_changed(example_wcs):
    wcs = example_wcs[1]
    before = copy.deepcopy(wcs)
    x, y = grid(wcs)
    x0, y0 = x.copy(), y.copy()
    x.flags.writeable = y.flags.writeable = False
    fast = fast_wcs(wcs)
    first = fast(x, y)
    first[0][:] = 0
    assert np.nanmin(fast(x, y)[0]) > 0
    np.testing.assert_array_equal(x, x0)
    np.testing.assert_array_equal(y, y0)
    assert fast.to_gwcs() is wcs
    assert fast_wcs(fast) is fast
    for one, other in zip(leaves(wcs), leaves(before), strict=True):
        assert type(one) is type(other)
        np.testing.assert_array_equal(one.parameters, other.parameters)
    assert wcs.bounding_box == before.bounding_box


def leaves(wcs):
    def walk(model):
        if isinstance(model, CompoundModel):
            yield from walk(model.left)
            if model.op != "fix_inputs":
                yield from walk(model.right)
        else:
            yield model

    return [leaf for step in wcs.pipeline[:-1] for leaf in walk(step.transform)]


def test_other_directions_are_those_of_the_gwcs(example_wcs):
    wcs = example_wcs[0]
    fast = fast_wcs(wcs)
    centre = wcs(150.0, 12.0)
    np.testing.assert_allclose(fast.invert(*centre), wcs.invert(*centre))
    backwards = fast.get_transform("world", "slit_frame")
    np.testing.assert_allclose(
        backwards(*centre), wcs.get_transform("world", "slit_frame")(*centre)
    )
    assert fast.get_transform("world", "world") is None
    assert fast.get_transform(wcs.input_frame, wcs.output_frame)(150.0, 12.0) == fast(150, 12)
    with pytest.raises(ValueError, match=r"expected one of the frames detector, sca.*'grisma'"):
        fast.get_transform("detector", "grisma")


def test_frames_and_shape():
    wcs = slit_wcs()
    wcs.array_shape = SHAPE
    fast = fast_wcs(wcs)
    assert fast.array_shape == SHAPE
    assert fast.pixel_shape == SHAPE[::-1]
    assert fast.output_frame.name == "world"
    assert [str(unit) for unit in fast.output_frame.unit] == ["deg", "deg", "micron"]
    assert repr(fast) == "<FastWcs of detector -> slit_frame -> world>"


def one_step(model):
    inputs = cf.CoordinateFrame(
        model.n_inputs, ("SPATIAL",) * model.n_inputs, tuple(range(model.n_inputs)), name="in"
    )
    outputs = cf.CoordinateFrame(
        model.n_outputs, ("SPATIAL",) * model.n_outputs, tuple(range(model.n_outputs)), name="out"
    )
    return fast_wcs(WCS([(inputs, model), (outputs, None)])).get_transform("in", "out")


VALUES = np.array([-3.0, -1.0, -0.5, 0.0, 0.3, 1.0, 2.5, np.nan, 7.0])
UNKNOWN = m.Gaussian1D(2.0, 0.5, 1.0)
TABLE = ([-1.0, 0.0, 1.0, 4.0], [5.0, 6.0, 4.0, 9.0])


@pytest.mark.parametrize(
    "model",
    [
        UNKNOWN,
        m.Shift(1.5) | UNKNOWN | m.Scale(3.0),
        UNKNOWN * m.Const1D(2.0) + m.Identity(1),
        m.Scale(2.0) - m.Const1D(1.0) / m.Shift(0.25),
        m.Shift(5.0) ** m.Const1D(2.0),
        m.Const1D(4.0),
        m.Const1D(4.0) | UNKNOWN,
        m.Polynomial1D(0, c0=3.0),
        m.Polynomial1D(3, c0=1, c1=2, c2=-1, c3=0.5, domain=(-4, 8), window=(-1, 3)),
        m.Tabular1D(*TABLE, bounds_error=False, fill_value=np.nan),
        m.Tabular1D(TABLE[0][::-1], TABLE[1], bounds_error=False, fill_value=-1.0),
        m.Tabular1D(*TABLE, bounds_error=False, fill_value=None),
        m.Tabular1D(*TABLE, bounds_error=False, method="nearest"),
        fix_inputs(m.Polynomial2D(2, c0_0=1, c1_0=2, c0_1=3, c1_1=4, c2_0=5), {"y": 0.5}),
        fix_inputs(m.Polynomial2D(2, c0_0=1, c1_0=2, c0_1=3, c1_1=4, c2_0=5), {0: 0.5}),
        fix_inputs(m.Gaussian2D(1, 2, 3, 4, 5), {"x": 0.5}),
    ],
)
def test_models_of_one_coordinate(model):
    transform = one_step(model)
    np.testing.assert_allclose(transform(VALUES), model(VALUES), rtol=1e-13)
    table = VALUES[:, None] + np.linspace(0, 1, 3)
    np.testing.assert_allclose(transform(table), model(table), rtol=1e-13)
    assert transform(0.25) == pytest.approx(model(0.25), rel=1e-13)


@pytest.mark.parametrize(
    "model",
    [
        m.Rotation2D(33.0),
        m.AffineTransformation2D([[1, 2], [3, 4.5]], [0.1, -3]),
        m.Polynomial2D(1, c0_0=1, c1_0=2, c0_1=3, x_domain=(0, 5), y_domain=(-2, 5)),
        m.Polynomial2D(0, c0_0=2.0),
        m.Polynomial2D(4, **{f"c{i}_{j}": i - 0.3 * j for i in range(5) for j in range(5 - i)}),
        m.Mapping((1, 1, 0)) | m.Identity(1) & m.Gaussian2D(1, 2, 3, 4, 5),
        m.Mapping((1,), n_inputs=2) | m.Shift(1.0),
        m.Pix2Sky_TAN() | m.RotateNative2Celestial(10.0, 20.0, 180.0),
    ],
)
def test_models_of_two_coordinates(model):
    x, y = np.meshgrid(VALUES, VALUES[::-1] * 0.7)
    found, expected = one_step(model)(x, y), model(x, y)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
    assert np.shape(one_step(model)(1.0, 2.0)) == np.shape(model(1.0, 2.0))


def test_models_with_units_are_left_to_gwcs():
    frames = [
        cf.CoordinateFrame(1, ("SPATIAL",), (0,), name=name, unit=(unit,))
        for name, unit in (("in", u.pix), ("out", u.pix))
    ]
    wcs = WCS([(frames[0], m.Shift(2 * u.pix)), (frames[1], None)])
    transform = fast_wcs(wcs).get_transform("in", "out")
    with pytest.raises(u.UnitsError):
        transform(3.0)
    plain = WCS([(frames[0], m.Shift(2)), (frames[1], None)])
    assert fast_wcs(plain)(3.0 * u.pix) == 5.0 * u.pix
