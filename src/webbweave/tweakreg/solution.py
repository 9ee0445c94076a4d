"""Corrections that were found for some exposures, applied to others of the same visit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from astropy.table import Table

from webbweave.errors import MissingColumnsError
from webbweave.tweakreg.grouping import group_images
from webbweave.tweakreg.outcomes import Alignment, GroupOutcome, with_groups
from webbweave.tweakreg.pointing import UNMOVED, ImageSources, SkyMove, describe_move, moved
from webbweave.tweakreg.stages import StageFit
from webbweave.tweakreg.v2v3_plane import LinearCorrection
from webbweave.wcs.tangent import TangentPlane

__all__ = ["apply_table", "check_solution"]

_COLUMNS = (
    "group_id",
    "status",
    "plane_ra",
    "plane_dec",
    "matrix_xx",
    "matrix_xy",
    "matrix_yx",
    "matrix_yy",
    "shift_x",
    "shift_y",
)


def check_solution(table: Table, name: str) -> None:
    """
    Check that a table is a fit table.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The table.
    name : str
        What messages call it.

    Raises
    ------
    MissingColumnsError
        If it lacks columns of a fit table.
    """
    missing = [column for column in _COLUMNS if column not in table.colnames]
    if missing:
        raise MissingColumnsError(
            f"{name}: expected the columns of a fit table, found none named {', '.join(missing)}"
        )


def _visit(group: str) -> str:
    return group.partition("_")[0]


def _chosen(group: str, table: Table) -> Table:
    """Choose the rows for a group: its own or, if there is none, those of its visit."""
    good = table[table["status"] == "COMPLETE"]
    own = good[[str(name) == group for name in good["group_id"]]] if len(good) else good
    if len(own) or "_" not in group or not len(good):
        return own
    return good[[_visit(str(name)) == _visit(group) for name in good["group_id"]]]


def _move(rows: Table) -> SkyMove | None:
    """Average the movements of some rows, in the plane of the first; None if none of them moved."""
    moving = rows[np.isfinite(rows["plane_ra"])]
    if not len(moving):
        return None
    plane = TangentPlane(float(moving["plane_ra"][0]), float(moving["plane_dec"][0]))
    probes = 60.0 * np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    # The reference of the others was not moved, and has no plane.
    targets = [probes] * (len(rows) - len(moving))
    for row in moving:
        matrix = np.array([[row[f"matrix_{i}{j}"] for j in "xy"] for i in "xy"], dtype=np.float64)
        shift = np.array([row["shift_x"], row["shift_y"]], dtype=np.float64)
        own = TangentPlane(float(row["plane_ra"]), float(row["plane_dec"]))
        # The error of the pointing is that of the visit: the same movement wherever it points.
        centre = np.stack(own.project(plane.ra, plane.dec), axis=-1) * 3600.0
        correction = LinearCorrection(matrix, shift)
        targets.append(correction(centre + probes) - centre)
    mean = np.mean(targets, axis=0)
    matrix = np.stack([mean[1] - mean[0], mean[2] - mean[0]], axis=1) / 60.0
    return SkyMove(plane, LinearCorrection(matrix, mean[0]))


def apply_table(
    images: Sequence[ImageSources], group_ids: Sequence[str], table: Table
) -> Alignment:
    """
    Apply the corrections of a fit table.

    Parameters
    ----------
    images : sequence of ImageSources
        The images; their sources are not used.
    group_ids : sequence of str
        The name of the group of each image.
    table : `~astropy.table.Table`
        A fit table.

    Returns
    -------
    Alignment
        The corrections. A group that is in the table is moved as it says; another one by the mean
        of the groups of its visit; one of another visit fails.
    """
    groups = group_images(group_ids)
    images = with_groups(images, groups)
    corrections: list[LinearCorrection | None] = [None] * len(images)
    outcomes = []
    unmoved: list[LinearCorrection] = [UNMOVED] * len(images)
    for group in groups:
        rows = _chosen(group.id, table)
        if not len(rows):
            reason = "the solution has neither this group nor another of its visit"
            fit = StageFit(f"FAILED: {reason}")
            outcomes.append(GroupOutcome("FAILED", reason, fit, None, None, 0))
            continue
        move = _move(rows)
        done = None
        if move is not None:
            final = list(unmoved)
            for i in group.members:
                corrections[i] = final[i] = moved(images[i], UNMOVED, move)
            done = describe_move(images, unmoved, final, group.members)
        outcomes.append(GroupOutcome("COMPLETE", "", StageFit("APPLIED"), None, done, 0))
    return Alignment(
        tuple(groups),
        tuple(outcomes),
        tuple(corrections),
        (False,) * len(images),
        None,
        None,
    )
