"""Robust combination: outliers go, everything else stays."""

from __future__ import annotations

import dataclasses
import logging

import numpy as np
import pytest
import synthetic
from scipy.ndimage import binary_dilation

from webbweave.resample import ResampleOptions, resample_slit
from webbweave.resample.combine import design_grid
from webbweave.resample.rejection import median_efficiency

NODS = (0.0, 0.3, -0.3, 0.15)
NOISE = 2e-12  # MJy per pixel and component


def noisy(*, hits=0):
    """Exposures of the source with noise, and with cosmic rays left in."""
    rng, rays = np.random.default_rng(5), np.random.default_rng(6)
    exposures = []
    for index, nod in enumerate(NODS):
        made = synthetic.exposure(nod=nod, name=f"nod {index}", noise=NOISE)
        sigma = np.sqrt(sum(made.variances.values()))
        data = made.data + (sigma * rng.standard_normal(made.data.shape)).astype(np.float32)
        candidates = np.flatnonzero(made.good)
        places = rays.choice(candidates, hits, replace=False)
        data.flat[places] += np.float32(1e-9)
        exposures.append(dataclasses.replace(made, data=data))
    return exposures


@pytest.fixture(scope="module")
def clean():
    return noisy()


@pytest.fixture(scope="module")
def dirty():
    return noisy(hits=30)


def scatter(result, truth):
    """Differences in units of the error, where three exposures or more were there to compare."""
    few = np.bitwise_count(truth.context[0]) < 3
    seen = ~binary_dilation(few, np.ones((3, 3)))
    seen &= np.isfinite(result.error) & (result.weight > 0)
    return (result.data - truth.data)[seen] / truth.error[seen]


def test_cosmic_rays_are_rejected(clean, dirty):
    design = design_grid(clean)
    exact = resample_slit(clean, ResampleOptions(error_mode="pixel"), design=design)
    spoiled = resample_slit(dirty, design=design)
    clipped = resample_slit(dirty, ResampleOptions(combine="clip"), design=design)
    # Without its struck pixels a product differs by their noise, and on the trace by how their
    # exposure sampled the source, but not by the hits.
    left, before = abs(scatter(clipped, exact)), abs(scatter(spoiled, exact))
    assert np.percentile(left, 99.5) < 4
    assert left.max() < 0.1 * before.max()
    assert 100 <= clipped.n_rejected <= 120


def test_nothing_else_is_rejected(clean):
    clipped = resample_slit(clean, ResampleOptions(combine="clip"))
    assert clipped.n_rejected < 3
    exact = resample_slit(clean)
    if clipped.n_rejected == 0:
        np.testing.assert_array_equal(clipped.data, exact.data)
    assert np.nansum(clipped.data) == pytest.approx(np.nansum(exact.data), rel=1e-3)


def test_errors_grow_where_pixels_were_rejected(dirty):
    mean = resample_slit(dirty, ResampleOptions(error_mode="pixel"))
    clipped = resample_slit(dirty, ResampleOptions(combine="clip", error_mode="pixel"))
    seen = np.isfinite(mean.error) & np.isfinite(clipped.error)
    assert (clipped.weight[seen] <= mean.weight[seen] * 1.0001).all()
    lighter = seen & (clipped.weight < 0.8 * mean.weight)
    assert lighter.any()
    assert np.median(clipped.error[lighter] / mean.error[lighter]) > 1.03


def test_medians_ignore_cosmic_rays(clean, dirty):
    design = design_grid(clean)
    exact = resample_slit(clean, ResampleOptions(error_mode="pixel"), design=design)
    median = resample_slit(dirty, ResampleOptions(combine="median"), design=design)
    outliers = abs(scatter(median, exact)) > 6
    assert outliers.mean() < 0.02


def test_errors_of_medians_are_their_scatter():
    rng = np.random.default_rng(11)
    options = ResampleOptions(combine="median", error_mode="pixel")
    still = [synthetic.exposure(name=f"repeat {index}", noise=NOISE) for index in range(3)]
    sigma = np.sqrt(sum(still[0].variances.values()))
    ratios = []
    for _ in range(12):
        shaken = [
            dataclasses.replace(
                e, data=(sigma * rng.standard_normal(sigma.shape)).astype(np.float32)
            )
            for e in still
        ]
        result = resample_slit(shaken, options)
        ratios.append((result.data / result.error)[np.isfinite(result.error)])
    assert np.std(np.concatenate(ratios)) == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("n", [3, 4, 5, 8, 9, 10, 21, 22])
def test_efficiency_of_the_median(n):
    numbers = np.random.default_rng(n).standard_normal((200_000, n))
    found = (1 / n) / np.median(numbers, axis=1).var()
    assert median_efficiency(np.array([n]))[0] == pytest.approx(found, rel=0.015)


def test_two_exposures_cannot_outvote_each_other(dirty, caplog):
    with caplog.at_level(logging.WARNING):
        clipped = resample_slit(dirty[:2], ResampleOptions(combine="clip"))
    assert "needs 3 exposures" in caplog.text
    np.testing.assert_array_equal(clipped.data, resample_slit(dirty[:2]).data)


def test_no_matrix_of_a_median():
    with pytest.raises(ValueError, match="linear"):
        ResampleOptions(combine="median", save_matrix=True)
