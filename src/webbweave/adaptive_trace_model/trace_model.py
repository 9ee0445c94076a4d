"""Spline models of the traces of slices and slits: fit them, and oversample images with them."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Mapping, MutableMapping
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from webbweave.adaptive_trace_model import bspline
from webbweave.adaptive_trace_model.bspline import bspline_fit
from webbweave.adaptive_trace_model.column_fit import fit_columns_with
from webbweave.adaptive_trace_model.column_models import ColumnModels
from webbweave.adaptive_trace_model.evaluate import trace_image
from webbweave.adaptive_trace_model.fit import FitOptions, fit_trace
from webbweave.adaptive_trace_model.models import (
    accepts_newer_form,
    pack_models,
    split_spline_models,
)
from webbweave.adaptive_trace_model.modes import _set_fit_kwargs, _set_oversample_kwargs
from webbweave.adaptive_trace_model.oversample import oversample_image, oversample_plane
from webbweave.adaptive_trace_model.prepare import prepare_and_fit
from webbweave.adaptive_trace_model.profile import (
    CrossProfile,
    cross_profile,
    is_bright,
    trim_edges,
)
from webbweave.adaptive_trace_model.region import Region
from webbweave.adaptive_trace_model.regions import RegionMap, as_image
from webbweave.parallel import thread_count

__all__ = [
    "_set_fit_kwargs",
    "_set_oversample_kwargs",
    "fit_2d_spline_trace",
    "fit_all_regions",
    "fit_and_oversample",  # noqa: F822 - see __getattr__
    "linear_oversample",
    "oversample_flux",
    "split_spline_models",
]

log = logging.getLogger(__name__)

Image = NDArray[np.float64]

_ONE_REGION = 1


def __getattr__(name: str) -> Any:
    # It works on data models, which nothing else here knows.
    if name == "fit_and_oversample":
        module = importlib.import_module("webbweave.adaptive_trace_model.model_products")
        return module.fit_and_oversample
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def fit_2d_spline_trace(
    flux: ArrayLike,
    alpha: ArrayLike,
    fit_scale: ArrayLike | None = None,
    lrange: int = 50,
    col_index: ArrayLike | None = None,
    space_ratio: float = 1.2,
    sigma_low: float = 2.5,
    sigma_high: float = 2.5,
    fit_iter: int = 3,
    require_ngood: int | None = None,
    spline_bkpt: int | None = None,
    auto_ngood_factor: float = 0.5,
    auto_bkpt_factor: float = 2.0,
    *,
    compat: bool = False,
) -> MutableMapping[int, dict[str, Any]]:
    """
    Fit a spline to the profile of every column of one slice or slit.

    Parameters
    ----------
    flux : array_like, shape (ny, nx)
        The data, dispersion along x; NaN where bad or outside the slit.
    alpha : array_like, shape (ny, nx)
        Coordinate along the slit; NaN outside.
    fit_scale : array_like, shape (nx,), optional
        What the flux of each column is divided by, such as its sum.
    lrange : int, optional
        Columns on each side of a column whose pixels are fitted together with its own; far ones
        weigh less.
    col_index : array_like of int, optional
        The columns to fit, in this order; all by default.
    space_ratio : float, optional
        No spline is fitted if ten gaps between samples are wider than this number of intervals
        between knots.
    sigma_low, sigma_high : float, optional
        Samples further below or above the spline than this number of standard deviations are
        rejected.
    fit_iter : int, optional
        Number of fits of a column at most.
    require_ngood : int, optional
        A column needs more valid pixels than this; by default `auto_ngood_factor` times the height
        of the slit in pixels.
    spline_bkpt : int, optional
        Number of intervals between knots; by default `auto_bkpt_factor` times the height.
    auto_ngood_factor, auto_bkpt_factor : float, optional
        Per pixel of height.
    compat : bool, optional
        Reproduce jwst 3.0.0.

    Returns
    -------
    mapping
        Column to ``{"model": BSpline, "scale": float, "bounds": (lower, upper)}``; columns without
        a model are absent. The trace is scale times model, within the bounds of alpha. Used like a
        dictionary; its items are made when they are asked for.

    Raises
    ------
    ValueError
        If the shapes of the arrays do not agree, or an option has no meaning.
    """
    flux = as_image("flux", flux)
    alpha = as_image("alpha", alpha, flux.shape)
    options = FitOptions(
        lrange=lrange,
        col_index=None if col_index is None else np.asarray(col_index, np.intp),
        space_ratio=space_ratio,
        sigma_low=sigma_low,
        sigma_high=sigma_high,
        fit_iter=fit_iter,
        require_ngood=require_ngood,
        spline_bkpt=spline_bkpt,
        auto_ngood_factor=auto_ngood_factor,
        auto_bkpt_factor=auto_bkpt_factor,
    )
    scales = None
    if fit_scale is not None:
        scales = np.array(np.broadcast_to(np.asarray(fit_scale, float), flux.shape[1:]))
    if bspline_fit is not bspline.bspline_fit:  # replaced in this module by the caller's own
        return fit_columns_with(bspline_fit, flux, alpha, scales, options)
    region = _whole_image(flux, alpha, rounds=compat)
    fitted = {_ONE_REGION: (region, scales)} if flux.size else {}
    labels = np.array([_ONE_REGION])
    model = fit_trace(labels, fitted, flux.shape[1], options, compat=compat)
    return model.as_dicts(options.col_index)[_ONE_REGION]


def _whole_image(flux: NDArray[Any], alpha: NDArray[Any], *, rounds: bool) -> Region:
    single = flux.dtype == np.float32
    columns = np.array(alpha.T, dtype=np.float64, order="C")
    if rounds and single:
        columns = columns.astype(np.float32).astype(np.float64)
    return Region(
        label=_ONE_REGION,
        first_row=np.zeros(len(columns), np.int32),
        flux=np.array(flux.T, dtype=np.float64, order="C"),
        alpha=columns,
        single=single,
    )


def fit_all_regions(
    flux: ArrayLike,
    error: ArrayLike | None,
    alpha: ArrayLike,
    region_map: ArrayLike,
    maximum_cores: str | int | None = "none",
    *,
    compat: bool = False,
    **fit_kwargs: Any,
) -> dict[int, ColumnModels]:
    """
    Fit the traces of all slices or slits of an exposure.

    Parameters
    ----------
    flux : array_like, shape (ny, nx)
        The data, dispersion along x; NaN where bad.
    error : array_like, shape (ny, nx), or None
        Standard deviation of the flux.
    alpha : array_like, shape (ny, nx)
        Coordinate along the slit; NaN outside of regions.
    region_map : array_like of int, shape (ny, nx)
        Number of the slice or slit of each pixel, 0 for none.
    maximum_cores : str or int, optional
        'none', 'quarter', 'half', 'all' or a number of threads; the result does not depend on it.
    compat : bool, optional
        Reproduce jwst 3.0.0. As there, the last digits depend on whether the rows of `flux` or its
        columns are contiguous in memory, since columns are summed as float32.
    **fit_kwargs
        Those of `fit_2d_spline_trace` from `lrange` on, and `peak_threshold` (dictionary of region
        to flux) and `snr_threshold` (number): only regions whose collapsed profile exceeds one of
        them are fitted; all without them.

    Returns
    -------
    dict of int to mapping
        Region to column to ``{"model": BSpline, "scale": float, "bounds": (lower, upper)}``; with
        every region, those without a fit empty. The mappings are used like dictionaries; their
        items are made when they are asked for.

    Raises
    ------
    TypeError
        If a keyword is unknown.
    ValueError
        If the shapes of the arrays do not agree, or an option has no meaning.
    """
    thresholds = {name: fit_kwargs.pop(name, None) for name in ("peak_threshold", "snr_threshold")}
    options = _fit_options(fit_kwargs)
    trace = prepare_and_fit(
        flux,
        error,
        alpha,
        region_map,
        options,
        threads=thread_count(maximum_cores),
        compat=compat,
        **thresholds,
    )
    return trace.as_dicts(options.col_index)


#: What only the newer interface of the step offers.
_NOT_OF_JWST = {"weighting"}


def _fit_options(keywords: Mapping[str, Any]) -> FitOptions:
    known = {field.name for field in fields(FitOptions)} - _NOT_OF_JWST
    unknown = sorted(keywords.keys() - known)
    if unknown:
        raise TypeError(f"unexpected keyword {unknown[0]!r}, expected some of {sorted(known)}")
    values = dict(keywords)
    if values.get("col_index") is not None:
        values["col_index"] = np.asarray(values["col_index"], np.intp)
    # None stands for the default of a factor that is not needed.
    for name in ("auto_ngood_factor", "auto_bkpt_factor"):
        if values.get(name, 0.0) is None:
            del values[name]
    return FitOptions(**values)


@accepts_newer_form
def oversample_flux(
    flux: ArrayLike,
    alpha: ArrayLike,
    region_map: ArrayLike,
    spline_models: Mapping[int, Any],
    spline_scales: Mapping[int, Mapping[int, float]] | None,
    oversample_factor: float,
    alpha_os: ArrayLike,
    require_ngood: int = 10,
    slope_limit: float = 0.1,
    psf_optimal: bool = False,
    trim_ends: bool = False,
    pad: int = 3,
    *,
    compat: bool = False,
) -> tuple[Image, Image, Image, Image, Image]:
    """
    Oversample a flux image with spline models of its traces.

    Near a compact source, the result is the trace and the residual of the data from it,
    interpolated linearly; elsewhere it is the flux, interpolated linearly. A source is compact
    where its normalised profile is steep. The threads of all processors are used.

    Parameters
    ----------
    flux : array_like, shape (ny, nx)
        The data, dispersion along x; NaN where bad.
    alpha : array_like, shape (ny, nx)
        Coordinate along the slit; NaN outside of regions.
    region_map : array_like of int, shape (ny, nx)
        Number of the slice or slit of each pixel, 0 for none.
    spline_models : dict
        Region to column to spline, with `spline_scales`; or to ``{"model": spline, "scale": float,
        "bounds": (lower, upper)}`` without. Columns without a model are absent.
    spline_scales : dict or None
        Region to column to scale. May be left out if all that follows is given by keyword.
    oversample_factor : float
        How many times finer the grid is along y; any positive number.
    alpha_os : array_like, shape (ceil(ny * oversample_factor), nx)
        Coordinate along the slit on the finer grid.
    require_ngood : int, optional
        A column of a region needs more finite pixels than this.
    slope_limit : float, optional
        Change of the normalised profile from a pixel to the next, in parts of the column's sum,
        above which a source is compact. With 0 or less, the trace is used everywhere.
    psf_optimal : bool, optional
        Do not add the residual to the trace.
    trim_ends : bool, optional
        The first and last ``int(oversample_factor)`` samples of the trace in each column are NaN.
    pad : int, optional
        Pixels on each side of a compact source that belong to it.
    compat : bool, optional
        Reproduce jwst 3.0.0; with `spline_scales`, its first version.

    Returns
    -------
    flux_os : ndarray of float64, shape (ceil(ny * oversample_factor), nx)
        The oversampled flux. As all of these, NaN where undefined.
    trace_used : ndarray
        The trace near compact sources.
    full_trace : ndarray
        The trace wherever there is one.
    linear_flux : ndarray
        The flux, interpolated linearly.
    residual_flux : ndarray
        The flux minus the trace, interpolated linearly.

    Raises
    ------
    TypeError
        If models and scales are not of one form.
    ValueError
        If the shapes of the arrays do not agree, or the factor is not positive.
    """
    flux = as_image("flux", flux)
    alpha = as_image("alpha", alpha, flux.shape)
    regions = RegionMap.find(region_map, flux.shape)
    model = pack_models(spline_models, spline_scales, regions, alpha, compat=compat)
    images = oversample_image(
        flux,
        alpha,
        regions,
        model,
        oversample_factor,
        alpha_os,
        require_ngood=require_ngood,
        slope_limit=slope_limit,
        psf_optimal=psf_optimal,
        trim_ends=trim_ends,
        pad=pad,
        threads=thread_count("all"),
        compat=compat,
        trims_column=compat and spline_scales is not None,
    )
    return images.flux, images.used, images.full, images.linear, images.residual  # type: ignore[return-value]


def linear_oversample(
    data: ArrayLike,
    region_map: ArrayLike,
    oversample_factor: float,
    require_ngood: int,
    edge_limit: int = 0,
    preserve_nan: bool = True,
    *,
    compat: bool = False,
) -> NDArray[np.float32]:
    """
    Interpolate an image linearly onto a grid that is finer across the dispersion.

    Parameters
    ----------
    data : array_like, shape (ny, nx)
        The image, dispersion along x; NaN where bad.
    region_map : array_like of int, shape (ny, nx)
        Number of the slice or slit of each pixel, 0 for none.
    oversample_factor : float
        How many times finer the grid is along y; any positive number.
    require_ngood : int
        A column of a region needs more finite pixels than this.
    edge_limit : int, optional
        Samples at each end of a column that become NaN.
    preserve_nan : bool, optional
        A sample is NaN if its nearest pixel is not finite.
    compat : bool, optional
        Reproduce jwst 3.0.0.

    Returns
    -------
    ndarray of float32, shape (ceil(ny * oversample_factor), nx)
        The image, NaN outside of regions.

    Raises
    ------
    ValueError
        If the shapes of the arrays do not agree, or the factor is not positive.
    """
    return oversample_plane(
        data,
        region_map,
        oversample_factor,
        require_ngood=require_ngood,
        edge_limit=edge_limit,
        preserve_nan=preserve_nan,
        threads=thread_count("all"),
        compat=compat,
    )


# Under these names jwst 3.0.0 has the parts of its fit, and tests of pipelines use them.


def _trace_image(
    shape: tuple[int, int],
    spline_models: Mapping[int, Any],
    region_map: ArrayLike,
    alpha: ArrayLike,
    slope_limit: float = 0.1,
    pad: int = 3,
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    alpha = as_image("alpha", alpha, shape)
    regions = RegionMap.find(region_map, shape)
    model = pack_models(spline_models, None, regions, alpha, compat=True)
    images = trace_image(model, alpha, regions, slope_limit=slope_limit, pad=pad, compat=True)
    return images.used, images.full


def _crossdisp_profile(
    data_slice: NDArray[Any], err_slice: NDArray[Any], alpha_slice: NDArray[Any]
) -> tuple[NDArray[np.float64] | None, ...]:
    single = np.asarray(data_slice).dtype == np.float32
    region = _whole_image(as_image("data_slice", data_slice), alpha_slice, rounds=True)
    error = np.array(np.asarray(err_slice).T, dtype=np.float64, order="C")
    steps = np.diff(region.alpha, axis=1)
    size = abs(float(np.median(steps[np.isfinite(steps)]))) if np.isfinite(steps).any() else 0.0
    profile = cross_profile(region.flux, error, region.alpha, size, single=single, compat=True)
    if profile is None:
        return None, None, None, None
    return profile.alpha, profile.flux, profile.error, profile.snr


def _trim_edges(
    data_slice: NDArray[Any],
    alpha_slice: NDArray[Any],
    alpha_xdisp: NDArray[Any],
    err_xdisp: NDArray[Any],
    snr_xdisp: NDArray[Any],
) -> None:
    profile = CrossProfile(alpha_xdisp, np.full_like(snr_xdisp, np.nan), err_xdisp, snr_xdisp)
    trim_edges(data_slice, alpha_slice, profile, compat=True)


def _threshold_test(
    flux_xdisp: NDArray[Any] | None,
    snr_xdisp: NDArray[Any] | None,
    region_number: int,
    peak_threshold: Mapping[int, float] | None,
    snr_threshold: float | None,
) -> bool:
    none = np.full(1, np.nan)
    flux = none if flux_xdisp is None else np.asarray(flux_xdisp, float)
    snr = none if snr_xdisp is None else np.asarray(snr_xdisp, float)
    return is_bright(
        CrossProfile(none, flux, none, snr), region_number, peak_threshold, snr_threshold
    )


def _fit_one_region(
    flux: ArrayLike,
    error: ArrayLike | None,
    alpha: ArrayLike,
    region_map: ArrayLike,
    region_number: int,
    peak_threshold: Mapping[int, float] | None = None,
    snr_threshold: float | None = None,
    **fit_kwargs: Any,
) -> MutableMapping[int, dict[str, Any]]:
    only = np.where(np.asarray(region_map) == region_number, region_number, 0)
    models = fit_all_regions(
        flux,
        error,
        alpha,
        only,
        compat=True,
        peak_threshold=peak_threshold,
        snr_threshold=snr_threshold,
        **fit_kwargs,
    )
    return models.get(region_number, {})
