"""compat=True against the catalogs that jwst itself makes; skipped where it is not installed."""

from __future__ import annotations

import os

import numpy as np
import pytest
from star_fields import star_field
from stdatamodels.jwst.datamodels import ImageModel

# Keep the peer from asking its reference server for parameters.
os.environ.setdefault("STPIPE_DISABLE_CRDS_STEPPARS", "true")

jwst_tweakreg = pytest.importorskip("jwst.tweakreg")

from webbweave.tweakreg.sources import make_tweakreg_catalog  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def model():
    image, *_ = star_field((500, 470), 200, slope=0.01, seed=6)
    rng = np.random.default_rng(7)
    dq = (rng.random(image.shape) < 0.003).astype(np.uint32)
    dq[:20] = 513
    image[100, 100] = np.nan
    image[300:303, 200] = np.nan
    made = ImageModel(data=image, dq=dq, err=np.ones_like(image))
    made.meta.filename = "field_cal.fits"
    return made


@pytest.mark.parametrize("box", [100, 400])
@pytest.mark.parametrize("finder", ["dao", "iraf", "segmentation"])
def test_the_same_catalog(model, finder, box):
    bounds = {"sharplo": 0.2, "sharphi": 2.0, "roundlo": -1.0, "roundhi": 1.0, "brightest": 150}
    step = jwst_tweakreg.TweakRegStep(starfinder=finder, bkg_boxsize=box, **bounds)
    if not hasattr(step, "_find_sources"):
        pytest.skip("another version of jwst")
    theirs = step._find_sources(model)
    ours = make_tweakreg_catalog(model, 10.0, box, finder, bounds, compat=True)
    assert len(ours) == len(theirs) > 100
    np.testing.assert_allclose(ours["xcentroid"], theirs["xcentroid"], atol=1e-6)
    np.testing.assert_allclose(ours["ycentroid"], theirs["ycentroid"], atol=1e-6)
    np.testing.assert_allclose(ours["flux"], theirs["flux"], rtol=1e-5, atol=1e-3)


def test_default_bounds_find_the_same_stars(model):
    """Without missing pixels near, the corrections do not change which stars there are."""
    ours, compat = (
        make_tweakreg_catalog(model, 10.0, 100, "dao", {"brightest": None}, compat=flag)
        for flag in (False, True)
    )
    distance = np.hypot(
        np.subtract.outer(np.array(ours["xcentroid"]), np.array(compat["xcentroid"])),
        np.subtract.outer(np.array(ours["ycentroid"]), np.array(compat["ycentroid"])),
    )
    assert np.mean(distance.min(axis=0) < 0.3) > 0.95
