"""Combinations of transforms, and the simplest ones, as plain data.

Each does to plain numbers what the model of `astropy.modeling`, `gwcs` or `stdatamodels` of the
same meaning does, in the same order of operations.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from webbweave.wcs.program import Graph

__all__ = [
    "ARITHMETIC",
    "Arithmetic",
    "Beside",
    "Chain",
    "Choice",
    "Constant",
    "Fixed",
    "Foreign",
    "NotPlainError",
    "Scale",
    "Select",
    "Shift",
    "Transform",
]


class NotPlainError(Exception):
    """A model that is not known here, or has units, parameter sets or options of its own."""


@dataclass(frozen=True, slots=True)
class Transform(ABC):
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

    @abstractmethod
    def _record(self, graph: Graph, inputs: Sequence[int]) -> list[int]: ...


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
class Choice(Transform):
    """One of several transforms, by the first coordinate, which must be a constant and is kept."""

    names: tuple[float, ...]
    transforms: tuple[Transform, ...]

    @property
    def n_inputs(self) -> int:
        """Number of coordinates that go in."""
        return 1 + self.transforms[0].n_inputs

    @property
    def n_outputs(self) -> int:
        """Number of coordinates that come out."""
        return 1 + self.transforms[0].n_outputs

    def _record(self, graph: Graph, inputs: Sequence[int]) -> list[int]:
        name = graph.value(inputs[0])
        if name is None or name not in self.names:
            raise NotPlainError(f"expected one of {self.names} as name, found {name}")
        chosen = self.transforms[self.names.index(name)]
        return [inputs[0], *chosen.record(graph, inputs[1:])]


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
