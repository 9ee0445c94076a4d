"""Errors are true: propagated noise against many realisations of it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import synthetic
from scipy.ndimage import binary_erosion, uniform_filter
from scipy.sparse import diags_array

from webbweave.resample import ResampleOptions, resample_slit

N_REALISATION = 300
NODS = (0.0, 0.3, -0.3)


@pytest.fixture(scope="module")
def exposures():
    return [synthetic.exposure(nod=nod, name=f"nod {nod}") for nod in NODS]


@pytest.fixture(scope="module", params=[{}, {"pixel_scale_ratio": 1.6}, {"pixfrac": 0.7}])
def settings(request):
    return request.param


def realise(exposures, result, rng):
    """Products of nothing but noise: shape (N_REALISATION, ny, nx)."""
    noise = 0.0
    for exposure, matrix in zip(exposures, result.matrix, strict=True):
        sigma = np.where(exposure.good, np.sqrt(sum(exposure.variances.values())), 0.0).ravel()
        noise = noise + matrix @ (sigma[:, None] * rng.standard_normal((sigma.size, N_REALISATION)))
    return noise.T.reshape(N_REALISATION, *result.grid.shape)


@pytest.fixture(scope="module")
def simulated(exposures, settings):
    options = ResampleOptions(save_matrix=True, error_mode="pixel", **settings)
    result = resample_slit(exposures, options)
    return result, realise(exposures, result, np.random.default_rng(3))


def inner(result):
    """Pixels well inside, where boxes are full."""
    inside = result.weight > 0.5 * np.median(result.weight[result.weight > 0])
    inside[:, :6] = inside[:, -6:] = False
    return inside


def test_the_matrix_makes_the_product(exposures, settings):
    result = resample_slit(exposures, ResampleOptions(save_matrix=True, **settings))
    made = sum(
        matrix @ np.nan_to_num(exposure.data).ravel().astype(float)
        for exposure, matrix in zip(exposures, result.matrix, strict=True)
    ).reshape(result.grid.shape)
    np.testing.assert_allclose(
        made[result.weight > 0], result.data[result.weight > 0], rtol=1e-5, atol=1e-16
    )


def test_pixel_errors_are_the_scatter_of_pixels(simulated):
    result, noise = simulated
    ratio = noise.std(axis=0)[inner(result)] / result.error[inner(result)]
    assert np.median(ratio) == pytest.approx(1.0, abs=0.02)


def test_neighbours_are_correlated_as_stated(simulated):
    result, noise = simulated
    inside = inner(result)
    for dy, dx in [(0, 1), (1, 0), (1, 1), (1, -1), (0, 2), (2, 0)]:
        stated = result.covariance.correlation(dy, dx)
        shifted = np.roll(noise, (-dy, -dx), axis=(1, 2))
        with np.errstate(divide="ignore", invalid="ignore"):
            found = (noise * shifted).mean(axis=0) / (noise.std(axis=0) * shifted.std(axis=0))
        both = inside & np.roll(inside, (-dy, -dx), axis=(0, 1)) & np.isfinite(stated)
        assert np.median(found[both] - stated[both]) == pytest.approx(0.0, abs=0.02)
        # Each pixel has a correlation of its own; the estimates scatter by 1 / sqrt(300).
        assert np.std(found[both] - stated[both]) < 1.3 / np.sqrt(N_REALISATION)


def test_covariances_predict_the_noise_of_an_extracted_spectrum(simulated):
    result, noise = simulated
    aperture = np.zeros(result.grid.shape)
    middle = result.grid.shape[0] // 2
    aperture[middle - 4 : middle + 5] = 1.0
    stated = np.sqrt(result.covariance.variance_of_sum(aperture, axis=0))[6:-6]
    found = np.nansum(noise * aperture, axis=1).std(axis=0)[6:-6]
    assert np.median(found / stated) == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("size", [5, 9])
def test_variances_add_up_over_boxes(exposures, settings, size):
    result = resample_slit(exposures, ResampleOptions(save_matrix=True, **settings))
    noise = realise(exposures, result, np.random.default_rng(7))
    variance = result.error.astype(float) ** 2
    full = binary_erosion(inner(result), np.ones((size, size)))
    summed = uniform_filter(noise, (0, size, size)) * size**2
    stated = np.sqrt(uniform_filter(np.nan_to_num(variance), size) * size**2)
    assert np.median(summed.std(axis=0)[full] / stated[full]) == pytest.approx(1.0, abs=0.03)


def test_variances_add_up_over_a_line(exposures, settings):
    result = resample_slit(exposures, ResampleOptions(save_matrix=True, **settings))
    noise = realise(exposures, result, np.random.default_rng(8))
    # Five columns over the rows of the source, as a line is integrated.
    offset = abs(np.arange(result.grid.shape[0]) - (result.grid.shape[0] - 1) / 2)
    rows = offset * result.grid.pixel_scale < 4 * synthetic.SIGMA
    variance = result.error.astype(float) ** 2
    ratios = []
    for start in range(10, result.grid.shape[1] - 15, 5):
        window = np.s_[rows, start : start + 5]
        found = noise[(slice(None), *window)].sum(axis=(1, 2)).std()
        ratios.append(found / np.sqrt(variance[window].sum()))
    assert np.median(ratios) == pytest.approx(1.0, abs=0.03)


def test_row_sums_are_those_of_the_covariance_matrix(exposures):
    options = ResampleOptions(save_matrix=True, error_aperture=np.inf)
    result = resample_slit(exposures[:2], options)
    total = 0.0
    for exposure, matrix in zip(exposures, result.matrix, strict=False):
        variance = np.where(exposure.good, sum(exposure.variances.values()), 0.0).ravel()
        total = total + matrix @ diags_array(variance.astype(float)) @ matrix.T
    rows = total.sum(axis=1).reshape(result.grid.shape)
    seen = result.weight > 0
    np.testing.assert_allclose(result.error[seen] ** 2, rows[seen], rtol=1e-5)
    np.testing.assert_allclose(result.covariance.row_sums()[seen], rows[seen], rtol=1e-5)
    own = resample_slit(exposures[:2], ResampleOptions(error_mode="pixel"))
    np.testing.assert_allclose(
        own.error[seen] ** 2, total.diagonal().reshape(own.grid.shape)[seen], rtol=1e-5
    )


def test_a_missing_variance_is_taken_from_the_others(exposures, caplog):
    bare = dataclasses.replace(
        exposures[1],
        variances={k: v for k, v in exposures[1].variances.items() if k != "var_poisson"},
    )
    whole = resample_slit(exposures)
    patched = resample_slit([exposures[0], bare, exposures[2]])
    assert "no usable VAR_POISSON" in caplog.text
    seen = whole.weight > 0
    np.testing.assert_allclose(
        patched.variances["var_poisson"][seen], whole.variances["var_poisson"][seen], rtol=1e-5
    )
