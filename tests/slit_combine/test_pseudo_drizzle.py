"""The histogram drizzle: what is conserved, true variances, the footprint, parity."""

from __future__ import annotations

import numpy as np
import pytest

from webbweave._kernels.histogram_drizzle import histogram_drizzle
from webbweave.slit_combine.pseudo_drizzle import drizzle_planes, pseudo_drizzle, sub_samples

X_EDGES = np.array([0.0, 1.0, 2.0, 3.5, 6.0])
Y_EDGES = np.arange(-4, 5) - 0.5


def pixels(n=500, seed=1):
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0, 6, n), rng.uniform(-3.4, 2.4, n)
    return x, y, rng.normal(size=n), rng.uniform(0.5, 2, n), rng.uniform(0.1, 3, n)


@pytest.mark.parametrize("compat", [False, True])
@pytest.mark.parametrize(("oversample", "pixfrac"), [(1, 1.0), (4, 1.0), (16, 0.8)])
def test_sums_are_conserved(oversample, pixfrac, compat):
    x, y, data, var, wht = pixels()
    keep = np.abs(y + 0.5) < 2.4  # the peer's footprint reaches further
    num, vnum, den, ntot = pseudo_drizzle(
        x, np.where(keep, y, 0), data, var, wht, X_EDGES, Y_EDGES,
        oversample=oversample, pixfrac=pixfrac, compat=compat,
    )  # fmt: skip
    assert num.sum() == pytest.approx((wht * data).sum(), rel=1e-12)
    assert den.sum() == pytest.approx(wht.sum(), rel=1e-12)
    assert vnum.sum() == pytest.approx((wht**2 * var).sum(), rel=1e-12)
    assert ntot.sum() == pytest.approx(x.size, rel=1e-12)


def test_footprint_is_pixfrac():
    """Twice that in msaexp: an rms of 0.461 instead of 0.231 pixels blurs the rows."""
    for n, pixfrac in ((16, 0.8), (4, 1.0), (1, 0.7)):
        samples = sub_samples(n, pixfrac)
        assert np.ptp(samples) + pixfrac / n == pytest.approx(pixfrac)
        assert samples.mean() == pytest.approx(0, abs=1e-15)
    assert sub_samples(16, 0.8).std() == pytest.approx(0.231, abs=1e-3)
    assert sub_samples(16, 0.8, compat=True).std() == pytest.approx(0.461, abs=1e-3)
    assert np.ptp(sub_samples(16, 0.8, compat=True)) == pytest.approx(1.5)


def test_a_line_is_not_blurred_further():
    """A profile sampled at all phases: its width grows by the footprint and the cells only."""
    y = np.linspace(-4, 4, 4001)
    sigma = 0.6
    widths = []
    for compat in (False, True):
        profile = np.exp(-0.5 * (y / sigma) ** 2)
        num, _, den, _ = pseudo_drizzle(
            np.full(y.size, 0.5), y, profile, np.ones_like(y), np.ones_like(y), [0.0, 1.0],
            Y_EDGES, oversample=16, pixfrac=0.8, compat=compat,
        )  # fmt: skip
        centres = (Y_EDGES[1:] + Y_EDGES[:-1]) / 2
        mean = (num / den)[:, 0]
        widths.append(np.sqrt((mean * centres**2).sum() / mean.sum()))
    assert widths[0] == pytest.approx(np.sqrt(sigma**2 + 0.231**2 + 1 / 12), rel=0.01)
    assert widths[1] == pytest.approx(np.sqrt(sigma**2 + 0.461**2 + 1 / 12), rel=0.01)


def test_variances_and_correlations_are_those_of_noise():
    x, y, _, var, wht = pixels(60)
    rng = np.random.default_rng(5)
    noise = rng.normal(size=(4000, x.size)) * np.sqrt(var)
    sums = drizzle_planes(x, y, noise, var, wht, X_EDGES, Y_EDGES)
    filled = sums.den > 0.2
    means = sums.num[:, filled] / sums.den[filled]
    ratio = means.var(axis=0) / sums.variance()[filled]
    assert np.abs(ratio - 1).max() < 0.12  # 5 standard errors of 4000 draws
    assert ratio.mean() == pytest.approx(1, abs=0.02)

    # The other one is too large where pixels are split between rows.
    excess = sums.linear[filled] / sums.square[filled]
    assert excess.max() > 1.3
    assert (excess > 1 - 1e-12).all()

    cells = sums.num / np.where(sums.den > 0, sums.den, np.nan)
    known = np.isfinite(sums.correlation_above()) & (sums.above > 0.05)
    rows, columns = np.nonzero(known)
    found = [
        np.corrcoef(cells[:, j, i], cells[:, j + 1, i])[0, 1]
        for j, i in zip(rows, columns, strict=True)
    ]
    np.testing.assert_allclose(found, sums.correlation_above()[known], atol=0.07)
    assert np.isnan(sums.correlation_above()[-1]).all()


def test_aperture_sums_have_the_right_variance_either_way():
    x, y, _, var, wht = pixels(200)
    sums = drizzle_planes(x, y, np.ones((1, x.size)), var, wht, X_EDGES, Y_EDGES)
    column = (x >= X_EDGES[2]) & (x < X_EDGES[3])
    true = (wht**2 * var)[column].sum()
    assert sums.linear[:, 2].sum() == pytest.approx(true, rel=1e-12)
    both = sums.square[:, 2].sum() + 2 * sums.above[:, 2].sum()
    assert both == pytest.approx(true, rel=1e-12)


def test_both_axes():
    x, y, data, var, wht = pixels()
    inner = (x > 1.5) & (x < 4)
    sums = drizzle_planes(
        x[inner], y[inner], data[None, inner], var[inner], wht[inner], X_EDGES, Y_EDGES,
        oversample=4, pixfrac=1.0, sample_axes="xy",
    )  # fmt: skip
    assert sums.den.sum() == pytest.approx(wht[inner].sum(), rel=1e-12)
    assert sums.num.sum() == pytest.approx((data * wht)[inner].sum(), rel=1e-11)


def test_bad_pixels_are_left_out():
    x, y, data, var, wht = pixels(20)
    want = pseudo_drizzle(x[3:], y[3:], data[3:], var[3:], wht[3:], X_EDGES, Y_EDGES)
    data[0], var[1], wht[2] = np.nan, np.inf, np.nan
    got = pseudo_drizzle(x, y, data, var, wht, X_EDGES, Y_EDGES)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_array_equal(a, b)


def test_results_add_up_and_inputs_stay():
    x, y, data, var, wht = pixels()
    args = (X_EDGES, Y_EDGES)
    first = pseudo_drizzle(x[:200], y[:200], data[:200], var[:200], wht[:200], *args)
    before = [array.copy() for array in first]
    both = pseudo_drizzle(x[200:], y[200:], data[200:], var[200:], wht[200:], *args, arrays=first)
    for a, b in zip(both, pseudo_drizzle(x, y, data, var, wht, *args), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
    for a, b in zip(first, before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_no_pixels():
    none = np.array([])
    for plane in pseudo_drizzle(none, none, none, none, none, X_EDGES, Y_EDGES):
        assert plane.shape == (8, 4)
        assert not plane.any()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"data": np.ones(3)}, "arrays of one length"),
        ({"xbin": [1.0]}, "x_edges: expected two numbers"),
        ({"ybin": [0.0, 1.0, 1.0]}, "y_edges: expected two numbers"),
        ({"oversample": 0}, "oversample"),
        ({"oversample": 2.5}, "oversample"),
        ({"pixfrac": -0.1}, "pixfrac"),
        ({"pixfrac": np.nan}, "pixfrac"),
        ({"sample_axes": "z"}, "sample_axes"),
        ({"arrays": (np.zeros((2, 2)),) * 4}, "arrays: expected four"),
    ],
)
def test_bad_input(change, match):
    names = ("xpix", "ypix", "data", "var", "wht")
    given = dict(zip(names, pixels(10), strict=True)) | {"xbin": X_EDGES, "ybin": Y_EDGES}
    with pytest.raises(ValueError, match=match):
        pseudo_drizzle(**(given | change))


def test_binding_checks_its_arrays():
    x, y, data, var, wht = pixels(10)
    planes = [np.zeros((8, 4)) for _ in range(5)]
    num = np.zeros((1, 8, 4))

    def call(y_edge=Y_EDGES[:, None], data=data[None], stop=10, num=num):
        histogram_drizzle(
            X_EDGES[:, None], y_edge, x, y, wht, var, data, planes[0], num, *planes[1:],
            start=0, stop=stop,
        )  # fmt: skip

    call()
    assert planes[0].sum() == pytest.approx(wht.sum())
    with pytest.raises(TypeError, match="value must be an array of float64"):
        call(data=data[None].astype(np.float32))
    with pytest.raises(ValueError, match="num has shape"):
        call(num=np.zeros((2, 8, 4)))
    with pytest.raises(ValueError, match="two edges"):
        call(y_edge=np.zeros((1, 1)))
    with pytest.raises(IndexError, match="0:11"):
        call(stop=11)


@pytest.mark.parametrize("case", ["gauss", "lut"])
def test_parity(shared_dir, case):
    folder = shared_dir / "oracle/slit_combine"
    table, stored = (
        np.load(folder / f"06_pixtab_{case}.npz"),
        np.load(folder / f"07_combine_{case}.npz"),
    )
    path = table["pathloss"]
    planes = {"sci": table["sci"] / path, "bkg": table["sky"] / path, "prof": table["profile"]}
    for name, data in planes.items():
        got = pseudo_drizzle(
            table["wave"], table["yslit"], data, table["var_total"] / path**2,
            1 / table["var_rnoise"], stored["xbin"], stored["ybin"], oversample=16, pixfrac=0.8,
            compat=True,
        )  # fmt: skip
        for key, plane in zip(("num", "vnum", "den", "ntot"), got, strict=True):
            want = stored[f"{name}_{key}"]
            np.testing.assert_allclose(plane, want, rtol=1e-9, atol=1e-12 * np.abs(want).max())


@pytest.mark.parametrize(("name", "n", "pixfrac"), [("16_0.8", 16, 0.8), ("4_1", 4, 1.0)])
def test_parity_of_the_sub_samples(shared_dir, name, n, pixfrac):
    stored = np.load(shared_dir / "oracle/slit_combine/01_helpers.npz")[f"pixfrac_{name}"]
    np.testing.assert_allclose(sub_samples(n, pixfrac, compat=True), stored, atol=1e-15)
