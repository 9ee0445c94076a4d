"""Products: header values, tables and FITS keywords, in memory and after saving."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
import synthetic
import synthetic_lrs
from astropy.io import fits
from astropy.wcs import WCS
from stdatamodels.jwst import datamodels

from webbweave.datamodels import get_path, read_model, save_model, set_path, tree_of
from webbweave.errors import InputError
from webbweave.resample import ResampleOptions, read_covariance, read_matrix, resample_slit
from webbweave.resample.covariance import Covariance, neighbour_offsets
from webbweave.resample.custom_wcs import CustomGrid
from webbweave.resample.products import group_by_source, product_tree, slit_inputs, source_position
from webbweave.resample.slit_products import multi_slit_product, slit_product, source_product

CORRECTED, COMPAT = ResampleOptions(), ResampleOptions(compat=True)
OFFSETS = ((0, 0), (0, 1), (1, -1), (1, 0), (1, 1))


def correlated(resampled, level=1.0):
    """A spectrum with made-up covariances."""
    cube = np.arange(1.0, len(OFFSETS) + 1, dtype=np.float32)[:, None, None] + np.zeros(
        resampled.grid.shape, np.float32
    )
    return replace(resampled, covariance=Covariance(np.float32(level) * cube, OFFSETS))


@pytest.fixture(scope="module")
def resampled():
    """The spectrum of the synthetic scene; what is in it does not depend on the header."""
    inputs = [slit_inputs("a", model)[0] for model in exposures()]
    return resample_slit([item.exposure() for item in inputs])


def exposures(n=2):
    return [synthetic.multi_slit_model(number, ("A", "B")) for number in range(1, n + 1)]


def slits_of(models):
    return [slit for model in models for slit in slit_inputs("file", model)]


def make(resampled, models, options=CORRECTED, *, used=None, **kwargs):
    groups = group_by_source(slits_of(used or models)).values()
    # No two slits may share an array.
    sources = [
        source_product(copy.deepcopy(resampled), group, options, **kwargs) for group in groups
    ]
    trees = [tree_of(model) for model in models]
    return multi_slit_product(trees, sources, options, **kwargs)


def test_table_of_all_inputs_of_all_sources(resampled, tmp_path):
    models = exposures()
    tree_of(models[1])["slits"][0]["source_xpos"] = 0.25
    tree_of(models[1])["slits"][0]["xstart"] = 7
    product = make(resampled, models)
    # Attributes of a slit are those of its first input; the table has those of all.
    assert "source_xpos" not in tree_of(product)["slits"][0]
    path = save_model(product, tmp_path / "many_s2d.fits")
    with datamodels.open(path) as again:
        table = again.hdrtab
        assert table["SOURCE"].tolist() == ["A", "A", "B", "B"]
        names = [f"jw01234001001_02101_0000{number}_nrs1_cal.fits" for number in (1, 2)]
        assert table["FILENAME"].tolist() == names * 2
        assert table["SLTNAME"].tolist() == ["1", "1", "2", "2"]
        np.testing.assert_array_equal(table["SRCXPOS"], [np.nan, 0.25, np.nan, np.nan])
        np.testing.assert_array_equal(table["SLTSTRT1"], [np.nan, 7, np.nan, np.nan])
        assert table["DATE-OBS"].tolist() == ["2026-01-01", "2026-01-02"] * 2
        np.testing.assert_array_equal(again.slits[1].data, resampled.data)


def test_header_of_many_sources_is_that_of_all_exposures(resampled):
    models = exposures(3)
    tree_of(models[1])["meta"]["instrument"]["detector"] = "NRS2"
    before = dict(tree_of(models[1])["meta"]["exposure"])
    # No source was made of the third exposure.
    meta = make(resampled, models, used=models[:2]).meta
    assert meta.exposure.exposure_time == 200.0
    assert meta.exposure.effective_exposure_time == 200.0
    assert meta.exposure.duration == 220.0
    assert (meta.exposure.start_time, meta.exposure.end_time) == (60001.0, 60002.5)
    assert meta.instrument.detector == "MULTIPLE"
    assert meta.resample.pointings == 2
    assert meta.resample.error_mode == "total"
    assert meta.resample.combine == "mean"
    assert meta.cal_step.resample == "COMPLETE"
    assert tree_of(models[1])["meta"]["exposure"] == before
    unblended = make(resampled, models, used=models[:2], blend=False)
    assert unblended.meta.instrument.detector == "NRS1"
    assert unblended.meta.exposure.exposure_time == 200.0
    assert "hdrtab" not in tree_of(unblended)


def test_two_detectors_of_an_exposure_count_once(resampled):
    models = [synthetic.multi_slit_model(1, ("A",)) for _ in range(2)]
    set_path(tree_of(models[1]), "meta.instrument.detector", "NRS2")
    product = make(resampled, models)
    assert product.meta.exposure.exposure_time == 100.0
    assert product.meta.resample.pointings == 1
    assert len(product.hdrtab) == 2


def test_compat_has_what_jwst_has(resampled, tmp_path):
    models = exposures()
    tree_of(models[0])["slits"][0]["meta"]["wcsinfo"]["crpix1"] = 99.0
    product = make(correlated(resampled), models, COMPAT)
    assert product.meta.exposure.exposure_time == 100.0
    path = save_model(product, tmp_path / "many_s2d.fits")
    with fits.open(path) as hdus:
        names = {hdu.name for hdu in hdus}
        assert not {"HDRTAB", "WCS-TABLE", "COVAR"} & names
        assert not {"ERRMODE", "COMBINE"} & set(hdus[0].header)
        assert not {"NOISCORR", "WCSAXES", "PS1_0"} & set(hdus["SCI"].header)
        assert hdus["SCI"].header["CRPIX1"] == 99.0
    [first, *_] = group_by_source(slits_of(models)).values()
    alone = slit_product(source_product(resampled, first, COMPAT), COMPAT)
    assert len(alone.hdrtab) == 2
    assert not {"SLTNAME", "SOURCE"} & set(alone.hdrtab.dtype.names)


def test_noted_ratio_with_a_grid_of_the_user(resampled):
    group = slits_of(exposures())[::2]
    made = replace(resampled, ratio=1.7)
    for compat, expected in ((False, 1.7), (True, 1.0)):
        options = ResampleOptions(output_wcs="grid.asdf", compat=compat)
        tree = product_tree(made, group, options)
        assert get_path(tree, "meta.resample.pixel_scale_ratio") == expected


@pytest.mark.parametrize("many", [False, True])
def test_fits_keywords_of_the_wavelengths(resampled, tmp_path, many):
    models = exposures()
    for slit in tree_of(models[0])["slits"]:
        # The axes of the detector image are not those of the product.
        slit["meta"]["wcsinfo"] |= {"ctype1": "RA---TAN", "pc1_2": 0.5, "ra_ref": 12.0}
        slit["source_ypos"] = 0.15
    if many:
        product = make(resampled, models)
    else:
        [group, _] = group_by_source(slits_of(models)).values()
        product = slit_product(source_product(resampled, group, CORRECTED), CORRECTED)
    path = save_model(product, tmp_path / "a_s2d.fits")
    with fits.open(path) as hdus, datamodels.open(path) as model:
        columns = hdus["WCS-TABLE"].columns.names
        assert columns == (["wave_slit_1", "wave_slit_2"] if many else ["wavelength"])
        for number, slit in enumerate(model.slits if many else [model], 1):
            header = hdus["SCI", number].header
            assert header["RA_REF"] == 12.0
            assert "PC1_2" not in header
            x, y = np.meshgrid(np.arange(header["NAXIS1"]), np.arange(header["NAXIS2"]))
            wavelength, offset = WCS(header, hdus).pixel_to_world_values(x, y)
            ra, dec, expected = slit.meta.wcs(x, y)
            np.testing.assert_array_equal(wavelength, expected)
            separation = np.hypot((ra - ra[0]) * np.cos(np.deg2rad(dec)), dec - dec[0])
            np.testing.assert_allclose(offset - offset[0], 3600 * separation, rtol=0, atol=1e-5)
            # The source is planned 0.15 arcsec from the middle of the slit of the first exposure.
            to_slit = slit.meta.wcs.get_transform("detector", "slit_frame")
            _, slit_y, _ = to_slit(0.0, header["CRPIX2"] - 1)
            assert slit_y == pytest.approx(0.15, abs=1e-12)


def test_more_slits_than_columns(resampled, monkeypatch, caplog, tmp_path):
    monkeypatch.setattr("webbweave.resample.fits_wcs._MOST_COLUMNS", 1)
    product = make(resampled, exposures())
    assert "no FITS keywords" in caplog.text
    with fits.open(save_model(product, tmp_path / "a.fits")) as hdus:
        assert "WCS-TABLE" not in hdus
        assert "CTYPE1" not in hdus["SCI"].header


def test_position_of_a_nirspec_source(resampled):
    grid = resampled.grid
    middle = grid.slit_y[4:6].mean()
    assert source_position(grid, {"source_ypos": middle}) == pytest.approx(4.5)
    flipped = replace(grid, slit_y=grid.slit_y[::-1].copy())
    assert source_position(flipped, {"source_ypos": middle}) == pytest.approx(grid.n_row - 5.5)
    for header in ({}, {"source_ypos": None}, {"source_ypos": 99.0}, {"source_ypos": np.nan}):
        assert source_position(grid, header) is None


def test_spectra_along_y(tmp_path):
    model = synthetic_lrs.lrs_model(0.9)
    # The source is at the origin of the tangent plane of the scene.
    tree_of(model)["meta"]["dither"] = {"dithered_ra": 80.0, "dithered_dec": -69.5}
    inputs = slit_inputs("lrs", model)
    made = resample_slit([inputs[0].exposure()])
    product = slit_product(source_product(made, inputs, CORRECTED), CORRECTED)
    path = save_model(product, tmp_path / "lrs_s2d.fits")
    with fits.open(path) as hdus:
        header = hdus["SCI"].header
        assert (header["CTYPE1"], header["CTYPE2"]) == ("OFFSET", "WAVE-TAB")
        assert header["PS2_1"] == "wavelength"
        x, y = np.meshgrid(np.arange(header["NAXIS1"]), np.arange(header["NAXIS2"]))
        offset, wavelength = WCS(header, hdus).pixel_to_world_values(x, y)
    assert (np.diff(wavelength[:, 0]) < 0).all()
    np.testing.assert_array_equal(wavelength, made.grid.to_gwcs()(x, y)[2])
    # Offsets are from the source that the image shows.
    profile = np.nansum(made.data, axis=0)
    assert np.average(offset[0], weights=profile) == pytest.approx(0.0, abs=0.01)
    np.testing.assert_allclose(np.diff(offset[0]), synthetic_lrs.PIXEL_SCALE, rtol=1e-3)


def test_grid_that_reaches_beyond_its_wcs(resampled):
    [group, _] = group_by_source(slits_of(exposures())).values()
    ny, nx = resampled.grid.shape
    wcs = resampled.grid.to_gwcs()
    for shape, is_described in (((ny, nx), True), ((ny, nx + 5), False)):
        made = replace(resampled, grid=CustomGrid("grid.asdf", wcs, shape))
        product = slit_product(source_product(made, group, CORRECTED), CORRECTED)
        assert ("wavetable" in tree_of(product)) == is_described
        assert (get_path(tree_of(product), "meta.wcsinfo.ctype1") == "WAVE-TAB") == is_described
        assert get_path(tree_of(product), "meta.wcsinfo.dispersion_direction") == 1


def test_headers_are_shared_and_products_travel(resampled):
    models = exposures()
    first, second = slit_inputs("a", models[0])
    assert first.metadata["meta"]["observation"] is second.metadata["meta"]["observation"]
    assert "wcs" not in first.metadata["meta"]
    source = source_product(resampled, slits_of(models)[::2], CORRECTED)
    source.tree["meta"].pop("wcs")
    again = pickle.loads(pickle.dumps(source))
    assert again.source == "A"
    assert again.headers == source.headers
    np.testing.assert_array_equal(again.wavelengths, resampled.grid.table.wavelengths)


def test_offsets_of_the_covariances():
    assert neighbour_offsets(1, 1) == OFFSETS
    assert neighbour_offsets(0, 2) == ((0, 0), (0, 1), (0, 2))
    found = neighbour_offsets(2, 3)
    assert len(found) == 4 + 2 * 7
    every = {(dy, dx) for dy in range(-2, 3) for dx in range(-3, 4)}
    assert set(found) | {(-dy, -dx) for dy, dx in found} == every


def test_covariances_of_one_source(resampled, tmp_path):
    group = slits_of(exposures())[::2]
    made = correlated(resampled)
    product = slit_product(source_product(made, group, CORRECTED), CORRECTED)
    path = save_model(product, tmp_path / "one_s2d.fits")
    factor = made.covariance.noise_correlation
    assert factor > 1
    with fits.open(path) as hdus:
        assert hdus["COVAR"].header["BITPIX"] == -32
        assert (hdus["COVAR"].header["REACHY"], hdus["COVAR"].header["REACHX"]) == (1, 1)
        assert hdus["SCI"].header["NOISCORR"] == pytest.approx(factor)
        assert hdus[0].header["ERRMODE"] == "total"
        assert hdus[0].header["COMBINE"] == "mean"
    with datamodels.open(path) as model:
        assert isinstance(model, datamodels.SlitModel)
        assert model.meta.resample.noise_correlation == pytest.approx(factor)
        for source in (path, model, product):
            found = read_covariance(source)
            assert found.offsets == OFFSETS
            assert found.values.dtype == np.float32
            np.testing.assert_array_equal(found.values, made.covariance.values)


def test_covariances_of_many_sources(resampled, tmp_path):
    models = exposures()
    sources = [
        source_product(correlated(copy.deepcopy(resampled), level=level), group, CORRECTED)
        for level, group in enumerate(group_by_source(slits_of(models)).values(), 1)
    ]
    product = multi_slit_product([tree_of(model) for model in models], sources, CORRECTED)
    assert "noise_correlation" not in tree_of(product)["meta"]["resample"]
    path = save_model(product, tmp_path / "many_s2d.fits")
    with fits.open(path) as hdus:
        assert [hdu.ver for hdu in hdus if hdu.name == "COVAR"] == [1, 2]
        assert hdus["SCI", 2].header["NOISCORR"] > 1
        assert hdus["COVAR", 2].header["REACHX"] == 1
    with read_model(path) as model:
        for slit, level in ((0, 1), ("A", 1), (1, 2), ("B", 2)):
            found = read_covariance(model, slit)
            assert found.offsets == OFFSETS
            np.testing.assert_array_equal(found.values[:, 0, 0], level * np.arange(1, 6))
        for slit in (None, 2, -1, "C"):
            with pytest.raises(InputError, match=r"many_s2d\.fits: expected the number .0 to 1. "):
                read_covariance(model, slit)


def test_covariances_that_are_not_there_or_wrong(resampled, tmp_path):
    group = slits_of(exposures())[::2]
    bare = replace(resampled, covariance=None)
    product = slit_product(source_product(bare, group, CORRECTED), CORRECTED)
    with pytest.raises(InputError, match="no covariances, expected an extension COVAR"):
        read_covariance(product)
    with pytest.raises(InputError, match="no resampling matrix"):
        read_matrix(product)
    product = slit_product(source_product(correlated(resampled), group, CORRECTED), CORRECTED)
    tree_of(product)["covariance"] = tree_of(product)["covariance"][:3]
    with pytest.raises(InputError, match="COVAR has 3 planes, expected 5"):
        read_covariance(product)


def test_the_matrix_makes_the_saved_product(tmp_path):
    options = ResampleOptions(save_matrix=True)
    groups = group_by_source(slits_of(exposures())).values()
    spectra = [resample_slit([item.exposure() for item in group], options) for group in groups]
    sources = [
        source_product(spectrum, group, options)
        for spectrum, group in zip(spectra, groups, strict=True)
    ]
    product = multi_slit_product([tree_of(model) for model in exposures()], sources, options)
    path = save_model(product, tmp_path / "many_s2d.fits")
    matrices = read_matrix(path, "B")
    names = [item.name for item in list(groups)[1]]
    assert [name for name, _ in matrices] == names
    pixels = [item.exposure().data for item in list(groups)[1]]
    made = sum(
        matrix @ np.nan_to_num(data).ravel().astype(float)
        for (_, matrix), data in zip(matrices, pixels, strict=True)
    )
    seen = spectra[1].weight > 0
    np.testing.assert_allclose(
        made.reshape(seen.shape)[seen], spectra[1].data[seen], rtol=1e-5, atol=1e-16
    )
