"""``webbweave combine``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from webbweave.cli.combine_options import arguments_of, combine_parameters
from webbweave.cli.common import (
    EXIT_BAD_INPUT,
    EXIT_SOME_FAILED,
    add_common,
    add_step_parameters,
    given_parameters,
    noted_interrupts,
)
from webbweave.cli.step_command import print_rows
from webbweave.errors import InputError
from webbweave.progress import Progress

__all__ = ["add_commands", "combine_demo"]

_NAME = "combine"
#: With more sources than this, those without trouble are counted instead of listed.
_MOST_LINES = 20
#: Errors that come of what was given: a file or an option.
_OF_INPUT = ("InputError", "TypeError", "ValueError")


@dataclass
class _Work:
    """What `print_rows` asks of a step."""

    progress: Progress


def add_commands(commands: Any, arguments: Sequence[str]) -> None:
    """
    Add the command.

    Parameters
    ----------
    commands : object
        What `argparse.ArgumentParser.add_subparsers` returned.
    arguments : sequence of str
        The command line: what is not called is not described in full.
    """
    parser = commands.add_parser(
        _NAME,
        help="combine nodded slitlets of NIRSpec into spectra",
        description="Combine slitlets of NIRSpec into rectified images and optimally extracted "
        "spectra: exposures are sorted by source, grating and visit, nods are subtracted from each "
        "other, trace and profile of the source are fitted. Each source and grating becomes a "
        "product .spec.fits; what became of each group is in .extract.ecsv.",
        epilog="Exit status: 0; 1 if a group of exposures could not be combined, which is listed "
        "with its reason; 2 for input or options that cannot be worked with.",
    )
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="calibrated exposures (phot, cal) of one slitlet each, of any number of sources",
    )
    parser.add_argument(
        "--output-dir",
        metavar="DIR",
        help="where the products go; made if it does not exist (default: beside the first input)",
    )
    parser.add_argument(
        "--report", action="store_true", help="also write an HTML page that shows the spectra"
    )
    parser.add_argument(
        "--pictures", action="store_true", help="also save a picture (.png) of each source"
    )
    if _NAME in arguments:
        add_step_parameters(parser, combine_parameters(), "parameters")
    add_common(parser, _combine)


def _combine(options: argparse.Namespace) -> int:
    from webbweave.parallel import thread_count

    given = given_parameters(options, combine_parameters())
    processes = thread_count(given.pop("maximum_cores", None))
    folder = Path(options.output_dir or Path(options.files[0]).parent)
    work = _Work(Progress(bar=not options.quiet))
    with noted_interrupts(work.progress):
        with work.progress.stage("read headers"):
            sources, left_out = _plan(options.files, given)
        arguments = {**arguments_of(given), "output_dir": folder}
        summaries, written = [], []
        total = len(sources)
        figures = bool(options.report or options.pictures)
        made = _combine_sources(sources, arguments, work.progress, processes, figures=figures)
        for summary, files in work.progress.track(made, "combining", total):
            summaries.append(summary)
            written += files
            if options.pictures and summary.modes:
                written.append(_picture(folder, given, summary, work.progress))
            if options.report:
                _keep_figures_of_best(summaries)
    if options.report:
        with work.progress.stage("report"):
            written.append(_write_report(folder, summaries, sources, options, given, work, written))
    if not options.quiet:
        print_rows(_rows_of(summaries, left_out), work, written)
    else:  # what is quiet does not warn, but an exit status needs its reason
        for label, text in _lost(summaries):
            print(f"webbweave {_NAME}: {label}: {text}", file=sys.stderr)
    return _status(summaries)


def _plan(
    files: Sequence[str], given: Mapping[str, Any]
) -> tuple[dict[str, dict[str, list[str]]], list[str]]:
    """Files by source and group, and those of no grating that was asked for."""
    from webbweave.slit_combine import split_sources, split_visit_groups

    parameters = combine_parameters()
    default = parameters["do_gratings"][0].partition("default=")[2].rstrip(")")
    known = arguments_of({"do_gratings": default, **given})
    options = {k: known[k] for k in ("join", "compat") if k in known}
    options.setdefault("join", (0, 3, 5))
    gratings = known["do_gratings"]
    plan, left_out = {}, []
    for source, members in split_sources(files).items():
        groups = split_visit_groups(members, gratings=gratings, **options)
        taken = {file for group in groups.values() for file in group}
        left_out += [file for file in members if file not in taken]
        if groups:
            plan[source] = groups
    if not plan:
        raise InputError(f"none of {len(files)} exposures is of {', '.join(gratings)}")
    return plan, left_out


def _combine_sources(
    sources: Mapping[str, Mapping[str, Sequence[str]]],
    arguments: Mapping[str, Any],
    progress: Progress,
    processes: int = 1,
    *,
    figures: bool = True,
) -> Iterator[tuple[Any, list[Path]]]:
    """
    Combine the exposures of sources, and write their products.

    Parameters
    ----------
    sources : mapping
        Files by source and group.
    arguments : mapping
        Further arguments of `extract_spectra`.
    progress : Progress
        Where the time is counted.
    processes : int, optional
        How many sources are worked on at a time.
    figures : bool, optional
        Whether summaries hold the arrays of figures.

    Yields
    ------
    summary : SourceSummary
        What became of a source.
    files : list of path
        What was written.
    """
    from webbweave.parallel import run_in_order, worker_processes

    work = partial(_one_source, arguments=arguments, figures=figures)
    with worker_processes(min(processes, len(sources))) as pool:
        made = run_in_order(work, sources.items(), executor=pool)
        while True:
            with progress.stage("combine"):
                found = next(made, None)
            if found is None:
                return
            yield found


def _one_source(
    item: tuple[str, Mapping[str, Sequence[str]]], arguments: Mapping[str, Any], *, figures: bool
) -> tuple[Any, list[Path]]:
    from webbweave.slit_combine import extract_spectra, summarise_source

    source, groups = item
    # Figures are drawn by the main thread: the settings of matplotlib are those of a process.
    made = extract_spectra(source, exposure_groups=groups, make_2d_plots=False, **arguments)
    return summarise_source(made, figures=figures), made.files


def _keep_figures_of_best(summaries: list[Any]) -> None:
    """Let go of the arrays that the page does not show, so that memory does not grow."""
    from webbweave.report.combine_page import without_hidden_figures

    summaries[:] = without_hidden_figures(summaries)


def _root(given: Mapping[str, Any]) -> str:
    return str(given.get("root", "nirspec"))


def _picture(folder: Path, given: Mapping[str, Any], summary: Any, progress: Progress) -> Path:
    from webbweave.report.combine_figures import save_combined_picture

    with progress.stage("pictures"):
        return save_combined_picture(folder / f"{_root(given)}_{summary.name.lower()}.png", summary)


def _write_report(
    folder: Path,
    summaries: Sequence[Any],
    sources: Mapping[str, Mapping[str, Sequence[str]]],
    options: argparse.Namespace,
    given: Mapping[str, Any],
    work: _Work,
    written: Sequence[Path],
) -> Path:
    from webbweave.datamodels.spectra import exposure_header
    from webbweave.report.combine_page import write_combine_report

    rows = [
        {"file": file, "Source": source, "Group": group}
        for source, groups in sources.items()
        for group, files in groups.items()
        for file in files
    ]
    alone = f"_{summaries[0].name.lower()}" if len(summaries) == 1 else ""
    settings = {
        name: (given.get(name, declared.rpartition("default=")[2].rstrip(")")), text)
        for name, (declared, text) in combine_parameters().items()
    }
    products = [path for path in written if path.name.endswith(".spec.fits")]
    return write_combine_report(
        folder / f"{_root(given)}{alone}_report.html",
        summaries,
        tree=_tree(exposure_header(options.files[0])),
        inputs=rows,
        parameters=settings,
        seconds=work.progress.seconds,
        product_path=products[0] if products else None,
    )


def _tree(header: Any) -> dict[str, Any]:
    """What the page says of instrument and date."""
    instrument = {"name": "INSTRUME", "grating": "GRATING", "filter": "FILTER"}
    return {
        "meta": {
            "telescope": header.get("TELESCOP", ""),
            "instrument": {name: header.get(key, "") for name, key in instrument.items()},
            "observation": {
                "program_number": header.get("PROGRAM", ""),
                "date": header.get("DATE-OBS", ""),
            },
        }
    }


def _rows_of(summaries: Sequence[Any], left_out: Sequence[str] = ()) -> list[tuple[str, str]]:
    """
    Say what became of sources.

    Parameters
    ----------
    summaries : sequence of SourceSummary
        The sources.
    left_out : sequence of str, optional
        Files that are of no grating that was asked for.

    Returns
    -------
    list of (str, str)
        A heading and a text each.
    """
    groups = [group for source in summaries for group in source.groups]
    n_file = sum(group.n_exposure for group in groups)
    counted = [
        f"{n} {name}{'s' * (n != 1)}"
        for n, name in ((n_file, "exposure"), (len(summaries), "source"), (len(groups), "group"))
    ]
    rows = [("inputs", f"{counted[0]} of {counted[1]}, {counted[2]}")]
    listed = len(summaries) <= _MOST_LINES
    for source in summaries:
        if listed:
            rows += [(source.name, _spectrum_text(source, mode)) for mode in source.modes]
        rows += _lost([source])
    if not listed:
        rows.append(("output", f"{sum(len(source.modes) for source in summaries)} spectra"))
    return rows + [("left out", f"{Path(file).name}: its grating") for file in left_out]


def _lost(summaries: Sequence[Any]) -> list[tuple[str, str]]:
    return [
        (group.status, f"{source.name} {group.name}: {group.reason}")
        for source in summaries
        for group in source.lost
    ]


def _spectrum_text(source: Any, mode: Any) -> str:
    text = f"{mode.name}, {mode.n_exposure} exposures, {mode.exposure_time:.1f} s"
    if mode.peak_snr == mode.peak_snr:
        text += f"; peak S/N {mode.peak_snr:.1f} at {mode.peak_wave:.3f} micron"
    group = next((g for g in source.groups if g.mode == mode.name and g.sigma == g.sigma), None)
    if group is not None:
        text += f"; width {group.sigma:.2f}, offset {group.offset:+.2f} pixels"
    return text


def combine_demo(files: Sequence[Path], options: argparse.Namespace) -> int:
    """
    Combine the exposures of one source, and save a picture of it.

    Parameters
    ----------
    files : sequence of path
        Its exposures.
    options : Namespace
        With `output_dir` and `quiet`.

    Returns
    -------
    int
        Exit status.
    """
    folder = Path(options.output_dir)
    work = _Work(Progress(bar=not options.quiet))
    with noted_interrupts(work.progress):
        sources, _ = _plan([str(file) for file in files], {})
        made = list(_combine_sources(sources, {"output_dir": folder}, work.progress))
        summaries = [summary for summary, _ in made]
        written = [path for _, paths in made for path in paths]
        written += [_picture(folder, {}, s, work.progress) for s in summaries if s.modes]
    if not options.quiet:
        print_rows(_rows_of(summaries), work, written)
    return _status(summaries)


def _status(summaries: Sequence[Any]) -> int:
    lost = [group for source in summaries for group in source.lost]
    if not lost:
        return 0
    of_input = all(
        group.status == "failed" and group.reason.startswith(_OF_INPUT) for group in lost
    )
    if of_input and not any(source.modes for source in summaries):
        return EXIT_BAD_INPUT
    return EXIT_SOME_FAILED
