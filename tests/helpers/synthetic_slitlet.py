"""A nodded NIRSpec slitlet whose trace, width, spectrum, sky, bars and flaws are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

Array = NDArray[np.float64]

PITCH = 5.0  # pixels per shutter, as the peer takes it
PIXEL_SCALE = 0.1045  # arcsec per pixel along the slit
SHUTTER_SCALE = 0.2284  # shutter pitches of the slit frame per pixel
NOD = 5.06  # pixels between neighbouring nods
FWHM_WAVE = np.array([0.5, 2.6, 4.1, 5.6])  # micron
FWHM_PIXELS = np.array([1.24, 1.31, 1.46, 1.90])
FWHM_PER_SIGMA = 2.0 * np.sqrt(2.0 * np.log(2.0))
BAR_DEPTH, BAR_WIDTH = 0.7, 0.08  # of the bars between shutters; the width in shutters
HOT = 50.0  # microJansky of a planted hot pixel
WAVES = {"PRISM": (0.6, 5.3), "G140M": (0.9, 1.9), "G235M": (1.7, 3.1), "G395M": (2.9, 5.2)}


def psf_fwhm(wave: Array) -> Array:
    """The width of the PSF along the slit, pixels; piecewise linear in the wavelength (micron)."""
    return np.interp(wave, FWHM_WAVE, FWHM_PIXELS)


def pixel_profile(y: Array, wave: Array, sigma: float) -> Array:
    """The part of the light that a pixel at a distance from the trace holds."""
    s = np.sqrt(2.0 * ((psf_fwhm(wave) / FWHM_PER_SIGMA) ** 2 + sigma**2))
    return 0.5 * (erf((y + 0.5) / s) - erf((y - 0.5) / s))


@dataclass(frozen=True)
class SyntheticSlitlet:
    """
    What was observed, and what is true.

    Arrays are (exposures, pixels), pixels being those of rows times columns; microJansky per pixel.
    """

    shape: tuple[int, int]
    grating: str
    fixed_slit: bool
    sci: Array  # per open shutter: divided by the bars, sky inside
    var_poisson: Array
    var_rnoise: Array
    mask: NDArray[np.bool_]  # True where it is good
    bkg_mask: NDArray[np.bool_]  # the same, before the late flaws
    bar: Array
    wave: Array
    dwave_dx: Array
    xslit: NDArray[np.int64]  # (pixels,)
    ypix: NDArray[np.int64]  # (pixels,)
    slit_frame_y: Array
    base_coeffs: Array  # (exposures, 3): the trace that the WCS tells, highest power first
    nod: NDArray[np.int64]  # (exposures,): 1, 2, ...
    y_offset: Array  # (exposures,) arcsec
    exptime: Array  # (exposures,) seconds
    hot: NDArray[np.bool_]  # planted hot pixels; they are not in the mask
    # The truth:
    sigma: float  # intrinsic width, pixels
    trace: Array  # (exposures, columns) where the source is, pixels
    center: tuple[float, ...]  # polynomial from the trace of the WCS to that of the source
    flux: Array  # (exposures, pixels) of the source at the wavelength of the pixel
    sky: Array  # (exposures, pixels)
    profile: Array  # (exposures, pixels)

    @property
    def n(self) -> int:
        """Number of exposures."""
        return len(self.nod)

    @property
    def var_total(self) -> Array:
        return self.var_poisson + self.var_rnoise

    def column_flux(self) -> Array:
        """The flux on the trace in each column, (columns,); exact where there is no tilt."""
        ny, nx = self.shape
        return self.flux[0].reshape(ny, nx)[ny // 2]


def _waves(grating: str, x: Array) -> Array:
    """Wavelength against column (0 to 1); the prism disperses the middle least per micron."""
    low, high = WAVES[grating]
    if grating == "PRISM":
        x = x + 0.12 * np.sin(np.pi * x)
    return low + (high - low) * x


def _default_flux(wave: Array) -> Array:
    """A continuum with one line."""
    middle = 0.5 * (np.min(wave) + np.max(wave))
    width = 0.02 * np.ptp(wave)
    return 1.0 + 0.2 * (wave - middle) + 3.0 * np.exp(-0.5 * ((wave - middle) / width) ** 2)


def _default_sky(wave: Array) -> Array:
    return 0.4 + 0.1 * np.sin(2.0 * wave)


def bar_transmission(u: Array) -> Array:
    """What passes beside the bars of the shutters, `u` being in shutters."""
    edge = np.abs((u + 0.5) - np.round(u + 0.5))
    return 1.0 - BAR_DEPTH * np.exp(-0.5 * (edge / BAR_WIDTH) ** 2)


def make_slitlet(
    seed: int | None = 0,
    *,
    grating: str = "PRISM",
    fixed_slit: bool = False,
    n_exposures: int = 3,
    nods: Sequence[int] | None = None,
    shape: tuple[int, int] = (25, 48),
    sigma: float = 0.6,
    center: Sequence[float] = (0.3,),
    base: Sequence[float] = (0.4, 2.3),
    tilt: float = 0.0,
    flux: Callable[[Array], Array] = _default_flux,
    scale: float = 1.0,
    sky: Callable[[Array], Array] = _default_sky,
    read_noise: float = 0.03,
    gain: float = 2000.0,
    n_hot: int = 0,
    bad_fraction: float = 0.0,
    late_fraction: float = 0.0,
    second: tuple[float, float] | None = None,
) -> SyntheticSlitlet:
    """
    Make a slitlet.

    Parameters
    ----------
    seed : int or None
        Of the noise and of the flaws; None leaves the noise out.
    grating : str
        'PRISM', 'G140M', 'G235M' or 'G395M': sets the wavelengths.
    fixed_slit : bool
        Without bars.
    n_exposures : int
        How many; `nods` repeats 1, 2, 3 (three shutters) unless given.
    nods : sequence of int, optional
        Nod position of each exposure: 1 below, 2 in the middle, 3 above.
    shape : tuple of int
        Rows and columns.
    sigma : float
        Intrinsic width of the source, pixels.
    center : sequence of float
        Polynomial of the source's offset from the trace of the WCS, highest power first, in
        (column - columns / 2) / columns.
    base : sequence of float
        The two first coefficients of the trace of the WCS, quadratic and linear.
    tilt : float
        Columns by which the wavelengths are shifted from row to row.
    flux, sky : callable
        Microjansky against micron, of the source and of the sky per pixel.
    scale : float
        Factor of the flux.
    read_noise : float
        Standard deviation, microjansky.
    gain : float
        Counts per microjansky: sets the Poisson noise; the variance planes hold the true one.
    n_hot : int
        Hot pixels planted per exposure.
    bad_fraction, late_fraction : float
        Pixels masked at random: from the beginning; and after the background mask was kept.
    second : tuple of float, optional
        Offset in pixels from the source, and part of its flux, of a second source.
    """
    rng = np.random.default_rng(seed)
    ny, nx = shape
    nod = np.resize([1, 2, 3], n_exposures) if nods is None else np.asarray(nods)
    n = len(nod)
    ypix, xslit = (plane.ravel() for plane in np.indices(shape))
    xi = (xslit - nx / 2) / nx
    steps = NOD * (nod - 2.0)
    base_coeffs = np.stack([[*base, ny / 2 - 0.25 + step] for step in steps])
    wcs_trace = np.stack([np.polyval(c, xi) for c in base_coeffs])
    trace = wcs_trace + np.polyval(center, xi)
    x = np.repeat((xslit + tilt * (ypix - ny // 2))[None] / (nx - 1), n, axis=0)
    wave = _waves(grating, x)
    source = scale * flux(wave)
    background = sky(wave)
    profile = pixel_profile(ypix - trace, wave, sigma)
    if second is not None:
        profile = profile + second[1] * pixel_profile(ypix - trace - second[0], wave, sigma)
    fiducial = np.polyval(base_coeffs[0] - [0.0, 0.0, steps[0]], xi)
    from_center = np.repeat((ypix - fiducial)[None], n, axis=0)
    bar = np.ones_like(wave) if fixed_slit else bar_transmission(from_center / PITCH)
    signal = source * profile + background
    var_poisson = np.maximum(signal, 0.0) / bar / gain
    var_rnoise = (read_noise / bar) ** 2
    sci = signal.copy()
    if seed is not None:
        sci += rng.normal(size=sci.shape) * np.sqrt(var_poisson + var_rnoise)
    hot = np.zeros(sci.shape, bool)
    for row in hot:
        row[rng.choice(row.size, n_hot, replace=False)] = True
    sci[hot] += HOT
    bkg_mask = rng.random(sci.shape) >= bad_fraction
    mask = bkg_mask & (rng.random(sci.shape) >= late_fraction)
    return SyntheticSlitlet(
        shape=shape,
        grating=grating,
        fixed_slit=fixed_slit,
        sci=np.where(mask, sci, np.nan),
        var_poisson=var_poisson,
        var_rnoise=var_rnoise,
        mask=mask,
        bkg_mask=bkg_mask,
        bar=bar,
        wave=wave,
        dwave_dx=np.gradient(wave.reshape(n, ny, nx), axis=2).reshape(n, -1),
        xslit=xslit,
        ypix=ypix,
        slit_frame_y=from_center * SHUTTER_SCALE,
        base_coeffs=base_coeffs,
        nod=nod.astype(np.int64),
        y_offset=steps * PIXEL_SCALE,
        exptime=np.full(n, 1000.0),
        hot=hot,
        sigma=sigma,
        trace=trace.reshape(n, ny, nx)[:, 0],
        center=tuple(center),
        flux=source,
        sky=background,
        profile=profile,
    )
