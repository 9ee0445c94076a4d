"""The page about rectified spectra."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from stdatamodels.jwst.datamodels import JwstDataModel

from webbweave.datamodels import get_path, tree_of
from webbweave.report import captions, figures
from webbweave.report.page import (
    Page,
    Picture,
    Section,
    data_uri,
    figure_uri,
    subtitle_of,
    write_page,
)
from webbweave.report.spectrum import SlitSummary, summarise

__all__ = ["write_report"]

#: Of more sources than this, only so many (the brightest) have figures: each takes as long as the
#: rows of a dozen sources in the table, and some hundred kilobytes of the page.
_MOST_SECTIONS = 4

#: Inches of the two renderings of a broad figure, and of the only one where there are many sources.
_BROAD, _NARROW, _MEDIUM = 9.6, 5.2, 6.4

#: Headings of what is said of each source.
_FACTS = ("Shape", "Rows with data", "Peak S/N", "Exposures")

_Plan = tuple[str, Callable[..., Figure], Callable[[SlitSummary], tuple[str, str]], bool]

#: The figures of a source: title, how to draw and to describe it, whether it wants to be broad. The
#: first two are drawn where there are many sources.
_PLAN: tuple[_Plan, ...] = (
    ("Two-dimensional spectrum", figures.draw_image, captions.image, True),
    ("Spectrum of the source", figures.draw_spectrum, captions.spectrum, True),
    ("Where the light falls along the slit", figures.draw_profile, captions.profile, False),
    ("How much each pixel was observed", figures.draw_weights, captions.weights, False),
)


def write_report(
    path: str | Path,
    product: JwstDataModel,
    *,
    inputs: Sequence[Mapping[str, object]],
    parameters: Mapping[str, tuple[object, str]],
    seconds: Mapping[str, float] | None = None,
    title: str | None = None,
    product_path: str | Path | None = None,
    failures: Sequence[tuple[str, str]] = (),
    warnings: Mapping[str, Sequence[str]] | None = None,
) -> Path:
    """
    Write a self-contained HTML page about a product.

    Parameters
    ----------
    path : str or path
        A file ending in ``.html``; replaced if it exists.
    product : SlitModel or MultiSlitModel
        Rectified spectra. Not changed.
    inputs : sequence of mapping
        One row of the table of inputs each. Known columns are ``file``, ``name``, ``nod``,
        ``offset`` (arcsec), ``exposure_time`` (s) and ``pixels_used``; others are shown under their
        own names.
    parameters : mapping of str to (object, str)
        Value of each parameter and one line about its meaning.
    seconds : mapping of str to float, optional
        How long each stage took.
    title : str, optional
        Heading of the page instead of the name of the source.
    product_path : str or path, optional
        Where the product was saved, for the commands under "What to do next".
    failures : sequence of (str, str), optional
        Sources that are not in the product, and why.
    warnings : mapping of str to sequence of str, optional
        What is to be said of a source, by its name.

    Returns
    -------
    path
        The file.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    summaries = summarise(product)
    tree = tree_of(product)
    many = len(summaries) + len(failures) > 1
    page = Page(
        title=title or _title(summaries),
        subtitle=subtitle_of(tree),
        key_figures=_key_figures(tree, summaries, len(inputs)),
        what="Sources",
        fact_names=_FACTS,
        sections=_sections(summaries, warnings or {}, n_failed=len(failures)),
        inputs=inputs,
        parameters=parameters,
        next_steps=_next_steps(
            Path(product_path).name if product_path else "YOUR_PRODUCT_s2d.fits", many=many
        ),
        failures=failures,
        seconds=seconds,
        shown_first="with the highest signal-to-noise ratio",
    )
    return write_page(path, page)


def _next_steps(product_name: str, *, many: bool) -> list[tuple[str, str]]:
    arrays = (
        "slit = product.slits[0]\nslit.data, slit.err, slit.wavelength"
        if many
        else "product.data, product.err, product.wavelength"
    )
    look = (
        "from stdatamodels.jwst import datamodels\n\n"
        f'product = datamodels.open("{product_name}")\n{arrays}'
    )
    return [
        ("Look at the product with your own eyes, in Python:", look),
        (
            "Combine your own exposures of one source:",
            "webbweave resample exposure_1.fits exposure_2.fits exposure_3.fits --report",
        ),
        ("See every parameter and its default:", "webbweave resample --help"),
    ]


def _title(summaries: Sequence[SlitSummary]) -> str:
    return summaries[0].name if len(summaries) == 1 else f"{len(summaries)} sources"


def _key_figures(
    tree: Mapping[str, Any], summaries: Sequence[SlitSummary], n_input: int
) -> list[tuple[str, str]]:
    time = get_path(tree, "meta.exposure.exposure_time") or next(
        (one.exposure_time for one in summaries if one.exposure_time), None
    )
    found = [("Inputs", f"{n_input} exposure{'' if n_input == 1 else 's'}")]
    if len(summaries) == 1:
        found.append(("Output", _shape(summaries[0])))
    else:
        found.append(("Output", f"{len(summaries)} spectra"))
    found.append(("Total exposure time", "unknown" if time is None else _duration(float(time))))
    ranges = [one.wavelength_range for one in summaries if one.wavelength_range]
    low, high = (
        min((one[0] for one in ranges), default=0),
        max((one[1] for one in ranges), default=0),
    )
    found.append(("Wavelength range", f"{low:.2f} to {high:.2f} µm" if ranges else "no data"))
    peaks = [one for one in summaries if np.isfinite(one.peak_snr)]
    best = max(peaks, key=lambda one: one.peak_snr, default=None)
    found.append(("Peak signal-to-noise", _peak(best) if best else "no data"))
    return found


def _shape(summary: SlitSummary) -> str:
    return f"{summary.shape[0]} rows × {summary.shape[1]}\N{NO-BREAK SPACE}columns"  # noqa: RUF001


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes = seconds / 60
    return f"{seconds:,.0f} s ({minutes:.0f} min)" if minutes < 120 else f"{minutes / 60:.1f} hours"


def _peak(summary: SlitSummary) -> str:
    if not np.isfinite(summary.peak_snr):
        return "no data"
    if not np.isfinite(summary.peak_wavelength):
        return f"{summary.peak_snr:.1f}"
    return f"{summary.peak_snr:.1f} at {summary.peak_wavelength:.3f}\N{NO-BREAK SPACE}µm"


def _sections(
    summaries: Sequence[SlitSummary], warnings: Mapping[str, Sequence[str]], *, n_failed: int
) -> list[Section]:
    several = len(summaries) + n_failed > 1
    order = sorted(summaries, key=lambda one: -np.nan_to_num(one.peak_snr, nan=-np.inf))
    shown = {id(one) for one in order[:_MOST_SECTIONS]}
    plan = _PLAN if len(summaries) <= _MOST_SECTIONS else _PLAN[:2]
    said: set[str] = set()
    return [
        Section(
            anchor=f"source-{number}",
            name=one.name,
            thumbnail=data_uri(figures.draw_thumbnail(one)) if several else "",
            sparkline=figures.trace_sparkline(one) if several else "",
            facts=_facts(one),
            remarks=tuple(warnings.get(one.name, ())),
            pictures=_pictures(one, said, plan, several=several) if id(one) in shown else (),
        )
        for number, one in enumerate(summaries, 1)
    ]


def _facts(summary: SlitSummary) -> tuple[str, ...]:
    return (
        _shape(summary),
        f"{summary.rows_with_data} of {summary.shape[0]}",
        _peak(summary),
        str(summary.most_exposures),
    )


def _pictures(
    summary: SlitSummary, said: set[str], plan: Sequence[_Plan], *, several: bool
) -> tuple[Picture, ...]:
    """Draw the figures of a section; a caption that was said on the page before is not repeated."""
    made = []
    for title, draw, describe, broad in plan:
        alt, caption = describe(summary)
        width = _NARROW if not broad else _MEDIUM if several else _BROAD
        source = figure_uri(draw(summary, width=width))
        narrow = None
        if broad and not several:
            narrow = figure_uri(draw(summary, width=_NARROW))
        made.append(Picture(title, source, narrow, alt, "" if caption in said else caption))
        said.add(caption)
    return tuple(made)
