"""The command ``webbweave``: each subcommand is a thin call of a step."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import webbweave
from webbweave.errors import WeaveError
from webbweave.progress import Progress

__all__ = ["main"]

#: Exit status when some of the sources failed, and the others are done.
EXIT_SOME_FAILED = 1
#: Exit status for input or options that cannot be worked with, as argparse has it.
EXIT_BAD_INPUT = 2

#: With more sources than this, the summary gives totals instead of a line each.
_MOST_LINES = 20

_DEMO_FOLDER = "webbweave-demo"
_DEMO_PRODUCT = "jw01345-o062_s00933_nirspec_clear-prism"


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the name of the program; those of the process by default.

    Returns
    -------
    int
        Exit status: 0; 1 if some of the sources failed and the product holds the others; 2 for
        input or options that cannot be worked with.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = _build_parser(arguments)
    options = parser.parse_args(arguments)
    _set_up_logging(options)
    try:
        return int(options.run(options))
    except KeyboardInterrupt:
        return _fail("interrupted; nothing was left half-written", options)
    except WeaveError as error:
        return _fail(str(error), options)
    except (ValueError, TypeError) as error:
        # Refused by a step: an option out of range, an input of the wrong kind.
        return _fail(str(error), options)


def _fail(message: str, options: argparse.Namespace) -> int:
    if options.debug:
        traceback.print_exc()
    print(f"webbweave {options.command}: error: {message}", file=sys.stderr)
    return EXIT_BAD_INPUT


def _build_parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="webbweave",
        description="Weave James Webb Space Telescope exposures together.",
        epilog="webbweave COMMAND --help tells all about a command.",
    )
    parser.add_argument("--version", action="version", version=f"webbweave {webbweave.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

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
        _add_step_parameters(resample)
    _add_common(resample, _resample)

    demo = commands.add_parser(
        "demo",
        help=f"combine three bundled exposures into {_DEMO_FOLDER}/",
        description="Combine three bundled NIRSpec exposures of a line emitter at redshift 4.23; "
        f"the product, a picture and a report go to {_DEMO_FOLDER}/ in the working directory.",
    )
    demo.add_argument("--output-dir", default=_DEMO_FOLDER, metavar="DIR", help="another folder")
    _add_common(demo, _demo)
    return parser


def _add_common(parser: argparse.ArgumentParser, run: Callable[[argparse.Namespace], int]) -> None:
    level = parser.add_mutually_exclusive_group()
    level.add_argument("-q", "--quiet", action="store_true", help="errors only")
    level.add_argument("-v", "--verbose", action="store_true", help="say what is done")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.set_defaults(run=run)


def _step_parameters() -> dict[str, tuple[str, str]]:
    """Parameters of the resampling step by name: how the step declares them, and their meaning."""
    from webbweave.resample import ResampleSpecStep
    from webbweave.stpipe import HOUSEKEEPING

    spec = ResampleSpecStep.load_spec_file()
    return {
        name: (str(spec[name]), str(spec.inline_comments[name] or "").lstrip("# "))
        for name in spec
        if name not in HOUSEKEEPING or name == "maximum_cores"
    }


def _add_step_parameters(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("parameters of the step")
    for name, (declaration, comment) in _step_parameters().items():
        kind, _, rest = declaration.partition("(")
        default = rest.rstrip(")").rpartition("default=")[2].strip("'\"")
        names = dict.fromkeys([f"--{name}", f"--{name.replace('_', '-')}"])
        if name == "maximum_cores":
            names |= dict.fromkeys(["-j", "--jobs"])
        text = f"{comment} (default: {default})".replace("%", "%%")
        settings: dict[str, Any] = {"dest": name, "default": None, "help": text}
        if kind == "boolean":
            settings["action"] = argparse.BooleanOptionalAction
        elif kind == "option":
            choices = [word.strip().strip("'\"") for word in rest.split(",")[:-1]]
            settings["choices"] = choices
        elif kind == "int_list":
            settings |= {"type": _whole_numbers, "metavar": "NX,NY"}
        elif kind == "float":
            settings |= {"type": float, "metavar": "NUMBER"}
        else:
            settings["metavar"] = "A,B" if name == "sources" else "TEXT"
        group.add_argument(*names, **settings)


def _whole_numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


def _set_up_logging(options: argparse.Namespace) -> None:
    level = logging.WARNING
    if options.quiet:
        level = logging.ERROR
    elif options.verbose or options.debug:
        level = logging.INFO
    logging.basicConfig(format="%(levelname)s: %(message)s", level=level)
    # stpipe tells every parameter of every step; its warnings are enough here.
    logging.getLogger("stpipe").setLevel(logging.WARNING)


def _resample(options: argparse.Namespace) -> int:
    parameters = {
        name: None if value == "None" else value
        for name in _step_parameters()
        if (value := getattr(options, name)) is not None
    }
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
    with _noted_interrupts(step.progress):
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


@contextmanager
def _noted_interrupts(progress: Progress) -> Iterator[None]:
    """Note an interrupt, so that it is not lost if something swallows the exception."""

    def note(*_: Any) -> None:
        progress.interrupted = True
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGINT, note)
    except ValueError:  # only the main thread may set handlers
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _save_picture(path: Path, product: Any) -> Path:
    from webbweave.report import save_picture

    return save_picture(path.with_suffix(".png"), product)


def _write_report(page: Path, path: Path, product: Any, step: Any) -> Path:
    from webbweave.report import write_report

    meanings = {name: comment for name, (_, comment) in _step_parameters().items()}
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
