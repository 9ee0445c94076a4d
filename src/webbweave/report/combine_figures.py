"""Figures of combined slitlets: nods and their fit, flagged pixels, profile, spectrum."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from webbweave.datamodels import replace_atomically
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
    pixel_edges,
    png_bytes,
)
from webbweave.slit_combine.mask_bits import MaskBit
from webbweave.slit_combine.summary import (
    GroupFigures,
    GroupSummary,
    ModeSummary,
    NodImages,
    SourceSummary,
)

__all__ = [
    "draw_combined",
    "draw_flags",
    "draw_nods",
    "draw_slit_profile",
    "draw_slit_spectrum",
    "save_combined_picture",
    "shown_bits",
]

#: Differences of nods have both signs: a map with a neutral middle.
_DIFFERENCE_COLOURS = "RdBu_r"
#: Differences are drawn to this many times the noise to either side of 0.
_REACH = 5.0
#: More nods or exposures than this are not drawn: a page is no place for a hundred of them.
_MOST_ROWS = 9
#: Bins with an error above this many times the median do not stretch the axis of a spectrum.
_NOISY = 4.0
#: Wavelengths at most along an axis of columns, and the steps between them [micron].
_MOST_TICKS, _STEPS = 6, (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
#: Size of the picture in inches and its pixels per inch: 1400 x 1000 pixels.
_PICTURE_SIZE, _PICTURE_DPI = (9.3334, 6.6667), 150
#: Colours of the reasons, in the order of their bits: told apart beside each other (map tab20 of
#: matplotlib, whose greys are for pixels that are used or outside the slit).
_FLAG_COLOURS = [c for i, c in enumerate(colormaps["tab20"].colors) if i not in {14, 15}]  # type: ignore[attr-defined]
_USED, _OUTSIDE = "#ffffff", "#d9d9d9"


def draw_slit_spectrum(mode: ModeSummary, *, width: float = 9.6) -> Figure:
    """
    Draw the rectified image, and below it the spectrum with its errors and sky.

    Parameters
    ----------
    mode : ModeSummary
        The spectrum.
    width : float, optional
        Inches.

    Returns
    -------
    `~matplotlib.figure.Figure`
        Wavelength runs to the right.
    """
    with rc_context(STYLE):
        figure = new_figure(width, 6.0)
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[1, 1.7])
        _rectified(upper, mode)
        _spectrum(lower, mode)
    return figure


def _rectified(axes: Axes, mode: ModeSummary) -> None:
    axes.set_facecolor(NO_DATA)
    image = np.ma.masked_invalid(mode.image)
    mesh = axes.pcolormesh(
        pixel_edges(mode.wave),
        pixel_edges(mode.y),
        image,
        cmap=colour_map(SIGNAL_COLOURS),
        norm=Normalize(*colour_limits(mode.image)),
        rasterized=True,
    )
    axes.figure.colorbar(mesh, ax=axes, label="µJy per pixel", pad=0.02, aspect=12, extend="both")
    for edge in mode.rows:
        axes.axhline(edge, color="white", lw=0.8, ls=(0, (5, 4)))
    axes.set_ylabel("row from the trace")
    axes.set_title("Rectified image")


def _spectrum(axes: Axes, mode: ModeSummary) -> None:
    flux, error = mode.flux, mode.error
    known = np.isfinite(flux) & np.isfinite(error)
    axes.axhline(0, color=GREY, lw=0.8)
    axes.fill_between(
        *(mode.wave, flux - error, flux + error),
        step="mid",
        color=BLUE,
        alpha=0.3,
        lw=0,
        label="error",
    )
    axes.step(mode.wave, flux, where="mid", color=BLUE, lw=1.2, label="source")
    # Between bins without data there is nothing that a line could join.
    beside = np.convolve(known, [1, 0, 1], mode="same") > 0
    alone = known & ~beside
    if alone.any():
        axes.errorbar(
            *(mode.wave[alone], flux[alone], error[alone]),
            fmt="o",
            ms=2.5,
            color=BLUE,
            elinewidth=1,
        )
    if np.nan_to_num(mode.sky).any():
        there = np.isfinite(mode.sky)
        axes.plot(
            mode.wave[there],
            mode.sky[there],
            color=ORANGE,
            lw=1.0,
            label="sky per pixel, subtracted",
        )
    if known.any():
        calm = known & (error <= _NOISY * np.median(error[known]))
        low, high = float((flux - error)[calm].min()), float((flux + error)[calm].max())
        low = min(low, 0.0)
        axes.set_ylim(low - 0.04 * (high - low), high + 0.06 * (high - low))
        ends = mode.wave[known][[0, -1]]
        axes.set_xlim(ends.min(), ends.max())
    axes.set_xlabel("wavelength (µm)")
    axes.set_ylabel("flux (µJy)")
    axes.set_title("Spectrum")
    axes.legend(loc="best", fontsize="small", framealpha=0.9)


def draw_nods(figures: GroupFigures, *, width: float = 9.6) -> Figure:
    """
    Draw each nod: its mean, minus the others, the model of that, and what is left.

    Parameters
    ----------
    figures : GroupFigures
        The group.
    width : float, optional
        Inches; on narrow figures the reference alone is drawn, its images above each other.

    Returns
    -------
    `~matplotlib.figure.Figure`
        The dispersion runs to the right.
    """
    narrow = width < 7
    nods = figures.nods[: 1 if narrow else _MOST_ROWS]
    with rc_context(STYLE):
        n = 4 if nods[0].model is not None else 2
        shape = (n, 1) if narrow else (len(nods), n)
        figure = new_figure(width, 0.9 + (1.15 if narrow else 1.35) * shape[0])
        grid = figure.subplots(*shape, squeeze=False, sharex=True, sharey=True)
        for i, nod in enumerate(nods):
            panels = list(grid[:, 0] if narrow else grid[i])
            _nod_row(panels, nod, titles=narrow or i == 0)
            panels[0].set_ylabel(_nod_label(nod), fontsize="small")
        for axes in grid[-1]:
            _mark_wavelengths(axes, figures.wave, most=_MOST_TICKS if narrow else 4)
    return figure


def _nod_row(panels: Sequence[Axes], nod: NodImages, *, titles: bool) -> None:
    reach = Normalize(-_REACH * nod.noise, _REACH * nod.noise)
    mean = Normalize(*colour_limits(nod.mean))
    drawn: list[tuple[str, Any, str, Normalize]] = [
        ("nod", nod.mean, SIGNAL_COLOURS, mean),
        ("minus the other nods", nod.difference, _DIFFERENCE_COLOURS, reach),
    ]
    if nod.model is not None:
        drawn += [
            ("model", nod.model, _DIFFERENCE_COLOURS, reach),
            ("residual", nod.difference - nod.model, _DIFFERENCE_COLOURS, reach),
        ]
    for axes, (title, image, colours, norm) in zip(panels, drawn, strict=True):
        axes.set_facecolor(NO_DATA)
        axes.imshow(
            np.ma.masked_invalid(image),
            cmap=colour_map(colours),
            norm=norm,
            origin="lower",
            aspect="auto",
            interpolation="antialiased",
        )
        axes.tick_params(labelsize="small")
        if titles:
            axes.set_title(title, fontsize="small")
    columns = np.arange(nod.mean.shape[1])
    for rows, colour in ((nod.added, ORANGE), (nod.subtracted, GREEN)):
        for trace in rows:
            panels[1].plot(columns, trace, color=colour, lw=0.7, ls=(0, (6, 5)))
    panels[0].set_ylim(-0.5, nod.mean.shape[0] - 0.5)


def _nod_label(nod: NodImages) -> str:
    return f"nod {nod.label}{'*' if nod.is_reference else ''}\n{nod.offset:+.2f} px"


def _mark_wavelengths(axes: Axes, wave: NDArray[np.float64], *, most: int) -> None:
    """Wavelengths at the bottom instead of columns."""
    columns = np.flatnonzero(np.isfinite(wave))
    if columns.size < 2:
        axes.set_xlabel("column", fontsize="small")
        return
    order = columns[np.argsort(wave[columns])]
    low, high = wave[order[0]], wave[order[-1]]
    step = next((s for s in _STEPS if (high - low) / s < most + 1), high - low)
    ticks = np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step
    axes.set_xticks(np.interp(ticks, wave[order], order.astype(np.float64)))
    axes.set_xticklabels([f"{tick:.4g}" for tick in ticks], fontsize="small")
    axes.set_xlabel("wavelength (µm)", fontsize="small")


def shown_bits(bits: NDArray[np.uint32]) -> NDArray[np.int64]:
    """
    Choose one reason for each pixel: the border of the slit if it is one, else the first test.

    Parameters
    ----------
    bits : ndarray of uint32
        The plane of `MaskBit`.

    Returns
    -------
    ndarray of int64
        The value of one bit per pixel; 0 where it is used.
    """
    chosen = (bits & (~bits + np.uint32(1))).astype(np.int64)  # the lowest bit
    return np.where(bits & np.uint32(MaskBit.BORDER), int(MaskBit.BORDER), chosen)


def draw_flags(group: GroupSummary, *, width: float = 9.6) -> Figure:
    """
    Draw which test masked each pixel of each exposure.

    Parameters
    ----------
    group : GroupSummary
        The group, with its arrays.
    width : float, optional
        Inches.

    Returns
    -------
    `~matplotlib.figure.Figure`
        A row per exposure; white pixels are used.
    """
    assert group.figures is not None
    figures = group.figures
    planes = [shown_bits(plane) for plane in figures.bits[:_MOST_ROWS]]
    found = [bit for bit in MaskBit if any((plane == int(bit)).any() for plane in planes)]
    # A colour is that of its test on every page.
    order = [bit for bit in MaskBit if bit is not MaskBit.BORDER]
    colours: dict[MaskBit, Any] = {
        bit: _FLAG_COLOURS[i % len(_FLAG_COLOURS)] for i, bit in enumerate(order)
    }
    colours[MaskBit.BORDER] = _OUTSIDE
    chart = ListedColormap([_USED, *(colours[bit] for bit in found)])
    with rc_context(STYLE):
        # What is beside the images on broad figures is below them on narrow ones.
        below = width < 7
        lines = -(-(len(found) + 1) // 2)
        height = 0.7 + 1.25 * len(planes) + (0.28 * lines if below else 0.0)
        figure = new_figure(width, max(height, 0.0 if below else 0.6 + 0.27 * (len(found) + 1)))
        grid = figure.subplots(len(planes), 1, squeeze=False, sharex=True, sharey=True)[:, 0]
        for axes, plane, name in zip(grid, planes, figures.exposures, strict=False):
            number = np.zeros(plane.shape)
            for i, bit in enumerate(found, 1):
                number[plane == int(bit)] = i
            norm = Normalize(0, max(len(found), 1))
            axes.imshow(
                number,
                cmap=chart,
                norm=norm,
                origin="lower",
                aspect="auto",
                interpolation="nearest",
            )
            axes.set_title(name, fontsize="small")
        _mark_wavelengths(grid[-1], figures.wave, most=_MOST_TICKS)
        figure.supylabel("row", fontsize="small")
        handles = [Patch(facecolor=_USED, edgecolor=GREY, label=f"used: {group.n_valid:,}")]
        handles += [
            Patch(color=colours[bit], label=f"{bit.name}: {group.masked[str(bit.name)]:,}")
            for bit in found
        ]
        place: dict[str, Any] = {"loc": "outside right upper"}
        if below:
            place = {"loc": "outside lower left", "ncols": 2}
        figure.legend(handles=handles, fontsize="small", frameon=False, **place)
    return figure


def draw_slit_profile(group: GroupSummary, *, width: float = 5.2) -> Figure:
    """
    Draw the profile along the slit of the reference, and that of the fit.

    Parameters
    ----------
    group : GroupSummary
        The group, with its arrays.
    width : float, optional
        Inches.

    Returns
    -------
    `~matplotlib.figure.Figure`
        The distance from the trace runs to the right.
    """
    assert group.figures is not None
    figures = group.figures
    with rc_context(STYLE):
        figure = new_figure(width, 3.9)
        axes = figure.subplots()
        axes.axhline(0, color=GREY, lw=0.8)
        axes.errorbar(
            figures.profile_y,
            figures.profile,
            figures.profile_error,
            fmt="o",
            ms=3,
            color=BLUE,
            elinewidth=1,
            label="difference",
        )
        if np.isfinite(figures.profile_model).any():
            axes.plot(figures.profile_y, figures.profile_model, color=ORANGE, lw=1.4, label="model")
        if np.isfinite(group.sigma):
            axes.axvspan(-group.sigma, group.sigma, color=ORANGE, alpha=0.15, lw=0)
        axes.set_xlabel("pixels from the trace")
        axes.set_ylabel("share of the light per pixel")
        axes.legend(loc="best", fontsize="small", framealpha=0.9)
    return figure


def draw_combined(source: SourceSummary) -> Figure:
    """
    Draw the best spectrum of a source and, below it, the reference nod of its group.

    Parameters
    ----------
    source : SourceSummary
        A source with a spectrum, and the arrays of a group.

    Returns
    -------
    `~matplotlib.figure.Figure`
        1400 x 1000 pixels.

    Raises
    ------
    ValueError
        If there is no spectrum.
    """
    mode = source.best
    if mode is None:
        raise ValueError(f"{source.name}: there is no spectrum to draw")
    groups = [g.figures for g in source.groups if g.mode == mode.name and g.figures is not None]
    with rc_context(STYLE):
        figure = new_figure(*_PICTURE_SIZE)
        if not groups:
            upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[1, 1.8])
        else:
            halves: Any = figure.subfigures(2, 1, height_ratios=[3, 1])
            top, bottom = halves
            upper, lower = top.subplots(2, 1, sharex=True, height_ratios=[1, 1.8])
            nod = groups[0].nods[0]
            n = 4 if nod.model is not None else 2
            panels = bottom.subplots(1, n, sharex=True, sharey=True)
            _nod_row(panels, nod, titles=True)
            panels[0].set_ylabel(_nod_label(nod), fontsize="small")
            for axes in panels:
                _mark_wavelengths(axes, groups[0].wave, most=4)
        _rectified(upper, mode)
        _spectrum(lower, mode)
        figure.suptitle(f"{source.name}, {mode.name}", fontsize="large", fontweight="bold")
    return figure


def save_combined_picture(path: str | Path, source: SourceSummary) -> Path:
    """
    Save one picture of a source.

    Parameters
    ----------
    path : str or path
        A file ending in ``.png``; replaced if it exists.
    source : SourceSummary
        See `draw_combined`.

    Returns
    -------
    path
        The file.

    Raises
    ------
    ValueError
        If there is no spectrum.
    OutputError
        If it cannot be written.
    """
    path = Path(path)
    content = png_bytes(draw_combined(source), dpi=_PICTURE_DPI)
    replace_atomically(path, lambda temporary: temporary.write_bytes(content))
    return path
