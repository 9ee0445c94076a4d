"""Every parameter of the step shows its effect; every precedence of catalogs is kept."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from astropy.table import Table
from dithered_models import exposures
from star_fields import add_star
from stdatamodels.jwst.datamodels import ImageModel
from synthetic_image_wcs import SIZE, WCSINFO, image_wcs

from webbweave.datamodels import open_model, read_table, tree_of
from webbweave.tweakreg import TweakRegStep
from webbweave.tweakreg.alignment_products import Recipe
from webbweave.tweakreg.catalogs import FinderOptions
from webbweave.tweakreg.stages import MatchOptions


def star_image(name="a_cal.fits", exposure=1, size=200, number=25, seed=1):
    """A small image of stars, with all that the step needs."""
    rng = np.random.default_rng(seed)
    model = ImageModel((size, size))
    image = rng.normal(1.0, 0.02, (size, size))
    x, y = (axis.ravel() * 36.0 + 25.0 for axis in np.meshgrid(np.arange(5), np.arange(5)))
    x, y = (axis + np.random.default_rng(9 + k).uniform(-9, 9, 25) for k, axis in enumerate((x, y)))
    for star in zip(x[:number], y[:number], rng.uniform(3, 30, number), strict=True):
        add_star(image, *star, 2.3)
    model.data = image.astype(np.float32)
    model.meta.wcs = image_wcs()
    for key, value in WCSINFO.items():
        setattr(model.meta.wcsinfo, key, value)
    model.meta.filename = name
    model.meta.group_id = f"group {exposure}"
    return model


N_FOUND, N_USER = 25, 7


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two images as files, and catalogs of different lengths for each way to name one."""
    there = tmp_path_factory.mktemp("catalogs")
    for index, name in enumerate(("a_cal.fits", "b_cal.fits")):
        model = star_image(name, index)
        model.save(there / name)
    for extra, name in enumerate(("catfile", "asn", "meta")):
        count = N_USER + extra
        Table({"x": np.linspace(10, 190, count), "y": np.linspace(10, 190, count)}).write(
            there / f"{name}.ecsv"
        )
    return there


def length(name):
    return {"catfile": N_USER, "asn": N_USER + 1, "meta": N_USER + 2, None: N_FOUND}[name]


@pytest.mark.parametrize(
    ("use", "catfile", "asn", "meta"),
    list(
        itertools.product(
            (False, True),
            ("no", "catalog", "found", "other image", "none"),
            ("no", "catalog", "blank", "None"),
            (False, True),
        )
    ),
)
def test_which_catalog_is_used(folder, tmp_path, use, catfile, asn, meta):
    """Catfile before association before header; a blank in one of them says: find sources."""
    model = open_model(folder / "a_cal.fits")
    if meta:
        model.meta.tweakreg_catalog = str(folder / "meta.ecsv")
    model.save(tmp_path / "a_cal.fits")
    entry = {"expname": "a_cal.fits", "exptype": "science"}
    entry |= {
        "no": {},
        "catalog": {"tweakreg_catalog": str(folder / "asn.ecsv")},
        "blank": {"tweakreg_catalog": ""},
        "None": {"tweakreg_catalog": "None"},
    }[asn]
    (tmp_path / "asn.json").write_text(json.dumps({"products": [{"members": [entry]}]}))
    lines = {
        "no": None,
        "catalog": f"a_cal.fits {folder / 'catfile.ecsv'}\n",
        "found": "a_cal.fits\n",
        "other image": f"b_cal.fits {folder / 'catfile.ecsv'}\n",
        "none": "# nothing\n",
    }[catfile]
    listed = ""
    if lines is not None:
        (tmp_path / "list.txt").write_text(lines)
        listed = str(tmp_path / "list.txt")
    by_header = "meta" if meta else None
    by_association = {"no": by_header, "catalog": "asn"}.get(asn)
    expected = {
        "no": by_association,
        "catalog": "catfile",
        "found": None,
        "other image": by_header,
        "none": None,
    }[catfile]
    step = TweakRegStep(use_custom_catalogs=use, catfile=listed, save_catalogs=True)
    step.output_dir = str(tmp_path / "out")
    result = step.run(str(tmp_path / "asn.json"))
    saved = tmp_path / "out" / "a_cal_cat.ecsv"
    assert saved.exists() == (not use or expected is None)
    if saved.exists():
        assert len(read_table(saved)) == N_FOUND
        assert result[0].meta.tweakreg_catalog == "a_cal_cat.ecsv"
    else:
        used = result[0].meta.tweakreg_catalog
        assert used == str(folder / f"{expected}.ecsv")
        assert tree_of(result[0])["meta"]["tweakreg"]["n_sources"] == length(expected)


@pytest.mark.parametrize("kind", ["ecsv", "fits"])
def test_saved_catalogs_can_be_used(folder, tmp_path, kind):
    models = [open_model(folder / name) for name in ("a_cal.fits", "b_cal.fits")]
    options = {"save_catalogs": True, "catalog_format": kind, "output_dir": str(tmp_path)}
    found = TweakRegStep(minobj=5, **options).run(models)
    saved = read_table(tmp_path / f"a_cal_cat.{kind}")
    assert saved.colnames == ["id", "x", "y", "flux"]
    assert len(saved) == N_FOUND
    (tmp_path / "list.txt").write_text(
        f"a_cal.fits a_cal_cat.{kind}\nb_cal.fits b_cal_cat.{kind}\n"
    )
    again = TweakRegStep(
        use_custom_catalogs=True, catfile=str(tmp_path / "list.txt"), minobj=5
    ).run(models)
    for one, other in zip(found, again, strict=True):
        assert one.meta.cal_step.tweakreg == other.meta.cal_step.tweakreg == "COMPLETE"
        np.testing.assert_array_equal(one.meta.wcs(30.0, 40.0), other.meta.wcs(30.0, 40.0))


FINDER = {
    "starfinder": "iraf",
    "snr_threshold": 20.0,
    "bkg_boxsize": 300,
    "kernel_fwhm": 2.0,
    "minsep_fwhm": 3.0,
    "sigma_radius": 2.0,
    "sharplo": 0.3,
    "sharphi": 0.9,
    "roundlo": -0.5,
    "roundhi": 0.5,
    "brightest": 50,
    "peakmax": 100.0,
    "npixels": 5,
    "connectivity": 4,
    "nlevels": 16,
    "contrast": 0.01,
    "multithresh_mode": "linear",
    "localbkg_width": 3,
    "apermask_method": "mask",
    "kron_params": [2.0, 1.0],
    "deblend": False,
}


@pytest.mark.parametrize("name", FINDER)
def test_parameters_of_finders_reach_the_finder(name):
    """What they do there is tested with the finders."""
    value = FINDER[name]
    expected = tuple(value) if isinstance(value, list) else value
    default, changed = (TweakRegStep(**more).recipe().finder for more in ({}, {name: value}))
    assert default == FinderOptions()
    assert getattr(changed, name) == expected
    assert getattr(default, name) != expected


STAGE = {
    "minobj": 10,
    "searchrad": 1.0,
    "max_searchrad": 9.0,
    "use2dhist": False,
    "separation": 0.3,
    "tolerance": 0.5,
    "fitgeometry": "general",
    "nclip": 1,
    "sigma": 2.0,
}


@pytest.mark.parametrize("name", STAGE)
def test_parameters_of_stages_reach_their_stage(name):
    default = TweakRegStep().recipe().options
    assert default.relative == MatchOptions()
    assert default.absolute == MatchOptions(searchrad=6.0, separation=0.1)
    one = TweakRegStep(**{name: STAGE[name]}).recipe().options
    other = TweakRegStep(**{f"abs_{name}": STAGE[name]}).recipe().options
    assert getattr(one.relative, name) == getattr(other.absolute, name) == STAGE[name]
    assert one.absolute == default.absolute
    assert other.relative == default.relative


@pytest.mark.parametrize("value", [4, "4"])
def test_connectivity_as_number_or_text(value):
    assert TweakRegStep(connectivity=value).recipe().finder.connectivity == 4
    config, _ = TweakRegStep.build_config(None, connectivity=value)
    assert TweakRegStep.from_config_section(config).recipe().finder.connectivity == 4


def test_the_default_recipe_is_that_of_the_seed():
    recipe = TweakRegStep().recipe()
    assert recipe.finder.starfinder == "dao"
    assert not recipe.options.expand_refcat
    assert TweakRegStep(abs_refcat="GAIADR3").recipe().options.expand_refcat
    assert TweakRegStep(abs_refcat="None").recipe().abs_refcat == ""
    assert recipe == Recipe(options=recipe.options, finder=recipe.finder)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return exposures(tmp_path_factory.mktemp("pair"), 2, n_star=300)


def fit(pair, **options):
    step = TweakRegStep(use_custom_catalogs=True, sip_approx=False, **options)
    result = step.run(pair.models)
    return step, result


def test_minobj(pair):
    assert fit(pair, minobj=150)[1][1].meta.cal_step.tweakreg == "COMPLETE"
    step, result = fit(pair, minobj=400)
    assert result[1].meta.cal_step.tweakreg == "FAILED"
    assert "not enough matches" in step.fit_table["reason"][1]


def test_searchrad_and_offsets(tmp_path):
    far = exposures(tmp_path, 2, shifts=[(0, 0), (5.0, -3.0)], n_star=300)
    assert fit(far, searchrad=1.0, max_searchrad=2.0)[1][1].meta.cal_step.tweakreg == "FAILED"
    step, result = fit(far, searchrad=7.0)
    assert result[1].meta.cal_step.tweakreg == "COMPLETE"
    x, y = step.alignment.outcomes[1].relative.offset
    step, result = fit(far, searchrad=1.0, max_searchrad=1.0, xoffset=x, yoffset=y)
    assert result[1].meta.cal_step.tweakreg == "COMPLETE"
    step, result = fit(far, use2dhist=False, xoffset=x, yoffset=y)
    assert far.rms(result).max() < 1.0
    assert np.isnan(step.fit_table["relative_false_alarm"][1])
    step, result = fit(far, use2dhist=False)
    assert result[1].meta.cal_step.tweakreg == "FAILED"


def test_tolerance_and_separation(tmp_path):
    field = exposures(tmp_path, 2, n_star=300, noise=0.5)  # 30 mas
    close = fit(field, tolerance=0.03, compat=True, separation=0.1)[0]
    wide = fit(field, tolerance=0.7, compat=True, separation=1.0)[0]
    assert close.fit_table["relative_rms"][1] < 0.6 * wide.fit_table["relative_rms"][1]
    apart = fit(field, tolerance=0.7, compat=True, separation=3.0)[0]
    assert apart.fit_table["relative_n_matched"][1] < 0.7 * wide.fit_table["relative_n_matched"][1]


def test_clipping(pair):
    none, default, strict, gentle = (
        fit(pair, **more)[0].fit_table
        for more in ({"nclip": 0}, {}, {"sigma": 1.5}, {"sigma": 20.0})
    )
    used = [table["relative_n_used"][1] for table in (none, gentle, default, strict)]
    assert used[0] == used[1] == none["relative_n_matched"][1]
    assert used[3] < 0.9 * used[0]
    assert used[3] < used[2] <= used[0]
    assert strict["relative_rms"][1] < 0.8 * none["relative_rms"][1]


def test_expanded_references_and_the_order_of_the_user(tmp_path):
    """The third image overlaps with the second only; the fourth is the middle of all."""
    field = exposures(tmp_path, 3, n_star=300, dither=0.0, detectors=3)
    chosen = [field.models[0], field.models[4], field.models[8]]
    truth = [field.truth[0], field.truth[4], field.truth[8]]
    for index, model in enumerate(chosen):
        model.meta.group_id = f"own {index}"
    row = type(field)(chosen, truth, field.reference)
    step, result = fit(row)
    assert step.fit_table["status"][2] == "FAILED"
    step, result = fit(row, expand_refcat=True, minobj=8)
    assert step.fit_table["status"].tolist() == ["COMPLETE"] * 3
    # Strips with a dozen stars determine a rotation to 20 mas at the far end.
    assert row.rms(result, relative=True).max() < 30.0
    assert row.rms(row.models, relative=True).max() > 100.0
    backwards = type(field)(chosen[::-1], truth[::-1], field.reference)
    step, _ = fit(backwards, expand_refcat=True, enforce_user_order=True, minobj=8)
    assert step.fit_table["relative_status"][0] == "REFERENCE"
    order = fit(backwards, expand_refcat=True, minobj=8)[0].fit_table["relative_status"]
    assert order.tolist().index("REFERENCE") == 1  # the one with the largest overlap


def test_names_of_products(pair, tmp_path):
    options = {"save_results": True, "output_dir": str(tmp_path), "output_file": "named.fits"}
    fit(pair, output_use_model=False, **options)
    assert sorted(path.name for path in tmp_path.glob("*.fits")) == [
        "named_0_tweakreg.fits",
        "named_1_tweakreg.fits",
    ]


def test_limits_of_magnitude(pair, tmp_path):
    path = tmp_path / "stars.ecsv"
    table = pair.reference.copy()
    table["mag"] = np.linspace(15, 25, len(table))
    table.write(path)
    all_of_them = fit(pair, abs_refcat=str(path))[0].alignment.reference
    some = fit(pair, abs_refcat=str(path), abs_mag_bright=17.0, abs_mag_faint=22.0)[0]
    assert len(some.alignment.reference) == pytest.approx(0.5 * len(all_of_them), rel=0.02)
    assert np.ptp(some.alignment.reference.mag) < 5.0


def test_the_catalog_of_the_service_is_saved(pair, tmp_path, monkeypatch):
    import catalog_server as server

    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    places = zip(*(pair.reference[name].tolist() for name in ("RA", "DEC")), strict=True)
    rows = [f"{k},{ra!r},{dec!r},20,2016.0,0,0" for k, (ra, dec) in enumerate(places)]
    body = "objID,ra,dec,mag,epoch,pmra,pmdec\n" + "\n".join(rows) + "\n"
    with server.serve(server.text(body)) as running:
        monkeypatch.setenv("ASTROMETRIC_CATALOG_URL", running.url)
        step, result = fit(
            pair, abs_refcat="GaiaDR3", save_abs_catalog=True, output_dir=str(tmp_path)
        )
    assert step.fit_table["absolute_status"].tolist() == ["SUCCESS"] * 2
    assert pair.rms(result).max() < 1.0
    assert len(read_table(tmp_path / "fit_gaiadr3_ref.ecsv")) == len(pair.reference)
    assert result[0].meta.wcs.name == "FIT-LVL3-GaiaDR3"
    assert result[0].meta.wcs.pixel_shape[0] == SIZE
