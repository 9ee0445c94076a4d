"""The errors and warnings of webbweave."""

from __future__ import annotations

from astropy.utils.exceptions import AstropyUserWarning

__all__ = ["InputError", "OutputError", "UnsupportedInputError", "WeaveError", "WeaveUserWarning"]


class WeaveError(RuntimeError):
    """Data that cannot be reduced; the message names the file, the array or keyword, and why."""


class InputError(WeaveError):
    """An input that cannot be read, or that lacks what the reduction needs."""


class UnsupportedInputError(InputError, TypeError):
    """An input of a kind that a step does not work on; also a TypeError, as in jwst."""


class OutputError(WeaveError):
    """A product that cannot be written; nothing is left half-written."""


class WeaveUserWarning(AstropyUserWarning):
    """Something that the user may want to know, while the reduction goes on."""
