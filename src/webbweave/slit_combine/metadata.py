"""Tables of what the headers of a group of exposures say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from webbweave.columns import Columns
from webbweave.slit_combine.exposure import SlitExposure
from webbweave.slit_combine.extended import is_extended

__all__ = ["add_source_columns", "check_one_mode", "info_table", "slit_columns"]

#: Positions along the slit are told apart to this part of an arc second.
_STEPS_PER_ARCSEC = 10
#: What must be the same in all exposures of a group.
_MODE = ("grating", "filter", "detector")
#: What parse_data adds to the table.
_SOURCE = (
    "shutter_state",
    "source_ra",
    "source_dec",
    "source_xpos",
    "source_ypos",
    "slitlet_id",
)
#: Columns of the slit table, and where in the header they come from.
_SLIT_ENTRIES = {
    **{
        name: name
        for name in (
            "source_id",
            "source_name",
            "source_ra",
            "source_dec",
            "source_type",
            "source_xpos",
            "source_ypos",
            "shutter_state",
            "shutter_id",
            "slitlet_id",
            "slit_ymin",
            "slit_ymax",
            "quadrant",
            "xcen",
            "ycen",
            "xstart",
            "xsize",
            "ystart",
            "ysize",
        )
    },
    **{
        name: f"meta.instrument.{name}"
        for name in (
            "detector",
            "grating",
            "filter",
            "msa_metadata_file",
            "msa_configuration_id",
            "msa_metadata_id",
        )
    },
    **{
        name: f"meta.exposure.{name}"
        for name in ("exposure_time", "nframes", "ngroups", "nints", "readpatt", "start_time")
    },
}


def check_one_mode(exposures: Sequence[SlitExposure]) -> None:
    """
    Make sure that exposures can be combined.

    Parameters
    ----------
    exposures : sequence of SlitExposure
        The exposures.

    Raises
    ------
    ValueError
        If gratings, filters or detectors differ.
    InputError
        If an exposure does not say what it has.
    """
    for name in _MODE:
        found = [str(exposure.require(f"meta.instrument.{name}")) for exposure in exposures]
        if len(set(found)) > 1:
            listed = ", ".join(
                f"{exposure.name}: {value}"
                for exposure, value in zip(exposures, found, strict=True)
            )
            raise ValueError(f"the exposures of a group must have one {name}, found {listed}")
    if len({exposure.is_fixed_slit for exposure in exposures}) > 1:
        raise ValueError("the exposures of a group must not mix fixed slits and shutters")


def _column(values: Sequence[Any]) -> NDArray[Any]:
    """A column of one kind, in which a missing number is NaN and a missing text empty."""
    known = [value for value in values if value is not None]
    if known and all(isinstance(value, bool | int | float | np.number) for value in known):
        return np.array([np.nan if value is None else value for value in values])
    return np.array(["" if value is None else str(value) for value in values])


def info_table(exposures: Sequence[SlitExposure]) -> Table:
    """
    Make the table of exposures.

    Parameters
    ----------
    exposures : sequence of SlitExposure
        The exposures.

    Returns
    -------
    `~astropy.table.Table`
        A row for each: file, visit, place of the cut-out, all of ``meta.dither`` and
        ``meta.instrument``, and the position of the dither, rounded [arcsec] and ranked.

    Raises
    ------
    InputError
        If there is no ``meta.dither.y_offset``.
    """
    table: dict[str, Any] = {}
    table["filename"] = [exposure.name for exposure in exposures]
    table["visit"] = [exposure.name.split("_")[0] for exposure in exposures]
    for name in ("xstart", "ystart"):
        table[name] = [round(exposure.number(name)) for exposure in exposures]
    table["shape"] = [list(exposure.shape) for exposure in exposures]
    for group in ("dither", "instrument"):
        keys = sorted({key for e in exposures for key in e.get(f"meta.{group}", {})})
        for key in keys:
            values = [exposure.get(f"meta.{group}.{key}") for exposure in exposures]
            table[key] = _column(values)
    for axis in "xy":
        entry = f"meta.dither.{axis}_offset"
        offsets = [e.number(entry) if axis == "y" else e.get(entry, 0.0) for e in exposures]
        table[f"{axis}_position"] = np.round(_STEPS_PER_ARCSEC * np.array(offsets, float)) / 10
    _, ranks = np.unique(table["y_position"], return_inverse=True)
    table["y_index"] = ranks + 1
    return Table(table)


def add_source_columns(info: Table, exposures: Sequence[SlitExposure]) -> None:
    """
    Add what is known of the source to the table of exposures.

    Parameters
    ----------
    info : `~astropy.table.Table`
        The table, changed in place.
    exposures : sequence of SlitExposure
        The exposures.
    """
    for name in _SOURCE:
        values = [exposure.get(name) for exposure in exposures]
        info[name] = _column(values)


def slit_columns(
    exposures: Sequence[SlitExposure],
    shapes: Sequence[tuple[int, int]],
    base_coeffs: Sequence[NDArray[np.float64]],
    pixel_scales: Sequence[float],
    source_ypixels: Sequence[float],
) -> Columns:
    """
    Make the table of slits.

    Parameters
    ----------
    exposures : sequence of SlitExposure
        The exposures.
    shapes : sequence of tuple of int
        Rows and columns of their cut-outs.
    base_coeffs : sequence of ndarray
        Polynomials of their traces; the first three coefficients are listed.
    pixel_scales : sequence of float
        Sizes of their pixels [arcsec].
    source_ypixels : sequence of float
        Where the source is expected [pixels from the trace].

    Returns
    -------
    Columns
        A row for each.
    """
    table: dict[str, Any] = {}
    table["filename"] = [exposure.name for exposure in exposures]
    table["nx"] = [shape[1] for shape in shapes]
    table["ny"] = [shape[0] for shape in shapes]
    for index in range(3):
        table[f"trace_c{index}"] = [
            float(coeffs[index]) if index < len(coeffs) else np.nan for coeffs in base_coeffs
        ]
    table["slit_pixel_scale"] = np.array(pixel_scales, float)
    table["source_ypixel_position"] = np.array(source_ypixels, float)
    table["is_extended"] = [is_extended(exposure) for exposure in exposures]
    for name, entry in _SLIT_ENTRIES.items():
        table[name] = _column([exposure.get(entry) for exposure in exposures])
    for group in ("pointing", "dither"):
        keys = sorted({key for e in exposures for key in e.get(f"meta.{group}", {})})
        for key in keys:
            table[key] = _column([e.get(f"meta.{group}.{key}") for e in exposures])
    return Columns({name: np.asarray(values) for name, values in table.items()})
