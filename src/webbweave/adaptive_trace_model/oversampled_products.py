"""An exposure or slit on a grid that is finer along the slit."""

from __future__ import annotations

from typing import Any

import numpy as np
from gwcs import WCS
from numpy.typing import NDArray
from stdatamodels.jwst.datamodels import dqflags

from webbweave.adaptive_trace_model.evaluate import trace_image
from webbweave.adaptive_trace_model.exposure import TraceInput, error_inflation
from webbweave.adaptive_trace_model.exposure_products import (
    Cube,
    Exposure,
    TraceProduct,
    turned_back,
)
from webbweave.adaptive_trace_model.geometry import Geometry
from webbweave.adaptive_trace_model.modes import OversampleSetup, oversample_setup
from webbweave.adaptive_trace_model.options import TraceOptions
from webbweave.adaptive_trace_model.oversample import (
    PLANES,
    OversampledFlux,
    nearest_rows,
    oversample_image,
    oversample_plane,
)
from webbweave.adaptive_trace_model.oversampled_wcs import oversampled_wcs
from webbweave.datamodels import get_path
from webbweave.progress import Progress
from webbweave.resample.scales import is_flux_density
from webbweave.wcs import DeferredWcs, fast_wcs

__all__ = ["oversample_errors", "oversample_flux"]

_DO_NOT_USE = np.uint32(dqflags.pixel["DO_NOT_USE"])
_FLUX_ESTIMATED = np.uint32(dqflags.pixel["FLUX_ESTIMATED"])

#: Standard deviations and variances of the products of calibration.
_VARIANCES = ("var_rnoise", "var_poisson", "var_flat")
#: Corrections per pixel that were applied, and have no meaning on another grid.
_PER_PIXEL = (
    "area",
    "barshadow",
    "flatfield_point",
    "flatfield_uniform",
    "pathloss_point",
    "pathloss_uniform",
    "photom_point",
    "photom_uniform",
    "zeroframe",
)
#: Rows that are worked on at once where a copy of a whole array would be one too many.
_BLOCK = 256
_PIXEL_AREAS = ("meta.photometry.pixelarea_steradians", "meta.photometry.pixelarea_arcsecsq")


def oversample_flux(
    product: TraceProduct,
    exposure: Exposure,
    given: TraceInput,
    options: TraceOptions,
    progress: Progress,
    *,
    images: bool,
) -> None:
    """
    Put the data on the finer grid.

    Parameters
    ----------
    product : TraceProduct
        With the splines; data, trace, wavelengths and the WCS are added.
    exposure : Exposure
        The exposure.
    given : TraceInput
        What the splines were fitted to.
    options : TraceOptions
        How to do it.
    progress : Progress
        Where to count the time.
    images : bool
        Whether the intermediate images are wanted.
    """
    geometry, factor = given.geometry, options.oversample
    resampling = oversample_setup(geometry.mode, exposure.detector)
    with progress.stage("geometry"):
        grid = geometry.oversampled(factor, threads=options.threads, compat=options.compat)
    with progress.stage("oversample"):
        finer = oversample_image(
            given.flux,
            geometry.alpha,
            given.regions,
            product.splines,
            factor,
            grid.alpha,
            require_ngood=resampling.require_ngood,
            slope_limit=options.slope_limit,
            psf_optimal=options.psf_optimal,
            trim_ends=resampling.trim_ends,
            pad=resampling.pad,
            threads=options.threads,
            compat=options.compat,
            planes=PLANES if images else ("flux", "used"),
            dtype=np.float32,
        )
    assert grid.wavelength is not None
    product.entries["wavelength"] = turned_back(geometry, grid.wavelength)
    del grid
    share = _share(exposure, factor)
    _convert(finer, np.float32(given.pedestal), share, compat=options.compat)
    assert finer.flux is not None
    assert finer.used is not None
    product.entries["data"] = turned_back(geometry, finer.flux)
    product.entries["trace_model"] = turned_back(geometry, finer.used)
    if images:
        for name in ("full", "used", "linear", "residual"):
            product.images[name] = turned_back(geometry, getattr(finer, name))
    if options.trace_errors:
        error = _trace_error(product, given, resampling, options, finer.used, share)
        product.entries["trace_error"] = error
    _describe(product, exposure, factor)


def oversample_errors(
    product: TraceProduct, exposure: Exposure, cube: Cube, given: TraceInput, options: TraceOptions
) -> None:
    """
    Put errors, flags and the map of the regions on the finer grid.

    Parameters
    ----------
    product : TraceProduct
        With the data; the rest is added, and what is undefined in one array becomes so in all.
    exposure : Exposure
        The exposure.
    cube : Cube
        Its arrays.
    given : TraceInput
        With the map of the regions; nothing else of it is used.
    options : TraceOptions
        How to do it.
    """
    geometry, factor, entries = given.geometry, options.oversample, product.entries
    require_ngood = oversample_setup(geometry.mode, exposure.detector).require_ngood
    multiply = error_inflation(factor) * float(_share(exposure, factor))
    entries["dq"], estimated = _quality(cube, geometry, factor, entries["data"])
    for name in ("err", *_VARIANCES):
        if (plane := cube.plane(name)) is not None:
            is_variance = name != "err"
            finer = oversample_plane(
                np.ascontiguousarray(geometry.to_work(plane), dtype=np.float32),
                given.regions,
                factor,
                require_ngood=require_ngood,
                keep=estimated,
                is_variance=is_variance,
                multiply=multiply**2 if is_variance else multiply,
                threads=options.threads,
                compat=options.compat,
            )
            entries[name] = turned_back(geometry, finer)
            cube.done(name)
    if exposure.ifu:
        # Those of MIRI are in its WCS, which knows nothing of the finer grid.
        finer_map = given.regions.image[nearest_rows(given.regions.image.shape[0], factor)]
        entries["regions"] = turned_back(geometry, finer_map)
    del estimated
    _match(entries)
    for name in ("data", "err", "dq", *_VARIANCES):
        if name in entries:
            entries[name] = cube.given_back(entries[name])


def _share(exposure: Exposure, factor: float) -> np.float32:
    """A smaller pixel holds less of a flux, and as much of a surface brightness."""
    return np.float32(1.0 / factor if _is_flux_density(exposure) else 1.0)


def _convert(
    finer: OversampledFlux, pedestal: np.float32, share: np.float32, *, compat: bool
) -> None:
    """Give all images the unit and the zero point of the product; changed in place."""
    for name in PLANES:
        plane = getattr(finer, name)
        if plane is None:
            continue
        if pedestal and name != "residual" and not (compat and name == "linear"):
            plane += pedestal
        if share != 1 and not (compat and name == "full"):
            plane *= share


def _is_flux_density(exposure: Exposure) -> bool:
    unit = get_path(exposure.tree, "meta.bunit_data") or get_path(
        exposure.header, "meta.bunit_data"
    )
    return is_flux_density(str(unit or ""))


def _quality(
    cube: Cube, geometry: Geometry, factor: float, data: NDArray[np.float32]
) -> tuple[NDArray[np.uint32], NDArray[np.bool_]]:
    """Flags on the finer grid, and which of its pixels (turned) have data although they are bad."""
    plane = cube.plane("dq")
    if plane is None:
        dq = np.zeros(data.shape, np.uint32)
    else:
        turned = geometry.to_work(plane)
        rows = turned[nearest_rows(turned.shape[0], factor)]
        dq = turned_back(geometry, rows.astype(np.uint32, copy=False))
        cube.done("dq")
    estimated = np.isfinite(data)
    for start in range(0, len(dq), _BLOCK):
        block = slice(start, start + _BLOCK)
        estimated[block] &= (dq[block] & _DO_NOT_USE) != 0
    dq[estimated] ^= _DO_NOT_USE | _FLUX_ESTIMATED & ~dq[estimated]
    return dq, np.ascontiguousarray(geometry.to_work(estimated))


def _trace_error(
    product: TraceProduct,
    given: TraceInput,
    resampling: OversampleSetup,
    options: TraceOptions,
    used: Any,
    share: np.float32,
) -> NDArray[np.float32]:
    """Errors of the trace on the finer grid: smooth, and so interpolated."""
    native = trace_image(
        product.splines,
        given.geometry.alpha,
        given.regions,
        slope_limit=0.0,
        pad=resampling.pad,
        threads=options.threads,
        compat=options.compat,
        with_full=False,
    )
    assert native.error is not None
    error = oversample_plane(
        native.error,
        given.regions,
        options.oversample,
        require_ngood=0,
        preserve_nan=False,
        multiply=float(share),
        threads=options.threads,
        compat=options.compat,
    )
    error[~np.isfinite(used)] = np.nan
    return turned_back(given.geometry, error)


def _match(entries: dict[str, NDArray[Any]]) -> None:
    """What is undefined in one array, or flagged, is undefined and flagged in all."""
    planes = [entries[name] for name in ("data", "err", *_VARIANCES) if name in entries]
    # In blocks of rows: all arrays are in memory here, and there is no room for one more.
    for start in range(0, len(entries["dq"]), _BLOCK):
        block = slice(start, start + _BLOCK)
        dq = entries["dq"][block]
        bad = (dq & _DO_NOT_USE) != 0
        for plane in planes:
            bad |= np.isnan(plane[block])
        for plane in planes:
            plane[block][bad] = np.nan
        dq[bad] |= _DO_NOT_USE


def _describe(product: TraceProduct, exposure: Exposure, factor: float) -> None:
    """Metadata of the finer grid."""
    product.removed = tuple(name for name in _PER_PIXEL if exposure.tree.get(name) is not None)
    for path in _PIXEL_AREAS:
        area = get_path(exposure.tree, path)
        if area is not None:
            product.metadata[path] = area / factor
    miri = exposure.mode().startswith("MIR")
    shape = np.shape(exposure.tree["data"])
    wcs = fast_wcs(exposure.tree["meta"]["wcs"])

    def build() -> WCS:
        return oversampled_wcs(
            wcs.to_gwcs(),
            factor,
            axis=0 if miri else 1,
            n_pixel=shape[-1] if miri else shape[-2],
            from_end=miri,
        )

    product.wcs = DeferredWcs(build)
