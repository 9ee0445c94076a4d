"""What is warned of while one piece of work is done, among others in other threads."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["collected_warnings"]

#: What is warned of while a thread works on a source.
_messages: ContextVar[list[str] | None] = ContextVar("messages", default=None)


class _Collector(logging.Handler):
    """Keep the warnings of the one source whose list it was made for."""

    def __init__(self, messages: list[str]) -> None:
        super().__init__(logging.WARNING)
        self.messages = messages

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno == logging.WARNING and _messages.get() is self.messages:
            self.messages.append(record.getMessage())


@contextmanager
def collected_warnings() -> Iterator[list[str]]:
    """
    Collect what webbweave warns of inside a ``with`` block, in this thread only.

    Yields
    ------
    list of str
        The messages so far; it grows.
    """
    messages: list[str] = []
    token = _messages.set(messages)
    collector = _Collector(messages)
    root = logging.getLogger("webbweave")
    root.addHandler(collector)
    try:
        yield messages
    finally:
        root.removeHandler(collector)
        _messages.reset(token)
