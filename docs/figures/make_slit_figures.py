"""
Draw the figures of the guide to slitlets: ``python docs/figures/make_slit_figures.py``.

They are made of the three bundled exposures, and are written beside this file.
"""

from __future__ import annotations

from saving import save_small

from webbweave.data import example_exposures
from webbweave.report.combine_figures import draw_flags, draw_slit_profile, draw_slit_spectrum
from webbweave.report.style import png_bytes
from webbweave.slit_combine import extract_spectra
from webbweave.slit_combine.summary import summarise_source


def save(figure, name):
    save_small(png_bytes(figure, dpi=90), name)


def main():
    result = extract_spectra("1345_933", files=example_exposures(), undo_barshadow=2)
    (entry,) = result.groups.values()
    save(entry["obj"].plot_2d_differences(figsize=(7, 1.3)), "slit_differences")
    source = summarise_source(result)
    save(draw_slit_spectrum(source.modes[0], width=8.0), "slit_spectrum")
    save(draw_flags(source.groups[0], width=8.0), "slit_flags")
    save(draw_slit_profile(source.groups[0]), "slit_profile")


if __name__ == "__main__":
    main()
