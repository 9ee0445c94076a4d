"""Extraction of a spectrum from a table of pixels."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.table import Table

from webbweave.errors import InputError
from webbweave.slit_combine.one_d import pixel_table_to_1d

GRID = np.linspace(1.0, 2.0, 21)


def pixel_table(noise=0.0, seed=3, path=0.8, flux=None, n=4000):
    rng = np.random.default_rng(seed)
    wave, y = rng.uniform(0.98, 2.02, n), rng.uniform(-5, 5, n)
    profile = np.exp(-0.5 * (y / 0.9) ** 2) / 2.3
    if flux is None:
        step = GRID[1] - GRID[0]
        flux = 2 + np.sin(np.round((wave - 1) / step))  # the same within each bin
    var = rng.uniform(0.5, 1.5, n)
    loss = np.full(n, path) * (1 + 0.1 * (wave - 1.5))
    norm = rng.uniform(0.9, 1.1, n)
    sci = flux * profile * loss + noise * np.sqrt(var) * rng.normal(size=n)
    return Table(
        {
            "sci": sci, "sky": 0.3 * np.ones(n), "var_total": var, "var_rnoise": 0.5 * var,
            "wave": wave, "yslit": y, "profile": profile, "pathloss": loss,
            "normalization": norm,
        }
    )  # fmt: skip


def test_flux_is_the_truth():
    spec = pixel_table_to_1d(pixel_table(), GRID)
    np.testing.assert_allclose(spec["flux"], 2 + np.sin(np.arange(21)), rtol=1e-6)
    assert spec["flux"].unit == "uJy"
    assert spec["wave"].unit == "um"
    assert spec.meta["YMIN1D"][0] == -3


@pytest.mark.parametrize("weight", [None, "ones"])
def test_errors_are_those_of_noise(weight):
    truth = 2 + np.sin(np.arange(21))
    pulls = []
    for seed in range(60):
        table = pixel_table(1.0, seed, n=1500)
        spec = pixel_table_to_1d(table, GRID, weight=weight and np.ones(len(table)))
        pulls.append((spec["flux"] - truth) / spec["err"])
    pulls = np.concatenate(pulls)
    assert pulls.std() == pytest.approx(1, abs=0.08)
    assert abs(pulls.mean()) < 0.11


def test_corrections_do_not_depend_on_noise():
    """Ratios of sums of noise have no bound; a faint source has the corrections of a bright one."""
    bright = pixel_table_to_1d(pixel_table(0.0), GRID)
    faint = pixel_table(1.0, flux=0.0)
    new = pixel_table_to_1d(faint, GRID)
    old = pixel_table_to_1d(faint, GRID, compat=True)
    for name in ("path_corr", "norm_corr"):
        np.testing.assert_allclose(new[name], bright[name], rtol=1e-12)
        assert np.abs(old[name] - bright[name]).max() > 1.3 * np.abs(new[name] - bright[name]).max()
    wave = np.asarray(GRID[1:-1])
    loss = 0.8 * (1 + 0.1 * (wave - 1.5))
    np.testing.assert_allclose(new["path_corr"][1:-1] * loss, 1, atol=0.005)
    assert np.abs(new["norm_corr"] - 1).max() < 0.05
    # With the signal they agree, for then both are means with the same weights.
    with_signal = pixel_table_to_1d(pixel_table(0.0), GRID, compat=True)
    np.testing.assert_allclose(with_signal["path_corr"], bright["path_corr"], rtol=2e-3)


def test_sums_and_range():
    table = pixel_table()
    spec = pixel_table_to_1d(table, GRID, y_range=(-1, 2))
    inside = (table["yslit"] >= -1) & (table["yslit"] <= 2)
    inside &= np.abs(table["wave"] - 1.5) < 0.525
    assert spec["npix"].sum() == inside.sum()
    for name, column in (
        ("flux_sum", table["sci"] / table["pathloss"]),
        ("profile_sum", table["profile"]),
        ("var_sum", table["var_total"] / table["pathloss"] ** 2),
    ):
        assert spec[name].sum() == pytest.approx(column[inside].sum(), rel=1e-12)
    np.testing.assert_allclose(spec["sky"] * spec["path_corr"] ** -1, 0.3, rtol=0.02)


def test_empty_bins_and_no_pixels():
    table = pixel_table()
    spec = pixel_table_to_1d(table[table["wave"] < 1.5], GRID)
    assert np.isnan(spec["flux"][-3:]).all()
    assert np.isnan(spec["err"][-3:]).all()
    assert (spec["npix"][-3:] == 0).all()
    none = pixel_table_to_1d(table[:0], GRID)
    assert np.isnan(none["flux"]).all()
    assert not none["npix"].any()


def test_a_mapping_and_missing_corrections():
    table = pixel_table(path=1.0)
    table["pathloss"] = 1.0
    table["normalization"] = 1.0
    want = pixel_table_to_1d(table, GRID)
    columns = {name: table[name] for name in table.colnames[:7]}
    got = pixel_table_to_1d(columns, GRID)
    for name in want.colnames:
        np.testing.assert_array_equal(got[name], want[name])


def test_bad_input():
    table = pixel_table()
    with pytest.raises(InputError, match="no column sky, profile"):
        pixel_table_to_1d(
            {k: table[k] for k in table.colnames if k not in ("sky", "profile")}, GRID
        )
    with pytest.raises(ValueError, match=r"others .*weight"):
        pixel_table_to_1d(table, GRID, weight=np.ones(3))
    with pytest.raises(ValueError, match="y_range"):
        pixel_table_to_1d(table, GRID, y_range=(3, -3))
    with pytest.raises(ValueError, match="bin centres"):
        pixel_table_to_1d(table, GRID[::-1])


@pytest.mark.parametrize("case", ["gauss", "lut"])
def test_parity(shared_dir, case):
    folder = shared_dir / "oracle/slit_combine"
    with np.load(folder / f"06_pixtab_{case}.npz") as packed:
        table = {name: packed[name] for name in packed.files}
    stored = np.load(folder / f"07_combine_{case}.npz")
    spec = pixel_table_to_1d(table, stored["wave_bin"], compat=True)
    for name in spec.colnames:
        np.testing.assert_allclose(spec[name], stored[f"oned_{name}"], rtol=1e-9, err_msg=name)
    plain = pixel_table_to_1d(table, stored["wave_bin"])
    np.testing.assert_allclose(plain["flux"], stored["oned_flux"], rtol=1e-12)
    # The mean correction for the path lies among those of the pixels.
    known = np.isfinite(plain["path_corr"])
    factors = 1 / table["pathloss"]
    assert (plain["path_corr"][known] >= factors.min() - 1e-9).all()
    assert (plain["path_corr"][known] <= factors.max() + 1e-9).all()
