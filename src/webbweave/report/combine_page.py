"""The page about combined slitlets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from webbweave.report import combine_figures, figures
from webbweave.report.page import (
    Page,
    Picture,
    Section,
    data_uri,
    figure_uri,
    subtitle_of,
    write_page,
)
from webbweave.slit_combine.summary import GroupSummary, ModeSummary, SourceSummary

__all__ = ["without_hidden_figures", "write_combine_report"]

#: Of more sources than this, only so many (those of the highest S/N) have figures.
_MOST_SOURCES = 4

#: Inches of the two renderings of a broad figure.
_BROAD, _NARROW = 9.6, 5.2

_FACTS = ("Spectra", "Exposures", "Pixels used", "Width (px)", "Peak S/N")
_NOTHING = "–"  # noqa: RUF001


def write_combine_report(
    path: str | Path,
    sources: Sequence[SourceSummary],
    *,
    tree: Mapping[str, Any],
    inputs: Sequence[Mapping[str, object]],
    parameters: Mapping[str, tuple[object, str]],
    seconds: Mapping[str, float] | None = None,
    product_path: str | Path | None = None,
) -> Path:
    """
    Write a self-contained HTML page about the spectra of sources.

    Parameters
    ----------
    path : str or path
        A file ending in ``.html``; replaced if it exists.
    sources : sequence of SourceSummary
        At least one. Groups that have arrays have figures.
    tree : mapping
        What is known of instrument and date, as the tree of a data model has it.
    inputs : sequence of mapping
        One row of the table of inputs each.
    parameters : mapping of str to (object, str)
        Value of each parameter and one line about its meaning.
    seconds : mapping of str to float, optional
        How long each stage took.
    product_path : str or path, optional
        Where the (first) spectrum was saved, for the commands under "What to do next".

    Returns
    -------
    path
        The file.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    order = sorted(sources, key=lambda one: -_peak(one))
    shown = {id(one) for one in order[:_MOST_SOURCES]}
    failures = [(f"{s.name}: {g.name}", _why(g)) for s in sources for g in s.lost]
    several = len(sources) > 1
    # Without a spectrum there is no section, unless the page would have nothing else to say.
    alone = len(failures) == 1 and not any(one.modes for one in sources)
    sections = [
        _section(f"source-{number}", one, shown=id(one) in shown, several=several)
        for number, one in enumerate(sources, 1)
        if one.modes or alone
    ]
    page = Page(
        title=sources[0].name if len(sources) == 1 else f"{len(sources)} sources",
        subtitle=subtitle_of(tree),
        key_figures=_key_figures(sources, len(inputs)),
        what="Sources",
        fact_names=_FACTS,
        sections=sections,
        inputs=inputs,
        parameters=parameters,
        next_steps=_next_steps(Path(product_path).name if product_path else "YOUR.spec.fits"),
        failures=() if alone else failures,
        seconds=seconds,
        shown_first="with the highest signal-to-noise ratio",
    )
    return write_page(path, page)


def without_hidden_figures(sources: Sequence[SourceSummary]) -> list[SourceSummary]:
    """
    Leave out the arrays of sources that the page would not show.

    Parameters
    ----------
    sources : sequence of SourceSummary
        Those so far.

    Returns
    -------
    list of SourceSummary
        The same; only those of the highest S/N have arrays of their groups.
    """
    shown = {id(one) for one in sorted(sources, key=lambda one: -_peak(one))[:_MOST_SOURCES]}
    return [
        one
        if id(one) in shown
        else replace(one, groups=tuple(replace(group, figures=None) for group in one.groups))
        for one in sources
    ]


def _why(group: GroupSummary) -> str:
    return f"{group.status}: {group.reason}"


def _peak(source: SourceSummary) -> float:
    best = source.best
    return -np.inf if best is None or not np.isfinite(best.peak_snr) else best.peak_snr


def _peak_text(mode: ModeSummary | None) -> str:
    if mode is None or not np.isfinite(mode.peak_snr):
        return "no data"
    return f"{mode.peak_snr:.1f} at {mode.peak_wave:.3f}\N{NO-BREAK SPACE}µm"


def _key_figures(sources: Sequence[SourceSummary], n_input: int) -> list[tuple[str, str]]:
    groups = [group for source in sources for group in source.groups]
    done = sum(group.status == "combined" for group in groups)
    best = max(sources, key=_peak)
    found = [
        ("Inputs", f"{n_input} exposure{'' if n_input == 1 else 's'}"),
        ("Groups combined", f"{done} of {len(groups)}"),
        ("Spectra", f"{sum(len(source.modes) for source in sources)}"),
    ]
    if len(sources) == 1 and best.best is not None:
        found.append(("Total exposure time", f"{best.best.exposure_time:,.1f} s"))
    found.append(("Peak signal-to-noise", _peak_text(best.best)))
    return found


def _with_error(value: float, error: float) -> str:
    if not np.isfinite(value):
        return _NOTHING
    return f"{value:.3f}" + (f" ± {error:.3f}" if np.isfinite(error) and error > 0 else "")


def _section(anchor: str, source: SourceSummary, *, shown: bool, several: bool) -> Section:
    combined = [group for group in source.groups if group.status == "combined"]
    best = source.best
    n_used, n_all = (sum(getattr(g, name) for g in combined) for name in ("n_valid", "n_pixel"))
    widths = [_with_error(g.sigma, g.sigma_error) for g in combined]
    small = best is not None and several
    return Section(
        anchor=anchor,
        name=source.name,
        thumbnail=data_uri(figures.thumbnail(best.image)) if best and small else "",
        sparkline=figures.sparkline(best.flux) if best and small else "",
        facts=(
            ", ".join(mode.name for mode in source.modes),
            str(sum(g.n_exposure for g in combined)),
            f"{n_used:,} of {n_all:,}",
            ", ".join(dict.fromkeys(widths)) or _NOTHING,
            _peak_text(best),
        ),
        remarks=tuple(_remarks(source, combined)),
        pictures=tuple(_spectrum(mode, many=len(source.modes) > 1) for mode in source.modes)
        if shown
        else (),
        parts=tuple(
            Section(
                anchor=f"{anchor}-group-{number}",
                name=f"{source.name}: {group.name}" if several else group.name,
                remarks=_group_lines(group),
                pictures=_group_pictures(group),
            )
            for number, group in enumerate(combined, 1)
            if shown and group.figures is not None
        ),
    )


def _remarks(source: SourceSummary, combined: Sequence[GroupSummary]) -> list[str]:
    said = [f"{group.name} was {_why(group)}" for group in source.lost]
    for group in combined:
        if group.skipped:
            said.append(f"{group.name}: not corrected for {', '.join(group.skipped)}")
    return said


def _group_lines(group: GroupSummary) -> tuple[str, ...]:
    width, offset = (
        _with_error(group.sigma, group.sigma_error),
        _with_error(group.offset, group.offset_error),
    )
    text = (
        f"{group.n_exposure} exposures, {group.mode}; {group.n_valid:,} of {group.n_pixel:,} "
        f"pixels are used. Width of the source {width} px, offset from where it was expected "
        f"{offset} px."
    )
    return (text,)


def _spectrum(mode: ModeSummary, *, many: bool) -> Picture:
    title = f"Spectrum, {mode.name}" if many else "Spectrum"
    return _picture(
        lambda width: combine_figures.draw_slit_spectrum(mode, width=width),
        title,
        f"Rectified image and spectrum against wavelength; {_peak_text(mode)} is the highest "
        "signal-to-noise ratio.",
        "Above, all nods on one grid: the source is the bright streak in the middle, dark streaks "
        "are where nods were subtracted from each other. Rows between the dashed lines were "
        "extracted, each weighted with the profile of the source. Below, the spectrum with the "
        "error of one standard deviation, and the sky of one pixel that was subtracted, by a model "
        "and with the other nods.",
    )


def _group_pictures(group: GroupSummary) -> tuple[Picture, ...]:
    arrays = group.figures
    assert arrays is not None
    tests = ", ".join(f"{name} {count:,}" for name, count in group.masked.items())
    return (
        _picture(
            lambda width: combine_figures.draw_nods(arrays, width=width),
            "Nods",
            f"Images of {len(arrays.nods)} nods: as observed, minus the others, model, residual.",
            "Each nod as it was observed; with the mean of the other nods subtracted; the model of "
            "this difference; and what the model leaves, on the same scale (to five times the "
            "noise, red is positive). Orange dashes are traces of what is added, green ones of "
            "what is subtracted. A star marks the nod that others are compared with. Grey pixels "
            "are not used.",
        ),
        _picture(
            lambda width: combine_figures.draw_flags(group, width=width),
            "What masked each pixel",
            f"Masked pixels of each exposure by the test that found them: {tests}.",
            "White pixels are used, light grey ones are outside the slit or at its border. Other "
            "colours tell the first of the tests that found a pixel bad; the numbers count every "
            "pixel that a test marked, also those that others had found before.",
        ),
        _picture(
            lambda width: combine_figures.draw_slit_profile(group, width=width),
            "Profile along the slit",
            "Share of the light against the distance from the trace, with its model.",
            "The difference of the nods divided by the flux of the source at each wavelength, and "
            "averaged over all (points with their errors), and the same of the model (line): the "
            "source in the middle, its negative images beside it. The shaded band is the width of "
            "the source without that of the telescope.",
            broad=False,
        ),
    )


def _picture(
    draw: Callable[[float], Figure], title: str, alt: str, caption: str, *, broad: bool = True
) -> Picture:
    narrow = figure_uri(draw(_NARROW))
    if not broad:
        return Picture(title, narrow, None, alt, caption)
    return Picture(title, figure_uri(draw(_BROAD)), narrow, alt, caption)


def _next_steps(product_name: str) -> list[tuple[str, str]]:
    look = (
        "from astropy.table import Table\n\n"
        f'spectrum = Table.read("{product_name}", hdu="SPEC1D")\n'
        'spectrum["wave"], spectrum["flux"], spectrum["err"]'
    )
    group = (
        "from webbweave.slit_combine import SlitGroup\n\n"
        'group = SlitGroup(["nod_1.fits", "nod_2.fits", "nod_3.fits"], "my source")\n'
        "group.fit_all_traces(degree=0, ref_exp=group.calc_reference_exposure)\n"
        'group.plot_2d_differences().savefig("differences.png")'
    )
    return [
        ("Look at the spectrum with your own eyes, in Python:", look),
        ("Take a group apart, with all its planes:", group),
        ("See every parameter and its default:", "webbweave combine --help"),
    ]
