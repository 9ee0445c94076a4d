"""The one place that talks to Python's garbage collector."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["collector_paused", "old_objects_spared"]


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


@contextmanager
def old_objects_spared() -> Iterator[None]:
    """
    Let collections look at new objects only, and leave none of them behind.

    stpipe collects all garbage before a step runs, which takes longer than a small step itself:
    with a few open models there are 10^6 objects to look at, nearly all of them alive. Garbage
    among the old ones stays for the next collection after the block; that of the block itself, such
    as input models, which are full of reference cycles, is collected at its end.

    Yields
    ------
    None
    """
    if gc.get_freeze_count():  # somebody else keeps objects apart: leave that alone
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.collect()
        gc.unfreeze()
