"""The planes of all exposures of a group on their common cut-out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbweave.slit_combine.barshadow import frames_of_first
from webbweave.slit_combine.exposure import SlitExposure
from webbweave.slit_combine.extended import (
    fixed_slit_profile,
    is_extended,
    shutter_flat_values,
)
from webbweave.slit_combine.geometry import trace_line, zero_point_shift
from webbweave.slit_combine.parse import (
    ParsedExposure,
    ParseOptions,
    parse_exposure,
    pooled_limits,
)

__all__ = ["GroupPlanes", "TraceOptions", "parse_group", "source_trace"]

log = logging.getLogger(__name__)

Array = NDArray[np.float64]


@dataclass(frozen=True)
class TraceOptions:
    """
    Where traces are; see the arguments of `SlitGroup`.

    Attributes
    ----------
    with_xpos : bool
        Wavelengths are those of a source at ``source_xpos``.
    with_ypos : bool
        The trace is that of a source at ``source_ypos``.
    with_sflat : bool
        Whether to use the field-dependent flat of the prism mode.
    """

    with_xpos: bool = False
    with_ypos: bool = False
    with_sflat: bool = True


@dataclass(frozen=True, eq=False)
class GroupPlanes:
    """
    Planes of all exposures, of shape (N, P) unless it says otherwise.

    Attributes
    ----------
    exposures : list of ParsedExposure
        What became of each exposure.
    wave, dwave_dx : ndarray of float64
        Wavelength, and its change from column to column [micron].
    slit_frame_y : ndarray of float64
        Place along the slit, in the numbering of shutters of the first exposure.
    xslit, ypix : ndarray of int64
        Column and row of each pixel.
    xtr, ytr, wtr : ndarray of float64, shape (N, nx)
        Column, row and wavelength of the trace.
    sflat : ndarray of float64 or None
        The field-dependent flat that was divided by.
    skipped : tuple of str
        Corrections without a table.
    """

    exposures: list[ParsedExposure]
    wave: Array
    dwave_dx: Array
    slit_frame_y: Array
    xslit: NDArray[np.int64]
    ypix: NDArray[np.int64]
    xtr: Array
    ytr: Array
    wtr: Array
    sflat: Array | None
    skipped: tuple[str, ...]

    def stacked(self, name: str) -> NDArray[Any]:
        """
        Give a plane of all exposures.

        Parameters
        ----------
        name : str
            An attribute of `ParsedExposure`.

        Returns
        -------
        ndarray, shape (N, P)
            The planes, one row for each exposure.
        """
        return np.stack([getattr(exposure, name).ravel() for exposure in self.exposures])


def source_trace(exposure: SlitExposure, *, with_ypos: bool) -> tuple[Array, Array]:
    """
    Follow the source, or the middle of its shutter.

    Parameters
    ----------
    exposure : SlitExposure
        The exposure.
    with_ypos : bool
        Whether to add ``source_ypos``.

    Returns
    -------
    row, wave : ndarray of float64, shape (nx,)
        Row of the whole cut-out, and wavelength [micron].
    """
    place = float(exposure.get("source_ypos", 0.0)) if with_ypos else 0.0
    wavelength = exposure.wave if exposure.wavelength is None else exposure.wavelength
    # Tables and headers ask again and again, and the geometry of an exposure stays as it is.
    known: dict[float, tuple[Array, Array]] = exposure.__dict__.setdefault("_source_traces", {})
    if place not in known:
        known[place] = trace_line(exposure.slit_y, wavelength, place)
    row, wave = known[place]
    return row.copy(), wave.copy()


def parse_group(
    exposures: Sequence[SlitExposure],
    options: ParseOptions,
    traces: TraceOptions,
    phot_corrs: Sequence[NDArray[Any] | float],
) -> GroupPlanes:
    """
    Prepare the exposures of a group.

    Parameters
    ----------
    exposures : sequence of SlitExposure
        The exposures, with their slices.
    options : ParseOptions
        How to prepare them.
    traces : TraceOptions
        Where traces are.
    phot_corrs : sequence of ndarray or float
        What to multiply the data of each by.

    Returns
    -------
    GroupPlanes
        Their planes.
    """
    skipped: list[str] = []
    with_sflat = traces.with_sflat and _shutters_known(exposures, skipped, compat=options.compat)
    waves, slits, lines, flats = [], [], [], []
    divided: list[NDArray[Any] | float] = []
    for exposure in exposures:
        assert exposure.slice is not None
        rows, columns = exposure.slice
        row, wave_of_trace = source_trace(exposure, with_ypos=traces.with_ypos)
        wave = exposure.wave[exposure.slice]
        wave_of_trace = wave_of_trace[columns]
        if traces.with_xpos:
            wave, wave_of_trace = _shifted(exposure, wave, wave_of_trace, traces, skipped)
        flat, sflat = _flat(exposures, exposure, row, skipped, options, with_sflat=with_sflat)
        if sflat is not None:
            flats.append(sflat)
        divided.append(flat)
        waves.append(wave)
        slits.append(exposure.slit_y[exposure.slice].ravel())
        lines.append((row[columns] - rows.start, wave_of_trace))
    if options.compat:
        options = replace(options, limits=pooled_limits(exposures, options, phot_corrs, divided))
    parsed = [
        parse_exposure(exposure, options, phot_corr, flat)
        for exposure, phot_corr, flat in zip(exposures, phot_corrs, divided, strict=True)
    ]
    n, (ny, nx) = len(parsed), waves[0].shape
    ypix, xslit = (np.tile(p.ravel().astype(np.int64), (n, 1)) for p in np.indices((ny, nx)))
    slit = np.stack(slits)
    return GroupPlanes(
        parsed,
        np.stack([wave.ravel() for wave in waves]),
        np.stack([np.gradient(wave, axis=1).ravel() for wave in waves]),
        np.tile(slit[0], (n, 1)) if options.compat else frames_of_first(slit),
        xslit,
        ypix,
        np.tile(np.arange(nx, dtype=np.float64), (n, 1)),
        np.stack([line[0] for line in lines]),
        np.stack([line[1] for line in lines]),
        np.stack([flat.ravel() for flat in flats]) if len(flats) == n else None,
        tuple(dict.fromkeys(skipped)),
    )


def _flat(
    exposures: Sequence[SlitExposure],
    exposure: SlitExposure,
    row: Array,
    skipped: list[str],
    options: ParseOptions,
    *,
    with_sflat: bool,
) -> tuple[NDArray[Any] | float, Array | None]:
    """What to divide an exposure by, and the field-dependent flat in it."""
    if not is_extended(exposure):
        return 1.0, None
    sflat = None
    if with_sflat:
        chosen = exposures[0] if options.compat else exposure
        sflat = _shutter_flat(chosen, exposure, skipped, compat=options.compat)
    flat: NDArray[Any] | float = 1.0 if sflat is None else sflat
    if exposure.is_fixed_slit:
        assert exposure.slice is not None
        profile = fixed_slit_profile(exposure, row)
        if profile is None:
            skipped.append("fixed slit flat")
        else:
            flat = flat * profile[exposure.slice]
    return flat, sflat


def _has_shutter_flat(exposure: SlitExposure) -> bool:
    prism = exposure.get("meta.instrument.grating") == "PRISM"
    return prism and not exposure.is_fixed_slit and is_extended(exposure)


def _shutters_known(exposures: Sequence[SlitExposure], skipped: list[str], *, compat: bool) -> bool:
    """Whether all exposures that have a flat say which shutter; a part of a group gets none."""
    for exposure in exposures[:1] if compat else exposures:
        if _has_shutter_flat(exposure) and exposure.shutter() is None:
            log.warning("%s: its shutter is not known, the group has no s-flat", exposure.name)
            skipped.append("s-flat")
            return False
    return True


def _shutter_flat(
    chosen: SlitExposure, exposure: SlitExposure, skipped: list[str], *, compat: bool
) -> Array | None:
    """The flat of the shutter of one exposure at the wavelengths of another."""
    if not _has_shutter_flat(exposure):
        return None
    assert exposure.slice is not None
    shutter = chosen.shutter()
    wave = (chosen if compat else exposure).wave[exposure.slice]
    assert shutter is not None
    flat = shutter_flat_values(wave, *map(round, shutter), compat=compat)
    if flat is None:
        skipped.append("s-flat")
    return flat


def _shifted(
    exposure: SlitExposure,
    wave: Array,
    wave_of_trace: Array,
    traces: TraceOptions,
    skipped: list[str],
) -> tuple[Array, Array]:
    """Wavelengths for a source that is not in the middle of the slit."""
    assert exposure.slice is not None
    place = float(exposure.get("source_ypos", 0.0)) if traces.with_ypos else 0.0
    shift = zero_point_shift(exposure, place)
    if shift is None:
        log.warning(
            "%s: no WCS or source_xpos, wavelengths are those of a full slit", exposure.name
        )
        skipped.append("wavelength zero point")
        return wave, wave_of_trace
    shift = shift[exposure.slice[1]]
    known = np.isfinite(shift)
    if not known.any():
        return wave, wave_of_trace
    columns = np.arange(shift.size)
    filled = np.interp(columns, columns[known], shift[known])
    return wave + filled, wave_of_trace + filled
