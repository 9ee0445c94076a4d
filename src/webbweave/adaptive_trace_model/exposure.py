"""The trace of one exposure or slit, on arrays: from the image to all that is derived from it."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from astropy.stats import sigma_clipped_stats
from numpy.typing import NDArray

from webbweave.adaptive_trace_model.geometry import Geometry
from webbweave.adaptive_trace_model.options import TraceOptions
from webbweave.adaptive_trace_model.regions import RegionMap

__all__ = [
    "TraceInput",
    "error_inflation",
    "integration_scales",
    "prepare_input",
    "statistics_of",
    "thresholds",
]

log = logging.getLogger(__name__)

_Image = NDArray[np.float32]

#: Regions of the MIRI spectrometer are numbered from this times the channel.
_PER_CHANNEL = 100
_CHANNELS = (1, 2, 3, 4)

#: Errors of an oversampled image are larger by this times the factor, plus the next number: found
#: by Law & Clarke 2026 (AJ 171, 304) so that the noise of sums over apertures stays what it was.
_INFLATION_SLOPE = 0.23
_INFLATION_CONSTANT = 0.77

#: Pixels of a column that are so many times the scatter off the trace do not count for its scale in
#: an integration: beyond this a Gaussian has one pixel in 10^5.
_SCALE_CLIP = 4.5
#: Scatter of a Gaussian over the median of its absolute deviations.
_SIGMA_PER_MAD = 1.4826


@dataclass(frozen=True)
class TraceInput:
    """
    What a trace is modelled on.

    Attributes
    ----------
    flux : ndarray of float32, shape (ny, nx)
        The image, with the dispersion along x, less the pedestal.
    error : ndarray of float32, shape (ny, nx), or None
        Standard deviation of each pixel.
    geometry : Geometry
        The coordinates of the pixels.
    regions : RegionMap
        Where its regions are.
    pedestal : float
        What was subtracted from the image: its mean, if that is negative, since profiles are
        relative to the sum of a column.
    peak_threshold : dict of int to float, or None
        Flux that the profile of a region must exceed to be fitted.
    snr_threshold : float or None
        Signal-to-noise ratio that the profile of a slit must exceed to be fitted.
    """

    flux: _Image
    error: _Image | None
    geometry: Geometry
    regions: RegionMap
    pedestal: float = 0.0
    peak_threshold: dict[int, float] | None = None
    snr_threshold: float | None = None

    def released(self) -> TraceInput:
        """
        Let go of the errors, which only the fit needs.

        Returns
        -------
        TraceInput
            The same without errors.
        """
        return replace(self, error=None)

    def map_only(self) -> TraceInput:
        """
        Let go of all but the map of the regions.

        Returns
        -------
        TraceInput
            The same with an image and coordinates without rows.
        """
        return replace(self, error=None, flux=self.flux[:0].copy(), geometry=self.geometry.bare())


def prepare_input(
    flux: NDArray[Any], error: NDArray[Any] | None, geometry: Geometry, options: TraceOptions
) -> TraceInput:
    """
    Turn the image, take its pedestal off and find the thresholds.

    Parameters
    ----------
    flux, error : ndarray, shape (ny, nx)
        Image of the detector, and its standard deviation.
    geometry : Geometry
        The coordinates of its pixels.
    options : TraceOptions
        How to model the trace.

    Returns
    -------
    TraceInput
        What is to be fitted.
    """
    work = np.ascontiguousarray(geometry.to_work(flux), dtype=np.float32)
    mean, rms = statistics_of(work[geometry.region_map > 0])
    pedestal = 0.0
    if mean < 0:
        pedestal, mean = mean, 0.0
        work = work - np.float32(pedestal)
    peak, snr = thresholds(work, geometry, mean, rms, options.fit_threshold)
    turned = None
    if error is not None:
        turned = np.ascontiguousarray(geometry.to_work(error), dtype=np.float32)
    regions = RegionMap.find(geometry.region_map, work.shape)
    return TraceInput(work, turned, geometry, regions, pedestal, peak, snr)


def statistics_of(values: NDArray[Any]) -> tuple[float, float]:
    """
    Compute the clipped mean and scatter of pixels.

    Parameters
    ----------
    values : ndarray
        The pixels; NaN is left out.

    Returns
    -------
    mean, rms : float
        Clipped at 3 standard deviations about the median, in at most 5 rounds; 0 where there are no
        finite values.
    """
    # Of others astropy warns; to silence that is no business of one of many threads.
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        mean, _, rms = sigma_clipped_stats(values)
    return (float(mean) if np.isfinite(mean) else 0.0, float(rms) if np.isfinite(rms) else 0.0)


def thresholds(
    flux: _Image, geometry: Geometry, mean: float, rms: float, fit_threshold: float
) -> tuple[dict[int, float] | None, float | None]:
    """
    Find how bright a region must be to be fitted.

    Parameters
    ----------
    flux : ndarray of float32, shape (ny, nx)
        The image.
    geometry : Geometry
        Its regions.
    mean, rms : float
        Statistics of the pixels in regions.
    fit_threshold : float
        Standard deviations above the mean, or signal-to-noise ratio for slits.

    Returns
    -------
    peak_threshold : dict of int to float, or None
        Flux per region, for integral-field units; NaN for a region of no channel.
    snr_threshold : float or None
        For slits. Both are None if everything is to be fitted.
    """
    if fit_threshold <= 0:
        return None, None
    if geometry.mode not in ("NRS_IFU", "MIR_MRS"):
        return None, fit_threshold
    region_map = geometry.region_map
    labels = geometry.labels
    if geometry.mode == "NRS_IFU":
        return dict.fromkeys(labels, mean + fit_threshold * rms), None
    peaks = dict.fromkeys(labels, np.nan)
    for channel in _CHANNELS:
        members = [label for label in labels if label // _PER_CHANNEL == channel]
        if members:
            pixels = flux[(region_map > 0) & (region_map // _PER_CHANNEL == channel)]
            level, scatter = statistics_of(pixels)
            peaks |= dict.fromkeys(members, level + fit_threshold * scatter)
    return peaks, None


def error_inflation(factor: float) -> float:
    """
    Tell by how much errors grow on a finer grid.

    Parameters
    ----------
    factor : float
        Rows of the finer grid per row.

    Returns
    -------
    float
        The factor for standard deviations.
    """
    return _INFLATION_SLOPE * factor + _INFLATION_CONSTANT


def integration_scales(
    cube: NDArray[Any], error: NDArray[Any] | None, trace: _Image
) -> NDArray[np.float64]:
    """
    Fit the scale of a trace to each column of each integration.

    Parameters
    ----------
    cube : ndarray, shape (n, ny, nx)
        The integrations, with the dispersion along x, less the pedestal.
    error : ndarray, shape (n, ny, nx), or None
        Their standard deviations; pixels count the same without.
    trace : ndarray of float32, shape (ny, nx)
        The trace of all integrations, NaN where there is none.

    Returns
    -------
    ndarray of float64, shape (n, nx)
        By what the trace is to be multiplied, by weighted least squares, without pixels that are
        far off; NaN where nothing can be compared.
    """
    n, _, nx = cube.shape
    scales = np.full((n, nx), np.nan)
    model = np.where(np.isfinite(trace), trace, 0.0).astype(np.float64)
    for index in range(n):
        data = np.asarray(cube[index], dtype=np.float64)
        weight = np.ones_like(data)
        if error is not None:
            sigma = np.asarray(error[index], dtype=np.float64)
            with np.errstate(divide="ignore", invalid="ignore"):
                weight = np.where(sigma > 0, 1.0 / sigma**2, 0.0)
        used = np.isfinite(data) & np.isfinite(weight) & np.isfinite(trace)
        weight = np.where(used, weight, 0.0)
        data = np.where(used, data, 0.0)
        scale = _scale(data, weight, model)
        residual = np.where(weight > 0, np.sqrt(weight) * (data - scale * model), np.nan)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            spread = _SIGMA_PER_MAD * np.nanmedian(np.abs(residual), axis=0)
        kept = ~(np.abs(residual) > _SCALE_CLIP * spread)
        scales[index] = _scale(data, weight * kept, model)
    return scales


def _scale(
    data: NDArray[np.float64], weight: NDArray[np.float64], model: NDArray[np.float64]
) -> NDArray[np.float64]:
    total = (weight * model**2).sum(axis=0)
    products = (weight * model * data).sum(axis=0)
    scale = np.full(total.shape, np.nan)
    np.divide(products, total, out=scale, where=total > 0)
    return scale
