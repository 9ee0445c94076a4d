"""Which exposures of a source belong together."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from pathlib import Path

from webbweave.datamodels.spectra import header_value

__all__ = ["split_visit_groups"]

log = logging.getLogger(__name__)


def split_visit_groups(
    files: Sequence[str | Path],
    join: Sequence[int] = (0, 3),
    gratings: Collection[str] = ("PRISM",),
    split_uncover: bool | Collection[int | str] = True,
    *,
    compat: bool = False,
) -> dict[str, list[str]]:
    """
    Sort exposures into groups by parts of their names, the dither, and the grating.

    Parameters
    ----------
    files : sequence of str or path
        Exposures of one source.
    join : sequence of int, optional
        Which pieces of the names make a group, of those between underscores and points: 0 is the
        visit, 1 the sequence, 2 the exposure, 3 the detector, 5 the slitlet.
    gratings : collection of str, optional
        Gratings to take; other exposures are left out.
    split_uncover : bool or collection of int, optional
        Programmes whose groups are halved: every other exposure goes to a second one. True stands
        for no programme: msaexp, which has numbers of five in its code, must be asked here.
    compat : bool, optional
        Makes no difference: no programme has rules of its own in either mode.

    Returns
    -------
    dict of str to list of str
        Files by group, both sorted. The names of groups are in lower case, such as
        ``jw01345062001_nrs2-prism-clear``.

    Raises
    ------
    InputError
        If a file cannot be read.
    ValueError
        If a name has fewer pieces than `join` asks for.
    """
    groups: dict[str, list[str]] = {}
    programmes: dict[str, tuple[str, str]] = {}
    wanted = {grating.upper() for grating in gratings}
    for file in sorted(map(str, files)):
        grating, blocking, dither = header_value(file, "GRATING", "FILTER", "SPAT_NUM")
        if str(grating).upper() not in wanted:
            continue
        name = Path(file).name
        pieces = name.replace(".", "_").split("_")
        if not all(-len(pieces) <= k < len(pieces) for k in join):
            raise ValueError(f"join: {list(join)} asks for more pieces than {name} has")
        start = "_".join(pieces[k] for k in join)
        if dither is not None:
            start += f"_dith{dither}"
        end = f"-{grating}-{blocking}".lower()
        key = start.lower() + end
        groups.setdefault(key, []).append(file)
        programmes.setdefault(key, (pieces[0].removeprefix("jw")[:5], end))
    return _halved(groups, programmes, split_uncover)


def _halved(
    groups: dict[str, list[str]],
    programmes: dict[str, tuple[str, str]],
    split: bool | Collection[int | str],
) -> dict[str, list[str]]:
    chosen = set() if isinstance(split, bool) else {f"{int(number):05d}" for number in split}
    out: dict[str, list[str]] = {}
    for key in sorted(groups):
        members, (programme, end) = groups[key], programmes[key]
        if len(members) > 1 and programme in chosen:
            log.info("%s: %d exposures are split into two groups", key, len(members))
            start = key.removesuffix(end)
            out[f"{start}a{end}"], out[f"{start}b{end}"] = members[::2], members[1::2]
        else:
            out[key] = members
    return out
