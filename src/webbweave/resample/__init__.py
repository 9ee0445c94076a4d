"""Rectification and drizzling of slit spectra."""

from __future__ import annotations

import importlib
from typing import Any

_PUBLIC = {
    "OutputGrid": "grid",
    "ResampleOptions": "options",
    "ResampleSpecStep": "resample_spec_step",
    "ResampledSlit": "combine",
    "SlitExposure": "exposure",
    "SourceResult": "many",
    "build_output_grid": "output_wcs",
    "drizzle_exposure": "drizzle",
    "read_covariance": "noise_products",
    "read_matrix": "noise_products",
    "Covariance": "covariance",
    "resample_slit": "combine",
    "resample_sources": "many",
}

__all__ = [
    "Covariance",
    "OutputGrid",
    "ResampleOptions",
    "ResampleSpecStep",
    "ResampledSlit",
    "SlitExposure",
    "SourceResult",
    "build_output_grid",
    "drizzle_exposure",
    "read_covariance",
    "read_matrix",
    "resample_slit",
    "resample_sources",
]


def __getattr__(name: str) -> Any:
    # The algorithms must not import the step, and with it all of stpipe, through their package.
    if name in _PUBLIC:
        return getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
