"""Overlaps on the sky are those of plane geometry, wherever on the sky, and give the order."""

from __future__ import annotations

import numpy as np
import pytest

from webbweave.tweakreg.overlap import (
    SkyPolygon,
    alignment_order,
    connected_groups,
    enclosing_circle,
    next_group,
    overlap_areas,
    overlap_matrix,
    source_hull,
    starting_pair,
)
from webbweave.wcs.tangent import TangentPlane

# Middles of fields: RA = 0, the poles and their neighbourhood, and a quiet place.
PLACES = [(0.0, 0.0), (359.999, 30.0), (123.4, -45.0), (77.0, 90.0), (10.0, -90.0), (200.0, 89.99)]


def square(place, x, y, size=100.0, angle=0.0):
    """A square around a point of the tangent plane [arcsec] at a place."""
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * size / 2
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    corners = corners @ np.array([[cos, sin], [-sin, cos]]) + (x, y)
    return SkyPolygon(*TangentPlane(*place).deproject(*(corners.T / 3600)))


@pytest.mark.parametrize("place", PLACES)
def test_areas_are_those_of_the_plane(place):
    first = [square(place, 0, 0)]
    others = [
        [square(place, 0, 0)],
        [square(place, 60, 0)],
        [square(place, 60, -70)],
        [square(place, 0, 0, angle=45.0)],
        [square(place, 0, 0, size=10.0)],
        [square(place, 101, 0)],
        [square(place, 60, 0), square(place, 0, 60), square(place, 500, 0)],
        [],
    ]
    octagon = 100**2 * 2 * (np.sqrt(2) - 1)
    expected = [1e4, 4000.0, 1200.0, octagon, 100.0, 0.0, 8000.0, 0.0]
    np.testing.assert_allclose(overlap_areas(first, others), expected, rtol=1e-5, atol=1e-6)


def test_areas_do_not_depend_on_the_plane():
    """Seen from a group that is 10 degree long, an overlap is as large as it is on the sky."""
    place = (40.0, 10.0)
    wide = [square(place, 0, 0), square(place, 36000.0, 0)]
    expected = overlap_areas([square(place, 0, 0)], [[square(place, 60, 0)]])
    np.testing.assert_allclose(overlap_areas(wide, [[square(place, 60, 0)]]), expected, rtol=1e-6)


def test_groups_on_the_other_side_of_the_sky_do_not_overlap():
    here, there = [square((10.0, 20.0), 0, 0)], [square((190.0, -20.0), 0, 0)]
    beside = [square((100.0, 0.0), 0, 0)]
    assert not overlap_matrix([here, there, beside]).any()


def test_the_matrix_is_symmetric_and_sums_over_images():
    place = (0.0, 60.0)
    groups = [[square(place, 70 * i, 0), square(place, 70 * i, 200)] for i in range(4)]
    matrix = overlap_matrix(groups)
    expected = np.diag([6000.0] * 3, 1) + np.diag([6000.0] * 3, -1)
    np.testing.assert_allclose(matrix, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(matrix, matrix.T)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (0, 2, 1, 3)])
def test_corners_in_any_order_are_survived(order):
    corners = square((5.0, 5.0), 0, 0)
    twisted = SkyPolygon(corners.ra[list(order)], corners.dec[list(order)])
    area = overlap_areas([corners], [[twisted]])[0]
    assert area == pytest.approx(5000.0 if order == (0, 2, 1, 3) else 1e4, rel=1e-5)


def test_polygons_with_nan_overlap_with_nothing():
    whole = square((5.0, 5.0), 0, 0)
    broken = SkyPolygon(whole.ra.copy(), whole.dec.copy())
    broken.ra[1] = np.nan
    assert list(overlap_areas([whole], [[broken], [whole, broken]])) == [0.0, pytest.approx(1e4)]
    assert list(overlap_areas([broken], [[whole]])) == [0.0]
    assert list(overlap_areas([], [[whole]])) == [0.0]


@pytest.mark.parametrize("place", PLACES)
def test_the_hull_of_sources(place):
    rng = np.random.default_rng(2)
    inner = square(place, 0, 0)
    x, y = rng.uniform(-49, 49, (2, 50)) / 3600
    ra, dec = TangentPlane(*place).deproject(x, y)
    ra, dec = np.append(ra, [*inner.ra, np.nan]), np.append(dec, [*inner.dec, 0.0])
    hull = source_hull(ra, dec)
    assert len(hull.ra) == 4
    assert overlap_areas([hull], [[inner]])[0] == pytest.approx(1e4, rel=1e-5)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_few_sources_have_no_hull(n):
    assert source_hull(np.arange(n, dtype=float), np.zeros(n)) is None


def test_sources_on_a_line_have_no_hull():
    assert source_hull(np.linspace(0, 0.1, 9), np.zeros(9)) is None
    assert source_hull(np.full(9, 3.0), np.full(9, 3.0)) is None
    assert source_hull(np.full(9, np.nan), np.zeros(9)) is None


@pytest.mark.parametrize("place", PLACES)
def test_the_circle_around_all(place):
    polygons = [square(place, -300, 0), square(place, 300, 0)]
    ra, dec, radius = enclosing_circle(polygons)
    x, y = TangentPlane(*place).project(ra, dec)
    np.testing.assert_allclose([x * 3600, y * 3600], 0.0, atol=0.01)
    assert radius * 3600 == pytest.approx(np.hypot(350, 50), rel=1e-5)


def chain(*positions, place=(0.0, 70.0)):
    return [[square(place, x, 0)] for x in positions]


def test_the_pair_with_the_largest_overlap_begins():
    # 2 and 3 overlap most; 2 also overlaps with 1.
    groups = chain(-300, -70, 0, 20, 250)
    matrix = overlap_matrix(groups)
    assert starting_pair(matrix) == (2, 3)
    assert starting_pair(overlap_matrix(chain(70, 20, 0))) == (1, 2)
    assert starting_pair(overlap_matrix(chain(-90, 0, 10, 30, 80))) == (2, 1)


def test_two_groups_keep_their_order_and_one_is_no_pair():
    assert starting_pair(overlap_matrix(chain(0, 10))) == (0, 1)
    assert starting_pair(np.zeros((3, 3))) == (0, 1)
    with pytest.raises(ValueError, match="at least 2 groups, found 1"):
        starting_pair(np.zeros((1, 1)))


def test_next_is_the_group_that_overlaps_most_with_the_reference():
    groups = chain(0, 80, 40, -60, 500)
    reference = [groups[0][0]]
    assert next_group(reference, groups, [1, 3, 2, 4]) == (2, pytest.approx(6000.0, rel=1e-5))
    assert next_group(reference, groups, [1, 3]) == (3, pytest.approx(4000.0, rel=1e-5))
    assert next_group(reference, groups, [4]) == (4, 0.0)


def test_the_order_follows_the_growing_overlap():
    groups = chain(160, 0, 90, 10, 250, 1000)
    order, areas = alignment_order(groups, expand_refcat=True)
    assert order == (3, 1, 2, 0, 4, 5)
    np.testing.assert_allclose(areas[1:], [9000, 3000, 3000, 1000, 0], rtol=1e-4)
    assert np.isnan(areas[0])


@pytest.mark.parametrize(
    "options", [{}, {"enforce_user_order": True}, {"enforce_user_order": True, "expand_refcat": 1}]
)
def test_the_order_of_the_user(options):
    order, areas = alignment_order(chain(160, 0, 90, 10), **options)
    assert order == (0, 1, 2, 3)
    assert np.isnan(areas).all()


def test_groups_that_hang_together():
    groups = chain(0, 1000, 90, 1090, 180, 5000)
    labels = connected_groups(overlap_matrix(groups))
    assert labels[0] == labels[2] == labels[4]
    assert labels[1] == labels[3]
    assert len(set(labels)) == 3
    assert len(set(connected_groups(overlap_matrix(groups), least=1e4))) == 6
