"""How the time of the fit of traces grows with the number of slices and of columns.

    python benchmarks/growth_trace.py --output docs/figures/trace_growth.png

Frames as of the integral-field unit of NIRSpec, every column of the chosen slices fitted, one
thread, CPU seconds of the fastest of some calls. The numbers are written beside the figure.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "helpers"))

from synthetic_trace import make_scene

from webbweave.adaptive_trace_model.fit import FitOptions
from webbweave.adaptive_trace_model.prepare import prepare_and_fit

N_SLICE, N_COLUMN = 30, 2048
SLICES = (1, 5, 10, 20, 30)
COLUMNS = (256, 512, 1024, 2048)
OPTIONS = FitOptions(lrange=50, space_ratio=1.6)

# Okabe & Ito (2008), told apart by colour-blind readers.
BLUE, ORANGE = "#0072b2", "#d55e00"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, required=True, help="the figure, a PNG")
    parser.add_argument("--repeat", type=int, default=3, help="calls per point (default: 3)")
    options = parser.parse_args()
    found: dict[str, dict[int, float]] = {"slices": {}, "columns": {}}
    for n_slice in SLICES:
        found["slices"][n_slice] = seconds(n_slice, N_COLUMN, options.repeat)
    for n_column in COLUMNS:
        found["columns"][n_column] = seconds(5, n_column, options.repeat)
    options.output.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")
    draw(found, options.output)


def seconds(n_slice: int, n_column: int, repeat: int) -> float:
    """CPU seconds to fit some slices of a frame of 30; those that are not fitted are too faint."""
    tilt = 100.0 * n_column / N_COLUMN
    sources = {label: ((0.0, 1000.0 * (label <= n_slice)),) for label in range(1, N_SLICE + 1)}
    scene = make_scene(
        sources, n_column=n_column, height=35, gap=30, tilt=tilt, curve=tilt / 12, noise=0.0
    )
    scene.flux[:] += np.random.default_rng(1).standard_normal(scene.flux.shape)
    threshold = dict.fromkeys(sources, 10.0)
    best = np.inf
    for _ in range(repeat):
        start = time.process_time()
        model = prepare_and_fit(
            scene.flux,
            scene.error,
            scene.alpha,
            scene.region_map,
            OPTIONS,
            peak_threshold=threshold,
        )
        best = min(best, time.process_time() - start)
    assert model.n_model == n_slice * n_column, f"{model.n_model} columns fitted"
    print(f"{n_slice} slices of {n_column} columns: {best:.3f} s")
    return best


def draw(found: dict[str, dict[int, float]], path: Path) -> None:
    figure, panels = plt.subplots(1, 2, figsize=(8.4, 3.2), layout="constrained")
    titles = {
        "slices": f"slices fitted, of {N_SLICE}; {N_COLUMN} columns each",
        "columns": f"columns; 5 slices of {N_SLICE} fitted",
    }
    for axes, (kind, colour) in zip(panels, (("slices", BLUE), ("columns", ORANGE)), strict=True):
        x, y = np.array(list(found[kind])), np.array(list(found[kind].values()))
        axes.plot(x, y, "o-", color=colour)
        slope, start = np.polyfit(x, y, 1)
        axes.plot([0, x[-1]], [start, start + slope * x[-1]], "--", color="0.6", lw=1)
        axes.set(xlabel=titles[kind], ylabel="CPU seconds", xlim=(0, None), ylim=(0, None))
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110, metadata={"Software": None})
    Image.open(path).convert("RGB").quantize(128).save(path, optimize=True)


if __name__ == "__main__":
    main()
