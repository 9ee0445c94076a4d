"""Figures of a rectified spectrum, drawn without pyplot and without touching global settings."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.image import imsave
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray
from stdatamodels.jwst.datamodels import JwstDataModel

from webbweave.datamodels import replace_atomically
from webbweave.report.spectrum import SlitSummary, summarise
from webbweave.report.style import (
    BLUE,
    GREY,
    NO_DATA,
    ORANGE,
    SIGNAL_COLOURS,
    SNR_COLOURS,
    STYLE,
    WEIGHT_COLOURS,
    colour_limits,
    colour_map,
    new_figure,
    pixel_edges,
    png_bytes,
    with_unit,
)

__all__ = [
    "draw_image",
    "draw_overview",
    "draw_profile",
    "draw_spectrum",
    "draw_thumbnail",
    "draw_weights",
    "save_picture",
    "sparkline",
    "thumbnail",
    "trace_sparkline",
]

#: Columns with an error above this many times the median do not stretch the axis of a spectrum.
_NOISY = 4.0

#: More levels than this in the picture of exposures are drawn as a continuous scale.
_MOST_LEVELS = 12

#: Weights below this part of the largest have the darkest colour: 0.1 % of the weight is 30 times
#: the error.
_LEAST_WEIGHT = 1e-3

#: Size of the picture in inches and its pixels per inch: 1400 x 1000 pixels.
_PICTURE_SIZE, _PICTURE_DPI = (9.3334, 6.6667), 150

#: Height of a thumbnail in pixels of the page, and the most columns it has.
_THUMBNAIL_ROWS, _THUMBNAIL_COLUMNS = 36, 240

#: Size of the box of a sparkline, and the percentiles of the spectrum that fill it.
_SPARK_WIDTH, _SPARK_HEIGHT, _SPARK_LIMITS = 120, 36, (1.0, 99.0)


def draw_image(summary: SlitSummary, *, width: float = 9.6) -> Figure:
    """
    Draw the two-dimensional spectrum: the signal above, its ratio to the error below.

    Parameters
    ----------
    summary : SlitSummary
        The spectrum.
    width : float, optional
        Inches.

    Returns
    -------
    `~matplotlib.figure.Figure`
        Wavelength runs to the right, position along the slit upwards.
    """
    with rc_context(STYLE):
        figure = new_figure(width, 5.4)
        upper, lower = figure.subplots(2, 1, sharex=True, sharey=True)
        _image(upper, summary, summary.data, SIGNAL_COLOURS, with_unit("signal", summary.unit))
        _image(lower, summary, summary.snr, SNR_COLOURS, "signal / error")
        upper.set_title("Signal")
        lower.set_title("Signal-to-noise ratio of each pixel")
        lower.set_xlabel(_wavelength_label(summary))
        figure.supylabel(_position_label(summary), fontsize="medium")
    return figure


def draw_profile(summary: SlitSummary, *, width: float = 5.2) -> Figure:
    """
    Draw the mean signal of each row, with the rows of the source marked.

    Parameters
    ----------
    summary : SlitSummary
        The spectrum.
    width : float, optional
        Inches.

    Returns
    -------
    `~matplotlib.figure.Figure`
        Position along the slit runs to the right.
    """
    with rc_context(STYLE):
        figure = new_figure(width, 3.9)
        axes = figure.subplots()
        scale = summary.pixel_scale or 1.0
        position = (np.arange(summary.shape[0]) - summary.centre_row) * scale
        start, stop = summary.source_rows
        if stop > start:
            edges = (np.array([start, stop]) - 0.5 - summary.centre_row) * scale
            axes.axvspan(*edges, color=ORANGE, alpha=0.18, lw=0, label="rows that are summed")
        axes.axhline(0, color=GREY, lw=0.8)
        axes.step(position, summary.profile, where="mid", color=BLUE, lw=1.8)
        axes.errorbar(
            position, summary.profile, summary.profile_error, fmt="none", ecolor=BLUE, elinewidth=1
        )
        axes.set_xlabel(_position_label(summary))
        axes.set_ylabel(with_unit("mean signal", summary.unit))
        axes.margins(x=0.01, y=0.16)
        if stop > start:
            axes.legend(loc="best", fontsize="small", framealpha=0.9)
    return figure


def draw_spectrum(summary: SlitSummary, *, width: float = 9.6) -> Figure:
    """
    Draw the sum of the source rows against wavelength.

    Parameters
    ----------
    summary : SlitSummary
        The spectrum.
    width : float, optional
        Inches.

    Returns
    -------
    `~matplotlib.figure.Figure`
        The line is the spectrum, the band its error, the dashes the light of the other rows.
    """
    with rc_context(STYLE):
        figure = new_figure(width, 4.0)
        axes = figure.subplots()
        _spectrum(axes, summary)
    return figure


def draw_weights(summary: SlitSummary, *, width: float = 5.2) -> Figure:
    """
    Draw how much each pixel was observed: its weight above, the number of exposures below.

    Parameters
    ----------
    summary : SlitSummary
        The spectrum.
    width : float, optional
        Inches.

    Returns
    -------
    `~matplotlib.figure.Figure`
        On the same axes as `draw_image`.
    """
    with rc_context(STYLE):
        figure = new_figure(width, 3.9)
        upper, lower = figure.subplots(2, 1, sharex=True, sharey=True)
        largest = float(np.nanmax(summary.weight, initial=0.0))
        relative = summary.weight / largest if largest > 0 else summary.weight
        _image(upper, summary, relative, WEIGHT_COLOURS, "", norm=LogNorm(_LEAST_WEIGHT, 1.0))
        upper.set_title("Weight (largest = 1)")
        counts = np.where(summary.n_exposures > 0, summary.n_exposures.astype(np.float64), np.nan)
        norm = _count_norm(summary.most_exposures)
        _image(lower, summary, counts, WEIGHT_COLOURS, "", norm=norm)
        lower.set_title("Number of exposures")
        lower.set_xlabel(_wavelength_label(summary))
        figure.supylabel(_position_label(summary), fontsize="medium")
    return figure


def draw_overview(summary: SlitSummary, *, title: str | None = None) -> Figure:
    """
    Draw signal, signal-to-noise and collapsed spectrum above each other.

    Parameters
    ----------
    summary : SlitSummary
        The spectrum.
    title : str, optional
        Instead of the name of the source.

    Returns
    -------
    `~matplotlib.figure.Figure`
        All three share the wavelength axis.
    """
    with rc_context(STYLE):
        figure = new_figure(*_PICTURE_SIZE)
        upper, middle, lower = figure.subplots(
            3, 1, sharex=True, gridspec_kw={"height_ratios": [1, 1, 1.35]}
        )
        middle.sharey(upper)
        _image(upper, summary, summary.data, SIGNAL_COLOURS, summary.unit)
        _image(middle, summary, summary.snr, SNR_COLOURS, "S/N")
        upper.set_title("Signal", fontsize="small")
        middle.set_title("Signal-to-noise ratio of each pixel", fontsize="small")
        for axes in (upper, middle):
            axes.set_ylabel("arcsec" if summary.pixel_scale else "row")
            axes.tick_params(labelbottom=False)
        _spectrum(lower, summary)
        lower.set_title("Sum of the rows of the source", fontsize="small")
        figure.suptitle(title or summary.name, fontsize="large", fontweight="bold")
    return figure


def draw_thumbnail(summary: SlitSummary) -> bytes:
    """
    Draw the signal alone, small.

    Parameters
    ----------
    summary : SlitSummary
        The spectrum.

    Returns
    -------
    bytes
        A PNG of at most 240 columns.
    """
    return thumbnail(summary.data)


def thumbnail(data: NDArray[np.floating]) -> bytes:
    """
    Draw an image, small.

    Parameters
    ----------
    data : ndarray of float, shape (ny, nx)
        The image; NaN where there are no data.

    Returns
    -------
    bytes
        A PNG of at most 240 columns.
    """
    image = data[::-1]
    limits = colour_limits(image)
    image = image[:, :: -(-image.shape[1] // _THUMBNAIL_COLUMNS)]
    repeat = max(round(_THUMBNAIL_ROWS / max(image.shape[0], 1)), 1)
    colours = colour_map(SIGNAL_COLOURS)
    # Straight from pixels to a picture: a figure takes a hundred times as long.
    rgba = colours(Normalize(*limits, clip=True)(np.ma.masked_invalid(image)), bytes=True)
    buffer = io.BytesIO()
    imsave(buffer, np.repeat(rgba, repeat, axis=0), format="png")
    return buffer.getvalue()


def trace_sparkline(summary: SlitSummary) -> str:
    """
    Trace the sum of the source rows against wavelength, for a small drawing.

    Parameters
    ----------
    summary : SlitSummary
        The spectrum.

    Returns
    -------
    str
        Data of an SVG path in a box of 120 by 36, upside down as SVG is; empty without data.
    """
    _, order = _columns(summary)
    return sparkline(summary.spectrum[order])


def sparkline(spectrum: NDArray[np.float64]) -> str:
    """
    Trace a spectrum for a small drawing.

    Parameters
    ----------
    spectrum : ndarray of float64, shape (n,)
        In the order of its wavelengths; NaN where there are no data.

    Returns
    -------
    str
        Data of an SVG path in a box of 120 by 36, upside down as SVG is; empty without data.
    """
    per_point = max(-(-spectrum.size // _SPARK_WIDTH), 1)
    padded = np.full(-(-spectrum.size // per_point) * per_point, np.nan)
    padded[: spectrum.size] = spectrum
    blocks = padded.reshape(-1, per_point)
    known = np.isfinite(blocks)
    count = known.sum(axis=1)
    seen = np.flatnonzero(count)
    if seen.size < 2:
        return ""
    points = np.where(known, blocks, 0.0).sum(axis=1)[seen] / count[seen]
    low, high = np.percentile(points, _SPARK_LIMITS)
    low = min(float(low), 0.0)
    height = (np.clip(points, low, high) - low) / (high - low) if high > low else 0.5 + 0 * points
    x = seen * (_SPARK_WIDTH / max(blocks.shape[0] - 1, 1))
    y = 1.0 + (_SPARK_HEIGHT - 2.0) * (1.0 - height)
    begins = np.diff(seen, prepend=-2) > 1
    return "".join(
        f"{'M' if start else 'L'}{a:.1f} {b:.1f}" for a, b, start in zip(x, y, begins, strict=True)
    )


def save_picture(path: str | Path, product: JwstDataModel) -> Path:
    """
    Save one picture of a product.

    Parameters
    ----------
    path : str or path
        A file ending in ``.png``; replaced if it exists.
    product : SlitModel or MultiSlitModel
        Rectified spectra. Of several the one with the highest signal-to-noise ratio is drawn.

    Returns
    -------
    path
        The file: 1400 x 1000 pixels with the two-dimensional signal, its signal-to-noise ratio
        and the collapsed spectrum.

    Raises
    ------
    ValueError
        If the product holds no spectrum.
    OutputError
        If it cannot be written.
    """
    path = Path(path)
    summaries = summarise(product)
    if not summaries:
        raise ValueError("the product holds no spectrum to draw")
    best = max(summaries, key=lambda one: np.nan_to_num(one.peak_snr, nan=-np.inf))
    title = best.name if len(summaries) == 1 else f"{best.name} (of {len(summaries)} sources)"
    content = png_bytes(draw_overview(best, title=title), dpi=_PICTURE_DPI)
    replace_atomically(path, lambda temporary: temporary.write_bytes(content))
    return path


def _spectrum(axes: Axes, summary: SlitSummary) -> None:
    x, order = _columns(summary)
    spectrum, error = summary.spectrum[order], summary.error[order]
    axes.axhline(0, color=GREY, lw=0.8)
    axes.fill_between(
        x,
        spectrum - error,
        spectrum + error,
        step="mid",
        color=BLUE,
        alpha=0.3,
        lw=0,
        label="error of the sum",
    )
    axes.step(x, spectrum, where="mid", color=BLUE, lw=1.4, label="rows of the source, summed")
    background = summary.background[order]
    if np.isfinite(background).any():
        axes.plot(
            x, background, color=ORANGE, lw=1.2, ls=(0, (4, 2)), label="as many rows beside it"
        )
    calm = np.isfinite(spectrum)
    if calm.any():
        calm &= error <= _NOISY * np.median(error[calm])
        low = float(min((spectrum - error)[calm].min(), 0.0))
        high = float((spectrum + error)[calm].max())
        if high > low:
            axes.set_ylim(low - 0.04 * (high - low), high + 0.06 * (high - low))
    if x.size > 1:
        axes.set_xlim(*pixel_edges(x)[[0, -1]])
    axes.set_xlabel(_wavelength_label(summary))
    axes.set_ylabel(with_unit("sum", summary.unit))
    axes.legend(loc="best", fontsize="small", framealpha=0.9)


def _image(
    axes: Axes,
    summary: SlitSummary,
    image: NDArray[np.float64],
    colours: str,
    label: str,
    *,
    norm: Normalize | None = None,
) -> None:
    x, order = _columns(summary)
    scale = summary.pixel_scale or 1.0
    bar: dict[str, Any] = {"label": label, "pad": 0.02, "fraction": 0.08, "aspect": 12}
    if norm is None:
        norm = Normalize(*colour_limits(image))
        bar["extend"] = "both"
    elif isinstance(norm, LogNorm):
        bar["format"] = FuncFormatter(lambda value, _: f"{value:g}")
    elif isinstance(norm, BoundaryNorm):
        levels = np.arange(1, len(norm.boundaries))
        bar["ticks"] = levels[:: -(-levels.size // 4)]
    axes.set_facecolor(NO_DATA)
    mesh = axes.pcolormesh(
        pixel_edges(x),
        (np.arange(summary.shape[0] + 1) - 0.5 - summary.centre_row) * scale,
        np.ma.masked_invalid(image[:, order]),
        cmap=colour_map(colours),
        norm=norm,
        rasterized=True,
    )
    axes.figure.colorbar(mesh, ax=axes, **bar)
    start, stop = summary.source_rows
    axes.plot(
        [1.006, 1.006],
        (np.array([start, stop]) - 0.5 - summary.centre_row) * scale,
        transform=axes.get_yaxis_transform(),
        clip_on=False,
        color=ORANGE,
        lw=4 if stop > start else 0,
        solid_capstyle="butt",
    )


def _count_norm(most: int) -> Normalize:
    if most > _MOST_LEVELS:
        return Normalize(0.0, float(most))
    return BoundaryNorm(np.arange(max(most, 1) + 1) + 0.5, colormaps[WEIGHT_COLOURS].N)


def _columns(summary: SlitSummary) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Wavelengths in increasing order and their columns; column numbers if none is known."""
    known = np.flatnonzero(np.isfinite(summary.wavelength))
    if known.size < 2:
        columns = np.arange(summary.shape[1])
        return columns.astype(np.float64), columns
    order = known[np.argsort(summary.wavelength[known], kind="stable")]
    return summary.wavelength[order], order


def _wavelength_label(summary: SlitSummary) -> str:
    return "wavelength (µm)" if np.isfinite(summary.wavelength).sum() > 1 else "column"


def _position_label(summary: SlitSummary) -> str:
    return "along the slit (arcsec)" if summary.pixel_scale else "along the slit (rows)"
