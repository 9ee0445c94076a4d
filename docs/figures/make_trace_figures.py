"""
Draw the figures of the guide to trace models: ``python docs/figures/make_trace_figures.py``.

They are made of a scene that the tests render, with fixed seeds, and are written beside this file.
What the guide states is printed.
"""

# ruff: noqa: T201
from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from saving import save_small

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests" / "helpers"))

from synthetic_trace import PIXEL, make_scene  # noqa: E402

from webbweave.adaptive_trace_model.evaluate import trace_image  # noqa: E402
from webbweave.adaptive_trace_model.fit import FitOptions  # noqa: E402
from webbweave.adaptive_trace_model.oversample import oversample_image  # noqa: E402
from webbweave.adaptive_trace_model.prepare import prepare_and_fit  # noqa: E402
from webbweave.adaptive_trace_model.ripple import measure_ripple  # noqa: E402
from webbweave.adaptive_trace_model.summary import summarise_trace  # noqa: E402
from webbweave.report.style import png_bytes  # noqa: E402
from webbweave.report.trace_figures import (  # noqa: E402
    draw_column_fit,
    draw_ripple,
    draw_trace_images,
)

HALF_WINDOW = 50
FACTORS = (2, 3, 4)
APERTURES = (1.0, 2.0, 3.0)
INNER = slice(HALF_WINDOW, -HALF_WINDOW)

# As for a grating of the NIRSpec IFU: 35 rows, a trace that crosses some 30 of them.
SCENE = {"n_column": 1200, "height": 35, "tilt": 30.0, "curve": 3.0, "background": 5.0}
OPTIONS = FitOptions(lrange=HALF_WINDOW, space_ratio=1.6)


def save(figure, name):
    save_small(png_bytes(figure, dpi=100), name)


def modelled(scene, factor):
    model = prepare_and_fit(scene.flux, scene.error, scene.alpha, scene.region_map, OPTIONS)
    trace = trace_image(model, scene.alpha, scene.region_map, slope_limit=0.1, pad=2).used
    alpha = scene.alpha_on(factor)
    fine = oversample_image(
        scene.flux,
        scene.alpha,
        scene.region_map,
        model,
        factor,
        alpha,
        require_ngood=3,
        slope_limit=0.1,
        trim_ends=True,
        pad=2,
    )
    summary = summarise_trace(
        "rendered scene",
        scene.flux,
        scene.alpha,
        scene.region_map,
        model,
        trace,
        half_window=HALF_WINDOW,
        oversampled=(fine.flux, alpha, fine.used),
        factor=factor,
    )
    return summary, fine.flux, alpha


def main():
    noisy = make_scene({1: ((0.0, 3000.0),)}, noise=1.0, seed=4, **SCENE)
    images = summarise_trace(
        "rendered scene",
        noisy.flux,
        noisy.alpha,
        noisy.region_map,
        (model := prepare_and_fit(noisy.flux, noisy.error, noisy.alpha, noisy.region_map, OPTIONS)),
        trace_image(model, noisy.alpha, noisy.region_map, slope_limit=0.1, pad=2).used,
        half_window=HALF_WINDOW,
    )
    save(draw_trace_images(images), "trace")
    save(draw_column_fit(images, width=6.4), "trace_fit")

    clean = make_scene({1: ((0.0, 3000.0),)}, noise=0.0, seed=4, **SCENE)
    print(f"{'grid':8s}{'aperture':>10s}{'ripple':>10s}{'largest':>10s}")
    for factor in (1, *FACTORS):
        flux, alpha = clean.flux, clean.alpha
        if factor > 1:
            summary, flux, alpha = modelled(clean, factor)
            if factor == 3:
                save(draw_ripple(summary), "ripple")
        for pixels in APERTURES:
            ripple = measure_ripple(flux - SCENE["background"], alpha, 0.0, pixels * PIXEL)
            off = 100 * np.abs(ripple.share / np.nanmean(ripple.share) - 1)[INNER]
            print(
                f"x{factor:<7d}{pixels:7.0f} px{100 * ripple.amplitude:8.2f} %"
                f"{np.nanmax(off):8.2f} %"
            )


if __name__ == "__main__":
    main()
