"""Which pixels jwst looks at; tests/peers has the comparison with the drizzle package."""

from __future__ import annotations

import numpy as np
import pytest

from webbweave.resample.scan import scanned_pixels


def turned(angle, shape=(40, 36), centre=(18.2, 20.3), target=(9.5, 11.5)):
    """A map turned about a point of the input, which falls on a point of the grid."""
    y, x = np.indices(shape, dtype=float)
    x, y = x - centre[0], y - centre[1]
    map_x = np.cos(angle) * x - np.sin(angle) * y + target[0]
    return map_x, np.sin(angle) * x + np.cos(angle) * y + target[1]


def distance_inside(pixel_map, shape):
    """How far the centre of a pixel is from the nearest border of the grid."""
    map_x, map_y = pixel_map
    return np.min(
        [map_x + 0.5, shape[1] - 0.5 - map_x, map_y + 0.5, shape[0] - 0.5 - map_y], axis=0
    )


@pytest.mark.parametrize("angle", [0.02, -0.1, 0.6, 2.0, 3.3])
def test_half_a_row_must_be_inside(angle):
    shape = (24, 20)
    pixel_map = turned(angle)
    inside = distance_inside(pixel_map, shape)
    scanned = scanned_pixels(pixel_map, shape)
    # A row of pixels is cut where its upper or its lower edge leaves the grid: half a pixel from
    # its middle. Vertices are known to 0.03 of a pixel.
    assert scanned[inside > 0.55].all()
    assert not scanned[inside < -0.05].any()
    assert not scanned[inside > 0].all()


def test_level_borders_are_those_of_the_centres():
    pixel_map = turned(0.0)
    inside = distance_inside(pixel_map, (24, 20))
    scanned = scanned_pixels(pixel_map, (24, 20))
    assert scanned[inside > 0].all()
    # The uppermost row counts when any of it is inside, as far as it is known.
    below = distance_inside((pixel_map[0], pixel_map[1] + 0.4), (24, 20))
    assert not scanned[(inside < -0.05) & (below < -0.05)].any()


def test_grid_that_holds_all():
    pixel_map = turned(0.3, target=(40, 40))
    assert scanned_pixels(pixel_map, (90, 90)).all()


def test_grid_elsewhere():
    pixel_map = turned(0.3, target=(400, 40))
    assert not scanned_pixels(pixel_map, (90, 90)).any()


@pytest.mark.parametrize(
    "hole",
    [np.s_[0, 0], np.s_[-1, -1], np.s_[:, :3], np.s_[-2:], np.s_[:], np.s_[:, 1:], np.s_[1:]],
)
def test_all_pixels_without_a_corner(hole):
    map_x, map_y = turned(0.1)
    map_x[hole] = map_y[hole] = np.nan
    assert scanned_pixels((map_x, map_y), (24, 20)).all()


def test_hole_in_the_middle_changes_nothing():
    pixel_map = turned(0.1)
    expected = scanned_pixels(pixel_map, (24, 20))
    assert not expected.all()
    pixel_map[0][20, 18] = np.nan
    np.testing.assert_array_equal(scanned_pixels(pixel_map, (24, 20)), expected)


@pytest.mark.parametrize("shape", [(1, 5), (5, 1), (1, 1)])
def test_nothing_to_interpolate(shape):
    map_y, map_x = np.indices(shape, dtype=float)
    assert scanned_pixels((map_x, map_y), (3, 3)).all()
