"""How much faster more threads fit the splines of traces, beside what the machine allows.

    python benchmarks/compare_threads.py fit-slit --readings 30

The frames of ``compare.py fit``. In turn: one thread, some threads, and that many processes of one
thread at the same time, which share nothing; no program gains more than these. Seconds of the
clock, so nothing else should run.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from compare import CASES, frame_of_slices

from webbweave.adaptive_trace_model.trace_model import fit_all_regions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("case", choices=CASES["fit"], help="what to fit")
    parser.add_argument("--readings", type=int, default=10, help="of each kind (default: 10)")
    parser.add_argument("--threads", type=int, default=2, help="how many (default: 2)")
    options = parser.parse_args()
    gains: dict[str, list[float]] = {"threads": [], "processes": []}
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(options.threads + 1)
    workers = [
        context.Process(target=work, args=(options.case, options.readings, barrier))
        for _ in range(options.threads)
    ]
    for worker in workers:
        worker.start()
    arrays, keywords, _ = frame_of_slices(options.case)
    fit_all_regions(*arrays, **keywords)
    fastest = {"one thread": float("inf"), "threads": float("inf")}
    for _ in range(options.readings):
        one = seconds(arrays, keywords, "none")
        some = seconds(arrays, keywords, str(options.threads))
        start = time.perf_counter()
        barrier.wait()  # the workers begin
        barrier.wait()  # the last one has ended
        together = time.perf_counter() - start
        gains["threads"].append(one / some)
        gains["processes"].append(options.threads * one / together)
        fastest["one thread"] = min(fastest["one thread"], one)
        fastest["threads"] = min(fastest["threads"], some)
    for worker in workers:
        worker.join()
    print(f"{options.case}: {options.threads} threads, {options.readings} readings")
    for name, found in gains.items():
        low, middle, high = statistics.quantiles(found, n=4)
        print(f"{name:10s} {middle:.2f} times as fast as one (quartiles {low:.2f} to {high:.2f})")
    print(", ".join(f"{name} {best:.3f} s" for name, best in fastest.items()), "at best")


def seconds(arrays: Any, keywords: dict[str, Any], cores: str) -> float:
    start = time.perf_counter()
    models = fit_all_regions(*arrays, cores, **keywords)
    elapsed = time.perf_counter() - start
    del models  # after the clock: who fits splines keeps them
    return elapsed


def work(case: str, readings: int, barrier: Any) -> None:
    arrays, keywords, _ = frame_of_slices(case)
    fit_all_regions(*arrays, **keywords)
    for _ in range(readings):
        barrier.wait()
        models = fit_all_regions(*arrays, **keywords)
        barrier.wait()
        del models


if __name__ == "__main__":
    main()
