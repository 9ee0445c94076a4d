"""Side by side with tweakwcs and jwst themselves; skipped where they are not installed."""

from __future__ import annotations

import logging
import math

import numpy as np
import pytest
from astropy.table import Table
from synthetic_image_wcs import SIZE, WCSINFO, image_wcs

tweakwcs = pytest.importorskip("tweakwcs")

from webbweave.tweakreg import XYXYMatch, iter_linear_fit  # noqa: E402
from webbweave.tweakreg.image_plane import ImagePlane, moved_correction  # noqa: E402
from webbweave.tweakreg.v2v3_plane import LinearCorrection, V2V3Plane  # noqa: E402
from webbweave.tweakreg.wcs_correction import (  # noqa: E402
    apply_correction,
    read_correction,
    remove_correction,
)

pytestmark = pytest.mark.filterwarnings("ignore")

PLANE = V2V3Plane.of(WCSINFO)
GRID = tuple(axis.ravel() for axis in np.meshgrid(*[np.linspace(0, SIZE - 1, 5)] * 2))


def rotation(degrees, scale=1.0):
    angle = math.radians(degrees)
    return scale * np.array(
        [[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]
    )


def corrector(wcs, **meta):
    return tweakwcs.JWSTWCSCorrector(wcs, dict(WCSINFO), meta=meta or None)


def assert_same_sky(first, second, arcsec=1e-9):
    """Declination, and right ascension times its cosine."""
    difference = np.subtract(first(*GRID), second(*GRID)) * 3600
    assert np.abs(difference).max() < arcsec


def catalogues(seed, n=300, side=60.0, rounded=False):
    rng = np.random.default_rng(seed)
    ref = rng.uniform(-side / 2, side / 2, (n, 2))
    img = np.concatenate([ref[: n // 2], rng.uniform(-side / 2, side / 2, (n - n // 2, 2))])
    img = img @ rotation(0.02).T + rng.uniform(-2, 2, 2) + rng.normal(0, 0.01, (n, 2))
    if rounded:
        ref, img = np.round(ref, 1), np.round(img, 1)
    return [Table(list(xy.T), names=["TPx", "TPy"]) for xy in (ref, rng.permutation(img))]


@pytest.mark.parametrize("seed", range(12))
def test_pairs(seed):
    options = {
        "searchrad": [2.0, 3.0, 6.0][seed % 3],
        "separation": [1.0, 0.5, 0.1][seed % 3],
        "tolerance": [0.7, 0.3, 0.07][seed % 3],
        "use2dhist": seed % 4 != 3,
        "xoffset": 0.1,
        "yoffset": -0.1,
    }
    # Rounded positions lie on edges of cells. (Many of them are also at equal distances, where the
    # last digit of the offset decides, in either package.)
    ref, img = catalogues(seed, n=[20, 300, 1500][seed // 4], rounded=seed in (1, 5))
    scale = [0.031, 0.063, 0.11, 1.0][seed % 4]
    theirs = tweakwcs.XYXYMatch(**options)(ref, img, scale, "arcsec")
    ours = XYXYMatch(**options, compat=True)(ref, img, scale, "arcsec")
    for own, peer in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(own, peer)


@pytest.mark.parametrize("fitgeom", ["shift", "rshift", "rscale", "general"])
@pytest.mark.parametrize("accumulate", [False, True])
@pytest.mark.parametrize("statistic", ["rmse", "mae", "std", "mad"])
def test_fits(fitgeom, accumulate, statistic):
    from tweakwcs.linearfit import iter_linear_fit as peer_fit

    for seed in range(6):
        rng = np.random.default_rng(seed)
        n = [8, 40, 300][seed % 3]
        uv = rng.uniform(-60, 60, (n, 2))
        xy = uv @ rotation(0.2, 1.001).T + [0.3, 0.1] + rng.normal(0, 0.01, (n, 2))
        xy[::9] += rng.normal(0, 0.2, xy[::9].shape)
        weights = (None, None) if seed < 3 else tuple(rng.uniform(0.1, 3, (2, n)))
        options = {"nclip": seed, "sigma": (2.5, statistic), "clip_accum": accumulate}
        theirs = peer_fit(xy, uv, *weights, fitgeom, **options)
        ours = iter_linear_fit(xy, uv, *weights, fitgeom, **options, compat=True)
        np.testing.assert_array_equal(ours["fitmask"], theirs["fitmask"])
        for name in set(theirs) - {"fitgeom", "fitmask", "matrix_ld", "shift_ld", "center_ld"}:
            np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("aberration", [False, True])
def test_correction(aberration):
    wcs = image_wcs(aberration=aberration)
    peer = corrector(image_wcs(aberration=aberration))
    own = wcs
    for matrix, shift in ((rotation(0.1), (0.3, -0.2)), (rotation(-0.3, 1.001), (1.0, 2.0))):
        peer.set_correction(matrix, shift)
        own = apply_correction(own, matrix, shift, PLANE)
        assert own.available_frames == peer.wcs.available_frames
        assert_same_sky(own, peer.wcs)
        # Each tool goes on from what the other has made.
        theirs = corrector(own)
        theirs.set_correction(rotation(0.01), (0.5, 0.0))
        ours = apply_correction(peer.wcs, rotation(0.01), (0.5, 0.0), PLANE)
        assert_same_sky(ours, theirs.wcs)
    found = read_correction(peer.wcs)
    np.testing.assert_allclose(found[1].shift, read_correction(own)[1].shift, atol=1e-12)
    assert_same_sky(remove_correction(peer.wcs), wcs, 1e-12)


def test_plane():
    wcs = apply_correction(image_wcs(), rotation(0.1), (0.3, -0.2), PLANE)
    for image, compat in ((image_wcs(), False), (image_wcs(), True), (wcs, True)):
        peer, own = corrector(image), ImagePlane(image, PLANE, compat=compat)
        points = own.from_pixels(*GRID)
        np.testing.assert_allclose(points.T, peer.det_to_tanp(*GRID), atol=1e-9)
        sky = image(*GRID)
        np.testing.assert_allclose(own.from_world(*sky).T, peer.world_to_tanp(*sky), atol=1e-9)
        np.testing.assert_allclose(own.to_world(points), peer.tanp_to_world(*points.T), atol=1e-11)
        assert own.pixel_scale == pytest.approx(peer.tanp_center_pixel_scale, rel=1e-6)


def test_correction_of_a_neighbour():
    other = WCSINFO | {"v2_ref": 190.0, "v3_ref": -470.0, "roll_ref": 131.0}
    target = image_wcs(ra=214.76, dec=52.82, wcsinfo=other)
    peer = tweakwcs.JWSTWCSCorrector(target, other)
    peer.set_correction(rotation(0.05, 1.001), (0.3, -0.2), ref_tpwcs=corrector(image_wcs()))
    change = LinearCorrection(rotation(0.05, 1.001), np.array([0.3, -0.2]))
    plane = V2V3Plane.of(other)
    own = moved_correction(change, ImagePlane(image_wcs(), PLANE), ImagePlane(target, plane))
    assert_same_sky(apply_correction(target, own.matrix, own.shift, plane), peer.wcs, 1e-7)


def test_tweakwcs_aligns_with_our_match(caplog):
    """align_wcs with our matching: what it could not do by itself in a crowded field."""
    caplog.set_level(logging.WARNING)
    rng = np.random.default_rng(3)
    true = apply_correction(image_wcs(), rotation(0.02), (1.2, -0.7), PLANE)
    x, y = rng.uniform(10, SIZE - 10, (2, 4000))
    ra, dec = true(x, y)
    extra = true(*rng.uniform(10, SIZE - 10, (2, 3000)))
    reference = Table(
        [np.r_[ra[:2500], extra[0]], np.r_[dec[:2500], extra[1]]], names=["RA", "DEC"]
    )
    noise = rng.normal(0, 0.05, (2, 4000))
    images = []
    for match in (XYXYMatch(searchrad=3.0, separation=1.0, tolerance=0.7), None):
        catalogue = Table([x + noise[0], y + noise[1]], names=["x", "y"])
        image = corrector(image_wcs(), catalog=catalogue, name="image")
        peer_match = tweakwcs.XYXYMatch(searchrad=3.0, separation=1.0, tolerance=0.7)
        tweakwcs.align_wcs([image], reference, match=match or peer_match, fitgeom="rshift")
        assert image.meta["fit_info"]["status"] == "SUCCESS"
        difference = np.subtract(image.wcs(*GRID), true(*GRID)) * 3.6e6
        images.append(np.abs(difference * [[np.cos(np.deg2rad(52.8))], [1]]).max())
    assert images[0] < 0.4  # [mas]: 3 mas of noise, 2500 stars
    assert images[1] > 10 * images[0]


def test_jwst_transfers_our_correction(tmp_path):
    utils = pytest.importorskip("jwst.tweakreg.utils")
    from stdatamodels.jwst.datamodels import ImageModel

    models = []
    for wcs in (
        image_wcs(),
        apply_correction(image_wcs(), rotation(0.1), (0.3, -0.2), PLANE),
    ):
        model = ImageModel((SIZE, SIZE))
        model.meta.wcs = wcs
        for key, value in WCSINFO.items():
            setattr(model.meta.wcsinfo, key, value)
        models.append(model)
    expected = models[1].meta.wcs
    utils.transfer_wcs_correction(models[0], models[1])
    assert_same_sky(models[0].meta.wcs, expected, 1e-7)
    moved = utils.adjust_wcs(expected, delta_ra=1e-4)
    assert np.ptp(np.subtract(moved(*GRID), expected(*GRID))[0]) < 1e-6
