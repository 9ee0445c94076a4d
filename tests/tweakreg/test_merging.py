"""Merged detections: nothing lost, no bias, errors that fall with the number of images."""

from __future__ import annotations

import numpy as np
import pytest

from webbweave.tweakreg import XYXYMatch, iter_linear_fit
from webbweave.tweakreg.merging import drop_confused, merge_detections

NOISE = 0.00154  # 0.05 pixels of 31 mas


def detections(n_image, n_star=300, seed=0):
    rng = np.random.default_rng(seed)
    stars = rng.uniform(-30, 30, (n_star, 2))
    keep = drop_confused(stars, 0.3)
    stars = stars[keep]
    xy = np.concatenate([stars + rng.normal(0, NOISE, stars.shape) for _ in range(n_image)])
    image = np.repeat(np.arange(n_image), len(stars))
    order = rng.permutation(len(xy))
    return stars, xy[order], image[order], np.tile(np.arange(len(stars)), n_image)[order]


@pytest.mark.parametrize("n_image", [1, 4, 16])
def test_each_star_once(n_image):
    stars, xy, image, star = detections(n_image)
    merged = merge_detections(xy, image, 0.1)
    assert len(merged.xy) == len(stars)
    assert (merged.count == n_image).all()
    np.testing.assert_array_equal(merged.weight, n_image)
    for source in range(len(stars)):
        members = merged.source == source
        assert np.unique(star[members]).size == 1
        np.testing.assert_allclose(merged.xy[source], xy[members].mean(axis=0), atol=1e-12)
    error = np.sqrt(np.mean((merged.xy - stars[star[np.unique(merged.source, True)[1]]]) ** 2))
    assert error == pytest.approx(NOISE / np.sqrt(n_image), rel=0.1)


@pytest.mark.parametrize("n_image", [4, 16])
def test_fit_to_merged_detections_has_no_bias(n_image):
    """Fits to a catalogue of all detections are biased by the lowest of each star."""
    own, peer = [], []
    for seed in range(12):
        stars, xy, image, _ = detections(n_image, seed=seed)
        merged = merge_detections(xy, image, 0.1)
        for points, errors, compat in ((merged.xy, own, False), (xy, peer, True)):
            match = XYXYMatch(searchrad=2.0, separation=0.1, tolerance=0.07, compat=compat)
            found = match.match(stars, points, 0.031)
            pair = stars[found.ref_index], points[found.img_index]
            errors.append(iter_linear_fit(*pair, fitgeom="rshift")["shift"])
    size = NOISE / np.sqrt(n_image * 290)
    assert (np.abs(np.mean(own, axis=0)) < 3.5 * size / np.sqrt(12)).all()
    assert np.std(own) < 1.5 * size
    # The expected extreme of so many normal errors.
    assert np.mean(peer, axis=0)[1] > {4: 0.9, 16: 1.6}[n_image] * NOISE


def test_weights():
    merged = merge_detections([[0.0, 0], [0.04, 0]], [0, 1], 0.1, weight=[3, 1])
    np.testing.assert_allclose(merged.xy, [[0.01, 0]])
    assert merged.weight.tolist() == [4]
    assert merged.count.tolist() == [2]


def test_doubles_of_one_image():
    xy = np.array([[0.0, 0], [0.05, 0], [5, 5], [9, 9], [9.05, 9], [np.nan, 1]])
    assert drop_confused(xy, 0.1).tolist() == [False, False, True, False, False, False]
    flux = np.array([10.0, 3, 1, 5, 4, 1])
    assert drop_confused(xy, 0.1, flux).tolist() == [True, False, True, False, False, False]
    assert drop_confused(xy, 0.0).sum() == 5
    merged = merge_detections(xy, np.zeros(6, int), 0.1, flux=flux)
    assert merged.source.tolist() == [0, -1, 1, -1, -1, -1]
    # The same positions in different images are one source.
    assert len(merge_detections(xy[:2], [0, 1], 0.1).xy) == 1


def test_nothing():
    merged = merge_detections(np.empty((0, 2)), [], 0.1)
    assert merged.xy.shape == (0, 2)
    assert merged.source.size == 0


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"image": [0]}, "image has shape"),
        ({"weight": [1.0, 0.0]}, "weight: expected numbers above 0"),
        ({"flux": [1.0]}, "flux has shape"),
        ({"separation": 0.0}, "separation: expected a number above 0"),
    ],
)
def test_refuses(options, match):
    arguments = {"xy": np.zeros((2, 2)), "image": [0, 1], "separation": 0.1} | options
    with pytest.raises(ValueError, match=match):
        merge_detections(**arguments)
