"""Finders: parity with photutils, and the truth of positions with and without missing pixels."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from photutils.detection import DAOStarFinder, IRAFStarFinder
from star_fields import add_star, errors_of, star_field, star_grid

from webbweave.tweakreg.finders import find_stars, make_kernel, refine_positions

METHODS = ("dao", "iraf")
LEVEL = 5.0


def photutils_stars(data, mask, threshold, method, fwhm, sigma_radius, separation):
    finder = {"dao": DAOStarFinder, "iraf": IRAFStarFinder}[method](
        threshold=threshold,
        fwhm=fwhm,
        sigma_radius=sigma_radius,
        min_separation=separation,
        sharpness_range=None,
        roundness_range=None,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return finder(data, mask=mask)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("fwhm", "sigma_radius", "separation"),
    [(2.5, 1.5, 2), (2.5, 1.5, 5), (4.5, 2.0, 2), (1.4, 1.5, 3)],
)
def test_parity_with_photutils(method, fwhm, sigma_radius, separation):
    image, *_ = star_field((200, 210), 120)
    data = image - np.float32(LEVEL)
    mask = np.random.default_rng(3).random(data.shape) < 0.01
    mask[:5, 80:] = True
    data[100:103, 50] = np.nan
    data[30, 30] = np.inf
    theirs = photutils_stars(data, mask, 8.0, method, fwhm, sigma_radius, separation)
    kernel = make_kernel(fwhm, sigma_radius)
    ours = find_stars(
        data, 8.0, method=method, kernel=kernel, mask=mask, min_separation=separation, compat=True
    )
    assert len(ours) == len(theirs) > 60
    np.testing.assert_allclose(ours.x, theirs["x_centroid"], atol=1e-6)
    np.testing.assert_allclose(ours.y, theirs["y_centroid"], atol=1e-6)
    np.testing.assert_allclose(ours.flux, theirs["flux"], rtol=2e-6, atol=1e-4)
    np.testing.assert_allclose(ours.peak, theirs["peak"], rtol=2e-6)
    np.testing.assert_allclose(ours.sharpness, theirs["sharpness"], rtol=2e-6, atol=1e-6)
    names = ("roundness1", "roundness2") if method == "dao" else ("roundness", "roundness")
    np.testing.assert_allclose(ours.roundness, theirs[names[0]], atol=5e-6)
    np.testing.assert_allclose(ours.roundness2, theirs[names[1]], atol=5e-6)


@pytest.mark.parametrize("method", METHODS)
def test_without_missing_pixels_the_rules_agree(method):
    image, *_ = star_grid()
    data = image - np.float32(LEVEL)
    kernel = make_kernel(2.5)
    default, compat = (
        find_stars(data, 30.0, method=method, kernel=kernel, compat=compat)
        for compat in (False, True)
    )
    np.testing.assert_array_equal(default.x, compat.x)
    assert len(default) == 225


# Largest scatter of a coordinate in pixels, without noise: before and after the fit.
SCATTER = {
    1.3: {"dao": 0.050, "iraf": 0.020, "fit": 0.003},
    1.8: {"dao": 0.045, "iraf": 0.045, "fit": 0.0005},
    2.5: {"dao": 0.035, "iraf": 0.080, "fit": 0.0001},
}


@pytest.mark.parametrize("fwhm", SCATTER)
@pytest.mark.parametrize("method", METHODS)
def test_the_fit_takes_the_bias_out(method, fwhm):
    image, x, y = star_grid(fwhm=fwhm, noise=0.002)
    data = image - np.float32(LEVEL)
    kernel = make_kernel(2.5)
    stars = find_stars(data, 10.0, method=method, kernel=kernel)
    assert len(stars) == len(x)
    rough, extra = errors_of(stars.x, stars.y, x, y)
    assert extra == 0
    assert 0.2 * SCATTER[fwhm][method] < rough.std() < SCATTER[fwhm][method]
    found_x, found_y, error = refine_positions(data, stars.x, stars.y, kernel)
    fine, _ = errors_of(found_x, found_y, x, y)
    assert fine.std(axis=0).max() < SCATTER[fwhm]["fit"]
    assert abs(fine.mean(axis=0)).max() < 0.1 * SCATTER[fwhm]["fit"] + 1e-5
    assert np.isfinite(error).all()


@pytest.mark.parametrize("fwhm", [1.8, 3.0])
def test_errors_of_positions_are_those_of_the_noise(fwhm):
    image, x, y = star_grid(30, 16, fwhm=fwhm, flux=400.0, noise=1.0)
    data = image - np.float32(LEVEL)
    kernel = make_kernel(2.5)
    stars = find_stars(data, 10.0, method="dao", kernel=kernel)
    found_x, found_y, error = refine_positions(data, stars.x, stars.y, kernel)
    errors, extra = errors_of(found_x, found_y, x, y)
    assert extra == 0
    assert len(errors) > 0.99 * len(x)
    assert abs(errors.mean(axis=0)).max() < 4 * np.median(error) / np.sqrt(len(x))
    assert (errors / error[:, None]).std() == pytest.approx(1.0, abs=0.08)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("missing", ["masked", "nan"])
def test_missing_pixels_neither_hide_nor_move_stars(method, missing):
    image, x, y = star_grid(fwhm=2.5, noise=0.01)
    data = image - np.float32(LEVEL)
    rng = np.random.default_rng(5)
    mask = np.zeros(data.shape, dtype=bool)
    # One pixel per star: a neighbour of the one that the star is on.
    dy, dx = np.array([(-1, 0), (1, 0), (0, 1), (0, -1), (1, 1), (2, 0)])[
        rng.integers(0, 6, len(x))
    ].T
    mask[np.rint(y).astype(int) + dy, np.rint(x).astype(int) + dx] = True
    if missing == "nan":
        data[mask] = np.nan
        given = None
    else:
        data[mask] = 3e4  # hot pixels
        given = mask
    kernel = make_kernel(2.5)
    stars = find_stars(data, 20.0, method=method, kernel=kernel, mask=given)
    errors, extra = errors_of(stars.x, stars.y, x, y)
    assert extra == 0
    # Stars near the corner of a pixel have two peak pixels, one of which may be the missing one.
    assert len(errors) > 0.9 * len(x)
    assert errors.std(axis=0).max() < 0.09
    found_x, found_y, _ = refine_positions(data, stars.x, stars.y, kernel, mask=given)
    fine, _ = errors_of(found_x, found_y, x, y)
    assert fine.std(axis=0).max() < 1e-3
    peer = find_stars(data, 20.0, method=method, kernel=kernel, mask=given, compat=True)
    bad, spurious = errors_of(peer.x, peer.y, x, y)
    assert len(bad) < 0.5 * len(x) or bad.std(axis=0).max() > 0.2 or spurious > 20


@pytest.mark.parametrize("method", METHODS)
def test_saturated_cores_make_no_stars(method):
    image, x, y = star_grid(8, 24, fwhm=2.5, flux=3e5, noise=1.0)
    data = image - np.float32(LEVEL)
    data[data > 3e3] = np.nan
    stars = find_stars(data, 10.0, method=method, kernel=make_kernel(2.5))
    errors, _ = errors_of(stars.x, stars.y, x, y, within=4.0)
    assert len(errors) == 0


def test_crowded_field():
    image, x, y, _ = star_field((256, 256), 800, fwhm=2.0, noise=1.0, seed=8)
    data = image - np.float32(LEVEL)
    kernel = make_kernel(2.0)
    stars = find_stars(data, 10.0, method="dao", kernel=kernel)
    brightest = np.argsort(-stars.flux)[:150]
    found_x, found_y, _ = refine_positions(data, stars.x, stars.y, kernel)
    rough, _ = errors_of(stars.x[brightest], stars.y[brightest], x, y)
    fine, _ = errors_of(found_x[brightest], found_y[brightest], x, y)
    assert len(fine) > 120
    scatter = [1.4826 * np.median(abs(errors)) for errors in (rough, fine)]
    assert scatter[1] < 0.03
    assert scatter[1] < 0.7 * scatter[0]


@pytest.mark.parametrize("method", METHODS)
def test_the_rim_of_the_image(method):
    data = np.zeros((60, 60), dtype=np.float32)
    places = [(0.2, 15.0), (59.1, 30.2), (20.1, 0.3), (40.0, 58.8), (30.0, 30.0)]
    for place in places:
        add_star(data, *place, 1000.0, 2.5)
    stars = find_stars(data, 20.0, method=method, kernel=make_kernel(2.5))
    errors, extra = errors_of(stars.x, stars.y, *np.array(places).T)
    assert len(errors) == 5
    assert extra == 0
    assert abs(errors).max() < 0.15


@pytest.mark.parametrize("compat", [False, True])
def test_equal_peaks(compat):
    data = np.zeros((20, 20), dtype=np.float32)
    data[10, 10:12] = 100.0
    stars = find_stars(data, 5.0, method="iraf", kernel=make_kernel(2.5), compat=compat)
    assert len(stars) == (2 if compat else 1)


def test_many_peaks():
    data = np.zeros((400, 400), dtype=np.float32)
    data[2::5, 2::5] = 100.0
    stars = find_stars(data, 5.0, method="dao", kernel=make_kernel(2.5))
    assert len(stars) == 80 * 80
    np.testing.assert_allclose(stars.x % 5, 2.0, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_nothing_to_find(method):
    kernel = make_kernel(2.5)
    for data in (np.zeros((9, 9)), np.full((9, 9), np.nan), np.zeros((1, 1)), np.full((3, 7), 5.0)):
        found = find_stars(data.astype(np.float32), 1.0, method=method, kernel=kernel)
        assert len(found) == 0
        x, y, error = refine_positions(data.astype(np.float32), found.x, found.y, kernel)
        assert len(x) == len(y) == len(error) == 0


@pytest.mark.parametrize("method", METHODS)
def test_any_number_of_threads_gives_the_same(method):
    image, *_ = star_field()
    image[::17, ::13] = np.nan
    one, three = (
        find_stars(image - 5, 8.0, method=method, kernel=make_kernel(2.5), threads=n)
        for n in (1, 3)
    )
    for a, b in zip(one.columns, three.columns, strict=True):
        np.testing.assert_array_equal(a, b)


def test_kernel():
    kernel = make_kernel(2.5)
    assert kernel.gauss.shape == (5, 5)
    assert np.count_nonzero(kernel.inside) == 13
    assert kernel.weights.sum() == pytest.approx(0.0, abs=1e-15)
    assert (kernel.weights * kernel.gauss).sum() == pytest.approx(1.0)
    noise = np.sqrt((kernel.weights**2).sum())
    assert kernel.relative_error == pytest.approx(noise)
    assert make_kernel(6.0, 2.0).gauss.shape == (11, 11)
    for arguments in ((0.0, 1.5), (2.5, -1.0), (np.nan, 1.5), (2.5, np.inf)):
        with pytest.raises(ValueError, match="expected a positive number"):
            make_kernel(*arguments)
