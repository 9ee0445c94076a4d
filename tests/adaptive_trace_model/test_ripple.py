"""Tests of the ripple: what a fixed aperture sees of a tilted trace."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import ndtr

from webbweave.adaptive_trace_model.ripple import aperture_share, measure_ripple

N_COLUMN = 400
SIGMA = 0.6  # pixels: undersampled


def tilted_trace(per_pixel=1, n_row=24, tilt=0.03):
    """Flux per fine row of a Gaussian trace, and alpha, zero on the trace."""
    edges = np.arange(n_row * per_pixel + 1) / per_pixel - 0.5
    column = np.arange(N_COLUMN)
    centre = n_row / 2 - 3 + tilt * column
    light = np.diff(ndtr((edges[:, None] - centre) / SIGMA), axis=0)
    alpha = (edges[1:, None] + edges[:-1, None]) / 2 - centre
    spectrum = 1 + 0.5 * np.sin(column / 7.0)
    return light * spectrum, alpha


def test_fine_sampling_gives_the_true_share():
    flux, alpha = tilted_trace(per_pixel=64)
    ripple = measure_ripple(flux, alpha, 0.0, 1.0)
    truth = ndtr(0.5 / SIGMA) - ndtr(-0.5 / SIGMA)
    assert_allclose(ripple.share, truth, rtol=1e-3)
    assert ripple.amplitude < 1e-3


def test_coarse_sampling_ripples():
    flux, alpha = tilted_trace()
    ripple = measure_ripple(flux, alpha, 0.0, 1.0)
    assert 0.05 < ripple.amplitude < 0.15
    # It repeats as often as the trace crosses a row.
    power = np.abs(np.fft.rfft(ripple.share - ripple.share.mean()))
    assert np.argmax(power) == round(0.03 * N_COLUMN)


def test_the_direction_of_alpha_does_not_matter():
    flux, alpha = tilted_trace()
    assert_allclose(
        aperture_share(flux, -alpha, 0.3, 1.0), aperture_share(flux, alpha, -0.3, 1.0), rtol=1e-12
    )


def test_columns_without_the_aperture_are_unknown():
    flux, alpha = tilted_trace()
    flux[:, 10] = np.nan
    row = int(np.argmin(np.abs(alpha[:, 20])))
    flux[row, 20] = np.nan
    flux[:, 30] = 0.0
    share = aperture_share(flux, alpha, 0.0, 1.0)
    assert np.flatnonzero(np.isnan(share)).tolist() == [10, 20, 30]
    assert np.isnan(aperture_share(flux, alpha, 500.0, 1.0)).all()


@pytest.mark.parametrize("n_known", [0, 5])
def test_too_few_columns_say_nothing(n_known):
    flux, alpha = tilted_trace()
    ripple = measure_ripple(flux, alpha, 0.0, 1.0, columns=np.arange(N_COLUMN) < n_known)
    assert np.isnan(ripple.amplitude)
