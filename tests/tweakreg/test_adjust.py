"""Pointing changed by hand, and corrections carried from image to image."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from dithered_models import exposures
from synthetic_image_wcs import SIZE, WCSINFO, image_wcs

from webbweave.datamodels import open_model
from webbweave.errors import InputError
from webbweave.tweakreg import TweakRegStep, adjust_wcs, transfer_wcs_correction
from webbweave.tweakreg.v2v3_plane import V2V3Plane
from webbweave.tweakreg.wcs_correction import apply_correction, read_correction

X, Y = np.array([0.0, 511.5, 1000.0, 20.0]), np.array([5.0, 511.5, 30.0, 900.0])
PLANE = V2V3Plane.of(WCSINFO)
TURN = np.deg2rad(0.2)
MATRIX = 1.001 * np.array([[np.cos(TURN), np.sin(TURN)], [-np.sin(TURN), np.cos(TURN)]])
SHIFT = np.array([0.5, -0.3])


ADJUSTMENTS = {
    "ra": {"delta_ra": 1e-4},
    "dec": {"delta_dec": -2e-4},
    "roll": {"delta_roll": 0.3},
    "scale": {"scale_factor": 1.002},
    "all": {"delta_ra": 1e-4, "delta_dec": -2e-4, "delta_roll": 0.3, "scale_factor": 1.002},
}
JWST = {
    "ra": [
        [110.83046063984358, 110.85473074520709, 110.85535473114754],
        [-73.45413158035079, -73.45653870101162, -73.44930257579904],
    ],
    "dec": [
        [110.8303601364085, 110.85463052690872, 110.85525452027962],
        [-73.45433158029489, -73.45673870100113, -73.44950257578923],
    ],
    "roll": [
        [110.83039935252718, 110.85462480240285, 110.85538178541799],
        [-73.45406772825339, -73.45651100092921, -73.44927590518867],
    ],
    "scale": [
        [110.83027495818645, 110.8545935925743, 110.8552188418012],
        [-73.45412743305106, -73.45653937506907, -73.4492887777151],
    ],
    "all": [
        [110.83041324462387, 110.85468741914025, 110.8554459403394],
        [-73.45426345320925, -73.45671161957489, -73.44946205377552],
    ],
}


def test_pointing_is_what_it_would_have_been():
    wcs = image_wcs(ra=10.0, dec=60.0)
    before = np.array(wcs(X, Y))
    moved = adjust_wcs(wcs, 0.001, -0.002 * u.deg, 18 * u.arcmin)
    info = dict(WCSINFO, roll_ref=WCSINFO["roll_ref"] + 0.3)
    expected = image_wcs(ra=10.001, dec=59.998, wcsinfo=info)
    np.testing.assert_allclose(moved(X, Y), expected(X, Y), rtol=0, atol=1e-12)
    np.testing.assert_allclose(
        moved.invert(*moved(X, Y)), wcs.invert(*wcs(X, Y)), rtol=0, atol=1e-6
    )
    np.testing.assert_array_equal(wcs(X, Y), before)
    assert moved.bounding_box == wcs.bounding_box
    assert moved.pixel_shape == wcs.pixel_shape


def test_scale_multiplies_and_the_wcs_can_still_be_aligned():
    wcs = image_wcs(ra=10.0, dec=60.0)
    scaled = adjust_wcs(adjust_wcs(wcs, scale_factor=1.002), scale_factor=1.003)
    centre, away = (np.array([511.5, 511.5]), np.array([511.5, 900.0]))
    lengths = []
    for each in (wcs, scaled):
        ra, dec = each(*centre)
        far = each(*away)
        lengths.append(np.hypot((far[0] - ra) * np.cos(np.deg2rad(dec)), far[1] - dec))
        np.testing.assert_allclose([ra, dec], wcs(*centre), atol=1e-6)
    assert lengths[1] / lengths[0] == pytest.approx(1.002 * 1.003, rel=1e-6)
    plane, correction = read_correction(scaled)
    np.testing.assert_allclose(plane.angles, PLANE.angles)
    apply_correction(scaled, MATRIX, SHIFT, PLANE)
    np.testing.assert_allclose(correction.matrix, 1.002 * 1.003 * np.eye(2), rtol=1e-12)


@pytest.mark.parametrize("factor", [0.0, -1.0, np.nan])
def test_refuses_scales(factor):
    with pytest.raises(ValueError, match="scale_factor: expected a number above 0"):
        adjust_wcs(image_wcs(), scale_factor=factor)


def test_as_jwst_does(shared_dir):
    """Positions of jwst 3.0.0 for the WCS of an image."""
    asdf = pytest.importorskip("asdf")
    path = shared_dir / "oracle" / "tweakreg" / "nrcb1-wcs.asdf"
    if not path.exists():
        pytest.skip("needs the stored WCS")
    with asdf.open(path, lazy_load=False, memmap=False) as file:
        wcs = next(value for value in file.tree.values() if hasattr(value, "pipeline"))
    x, y = np.array([0.0, 500.0, 1000.0]), np.array([10.0, 700.0, 20.0])
    for name, options in ADJUSTMENTS.items():
        np.testing.assert_allclose(
            adjust_wcs(wcs, **options)(x, y), JWST[name], rtol=0, atol=1e-11, err_msg=name
        )


@pytest.mark.parametrize("kind", ["model", "wcs", "file", "given"])
def test_a_correction_is_carried_over(tmp_path, kind):
    """Both images see the same sky: the same stars move by the same amount."""
    field = exposures(tmp_path, 2, n_star=10, noise=0.0, shift=0.0, turn=0.0)
    source, target = (model.copy() for model in field.models)
    plain = target.copy()
    source.meta.wcs = apply_correction(source.meta.wcs, MATRIX, SHIFT, PLANE)
    name = tmp_path / "target_cal.fits"
    arguments = {
        "model": (target, source),
        "wcs": (target, source.meta.wcs),
        "file": (str(name), source),
        "given": (target, field.models[0], MATRIX, SHIFT),
    }
    if kind == "file":
        plain.save(name)
    transfer_wcs_correction(*arguments[kind])
    if kind == "file":
        target = open_model(name)
    ra, dec = plain.meta.wcs(X, Y)
    x, y = field.models[0].meta.wcs.invert(ra, dec, with_bounding_box=False)
    for _ in range(6):  # the inverse of the made-up distortion is an approximation
        back = field.models[0].meta.wcs.invert(
            *field.models[0].meta.wcs(x, y, with_bounding_box=False), with_bounding_box=False
        )
        first = field.models[0].meta.wcs.invert(ra, dec, with_bounding_box=False)
        x, y = x + first[0] - back[0], y + first[1] - back[1]
    expected = np.array(source.meta.wcs(x, y, with_bounding_box=False))
    np.testing.assert_allclose(target.meta.wcs(X, Y), expected, rtol=0, atol=2e-9)
    assert np.abs(expected - [ra, dec]).max() > 1e-5
    edge = np.array(target.meta.wcs(-0.5, -0.5))
    shown = np.array(target.meta.wcsinfo.s_region.split()[2:4], float)
    np.testing.assert_allclose(shown, edge, atol=1e-9)
    assert target.meta.wcs.pixel_shape[0] == SIZE


def test_a_correction_of_the_step_is_carried_over(tmp_path):
    """Images of another filter, taken with the first: with its correction they are right."""
    field = exposures(tmp_path, 3)
    result = TweakRegStep(use_custom_catalogs=True).run(field.models)
    copies = [model.copy() for model in field.models]
    for own, corrected in zip(copies[1:], result[1:], strict=True):
        transfer_wcs_correction(own, corrected)
    assert field.rms(copies).max() < 0.9


def test_refuses_transfers(tmp_path):
    field = exposures(tmp_path, 2, n_star=10)
    one, two = field.models
    with pytest.raises(ValueError, match="both or none"):
        transfer_wcs_correction(one, two, matrix=MATRIX)
    with pytest.raises(ValueError, match="has no correction"):
        transfer_wcs_correction(one, two)
    with pytest.raises(ValueError, match="does not tell its plane"):
        transfer_wcs_correction(one, two.meta.wcs, MATRIX, SHIFT)
    del two.meta.wcs
    with pytest.raises(InputError, match="has no WCS"):
        transfer_wcs_correction(one, two, MATRIX, SHIFT)
