"""Metadata of a product made from several exposures, by the rules that the JWST schemas state."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stdatamodels.jwst import datamodels as jwst_models
from stdatamodels.jwst.datamodels import JwstDataModel

from webbweave.datamodels.tree import get_path, set_path

__all__ = ["blend_metadata", "combine_exposure_times", "group_id", "header_table"]


@dataclass(frozen=True)
class _Entry:
    """What a schema says of one header value."""

    path: str
    keyword: str
    rule: str | None
    in_table: bool


@functools.cache
def _entries(model_name: str) -> tuple[_Entry, ...]:
    """All header values of a model class; the schema is walked once per class."""
    found = {}
    for path, node in _walk(getattr(jwst_models, model_name)().schema, ()):
        keyword, rule = node.get("fits_keyword"), node.get("blend_rule")
        if keyword or rule:
            name = ".".join(path)
            found[name] = _Entry(name, keyword or "", rule, bool(node.get("blend_table")))
    return tuple(found.values())


def _walk(
    node: Mapping[str, Any], path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    yield path, node
    for combiner in ("allOf", "anyOf", "oneOf"):
        for part in node.get(combiner, ()):
            yield from _walk(part, path)
    for name, part in node.get("properties", {}).items():
        yield from _walk(part, (*path, name))


def _multi(values: Sequence[Any]) -> Any:
    return values[0] if all(value == values[0] for value in values) else "MULTIPLE"


def _tolerance(values: Sequence[Any]) -> Any:
    outside = "outside calibration tolerance"
    return outside if outside in values else values[0]


#: How to combine the values of several exposures; "first" needs nothing done.
_RULES: Mapping[str, Callable[[Sequence[Any]], Any]] = {
    "multi": _multi,
    "mean": lambda values: float(np.mean(values)),
    "sum": lambda values: float(np.sum(values)),
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


def blend_metadata(
    product: dict[str, Any], sources: Sequence[Mapping[str, Any]], model_class: type[JwstDataModel]
) -> None:
    """
    Combine header values of several exposures.

    Parameters
    ----------
    product : dict
        Tree of the product, with the metadata of the first exposure; changed in place.
    sources : sequence of mapping
        Trees of the exposures.
    model_class : type
        Model class whose schema states the rules (``blend_rule``).
    """
    for entry in _entries(model_class.__name__):
        combine = _RULES.get(entry.rule or "")
        if combine is None:
            continue
        values = [get_path(source, entry.path) for source in sources]
        known = [value for value in values if value is not None]
        if known:
            set_path(product, entry.path, combine(known))


def header_table(
    sources: Sequence[Mapping[str, Any]], model_class: type[JwstDataModel]
) -> NDArray[np.void]:
    """
    Tabulate the header values of several exposures.

    Parameters
    ----------
    sources : sequence of mapping
        Trees of the exposures.
    model_class : type
        Model class whose schema states what belongs in the table (``blend_table``).

    Returns
    -------
    ndarray
        A structured array with one row per exposure and one field per FITS keyword that any of them
        has. Missing values are NaN or empty.
    """
    columns: dict[str, NDArray[Any]] = {}
    for entry in _entries(model_class.__name__):
        if not entry.in_table or not entry.keyword or entry.keyword in columns:
            continue
        values = [get_path(source, entry.path) for source in sources]
        if any(isinstance(value, str | int | float | bool) for value in values):
            columns[entry.keyword] = _column(values)
    table = np.empty(len(sources), dtype=[(name, data.dtype) for name, data in columns.items()])
    for name, data in columns.items():
        table[name] = data
    return table


def _column(values: Iterable[Any]) -> NDArray[Any]:
    values = list(values)
    known = [value for value in values if value is not None]
    if all(isinstance(value, bool) for value in known) and len(known) == len(values):
        return np.array(values, dtype=bool)
    if all(isinstance(value, int) for value in known) and len(known) == len(values):
        return np.array(values, dtype=np.int64)
    if all(isinstance(value, int | float) for value in known):
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    texts = ["" if value is None else str(value) for value in values]
    width = max(1, *(len(text.encode("ascii", "replace")) for text in texts))
    return np.array([text.encode("ascii", "replace") for text in texts], dtype=f"S{width}")


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
        return [value for value in found if value is not None]

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
