"""The image of a trace model on the pixels of an exposure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from webbweave._kernels.trace_image import trace_evaluate, trace_keep_compact
from webbweave.adaptive_trace_model.compact import SteepBins
from webbweave.adaptive_trace_model.regions import Extent, RegionMap, as_image
from webbweave.adaptive_trace_model.splines import TraceModel
from webbweave.parallel import run_in_order

__all__ = [
    "TraceImages",
    "check_width",
    "column_ranges",
    "extents",
    "has_model",
    "model_row",
    "region_arrays",
    "splines_of",
    "steep_bins",
    "summed",
    "trace_image",
]

#: Columns that are worked on together, the block of the kernels: ranges begin at its multiples.
_BLOCK = 16

#: A slit that is higher is none, but a mistake in alpha; the images have no such columns.
_MOST_PIXELS = 50_000

#: Ranges of columns per thread, so that threads end at the same time.
_RANGES_PER_THREAD = 4


@dataclass(frozen=True, eq=False)
class TraceImages:
    """
    A trace model on the pixels of an image, dispersion along x; NaN where there is none.

    Parameters
    ----------
    used : ndarray, shape (ny, nx)
        The trace near compact sources.
    full : ndarray, shape (ny, nx), optional
        The trace wherever there is one.
    error : ndarray, shape (ny, nx), optional
        Standard deviation of `used`.
    """

    used: NDArray[Any]
    full: NDArray[Any] | None = None
    error: NDArray[Any] | None = None


def trace_image(
    model: TraceModel,
    alpha: ArrayLike,
    region_map: ArrayLike | RegionMap,
    *,
    slope_limit: float = 0.1,
    pad: float = 3,
    threads: int = 1,
    compat: bool = False,
    with_full: bool = True,
    with_error: bool = True,
    dtype: DTypeLike = np.float32,
) -> TraceImages:
    """
    Evaluate a trace model at the pixels of an exposure.

    The first and the last pixel of each column have no trace. Nothing of the fit is needed: a
    model that was read from a file, or made from another exposure, does as well.

    Parameters
    ----------
    model : TraceModel
        The model.
    alpha : array_like, shape (ny, nx)
        Coordinate along the slit, NaN outside of regions; in the unit of the fit.
    region_map : array_like of int or RegionMap, shape (ny, nx)
        Number of the region of each pixel, 0 for none.
    slope_limit : float, optional
        Change of the normalised profile from a pixel to the next, in parts of the column's sum,
        above which a source is compact; with 0 or less, the trace is used everywhere.
    pad : float, optional
        Pixels on each side of a compact source that belong to it.
    threads : int, optional
        Number of threads; the result does not depend on it.
    compat : bool, optional
        As jwst 3.0.0 does it: coordinates rounded to float32, sources searched about 0 only.
    with_full, with_error : bool, optional
        Whether these are wanted; there is no error if the model has none.
    dtype : dtype, optional
        Of the images, float32 or float64.

    Returns
    -------
    TraceImages
        The images.

    Raises
    ------
    ValueError
        If the shapes of the arrays do not agree, or that of the model.
    """
    alpha = as_image("alpha", alpha)
    regions = RegionMap.find(region_map, alpha.shape)
    check_width(model, regions.shape[1])
    used = np.full(alpha.shape, np.nan, dtype)
    everywhere = slope_limit <= 0
    full = used if everywhere or not with_full else np.full(alpha.shape, np.nan, dtype)
    has_error = with_error and model.scale_error is not None and model.covariance is not None
    error = np.full(alpha.shape, np.nan, dtype) if has_error else None
    evaluator = _Evaluator(model, regions, alpha, compat)
    counts = evaluator.evaluate(full, error, slope_limit, threads)
    if not everywhere:
        images = [(full, used)] if error is None else [(full, used), (error, error)]
        evaluator.keep_compact(counts, pad, images, threads)
    return TraceImages(used, full if with_full else None, error)


class _Evaluator:
    """The regions of one image that have a trace, and what is known of each."""

    def __init__(
        self, model: TraceModel, regions: RegionMap, alpha: NDArray[Any], compat: bool
    ) -> None:
        self.model, self.regions, self.alpha, self.compat = model, regions, alpha, compat
        self.todo = [
            region for region, label in enumerate(regions.labels) if has_model(model, int(label))
        ]

    def evaluate(
        self,
        full: NDArray[Any],
        error: NDArray[Any] | None,
        slope_limit: float,
        threads: int,
    ) -> dict[int, tuple[SteepBins, NDArray[np.int64]]]:
        """Write the trace to images; count the steep pixels of each region."""
        bins: dict[int, SteepBins] = {}
        if slope_limit > 0:
            measured = extents(self.regions, self.todo, self.alpha, self.compat, threads)
            bins = steep_bins(self.model, self.regions, measured, self.compat, single=True)

        def work(columns: tuple[int, int]) -> dict[int, NDArray[np.int64]]:
            counts = {region: np.zeros(len(bins[region].edges), np.int64) for region in bins}
            for region in self.todo:
                row = model_row(self.model, int(self.regions.labels[region]))
                trace_evaluate(
                    *region_arrays(self.regions, region),
                    self.alpha,
                    splines_of(self.model, row),
                    _line(self.model.scale_error, row),
                    _line(self.model.covariance, row),
                    bins[region].edges if region in bins else None,
                    counts.get(region),
                    full,
                    error,
                    label=self.regions.number(region),
                    rounds=self.compat,
                    is_between=not self.compat,
                    slope_limit=slope_limit,
                    column_start=columns[0],
                    column_stop=columns[1],
                )
            return counts

        return summed(bins, run_in_order(work, self._columns(threads), threads=threads))

    def keep_compact(
        self,
        counts: dict[int, tuple[SteepBins, NDArray[np.int64]]],
        pad: float,
        images: list[tuple[NDArray[Any], NDArray[Any]]],
        threads: int,
    ) -> None:
        """Copy what is near compact sources from one image to another, or within one."""
        ranges = {region: bins.ranges(count, pad) for region, (bins, count) in counts.items()}
        nothing = np.empty((0, 2))

        def work(columns: tuple[int, int]) -> None:
            for region in self.todo:
                for source, used in images:
                    trace_keep_compact(
                        *region_arrays(self.regions, region),
                        self.alpha,
                        ranges.get(region, nothing),
                        source,
                        used,
                        label=self.regions.number(region),
                        rounds=self.compat,
                        column_start=columns[0],
                        column_stop=columns[1],
                    )

        for _ in run_in_order(work, self._columns(threads), threads=threads):
            pass

    def _columns(self, threads: int) -> list[tuple[int, int]]:
        return column_ranges(self.regions.shape[1], threads)


def column_ranges(n_column: int, threads: int) -> list[tuple[int, int]]:
    """
    Divide the columns of an image for threads.

    Parameters
    ----------
    n_column : int
        Width of the image.
    threads : int
        Number of threads.

    Returns
    -------
    list of tuple of int
        Ranges, first column and one beyond the last.
    """
    pieces = 1 if threads <= 1 else _RANGES_PER_THREAD * threads
    n_block = -(-n_column // _BLOCK)
    edges = sorted({min(n_column, _BLOCK * (n_block * i // pieces)) for i in range(pieces + 1)})
    return list(pairwise(edges))


def check_width(model: TraceModel, n_column: int) -> None:
    """
    Raise unless a model is that of an image of this width.

    Parameters
    ----------
    model : TraceModel
        The model.
    n_column : int
        Width of the image.

    Raises
    ------
    ValueError
        If it has another number of columns.
    """
    if model.model.shape[1] != n_column:
        raise ValueError(
            f"the trace model is that of {model.model.shape[1]} columns, the image has {n_column}"
        )


def model_row(model: TraceModel, label: int) -> int:
    """
    Find a region in a trace model.

    Parameters
    ----------
    model : TraceModel
        The model.
    label : int
        Number of the region.

    Returns
    -------
    int
        Its index in the arrays of the model; -1 if it is not there.
    """
    try:
        return model.row(label)
    except KeyError:
        return -1


def has_model(model: TraceModel, label: int) -> bool:
    """
    Say whether any column of a region has a model.

    Parameters
    ----------
    model : TraceModel
        The model.
    label : int
        Number of the region.

    Returns
    -------
    bool
        Whether there is one.
    """
    row = model_row(model, label)
    return row >= 0 and bool(np.any(model.model[row] >= 0))


def splines_of(model: TraceModel, row: int) -> tuple[NDArray[Any], ...]:
    """
    Give the arrays of a region's splines as the kernels take them.

    Parameters
    ----------
    model : TraceModel
        The model.
    row : int
        Index of the region in its arrays; -1 for a region without models.

    Returns
    -------
    tuple of ndarray
        Knots, coefficients, number of knots, lower and upper bound, model and scale.
    """
    n_column, stride = model.model.shape[1], model.knots.shape[2]
    if row < 0 or stride == 0:
        none = np.zeros((n_column, 1))
        line, count = np.zeros(n_column), np.zeros(n_column, np.int32)
        return none, none, count, line, line, count - np.int32(1), line
    return (
        model.knots[row],
        model.coefficients[row],
        model.n_knot[row],
        model.lower[row],
        model.upper[row],
        model.model[row],
        model.scale[row],
    )


def region_arrays(
    regions: RegionMap, region: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """
    Give the arrays of a region as the kernels take them.

    Parameters
    ----------
    regions : RegionMap
        The regions.
    region : int
        Index in its labels.

    Returns
    -------
    tuple of ndarray
        The region map, and the first and one beyond the last row in each column.
    """
    return regions.image, regions.first[region], regions.stop[region]


def extents(
    regions: RegionMap, todo: list[int], alpha: NDArray[Any], rounds: bool, threads: int
) -> dict[int, Extent]:
    """
    Measure several regions.

    Parameters
    ----------
    regions : RegionMap
        The regions.
    todo : list of int
        Which of them, as indices in its labels.
    alpha : ndarray of float32 or float64, shape (ny, nx)
        Coordinate along the slit.
    rounds : bool
        Compute in float32.
    threads : int
        Number of threads.

    Returns
    -------
    dict of int to Extent
        Their extents.
    """

    def measure(region: int) -> Extent:
        return regions.measure(region, alpha, rounds=rounds)

    return dict(zip(todo, run_in_order(measure, todo, threads=threads), strict=True))


def steep_bins(
    model: TraceModel,
    regions: RegionMap,
    measured: dict[int, Extent],
    compat: bool,
    *,
    single: bool,
) -> dict[int, SteepBins]:
    """
    Make the bins in which the steep pixels of each region are counted.

    Parameters
    ----------
    model : TraceModel
        The model.
    regions : RegionMap
        The regions.
    measured : dict of int to Extent
        Extents of the regions with a model.
    compat : bool
        As jwst 3.0.0: about the coordinate 0, in all regions as many as there are pieces of the
        first spline of all.
    single : bool
        Under `compat`, compute in float32.

    Returns
    -------
    dict of int to SteepBins
        Bins of the regions where there can be any.
    """
    bins = {}
    n_piece = _pieces_of_first(model) if compat and measured else 0
    for region, extent in measured.items():
        if not (extent.upper - extent.lower) / (extent.pixel_size or np.nan) < _MOST_PIXELS:
            continue
        made = (
            SteepBins.about_zero(extent, n_piece, single=single)
            if compat
            else SteepBins.over(extent)
        )
        if made.is_possible:
            bins[region] = made
    return bins


def _pieces_of_first(model: TraceModel) -> int:
    row, column = np.argwhere(model.model >= 0)[0]
    source = model.model[row, column]
    knots = model.knots[row, source, : model.n_knot[row, source]]
    return len(np.unique(knots)) - 1


def summed(
    bins: dict[int, SteepBins], counts: Iterator[dict[int, NDArray[np.int64]]]
) -> dict[int, tuple[SteepBins, NDArray[np.int64]]]:
    """
    Add the steep pixels of all ranges of columns.

    Parameters
    ----------
    bins : dict of int to SteepBins
        The bins of each region.
    counts : iterator of dict of int to ndarray of int64
        Counts of each region, by range.

    Returns
    -------
    dict of int to tuple
        Bins and sums of each region.
    """
    total = {region: np.zeros(len(item.edges), np.int64) for region, item in bins.items()}
    for part in counts:
        for region, count in part.items():
            total[region] += count
    return {region: (bins[region], total[region]) for region in bins}


def _line(array: NDArray[Any] | None, row: int) -> NDArray[Any] | None:
    return None if array is None else array[row]
