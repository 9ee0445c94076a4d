"""Figures of an alignment: the field, offsets, what is left of the errors, magnitudes."""

from __future__ import annotations

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter
from numpy.typing import NDArray

from webbweave.report.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    SIGNAL_COLOURS,
    STYLE,
    new_figure,
)
from webbweave.tweakreg.summary import AlignmentSummary, ImageSummary

__all__ = ["draw_field", "draw_magnitudes", "draw_offsets", "draw_residuals", "kind_of"]

#: What a status is drawn in, and called.
_KINDS = {"aligned": BLUE, "reference": GREEN, "failed": ORANGE}

#: The longest arrow is this part of the image; others in proportion.
_LONGEST_ARROW = 0.08

#: Percentile of the arrows that the scale is chosen for: outliers may be longer.
_TYPICAL_ARROW = 95.0

#: More arrows than this are not told apart; so many are drawn, evenly from the list.
_MOST_ARROWS = 400

#: Colours of a histogram of offsets go with this power of the number of pairs, so that single
#: pairs are seen beside a peak of hundreds.
_GAMMA = 0.4

#: Round lengths of the arrow of the key [arcsec].
_ROUND = np.outer(10.0 ** np.arange(-5, 3), [1, 2, 5]).ravel()


def kind_of(image: ImageSummary) -> str:
    """
    Name the kind of outcome of an image.

    Parameters
    ----------
    image : ImageSummary
        The image.

    Returns
    -------
    str
        'aligned', 'reference' or 'failed'.
    """
    if image.outcome.status != "COMPLETE":
        return "failed"
    return "reference" if image.outcome.move is None else "aligned"


def draw_field(summary: AlignmentSummary, *, width: float = 9.6) -> Figure:
    """
    Draw the outlines of all images, and the stars of the catalog.

    Parameters
    ----------
    summary : AlignmentSummary
        The alignment.
    width : float, optional
        Inches.

    Returns
    -------
    `~matplotlib.figure.Figure`
        North is up, east is left.
    """
    with rc_context(STYLE):
        figure = new_figure(width, 0.72 * width)
        axes = figure.subplots()
        every = np.concatenate([image.outline for image in summary.images])
        low, high = every.min(axis=0), every.max(axis=0)
        margin = 0.06 * float((high - low).max())
        seen = np.all((summary.stars > low - margin) & (summary.stars < high + margin), axis=1)
        if seen.any():
            stars = summary.stars[seen]
            size = 3.0 if len(stars) < 2000 else 1.0
            axes.plot(*stars.T, ".", ms=size, color=GREY, alpha=0.5, label=summary.catalog)
        for image in sorted(summary.images, key=lambda one: kind_of(one) == "failed"):
            kind = kind_of(image)
            known = kind in axes.get_legend_handles_labels()[1]
            axes.plot(*_closed(image.outline_before), "--", lw=0.7, color=GREY)
            label = None if known else kind
            axes.plot(*_closed(image.outline), lw=1.3, color=_KINDS[kind], label=label)
        axes.set_aspect("equal")
        axes.set_xlim(high[0] + margin, low[0] - margin)
        axes.set_ylim(low[1] - margin, high[1] + margin)
        axes.set_xlabel(f"arcsec east of RA {summary.ra:.5f}°")
        axes.set_ylabel(f"arcsec north of DEC {summary.dec:+.5f}°")
        axes.legend(
            loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=4, fontsize="small", frameon=False
        )
    return figure


def _closed(corners: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    around = np.concatenate([corners, corners[:1]])
    return around[:, 0], around[:, 1]


def draw_offsets(image: ImageSummary, *, width: float = 5.2) -> Figure:
    """
    Draw the histogram of the offsets of all pairs, and its peak.

    Parameters
    ----------
    image : ImageSummary
        With a histogram.
    width : float, optional
        Inches.

    Returns
    -------
    `~matplotlib.figure.Figure`
        North is up, east is left.
    """
    counts, peak = image.counts, image.peak
    assert counts is not None
    assert peak is not None
    with rc_context(STYLE):
        figure = new_figure(width, 0.86 * width)
        axes = figure.subplots()
        reach = 0.5 * len(counts) * image.cell
        drawn = axes.imshow(
            counts[:, ::-1],
            origin="lower",
            extent=(reach, -reach, -reach, reach),
            cmap=SIGNAL_COLOURS,
            norm=PowerNorm(_GAMMA),
            interpolation="nearest",
        )
        figure.colorbar(drawn, ax=axes, pad=0.02, label="pairs")
        colour = "white" if peak.significant else ORANGE
        side = max(4 * image.cell, 0.14 * reach, peak.width)
        x, y = peak.shift
        axes.plot(x, y, "s", mfc="none", mec=colour, ms=72 * side / reach, mew=1.4)
        found = "Peak" if peak.significant else "No peak; the highest box"
        axes.set_title(f"{found}: {peak.pairs} pairs, {peak.background:.1f} by chance")
        axes.set_xlabel("source minus star, arcsec east")
        axes.set_ylabel("arcsec north")
    return figure


def draw_residuals(image: ImageSummary, *, width: float = 9.6) -> Figure:
    """
    Draw the distances of matched sources from their stars, before and after.

    Parameters
    ----------
    image : ImageSummary
        With matched sources.
    width : float, optional
        Inches.

    Returns
    -------
    `~matplotlib.figure.Figure`
        Two panels, each with a scale of its own; north is up, east is left.
    """
    with rc_context(STYLE):
        figure = new_figure(width, 0.56 * width)
        panels = figure.subplots(1, 2, sharex=True, sharey=True)
        pairs = (("before", image.before, ORANGE), ("after", image.after, BLUE))
        for axes, (title, residual, colour) in zip(panels, pairs, strict=True):
            _arrows(axes, image, residual, colour)
            middle = 1000.0 * float(np.median(np.hypot(*residual.T)))
            axes.set_title(f"{title.capitalize()}: median {middle:.1f} mas")
        panels[0].set_ylabel("arcsec north")
        figure.supxlabel(f"arcsec east; {len(image.points)} matched sources", fontsize="medium")
    return figure


def _arrows(axes: Axes, image: ImageSummary, residual: NDArray[np.float64], colour: str) -> None:
    axes.plot(*_closed(image.outline), lw=0.8, color=GREY)
    every = max(1, -(-len(residual) // _MOST_ARROWS))
    typical = float(np.percentile(np.hypot(*residual.T), _TYPICAL_ARROW)) or 1e-6
    span = float(np.ptp(image.outline, axis=0).max())
    scale = typical / (_LONGEST_ARROW * span)
    arrows = axes.quiver(
        *image.points[::every].T,
        *residual[::every].T,
        angles="xy",
        scale_units="xy",
        scale=scale,
        color=colour,
        width=0.003,
    )
    key = float(_ROUND[np.argmin(np.abs(np.log(_ROUND / typical)))])
    text = f"{key:g} arcsec" if key >= 1 else f"{1000 * key:g} mas"
    # In a corner, which the outline of a turned detector leaves free.
    axes.quiverkey(arrows, 0.88, 0.05, key, text, labelpos="W", coordinates="axes")
    axes.set_aspect("equal")
    low, high = image.outline.min(axis=0), image.outline.max(axis=0)
    margin = 0.06 * span
    axes.set_xlim(high[0] + margin, low[0] - margin)
    axes.set_ylim(low[1] - margin, high[1] + margin)


def draw_magnitudes(image: ImageSummary, *, width: float = 5.2) -> Figure:
    """
    Draw the magnitudes of all sources and of the matched ones, and what is left of their errors.

    Parameters
    ----------
    image : ImageSummary
        With matched sources whose flux is known.
    width : float, optional
        Inches.

    Returns
    -------
    `~matplotlib.figure.Figure`
        Brighter is left.
    """
    own = image.magnitude[image.matched]
    known = image.magnitude[np.isfinite(image.magnitude)]
    with rc_context(STYLE):
        figure = new_figure(width, 0.86 * width)
        upper, lower = figure.subplots(2, 1, sharex=True)
        edges = np.histogram_bin_edges(known, bins=24)
        upper.hist(known, edges, color="#c8c8c8", label=f"{len(known)} sources")
        upper.hist(own[np.isfinite(own)], edges, color=BLUE, label=f"{len(own)} matched")
        upper.set_ylabel("sources")
        upper.legend(fontsize="small", frameon=False)
        size = 1000.0 * np.hypot(*image.after.T)
        lower.semilogy(own, size, ".", ms=4, color=BLUE, alpha=0.6)
        # Powers of ten would need the mathematics that the style leaves out.
        lower.yaxis.set_major_formatter(FormatStrFormatter("%g"))
        lower.set_ylabel("distance, mas")
        lower.set_xlabel("instrumental magnitude, -2.5 log(flux)")
    return figure
