"""The page about the alignment of images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from webbweave.report import align_figures
from webbweave.report.page import Page, Picture, Section, figure_uri, subtitle_of, write_page
from webbweave.tweakreg.summary import AlignmentSummary, ImageSummary

__all__ = ["write_align_report"]

#: Of more images than this, only so many have figures: those that failed, then those with the
#: largest scatter.
_MOST_SECTIONS = 4

#: Inches of the renderings of a figure.
_BROAD, _NARROW, _MEDIUM = 9.6, 5.2, 7.2

_FACTS = ("Group", "Sources", "Matched", "Median before", "Median after")

#: With fewer matched sources than this, a figure of them tells nothing.
_LEAST = 3


def write_align_report(
    path: str | Path,
    summary: AlignmentSummary | None,
    *,
    tree: Mapping[str, Any],
    verdicts: Sequence[tuple[str, str]],
    inputs: Sequence[Mapping[str, object]],
    parameters: Mapping[str, tuple[object, str]],
    seconds: Mapping[str, float] | None = None,
    product_path: str | Path | None = None,
    dry_run: bool = False,
) -> Path:
    """
    Write a self-contained HTML page about an alignment.

    Parameters
    ----------
    path : str or path
        A file ending in ``.html``; replaced if it exists.
    summary : AlignmentSummary or None
        The alignment; None if there was nothing to do.
    tree : mapping
        Tree of the first image, for its instrument and date.
    verdicts : sequence of (str, str)
        Name of each image, and one line about what became of it.
    inputs : sequence of mapping
        One row of the table of inputs each.
    parameters : mapping of str to (object, str)
        Value of each parameter and one line about its meaning.
    seconds : mapping of str to float, optional
        How long each stage took.
    product_path : str or path, optional
        Where the first product was saved, for the commands under "What to do next".
    dry_run : bool, optional
        Whether the images were left as they are.

    Returns
    -------
    path
        The file.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    images = summary.images if summary is not None else ()
    known = {image.name: image for image in images}
    shown = _shown(images)
    title = f"{len(verdicts)} image{'s' * (len(verdicts) != 1)}"
    page = Page(
        title=f"Alignment of {title}" + (", dry run" if dry_run else ""),
        subtitle=subtitle_of(tree),
        key_figures=_key_figures(summary, verdicts),
        what="Images",
        fact_names=_FACTS,
        sections=[
            Section(
                anchor=f"image-{number}",
                name=name,
                facts=_facts(known.get(name)),
                remarks=(text,),
                pictures=_pictures(known[name]) if name in shown else (),
            )
            for number, (name, text) in enumerate(verdicts, 1)
        ],
        inputs=inputs,
        parameters=parameters,
        next_steps=_next_steps(Path(product_path).name if product_path else "YOUR_IMAGE.fits"),
        seconds=seconds,
        shown_first="that failed or have the largest scatter",
        overview=() if summary is None else (_overview(summary),),
    )
    return write_page(path, page)


def _middle(vectors: NDArray[np.float64]) -> float:
    """The median length: an outlier that no fit used does not count."""
    return float(np.median(np.hypot(*vectors.T))) if len(vectors) else np.nan


def _shown(images: Sequence[ImageSummary]) -> set[str]:
    def rank(image: ImageSummary) -> tuple[bool, float]:
        return align_figures.kind_of(image) != "failed", -np.nan_to_num(_middle(image.after))

    drawable = [one for one in images if one.counts is not None or len(one.points) >= _LEAST]
    return {image.name for image in sorted(drawable, key=rank)[:_MOST_SECTIONS]}


def _mas(arcsec: float) -> str:
    return f"{1000 * arcsec:,.1f} mas" if np.isfinite(arcsec) else "–"  # noqa: RUF001


def _facts(image: ImageSummary | None) -> tuple[str, ...]:
    if image is None:
        return ("–",) * len(_FACTS)  # noqa: RUF001
    return (
        image.group,
        f"{len(image.magnitude):,}",
        f"{len(image.matched):,}",
        _mas(_middle(image.before)),
        _mas(_middle(image.after)),
    )


def _key_figures(
    summary: AlignmentSummary | None, verdicts: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:
    done = sum(text.startswith("COMPLETE") for _, text in verdicts)
    figures = [("Images aligned", f"{done} of {len(verdicts)}")]
    if summary is None:
        return figures
    groups = {image.group for image in summary.images}
    figures.append(("Exposures", f"{len(groups)}"))
    for label, key in (("Median distance before", "before"), ("After", "after")):
        vectors = np.concatenate([np.zeros((0, 2)), *(getattr(i, key) for i in summary.images)])
        figures.append((label, _mas(_middle(vectors))))
    if summary.catalog:
        figures.append(("Catalog", f"{summary.catalog}, {len(summary.stars):,} stars"))
    return figures


def _overview(summary: AlignmentSummary) -> Picture:
    kinds = [align_figures.kind_of(image) for image in summary.images]
    return Picture(
        "The field",
        figure_uri(align_figures.draw_field(summary, width=_BROAD)),
        figure_uri(align_figures.draw_field(summary, width=_NARROW)),
        f"Outlines of {len(kinds)} images on the sky, {kinds.count('failed')} of them failed.",
        "Where the images lie on the sky, corrected (solid) and as they came (dashed; an offset "
        "below an arcsecond is not seen at this scale). An image that failed stays where it was. "
        + ("The dots are stars of the reference catalog." if summary.catalog else ""),
    )


def _pictures(image: ImageSummary) -> tuple[Picture, ...]:
    made = []
    if len(image.points) >= _LEAST:
        made.append(
            _picture(
                image,
                align_figures.draw_residuals,
                "Residuals before and after",
                f"Arrows from the places of {len(image.points)} sources, before and after.",
                f"How far each source is from where {image.compared_with} puts its star, with a "
                "scale for each panel. Before, all arrows alike are a wrong pointing, a swirl is a "
                "wrong roll. After, arrows should point anywhere: a pattern that is left is an "
                "error of the distortion, or a match that went wrong.",
                _MEDIUM,
            )
        )
    if image.counts is not None and image.peak is not None:
        made.append(
            _picture(
                image,
                align_figures.draw_offsets,
                "Offsets of all pairs",
                f"A map of offsets with a square around its highest place, {image.peak.pairs} "
                "pairs.",
                f"The offset of every source of the image, as it came, from every star of "
                f"{image.compared_with}. Right pairs all have the same offset and pile up in one "
                "spot (square); chance pairs lie anywhere. Without a spot there is nothing to "
                "align with.",
                _NARROW,
            )
        )
    if len(image.points) >= _LEAST and np.isfinite(image.magnitude[image.matched]).any():
        made.append(
            _picture(
                image,
                align_figures.draw_magnitudes,
                "Magnitudes of matched sources",
                f"Histogram of {len(image.magnitude)} magnitudes, {len(image.matched)} of them "
                "matched, and distances against magnitude.",
                "Which of the sources were matched (above), and how far they are from their stars "
                "after the alignment (below). Faint sources scatter more; bright ones that do may "
                "be saturated.",
                _NARROW,
            )
        )
    return tuple(made)


def _picture(
    image: ImageSummary,
    draw: Callable[..., Figure],
    title: str,
    alt: str,
    caption: str,
    width: float,
) -> Picture:
    return Picture(title, figure_uri(draw(image, width=width)), None, alt, caption)


def _next_steps(product_name: str) -> list[tuple[str, str]]:
    look = (
        "from stdatamodels.jwst import datamodels\n\n"
        f'image = datamodels.open("{product_name}")\n'
        "image.meta.cal_step.tweakreg, image.meta.wcs(1023.5, 1023.5)"
    )
    return [
        ("Ask an image where it points, in Python:", look),
        (
            "Look before you leap: find the corrections, and write nothing but this page.",
            "webbweave align jw*_cal.fits --abs-refcat GAIADR3 --dry-run --report",
        ),
        (
            "Keep the corrections, and apply them to another filter of the visit:",
            (
                "webbweave align jw*_f200w_cal.fits --save-fit-table --output-dir aligned\n"
                "webbweave align jw*_f444w_cal.fits --apply-solution aligned/tweakreg_fit.ecsv"
            ),
        ),
        ("See every parameter and its default:", "webbweave align --help"),
    ]
