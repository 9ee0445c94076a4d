"""Which images move together: those of one exposure, or those that the user puts together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Group", "group_id", "group_images"]

#: The entries of ``meta.observation`` that tell one exposure from all others; the detectors of an
#: instrument that were exposed together share them.
_EXPOSURE = (
    "program_number",
    "observation_number",
    "visit_number",
    "visit_group",
    "sequence_id",
    "activity_id",
    "exposure_number",
)
_NAME = "jw{}{}{}_{}{}{}_{}"


@dataclass(frozen=True)
class Group:
    """
    Images that move together.

    Attributes
    ----------
    id : str
        The name of the group.
    members : tuple of int
        Which images these are, in the order given.
    """

    id: str
    members: tuple[int, ...]


def group_id(
    index: int,
    observation: Mapping[str, Any],
    *,
    member_id: Any = None,
    model_id: Any = None,
) -> str:
    """
    Name the group of an image.

    Parameters
    ----------
    index : int
        Number of the image among all, from 0.
    observation : mapping
        Its ``meta.observation``.
    member_id : str, optional
        The attribute ``group_id`` of the image in an association.
    model_id : str, optional
        Its ``meta.group_id``.

    Returns
    -------
    str
        The first that is there: `member_id`, `model_id`, the name of the exposure
        (``jw01345062001_03101_00002``), or ``exposure`` and a number from 1. Blank is not there.
    """
    for given in (member_id, model_id):
        if not _is_blank(given):
            return str(given).strip()
    values = [observation.get(key) for key in _EXPOSURE]
    if any(_is_blank(value) for value in values):
        return f"exposure{index + 1:04d}"
    return _NAME.format(*(str(value).strip() for value in values))


def _is_blank(value: Any) -> bool:
    return value is None or not str(value).strip()


def group_images(ids: Sequence[str]) -> tuple[Group, ...]:
    """
    Put images of the same group together.

    Parameters
    ----------
    ids : sequence of str
        The name of the group of each image.

    Returns
    -------
    tuple of Group
        In the order of their first images.
    """
    members: dict[str, list[int]] = {}
    for index, name in enumerate(ids):
        members.setdefault(name, []).append(index)
    return tuple(Group(name, tuple(indices)) for name, indices in members.items())
