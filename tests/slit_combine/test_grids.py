"""Standard wavelength grids and the edges of bins."""

from __future__ import annotations

import numpy as np
import pytest

from webbweave.slit_combine.grids import (
    GRATING_LIMITS,
    bin_edges,
    cross_dispersion_edges,
    standard_wavelength_grid,
)
from webbweave.slit_combine.reference import dispersion


@pytest.mark.parametrize("sample", [0.7, 1.0, 1.05, 2.0])
def test_prism_grid_steps_by_the_dispersion(sample):
    grid = standard_wavelength_grid("PRISM", sample)
    wave, dlds, _ = dispersion("prism")
    np.testing.assert_allclose(
        np.diff(grid) * sample, np.interp(grid[:-1], wave, dlds), rtol=1e-12, atol=1e-14
    )
    assert grid[0] == 0.5
    assert grid[-2] < 5.6 <= grid[-1]


@pytest.mark.parametrize("grating", [name for name in GRATING_LIMITS if name != "prism"])
def test_grating_grid_is_uniform(grating):
    low, high, step = GRATING_LIMITS[grating]
    grid = standard_wavelength_grid(grating.upper(), 1.05)
    np.testing.assert_allclose(np.diff(grid), step / 1.05, rtol=1e-9)
    assert grid[0] == low
    assert high - step <= grid[-1] < high


def test_grids_cannot_be_changed_by_their_users():
    standard_wavelength_grid("prism")[:] = 0
    assert standard_wavelength_grid("prism")[0] == 0.5
    with pytest.raises(TypeError):
        GRATING_LIMITS["prism"] = (1, 2, 3)


def test_own_limits():
    grid = standard_wavelength_grid("prism", grating_limits={"prism": [1.0, 2.0, 0.01]})
    assert grid[0] == 1.0
    assert grid[-2] < 2.0 <= grid[-1]


@pytest.mark.parametrize(
    ("grating", "sample", "limits", "match"),
    [
        ("MIRROR", 1.0, GRATING_LIMITS, "expected one of prism, g140m.*'MIRROR'"),
        ("prism", 0.0, GRATING_LIMITS, "make no grid"),
        ("prism", np.nan, GRATING_LIMITS, "make no grid"),
        ("g140m", 1.0, {"g140m": [2.0, 1.0, 0.1]}, "make no grid"),
        ("g140m", 1.0, {"g140m": [1.0, 2.0, 1e-9]}, "make no grid"),
    ],
)
def test_bad_grids(grating, sample, limits, match):
    with pytest.raises(ValueError, match=match):
        standard_wavelength_grid(grating, sample, grating_limits=limits)


def test_edges_lie_half_way():
    centres = np.array([1.0, 2.0, 4.0, 4.5])
    np.testing.assert_allclose(bin_edges(centres), [0.5, 1.5, 3.0, 4.25, 4.75])


@pytest.mark.parametrize("centres", [[], [1.0], [1.0, 1.0], [2.0, 1.0], [1.0, np.nan], [[1, 2]]])
def test_bad_centres(centres):
    with pytest.raises(ValueError, match="bin centres"):
        bin_edges(centres)


def test_rows_are_centred_on_the_trace():
    edges = cross_dispersion_edges()
    assert edges.size == 28
    np.testing.assert_allclose(edges[:-1] + edges[::-1][:-1], 0, atol=1e-12)
    assert cross_dispersion_edges(3, 0.5).size == 14
    for ny, step in [(0, 1.0), (3, 0.0), (3, np.nan), (2, 5.0)]:
        with pytest.raises(ValueError, match="there are none"):
            cross_dispersion_edges(ny, step)


@pytest.mark.parametrize("name", [*GRATING_LIMITS, "prism_1.05"])
def test_parity_of_the_grids(shared_dir, name):
    stored = np.load(shared_dir / "oracle/slit_combine/01_helpers.npz")[f"grid_{name}"]
    grating, _, sample = name.partition("_")
    np.testing.assert_array_equal(standard_wavelength_grid(grating, float(sample or 1)), stored)


def test_parity_of_the_edges(shared_dir):
    stored = np.load(shared_dir / "oracle/slit_combine/07_combine_gauss.npz")
    grid = standard_wavelength_grid("PRISM", 1.05)
    np.testing.assert_allclose(bin_edges(grid), stored["xbin"], rtol=1e-14)
    np.testing.assert_allclose(cross_dispersion_edges(), stored["ybin"], rtol=1e-14)
