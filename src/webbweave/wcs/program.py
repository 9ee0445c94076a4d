"""Straight-line programs on arrays: what is left of a transform once its Python objects are gone.

A transform records itself once in a `Graph`. Routing of coordinates (mappings, identities,
concatenation) leaves nothing behind, equal expressions become one, what depends on constants only
is computed at once, and what no output needs is dropped. What remains is a list of calls on arrays.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Graph", "Program"]

#: Pixels that a program handles at a time: 64 kB per array, so that the few arrays alive at any
#: time stay in the cache of one core.
_CHUNK = 8192

_Function = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class _Instruction:
    """``slots[output] = function(*parameters, *slots[arguments])``, then forget some slots."""

    function: _Function
    parameters: tuple[Any, ...]
    arguments: tuple[int, ...]
    output: int
    forget: tuple[int, ...] = ()


class Graph:
    """
    Records the expressions of a transform.

    Parameters
    ----------
    n_inputs : int
        Number of coordinates that go in; they are the slots ``0 … n_inputs - 1``.
    """

    def __init__(self, n_inputs: int) -> None:
        self.n_inputs = n_inputs
        self._n_slots = n_inputs
        self._values: dict[int, float] = {}
        self._slot_of_value: dict[str, int] = {}
        self._slot_of_call: dict[tuple[Any, ...], int] = {}
        self._instructions: list[_Instruction] = []
        self._whole = False

    def _new_slot(self) -> int:
        self._n_slots += 1
        return self._n_slots - 1

    def constant(self, value: float) -> int:
        """
        Return the slot of a constant.

        Parameters
        ----------
        value : float
            The constant.

        Returns
        -------
        int
            The slot that holds it.
        """
        key = float(value).hex()  # tells -0.0 from 0.0, and finds NaN again
        if key not in self._slot_of_value:
            self._slot_of_value[key] = slot = self._new_slot()
            self._values[slot] = float(value)
        return self._slot_of_value[key]

    def value(self, slot: int) -> float | None:
        """
        Look up what is known of a slot.

        Parameters
        ----------
        slot : int
            The slot.

        Returns
        -------
        float or None
            Its value, if it is a constant.
        """
        return self._values.get(slot)

    def call(self, function: _Function, *arguments: int, parameters: tuple[Any, ...] = ()) -> int:
        """
        Record a call that acts on each element by itself.

        Parameters
        ----------
        function : callable
            Takes `parameters` and then one array or scalar per argument, gives a new one.
        *arguments : int
            Slots.
        parameters : tuple, optional
            Hashable things that are the same for all elements.

        Returns
        -------
        int
            The slot of the result.
        """
        values = self._values
        if arguments and all(argument in values for argument in arguments):
            with np.errstate(all="ignore"):
                numbers = [np.float64(values[argument]) for argument in arguments]
                return self.constant(float(function(*parameters, *numbers)))
        key = (function, parameters, arguments)
        if key not in self._slot_of_call:
            self._slot_of_call[key] = slot = self._new_slot()
            self._instructions.append(_Instruction(function, parameters, arguments, slot))
        return self._slot_of_call[key]

    def add(self, one: int, other: int) -> int:
        """
        Record a sum; adding zero costs nothing.

        Parameters
        ----------
        one, other : int
            Slots.

        Returns
        -------
        int
            The slot of the sum.
        """
        if self._values.get(other) == 0.0:
            return one
        return self.call(np.add, one, other)

    def multiply(self, one: int, other: int) -> int:
        """
        Record a product; multiplying by one costs nothing.

        Parameters
        ----------
        one, other : int
            Slots.

        Returns
        -------
        int
            The slot of the product.
        """
        if self._values.get(other) == 1.0:
            return one
        return self.call(np.multiply, one, other)

    def call_whole(self, function: _Function, *arguments: int, n_outputs: int) -> list[int]:
        """
        Record a call of something unknown, which must see the arrays in their true shape.

        Parameters
        ----------
        function : callable
            Takes one array per argument, gives one array, or a tuple for several outputs.
        *arguments : int
            Slots.
        n_outputs : int
            Number of outputs.

        Returns
        -------
        list of int
            The slots of the results.
        """
        self._whole = True
        bundle = self._new_slot()
        # The first input tells the shape that constants are to be spread to.
        self._instructions.append(_Instruction(_spread, (function,), (0, *arguments), bundle))
        return [
            self.call(_item, bundle, parameters=(index, n_outputs)) for index in range(n_outputs)
        ]

    def program(self, outputs: Sequence[int]) -> Program:
        """
        Finish.

        Parameters
        ----------
        outputs : sequence of int
            The slots wanted.

        Returns
        -------
        Program
            What computes them.
        """
        wanted = set(outputs)
        kept: list[_Instruction] = []
        for step in reversed(self._instructions):
            if step.output not in wanted:
                continue
            last_use = set(step.arguments) - wanted - self._values.keys()
            wanted.update(step.arguments)
            kept.append(
                _Instruction(
                    step.function, step.parameters, step.arguments, step.output, tuple(last_use)
                )
            )
        slots: list[Any] = [None] * self._n_slots
        for slot, value in self._values.items():
            slots[slot] = value
        return Program(self.n_inputs, tuple(outputs), tuple(reversed(kept)), slots, self._whole)


class Program:
    """
    A finished program: call it with coordinates.

    Parameters
    ----------
    n_inputs : int
        Number of coordinates that go in.
    outputs : tuple of int
        Slots that come out.
    instructions : tuple
        What to do.
    slots : list
        The slots at the start: constants, and None.
    whole : bool
        Whether an instruction depends on the shape of the arrays.
    """

    __slots__ = ("_instructions", "_outputs", "_slots", "_whole", "n_inputs")

    def __init__(
        self,
        n_inputs: int,
        outputs: tuple[int, ...],
        instructions: tuple[_Instruction, ...],
        slots: list[Any],
        whole: bool,
    ) -> None:
        self.n_inputs = n_inputs
        self._outputs = outputs
        self._instructions = instructions
        self._slots = slots
        self._whole = whole

    @property
    def n_outputs(self) -> int:
        """Number of coordinates that come out."""
        return len(self._outputs)

    def __len__(self) -> int:
        return len(self._instructions)

    def __call__(self, *inputs: ArrayLike) -> Any:
        """
        Evaluate.

        Parameters
        ----------
        *inputs : array_like
            Coordinates, broadcast against each other.

        Returns
        -------
        ndarray of float64, float, or tuple of these
            As many as there are outputs, in the common shape of the inputs; new arrays.

        Raises
        ------
        TypeError
            If the number of coordinates is wrong.
        """
        if len(inputs) != self.n_inputs:
            raise TypeError(f"expected {self.n_inputs} coordinates, found {len(inputs)}")
        arrays = np.broadcast_arrays(*(np.asarray(item, dtype=np.float64) for item in inputs))
        shape = arrays[0].shape
        with np.errstate(all="ignore"):
            if self._whole:
                results = [
                    np.array(np.broadcast_to(result, shape), dtype=np.float64)
                    for result in self._run(arrays)
                ]
            else:
                results = self._run_in_chunks([array.reshape(-1) for array in arrays])
        shaped = tuple(result.reshape(shape)[()] for result in results)
        return shaped[0] if len(shaped) == 1 else shaped

    def _run_in_chunks(self, arrays: list[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
        size = arrays[0].size
        results = [np.empty(size) for _ in self._outputs]
        n_chunks = -(-size // _CHUNK)
        edges = [size * index // n_chunks for index in range(n_chunks + 1)] if size else []
        for start, stop in itertools.pairwise(edges):
            part = self._run([array[start:stop] for array in arrays])
            for result, values in zip(results, part, strict=True):
                result[start:stop] = values
        return results

    def _run(self, arrays: Sequence[NDArray[np.float64]]) -> list[Any]:
        slots = self._slots.copy()
        slots[: self.n_inputs] = arrays
        for step in self._instructions:
            slots[step.output] = step.function(
                *step.parameters, *[slots[argument] for argument in step.arguments]
            )
            for slot in step.forget:
                slots[slot] = None
        return [slots[output] for output in self._outputs]


def _spread(function: _Function, like: NDArray[np.float64], *arguments: Any) -> Any:
    return function(*(np.broadcast_to(argument, like.shape).copy() for argument in arguments))


def _item(index: int, n_outputs: int, bundle: Any) -> Any:
    return bundle if n_outputs == 1 else bundle[index]
