"""Corrections of the WCS: they do what they say, compose exactly, and survive a file."""

from __future__ import annotations

import copy
import math
from pathlib import Path

import asdf
import numpy as np
import pytest
from astropy.modeling.models import Identity, Mapping
from gwcs import WCS
from synthetic_image_wcs import PIXEL, SIZE, WCSINFO, image_wcs

from webbweave.errors import InputError
from webbweave.tweakreg import iter_linear_fit
from webbweave.tweakreg.image_plane import ImagePlane, moved_correction
from webbweave.tweakreg.v2v3_plane import LinearCorrection, V2V3Plane
from webbweave.tweakreg.wcs_correction import (
    apply_correction,
    correction_model,
    read_correction,
    remove_correction,
)
from webbweave.wcs.sky import ARCSEC_PER_RADIAN

PLANE = V2V3Plane.of(WCSINFO)
GRID = tuple(axis.ravel() for axis in np.meshgrid(*[np.linspace(0, SIZE - 1, 7)] * 2))

#: 1e-10 arcsec, in degrees, is 3e-14: the rounding of a right ascension of 200 degrees.
TINY = 5e-13


def correction(degrees, shift, scale=1.0):
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    return LinearCorrection(scale * turn, np.array(shift))


def applied(wcs, change, plane=PLANE, **options):
    return apply_correction(wcs, change.matrix, change.shift, plane, **options)


def separation_mas(first, second):
    """Distance on the sky of two lists of positions [mas]."""
    vectors = []
    for ra, dec in (first, second):
        lon, lat = np.deg2rad(ra), np.deg2rad(dec)
        vectors.append(
            np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
        )
    return np.linalg.norm(vectors[0] - vectors[1], axis=0) * ARCSEC_PER_RADIAN * 1e3


@pytest.fixture(params=[True, False], ids=["aberration", "plain"])
def wcs(request):
    return image_wcs(aberration=request.param)


def test_identity_changes_nothing(wcs):
    new = applied(wcs, correction(0, (0, 0)))
    assert separation_mas(new(*GRID), wcs(*GRID)).max() < 1e-6


def test_moves_positions_in_the_plane(wcs):
    change = correction(0.1, (0.3, -0.2), 1.0005)
    new = applied(wcs, change)
    before, after = (ImagePlane(w, PLANE).from_pixels(*GRID) for w in (wcs, new))
    np.testing.assert_allclose(after, change(before), atol=1e-10)
    # The plane keeps distances: what is shifted there is shifted on the sky.
    shifted = applied(wcs, correction(0, (0.3, -0.4)))
    np.testing.assert_allclose(separation_mas(shifted(*GRID), wcs(*GRID)), 500.0, rtol=1e-6)


def test_formula_of_the_step():
    """The model against the rotation matrices written out."""
    change = correction(0.02, (0.077, 0.218), 0.9999)
    v2 = np.array([60.0, 120.5, 180.0])
    v3 = np.array([-580.0, -527.7, -470.0])
    plane = PLANE.project(v2, v3)
    np.testing.assert_allclose(plane[1], 0, atol=1e-9)
    model = correction_model(PLANE, change)
    expected = PLANE.deproject(change(plane))
    np.testing.assert_allclose(model(v2, v3), expected, atol=1e-10)
    np.testing.assert_allclose(model.inverse(*expected), (v2, v3), atol=1e-10)
    np.testing.assert_allclose(PLANE.deproject(plane), (v2, v3), atol=1e-10)
    # Distances near the point of contact, and the direction of the axes at roll 0.
    level = V2V3Plane(10.0, 20.0, 0.0)
    np.testing.assert_allclose(level.project(11.0, 20.0), [1, 0], atol=1e-4)
    np.testing.assert_allclose(level.project(10.0, 21.0), [0, 1], atol=1e-8)
    assert np.isnan(level.project(180 * 3600.0, 0.0)).all()


def test_names_that_tools_look_for(wcs):
    new = applied(wcs, correction(0.1, (0.3, -0.2)))
    frames = wcs.available_frames
    assert new.available_frames == [*frames[:-1], "v2v3corr", frames[-1]]
    step = new.pipeline[len(frames) - 2].transform
    assert step.name == "JWST tangent-plane linear correction. v1"
    assert step.inverse.name == "Inverse JWST tangent-plane linear correction. v1"
    assert list(step.submodel_names) == [
        *["arcsec_to_deg_1D", "arcsec_to_deg_1D", "s2c", "det_to_optic_axis"],
        *["xyz", "xxx", "xtyt", "tp_affine", "xtyt2xyz", "one", "I(2D)"],
        *["optic_axis_to_det", "c2s", "deg_to_arcsec_1D", "deg_to_arcsec_1D"],
    ]
    assert step.inverse.submodel_names[7] == "tp_affine_inv"
    translation = step["tp_affine"].translation.value * ARCSEC_PER_RADIAN
    np.testing.assert_allclose(translation, [0.3, -0.2], rtol=1e-14)
    assert new.pipeline[-2].transform.name == "v23tosky"
    assert new.get_transform("v2v3corr", "world").n_submodels == 5


def test_all_else_is_kept(wcs):
    new = applied(wcs, correction(0.1, (0.3, -0.2)))
    assert new.bounding_box.bounding_box(order="F") == wcs.bounding_box.bounding_box(order="F")
    assert new.pixel_shape == wcs.pixel_shape == (SIZE, SIZE)
    assert new.array_shape == wcs.array_shape
    assert new.name == "synthetic"
    assert applied(wcs, correction(0, (0, 0)), name="FIT-LVL3-GAIADR3").name == "FIT-LVL3-GAIADR3"
    bare = image_wcs(box=False)
    assert applied(bare, correction(0, (0, 0))).bounding_box is None


def test_input_is_not_changed_and_shares_nothing(wcs):
    before = wcs(*GRID)
    first = applied(wcs, correction(0.1, (0.3, -0.2)))
    held = first(*GRID)
    second = applied(first, correction(-0.3, (1.0, 1.0)))
    for step in second.pipeline[:-1]:
        for leaf in step.transform.traverse_postorder():
            if type(leaf).__name__ == "Shift":
                leaf.offset = 77.0
            if type(leaf).__name__ == "RotationSequence3D":
                leaf.angles = leaf.angles.value + 1.0
    second.bounding_box = ((0, 1), (0, 1))
    assert "v2v3corr" not in wcs.available_frames
    for old, new in ((before, wcs(*GRID)), (held, first(*GRID))):
        np.testing.assert_array_equal(old, new)
    assert wcs.bounding_box.bounding_box(order="F")[0][1] == SIZE - 0.5


def test_corrections_compose_exactly(wcs):
    changes = [
        correction(0.5, (2.8, -0.4), 1.001),
        correction(-0.2, (-1.0, 0.3)),
        correction(0.1, (0.2, 0.1), 0.9995),
    ]
    expected = ImagePlane(wcs, PLANE).from_pixels(*GRID)
    chained = wcs
    for change in changes:
        chained = applied(chained, change)
        expected = change(expected)
    np.testing.assert_allclose(ImagePlane(chained, PLANE).from_pixels(*GRID), expected, atol=1e-10)
    assert chained.available_frames.count("v2v3corr") == 1
    at_once = applied(wcs, changes[2].after(changes[1]).after(changes[0]))
    assert separation_mas(chained(*GRID), at_once(*GRID)).max() < 1e-6
    undone = applied(chained, read_correction(chained)[1].inverse)
    assert separation_mas(undone(*GRID), wcs(*GRID)).max() < 1e-6
    removed = remove_correction(chained)
    assert removed.available_frames == wcs.available_frames
    np.testing.assert_array_equal(removed(*GRID), wcs(*GRID))
    assert remove_correction(wcs).available_frames == wcs.available_frames


def aligned(wcs, true, *, compat=False):
    """Fit the sky positions of an image to the true ones, and correct it."""
    plane = ImagePlane(wcs, PLANE, compat=compat)
    image, reference = plane.from_pixels(*GRID), plane.from_world(*true(*GRID))
    fit = iter_linear_fit(reference, image, fitgeom="general", center=(0, 0), nclip=0)
    return apply_correction(wcs, fit["matrix"], fit["shift"], PLANE)


def test_a_fit_lands_on_the_truth(wcs):
    true = applied(wcs, correction(0.3, (1.5, -2.0), 1.0025))
    new = aligned(wcs, true)
    assert separation_mas(new(*GRID), true(*GRID)).max() < 1e-5
    pixels = new.invert(*new(*GRID))
    expected = wcs.invert(*wcs(*GRID))  # as good as the inverse of the distortion
    np.testing.assert_allclose(pixels, expected, atol=1e-6)


@pytest.mark.parametrize(("degrees", "shift"), [(0.01, 1.0), (0.1, 1.0), (0.5, 2.8)])
def test_a_second_fit_lands_on_the_truth_as_well(wcs, degrees, shift):
    once = applied(wcs, correction(degrees, (0.0, 0.0)))
    true = applied(wcs, correction(degrees, (shift, 0.0)))
    assert separation_mas(aligned(once, true)(*GRID), true(*GRID)).max() < 1e-5
    # tweakwcs is wrong by the commutator of the two corrections.
    theirs = separation_mas(aligned(once, true, compat=True)(*GRID), true(*GRID))
    commutator = 1e3 * shift * 2 * math.sin(math.radians(degrees) / 2)
    np.testing.assert_allclose(theirs, commutator, rtol=0.1)


def test_image_plane_is_consistent(wcs):
    new = applied(wcs, correction(0.1, (0.3, -0.2)))
    for compat in (False, True):
        plane = ImagePlane(new, PLANE, compat=compat)
        points = plane.from_pixels(*GRID)
        np.testing.assert_allclose(plane.from_world(*new(*GRID)), points, atol=1e-9)
        assert separation_mas(plane.to_world(points), new(*GRID)).max() < 1e-5
        x, y = plane.to_pixels(points)
        expected = new.invert(*new(*GRID), with_bounding_box=False)
        np.testing.assert_allclose((x, y), expected, atol=1e-6)
    assert ImagePlane(wcs, PLANE).pixel_scale == pytest.approx(PIXEL, rel=1e-3)


def test_pixel_scale_without_inverse():
    wcs = image_wcs(aberration=False)
    steps = [(step.frame, copy.deepcopy(step.transform)) for step in wcs.pipeline]
    polynomials = steps[0][1]
    polynomials.inverse = None
    shifts = [leaf for leaf in polynomials.traverse_postorder() if not hasattr(leaf, "op")]
    one_way = shifts[0] & shifts[1] | Mapping((0, 1, 0, 1)) | shifts[3] & shifts[4]
    steps[0] = (steps[0][0], one_way | shifts[5] & shifts[6])
    bare = WCS(steps)
    assert ImagePlane(bare, PLANE).pixel_scale == 1.0
    bare.bounding_box = ((-0.5, SIZE - 0.5), (-0.5, SIZE - 0.5))
    assert ImagePlane(bare, PLANE).pixel_scale == pytest.approx(PIXEL, rel=1e-3)


@pytest.mark.parametrize(("ra", "dec"), [(0.0, 0.0), (359.999, -20.0), (33.0, 89.99), (12, -90)])
def test_everywhere_on_the_sky(ra, dec):
    wcs = image_wcs(ra=ra, dec=dec)
    change = correction(0.1, (0.3, -0.2))
    new = applied(wcs, change)
    plane = ImagePlane(new, PLANE)
    np.testing.assert_allclose(
        plane.from_world(*new(*GRID)), change(ImagePlane(wcs, PLANE).from_pixels(*GRID)), atol=1e-8
    )


def test_correction_of_a_neighbour():
    """Two detectors that move together: one turn about one axis of the sky."""
    here = image_wcs()
    info = WCSINFO | {"v2_ref": 190.0, "v3_ref": -470.0, "roll_ref": 131.0}
    # The neighbour's attitude: the same telescope, so the sky follows from (V2, V3) as above.
    there = WCS(
        [
            *[(s.frame, copy.deepcopy(s.transform)) for s in image_wcs(wcsinfo=info).pipeline[:2]],
            *[(s.frame, copy.deepcopy(s.transform)) for s in here.pipeline[2:]],
        ]
    )
    other = V2V3Plane.of(info)
    change = correction(0.02, (0.4, -0.3))
    new_here = applied(here, change)
    moved = moved_correction(change, ImagePlane(here, PLANE), ImagePlane(there, other))
    new_there = applied(there, moved, other)
    # A point of the sky where both look: the neighbour's pixels, through either correction.
    v2, v3 = there.get_transform("detector", "v2v3vacorr")(*GRID)
    step = new_here.get_transform("v2v3vacorr", "v2v3corr")
    expected = here.get_transform("v2v3vacorr", "world")(*step(v2, v3))
    moved_by = separation_mas(there(*GRID), expected)
    assert moved_by.max() > 400
    assert separation_mas(new_there(*GRID), expected).max() < 0.02


def test_files(tmp_path, wcs):
    new = applied(wcs, correction(0.1, (0.3, -0.2)))
    path = tmp_path / "wcs.asdf"
    asdf.AsdfFile({"wcs": new}).write_to(path)
    with asdf.open(path, lazy_load=False, memmap=False) as file:
        back = file["wcs"]
    np.testing.assert_array_equal(back(*GRID), new(*GRID))
    np.testing.assert_array_equal(back.invert(*new(*GRID)), new.invert(*new(*GRID)))
    plane, change = read_correction(back)
    np.testing.assert_allclose(plane.angles, PLANE.angles, rtol=1e-14)
    np.testing.assert_allclose(change.shift, [0.3, -0.2], rtol=1e-13)
    again = applied(back, change.inverse)
    assert separation_mas(again(*GRID), wcs(*GRID)).max() < 1e-6


def test_refuses_other_frames():
    wcs = image_wcs()
    bare = WCS([(wcs.input_frame, Identity(2)), (wcs.output_frame, None)])
    with pytest.raises(InputError, match="no frame v2v3, found detector, world"):
        applied(bare, correction(0, (0, 0)))
    with pytest.raises(InputError, match="no frame v2v3"):
        ImagePlane(bare, PLANE)
    assert read_correction(wcs) is None


def test_refuses_corrections_of_others(wcs):
    new = applied(wcs, correction(0.1, (0.3, -0.2)))
    elsewhere = V2V3Plane(PLANE.v2_ref, PLANE.v3_ref, PLANE.roll_ref + 1e-6)
    with pytest.raises(ValueError, match="correction for the reference angles"):
        applied(new, correction(0, (0, 0)), elsewhere)
    place = new.available_frames.index("v2v3corr") - 1
    new.pipeline[place].transform.name = "some other tool"
    with pytest.raises(ValueError, match="'some other tool', expected 'JWST tangent"):
        applied(new, correction(0, (0, 0)))


@pytest.mark.parametrize(
    ("matrix", "shift", "match"),
    [
        (np.eye(3), (0, 0), r"shapes \(3, 3\) and \(2,\)"),
        (np.eye(2), (0, 0, 0), r"shapes \(2, 2\) and \(3,\)"),
        (np.full((2, 2), np.nan), (0, 0), "must be finite"),
        (np.eye(2), (0, np.inf), "must be finite"),
        (np.zeros((2, 2)), (0, 0), "has no inverse"),
    ],
)
def test_refuses_nonsense(wcs, matrix, shift, match):
    with pytest.raises(ValueError, match=match):
        apply_correction(wcs, matrix, shift, PLANE)


@pytest.mark.parametrize("value", [None, "x", math.nan])
def test_reference_angles_are_needed(value):
    with pytest.raises(InputError, match=r"meta\.wcsinfo\.roll_ref: expected a number"):
        V2V3Plane.of(WCSINFO | {"roll_ref": value})


@pytest.fixture(scope="module")
def survey(shared_dir) -> Path:
    """WCSs as assigned, and as a survey corrected them with tweakwcs."""
    path = shared_dir / "data" / "wcs" / "nircam_ceers_obs003.asdf"
    if not path.is_file():
        pytest.skip("needs the geometry of NIRCam")
    return path


@pytest.mark.filterwarnings("ignore")
def test_real_corrections(survey):
    with asdf.open(survey, lazy_load=False, memmap=False, lazy_tree=True) as file:
        exposures = [dict(exposure) for exposure in file["exposures"][:3]]
    x, y = (axis.ravel() for axis in np.meshgrid(*[np.linspace(0, 2047, 5)] * 2))
    for exposure in exposures:
        theirs, plane = exposure["wcs_true"], V2V3Plane.of(exposure["meta"]["wcsinfo"])
        found, change = read_correction(theirs)
        np.testing.assert_allclose(found.angles, plane.angles, atol=1e-12)
        own = applied(remove_correction(theirs), change, plane)
        assert separation_mas(own(x, y), theirs(x, y)).max() < 1e-5
        sky = theirs(x, y)
        np.testing.assert_allclose(own.invert(*sky), theirs.invert(*sky), atol=1e-8)
        steps = [
            wcs.pipeline[wcs.available_frames.index("v2v3corr") - 1].transform
            for wcs in (own, theirs)
        ]
        for one, two in (steps, [step.inverse for step in steps]):
            names = [[part.name for part in model.traverse_postorder()] for model in (one, two)]
            assert names[0] == names[1]
        assert own.available_frames == theirs.available_frames
