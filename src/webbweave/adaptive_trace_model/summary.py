"""What a person wants to see of a trace model: a few small arrays for figures and a table."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from webbweave.adaptive_trace_model.ripple import Ripple, measure_ripple
from webbweave.adaptive_trace_model.splines import ColumnFlag, TraceModel

__all__ = ["ColumnFit", "RippleSummary", "TraceSummary", "summarise_trace"]

#: Points of the curve of a fit.
_CURVE_POINTS = 600


@dataclass(frozen=True, eq=False)
class ColumnFit:
    """
    The fit of one column.

    Parameters
    ----------
    column : int
        Which.
    alpha, profile : ndarray of float64, shape (n,)
        The samples of the window: coordinate along the slit, and flux over the scale of its column.
    own : ndarray of bool, shape (n,)
        Samples of the column itself.
    knots : ndarray of float64, shape (n_knot,)
        The interior knots and the two ends.
    curve_alpha, curve : ndarray of float64, shape (m,)
        The spline.
    """

    column: int
    alpha: NDArray[np.float64]
    profile: NDArray[np.float64]
    own: NDArray[np.bool_]
    knots: NDArray[np.float64]
    curve_alpha: NDArray[np.float64]
    curve: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RippleSummary:
    """
    The spectrum of the source through an aperture of one native pixel, before and after.

    Parameters
    ----------
    centre, width : float
        The aperture, in the unit of alpha.
    before : Ripple
        Of the data as they came.
    after : Ripple or None
        Of the oversampled data; None without oversampling.
    """

    centre: float
    width: float
    before: Ripple
    after: Ripple | None


@dataclass(frozen=True, eq=False)
class TraceSummary:
    """
    What became of one exposure or slit.

    Parameters
    ----------
    name : str
        Of the exposure or slit.
    n_region, n_region_modelled : int
        Slices or slits, and those with a model in at least one column.
    n_column, n_column_modelled : int
        Columns of all regions that hold data, and those with a model.
    flags : mapping of str to int
        Columns per flag, by the name of the flag.
    n_trace : int
        Pixels of the trace image.
    oversample : float
        Factor of the oversampling; 1 for none.
    label : int or None
        The region that the arrays below are of: the one with most light in its trace.
    data, trace : ndarray of float32, shape (ny, nx), or None
        Cut-outs of that region as the step leaves them, dispersion along x.
    column_fit : ColumnFit or None
        The fit of a column in the middle of the trace.
    ripple : RippleSummary or None
        How much the spectrum ripples.
    """

    name: str
    n_region: int
    n_region_modelled: int
    n_column: int
    n_column_modelled: int
    flags: dict[str, int]
    n_trace: int
    oversample: float
    label: int | None = None
    data: NDArray[np.float32] | None = None
    trace: NDArray[np.float32] | None = None
    column_fit: ColumnFit | None = None
    ripple: RippleSummary | None = None


@dataclass(frozen=True, eq=False)
class _Cut:
    """One region of an image, all its columns."""

    flux: NDArray[np.floating]
    alpha: NDArray[np.floating]


def summarise_trace(
    name: str,
    flux: NDArray[np.floating],
    alpha: NDArray[np.floating],
    region_map: NDArray[np.integer],
    model: TraceModel,
    trace: NDArray[np.floating],
    *,
    half_window: int,
    oversampled: tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.floating]]
    | None = None,
    factor: float = 1.0,
) -> TraceSummary:
    """
    Collect what is shown of an exposure or slit.

    Parameters
    ----------
    name : str
        Of the exposure or slit.
    flux, alpha : ndarray, shape (ny, nx)
        Data as they came and the coordinate along the slit, dispersion along x.
    region_map : ndarray of int, shape (ny, nx)
        Numbers of the regions.
    model : TraceModel
        The splines.
    trace : ndarray, shape (ny, nx)
        The trace image at native sampling; NaN where there is none.
    half_window : int
        Columns on each side that a fit takes samples of.
    oversampled : (ndarray, ndarray, ndarray), optional
        Flux, alpha and trace on the grid that is finer by `factor`.
    factor : float, optional
        Factor of the oversampling.

    Returns
    -------
    TraceSummary
        With arrays of its own.
    """
    light = _light_per_region(trace, region_map, model.labels)
    label = int(model.labels[np.argmax(light)]) if light.size and light.max() > 0 else None
    counts = {flag.name or "": int(np.count_nonzero(model.flags & flag)) for flag in ColumnFlag}
    filled = np.isfinite(flux) & (region_map > 0)
    summary = TraceSummary(
        name=name,
        n_region=len(model.labels),
        n_region_modelled=int(np.count_nonzero((model.model >= 0).any(axis=1))),
        n_column=_columns_with_data(filled, region_map, model.labels),
        n_column_modelled=model.n_model,
        flags={flag: n for flag, n in counts.items() if n},
        n_trace=int(np.count_nonzero(np.isfinite(trace))),
        oversample=factor,
    )
    if label is None:
        return summary
    inside = region_map == label
    rows = np.flatnonzero(inside.any(axis=1))
    box = slice(int(rows[0]), int(rows[-1]) + 1)
    native = _cut(flux[box], alpha[box], inside[box])
    fine, shown = None, (flux[box], trace[box])
    if oversampled is not None:
        wide, nearest = _fine_rows(box, factor, len(oversampled[0]))
        fine_flux, fine_alpha, fine_trace = (plane[wide] for plane in oversampled)
        fine, shown = _cut(fine_flux, fine_alpha, inside[nearest]), (fine_flux, fine_trace)
    return replace(
        summary,
        label=label,
        data=np.array(shown[0], dtype=np.float32),
        trace=np.array(shown[1], dtype=np.float32),
        column_fit=_column_fit(native, model, label, half_window),
        ripple=_ripple(native, fine, trace[box], inside[box]),
    )


def _fine_rows(box: slice, factor: float, n_row: int) -> tuple[slice, NDArray[np.intp]]:
    """Rows of the finer grid that show the rows of a box, and the row of the image of each."""
    wide = slice(int(box.start * factor), min(int(np.ceil(box.stop * factor)), n_row))
    nearest = (np.arange(wide.start, wide.stop) / factor).astype(np.intp)
    return wide, np.clip(nearest, box.start, box.stop - 1)


def _light_per_region(
    trace: NDArray[np.floating], region_map: NDArray[np.integer], labels: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Sum of the trace per region."""
    lit = np.isfinite(trace) & (region_map > 0)
    place = np.searchsorted(labels, region_map[lit])
    light: NDArray[np.float64] = np.zeros(len(labels))
    np.add.at(light, place, trace[lit])
    return light


def _columns_with_data(
    filled: NDArray[np.bool_], region_map: NDArray[np.integer], labels: NDArray[np.int64]
) -> int:
    """Count the pairs of a region and a column that hold data."""
    rows, columns = np.nonzero(filled)
    place = np.searchsorted(labels, region_map[rows, columns])
    hit = np.zeros((len(labels), filled.shape[1]), bool)
    hit[place, columns] = True
    return int(np.count_nonzero(hit))


def _cut(
    flux: NDArray[np.floating], alpha: NDArray[np.floating], inside: NDArray[np.bool_]
) -> _Cut:
    return _Cut(np.where(inside, flux, np.nan), np.where(inside, alpha, np.nan))


def _column_fit(cut: _Cut, model: TraceModel, label: int, half_window: int) -> ColumnFit | None:
    row = model.row(label)
    own = np.flatnonzero(model.model[row] == np.arange(model.model.shape[1]))
    if not own.size:
        return None
    column = int(own[own.size // 2])
    window = slice(max(column - half_window, 0), column + half_window + 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        profile = cut.flux[:, window] / model.scale[row, window]
    alpha = cut.alpha[:, window]
    is_own = np.zeros(profile.shape, bool)
    is_own[:, column - window.start] = True
    lower, upper = float(model.lower[row, column]), float(model.upper[row, column])
    used = np.isfinite(profile) & (alpha >= lower) & (alpha <= upper)
    spline = model.spline(label, column)
    curve_alpha = np.linspace(lower, upper, _CURVE_POINTS)
    return ColumnFit(
        column=column,
        alpha=alpha[used].astype(np.float64),
        profile=profile[used].astype(np.float64),
        own=is_own[used],
        knots=np.unique(spline.t),
        curve_alpha=curve_alpha,
        curve=spline(curve_alpha),
    )


def _ripple(
    native: _Cut, fine: _Cut | None, trace: NDArray[np.floating], inside: NDArray[np.bool_]
) -> RippleSummary | None:
    """Look through an aperture of one native pixel at the centre of light of the trace."""
    lit = np.isfinite(trace) & inside & (trace > 0)
    if not lit.any():
        return None
    centre = float(np.average(native.alpha[lit], weights=trace[lit]))
    width = float(abs(np.nanmedian(np.diff(native.alpha, axis=0))))
    columns = lit.any(axis=0)
    before = measure_ripple(native.flux, native.alpha, centre, width, columns=columns)
    after = None
    if fine is not None:
        after = measure_ripple(fine.flux, fine.alpha, centre, width, columns=columns)
    return RippleSummary(centre, width, before, after)
