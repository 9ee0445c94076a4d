"""The drizzle kernel and the ``drizzle`` package side by side, in one run on one machine.

    python benchmarks/compare_kernel.py [--rounds 5] [--case NAME]

Science and three variances of 2048 x 2048 pixels, turned by 1 degree: four calls of the package,
one of this kernel. Needs ``pip install .[peers]``. Each measurement is a process of its own, and
the packages take turns; compare ratios, not seconds. One thread is measured in CPU seconds, the
gain of a second one in seconds on the clock.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

SIZE = 2048
PLANES = 4
CASES = {"square-1.0": ("square", 1.0), "square-0.8": ("square", 0.8), "point": ("point", 1.0)}
PACKAGES = ("webbweave", "drizzle")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="processes per package (default: 5)")
    parser.add_argument("--repeat", type=int, default=3, help="calls per process (default: 3)")
    parser.add_argument("--case", choices=CASES, help="one case only")
    parser.add_argument("--worker", nargs=2, metavar=("PACKAGE", "CASE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(measure(*options.worker, options.repeat)))
        return
    for case in CASES if options.case is None else [options.case]:
        compare(case, options.rounds, options.repeat)


def compare(case: str, rounds: int, repeat: int) -> None:
    runs: dict[str, list[dict[str, float]]] = {package: [] for package in PACKAGES}
    for _ in range(rounds):
        for package in PACKAGES:
            command = [sys.executable, __file__, "--repeat", str(repeat)]
            command += ["--worker", package, case]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            runs[package].append(json.loads(done.stdout.splitlines()[-1]))
    own, peer = runs["webbweave"], runs["drizzle"]
    ratio = statistics.median(p["cpu"] / o["cpu"] for p, o in zip(peer, own, strict=True))
    gain = [run["gain"] for run in own]
    print(
        f"{case:12s} webbweave {min(r['cpu'] for r in own):.3f} s, "
        f"drizzle {min(r['cpu'] for r in peer):.3f} s: ratio {ratio:.2f} (median of pairs); "
        f"two threads {statistics.median(gain):.2f} (best {max(gain):.2f}) times faster than one, "
        f"identical: {all(run['identical'] for run in own)}; "
        f"sums {own[0]['sum']:.3f} and {peer[0]['sum']:.3f}",
        flush=True,
    )


def measure(package: str, case: str, repeat: int) -> dict[str, float]:
    """Time one case here: the best of several calls, after one to warm up."""
    maps, planes = scene()
    if package == "drizzle":
        work = peer_work(*CASES[case], maps, planes)
        cpu, _, result = best(work, repeat)
        return {"cpu": cpu, "sum": total(result)}
    works = [own_work(*CASES[case], maps, planes, threads) for threads in (1, 2)]
    cpu, clock, result = best(works[0], repeat)
    _, both, other = best(works[1], repeat)
    digests = {hashlib.sha256(array.tobytes()).hexdigest() for array in (result, other)}
    gain, identical = clock / both, len(digests) == 1
    return {"cpu": cpu, "gain": gain, "identical": identical, "sum": total(result)}


def scene() -> tuple[list[np.ndarray], np.ndarray]:
    angle = np.deg2rad(1.0)
    y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    maps = [x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)]
    planes = np.random.default_rng(20260821).standard_normal((PLANES, SIZE, SIZE), np.float32)
    return [axis + (SIZE - 1) / 2 for axis in maps], planes


def best(work: Callable[[], np.ndarray], repeat: int) -> tuple[float, float, np.ndarray]:
    result = work()
    cpu, clock = [], []
    for _ in range(repeat):
        starts = time.process_time(), time.perf_counter()
        result = work()
        cpu.append(time.process_time() - starts[0])
        clock.append(time.perf_counter() - starts[1])
    return min(cpu), min(clock), result


def total(means: np.ndarray) -> float:
    """A number to compare: the sum of the squares of the first plane, cells without data 0."""
    return float(np.nansum(means[0].astype(float) ** 2))


def own_work(
    kernel: str, pixfrac: float, maps: list[np.ndarray], planes: np.ndarray, threads: int
) -> Callable[[], np.ndarray]:
    from webbweave._kernels import drizzle
    from webbweave.parallel import run_ranges

    weight = np.ones((SIZE, SIZE), np.float32)
    kernels = {"square": drizzle.KERNEL_SQUARE, "point": drizzle.KERNEL_POINT}
    out = np.empty((SIZE, SIZE)), np.empty((PLANES, SIZE, SIZE)), np.empty((SIZE, SIZE), np.uint32)

    def rows(start: int, stop: int) -> None:
        for array in out:
            array[..., start:stop, :] = 0
        drizzle.drizzle_add(
            *(*maps, planes, weight, None, *out[:2], None, out[2]),
            pixfrac=pixfrac,
            kernel=kernels[kernel],
            edge=drizzle.EDGE_JACOBIAN,
            nan_rule=drizzle.NAN_SKIP,
            context_bit=1,
            row_start=start,
            row_stop=stop,
        )
        with np.errstate(invalid="ignore"):
            out[1][:, start:stop] /= out[0][start:stop]

    def work() -> np.ndarray:
        run_ranges(rows, SIZE, threads)
        return out[1]

    return work


def peer_work(
    kernel: str, pixfrac: float, maps: list[np.ndarray], planes: np.ndarray
) -> Callable[[], np.ndarray]:
    from drizzle.resample import Drizzle

    pixel_map = np.stack(maps, axis=-1)
    weight = np.ones((SIZE, SIZE), np.float32)

    def work() -> np.ndarray:
        images = []
        for plane in planes:
            driz = Drizzle(kernel=kernel, out_shape=(SIZE, SIZE), fillval="NAN")
            driz.add_image(
                plane,
                exptime=1.0,
                pixmap=pixel_map,
                weight_map=weight,
                pixfrac=pixfrac,
                in_units="cps",
            )
            images.append(driz.out_img)
        return np.stack(images)

    return work


if __name__ == "__main__":
    main()
