"""The picture of a combined spectrum: the rectified image above, flux, its error and sky below."""

from __future__ import annotations

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from webbweave.report.style import BLUE, GREY, ORANGE, STYLE, colour_map, new_figure, pixel_edges

__all__ = ["FLAM_UNIT", "draw_combined_spectrum", "flam_per_fnu"]

Array = NDArray[np.float64]

#: Unit of the flux per wavelength [erg / s / cm2 / Angstrom].
FLAM_UNIT = 1e-20
#: That of one microjansky at one micron, in this unit: 1e-29 erg / s / cm2 / Hz times the speed of
#: light, 2.99792458e18 Angstrom / s, divided by the square of 1e4 Angstrom.
_FLAM_AT_MICRON = 1e-29 * 2.99792458e18 / 1e8 / FLAM_UNIT
#: The image spans from so many to so many times the typical error of its cells.
_LOW, _HIGH = -3.0, 10.0
#: Where the axis of flux ends: percentiles, and what is left free above.
_LIMITS, _FREE = (1.0, 99.8), 0.15


def flam_per_fnu(wave: ArrayLike) -> Array:
    """
    Give the factor from flux per frequency to flux per wavelength.

    Parameters
    ----------
    wave : array_like
        Wavelengths [micron].

    Returns
    -------
    ndarray of float64
        Factors from microjansky to `FLAM_UNIT` [erg / s / cm2 / Angstrom].
    """
    return np.asarray(_FLAM_AT_MICRON / np.square(np.asarray(wave, np.float64)))


def draw_combined_spectrum(
    wave: Array,
    flux: Array,
    error: Array,
    sky: Array,
    *,
    image: Array,
    weight: Array,
    y: Array,
    title: str,
    flam: bool = False,
) -> Figure:
    """
    Draw a combined spectrum.

    Parameters
    ----------
    wave, flux, error, sky : ndarray, shape (nx,)
        Wavelengths [micron], flux, its error, and the sky that was subtracted [microjansky].
    image, weight : ndarray, shape (ny, nx)
        The rectified image [microjansky] and the inverse of its variance.
    y : ndarray, shape (ny,)
        Distance of its rows from the trace [pixel].
    title : str
        What is seen.
    flam : bool, optional
        Whether to draw the flux per wavelength, else that per frequency.

    Returns
    -------
    `~matplotlib.figure.Figure`
        The figure.
    """
    factor = flam_per_fnu(wave) if flam else np.ones(wave.size)
    unit = "10⁻²⁰ erg/s/cm²/Å" if flam else "µJy"
    flux, error, sky, image = (array * factor for array in (flux, error, sky, image))
    known = np.isfinite(flux) & np.isfinite(error)
    with rc_context(STYLE):
        figure = new_figure(10, 5)
        top, axes = figure.subplots(2, 1, sharex=True, height_ratios=[1, 2.4])
        _draw_image(top, wave, y, image, weight / factor**2)
        top.set_title(title)
        axes.axhline(0.0, color=GREY, linewidth=0.6)
        middle = {"where": "mid", "linewidth": 1.0}
        if np.nan_to_num(sky).any():
            axes.step(wave, sky, color=ORANGE, label="subtracted sky", alpha=0.8, **middle)
        axes.fill_between(
            *(wave, flux - error, flux + error),
            step="mid",
            color=BLUE,
            alpha=0.25,
            linewidth=0,
            label="standard error",
        )
        axes.step(wave, flux, color=BLUE, label="flux", **middle)
        if known.any():
            low, high = np.percentile(flux[known], _LIMITS)
            # Lines may be narrow: the brightest of what is significant stays inside.
            seen = flux[known & (flux > 5 * error)]
            high = max(high, seen.max()) if seen.size else high
            low = min(low, 0.0)
            axes.set_ylim(low - _FREE * (high - low), high + _FREE * (high - low))
            axes.set_xlim(wave[known].min(), wave[known].max())
        axes.set_xlabel("wavelength [µm]")
        axes.set_ylabel(f"flux [{unit}]")
        axes.legend(loc="upper left", frameon=False, fontsize="small")
    return figure


def _draw_image(axes: object, wave: Array, y: Array, image: Array, weight: Array) -> None:
    seen = np.isfinite(image) & (weight > 0)
    # In errors, or the noisy ends would hide the source.
    ratio = np.full(image.shape, np.nan)
    ratio[seen] = image[seen] * np.sqrt(weight[seen])
    axes.pcolormesh(  # type: ignore[attr-defined]
        *(pixel_edges(wave), pixel_edges(y), ratio),
        cmap=colour_map("magma"),
        vmin=_LOW,
        vmax=_HIGH,
        rasterized=True,
    )
    axes.set_ylabel("y [pixel]")  # type: ignore[attr-defined]
