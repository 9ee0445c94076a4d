"""Trace models in files: fit once, use again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbweave.adaptive_trace_model.splines import TraceModel
from webbweave.datamodels import read_arrays, write_arrays
from webbweave.errors import InputError

__all__ = ["column_table", "load_trace_model", "read_traces", "save_trace_model", "save_traces"]

_KIND = "trace_model"
_KIND_OF_MANY = "trace_models"

_COLUMNS: list[tuple[str, str]] = [
    ("region", "<i4"),
    ("column", "<i4"),
    ("model", "<i4"),
    ("flags", "<i2"),
    ("n_knot", "<i4"),
    ("n_point", "<i4"),
    ("n_rejected", "<i4"),
    ("chi2", "<f4"),
    ("scale", "<f8"),
    ("scale_error", "<f8"),
    ("lower", "<f8"),
    ("upper", "<f8"),
]


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


def save_traces(path: str | Path, traces: Mapping[str, TraceModel]) -> Path:
    """
    Write the trace models of all slits of an exposure to an ASDF file.

    Parameters
    ----------
    path : str or path
        Where to write; the folder is made if it does not exist.
    traces : mapping of str to TraceModel
        The trace model of each slit by name; of an exposure without slits one named ``""``, which
        is written as `save_trace_model` does.

    Returns
    -------
    path
        The file written.

    Raises
    ------
    OutputError
        If it cannot be written; what was there before is still there.
    """
    if set(traces) == {""}:
        return save_trace_model(traces[""], path)
    arrays = {
        f"{name}/{key}": array
        for name, trace in traces.items()
        for key, array in trace.as_arrays().items()
    }
    return write_arrays(path, _KIND_OF_MANY, arrays)


def read_traces(path: str | Path) -> dict[str, TraceModel]:
    """
    Read what `save_traces` or `save_trace_model` wrote.

    Parameters
    ----------
    path : str or path
        The file.

    Returns
    -------
    dict of str to TraceModel
        The trace model of each slit by name; of an exposure without slits one named ``""``.

    Raises
    ------
    InputError
        If the file cannot be read, or holds something else.
    """
    try:
        arrays = read_arrays(path, _KIND_OF_MANY)
    except InputError:
        return {"": load_trace_model(path)}
    slits: dict[str, dict[str, NDArray[Any]]] = {}
    for name, array in arrays.items():
        slit, _, key = name.rpartition("/")
        slits.setdefault(slit, {})[key] = array
    try:
        return {name: TraceModel.from_arrays(entry) for name, entry in slits.items()}
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error


def column_table(trace: TraceModel) -> NDArray[np.void]:
    """
    Tell how the fit of each column went.

    Parameters
    ----------
    trace : TraceModel
        The fitted splines.

    Returns
    -------
    ndarray, structured, shape (n,)
        A row for each column of each region for which a fit was tried or found too poor in pixels:
        number of the region, column, the column whose spline is used (-1 for none), bits of
        `ColumnFlag`, number of knots, samples in the window, samples rejected, chi2 per pixel,
        scale, its error, and the range of the coordinate along the slit.
    """
    row, column = np.nonzero((trace.n_point > 0) | (trace.flags != 0) | (trace.model >= 0))
    table = np.zeros(row.size, dtype=_COLUMNS)
    table["region"] = trace.labels[row]
    table["column"] = column
    source = trace.model[row, column]
    for name in ("model", "flags", "n_point", "n_rejected", "chi2", "scale"):
        table[name] = getattr(trace, name)[row, column]
    error = trace.scale_error
    table["scale_error"] = np.nan if error is None else error[row, column]
    for name in ("n_knot", "lower", "upper"):
        values = getattr(trace, name)[row, source]
        table[name] = np.where(source >= 0, values, 0 if name == "n_knot" else np.nan)
    return table
