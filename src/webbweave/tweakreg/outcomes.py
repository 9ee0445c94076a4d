"""What the alignment of images is asked for, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from webbweave.tweakreg.grouping import Group
from webbweave.tweakreg.merge import StarList
from webbweave.tweakreg.overlap import SkyPolygon
from webbweave.tweakreg.pointing import ImageSources, Move
from webbweave.tweakreg.reference import ReferenceCatalog
from webbweave.tweakreg.stages import MatchOptions, StageFit
from webbweave.tweakreg.v2v3_plane import LinearCorrection

__all__ = [
    "METHODS",
    "Alignment",
    "AlignmentOptions",
    "GroupOutcome",
    "ReferenceFinder",
    "with_groups",
]

METHODS = ("auto", "joint", "chain")

#: Gives the reference catalog of a field, from the outlines of the images.
ReferenceFinder = Callable[[Sequence[SkyPolygon]], ReferenceCatalog]


@dataclass(frozen=True, kw_only=True)
class AlignmentOptions:
    """
    How images are aligned.

    Attributes
    ----------
    relative, absolute : MatchOptions
        How each stage matches and fits.
    expand_refcat, enforce_user_order : bool
        See `~webbweave.tweakreg.relative.align_relative`.
    method : str
        'joint' to solve for all groups at once in both stages, 'chain' to align one after the
        other and then all as one, 'auto' for a chain in the relative stage and a joint solution in
        the absolute one.
    compat : bool
        Do as jwst does.

    Raises
    ------
    ValueError
        If the method is unknown.
    """

    relative: MatchOptions = field(default_factory=MatchOptions)
    absolute: MatchOptions = field(default_factory=MatchOptions)
    expand_refcat: bool = False
    enforce_user_order: bool = False
    method: str = "auto"
    compat: bool = False

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"method: expected one of {', '.join(METHODS)}, found {self.method!r}")


@dataclass(frozen=True, eq=False)
class GroupOutcome:
    """
    What became of a group.

    Attributes
    ----------
    status : str
        'COMPLETE', 'FAILED' or 'SKIPPED'.
    reason : str
        Why it is not complete, or only relative; empty if all is well.
    relative, absolute : StageFit or None
        The stages; None for one that was not run.
    move : Move or None
        How the group was moved; None if it was not.
    n_sources : int
        Sources in its catalogs.
    """

    status: str
    reason: str
    relative: StageFit | None
    absolute: StageFit | None
    move: Move | None
    n_sources: int


@dataclass(frozen=True, eq=False)
class Alignment:
    """
    The alignment of images.

    Attributes
    ----------
    groups : tuple of Group
        Which images moved together.
    outcomes : tuple of GroupOutcome
        What became of each group.
    corrections : tuple of LinearCorrection or None
        The correction of each image in its plane; None for those that stay as they are.
    absolute : tuple of bool
        Which images are on the reference catalog.
    reference : ReferenceCatalog or None
        The reference catalog, if there was one.
    stars : StarList or None
        The final reference catalog of the relative stage, if that was run.
    """

    groups: tuple[Group, ...]
    outcomes: tuple[GroupOutcome, ...]
    corrections: tuple[LinearCorrection | None, ...]
    absolute: tuple[bool, ...]
    reference: ReferenceCatalog | None
    stars: StarList | None


def with_groups(images: Sequence[ImageSources], groups: Sequence[Group]) -> list[ImageSources]:
    """
    Tell images which group they are in.

    Parameters
    ----------
    images : sequence of ImageSources
        The images.
    groups : sequence of Group
        The groups.

    Returns
    -------
    list of ImageSources
        Copies that know the number of their group.
    """
    number = {i: k for k, group in enumerate(groups) for i in group.members}
    return [replace(image, group=number[i]) for i, image in enumerate(images)]
