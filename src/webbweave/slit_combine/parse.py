"""From the planes of exposures to common arrays: cuts, bad pixels, units."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from webbweave.slit_combine.exposure import SlitExposure
from webbweave.slit_combine.mask_bits import MaskBit
from webbweave.slit_combine.reference import bad_pixels

__all__ = [
    "BAD_PIXEL_FLAG",
    "ParseOptions",
    "ParsedExposure",
    "common_slices",
    "extra_dq",
    "parse_exposure",
    "pathloss_to_undo",
    "pooled_limits",
]

log = logging.getLogger(__name__)

Plane = NDArray[Any]
Mask = NDArray[np.bool_]

#: Bit of pixels that see light of a shutter which failed open (jwst data quality definitions).
MSA_FAILED_OPEN = 536870912
#: Bits of pixels that are not used: DO_NOT_USE, SATURATED, DEAD, HOT, OPEN, ADJ_OPEN and
#: MSA_FAILED_OPEN (jwst data quality definitions).
BAD_PIXEL_FLAG = 738200579
#: MJy / sr times steradian, in microjansky.
_TO_MICROJANSKY = 1e12
#: Prism spectra have no valid pixel above this value [MJy / sr] ...
_PRISM_MAX_VALID = 10000.0
#: ... unless a source is so bright that this percentile is above it, ...
_BRIGHT_PERCENTILE = 95.0
#: ... nor one this many standard deviations below zero.
_PRISM_MIN_VALID_SN = -3.0
#: Limit in standard deviations of a median pixel, for all gratings.
_NEGATIVE_THRESHOLD = -5.0
#: Read noise is compared with this percentile of its variance ...
_RNOISE_PERCENTILE = 99.5
#: ... and may be this many times above.
_RNOISE_FACTOR = 10.0
#: Size of a NIRSpec detector [pixel], and the last of its columns that is used, from 0.
_DETECTOR_SIZE, _LAST_COLUMN = 2048, 2038


@dataclass(frozen=True)
class ParseOptions:
    """
    How to prepare exposures; see the arguments of `SlitGroup`.

    Attributes
    ----------
    undo_pathloss : int
        1 to undo the path loss correction of the pipeline, 2 to apply that of a point source then.
    dilate_failed_open : int
        By how many pixels the mask of light from open shutters is grown.
    pad_border : int
        By how many pixels the border of the slit is grown.
    with_extra_dq : bool
        Whether to use the table of additional bad pixels.
    compat : bool
        As msaexp: single precision, and its choice of the path loss plane.
    limits : tuple of (float, float), optional
        Least flux and largest variance of the read noise; those of each exposure by default.
    """

    undo_pathloss: int = 1
    dilate_failed_open: int = 1
    pad_border: int = 2
    with_extra_dq: bool = True
    compat: bool = False
    limits: tuple[float, float] | None = None

    @property
    def dtype(self) -> type[np.floating[Any]]:
        """The precision of planes."""
        return np.float32 if self.compat else np.float64


@dataclass(frozen=True, eq=False)
class ParsedExposure:
    """
    Planes of one exposure in the common cut-out, with shape (ny, nx).

    Attributes
    ----------
    sci, var_rnoise, var_poisson : ndarray of float
        Flux [microjansky per pixel] and variances, NaN where the mask is False.
    dq : ndarray of uint32
        Data quality bits.
    mask : ndarray of bool
        The pixels to use.
    bits : ndarray of uint32
        `MaskBit` of the others.
    bar : ndarray of float
        The bar shadow that the pipeline divided by.
    phot_corr : ndarray of float
        From the values of the file to flux, with the path loss.
    pathloss_corr : ndarray of float
        The path loss that was multiplied back.
    removed_pathloss : str or None
        The extension that it comes from.
    missing : list of str
        Extensions that were wanted and are not in the file.
    """

    sci: Plane
    var_rnoise: Plane
    var_poisson: Plane
    dq: NDArray[np.uint32]
    mask: Mask
    bits: NDArray[np.uint32]
    bar: Plane
    phot_corr: Plane
    pathloss_corr: Plane
    removed_pathloss: str | None
    missing: list[str] = field(default_factory=list)


def common_slices(
    exposures: Sequence[SlitExposure],
) -> tuple[list[tuple[slice, slice]], tuple[int, int]]:
    """
    Find the part of the detector that all cut-outs have in common.

    Parameters
    ----------
    exposures : sequence of SlitExposure
        Exposures with ``xstart`` and ``ystart``, the detector pixel of their first pixel.

    Returns
    -------
    slices : list of tuple of slice
        Rows and columns of each cut-out.
    shape : tuple of int
        Rows and columns of the common part.

    Raises
    ------
    ValueError
        If the cut-outs do not overlap.
    """
    x_start = [round(exposure.number("xstart")) for exposure in exposures]
    y_start = [round(exposure.number("ystart")) for exposure in exposures]
    shapes = [exposure.shape for exposure in exposures]
    x0, y0 = max(x_start), max(y_start)
    nx = min(x + shape[1] for x, shape in zip(x_start, shapes, strict=True)) - x0
    ny = min(y + shape[0] for y, shape in zip(y_start, shapes, strict=True)) - y0
    if nx <= 0 or ny <= 0:
        found = "; ".join(
            f"{exposure.name}: xstart {x}, ystart {y}, shape {exposure.shape}"
            for exposure, x, y in zip(exposures, x_start, y_start, strict=True)
        )
        raise ValueError(f"the cut-outs do not overlap on the detector: {found}")
    slices = [
        (slice(y0 - y, y0 - y + ny), slice(x0 - x, x0 - x + nx))
        for x, y in zip(x_start, y_start, strict=True)
    ]
    return slices, (ny, nx)


def extra_dq(detector: str, x_start: int, y_start: int, shape: tuple[int, int]) -> Mask:
    """
    Cut out the additional bad pixels of a detector.

    Parameters
    ----------
    detector : str
        ``'NRS1'`` or ``'NRS2'``.
    x_start, y_start : int
        The detector pixel of the first pixel of the cut-out, from 1.
    shape : tuple of int
        Its rows and columns.

    Returns
    -------
    ndarray of bool, shape (ny, nx)
        Bad pixels, and those at or beyond the edges of the detector.
    """
    index, _ = bad_pixels(detector)
    ny, nx = shape
    rows, columns = np.arange(ny) + y_start - 1, np.arange(nx) + x_start - 1
    good_rows = (rows >= 0) & (rows < _DETECTOR_SIZE)
    good_columns = (columns >= 0) & (columns <= _LAST_COLUMN)
    bad: Mask = ~(good_rows[:, None] & good_columns)
    start, stop = np.searchsorted(
        index, [rows[0] * _DETECTOR_SIZE, (rows[-1] + 1) * _DETECTOR_SIZE]
    )
    y, x = np.divmod(index[start:stop], _DETECTOR_SIZE)
    y, x = y - rows[0], x - columns[0]
    inside = (x >= 0) & (x < nx)
    bad[y[inside], x[inside]] = True
    return bad


def pathloss_to_undo(exposure: SlitExposure, *, compat: bool) -> tuple[str, NDArray[Any] | None]:
    """
    Find the path loss plane that the pipeline divided by.

    Parameters
    ----------
    exposure : SlitExposure
        The exposure.
    compat : bool
        As msaexp: that of a point source for every source with a type, also an extended one.

    Returns
    -------
    name : str
        The extension.
    plane : ndarray or None
        Its array, None if it is missing.
    """
    source_type = exposure.get("source_type")
    is_point = source_type is not None if compat else source_type == "POINT"
    if is_point:
        return "PATHLOSS_PS", exposure.pathloss_point
    return "PATHLOSS_UN", exposure.pathloss_uniform


def parse_exposure(
    exposure: SlitExposure,
    options: ParseOptions,
    phot_corr: Plane | float = 1.0,
    flat: Plane | float = 1.0,
) -> ParsedExposure:
    """
    Prepare one exposure.

    Parameters
    ----------
    exposure : SlitExposure
        The exposure, with its ``slice``.
    options : ParseOptions
        How.
    phot_corr : ndarray, shape of the whole cut-out, or float
        Factor to apply to the data.
    flat : ndarray, shape (ny, nx), or float
        What to divide the data by, NaN where it is not known.

    Returns
    -------
    ParsedExposure
        Its planes.

    Raises
    ------
    InputError
        If a header value is missing.
    """
    cut = exposure.slice
    assert cut is not None
    kind = options.dtype
    missing = []
    if exposure.is_fixed_slit or exposure.barshadow is None:
        bar = np.ones(exposure.data[cut].shape, kind)
        missing += [] if exposure.is_fixed_slit else ["BARSHADOW"]
    else:
        bar = exposure.barshadow[cut].astype(kind)
    bar[exposure.data[cut] == 0] = np.nan
    sci, var_rnoise, var_poisson, dq, phot = _cut_planes(exposure, options, phot_corr, flat)
    bits = _bad_bits(exposure, sci, var_rnoise, var_poisson, dq, phot, options)
    mask: Mask = bits == 0
    for plane in (sci, var_rnoise, var_poisson):
        plane[~mask] = np.nan
    scale = kind(exposure.number("meta.photometry.pixelarea_steradians") * _TO_MICROJANSKY)
    factor, pathloss, removed = _pathloss_factor(exposure, options, missing)
    factor = (scale * phot) * factor
    return ParsedExposure(
        sci * factor,
        var_rnoise * factor**2,
        var_poisson * factor**2,
        dq,
        mask,
        bits,
        bar,
        factor,
        pathloss,
        removed,
        missing,
    )


def _cut_planes(
    exposure: SlitExposure,
    options: ParseOptions,
    phot_corr: Plane | float,
    flat: Plane | float,
) -> tuple[Plane, Plane, Plane, NDArray[np.uint32], Plane]:
    """Data, variances of read noise and source, data quality and factor of the common part."""
    cut, kind = exposure.slice, options.dtype
    assert cut is not None
    sci, var_rnoise, var_poisson = (
        plane[cut].astype(kind)
        for plane in (exposure.data, exposure.var_rnoise, exposure.var_poisson)
    )
    phot = np.broadcast_to(np.asarray(phot_corr, kind), exposure.shape)[cut].copy()
    dq = exposure.dq[cut].copy()
    zero = sci == 0
    for plane in (sci, var_rnoise, var_poisson):
        plane[zero] = np.nan
    dq[zero] = 1
    sci = (sci / flat).astype(kind)
    var_rnoise, var_poisson = (
        (v / np.square(flat)).astype(kind) for v in (var_rnoise, var_poisson)
    )
    return sci, var_rnoise, var_poisson, dq, phot


def pooled_limits(
    exposures: Sequence[SlitExposure],
    options: ParseOptions,
    phot_corrs: Sequence[Plane | float],
    flats: Sequence[Plane | float],
) -> tuple[float, float] | None:
    """
    Find the limits of flux and noise in the pixels of all exposures, as msaexp does.

    Parameters
    ----------
    exposures : sequence of SlitExposure
        The exposures.
    options : ParseOptions
        How they will be prepared.
    phot_corrs, flats : sequence of ndarray or float
        See `parse_exposure`.

    Returns
    -------
    tuple of (float, float), or None
        Least flux and largest variance of the read noise, in units of the data; None if no pixel is
        good.
    """
    without = replace(options, limits=(-np.inf, np.inf))
    totals, noises = [], []
    for exposure, phot_corr, flat in zip(exposures, phot_corrs, flats, strict=True):
        planes = _cut_planes(exposure, options, phot_corr, flat)
        bits = _bad_bits(exposure, *planes, without)
        good = (bits & ~np.uint32(MaskBit.BORDER)) == 0
        totals.append((planes[1] + planes[2])[good])
        noises.append(planes[1][good])
    total, noise = np.concatenate(totals), np.concatenate(noises)
    return _limits(total, noise) if total.size else None


def _limits(variance: Plane, var_rnoise: Plane) -> tuple[float, float]:
    """The least flux and the largest variance of the read noise, from those of good pixels."""
    least = _NEGATIVE_THRESHOLD * np.sqrt(np.nanmedian(variance))
    return least, _RNOISE_FACTOR * np.nanpercentile(var_rnoise, _RNOISE_PERCENTILE)


def _pathloss_factor(
    exposure: SlitExposure, options: ParseOptions, missing: list[str]
) -> tuple[Plane, Plane, str | None]:
    """What to multiply by, the correction that was undone, and its name."""
    cut = exposure.slice
    assert cut is not None
    ones = np.ones(exposure.data[cut].shape, options.dtype)
    if not options.undo_pathloss:
        return ones, ones, None
    name, plane = pathloss_to_undo(exposure, compat=options.compat)
    factor, pathloss, removed = ones, ones, None
    if plane is None:
        missing.append(name)
    else:
        factor = pathloss = plane[cut].astype(options.dtype)
        removed = name
    if options.undo_pathloss == 2:
        if exposure.pathloss_point is None:
            missing.append("PATHLOSS_PS")
        else:
            point = exposure.pathloss_point[cut].astype(options.dtype)
            factor = factor / point
            if not options.compat:  # msaexp keeps what was undone only
                pathloss = pathloss / point
    return factor, pathloss, removed


def _bad_bits(
    exposure: SlitExposure,
    sci: Plane,
    var_rnoise: Plane,
    var_poisson: Plane,
    dq: NDArray[np.uint32],
    phot: Plane,
    options: ParseOptions,
) -> NDArray[np.uint32]:
    """Mark the pixels that are not to be used."""
    cut = exposure.slice
    assert cut is not None
    bits = np.zeros(sci.shape, np.uint32)

    def mark(bad: Mask, bit: MaskBit) -> None:
        bits[bad] |= np.uint32(bit)

    mark((dq & BAD_PIXEL_FLAG) > 0, MaskBit.DQ)
    if options.with_extra_dq:
        x_start, y_start = round(exposure.number("xstart")), round(exposure.number("ystart"))
        detector = str(exposure.require("meta.instrument.detector"))
        mark(extra_dq(detector, x_start, y_start, exposure.shape)[cut], MaskBit.EXTRA_DQ)
    if options.dilate_failed_open:
        grown = _dilated((dq & MSA_FAILED_OPEN) > 0, int(options.dilate_failed_open))
        mark(grown, MaskBit.FAILED_OPEN)
    mark(~np.isfinite(sci) | ~np.isfinite(phot) | (sci == 0), MaskBit.NOT_FINITE)
    variance = var_rnoise + var_poisson
    if not options.compat:
        mark(~np.isfinite(variance), MaskBit.NOT_FINITE)
    with np.errstate(invalid="ignore"):
        _mark_extremes(exposure, sci, variance, var_rnoise, bits, options)
    border = ~np.isfinite(exposure.wave[cut])
    mark(
        _dilated(border, options.pad_border) if options.pad_border else border & False,
        MaskBit.BORDER,
    )
    return bits


def _mark_extremes(
    exposure: SlitExposure,
    sci: Plane,
    variance: Plane,
    var_rnoise: Plane,
    bits: NDArray[np.uint32],
    options: ParseOptions,
) -> None:
    good = bits == 0
    if exposure.get("meta.instrument.grating") == "PRISM" and good.any():
        if np.percentile(sci[good], _BRIGHT_PERCENTILE) < _PRISM_MAX_VALID:
            bits[sci > _PRISM_MAX_VALID] |= np.uint32(MaskBit.TOO_BRIGHT)
        bits[sci < _PRISM_MIN_VALID_SN * np.sqrt(variance)] |= np.uint32(MaskBit.TOO_NEGATIVE)
    good = bits == 0
    if good.any():
        least, most = options.limits or _limits(variance[good], var_rnoise[good])
        bits[sci < least] |= np.uint32(MaskBit.TOO_NEGATIVE)
        bits[var_rnoise > most] |= np.uint32(MaskBit.NOISY)


def _dilated(mask: Mask, n_pixel: int) -> Mask:
    grown: Mask = binary_dilation(mask, iterations=n_pixel) if n_pixel > 0 and mask.any() else mask
    return grown
