"""The command ``webbweave``: each subcommand is a thin call of a step."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence

import webbweave
from webbweave.cli import align, combine, resample, trace
from webbweave.cli.common import EXIT_BAD_INPUT, set_up_logging
from webbweave.errors import WeaveError

__all__ = ["main"]


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
        Exit status: 0; 1 if some of the sources, slits or images failed and the others are done;
        2 for input or options that cannot be worked with.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = _build_parser(arguments)
    options = parser.parse_args(arguments)
    set_up_logging(options)
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
    align.add_commands(commands, arguments)
    combine.add_commands(commands, arguments)
    resample.add_commands(commands, arguments)
    trace.add_commands(commands, arguments)
    return parser
