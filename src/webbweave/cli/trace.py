"""``webbweave trace``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from webbweave.cli.common import EXIT_SOME_FAILED, noted_interrupts
from webbweave.cli.step_command import StepCommand, make_step, print_rows

__all__ = ["add_commands"]

#: With more slits than this, the summary gives totals instead of a line each.
_MOST_LINES = 20
#: What the page about the traces says of the first exposure.
_HEADER = (
    "meta.telescope",
    "meta.instrument.name",
    "meta.instrument.grating",
    "meta.instrument.filter",
    "meta.observation.program_number",
    "meta.observation.date",
)


def _load() -> Any:
    from webbweave.adaptive_trace_model import AdaptiveTraceModelStep

    return AdaptiveTraceModelStep


_COMMAND = StepCommand(
    name="trace",
    load=_load,
    summary="model the traces of spectra, and oversample them",
    description="Model the traces of NIRSpec and MIRI spectra with splines: integral-field "
    "units, multi-object and fixed slits, MIRI LRS. Each exposure becomes a product with the "
    "extension TRACEMODEL; with --oversample, all its arrays are on a grid that is finer "
    "along the slit.",
    files="calibrated exposures (cal, crf), or one association (.json)",
    products="the products go",
    report="also write an HTML page that shows the traces",
    some_failed="some of the slits failed and the products hold the others",
    not_options=frozenset({"skip", "output_use_model", "suffix"}),
)


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
    _COMMAND.add(commands, arguments, _trace)


def _trace(options: argparse.Namespace) -> int:
    inputs = _COMMAND.inputs(options)
    given = _COMMAND.given(options)
    step = make_step(_load(), options, given | {"skip": False, "output_dir": options.output_dir})
    step.summarises = options.report
    rows: list[tuple[str, str]] = []
    written: list[Path] = []
    tree: dict[str, Any] = {}
    with noted_interrupts(step.progress):
        # One after the other, so that no more than one exposure is in memory.
        for product in step.each(inputs):
            step.finalize_result(product, [])
            rows += _summary(product, step)
            tree = tree if tree else _header(product)
            with step.progress.stage("save"):
                written.append(step.save_model(product, force=True))
    if options.report and written:
        with step.progress.stage("report"):
            step.written.append(_write_report(written, tree, step))
    if not options.quiet:
        _print(rows, [*written, *step.written], step)
    # Which failed, and why, is in the log.
    return EXIT_SOME_FAILED if step.failures or len(step.traces) < len(written) else 0


def _header(product: Any) -> dict[str, Any]:
    """What the page says of the instrument and the date."""
    from webbweave.datamodels import get_path, set_path, tree_of

    header: dict[str, Any] = {}
    for path in _HEADER:
        if (value := get_path(tree_of(product), path)) is not None:
            set_path(header, path, value)
    return header


def _write_report(written: Sequence[Path], tree: dict[str, Any], step: Any) -> Path:
    from webbweave.report.trace_page import write_trace_report

    alone = len(written) == 1
    return write_trace_report(
        written[0].with_name(f"{written[0].stem}_report.html" if alone else "trace_report.html"),
        step.summaries,
        tree=tree,
        inputs=[{"file": member.name} for member in step.inputs.members],
        parameters=_COMMAND.settings(step),
        seconds=step.progress.seconds,
        product_path=written[0],
        failures=step.failures,
    )


def _summary(product: Any, step: Any) -> list[tuple[str, str]]:
    """What is said of one exposure."""
    import numpy as np

    from webbweave.datamodels import get_path, tree_of

    tree = tree_of(product)
    filename = get_path(tree, "meta.filename", "exposure")
    if filename not in step.traces:
        return [("exposure", f"{filename}: no trace model, kind of product not supported")]
    setup = [get_path(tree, f"meta.instrument.{key}") for key in ("name", "detector", "grating")]
    rows = [("exposure", f"{filename}, {' '.join(str(key) for key in setup if key)}")]
    splines = step.traces[filename]
    slits = dict(zip(splines, _modelled(tree), strict=True))
    for name, entry in list(slits.items())[:_MOST_LINES]:
        n_pixel = int(np.count_nonzero(np.isfinite(entry["trace_model"])))
        n_region = int(np.count_nonzero((splines[name].model >= 0).any(axis=1)))
        text = f"{n_pixel} pixels of {n_region} of {len(splines[name].labels)} regions"
        rows.append((f"slit {name}" if name else "trace", text))
    if len(slits) > _MOST_LINES:
        rows.append(("", f"and {len(slits) - _MOST_LINES} more slits"))
    n_failed = len(tree.get("slits", ())) - len(slits) if "slits" in tree else 0
    if n_failed:
        rows.append(("failed", f"{n_failed} of {len(tree['slits'])} slits failed"))
    return rows


def _modelled(tree: dict[str, Any]) -> list[dict[str, Any]]:
    return [entry for entry in tree.get("slits", [tree]) if "trace_model" in entry]


def _print(rows: list[tuple[str, str]], written: list[Path], step: Any) -> None:
    n_exposure = sum(label == "exposure" for label, _ in rows)
    if n_exposure > 1:
        rows.insert(0, ("inputs", f"{n_exposure} exposures"))
    print_rows(rows, step, written)
