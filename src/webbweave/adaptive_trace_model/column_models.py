"""The splines of a region in the form of jwst: a dictionary for each column, made on demand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.interpolate import BSpline

    from webbweave.adaptive_trace_model.splines import TraceModel

__all__ = ["ColumnModels", "trace_of"]


class ColumnModels(MutableMapping[int, dict[str, Any]]):
    """
    Column to ``{"model": BSpline, "scale": float, "bounds": (lower, upper)}``, for one region.

    What is asked for is made then, and kept: an exposure has tens of thousands of splines, and
    most are only evaluated, which takes the flat arrays. Otherwise this is a dictionary; items may
    be changed, added and taken away, which leaves the trace model as it is.

    Parameters
    ----------
    trace : TraceModel
        The splines.
    region : int
        Number of the region, one of ``trace.labels``.
    order : ndarray of int, optional
        The columns in the order in which they are to come; ascending by default. Those without a
        model are absent.

    Raises
    ------
    KeyError
        If there is no such region.
    """

    def __init__(
        self, trace: TraceModel, region: int, order: NDArray[np.integer] | None = None
    ) -> None:
        model = trace.model[trace.row(region)]
        columns = np.arange(len(model)) if order is None else order
        self._trace, self._region, self._source = trace, region, model
        self._items: dict[int, dict[str, Any] | None]
        self._items = dict.fromkeys(columns[model[columns] >= 0].tolist())
        self._splines: dict[int, BSpline] = {}
        self._is_complete = order is None

    @property
    def untouched(self) -> tuple[TraceModel, int] | None:
        """The trace model and the region, if these are all its columns and none was handed out."""
        n_model = np.count_nonzero(self._source >= 0)
        is_whole = self._is_complete and len(self._items) == n_model
        is_new = not any(item is not None for item in self._items.values())
        return (self._trace, self._region) if is_whole and is_new else None

    def __getitem__(self, column: int) -> dict[str, Any]:
        item = self._items[column]
        if item is None:
            item = self._items[column] = self._made(column)
        return item

    def _made(self, column: int) -> dict[str, Any]:
        source = int(self._source[column])
        spline = self._splines.get(source)
        if spline is None:  # columns may share one
            spline = self._splines[source] = self._trace.spline(self._region, column)
        row = self._trace.row(self._region)
        bounds = float(self._trace.lower[row, source]), float(self._trace.upper[row, source])
        return {"model": spline, "scale": float(self._trace.scale[row, column]), "bounds": bounds}

    def __setitem__(self, column: int, item: dict[str, Any]) -> None:
        if item is None:
            raise TypeError(f"column {column}: expected a model, found None; del takes it away")
        self._items[column] = item

    def __delitem__(self, column: int) -> None:
        del self._items[column]

    def __iter__(self) -> Iterator[int]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, column: object) -> bool:
        return column in self._items

    def copy(self) -> dict[int, dict[str, Any]]:
        """
        Make a dictionary of the same items.

        Returns
        -------
        dict
            Column to its item.
        """
        return dict(self)

    __copy__ = copy

    def __repr__(self) -> str:
        return f"<models of region {self._region}, {len(self)} columns>"


def trace_of(models: Mapping[int, Any], n_column: int) -> TraceModel | None:
    """
    Give the trace model that dictionaries of models are made from, if they still say the same.

    Parameters
    ----------
    models : mapping
        Region to models by column.
    n_column : int
        Width that the image must have.

    Returns
    -------
    TraceModel or None
        None unless these are `ColumnModels` of all regions of one trace model, as they were made.
    """
    found = [
        columns.untouched if isinstance(columns, ColumnModels) else None
        for columns in models.values()
    ]
    if not found or found[0] is None:
        return None
    trace = found[0][0]
    has_all = list(models) == trace.labels.tolist() and trace.model.shape[1] == n_column
    is_same = all(
        one is not None and one[0] is trace and one[1] == region
        for region, one in zip(models, found, strict=True)
    )
    return trace if has_all and is_same else None
