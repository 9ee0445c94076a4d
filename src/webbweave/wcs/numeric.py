"""Transforms that are plain functions of numbers: polynomials, tables, conditions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from webbweave.wcs.program import Graph
from webbweave.wcs.transforms import Transform

__all__ = [
    "CONDITIONS",
    "Condition",
    "Polynomial1",
    "Polynomial2",
    "Table",
    "table",
]

_Array = NDArray[np.float64]
#: Ends of an interval.
Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Polynomial1(Transform):
    """A polynomial; coefficients from the constant upwards."""

    coefficients: tuple[float, ...]
    domain: Interval
    window: Interval

    def _record(self, graph: Graph, inputs: Sequence[int]) -> list[int]:
        x = _map_domain(graph, inputs[0], self.domain, self.window)
        return [graph.call(_polynomial_1, x, parameters=(self.coefficients,))]


@dataclass(frozen=True, slots=True)
class Polynomial2(Transform):
    """A polynomial of x and y: ``coefficients[i][j]`` is that of x^j y^i."""

    coefficients: tuple[tuple[float, ...], ...]
    domains: tuple[Interval, Interval]
    windows: tuple[Interval, Interval]

    _counts: ClassVar[tuple[int, int]] = (2, 1)

    def _record(self, graph: Graph, inputs: Sequence[int]) -> list[int]:
        x, y = (
            _map_domain(graph, *item)
            for item in zip(inputs, self.domains, self.windows, strict=True)
        )
        return [graph.call(_polynomial_2, x, y, parameters=(self.coefficients,))]


def _map_domain(graph: Graph, x: int, domain: Interval, window: Interval) -> int:
    (d0, d1), (w0, w1) = domain, window
    scale = (w1 - w0) / (d1 - d0)
    offset = (w0 * d1 - w1 * d0) / (d1 - d0)
    return graph.add(graph.multiply(x, graph.constant(scale)), graph.constant(offset))


def _polynomial_1(coefficients: tuple[float, ...], x: _Array) -> Any:
    result: Any = coefficients[-1]
    if len(coefficients) > 1:
        result = result * x  # a new array: what follows works in place
        result += coefficients[-2]
        for coefficient in coefficients[-3::-1]:
            result *= x
            result += coefficient
    return result


def _polynomial_2(rows: tuple[tuple[float, ...], ...], x: _Array, y: _Array) -> Any:
    result = _polynomial_1(rows[-1], x)
    for row in rows[-2::-1]:
        result = result * y
        result += _polynomial_1(row, x)
    return result


@dataclass(frozen=True, slots=True, eq=False)
class Table(Transform):
    """Linear interpolation in a table with increasing points; a fill value outside of it."""

    points: _Array
    values: _Array
    fill: float

    def _record(self, graph: Graph, inputs: Sequence[int]) -> list[int]:
        return [graph.call(_Lookup(self), inputs[0])]


def table(points: Any, values: Any, fill: float) -> Table | None:
    """
    Make a table of any arrays.

    Parameters
    ----------
    points, values : array_like, shape (n,)
        Where, and what.
    fill : float
        The value outside.

    Returns
    -------
    Table or None
        The table, or None if `points` neither increases nor decreases all the way.
    """
    points, values = np.array(points, dtype=np.float64), np.array(values, dtype=np.float64)
    if points.ndim != 1 or points.shape != values.shape or not points.size:
        return None
    if points[0] > points[-1]:
        points, values = points[::-1].copy(), values[::-1].copy()
    return Table(points, values, fill) if bool(np.all(np.diff(points) > 0)) else None


class _Lookup:
    """A function that is hashable by the table that it looks into."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def __call__(self, x: _Array) -> _Array:
        table = self._table
        found: _Array = np.interp(x, table.points, table.values, table.fill, table.fill)
        return found

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Lookup) and other._table is self._table

    def __hash__(self) -> int:
        return id(self._table)


@dataclass(frozen=True, slots=True)
class Condition(Transform):
    """Values that are greater than, less than, … a number are replaced."""

    condition: str
    compare_to: float
    value: float

    def _record(self, graph: Graph, inputs: Sequence[int]) -> list[int]:
        function = CONDITIONS[self.condition]
        return [graph.call(_replace, inputs[0], parameters=(function, self.compare_to, self.value))]


#: The comparisons of a condition.
CONDITIONS: Mapping[str, Callable[..., Any]] = {
    "GT": np.greater,
    "LT": np.less,
    "EQ": np.equal,
    "NE": np.not_equal,
}


def _replace(condition: Callable[..., Any], compare_to: float, value: float, x: _Array) -> Any:
    replaced = condition(x, compare_to)
    if condition is np.not_equal:
        replaced &= ~np.isnan(x)  # NaN is never compared
    return np.where(replaced, value, x)
