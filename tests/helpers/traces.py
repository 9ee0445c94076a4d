"""A scene of two slices with a tilted trace in one of them, and its splines without a fit."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.interpolate import make_interp_spline
from scipy.special import ndtr

from webbweave.adaptive_trace_model.splines import TraceModel
from webbweave.adaptive_trace_model.trace_model import oversample_flux

#: Width of the Gaussian profile in pixels: undersampled.
SIGMA = 0.6


def modelled_scene(per_pixel: int = 1, n_column: int = 300, tilt: float = 0.02) -> dict[str, Any]:
    """Arguments of `summarise_trace`: slice 3 is dark, slice 7 has a source at alpha = 0."""
    n_row, n_slice = 22, 2
    rows = np.arange(n_row * n_slice * per_pixel)
    position = (rows + 0.5) / per_pixel - 0.5
    centre = n_row + n_row / 2 - 3 + tilt * np.arange(n_column)
    alpha = position[:, None] - centre
    half = 0.5 / per_pixel
    flux = 5.0 * (ndtr((alpha + half) / SIGMA) - ndtr((alpha - half) / SIGMA))
    region_map = np.where(rows[:, None] < n_row * per_pixel, 3, 7) + np.zeros(n_column, int)
    flux[region_map == 3] = 0.0
    x = np.linspace(-12.0, 20.0, 200)
    spline = make_interp_spline(x, ndtr((x + 0.5) / SIGMA) - ndtr((x - 0.5) / SIGMA))
    entry = {"model": spline, "scale": 5.0, "bounds": (-12.0, 20.0)}
    model = TraceModel.from_dicts({3: {}, 7: dict.fromkeys(range(n_column), entry)}, n_column)
    trace = np.where((region_map == 7) & (np.abs(alpha) < 3), flux, np.nan)
    scene: dict[str, Any] = {
        "flux": flux,
        "alpha": alpha,
        "region_map": region_map,
        "model": model,
        "trace": trace,
    }
    return {**scene, "half_window": 50}


def oversampled_twice(scene: Any, models: Any) -> tuple[Any, ...]:
    """The images that `oversample_flux` makes of a synthetic scene on a grid twice as fine."""
    return oversample_flux(
        scene.flux,
        scene.alpha,
        scene.region_map,
        models,
        oversample_factor=2,
        alpha_os=scene.alpha_on(2),
    )
