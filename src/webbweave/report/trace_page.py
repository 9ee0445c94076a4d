"""The page about trace models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from webbweave.adaptive_trace_model.summary import TraceSummary
from webbweave.report import trace_figures
from webbweave.report.page import Page, Picture, Section, figure_uri, subtitle_of, write_page

__all__ = ["write_trace_report"]

#: Of more exposures and slits than this, only so many (those with most of a trace) have figures.
_MOST_SECTIONS = 4

#: Inches of the renderings of a figure.
_BROAD, _NARROW = 9.6, 5.2

_FACTS = ("Regions with a model", "Columns with a model", "Trace pixels", "Ripple")

#: What a flag means, as a remark.
_MEANINGS = {
    "TOO_FEW": "had too few valid pixels",
    "TOO_SPARSE": "had gaps too wide for the knots",
    "SINGULAR": "did not determine a spline",
    "BORROWED": "use the spline of a neighbour",
    "FEWER_KNOTS": "were fitted with three knots fewer",
    "REFINED": "were nearly singular and solved with more care",
    "NO_SCALE": "could not be scaled",
}


def write_trace_report(
    path: str | Path,
    summaries: Sequence[TraceSummary],
    *,
    tree: Mapping[str, Any],
    inputs: Sequence[Mapping[str, object]],
    parameters: Mapping[str, tuple[object, str]],
    seconds: Mapping[str, float] | None = None,
    product_path: str | Path | None = None,
    failures: Sequence[tuple[str, str]] = (),
    warnings: Mapping[str, Sequence[str]] | None = None,
) -> Path:
    """
    Write a self-contained HTML page about trace models.

    Parameters
    ----------
    path : str or path
        A file ending in ``.html``; replaced if it exists.
    summaries : sequence of TraceSummary
        One per exposure or slit.
    tree : mapping
        Tree of the first product, for its instrument and date.
    inputs : sequence of mapping
        One row of the table of inputs each.
    parameters : mapping of str to (object, str)
        Value of each parameter and one line about its meaning.
    seconds : mapping of str to float, optional
        How long each stage took.
    product_path : str or path, optional
        Where the (first) product was saved, for the commands under "What to do next".
    failures : sequence of (str, str), optional
        Exposures and slits that failed, and why.
    warnings : mapping of str to sequence of str, optional
        What is to be said of an exposure or slit, by its name.

    Returns
    -------
    path
        The file.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    order = sorted(summaries, key=lambda one: -one.n_trace)
    shown = {id(one) for one in order[:_MOST_SECTIONS] if one.data is not None}
    sections = [
        Section(
            anchor=f"trace-{number}",
            name=one.name,
            facts=_facts(one),
            remarks=(*(warnings or {}).get(one.name, ()), *_remarks(one)),
            pictures=_pictures(one) if id(one) in shown else (),
        )
        for number, one in enumerate(summaries, 1)
    ]
    page = Page(
        title=summaries[0].name if len(summaries) == 1 else f"{len(summaries)} spectra",
        subtitle=subtitle_of(tree),
        key_figures=_key_figures(summaries, len(inputs)),
        what="Spectra",
        fact_names=_FACTS,
        sections=sections,
        inputs=inputs,
        parameters=parameters,
        next_steps=_next_steps(Path(product_path).name if product_path else "YOUR_PRODUCT.fits"),
        failures=failures,
        seconds=seconds,
        shown_first="with the largest traces",
    )
    return write_page(path, page)


def _key_figures(summaries: Sequence[TraceSummary], n_input: int) -> list[tuple[str, str]]:
    modelled = sum(one.n_column_modelled for one in summaries)
    columns = sum(one.n_column for one in summaries)
    figures = [
        ("Inputs", f"{n_input} exposure{'' if n_input == 1 else 's'}"),
        ("Columns with a model", f"{modelled:,} of {columns:,}"),
        ("Trace pixels", f"{sum(one.n_trace for one in summaries):,}"),
    ]
    known = [one for one in summaries if one.ripple is not None]
    if known:
        best = max(known, key=lambda one: one.n_trace)
        figures.append(("Ripple of the spectrum", _ripple(best)))
    return figures


def _ripple(summary: TraceSummary) -> str:
    ripple = summary.ripple
    if ripple is None or not np.isfinite(ripple.before.amplitude):
        return "–"  # noqa: RUF001
    before = f"{100 * ripple.before.amplitude:.2f} %"
    if ripple.after is None:
        return before
    return f"{before} → {100 * ripple.after.amplitude:.2f} %"


def _left_of_ripple(summary: TraceSummary) -> str:
    ripple = summary.ripple
    if ripple is None or ripple.after is None or not np.isfinite(ripple.after.amplitude):
        return ""
    before, after = 100 * ripple.before.amplitude, 100 * ripple.after.amplitude
    return f"On the finer grid, {after:.2f} % of the {before:.2f} % are left. "


def _facts(summary: TraceSummary) -> tuple[str, ...]:
    return (
        f"{summary.n_region_modelled} of {summary.n_region}",
        f"{summary.n_column_modelled:,} of {summary.n_column:,}",
        f"{summary.n_trace:,}",
        _ripple(summary),
    )


def _remarks(summary: TraceSummary) -> tuple[str, ...]:
    return tuple(
        f"{count:,} columns {_MEANINGS[flag]}" for flag, count in summary.flags.items() if count
    )


def _pictures(summary: TraceSummary) -> tuple[Picture, ...]:
    made = [
        _picture(
            summary,
            trace_figures.draw_trace_images,
            "The trace in the data",
            f"Three images of region {summary.label}: data, trace model and their difference.",
            f"Region {summary.label} as it was observed (top), the model of the trace where it is "
            "used (middle), and what the model leaves (bottom; its colours span a tenth of the "
            "range above). Grey means no data, or that the model is not used there because the "
            "light is too faint or too smooth.",
            broad=True,
        )
    ]
    if summary.column_fit is not None:
        made.append(
            _picture(
                summary,
                trace_figures.draw_column_fit,
                "How one column was fitted",
                f"Samples of the columns around column {summary.column_fit.column} against the "
                "coordinate along the slit, with the spline through them.",
                "Neighbouring columns see the source at slightly different places within a pixel. "
                "Their samples together (grey) show the profile more finely than the column's own "
                "(orange), and the spline (blue) follows them. The marks at the bottom are its "
                "knots.",
                broad=False,
            )
        )
    if summary.ripple is not None and np.isfinite(summary.ripple.before.amplitude):
        made.append(
            _picture(
                summary,
                trace_figures.draw_ripple,
                "The ripple of an undersampled spectrum",
                "The share of the light in a fixed aperture against the column, before and after.",
                "A fixed aperture of one pixel, as a spaxel of a cube has, receives more or less "
                "of the light as the trace crosses the rows of the detector: the spectrum ripples "
                f"although the source does not. {_left_of_ripple(summary)}The numbers are the "
                "scatter about a smooth trend.",
                broad=True,
            )
        )
    return tuple(made)


def _picture(
    summary: TraceSummary,
    draw: Callable[..., Figure],
    title: str,
    alt: str,
    caption: str,
    *,
    broad: bool,
) -> Picture:
    narrow = figure_uri(draw(summary, width=_NARROW))
    if not broad:
        return Picture(title, narrow, None, alt, caption)
    return Picture(title, figure_uri(draw(summary, width=_BROAD)), narrow, alt, caption)


def _next_steps(product_name: str) -> list[tuple[str, str]]:
    look = (
        "from stdatamodels.jwst import datamodels\n\n"
        f'product = datamodels.open("{product_name}")\n'
        "product.data, product.trace_model"
    )
    return [
        ("Look at the trace with your own eyes, in Python:", look),
        (
            "Put the same exposure on a grid three times finer:",
            "webbweave trace exposure.fits --oversample 3 --report",
        ),
        ("See every parameter and its default:", "webbweave trace --help"),
    ]
