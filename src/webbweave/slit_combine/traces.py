"""Where the source of each exposure is: traces, their offsets, their polynomials."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from webbweave.slit_combine.stack import trace_coordinate

__all__ = [
    "fit_trace_coeffs",
    "manual_positions",
    "nod_offsets",
    "offsets_of_background",
    "relative_offsets",
]

Array = NDArray[np.float64]


def fit_trace_coeffs(xtr: Array, ytr: Array, degree: int) -> Array:
    """
    Fit polynomials to traces.

    Parameters
    ----------
    xtr, ytr : ndarray of float64, shape (N, nx)
        Columns and rows [pixel]; rows that are not finite are left out.
    degree : int
        Degree of the polynomials.

    Returns
    -------
    ndarray of float64, shape (N, degree + 1)
        Coefficients in `trace_coordinate`, highest power first.

    Raises
    ------
    ValueError
        If the degree is negative, or a trace has fewer points than coefficients.
    """
    if degree < 0:
        raise ValueError(f"degree: expected 0 or more, found {degree}")
    coeffs = []
    for index, (x, y) in enumerate(zip(xtr, ytr, strict=True)):
        good = np.isfinite(y)
        if np.count_nonzero(good) <= degree:
            raise ValueError(
                f"the trace of exposure {index} has {np.count_nonzero(good)} points, too few for a "
                f"polynomial of degree {degree}"
            )
        coeffs.append(np.polyfit(trace_coordinate(x, x.size)[good], y[good], degree))
    return np.array(coeffs)


def nod_offsets(y_offset: Array, pixel_scale: float) -> Array:
    """
    Convert the offsets of a dither to pixels.

    Parameters
    ----------
    y_offset : ndarray of float64, shape (N,)
        Offsets along the slit [arcsec].
    pixel_scale : float
        Size of a pixel [arcsec].

    Returns
    -------
    ndarray of float64, shape (N,)
        Offsets from the first exposure [pixel].
    """
    offsets: Array = (y_offset - y_offset[0]) / pixel_scale
    return offsets


def offsets_of_background(y_offset: Array, pixel_scale: float) -> Array:
    """
    Convert the offsets of a slit without a source to pixels.

    Parameters
    ----------
    y_offset : ndarray of float64, shape (N,)
        Offsets along the slit [arcsec].
    pixel_scale : float
        Size of a pixel [arcsec].

    Returns
    -------
    ndarray of float64, shape (N,)
        Offsets [pixel] from the first exposure, of two exposures from their mean.
    """
    offsets: Array = nod_offsets(y_offset, pixel_scale)
    if len(offsets) == 2:
        offsets -= offsets.mean()
    return offsets


def manual_positions(offsets: Sequence[float] | Array) -> list[str]:
    """
    Name nod positions by their offsets.

    Parameters
    ----------
    offsets : sequence of float
        Offsets [pixel].

    Returns
    -------
    list of str
        The offsets, cut off after one digit.
    """
    return [f"{int(offset * 10) / 10:.1f}" for offset in offsets]


def relative_offsets(base_coeffs: Array) -> Array:
    """
    Give the places of traces relative to that in the middle.

    Parameters
    ----------
    base_coeffs : ndarray of float64, shape (N, degree + 1)
        Polynomials of the traces.

    Returns
    -------
    ndarray of float64, shape (N,)
        Offsets from their median [pixel].
    """
    constants = np.asarray(base_coeffs)[:, -1]
    if len(constants) == 1:
        return np.zeros(1)
    offsets: Array = constants - np.median(constants)
    return offsets
