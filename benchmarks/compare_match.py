"""Matching by ``XYXYMatch`` and by tweakwcs side by side, in one run on one machine.

    python benchmarks/compare_match.py [--rounds 3] [--case NAME]

Catalogues of a crowded chip (64 arcsec) or of a mosaic, half of whose sources have no counterpart,
shifted by 2.5 arcsec. Needs ``pip install .[peers]``. Each measurement is a process of its own,
and the packages take turns; compare ratios, not seconds. Time is CPU time of one thread, memory is
what a call adds to the largest resident size of the process. tweakwcs takes 190 bytes for each
pair of sources within the search radius: the cases it cannot do have ``webbweave`` only.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time

import numpy as np

PIXEL = 0.031
OFFSET = (-1.6, 1.9)

#: Number of sources, side of the field [arcsec], search radius [arcsec], and who can do it.
CASES = {
    "chip-2000-3": (2000, 64.0, 3.0, ("webbweave", "tweakwcs")),
    "chip-20000-2": (20_000, 64.0, 2.0, ("webbweave", "tweakwcs")),
    "chip-20000-6": (20_000, 64.0, 6.0, ("webbweave", "tweakwcs")),
    "mosaic-20000-6": (20_000, 405.0, 6.0, ("webbweave", "tweakwcs")),
    "chip-100000-6": (100_000, 64.0, 6.0, ("webbweave",)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="processes per package (default: 3)")
    parser.add_argument("--case", choices=CASES, help="one case only")
    parser.add_argument("--worker", nargs=2, metavar=("PACKAGE", "CASE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(measure(*options.worker)))
        return
    for case in CASES if options.case is None else [options.case]:
        compare(case, options.rounds)


def compare(case: str, rounds: int) -> None:
    packages = CASES[case][3]
    runs: dict[str, list[dict[str, float]]] = {package: [] for package in packages}
    for _ in range(rounds):
        for package in packages:
            command = [sys.executable, __file__, "--worker", package, case]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            runs[package].append(json.loads(done.stdout.splitlines()[-1]))
    text = "; ".join(
        f"{package} {min(run['cpu'] for run in found):.3f} s, "
        f"{min(run['megabytes'] for run in found):.0f} MB, {found[0]['matches']} matches, "
        f"{found[0]['true']} of {found[0]['possible']} true ones"
        for package, found in runs.items()
    )
    if len(packages) == 2:
        own, peer = (runs[package] for package in packages)
        pairs = list(zip(own, peer, strict=True))
        ratio = statistics.median(p["cpu"] / o["cpu"] for o, p in pairs)
        memory = statistics.median(p["megabytes"] / max(o["megabytes"], 0.1) for o, p in pairs)
        text += f": {ratio:.1f} times faster, {memory:.0f} times less memory (medians)"
    print(f"{case:15s} {text}", flush=True)


def measure(package: str, case: str) -> dict[str, float]:
    n, side, radius, _ = CASES[case]
    if package == "webbweave":
        from webbweave.tweakreg import XYXYMatch
    else:
        from tweakwcs import XYXYMatch

    # The separation that tweakwcs asks for at its tolerance; warmed up with a small field.
    match = XYXYMatch(searchrad=radius, separation=1.0, tolerance=0.7)
    match(*catalogues(100, side)[:2], tp_pscale=PIXEL, tp_units="arcsec")
    ref, img, truth = catalogues(n, side)
    before = resident()
    start = time.process_time()
    ref_index, img_index = match(ref, img, tp_pscale=PIXEL, tp_units="arcsec")
    cpu = time.process_time() - start
    return {
        "cpu": cpu,
        "megabytes": (resident() - before) / 1024,
        "matches": len(ref_index),
        "true": int((truth[img_index] == ref_index).sum()),
        "possible": int((truth >= 0).sum()),
    }


def resident() -> float:
    """The largest resident size so far [kB]."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def catalogues(n: int, side: float) -> tuple[object, object, np.ndarray]:
    """A reference, an image turned by 0.01 degree with errors of 5 mas, and who is who."""
    from astropy.table import Table

    rng = np.random.default_rng(20260821)
    ref = rng.uniform(-side / 2, side / 2, (n, 2))
    img = np.concatenate([ref[: n // 2], rng.uniform(-side / 2, side / 2, (n - n // 2, 2))])
    angle = np.deg2rad(0.01)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    img = img @ turn.T + OFFSET + rng.normal(0, 0.005, (n, 2))
    order = rng.permutation(n)
    truth = np.where(np.arange(n) < n // 2, np.arange(n), -1)[order]
    tables = [Table(list(xy.T), names=["TPx", "TPy"]) for xy in (ref, img[order])]
    return tables[0], tables[1], truth


if __name__ == "__main__":
    main()
