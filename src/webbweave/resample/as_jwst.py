"""The combination of jwst 3.0, number for number: what ``compat=True`` gives."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from webbweave.resample.drizzle import Drizzled, drizzle_exposure
from webbweave.resample.exposure import SlitExposure
from webbweave.resample.grid import OutputGrid
from webbweave.resample.options import ResampleOptions, parse_fillval
from webbweave.resample.planes import Planes, context_image, science_values
from webbweave.resample.variance import VarianceCombiner
from webbweave.resample.weights import pixel_weights

__all__ = ["combine_as_jwst"]

log = logging.getLogger(__name__)


def combine_as_jwst(
    exposures: Sequence[SlitExposure],
    grid: OutputGrid,
    options: ResampleOptions,
    *,
    scale: float,
    ratio: float,
) -> Planes:
    """
    Drizzle all exposures, and their errors as if these were science values.

    Parameters
    ----------
    exposures : sequence of SlitExposure
        The exposures.
    grid : OutputGrid
        The grid of the product, of shape (ny, nx).
    options : ResampleOptions
        How to do it.
    scale : float
        What a science value is multiplied with.
    ratio : float
        Input pixel scale over output pixel scale.

    Returns
    -------
    Planes
        The arrays of the product, without covariances.
    """
    weights = pixel_weights(exposures, options.weight_type, compat=True)
    total, total_weight = np.zeros(grid.shape), np.zeros(grid.shape)
    variances = VarianceCombiner(grid.shape, options.weight_type)
    dq = np.zeros(grid.shape, dtype=np.uint32) if options.propagate_dq else None
    hits = []
    for exposure, weight in zip(exposures, weights, strict=True):
        drizzled = _drizzle(exposure, weight, grid, scale, options)
        if not drizzled.hit.any():
            log.warning("%s: none of its pixels falls on the output grid", exposure.name)
        total += drizzled.sums["data"]
        total_weight += drizzled.weight
        if dq is not None and drizzled.dq is not None:
            dq |= drizzled.dq
        variances.add(drizzled, exposure_time=exposure.exposure_time)
        hits.append(drizzled.hit)
    with np.errstate(divide="ignore", invalid="ignore"):
        data = total / total_weight
    data[total_weight == 0] = parse_fillval(options.fillval)
    planes, error = variances.result(ratio)
    return Planes(
        data=data.astype(np.float32),
        error=error,
        variances=planes,
        weight=total_weight.astype(np.float32),
        context=context_image(hits),
        dq=dq,
    )


def _drizzle(
    exposure: SlitExposure,
    weight: NDArray[np.float32],
    grid: OutputGrid,
    scale: float,
    options: ResampleOptions,
) -> Drizzled:
    planes = {"data": science_values(exposure, scale)}
    for name, variance in exposure.variances.items():
        with np.errstate(invalid="ignore"):
            planes[name] = np.sqrt(np.asarray(variance, np.float32)) * np.float32(scale)
    return drizzle_exposure(
        planes,
        weight,
        grid.pixel_map(exposure),
        grid.shape,
        dq=exposure.dq if options.propagate_dq else None,
        pixfrac=options.pixfrac,
        kernel=options.kernel,
        compat=True,
        threads=options.threads,
    )
