"""Linear fits: known transformations, errors as large as they claim, clipping, bad input."""

from __future__ import annotations

import math

import numpy as np
import pytest

from webbweave.errors import WeaveError
from webbweave.tweakreg import NotEnoughPointsError, SingularMatrixError, iter_linear_fit

GEOMETRIES = ["shift", "rshift", "rscale", "general"]


def known(fitgeom):
    """A matrix that a geometry can have."""
    angle = math.radians(0.7)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    return {
        "shift": np.eye(2),
        "rshift": turn,
        "rscale": 1.0025 * turn,
        "general": np.array([[1.002, 0.012], [-0.009, 0.998]]),
    }[fitgeom]


def scene(fitgeom, n=80, noise=0.0, seed=1):
    rng = np.random.default_rng(seed)
    uv = rng.uniform(-60, 60, (n, 2)) + np.array([300, -200])
    return uv @ known(fitgeom).T + [0.4, -0.3] + rng.normal(0, noise, (n, 2)), uv


def predicted(fit, uv):
    return (uv - fit["center"]) @ fit["matrix"].T + fit["shift"] + fit["center"]


@pytest.mark.parametrize("fitgeom", GEOMETRIES)
def test_recovers_what_was_put_in(fitgeom):
    xy, uv = scene(fitgeom)
    fit = iter_linear_fit(xy, uv, fitgeom=fitgeom)
    np.testing.assert_allclose(fit["matrix"], known(fitgeom), atol=1e-14)
    np.testing.assert_allclose(predicted(fit, uv), xy, atol=1e-12)
    assert fit["fitmask"].all()
    assert fit["eff_nclip"] == 0
    assert fit["rmse"] < 1e-12
    np.testing.assert_allclose(fit["center"], uv.mean(axis=0))


@pytest.mark.parametrize("fitgeom", GEOMETRIES)
@pytest.mark.parametrize("weighted", [False, True])
def test_errors_are_as_large_as_the_covariance_says(fitgeom, weighted):
    rng = np.random.default_rng(8)
    uv = rng.uniform(-60, 60, (40, 2))
    weight = rng.uniform(0.2, 5, 40) if weighted else None
    sigma = 0.01 / np.sqrt(np.ones(40) if weight is None else weight)
    truth = np.r_[known(fitgeom).ravel(), 0.4, -0.3]
    pulls, claimed = [], np.zeros((6, 6))
    for _ in range(300):
        xy = uv @ known(fitgeom).T + [0.4, -0.3] + rng.normal(size=(40, 2)) * sigma[:, None]
        fit = iter_linear_fit(xy, uv, weight, None, fitgeom, center=(0, 0), nclip=0)
        pulls.append(np.r_[fit["matrix"].ravel(), fit["shift"]] - truth)
        claimed += fit["covariance"] / 300
    scatter = np.cov(np.array(pulls).T)
    free = np.diag(claimed) > 1e-20
    assert free.sum() == {"shift": 2, "rshift": 6, "rscale": 6, "general": 6}[fitgeom]
    # 300 trials: standard deviations are known to 4 %.
    ratio = np.sqrt(np.diag(scatter)[free] / np.diag(claimed)[free])
    np.testing.assert_allclose(ratio, 1.0, atol=0.16)
    size = np.sqrt(np.outer(np.diag(claimed), np.diag(claimed)))[np.ix_(free, free)]
    np.testing.assert_allclose(
        (scatter[np.ix_(free, free)] - claimed[np.ix_(free, free)]) / size, 0, atol=0.3
    )


def test_meaning_of_the_matrix():
    xy, uv = scene("rscale")
    fit = iter_linear_fit(xy, uv, fitgeom="rscale")
    assert fit["proper_rot"] == pytest.approx(0.7, abs=1e-11)
    assert fit["rot"] == pytest.approx((0.7, 0.7), abs=1e-11)
    assert fit["<rot>"] == pytest.approx(0.7, abs=1e-11)
    assert fit["scale"] == pytest.approx((1.0025, 1.0025), abs=1e-12)
    assert fit["<scale>"] == pytest.approx(1.0025, abs=1e-12)
    assert fit["skew"] == pytest.approx(0.0, abs=1e-11)
    assert fit["proper"] is True
    general = iter_linear_fit(*scene("general"))
    assert general["scale"] == pytest.approx(np.linalg.norm(known("general"), axis=0), abs=1e-12)
    assert general["skew"] == pytest.approx(np.diff(general["rot"])[0], abs=1e-12)


@pytest.mark.parametrize("fitgeom", ["rshift", "rscale", "general"])
def test_mirror_images_are_recognised(fitgeom):
    _, uv = scene("shift")
    xy = uv * [-1, 1] + [1, 2]
    fit = iter_linear_fit(xy, uv, fitgeom=fitgeom)
    np.testing.assert_allclose(fit["matrix"], [[-1, 0], [0, 1]], atol=1e-13)
    assert fit["proper"] is False


def test_centre_moves_the_shift_only():
    xy, uv = scene("rscale", noise=0.01)
    one = iter_linear_fit(xy, uv, fitgeom="rscale")
    two = iter_linear_fit(xy, uv, fitgeom="rscale", center=(5, 7))
    np.testing.assert_allclose(one["matrix"], two["matrix"], atol=1e-13)
    np.testing.assert_allclose(predicted(one, uv), predicted(two, uv), atol=1e-11)
    assert two["center"].tolist() == [5, 7]


def test_weights():
    xy, uv = scene("general", noise=0.01)
    xy[7] += 3
    weight = np.ones(80)
    weight[7] = 0
    fit = iter_linear_fit(xy, uv, weight, nclip=0)
    without = iter_linear_fit(np.delete(xy, 7, 0), np.delete(uv, 7, 0), nclip=0)
    np.testing.assert_allclose(fit["matrix"], without["matrix"], atol=1e-13)
    assert not fit["fitmask"][7]
    assert len(fit["resids"]) == 79
    # Both weights: 1 / w = 1 / w1 + 1 / w2; a weight of 2 counts a point twice.
    both = iter_linear_fit(xy, uv, 2 * weight, 2 * weight, nclip=0)
    np.testing.assert_allclose(both["matrix"], fit["matrix"], atol=1e-13)
    double = np.ones(80)
    double[3] = 2
    once = iter_linear_fit(xy, uv, None, double, center=(0, 0), nclip=0)
    twice = iter_linear_fit(
        np.vstack([xy, xy[3:4]]), np.vstack([uv, uv[3:4]]), center=(0, 0), nclip=0
    )
    np.testing.assert_allclose(once["matrix"], twice["matrix"], atol=1e-12)
    assert once["rmse"] == pytest.approx(twice["rmse"], rel=1e-12)
    assert once["mad"] == pytest.approx(twice["mad"], rel=1e-12)


def test_statistics():
    xy, uv = scene("shift", noise=0.01, n=4000)
    fit = iter_linear_fit(xy, uv, fitgeom="shift", nclip=0)
    length = np.linalg.norm(fit["resids"], axis=1)
    assert fit["rmse"] == pytest.approx(np.sqrt((length**2).mean()))
    assert fit["mae"] == pytest.approx(length.mean())
    assert fit["std"] == pytest.approx(fit["rmse"], rel=1e-12)
    # Of a normal distribution all of them measure the same width.
    assert fit["mad"] == pytest.approx(0.01 * math.sqrt(2), rel=0.05)
    assert fit["rmse"] == pytest.approx(0.01 * math.sqrt(2), rel=0.03)


@pytest.mark.parametrize("statistic", ["rmse", "mae", "std", "mad"])
@pytest.mark.parametrize("accumulate", [False, True])
def test_outliers_are_clipped(statistic, accumulate):
    xy, uv = scene("rscale", n=200, noise=0.002)
    xy[::20] += np.random.default_rng(2).normal(0, 1, (10, 2))
    fit = iter_linear_fit(
        xy, uv, fitgeom="rscale", nclip=20, sigma=(3, statistic), clip_accum=accumulate
    )
    assert fit["converged"]
    assert not fit["fitmask"][::20].any()
    assert fit["fitmask"].sum() > 160
    np.testing.assert_allclose(fit["matrix"], known("rscale"), atol=2e-5)


def two_populations(seed=4):
    """300 good points, and 60 that are 80 mas off in one direction."""
    rng = np.random.default_rng(seed)
    uv = rng.uniform(-30, 30, (360, 2))
    xy = uv + rng.normal(0, 0.002, (360, 2))
    xy[300:] += [0.08, 0.0]
    return xy, uv


def test_clipping_converges_whatever_the_number_of_rounds():
    shifts = [
        iter_linear_fit(*two_populations(), fitgeom="shift", nclip=rounds, sigma=2.0)
        for rounds in (8, 9, 10, 11, 50)
    ]
    for fit in shifts:
        assert fit["converged"]
        np.testing.assert_allclose(fit["shift"], shifts[0]["shift"], atol=1e-15)
        assert np.abs(fit["shift"]).max() < 3 * 0.002 / np.sqrt(300)
    odd, even = (
        iter_linear_fit(*two_populations(), fitgeom="shift", nclip=rounds, sigma=2.0, compat=True)[
            "shift"
        ]
        for rounds in (9, 10)
    )
    assert np.abs(odd - even).max() > 5e-3  # what is corrected


def test_a_point_comes_back_by_merit():
    rng = np.random.default_rng(6)
    uv = rng.uniform(-30, 30, (50, 2))
    xy = uv + rng.normal(0, 0.01, (50, 2))
    xy[:6] += [3.0, 0.0]
    fit = iter_linear_fit(xy, uv, fitgeom="shift", nclip=30, sigma=2.0)
    distance = np.linalg.norm(xy - uv - fit["shift"], axis=1)
    np.testing.assert_array_equal(fit["fitmask"], distance < 2.0 * fit["rmse"])


def test_no_clipping_of_rounding_errors_or_at_the_minimum():
    xy, uv = scene("general", n=500)
    fit = iter_linear_fit(xy, uv, sigma=1.0)
    assert fit["fitmask"].all()
    few = iter_linear_fit(*scene("rscale", n=2, noise=0.1), fitgeom="rscale", sigma=0.1)
    assert few["fitmask"].all()
    assert np.isnan(few["covariance"]).any()


def test_single_point():
    fit = iter_linear_fit([[1.0, 2.0]], [[0.5, 2.5]], fitgeom="shift")
    np.testing.assert_allclose(fit["shift"], [0.5, -0.5])
    assert fit["rmse"] == fit["std"] == fit["mad"] == 0.0
    assert np.isnan(fit["covariance"][4, 4])
    assert fit["covariance"][0, 0] == 0.0


def test_input_is_not_changed():
    xy, uv = scene("general", noise=0.01)
    weight = np.ones(80)
    arrays = xy, uv, weight
    copies = [array.copy() for array in arrays]
    for array in arrays:
        array.flags.writeable = False
    iter_linear_fit(xy, uv, weight, weight)
    for array, copy in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"xy": np.zeros((3, 2))}, "xy has 3 points and uv 80"),
        ({"xy": np.zeros(160)}, r"xy has shape \(160,\), expected \(n, 2\)"),
        ({"wxy": np.ones(3)}, r"wxy has shape \(3,\)"),
        ({"wuv": -np.ones(80)}, "wuv has weights that are negative"),
        ({"wuv": np.full(80, np.nan)}, "wuv has weights .* not finite"),
        ({"fitgeom": "affine"}, "fitgeom: expected one of shift, .*'affine'"),
        ({"sigma": (3.0, "rms")}, "sigma: .*'rms'"),
        ({"sigma": 0.0}, "sigma: expected a number above 0"),
        ({"nclip": -1}, "nclip: .* -1"),
        ({"center": (1, 2, 3)}, "center: expected two numbers"),
        ({"center": (1, np.nan)}, "center: expected two numbers"),
    ],
)
def test_refuses(change, match):
    xy, uv = scene("general")
    with pytest.raises(ValueError, match=match):
        iter_linear_fit(**({"xy": xy, "uv": uv} | change))


def test_nan_is_named():
    xy, uv = scene("general")
    uv[[4, 9], 1] = np.nan
    with pytest.raises(ValueError, match=r"uv has 2 of 80 points that are not finite.* row 4"):
        iter_linear_fit(xy, uv)


@pytest.mark.parametrize(
    ("fitgeom", "enough"), [("shift", 1), ("rshift", 2), ("rscale", 2), ("general", 3)]
)
def test_too_few_points(fitgeom, enough):
    xy, uv = scene(fitgeom, n=enough)
    iter_linear_fit(xy, uv, fitgeom=fitgeom)
    with pytest.raises(NotEnoughPointsError, match=f"found {enough - 1} points") as caught:
        iter_linear_fit(xy[1:], uv[1:], fitgeom=fitgeom)
    assert isinstance(caught.value, WeaveError)
    with pytest.raises(NotEnoughPointsError, match="found 0 points"):
        iter_linear_fit(xy, uv, np.zeros(enough), fitgeom=fitgeom)


def test_points_that_determine_nothing():
    line = np.arange(6.0)[:, None] * [1.0, 2.0] + 1e3
    with pytest.raises(SingularMatrixError, match="on a line"):
        iter_linear_fit(line, line)
    fit = iter_linear_fit(line, line, fitgeom="rscale")
    assert fit["rmse"] < 1e-12
    assert fit["proper"]  # the mirror image would fit as well
    one_place = np.full((6, 2), 0.1)
    for fitgeom in ("rshift", "rscale", "general"):
        with pytest.raises(SingularMatrixError):
            iter_linear_fit(one_place, one_place, fitgeom=fitgeom)
    assert iter_linear_fit(one_place, one_place, fitgeom="shift")["rmse"] < 1e-15
