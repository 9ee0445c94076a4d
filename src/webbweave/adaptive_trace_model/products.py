"""The trace of an exposure or slit of a data model."""

from __future__ import annotations

import logging
from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from webbweave.adaptive_trace_model.evaluate import trace_image
from webbweave.adaptive_trace_model.exposure import TraceInput, integration_scales, prepare_input
from webbweave.adaptive_trace_model.exposure_products import (
    Cube,
    Exposure,
    TraceProduct,
    turned_back,
)
from webbweave.adaptive_trace_model.fit import FitOptions
from webbweave.adaptive_trace_model.geometry import Geometry, ifu_geometry, slit_geometry
from webbweave.adaptive_trace_model.modes import FitSetup, fit_setup, oversample_setup
from webbweave.adaptive_trace_model.options import TraceOptions
from webbweave.adaptive_trace_model.oversampled_products import oversample_errors, oversample_flux
from webbweave.adaptive_trace_model.prepare import prepare_and_fit
from webbweave.adaptive_trace_model.splines import TraceModel
from webbweave.adaptive_trace_model.summary import TraceSummary, summarise_trace
from webbweave.datamodels import get_path
from webbweave.errors import InputError
from webbweave.progress import Progress

__all__ = ["trace_product"]

log = logging.getLogger(__name__)


def trace_product(
    exposure: Exposure,
    options: TraceOptions,
    *,
    splines: TraceModel | None = None,
    images: bool = False,
    summarise: bool = False,
    progress: Progress | None = None,
) -> TraceProduct:
    """
    Model the trace of an exposure or slit, and oversample it if asked to.

    Parameters
    ----------
    exposure : Exposure
        The exposure; not changed.
    options : TraceOptions
        How to do it.
    splines : TraceModel, optional
        Splines of a fit that was made before; nothing is fitted then.
    images : bool, optional
        Whether the intermediate images are wanted.
    summarise : bool, optional
        Whether a summary for a report is wanted.
    progress : Progress, optional
        Where to count the time.

    Returns
    -------
    TraceProduct
        What is to be changed in the product.

    Raises
    ------
    InputError
        If the exposure lacks what is needed, or its arrays do not fit together.
    ValueError
        If there is no such mode, or a time series is to be oversampled.
    """
    progress = progress or Progress()
    options = options.resolved()
    mode = exposure.mode()
    cube = Cube.of(exposure)
    if cube.n > 1 and options.oversamples:
        raise ValueError(
            f"{exposure.name}: Oversampling is not supported for TSO data. "
            f"({cube.n} integrations, oversample={options.oversample})"
        )
    with progress.stage("geometry"):
        geometry = _geometry(exposure, mode, cube.shape, options.threads)
    with progress.stage("read"):
        if cube.n > 1:
            log.info("Fitting the spatial profile to the median image.")
        given = prepare_input(cube.image("data"), cube.image("err"), geometry, options)
        cube.done("data")
    if splines is None:
        with progress.stage("fit"):
            splines = _fit(exposure, given, options, progress)
    else:
        _check_reused(exposure, splines, geometry)
    product = TraceProduct(splines)
    # What is not needed any more is let go of: the arrays of the finer grid are large.
    given = given.released()
    if not options.oversamples:
        with progress.stage("trace"):
            _trace(product, exposure, cube, given, options, images=images)
    else:
        oversample_flux(product, exposure, given, options, progress, images=images)
    if summarise:
        with progress.stage("report"):
            product.summary = _summary(product, exposure, given, options)
    if not options.oversamples:
        return product
    given = given.map_only()
    del geometry
    with progress.stage("errors"):
        oversample_errors(product, exposure, cube, given, options)
    return product


def _geometry(exposure: Exposure, mode: str, shape: tuple[int, int], threads: int) -> Geometry:
    wcs = get_path(exposure.tree, "meta.wcs")
    if not exposure.ifu:
        return slit_geometry(wcs, shape, mode=mode, name=exposure.name)
    if wcs is None:
        raise InputError(f"{exposure.name}: expected a WCS in meta.wcs, found none")
    regions = exposure.tree.get("regions")
    return ifu_geometry(wcs, shape, mode=mode, regions=regions, name=exposure.name, threads=threads)


def _fit(
    exposure: Exposure, given: TraceInput, options: TraceOptions, progress: Progress
) -> TraceModel:
    geometry = given.geometry
    setup = _setup(geometry, exposure, options)
    values = {
        item.name: getattr(setup, item.name) for item in fields(setup) if item.name != "order"
    }
    known = {name: value for name, value in values.items() if value is not None}
    return prepare_and_fit(
        given.flux,
        given.error,
        geometry.alpha,
        given.regions,
        FitOptions(
            **known,
            col_index=setup.columns(geometry.alpha.shape[1]),
            weighting="ivm" if options.weighting == "ivm" else "uniform",
        ),
        peak_threshold=given.peak_threshold,
        snr_threshold=given.snr_threshold,
        threads=options.threads,
        errors=options.trace_errors,
        compat=options.compat,
        by_column=geometry.rotated,
        progress=progress,
    )


def _setup(geometry: Geometry, exposure: Exposure, options: TraceOptions) -> FitSetup:
    return fit_setup(geometry.mode, exposure.detector, exposure.grating, compat=options.compat)


def _check_reused(exposure: Exposure, splines: TraceModel, geometry: Geometry) -> None:
    labels, n_column = geometry.labels, geometry.alpha.shape[1]
    strange = sorted(set(splines.labels.tolist()) - set(labels))
    if strange or splines.model.shape[1] != n_column:
        raise InputError(
            f"{exposure.name}: the trace model is of another exposure: it has "
            f"{splines.model.shape[1]} columns and regions {_few(splines.labels.tolist())}, "
            f"expected {n_column} columns and regions {_few(labels)}"
        )


def _few(labels: list[int]) -> str:
    return f"{labels[0]} to {labels[-1]}" if labels else "none"


def _trace(
    product: TraceProduct,
    exposure: Exposure,
    cube: Cube,
    given: TraceInput,
    options: TraceOptions,
    *,
    images: bool,
) -> None:
    """The trace on the pixels of the input: all that there is without oversampling."""
    geometry = given.geometry
    resampling = oversample_setup(geometry.mode, exposure.detector)
    traces = trace_image(
        product.splines,
        geometry.alpha,
        given.regions,
        slope_limit=options.slope_limit,
        pad=resampling.pad,
        threads=options.threads,
        compat=options.compat,
        with_full=images,
        with_error=options.trace_errors,
    )
    pedestal = np.float32(given.pedestal)
    product.entries["trace_model"] = turned_back(geometry, traces.used + pedestal)
    if traces.error is not None:
        product.entries["trace_error"] = turned_back(geometry, traces.error)
    if images:
        assert traces.full is not None
        product.images["full"] = turned_back(geometry, traces.full + pedestal)
        product.images["used"] = product.entries["trace_model"]
    if options.scale_per_integration and cube.n > 1:
        product.entries["trace_integrations"] = _scaled(cube, geometry, traces.used, pedestal)


def _summary(
    product: TraceProduct, exposure: Exposure, given: TraceInput, options: TraceOptions
) -> TraceSummary:
    """What a report shows."""
    geometry, factor = given.geometry, options.oversample
    setup = _setup(geometry, exposure, options)
    finer = None
    trace = geometry.to_work(product.entries["trace_model"])
    if options.oversamples:
        grid = geometry.oversampled(
            factor, wavelength=False, threads=options.threads, compat=options.compat
        )
        finer = (geometry.to_work(product.entries["data"]), grid.alpha, trace)
        trace = trace_image(
            product.splines,
            geometry.alpha,
            given.regions,
            slope_limit=options.slope_limit,
            pad=oversample_setup(geometry.mode, exposure.detector).pad,
            threads=options.threads,
            compat=options.compat,
            with_full=False,
        ).used
    return summarise_trace(
        exposure.name,
        given.flux,
        geometry.alpha,
        geometry.region_map,
        product.splines,
        trace,
        half_window=setup.lrange,
        oversampled=finer,
        factor=factor,
    )


def _scaled(
    cube: Cube, geometry: Geometry, trace: NDArray[np.float32], pedestal: np.float32
) -> NDArray[np.float32]:
    """The trace in each integration."""
    data, error = cube.plane("data"), cube.plane("err")
    assert data is not None
    turned = None if error is None else geometry.to_work(error)
    scales = integration_scales(geometry.to_work(data) - pedestal, turned, trace)
    cubes = scales[:, np.newaxis, :].astype(np.float32) * trace + pedestal
    return turned_back(geometry, cubes)
