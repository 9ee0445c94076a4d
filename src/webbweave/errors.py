"""The errors and warnings of webbweave."""

from __future__ import annotations

from astropy.utils.exceptions import AstropyUserWarning

__all__ = [
    "InputError",
    "MissingColumnsError",
    "OutputError",
    "ServiceError",
    "UnsupportedInputError",
    "WeaveError",
    "WeaveUserWarning",
]


class WeaveError(RuntimeError):
    """Data that cannot be reduced; the message names the file, the array or keyword, and why."""


class InputError(WeaveError):
    """An input that cannot be read, or that lacks what the reduction needs."""


class UnsupportedInputError(InputError, TypeError):
    """An input of a kind that a step does not work on; also a TypeError, as in jwst."""


class MissingColumnsError(InputError, KeyError):
    """A table without the columns needed, or with too many; also a KeyError, as in jwst."""

    def __str__(self) -> str:
        return RuntimeError.__str__(self)  # a KeyError would put quotation marks around it


class ServiceError(InputError):
    """A service on the network that does not answer, or not with what it was asked for."""


class OutputError(WeaveError):
    """A product that cannot be written; nothing is left half-written."""


class WeaveUserWarning(AstropyUserWarning):
    """Something that the user may want to know, while the reduction goes on."""
