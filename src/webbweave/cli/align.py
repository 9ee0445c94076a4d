"""``webbweave align``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from webbweave.cli.common import EXIT_SOME_FAILED, noted_interrupts
from webbweave.cli.step_command import StepCommand, make_step, print_rows

__all__ = ["add_commands"]

#: Name, status and verdict of an image.
_Outcome = tuple[str, str, str]


def _load() -> Any:
    from webbweave.tweakreg import TweakRegStep

    return TweakRegStep


_COMMAND = StepCommand(
    name="align",
    load=_load,
    summary="align images to each other and to a catalog",
    description="Align images by the stars in them: to each other, and with --abs-refcat to a "
    "catalog of yours or of Gaia. Each image becomes a product with a corrected WCS; its pixels "
    "stay as they are. An image without a solution that can be trusted keeps its WCS, and says "
    "why.",
    files="calibrated images (cal), or one association (.json)",
    products="the products go",
    report="also write an HTML page that shows the alignment",
    some_failed="some of the images could not be aligned and keep their WCS",
    not_options=frozenset({"output_use_model", "suffix"}),
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
    _COMMAND.add(commands, arguments, _align)


def _align(options: argparse.Namespace) -> int:
    inputs = _COMMAND.inputs(options)
    given = _COMMAND.given(options)
    if given.get("catfile"):
        # Who names the file wants it used.
        given.setdefault("use_custom_catalogs", True)
    step = make_step(_load(), options, given | {"output_dir": options.output_dir})
    step.summarises = options.report
    written: list[Path] = []
    # Not run(): that makes the output folder before it knows whether there will be any output.
    with noted_interrupts(step.progress):
        result = step.process(inputs)
        outcomes = _outcomes(result)  # now: a file that is saved changes the name in its model
        if not step.dry_run:
            with step.progress.stage("save"):
                for model in step.progress.track(result, "saving"):
                    step.finalize_result(model, [])
                    written.append(step.save_model(model, force=True))
    if options.report:
        with step.progress.stage("report"):
            step.written.append(_write_report(result, outcomes, step, written))
    if not options.quiet:
        print_rows(_verdicts(outcomes, result, step), step, [*written, *step.written])
    failed = any(status == "FAILED" for _, status, _ in outcomes)
    return EXIT_SOME_FAILED if failed else 0


def _outcomes(result: Sequence[Any]) -> list[_Outcome]:
    from webbweave.datamodels import get_path, tree_of
    from webbweave.tweakreg.verdict import verdict

    found = []
    for model in result:
        tree = tree_of(model)
        values = get_path(tree, "meta.tweakreg")
        found.append((str(get_path(tree, "meta.filename")), values["status"], verdict(values)))
    return found


def _verdicts(outcomes: Sequence[_Outcome], result: Any, step: Any) -> list[tuple[str, str]]:
    n_group = len(set(result.group_ids))
    counted = f"{len(result)} image{'s' * (len(result) != 1)}"
    rows = [("inputs", f"{counted} of {n_group} exposure{'s' * (n_group != 1)}")]
    if (reference := step.alignment and step.alignment.reference) is not None:
        rows.append(("catalog", f"{len(reference)} stars of {Path(reference.name).name}"))
    if step.dry_run:
        rows.append(("dry run", "no image is written"))
    # The verdict begins with the status, so that it can be searched for.
    return rows + [("image", f"{name}  {text}") for name, _, text in outcomes]


def _write_report(
    result: Sequence[Any], outcomes: Sequence[_Outcome], step: Any, written: Sequence[Path]
) -> Path:
    from webbweave.datamodels import tree_of
    from webbweave.report.align_page import write_align_report

    return write_align_report(
        Path(step.output_dir) / f"{step.inputs.product_name or 'tweakreg'}_report.html",
        step.summary,
        tree=tree_of(result[0]),
        verdicts=[(name, text) for name, _, text in outcomes],
        inputs=[{"file": member.name} for member in step.inputs.members],
        parameters=_COMMAND.settings(step),
        seconds=step.progress.seconds,
        product_path=written[0] if written else None,
        dry_run=step.dry_run,
    )
