"""How time and memory of nodded slitlets grow with their number, and what two workers gain.

    python benchmarks/growth_slitlets.py --output docs/figures/slitlets_growth.png [--workers 20]

The bundled exposures, under other names, stand for those of as many sources, three exposures each;
from files to products on disk. Each point is a process of its own, CPU seconds. Then serial,
threads and processes take turns on the same sources, wall seconds, and their products are compared
byte by byte. The numbers are written beside the figure; ``--profile`` tells where the time goes.
Processes are the way to use several cores: threads wait for each other, since most of the time is
Python's, in reading the exposures and their world coordinates.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import cProfile
import hashlib
import json
import multiprocessing
import os
import pstats
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SOURCES = (20, 100, 500)
WORKERS = 2
WAYS = ("serial", "threads", "processes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, help="the plot; figures go beside it as JSON")
    parser.add_argument("--sources", type=int, nargs="*", default=list(SOURCES))
    parser.add_argument("--workers", type=int, default=20, help="sources of the race of workers")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of this race")
    parser.add_argument("--profile", action="store_true", help="show the profile of one source")
    parser.add_argument("--run", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    # One core per worker: threads of linear algebra wait for each other.
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))
    if options.run:
        print(json.dumps(grow(options.run)))
        return
    if options.profile:
        profile()
        return
    rows = []
    for n in options.sources:
        command = [sys.executable, __file__, "--run", str(n)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(rows[-1], flush=True)
    found = {"growth": rows, "workers": race(options.workers, options.rounds)}
    print(found["workers"])
    if options.output:
        options.output.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")
        draw(found, options.output)


def many_sources(folder: str, n: int) -> dict[str, list[str]]:
    """Exposures of so many sources, by name."""
    from webbweave.data import example_exposures

    sources: dict[str, list[str]] = {}
    for k in range(n):
        for path in example_exposures():
            name = path.name.replace("1345_933", f"s{k:04d}")
            there = Path(folder, name)
            there.symlink_to(path)
            sources.setdefault(f"s{k:04d}", []).append(str(there))
    return sources


def grow(n: int) -> dict[str, float]:
    """CPU seconds and peak memory of this process for so many sources."""
    from webbweave.slit_combine import extract_sources

    with tempfile.TemporaryDirectory() as folder:
        sources = many_sources(folder, n)
        before, start = peak_mb(), time.process_time()
        made = list(extract_sources(sources, Path(folder, "out"), make_2d_plots=False))
        seconds = time.process_time() - start
    failed = [result.target for result in made if result.failure or not result.paths]
    assert not failed, failed
    return {"sources": n, "seconds": seconds, "started_mb": before, "peak_mb": peak_mb()}


def peak_mb() -> float:
    status = Path("/proc/self/status").read_text()
    (line,) = (row for row in status.splitlines() if row.startswith("VmHWM"))
    return float(line.split()[1]) / 1024


def race(n: int, rounds: int) -> dict[str, object]:
    """Wall seconds of the ways to work on so many sources, and whether products are the same."""
    from webbweave.slit_combine import extract_sources

    spawn = multiprocessing.get_context("spawn")
    pools = {
        "serial": None,
        "threads": concurrent.futures.ThreadPoolExecutor(WORKERS),
        "processes": concurrent.futures.ProcessPoolExecutor(WORKERS, mp_context=spawn),
    }
    walls: dict[str, list[float]] = {way: [] for way in WAYS}
    sums: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        sources = many_sources(folder, n)
        first = dict(list(sources.items())[: 2 * WORKERS])
        for way in WAYS:  # imports, and tables
            list(extract_sources(first, Path(folder, "warm"), executor=pools[way]))
        for _ in range(rounds):
            for way in WAYS:
                start = time.perf_counter()
                out = Path(folder, way)
                list(extract_sources(sources, out, executor=pools[way], make_2d_plots=False))
                walls[way].append(time.perf_counter() - start)
                sums[way] = digest(out)
    for pool in pools.values():
        if pool is not None:
            pool.shutdown()
    gains = {
        way: statistics.median(a / b for a, b in zip(walls["serial"], walls[way], strict=True))
        for way in WAYS
    }
    same = len(set(sums.values())) == 1
    return {"sources": n, "wall": walls, "gain": gains, "identical": same}


def digest(folder: Path) -> str:
    files = sorted(folder.glob("*.spec.fits"))
    assert files
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def profile() -> None:
    from webbweave.slit_combine import extract_sources

    with tempfile.TemporaryDirectory() as folder:
        sources = many_sources(folder, 4)
        (name, files), *others = sources.items()
        list(extract_sources({name: files}, Path(folder, "out"), make_2d_plots=False))
        watch = cProfile.Profile()
        watch.enable()
        list(extract_sources(dict(others), Path(folder, "out"), make_2d_plots=False))
        watch.disable()
    pstats.Stats(watch).sort_stats("cumtime").print_stats(60)


def draw(found: dict[str, object], output: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    rows = found["growth"]
    numbers = [row["sources"] for row in rows]
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    for axis, name, label in (
        (axes[0], "seconds", "CPU time [s]"),
        (axes[1], "peak_mb", "peak memory [MB]"),
    ):
        values = [row[name] for row in rows]
        axis.plot(numbers, values, "o-", color="#0072b2", label="measured")
        if name == "seconds":
            line = [values[0] / numbers[0] * n for n in numbers]
            axis.plot(numbers, line, ":", color="#595959", label="proportional")
        axis.set(xlabel="sources of 3 exposures", ylabel=label, ylim=(0, 1.15 * max(values)))
        axis.grid(alpha=0.3)
    axes[0].legend(frameon=False, fontsize="small")
    figure.savefig(output, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    main()
