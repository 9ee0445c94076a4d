"""``webbweave resample`` and ``webbweave demo``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from webbweave.cli.combine import combine_demo
from webbweave.cli.common import EXIT_SOME_FAILED, add_common, noted_interrupts
from webbweave.cli.step_command import StepCommand, make_step, print_rows

__all__ = ["add_commands"]

#: With more sources than this, the summary gives totals instead of a line each.
_MOST_LINES = 20

_DEMO_FOLDER = "webbweave-demo"
_DEMO_PRODUCT = "jw01345-o062_s00933_nirspec_clear-prism"


def _load() -> Any:
    from webbweave.resample import ResampleSpecStep

    return ResampleSpecStep


_COMMAND = StepCommand(
    name="resample",
    load=_load,
    summary="rectify and combine slit spectra of NIRSpec and MIRI (s2d)",
    description="Rectify, drizzle and combine calibrated slit spectra (s2d): NIRSpec MOS, "
    "fixed slits and lamps, MIRI LRS.",
    files="calibrated exposures (cal, phot, crf) of one slit or of many, "
    "or one association (.json)",
    products="the product goes",
    report="also write an HTML page that shows the product",
    some_failed="some of the sources failed and the product holds the others",
)


def add_commands(commands: Any, arguments: Sequence[str]) -> None:
    """
    Add the commands.

    Parameters
    ----------
    commands : object
        What `argparse.ArgumentParser.add_subparsers` returned.
    arguments : sequence of str
        The command line: what is not called is not described in full.
    """
    _COMMAND.add(commands, arguments, _resample)

    demo = commands.add_parser(
        "demo",
        help=f"combine three bundled exposures into {_DEMO_FOLDER}/",
        description="Combine three bundled NIRSpec exposures of a line emitter at redshift 4.23, "
        "first rectified and drizzled, then with the nods subtracted and the profile fitted; the "
        "products, a picture of each and a report of the first go to "
        f"{_DEMO_FOLDER}/ in the working directory.",
    )
    demo.add_argument("--output-dir", default=_DEMO_FOLDER, metavar="DIR", help="another folder")
    add_common(demo, _demo)


def _resample(options: argparse.Namespace) -> int:
    inputs = _COMMAND.inputs(options)
    return _run(inputs, options, _COMMAND.given(options), report=options.report)


def _input_rows(step: Any) -> list[dict[str, object]]:
    return [
        {
            "file": summary.name,
            "exposure_time": summary.exposure_time,
            "pixels_used": summary.n_used,
        }
        for summary in step.summaries
    ]


def _demo(options: argparse.Namespace) -> int:
    from webbweave.data import example_exposures

    members = [{"expname": str(path), "exptype": "science"} for path in example_exposures()]
    association = {"products": [{"name": _DEMO_PRODUCT, "members": members}]}
    status = _run(association, options, {}, report=True, picture=True)
    if not options.quiet:
        print()
    status = max(status, combine_demo(example_exposures(), options))
    if not options.quiet:
        print(
            "\nNow your own files:\n"
            "  webbweave resample jw*_cal.fits --output-dir products --report\n"
            "  webbweave combine jw*_phot.fits --output-dir products --report\n"
            "  webbweave resample --help"
        )
    return status


def _run(
    inputs: Any,
    options: argparse.Namespace,
    parameters: dict[str, Any],
    *,
    report: bool,
    picture: bool = False,
) -> int:
    """Resample, save, show: all that a command does with its exposures."""
    step = make_step(_load(), options, parameters)
    with noted_interrupts(step.progress):
        result = step.run(inputs)
    products = result if isinstance(result, list) else [result]
    step.output_dir = options.output_dir
    with step.progress.stage("save"):
        written = [step.save_model(product, force=True) for product in products]
    with step.progress.stage("report"):
        for path, product in list(zip(written, products, strict=True)):
            if picture:
                written.append(_save_picture(path, product))
            if report:
                alone = len(products) == 1
                page = path.with_name("report.html" if alone else f"{path.stem}_report.html")
                written.append(_write_report(page, path, product, step))
    if not options.quiet:
        _print_summary(products, step, written)
    # Which failed, and why, is in the log.
    return EXIT_SOME_FAILED if step.failures else 0


def _save_picture(path: Path, product: Any) -> Path:
    from webbweave.report import save_picture

    return save_picture(path.with_suffix(".png"), product)


def _write_report(page: Path, path: Path, product: Any, step: Any) -> Path:
    from webbweave.report import write_report

    return write_report(
        page,
        product,
        inputs=_input_rows(step),
        parameters=_COMMAND.settings(step),
        seconds=step.progress.seconds,
        product_path=path,
        failures=step.failures,
        warnings=step.warnings,
    )


def _print_summary(products: Sequence[Any], step: Any, written: Sequence[Path]) -> None:
    from webbweave.datamodels import get_path, tree_of
    from webbweave.report import summarise

    tree = tree_of(products[0])
    setup = [get_path(tree, f"meta.instrument.{key}", "") for key in ("name", "filter", "grating")]
    n_file, n_slit = len(step.inputs.members), len(step.summaries)
    counted = f"{n_file} exposure{'s' * (n_file != 1)}"
    if n_slit != n_file:
        counted += f" with {n_slit} slits"
    rows = [("inputs", f"{counted}, {' '.join(setup)}")]
    n_spectrum = sum(len(tree_of(product).get("slits", [0])) for product in products)
    if n_spectrum > _MOST_LINES:
        rows.append(("output", f"{n_spectrum} spectra of {step.n_done} sources"))
    else:
        summaries = [summary for product in products for summary in summarise(product)]
        for summary in summaries:
            facts = _facts(summary)
            if len(summaries) == 1:
                rows += [("source", summary.name or "without a name"), *facts.items()]
            else:
                rows.append((summary.name or "unnamed", "; ".join(facts.values())))
    print_rows(rows, step, written)


def _facts(summary: Any) -> dict[str, str]:
    """What is said of one source, by what it is called."""
    ny, nx = summary.shape
    output = f"{ny} rows x {nx} columns"
    if summary.wavelength_range:
        output += ", {:.3f} to {:.3f} micron".format(*summary.wavelength_range)
    time = summary.exposure_time
    return {
        "output": output,
        "exposure time": "unknown" if time is None else f"{time:.1f} s",
        "peak S/N": f"{summary.peak_snr:.1f} at {summary.peak_wavelength:.3f} micron",
    }
