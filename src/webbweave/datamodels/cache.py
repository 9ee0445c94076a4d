"""Texts that were fetched once, kept on disk for the next time."""

from __future__ import annotations

import hashlib
import logging
import os
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from webbweave.datamodels.writing import replace_atomically
from webbweave.errors import OutputError

__all__ = ["CACHE_VARIABLE", "TextCache", "default_cache_folder"]

log = logging.getLogger(__name__)

#: Environment variable with the folder of the cache; ``off`` for none.
CACHE_VARIABLE = "WEBBWEAVE_CACHE"

#: Characters of the digest in a file name: 64 bits, no two queries of a user will share them.
_DIGEST = 16


def default_cache_folder() -> Path | None:
    """
    Find the folder where this platform keeps what can be fetched again.

    Returns
    -------
    path or None
        The folder that the environment variable ``WEBBWEAVE_CACHE`` names, None if it says ``off``;
        else ``webbweave`` in the platform's cache folder (``XDG_CACHE_HOME`` or ``~/.cache``,
        ``~/Library/Caches``, ``%LOCALAPPDATA%``). It need not exist.
    """
    if named := os.environ.get(CACHE_VARIABLE, "").strip():
        return None if named.lower() == "off" else Path(named)
    try:
        home = Path.home()
    except RuntimeError:  # an account without a home has no cache either
        return None
    if sys.platform == "darwin":
        base = home / "Library" / "Caches"
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return base / "webbweave"


@dataclass(frozen=True)
class TextCache:
    """
    Texts in a folder, by the query that they answer.

    Attributes
    ----------
    folder : path
        Where the files are; it is made when the first text is kept.
    """

    folder: Path

    def path(self, query: str, label: str) -> Path:
        """
        Say where the answer to a query is kept.

        Parameters
        ----------
        query : str
            The whole query.
        label : str
            What the name of the file begins with.

        Returns
        -------
        path
            The file.
        """
        digest = hashlib.sha256(query.encode()).hexdigest()[:_DIGEST]
        return self.folder / f"{label}_{digest}.csv"

    def get(self, query: str, label: str, max_age: float) -> str | None:
        """
        Look up a text.

        Parameters
        ----------
        query, label : str
            What it answers, see `path`.
        max_age : float
            Oldest text that will do [s].

        Returns
        -------
        str or None
            None if there is no text, or only one that is too old or cannot be read.
        """
        path = self.path(query, label)
        with suppress(OSError, UnicodeDecodeError):
            if time.time() - path.stat().st_mtime <= max_age:
                # As bytes: the ends of lines stay what they are.
                return path.read_bytes().decode("utf-8")
        return None

    def put(self, query: str, label: str, text: str) -> None:
        """
        Keep a text; where the folder cannot be written this is only logged.

        Parameters
        ----------
        query, label, text : str
            What it answers, see `path`, and the text.
        """
        path = self.path(query, label)
        try:
            replace_atomically(path, lambda temporary: temporary.write_bytes(text.encode("utf-8")))
        except OutputError as error:
            log.warning("The catalog is not kept for the next time: %s", error)

    def remove(self, query: str, label: str) -> None:
        """
        Forget a text.

        Parameters
        ----------
        query, label : str
            What it answers, see `path`.
        """
        with suppress(OSError):
            self.path(query, label).unlink()
