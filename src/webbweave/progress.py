"""What long work reports to: seconds per stage, and a bar on a terminal."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

__all__ = ["Progress"]

T = TypeVar("T")


@dataclass
class Progress:
    """
    Progress of one piece of work.

    Attributes
    ----------
    bar : bool
        Whether to draw progress bars; they appear on a terminal only.
    seconds : dict of str to float
        Wall time per stage so far [s].
    interrupted : bool
        Whether the user wants to stop. An interrupt alone may be lost in foreign code that catches
        whatever comes, such as the import of a compiled module.
    """

    bar: bool = False
    seconds: dict[str, float] = field(default_factory=dict)
    interrupted: bool = False

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """
        Count the time inside a ``with`` block towards a stage.

        Parameters
        ----------
        name : str
            The stage; blocks of the same name add up.

        Yields
        ------
        None
        """
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start

    def add(self, other: Progress) -> None:
        """
        Add the time that another piece of work took, such as one of several threads.

        Parameters
        ----------
        other : Progress
            Its seconds are added stage by stage.
        """
        for name, seconds in other.seconds.items():
            self.seconds[name] = self.seconds.get(name, 0.0) + seconds

    def track(self, items: Iterable[T], description: str, total: int | None = None) -> Iterable[T]:
        """
        Draw a bar while items are taken, and stop if the work is interrupted.

        Parameters
        ----------
        items : iterable
            What to go through.
        description : str
            What stands before the bar.
        total : int, optional
            The number of items, if they do not tell.

        Returns
        -------
        iterable
            The items; without a bar if none is wanted, or tqdm is not there.

        Raises
        ------
        KeyboardInterrupt
            On taking the next item, if `interrupted` is set.
        """
        if self.bar:
            try:
                from tqdm import tqdm
            except ImportError:
                return self._watched(items)
            items = tqdm(items, desc=description, total=total, leave=False, disable=None)
        return self._watched(items)

    def _watched(self, items: Iterable[T]) -> Iterator[T]:
        for item in items:
            if self.interrupted:
                raise KeyboardInterrupt
            yield item
