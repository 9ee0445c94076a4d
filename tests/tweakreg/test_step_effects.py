"""Parameters of the step one by one: what changes in its results."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.table import Table
from dithered_models import exposures
from gwcs import WCS
from star_fields import add_star
from stdatamodels.jwst.datamodels import ImageModel
from synthetic_image_wcs import WCSINFO, image_wcs

from webbweave.datamodels import read_table, tree_of
from webbweave.tweakreg import TweakRegStep

SIDE = 160


def image_model(image, err=1.0):
    """An image with all that the step needs."""
    model = ImageModel(image.shape)
    model.data = image.astype(np.float32)
    model.err = np.full(image.shape, err, dtype=np.float32)
    model.meta.wcs = image_wcs()
    for key, value in WCSINFO.items():
        setattr(model.meta.wcsinfo, key, value)
    model.meta.filename = "field_cal.fits"
    return model


def stars(slope=0.0):
    """Stars of many fluxes, perhaps on a slope; a close pair, a wide source, a hot pixel."""
    rng = np.random.default_rng(7)
    image = rng.normal(5.0, 1.0, (SIDE, SIDE)) + slope * np.arange(SIDE)
    nodes = np.arange(14, SIDE, 22)
    x, y = (axis.ravel() + rng.uniform(-3, 3, nodes.size**2) for axis in np.meshgrid(nodes, nodes))
    for star in zip(x, y, np.geomspace(200, 2e4, x.size), strict=True):
        add_star(image, *star, 2.3)
    add_star(image, x[30] + 6.0, y[30] + 0.5, 3000.0, 2.3)
    add_star(image, x[40] + 11.0, y[40] + 11.0, 3e4, 6.5)
    image[int(y[44]) + 11, int(x[44]) + 11] += 2000.0
    return image_model(image)


def blends():
    """Two pairs of stars that touch, and squares that are no stars."""
    image = np.random.default_rng(2).normal(5.0, 1.0, (120, 120))
    for x, y, flux in ((30, 30, 9e3), (36, 31, 6e3), (80, 70, 2e4), (87, 72, 3000.0)):
        add_star(image, x, y, flux, 2.6)
    image[90:93, 20:23] += 60.0
    for k in range(4):  # squares that touch at their corners
        image[20 + 3 * k : 23 + 3 * k, 90 + 3 * k : 93 + 3 * k] += 50.0
    return image_model(image)


def found(model, folder, **options):
    """The catalog that the step saves of one image."""
    step = TweakRegStep(save_catalogs=True, output_dir=str(folder), **options)
    step.run([model])
    return read_table(folder / "field_cal_cat.ecsv")


def places(table):
    """The sources as a set of places, to a tenth of a pixel."""
    return set(zip(np.round(table["x"], 1), np.round(table["y"], 1), strict=True))


@pytest.fixture(scope="module")
def scene():
    return stars()


@pytest.fixture(scope="module")
def usual(scene, tmp_path_factory):
    folder = tmp_path_factory.mktemp("usual")
    return found(scene, folder, brightest=1000)


@pytest.mark.parametrize(
    "change",
    [
        {"snr_threshold": 100.0},
        {"sharplo": 0.5},
        {"sharphi": 0.6},
        {"roundlo": -0.02},
        {"roundhi": 0.02},
        {"brightest": 9},
        {"peakmax": 500.0},
        {"minsep_fwhm": 4.0},
    ],
    ids=lambda change: next(iter(change)),
)
def test_bounds_leave_sources_out(scene, usual, tmp_path, change):
    fewer = found(scene, tmp_path, **{"brightest": 1000} | change)
    assert 0 < len(fewer) < len(usual)
    assert places(fewer) < places(usual)
    (name, value), *_ = change.items()
    if name == "brightest":
        assert len(fewer) == value
        assert fewer["flux"].min() >= np.sort(usual["flux"])[-value]
    if name == "peakmax":
        data = scene.data - 5.0
        rows, columns = (np.rint(fewer[axis]).astype(int) for axis in ("y", "x"))
        assert data[rows, columns].max() < value + 10.0


def test_starfinder(scene, usual, tmp_path):
    """All find the stars, by rules of their own: what the hot pixel or the wide source is."""
    iraf = found(scene, tmp_path, starfinder="iraf", brightest=1000)
    pytest.importorskip("skimage")
    segments = found(scene, tmp_path, starfinder="segmentation")
    for table in (iraf, segments):
        assert places(table) != places(usual)
        distance = np.hypot(
            np.subtract.outer(np.array(usual["x"]), np.array(table["x"])),
            np.subtract.outer(np.array(usual["y"]), np.array(table["y"])),
        )
        assert np.mean(distance.min(axis=1) < 0.3) > 0.75


@pytest.mark.parametrize("change", [{"kernel_fwhm": 6.0}, {"sigma_radius": 3.0}])
def test_the_kernel(scene, tmp_path, change):
    """A larger cutout holds more of the flux."""
    tables = [found(scene, tmp_path, brightest=5, **options) for options in ({}, change)]
    flux = [np.sum(np.sort(table["flux"])[-3:]) for table in tables]
    assert flux[1] > 1.02 * flux[0]


def test_the_box_of_the_background(tmp_path):
    """A slope is taken for noise in one box, and hides faint stars."""
    model = stars(slope=0.2)
    fine, coarse = (found(model, tmp_path, bkg_boxsize=size) for size in (40, 400))
    assert len(fine) > 1.1 * len(coarse)


def segments(folder, **options):
    return found(blends(), folder, starfinder="segmentation", bkg_boxsize=60, **options)


@pytest.fixture(scope="module")
def usual_segments(tmp_path_factory):
    pytest.importorskip("skimage")
    return segments(tmp_path_factory.mktemp("segments"), snr_threshold=5.0)


@pytest.mark.parametrize(
    ("change", "more"),
    [
        ({"npixels": 30}, -1),
        ({"connectivity": 4, "kernel_fwhm": 0.0, "npixels": 5, "deblend": False}, +2),
        ({"deblend": False}, -1),
        ({"contrast": 0.9}, -1),
        ({"nlevels": 1}, -1),
        ({"snr_threshold": 1000.0}, -1),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_sources_by_segmentation(usual_segments, tmp_path, change, more):
    table = segments(tmp_path, **{"snr_threshold": 5.0} | change)
    base = usual_segments
    if "connectivity" in change:
        base = segments(tmp_path, **{"snr_threshold": 5.0} | change | {"connectivity": 8})
    assert (len(table) - len(base)) * np.sign(more) >= abs(more)


@pytest.mark.parametrize("mode", ["linear", "sinh"])
def test_spacing_of_levels(tmp_path, mode):
    """With few levels between threshold and peak, where they are decides what is separated."""
    pytest.importorskip("skimage")
    counts = [
        len(segments(tmp_path, nlevels=n, multithresh_mode=kind, snr_threshold=5.0))
        for kind in ("exponential", mode)
        for n in (2, 3, 4)
    ]
    assert counts[:3] != counts[3:]


@pytest.mark.parametrize(
    "change",
    [{"localbkg_width": 12}, {"apermask_method": "none"}, {"kron_params": [1.2, 1.0]}],
    ids=lambda change: next(iter(change)),
)
def test_measures_of_segments(monkeypatch, tmp_path, change):
    """They count in what photutils measures of each source; the catalog has its segment flux."""
    pytest.importorskip("skimage")
    from photutils import segmentation

    seen = []
    original = segmentation.SourceCatalog

    class Spy(original):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            seen.append(self)

    monkeypatch.setattr(segmentation, "SourceCatalog", Spy)
    tables = [segments(tmp_path, **options) for options in ({}, change)]
    fluxes = [np.array(each.kron_flux) for each in seen]
    assert len(tables[0]) == len(tables[1])
    assert np.nanmax(np.abs(fluxes[1] / fluxes[0] - 1)) > 1e-4
    if "localbkg_width" in change:
        assert not np.array_equal(tables[0]["flux"], tables[1]["flux"])


# The stages, on catalogs.


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return exposures(tmp_path_factory.mktemp("pair"), 2, n_star=250)


@pytest.fixture(scope="module")
def table_file(pair, tmp_path_factory):
    path = tmp_path_factory.mktemp("reference") / "stars.ecsv"
    pair.reference.write(path)
    return str(path)


def fit(field, **options):
    step = TweakRegStep(use_custom_catalogs=True, **{"sip_approx": False} | options)
    result = step.run(field.models)
    return step.fit_table, result


def off(field, folder, shift=(3.0, -2.0), **options):
    """Exposures all of which are wrong by the same shift."""
    return exposures(folder, 2, shifts=[shift, shift], turn=0.0, n_star=250, **options)


def written(field, folder):
    path = folder / "absolute.ecsv"
    field.reference.write(path)
    return str(path)


def test_abs_refcat(pair, table_file):
    relative, absolute = (fit(pair, abs_refcat=name)[0] for name in ("", table_file))
    assert (relative["absolute_status"] == "").all()
    assert (absolute["absolute_status"] == "SUCCESS").all()


def test_abs_minobj(pair, table_file):
    assert (fit(pair, abs_refcat=table_file, abs_minobj=200)[0]["reason"] == "").all()
    table, result = fit(pair, abs_refcat=table_file, abs_minobj=500)
    assert all("not enough matches" in reason for reason in table["reason"])
    assert pair.rms(result, relative=True).max() < 0.9  # the relative solution is kept


def test_abs_searchrad_and_how_far_it_grows(tmp_path):
    field = off(None, tmp_path)
    reference = written(field, tmp_path)
    for options, status in (
        ({"abs_searchrad": 1.0, "abs_max_searchrad": 2.0}, False),
        ({"abs_searchrad": 1.0, "abs_max_searchrad": 4.0}, True),
        ({"abs_searchrad": 4.0, "abs_max_searchrad": 4.0}, True),
    ):
        table, result = fit(field, abs_refcat=reference, **options)
        assert ((table["absolute_status"] == "SUCCESS") == status).all()
        assert bool(field.rms(result).max() < 1.0) is status


def test_abs_use2dhist(tmp_path):
    """Without the histogram, the absolute stage expects no offset, as documented."""
    field = off(None, tmp_path)
    reference = written(field, tmp_path)
    table, result = fit(field, abs_refcat=reference, abs_use2dhist=False)
    assert all(status.startswith("FAILED") for status in table["absolute_status"])
    near = off(None, tmp_path, shift=(0.1, 0.05))
    table, result = fit(near, abs_refcat=reference, abs_use2dhist=False)
    assert np.isnan(table["absolute_false_alarm"]).all()
    assert near.rms(result).max() < 0.9
    assert np.isfinite(fit(near, abs_refcat=reference)[0]["absolute_false_alarm"]).all()


def test_abs_tolerance(tmp_path):
    """Without a histogram, a shift beyond the tolerance is not found."""
    field = off(None, tmp_path, shift=(0.3, 0.2))
    reference = written(field, tmp_path)
    for tolerance, status in ((0.2, False), (0.5, True)):
        options = {"abs_use2dhist": False, "abs_tolerance": tolerance}
        table, _ = fit(field, abs_refcat=reference, **options)
        assert ((table["absolute_status"] == "SUCCESS") == status).all()


@pytest.mark.parametrize("method", ["joint", "chain"])
def test_abs_separation(pair, table_file, method):
    """Stars that have a neighbour within it take no part."""
    matched = [
        fit(pair, abs_refcat=table_file, abs_separation=value, compat=method == "chain")[0][
            "absolute_n_matched"
        ].min()
        for value in (1.0, 6.0)
    ]
    if method == "chain":
        assert matched[1] < 0.8 * matched[0]
    else:
        # What the neighbours of a star are is known once images are aligned to mas.
        assert matched[1] >= 0.95 * matched[0]


@pytest.mark.parametrize("method", ["joint", "chain"])
def test_abs_fitgeometry(tmp_path, method):
    """A scale that is wrong by 2e-4 is seen with two of the geometries."""
    field = exposures(tmp_path, 2, n_star=250)
    middle = np.array([field.reference["RA"].mean(), field.reference["DEC"].mean()])
    larger = field.reference.copy()
    for axis, name in enumerate(("RA", "DEC")):
        larger[name] = middle[axis] + 1.0002 * (larger[name] - middle[axis])
    path = tmp_path / "larger.ecsv"
    larger.write(path)
    scale = {}
    for geometry in ("shift", "rshift", "rscale", "general"):
        table, _ = fit(field, abs_refcat=str(path), abs_fitgeometry=geometry, method=method)
        assert set(table["absolute_geometry"]) == {geometry}
        scale[geometry] = table["scale"][1]
    for geometry in ("shift", "rshift"):
        assert scale[geometry] == pytest.approx(1.0, abs=2e-6)
    for geometry in ("rscale", "general"):
        assert scale[geometry] == pytest.approx(1.0002, abs=1e-5)


@pytest.fixture(scope="module")
def usual_clipping(pair, table_file):
    options = {"abs_refcat": table_file, "abs_sigma": 2.0}
    return {method: fit(pair, method=method, **options)[0] for method in ("joint", "chain")}


@pytest.mark.parametrize("method", ["joint", "chain"])
@pytest.mark.parametrize("change", [{"abs_nclip": 0}, {"abs_sigma": 0.0}, {"abs_sigma": 1.5}])
def test_abs_clipping(pair, table_file, usual_clipping, change, method):
    options = {"abs_refcat": table_file, "abs_sigma": 2.0} | change
    tables = usual_clipping[method], fit(pair, method=method, **options)[0]
    usual, changed = (
        table["absolute_n_used"].sum() / table["absolute_n_matched"].sum() for table in tables
    )
    if change == {"abs_sigma": 1.5}:
        assert changed < usual - 0.05
    else:
        assert usual < 0.99
        assert changed == 1.0


# The approximation in the header.


class Spied:
    """What `WCS.to_fits_sip` is asked for and gives."""

    def __init__(self, monkeypatch):
        self.headers = []
        original = WCS.to_fits_sip

        def spy(wcs, *arguments, **options):
            header = original(wcs, *arguments, **options)
            self.headers.append((options, header))
            return header

        monkeypatch.setattr(WCS, "to_fits_sip", spy)


def test_sip_max_pix_error(pair):
    """A rough approximation is content with a lower degree."""
    orders = []
    for error in (2.0, 0.01, 1e-6):
        info = fit(pair, sip_approx=True, sip_max_pix_error=error)[1][1].meta.wcsinfo
        orders.append(info.a_order or 1)
        assert info.sipmxerr < error
    assert orders == [1, 2, 3]


def test_sip_max_inv_pix_error(pair):
    orders = []
    for error in (1.0, 1e-4):
        info = fit(pair, sip_approx=True, sip_max_inv_pix_error=error)[1][1].meta.wcsinfo
        orders.append(info.ap_order)
        assert info.sipiverr < error
    assert orders[0] < orders[1]


@pytest.mark.parametrize("degree", [2, 3, 5])
def test_sip_degree(pair, degree):
    info = fit(pair, sip_approx=True, sip_degree=degree)[1][1].meta.wcsinfo
    assert (info.a_order, info.b_order) == (degree, degree)


@pytest.mark.parametrize("degree", [2, 4])
def test_sip_inv_degree(pair, degree):
    info = fit(pair, sip_approx=True, sip_inv_degree=degree)[1][1].meta.wcsinfo
    assert (info.ap_order, info.bp_order) == (degree, degree)


def test_sip_npoints(pair, monkeypatch):
    """The polynomials follow the points that they are fitted to."""
    spied = Spied(monkeypatch)
    infos = [
        tree_of(fit(pair, sip_approx=True, sip_npoints=n, sip_degree=2)[1][1])["meta"]["wcsinfo"]
        for n in (8, 30)
    ]
    assert [options["npoints"] for options, _ in spied.headers] == [8, 30]
    assert infos[0]["a_2_0"] != infos[1]["a_2_0"]
    assert infos[0]["a_2_0"] == pytest.approx(infos[1]["a_2_0"], rel=1e-2)


def test_sip_approx(pair):
    with_it, without = (fit(pair, sip_approx=flag)[1][1].meta.wcsinfo for flag in (True, False))
    assert (with_it.ctype1, without.ctype1) == ("RA---TAN-SIP", None)


@pytest.mark.filterwarnings("ignore:Double sampling")
def test_an_approximation_that_is_not_good_enough(pair):
    """The header says how bad it is, and gwcs warns; the image is aligned all the same."""
    with pytest.warns(Warning, match="Failed to achieve requested SIP"):
        _, result = fit(pair, sip_approx=True, sip_degree=1, sip_max_pix_error=0.01)
    assert result[1].meta.wcsinfo.sipmxerr > 1.0
    assert result[1].meta.cal_step.tweakreg == "COMPLETE"
    assert pair.rms(result).max() < 0.9


@pytest.mark.parametrize("save", [False, True])
def test_save_catalogs(scene, tmp_path, save):
    TweakRegStep(save_catalogs=save, output_dir=str(tmp_path)).run([scene])
    assert (tmp_path / "field_cal_cat.ecsv").exists() is save


@pytest.mark.parametrize("save", [False, True])
def test_save_abs_catalog_is_for_the_service(pair, table_file, tmp_path, save):
    """A file of the user's is not written again."""
    fit(pair, abs_refcat=table_file, save_abs_catalog=save, output_dir=str(tmp_path))
    assert list(tmp_path.glob("fit_*")) == []


@pytest.mark.parametrize("use", [False, True])
def test_use_custom_catalogs(tmp_path, use):
    """Catalogs that the headers name are not looked at unless that is asked for."""
    field = exposures(tmp_path, 2, n_star=60)
    for path in field.catalogs:
        table = Table.read(path)
        assert len(table) > 30
    step = TweakRegStep(use_custom_catalogs=use)
    result = step.run(field.models)  # without a star in their pixels
    assert result[1].meta.cal_step.tweakreg == ("COMPLETE" if use else "FAILED")
