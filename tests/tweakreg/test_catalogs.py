"""Catalogs: every parameter of the finders shows its effect; images of all sorts have a result."""

from __future__ import annotations

import importlib.util
import inspect
import logging

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable, Table
from star_fields import add_star, errors_of, star_field, star_grid
from stdatamodels.jwst.datamodels import ImageModel, SlitModel

from webbweave.errors import WeaveError
from webbweave.tweakreg.catalogs import (
    LEAST_ERROR,
    FinderOptions,
    coverage_mask,
    empty_catalog,
    make_catalog,
    position_weights,
    rows_inside,
    standard_catalog,
)
from webbweave.tweakreg.sources import image_catalog, make_tweakreg_catalog

COLUMNS = ["id", "xcentroid", "ycentroid", "flux"]
FINDERS = ("dao", "iraf", "segmentation")


def catalog(image, mask=None, *, compat=False, err=None, **options):
    if options.get("starfinder") == "segmentation":
        pytest.importorskip("skimage")
    return make_catalog(image, mask, err, options=FinderOptions(**options), compat=compat)


@pytest.fixture(scope="module")
def field():
    return star_field((240, 260), 80, seed=4)


@pytest.mark.parametrize("finder", FINDERS)
def test_the_same_stars_with_every_finder(finder):
    image, x, y = star_grid(7, 24)
    found = catalog(image, starfinder=finder, bkg_boxsize=60, sharphi=2.0)
    assert found.colnames[:4] == COLUMNS
    assert list(found["id"]) == list(range(1, 50))
    errors, extra = errors_of(np.array(found["xcentroid"]), np.array(found["ycentroid"]), x, y)
    assert extra == 0
    assert len(errors) == 49
    assert errors.std() < (0.02 if finder == "segmentation" else 0.01)
    assert abs(errors.mean(axis=0)).max() < 0.006
    assert 0.6 < np.median(found["flux"]) / 3000.0 < 1.05
    assert found.meta["background_rms"] == pytest.approx(1.0, rel=0.1)
    assert found.meta["threshold"] == pytest.approx(10 * found.meta["background_rms"])


def test_positions_are_those_of_the_finder_if_wanted():
    image, x, y = star_grid(10, 20, noise=0.1)
    scatter = {}
    for refine in (False, True):
        found = catalog(image, refine=refine)
        assert ("xy_error" in found.colnames) is refine
        errors, _ = errors_of(np.array(found["xcentroid"]), np.array(found["ycentroid"]), x, y)
        scatter[refine] = errors.std()
    assert scatter[True] < 0.1 * scatter[False]
    compat = catalog(image, compat=True)
    rough = catalog(image, refine=False)
    np.testing.assert_allclose(compat["xcentroid"], rough["xcentroid"], atol=1e-6)


def count(field, **options):
    return len(catalog(field[0], bkg_boxsize=80, brightest=None, **options))


def test_parameters_that_let_fewer_sources_pass(field):
    usual = count(field)
    assert 40 < usual < 80
    assert count(field, snr_threshold=50.0) < usual
    assert count(field, sharplo=0.7) < usual
    assert count(field, sharphi=0.6) < usual
    assert count(field, roundlo=-0.05) < usual
    assert count(field, roundhi=0.05) < usual
    assert count(field, minsep_fwhm=6.0) < usual
    assert count(field, peakmax=300.0) < usual
    assert len(catalog(field[0], brightest=7)) == 7


def test_parameters_of_the_kernel(field):
    usual = catalog(field[0], refine=False)
    for change in ({"kernel_fwhm": 3.5}, {"sigma_radius": 3.0}):
        other = catalog(field[0], refine=False, **change)
        assert abs(np.sort(other["flux"])[-5:] / np.sort(usual["flux"])[-5:] - 1).max() > 1e-3


def test_the_brightest_come_first(field):
    found = catalog(field[0], brightest=20)
    assert (np.diff(found["flux"]) <= 0).all()
    rest = catalog(field[0], brightest=None)
    assert found["flux"].min() >= np.sort(rest["flux"])[-20]


@pytest.mark.parametrize("finder", ["dao", "iraf"])
def test_peakmax_is_not_reached(finder):
    image = np.zeros((41, 41), dtype=np.float32)
    image[20, 19:22] = image[19:22, 20] = 32.0
    image[20, 20] = 64.0
    options = {"starfinder": finder, "peakmax": 64.0, "sharplo": -9.0, "sharphi": 9.0}
    assert len(catalog(image, **options)) == 0
    assert len(catalog(image, compat=True, **options)) == 1
    assert len(catalog(image, **options | {"peakmax": 64.001})) == 1


def test_box_of_the_background():
    image, *_ = star_field((200, 200), 20, slope=0.5)
    rms = [catalog(image, bkg_boxsize=size).meta["background_rms"] for size in (20, 200)]
    assert rms[1] > 3 * rms[0]


def two_blends():
    image = np.random.default_rng(2).normal(5.0, 1.0, (120, 120))
    for x, y, flux in ((30, 30, 9e3), (37.5, 31, 6e3), (80, 70, 2e4), (90, 100, 400.0)):
        add_star(image, x, y, flux, 2.6)
    image[90:93, 20:23] += 60.0  # nine pixels
    return image


def segments(**options):
    return catalog(two_blends(), starfinder="segmentation", bkg_boxsize=60, **options)


def test_parameters_of_segmentation():
    usual = segments()
    assert len(usual) == 5
    assert len(segments(deblend=False)) == 4
    assert len(segments(contrast=0.9)) == 4
    assert len(segments(npixels=30)) < 5
    assert len(segments(npixels=5, kernel_fwhm=0.0)) >= 5
    assert len(segments(snr_threshold=100.0)) < 5


@pytest.mark.parametrize("mode", ["exponential", "linear", "sinh"])
def test_levels_of_deblending(mode):
    few, many = (segments(multithresh_mode=mode, nlevels=n) for n in (1, 32))
    assert len(few) <= len(many)
    assert len(many) == 5


def test_connectivity():
    image = np.random.default_rng(2).normal(5.0, 0.1, (60, 60))
    for k in range(4):  # squares that touch at their corners
        image[20 + 3 * k : 23 + 3 * k, 20 + 3 * k : 23 + 3 * k] += 50.0
    counts = {
        neighbours: len(
            catalog(
                image,
                starfinder="segmentation",
                kernel_fwhm=0.0,
                npixels=5,
                deblend=False,
                connectivity=neighbours,
            )
        )
        for neighbours in (4, 8, "4")
    }
    assert counts == {4: 4, 8: 1, "4": 4}


def test_segments_without_the_package_that_deblends(monkeypatch):
    original = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "skimage" else original(name)
    )
    image, x, *_ = star_grid(3, fwhm=3.0)
    with pytest.raises(WeaveError, match=r"scikit-image, .*webbweave\[segmentation\]"):
        make_catalog(image, options=FinderOptions(starfinder="segmentation"))
    options = FinderOptions(starfinder="segmentation", deblend=False)
    assert len(make_catalog(image, options=options)) == len(x)


def test_parameters_of_apertures_are_passed_on(monkeypatch):
    pytest.importorskip("skimage")
    from photutils import segmentation

    seen = {}
    original = segmentation.SourceCatalog

    def spy(*arguments, **options):
        seen.update(options)
        return original(*arguments, **options)

    monkeypatch.setattr(segmentation, "SourceCatalog", spy)
    spy.__signature__ = inspect.signature(original)
    err = np.ones((120, 120))
    catalog(
        two_blends(),
        err=err,
        starfinder="segmentation",
        localbkg_width=24,
        apermask_method="mask",
        kron_params=(2.0, 1.0),
    )
    assert seen.get("local_bkg_width", seen.get("localbkg_width")) == 24
    assert seen.get("aperture_mask_method", seen.get("apermask_method")) == "mask"
    assert seen["kron_params"] == (2.0, 1.0)
    assert seen["error"].shape == err.shape


@pytest.mark.parametrize("finder", FINDERS)
@pytest.mark.parametrize("what", ["nan", "flagged", "blank", "zero"])
def test_images_without_sources(finder, what, caplog):
    image = np.random.default_rng(1).normal(5.0, 1.0, (64, 64))
    mask = None
    if what == "nan":
        image[:] = np.nan
    elif what == "flagged":
        mask = np.ones(image.shape, dtype=bool)
    elif what == "zero":
        image[:] = 0.0
    with caplog.at_level(logging.WARNING):
        found = catalog(image, mask, starfinder=finder)
    assert len(found) == 0
    assert found.colnames == COLUMNS
    expected = "background" if what in ("nan", "flagged") else "no sources found"
    assert expected in caplog.text


@pytest.mark.parametrize("finder", FINDERS)
@pytest.mark.parametrize("number", [1, 2])
def test_images_with_few_sources(finder, number):
    image = np.random.default_rng(1).normal(5.0, 1.0, (64, 64))
    for k in range(number):
        add_star(image, 20.3 + 20 * k, 30.1, 5000.0, 2.5)
    found = catalog(image, starfinder=finder, sharphi=2.0)
    assert len(found) == number
    assert sorted(found["xcentroid"]) == pytest.approx([20.3, 40.3][:number], abs=0.03)


@pytest.mark.parametrize("fraction", [0.45, 0.55])
def test_half_of_the_image_masked(fraction):
    image, x, y = star_grid(10, 24)
    mask = np.zeros(image.shape, dtype=bool)
    mask[:, : int(fraction * image.shape[1])] = True
    image[mask] = 0.0
    open_stars = x > fraction * image.shape[1] + 4
    found = catalog(image, mask, bkg_boxsize=60, brightest=None)
    errors, extra = errors_of(np.array(found["xcentroid"]), np.array(found["ycentroid"]), x, y)
    assert extra == 0
    assert len(errors) == pytest.approx(open_stars.sum(), abs=3)
    peer = catalog(image, mask, bkg_boxsize=60, brightest=None, compat=True)
    assert (len(peer) > 5 * len(found)) is (fraction > 0.5)


def test_isolated_bad_pixels_do_not_matter():
    image, x, y = star_grid(12, 20, noise=0.5)
    mask = np.random.default_rng(8).random(image.shape) < 0.02
    image[mask] = 1e5
    found = catalog(image, mask, bkg_boxsize=60, brightest=None, sharplo=0.0, sharphi=2.0)
    errors, extra = errors_of(np.array(found["xcentroid"]), np.array(found["ycentroid"]), x, y)
    assert extra == 0
    assert len(errors) > 0.9 * len(x)
    assert errors.std() < 0.01


def test_inputs_stay_as_they_are():
    image, *_ = star_grid(4, 20)
    image[3, 3] = np.nan
    mask = image > 1e9
    copies = image.copy(), mask.copy()
    image.setflags(write=False)
    mask.setflags(write=False)
    catalog(image, mask)
    catalog(image.astype(">f4"), mask, starfinder="iraf")
    np.testing.assert_array_equal(image, copies[0])
    np.testing.assert_array_equal(mask, copies[1])


def test_coverage_mask():
    dq = np.array([[0, 1, 2], [512, 513, 4]], dtype=np.uint32)
    assert coverage_mask(dq).tolist() == [[False, True, False], [True, True, False]]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"starfinder": "daofind"}, "Unknown starfinder type: 'daofind'"),
        ({"connectivity": 6}, "connectivity"),
        ({"multithresh_mode": "log"}, "multithresh_mode"),
        ({"apermask_method": "all"}, "apermask_method"),
        ({"kron_params": (1.0,)}, "kron_params: expected 2 or 3"),
        ({"kernel_fwhm": 0.0}, "kernel_fwhm"),
        ({"sigma_radius": -1.0}, "sigma_radius"),
        ({"snr_threshold": -1.0}, "snr_threshold"),
        ({"snr_threshold": np.nan}, "snr_threshold"),
        ({"brightest": 0}, "brightest"),
        ({"bkg_boxsize": 0}, "bkg_boxsize"),
        ({"npixels": 0}, "npixels"),
    ],
)
def test_options_without_meaning(wrong, message):
    with pytest.raises(ValueError, match=message):
        FinderOptions(**wrong)


def test_bounds_of_the_other_finder_are_warned_of():
    assert FinderOptions().advice is None
    assert FinderOptions(starfinder="iraf", sharplo=0.5, roundlo=0.0).advice is None
    for bounds in ({"sharplo": 0.5}, {"roundlo": 0.0}):
        assert "starfinder='iraf'" in (FinderOptions(**bounds).advice or "")


def test_arrays_that_do_not_fit():
    for wrong in (np.zeros(5), np.zeros((2, 3, 4)), np.zeros((0, 4))):
        with pytest.raises(ValueError, match=r"c\.fits: expected an image"):
            make_catalog(wrong, name="c.fits")
    with pytest.raises(ValueError, match=r"mask has shape \(2, 2\), expected \(4, 4\)"):
        make_catalog(np.zeros((4, 4)), np.zeros((2, 2), dtype=bool))
    with pytest.raises(ValueError, match="err has shape"):
        make_catalog(np.zeros((4, 4)), err=np.zeros((2, 2)))


@pytest.mark.parametrize(
    "names", [("x", "y"), ("xcentroid", "ycentroid"), ("x_centroid", "y_centroid")]
)
def test_standard_names(names):
    table = QTable({names[0]: [1.0, 2.0] * u.pix, names[1]: [3, 4], "mag": [20.0, 21.0]})
    found = standard_catalog(table)
    assert found.colnames == ["x", "y", "mag"]
    assert found["x"].tolist() == [1.0, 2.0]
    assert table.colnames == [*names, "mag"]


def test_rows_without_a_position_are_left_out(caplog):
    table = Table({"x": [1.0, np.nan, 3.0, 4.0], "y": [1.0, 2.0, np.inf, 4.0], "weight": [1.0] * 4})
    table = Table(table, masked=True)
    table["weight"].mask[0] = True
    assert standard_catalog(table, "d.ecsv")["x"].tolist() == [4.0]
    assert "d.ecsv: 3 rows" in caplog.text


def test_catalogs_without_coordinates():
    with pytest.raises(ValueError, match=r"'tweakreg' source catalogs must.*d\.ecsv has \['x'\]"):
        standard_catalog(Table({"x": [1.0]}), "d.ecsv")
    with pytest.raises(ValueError, match="column 'y' holds no numbers"):
        standard_catalog(Table({"x": [1.0], "y": ["far"]}))


def test_rows_inside():
    table = Table({"x": [0.0, 5.0, 5.0, 9.0], "y": [2.0, 2.0, 4.0, 2.0]})
    assert rows_inside(table, ((0.0, 9.0), (0.0, 4.0)))["x"].tolist() == [5.0]
    assert len(rows_inside(table, None)) == 4
    assert len(rows_inside(standard_catalog(empty_catalog()), ((0, 1), (0, 1)))) == 0


@pytest.fixture
def model():
    image, *_ = star_grid(6, 20)
    model = ImageModel(data=image, dq=np.zeros(image.shape, dtype=np.uint32))
    model.dq[:30] = 513
    model.meta.filename = "jw01_nrcb1_cal.fits"
    return model


def test_catalog_of_a_model(model, caplog):
    data, dq = model.data.copy(), model.dq.copy()
    with caplog.at_level(logging.INFO):
        found = image_catalog(
            model, FinderOptions(bkg_boxsize=40), bounding_box=((25, 119), (0, 119))
        )
    assert found.colnames == ["id", "x", "y", "flux", "xy_error"]
    assert found.meta["name"] == "jw01_nrcb1_cal"
    assert len(found) == 4 * 5
    assert found["x"].min() > 25
    assert "Detected 20 sources in jw01_nrcb1_cal.fits." in caplog.text
    np.testing.assert_array_equal(model.data, data)
    np.testing.assert_array_equal(model.dq, dq)
    assert image_catalog(model, FinderOptions(snr_threshold=1e6)).colnames == [
        "id",
        "x",
        "y",
        "flux",
    ]
    assert "No sources found in jw01_nrcb1_cal.fits." in caplog.text


def test_function_of_jwst(model):
    found = make_tweakreg_catalog(model, 10.0, 40, starfinder_kwargs={"fwhm": 3.0, "brightest": 5})
    assert len(found) == 5
    same = make_tweakreg_catalog(model, 10.0, 40, "dao", {"kernel_fwhm": 3.0, "n_brightest": 5})
    np.testing.assert_array_equal(found["xcentroid"], same["xcentroid"])
    with pytest.raises(TypeError, match="expected an ImageModel, found SlitModel"):
        make_tweakreg_catalog(SlitModel((4, 4)), 10.0)
    with pytest.raises(TypeError, match="no_such"):
        make_tweakreg_catalog(model, 10.0, starfinder_kwargs={"no_such": 1})
    with pytest.raises(ValueError, match="Unknown starfinder type"):
        make_tweakreg_catalog(model, 10.0, starfinder="sep")


@pytest.mark.parametrize("starfinder", ["dao", "iraf"])
def test_weights_are_what_the_errors_of_positions_are(starfinder):
    pulls = []
    for flux in (120.0, 600.0, 6000.0):
        image, x, y = star_grid(flux=flux)
        options = FinderOptions(starfinder=starfinder, snr_threshold=3, sharphi=2, brightest=None)
        found = make_catalog(image, options=options)
        places = np.array(found["xcentroid"]), np.array(found["ycentroid"])
        errors, _ = errors_of(*places, x, y, within=np.inf)
        near = np.hypot(*errors.T) < 0.7
        assert np.count_nonzero(near) > 50
        weight = position_weights(np.array(found["xy_error"]))
        pulls.append(np.median(np.abs(errors[near]) * np.sqrt(weight[near, None])) * 1.4826)
    # Faint stars are as good as is promised; bright ones are better, by what is not noise.
    assert pulls[0] == pytest.approx(1.0, abs=0.3)
    assert pulls[2] < 0.7


def test_weights_of_positions_are_bounded():
    weight = position_weights(np.array([0.0, 1e-6, LEAST_ERROR, 0.5, np.nan]))
    assert weight[:2] == pytest.approx(1 / LEAST_ERROR**2, rel=1e-6)
    assert weight[2] == pytest.approx(1 / (2 * LEAST_ERROR**2))
    assert weight[3] < weight[4] < weight[2]
