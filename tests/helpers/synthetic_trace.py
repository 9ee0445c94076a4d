"""Exposures of slices or slits with tilted, curved traces of point sources, with the truth."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.interpolate import BSpline, make_interp_spline
from scipy.special import ndtr

PIXEL = 0.1  # arcsec along the slit
CORE, WING = 0.06, 0.18  # sigma of the two Gaussians of the point spread function, arcsec
WING_SHARE = 0.15
LINES = ((0.25, 3.0, 4.0), (0.6, 1.5, 3.0))  # place in parts of the width, height, sigma in pixels


def profile(alpha, centre=0.0):
    """The share of a source's flux in a pixel at `alpha`: the point spread function, integrated."""
    shares = ((CORE, 1 - WING_SHARE), (WING, WING_SHARE))
    edges = [(np.asarray(alpha) - centre + side * PIXEL / 2) for side in (1, -1)]
    return sum(share * (ndtr(edges[0] / s) - ndtr(edges[1] / s)) for s, share in shares)


def spectrum(n_column):
    """Flux of a source of unit flux per column."""
    x = np.arange(n_column)
    level = 1.0 + 0.2 * x / n_column
    for place, height, sigma in LINES:
        level = level + height * np.exp(-0.5 * ((x - place * n_column) / sigma) ** 2)
    return level


@dataclass(frozen=True, eq=False)
class TraceScene:
    """An exposure, dispersion along x, and what is in it."""

    flux: np.ndarray
    error: np.ndarray
    alpha: np.ndarray  # float64, NaN outside regions
    region_map: np.ndarray
    truth: np.ndarray  # noiseless flux
    middle: np.ndarray  # [region][column] row where alpha is 0
    sources: dict = field(default_factory=dict)  # region to ((alpha, flux), ...)
    background: float = 0.0

    def alpha_on(self, factor):
        """Coordinates on the finer grid, of the samples whose centre is in a region."""
        n_row, n_column = self.flux.shape
        fine = int(np.ceil(n_row * factor))
        rows = np.arange(fine) / factor - (factor - 1) / (2 * factor)
        alpha = np.full((fine, n_column), np.nan)
        nearest = np.clip(np.rint(rows), 0, n_row - 1).astype(int)
        for middle, label in zip(self.middle, self.sources, strict=True):
            inside = self.region_map[nearest] == label
            values = PIXEL * (rows[:, None] - middle[None, :])
            alpha[inside] = values[inside]
        return alpha

    def truth_on(self, factor):
        """What native pixels would see that were centred on the samples of the finer grid."""
        n_row, n_column = self.flux.shape
        alpha = self.alpha_on(factor)
        rows = np.arange(len(alpha)) / factor - (factor - 1) / (2 * factor)
        nearest = np.clip(np.rint(rows), 0, n_row - 1).astype(int)
        return _light(alpha, self.region_map[nearest], self.sources, self.background, n_column)


def _light(alpha, labels, sources, background, n_column):
    light = np.where(labels > 0, background, np.nan).astype(float)
    for label, items in sources.items():
        inside = labels == label
        for centre, flux in items:
            seen = flux * spectrum(n_column) * profile(alpha, centre)
            light[inside] += seen[inside]
    return light


def make_scene(
    sources=((0.0, 1000.0),),
    *,
    n_column=240,
    height=22,
    gap=4,
    tilt=3.0,
    curve=1.0,
    labels=(1,),
    background=0.0,
    noise=1.0,
    bad=0.0,
    outliers=0.0,
    margin=3,
    seed=1,
    dtype=np.float32,
):
    """
    Render an exposure.

    `sources` are those of each region, (arcsec along the slit, flux); or a dictionary by label. The
    trace rises by `tilt` pixels over the image and bends by `curve`. Regions are `height` rows
    high and `gap` apart. `noise` multiplies the square root of flux + 1; `bad` and `outliers`
    are fractions of the pixels.
    """
    rng = np.random.default_rng(seed)
    if not isinstance(sources, dict):
        sources = dict.fromkeys(labels, sources)
    place = np.linspace(-0.5, 0.5, n_column)
    bend = tilt * place + curve * (4 * place**2 - 1)
    reach = int(np.ceil(np.ptp(bend))) + 1
    pitch = height + gap
    n_row = pitch * len(sources) + reach + 2 * margin
    rows = np.arange(n_row)[:, None]
    region_map = np.zeros((n_row, n_column), np.int32)
    alpha = np.full((n_row, n_column), np.nan)
    middle = []
    for i, label in enumerate(sources):
        centre = margin - bend.min() + height / 2 + i * pitch + bend
        values = PIXEL * (rows - centre[None, :])
        inside = np.abs(values) <= PIXEL * height / 2
        region_map[inside] = label
        alpha[inside] = values[inside]
        middle.append(centre)
    truth = _light(alpha, region_map, sources, background, n_column)
    error = noise * np.sqrt(np.abs(truth) + 1.0)
    flux = truth + error * rng.standard_normal(truth.shape)
    if noise == 0:
        error = np.ones_like(flux)
    flux[rng.random(flux.shape) < bad] = np.nan
    hit = rng.random(flux.shape) < outliers
    flux[hit] += rng.choice((-1, 1), hit.sum()) * 30 * np.nanmax(error)
    return TraceScene(
        flux.astype(dtype),
        error.astype(dtype),
        alpha,
        region_map,
        truth,
        np.array(middle),
        dict(sources),
        background,
    )


def exact_models(scene, *, as_dicts=True):
    """Models of every column that are not fitted: splines through the noiseless profile."""
    n_column = scene.flux.shape[1]
    models = {}
    for label, items in scene.sources.items():
        inside = scene.region_map == label
        low, high = np.nanmin(scene.alpha[inside]), np.nanmax(scene.alpha[inside])
        grid = np.linspace(low, high, 121)
        total = sum(flux for _, flux in items) or 1.0
        shape = sum(flux * profile(grid, centre) for centre, flux in items) / total
        spline = make_interp_spline(grid, np.broadcast_to(shape, grid.shape))
        scale = total * spectrum(n_column)
        models[int(label)] = {
            column: {"model": spline, "scale": float(scale[column]), "bounds": (low, high)}
            for column in np.flatnonzero(inside.any(axis=0)).tolist()
        }
    return models


def constant_spline(value, lower, upper):
    """A cubic spline that is the same everywhere."""
    knots = np.r_[[lower] * 4, [(lower + upper) / 2], [upper] * 4]
    return BSpline(knots, np.full(5, float(value)), 3)
