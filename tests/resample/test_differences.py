"""The page "Differences from jwst", entry by entry: before (compat) and after."""

from __future__ import annotations

import dataclasses

import asdf
import numpy as np
import pytest
import synthetic
from astropy.modeling.models import Identity, Shift
from differences_page import assert_differences_are_tested
from gwcs import WCS
from scipy.ndimage import binary_erosion, uniform_filter

from webbweave import ResampleSpecStep
from webbweave.datamodels import StoredWCS, tree_of
from webbweave.resample import (
    ResampleOptions,
    build_output_grid,
    drizzle_exposure,
    resample_slit,
)
from webbweave.resample.custom_wcs import build_custom_grid
from webbweave.resample.matrix import resampling_matrix
from webbweave.resample.slit_line import fit_line, place_line
from webbweave.resample.wavelengths import merge_wavelengths
from webbweave.resample.weights import pixel_weights

NODS = (0.0, 0.3, -0.3)
COMPAT = ResampleOptions(compat=True)


def call(data, **parameters):
    return ResampleSpecStep.call(data, configure_log=False, **parameters)


def both(data, **parameters):
    """The product of jwst, and ours."""
    return [call(data, compat=compat, **parameters) for compat in (True, False)]


def exposures():
    return [synthetic.exposure(nod=nod, name=f"nod {nod}") for nod in NODS]


def models(n_exposure=3):
    return [
        synthetic.slit_model(nod, number=number)
        for number, nod in enumerate(NODS[:n_exposure], start=1)
    ]


def test_d1_the_red_edge(real_exposures):
    before, after = (
        resample_slit(real_exposures[:1], ResampleOptions(compat=compat)).grid.table.values
        for compat in (True, False)
    )
    assert before[-2:] == pytest.approx([5.3741, 7.8866], abs=1e-4)
    assert after[-2:] == pytest.approx([5.3742, 5.3779], abs=1e-4)
    # Equal weights: a full cell of one exposure has weight 1.
    piled, kept = (
        resample_slit([synthetic.exposure()], ResampleOptions(compat=compat, weight_type=None))
        for compat in (True, False)
    )
    assert piled.weight[:, -1].max() == pytest.approx(2.29, abs=0.01)
    assert kept.weight.max() == pytest.approx(1.0, abs=0.01)


def test_d2_centred_rows(real_exposures):
    before, after = (
        resample_slit(real_exposures, ResampleOptions(compat=compat)) for compat in (True, False)
    )
    for result, offset, first in ((before, 0.5, 1), (after, 0.0, 0)):
        grid = result.grid
        rows = [grid.pixel_map(exposure)[1] for exposure in real_exposures]
        middle = (np.nanmin(rows) + np.nanmax(rows)) / 2
        assert middle - (grid.n_row - 1) / 2 == pytest.approx(offset, abs=1e-6)
        assert np.flatnonzero((result.weight > 0).any(axis=1))[0] == first


def test_d3_rows_at_the_slit_edge(real_exposures):
    first = real_exposures[0]
    weight = {kind: pixel_weights([first], kind)[0] for kind in (None, "ivm")}
    share = {}
    for compat in (True, False):
        for kind, pixels in weight.items():
            result = resample_slit([first], ResampleOptions(compat=compat, weight_type=kind))
            share[compat, kind] = result.weight.sum(dtype=float) / pixels.sum(dtype=float)
    assert share[True, None] == pytest.approx(0.896, abs=1e-3)
    assert share[True, "ivm"] == pytest.approx(0.967, abs=1e-3)
    assert share[False, None] == pytest.approx(1.0, abs=1e-6)
    assert share[False, "ivm"] == pytest.approx(1.0, abs=1e-6)


def test_d4_output_shape():
    before, after = both(models(), output_shape=[180, 40])
    assert before.data.shape == call(models(), compat=True).data.shape
    assert after.data.shape == (40, 180)


def test_d5_no_weights():
    # jwst offers None, and fails with an AttributeError.
    for product in both(models(), weight_type=None):
        middle = product.wht[product.wht.shape[0] // 2, 50:-50]
        np.testing.assert_allclose(middle, 3.0, rtol=0.01)
        assert product.meta.resample.weight_type is None


@pytest.fixture
def given(tmp_path):
    """Write a grid with twice the rows, and what belongs to it, into a file."""
    wcs = resample_slit(exposures(), ResampleOptions(pixel_scale_ratio=2.0)).grid.to_gwcs()

    def write(**entries):
        path = tmp_path / "grid.asdf"
        asdf.AsdfFile({"wcs": wcs, **entries}).write_to(path)
        return str(path)

    return write


def test_d6_the_ratio_in_the_header(given):
    before, after = both(models(), output_wcs=given())
    assert before.meta.resample.pixel_scale_ratio == 1.0
    assert after.meta.resample.pixel_scale_ratio == pytest.approx(2.0, rel=1e-3)


def test_d7_a_pixel_scale_with_the_grid(given):
    plain = call(models(), output_wcs=given())
    before, after = both(models(), output_wcs=given(pixel_scale=0.05))
    # Square arcseconds taken for steradians, and a ratio of 2e-10 that goes into the errors.
    assert before.meta.photometry.pixelarea_steradians == pytest.approx(0.05**2)
    assert np.nanmedian(before.err) > 1e3 * np.nanmedian(plain.err)
    # The slit is as wide as before: one side of the pixel is halved.
    assert after.meta.photometry.pixelarea_steradians == pytest.approx(
        synthetic.PIXEL_AREA / 2, rel=1e-3
    )
    np.testing.assert_array_equal(after.err, plain.err)


def test_d8_attributes_that_differ_between_inputs():
    inputs = models(2)
    for number, model in enumerate(inputs):
        tree_of(model)["source_xpos"] = 0.25 * number
    before, after = both(inputs)
    assert before.source_xpos == after.source_xpos == 0.0
    assert "SRCXPOS" not in before.hdrtab.dtype.names
    assert after.hdrtab["SRCXPOS"].tolist() == [0.0, 0.25]


def test_d9_the_smallest_step():
    coarse = 2.0 + 0.01 * np.arange(50)
    fine = np.concatenate([coarse, coarse[-1] + 0.0005 * np.arange(1, 9)])
    before, after = (merge_wavelengths([coarse, fine], compat=compat) for compat in (True, False))
    # Steps of 0.0005 are below a tenth of those of the first exposure, not of the second.
    assert fine.size - before.size == 8
    # What lies less than half a column of the first exposure beyond its end is of that column.
    assert after[-1] < coarse[-1] + 0.005
    finest_first = merge_wavelengths([fine, coarse])
    np.testing.assert_array_equal(finest_first, fine)


def shifted_wavelengths(shift):
    """An exposure whose wavelengths are shifted [micron], all but a few pixels without data."""
    wcs = synthetic.slit_wcs()
    first = wcs.pipeline[0]
    steps = [(first.frame, first.transform | Identity(2) & Shift(shift))]
    steps += [(step.frame, step.transform) for step in wcs.pipeline[1:]]
    moved = WCS(steps)
    moved.bounding_box = wcs.bounding_box
    made = synthetic.exposure(wcs=moved)
    seen = np.zeros(synthetic.SHAPE, dtype=bool)
    seen[10:15, 100:110] = True
    return dataclasses.replace(made, data=np.where(seen, made.data, np.nan).astype(np.float32))


def test_d10_one_exposure_sets_the_grid():
    odd = shifted_wavelengths(0.0015)
    full = synthetic.exposure()
    before, after = (build_output_grid([odd, full], compat=compat) for compat in (True, False))
    # The second exposure sets the rows: the first has 50 pixels.
    assert before.reference == after.reference == 1
    from_first = build_output_grid([odd], compat=True).table.wavelengths
    assert set(from_first) <= set(before.table.wavelengths)
    from_reference = build_output_grid([full]).table.wavelengths
    found = after.table.wavelengths
    distance = abs(found[:, None] - from_reference).min(axis=0)
    assert distance.max() < 1e-6
    assert abs(before.table.wavelengths[:, None] - from_reference).min(axis=0).max() > 1e-3


@pytest.mark.parametrize(("shift", "border"), [(-3.2, 1.0), (-3.7, 0.7)])
def test_d11_pixels_partly_outside(shift, border):
    y, x = np.mgrid[:20, :20].astype(float)
    ones = np.ones(x.shape)
    before, after = (
        drizzle_exposure({"data": ones}, ones, (x + shift, y), x.shape, compat=compat).weight
        for compat in (True, False)
    )
    np.testing.assert_allclose(before[:, 0], border, rtol=1e-12)
    np.testing.assert_allclose(after[:, 0], 1.0, rtol=1e-12)


def compat_noise(inputs, n_realisation, rng):
    """Products of jwst that are nothing but noise, and the stated error."""
    result = resample_slit(inputs, COMPAT)
    noise = 0.0
    for exposure, weight in zip(inputs, pixel_weights(inputs, "ivm"), strict=True):
        matrix = resampling_matrix(
            weight, result.grid.pixel_map(exposure), result.grid.shape, compat=True
        )
        sigma = np.where(exposure.good, np.sqrt(sum(exposure.variances.values())), 0.0).ravel()
        noise = noise + matrix.T @ (
            sigma[:, None] * rng.standard_normal((sigma.size, n_realisation))
        )
    weight = result.weight.ravel()[:, None]
    products = np.divide(noise, weight, out=np.zeros(noise.shape), where=weight > 0)
    return products.T.reshape(n_realisation, *result.grid.shape), result


def test_d12_errors(real_exposures):
    rng = np.random.default_rng(12)
    products, before = compat_noise(real_exposures, 300, rng)
    inner = before.weight > 0.5 * np.median(before.weight[before.weight > 0])
    ratio = (products.std(axis=0) / before.error)[inner]
    assert np.nanmedian(ratio) == pytest.approx(0.67, abs=0.02)
    assert before.covariance is None
    options = ResampleOptions(save_matrix=True)
    total = resample_slit(real_exposures, options)
    pixel = resample_slit(real_exposures, dataclasses.replace(options, error_mode="pixel"))
    noise = 0.0
    for exposure, matrix in zip(real_exposures, total.matrix, strict=True):
        sigma = np.where(exposure.good, np.sqrt(sum(exposure.variances.values())), 0.0).ravel()
        noise = noise + matrix @ (sigma[:, None] * rng.standard_normal((sigma.size, 300)))
    noise = noise.T.reshape(300, *total.grid.shape)
    inner = total.weight > 0.5 * np.median(total.weight[total.weight > 0])
    inner[:, :6] = inner[:, -6:] = False
    assert np.median((noise.std(axis=0) / pixel.error)[inner]) == pytest.approx(1.0, abs=0.02)
    for size in (5, 9):
        full = binary_erosion(inner, np.ones((size, size)))
        scatter = (uniform_filter(noise, (0, size, size)) * size**2).std(axis=0)
        variance = np.nan_to_num(total.error.astype(float) ** 2)
        stated = np.sqrt(uniform_filter(variance, size)[full] * size**2)
        assert np.median(scatter[full] / stated) == pytest.approx(1.0, abs=0.03)


def test_d13_the_smallest_numbers():
    # ivm of a point source in MJy: the square of a weight is beyond single precision.
    bright, faint = (
        [dataclasses.replace(synthetic.exposure(nod=nod, noise=noise)) for nod in NODS]
        for noise in (1.0, 1e-14)
    )
    weight = pixel_weights(faint, "ivm")[0].max()
    with np.errstate(over="ignore"):
        assert np.isinf(weight * weight)
    for compat in (True, False):
        options = ResampleOptions(compat=compat)
        expected, found = (resample_slit(inputs, options) for inputs in (bright, faint))
        seen = expected.weight > 0
        np.testing.assert_allclose(found.error[seen], 1e-14 * expected.error[seen], rtol=1e-5)


def test_d14_an_exposure_without_read_noise_variance(real_exposures):
    second = real_exposures[1]
    rest = {name: plane for name, plane in second.variances.items() if name != "var_rnoise"}
    lacking = list(real_exposures)
    lacking[1] = dataclasses.replace(second, variances=rest)
    before, after = (
        resample_slit(lacking, ResampleOptions(compat=compat)) for compat in (True, False)
    )
    # jwst: next to those of the others its weights are nothing, and where the exposure before it
    # was not, there is no error.
    assert np.nanmedian(pixel_weights([second], "ivm")[0][second.good]) > 6e3
    assert pixel_weights(lacking, "ivm", compat=True)[1].max() == 1.0
    assert np.count_nonzero(np.isfinite(before.error)) == 7601
    assert np.count_nonzero(before.weight > 0) == 9256
    assert np.isfinite(after.error[after.weight > 0]).all()
    share = after.weight.sum(dtype=float) / resample_slit(real_exposures).weight.sum(dtype=float)
    assert 0.6 < share < 1.0


def test_d15_exposures_one_by_one():
    before, after = both(models(), single=True)
    assert not isinstance(before, list)
    assert len(after) == 3
    assert [product.meta.filename[:25] for product in after] == [
        f"jw01234001001_02101_{number:05d}" for number in (1, 2, 3)
    ]


def test_d16_the_wavelength_of_a_column(real_exposures):
    change = {}
    for compat in (True, False):
        grid = build_output_grid(real_exposures[:1], compat=compat)
        step = np.diff(grid.table.wavelengths)
        change[compat] = abs(np.diff(step) / step[1:]).max()
    assert change[True] == pytest.approx(0.066, abs=0.002)
    # What is left is the dispersion of the prism.
    assert change[False] == pytest.approx(0.006, abs=0.001)


def visit():
    return [synthetic.multi_slit_model(number) for number in (1, 2, 3)]


def test_d17_exposure_times_of_many_sources():
    before, after = both(visit())
    assert before.slits[0].meta.exposure.exposure_time == 300.0
    assert before.meta.exposure.exposure_time == 100.0
    assert after.slits[0].meta.exposure.exposure_time == 300.0
    assert after.meta.exposure.exposure_time == 300.0


def test_d18_table_of_the_inputs_of_many_sources():
    before, after = both(visit())
    assert "hdrtab" not in tree_of(before)
    assert after.hdrtab["SOURCE"].astype(str).tolist() == ["A"] * 3 + ["B"] * 3


def test_d19_which_shape_goes_first():
    wcs = build_output_grid(exposures()).to_gwcs()
    stored = StoredWCS("grid.asdf", wcs, pixel_shape=(30, 20), array_shape=(21, 31))
    assert build_custom_grid(stored, compat=True).shape == wcs.array_shape
    assert build_custom_grid(stored).shape == (20, 30)
    assert build_custom_grid(stored, (50, 40)).shape == (40, 50)


@pytest.mark.parametrize("fillval", ["0.5", 0.5])
def test_d20_fillval_as_a_number(fillval):
    for product in both(models(1), fillval=fillval):
        empty = product.wht == 0
        assert empty.any()
        assert (product.data[empty] == 0.5).all()


def test_d21_an_area_with_the_grid(given):
    plain = both(models(), output_wcs=given())
    area = plain[1].meta.photometry.pixelarea_steradians
    before, after = both(models(), output_wcs=given(pixel_area=4 * area))
    assert np.nanmedian(before.err / plain[0].err) == pytest.approx(2.0, rel=0.01)
    np.testing.assert_array_equal(after.err, plain[1].err)
    np.testing.assert_array_equal(after.data, plain[1].data)
    assert after.meta.photometry.pixelarea_steradians == pytest.approx(4 * area)


def test_d22_pixels_without_data_are_flagged():
    before, after = both(models(), propagate_dq=True)
    flagged = [(product.dq & 1 > 0)[~np.isfinite(product.data)] for product in (before, after)]
    assert flagged[0].size > 0
    assert not flagged[0].any()
    assert flagged[1].all()
    assert not (after.dq & 1 > 0)[np.isfinite(after.data)].all()


def test_d23_the_line_of_a_curved_slit():
    # A slit bent by 2 % of its length: the chord of the box around it touches its ends only.
    u = np.linspace(-1.0, 1.0, 41)
    bent = 0.04 * u**2
    fitted = fit_line(bent, u, ratio=1.0, name="bent")
    off = {}
    for chord in (True, False):
        line, _ = place_line(fitted, [(bent, u)], chord=chord)
        off[chord] = np.mean(bent - line.at(line.row(bent, u))[0])
    assert off[True] == pytest.approx(np.mean(bent) - 0.02, abs=1e-3)
    assert abs(off[True]) > 0.005
    assert off[False] == pytest.approx(0.0, abs=1e-12)


def test_d24_what_arrives():
    # jwst counts pixels that miss the grid, sometimes less than none; the weights tell exactly.
    y, x = np.mgrid[:20, :20].astype(float)
    ones = np.ones(x.shape)
    drizzled = drizzle_exposure({"data": ones}, ones, (x - 3.7, y), x.shape)
    assert drizzled.weight.sum() == pytest.approx(400 - 20 * 3.7, rel=1e-12)
    fields = {field.name for field in dataclasses.fields(drizzled)}
    assert not {"nmiss", "nskip"} & fields


def test_every_difference_is_on_the_page_with_its_test(repository):
    assert_differences_are_tested(repository, "resample_spec", "D", 24)
