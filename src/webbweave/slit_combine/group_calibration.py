"""The steps that prepare a group: parsing, traces, bars, normalisation."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbweave.errors import InputError
from webbweave.slit_combine.barshadow import bar_transmission, shutter_shift
from webbweave.slit_combine.extended import (
    CalibrationStatus,
    extended_flux_calibration,
    lacks_quadrant,
)
from webbweave.slit_combine.group_planes import GroupPlanes, TraceOptions, parse_group
from webbweave.slit_combine.group_state import GroupState
from webbweave.slit_combine.hot_pixels import find_hot_pixels
from webbweave.slit_combine.mask_bits import MaskBit
from webbweave.slit_combine.metadata import add_source_columns
from webbweave.slit_combine.normalization import prism_normalization
from webbweave.slit_combine.parse import ParseOptions, common_slices
from webbweave.slit_combine.traces import (
    fit_trace_coeffs,
    manual_positions,
    nod_offsets,
    offsets_of_background,
)

__all__ = [
    "apply_bar",
    "apply_normalization",
    "calibrate_exposures",
    "mask_multiple",
    "mask_shutters",
    "note_skipped",
    "parse_state",
    "set_slices",
]

log = logging.getLogger(__name__)

#: From shutter to shutter along the slit [arcsec] (JWST user documentation, NIRSpec MSA).
_NOD_ARCSEC = 0.529
#: Sources of slits without one are at right ascension 0 [deg].
_NO_SOURCE = 1e-4
#: The modes that have the bars of the table.
_BAR_MODES = {"PRISM", "G140M", "G235M", "G395M", "G140H", "G235H", "G395H"}
#: A stuck shutter is masked with so much of its neighbours, in shutters from its middle.
_SHUTTER_HALF_WIDTH = 0.6
#: Extra rows that msaexp adds to the traces of fixed slits before jwst 1.15.
_FIXED_SLIT_ROWS = 1.0


def note_skipped(state: GroupState, *what: str) -> None:
    """
    Note in ``meta`` that a correction was skipped.

    Parameters
    ----------
    state : GroupState
        The group.
    *what : str
        The corrections.
    """
    known = [name for name in str(state.meta.get("skipped", "")).split(", ") if name]
    names = list(dict.fromkeys([*known, *what]))
    if names:
        state.meta["skipped"] = ", ".join(names)


def calibrate_exposures(
    state: GroupState, extended: dict[str, Any] | None, hot: dict[str, Any] | None
) -> list[NDArray[Any] | float]:
    """
    Calibrate extended spectra, and flag the hot pixels of each exposure.

    Parameters
    ----------
    state : GroupState
        The group; data quality of its exposures is updated.
    extended, hot : dict or None
        Options of `extended_flux_calibration` and `find_hot_pixels`; None to skip.

    Returns
    -------
    list of ndarray or float
        For each exposure, what to multiply its data by.
    """
    phot_corrs: list[NDArray[Any] | float] = []
    state.flagged_hot_pixels, state.calibration_status = [], []
    for slit in state.slits:
        corr, status = None, CalibrationStatus.NOT_EXTENDED
        if extended is not None:
            corr, status = extended_flux_calibration(slit, **extended)
        if status == CalibrationStatus.NO_TABLE:
            log.warning("%s: no table for the extended flux calibration, skipped", slit.name)
            note_skipped(state, "extended calibration")
        if status == CalibrationStatus.APPLIED and lacks_quadrant(slit):
            log.warning("%s: its shutter is not known, quadrants are taken as one", slit.name)
            note_skipped(state, "sensitivity of the quadrant")
        phot_corrs.append(1.0 if corr is None else corr)
        state.calibration_status.append(int(status))
        if hot is not None:
            dq, count, found = find_hot_pixels(slit, **hot)
            state.flagged_hot_pixels.append((dq, count, found))
            if found == 2:
                slit.dq |= dq
            else:
                log.info("%s: %d hot pixels are too many, none is flagged", slit.name, count)
    return phot_corrs


def set_slices(state: GroupState) -> None:
    """
    Find the common part of all cut-outs.

    Parameters
    ----------
    state : GroupState
        The group; sets ``shapes``, ``sh``, and ``slice`` of each exposure.

    Raises
    ------
    ValueError
        If there is none.
    """
    slices, state.sh = common_slices(state.slits)
    state.shapes = [slit.shape for slit in state.slits]
    for slit, part in zip(state.slits, slices, strict=True):
        slit.slice = part


def parse_state(
    state: GroupState,
    phot_corrs: list[NDArray[Any] | float],
    *,
    with_sflat: bool,
    with_extra_dq: bool,
) -> None:
    """
    Fill the planes of a group, up to the polynomials of its traces.

    Parameters
    ----------
    state : GroupState
        The group.
    phot_corrs : list of ndarray or float
        What to multiply the data of each exposure by.
    with_sflat, with_extra_dq : bool
        Whether to use the field-dependent flat, and the additional bad pixels.

    Raises
    ------
    InputError
        If no exposure has a valid pixel.
    """
    meta = state.meta
    if meta["nod_offset"] is None:
        meta["nod_offset"] = _NOD_ARCSEC / state.slit_pixel_scale
    options = ParseOptions(
        int(meta["undo_pathloss"] or 0),
        int(meta["dilate_failed_open"] or 0),
        int(meta["pad_border"] or 0),
        with_extra_dq,
        state.compat,
    )
    traces = TraceOptions(meta["trace_with_xpos"], meta["trace_with_ypos"], with_sflat)
    planes = parse_group(state.slits, options, traces, phot_corrs)
    _take_planes(state, planes)
    note_skipped(state, *planes.skipped)
    add_source_columns(state.info, state.slits)
    _move_traces(state)
    state.set_trace(fit_trace_coeffs(state.xtr, state.ytr, 2))
    _set_num_shutters(state)


def _take_planes(state: GroupState, planes: GroupPlanes) -> None:
    state.sci, state.dq = planes.stacked("sci"), planes.stacked("dq")
    state.mask, state.mask_bits = planes.stacked("mask"), planes.stacked("bits")
    state.var_rnoise, state.var_poisson = map(planes.stacked, ("var_rnoise", "var_poisson"))
    state.var_sky = np.zeros_like(state.var_rnoise)
    state.bar = planes.stacked("bar")
    state.orig_bar = state.bar.copy()
    state.phot_corr, state.pathloss_corr = map(planes.stacked, ("phot_corr", "pathloss_corr"))
    state.bkg_mask = state.mask.copy()
    state.set_variances()
    state.wave, state.dwave_dx = planes.wave, planes.dwave_dx
    state.slit_frame_y = planes.slit_frame_y
    state.xslit, state.ypix = planes.xslit, planes.ypix
    state.xtr, state.ytr, state.wtr = planes.xtr, planes.ytr, planes.wtr
    state.sflat_data = planes.sflat
    if state.compat and planes.sflat is not None:
        state.sflat_data = planes.sflat[0]
    first_trace = np.stack([y[x] for y, x in zip(state.ytr, state.xslit, strict=True)])
    state.yslit = state.ypix - first_trace
    state.yslit_orig, state.yshutter = state.yslit.copy(), np.empty_like(state.yslit)
    for slit, exposure in zip(state.slits, planes.exposures, strict=True):
        if exposure.missing:
            log.info("%s: no %s, taken as 1", slit.name, ", ".join(exposure.missing))
            note_skipped(state, *exposure.missing)
        if exposure.removed_pathloss is not None:
            state.meta["removed_pathloss"] = exposure.removed_pathloss
        if not exposure.mask.any():
            log.warning("%s: no valid pixel in this exposure", slit.name)
    if not state.mask.any():
        names = ", ".join(slit.name for slit in state.slits)
        raise InputError(f"{names}: no valid pixel in any exposure")


def _move_traces(state: GroupState) -> None:
    """Put the traces where the dither says; one of four ways."""
    meta = state.meta
    y_offset = np.array([slit.number("meta.dither.y_offset") for slit in state.slits])
    scale = state.slit_pixel_scale
    right_ascension = [slit.get("source_ra") for slit in state.slits]
    if all(ra is not None and float(ra) < _NO_SOURCE for ra in right_ascension):
        offsets = offsets_of_background(y_offset, scale)
        state.ytr = state.ytr + offsets[:, None]
        state.info["manual_position"] = manual_positions(offsets)
        meta["position_key"] = "manual_position"
    elif state.IS_FIXED_SLIT and meta["with_fs_offset"]:
        relative = (y_offset - np.median(y_offset)) / scale
        state.ytr = state.ytr + (_FIXED_SLIT_ROWS + relative)[:, None]
    elif meta["trace_from_yoffset"]:
        state.ytr = state.ytr[0] + nod_offsets(y_offset, scale)[:, None]


def _set_num_shutters(state: GroupState) -> None:
    meta = state.meta
    if state.IS_FIXED_SLIT:
        meta["num_shutters"] = 0
    elif meta["num_shutters"] < 0:
        meta["num_shutters"] = len(str(state.slits[0].require("shutter_state")))
    elif meta["num_shutters"] == 0:
        meta["num_shutters"] = state.unp.N


def apply_bar(state: GroupState) -> bool:
    """
    Replace the bar shadow correction of the pipeline by that of the tables.

    Parameters
    ----------
    state : GroupState
        The group; flux, variances and mask are updated.

    Returns
    -------
    bool
        Whether there is a table for this mode.

    Raises
    ------
    InputError
        If the file of the table is missing.
    """
    meta = state.meta
    if state.IS_FIXED_SLIT or state.grating not in _BAR_MODES:
        return False
    u = state.fixed_yshutter
    if not state.compat:
        u = u + shutter_shift(u, meta["num_shutters"])
    bar, wrapped = bar_transmission(
        u,
        state.wave,
        meta["num_shutters"],
        mode=meta["bar_corr_mode"],
        wrap=meta.get("wrap_barshadow"),
        compat=state.compat,
    )
    first = not meta["own_barshadow"]
    if first or state.compat:
        state.orig_bar = state.bar.copy()
    with np.errstate(divide="ignore", invalid="ignore"):
        _scale(state, state.bar / bar, MaskBit.BAR)
    state.bar = bar
    meta["own_barshadow"], meta["wrapped_barshadow"] = True, wrapped
    return True


def _scale(state: GroupState, ratio: NDArray[Any], bit: MaskBit) -> None:
    """Multiply flux, and variances with the square; mask what is not known then."""
    kind = state.sci.dtype
    state.sci = (state.sci * ratio).astype(kind)
    state.var_rnoise = (state.var_rnoise * ratio**2).astype(kind)
    state.var_poisson = (state.var_poisson * ratio**2).astype(kind)
    state.set_variances()
    state.mask_out(~np.isfinite(state.sci), bit)


def apply_normalization(state: GroupState) -> bool:
    """
    Normalise prism spectra.

    Parameters
    ----------
    state : GroupState
        The group; flux, variances and mask are updated.

    Returns
    -------
    bool
        Whether it was done.
    """
    if state.grating != "PRISM" or state.IS_FIXED_SLIT:
        return False
    shutters = [slit.shutter() for slit in state.slits]
    if state.compat:
        shutters = shutters[:1] * state.N
    corrections = []
    for slit, wave, shutter in zip(state.slits, state.wave, shutters, strict=True):
        if shutter is None:
            log.warning("%s: its shutter is not known, the group is not normalised", slit.name)
            note_skipped(state, "normalisation")
            return False
        correction = prism_normalization(wave, *shutter, compat=state.compat)
        if correction is None:
            note_skipped(state, "normalisation")
            return False
        corrections.append(correction)
    state.normalization = np.stack(corrections)
    _scale(state, state.normalization, MaskBit.NORMALIZATION)
    return True


def mask_shutters(state: GroupState) -> None:
    """
    Mask the shutters that are named as bad.

    Parameters
    ----------
    state : GroupState
        The group; flux and mask are updated.
    """
    u = state.fixed_yshutter
    for name in state.meta["bad_shutter_names"] or ():
        with np.errstate(invalid="ignore"):
            bad = np.abs(u - name) < _SHUTTER_HALF_WIDTH
        state.sci[bad] = np.nan
        state.mask_out(bad, MaskBit.STUCK)


def mask_multiple(state: GroupState) -> None:
    """
    Mask pixels in all exposures that are bad in most of them, but not in all.

    Parameters
    ----------
    state : GroupState
        The group of more than two exposures; its mask is updated.
    """
    if state.N <= 2:
        return
    n_bad = np.count_nonzero(~state.mask, axis=0)
    often = (n_bad >= 2 * (state.N // 3)) & (n_bad < state.N)
    state.mask_out(often, MaskBit.MULTIPLE)
