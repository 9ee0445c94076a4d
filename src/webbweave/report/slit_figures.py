"""Figures of a group of nodded slitlets: differences, profiles, sky, bars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from webbweave.report.style import BLUE, GREY, NO_DATA, ORANGE, STYLE, new_figure

__all__ = [
    "draw_differences",
    "draw_flagged_profile",
    "draw_profile",
    "draw_shutter_offset",
    "draw_sky",
]

Array = NDArray[np.float64]

#: Colours of the traces of exposures that are added, and subtracted, as in msaexp.
_ADDED, _SUBTRACTED = "tomato", "wheat"
#: The scale of greys runs from -1 to this times the limit.
_BRIGHT = 1.5
#: Points beyond these percentiles do not stretch an axis.
_LIMITS = (0.5, 99.5)
#: Pixels this far from the trace are drawn in profiles.
_PROFILE_REACH = 8.0


def draw_differences(
    group: Any,
    fit: Mapping[Any, Mapping[str, Any]] | None,
    clip_sigma: float,
    kws: Mapping[str, Any],
    figsize: tuple[float, float],
) -> Figure:
    """
    Draw the difference of each nod and the others, with the model and what is left.

    Parameters
    ----------
    group : SlitGroup
        The group.
    fit : mapping or None
        The fits of the nods; without them there are only the differences.
    clip_sigma : float
        The scale of greys ends at 1.5 times so many standard deviations.
    kws : mapping
        Arguments of ``imshow``.
    figsize : (float, float)
        Inches of a row with one image.

    Returns
    -------
    `~matplotlib.figure.Figure`
        A row for each nod.
    """
    nods = group.unp
    columns = 1 if fit is None else 3
    reference, offsets = group.calc_reference_exposure, group.relative_nod_offset
    with rc_context(STYLE):
        figure = new_figure(figsize[0] * columns, figsize[1] * nods.N)
        panels = figure.subplots(nods.N, columns, squeeze=False, sharex=True, sharey=True)
        for row, nod in zip(panels, nods, strict=True):
            ipos, ineg, diff, _, vdiff, _ = group.make_diff_image(exp=nod)
            images = [np.asarray(diff).reshape(group.sh)]
            if fit is not None:
                model = np.asarray(fit[nod]["smod"]).reshape(group.sh)
                images += [model, images[0] - model]
            finite = np.isfinite(vdiff)
            noise = np.sqrt(np.median(vdiff[finite])) if finite.any() else 1.0
            limit = clip_sigma * float(noise)
            for axes, image in zip(row, images, strict=True):
                _show(axes, image, limit, kws)
                _draw_traces(axes, group, ipos, ineg)
            star = "*" if nod == reference else ""
            offset = float(np.mean(offsets[ipos]))
            row[0].set_ylabel(f"{nod}{star}  {offset:+.2f} px\n+{ipos.sum()} -{ineg.sum()}")
        for axes, title in zip(panels[0], ("difference", "model", "residual"), strict=False):
            axes.set_title(title)
        figure.suptitle(group.name, fontsize="medium")
    return figure


def _show(axes: Axes, image: Array, limit: float, kws: Mapping[str, Any]) -> None:
    axes.set_facecolor(NO_DATA)
    options = {"vmin": -limit, "vmax": _BRIGHT * limit, "origin": "lower", "aspect": "auto"}
    axes.imshow(image, **{**options, **kws})


def _draw_traces(axes: Axes, group: Any, ipos: NDArray[np.bool_], ineg: NDArray[np.bool_]) -> None:
    ny, nx = group.sh
    x = np.arange(nx)
    for chosen, colour in ((ipos, _ADDED), (ineg, _SUBTRACTED)):
        for i in np.flatnonzero(chosen):
            axes.plot(x, -group.yslit[i].reshape(ny, nx)[0], color=colour, lw=0.8, alpha=0.7)
    axes.set_xlim(-0.5, nx - 0.5)
    axes.set_ylim(-0.5, ny - 0.5)


def draw_profile(
    group: Any,
    exp: Any,
    axes: Axes | None,
    fit_result: Mapping[str, Any] | None,
    ymax: float,
) -> Figure:
    """
    Draw the pixels of a difference across the trace.

    Parameters
    ----------
    group : SlitGroup
        The group.
    exp : object
        The nod.
    axes : `~matplotlib.axes.Axes` or None
        Where to draw; in a new figure by default.
    fit_result : mapping or None
        A fit of this nod, whose model is drawn too.
    ymax : float
        Upper limit of the flux [microjansky]; the lower one is half as far below 0.

    Returns
    -------
    `~matplotlib.figure.Figure`
        The figure of the axes.
    """
    ipos, _, diff, _, _, _ = group.make_diff_image(exp=exp)
    y = group.yslit[np.flatnonzero(ipos)[0]]
    with rc_context(STYLE):
        if axes is None:
            axes = new_figure(6, 4).subplots()
        good = np.isfinite(diff)
        axes.scatter(y[good], diff[good], s=3, color="black", alpha=0.3, linewidths=0)
        if fit_result is not None:
            model = np.asarray(fit_result["smod"]).ravel()
            known = np.isfinite(model)
            axes.scatter(y[known], model[known], s=3, color="red", alpha=0.4, linewidths=0)
            axes.axvline(float(fit_result["sigma"]), color="red", ls=":")
        axes.set_ylim(-0.5 * ymax, ymax)
        axes.set_xlim(-_PROFILE_REACH, _PROFILE_REACH)
        axes.set_xlabel("distance from the trace [pixel]")
        axes.set_ylabel("flux [µJy]")
        axes.grid(visible=True, alpha=0.3)
    figure = axes.figure
    assert isinstance(figure, Figure)
    return figure


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
