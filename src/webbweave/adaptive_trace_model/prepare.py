"""From images to a trace model: regions are cut out, judged, trimmed, normalised and fitted."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from webbweave.adaptive_trace_model.fit import FitOptions, fit_trace
from webbweave.adaptive_trace_model.profile import (
    CrossProfile,
    column_sums,
    cross_profile,
    is_bright,
    trim_edges,
)
from webbweave.adaptive_trace_model.region import Region
from webbweave.adaptive_trace_model.regions import RegionMap, as_image
from webbweave.adaptive_trace_model.splines import TraceModel
from webbweave.parallel import run_in_order
from webbweave.progress import Progress

__all__ = ["prepare_and_fit", "prepare_region"]

log = logging.getLogger(__name__)


def prepare_and_fit(
    flux: ArrayLike,
    error: ArrayLike | None,
    alpha: ArrayLike,
    region_map: ArrayLike | RegionMap,
    options: FitOptions,
    *,
    peak_threshold: Mapping[int, float] | None = None,
    snr_threshold: float | None = None,
    threads: int = 1,
    errors: bool = False,
    compat: bool = False,
    by_column: bool | None = None,
    progress: Progress | None = None,
) -> TraceModel:
    """
    Fit the trace in every region of an image that is bright enough.

    Parameters
    ----------
    flux : array_like, shape (ny, nx)
        The data, dispersion along x; NaN where bad.
    error : array_like, shape (ny, nx), or None
        Standard deviation of the flux. Without errors no region exceeds a threshold, and no edges
        are trimmed.
    alpha : array_like, shape (ny, nx)
        Coordinate along the slit, NaN outside of regions.
    region_map : array_like of int or RegionMap, shape (ny, nx)
        Number of the region of each pixel, 0 for none.
    options : FitOptions
        How to fit.
    peak_threshold : mapping of int to float, optional
        Flux that the collapsed profile of a region must exceed, by region.
    snr_threshold : float, optional
        Signal-to-noise ratio that it must exceed. Without thresholds, everything is fitted.
    threads : int, optional
        Number of threads; the result does not depend on it.
    errors : bool, optional
        Also find the errors of the model.
    compat : bool, optional
        Reproduce jwst 3.0.0.
    by_column : bool, optional
        Under `compat`: columns of the data are contiguous in the memory of jwst, as where it turns
        an image. It decides in which order they are summed. By default, if those of `flux` are.
    progress : Progress, optional
        What to report to.

    Returns
    -------
    TraceModel
        The model, with every region of the map.

    Raises
    ------
    ValueError
        If the shapes of the arrays do not agree.
    """
    if by_column is None:
        by_column = _has_contiguous_columns(flux)
    flux = as_image("flux", flux)
    error = None if error is None else as_image("error", error, flux.shape)
    alpha = as_image("alpha", alpha, flux.shape)
    regions = RegionMap.find(region_map, flux.shape)
    height = flux.shape[0] if by_column else 0
    if log.isEnabledFor(logging.INFO) and (error is None or not np.any(error > 0)):
        log.info("There are no errors above 0: edges are not trimmed, nothing is over a threshold")

    def prepare(index: int) -> tuple[Region, NDArray[np.float64]] | None:
        rounds = compat and flux.dtype == np.float32
        region = regions.cut_region(index, flux, alpha, error, rounds=rounds)
        sums = prepare_region(region, peak_threshold, snr_threshold, compat=compat, height=height)
        return None if sums is None else (region, sums)

    numbers = regions.labels.tolist()
    n_thread = min(threads, len(numbers))
    prepared = run_in_order(prepare, range(len(numbers)), threads=n_thread)
    to_fit = {n: item for n, item in zip(numbers, prepared, strict=True) if item is not None}
    return fit_trace(
        regions.labels,
        to_fit,
        flux.shape[1],
        options,
        threads=threads,
        errors=errors,
        compat=compat,
        progress=progress,
    )


def _has_contiguous_columns(flux: ArrayLike) -> bool:
    image = np.asarray(flux)
    return image.ndim > 1 and abs(image.strides[-2]) < abs(image.strides[-1])


def prepare_region(
    region: Region,
    peak_threshold: Mapping[int, float] | None,
    snr_threshold: float | None,
    *,
    compat: bool = False,
    height: int = 0,
) -> NDArray[np.float64] | None:
    """
    Judge, trim and normalise a region.

    Parameters
    ----------
    region : Region
        The region, with the size of its pixels; pixels of `flux` that are trimmed become NaN.
    peak_threshold, snr_threshold
        See `prepare_and_fit`.
    compat : bool, optional
        Reproduce jwst 3.0.0.
    height : int, optional
        Under `compat`, the number of rows of the image if its columns are contiguous in memory.

    Returns
    -------
    ndarray of float64, shape (n_column,), or None
        What the columns are normalised with; None if the region is not to be fitted.
    """

    def collapse() -> CrossProfile | None:
        return cross_profile(
            region.flux,
            region.error,
            region.alpha,
            np.nan if region.pixel_size is None else region.pixel_size,
            single=region.single,
            compat=compat,
        )

    profile = collapse()
    is_over = is_bright(profile, region.label, peak_threshold, snr_threshold)
    if (
        is_over
        and profile is not None
        and trim_edges(region.flux, region.alpha, profile, compat=compat)
    ):
        profile = collapse()
        is_over = is_bright(profile, region.label, peak_threshold, snr_threshold)
    if not is_over:
        log.debug("Region %d: No data over threshold; not fitting splines.", region.label)
        return None
    return column_sums(
        region.flux,
        profile,
        region.first_row,
        rounds=compat and region.single,
        height=height,
    )
