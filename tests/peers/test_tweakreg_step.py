"""The step under compat beside jwst itself, on catalogs and on images of dithered exposures."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.table import Table
from dithered_models import draw, exposures

from webbweave.tweakreg import TweakRegStep

jwst_step = pytest.importorskip("jwst.tweakreg").TweakRegStep

X, Y = (axis.ravel() for axis in np.meshgrid(*[np.linspace(20, 1000, 5)] * 2))
#: The bounds on shapes that catalogs without images do not need, alike for both.
BOTH = {"use_custom_catalogs": True, "abs_separation": 1.0}


@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize(
    ("field", "options"),
    [
        ({}, {}),
        ({"n": 4, "shift": 1.0}, {"fitgeometry": "general", "abs_fitgeometry": "rscale"}),
        ({"n_star": 12, "n": 2}, {}),
        ({"n": 1}, {}),
        ({"n": 3, "shifts": [(0, 0), (3.4, 0), (0.1, 0)]}, {"nclip": 2}),
        (
            {"n": 4, "dither": 20.0},
            {
                "expand_refcat": True,
                "enforce_user_order": True,
                "tolerance": 0.9,
                "separation": 1.5,
            },
        ),
    ],
)
def test_positions_and_status(tmp_path, monkeypatch, field, options, absolute):
    monkeypatch.setenv("STPIPE_DISABLE_CRDS_STEPPARS", "true")
    scene = exposures(tmp_path, **field)
    reference = tmp_path / "reference.ecsv"
    scene.reference.write(reference)
    options = BOTH | options | ({"abs_refcat": str(reference)} if absolute else {})
    assert_the_same(scene.models, options)


def assert_the_same(models, options):
    """Run both; positions within 0.02 mas, status, name and frames alike."""
    ours = TweakRegStep(compat=True, **options).run(models)
    theirs = jwst_step(**options).run([model.copy() for model in models])
    with theirs:
        for index, model in enumerate(theirs):
            expected = np.array(model.meta.wcs(X, Y))
            found = np.array(ours[index].meta.wcs(X, Y))
            np.testing.assert_allclose(found, expected, rtol=0, atol=0.02 / 3.6e6)
            assert ours[index].meta.cal_step.tweakreg == model.meta.cal_step.tweakreg
            assert ours[index].meta.wcs.available_frames == model.meta.wcs.available_frames
            assert ours[index].meta.wcs.name == model.meta.wcs.name
            theirs.shelve(model, index, modify=False)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Three images with the stars in their pixels, the reference beside them."""
    folder = tmp_path_factory.mktemp("drawn")
    scene = exposures(folder, 3, n_star=250, noise=0.0)
    draw(scene, np.random.default_rng(4))
    scene.reference.write(folder / "reference.ecsv")
    return scene.models, str(folder / "reference.ecsv")


IRAF = {"starfinder": "iraf", "sharplo": 0.5, "sharphi": 2.0, "roundlo": 0.0, "roundhi": 0.2}
#: jwst has other defaults than those of its older versions, which are ours.
DAO = {"starfinder": "dao", "sharplo": 0.2, "sharphi": 1.0, "roundlo": -1.0, "roundhi": 1.0}


@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize(
    "finder",
    [
        IRAF,
        DAO,
        {"starfinder": "segmentation", "bkg_boxsize": 200},
        DAO | {"brightest": 60, "snr_threshold": 50.0, "kernel_fwhm": 3.0, "minsep_fwhm": 2.0},
    ],
    ids=["iraf", "dao", "segmentation", "parameters"],
)
def test_sources_that_are_found(drawn, tmp_path, monkeypatch, finder, absolute):
    monkeypatch.setenv("STPIPE_DISABLE_CRDS_STEPPARS", "true")
    models, reference = drawn
    options = finder | {"abs_separation": 1.0} | ({"abs_refcat": reference} if absolute else {})
    assert_the_same(models, options)
    if absolute:
        return
    catalogs = []
    for step, more in ((TweakRegStep, {"compat": True}), (jwst_step, {})):
        folder = tmp_path / step.__module__
        folder.mkdir()
        saved = options | {"save_catalogs": True, "output_dir": str(folder)}
        step(**saved, **more).run([model.copy() for model in models[:2]])
        catalogs.append([Table.read(path) for path in sorted(folder.glob("*_cat.ecsv"))])
    assert len(catalogs[0]) == len(catalogs[1]) == 2
    for ours, theirs in zip(*catalogs, strict=True):
        assert len(ours) == len(theirs) > 40
        np.testing.assert_array_equal(ours["id"], theirs["id"])
        for axis in ("x", "y"):
            np.testing.assert_allclose(ours[axis], theirs[axis], rtol=0, atol=1e-6)
        np.testing.assert_allclose(ours["flux"], theirs["flux"], rtol=1e-5)
