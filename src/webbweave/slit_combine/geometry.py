"""What the WCS of a slitlet says: wavelengths, places along the slit, sizes of pixels."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from webbweave.slit_combine.exposure import Scales, SlitExposure
from webbweave.slit_combine.reference import psf_fwhm
from webbweave.wcs import FastWcs

__all__ = ["central_scales", "evaluate_wcs", "scales_along_slit", "trace_line", "zero_point_shift"]

log = logging.getLogger(__name__)

Array = NDArray[np.float64]

#: The slit is sampled at this number of places between -1 and 1 shutters, as in msaexp 0.9.19.
_SLIT_SAMPLES = 64
#: The slit frame gives wavelengths in metres, everything else has micron.
_MICRON = 1e-6
#: Newton's method on the smooth distortion of a cut-out gains four digits at each step.
_NEWTON_STEPS = 4
#: Half a pixel to either side: distortions are linear over so short a distance.
_HALF_STEP = 0.5
#: Full width at half maximum of a Gaussian of unit width.
_FWHM_PER_SIGMA = 2 * np.sqrt(2 * np.log(2))
#: Pitch and open width of the shutters across the slit [arcsec] (JWST user documentation, NIRSpec
#: micro-shutter assembly).
_PITCH, _OPEN_WIDTH = 0.268, 0.2
#: Nominal size of a pixel along the slit [arcsec].
_NOMINAL_PIXEL = 0.10544


def evaluate_wcs(wcs: FastWcs, shape: tuple[int, int]) -> tuple[Array, Array, Scales]:
    """
    Evaluate the WCS of a slitlet on all pixels.

    Parameters
    ----------
    wcs : FastWcs
        The WCS, with the frames ``detector`` and ``slit_frame``.
    shape : tuple of int
        Rows and columns of the cut-out.

    Returns
    -------
    wave, slit_y : ndarray of float64, shape (ny, nx)
        Wavelength [micron] and place along the slit [shutters], NaN outside the slit.
    scales : Scales
        Size of the pixel in the middle of the cut-out; NaN where the WCS is not defined there.
    """
    y, x = np.indices(shape, dtype=np.float64)
    ra, dec, wave = wcs(x, y)[:3]
    slit_y = wcs.program("detector", "slit_frame", outputs=[-2])(x, y)
    return wave, slit_y, central_scales(ra, dec, slit_y)


def central_scales(ra: Array, dec: Array, slit_y: Array) -> Scales:
    """
    Measure the size of the pixel in the middle of a cut-out.

    Parameters
    ----------
    ra, dec : ndarray of float64, shape (ny, nx)
        Sky coordinates [deg].
    slit_y : ndarray of float64, shape (ny, nx)
        Place along the slit [shutters].

    Returns
    -------
    Scales
        From the middle pixel to the next above it.
    """
    ny, nx = ra.shape
    low, high = (ny // 2, nx // 2), (min(ny // 2 + 1, ny - 1), nx // 2)
    east = (ra[high] - ra[low]) * np.cos(np.deg2rad(dec[low]))
    pixel = np.hypot(east, dec[high] - dec[low]) * 3600
    return Scales(float(pixel), float(abs(slit_y[high] - slit_y[low])))


def scales_along_slit(wcs: FastWcs, wave: Array, slit_y: Array) -> Scales | None:
    """
    Measure the height of pixels along the whole slit, at the median wavelength.

    Parameters
    ----------
    wcs : FastWcs
        The WCS.
    wave, slit_y : ndarray of float64, shape (ny, nx)
        What it gives on all pixels.

    Returns
    -------
    Scales or None
        Medians along the slit; None if it cannot be followed. A spectrum that is so curved that the
        middle of its cut-out is outside the slit is no problem.
    """
    middle = float(np.nanmedian(wave))
    slit = np.linspace(-1, 1, _SLIT_SAMPLES)
    line = _line_of_wavelength(wave, slit_y, middle)
    if line is None:
        return None
    inside = (slit >= line[0][0]) & (slit <= line[0][-1])
    if np.count_nonzero(inside) < 3:
        return None
    slit = slit[inside]
    start = np.interp(slit, line[0], line[1]), np.interp(slit, line[0], line[2])
    forward = wcs.program("detector", "slit_frame", outputs=[-2, -1])
    _, y = _newton(forward, start, slit, np.full_like(slit, middle * _MICRON))
    frame = "v2v3vacorr" if "v2v3vacorr" in wcs.available_frames else "v2v3"
    to_sky = wcs.program("slit_frame", frame, outputs=[0, 1])
    v2, v3 = to_sky(np.zeros_like(slit), slit, np.full_like(slit, middle * _MICRON))
    # Rows, not distances on the detector: a tilted slit moves light along the spectrum as well, and
    # it is by rows that the trace of a source moves.
    rows = np.abs(np.gradient(y, slit))
    sky = np.hypot(np.gradient(v2, slit), np.gradient(v3, slit))
    scales = Scales(float(np.nanmedian(sky / rows)), float(np.nanmedian(1 / rows)))
    return scales if np.isfinite([scales.pixel, scales.shutter]).all() else None


def _line_of_wavelength(
    wave: Array, slit_y: Array, wanted: float
) -> tuple[Array, Array, Array] | None:
    """Places along the slit (ascending), columns and rows where a wavelength falls."""
    places, columns, rows = [], [], []
    for row, (values, slit) in enumerate(zip(wave, slit_y, strict=True)):
        good = np.isfinite(values) & np.isfinite(slit)
        if np.count_nonzero(good) < 2:
            continue
        known, x = values[good], np.flatnonzero(good).astype(float)
        if known[0] > known[-1]:
            known, x = known[::-1], x[::-1]
        if not known[0] <= wanted <= known[-1]:
            continue
        columns.append(float(np.interp(wanted, known, x)))
        places.append(float(np.interp(columns[-1], np.flatnonzero(good), slit[good])))
        rows.append(float(row))
    if len(places) < 2:
        return None
    order = np.argsort(places)
    return np.array(places)[order], np.array(columns)[order], np.array(rows)[order]


def _newton(
    forward: Callable[..., Any], start: tuple[Array, Array], slit: Array, lam: Array
) -> tuple[Array, Array]:
    """Find the pixels of places in the slit frame."""
    x, y = start
    h = _HALF_STEP
    for _ in range(_NEWTON_STEPS):
        xs = np.stack([x, x - h, x + h, x, x])
        ys = np.stack([y, y, y, y - h, y + h])
        slits, lams = forward(xs, ys)
        ds, dl = slit - slits[0], lam - lams[0]
        sx, sy = (slits[2] - slits[1]) / (2 * h), (slits[4] - slits[3]) / (2 * h)
        lx, ly = (lams[2] - lams[1]) / (2 * h), (lams[4] - lams[3]) / (2 * h)
        determinant = sx * ly - sy * lx
        x = x + (ds * ly - dl * sy) / determinant
        y = y + (dl * sx - ds * lx) / determinant
    return x, y


def trace_line(slit_y: Array, wavelength: Array, place: float) -> tuple[Array, Array]:
    """
    Follow a place of the slit along the spectrum.

    Parameters
    ----------
    slit_y : ndarray of float64, shape (ny, nx)
        Place along the slit [shutters].
    wavelength : ndarray, shape (ny, nx)
        Wavelengths [micron].
    place : float
        The place [shutters].

    Returns
    -------
    row, wave : ndarray of float64, shape (nx,)
        Row and wavelength in each column. Where the slit ends before the place, they are those of
        its last row; NaN where the column is outside the slit.
    """
    ny, nx = slit_y.shape
    steps = np.diff(slit_y, axis=0)
    finite = steps[np.isfinite(steps)]
    sign = -1.0 if finite.size and np.median(finite) < 0 else 1.0
    good = np.isfinite(slit_y)
    known, target = sign * slit_y, sign * place
    count = np.count_nonzero(good, axis=0)
    # Nearly all columns rise from one end of the slit to the other without a gap.
    plain = (count > 0) & (np.count_nonzero(np.isfinite(steps), axis=0) == count - 1)
    plain &= ~(sign * steps <= 0).any(axis=0)
    first, below = np.argmax(good, axis=0), np.count_nonzero(good & (known <= target), axis=0)
    last = first + np.maximum(count, 1) - 1
    low = np.clip(first + below - 1, first, last)
    high, columns = np.minimum(low + 1, last), np.arange(nx)
    inside = plain & (below > 0) & (low < high)
    step = np.where(inside, known[high, columns] - known[low, columns], 1.0)
    along = np.where(inside, target - known[low, columns], 0.0)

    def at(values: Array) -> Array:
        start, stop = values[low, columns], values[high, columns]
        return np.where(plain, np.where(inside, (stop - start) / step * along, 0.0) + start, np.nan)

    rows = np.repeat(np.arange(ny, dtype=np.float64)[:, None], nx, axis=1)
    row, wave = at(rows), at(np.asarray(wavelength, np.float64))
    for column in np.flatnonzero((count > 0) & ~plain):
        index = np.flatnonzero(good[:, column])
        index = index[np.argsort(known[index, column])]
        ascending = known[index, column]
        row[column] = np.interp(target, ascending, rows[index, column])
        wave[column] = np.interp(target, ascending, wavelength[index, column])
    return row, wave


def zero_point_shift(exposure: SlitExposure, place: float) -> Array | None:
    """
    Find by how much wavelengths change for a source beside the middle of the slit.

    A point source off centre falls on other columns than light that fills the slit. What gets
    through is the part of its image in the open shutter, whose centroid is nearer to the middle.

    Parameters
    ----------
    exposure : SlitExposure
        The exposure, with ``source_xpos``.
    place : float
        Where along the slit [shutters].

    Returns
    -------
    ndarray of float64, shape (nx,), or None
        What is to be added to the wavelengths of each column [micron]; None without a WCS or
        ``source_xpos``.
    """
    x_pos = exposure.get("source_xpos")
    if exposure.wcs is None or x_pos is None:
        return None
    _, wave = trace_line(exposure.slit_y, exposure.wave, place)
    centroid = _centroid_in_slit(wave, float(x_pos), exposure)
    backwards = exposure.wcs.get_transform("slit_frame", "detector")
    assert backwards is not None
    at, lam = np.full_like(wave, place), wave * _MICRON
    moved = backwards(centroid, at, lam)[-2] - backwards(np.zeros_like(wave), at, lam)[-2]
    shift: Array = -moved * np.gradient(wave)
    return shift


def _centroid_in_slit(wave: Array, x_pos: float, exposure: SlitExposure) -> Array:
    """Centroid of the light of a point source inside the slit, in the unit of `x_pos`."""
    pitch, width = _PITCH, _OPEN_WIDTH
    if exposure.is_fixed_slit:
        name = str(exposure.get("name", exposure.get("meta.instrument.fixed_slit", "S200A1")))
        width = {"S400A1": 0.4, "S1600A1": 1.6}.get(name.upper(), _OPEN_WIDTH)
        pitch = width  # positions in fixed slits are in slit widths
    sigma = np.interp(wave, *psf_fwhm()) * _NOMINAL_PIXEL / _FWHM_PER_SIGMA / pitch
    half = width / pitch / 2
    low, high = (-half - x_pos) / sigma, (half - x_pos) / sigma
    inside = norm.cdf(high) - norm.cdf(low)
    centroid: Array = x_pos - sigma * (norm.pdf(high) - norm.pdf(low)) / inside
    return centroid
