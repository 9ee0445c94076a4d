"""Which exposures are of the same source."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from webbweave.datamodels.spectra import exposure_header
from webbweave.errors import InputError

__all__ = ["split_sources"]

#: What may not stand in the name of a file on every system.
_NOT_IN_NAMES = re.compile(r"[^\w.+-]+")


def split_sources(files: Sequence[str | Path]) -> dict[str, list[str]]:
    """
    Sort exposures of slitlets by their sources.

    Parameters
    ----------
    files : sequence of str or path
        A slitlet each, of any number of sources.

    Returns
    -------
    dict of str to list of str
        Files by the name of the source, as it can stand in the name of a file: that of the header
        (SRCNAME), else its number (SOURCEID), else what the name of the file ends with. Both are in
        the order of the files.

    Raises
    ------
    InputError
        If a file cannot be read, or is not of one slitlet.
    ValueError
        If a file is given twice.
    """
    sources: dict[str, list[str]] = {}
    seen: dict[Path, str] = {}
    for file in map(str, files):
        path = Path(file)
        if (there := path.resolve()) in seen:
            raise ValueError(f"files: {file} is given twice")
        seen[there] = file
        sources.setdefault(_source_of(path), []).append(file)
    return sources


def _source_of(path: Path) -> str:
    header = exposure_header(path)
    kind = header.get("DATAMODL", "SlitModel")
    if kind != "SlitModel":
        raise InputError(f"{path}: DATAMODL: expected SlitModel, a file per slitlet, found {kind}")
    for name in ("SRCNAME", "SOURCEID"):
        found = str(header.get(name) or "").strip()
        if found:
            return _NOT_IN_NAMES.sub("_", found)
    return _NOT_IN_NAMES.sub("_", path.stem.rpartition(".")[2])
