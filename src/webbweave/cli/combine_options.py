"""The options of ``webbweave combine``, and what becomes of them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from webbweave.cli.common import Parameters

__all__ = ["arguments_of", "combine_parameters"]

_WEIGHTS = "option('ivm', 'poisson', 'exptime', 'exptime_bar', 'mask'"
_LEVELS = "option('0', '1', '2'"

#: How parameters of `extract_spectra` and `SlitGroup` are declared, and what they mean. Defaults
#: are theirs.
_OPTIONS = {
    "root": ("string(", "How the names of products begin"),
    "join": ("int_list(", "Pieces of the names of files that make a group, see split_visit_groups"),
    "diffs": ("boolean(", "Subtract the other nods"),
    "position_key": (
        "option('y_index', 'position_number', 'shutter_state'",
        "What tells the nods apart",
    ),
    "reference_exposure": ("string(", "The nod that others are compared with"),
    "nod_offset": ("float(", "From nod to nod, in pixels; by default that of the shutters"),
    "undo_barshadow": (
        _LEVELS,
        "Bar shadow: 2 replaces that of the pipeline by tables, 1 undoes it",
    ),
    "bar_corr_mode": ("option('wave', 'flat'", "Whether the bar shadow depends on the wavelength"),
    "min_bar": ("float(", "Least transmission of the bars"),
    "undo_pathloss": (_LEVELS, "Path loss of the pipeline: 1 undoes it, 2 takes a point source"),
    "fix_prism_norm": ("boolean(", "Apply the normalisation of prism spectra"),
    "pad_border": ("integer(", "By how many pixels the border of the slit is masked"),
    "stuck_threshold": ("float(", "Below this level, a shutter is stuck closed"),
    "valid_frac_threshold": ("float(", "The part of the pixels that must be valid"),
    "mask_cross_dispersion": ("float_list(", "Rows to mask, as in --mask-cross-dispersion=-9,-5"),
    "cross_dispersion_mask_type": ("option('trace', 'fixed', 'bkg'", "What these rows count from"),
    "sky_file": ("string(", "Table of the sky, 'read' for that of the visit"),
    "trace_with_xpos": ("boolean(", "Wavelengths of a source off the middle of its shutter"),
    "trace_with_ypos": ("option('auto', 'true', 'false'", "Trace of a source off the middle"),
    "trace_from_yoffset": ("boolean(", "Traces of the nods by the offsets of the dither"),
    "get_background": ("boolean(", "The slitlets are of the background"),
    "sort_by_sn": ("boolean(", "Fit the group of the highest S/N, else that of the reddest filter"),
    "trace_niter": ("integer(", "Iterations of the fit of the traces"),
    "offset_degree": ("integer(", "Degree of the offset of the trace"),
    "initial_sigma": ("float(", "Width of the source to begin with, in tenths of a pixel"),
    "input_fix_sigma": ("float(", "Its width in tenths of a pixel, if it is not to be fitted"),
    "recenter_all": ("boolean(", "Fit the trace of each group, not of the first only"),
    "free_trace_offset": ("boolean(", "Fit the trace of each nod"),
    "lookup_prf_type": ("string(", "Tables of the PSF; None for Gaussians"),
    "weight_type": (_WEIGHTS, "Weights of the pixels"),
    "compat": ("boolean(", "Give the numbers of msaexp, with its errors"),
}
#: Tests and fits that are left out unless they are asked for, and the parameter of each.
_SWITCHES = {
    "flag_hot_cold": ("hot_cold_kwargs", "Look for pixels that are hot or cold in all exposures"),
    "flag_2d": (
        "flag_2d_kwargs",
        "After the fit, look for pixels far from it; bright lines may suffer",
    ),
    "flag_profile": ("flag_profile_kwargs", "Look for pixels far from the profile along the slit"),
    "estimate_sky": ("estimate_sky_kwargs", "Fit the sky of the slitlet itself"),
    "fit_shutter_offset": ("fit_shutter_offset_kwargs", "Fit where the bars are"),
}
#: Parameters of the grid of the product.
_GRID = {
    "wave_sample": ("float(", "Bins of wavelength per detector pixel"),
    "step": ("float(", "Height of the rows of the rectified image, in pixels"),
    "ny": ("integer(", "Rows of it to either side of the trace"),
}
#: Gratings of NIRSpec.
_GRATINGS = ("PRISM", "G140M", "G140H", "G235M", "G235H", "G395M", "G395H")
_TRUTH: Mapping[str, Any] = {"auto": "auto", "true": True, "false": False}


def combine_parameters() -> Parameters:
    """
    List the parameters that are options, with the defaults of the functions they go to.

    Returns
    -------
    dict of str to (str, str)
        As `step_parameters` has them.
    """
    from webbweave.slit_combine import DRIZZLE_KWS, SlitGroup, extract_spectra

    known = {
        name: parameter.default
        for function in (SlitGroup, extract_spectra)
        for name, parameter in inspect.signature(function).parameters.items()
    }
    known |= DRIZZLE_KWS
    listed = ",".join(_GRATINGS)
    found: Parameters = {"do_gratings": (f"string(default={listed})", "Gratings to combine")}
    for name, (kind, text) in {**_OPTIONS, **_GRID}.items():
        found[name] = (f"{kind}, default={_shown(known[name], kind)})", text)
    for name, (_, text) in _SWITCHES.items():
        found[name] = ("boolean(, default=False)", text)
    found["maximum_cores"] = ("string(default=none)", "Cores to use: none, quarter, half, all, 2")
    return found


def _shown(value: Any, kind: str) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(int(value) if kind == _LEVELS else value)


def arguments_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """
    Make arguments of `extract_spectra` of options.

    Parameters
    ----------
    given : mapping
        Values of options by name.

    Returns
    -------
    dict
        The arguments, those of `SlitGroup` under ``group_kws``.
    """
    from webbweave.slit_combine import DRIZZLE_KWS, extract_spectra

    direct = inspect.signature(extract_spectra).parameters
    arguments: dict[str, Any] = {}
    group: dict[str, Any] = {}
    grid: dict[str, Any] = {}
    for name, value in given.items():
        if name in _SWITCHES:
            if value:
                target = _SWITCHES[name][0]
                (arguments if target in direct else group)[target] = {}
        elif name in _GRID:
            grid[name] = value
        else:
            (arguments if name in direct else group)[name] = _converted(name, value)
    if grid:
        arguments["drizzle_kws"] = {**DRIZZLE_KWS, **grid}
    return {**arguments, "group_kws": group}


def _converted(name: str, value: Any) -> Any:
    if name in {"undo_barshadow", "undo_pathloss"}:
        return int(value)
    if name == "trace_with_ypos":
        return _TRUTH[value]
    if name == "reference_exposure" and value.lstrip("-").isdigit():
        return int(value)
    if name == "do_gratings":
        return tuple(word.strip().upper() for word in value.split(","))
    if name == "join":
        return tuple(value)
    return value
