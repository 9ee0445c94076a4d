"""Figures of a trace model: the trace in the data, the fit of a column, the ripple."""

from __future__ import annotations

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from webbweave.adaptive_trace_model.summary import TraceSummary
from webbweave.report.style import (
    BLUE,
    GREEN,
    GREY,
    NO_DATA,
    ORANGE,
    SIGNAL_COLOURS,
    STYLE,
    colour_limits,
    colour_map,
    new_figure,
)

__all__ = ["draw_column_fit", "draw_ripple", "draw_trace_images"]

#: Samples beyond these percentiles do not stretch the axis of a fit.
_PROFILE_LIMITS = (0.3, 99.7)

#: Residuals have a map with a neutral middle, so that both signs are seen.
_RESIDUAL_COLOURS = "RdBu_r"

#: Residuals are drawn in this part of the range of the signal.
_RESIDUAL_PART = 0.1


def draw_trace_images(summary: TraceSummary, *, width: float = 9.6) -> Figure:
    """
    Draw the data, the trace and what is left, above each other.

    Parameters
    ----------
    summary : TraceSummary
        With the arrays of a region.
    width : float, optional
        Inches.

    Returns
    -------
    `~matplotlib.figure.Figure`
        The dispersion runs to the right.
    """
    assert summary.data is not None
    assert summary.trace is not None
    with rc_context(STYLE):
        figure = new_figure(width, 6.6)
        panels = figure.subplots(3, 1, sharex=True, sharey=True)
        lit = summary.data[np.isfinite(summary.trace)]
        norm = Normalize(*colour_limits(lit if lit.size else summary.data))
        _image(panels[0], summary.data, SIGNAL_COLOURS, norm)
        panels[0].set_title("Data")
        _image(panels[1], summary.trace, SIGNAL_COLOURS, norm)
        panels[1].set_title("Trace model")
        reach = _RESIDUAL_PART * max(abs(norm.vmin or 0.0), abs(norm.vmax or 0.0))
        residual = Normalize(-reach, reach)
        _image(panels[2], summary.data - summary.trace, _RESIDUAL_COLOURS, residual)
        panels[2].set_title("Data minus model")
        panels[2].set_xlabel("column along the dispersion")
        columns = np.flatnonzero(np.isfinite(summary.data).any(axis=0))
        if columns.size:
            panels[0].set_xlim(columns[0] - 0.5, columns[-1] + 0.5)
        figure.supylabel("row across the dispersion", fontsize="medium")
    return figure


def _image(axes: Axes, image: NDArray[np.floating], colours: str, norm: Normalize) -> None:
    axes.set_facecolor(NO_DATA)
    # matplotlib averages before it draws, so that narrow traces are not lost between pixels.
    drawn = axes.imshow(
        np.ma.masked_invalid(image),
        cmap=colour_map(colours),
        norm=norm,
        origin="lower",
        aspect="auto",
        interpolation="antialiased",
    )
    axes.figure.colorbar(drawn, ax=axes, pad=0.02, fraction=0.08, aspect=12, extend="both")


def draw_column_fit(summary: TraceSummary, *, width: float = 5.2) -> Figure:
    """
    Draw the samples of the window of one column, its spline and the knots.

    Parameters
    ----------
    summary : TraceSummary
        With the fit of a column.
    width : float, optional
        Inches.

    Returns
    -------
    `~matplotlib.figure.Figure`
        The coordinate along the slit runs to the right.
    """
    fit = summary.column_fit
    assert fit is not None
    with rc_context(STYLE):
        figure = new_figure(width, 3.9)
        axes = figure.subplots()
        axes.plot(fit.alpha, fit.profile, ".", ms=1.5, color=GREY, alpha=0.5, label="its window")
        own = fit.own
        axes.plot(fit.alpha[own], fit.profile[own], "o", ms=4, color=ORANGE, label="the column")
        axes.plot(fit.curve_alpha, fit.curve, color=BLUE, lw=1.4, label="spline")
        low, high = np.percentile(fit.profile, _PROFILE_LIMITS)
        low, high = (
            min(float(low), float(fit.curve.min())),
            max(float(high), float(fit.curve.max())),
        )
        margin = 0.08 * (high - low or 1.0)
        axes.set_ylim(low - 2 * margin, high + margin)
        axes.plot(
            fit.knots,
            np.full(fit.knots.shape, low - 1.4 * margin),
            "|",
            ms=9,
            color=GREEN,
            label=f"{fit.knots.size} knots",
        )
        axes.set_xlabel("coordinate along the slit")
        axes.set_ylabel("share of the column's light per pixel")
        axes.set_title(f"Column {fit.column}")
        axes.legend(loc="best", fontsize="small", framealpha=0.9)
    return figure


def draw_ripple(summary: TraceSummary, *, width: float = 9.6) -> Figure:
    """
    Draw the share of the light in an aperture of one pixel, before and after the oversampling.

    Parameters
    ----------
    summary : TraceSummary
        With its ripple.
    width : float, optional
        Inches.

    Returns
    -------
    `~matplotlib.figure.Figure`
        The dispersion runs to the right.
    """
    ripple = summary.ripple
    assert ripple is not None
    with rc_context(STYLE):
        figure = new_figure(width, 3.6)
        axes = figure.subplots()
        column = np.arange(ripple.before.share.size)
        text = f"as observed: {100 * ripple.before.amplitude:.2f} %"
        axes.plot(column, ripple.before.share, color=ORANGE, lw=0.8, label=text)
        if ripple.after is not None:
            text = f"oversampled {summary.oversample:g} times: {100 * ripple.after.amplitude:.2f} %"
            axes.plot(column, ripple.after.share, color=BLUE, lw=1.2, label=text)
        known = ripple.before.share[np.isfinite(ripple.before.trend)]
        if np.isfinite(known).any():
            low, high = np.nanpercentile(known, _PROFILE_LIMITS)
            margin = 0.15 * (high - low or 1.0)
            axes.set_ylim(low - margin, high + margin)
        axes.set_xlabel("column along the dispersion")
        axes.set_ylabel("share of the light")
        axes.legend(loc="best", fontsize="small", framealpha=0.9, title="scatter about the trend")
    return figure
