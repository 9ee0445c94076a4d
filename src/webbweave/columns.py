"""Columns of a table before they are one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

__all__ = ["Columns", "stack_columns"]


@dataclass(frozen=True, eq=False)
class Columns:
    """
    Columns of one length.

    A `~astropy.table.Table` of many short columns takes milliseconds to be made; products are
    written without it.

    Attributes
    ----------
    arrays : dict of str to ndarray
        The columns by name, in order.
    meta : dict
        Metadata: values, or pairs of a value and a comment.
    units : dict of str to str
        Units of the columns that have one, as FITS writes them.
    """

    arrays: dict[str, NDArray[Any]]
    meta: dict[str, Any] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, table: Table | Columns) -> Columns:
        """
        Take the columns of a table.

        Parameters
        ----------
        table : `~astropy.table.Table` or Columns
            A table; masked values become those that fill them.

        Returns
        -------
        Columns
            Its columns, not copied.
        """
        if isinstance(table, Columns):
            return table
        return cls(
            {name: np.asarray(np.ma.filled(table[name])) for name in table.colnames},
            dict(table.meta),
            {
                name: table[name].unit.to_string("fits")
                for name in table.colnames
                if table[name].unit is not None
            },
        )

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values()), ()))

    def select(self, names: Iterable[str]) -> Columns:
        """
        Take some columns.

        Parameters
        ----------
        names : iterable of str
            Their names.

        Returns
        -------
        Columns
            These, with all metadata.
        """
        chosen = {name: self.arrays[name] for name in names}
        return Columns(chosen, self.meta, {k: u for k, u in self.units.items() if k in chosen})

    def table(self) -> Table:
        """
        Make the table.

        Returns
        -------
        `~astropy.table.Table`
            The table, with arrays of its own.
        """
        made = Table(self.arrays, meta=self.meta)
        for name, unit in self.units.items():
            made[name].unit = unit
        return made


def stack_columns(parts: Iterable[Mapping[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    """
    Put columns one after the other.

    Parameters
    ----------
    parts : iterable of mapping
        Columns by name; at least one mapping. A column that one lacks has NaN there, or no text.

    Returns
    -------
    dict of str to ndarray
        The columns of all, in the order in which they appear.
    """
    every = list(parts)
    names = list(dict.fromkeys(name for part in every for name in part))
    sizes = [len(next(iter(part.values()))) for part in every]

    def missing(name: str, size: int) -> NDArray[Any]:
        is_text = any(name in part and part[name].dtype.kind in "SU" for part in every)
        return np.full(size, "" if is_text else np.nan)

    return {
        name: np.concatenate(
            [
                part[name] if name in part else missing(name, size)
                for part, size in zip(every, sizes, strict=True)
            ]
        )
        for name in names
    }
