"""Models of spectral traces, and oversampling with their help."""

from __future__ import annotations

import importlib
from typing import Any

_PUBLIC = {
    "AdaptiveTraceModelStep": "adaptive_trace_model_step",
    "TraceModel": "splines",
    "TraceOptions": "options",
    "fit_and_oversample": "model_products",
    "read_traces": "trace_products",
    "save_traces": "trace_products",
}

__all__ = [
    "AdaptiveTraceModelStep",
    "TraceModel",
    "TraceOptions",
    "fit_and_oversample",
    "read_traces",
    "save_traces",
]


def __getattr__(name: str) -> Any:
    # The algorithms must not import the step, and with it all of stpipe, through their package.
    if name in _PUBLIC:
        return getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
