"""Text from a service on the network: with patience, within limits; if it fails, with a reason."""

from __future__ import annotations

import http.client
import logging
import time
import urllib.error
import urllib.request
from dataclasses import dataclass

import numpy as np

from webbweave.errors import ServiceError

__all__ = ["Patience", "fetch_text"]

log = logging.getLogger(__name__)

#: Bytes asked for at a time; between two pieces the time and the size are looked at.
_PIECE = 1 << 16

#: Replies that may be better at the next try: request time-out, too many requests (RFC 6585), and
#: everything that the server blames on itself (RFC 9110, section 15.6).
_WORTH_ANOTHER_TRY = {408, 429, *range(500, 600)}


@dataclass(frozen=True)
class Patience:
    """
    How long to wait for a service, how often to try, and how much to take.

    Attributes
    ----------
    timeout : float
        Longest silence of the server [s].
    total_timeout : float
        Longest time of one try, however steadily the server sends [s].
    tries : int
        Number of tries, at least 1.
    backoff : float
        Wait after the first failure [s]; it doubles at each further one. Each wait is multiplied by
        a random number between 0.5 and 1.5, so that many clients do not come back together.
    max_bytes : int
        Largest reply that is taken.
    """

    timeout: float = 30.0
    total_timeout: float = 180.0
    tries: int = 3
    backoff: float = 1.0
    max_bytes: int = 256 * 2**20


class _TransientError(Exception):
    """A failure that another try may mend."""


def fetch_text(
    url: str, patience: Patience | None = None, *, rng: np.random.Generator | None = None
) -> str:
    """
    Get a text from a service.

    Parameters
    ----------
    url : str
        The address, ``http`` or ``https``. Proxies of the environment are used.
    patience : Patience, optional
        Limits of time, tries and size.
    rng : `numpy.random.Generator`, optional
        Where the random part of the waits comes from.

    Returns
    -------
    str
        The reply, complete as far as the server tells its length. If it does not, a last line
        without newline is left out: the connection may have ended within it.

    Raises
    ------
    ServiceError
        If the service cannot be reached, is slow, breaks off, refuses, or sends too much.
    ValueError
        If the address is not one of the web.
    """
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"expected an address that begins with http:// or https://, found {url!r}")
    patience = patience or Patience()
    rng = np.random.default_rng() if rng is None else rng
    server = url.partition("?")[0]
    for attempt in range(patience.tries):
        try:
            return _fetch_once(url, server, patience)
        except _TransientError as error:
            reason = str(error)
        if attempt + 1 < patience.tries:
            wait = patience.backoff * 2.0**attempt * rng.uniform(0.5, 1.5)
            log.info("%s: %s; another try in %.1f s", server, reason, wait)
            time.sleep(wait)
    raise ServiceError(f"{server}: {reason} ({patience.tries} tries)")


def _fetch_once(url: str, server: str, patience: Patience) -> str:
    """Try once; what may be mended is a _TransientError."""
    end = time.monotonic() + patience.total_timeout
    try:
        with urllib.request.urlopen(url, timeout=patience.timeout) as response:
            return _read(response, server, patience, end)
    except urllib.error.HTTPError as error:
        with error:
            reason = f"the server replied {error.code} {error.reason}"
        if error.code in _WORTH_ANOTHER_TRY:
            raise _TransientError(reason) from error
        raise ServiceError(f"{server}: {reason}") from error
    except (OSError, http.client.HTTPException) as error:
        raise _TransientError(_reason(error, patience)) from error


def _reason(error: BaseException, patience: Patience) -> str:
    """Say what went wrong with a connection."""
    cause = getattr(error, "reason", error)
    if isinstance(cause, TimeoutError):
        return f"no answer within {patience.timeout:g} s"
    if isinstance(cause, http.client.IncompleteRead):
        return f"the connection broke off after {len(cause.partial)} bytes"
    return f"no connection: {cause or type(cause).__name__}"


def _read(response: http.client.HTTPResponse, server: str, patience: Patience, end: float) -> str:
    expected = response.length  # None in a reply of pieces, or of a length that nobody tells
    if expected is not None and expected > patience.max_bytes:
        raise _too_large(server, f"{expected} bytes", patience)
    pieces, size = [], 0
    while piece := response.read1(_PIECE):
        pieces.append(piece)
        size += len(piece)
        if size > patience.max_bytes:
            raise _too_large(server, f"more than {size} bytes", patience)
        if time.monotonic() > end:
            raise _TransientError(
                f"the reply was not complete within {patience.total_timeout:g} s ({size} bytes)"
            )
    if expected is not None and size < expected:
        raise _TransientError(f"the connection broke off after {size} of {expected} bytes")
    text = b"".join(pieces).decode("utf-8-sig", errors="replace")
    if expected is None and not response.chunked:
        return text[: text.rfind("\n") + 1]
    return text


def _too_large(server: str, found: str, patience: Patience) -> ServiceError:
    return ServiceError(
        f"{server}: the reply has {found}, at most {patience.max_bytes} are taken; "
        "ask for a smaller field or raise the limit"
    )
