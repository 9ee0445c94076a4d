"""The bindings of the matching kernel: against k-d trees, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import KDTree

from webbweave._kernels import xymatch as kernel


def axes(points):
    return np.ascontiguousarray(points[:, 0]), np.ascontiguousarray(points[:, 1])


def match(ref, img, tolerance, rule, ref_keep=None, img_keep=None):
    return kernel.match(*axes(ref), ref_keep, *axes(img), img_keep, tolerance=tolerance, rule=rule)


@pytest.fixture
def points():
    rng = np.random.default_rng(5)
    return rng.uniform(0, 20, (300, 2)), rng.uniform(0, 20, (400, 2))


@pytest.mark.parametrize("tolerance", [0.05, 0.7, 30.0])
def test_nearest_and_mutual_as_by_trees(points, tolerance):
    ref, img = points
    distance, nearest = KDTree(img).query(ref)
    expected = np.where(distance <= tolerance, nearest, -1)
    found = match(ref, img, tolerance, kernel.MATCH_NEAREST)
    np.testing.assert_array_equal(found, expected)
    _, back = KDTree(ref).query(img)
    mutual = np.where(back[nearest] == np.arange(len(ref)), expected, -1)
    np.testing.assert_array_equal(match(ref, img, tolerance, kernel.MATCH_MUTUAL), mutual)


def test_mutual_is_symmetric(points):
    ref, img = points
    there = match(ref, img, 0.7, kernel.MATCH_MUTUAL)
    back = match(img, ref, 0.7, kernel.MATCH_MUTUAL)
    paired = np.flatnonzero(there >= 0)
    np.testing.assert_array_equal(back[there[paired]], paired)
    assert (back >= 0).sum() == paired.size > 50


def test_masked_points_match_nothing(points):
    ref, img = points
    keep = np.zeros(len(img), np.uint8)
    keep[::2] = 1
    found = match(ref, img, 0.7, kernel.MATCH_MUTUAL, img_keep=keep)
    part = match(ref, img[::2], 0.7, kernel.MATCH_MUTUAL)
    np.testing.assert_array_equal(found, np.where(part >= 0, 2 * part, -1))


@pytest.mark.parametrize("separation", [0.0, 0.3, 2.0])
def test_isolated_as_by_trees(points, separation):
    ref, _ = points
    ref = np.vstack([ref, ref[:5]])
    near = KDTree(ref).query_ball_point(ref, separation, return_length=True)
    keep = kernel.isolated(*axes(ref), separation=separation, rule=kernel.COINCIDENT_NONE)
    np.testing.assert_array_equal(keep, near == 1)


def test_of_a_clump_the_lowest_is_kept():
    points = np.array([[0.0, 2], [0, 1], [0, 0], [9, 9]])
    keep = kernel.isolated(*axes(points), separation=1.0, rule=kernel.COINCIDENT_LOWEST)
    assert keep.tolist() == [1, 0, 1, 1]


def test_nothing_to_do():
    none = np.empty((0, 2))
    some = np.zeros((1, 2))
    assert match(none, some, 1.0, kernel.MATCH_MUTUAL).tolist() == []
    assert match(some, none, 1.0, kernel.MATCH_NEAREST).tolist() == [-1]
    assert kernel.isolated(*axes(none), separation=1.0, rule=0).tolist() == []


def test_refuses():
    one = np.zeros((1, 2))
    with pytest.raises(ValueError, match="option"):
        match(one, one, 0.0, kernel.MATCH_MUTUAL)
    with pytest.raises(ValueError, match="option"):
        match(one, one, 1.0, 7)
    with pytest.raises(ValueError, match="option"):
        kernel.isolated(*axes(one), separation=-1.0, rule=0)
    with pytest.raises(ValueError, match=r"ref_keep .* shape"):
        match(one, one, 1.0, 0, ref_keep=np.zeros(2, np.uint8))
    with pytest.raises(TypeError, match=r"img_keep .* uint8"):
        match(one, one, 1.0, 0, img_keep=np.zeros(1, bool))
    with pytest.raises(TypeError, match=r"ref_x .* float64"):
        kernel.match(np.zeros(1, int), np.zeros(1), None, *axes(one), None, tolerance=1.0, rule=0)
    with pytest.raises(ValueError, match=r"img_y .* shape"):
        kernel.match(*axes(one), None, np.zeros(1), np.zeros(2), None, tolerance=1.0, rule=0)
