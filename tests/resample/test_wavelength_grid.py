"""The wavelengths that a user asks for, and the gap between detectors."""

from __future__ import annotations

import numpy as np
import pytest
import synthetic
import synthetic_lrs

from webbweave.errors import InputError
from webbweave.resample import ResampleOptions, build_output_grid, resample_slit
from webbweave.resample.wavelength_grid import design_table, names_file, parse_wavelength_grid
from webbweave.resample.wavelengths import WavelengthTable

BLUE = 1.0 + 0.01 * np.arange(20)
RED = 1.5 + 0.012 * np.arange(15)
GAP = np.concatenate([BLUE, RED])
SMOOTH = np.geomspace(0.6, 5.3, 300)


def test_the_gap_belongs_to_no_column():
    table = WavelengthTable.from_wavelengths(GAP)
    assert table.segments == [(0, 19), (20, 34)]
    np.testing.assert_allclose(table.column(GAP), np.arange(35), atol=1e-12)
    half_blue, half_red = BLUE[-1] + 0.005, RED[0] - 0.006
    beside = np.array([half_blue - 1e-9, half_blue + 1e-9, 1.35, half_red - 1e-9, half_red + 1e-9])
    np.testing.assert_allclose(
        table.column(beside), [19.5, np.nan, np.nan, np.nan, 19.5], atol=1e-5
    )
    # jwst spreads the gap over one column.
    as_jwst = WavelengthTable.from_wavelengths(GAP, compat=True)
    assert as_jwst.segments == [(0, 34)]
    assert as_jwst.column(np.array([(BLUE[-1] + RED[0]) / 2])) == pytest.approx(19.5)


def test_the_gap_is_in_the_lookup():
    points, values, back_values, back_points = WavelengthTable.from_wavelengths(GAP).as_lookup()
    assert (np.diff(points) > 0).all()
    assert (np.diff(back_values) > 0).all()
    assert np.interp(1.35, back_values, back_points) != np.interp(1.35, back_values, back_points)
    np.testing.assert_allclose(np.interp(np.arange(35), points, values), GAP)
    np.testing.assert_allclose(np.interp(GAP, back_values, back_points), np.arange(35), atol=1e-9)


def test_a_missing_column_or_a_long_last_step_is_no_gap():
    assert len(WavelengthTable.from_wavelengths(np.delete(BLUE, [8, 9])).segments) == 1
    # The blue end of MIRI LRS.
    steep = np.array([3.7, 4.17, 4.39, 4.51, 4.61, 4.72])
    assert len(WavelengthTable.from_wavelengths(steep).segments) == 1


def test_a_table_may_go_on():
    table = WavelengthTable.from_wavelengths(GAP, continued=True)
    found = table.column(np.array([0.98, RED[-1] + 0.024, 1.35]))
    np.testing.assert_allclose(found, [-2.0, 36.0, np.nan], atol=1e-9)


@pytest.mark.parametrize("native", [SMOOTH, GAP])
def test_native_and_one_column_per_column_are_the_same(native):
    expected = design_table(native)
    np.testing.assert_array_equal(expected.wavelengths, native)
    for choice in (1, 1.0, "1", "Native"):
        np.testing.assert_array_equal(design_table(native, choice).wavelengths, native)


@pytest.mark.parametrize("per_column", [2, 3.0, 0.5])
def test_columns_per_native_column(per_column):
    native = design_table(SMOOTH)
    table = design_table(SMOOTH, per_column)
    assert table.wavelengths.size == round(SMOOTH.size * per_column)
    columns = native.column(table.wavelengths)
    np.testing.assert_allclose(np.diff(columns), 1 / per_column, rtol=1e-9)
    assert columns[0] == pytest.approx(-0.5 + 0.5 / per_column)
    np.testing.assert_allclose(table.values[[0, -1]], native.values[[0, -1]], rtol=1e-3)
    gapped = design_table(GAP, per_column)
    (_, end), (start, _) = gapped.segments
    assert end + 1 == round(20 * per_column)
    edges = gapped.wavelengths[[end, start]]
    assert BLUE[-1] - 0.011 < edges[0] < BLUE[-1] + 0.005
    assert RED[0] - 0.006 < edges[1] < RED[0] + 0.013


@pytest.mark.parametrize(("name", "scale"), [("linear", np.positive), ("log", np.log)])
def test_equal_steps(name, scale):
    native = design_table(SMOOTH)
    table = design_table(SMOOTH, name)
    steps = np.diff(scale(table.wavelengths))
    np.testing.assert_allclose(steps, steps[0], rtol=1e-9)
    assert steps[0] == pytest.approx(np.median(np.diff(scale(SMOOTH))), rel=0.02)
    np.testing.assert_allclose(table.values[[0, -1]], native.values[[0, -1]], rtol=1e-3)


def test_wavelengths_given():
    wanted = [1.0, 1.2, 1.3]
    table = design_table(SMOOTH, wanted)
    np.testing.assert_array_equal(table.wavelengths, wanted)
    with pytest.raises(ValueError, match=r"from 7 to 8 micron, but the spectrum from 0\.6"):
        design_table(SMOOTH, [7.0, 8.0])


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (0, "positive number, found 0"),
        ("-2", "positive number, found -2"),
        (np.nan, "positive number"),
        ([2.0], r"two wavelengths or more in a row, found shape \(1,\)"),
        ([[1.0, 2.0]], r"found shape \(1, 2\)"),
        ([2.0, 1.0], "ascend, found 2 from 2 to 1"),
        ([1.0, np.nan, 2.0], "ascend"),
        ([0.0, 1.0], "positive wavelengths"),
    ],
)
def test_wrong_choices(choice, message):
    with pytest.raises(ValueError, match="wavelength_grid: .*" + message):
        parse_wavelength_grid(choice)


def test_a_file_is_read_by_the_step():
    assert names_file("table.fits")
    assert not any(names_file(choice) for choice in ("native", "LOG", "2", 2.0, [1.0, 2.0]))
    with pytest.raises(ValueError, match=r"found 'table\.fits'"):
        design_table(SMOOTH, "table.fits")


def resample(choice, exposures=None, **settings):
    options = ResampleOptions(wavelength_grid=choice, **settings)
    return resample_slit(exposures or [synthetic.exposure()], options)


CHOICES = [2, 0.5, "linear", "log", np.linspace(1.9, 2.6, 100)]


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_flux_per_detector_column_is_kept(choice):
    result = resample(choice)
    flux = np.nansum(result.data, axis=0, dtype=float)
    wavelength = result.grid.wavelength[0]
    away = np.all([abs(wavelength - c) > 8 * s for c, s in synthetic.LINES], axis=0)
    away[:20] = away[-20:] = False
    assert away.sum() > 25
    np.testing.assert_allclose(flux[away] / synthetic.spectrum(wavelength[away]), 1, atol=2e-3)
    # A line keeps its place and its equivalent width.
    (centre, sigma), step = synthetic.LINES[1], np.gradient(wavelength)
    near = abs(wavelength - centre) < 8 * sigma
    excess = (flux / 1e-9 - 1.0 - 0.3 * (wavelength - 2.3)) * step
    assert excess[near].sum() == pytest.approx(2.0 * sigma * np.sqrt(2 * np.pi), rel=0.02)
    found = np.average(wavelength[near], weights=excess[near])
    assert found == pytest.approx(centre, abs=0.1 * np.median(np.diff(wavelength)))


def test_miri_too():
    exposures = [synthetic_lrs.exposure()]
    native = resample("native", exposures)
    finer = resample(2, exposures)
    assert finer.data.shape == (2 * native.data.shape[0], native.data.shape[1])
    wavelength = finer.grid.wavelength[:, 0]
    assert (np.diff(wavelength) < 0).all()
    flux = np.nansum(finer.data, axis=1, dtype=float)
    ratio = flux / synthetic_lrs.spectrum(wavelength)
    assert np.median(ratio) == pytest.approx(1.0, abs=1e-3)


def two_detectors():
    """The blue and the red third of a spectrum, as two exposures with nothing between."""
    exposures = []
    for name, (x0, x1) in (("nrs1", (-0.5, 79.5)), ("nrs2", (139.5, 219.5))):
        wcs = synthetic.slit_wcs()
        wcs.bounding_box = ((x0, x1), (-0.5, synthetic.SHAPE[0] - 0.5))
        exposures.append(synthetic.exposure(wcs=wcs, name=name))
    return exposures


@pytest.mark.parametrize("choice", ["native", 2])
def test_two_detectors_meet_without_a_smear(choice):
    exposures = two_detectors()
    result = resample(choice, exposures)
    wavelength = result.grid.wavelength[0]
    steps = np.diff(wavelength)
    (gap,) = np.flatnonzero(steps > 5 * np.median(steps))
    # Each side is what it is without the other.
    for exposure, side in zip(exposures, (slice(None, gap + 1), slice(gap + 1, None)), strict=True):
        alone = resample(choice, [exposure])
        columns = np.abs(alone.grid.wavelength[0][:, None] - wavelength[None, side]).argmin(axis=0)
        profile = np.nansum(result.data[:, side], axis=0, dtype=float)
        expected = np.nansum(alone.data, axis=0, dtype=float)[columns]
        np.testing.assert_allclose(profile[2:-2], expected[2:-2], rtol=1e-3)
        # The tilted ends are cut differently where rows lie differently.
        np.testing.assert_allclose(profile, expected, rtol=0.06)
        weight = result.weight[:, side].sum(axis=0)
        # No column beside the gap collects what lies in it.
        assert weight.max() < 1.2 * np.median(weight)
    column, _ = result.grid.pixel_map(exposures[0])
    assert np.nanmax(column) <= gap + 0.5
    column, _ = result.grid.pixel_map(exposures[1])
    assert np.nanmin(column) >= gap + 0.5


def test_the_gap_survives_in_the_wcs():
    grid = build_output_grid(two_detectors())
    wcs = grid.to_gwcs()
    wavelength = grid.wavelength[0]
    gap = int(np.argmax(np.diff(wavelength)))
    ra, dec = grid.sky(np.array([5.0]))
    middle = (wavelength[gap] + wavelength[gap + 1]) / 2
    assert np.isnan(wcs.invert(ra[0], dec[0], middle, with_bounding_box=False)).any()
    x, y = np.arange(grid.shape[1], dtype=float), np.full(grid.shape[1], 5.0)
    np.testing.assert_allclose(wcs(x, y)[2], wavelength, rtol=1e-12)
    np.testing.assert_allclose(wcs.invert(*wcs(x, y))[0], x, atol=1e-7)


@pytest.mark.parametrize("choice", ["linear", "log"])
def test_equal_steps_leave_the_gap_empty(choice):
    result = resample(choice, two_detectors())
    wavelength = result.grid.wavelength[0]
    steps = np.diff(np.log(wavelength) if choice == "log" else wavelength)
    np.testing.assert_allclose(steps, steps[0], rtol=1e-9)
    empty = np.isnan(result.data).all(axis=0)
    first, last = np.flatnonzero(empty[5:-5])[[0, -1]] + 5
    assert empty[first : last + 1].all()
    # 60 of 220 detector columns lie between the two.
    assert (last - first + 1) / wavelength.size == pytest.approx(60 / 220, abs=0.04)


def test_wavelengths_far_away_are_refused():
    with pytest.raises((ValueError, InputError), match="wavelength_grid"):
        resample([7.0, 8.0, 9.0])
