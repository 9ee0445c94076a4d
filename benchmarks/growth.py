"""How the time grows with the number of sources and of exposures: figures and a plot.

    python benchmarks/growth.py --output docs/figures/growth.png [--peer 10 50]

The bundled exposures stand for exposures of many slits; from files to product, each measurement a
process of its own, in CPU seconds. ``--peer`` also measures jwst with so many sources.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import compare

SOURCES = (10, 50, 200)
EXPOSURES = (3, 9)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", required=True, help="the plot; figures go beside it as JSON")
    parser.add_argument("--sources", type=int, nargs="+", default=list(SOURCES))
    parser.add_argument("--exposures", type=int, nargs="+", default=list(EXPOSURES))
    parser.add_argument("--peer", type=int, nargs="*", default=[], help="sources to give to jwst")
    options = parser.parse_args()
    figures = Path(options.output).with_suffix(".json")
    rows = json.loads(figures.read_text()) if figures.exists() else []
    for n_exposure in options.exposures:
        for n_source in options.sources:
            packages = ["webbweave"] + ["jwst"] * (n_source in options.peer and n_exposure == 3)
            rows += measure(n_source, n_exposure, packages)
            figures.write_text(json.dumps(rows, indent=1) + "\n")
    plot(rows, options.output)


def measure(n_source: int, n_exposure: int, packages: list[str]) -> list[dict[str, object]]:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        files = compare.many_slits(folder, n_source, n_exposure)
        settings = argparse.Namespace(topic="mos", repeat=0, files=files)
        for package in packages:
            run = compare.run_worker(settings, package, "files")
            row = {"package": package, "sources": n_source, "exposures": n_exposure}
            rows.append(row | {"seconds": run["first"], "peak_mb": run["peak_mb"]})
            print(rows[-1], flush=True)
    return rows


def plot(rows: list[dict[str, object]], output: str) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    kinds = sorted({(row["package"], row["exposures"]) for row in rows}, reverse=True)
    for axis, name, label in (
        (axes[0], "seconds", "CPU time [s]"),
        (axes[1], "peak_mb", "peak memory [MB]"),
    ):
        for package, n_exposure in kinds:
            line = sorted(
                (row["sources"], row[name])
                for row in rows
                if (row["package"], row["exposures"]) == (package, n_exposure)
            )
            style = "s--" if package == "jwst" else "o-"
            axis.loglog(*zip(*line, strict=True), style, label=f"{package}, {n_exposure} exposures")
        axis.set(xlabel="sources", ylabel=label)
        axis.set_xticks(SOURCES, labels=[str(n) for n in SOURCES], minor=False)
        axis.minorticks_off()
        axis.grid(alpha=0.3)
    axes[0].legend(frameon=False, fontsize="small")
    figure.savefig(output, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    main()
