"""What all subcommands share: parameters of steps as options, logging, interrupts."""

from __future__ import annotations

import argparse
import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from webbweave.progress import Progress

__all__ = [
    "EXIT_BAD_INPUT",
    "EXIT_SOME_FAILED",
    "add_common",
    "add_step_parameters",
    "given_parameters",
    "noted_interrupts",
    "set_up_logging",
    "step_parameters",
]

#: Exit status when some of the sources failed, and the others are done.
EXIT_SOME_FAILED = 1
#: Exit status for input or options that cannot be worked with, as argparse has it.
EXIT_BAD_INPUT = 2

#: What stands for the value of an option in the help.
_METAVARS = {
    "sources": "A,B",
    **dict.fromkeys(("trace_file", "catfile", "apply_solution"), "FILE"),
    "abs_refcat": "FILE|NAME",
}

#: How a step declares its parameters, and what they mean, by name.
Parameters = dict[str, tuple[str, str]]


def add_common(parser: argparse.ArgumentParser, run: Callable[[argparse.Namespace], int]) -> None:
    """
    Add the options that all commands have.

    Parameters
    ----------
    parser : ArgumentParser
        That of the command.
    run : callable
        What it does; takes the options and returns the exit status.
    """
    level = parser.add_mutually_exclusive_group()
    level.add_argument("-q", "--quiet", action="store_true", help="errors only")
    level.add_argument("-v", "--verbose", action="store_true", help="say what is done")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.set_defaults(run=run)


def step_parameters(step: Any, without: frozenset[str] = frozenset()) -> Parameters:
    """
    List the parameters of a step.

    Parameters
    ----------
    step : type
        The class of the step.
    without : frozenset of str, optional
        Parameters that are no options.

    Returns
    -------
    dict of str to (str, str)
        How the step declares each, and what it means.
    """
    from webbweave.stpipe import HOUSEKEEPING

    spec = step.load_spec_file()
    hidden = (HOUSEKEEPING | without) - {"maximum_cores"}
    return {
        name: (str(spec[name]), str(spec.inline_comments[name] or "").lstrip("# "))
        for name in spec
        if name not in hidden
    }


def add_step_parameters(
    parser: argparse.ArgumentParser,
    parameters: Parameters,
    title: str = "parameters of the step",
) -> None:
    """
    Make options of the parameters of a step.

    Parameters
    ----------
    parser : ArgumentParser
        That of the command.
    parameters : dict
        As `step_parameters` gives them.
    title : str, optional
        What stands above them in the help.
    """
    group = parser.add_argument_group(title)
    for name, (declaration, comment) in parameters.items():
        kind, _, rest = declaration.partition("(")
        default = rest.rstrip(")").rpartition("default=")[2].strip("'\"")
        names = dict.fromkeys([f"--{name}", f"--{name.replace('_', '-')}"])
        if name == "maximum_cores":
            names |= dict.fromkeys(["--cores", "-j", "--jobs"])
        text = f"{comment} (default: {default})".replace("%", "%%")
        settings: dict[str, Any] = {"dest": name, "default": None, "help": text}
        if kind == "boolean":
            settings["action"] = argparse.BooleanOptionalAction
        elif kind == "option":
            choices = [word.strip().strip("'\"") for word in rest.split(",")[:-1]]
            settings["choices"] = choices
        elif kind == "int_list":
            settings |= {"type": _whole_numbers, "metavar": "NX,NY"}
        elif kind == "float_list":
            settings |= {"type": _numbers, "metavar": "A,B"}
        elif kind == "integer":
            settings |= {"type": int, "metavar": "NUMBER"}
        elif kind == "float":
            settings |= {"type": float, "metavar": "NUMBER"}
        else:
            settings["metavar"] = _METAVARS.get(name, "TEXT")
        group.add_argument(*names, **settings)


def given_parameters(options: argparse.Namespace, parameters: Parameters) -> dict[str, Any]:
    """
    Collect the parameters that were given.

    Parameters
    ----------
    options : Namespace
        The options.
    parameters : dict
        As `step_parameters` gives them.

    Returns
    -------
    dict
        Their values by name.
    """
    return {
        name: None if value == "None" else value
        for name in parameters
        if (value := getattr(options, name)) is not None
    }


def _whole_numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


def _numbers(text: str) -> list[float]:
    return [float(word) for word in text.split(",")]


def set_up_logging(options: argparse.Namespace) -> None:
    """
    Show what the options ask for.

    Parameters
    ----------
    options : Namespace
        The options.
    """
    level = logging.WARNING
    if options.quiet:
        level = logging.ERROR
    elif options.verbose or options.debug:
        level = logging.INFO
    logging.basicConfig(format="%(levelname)s: %(message)s", level=level)
    # stpipe tells every parameter of every step; its warnings are enough here.
    logging.getLogger("stpipe").setLevel(logging.WARNING)


@contextmanager
def noted_interrupts(progress: Progress) -> Iterator[None]:
    """
    Note an interrupt, so that it is not lost if something swallows the exception.

    Parameters
    ----------
    progress : Progress
        Where it is noted.

    Yields
    ------
    None
    """

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
