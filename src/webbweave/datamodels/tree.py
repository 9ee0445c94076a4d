"""Plain-dictionary access to the metadata of a data model.

A model of `stdatamodels` is a schema-checked front of a nested dictionary, the *tree*. Looking up
an attribute through the front costs a walk over the schema, assigning one a validation. Everything
in webbweave reads and writes the tree; the schema is consulted once, when a product is saved.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from gwcs import WCS
from numpy.typing import NDArray
from stdatamodels.jwst.datamodels import JwstDataModel

from webbweave.wcs import FastWcs

__all__ = [
    "arrays_of",
    "copy_metadata",
    "get_path",
    "header_entries",
    "loaded_bytes",
    "replace_leaves",
    "set_path",
    "shallow_copy",
    "tree_of",
]

#: Entries of the tree that belong to a file, not to the science.
_FILE_ENTRIES = frozenset({"asdf_library", "history", "_fits_hash", "extra_fits", "cal_logs"})

#: What most entries are: known at a glance, and shared by copies.
_SCALARS = frozenset({str, int, float, bool, type(None)})


def tree_of(model: JwstDataModel) -> dict[str, Any]:
    """
    Return the tree of a model: the dictionary itself, not a copy.

    Parameters
    ----------
    model : `~stdatamodels.jwst.datamodels.JwstDataModel`
        Any data model.

    Returns
    -------
    dict
        The nested dictionary behind the model. Treat it as read-only unless the model is yours.
    """
    tree: dict[str, Any] = model._instance
    return tree


def loaded_bytes(model: JwstDataModel) -> int:
    """
    Add up the arrays of a model.

    Parameters
    ----------
    model : `~stdatamodels.jwst.datamodels.JwstDataModel`
        Any data model.

    Returns
    -------
    int
        Bytes of them and of those of its slits.
    """
    trees = [tree_of(model), *tree_of(model).get("slits", ())]
    return sum(
        value.nbytes
        for tree in trees
        if isinstance(tree, Mapping)
        for value in tree.values()
        if isinstance(value, np.ndarray)
    )


def get_path(tree: Mapping[str, Any], path: str, default: Any = None) -> Any:
    """
    Look up ``"meta.exposure.type"`` in a tree.

    Parameters
    ----------
    tree : mapping
        A tree or a part of one.
    path : str
        Names joined by dots.
    default : object, optional
        What to return when the entry, or one on the way to it, is missing or None.

    Returns
    -------
    object
        The entry, or `default`.
    """
    node: Any = tree
    for name in path.split("."):
        try:
            node = node[name]
        except (KeyError, TypeError, IndexError):
            return default
    return default if node is None else node


def set_path(tree: dict[str, Any], path: str, value: Any) -> None:
    """
    Set ``"meta.exposure.type"`` in a tree, making the dictionaries on the way.

    Parameters
    ----------
    tree : dict
        The tree, changed in place.
    path : str
        Names joined by dots.
    value : object
        The new value; None removes the entry.
    """
    *parents, last = path.split(".")
    node = tree
    for name in parents:
        node = node.setdefault(name, {})
    if value is None:
        node.pop(last, None)
    else:
        node[last] = value


def _is_bulk(value: Any) -> bool:
    if isinstance(value, np.generic):
        return value.dtype.fields is not None
    return (
        isinstance(value, np.ndarray | WCS | FastWcs)
        or hasattr(value, "dtype")
        or hasattr(value, "mask")
    )


def _copy_node(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {
            key: value if type(value) in _SCALARS else _copy_node(value)
            for key, value in node.items()
            if type(value) in _SCALARS or not _is_bulk(value)
        }
    if isinstance(node, list | tuple):
        return [
            value if type(value) in _SCALARS else _copy_node(value)
            for value in node
            if type(value) in _SCALARS or not _is_bulk(value)
        ]
    if isinstance(node, np.generic):
        return node.item()
    if isinstance(node, str | int | float | bool):
        return node
    return copy.deepcopy(node)


def header_entries(tree: Mapping[str, Any]) -> dict[str, Any]:
    """
    Take the header-like entries of a tree.

    Parameters
    ----------
    tree : mapping
        The tree of a model, of one slit, or its ``meta``.

    Returns
    -------
    dict
        A new dictionary without arrays, tables, WCS and what belongs to the file. What is nested in
        it is shared with `tree`: not to be changed.
    """
    return {
        key: value
        for key, value in tree.items()
        if key not in _FILE_ENTRIES and (type(value) in _SCALARS or not _is_bulk(value))
    }


def copy_metadata(tree: Mapping[str, Any]) -> dict[str, Any]:
    """
    Copy a tree without its arrays, tables and WCS.

    Parameters
    ----------
    tree : mapping
        The tree of a model or of one slit.

    Returns
    -------
    dict
        A deep copy of all header-like entries; nothing in it is shared with `tree`. Scalars of
        numpy become those of Python.
    """
    copied: dict[str, Any] = _copy_node(header_entries(tree))
    return copied


def shallow_copy(tree: Any) -> Any:
    """
    Copy a tree down to its leaves.

    Parameters
    ----------
    tree : object
        A tree or a part of one.

    Returns
    -------
    object
        New dictionaries and lists all through, which share what is in them: arrays, scalars, WCS.
    """
    if isinstance(tree, Mapping):
        return {key: shallow_copy(value) for key, value in tree.items()}
    if type(tree) is list:
        return [shallow_copy(item) for item in tree]
    return tree


def arrays_of(tree: Any) -> Iterator[NDArray[Any]]:
    """
    Go through the arrays of a tree.

    Parameters
    ----------
    tree : dict or list
        A tree or a part of one.

    Yields
    ------
    ndarray
        Each array, wherever it is.
    """
    for node in tree.values() if isinstance(tree, Mapping) else tree:
        if isinstance(node, np.ndarray):
            yield node
        elif isinstance(node, Mapping | list):
            yield from arrays_of(node)


def replace_leaves(tree: Any, replace: Callable[[Any], Any]) -> None:
    """
    Replace what is in dictionaries and lists and is neither of these itself.

    Parameters
    ----------
    tree : dict or list
        A tree or a part of one, changed in place; each part of it may occur once.
    replace : callable
        Takes a leaf and returns it, or another one.
    """
    for key, node in tree.items() if isinstance(tree, dict) else enumerate(tree):
        if isinstance(node, dict | list):
            replace_leaves(node, replace)
        elif (new := replace(node)) is not node:
            tree[key] = new
