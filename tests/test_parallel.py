"""Work spread over threads and executors."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

from webbweave.parallel import run_in_order, run_ranges, thread_count, worker_processes


class Now:
    """The least that is asked of an executor: it works at once."""

    def __init__(self):
        self.calls = []

    def submit(self, fn, /, *args, **kwargs):
        self.calls.append(args)
        try:
            value, error = fn(*args, **kwargs), None
        except Exception as raised:
            value, error = None, raised

        class Done:
            def result(self):
                if error is not None:
                    raise error
                return value

        return Done()


def slow_first(number):
    time.sleep(0.05 if number == 0 else 0.0)
    return number * number


def ways():
    return [{}, {"threads": 3}, {"executor": Now()}]


@pytest.mark.parametrize("how", ways())
def test_results_come_in_the_order_of_the_items(how):
    assert list(run_in_order(slow_first, iter(range(5)), **how)) == [0, 1, 4, 9, 16]


def test_a_pool_of_the_caller_stays_open():
    with ThreadPoolExecutor(2) as pool:
        assert list(run_in_order(slow_first, range(3), executor=pool)) == [0, 1, 4]
        assert pool.submit(slow_first, 3).result() == 9


@pytest.mark.parametrize("how", ways())
def test_an_error_is_raised_or_made_a_result(how):
    def fails_at_two(number):
        if number == 2:
            raise KeyError("two")
        return number

    with pytest.raises(KeyError, match="two"):
        list(run_in_order(fails_at_two, range(4), **how))

    def lost(item, error):
        return f"{item}: {error!r}"

    results = list(run_in_order(fails_at_two, range(4), **how, lost=lost))
    assert results == [0, 1, "2: KeyError('two')", 3]


@pytest.mark.parametrize("threads", [2, 3])
def test_the_caller_is_one_of_the_threads(threads):
    """All of them are at work at once: each waits for the others."""
    barrier = threading.Barrier(threads, timeout=10)

    def work(_):
        barrier.wait()
        return threading.get_ident()

    workers = set(run_in_order(work, range(threads), threads=threads))
    assert len(workers) == threads
    assert threading.get_ident() in workers
    workers.clear()
    run_ranges(lambda start, stop: workers.add(work(start)), threads, threads)
    assert len(workers) == threads
    assert threading.get_ident() in workers


def test_what_the_caller_did_meanwhile_comes_in_order():
    """The first item is begun by another thread, and lasts until all others have ended."""
    begun, ended = threading.Event(), threading.Event()
    left = set(range(1, 6))

    def items():
        yield 0
        assert begun.wait(10)
        yield from sorted(left)

    def work(number):
        if number == 0:
            begun.set()
            assert ended.wait(10)
        elif number == 3:
            raise KeyError(number)
        left.discard(number)
        if left == {3}:
            ended.set()
        return number, threading.get_ident()

    results = list(run_in_order(work, items(), threads=2, lost=lambda item, error: (item, error)))
    assert [number for number, _ in results] == list(range(6))
    assert isinstance(results[3][1], KeyError)
    here = threading.get_ident()
    assert [who == here for number, who in results if number != 3] == [False, *[True] * 4]


def test_an_interrupt_in_the_callers_part_stops_all():
    here, begun = threading.get_ident(), []

    def work(number):
        begun.append(number)
        if threading.get_ident() == here:
            raise KeyboardInterrupt
        time.sleep(0.01)

    with pytest.raises(KeyboardInterrupt):
        list(run_in_order(work, range(1000), threads=2))
    assert len(begun) < 500


def test_an_executor_that_takes_no_more():
    class Closed(Now):
        def submit(self, fn, /, *args, **kwargs):
            if len(self.calls) == 2:
                raise RuntimeError("closed")
            return super().submit(fn, *args, **kwargs)

    with pytest.raises(RuntimeError, match="closed"):
        list(run_in_order(slow_first, range(4), executor=Closed()))
    results = run_in_order(slow_first, range(4), executor=Closed(), lost=lambda *what: what[0])
    assert list(results) == [0, 1, 2, 3]


def test_what_has_not_begun_is_cancelled():
    begun = []

    def work(number):
        begun.append(number)
        time.sleep(0.02)
        return number

    results = run_in_order(work, range(100), threads=2)
    assert next(results) == 0
    results.close()
    assert len(begun) < 50


def test_items_are_let_go_one_after_the_other():
    class Item:
        pass

    alive = weakref.WeakSet()

    def items():
        for _ in range(6):
            item = Item()
            alive.add(item)
            yield item
            del item

    most = 0
    for _ in run_in_order(lambda _: gc.collect(), items()):
        most = max(most, len(alive))
    assert most <= 2


def test_worker_processes(monkeypatch):
    with worker_processes(1) as pool:
        assert pool is None
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("MKL_NUM_THREADS", "3")
    with worker_processes(2) as pool:
        assert list(run_in_order(abs, [-1, 2, -3], executor=pool)) == [1, 2, 3]
        found = pool.submit(os.getenv, "OMP_NUM_THREADS").result()
        assert found == "1"
        assert pool.submit(os.getenv, "MKL_NUM_THREADS").result() == "3"
        assert pool.submit(os.getpid).result() != os.getpid()
        ignored = pool.submit(signal.getsignal, signal.SIGINT).result()
    assert ignored == signal.SIG_IGN
    assert "OMP_NUM_THREADS" not in os.environ
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit(abs, 1)


def test_ranges_cover_everything_once():
    for threads in (1, 2, 5):
        done = [0] * 7

        def work(start, stop, done=done):
            for index in range(start, stop):
                done[index] += 1

        run_ranges(work, 7, threads)
        assert done == [1] * 7


def test_thread_count():
    most = thread_count("all")
    assert 1 == thread_count() == thread_count(None) == thread_count(1)
    assert thread_count("quarter") <= thread_count("half") <= most
    assert thread_count(str(10**6)) == most
    for wrong in ("some", "0", -1, "1.5"):
        with pytest.raises(ValueError, match="maximum_cores"):
            thread_count(wrong)
