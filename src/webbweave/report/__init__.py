"""What a person looks at after a run: a picture and a self-contained page about a product.

Nothing is drawn at import: matplotlib and jinja2 are loaded by the first call that needs them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from webbweave.report.spectrum import SlitSummary, summarise

if TYPE_CHECKING:
    from webbweave.report.figures import save_picture
    from webbweave.report.html import write_report

__all__ = ["SlitSummary", "save_picture", "summarise", "write_report"]

_ON_FIRST_USE = {
    "save_picture": "webbweave.report.figures",
    "write_report": "webbweave.report.html",
}


def __getattr__(name: str) -> Any:
    if name in _ON_FIRST_USE:
        return getattr(importlib.import_module(_ON_FIRST_USE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
