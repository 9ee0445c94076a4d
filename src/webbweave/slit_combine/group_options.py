"""The arguments of a group: what they may be, and where the group keeps them."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from webbweave.slit_combine.barshadow import BAR_MODES

__all__ = [
    "EXTENDED_CALIBRATION",
    "IMAGE_STYLE",
    "META_COMMENTS",
    "NOTHING",
    "WEIGHT_TYPES",
    "check_choices",
    "group_meta",
    "refuse_unknown",
]

log = logging.getLogger(__name__)

#: A default without content that nobody can change.
NOTHING: Mapping[str, Any] = MappingProxyType({})
#: Sensitivities below this part of the largest are not used.
EXTENDED_CALIBRATION: Mapping[str, Any] = MappingProxyType({"threshold": 0.01})
#: How images of differences are drawn, as in msaexp.
IMAGE_STYLE: Mapping[str, Any] = MappingProxyType({"cmap": "bone_r", "interpolation": "hanning"})
#: How pixels are weighted in the combination.
WEIGHT_TYPES = ("ivm", "poisson", "exptime", "exptime_bar", "mask")

#: What stands beside the entries of ``meta`` in a FITS header.
META_COMMENTS: Mapping[str, str] = MappingProxyType(
    {
        "diffs": "Calculated with exposure differences",
        "diffs_applied": "There is another nod to subtract",
        "grating_diffs": "Diffs forced for grating spectra",
        "trace_with_xpos": "Wavelengths include the x offset of the source",
        "trace_with_ypos": "Trace includes the y offset of the source",
        "trace_from_yoffset": "Traces derived from the y offsets of the dither",
        "shutter_offset": "Offset of the shutter coordinate, pixels",
        "stuck_threshold": "Stuck-closed shutter threshold",
        "bad_shutter_names": "Shutters masked as bad",
        "dilate_failed_open": "Dilations of the failed-open mask",
        "num_shutters": "Number of shutters in the slitlet",
        "undo_barshadow": "Bar shadow update behaviour",
        "min_bar": "Minimum allowed bar transmission",
        "bar_corr_mode": "Bar shadow correction type",
        "fix_prism_norm": "Prism normalisation applied",
        "wrapped_barshadow": "Bar shadow was wrapped for the central shutter",
        "wrap_barshadow": "Whether to wrap the bar shadow",
        "own_barshadow": "Internal bar shadow correction applied",
        "nod_offset": "Nod offset, pixels",
        "undo_pathloss": "Remove the pipeline path loss correction",
        "removed_pathloss": "Path loss extension that was undone",
        "reference_exposure": "Reference exposure argument",
        "pad_border": "Border padding, pixels",
        "position_key": "Column that defines the nod positions",
        "nhot": "Number of flagged hot pixels",
        "ncold": "Number of flagged cold pixels",
        "has_sky_arrays": "A global sky is specified",
        "weight_type": "Weighting scheme for 2D resampling",
        "percentile_outliers": "Masked pixels from percentile outliers",
        "sky_file": "Global sky file",
        "global_sky_df": "Degrees of freedom for the global sky",
        "with_fs_offset": "Extra fixed-slit offset applied",
        "with_sflat_correction": "Field-dependent flat for prism spectra",
        "with_extra_dq": "Additional bad-pixel mask applied",
        "compat": "Numbers of msaexp",
        "skipped": "Corrections without a table or a plane",
    }
)


def refuse_unknown(unknown: Mapping[str, Any], known: Iterable[str], *, compat: bool) -> None:
    """
    Refuse arguments that nobody knows.

    Parameters
    ----------
    unknown : mapping
        The arguments.
    known : iterable of str
        Names that exist.
    compat : bool
        Warn only, as msaexp would pass them over.

    Raises
    ------
    TypeError
        If there are any; the message names the nearest that exists.
    """
    if not unknown:
        return
    names = list(known)
    said = []
    for name in unknown:
        near = difflib.get_close_matches(name, names, n=1)
        said.append(f"{name!r}" + (f" (did you mean {near[0]!r}?)" if near else ""))
    message = f"unknown keyword argument {', '.join(said)}"
    if not compat:
        raise TypeError(f"SlitGroup: {message}")
    log.warning("%s: ignored", message)


def check_choices(weight_type: str, bar_corr_mode: str, *, compat: bool) -> str:
    """
    Check the arguments that are one of several words.

    Parameters
    ----------
    weight_type, bar_corr_mode : str
        See `SlitGroup`.
    compat : bool
        As msaexp: every unknown mode of the bar correction is ``'wave'``.

    Returns
    -------
    str
        The mode of the bar correction.

    Raises
    ------
    ValueError
        If a word is not known.
    """
    if weight_type not in WEIGHT_TYPES:
        raise ValueError(
            f"weight_type: expected one of {', '.join(WEIGHT_TYPES)}, found {weight_type!r}"
        )
    if bar_corr_mode in BAR_MODES:
        return bar_corr_mode
    if compat:
        return "wave"
    raise ValueError(
        f"bar_corr_mode: expected one of {', '.join(BAR_MODES)}, found {bar_corr_mode!r}"
    )


def group_meta(arguments: Mapping[str, Any], *, compat: bool) -> dict[str, Any]:
    """
    Make the ``meta`` of a group.

    Parameters
    ----------
    arguments : mapping
        The arguments of `SlitGroup` that belong in it.
    compat : bool
        Whether to note what msaexp does not.

    Returns
    -------
    dict
        The entries, in the order of `META_COMMENTS`.
    """
    meta = {
        **arguments,
        "bad_shutter_names": list(arguments["bad_shutter_names"])
        if arguments["bad_shutter_names"] is not None
        else None,
        "wrapped_barshadow": False,
        "own_barshadow": False,
        "nhot": 0,
        "ncold": 0,
        "percentile_outliers": 0,
        "sky_file": "N/A",
    }
    if not compat:
        meta |= {"compat": False, "diffs_applied": False}
    return {name: meta[name] for name in META_COMMENTS if name in meta}
