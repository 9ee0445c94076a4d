"""Joint alignment finds the true corrections, without bias, and knows how well it does."""

from __future__ import annotations

import dithered_fields
import numpy as np
import pytest

from webbweave.tweakreg.joint import ReferenceStars, solve_joint

MAS = 1e-3


def reference_of(field, rng, noise=0.0, part=1.0, **options):
    """A catalog of some of the stars."""
    chosen = np.flatnonzero(rng.random(len(field.true_ra)) < part)
    east, north = rng.normal(0, noise, (2, len(chosen))) / 3600
    dec = field.true_dec[chosen] + north
    ra = field.true_ra[chosen] + east / np.cos(np.deg2rad(dec))
    return ReferenceStars(ra, dec, chosen, **options)


def solve(field, **options):
    return solve_joint(field.ra, field.dec, field.group, field.star, field.planes, **options)


INJECTED = {
    "shift": {"rotation": 0.0},
    "rshift": {},
    "rscale": {"scale": 1e-3},
    "general": {"general": 1e-3},
}


@pytest.mark.parametrize("place", [(150.0, 2.0), (0.0, -60.0), (30.0, 90.0), (359.99, -89.99)])
@pytest.mark.parametrize("geometry", INJECTED)
def test_without_noise_the_corrections_are_exact(geometry, place):
    rng = np.random.default_rng(5)
    field = dithered_fields.field(4, 80, rng, place=place, noise=0.0, **INJECTED[geometry])
    found = solve(field, geometry=geometry, reference=reference_of(field, rng, part=0.5))
    assert found.converged
    assert found.reference_used.all()
    for fit, matrix, shift in zip(found.groups, field.matrices, field.shifts, strict=True):
        assert fit.status == "SUCCESS"
        assert fit.absolute
        np.testing.assert_allclose(fit.matrix, matrix, atol=1e-10)
        np.testing.assert_allclose(fit.shift, shift, atol=1e-8)
        moved = fit.matrix @ fit.centre + fit.shift
        np.testing.assert_allclose(moved, fit.centre + fit.displacement, atol=1e-12)
        assert fit.rms < 1e-8
        assert fit.rms_before > 0.5 * np.hypot(*fit.displacement)
    assert np.abs(field.errors(found.ra, found.dec)[np.abs(found.dec) < 80]).max(initial=0) < 1e-8


@pytest.mark.parametrize("n_group", [4, 16])
def test_the_absolute_tie_has_no_bias(n_group):
    """Where the lowest of N detections is taken, y is wrong by 1.6 mas (4) or 2.7 mas (16)."""
    rng = np.random.default_rng(6)
    field = dithered_fields.field(n_group, 1500, rng, noise=1 * MAS)
    reference = reference_of(field, rng, noise=0.1 * MAS, part=0.4)
    found = solve(field, reference=reference)
    errors = field.errors(found.ra, found.dec)
    for group in range(n_group):
        assert np.all(np.abs(errors[field.group == group].mean(axis=0)) < 0.1 * MAS)
    tied = np.count_nonzero(np.isin(field.star, reference.star))
    assert np.all(np.abs(errors.mean(axis=0)) < 4 * MAS / np.sqrt(tied))
    assert found.sigma_detection == pytest.approx(1 * MAS, rel=0.05)
    several = np.bincount(field.star)[field.star] > 1
    assert found.used[several].mean() > 0.995


def whitened(found, truth):
    """Errors of the corrections in units of their standard deviations, all independent."""
    values = []
    for fit, matrix, shift in zip(found.groups, truth.matrices, truth.shifts, strict=True):
        true = matrix @ fit.centre + shift - fit.centre
        error = fit.displacement - true
        if fit.geometry == "rshift":
            angle = np.arctan2(fit.matrix[0, 1], fit.matrix[0, 0])
            error = [*error, angle - np.arctan2(matrix[0, 1], matrix[0, 0])]
        elif fit.geometry == "general":
            error = [*error, *(fit.matrix - matrix).ravel()]
        values.append(np.linalg.solve(np.linalg.cholesky(fit.covariance), error))
    return np.array(values)


@pytest.mark.parametrize(
    ("n_group", "geometry", "trials"),
    [(4, "rshift", 30), (4, "general", 25), (4, "shift", 30), (16, "rshift", 8)],
)
def test_the_covariance_is_the_scatter_of_many_trials(n_group, geometry, trials):
    rng = np.random.default_rng(7)
    values = []
    for _ in range(trials):
        field = dithered_fields.field(n_group, 60, rng, noise=1 * MAS, **INJECTED[geometry])
        reference = reference_of(field, rng, noise=0.5 * MAS, part=0.6)
        values.append(whitened(solve(field, geometry=geometry, reference=reference), field))
    values = np.array(values)
    np.testing.assert_allclose(np.std(values, axis=(0, 1)), 1.0, rtol=0.15)
    # Groups share the errors of the catalog: their mean scatters more than independent ones.
    assert np.all(np.abs(values.mean(axis=(0, 1))) < 4 / np.sqrt(trials))


def test_without_a_reference_the_mean_correction_is_nil_and_all_agree():
    rng = np.random.default_rng(8)
    field = dithered_fields.field(5, 300, rng, noise=1 * MAS)
    found = solve(field)
    assert not any(fit.absolute for fit in found.groups)
    mean = np.mean([fit.displacement for fit in found.groups], axis=0)
    angles = [np.arctan2(fit.matrix[0, 1], fit.matrix[0, 0]) for fit in found.groups]
    assert np.all(np.abs(mean) < 1e-6)
    assert abs(np.mean(angles)) < 1e-8
    # All groups are wrong by one shift and one rotation together.
    errors = field.errors(found.ra, found.dec)
    place = dithered_fields.on_plane(field.planes[0], found.ra, found.dec)
    design = np.zeros((len(place), 2, 3))
    design[:, 0, 0] = design[:, 1, 1] = 1
    design[:, 0, 2], design[:, 1, 2] = place[:, 1], -place[:, 0]
    common = np.linalg.lstsq(design.reshape(-1, 3), errors.ravel(), rcond=None)[0]
    rest = errors - design @ common
    for group in range(5):
        assert np.all(np.abs(rest[field.group == group].mean(axis=0)) < 0.25 * MAS)
    assert np.std(rest) == pytest.approx(1 * MAS, rel=0.05)


@pytest.mark.parametrize("geometry", INJECTED)
def test_the_covariance_of_a_relative_solution(geometry):
    """In the gauge of no mean correction, errors of the differences between groups scatter so."""
    rng = np.random.default_rng(9)
    chi, count = 0.0, 0
    template = dithered_fields.field(3, 60, rng, noise=0.0, shift=0.0, rotation=0.0)
    for _ in range(30):
        east, north = rng.normal(0, 1 * MAS, (2, len(template.ra))) / 3600
        dec = template.dec + north
        ra = template.ra + east / np.cos(np.deg2rad(dec))
        found = solve_joint(
            ra, dec, template.group, template.star, template.planes, geometry=geometry
        )
        for fit in found.groups:
            chi += np.sum(fit.displacement**2)
            count += np.trace(fit.covariance[:2, :2])
    assert np.sqrt(chi / count) == pytest.approx(1.0, rel=0.15)


def test_groups_that_are_to_stay_stay():
    rng = np.random.default_rng(10)
    field = dithered_fields.field(3, 200, rng, noise=0.0)
    found = solve(field, fixed=[1])
    assert found.groups[1].status == "REFERENCE"
    np.testing.assert_array_equal(found.groups[1].matrix, np.eye(2))
    np.testing.assert_array_equal(found.groups[1].shift, 0.0)
    np.testing.assert_array_equal(found.groups[1].covariance, 0.0)
    own = field.group == 1
    sky = dithered_fields.on_plane(field.planes[1], found.ra, found.dec)
    where = np.full((len(field.true_ra), 2), np.nan)
    where[field.star[own]] = sky[own]
    both = ~own & np.isfinite(where[field.star, 0])
    np.testing.assert_allclose(sky[both], where[field.star][both], atol=1e-8)


def test_wrong_matches_are_clipped_and_clipping_ends():
    rng = np.random.default_rng(11)
    field = dithered_fields.field(6, 400, rng, noise=1 * MAS)
    bad = rng.random(len(field.ra)) < 0.15
    field.dec[bad] += rng.uniform(-0.1, 0.1, bad.sum()) / 3600
    field.ra[bad] += rng.uniform(-0.1, 0.1, bad.sum()) / 3600
    reference = reference_of(field, rng, noise=0.1 * MAS)
    found = solve(field, reference=reference)
    assert found.converged
    errors = field.errors(found.ra, found.dec)
    assert found.sigma_detection == pytest.approx(1 * MAS, rel=0.1)
    assert found.used[~bad & (np.bincount(field.star)[field.star] > 3)].mean() > 0.99
    assert found.used[np.hypot(*errors.T) > 6 * MAS].mean() < 0.01
    for group in range(6):
        good = ~bad & (field.group == group)
        assert np.all(np.abs(errors[good].mean(axis=0)) < 0.25 * MAS)


def test_a_wrong_reference_star_is_clipped():
    rng = np.random.default_rng(12)
    field = dithered_fields.field(4, 100, rng, noise=1 * MAS)
    reference = reference_of(field, rng, noise=0.2 * MAS)
    reference.dec[7] += 0.05 / 3600
    found = solve(field, reference=reference)
    assert not found.reference_used[7]
    assert found.reference_used.mean() > 0.95
    unclipped = solve(field, reference=reference, sigma=0.0)
    assert unclipped.reference_used.all()
    assert np.all(unclipped.used | (np.bincount(field.star)[field.star] == 1))


def test_reference_stars_of_weight_nil_do_not_count():
    rng = np.random.default_rng(13)
    field = dithered_fields.field(2, 100, rng, noise=0.0)
    weight = np.ones(100)
    weight[:50] = 0.0
    reference = reference_of(field, rng, weight=weight)
    reference.ra[:50] += 1.0 / 3600
    found = solve(field, reference=reference, sigma=0.0)
    np.testing.assert_allclose(found.groups[0].shift, field.shifts[0], atol=1e-8)


def test_weights_of_detections_count():
    rng = np.random.default_rng(14)
    errors = {True: [], False: []}
    for _ in range(10):
        field = dithered_fields.field(3, 80, rng, noise=0.0)
        noise = np.where(rng.random(len(field.ra)) < 0.5, 0.2, 5.0) * MAS
        field.dec += rng.normal(0, noise) / 3600
        field.ra += rng.normal(0, noise) / 3600
        reference = reference_of(field, rng)
        for weighted, values in errors.items():
            found = solve(field, reference=reference, weight=noise**-2 if weighted else None)
            values.append(
                found.groups[0].displacement
                - (
                    field.matrices[0] @ found.groups[0].centre
                    + field.shifts[0]
                    - found.groups[0].centre
                )
            )
    assert np.std(errors[True]) < 0.2 * np.std(errors[False])


def test_too_few_stars_fail_and_spoil_nothing():
    rng = np.random.default_rng(15)
    field = dithered_fields.field(4, 200, rng, noise=0.0)
    few = (field.group != 2) | (np.cumsum(field.group == 2) <= 6)
    field.ra, field.dec = field.ra[few], field.dec[few]
    field.group, field.star = field.group[few], field.star[few]
    found = solve(field, reference=reference_of(field, rng), min_stars=7)
    assert found.groups[2].status == "FAILED: not enough matches"
    np.testing.assert_array_equal(found.groups[2].matrix, np.eye(2))
    np.testing.assert_array_equal(found.groups[2].shift, 0.0)
    assert np.isnan(found.groups[2].covariance).all()
    assert found.groups[2].n_matched == 6
    assert found.groups[2].n_used == 0
    assert not found.used[field.group == 2].any()
    np.testing.assert_allclose(found.groups[3].shift, field.shifts[3], atol=1e-8)
    assert (
        solve(field, reference=reference_of(field, rng), min_stars=6).groups[2].status == "SUCCESS"
    )


def test_a_group_without_stars_fails():
    rng = np.random.default_rng(16)
    field = dithered_fields.field(3, 100, rng, noise=0.0)
    planes = [*field.planes, field.planes[0]]
    found = solve_joint(field.ra, field.dec, field.group, field.star, planes)
    assert found.groups[3].status == "FAILED: empty source catalog"
    assert [fit.status for fit in found.groups[:3]] == ["SUCCESS"] * 3


def test_stars_on_a_line_do_not_determine_everything():
    rng = np.random.default_rng(17)
    field = dithered_fields.field(3, 300, rng, noise=0.0, rotation=0.0, shift=0.0)
    place = dithered_fields.on_plane(field.planes[1], field.ra, field.dec)
    line = (field.group != 1) | (np.abs(place[:, 1]) < 1e-9)
    x = np.linspace(-50, 50, 20)
    ra, dec = dithered_fields.on_sky(field.planes[1], x, np.zeros(20))
    n = len(field.true_ra)
    ra = np.concatenate([field.ra[line], ra, ra])
    dec = np.concatenate([field.dec[line], dec, dec])
    group = np.concatenate([field.group[line], np.full(20, 1), np.full(20, 0)])
    star = np.concatenate([field.star[line], n + np.arange(20), n + np.arange(20)])
    found = solve_joint(ra, dec, group, star, field.planes, geometry="general")
    assert found.groups[1].status == "FAILED: the stars do not determine the correction"
    assert found.groups[0].status == found.groups[2].status == "SUCCESS"
    found = solve_joint(ra, dec, group, star, field.planes, geometry="rshift")
    assert found.groups[1].status == "SUCCESS"


def test_sets_of_groups_that_do_not_overlap():
    rng = np.random.default_rng(18)
    here = dithered_fields.field(3, 150, rng, noise=0.0)
    there = dithered_fields.field(2, 150, rng, noise=0.0, place=(150.5, 2.5))
    found = solve_joint(
        np.concatenate([here.ra, there.ra]),
        np.concatenate([here.dec, there.dec]),
        np.concatenate([here.group, there.group + 3]),
        np.concatenate([here.star, there.star + 150]),
        here.planes + there.planes,
        reference=reference_of(here, rng),
    )
    assert [fit.status for fit in found.groups] == ["SUCCESS"] * 5
    assert [fit.absolute for fit in found.groups] == [True] * 3 + [False] * 2
    np.testing.assert_allclose(found.groups[2].shift, here.shifts[2], atol=1e-8)
    mean = np.mean([fit.displacement for fit in found.groups[3:]], axis=0)
    np.testing.assert_allclose(mean, 0.0, atol=1e-3)
    assert max(fit.rms for fit in found.groups) < 1e-8


def test_few_stars_in_common_with_each_but_enough_with_all():
    """The last group shares one star with each of four groups, which share many."""
    rng = np.random.default_rng(23)
    field = dithered_fields.field(5, 400, rng, noise=0.0, rotation=0.0)
    whole = np.flatnonzero(np.bincount(field.star, minlength=400) == 5)
    keep = field.group < 4
    for other in range(4):
        keep |= (field.group == 4) & (field.star == whole[other])
    for other in range(4):
        keep &= (field.group == other) | (field.group == 4) | (field.star != whole[other])
    found = solve_joint(
        field.ra[keep], field.dec[keep], field.group[keep], field.star[keep], field.planes
    )
    assert found.groups[4].n_used == 4
    assert [fit.status for fit in found.groups] == ["SUCCESS"] * 5
    assert max(fit.rms for fit in found.groups) < 1e-8


def test_one_group_is_tied_to_a_catalog():
    rng = np.random.default_rng(19)
    field = dithered_fields.field(1, 400, rng, noise=1 * MAS)
    found = solve(field, reference=reference_of(field, rng, noise=1 * MAS))
    fit = found.groups[0]
    assert fit.status == "SUCCESS"
    error = fit.matrix @ fit.centre + fit.shift - field.matrices[0] @ fit.centre - field.shifts[0]
    assert np.all(np.abs(error) < 5 * np.sqrt(np.diag(fit.covariance)[:2]))
    expected = np.sqrt(2) * MAS / np.sqrt(fit.n_used)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.covariance)[:2]), expected, rtol=0.15)
    assert solve(field).groups[0].status == "FAILED: not enough matches"


def test_stars_are_the_better_the_more_detections_they_have():
    rng = np.random.default_rng(20)
    field = dithered_fields.field(9, 300, rng, noise=1 * MAS, seen=0.7)
    found = solve(field, reference=reference_of(field, rng, noise=5 * MAS))
    shown = np.isfinite(found.star_ra)
    assert np.all(np.isin(np.flatnonzero(shown), field.star))
    pulls = (found.star_dec - field.true_dec)[shown] * 3600 / found.star_sigma[shown]
    assert np.std(pulls) == pytest.approx(1.0, rel=0.15)


def test_inputs_stay_and_no_stars_are_no_crash():
    rng = np.random.default_rng(21)
    field = dithered_fields.field(2, 50, rng)
    before = field.ra.copy(), field.dec.copy()
    solve(field)
    np.testing.assert_array_equal(before[0], field.ra)
    np.testing.assert_array_equal(before[1], field.dec)
    none, index = np.zeros(0), np.zeros(0, dtype=int)
    found = solve_joint(none, none, index, index, field.planes)
    assert {fit.status for fit in found.groups} == {"FAILED: empty source catalog"}


def test_misuse():
    rng = np.random.default_rng(22)
    field = dithered_fields.field(2, 50, rng)
    with pytest.raises(ValueError, match=r"unknown geometry 'affine'.*shift, rshift"):
        solve(field, geometry="affine")
    with pytest.raises(ValueError, match="one length"):
        solve_joint(field.ra[1:], field.dec, field.group, field.star, field.planes)
    with pytest.raises(ValueError, match="not negative"):
        solve(field, weight=np.full(len(field.ra), -1.0))
