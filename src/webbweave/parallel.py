"""The one place that knows threads: ranges of work are spread over a pool."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

__all__ = ["run_ranges", "thread_count"]

_FRACTIONS = {"none": 0.0, "quarter": 0.25, "half": 0.5, "all": 1.0}


def thread_count(maximum_cores: str | int | None = "none") -> int:
    """
    Translate the parameter ``maximum_cores`` of the JWST pipeline to a number of threads.

    Parameters
    ----------
    maximum_cores : str, int or None, optional
        'none' (one thread), 'quarter', 'half', 'all' of the processors that this process may use,
        or a positive number, also as text.

    Returns
    -------
    int
        The number of threads, at least 1 and at most the number of processors.

    Raises
    ------
    ValueError
        If the text is none of these, or the number is not positive.
    """
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    available = available or 1
    text = "none" if maximum_cores is None else str(maximum_cores).lower()
    if text in _FRACTIONS:
        return max(1, int(available * _FRACTIONS[text]))
    if not text.isdigit() or int(text) < 1:
        raise ValueError(
            "maximum_cores: expected 'none', 'quarter', 'half', 'all' or a positive number, "
            f"found {maximum_cores!r}"
        )
    return min(int(text), available)


def run_ranges(work: Callable[[int, int], None], size: int, threads: int = 1) -> None:
    """
    Call ``work(start, stop)`` for consecutive ranges that make up ``range(size)``.

    Parameters
    ----------
    work : callable
        Works on one range and touches nothing of the others; releases the GIL where it matters.
    size : int
        Length of the whole range.
    threads : int, optional
        Number of threads; with 1 the call is made directly.
    """
    threads = max(1, min(threads, size))
    if threads == 1:
        work(0, size)
        return
    edges = [size * i // threads for i in range(threads + 1)]
    with ThreadPoolExecutor(threads) as pool:
        for future in [pool.submit(work, *edge) for edge in pairwise(edges)]:
            future.result()
