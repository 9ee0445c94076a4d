"""The splines of all columns of all regions of an exposure."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from webbweave._kernels import bspline as kernel
from webbweave._kernels import bspline_scale
from webbweave.adaptive_trace_model.region import Region
from webbweave.adaptive_trace_model.splines import ColumnFlag, TraceModel
from webbweave.parallel import run_in_order
from webbweave.progress import Progress

__all__ = ["FitOptions", "fit_trace"]

log = logging.getLogger(__name__)

#: Intervals that a second attempt has less, as in jwst.
FEWER_INTERVALS = 3
#: Threads take ever smaller parts, so that none waits long for the last one: two thirds of what is
#: left, divided by their number, but not fewer columns than this. A part begins with all columns of
#: its first window, which takes as long as the fits of two or three.
FEWEST_COLUMNS = 16
#: More intervals than this are no fit but a mistake in alpha; the images have no such columns.
MOST_INTERVALS = 100_000


@dataclass(frozen=True)
class FitOptions:
    """
    How the splines of columns are fitted.

    Parameters
    ----------
    lrange : int, optional
        Columns on each side of a column whose pixels are fitted together with its own. The weight
        of a column at distance d is ``1 - (d / (lrange + 1))**2``; 1 with `compat`.
    col_index : ndarray of int, optional
        The columns to fit; all by default. With `compat`, a column without a spline takes the last
        one in this order.
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
        of the region.
    spline_bkpt : int, optional
        Number of intervals between knots; by default `auto_bkpt_factor` times the height of the
        region.
    auto_ngood_factor, auto_bkpt_factor : float, optional
        Per pixel of height: the range of alpha over the size of a pixel.
    weighting : {'uniform', 'ivm'}, optional
        All samples of a column weigh the same, or by the inverse of their variance.
    """

    lrange: int = 50
    col_index: NDArray[np.intp] | None = None
    space_ratio: float = 1.2
    sigma_low: float = 2.5
    sigma_high: float = 2.5
    fit_iter: int = 3
    require_ngood: int | None = None
    spline_bkpt: int | None = None
    auto_ngood_factor: float = 0.5
    auto_bkpt_factor: float = 2.0
    weighting: Literal["uniform", "ivm"] = "uniform"


def fit_trace(
    labels: Sequence[int] | NDArray[np.integer],
    regions: Mapping[int, tuple[Region, NDArray[np.float64] | None]],
    n_column: int,
    options: FitOptions,
    *,
    threads: int = 1,
    errors: bool = False,
    compat: bool = False,
    progress: Progress | None = None,
) -> TraceModel:
    """
    Fit a spline to every column of every region.

    Parameters
    ----------
    labels : sequence of int
        The numbers of all regions, ascending.
    regions : dict
        Number to (region, column sums) for those to be fitted. The column sums, shape
        (n_column,), are what the flux of a column is divided by; None leaves the flux as it is.
    n_column : int
        Width of the image.
    options : FitOptions
        How to fit.
    threads : int, optional
        Number of threads; the result does not depend on it.
    errors : bool, optional
        Also find the errors of the scales and the covariances of the coefficients.
    compat : bool, optional
        Reproduce jwst.
    progress : Progress, optional
        What to report to.

    Returns
    -------
    TraceModel
        The splines. Columns that cannot be fitted have no model, or that of another column: see
        their flags.

    Raises
    ------
    ValueError
        If an option has no meaning, a region has another width, or weighting by the inverse of the
        variance is asked for without errors.
    """
    numbers = np.asarray(labels, dtype=np.int64)
    order = _check(numbers, regions, n_column, options)
    plans = {
        label: _Plan.of(region, sums, options, order, compat=compat)
        for label, (region, sums) in regions.items()
    }
    stride = kernel.room(max([plan.n_interval for plan in plans.values()], default=1))
    trace = TraceModel.empty(numbers, n_column, stride, errors=errors)
    jobs = [_Job(trace, trace.row(label), plan, compat) for label, plan in plans.items()]
    tasks = _tasks(jobs, n_column, threads)

    def complete(job: _Job) -> None:
        job.borrow(options.lrange)
        job.finish()

    def work(task: tuple[_Job, int, int]) -> None:
        job, start, stop = task
        job.fit(start, stop)
        if (start, stop) == (0, n_column):
            complete(job)

    ended = run_in_order(work, tasks, threads=max(min(threads, len(tasks)), 1))
    for _ in (progress or Progress()).track(ended, "Fitting splines", total=len(tasks)):
        pass
    in_parts = {id(job): job for job, start, stop in tasks if (start, stop) != (0, n_column)}
    for job in in_parts.values():
        complete(job)
    return trace


def _check(
    labels: NDArray[np.int64],
    regions: Mapping[int, tuple[Region, NDArray[np.float64] | None]],
    n_column: int,
    options: FitOptions,
) -> NDArray[np.intp]:
    """Raise unless all fits together; give the columns in their order."""
    if np.any(labels[1:] <= labels[:-1]):
        raise ValueError(f"labels must be different and ascending, found {labels.tolist()}")
    if options.weighting not in ("uniform", "ivm"):
        raise ValueError(f"weighting: expected 'uniform' or 'ivm', found {options.weighting!r}")
    if options.lrange < 1 or options.fit_iter < 0:
        raise ValueError(
            "expected lrange of at least 1 and fit_iter of at least 0, "
            f"found {options.lrange} and {options.fit_iter}"
        )
    if np.isnan([options.sigma_low, options.sigma_high, options.space_ratio]).any():
        raise ValueError("sigma_low, sigma_high and space_ratio must not be NaN")
    for label, (region, sums) in regions.items():
        if label not in labels:
            raise ValueError(f"region {label} is not one of the labels {labels.tolist()}")
        if len(region.flux) != n_column or (sums is not None and sums.shape != (n_column,)):
            raise ValueError(
                f"region {label} has {len(region.flux)} columns and column sums of shape "
                f"{None if sums is None else sums.shape}, expected {n_column} columns"
            )
        if options.weighting == "ivm" and region.error is None:
            raise ValueError(f"region {label} has no errors, which weighting='ivm' needs")
    if options.col_index is None:
        return np.arange(n_column)
    order = np.asarray(options.col_index, dtype=np.intp)
    if order.ndim != 1 or np.any((order < 0) | (order >= n_column)):
        raise ValueError(f"col_index must be a list of columns from 0 to {n_column - 1}")
    return order


@dataclass(frozen=True)
class _Plan:
    """What the kernels need to know about one region."""

    region: Region
    sums: NDArray[np.float64] | None
    order: NDArray[np.intp]
    n_interval: int  # 0: the region cannot be fitted
    min_valid: int
    keywords: dict[str, Any]

    @classmethod
    def of(
        cls,
        region: Region,
        sums: NDArray[np.float64] | None,
        options: FitOptions,
        order: NDArray[np.intp],
        *,
        compat: bool,
    ) -> _Plan:
        single = region.single and compat
        height = _height(region, single=single, compat=compat)
        keywords: dict[str, Any] = {
            "single": single,
            "compat": compat,
            "n_iteration": options.fit_iter,
            "sigma_low": options.sigma_low,
            "sigma_high": options.sigma_high,
            "space_ratio": options.space_ratio,
            "n_left": options.lrange,
            "n_right": options.lrange - 1 if compat else options.lrange,
            "is_retried": not compat,
            "is_weighted": options.weighting == "ivm",
            "is_tapered": not compat,
        }
        n_interval = _number(options.spline_bkpt, options.auto_bkpt_factor, height)
        min_valid = _number(options.require_ngood, options.auto_ngood_factor, height)
        return cls(region, sums, order, n_interval, min_valid, keywords)


def _height(region: Region, *, single: bool, compat: bool) -> np.floating:
    """Give the range of alpha of a region over the size of a pixel; NaN if there is none."""
    alpha = region.alpha.astype(np.float32) if single else region.alpha
    if compat or region.pixel_size is None:
        steps = np.diff(alpha, axis=1)
        steps = steps[np.isfinite(steps)]
        size = np.abs(np.median(steps)) if len(steps) else np.float64(np.nan)
    else:
        size = np.float64(region.pixel_size)
    valid = alpha[np.isfinite(alpha if compat else alpha + region.flux)]
    if not len(valid):
        return np.float64(np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        height: np.floating = (valid.max() - valid.min()) / size
    return height


def _number(given: int | None, factor: float, height: np.floating) -> int:
    """Give a number that was asked for, or one by the height of the region; 0 for nonsense."""
    number = factor * height if given is None else given
    return int(number) if 0 <= number <= MOST_INTERVALS else 0


@dataclass(frozen=True)
class _Job:
    """The fit of one region into its row of a trace model."""

    trace: TraceModel
    row: int
    plan: _Plan
    compat: bool

    def fit(self, start: int, stop: int) -> None:
        """Fit the columns of a range, and find the scales of those that have a spline then."""
        if not self.plan.n_interval:
            return
        wanted = np.zeros(len(self.plan.region.flux), bool)
        wanted[self.plan.order] = True
        self._fit(wanted, start, stop, self.plan.n_interval)
        own = start + np.flatnonzero(self.trace.n_knot[self.row, start:stop])
        model = self.trace.model[self.row]
        model[own] = own
        self._scale(model, start, stop)

    def _fit(self, wanted: NDArray[np.bool_], start: int, stop: int, n_interval: int) -> None:
        plan, trace, row = self.plan, self.trace, self.row
        kernel.fit_columns(
            plan.region.alpha,
            plan.region.flux,
            plan.region.error,
            plan.sums,
            wanted,
            trace.knots[row],
            trace.coefficients[row],
            trace.n_knot[row],
            trace.lower[row],
            trace.upper[row],
            trace.flags[row],
            trace.n_point[row],
            trace.n_rejected[row],
            None if trace.covariance is None else trace.covariance[row],
            **plan.keywords,
            n_interval=n_interval,
            min_valid=plan.min_valid,
            start=start,
            stop=stop,
        )

    def borrow(self, reach: int) -> None:
        """Decide which splines the other columns use, and find their scales."""
        model, flags = self.trace.model[self.row], self.trace.flags[self.row]
        has_scale = model >= 0
        tried = self.plan.order[(flags[self.plan.order] & ColumnFlag.TOO_FEW) == 0]
        if not self.plan.n_interval:
            flags[self.plan.order] |= np.uint8(ColumnFlag.TOO_FEW)
            return
        if self.trace.n_knot[self.row, tried].all():
            return
        if self.compat:
            self._retry(tried)
            model[tried] = _last_fitted(tried, self.trace.n_knot[self.row, tried] > 0)
        else:
            model[tried] = _nearest_fitted(tried, self.trace.n_knot[self.row] > 0, reach)
        flags[tried[(model[tried] >= 0) & (model[tried] != tried)]] |= np.uint8(ColumnFlag.BORROWED)
        others = np.where(has_scale, np.int32(-1), model)
        if (others >= 0).any():
            self._scale(others, 0, len(others))

    def _retry(self, tried: NDArray[np.intp]) -> None:
        """Fit the first columns with fewer knots, until there is a spline to borrow."""
        fitted = self.trace.n_knot[self.row]
        n_interval = self.plan.n_interval - FEWER_INTERVALS
        leading = tried[: int(np.argmax(fitted[tried] > 0))] if fitted[tried].any() else tried
        no_samples = (self.trace.flags[self.row, leading] & ColumnFlag.NO_SAMPLES) != 0
        leading = leading[~no_samples]
        size = 1
        while len(leading) and n_interval > 0:
            chunk, leading, size = leading[:size], leading[size:], 4 * size
            before = self.trace.flags[self.row].copy()
            wanted = np.zeros(len(fitted), bool)
            wanted[chunk] = True
            self._fit(wanted, int(chunk.min()), int(chunk.max()) + 1, n_interval)
            found = chunk[fitted[chunk] > 0]
            # What was fitted beyond the first is what jwst does not try any more.
            fitted[found[1:]] = 0
            self.trace.lower[self.row, found[1:]] = self.trace.upper[self.row, found[1:]] = np.nan
            self.trace.flags[self.row] = before
            if len(found):
                self.trace.flags[self.row, found[0]] = ColumnFlag.FEWER_KNOTS
                return

    def _scale(self, model: NDArray[np.int32], start: int, stop: int) -> None:
        """Find the scales of the columns of a range that have a model."""
        region, trace, row = self.plan.region, self.trace, self.row
        bspline_scale.scale_columns(
            region.alpha,
            region.flux,
            region.error,
            trace.knots[row],
            trace.coefficients[row],
            trace.n_knot[row],
            trace.lower[row],
            trace.upper[row],
            model,
            trace.scale[row],
            trace.chi2[row],
            None if trace.scale_error is None else trace.scale_error[row],
            trace.flags[row],
            compat=self.compat,
            start=start,
            stop=stop,
        )

    def finish(self) -> None:
        """Take the models without a scale away, and say how it went."""
        model, flags = self.trace.model[self.row], self.trace.flags[self.row]
        model[(flags & ColumnFlag.NO_SCALE) != 0] = -1
        columns = self.plan.order
        marked = flags[columns]
        counts = {
            flag.name.lower().replace("_", " "): int(np.count_nonzero(marked & flag))
            for flag in (ColumnFlag if marked.any() else ())
            if flag.name
        }
        problems = ", ".join(f"{name} {n}" for name, n in counts.items() if n)
        found = int(np.count_nonzero(model[columns] >= 0))
        level = logging.DEBUG if found == len(columns) else logging.INFO
        text = "Region %d: %d of %d columns have a model%s"
        note = f" ({problems})" if problems else ""
        log.log(level, text, self.plan.region.label, found, len(columns), note)


def _last_fitted(tried: NDArray[np.intp], fitted: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Give for each column, in order, itself or the last fitted one before it, or -1."""
    last = np.maximum.accumulate(np.where(fitted, np.arange(len(tried)), -1))
    return np.where(last >= 0, tried[last], -1) if len(tried) else tried


def _nearest_fitted(
    tried: NDArray[np.intp], fitted: NDArray[np.bool_], reach: int
) -> NDArray[np.intp]:
    """Give the fitted column nearest to each column, the smaller one of two, or -1 beyond reach."""
    columns = np.flatnonzero(fitted)
    if not len(columns):
        return np.full(len(tried), -1)
    right = np.searchsorted(columns, tried)
    before = columns[np.maximum(right - 1, 0)]
    after = columns[np.minimum(right, len(columns) - 1)]
    nearest = np.where(np.abs(tried - before) <= np.abs(after - tried), before, after)
    return np.where(np.abs(nearest - tried) <= reach, nearest, -1)


def _tasks(jobs: Sequence[_Job], n_column: int, threads: int) -> list[tuple[_Job, int, int]]:
    """Cut the work on all columns of all regions into parts: a job, and its columns."""
    if threads == 1 or not n_column:
        return [(job, 0, n_column) for job in jobs]
    tasks = []
    left = len(jobs) * n_column
    for job in jobs:
        start = 0
        while start < n_column:
            size = max(left * 2 // (3 * threads), FEWEST_COLUMNS)
            stop = start + size
            if n_column - stop < FEWEST_COLUMNS // 2:
                stop = n_column
            tasks.append((job, start, stop))
            left -= stop - start
            start = stop
    return tasks
