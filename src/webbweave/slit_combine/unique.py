"""The distinct values of a column, and which rows hold them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Unique"]


class Unique:
    """
    The distinct values of a column, in ascending order.

    Indexing with a value gives the rows that hold it; iteration runs over the values.

    Parameters
    ----------
    values : sequence, shape (N,)
        The column: numbers, or text.

    Attributes
    ----------
    values : list
        The distinct values, ascending.
    indices : ndarray of int64, shape (N,)
        Where in `values` the value of each row stands.
    counts : list of int
        Number of rows of each value.
    N : int
        Number of distinct values.

    Examples
    --------
    >>> nods = Unique([2, 3, 1, 2])
    >>> nods.values, nods.counts
    ([1, 2, 3], [1, 2, 1])
    >>> nods[2]
    array([ True, False, False,  True])
    """

    def __init__(self, values: Sequence[Any] | NDArray[Any]) -> None:
        column = np.asarray(values)
        if column.ndim != 1:
            raise ValueError(f"values: expected one column, found shape {column.shape}")
        found, indices, counts = np.unique(column, return_inverse=True, return_counts=True)
        self.values: list[Any] = found.tolist()
        self.indices: NDArray[np.int64] = indices.astype(np.int64)
        self.counts: list[int] = counts.tolist()
        self.N: int = len(self.values)

    def __getitem__(self, value: Any) -> NDArray[np.bool_]:
        try:
            index = self.values.index(value)
        except ValueError:
            raise KeyError(f"{value!r} is none of the values {self.values}") from None
        return np.asarray(self.indices == index)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.values)

    def __contains__(self, value: Any) -> bool:
        return value in self.values

    def __len__(self) -> int:
        return self.N

    def __repr__(self) -> str:
        return f"Unique(values={self.values}, counts={self.counts})"
