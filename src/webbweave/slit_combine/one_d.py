"""Optimal extraction of a spectrum from a table of pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import ArrayLike, NDArray

from webbweave.columns import Columns
from webbweave.errors import InputError
from webbweave.slit_combine.grids import bin_edges

__all__ = ["pixel_table_to_1d", "spectrum_columns"]

Array = NDArray[np.float64]

_NEEDED = ("sci", "sky", "var_total", "var_rnoise", "wave", "yslit", "profile")
#: What a column of the table stands for if it is not there.
_NEUTRAL = ("pathloss", "normalization")


def pixel_table_to_1d(
    pixtab: Table | Mapping[str, Any],
    wave_grid: ArrayLike,
    weight: ArrayLike | None = None,
    y_range: Sequence[float] = (-3, 3),
    *,
    compat: bool = False,
) -> Table:
    """
    Extract a spectrum with the weights of the fitted profile (Horne 1986).

    Parameters
    ----------
    pixtab : `~astropy.table.Table` or mapping
        Columns of n pixels: ``sci`` and ``sky`` [microjansky], ``var_total``, ``var_rnoise``,
        ``wave`` [micron], ``yslit`` [pixel from the trace], ``profile``; ``pathloss`` and
        ``normalization`` are 1 if they are missing.
    wave_grid : array_like, shape (m,)
        Centres of the bins of wavelength [micron], increasing.
    weight : array_like, shape (n,), optional
        Weights of the pixels; by default the inverse of ``var_rnoise``.
    y_range : sequence of two floats, optional
        Pixels from here to there, both included, count [pixel from the trace].
    compat : bool, optional
        The corrections of path and normalisation as ratios of sums of noisy data, as in msaexp.

    Returns
    -------
    `~astropy.table.Table`
        ``wave``, ``flux``, ``err`` and ``sky`` [microjansky]; ``path_corr`` and ``norm_corr``, the
        mean factors that were applied for the losses at the slit and the normalisation; ``npix``;
        sums without weights ``flux_sum``, ``profile_sum`` and ``var_sum``. Where no pixel counts,
        means are NaN and sums 0.

    Raises
    ------
    InputError
        If a column is missing.
    ValueError
        If the lengths differ, or the range is empty.

    Notes
    -----
    With the weight W, the profile p and the loss L of each pixel, the flux is
    ``sum(sci / L W p) / sum(W p^2)``. The mean correction of the path is
    ``sum(p^2 W / L) / sum(p^2 W)``, for the signal goes as the profile; the same sums with ``sci``
    for one of the p have no bound where there is little signal.
    """
    return spectrum_columns(pixtab, wave_grid, weight, y_range, compat=compat).table()


def spectrum_columns(
    pixtab: Table | Mapping[str, Any],
    wave_grid: ArrayLike,
    weight: ArrayLike | None = None,
    y_range: Sequence[float] = (-3, 3),
    *,
    compat: bool = False,
) -> Columns:
    """
    Make the columns of `pixel_table_to_1d`.

    Parameters
    ----------
    pixtab, wave_grid, weight, y_range, compat
        See there.

    Returns
    -------
    Columns
        The columns.

    Raises
    ------
    InputError, ValueError
        See there.
    """
    column = _columns(pixtab, weight)
    low, high = (float(value) for value in y_range)
    if not low < high:
        raise ValueError(f"y_range: expected two numbers that increase, found {list(y_range)}")
    edges = bin_edges(wave_grid)
    keep = (column["yslit"] >= low) & (column["yslit"] <= high)
    keep &= (column["wave"] >= edges[0]) & (column["wave"] <= edges[-1])
    kept = np.flatnonzero(keep)
    column = {name: values[kept] for name, values in column.items()}
    size = edges.size - 1
    # The last edge belongs to the last bin.
    cell = np.minimum(np.searchsorted(edges, column["wave"], side="right") - 1, size - 1)

    def total(values: Array) -> Array:
        return np.bincount(cell, weights=values, minlength=size).astype(np.float64)

    with np.errstate(divide="ignore", invalid="ignore"):
        sums = _sums(column, total, compat)
    return Columns(
        {"wave": np.array(wave_grid, dtype=np.float64), **sums},
        {
            "YMIN1D": (low, "Start of 1D extraction"),
            "YMAX1D": (high, "End of 1D extraction"),
        },
        {"wave": "um", "flux": "uJy", "err": "uJy", "sky": "uJy"},
    )


def _sums(column: dict[str, Array], total: Any, compat: bool) -> dict[str, Array]:
    profile, weight, path = column["profile"], column["weight"], column["pathloss"]
    flux, norm = column["sci"] / path, column["normalization"]
    squared = weight * profile**2
    amplitude = total(squared)
    signal = total(flux * weight * profile)
    if compat:
        uncorrected = total(column["sci"] * weight * profile)
        path_corr = signal / uncorrected
        norm_corr = uncorrected / total(column["sci"] / norm * weight * profile)
    else:
        path_corr = total(squared / path) / amplitude
        norm_corr = amplitude / total(squared / norm)
    variance = column["var_total"] / path**2
    return {
        "flux": signal / amplitude,
        "err": np.sqrt(total(variance * weight * squared)) / amplitude,
        "sky": total(column["sky"] / path * squared) / amplitude,
        "path_corr": path_corr,
        "npix": total(np.ones_like(profile)),
        "norm_corr": norm_corr,
        "flux_sum": total(flux),
        "profile_sum": total(profile),
        "var_sum": total(variance),
    }


def _columns(pixtab: Table | Mapping[str, Any], weight: ArrayLike | None) -> dict[str, Array]:
    names = pixtab.colnames if isinstance(pixtab, Table) else list(pixtab)
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        raise InputError(f"the table of pixels has no column {', '.join(missing)}")
    column = {name: np.asarray(pixtab[name], dtype=np.float64) for name in _NEEDED}
    size = column["sci"].shape
    for name in _NEUTRAL:
        given = name in names
        column[name] = np.asarray(pixtab[name], dtype=np.float64) if given else np.ones(size)
    column["weight"] = (
        1.0 / column["var_rnoise"] if weight is None else np.asarray(weight, dtype=np.float64)
    )
    wrong = {name: values.shape for name, values in column.items() if values.shape != size}
    if len(size) != 1 or wrong:
        raise ValueError(f"the table of pixels: sci has the shape {size}, others {wrong}")
    return column
