"""What stpipe asks a package for: its steps."""

from __future__ import annotations

__all__ = ["get_steps"]


def get_steps() -> list[tuple[str, str, bool]]:
    """
    List the steps of webbweave.

    Returns
    -------
    list of (str, str, bool)
        Class path, alias, and whether it is a pipeline. The aliases of ``strun`` are global, so
        ours carry the name of the package.
    """
    return [
        (
            "webbweave.adaptive_trace_model.AdaptiveTraceModelStep",
            "webbweave.adaptive_trace_model",
            False,
        ),
        ("webbweave.resample.ResampleSpecStep", "webbweave.resample_spec", False),
        ("webbweave.tweakreg.TweakRegStep", "webbweave.tweakreg", False),
    ]
