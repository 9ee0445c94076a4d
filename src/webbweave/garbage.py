"""The one place that talks to Python's garbage collector."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["Remembered", "collector_paused", "old_objects_spared"]

#: So much garbage may lie about: some spectra, but no two images.
_MOST_BYTES = 64_000_000


@contextmanager
def collector_paused() -> Iterator[None]:
    """
    Hold automatic collections while a tree is built.

    A WCS is some 10^5 small objects that all stay alive: the collections that their creation
    triggers free nothing, and take as long as the parsing.

    Yields
    ------
    None
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class Remembered:
    """
    Things that hold much memory, and are full of reference cycles, and how much of it may be lost.

    Whether something in a cycle is still in use is known after a full collection only. What one has
    left alive is taken to be in use; what came later, and is not held for certain, may be garbage,
    and so may be what was in a thing that has gone.
    """

    def __init__(self) -> None:
        self._entries: dict[int, tuple[weakref.ref[Any], int]] = {}
        self._in_use: set[int] = set()
        self._left_behind = 0

    def add(self, thing: Any, n_bytes: int, in_cycles: int) -> None:
        """
        Remember one more.

        Parameters
        ----------
        thing : object
            What can be referred to weakly.
        n_bytes : int
            Its memory.
        in_cycles : int
            That which it leaves behind in any case.
        """
        key = id(thing)
        if key in self._entries:
            return

        def forget(_: weakref.ref[Any]) -> None:
            del self._entries[key]
            self._in_use.discard(key)
            self._left_behind += in_cycles

        self._entries[key] = weakref.ref(thing, forget), n_bytes

    def lost_bytes(self, held: Iterable[Any] = ()) -> int:
        """
        Add up the memory of what may be garbage.

        Parameters
        ----------
        held : iterable of object, optional
            What is in use for certain.

        Returns
        -------
        int
            Bytes.
        """
        in_use = self._in_use.union(map(id, held))
        found = (size for key, (_, size) in list(self._entries.items()) if key not in in_use)
        return self._left_behind + sum(found)

    def collect(self) -> None:
        """Collect all garbage; what is left is in use."""
        gc.collect()
        self._in_use = set(self._entries)
        self._left_behind = 0


@contextmanager
def old_objects_spared(
    lost_bytes: int = 0, collect: Callable[[], Any] = gc.collect
) -> Iterator[None]:
    """
    Let collections look at new objects only, and leave none of them behind.

    stpipe collects all garbage before a step runs, which takes longer than a small step itself:
    with a few open models there are 10^6 objects to look at, nearly all of them alive. Garbage
    among the old ones stays until there is enough of it, or for the next collection of all; that of
    the block itself is collected at its end.

    Parameters
    ----------
    lost_bytes : int, optional
        How much memory may be given back by a collection of the old ones: from 64 MB on it is made,
        at the beginning.
    collect : callable, optional
        Makes it.

    Yields
    ------
    None
    """
    if gc.get_freeze_count():  # somebody else keeps objects apart: leave that alone
        yield
        return
    if lost_bytes >= _MOST_BYTES:
        collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.collect()
        gc.unfreeze()
