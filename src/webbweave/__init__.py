"""webbweave weaves James Webb Space Telescope exposures together.

The public names are imported on first use, so that ``import webbweave`` costs next to nothing.
"""

from __future__ import annotations

import importlib
from importlib.metadata import version as _version
from typing import Any

__version__ = _version("webbweave")

_PUBLIC = {
    "AdaptiveTraceModelStep": "webbweave.adaptive_trace_model",
    "ResampleSpecStep": "webbweave.resample",
    "SlitGroup": "webbweave.slit_combine",
    "TweakRegStep": "webbweave.tweakreg",
    "WeaveError": "webbweave.errors",
}

__all__ = [
    "AdaptiveTraceModelStep",
    "ResampleSpecStep",
    "SlitGroup",
    "TweakRegStep",
    "WeaveError",
    "__version__",
]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
