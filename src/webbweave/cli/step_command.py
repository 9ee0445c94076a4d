"""What the commands have in common that run one step on files."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from webbweave.cli.common import (
    Parameters,
    add_common,
    add_step_parameters,
    given_parameters,
    step_parameters,
)

__all__ = ["StepCommand", "make_step", "print_rows"]


@dataclass(frozen=True, kw_only=True)
class StepCommand:
    """
    A command that runs one step on files.

    Attributes
    ----------
    name : str
        The command.
    load : callable
        Imports the step and returns its class.
    summary, description : str
        One line, and a paragraph, about the command.
    files : str
        What the files are.
    products : str
        What goes to the output folder.
    report : str
        What ``--report`` does.
    some_failed : str
        What exit status 1 means.
    not_options : frozenset of str, optional
        Parameters of the step that a command line has no use for.
    """

    name: str
    load: Callable[[], Any]
    summary: str
    description: str
    files: str
    products: str
    report: str
    some_failed: str
    not_options: frozenset[str] = frozenset()

    def add(
        self, commands: Any, arguments: Sequence[str], run: Callable[[argparse.Namespace], int]
    ) -> None:
        """
        Add the command.

        Parameters
        ----------
        commands : object
            What `argparse.ArgumentParser.add_subparsers` returned.
        arguments : sequence of str
            The command line: what is not called is not described in full.
        run : callable
            What the command does; takes the options and returns the exit status.
        """
        parser = commands.add_parser(
            self.name,
            help=self.summary,
            description=self.description,
            epilog=f"Exit status: 0; 1 if {self.some_failed}; 2 for input or options that cannot "
            "be worked with.",
        )
        parser.add_argument("files", nargs="+", metavar="FILE", help=self.files)
        parser.add_argument(
            "--output-dir",
            metavar="DIR",
            help=f"where {self.products}; made if it does not exist "
            "(default: beside the first input)",
        )
        parser.add_argument("--report", action="store_true", help=self.report)
        if self.name in arguments:
            add_step_parameters(parser, self.parameters())
        add_common(parser, run)

    def parameters(self) -> Parameters:
        """Return the parameters of the step that are options."""
        return step_parameters(self.load(), self.not_options)

    def given(self, options: argparse.Namespace) -> dict[str, Any]:
        """
        Collect the parameters that were given.

        Parameters
        ----------
        options : Namespace
            The options.

        Returns
        -------
        dict
            Their values by name.
        """
        return given_parameters(options, self.parameters())

    def settings(self, step: Any) -> dict[str, tuple[object, str]]:
        """
        List what a page says of the parameters.

        Parameters
        ----------
        step : object
            The step.

        Returns
        -------
        dict of str to (object, str)
            Value and meaning of each.
        """
        return {name: (getattr(step, name), text) for name, (_, text) in self.parameters().items()}

    def inputs(self, options: argparse.Namespace) -> Any:
        """
        Return what the step is given; the output folder is that of the first file unless told.

        Parameters
        ----------
        options : Namespace
            The options; `output_dir` is filled in.

        Returns
        -------
        str or list of str
            One file or association, or several files.
        """
        if options.output_dir is None:
            options.output_dir = str(Path(options.files[0]).parent)
        return options.files[0] if len(options.files) == 1 else options.files


def make_step(kind: Any, options: argparse.Namespace, parameters: dict[str, Any]) -> Any:
    """
    Make a step that shows its progress unless it is to be quiet.

    Parameters
    ----------
    kind : type
        Its class.
    options : Namespace
        The options.
    parameters : dict
        Its parameters.

    Returns
    -------
    object
        The step.

    Raises
    ------
    ValueError
        If a parameter has no meaning.
    """
    from stpipe.exceptions import ValidationError

    try:
        step = kind(**parameters)
    except ValidationError as error:
        raise ValueError(str(error)) from error
    step.progress.bar = not options.quiet
    return step


def print_rows(rows: Iterable[tuple[str, str]], step: Any, written: Iterable[Path]) -> None:
    """
    Print what was done, how long it took, and what was written.

    Parameters
    ----------
    rows : iterable of (str, str)
        A heading and a text each.
    step : object
        The step.
    written : iterable of path
        The files.
    """
    seconds = ", ".join(f"{name} {value:.2f}" for name, value in step.progress.seconds.items())
    for label, text in (*rows, ("seconds", seconds), *(("written", str(p)) for p in written)):
        print(f"{label:15s}{text}")
