"""
Draw the figures of the guide to alignment: ``python docs/figures/make_tweakreg_figures.py``.

They are made of images that the tests render, with fixed seeds, and are written beside this file.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from saving import save_small

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests" / "helpers"))

from rendered_images import rendered_images  # noqa: E402

from webbweave.report.align_figures import (  # noqa: E402
    draw_field,
    draw_magnitudes,
    draw_offsets,
    draw_residuals,
)
from webbweave.report.style import png_bytes  # noqa: E402
from webbweave.tweakreg import TweakRegStep  # noqa: E402


def save(figure, name):
    save_small(png_bytes(figure, dpi=90), name)


def main():
    with TemporaryDirectory() as folder:
        field = rendered_images(folder, 4, size=1024, n_star=500, dither=12.0, turn=0.05)
        step = TweakRegStep(abs_refcat=str(field.catalog))
        step.summarises = True
        step.process([str(path) for path in field.paths])
    image = step.summary.images[2]
    save(draw_field(step.summary, width=7.2), "tweakreg_field")
    save(draw_residuals(image, width=8.4), "tweakreg_residuals")
    save(draw_offsets(image), "tweakreg_offsets")
    save(draw_magnitudes(image), "tweakreg_magnitudes")


if __name__ == "__main__":
    main()
