"""Metadata of a product made from several exposures, by the rules that the JWST schemas state."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from stdatamodels.jwst import datamodels as jwst_models
from stdatamodels.jwst.datamodels import JwstDataModel

from webbweave.datamodels.tree import get_path, set_path

__all__ = ["blend_metadata", "combine_exposure_times", "group_id", "header_table"]


@dataclass(frozen=True)
class _Entry:
    """What a schema says of one header value."""

    parents: tuple[str, ...]
    name: str
    keyword: str
    rule: str
    in_table: bool


@functools.cache
def _entries(model_name: str) -> tuple[_Entry, ...]:
    """All header values of a model class; the schema is walked once per class."""
    found = {}
    for path, node in _walk(getattr(jwst_models, model_name)().schema, ()):
        keyword, rule = node.get("fits_keyword", ""), node.get("blend_rule", "")
        if keyword or rule:
            found[path] = _Entry(path[:-1], path[-1], keyword, rule, bool(node.get("blend_table")))
    return tuple(found.values())


@functools.cache
def _blended(model_name: str) -> tuple[_Entry, ...]:
    """The header values that a rule combines."""
    return tuple(entry for entry in _entries(model_name) if entry.rule in _RULES)


@functools.cache
def _tabulated(
    model_name: str, slit_attributes: bool
) -> tuple[tuple[tuple[str, ...], tuple[tuple[str, str], ...]], ...]:
    """Names and keywords of the header values in the table, by the node of the tree they are in."""
    nodes: dict[tuple[str, ...], list[tuple[str, str]]] = {}
    known = set()
    own = [entry for entry in _entries(model_name) if slit_attributes and not entry.parents]
    for entry in own + [entry for entry in _entries(model_name) if entry.in_table]:
        if entry.keyword and entry.keyword not in known:
            known.add(entry.keyword)
            nodes.setdefault(entry.parents, []).append((entry.name, entry.keyword))
    return tuple((parents, tuple(entries)) for parents, entries in nodes.items())


def _walk(
    node: Mapping[str, Any], path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    yield path, node
    for combiner in ("allOf", "anyOf", "oneOf"):
        for part in node.get(combiner, ()):
            yield from _walk(part, path)
    for name, part in node.get("properties", {}).items():
        yield from _walk(part, (*path, name))


def _node(tree: Mapping[str, Any], parents: tuple[str, ...]) -> Mapping[str, Any]:
    node: Any = tree
    for name in parents:
        node = node.get(name)
        if not isinstance(node, Mapping):
            return _NOTHING
    return cast("Mapping[str, Any]", node)


#: What stands for a part of a tree that is not there.
_NOTHING: Mapping[str, Any] = {}


def _multi(values: Sequence[Any]) -> Any:
    return values[0] if all(value == values[0] for value in values) else "MULTIPLE"


def _tolerance(values: Sequence[Any]) -> Any:
    outside = "outside calibration tolerance"
    return outside if outside in values else values[0]


#: How to combine the values of several exposures; "first" needs nothing done.
_RULES: Mapping[str, Callable[[Sequence[Any]], Any]] = {
    "multi": _multi,
    "mean": lambda values: math.fsum(values) / len(values),
    "sum": math.fsum,
    "min": min,
    "max": max,
    # ISO dates and times sort as text.
    "mindate": min,
    "maxdate": max,
    "mintime": min,
    "maxtime": max,
    "mindatetime": min,
    "maxdatetime": max,
    "wheeltol": _tolerance,
}

#: Rules that make sense for numbers only, and for text only.
_NUMERIC = frozenset({"mean", "sum", "min", "max"})
_TEXTUAL = frozenset(_RULES) - _NUMERIC - {"multi"}


def _known(values: Iterable[Any], rule: str) -> list[Any]:
    """The values that a rule can be applied to: not missing, not NaN, of the right kind."""
    known = [value for value in values if value is not None and value == value]
    if rule in _NUMERIC:
        return [v for v in known if isinstance(v, int | float) and not isinstance(v, bool)]
    if rule in _TEXTUAL:
        return [value for value in known if isinstance(value, str)]
    return known


def blend_metadata(
    product: dict[str, Any], sources: Sequence[Mapping[str, Any]], model_class: type[JwstDataModel]
) -> None:
    """
    Combine header values of several exposures.

    An exposure in which a value is missing, NaN or of the wrong kind (a text where a number
    belongs) is left out for this value; if no exposure has it, the product keeps what it had.

    Parameters
    ----------
    product : dict
        Tree of the product, with the metadata of the first exposure; changed in place.
    sources : sequence of mapping
        Trees of the exposures.
    model_class : type
        Model class whose schema states the rules (``blend_rule``).
    """
    for entry in _blended(model_class.__name__):
        values = (_node(source, entry.parents).get(entry.name) for source in sources)
        known = _known(values, entry.rule)
        if known:
            set_path(product, ".".join((*entry.parents, entry.name)), _RULES[entry.rule](known))


def header_table(
    sources: Sequence[Mapping[str, Any]],
    model_class: type[JwstDataModel],
    *,
    slit_attributes: bool = False,
    labels: Mapping[str, Sequence[Any]] | None = None,
) -> NDArray[np.void]:
    """
    Tabulate the header values of several exposures.

    Parameters
    ----------
    sources : sequence of mapping
        Trees of the exposures. Where trees share a node (the slits of an exposure share most of its
        header), it is read once.
    model_class : type
        Model class whose schema states what belongs in the table (``blend_table``).
    slit_attributes : bool, optional
        Whether the table has the attributes of the slits as well: names, positions, shutters.
    labels : mapping of str to sequence, optional
        Columns to put first, one value per source each.

    Returns
    -------
    ndarray
        A structured array with one row per exposure and one field per FITS keyword that any of them
        has. Missing values are NaN or empty.
    """
    columns = {name: _column(values) for name, values in (labels or {}).items()}
    for parents, entries in _tabulated(model_class.__name__, slit_attributes):
        nodes = [_node(source, parents) for source in sources]
        distinct = {id(node): node for node in nodes}
        if not any(distinct.values()):
            continue
        number = {key: index for index, key in enumerate(distinct)}
        rows = np.array([number[id(node)] for node in nodes])
        for name, keyword in entries:
            values = [_scalar(node.get(name)) for node in distinct.values()]
            if keyword not in columns and any(value is not None for value in values):
                columns[keyword] = _column(values)[rows]
    table = np.empty(len(sources), dtype=[(name, data.dtype) for name, data in columns.items()])
    for name, data in columns.items():
        table[name] = data
    return table


def _scalar(value: Any) -> str | int | float | bool | None:
    if isinstance(value, np.generic):
        value = value.item()
    return value if isinstance(value, str | int | float | bool) else None


def _column(values: Iterable[Any]) -> NDArray[Any]:
    values = list(values)
    kinds = {type(value) for value in values}
    if kinds == {bool}:
        return np.array(values, dtype=bool)
    if kinds == {int} and all(abs(value) < 2**63 for value in values):
        return np.array(values, dtype=np.int64)
    if all(issubclass(kind, int | float | type(None)) for kind in kinds):
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    texts = ["" if value is None else str(value) for value in values]
    encoded = [text.encode("ascii", "replace") for text in texts]
    return np.array(encoded, dtype=f"S{max(1, *map(len, encoded))}")


def group_id(tree: Mapping[str, Any]) -> str:
    """
    Name the exposure that a file belongs to: the same for both detectors.

    Parameters
    ----------
    tree : mapping
        Tree of a model.

    Returns
    -------
    str
        ``meta.group_id`` if there is one, else built of the observation identifiers
        (``jwPPPPPOOOVVV_GGSAA_E``), else the file name.
    """
    given = get_path(tree, "meta.group_id")
    if given:
        return str(given)
    names = (
        "program_number",
        "observation_number",
        "visit_number",
        "visit_group",
        "sequence_id",
        "activity_id",
        "exposure_number",
    )
    parts = [get_path(tree, f"meta.observation.{name}") for name in names]
    if any(part is None for part in parts):
        return str(get_path(tree, "meta.filename", "unknown"))
    program, observation, visit, visit_group, sequence, activity, exposure = map(str, parts)
    return f"jw{program}{observation}{visit}_{visit_group}{sequence}{activity}_{exposure}"


def combine_exposure_times(product: dict[str, Any], sources: Sequence[Mapping[str, Any]]) -> int:
    """
    Sum the exposure times, each exposure once even if it has files of two detectors.

    Parameters
    ----------
    product : dict
        Tree of the product, changed in place.
    sources : sequence of mapping
        Trees of the exposures.

    Returns
    -------
    int
        The number of distinct exposures.
    """
    groups: dict[str, Mapping[str, Any]] = {}
    for source in sources:
        groups.setdefault(group_id(source), source)

    def values(name: str) -> list[float]:
        found = (get_path(source, f"meta.exposure.{name}") for source in groups.values())
        return _known(found, "sum")

    duration = values("duration")
    exposure_time = values("exposure_time")
    measured = values("measurement_time")
    combined: dict[str, float | None] = {
        "start_time": min(values("start_time"), default=None),
        "end_time": max(values("end_time"), default=None),
        "duration": sum(duration) if duration else None,
        "elapsed_exposure_time": sum(duration) if duration else None,
        "exposure_time": sum(exposure_time) if exposure_time else None,
        "effective_exposure_time": sum(exposure_time) if exposure_time else None,
        # A sum over some of the exposures only would be misleading.
        "measurement_time": sum(measured) if len(measured) == len(groups) else None,
    }
    for name, value in combined.items():
        set_path(product, f"meta.exposure.{name}", value)
    return len(groups)
