"""What each argument of jwst's step does to the three bundled exposures."""

from __future__ import annotations

import asdf
import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from webbweave import ResampleSpecStep
from webbweave.datamodels import read_output_wcs
from webbweave.resample import ResampleOptions, resample_slit

#: The times of the exposures of this visit [s], from their headers.
EXPOSURE_TIME = 1021.222


def resample(exposures, **options):
    return resample_slit(exposures, ResampleOptions(**options))


def step(files, **parameters):
    return ResampleSpecStep.call([str(file) for file in files], configure_log=False, **parameters)


def good_pixels(exposure):
    """The pixels with data, weight and a place on the sky."""
    grid = exposure.grid
    mapped = np.zeros(exposure.data.shape, dtype=bool)
    rows, columns = np.indices(grid.wavelength.shape)
    mapped[rows + grid.y_start, columns + grid.x_start] = np.isfinite(grid.wavelength)
    return mapped & exposure.good & ~exposure.invalid


def test_pixfrac_spreads_a_pixel_over_fewer_cells(real_exposures):
    whole, half = (
        resample(real_exposures[:1], weight_type=None, pixfrac=pixfrac) for pixfrac in (1.0, 0.5)
    )
    # The weight is the same, in fewer cells, so that neighbours have less in common.
    assert half.weight.sum() == pytest.approx(whole.weight.sum(), rel=1e-3)
    assert np.count_nonzero(half.weight) < np.count_nonzero(whole.weight)
    factors = [result.covariance.noise_correlation for result in (whole, half)]
    assert 1.0 < factors[1] < factors[0] - 0.1


def test_point_kernel_gives_each_pixel_to_one_cell(real_exposures):
    square, point = (
        resample(real_exposures[:1], weight_type=None, kernel=kernel)
        for kernel in ("square", "point")
    )
    counts = point.weight[point.weight > 0]
    np.testing.assert_array_equal(counts, np.rint(counts))
    assert counts.sum() == np.count_nonzero(good_pixels(real_exposures[0]))
    assert point.covariance.noise_correlation == 1.0  # no two cells share a pixel
    assert np.count_nonzero(square.weight) > counts.size


@pytest.mark.parametrize("ratio", [0.5, 2.0])
def test_pixel_scale_ratio_changes_rows_not_wavelengths(real_exposures, ratio):
    plain, scaled = (resample(real_exposures, pixel_scale_ratio=value) for value in (1.0, ratio))
    assert abs(scaled.data.shape[0] - ratio * plain.data.shape[0]) <= 2
    np.testing.assert_array_equal(scaled.wavelength[0], plain.wavelength[0])
    assert scaled.pixel_area == pytest.approx(plain.pixel_area / ratio)
    # Surface brightness is not scaled: the mean, by the weights, is the same.
    means = [
        np.nansum(result.data * result.weight, dtype=float) / np.sum(result.weight, dtype=float)
        for result in (plain, scaled)
    ]
    assert means[1] == pytest.approx(means[0], rel=1e-3)


def test_pixel_scale_is_the_distance_of_rows_on_the_sky(real_exposures):
    result = resample(real_exposures, pixel_scale=0.05, pixel_scale_ratio=3.0)
    ra, dec, _ = result.grid.to_gwcs()([170.0, 170.0], [20.0, 21.0])
    place = SkyCoord(ra, dec, unit="deg")
    assert place[0].separation(place[1]).arcsec == pytest.approx(0.05, rel=1e-4)


def test_output_shape_cuts_and_pads(real_exposures):
    plain = resample(real_exposures)
    ny, nx = plain.data.shape
    result = resample(real_exposures, output_shape=(nx + 10, ny - 5))
    assert result.data.shape == (ny - 5, nx + 10)
    np.testing.assert_array_equal(result.data[:, : nx - 1], plain.data[: ny - 5, : nx - 1])
    step = np.diff(result.wavelength[0])
    np.testing.assert_allclose(step[nx:], step[nx - 2], atol=1e-6)


def test_output_wcs_puts_other_exposures_on_the_same_grid(real_exposures, tmp_path):
    first = resample(real_exposures[:1])
    path = tmp_path / "grid.asdf"
    asdf.AsdfFile({"wcs": first.grid.to_gwcs()}).write_to(path)
    # The nods are 5 rows apart, but what is observed stays where it is on the sky.
    options = ResampleOptions(weight_type=None)
    second = resample_slit(real_exposures[1:2], options, given_wcs=read_output_wcs(path))
    assert second.data.shape == first.data.shape
    x, y = np.meshgrid([50.0, 170.0, 300.0], [5.0, 15.0])
    positions = [result.grid.to_gwcs()(x, y) for result in (first, second)]
    np.testing.assert_allclose(positions[1], positions[0], rtol=0, atol=1e-9)
    own = resample_slit(real_exposures[1:2], options)
    assert own.data.shape != first.data.shape or not np.allclose(own.wavelength, first.wavelength)


def test_fillval_stands_where_nothing_arrived(example_files):
    product = step(example_files[:1], fillval="-7.5")
    empty = product.wht == 0
    assert empty.any()
    assert not empty.all()
    assert (product.data[empty] == -7.5).all()
    assert np.isfinite(product.data).all()
    assert np.isnan(product.err[empty]).all()


@pytest.fixture(scope="module")
def singles(example_files):
    return {
        kind: list(step(example_files, single=True, weight_type=kind))
        for kind in ("ivm", "exptime")
    }


def test_single_gives_the_exposures_on_one_grid(singles, example_files):
    combined = step(example_files)
    assert len(singles["ivm"]) == 3
    total, weight = 0.0, 0.0
    for number, product in enumerate(singles["ivm"], start=1):
        assert int(product.meta.observation.exposure_number) == number
        np.testing.assert_array_equal(product.wavelength, combined.wavelength)
        total = total + np.nan_to_num(product.data.astype(float)) * product.wht
        weight = weight + product.wht.astype(float)
    np.testing.assert_allclose(weight, combined.wht, rtol=1e-5, atol=1e-3)
    used = weight > 0
    peak = np.nanmax(combined.data)
    np.testing.assert_allclose(
        total[used] / weight[used], combined.data[used], rtol=1e-4, atol=1e-5 * peak
    )


def test_weight_type(singles, real_exposures):
    # ivm: the weight of a cell is a mean of those of its pixels, thus within their limits, times
    # the area that arrives; exptime: the time in place of it.
    for number, exposure in enumerate(real_exposures):
        ivm, exptime = (singles[kind][number].wht for kind in ("ivm", "exptime"))
        assert np.median(exptime[exptime > 0]) == pytest.approx(EXPOSURE_TIME, rel=0.05)
        variance = exposure.variances["var_rnoise"][good_pixels(exposure)]
        full = exptime > 0.5 * EXPOSURE_TIME
        mean = ivm[full] * (EXPOSURE_TIME / exptime[full])
        assert mean.min() >= 0.99 / variance.max()
        assert mean.max() <= 1.01 / variance.min()
        assert ivm[full].sum() == pytest.approx(np.sum(1.0 / variance), rel=0.05)


def test_blendheaders_notes_all_inputs(example_files):
    blended, first = (step(example_files[:2], blendheaders=value) for value in (True, False))
    # Of all exposures: the last end and a table with a row each; or else those of the first.
    ends = sorted(str(value).strip("b' ") for value in blended.hdrtab["DATE-END"])
    assert len(set(ends)) == 2
    assert blended.meta.observation.date_end == ends[-1]
    assert first.meta.observation.date_end == ends[0]
    assert not hasattr(first, "hdrtab")
    np.testing.assert_array_equal(blended.data, first.data)


def memory_of(array):
    """The array whose memory an array is a view of."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def test_in_memory(example_files):
    # The peak of the memory is measured in test_sources.py.
    kept, left = (step(example_files[:1], in_memory=value) for value in (True, False))
    assert not isinstance(memory_of(kept.data), np.memmap)
    for name in ("data", "err", "wht", "wavelength"):
        array = getattr(left, name)
        assert isinstance(memory_of(array), np.memmap), name
        np.testing.assert_array_equal(array, getattr(kept, name))
