"""Slices and slits on a grid that is finer across the dispersion."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from webbweave._kernels import oversample as kernel
from webbweave.adaptive_trace_model.compact import SteepBins
from webbweave.adaptive_trace_model.evaluate import (
    check_width,
    column_ranges,
    extents,
    has_model,
    model_row,
    region_arrays,
    splines_of,
    steep_bins,
    summed,
)
from webbweave.adaptive_trace_model.regions import RegionMap, as_image, as_number
from webbweave.adaptive_trace_model.splines import TraceModel
from webbweave.parallel import run_in_order

__all__ = [
    "PLANES",
    "OversampledFlux",
    "check_factor",
    "fine_height",
    "fine_rows",
    "nearest_rows",
    "oversample_image",
    "oversample_plane",
]

log = logging.getLogger(__name__)

#: The images that oversampling can make.
PLANES = ("flux", "used", "full", "linear", "residual")


@dataclass(frozen=True, eq=False)
class OversampledFlux:
    """
    Images on the finer grid, shape (ceil(ny * factor), nx), NaN where undefined.

    Parameters
    ----------
    flux : ndarray, optional
        The best of all: trace and residual near compact sources, linear interpolation elsewhere.
    used : ndarray, optional
        The trace near compact sources.
    full : ndarray, optional
        The trace wherever there is one.
    linear : ndarray, optional
        The data, interpolated linearly.
    residual : ndarray, optional
        The data minus the trace, interpolated linearly.
    """

    flux: NDArray[Any] | None = None
    used: NDArray[Any] | None = None
    full: NDArray[Any] | None = None
    linear: NDArray[Any] | None = None
    residual: NDArray[Any] | None = None


def check_factor(factor: Any) -> float:
    """
    Check a factor of oversampling.

    Parameters
    ----------
    factor : object
        The candidate.

    Returns
    -------
    float
        The factor. Below 1, a warning is logged.

    Raises
    ------
    ValueError
        If it is not finite, or not positive.
    TypeError
        If it is no number.
    """
    number = as_number("oversample_factor", factor, positive=True)
    if number < 1:
        log.warning("oversample_factor is %s: the grid becomes coarser, not finer", number)
    return number


def fine_height(n_row: int, factor: float) -> int:
    """
    Give the number of rows of the finer grid.

    Parameters
    ----------
    n_row : int
        Rows of the image.
    factor : float
        How many times finer it is.

    Returns
    -------
    int
        The product, rounded up.
    """
    return int(np.ceil(n_row * factor))


def fine_rows(n_row: int, factor: float) -> NDArray[np.float64]:
    """
    Give the centres of the rows of the finer grid, in rows of the image.

    Parameters
    ----------
    n_row : int
        Rows of the image.
    factor : float
        How many times finer the grid is.

    Returns
    -------
    ndarray of float64, shape (ceil(n_row * factor),)
        The centres; -0.25, 0.25, 0.75 ... for a factor of 2.
    """
    return np.arange(fine_height(n_row, factor)) / factor - (factor - 1) / (2 * factor)


def nearest_rows(n_row: int, factor: float) -> NDArray[np.intp]:
    """
    Give the row of the image that is nearest to each row of the finer grid.

    Parameters
    ----------
    n_row : int
        Rows of the image.
    factor : float
        How many times finer the grid is.

    Returns
    -------
    ndarray of int, shape (ceil(n_row * factor),)
        Rows of the image, the even one of two that are equally near; none is outside. An image of
        labels or flags becomes finer by ``image[nearest_rows(...)]``.
    """
    return np.clip(np.rint(fine_rows(n_row, factor)), 0, n_row - 1).astype(np.intp)


def oversample_image(
    flux: ArrayLike,
    alpha: ArrayLike,
    region_map: ArrayLike | RegionMap,
    model: TraceModel,
    factor: float,
    alpha_os: ArrayLike,
    *,
    require_ngood: int = 10,
    slope_limit: float = 0.1,
    psf_optimal: bool = False,
    trim_ends: bool = False,
    pad: float = 3,
    threads: int = 1,
    compat: bool = False,
    planes: Collection[str] = PLANES,
    dtype: DTypeLike = np.float64,
    trims_column: bool = False,
) -> OversampledFlux:
    """
    Oversample the flux of an exposure with a trace model.

    Nothing of the fit is needed: with one model, any factor and slope limit can be asked for, also
    on another exposure.

    Parameters
    ----------
    flux : array_like, shape (ny, nx)
        The data, dispersion along x; NaN where bad.
    alpha : array_like, shape (ny, nx)
        Coordinate along the slit, NaN outside of regions; in the unit of the fit.
    region_map : array_like of int or RegionMap, shape (ny, nx)
        Number of the region of each pixel, 0 for none.
    model : TraceModel
        The model; regions without one are interpolated linearly.
    factor : float
        How many times finer the grid is along y; any positive number.
    alpha_os : array_like, shape (ceil(ny * factor), nx)
        Coordinate along the slit on the finer grid.
    require_ngood : int, optional
        A column of a region needs more finite pixels than this.
    slope_limit : float, optional
        See `trace_image`.
    psf_optimal : bool, optional
        Do not add the residuals to the trace.
    trim_ends : bool, optional
        Leave out the first and last ``int(factor)`` samples of the trace in each column.
    pad : float, optional
        See `trace_image`.
    threads : int, optional
        Number of threads; the result does not depend on it.
    compat : bool, optional
        As jwst 3.0.0 does it: see `trace_image`, and in columns that do not divide evenly.
    planes : collection of str, optional
        Which images are wanted, of `PLANES`; others take neither time nor memory.
    dtype : dtype, optional
        Of the images, float32 or float64.
    trims_column : bool, optional
        Count the ends from those of the column instead of the bounds of the model.

    Returns
    -------
    OversampledFlux
        The images that are wanted.

    Raises
    ------
    ValueError
        If the shapes of the arrays do not agree, or the factor is not positive.
    """
    factor = check_factor(factor)
    flux = as_image("flux", flux)
    alpha = as_image("alpha", alpha, flux.shape)
    regions = RegionMap.find(region_map, flux.shape)
    check_width(model, regions.shape[1])
    shape = fine_height(flux.shape[0], factor), flux.shape[1]
    alpha_os = as_image("alpha_os", alpha_os, shape)
    unknown = set(planes) - set(PLANES)
    if unknown:
        raise ValueError(f"planes: expected some of {PLANES}, found {sorted(unknown)}")
    images = {name: np.full(shape, np.nan, dtype) for name in PLANES if name in planes}
    single = compat and flux.dtype == np.float32
    job = _Job(
        (regions, alpha, model, flux, alpha_os),
        {
            "rounds": single,
            "factor": factor,
            "as_jwst": compat,
            "slope_limit": float(slope_limit),
            "require_good": max(0, int(require_ngood)),
            "edge": int(factor),
            "rounds_residual": single,
            "without_residual": bool(psf_optimal),
            "trim_ends": bool(trim_ends),
            "trims_column": bool(trims_column),
        },
        compat,
        threads,
    )
    ranges = job.compact_ranges(pad) if slope_limit > 0 else None
    job.oversample(ranges, tuple(images.get(name) for name in PLANES))
    return OversampledFlux(**images)


class _Job:
    """The oversampling of one image: the arrays and options that all calls share."""

    def __init__(
        self,
        arrays: tuple[RegionMap, NDArray[Any], TraceModel, NDArray[Any], NDArray[Any]],
        options: dict[str, Any],
        compat: bool,
        threads: int,
    ) -> None:
        self.regions, self.alpha, self.model, self.flux, self.alpha_os = arrays
        self.options, self.compat, self.threads = options, compat, threads
        self.table = _grid_table(self.flux.shape[0], options["factor"])

    def compact_ranges(self, pad: float) -> dict[int, NDArray[np.float64]]:
        """Find where the sources of each region are compact."""
        todo = [r for r, n in enumerate(self.regions.labels) if has_model(self.model, int(n))]
        single = self.options["rounds"]
        measured = extents(self.regions, todo, self.alpha, single, self.threads)
        bins = steep_bins(self.model, self.regions, measured, self.compat, single=single)

        def work(columns: tuple[int, int]) -> dict[int, NDArray[np.int64]]:
            counts = {region: np.zeros(len(bins[region].edges), np.int64) for region in bins}
            for region, count in counts.items():
                self._call(region, None, (None,) * len(PLANES), columns, bins[region], count)
            return counts

        ranges = column_ranges(self.regions.shape[1], self.threads)
        found = summed(bins, run_in_order(work, ranges, threads=self.threads))
        return {region: item.ranges(count, pad) for region, (item, count) in found.items()}

    def oversample(
        self,
        ranges: dict[int, NDArray[np.float64]] | None,
        planes: tuple[NDArray[Any] | None, ...],
    ) -> None:
        """Fill the images; `ranges` are those near compact sources, None for everywhere."""
        nothing = np.empty((0, 2))

        def work(columns: tuple[int, int]) -> None:
            # In the order of the regions: where jwst lets two of them overlap, the last one wins.
            for region in range(len(self.regions.labels)):
                compact = None if ranges is None else ranges.get(region, nothing)
                self._call(region, compact, planes, columns)

        columns = column_ranges(self.regions.shape[1], self.threads)
        for _ in run_in_order(work, columns, threads=self.threads):
            pass

    def _call(
        self,
        region: int,
        compact: NDArray[np.float64] | None,
        planes: tuple[NDArray[Any] | None, ...],
        columns: tuple[int, int],
        bins: SteepBins | None = None,
        count: NDArray[np.int64] | None = None,
    ) -> None:
        row = model_row(self.model, int(self.regions.labels[region]))
        kernel.oversample_flux(
            *region_arrays(self.regions, region),
            self.alpha,
            splines_of(self.model, row),
            self.flux,
            self.table,
            self.alpha_os,
            compact,
            planes,
            None if bins is None else bins.edges,
            count,
            label=self.regions.number(region),
            column_start=columns[0],
            column_stop=columns[1],
            **self.options,
        )


def oversample_plane(
    data: ArrayLike,
    region_map: ArrayLike | RegionMap,
    factor: float,
    *,
    require_ngood: int,
    edge_limit: int = 0,
    preserve_nan: bool = True,
    keep: NDArray[np.bool_] | None = None,
    is_variance: bool = False,
    multiply: float = 1.0,
    threads: int = 1,
    compat: bool = False,
    dtype: DTypeLike = np.float32,
) -> NDArray[Any]:
    """
    Interpolate the columns of every region linearly onto a finer grid.

    Parameters
    ----------
    data : array_like, shape (ny, nx)
        The image, dispersion along x; NaN where bad.
    region_map : array_like of int or RegionMap, shape (ny, nx)
        Number of the region of each pixel, 0 for none.
    factor : float
        How many times finer the grid is along y; any positive number.
    require_ngood : int
        A column of a region needs more finite pixels than this.
    edge_limit : int, optional
        Samples at each end of a column that become NaN.
    preserve_nan : bool, optional
        A sample is NaN if its nearest pixel is not finite. Otherwise it is interpolated, or that
        of the nearest finite pixel beyond the ends of the column.
    keep : ndarray of bool, shape (ceil(ny * factor), nx), optional
        Samples that are interpolated in spite of `preserve_nan`.
    is_variance : bool, optional
        The root is interpolated, and the result squared.
    multiply : float, optional
        What the result is multiplied with.
    threads : int, optional
        Number of threads; the result does not depend on it.
    compat : bool, optional
        As jwst 3.0.0 does it in columns that do not divide evenly.
    dtype : dtype, optional
        Of the result, float32 or float64.

    Returns
    -------
    ndarray, shape (ceil(ny * factor), nx)
        The image on the finer grid, NaN outside of regions.

    Raises
    ------
    ValueError
        If the shapes of the arrays do not agree, or the factor is not positive.
    """
    factor = check_factor(factor)
    data = as_image("data", data)
    regions = RegionMap.find(region_map, data.shape)
    shape = fine_height(data.shape[0], factor), data.shape[1]
    if keep is not None:
        if keep.shape != shape:
            raise ValueError(f"keep has shape {keep.shape}, expected {shape}")
        keep = np.ascontiguousarray(keep, dtype=bool)
    out = np.full(shape, np.nan, dtype)
    table = _grid_table(data.shape[0], factor)

    def work(columns: tuple[int, int]) -> None:
        for region in range(len(regions.labels)):
            kernel.oversample_linear(
                *region_arrays(regions, region),
                data,
                table,
                None if keep is None else keep.view(np.uint8),
                out,
                label=regions.number(region),
                factor=factor,
                as_jwst=compat,
                require_good=max(0, int(require_ngood)),
                edge=max(0, int(edge_limit)),
                preserve_nan=preserve_nan,
                is_variance=is_variance,
                multiply=multiply,
                column_start=columns[0],
                column_stop=columns[1],
            )

    for _ in run_in_order(work, column_ranges(regions.shape[1], threads), threads=threads):
        pass
    return out


def _grid_table(n_row: int, factor: float) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    return fine_rows(n_row, factor), nearest_rows(n_row, factor).astype(np.int32)
