"""Detections of one star become one star: unbiased, as precise as all of them together."""

from __future__ import annotations

import numpy as np
import pytest

from webbweave.tweakreg import XYXYMatch, iter_linear_fit
from webbweave.tweakreg.merge import (
    StarList,
    merge_detections,
    mutual_neighbours,
)
from webbweave.wcs.tangent import TangentPlane

PLACES = [(0.0, 0.0), (123.4, -45.0), (77.0, 90.0), (200.0, -89.999)]


def on_sky(place, x, y):
    """Positions [arcsec] on the tangent plane of a place."""
    return TangentPlane(*place).deproject(np.asarray(x) / 3600, np.asarray(y) / 3600)


def on_plane(place, ra, dec):
    x, y = TangentPlane(*place).project(ra, dec)
    return x * 3600, y * 3600


def exposures(place, n_image, n_star=400, noise=0.001, seed=0, seen=1.0, size=120.0):
    """Detections of a field of stars in some images."""
    rng = np.random.default_rng(seed)
    truth = rng.uniform(-size / 2, size / 2, (2, n_star))
    parts = []
    for image in range(n_image):
        star = np.flatnonzero(rng.random(n_star) < seen)
        x, y = truth[:, star] + rng.normal(0, noise, (2, len(star)))
        parts.append((x, y, np.full(len(star), image), star))
    x, y, image, star = (np.concatenate(part) for part in zip(*parts, strict=True))
    shuffle = rng.permutation(len(x))
    ra, dec = on_sky(place, x[shuffle], y[shuffle])
    return ra, dec, image[shuffle], star[shuffle], truth


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("n_image", [4, 16])
def test_means_have_no_bias_and_the_noise_of_all_detections(place, n_image):
    """The lowest of N detections lies 1.6 mas (N = 4) or 2.7 mas (N = 16) too low."""
    noise = 0.00154
    ra, dec, image, star, truth = exposures(place, n_image, n_star=1000, noise=noise)
    stars, label = merge_detections(ra, dec, image, radius=0.02)
    alone = np.bincount(np.unique(np.column_stack([label, star]), axis=0)[:, 0]) == 1
    assert alone.mean() > 0.99
    whole = alone & (stars.n_detections == n_image)
    assert whole.mean() > 0.99
    own = np.zeros(len(stars), dtype=int)
    own[label] = star
    error = np.array(on_plane(place, stars.ra, stars.dec))[:, whole] - truth[:, own[whole]]
    expected = noise / np.sqrt(n_image)
    assert np.all(np.abs(error.mean(axis=1)) < 4 * expected / np.sqrt(whole.sum()))
    assert np.std(error) == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("n_image", [4, 16])
def test_fits_to_merged_detections_have_no_bias(n_image):
    """A fit to all detections takes the lowest of each star: the expected extreme of N errors."""
    place, noise, n_seed = (30.0, 40.0), 0.00154, 12
    own, peer = [], []
    for seed in range(n_seed):
        ra, dec, image, _, truth = exposures(place, n_image, n_star=250, noise=noise, seed=seed)
        truth = truth.T
        all_of_them = np.stack(on_plane(place, ra, dec), axis=1)
        stars, _ = merge_detections(ra, dec, image, radius=0.03)
        merged = np.stack(on_plane(place, stars.ra, stars.dec), axis=1)
        for points, shifts, compat in ((merged, own, False), (all_of_them, peer, True)):
            match = XYXYMatch(searchrad=2.0, separation=0.1, tolerance=0.07, compat=compat)
            found = match.match(truth, points, 0.031)
            pair = truth[found.ref_index], points[found.img_index]
            shifts.append(iter_linear_fit(*pair, fitgeom="rshift")["shift"])
    size = noise / np.sqrt(n_image * 240)
    assert np.all(np.abs(np.mean(own, axis=0)) < 4 * size / np.sqrt(n_seed))
    assert np.std(own) < 1.5 * size
    assert np.mean(peer, axis=0)[1] > {4: 0.9, 16: 1.6}[n_image] * noise


def test_a_star_has_one_detection_in_each_image_however_crowded():
    ra, dec, image, _, _ = exposures((10.0, 20.0), 6, n_star=2000, noise=0.02, seen=0.7, size=20.0)
    stars, label = merge_detections(ra, dec, image, radius=0.1)
    pairs = np.column_stack([label, image])
    assert len(np.unique(pairs, axis=0)) == len(pairs)
    np.testing.assert_array_equal(np.bincount(label), stars.n_detections)
    assert stars.n_detections.sum() == len(ra)


def test_stars_that_images_miss_are_kept_apart():
    ra, dec, image, star, _ = exposures((350.0, 60.0), 5, n_star=200, seen=0.5)
    stars, label = merge_detections(ra, dec, image, radius=0.01)
    assert len(stars) == len(np.unique(star))
    assert len(np.unique(np.column_stack([label, star]), axis=0)) == len(stars)


def test_weights_count():
    ra, dec = on_sky((0.0, 80.0), [0.0, 0.003, 9.0], [0.0, 0.0, 0.0])
    weight = np.array([1.0, 2.0, 5.0])
    stars, label = merge_detections(ra, dec, np.array([0, 1, 1]), radius=0.01, weight=weight)
    x, _ = on_plane((0.0, 80.0), stars.ra, stars.dec)
    np.testing.assert_allclose(x, [0.002, 9.0], atol=1e-9)
    np.testing.assert_array_equal(stars.weight, [3.0, 5.0])
    np.testing.assert_array_equal(label, [0, 0, 1])


def test_stars_that_are_added_to_move_and_the_others_stay_bit_for_bit():
    ra, dec = on_sky((359.9999, -30.0), [0.0, 5.0], [0.0, 5.0])
    stars = StarList(ra, dec, np.ones(2), np.ones(2, dtype=int))
    new_ra, new_dec = on_sky((359.9999, -30.0), [5.004, 20.0], [5.0, 20.0])
    grown, label = stars.add(new_ra, new_dec, np.array([1, -1]), 1.0)
    np.testing.assert_array_equal(label, [1, 2])
    assert grown.ra[0] == ra[0]
    assert grown.dec[0] == dec[0]
    x, y = on_plane((359.9999, -30.0), grown.ra, grown.dec)
    np.testing.assert_allclose(x, [0.0, 5.002, 20.0], atol=1e-9)
    np.testing.assert_allclose(y, [0.0, 5.0, 20.0], atol=1e-9)
    np.testing.assert_array_equal(grown.n_detections, [1, 2, 1])
    assert len(stars) == 2


def test_nothing_is_merged_of_nothing():
    none = np.zeros(0)
    stars, label = merge_detections(none, none, np.zeros(0, dtype=int), radius=1.0)
    assert len(stars) == len(label) == 0
    first, second = mutual_neighbours(none, none, np.ones(3), np.ones(3), 1.0)
    assert len(first) == len(second) == 0


@pytest.mark.parametrize("place", PLACES)
def test_neighbours_are_mutual_and_within_the_radius(place):
    ra, dec = on_sky(place, [0.0, 1.0, 9.0, 30.0], [0.0, 0.0, 0.0, 0.0])
    other_ra, other_dec = on_sky(place, [9.4, 0.4, 30.6, 0.55], [0.0, 0.0, 0.0, 0.0])
    first, second = mutual_neighbours(ra, dec, other_ra, other_dec, 0.5)
    assert list(zip(first, second, strict=True)) == [(0, 1), (1, 3), (2, 0)]
    first, second = mutual_neighbours(ra, dec, other_ra, other_dec, 0.3)
    assert len(first) == 0
