"""Figures of groups of exposures: differences of nods with the fit, and profiles along the slit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from webbweave.report.style import BLUE, GREY, ORANGE, new_figure
from webbweave.slit_combine.group import SlitGroupLike

__all__ = ["plot_2d_differences", "plot_profile"]

Array = NDArray[np.float64]

_IMAGE_KWS: Mapping[str, Any] = MappingProxyType({"cmap": "bone_r", "interpolation": "hanning"})
#: The grey scale spans this many times the clipped noise to either side of 0.
_LOW, _HIGH = -1.0, 1.5
#: Inches for names beside the images, per row for the space between, and for the title.
_MARGIN, _GAP, _TITLE = 1.2, 0.15, 0.35
#: Bins of the mean profile [pixel].
_BIN = 0.25


def plot_2d_differences(
    group: SlitGroupLike,
    fit: Mapping[Any, Mapping[str, Any]] | None = None,
    clip_sigma: float = 5,
    kws: Mapping[str, Any] = _IMAGE_KWS,
    figsize: Sequence[float] = (6, 2),
) -> Figure:
    """
    Show the difference of each nod, and with a fit its model and what is left.

    Parameters
    ----------
    group : SlitGroup
        The exposures.
    fit : mapping, optional
        The fit of each nod; by default that of the group, if there is one.
    clip_sigma : float, optional
        Half of the grey scale [median noise].
    kws : mapping, optional
        Parameters of `~matplotlib.axes.Axes.imshow`; those not given are the usual ones.
    figsize : sequence of two floats, optional
        Size of one row of images [inch].

    Returns
    -------
    `~matplotlib.figure.Figure`
        One row per nod. The traces of its exposures are red, those of subtracted ones yellow; a
        star marks the reference.

    Raises
    ------
    KeyError
        If the fit lacks a nod.
    """
    fit = group.fit if fit is None else fit
    nods = list(group.unp)
    titles = ["difference", "model", "residual"] if fit else ["difference"]
    width, height = float(figsize[0]) + _MARGIN, (float(figsize[1]) + _GAP) * len(nods) + _TITLE
    figure = new_figure(width if fit else max(width * 0.6, 4.0), height)
    axes = figure.subplots(len(nods), len(titles), squeeze=False, sharex=True, sharey=True)
    settings = {**_IMAGE_KWS, "origin": "lower", "aspect": "auto", **kws}
    for row, exp in zip(axes, nods, strict=True):
        positive, negative, diff, _, vdiff, _ = group.make_diff_image(exp=exp)
        scale = clip_sigma * _median(np.sqrt(vdiff))
        settings |= {"vmin": _LOW * scale, "vmax": _HIGH * scale}
        image = np.asarray(diff).reshape(group.sh)
        images = [image]
        if fit:
            model = np.asarray(fit[exp]["smod"]).reshape(group.sh)
            images += [model, image - model]
        for axis, plane in zip(row, images, strict=True):
            axis.imshow(plane, **settings)
            axis.set_ylim(-0.5, group.sh[0] - 0.5)
        _draw_traces(row[0], group, positive, "tomato")
        _draw_traces(row[0], group, negative, "wheat")
        row[0].set_ylabel(_label(group, exp, positive, negative), fontsize="small")
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title, fontsize="small")
    for axis in axes[-1]:
        _mark_wavelengths(axis, group)
    return figure


def _median(values: Array) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else 1.0


def _draw_traces(axis: Any, group: SlitGroupLike, chosen: NDArray[np.bool_], color: str) -> None:
    nx = group.sh[1]
    columns = np.arange(nx)
    x = (columns - nx / 2) / nx
    for i in np.flatnonzero(chosen):
        y = np.polyval(group.base_coeffs[i], x) + np.polyval(group.trace_coeffs[i], x)
        axis.plot(columns, y, color=color, lw=0.9, alpha=0.9)


def _label(
    group: SlitGroupLike, exp: Any, positive: NDArray[np.bool_], negative: NDArray[np.bool_]
) -> str:
    star = "*" if exp == group.calc_reference_exposure else ""
    offset = float(np.mean(np.asarray(group.relative_nod_offset)[positive]))
    counts = f"{positive.sum()} pos, {negative.sum()} neg"
    return f"nod {exp}{star}\n{offset:+.2f} px\n{counts}"


def _mark_wavelengths(axis: Any, group: SlitGroupLike) -> None:
    """Wavelengths at the bottom instead of columns."""
    wave = np.asarray(group.wave[0]).reshape(group.sh)
    known = np.isfinite(wave).any(axis=0)
    if np.count_nonzero(known) < 2:
        return
    columns = np.flatnonzero(known)
    middle = np.array([np.nanmedian(wave[:, k]) for k in columns])
    span = middle.max() - middle.min()
    step = next(s for s in (0.05, 0.1, 0.2, 0.5, 1.0, 2.0) if span / s <= 6 or s == 2.0)
    ticks = np.arange(np.ceil(middle.min() / step), np.floor(middle.max() / step) + 1) * step
    order = np.argsort(middle)
    axis.set_xticks(np.interp(ticks, middle[order], columns[order].astype(float)))
    axis.set_xticklabels([f"{tick:.4g}" for tick in ticks], fontsize="small")
    axis.set_xlabel("wavelength [micron]", fontsize="small")


def plot_profile(
    group: SlitGroupLike,
    exp: Any = 1,
    ax: Any = None,
    fit_result: Mapping[str, Any] | None = None,
    ymax: float = 0.2,
) -> Figure:
    """
    Show the profile along the slit of the difference of one nod.

    Parameters
    ----------
    group : SlitGroup
        The exposures.
    exp : object, optional
        Which nod.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw; by default in a figure of its own.
    fit_result : mapping, optional
        The fit of this nod; by default that of the group, if there is one.
    ymax : float, optional
        Upper limit of the flux axis [microjansky]; the lower one is minus half of that.

    Returns
    -------
    `~matplotlib.figure.Figure`
        Pixels of the difference against their distance from the trace of this nod, means in bins,
        the model in red, and the width at either side of the middle.

    Raises
    ------
    KeyError
        If there is no such nod.
    ValueError
        If `ymax` is not above 0.
    """
    if exp not in list(group.unp):
        raise KeyError(f"exp: there is no nod {exp!r}, only {list(group.unp)}")
    if not ymax > 0:
        raise ValueError(f"ymax: expected a number above 0, found {ymax!r}")
    if fit_result is None and group.fit:
        fit_result = group.fit[exp]
    figure = new_figure(6, 4) if ax is None else ax.figure
    axis = figure.subplots() if ax is None else ax
    positive, _, diff, _, vdiff, _ = group.make_diff_image(exp=exp)
    diff = np.asarray(diff).reshape(-1)
    distance = np.asarray(group.yslit[np.flatnonzero(positive)[0]])
    known = np.isfinite(diff) & np.isfinite(distance) & (vdiff > 0)
    weight = 1.0 / np.where(known, vdiff, 1.0)
    axis.plot(distance[known], diff[known], ".", ms=2, color=GREY, alpha=0.25, rasterized=True)
    axis.plot(
        *_binned(distance[known], diff[known], weight[known]), "o", ms=4, color=BLUE, label="mean"
    )
    if fit_result is not None:
        model = np.asarray(fit_result["smod"]).reshape(-1)
        both = known & np.isfinite(model)
        axis.plot(
            *_binned(distance[both], model[both], weight[both]), color="red", lw=1.5, label="model"
        )
        sigma = float(fit_result["sigma"])
        for side in (-sigma, sigma):
            axis.axvline(side, color=ORANGE, lw=1, ls="--")
    if known.any():
        axis.set_xlim(distance[known].min(), distance[known].max())
    axis.axhline(0, color=GREY, lw=0.7)
    axis.set_ylim(-ymax / 2, ymax)
    axis.set_xlabel("distance from the trace [pixel]")
    axis.set_ylabel("flux [microjansky]")
    axis.set_title(f"{group.name}, nod {exp}", fontsize="medium")
    axis.legend(loc="upper right", fontsize="small")
    return figure


def _binned(place: Array, values: Array, weight: Array) -> tuple[Array, Array]:
    """Weighted means in bins along the slit, of those that have a pixel."""
    if not place.size:
        return place, values
    cell = np.floor(place / _BIN).astype(int)
    first = int(cell.min())
    total = np.bincount(cell - first, weights=weight)
    used = total > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(cell - first, weights=values * weight) / total
    centres = (np.arange(total.size) + first + 0.5) * _BIN
    return centres[used].astype(np.float64), mean[used]
