"""The background mesh: known levels, gradients and scatter; parity with photutils."""

from __future__ import annotations

import logging
import warnings

import numpy as np
import pytest
from astropy.stats import SigmaClip
from photutils.background import Background2D, MedianBackground
from star_fields import star_field

from webbweave.tweakreg.background import NoBackgroundError, estimate_background


def noise(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def test_level_and_scatter_under_stars():
    image, *_ = star_field((300, 300), 100, noise=2.0, level=50.0)
    found = estimate_background(image, box_size=100)
    # Stars leave a bias of a fraction of the noise in a median.
    assert np.median(found.image("level")) == pytest.approx(50.0, abs=0.15)
    assert found.typical_rms() == pytest.approx(2.0, rel=0.05)


def test_a_smooth_background_is_followed():
    y, x = np.mgrid[:400, :400]
    truth = (10 + 0.05 * x + 3 * np.cos(y / 120)).astype(np.float32)
    found = estimate_background(truth + 0.1 * noise(truth.shape), box_size=50)
    inner = np.s_[100:-100, 100:-100]  # the median filter flattens the outermost boxes
    difference = found.image("level") - truth
    assert abs(difference[inner]).max() < 0.15
    assert found.subtracted(truth)[inner] == pytest.approx(-difference[inner], abs=1e-5)


@pytest.mark.parametrize(
    ("shape", "box", "masked"),
    [((300, 300), 400, 0.0), ((230, 310), 100, 0.05), ((250, 130), 32, 0.3), ((90, 90), 90, 0.02)],
)
def test_parity_with_photutils(shape, box, masked):
    image, *_ = star_field(shape, shape[0] * shape[1] // 1500, slope=0.02)
    image[5:8, 20:23] = np.nan
    mask = np.random.default_rng(2).random(shape) < 0.02
    mask[: int(shape[0] * masked)] = True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = Background2D(
            image,
            box,
            coverage_mask=mask,
            sigma_clip=SigmaClip(3, maxiters=5),
            bkg_estimator=MedianBackground(),
        )
    ours = estimate_background(image, mask, box_size=box, compat=True)
    for ours_image, theirs_image in (
        (ours.image("level", mask), theirs.background),
        (ours.image("rms", mask), theirs.background_rms),
    ):
        np.testing.assert_allclose(ours_image, theirs_image, rtol=1e-6)
    typical = ours.typical_rms(mask, compat=True)
    assert typical == pytest.approx(float(np.median(theirs.background_rms)), rel=1e-6)


def test_smaller_boxes_at_the_end_count_by_default():
    image = noise((220, 200))
    image[200:] += 8.0
    default = estimate_background(image, box_size=40)
    compat = estimate_background(image, box_size=40, compat=True)
    # The 3 x 3 median filter takes half a row out; what is left of the step still shows.
    assert default.level.shape == (6, 5)
    assert default.level[5].max() > 3.0
    assert compat.level[5].max() < 1.0
    assert abs(default.level[:4]).max() < 0.2


def test_a_sliver_does_not_count():
    image = noise((101, 100))
    image[100, :40] += 1000.0
    assert abs(estimate_background(image, box_size=20).level).max() < 1.0


def test_typical_scatter_ignores_masked_pixels():
    image = 3.0 * noise((100, 100))
    mask = np.zeros(image.shape, dtype=bool)
    mask[:, :55] = True
    found = estimate_background(image, mask, box_size=25)
    assert found.typical_rms(mask) == pytest.approx(3.0, rel=0.1)
    assert found.typical_rms(mask, compat=True) == 0.0


def test_typical_scatter_of_a_large_image():
    shape = (600, 540)
    image = noise(shape) * np.linspace(1.0, 5.0, shape[1], dtype=np.float32)
    found = estimate_background(image, box_size=50)
    scatter = found.image("rms")
    np.testing.assert_array_equal(found.image("rms", step=7), scatter[::7, ::7])
    assert found.typical_rms() == pytest.approx(float(np.median(scatter)), rel=5e-3)
    # Most of what it looks at is masked, then all of it: the rest still counts.
    mask = np.zeros(shape, dtype=bool)
    mask[:, :300] = True
    right = pytest.approx(float(np.median(scatter[~mask])), rel=5e-3)
    assert found.typical_rms(mask) == right
    mask[::3] = True
    assert found.typical_rms(mask) == right
    mask[:] = True
    assert np.isnan(found.typical_rms(mask))


def test_whole_image_where_no_box_is_good(caplog):
    image = 7.0 + noise((80, 80))
    mask = np.random.default_rng(3).random(image.shape) < 0.5
    with caplog.at_level(logging.INFO):
        found = estimate_background(image, mask, box_size=40, name="a.fits")
    assert found.level.shape == (1, 1)
    assert found.image("level") == pytest.approx(7.0, abs=0.1)
    assert "a.fits: no box" in caplog.text


@pytest.mark.parametrize("how", ["masked", "nan"])
def test_nothing_left(how):
    image = noise((30, 40))
    mask = np.full(image.shape, how == "masked")
    if how == "nan":
        image[:] = np.nan
    with pytest.raises(NoBackgroundError, match=r"b\.fits: all pixels are masked"):
        estimate_background(image, mask, box_size=20, name="b.fits")


def test_masked_pixels_keep_their_value():
    image = 7.0 + noise((60, 60))
    mask = image > 7.5
    found = estimate_background(image, mask, box_size=30)
    difference = found.subtracted(image, mask)
    np.testing.assert_array_equal(difference[mask], image[mask])
    level = found.image("level", mask)
    assert not level[mask].any()
    assert level[~mask].min() > 6.0
    np.testing.assert_array_equal(difference[~mask], (image - level)[~mask])


def test_any_number_of_threads_gives_the_same():
    image, *_ = star_field()
    one = estimate_background(image, box_size=50)
    two = estimate_background(image, box_size=50, threads=2)
    np.testing.assert_array_equal(one.level, two.level)
    np.testing.assert_array_equal(one.subtracted(image), two.subtracted(image, threads=2))


def test_box_size_must_be_positive():
    with pytest.raises(ValueError, match="bkg_boxsize"):
        estimate_background(noise((9, 9)), box_size=0)
