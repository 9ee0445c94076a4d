"""Matching and fitting in turns: crowded fields, outliers, catalogs, from nearly aligned images."""

from __future__ import annotations

import dithered_fields
import numpy as np
import pytest

from webbweave.tweakreg.joint_alignment import align_jointly
from webbweave.tweakreg.reference import ReferenceCatalog

MAS = 1e-3
#: What a histogram of offsets leaves of the errors of the pointing [arcsec, degree].
NEARLY = {"shift": 0.02, "rotation": 0.005}


def catalog(field, rng, noise, part=1.0, strangers=0):
    """A catalog of some of the stars, and of some that no image shows."""
    chosen = np.flatnonzero(rng.random(len(field.true_ra)) < part)
    picked = rng.integers(0, len(field.true_ra), (2, strangers))
    ra = np.append(field.true_ra[chosen], field.true_ra[picked[0]])
    dec = np.append(field.true_dec[chosen], field.true_dec[picked[1]])
    east, north = rng.normal(0, noise, (2, len(ra))) / 3600
    dec = dec + north
    ra = ra + east / np.cos(np.deg2rad(dec))
    ids = np.arange(1, len(ra) + 1)
    return ReferenceCatalog("truth", ra, dec, ids, None, np.full(len(ra), np.nan)), chosen


def align(field, **options):
    return align_jointly(field.ra, field.dec, field.group, field.group, field.planes, **options)


def bias(field, found):
    """Mean error of each group [arcsec], east and north."""
    errors = field.errors(found.solution.ra, found.solution.dec)
    return np.array([errors[field.group == g].mean(axis=0) for g in range(len(field.planes))])


@pytest.mark.parametrize("n_group", [4, 16])
def test_stars_are_found_and_groups_put_right(n_group):
    rng = np.random.default_rng(1)
    field = dithered_fields.field(n_group, 600, rng, noise=1 * MAS, **NEARLY)
    reference, chosen = catalog(field, rng, 0.1 * MAS, part=0.6, strangers=200)
    found = align(field, radius=0.1, reference=reference)
    assert np.all(np.abs(bias(field, found)) < 0.2 * MAS)
    assert all(fit.status == "SUCCESS" and fit.absolute for fit in found.solution.groups)
    assert found.radius == pytest.approx(6 * MAS, rel=0.1)
    assert found.n_turns <= 5
    # Which star is which.
    pairs = np.unique(np.column_stack([found.star, field.star]), axis=0)
    once = np.bincount(pairs[:, 0]) == 1
    assert once.mean() > 0.99
    own = np.full(len(found.reference_index), -1)
    own[found.star] = field.star
    tied = found.reference_index >= 0
    right = found.reference_index[tied] < len(chosen)
    assert right.mean() > 0.99
    np.testing.assert_array_equal(chosen[found.reference_index[tied][right]], own[tied][right])


def test_a_crowded_field():
    """1.7 stars per square arcsecond: one of 20 has a wrong neighbour within the first radius."""
    rng = np.random.default_rng(2)
    field = dithered_fields.field(4, 3500, rng, noise=2 * MAS, size=30.0, dither=8.0, **NEARLY)
    reference, _ = catalog(field, rng, 0.2 * MAS, part=0.3)
    found = align(field, radius=0.1, reference=reference)
    assert np.all(np.abs(bias(field, found)) < 0.2 * MAS)
    assert found.solution.sigma_detection == pytest.approx(2 * MAS, rel=0.1)


def test_half_of_the_detections_are_nothing():
    rng = np.random.default_rng(3)
    field = dithered_fields.field(4, 600, rng, noise=1 * MAS, **NEARLY)
    noise = dithered_fields.field(4, 600, rng, noise=0.0, **NEARLY, seen=0.5)
    n = len(field.ra)
    ra, dec = np.append(field.ra, noise.ra), np.append(field.dec, noise.dec + 0.5)
    dec[n:] = rng.permutation(dec[n:]) - 0.5
    group = np.append(field.group, noise.group)
    reference, _ = catalog(field, rng, 0.1 * MAS)
    found = align_jointly(ra, dec, group, group, field.planes, radius=0.3, reference=reference)
    errors = field.errors(found.solution.ra[:n], found.solution.dec[:n])
    for index in range(4):
        assert np.all(np.abs(errors[field.group == index].mean(axis=0)) < 0.25 * MAS)


def test_images_of_a_group_move_together():
    """Two detectors side by side, each with few stars, in one group."""
    rng = np.random.default_rng(4)
    field = dithered_fields.field(3, 60, rng, noise=0.0, **NEARLY)
    place = dithered_fields.on_plane(field.planes[0], field.ra, field.dec)
    image = 2 * field.group + (place[:, 0] > 0)
    reference, _ = catalog(field, rng, 0.0)
    found = align_jointly(
        field.ra, field.dec, image, field.group, field.planes, radius=0.2, reference=reference
    )
    for fit, matrix, shift in zip(found.solution.groups, field.matrices, field.shifts, strict=True):
        np.testing.assert_allclose(fit.matrix, matrix, atol=1e-9)
        np.testing.assert_allclose(fit.shift, shift, atol=1e-7)


def test_without_a_catalog_images_agree():
    rng = np.random.default_rng(5)
    field = dithered_fields.field(4, 500, rng, noise=1 * MAS, **NEARLY)
    found = align(field, radius=0.2)
    assert not any(fit.absolute for fit in found.solution.groups)
    assert (found.reference_index == -1).all()
    assert found.solution.sigma_detection == pytest.approx(1 * MAS, rel=0.1)
    assert max(fit.rms for fit in found.solution.groups) < 1.5 * MAS
    spread = bias(field, found) - bias(field, found).mean(axis=0)
    # Up to the rotation that all have in common, 0.005 degree over some 20 arcsec.
    assert np.all(np.abs(spread) < 5 * MAS)


def test_a_catalog_of_elsewhere_does_not_count():
    rng = np.random.default_rng(6)
    field = dithered_fields.field(3, 200, rng, noise=1 * MAS, **NEARLY)
    far = ReferenceCatalog(
        "far", field.true_ra + 1.0, field.true_dec, np.arange(200), None, np.zeros(200)
    )
    found = align(field, radius=0.2, reference=far)
    assert all(fit.status == "SUCCESS" and not fit.absolute for fit in found.solution.groups)


def test_one_image_has_no_partner():
    rng = np.random.default_rng(7)
    field = dithered_fields.field(1, 100, rng, noise=1 * MAS, **NEARLY)
    assert align(field, radius=0.2).solution.groups[0].status == "FAILED: not enough matches"
    reference, _ = catalog(field, rng, 0.1 * MAS)
    found = align(field, radius=0.2, reference=reference)
    assert found.solution.groups[0].status == "SUCCESS"
    assert np.all(np.abs(bias(field, found)) < 0.5 * MAS)


@pytest.mark.parametrize("crowd", [(300, 130.0, 30.0), (4000, 32.0, 8.0)])
@pytest.mark.parametrize("seed", range(4))
def test_a_group_far_off_fails_and_spoils_nothing(crowd, seed):
    rng = np.random.default_rng(seed)
    n_star, size, dither = crowd
    field = dithered_fields.field(4, n_star, rng, noise=2 * MAS, size=size, dither=dither, **NEARLY)
    reference, _ = catalog(field, rng, 0.5 * MAS, part=0.5)
    off = field.group == 2
    field.dec[off] += 1.8 / 3600
    found = align(field, radius=0.1, reference=reference)
    fits = found.solution.groups
    assert [fit.status for fit in (fits[0], fits[1], fits[3])] == ["SUCCESS"] * 3
    assert fits[2].status.startswith("FAILED: no")
    np.testing.assert_array_equal(fits[2].matrix, np.eye(2))
    assert not found.solution.used[off].any()
    assert np.all(np.abs(bias(field, found)[[0, 1, 3]]) < 1.2 * MAS)


@pytest.mark.parametrize("radii", [(0.0, None), (0.1, -1.0), (np.nan, None)])
def test_radii_are_positive(radii):
    rng = np.random.default_rng(8)
    field = dithered_fields.field(2, 20, rng)
    with pytest.raises(ValueError, match="positive radii"):
        align(field, radius=radii[0], reference_radius=radii[1])
