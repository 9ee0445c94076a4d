"""Each test for bad pixels finds what was planted, and little in a clean group."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import binary_dilation
from synthetic_slitlet import PITCH, SHUTTER_SCALE, make_slitlet

from webbweave.slit_combine import flags


def yslit_of(slit):
    return slit.ypix - np.take_along_axis(slit.trace, slit.xslit[None].repeat(slit.n, 0), 1)


def shutter_of(slit):
    return slit.slit_frame_y / SHUTTER_SCALE / PITCH


def trace(slit, **options):
    return flags.trace_outliers(slit.sci, slit.var_total, yslit_of(slit), slit.wave, **options)


def percentile(slit, **options):
    return flags.percentile_outliers(slit.sci, yslit_of(slit), slit.shape, **options)


def profile(slit, **options):
    return flags.profile_outliers(slit.sci, slit.var_total, yslit_of(slit), **options)


def hot_cold(slit, **options):
    return flags.hot_cold_pixels(slit.sci, slit.shape, n_position=3, **options)


def two_d(slit, **options):
    return flags.outliers_2d(slit.sci, slit.var_total, slit.wave[0], slit.shape, **options)


def stuck(slit, **options):
    planes = slit.sci, slit.var_total, slit.mask, slit.bar, shutter_of(slit)
    return flags.stuck_shutters(*planes, **options)


@pytest.mark.parametrize("scale", [0.02, 0.3, 1, 10])
@pytest.mark.parametrize("n_exposures", [3, 6])
def test_clean_groups_stay_clean(scale, n_exposures):
    count = dict.fromkeys(("trace", "percentile", "profile", "single", "hot_cold", "2d"), 0)
    total = 0
    for seed in range(5):
        slit = make_slitlet(seed, scale=scale, n_exposures=n_exposures)
        slit.sci[slit.bar < 0.4] = np.nan  # as in a group
        total += np.isfinite(slit.sci).sum()
        count["trace"] += trace(slit).sum()
        count["percentile"] += percentile(slit)[0].sum()
        count["profile"] += profile(slit).sum()
        count["single"] += profile(slit, require_multiple=False).sum()
        count["hot_cold"] += n_exposures * (hot_cold(slit).flag > 0).sum()
        count["2d"] += n_exposures * two_d(slit).sum()
        assert stuck(slit).bad == ()
    assert {name: n for name, n in count.items() if n > 0.001 * total} == {}


def test_s35_noise_is_no_outlier():
    """Behind the bars there is more noise than in the trace, by which msaexp judges."""
    ours = peer = total = 0
    for seed in range(10):
        slit = make_slitlet(seed, scale=0.0, sky=np.zeros_like)
        slit.sci[slit.bar < 0.4] = np.nan
        total += np.isfinite(slit.sci).sum()
        ours += percentile(slit, var_total=slit.var_total)[0].sum()
        peer += percentile(slit)[0].sum()
    assert ours <= 0.0003 * total
    assert peer > 0.004 * total


def test_trace_outliers_are_found_beside_the_trace_only():
    slit = make_slitlet(1)
    y = yslit_of(slit)
    rng = np.random.default_rng(1)
    beside = rng.choice(np.flatnonzero(np.abs(y) > 2.5), 15, replace=False)
    within = rng.choice(np.flatnonzero(np.abs(y) < 1.5), 5, replace=False)
    slit.sci.flat[beside] += 9
    slit.sci.flat[within] += 9
    found = trace(slit, filter_size=40)
    assert not found.flat[within].any()
    # What is not near one of those within, which raise the limit there.
    assert found.flat[beside].mean() > 0.5
    np.testing.assert_array_equal(np.setdiff1d(np.flatnonzero(found), beside), [])
    assert trace(slit, threshold=1e3).sum() == 0
    assert not trace(slit, limits=(-90, 90)).any()


def test_trace_outliers_must_not_be_noise():
    slit = make_slitlet(2)
    y = yslit_of(slit)
    pixel = np.flatnonzero(y > 3)[7]
    slit.sci.flat[pixel] = 50
    assert trace(slit).flat[pixel]
    slit.var_total.flat[pixel] = 1
    loud = slit.var_total.copy()
    loud.flat[pixel] = 17.0**2
    found = flags.trace_outliers(slit.sci, loud, y, slit.wave)
    assert not found.flat[pixel]


def test_percentile_outliers_and_their_neighbours():
    slit = make_slitlet(3, n_hot=2)
    found, level = percentile(slit)
    hot = slit.hot & np.isfinite(slit.sci)
    assert 2 < level < 50
    assert found[hot].all()
    grown = binary_dilation(hot.reshape(3, *slit.shape), np.ones((1, 3, 3), bool))
    np.testing.assert_array_equal(found, grown.reshape(found.shape))
    np.testing.assert_array_equal(percentile(slit, var_total=slit.var_total)[0], found)
    for none in (None, False):
        np.testing.assert_array_equal(percentile(slit, dilate=none)[0], hot)
    np.testing.assert_array_equal(percentile(slit, dilate=True)[0], found)


def test_percentile_levels():
    slit = make_slitlet(None, scale=0.0)
    rng = np.random.default_rng(0)
    slit.sci[:] = rng.normal(5, 2, slit.sci.shape)
    # Of a normal distribution the third level is where it should be, whatever it comes from.
    _, level = percentile(slit, levels=(0.5, 0.8, 0.99), scale=1, limits=(-9, 9))
    assert level == pytest.approx(5 + 2 * 2.326, abs=0.3)
    _, twice = percentile(slit, levels=(0.5, 0.8, 0.99), scale=2, limits=(-9, 9))
    assert twice == pytest.approx(5 + 4 * 2.326, abs=0.6)
    found, level = percentile(slit, levels=(0.9, 0.8, 0.99))
    assert np.isnan(level)
    assert not found.any()


def test_profile_outliers_in_most_exposures_or_in_one():
    slit = make_slitlet(4)
    rng = np.random.default_rng(4)
    pixels = rng.choice(slit.sci.shape[1], 12, replace=False)
    high, low, once = pixels[:4], pixels[4:8], pixels[8:]
    slit.sci[:2, high] += 60
    slit.sci[1:, low] -= 60
    slit.sci[2, once] += 60
    found = profile(slit)
    assert found[:, high].all()
    assert found[:, low].all()
    assert not found[:, once].any()
    assert found.sum() == 24
    single = profile(slit, require_multiple=False)
    assert single[:2, high].all()
    assert single[1:, low].all()
    assert single[2, once].all()
    assert not single[:2, once].any()


def test_profile_flags_only_add():
    slit = make_slitlet(5)
    slit.sci[:, 300] += 60
    slit.sci[2, 300] = np.nan  # masked by another test
    mask = np.isfinite(slit.sci)
    first = profile(slit)
    assert first[:, 300].all()
    after = mask & ~first
    np.testing.assert_array_equal(flags.restore_profile_flags(after, first), after)
    peer = flags.restore_profile_flags(after, first, compat=True)
    assert peer.sum() - after.sum() == first.sum()
    assert peer[2, 300]  # although its flux is not even finite
    assert not np.isfinite(slit.sci[2, 300])


def test_hot_and_cold_pixels():
    slit = make_slitlet(6, scale=0.1)
    slit.sci[:2, 100] = 9
    slit.sci[1:, 200] = -9
    slit.sci[0, 300] = 9  # once only
    slit.sci[:, 400] = np.nan
    found = hot_cold(slit)
    assert (found.n_cold, found.n_hot) == (1, 1)
    assert list(np.flatnonzero(found.flag)) == [100, 200]
    assert list(found.flag[[100, 200]]) == [2, 1]
    grown = hot_cold(slit, dilate=flags.PLUS)
    assert (grown.n_cold, grown.n_hot) == (5, 5)
    assert grown.flag[[100, 101, 99, 148, 52]].tolist() == [2] * 5
    # The percentiles are those of 3597 samples: the 8th from below and above.
    parts = hot_cold(slit, cold=0.2, hot=99.8, absolute=False)
    assert set(np.flatnonzero(parts.flag)) >= {100, 200}
    assert np.count_nonzero(parts.flag) <= 8
    assert hot_cold(slit, min_exposures=3).n_hot == 0


def test_a_bright_source_is_not_hot():
    slit = make_slitlet(7, n_exposures=6, scale=5)
    slit.sci[:, 100] = 50
    ours, peer = hot_cold(slit), hot_cold(slit, compat=True)
    assert list(np.flatnonzero(ours.flag)) == [100]
    # msaexp takes the source for hot pixels where it stays for two exposures.
    assert peer.n_hot > 100


def test_outliers_2d_in_all_exposures():
    slit = make_slitlet(8)
    slit.sci[:, 500] += 3
    slit.sci[:, 810] -= 3
    slit.sci[0, 30] += 3  # a cosmic ray in one of them
    found = two_d(slit, dilate=None)
    assert list(np.flatnonzero(found)) == [500, 810]
    assert two_d(slit).sum() == 10
    assert two_d(slit, threshold=(-1e9, 1e9)).sum() == 0
    assert not two_d(slit, threshold=(-1e9, 5), dilate=None)[810]


def test_outliers_2d_that_touch_are_no_bad_pixels():
    slit = make_slitlet(9)
    slit.sci[:, [500, 501, 800]] += 3
    assert list(np.flatnonzero(two_d(slit, dilate=None))) == [500, 501, 800]
    assert list(np.flatnonzero(two_d(slit, dilate=None, trim_multiples=True))) == [800]


def test_outliers_2d_of_valid_samples():
    slit = make_slitlet(10)
    slit.sci[:2, 500] += 3
    mask = np.ones(slit.sci.shape, bool)
    mask[:2, 500] = False
    assert two_d(slit, dilate=None)[500]
    assert not two_d(slit, dilate=None, mask=mask)[500]
    slit.sci[:, 700] = np.nan
    assert not two_d(slit)[700]


def test_stuck_shutters():
    slit = make_slitlet(11, shape=(25, 96))
    shutter = shutter_of(slit)
    closed = np.round(shutter) == 1
    slit.sci[closed] -= slit.sky[closed]
    found = stuck(slit)
    assert found.bad == (1,)
    assert {-1, 0, 1} <= set(found.shutters)
    pixels = flags.bad_shutter_pixels(shutter, found.bad)
    np.testing.assert_array_equal(pixels, np.abs(shutter - 1) < 0.6)
    assert pixels[closed].all()
    assert stuck(slit, threshold=-9).bad == ()
    assert not flags.bad_shutter_pixels(shutter, []).any()


def test_a_single_shutter_needs_light():
    slit = make_slitlet(12)
    slit.sci[np.abs(shutter_of(slit)) > 0.5] = np.nan
    slit.mask[:] = np.isfinite(slit.sci)
    assert stuck(slit).bad == ()
    slit.sci[:] -= np.nanmedian(slit.sci) + 0.1
    assert stuck(slit).bad == (0,)
    slit.mask[:] = False
    empty = stuck(slit)
    assert empty.shutters == empty.bad == ()


def test_shutters_cut_by_the_edge_are_not_judged():
    slit = make_slitlet(13)
    number = np.round(shutter_of(slit))
    slit.sci[number == 1] = 0
    slit.mask[:] = (number != 1) | (slit.xslit < 10)
    assert stuck(slit).bad == ()


def test_multiple_mask():
    mask = np.ones((6, 9), bool)
    for k in range(7):
        mask[:k, k] = False
    # Two thirds of six are four; what is masked in all six is masked anyway.
    assert list(np.flatnonzero(flags.multiple_mask(mask))) == [4, 5]
    assert list(np.flatnonzero(flags.multiple_mask(mask[:3]))) == [2]
    assert not flags.multiple_mask(mask[:2]).any()
    assert list(np.flatnonzero(flags.multiple_mask(mask[:5]))) == [2, 3, 4]


def test_too_few_pixels():
    slit = make_slitlet(14)
    slit.sci[np.abs(yslit_of(slit)) < 2] = np.nan
    assert trace(slit) is None
    found, level = percentile(slit)
    assert np.isnan(level)
    assert not found.any()
    slit.sci[:] = np.nan
    assert not profile(slit).any()
    assert not hot_cold(slit, absolute=False).flag.any()
    assert not two_d(slit).any()


def test_one_exposure():
    slit = make_slitlet(15, n_exposures=1)
    slit.sci[0, 100] = 90
    assert profile(slit)[0, 100]
    assert trace(slit)[0, 100] or abs(yslit_of(slit)[0, 100]) < 2
    assert hot_cold(slit).n_hot == 0


def test_inputs_are_not_changed():
    slit = make_slitlet(16, n_hot=5)
    before = slit.sci.copy(), slit.var_total.copy(), slit.mask.copy()
    for test in (trace, percentile, profile, hot_cold, two_d, stuck):
        test(slit)
    flags.multiple_mask(slit.mask)
    for now, then in zip((slit.sci, slit.var_total, slit.mask), before, strict=True):
        np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize(
    ("test", "options", "message"),
    [
        (trace, {"limits": (2, -2)}, "a lower and an upper limit"),
        (trace, {"filter_size": 0}, "filter_size must not be 0"),
        (percentile, {"levels": (0.9, 0.99)}, "three levels below 1"),
        (percentile, {"levels": (0.9, 0.99, 1)}, "three levels below 1"),
        (percentile, {"dilate": np.ones(3)}, "footprint of two axes"),
        (profile, {"filter_size": 0}, "nfilt must not be 0"),
        (two_d, {"threshold": (5, -5)}, "a lower and an upper limit"),
        (two_d, {"filter_size": 0}, "must be positive"),
    ],
)
def test_bad_options_are_refused(test, options, message):
    with pytest.raises(ValueError, match=message):
        test(make_slitlet(17, n_hot=1), **options)


def test_bad_planes_are_refused():
    slit = make_slitlet(18)
    with pytest.raises(ValueError, match="planes of one shape"):
        flags.trace_outliers(slit.sci, slit.var_total[:2], slit.sci, slit.wave)
    with pytest.raises(ValueError, match="expected 5 x 6"):
        flags.hot_cold_pixels(slit.sci, (5, 6))
    with pytest.raises(ValueError, match="1200 wavelengths"):
        flags.outliers_2d(slit.sci, slit.sci, slit.wave, slit.shape)
    with pytest.raises(ValueError, match="must be positive, found 0"):
        flags.hot_cold_pixels(slit.sci, slit.shape, n_position=0)
