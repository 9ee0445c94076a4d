"""Known scenes are recovered: fluxes, surface brightness, wavelengths, rows."""

from __future__ import annotations

import numpy as np
import pytest
import synthetic

from webbweave.resample import ResampleOptions, resample_slit

NODS = (0.0, 0.3, -0.3)


def nodded():
    return [synthetic.exposure(nod=nod, name=f"nod {index}") for index, nod in enumerate(NODS)]


def smooth_columns(wavelength):
    """Columns away from the lines, which are narrower than a pixel, and from the ends."""
    away = [abs(wavelength - centre) > 8 * sigma for centre, sigma in synthetic.LINES]
    smooth = np.all(away, axis=0)
    smooth[:8] = smooth[-8:] = False
    return smooth


# A pixel shrunk by pixfrac samples the profile instead of integrating it, which costs 0.4 % at the
# extremes; whole pixels keep their flux.
@pytest.mark.parametrize(("pixfrac", "tolerance"), [(1.0, 1e-3), (0.6, 5e-3)])
@pytest.mark.parametrize("ratio", [0.7, 1.0, 1.3, 2.0])
def test_column_sums_of_a_flux_density_are_kept(ratio, pixfrac, tolerance):
    result = resample_slit(nodded(), ResampleOptions(pixel_scale_ratio=ratio, pixfrac=pixfrac))
    wavelength = result.grid.table.wavelengths
    smooth = smooth_columns(wavelength)
    sums = np.nansum(result.data, axis=0, dtype=np.float64)
    found = sums[smooth] / synthetic.spectrum(wavelength[smooth])
    assert np.median(found) == pytest.approx(1.0, abs=tolerance)
    assert np.std(found) < 2 * tolerance


def test_the_point_kernel_keeps_column_sums():
    result = resample_slit(nodded(), ResampleOptions(kernel="point"))
    wavelength = result.grid.table.wavelengths
    sums = np.nansum(result.data, axis=0, dtype=np.float64)[8:-8]
    assert np.median(sums / synthetic.spectrum(wavelength)[8:-8]) == pytest.approx(1, abs=5e-3)


@pytest.mark.parametrize("unit", ["MJy/sr", "MJy"])
@pytest.mark.parametrize(
    "options",
    [
        ResampleOptions(),
        ResampleOptions(pixel_scale_ratio=1.7),
        ResampleOptions(pixfrac=0.5),
        ResampleOptions(kernel="point", weight_type="exptime"),
        ResampleOptions(weight_type=None),
    ],
)
def test_a_flat_source_stays_flat(unit, options):
    flat = [synthetic.exposure(3.0, nod=nod, unit=unit) for nod in NODS]
    result = resample_slit(flat, options)
    expected = 3.0 if unit == "MJy/sr" else 3.0 / options.pixel_scale_ratio
    seen = result.weight > 0
    np.testing.assert_allclose(result.data[seen], expected, rtol=1e-5)
    assert np.isnan(result.data[~seen]).all()


def test_narrow_lines_are_at_their_wavelengths():
    result = resample_slit(nodded())
    wavelength = result.grid.table.wavelengths
    column = np.arange(wavelength.size)
    sums = np.nansum(result.data, axis=0, dtype=np.float64)
    truth = synthetic.spectrum(wavelength)
    continuum = 1e-9 * (1.0 + 0.3 * (wavelength - 2.3))
    for centre, sigma in synthetic.LINES:
        near = abs(wavelength - centre) < 6 * sigma
        shift = [
            np.average(column[near], weights=(spectrum - continuum)[near])
            for spectrum in (sums, truth)
        ]
        assert shift[0] - shift[1] == pytest.approx(0.0, abs=0.02)


def test_nods_meet_in_the_same_rows():
    result = resample_slit(nodded())
    row = np.arange(result.grid.n_row)
    smooth = smooth_columns(result.grid.table.wavelengths)
    data = np.nan_to_num(result.data)[:, smooth].astype(float)
    centroid = (data * row[:, None]).sum(axis=0) / data.sum(axis=0)
    assert np.ptp(centroid) < 0.02
    one = resample_slit(nodded()[:1])
    width = [np.count_nonzero(np.nansum(r.data, axis=1) > 1e-10) for r in (one, result)]
    assert width[0] == pytest.approx(width[1], abs=1)


def test_rows_are_centred_and_the_first_is_not_empty(real_exposures):
    for exposures in (nodded(), real_exposures, real_exposures[:1]):
        result = resample_slit(exposures)
        rows_hit = np.flatnonzero((result.weight > 0).any(axis=1))
        assert rows_hit[0] == 0
        assert rows_hit[-1] == result.grid.n_row - 1
        line, plane = result.grid.line, result.grid.plane
        sky = [plane.project(e.grid.ra, e.grid.dec) for e in exposures]
        y = np.concatenate([line.row(*position).ravel() for position in sky])
        middle = (np.nanmin(y) + np.nanmax(y)) / 2
        assert middle == pytest.approx((result.grid.n_row - 1) / 2, abs=1e-6)
    compat = resample_slit(real_exposures, ResampleOptions(compat=True))
    assert not (compat.weight[0] > 0).any()


def test_nothing_piles_up_in_the_last_column():
    # Wavelengths are tilted by two columns over half the slit: much light is redder than the table.
    first = synthetic.exposure()
    piled = resample_slit([first], ResampleOptions(compat=True, weight_type=None)).weight
    result = resample_slit([first], ResampleOptions(weight_type=None))
    assert piled[:, -1].max() > 1.5
    assert result.weight[:, -1].max() < 1.01
    x, _ = result.grid.pixel_map(first)
    assert np.nanmax(x) <= result.grid.shape[1] - 0.5
    red = first.grid.wavelength > result.grid.table.values[-1]
    assert np.count_nonzero(red) >= 5
    assert np.isnan(x[first.grid.window][red]).all()


def test_slit_edge_rows_are_kept(real_exposures):
    first = real_exposures[0]
    equal = {"weight_type": None}
    kept = resample_slit([first], ResampleOptions(**equal))
    lost = resample_slit([first], ResampleOptions(compat=True, **equal))
    x, _ = kept.grid.pixel_map(first)
    inside = np.count_nonzero(np.isfinite(x) & first.good)
    # All weight arrives, but for what hangs over the ends of the wavelength table.
    assert kept.weight.sum() == pytest.approx(inside, rel=2e-3)
    assert lost.weight.sum() < 0.93 * inside


def test_weight_is_conserved_at_any_scale():
    one = synthetic.exposure(1.0)
    for ratio, pixfrac in ((0.6, 1.0), (1.0, 0.3), (2.3, 0.8)):
        options = ResampleOptions(pixel_scale_ratio=ratio, pixfrac=pixfrac, weight_type="exptime")
        result = resample_slit([one], options)
        x, _ = result.grid.pixel_map(one)
        inside = np.isfinite(x) & (x > 0) & (x < result.grid.shape[1] - 1)
        assert result.weight.sum(dtype=float) == pytest.approx(100.0 * inside.sum(), rel=0.01)


def test_errors_of_equal_exposures_average_down():
    one = resample_slit([synthetic.exposure(noise=1e-12)])
    three = resample_slit([synthetic.exposure(noise=1e-12) for _ in range(3)])
    inner = (slice(4, -4), slice(10, -10))
    np.testing.assert_allclose(three.error[inner], one.error[inner] / np.sqrt(3), rtol=1e-4)
    variances = one.variances
    np.testing.assert_allclose(
        variances["var_poisson"][inner], 8 * variances["var_flat"][inner], rtol=1e-4
    )
    np.testing.assert_allclose(
        one.error[inner] ** 2, sum(v[inner] for v in variances.values()), rtol=1e-4
    )


def test_wavelengths_are_the_same_in_all_rows():
    result = resample_slit(nodded())
    assert (result.wavelength == result.wavelength[0]).all()
    assert (np.diff(result.wavelength[0]) > 0).all()
    y, x = np.mgrid[: result.grid.shape[0], : result.grid.shape[1]]
    wavelength = result.grid.to_gwcs()(x, y)[2]
    assert (wavelength == wavelength[0]).all()


def test_context_tells_the_exposures():
    result = resample_slit(nodded())
    assert result.context.shape == (1, *result.grid.shape)
    assert result.context.max() == 0b111
    middle = result.context[0, result.grid.n_row // 2, 50:-50]
    assert (middle == 0b111).all()
    many = resample_slit([synthetic.exposure()] * 33)
    assert many.context.shape[0] == 2
    np.testing.assert_array_equal(many.context[1] == 1, many.weight > 0)
    assert (many.context.view(np.uint32)[0].max()) == 2**32 - 1


def test_threads_do_not_change_the_result(real_exposures):
    results = [
        resample_slit(real_exposures, ResampleOptions(threads=threads)) for threads in (1, 2, 8)
    ]
    for other in results[1:]:
        for name in ("data", "error", "weight", "context"):
            np.testing.assert_array_equal(getattr(other, name), getattr(results[0], name))


@pytest.mark.parametrize(("ra", "dec"), [(0.0, 0.0), (359.9999, -40.0), (10.0, 89.999)])
def test_the_sky_has_no_seams(ra, dec):
    reference = resample_slit([synthetic.exposure(nod=nod) for nod in NODS])
    moved = resample_slit(
        [synthetic.exposure(nod=nod, wcs=synthetic.slit_wcs(nod, ra, dec)) for nod in NODS]
    )
    assert moved.data.shape == reference.data.shape
    np.testing.assert_allclose(moved.data, reference.data, rtol=2e-4, atol=1e-13)
