"""Transforms of geometry and optics: rotations, unit vectors, prism, grating, sphere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from webbweave.wcs.program import Graph
from webbweave.wcs.transforms import Transform

__all__ = [
    "Affine",
    "DirectionCosines",
    "Grating",
    "GratingWavelength",
    "PrismIndex",
    "Rotation2",
    "Rotation3",
    "RotationToGwa",
    "ToCartesian",
    "ToSpherical",
]

_Array = NDArray[np.float64]


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
