"""``webbweave resample`` and ``webbweave demo``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from webbweave.cli.common import (
    EXIT_SOME_FAILED,
    Parameters,
    add_common,
    add_step_parameters,
    given_parameters,
    noted_interrupts,
    step_parameters,
)

__all__ = ["add_commands"]

#: With more sources than this, the summary gives totals instead of a line each.
_MOST_LINES = 20

_DEMO_FOLDER = "webbweave-demo"
_DEMO_PRODUCT = "jw01345-o062_s00933_nirspec_clear-prism"


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
    resample = commands.add_parser(
        "resample",
        help="rectify and combine slit spectra of NIRSpec and MIRI (s2d)",
        description="Rectify, drizzle and combine calibrated slit spectra (s2d): NIRSpec MOS, "
        "fixed slits and lamps, MIRI LRS.",
        epilog="Exit status: 0; 1 if some of the sources failed and the product holds the others; "
        "2 for input or options that cannot be worked with.",
    )
    resample.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="calibrated exposures (cal, phot, crf) of one slit or of many, "
        "or one association (.json)",
    )
    resample.add_argument(
        "--output-dir",
        metavar="DIR",
        help="where the product goes; made if it does not exist (default: beside the first input)",
    )
    resample.add_argument(
        "--report", action="store_true", help="also write an HTML page that shows the product"
    )
    if "resample" in arguments:
        add_step_parameters(resample, _parameters())
    add_common(resample, _resample)

    demo = commands.add_parser(
        "demo",
        help=f"combine three bundled exposures into {_DEMO_FOLDER}/",
        description="Combine three bundled NIRSpec exposures of a line emitter at redshift 4.23; "
        f"the product, a picture and a report go to {_DEMO_FOLDER}/ in the working directory.",
    )
    demo.add_argument("--output-dir", default=_DEMO_FOLDER, metavar="DIR", help="another folder")
    add_common(demo, _demo)


def _parameters() -> Parameters:
    from webbweave.resample import ResampleSpecStep

    return step_parameters(ResampleSpecStep)


def _resample(options: argparse.Namespace) -> int:
    parameters = given_parameters(options, _parameters())
    files = options.files
    if options.output_dir is None:
        options.output_dir = str(Path(files[0]).parent)
    return _run(files[0] if len(files) == 1 else files, options, parameters, report=options.report)


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
        print(
            "\nNow your own files:\n"
            "  webbweave resample jw*_cal.fits --output-dir products --report\n"
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
    from stpipe.exceptions import ValidationError

    from webbweave.resample import ResampleSpecStep

    try:
        step = ResampleSpecStep(**parameters)
    except ValidationError as error:
        raise ValueError(str(error)) from error
    step.progress.bar = not options.quiet
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

    meanings = {name: comment for name, (_, comment) in _parameters().items()}
    return write_report(
        page,
        product,
        inputs=_input_rows(step),
        parameters={name: (getattr(step, name), text) for name, text in meanings.items()},
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
    seconds = (f"{name} {value:.2f}" for name, value in step.progress.seconds.items())
    rows.append(("seconds", ", ".join(seconds)))
    rows += [("written", str(path)) for path in written]
    for label, text in rows:
        print(f"{label:15s}{text}")


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
