"""What users hand to a step: a file, an association, a model, or a collection of any of these."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from stdatamodels.jwst.datamodels import JwstDataModel

from webbweave.datamodels.reading import read_model
from webbweave.datamodels.tree import get_path, tree_of
from webbweave.errors import InputError
from webbweave.wcs import TemplateCache

__all__ = ["Inputs", "Member", "collect_inputs", "open_model"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Member:
    """
    One exposure: a file not yet opened, or a model that the caller holds.

    Attributes
    ----------
    name : str
        What messages call it: the path, or the model's file name.
    path : path or None
        The file, for a member that is read from disk.
    model : `~stdatamodels.jwst.datamodels.JwstDataModel` or None
        The open model, for a member that the caller holds.
    exptype : str
        Role in the association, ``'science'`` if there is none.
    attributes : mapping
        What else the association says of it, such as ``tweakreg_catalog`` and ``group_id``.
    folder : path
        What paths in `attributes` are relative to: the folder of the association.
    """

    name: str
    path: Path | None = None
    model: JwstDataModel | None = field(default=None, repr=False)
    exptype: str = "science"
    attributes: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    folder: Path = field(default_factory=Path, repr=False, compare=False)

    def open(self, templates: TemplateCache | None = None) -> JwstDataModel:
        """
        Return the model; a file is read at each call.

        Parameters
        ----------
        templates : `~webbweave.wcs.TemplateCache`, optional
            For a model that is only worked on and not saved: each WCS of a file is a
            `~webbweave.wcs.FastWcs`, which is read when it is used.

        Returns
        -------
        `~stdatamodels.jwst.datamodels.JwstDataModel`
            The caller's own model, or a new one from the file. Not to be changed.

        Raises
        ------
        InputError
            If the file cannot be read.
        """
        if self.model is not None:
            return self.model
        assert self.path is not None
        return read_model(self.path, lazy_wcs=templates is not None, templates=templates)


@dataclass(frozen=True)
class Inputs:
    """
    The exposures of one call.

    Attributes
    ----------
    members : tuple of Member
        The science exposures, in the order given.
    product_name : str or None
        Name of the product that an association asks for.
    is_container : bool
        Whether a collection was given: False for a single file or model.
    table_name, pool_name : str or None
        File names of the association and its pool.
    asn_id : str or None
        Identifier of the association.
    """

    members: tuple[Member, ...]
    product_name: str | None = None
    is_container: bool = True
    table_name: str | None = None
    pool_name: str | None = None
    asn_id: str | None = None

    @property
    def paths(self) -> list[Path]:
        """The files among the members."""
        return [member.path for member in self.members if member.path is not None]


def open_model(init: str | Path | JwstDataModel) -> JwstDataModel:
    """
    Open one exposure, or pass an open one through.

    Parameters
    ----------
    init : str, path or data model
        A file of a JWST product, or a model.

    Returns
    -------
    `~stdatamodels.jwst.datamodels.JwstDataModel`
        The model, with validation on assignment off if it was read here.

    Raises
    ------
    InputError
        If the file cannot be read.
    TypeError
        If `init` is neither a path nor a model.
    """
    return _member(init).open()


def collect_inputs(init: Any) -> Inputs:
    """
    Make a list of exposures of whatever a step was given.

    Parameters
    ----------
    init : str, path, dict, data model, or iterable of str, path or data model
        A FITS file; an association (a JSON file, or its content as a dictionary; member paths are
        relative to the file, or to the working directory); a model; or a collection: a list or a
        container or library of another package.

    Returns
    -------
    Inputs
        The science members. No file but the association is opened.

    Raises
    ------
    InputError
        If the association cannot be read or names no science exposure, or the collection is empty.
    TypeError
        If `init` is nothing of the above.
    """
    if isinstance(init, JwstDataModel):
        return Inputs((_member(init),), is_container=False)
    if isinstance(init, Mapping):
        return _from_association(init, Path(), "the association")
    if isinstance(init, str | Path):
        path = Path(init)
        if path.suffix.lower() == ".json":
            return _from_association(_read_json(path), path.parent, str(path), path.name)
        return Inputs((_member(path),), is_container=False)
    if isinstance(init, Iterable):
        return _from_collection(init)
    raise TypeError(
        "expected a file, an association, a data model or a collection of these, "
        f"found {type(init).__name__}"
    )


def _member(init: Any) -> Member:
    if isinstance(init, JwstDataModel):
        return Member(get_path(tree_of(init), "meta.filename", type(init).__name__), model=init)
    if isinstance(init, str | Path):
        return Member(str(init), path=Path(init))
    raise TypeError(f"expected a path or a JWST data model, found {type(init).__name__}")


def _from_collection(init: Any) -> Inputs:
    if hasattr(init, "shelve"):  # a model library: it lends its models one at a time
        with init:
            models = []
            for index, model in enumerate(init):
                models.append(model)
                init.shelve(model, index, modify=False)
        members = tuple(_member(model) for model in models)
    else:
        members = tuple(_member(item) for item in init)
    if not members:
        raise InputError("the collection of inputs is empty, expected at least one exposure")
    association = getattr(init, "asn_table", None) or getattr(init, "asn", None) or {}
    return Inputs(
        _with_attributes(members, association, Path(getattr(init, "asn_dir", None) or "")),
        product_name=_product_name(association),
        table_name=getattr(init, "asn_table_name", None) or association.get("table_name"),
        pool_name=association.get("asn_pool"),
        asn_id=association.get("asn_id"),
    )


def _attributes(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What an association says of a member besides its name and role."""
    return {key: value for key, value in entry.items() if key not in ("expname", "exptype")}


def _with_attributes(
    members: tuple[Member, ...], association: Any, folder: Path
) -> tuple[Member, ...]:
    """Add what the association of a container or library says of its models."""
    products = association.get("products") if isinstance(association, Mapping) else None
    entries = products[0].get("members", []) if products else []
    # Without a model for each entry nobody knows which belongs to which.
    if len(entries) != len(members) or not all(isinstance(entry, Mapping) for entry in entries):
        return members
    pairs = zip(members, entries, strict=True)
    return tuple(
        replace(member, attributes=_attributes(entry), folder=folder) for member, entry in pairs
    )


def _read_json(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except IsADirectoryError as error:
        raise InputError(f"{path}: is a directory, expected an association") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as an association: {error}") from error
    if not isinstance(content, Mapping):
        found = type(content).__name__
        raise InputError(f"{path}: expected an association (a JSON object), found a {found}")
    return content


def _product_name(association: Mapping[str, Any]) -> str | None:
    products = association.get("products") or [{}]
    return products[0].get("name") or None


def _from_association(
    association: Mapping[str, Any], folder: Path, name: str, table_name: str | None = None
) -> Inputs:
    products = association.get("products")
    if not isinstance(products, list) or not products:
        raise InputError(f"{name}: expected a list 'products' with one product, found none")
    if len(products) > 1:
        log.warning("%s: has %d products, only the first is used", name, len(products))
    members = []
    for entry in products[0].get("members", []):
        if not isinstance(entry, Mapping) or not isinstance(entry.get("expname"), str):
            raise InputError(f"{name}: a member has no 'expname': {entry!r}")
        path = folder / entry["expname"]
        role, more = str(entry.get("exptype", "science")), _attributes(entry)
        members.append(Member(str(path), path, exptype=role, attributes=more, folder=folder))
    science = tuple(member for member in members if member.exptype.lower() == "science")
    if not science:
        raise InputError(f"{name}: expected science members, found {len(members)} of other types")
    if len(science) < len(members):
        log.info("%s: %d members are not science and left out", name, len(members) - len(science))
    return Inputs(
        science,
        product_name=_product_name(association),
        table_name=table_name,
        pool_name=association.get("asn_pool"),
        asn_id=association.get("asn_id"),
    )
