"""Catalogs of sources as files, and which of them belongs to which exposure."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

from webbweave.datamodels.inputs import Member
from webbweave.errors import InputError

__all__ = [
    "catalog_choices",
    "catalog_path",
    "chosen_catalog",
    "read_catfile",
]

log = logging.getLogger(__name__)

FORMATS = ("ecsv", "fits")


def read_catfile(path: str | Path) -> dict[str, Path | None]:
    """
    Read a list of exposures and their catalogs.

    Parameters
    ----------
    path : str or path
        A text file. Each line holds the file name of an exposure and the path of its catalog,
        relative to the text file; or the file name alone. What follows ``#`` is ignored.

    Returns
    -------
    dict of str to path or None
        Catalogs by the file name of the exposure, without its folder; None for exposures in which
        sources are to be found.

    Raises
    ------
    InputError
        If the file cannot be read.
    ValueError
        If a line has more than two columns, or an exposure is named twice with different catalogs.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"catfile {path}: cannot be read: {reason}") from error
    choices: dict[str, Path | None] = {}
    for number, line in enumerate(text.splitlines(), 1):
        columns = line.partition("#")[0].split()
        if not columns:
            continue
        if len(columns) > 2:
            raise ValueError(
                "'catfile' can contain at most two columns. "
                f"{path}, line {number} has {len(columns)}"
            )
        name = Path(columns[0]).name
        catalog = path.parent / columns[1] if len(columns) == 2 else None
        if choices.setdefault(name, catalog) != catalog:
            raise ValueError(f"catfile {path}, line {number}: {name} has another catalog above")
    return choices


def catalog_choices(
    catfile: str | Path | None, members: Iterable[Member] = ()
) -> dict[str, Path | None] | None:
    """
    Collect what the user says about catalogs: in a catfile or, if there is none, an association.

    Parameters
    ----------
    catfile : str, path or None
        A text file, see `read_catfile`; blank for none.
    members : iterable of Member
        The exposures; those from an association may have the attribute ``tweakreg_catalog``: a path
        relative to the association, or blank where sources are to be found.

    Returns
    -------
    dict of str to path or None, or None
        Catalogs by the file name of the exposure, None where sources are to be found; those that
        are not named are for `chosen_catalog` to decide. None instead of a dictionary, after a
        warning, if the catfile names no exposure: no catalog of the user's is then to be used.

    Raises
    ------
    InputError
        If the catfile cannot be read.
    ValueError
        If it has more than two columns.
    """
    if catfile is not None and str(catfile).strip():
        choices = read_catfile(str(catfile).strip())
        if not choices:
            log.warning("catfile %s names no exposure: custom catalogs are not used", catfile)
            return None
        return choices
    return {
        Path(member.name).name: _optional_path(member.attributes["tweakreg_catalog"], member.folder)
        for member in members
        if "tweakreg_catalog" in member.attributes
    }


def _optional_path(value: object, folder: Path) -> Path | None:
    text = "" if value is None else str(value).strip()
    return folder / text if text and text != "None" else None


def chosen_catalog(
    choices: Mapping[str, Path | None],
    filename: str,
    in_header: str | None = None,
    folder: str | Path | None = None,
) -> Path | None:
    """
    Choose the catalog of an exposure.

    Parameters
    ----------
    choices : mapping of str to path or None
        What `catalog_choices` collected.
    filename : str
        File name of the exposure.
    in_header : str, optional
        Its ``meta.tweakreg_catalog``, which counts if `choices` does not name the exposure.
    folder : str or path, optional
        Folder of the exposure, where a catalog of the header is looked for that is not found in the
        working directory.

    Returns
    -------
    path or None
        The catalog, None where sources are to be found.
    """
    name = Path(filename).name
    if name in choices:
        return choices[name]
    path = _optional_path(in_header, Path())
    if path is None or folder is None or path.is_absolute() or path.exists():
        return path
    beside = Path(folder) / path
    return beside if beside.exists() else path


def catalog_path(filename: str, catalog_format: str, folder: str | Path | None = None) -> Path:
    """
    Name the file of a catalog.

    Parameters
    ----------
    filename : str
        File name of the exposure.
    catalog_format : {'ecsv', 'fits'}
        The format.
    folder : str or path, optional
        Where the file is to be; the working directory by default.

    Returns
    -------
    path
        The name of the exposure with ``_cat.<format>`` for ``.fits``.

    Raises
    ------
    ValueError
        If the format is unknown.
    """
    if catalog_format not in FORMATS:
        raise ValueError(f"catalog_format: expected 'ecsv' or 'fits', found {catalog_format!r}")
    name = Path(filename).name
    stem = name.removesuffix(".fits") if name.endswith(".fits") else Path(name).stem
    return Path(folder or "") / f"{stem}_cat.{catalog_format}"
