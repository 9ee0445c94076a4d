"""Trace models in files: fit once, use again."""

from __future__ import annotations

from pathlib import Path

from webbweave.adaptive_trace_model.splines import TraceModel
from webbweave.datamodels import read_arrays, write_arrays
from webbweave.errors import InputError

__all__ = ["load_trace_model", "save_trace_model"]

_KIND = "trace_model"


def save_trace_model(model: TraceModel, path: str | Path, *, overwrite: bool = True) -> Path:
    """
    Write a trace model to an ASDF file.

    Parameters
    ----------
    model : TraceModel
        The model. Only splines that were fitted take room.
    path : str or path
        Where to write; the folder is made if it does not exist.
    overwrite : bool, optional
        Whether an existing file may be replaced.

    Returns
    -------
    path
        The file written.

    Raises
    ------
    OutputError
        If it exists while `overwrite` is False, or cannot be written; the folder is then as it was.
    """
    return write_arrays(path, _KIND, model.as_arrays(), overwrite=overwrite)


def load_trace_model(path: str | Path) -> TraceModel:
    """
    Read a trace model.

    It needs no data to be used: images at any `slope_limit`, and any factor of oversampling, come
    from it without a fit, also for another exposure of the same width that has the source at the
    same coordinate along the slit.

    Parameters
    ----------
    path : str or path
        A file that `save_trace_model` made.

    Returns
    -------
    TraceModel
        The model, bit for bit.

    Raises
    ------
    InputError
        If the file cannot be read, or does not hold a trace model.
    """
    try:
        return TraceModel.from_arrays(read_arrays(path, _KIND))
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error
