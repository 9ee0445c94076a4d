"""compat=True gives the numbers of jwst 3.0 on the bundled exposures."""

from __future__ import annotations

import numpy as np
import pytest

from webbweave.resample import ResampleOptions, resample_slit


def total(array):
    return np.nansum(array, dtype=np.float64)


@pytest.mark.parametrize(
    ("n_exposure", "options", "shape", "science", "weight"),
    [
        (1, {}, (21, 341), 944.784065, 1.02186493e8),
        (3, {}, (31, 341), 1429.765449, 3.41777817e8),
        (3, {"pixel_scale_ratio": 2.0}, (60, 341), None, 3.41777817e8),
        (3, {"weight_type": "exptime"}, (31, 341), 1372.361940, None),
        (1, {"kernel": "point"}, (21, 341), 903.011003, None),
        (1, {"pixfrac": 0.5}, (21, 341), 928.842369, None),
    ],
)
def test_totals(real_exposures, n_exposure, options, shape, science, weight):
    result = resample_slit(real_exposures[:n_exposure], ResampleOptions(compat=True, **options))
    assert result.data.shape == shape
    if science is not None:
        assert total(result.data) == pytest.approx(science, rel=1e-6)
    if weight is not None:
        assert total(result.weight) == pytest.approx(weight, rel=1e-6)


def test_total_error(real_exposures):
    result = resample_slit(real_exposures, ResampleOptions(compat=True))
    assert total(result.error) == pytest.approx(190.351998, rel=1e-6)


def test_pixel_scale(real_exposures):
    options = ResampleOptions(compat=True, pixel_scale=0.05)
    result = resample_slit(real_exposures, options)
    assert result.data.shape == (63, 341)
    assert result.ratio == pytest.approx(2.0892415, rel=1e-5)


def test_red_end_of_the_table(real_exposures):
    table = resample_slit(real_exposures[:1], ResampleOptions(compat=True)).grid.table
    assert table.values[-2] == pytest.approx(5.3741, abs=1e-4)
    assert table.values[-1] == pytest.approx(7.8866, abs=1e-4)
    corrected = resample_slit(real_exposures[:1]).grid.table
    half_step = (corrected.wavelengths[-1] - corrected.wavelengths[-2]) / 2
    assert corrected.values[-1] == pytest.approx(corrected.wavelengths[-1] + half_step)


@pytest.mark.parametrize(
    ("case", "n_exposure", "options"),
    [("single", 1, {}), ("slit3", 3, {}), ("slit3_ratio2", 3, {"pixel_scale_ratio": 2.0})],
)
def test_pixel_by_pixel(real_exposures, shared_dir, case, n_exposure, options):
    stored = np.load(shared_dir / "oracle" / "resample" / f"{case}.npz")
    expected = {key.removeprefix("0_"): stored[key] for key in stored}
    result = resample_slit(real_exposures[:n_exposure], ResampleOptions(compat=True, **options))
    heavy = expected["wht"] > 1e-3 * np.median(expected["wht"][expected["wht"] > 0])
    pairs = {
        "data": (result.data, 5e-6),
        "wht": (result.weight, 5e-6),
        "err": (result.error, 1e-5),
        **{name: (plane, 1e-5) for name, plane in result.variances.items()},
    }
    for name, (found, tolerance) in pairs.items():
        np.testing.assert_array_equal(np.isnan(found), np.isnan(expected[name]), err_msg=name)
        scale = np.nanmax(abs(expected[name])) if name == "data" else abs(expected[name][heavy])
        difference = abs(found[heavy] - expected[name][heavy])
        assert not (difference > tolerance * scale).any(), name
    np.testing.assert_array_equal(result.context, expected["con"])
    np.testing.assert_array_equal(result.wavelength, expected["wavelength"])
    ny, nx = result.grid.shape
    y, x = np.mgrid[:ny, 0:nx:20]
    ra, dec, _ = result.grid.to_gwcs()(x, y)
    milliarcsec = 1 / 3.6e6
    np.testing.assert_allclose(ra, expected["wcs_ra"], rtol=0, atol=1e-3 * milliarcsec)
    np.testing.assert_allclose(dec, expected["wcs_dec"], rtol=0, atol=1e-3 * milliarcsec)
    np.testing.assert_allclose(
        result.grid.table.wavelengths, expected["wcs_lam"], rtol=1e-12, atol=0
    )
