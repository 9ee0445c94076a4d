"""Figures of a group of nodded slitlets: flagged pixels, sky, bars."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from numpy.typing import NDArray

from webbweave.report.style import BLUE, GREY, ORANGE, STYLE, new_figure

__all__ = ["draw_flagged_profile", "draw_shutter_offset", "draw_sky"]

Array = NDArray[np.float64]

#: Points beyond these percentiles do not stretch an axis.
_LIMITS = (0.5, 99.5)


def draw_flagged_profile(y: Array, data: Array, flagged: NDArray[np.bool_], name: str) -> Figure:
    """
    Draw all pixels across the trace, and those that are too far from the profile.

    Parameters
    ----------
    y, data : ndarray of float64
        Distances from the trace [pixel] and flux [microjansky].
    flagged : ndarray of bool
        What was found.
    name : str
        Title.

    Returns
    -------
    `~matplotlib.figure.Figure`
        The figure.
    """
    with rc_context(STYLE):
        figure = new_figure(7, 4)
        axes = figure.subplots()
        good = np.isfinite(data) & ~flagged
        axes.scatter(y[good], data[good], s=2, color=GREY, alpha=0.3, linewidths=0)
        axes.scatter(y[flagged], data[flagged], s=12, color=ORANGE, label="masked", linewidths=0)
        if good.any():
            low, high = np.percentile(data[good], _LIMITS)
            axes.set_ylim(low - 0.5 * (high - low), high + 1.5 * (high - low))
        axes.set_xlabel("distance from the trace [pixel]")
        axes.set_ylabel("flux [µJy]")
        axes.set_title(name)
        axes.legend(loc="upper right")
    return figure


def draw_sky(group: Any) -> Figure:
    """
    Draw the sky of a group, and how far its pixels are from it.

    Parameters
    ----------
    group : SlitGroup
        The group, with ``sky_data``.

    Returns
    -------
    `~matplotlib.figure.Figure`
        The sky above, residuals in standard deviations below.
    """
    sky = group.sky_data
    used = sky["mask"] & group.mask
    wave, flux = group.wave[used], group.sci[used]
    residual = (flux - sky["sky2d"][used]) / np.sqrt(group.var_total[used])
    with rc_context(STYLE):
        figure = new_figure(9, 5)
        top, below = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
        points = top.scatter(
            wave, flux, c=group.yslit[used], s=3, cmap="viridis", alpha=0.6, linewidths=0
        )
        figure.colorbar(points, ax=top, label="pixels from the trace")
        top.plot(sky["sky_wave"], sky["sky_model"], color=ORANGE, lw=1.2, label="sky")
        if flux.size:
            low, high = np.percentile(flux, _LIMITS)
            top.set_ylim(low - 0.3 * (high - low), high + 0.3 * (high - low))
        top.set_ylabel("flux [µJy]")
        top.set_title(group.name)
        top.legend(loc="upper left")
        below.scatter(wave, residual, s=3, color=BLUE, alpha=0.4, linewidths=0)
        below.axhline(0, color=ORANGE, lw=1)
        below.set_ylim(-7, 7)
        below.set_ylabel("residual / sigma")
        below.set_xlabel("wavelength [µm]")
    return figure


def draw_shutter_offset(result: Any, name: str) -> Figure:
    """
    Draw the sums that a fit of the offset of the shutters has tried.

    Parameters
    ----------
    result : `~scipy.optimize.OptimizeResult`
        The fit.
    name : str
        Title.

    Returns
    -------
    `~matplotlib.figure.Figure`
        The figure.
    """
    with rc_context(STYLE):
        figure = new_figure(5, 3.5)
        axes = figure.subplots()
        axes.plot(result.samples, result.sample_chi2, "o", color=BLUE, ms=4)
        axes.axvline(result.offset, color=ORANGE, label=f"{result.offset:.3f} pixel")
        axes.set_xlabel("offset of the shutters [pixel]")
        axes.set_ylabel("χ²")
        axes.set_title(name)
        axes.legend()
    return figure
