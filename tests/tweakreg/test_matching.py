"""Matching: known offsets are found, no false match, crowded fields, honest refusals."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from astropy.table import MaskedColumn, Table

from webbweave.tweakreg import SourceConfusionError, XYXYMatch, iter_linear_fit
from webbweave.tweakreg.matching import find_offset
from webbweave.tweakreg.offsets import FALSE_ALARM, find_peak, log_chance, offset_histogram
from webbweave.tweakreg.peer_matching import peer_shift
from webbweave.tweakreg.refining import match_mutual

OFFSET = np.array([1.3, -2.1])
PIXEL = 0.031


def field(n=200, side=64.0, offset=OFFSET, degrees=0.01, noise=0.005, real=0.5, seed=0):
    """A reference, an image of which a part is real, and the reference index of each source."""
    rng = np.random.default_rng(seed)
    ref = rng.uniform(-side / 2, side / 2, (n, 2))
    k = round(n * real)
    img = np.concatenate([ref[:k], rng.uniform(-side / 2, side / 2, (n - k, 2))])
    img = img @ turn(degrees).T + offset + rng.normal(0, noise, (n, 2))
    order = rng.permutation(n)
    truth = np.where(np.arange(n) < k, np.arange(n), -1)
    return ref, img[order], truth[order]


def turn(degrees):
    angle = math.radians(degrees)
    return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


def error_of_fit(found, ref, img, degrees=0.01, offset=OFFSET, half=32.0):
    """The largest error of the fit over the field."""
    fit = iter_linear_fit(ref[found.ref_index], img[found.img_index], fitgeom="rshift")
    corners = np.array([[x, y] for x in (-half, 0, half) for y in (-half, 0, half)])
    moved = corners @ turn(degrees).T + offset - fit["center"]
    return np.abs(moved @ fit["matrix"].T + fit["shift"] + fit["center"] - corners).max()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("n", "real", "degrees"), [(200, 0.5, 0.01), (2000, 0.5, 0.01), (2000, 0.5, 0.5), (60, 0.8, 0)]
)
def test_true_pairs_and_hardly_another(n, real, degrees, seed):
    ref, img, truth = field(n, real=real, degrees=degrees, seed=seed)
    match = XYXYMatch(searchrad=3.0, separation=1.0, tolerance=0.7)
    found = match.match(ref, img, PIXEL)
    right = truth[found.img_index] == found.ref_index
    assert found.significant
    assert right.sum() > 0.98 * (truth >= 0).sum()
    assert (~right).sum() <= 3 + 0.002 * n
    assert found.tolerance < 0.1
    # Three standard errors of a rotated corner, at least.
    assert error_of_fit(found, ref, img, degrees) < 5 * 0.005 / np.sqrt(right.sum()) + 1e-9
    assert np.unique(found.img_index).size == found.img_index.size


def test_crowded_field():
    ref, img, truth = field(20_000, offset=np.array([-1.6, 0.9]))
    found = XYXYMatch(searchrad=2.0, separation=1.0, tolerance=0.7).match(ref, img, PIXEL)
    right = truth[found.img_index] == found.ref_index
    assert right.sum() > 9000
    assert right.mean() > 0.97
    assert error_of_fit(found, ref, img, offset=np.array([-1.6, 0.9])) < 0.3e-3
    peer = XYXYMatch(searchrad=2.0, separation=1.0, tolerance=0.7, compat=True)
    theirs = peer.match(ref, img, PIXEL)
    assert (truth[theirs.img_index] == theirs.ref_index).mean() < 0.2  # what is corrected


def test_crowded_field_with_few_real_sources():
    ref, img, truth = field(8000, real=0.1)
    found = XYXYMatch(tolerance=0.7).match(ref, img, PIXEL)
    right = truth[found.img_index] == found.ref_index
    assert right.sum() > 700
    assert error_of_fit(found, ref, img) < 1.5e-3


@pytest.mark.parametrize("pixel", [0.031, 0.063, 0.11])
@pytest.mark.parametrize("searchrad", [2.0, 3.0])
def test_shift_of_whole_pixels_is_exact(pixel, searchrad):
    offset = pixel * np.array([9, -4])
    ref, img, truth = field(300, offset=offset, degrees=0, noise=0)
    found = XYXYMatch(searchrad=searchrad).match(ref, img, pixel)
    np.testing.assert_allclose(found.offset, offset, atol=0.02 * pixel)
    np.testing.assert_allclose(found.transformation.shift, -offset, atol=1e-9)
    right = truth[found.img_index] == found.ref_index
    assert right.all()
    # The zero point of the peer is off by a known part of a pixel.
    bias = pixel * math.ceil(searchrad / pixel) - searchrad
    error = np.subtract(peer_shift(ref, img, searchrad, pixel), offset)
    np.testing.assert_allclose(error, bias, atol=0.2 * pixel)


def test_zero_point_has_no_bias():
    errors = []
    for seed in range(40):
        offset = np.random.default_rng(seed).uniform(-1, 1, 2)
        ref, img, _ = field(300, offset=offset, degrees=0, noise=0.01, seed=seed)
        counts = offset_histogram(ref, img, bin_size=0.11, radius=2.0)
        errors.append(np.subtract(find_peak(counts, bin_size=0.11).shift, offset))
    error = np.mean(errors, axis=0)
    scatter = np.std(errors, axis=0) / np.sqrt(len(errors))
    assert (np.abs(error) < 4 * scatter).all()
    assert (scatter < 0.005).all()


def test_noise_has_no_significant_peak():
    alarms = 0
    for seed in range(100):
        n = [5, 50, 400, 1500][seed % 4]
        ref, img, _ = field(n, real=0.0, seed=seed)
        counts = offset_histogram(ref, img, bin_size=[PIXEL, 0.2][seed % 2], radius=3.0)
        peak = find_peak(counts, bin_size=1.0)
        alarms += peak.false_alarm < 0.02
        assert not peak.significant
    # Of 100 fields 2 would be below 0.02 if the chance were exact; it is on the safe side.
    assert alarms <= 6


def test_chance_of_so_many_pairs():
    terms = [math.exp(-2.5) * 2.5**k / math.factorial(k) for k in range(60)]
    for n in (1, 4, 15):
        assert math.isclose(math.exp(log_chance(n, 2.5)), sum(terms[n:]), rel_tol=1e-9)
    assert log_chance(0, 2.5) == 0.0
    assert log_chance(3, 0.0) == -math.inf
    # Far below the smallest number: the first term is all of it, to the ratio of the two.
    first = 500 * math.log(1e-3) - 1e-3 - math.lgamma(501)
    assert math.isclose(log_chance(500, 1e-3), first, abs_tol=1e-5)


def test_clumps_are_no_peak():
    """Sources that come in clumps of 16 make high cells by chance."""
    rng = np.random.default_rng(3)
    ref = rng.uniform(-30, 30, (150, 2))
    img = np.repeat(rng.uniform(-30, 30, (60, 2)), 16, axis=0) + rng.normal(0, 0.002, (960, 2))
    found = XYXYMatch(tolerance=0.7).match(ref, img, PIXEL)
    assert found.peak.pairs >= 16
    assert not found.significant


@pytest.mark.parametrize("seed", range(10))
def test_beyond_the_search_radius_nothing_is_made_up(seed):
    ref, img, _ = field(300, offset=np.array([3.5, -2.6]), seed=seed)
    match = XYXYMatch(searchrad=2.0, separation=1.0, tolerance=0.7)
    found = match.match(ref, img, PIXEL)
    assert not found.significant
    assert found.ref_index.size == found.img_index.size == 0
    assert "no significant peak" in found.reason
    assert found.peak.false_alarm >= FALSE_ALARM


def test_solved_or_refused_but_never_wrong():
    """Dithered images of 40 to 1000 stars, 70 % found in each, off by up to 3.5 arcsec."""
    solved = refused = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        sky = rng.uniform(-64, 64, (4 * [200, 40, 1000][seed % 3], 2))
        offset, degrees = rng.uniform(-3.5, 3.5, 2), rng.uniform(-0.05, 0.05)
        img = sky @ turn(degrees).T + offset + rng.normal(0, 0.003, sky.shape)
        img = img[(np.abs(img - rng.uniform(-3, 3, 2)) < 32).all(axis=1)]
        ref = sky[(np.abs(sky) < 32).all(axis=1)]
        ref, img = (points[rng.random(len(points)) < 0.7] for points in (ref, img))
        match = XYXYMatch(searchrad=2.0, separation=1.0, tolerance=0.7)
        found = match.match(ref, img, PIXEL)
        if len(found.ref_index) < 15:
            refused += 1
            continue
        solved += 1
        assert error_of_fit(found, ref, img, degrees, offset) < 5e-3
    assert solved >= 15
    assert refused >= 30  # a third of the offsets is within the search radius


@pytest.mark.parametrize("offset", [(3.5, -2.6), (-21.0, 17.0), (0.4, 0.4)])
def test_coarse_to_fine(offset):
    ref, img, truth = field(400, side=130.0, offset=np.array(offset))
    match = XYXYMatch(searchrad=2.0, separation=1.0, tolerance=0.7, max_searchrad=40.0)
    found = match.match(ref, img, PIXEL)
    right = truth[found.img_index] == found.ref_index
    assert right.sum() > 180
    assert right.mean() > 0.98
    np.testing.assert_allclose(found.offset, offset, atol=0.02)
    assert found.searched == (2.0 if max(offset) < 1 else 8.0 if offset[0] == 3.5 else 32.0)


def test_coarse_to_fine_is_bounded():
    ref, img, _ = field(100, real=0.0)
    tracemalloc.start()
    peak, searched = find_offset(ref, img, pscale=1e-3, searchrad=1.0, max_searchrad=1000.0)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert not peak.significant
    assert searched == 1000.0
    assert most < 100e6


def test_memory_does_not_grow_with_the_pairs():
    ref, img, _ = field(20_000, side=20.0)  # 5e8 pairs in the field, 7e7 within the radius
    tracemalloc.start()
    counts = offset_histogram(ref[:4000], img, bin_size=PIXEL, radius=3.0)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert counts.sum() > 5e6
    assert most < 3e6


def test_counts_beyond_what_the_kernel_can_count(monkeypatch):
    ref, img, _ = field(300)
    whole = offset_histogram(ref, img, bin_size=PIXEL, radius=3.0)
    monkeypatch.setattr("webbweave.tweakreg.offsets._MOST_PAIRS", 300 * 7)
    np.testing.assert_array_equal(offset_histogram(ref, img, bin_size=PIXEL, radius=3.0), whole)


def test_expected_offset():
    ref, img, truth = field(200, offset=np.array([5.3, -6.1]))
    found = XYXYMatch(searchrad=1.0, xoffset=5.0, yoffset=-6.0).match(ref, img, PIXEL)
    assert found.significant
    assert (truth[found.img_index] == found.ref_index).sum() > 95
    without = XYXYMatch(use2dhist=False, xoffset=5.3, yoffset=-6.1).match(ref, img, PIXEL)
    assert without.peak is None
    assert without.offset == (5.3, -6.1)
    np.testing.assert_array_equal(without.ref_index, found.ref_index)
    # With a histogram tweakwcs ignores it.
    ignored = XYXYMatch(searchrad=1.0, xoffset=5.0, yoffset=-6.0, compat=True)
    assert max(np.abs(ignored.match(ref, img, PIXEL).offset)) < 1.1


def test_separation_and_tolerance():
    ref = np.array([[0.0, 0], [10, 0], [20, 0], [20.3, 0], [30, 0]])
    img = ref + np.array([[0.0, 0.0], [0.2, 0], [0, 0], [0, 0], [0.6, 0]])
    one = {"use2dhist": False, "refine": False}
    all_ = XYXYMatch(separation=0.0, tolerance=1.0, **one).match(ref, img)
    assert all_.ref_index.tolist() == all_.img_index.tolist() == [0, 1, 2, 3, 4]
    apart = XYXYMatch(separation=0.5, tolerance=1.0, **one).match(ref, img)
    assert apart.ref_index.tolist() == [0, 1, 4]
    near = XYXYMatch(separation=0.0, tolerance=0.5, **one).match(ref, img)
    assert near.ref_index.tolist() == [0, 1, 2, 3]


def test_one_source_serves_one_reference():
    ref = np.array([[0.0, 0.0], [0.3, 0.0], [0.0, 5.0]])
    img = np.array([[0.2, 0.0], [0.0, 5.0]])
    options = {"use2dhist": False, "separation": 0.0, "refine": False}
    found = XYXYMatch(**options).match(ref, img)
    assert found.ref_index.tolist() == [1, 2]
    assert found.img_index.tolist() == [0, 1]
    with pytest.raises(SourceConfusionError, match=r"allocation \(2\)"):
        XYXYMatch(**options, compat=True).match(ref, img)


@pytest.mark.parametrize("n", [0, 1, 2, 3])
@pytest.mark.parametrize("use2dhist", [False, True])
@pytest.mark.parametrize("compat", [False, True])
def test_few_sources(n, use2dhist, compat):
    ref, img, _ = field(n, real=1.0, offset=np.array([0.2, 0.1]), noise=0)
    match = XYXYMatch(use2dhist=use2dhist, compat=compat)
    for pair in ((ref, img), (ref, img[:0]), (ref[:0], img)):
        found = match.match(*pair, PIXEL)
        assert len(found.ref_index) == len(found.img_index) <= min(map(len, pair))
        assert (found.reason == "") is (len(found.ref_index) > 0)
    if n == 1 and use2dhist and not compat:
        assert not match.match(ref, img, PIXEL).significant  # one pair proves nothing


def test_duplicates_and_lines():
    ref = np.repeat([[1.0, 2.0]], 30, axis=0)
    found = XYXYMatch().match(ref, ref + 0.1, PIXEL)
    assert len(found.ref_index) == 0  # all are confused
    line = np.stack([np.linspace(0, 60, 50), np.zeros(50)], axis=1) ** [1.5, 1]
    found = XYXYMatch(separation=0.1).match(line, line + np.array([0.5, 0.25]), PIXEL)
    np.testing.assert_array_equal(found.ref_index, found.img_index)
    assert len(found.ref_index) > 45


def test_rows_that_are_not_finite_match_nothing(caplog):
    ref, img, truth = field(200, real=1.0)
    img[7] = np.nan
    ref[truth[9], 1] = np.inf
    match = XYXYMatch(tolerance=0.7)
    found = match.match(ref, img, PIXEL)
    assert (truth[found.img_index] == found.ref_index).all()
    assert not {7, 9} & set(found.img_index.tolist())
    assert len(found.ref_index) > 190
    assert "1 of 200 img positions are not finite" in caplog.text


def test_tables(caplog):
    caplog.set_level("INFO", "webbweave")
    ref, img, truth = field(200)
    refcat = Table(list(ref.T), names=["TPx", "TPy"])
    imcat = Table(list(img.T), names=["TPx", "TPy"], masked=True)
    imcat["TPx"] = MaskedColumn(imcat["TPx"], mask=np.arange(200) == 5)
    match = XYXYMatch(searchrad=3.0, separation=0.5, tolerance=1.0)
    assert match.result is None
    rows, columns = match(refcat, imcat, tp_pscale=PIXEL, tp_units="arcsec", more="ignored")
    assert (truth[columns] == rows).mean() > 0.97
    assert 5 not in columns
    assert match.result.ref_index is rows
    assert "Matched" in caplog.text
    assert "arcsec" in caplog.text
    match(refcat, imcat[:1], tp_pscale=PIXEL, tp_units="arcsec")
    assert "Not matched: no significant peak" in caplog.text
    with pytest.raises(KeyError, match="imcat has no column 'TPx'"):
        match(refcat, Table({"x": [1.0]}))
    with pytest.raises(ValueError, match="refcat: TPx and TPy have shapes"):
        match({"TPx": [1.0], "TPy": [1.0, 2.0]}, imcat)


def test_input_is_not_changed():
    ref, img, _ = field(200)
    copies = ref.copy(), img.copy()
    for array in (ref, img):
        array.flags.writeable = False
    for compat in (False, True):
        XYXYMatch(compat=compat).match(ref, img, PIXEL)
    np.testing.assert_array_equal(ref, copies[0])
    np.testing.assert_array_equal(img, copies[1])


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"searchrad": 0}, "searchrad: expected a number above 0, found 0"),
        ({"tolerance": -1}, "tolerance"),
        ({"tolerance": np.nan}, "tolerance"),
        ({"separation": -0.1}, "separation"),
        ({"xoffset": np.inf}, "xoffset"),
        ({"searchrad": 3, "max_searchrad": 2}, r"max_searchrad: expected 3 \(searchrad\) or more"),
    ],
)
def test_refuses(options, match):
    with pytest.raises(ValueError, match=match):
        XYXYMatch(**options)


def test_refuses_arrays_of_another_shape():
    with pytest.raises(ValueError, match=r"img has shape \(4,\), expected \(n, 2\)"):
        XYXYMatch().match(np.zeros((3, 2)), np.zeros(4))
    with pytest.raises(ValueError, match="pscale"):
        XYXYMatch().match(np.zeros((3, 2)), np.zeros((4, 2)), 0.0)


def test_mutual_pairs_do_not_depend_on_order():
    ref, img, _ = field(3000)
    order = np.random.default_rng(1).permutation(3000)
    rows, columns = match_mutual(ref, img - OFFSET, 0.7)
    rows_2, columns_2 = match_mutual(ref[order], img - OFFSET, 0.7)
    expected = set(zip(rows.tolist(), columns.tolist(), strict=True))
    assert set(zip(order[rows_2].tolist(), columns_2.tolist(), strict=True)) == expected
