"""The transforms that occur in the WCS of JWST exposures, as plain data.

Each does what the model of `astropy.modeling`, `gwcs` or `stdatamodels` of the same meaning does to
plain numbers, in the same order of operations.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from webbweave.wcs.program import Graph

__all__ = [
    "Affine",
    "Arithmetic",
    "Beside",
    "Chain",
    "Condition",
    "Constant",
    "DirectionCosines",
    "Fixed",
    "Foreign",
    "Grating",
    "GratingWavelength",
    "Polynomial1",
    "Polynomial2",
    "PrismIndex",
    "Rotation2",
    "Rotation3",
    "RotationToGwa",
    "Scale",
    "Select",
    "Shift",
    "Table",
    "ToCartesian",
    "ToSpherical",
    "Transform",
    "table",
]

_Array = NDArray[np.float64]
#: Ends of an interval.
Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Transform:
    """Base of all."""

    #: Number of coordinates that go in and come out.
    _counts: ClassVar[tuple[int, int]] = (1, 1)

    @property
    def n_inputs(self) -> int:
        """Number of coordinates that go in."""
        return self._counts[0]

    @property
    def n_outputs(self) -> int:
        """Number of coordinates that come out."""
        return self._counts[1]

    def record(self, graph: Graph, inputs: Sequence[int]) -> list[int]:
        """
        Record what the transform computes.

        Parameters
        ----------
        graph : Graph
            Where to record.
        inputs : sequence of int
            Slots of the coordinates that go in.

        Returns
        -------
        list of int
            Slots of the coordinates that come out.
        """
        return self._record(graph, inputs)

    def _record(self, graph: Graph, inputs: Sequence[int]) -> list[int]:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Chain(Transform):
    """One transform after the other."""

    first: Transform
    second: Transform

    @property
    def n_inputs(self) -> int:
        """Number of coordinates that go in."""
        return self.first.n_inputs

    @property
    def n_outputs(self) -> int:
        """Number of coordinates that come out."""
        return self.second.n_outputs

    def _record(self, graph: Graph, inputs: Sequence[int]) -> list[int]:
        return self.second.record(graph, self.first.record(graph, inputs))


@dataclass(frozen=True, slots=True)
class Beside(Transform):
    """Two transforms on separate coordinates."""

    first: Transform
    second: Transform

    @property
    def n_inputs(self) -> int:
        """Number of coordinates that go in."""
        return self.first.n_inputs + self.second.n_inputs

    @property
    def n_outputs(self) -> int:
        """Number of coordinates that come out."""
        return self.first.n_outputs + self.second.n_outputs

    def _record(self, graph: Graph, inputs: Sequence[int]) -> list[int]:
        n_first = self.first.n_inputs
        first = self.first.record(graph, inputs[:n_first])
        return first + self.second.record(graph, inputs[n_first:])


@dataclass(frozen=True, slots=True)
class Arithmetic(Transform):
    """Two transforms of the same coordinates, their results added, multiplied or the like."""

    operation: str
    first: Transform
    second: Transform

    @property
    def n_inputs(self) -> int:
        """Number of coordinates that go in."""
        return self.first.n_inputs

    @property
    def n_outputs(self) -> int:
        """Number of coordinates that come out."""
        return self.first.n_outputs

    def _record(self, graph: Graph, inputs: Sequence[int]) -> list[int]:
        pairs = zip(
            self.first.record(graph, inputs), self.second.record(graph, inputs), strict=True
        )
        function = ARITHMETIC[self.operation]
        return [graph.call(function, one, other) for one, other in pairs]


#: The arithmetic that models can be combined by.
ARITHMETIC: Mapping[str, Callable[..., Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "**": np.power,
}


@dataclass(frozen=True, slots=True)
class Fixed(Transform):
    """A transform with some of its inputs (by number) fixed."""

    transform: Transform
    values: tuple[tuple[int, float], ...]

    @property
    def n_inputs(self) -> int:
        """Number of coordinates that go in."""
        return self.transform.n_inputs - len(self.values)

    @property
    def n_outputs(self) -> int:
        """Number of coordinates that come out."""
        return self.transform.n_outputs

    def _record(self, graph: Graph, inputs: Sequence[int]) -> list[int]:
        fixed = {index: graph.constant(value) for index, value in self.values}
        free = iter(inputs)
        every = [
            fixed[index] if index in fixed else next(free)
            for index in range(self.transform.n_inputs)
        ]
        return self.transform.record(graph, every)


@dataclass(frozen=True, slots=True)
class Select(Transform):
    """Coordinates picked by number: a mapping, or the identity."""

    available: int
    mapping: tuple[int, ...]

    @property
    def n_inputs(self) -> int:
        """Number of coordinates that go in."""
        return self.available

    @property
    def n_outputs(self) -> int:
        """Number of coordinates that come out."""
        return len(self.mapping)

    def _record(self, graph: Graph, inputs: Sequence[int]) -> list[int]:
        return [inputs[index] for index in self.mapping]


@dataclass(frozen=True, slots=True)
class Constant(Transform):
    """Always the same."""

    value: float

    def _record(self, graph: Graph, inputs: Sequence[int]) -> list[int]:
        return [graph.constant(self.value)]


@dataclass(frozen=True, slots=True)
class Shift(Transform):
    """Addition of a number."""

    offset: float

    def _record(self, graph: Graph, inputs: Sequence[int]) -> list[int]:
        return [graph.add(inputs[0], graph.constant(self.offset))]


@dataclass(frozen=True, slots=True)
class Scale(Transform):
    """Multiplication by a number."""

    factor: float

    def _record(self, graph: Graph, inputs: Sequence[int]) -> list[int]:
        return [graph.multiply(inputs[0], graph.constant(self.factor))]


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


def _linear(graph: Graph, weights: Sequence[float], inputs: Sequence[int], offset: float) -> int:
    """Sum of weighted coordinates and an offset."""
    total = graph.multiply(inputs[0], graph.constant(weights[0]))
    for weight, slot in zip(weights[1:], inputs[1:], strict=True):
        total = graph.call(np.add, total, graph.multiply(slot, graph.constant(weight)))
    return graph.add(total, graph.constant(offset))


@dataclass(frozen=True, slots=True)
class Affine(Transform):
    """A 2 x 2 matrix and a translation."""

    matrix: tuple[tuple[float, float], tuple[float, float]]
    translation: tuple[float, float]

    _counts: ClassVar[tuple[int, int]] = (2, 2)

    def _record(self, graph: Graph, inputs: Sequence[int]) -> list[int]:
        rows = zip(self.matrix, self.translation, strict=True)
        return [_linear(graph, row, inputs, offset) for row, offset in rows]


def Rotation2(angle: float) -> Affine:  # noqa: N802
    """
    Rotation in a plane.

    Parameters
    ----------
    angle : float
        Anticlockwise angle [radian].

    Returns
    -------
    Affine
        The rotation.
    """
    cosine, sine = math.cos(angle), math.sin(angle)
    return Affine(((cosine, -sine), (sine, cosine)), (0.0, 0.0))


@dataclass(frozen=True, slots=True)
class Rotation3(Transform):
    """Rotations about several axes, one after the other; angles [radian]."""

    _counts: ClassVar[tuple[int, int]] = (3, 3)

    angles: tuple[float, ...]
    axes: str

    def _record(self, graph: Graph, inputs: Sequence[int]) -> list[int]:
        matrix = np.eye(3)
        for angle, axis in zip(self.angles, self.axes, strict=True):
            matrix = _about(axis, angle) @ matrix
        return [_linear(graph, [float(value) for value in row], inputs, 0.0) for row in matrix]


def _about(axis: str, angle: float) -> _Array:
    """Matrix of the rotation of the coordinate system about one axis."""
    cosine, sine = math.cos(angle), math.sin(angle)
    first, second = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrix = np.eye(3)
    matrix[first, first] = matrix[second, second] = cosine
    matrix[first, second] = sine
    matrix[second, first] = -sine
    return matrix


@dataclass(frozen=True, slots=True)
class RotationToGwa(Transform):
    """Rotations of a unit vector, whose third component is recomputed each time; [radian]."""

    _counts: ClassVar[tuple[int, int]] = (3, 3)

    angles: tuple[float, ...]
    axes: str

    def _record(self, graph: Graph, inputs: Sequence[int]) -> list[int]:
        x, y, z = inputs
        for angle, axis in zip(self.angles, self.axes, strict=True):
            # numpy's sine, not that of the mathematics library: they may differ in the last digit.
            cosine, sine = float(np.cos(angle)), float(np.sin(angle))
            if axis == "x":
                y = _linear(graph, (cosine, sine), (y, z), 0.0)
            elif axis == "y":
                x = _linear(graph, (cosine, -sine), (x, z), 0.0)
            else:
                turned = _linear(graph, (cosine, sine), (x, y), 0.0)
                x, y = turned, _linear(graph, (-sine, cosine), (x, y), 0.0)
            z = graph.call(_third_cosine, x, y)
        return [x, y, z]


def _third_cosine(x: _Array, y: _Array) -> Any:
    return np.sqrt(1 - x**2 - y**2)


@dataclass(frozen=True, slots=True)
class DirectionCosines(Transform):
    """The unit vector along (x, y, 1)."""

    _counts: ClassVar[tuple[int, int]] = (2, 3)

    def _record(self, graph: Graph, inputs: Sequence[int]) -> list[int]:
        length = graph.call(_length, *inputs)
        parts = (*inputs, graph.constant(1.0))
        return [graph.call(np.divide, part, length) for part in parts]


def _length(x: _Array, y: _Array) -> Any:
    return np.sqrt(1.0 + x**2 + y**2)


@dataclass(frozen=True, slots=True)
class PrismIndex(Transform):
    """Index of refraction that the NIRSpec prism must have for these angles; its own [radian]."""

    _counts: ClassVar[tuple[int, int]] = (3, 1)

    angle: float

    def _record(self, graph: Graph, inputs: Sequence[int]) -> list[int]:
        sine, cosine = math.sin(self.angle), math.cos(self.angle)
        factor, divisor = 1 - 2 * sine**2, 2 * sine * cosine
        return [graph.call(_prism_index, *inputs, parameters=(factor, divisor))]


def _prism_index(factor: float, divisor: float, a_in: _Array, b_in: _Array, a_out: _Array) -> Any:
    return np.sqrt(((a_out + a_in * factor) / divisor) ** 2 + a_in**2 + b_in**2)


@dataclass(frozen=True, slots=True)
class Grating(Transform):
    """Wavelength that a grating sends from one angle to another; groove density times order."""

    density: float

    _counts: ClassVar[tuple[int, int]] = (2, 1)

    def _record(self, graph: Graph, inputs: Sequence[int]) -> list[int]:
        total = graph.call(np.add, *inputs)
        return [graph.call(np.divide, total, graph.constant(self.density))]


@dataclass(frozen=True, slots=True)
class GratingWavelength(Transform):
    """As `Grating`, of the opposite sign and with an angle between the two that has no effect."""

    _counts: ClassVar[tuple[int, int]] = (3, 1)

    density: float

    def _record(self, graph: Graph, inputs: Sequence[int]) -> list[int]:
        total = graph.call(np.add, inputs[0], inputs[2])
        return [graph.call(np.divide, graph.call(np.negative, total), graph.constant(self.density))]


@dataclass(frozen=True, slots=True)
class ToCartesian(Transform):
    """Longitude and latitude [degree] to a unit vector."""

    _counts: ClassVar[tuple[int, int]] = (2, 3)

    def _record(self, graph: Graph, inputs: Sequence[int]) -> list[int]:
        lon, lat = (graph.call(np.deg2rad, slot) for slot in inputs)
        cosine = graph.call(np.cos, lat)
        return [
            graph.call(np.multiply, cosine, graph.call(np.cos, lon)),
            graph.call(np.multiply, cosine, graph.call(np.sin, lon)),
            graph.call(np.sin, lat),
        ]


@dataclass(frozen=True, slots=True)
class ToSpherical(Transform):
    """A vector to longitude and latitude [degree]; longitude up to 180 or 360."""

    wrap: int

    _counts: ClassVar[tuple[int, int]] = (3, 2)

    def _record(self, graph: Graph, inputs: Sequence[int]) -> list[int]:
        x, y, z = inputs
        distance = graph.call(np.hypot, x, y)
        return [
            graph.call(_longitude, x, y, distance, parameters=(self.wrap,)),
            graph.call(np.rad2deg, graph.call(np.arctan2, z, distance)),
        ]


def _longitude(wrap: int, x: _Array, y: _Array, distance: _Array) -> Any:
    lon = np.where(distance == 0, 0.0, np.rad2deg(np.arctan2(y, x)))
    return lon if wrap == 180 else np.where(lon < 0, lon + 360.0, lon)


@dataclass(frozen=True, slots=True)
class Foreign(Transform):
    """A model that is not known here: called as it is."""

    model: Any

    @property
    def n_inputs(self) -> int:
        """Number of coordinates that go in."""
        return int(self.model.n_inputs)

    @property
    def n_outputs(self) -> int:
        """Number of coordinates that come out."""
        return int(self.model.n_outputs)

    def _record(self, graph: Graph, inputs: Sequence[int]) -> list[int]:
        return graph.call_whole(self.model, *inputs, n_outputs=self.n_outputs)
