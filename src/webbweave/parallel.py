"""The one place that knows threads, processes and executors, over which work is spread."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, Protocol, TypeVar

__all__ = ["Submits", "run_in_order", "run_ranges", "thread_count", "worker_processes"]

T = TypeVar("T")
R = TypeVar("R")

#: What tells the libraries of linear algebra how many threads to use, before they are loaded.
_THREADS_OF_LIBRARIES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

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
        Number of threads, of which the caller's is one; with 1 the call is made directly.
    """
    threads = max(1, min(threads, size))
    if threads == 1:
        work(0, size)
        return
    first, *others = pairwise(size * i // threads for i in range(threads + 1))
    with ThreadPoolExecutor(threads - 1) as pool:
        futures = [pool.submit(work, *edge) for edge in others]
        work(*first)
        for future in futures:
            future.result()


@contextmanager
def worker_processes(count: int) -> Iterator[Executor | None]:
    """
    Start processes for work that is mostly Python, which threads do one at a time.

    They are started afresh (``spawn``): a script that gets here needs the guard
    ``if __name__ == "__main__"``. They log as this process does, leave interrupts to it, and use
    one thread each for linear algebra, unless the environment says otherwise.

    Parameters
    ----------
    count : int
        Number of processes.

    Yields
    ------
    Executor or None
        Where to submit work, for `run_in_order`; None with one process: that is this one.
    """
    if count <= 1:
        yield None
        return
    pool = ProcessPoolExecutor(
        count,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin_worker,
        initargs=(logging.getLogger().getEffectiveLevel(),),
    )
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _begin_worker(level: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in _THREADS_OF_LIBRARIES:
        os.environ.setdefault(name, "1")
    logging.basicConfig(format="%(levelname)s: %(message)s", level=level)


class Submits(Protocol):
    """What is needed of an executor: `concurrent.futures.Executor` and all that follow it."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """
        Hand in one call.

        Parameters
        ----------
        fn : callable
            What to call.
        *args, **kwargs
            Its arguments.

        Returns
        -------
        object
            A future, with ``result()``.
        """
        ...


def run_in_order(
    work: Callable[[T], R],
    items: Iterable[T],
    *,
    threads: int = 1,
    executor: Submits | None = None,
    lost: Callable[[T, Exception], R] | None = None,
) -> Iterator[R]:
    """
    Call ``work(item)`` for every item, many at a time, and yield the results in order.

    Parameters
    ----------
    work : callable
        The work on one item. For an executor of processes, a function at the top of a module.
    items : iterable
        What to work on; taken one by one, and not kept once its work is done.
    threads : int, optional
        Number of threads, of which the caller's is one; with 1, and without `executor`, each item
        is worked on when its result is asked for.
    executor : Submits, optional
        Where to run instead; anything with ``submit``. It is not shut down.
    lost : callable, optional
        Makes a result of an item whose work raised, such as when its process died. By default the
        exception is raised.

    Yields
    ------
    object
        The results, in the order of the items. If the caller stops early, or work raises, what has
        not begun is cancelled.
    """
    if executor is not None:
        yield from _submitted(executor, work, items, lost)
    elif threads > 1:
        pool = ThreadPoolExecutor(threads - 1)
        try:
            yield from _submitted(pool, work, items, lost, helps=True)
        finally:
            pool.shutdown(cancel_futures=True)
    else:
        for item in items:
            yield _result(lambda item=item: work(item), item, lost)  # type: ignore[misc]


def _submitted(
    executor: Submits,
    work: Callable[[T], R],
    items: Iterable[T],
    lost: Callable[[T, Exception], R] | None,
    *,
    helps: bool = False,
) -> Iterator[R]:
    pending: deque[tuple[T, Any]] = deque()
    try:
        for item in items:
            pending.append((item, _submit(executor, work, item)))
        while pending:
            if helps:
                _help(work, pending)
            item, future = pending.popleft()
            yield _result(future.result, item, lost)
    finally:
        for _, future in pending:
            if hasattr(future, "cancel"):
                future.cancel()


def _help(work: Callable[[T], R], pending: deque[tuple[T, Any]]) -> None:
    """
    Work on what no other thread has begun, until the first result is there.

    A caller that only waits leaves the system to find a processor for each of the threads, and two
    of them may share one for the first hundredths of a second.
    """
    for place in range(len(pending)):
        item, first = pending[place][0], pending[0][1]
        if first.done():
            return
        if pending[place][1].cancel():
            pending[place] = item, _ended(work, item)


def _ended(work: Callable[[T], R], item: T) -> Future[R]:
    future: Future[R] = Future()
    try:
        future.set_result(work(item))
    except Exception as error:
        future.set_exception(error)
    return future


def _submit(executor: Submits, work: Callable[[T], R], item: T) -> Any:
    try:
        return executor.submit(work, item)
    except Exception as error:  # a pool whose workers died takes no more
        return _Refused(error)


class _Refused:
    """The future of what was not even begun."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def result(self) -> Any:
        raise self._error


def _result(call: Callable[[], R], item: T, lost: Callable[[T, Exception], R] | None) -> R:
    try:
        return call()
    except Exception as error:
        if lost is None:
            raise
        return lost(item, error)
