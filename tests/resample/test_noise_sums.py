"""Sums of variances against the exact variance of the sum, on scenes of several modes."""

from __future__ import annotations

import numpy as np
import pytest
import synthetic
import synthetic_lrs
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import binary_erosion

from webbweave.resample import ResampleOptions, resample_slit

SCENES = {
    "nirspec": lambda: [synthetic.exposure(nod=nod) for nod in (0.0, 0.3, -0.3)],
    "nirspec, one": lambda: [synthetic.exposure()],
    "lrs": lambda: [synthetic_lrs.exposure(nod=nod) for nod in (0.5, -0.45)],
    "lrs, one": lambda: [synthetic_lrs.exposure()],
}


def true_over_stated(exposures, result, shape):
    """The error of sums over all boxes of a shape, exactly: a^T M V M^T a for a box a."""
    inside = binary_erosion((result.weight > 0) & np.isfinite(result.error), np.ones((3, 3)))
    corners = np.argwhere(sliding_window_view(inside, shape).all(axis=(2, 3)))
    stated = result.error.astype(float) ** 2
    ratios = []
    for y, x in corners[:: max(1, len(corners) // 100)]:
        box = np.zeros(result.grid.shape)
        box[y : y + shape[0], x : x + shape[1]] = 1.0
        true = 0.0
        for exposure, matrix in zip(exposures, result.matrix, strict=True):
            variance = np.where(exposure.good, sum(exposure.variances.values()), 0.0).ravel()
            true += ((matrix.T @ box.ravel()) ** 2 * variance).sum()
        ratios.append(np.sqrt(true / stated[box > 0].sum()))
    return np.array(ratios)


@pytest.mark.parametrize("scene", SCENES)
def test_variances_add_up_in_other_modes(scene):
    exposures = SCENES[scene]()
    result = resample_slit(exposures, ResampleOptions(save_matrix=True))
    for shape in ((5, 5), (9, 9), (5, 9) if "lrs" in scene else (9, 5)):
        ratio = true_over_stated(exposures, result, shape)
        assert ratio.size > 50
        assert np.median(ratio) == pytest.approx(1.0, abs=0.03), shape
        assert np.quantile(abs(ratio - 1.0), 0.9) < 0.06, shape


def test_the_real_exposures(real_exposures):
    result = resample_slit(real_exposures, ResampleOptions(save_matrix=True))
    for shape in ((5, 5), (9, 9), (9, 5)):
        ratio = true_over_stated(real_exposures, result, shape)
        assert np.median(ratio) == pytest.approx(1.0, abs=0.03), shape


def test_the_point_kernel_correlates_nothing():
    exposures = SCENES["nirspec"]()
    result = resample_slit(exposures, ResampleOptions(save_matrix=True, kernel="point"))
    np.testing.assert_allclose(true_over_stated(exposures, result, (5, 5)), 1.0, rtol=1e-6)
