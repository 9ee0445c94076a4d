"""The fit table: one row for each group, what was found and how good it is."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from astropy.table import Table

from webbweave.tweakreg.outcomes import Alignment, GroupOutcome
from webbweave.tweakreg.stages import StageFit

__all__ = ["fit_table", "outcome_values"]

_NO_FIT = StageFit("")

#: Columns of each stage: unit and meaning.
_STAGE = {
    "status": (None, "outcome of the stage; blank if it was not run"),
    "geometry": (None, "geometry of the fit"),
    "n_matched": (None, "matched sources"),
    "n_used": (None, "matched sources that were not clipped"),
    "rms_before": ("arcsec", "rms distance of the used sources before the correction"),
    "rms": ("arcsec", "rms distance of the used sources after the correction"),
    "false_alarm": (None, "chance of a peak as high in the histogram of offsets"),
    "sigma_x": ("arcsec", "standard error of the shift along the first axis"),
    "sigma_y": ("arcsec", "standard error of the shift along the second axis"),
    "sigma_rotation": ("deg", "standard error of the rotation"),
}
#: Columns of the movement.
_MOVE = {
    "east": ("arcsec", "shift of the middle of the group towards east"),
    "north": ("arcsec", "shift of the middle of the group towards north"),
    "rotation": ("deg", "rotation from north through east"),
    "scale": (None, "root of the change of areas"),
    "skew": ("deg", "change of the angle between the axes"),
    "plane_ra": ("deg", "right ascension where the plane of matrix and shift touches the sky"),
    "plane_dec": ("deg", "declination there"),
    "matrix_xx": (None, "movement in that plane, x towards east, y towards north"),
    "matrix_xy": (None, ""),
    "matrix_yx": (None, ""),
    "matrix_yy": (None, ""),
    "shift_x": ("arcsec", "shift in that plane"),
    "shift_y": ("arcsec", ""),
}


def _stage_values(fit: StageFit | None) -> dict[str, Any]:
    fit = fit or _NO_FIT
    return {
        "status": fit.status,
        "geometry": fit.geometry,
        "n_matched": fit.n_matched,
        "n_used": fit.n_used,
        "rms_before": fit.rms_before,
        "rms": fit.rms,
        "false_alarm": fit.false_alarm,
        "sigma_x": fit.sigma[0],
        "sigma_y": fit.sigma[1],
        "sigma_rotation": fit.sigma[2],
    }


def outcome_values(group_id: str, outcome: GroupOutcome) -> dict[str, Any]:
    """
    List what became of a group.

    Parameters
    ----------
    group_id : str
        The group.
    outcome : GroupOutcome
        What became of it.

    Returns
    -------
    dict
        Plain values by the names of the columns of `fit_table`.
    """
    values: dict[str, Any] = {
        "group_id": group_id,
        "status": outcome.status,
        "reason": outcome.reason,
        "n_sources": outcome.n_sources,
    }
    for stage, fit in (("relative", outcome.relative), ("absolute", outcome.absolute)):
        values |= {f"{stage}_{key}": value for key, value in _stage_values(fit).items()}
    move = outcome.move
    numbers = (
        (0.0, 0.0, 0.0, 1.0, 0.0, math.nan, math.nan, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
        if move is None
        else (
            *(move.east, move.north, move.rotation, move.scale, move.skew, move.ra, move.dec),
            *(float(value) for value in (*move.matrix.ravel(), *move.shift)),
        )
    )
    return values | dict(zip(_MOVE, numbers, strict=True))


def fit_table(alignment: Alignment) -> Table:
    """
    Make the table of all groups.

    Parameters
    ----------
    alignment : Alignment
        The alignment.

    Returns
    -------
    `~astropy.table.Table`
        One row for each group; columns have units and descriptions.
    """
    rows = [
        outcome_values(group.id, outcome)
        for group, outcome in zip(alignment.groups, alignment.outcomes, strict=True)
    ]
    table = Table(rows=rows)
    notes = {
        f"{stage}_{key}": note for stage in ("relative", "absolute") for key, note in _STAGE.items()
    }
    for key, (unit, text) in (notes | _MOVE).items():
        table[key].unit = unit
        table[key].description = text
    for key in ("group_id", "status", "reason"):
        table[key] = np.asarray(table[key], dtype=str)
    if alignment.reference is not None:
        table.meta["abs_refcat"] = alignment.reference.name
        table.meta["epoch"] = alignment.reference.epoch
    return table
