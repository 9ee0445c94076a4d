"""The fit of traces here and in jwst, side by side, on the same arrays in one run.

    python benchmarks/compare_trace_fit.py [--rounds 3] [--case NAME] [--peer PYTHON]

Whole slices of a point source with a tilted, curved trace, every column fitted, as jwst's
``fit_all_regions`` does it; the peer is run as it is, by an interpreter that has it (by default
this one: ``pip install .[peers]``). Each measurement is a process of its own, and the packages take
turns; compare ratios, not seconds. One thread is measured in CPU seconds, the gain of a second one
in seconds on the clock. Ours includes cutting out the regions; the collapsed profiles, which jwst
makes before the fit, are timed apart and left out of its time.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time

import numpy as np

PIXEL = 0.1
# Rows, columns, height of a slice, rows between slices, tilt in rows, and the options of the fit.
CASES = {
    "nirspec-ifu": (104, 600, 35, 52, 4.0, {"lrange": 50, "space_ratio": 1.6}),
    "miri-mrs": (60, 600, 24, 30, 2.0, {"lrange": 50, "spline_bkpt": 36, "require_ngood": 8}),
    "slit-grating": (52, 800, 36, 52, 4.0, {"lrange": 50, "space_ratio": 1.6}),
    "miri-lrs": (48, 390, 40, 48, 3.0, {"lrange": 5, "spline_bkpt": 40, "require_ngood": 8}),
}
PACKAGES = ("webbweave", "jwst")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="processes per package (default: 3)")
    parser.add_argument("--case", choices=CASES, help="one case only")
    parser.add_argument("--peer", default=sys.executable, help="interpreter that has jwst")
    parser.add_argument("--worker", nargs=2, metavar=("PACKAGE", "CASE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(measure(*options.worker)))
        return
    for case in CASES if options.case is None else [options.case]:
        compare(case, options.rounds, options.peer)


def compare(case: str, rounds: int, peer: str) -> None:
    runs: dict[str, list[dict[str, float]]] = {package: [] for package in PACKAGES}
    for _ in range(rounds):
        for package in PACKAGES:
            python = peer if package == "jwst" else sys.executable
            command = [python, __file__, "--worker", package, case]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            runs[package].append(json.loads(done.stdout.splitlines()[-1]))
    own, other = runs["webbweave"], runs["jwst"]
    pairs = list(zip(other, own, strict=True))
    columns = own[0]["columns"]
    print(
        f"{case:12s} {columns} columns, {own[0]['points']:.0f} samples each: "
        f"webbweave {1e3 * min(r['compat'] for r in own) / columns:.4f} ms per column "
        f"({1e3 * min(r['cpu'] for r in own) / columns:.4f} by default, "
        f"{1e3 * min(r['errors'] for r in own) / columns:.4f} with errors), "
        f"jwst {1e3 * min(r['cpu'] for r in other) / columns:.2f}: "
        f"ratio {statistics.median(p['cpu'] / o['compat'] for p, o in pairs):.0f} "
        f"(default {statistics.median(p['cpu'] / o['cpu'] for p, o in pairs):.0f}); "
        f"two threads {statistics.median(r['gain'] for r in own):.2f} times faster; "
        f"models {own[0]['models']} and {other[0]['models']}, "
        f"scales differ by {max(abs(p['scale'] / o['scale'] - 1) for p, o in pairs):.1e}",
        flush=True,
    )


def scene(case: str) -> tuple[np.ndarray, ...]:
    """Flux, error, alpha and region map, all slices alike but for the noise."""
    n_row, n_column, height, pitch, tilt, _ = CASES[case]
    rng = np.random.default_rng(20260821)
    i = np.arange(n_column) / n_column
    flux = rng.normal(0, 1, (n_row, n_column)).astype(np.float32)
    alpha = np.full((n_row, n_column), np.nan)
    region_map = np.zeros((n_row, n_column), np.int32)
    spectrum = 1000 * (1 + 0.3 * np.sin(200 * i))
    rows = np.arange(n_row)[:, None]
    for label, first in enumerate(range(4, n_row - height, pitch), 1):
        middle = first + height / 2 + tilt * (i - 0.5) + 1.5 * (i - 0.5) ** 2
        inside = np.abs(rows - middle) < height / 2
        offset = (rows - middle) * PIXEL
        light = np.exp(-0.5 * (offset / 0.07) ** 2) / 1.75 + 0.03 * np.exp(-np.abs(offset) / 0.3)
        flux[inside] += (spectrum * light)[inside].astype(np.float32)
        alpha[inside] = offset[inside]
        region_map[inside] = label
    flux[rng.random(flux.shape) < 0.01] = np.nan
    error = np.ones_like(flux)
    return flux, error, alpha, region_map


def measure(package: str, case: str) -> dict[str, float]:
    """Time one case here, after a small call to warm up."""
    work = peer_work if package == "jwst" else own_work
    return work(case, *scene(case))


def own_work(
    case: str, flux: np.ndarray, error: np.ndarray, alpha: np.ndarray, region_map: np.ndarray
) -> dict[str, float]:
    from webbweave.adaptive_trace_model.fit import FitOptions, fit_trace
    from webbweave.adaptive_trace_model.region import Region

    def work(*, compat: bool, threads: int = 1, errors: bool = False):
        plan = {}
        for label in np.unique(region_map[region_map > 0]).tolist():
            rows = np.flatnonzero((region_map == label).any(axis=1))
            cut = slice(rows[0], rows[-1] + 1)
            inside = region_map[cut] == label
            single = alpha[cut].astype(np.float32) if compat else alpha[cut]
            planes = [
                np.ascontiguousarray(np.where(inside, plane, np.nan).T, dtype=float)
                for plane in (flux[cut], single, error[cut])
            ]
            sums = np.nansum(np.where(inside, flux[cut], np.float32(np.nan)), axis=0).astype(float)
            plan[label] = Region(label, int(rows[0]), inside.T, *planes, single=True), sums
        options = FitOptions(**CASES[case][-1])
        return fit_trace(
            sorted(plan),
            plan,
            flux.shape[1],
            options,
            threads=threads,
            errors=errors,
            compat=compat,
        )

    work(compat=True)
    best = {}
    for name, keywords in (
        ("compat", {"compat": True}),
        ("cpu", {"compat": False}),
        ("errors", {"compat": False, "errors": True}),
    ):
        best[name] = min(timed(lambda k=keywords: work(**k))[0] for _ in range(3))
    clock = [
        min(timed(lambda n=n: work(compat=False, threads=n))[1] for _ in range(4)) for n in (1, 2)
    ]
    model = work(compat=True)
    return {
        **best,
        "gain": clock[0] / clock[1],
        "columns": int(np.count_nonzero(model.n_point)),
        "points": float(np.median(model.n_point[model.n_point > 0])),
        "models": model.n_model,
        "scale": float(np.nansum(model.scale)),
    }


def timed(work) -> tuple[float, float]:
    starts = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - starts[0], time.perf_counter() - starts[1]


def peer_work(
    case: str, flux: np.ndarray, error: np.ndarray, alpha: np.ndarray, region_map: np.ndarray
) -> dict[str, float]:
    from jwst.adaptive_trace_model import trace_model

    options = CASES[case][-1] | {"col_index": np.arange(flux.shape[1])}
    start = time.process_time()
    # Nothing passes this threshold: what is left is what jwst does besides the fit.
    trace_model.fit_all_regions(flux, error, alpha, region_map, snr_threshold=1e30, **options)
    besides = time.process_time() - start
    start = time.process_time()
    models = trace_model.fit_all_regions(
        flux, error, alpha, region_map, sigma_low=2.5, sigma_high=2.5, fit_iter=3, **options
    )
    found = [model["scale"] for columns in models.values() for model in columns.values()]
    return {
        "cpu": time.process_time() - start - 2 * besides,
        "models": len(found),
        "scale": float(np.nansum(found)),
    }


if __name__ == "__main__":
    main()
