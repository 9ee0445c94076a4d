"""Forms in which spline models are handed over: dictionaries, with scales apart or together."""

from __future__ import annotations

import functools
import inspect
import numbers
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from webbweave.adaptive_trace_model.column_models import trace_of
from webbweave.adaptive_trace_model.regions import RegionMap
from webbweave.adaptive_trace_model.splines import DEGREE, TraceModel

__all__ = ["accepts_newer_form", "pack_models", "split_spline_models"]

P = ParamSpec("P")
R = TypeVar("R")

_NEWER_ORDER = (
    "spline_scales is a number: this is the argument order of jwst 2.0 and later. Write "
    "oversample_flux(flux, alpha, region_map, spline_models, oversample_factor=2.0, "
    "alpha_os=alpha_os)"
)

#: Position of spline_scales among the arguments of oversample_flux.
_PLACE_OF_SCALES = 4


def split_spline_models(
    spline_models: Mapping[int, Mapping[int, Mapping[str, Any]]],
) -> tuple[dict[int, dict[int, Any]], dict[int, dict[int, float]]]:
    """
    Give the models of `fit_all_regions` in the form of the first version of jwst.

    Parameters
    ----------
    spline_models : dict
        Region to column to ``{"model", "scale", "bounds"}``.

    Returns
    -------
    spline_models : dict
        Region to column to spline.
    spline_scales : dict
        Region to column to scale. The bounds are lost.
    """
    models = {
        region: {column: entry["model"] for column, entry in columns.items()}
        for region, columns in spline_models.items()
    }
    scales = {
        region: {column: float(entry["scale"]) for column, entry in columns.items()}
        for region, columns in spline_models.items()
    }
    return models, scales


def accepts_newer_form(function: Callable[P, R]) -> Callable[P, R]:
    """
    Let ``spline_scales`` be left out if all after ``spline_models`` is given by keyword.

    Parameters
    ----------
    function : callable
        `oversample_flux` with the signature of the first version of jwst.

    Returns
    -------
    callable
        The same with that signature, which also takes calls of the newer form, and which says what
        to write if a call can be neither.
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        if len(args) <= _PLACE_OF_SCALES:
            kwargs.setdefault("spline_scales", None)
        scales = args[_PLACE_OF_SCALES] if len(args) > _PLACE_OF_SCALES else kwargs["spline_scales"]
        if isinstance(scales, numbers.Real):
            raise TypeError(_NEWER_ORDER)
        try:
            signature.bind(*args, **kwargs)
        except TypeError:
            if len(args) == _PLACE_OF_SCALES + 2:
                raise TypeError(_NEWER_ORDER) from None
            raise
        return function(*args, **kwargs)

    return wrapper


def pack_models(
    spline_models: Mapping[int, Any] | TraceModel,
    spline_scales: Mapping[int, Mapping[int, float]] | None,
    regions: RegionMap,
    alpha: NDArray[Any],
    *,
    compat: bool,
) -> TraceModel:
    """
    Pack the models of either form.

    Parameters
    ----------
    spline_models : dict or TraceModel
        Region to column to a spline, or to ``{"model", "scale", "bounds"}``.
    spline_scales : dict or None
        Region to column to scale; None for the second form.
    regions : RegionMap
        The regions of the image.
    alpha : ndarray, shape (ny, nx)
        Coordinate along the slit.
    compat : bool
        Models of the first form have no bounds, as in jwst. Otherwise they end a pixel beyond
        their knots.

    Returns
    -------
    TraceModel
        The models.

    Raises
    ------
    TypeError
        If a model is not of the form that `spline_scales` says; the message names region and
        column.
    """
    n_column = regions.shape[1]
    if isinstance(spline_models, TraceModel):
        return spline_models
    if spline_scales is None:
        packed = trace_of(spline_models, n_column)
        return TraceModel.from_dicts(spline_models, n_column) if packed is None else packed
    joined: dict[int, dict[int, Any]] = {}
    for region, columns in spline_models.items():
        margin = np.inf if compat else _pixel_size(region, regions, alpha)
        joined[region] = {
            column: _joined(model, spline_scales, region, column, margin)
            for column, model in columns.items()
        }
    return TraceModel.from_dicts(joined, n_column)


def _pixel_size(region: int, regions: RegionMap, alpha: NDArray[Any]) -> float:
    (found,) = np.nonzero(regions.labels == region)
    size = regions.measure(int(found[0]), alpha).pixel_size if len(found) else 0.0
    return size if np.isfinite(size) else 0.0


def _joined(
    model: Any, scales: Mapping[int, Mapping[int, float]], region: int, column: int, margin: float
) -> dict[str, Any]:
    where = f"[{region}][{column}]"
    if isinstance(model, Mapping):
        raise TypeError(
            f"spline_models{where} is a dictionary, which holds its scale itself: leave "
            "spline_scales out, or give spline_models and spline_scales of split_spline_models"
        )
    if not all(hasattr(model, name) for name in "tck"):
        raise TypeError(f"spline_models{where}: expected a cubic BSpline, found {model!r}")
    try:
        scale = float(scales[region][column])
    except KeyError:
        raise TypeError(
            f"spline_scales{where} is missing, while spline_models{where} is there"
        ) from None
    knots = np.asarray(model.t, dtype=float)
    bounds = knots[DEGREE] - margin, knots[-DEGREE - 1] + margin
    return {"model": model, "scale": scale, "bounds": bounds}
