"""Matching with the rules of tweakwcs and stsci.stimage, for ``compat=True``."""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import NDArray

from webbweave._kernels import xymatch as kernel
from webbweave.errors import WeaveError
from webbweave.tweakreg.offsets import offset_histogram

__all__ = ["SourceConfusionError", "peer_match", "peer_peak", "peer_shift"]

log = logging.getLogger(__name__)

#: Width of the box that the peer fits around the highest cell.
_BOX = 5

#: Coefficients of the parabola that the peer fits: fewer cells leave it the centre of mass.
_COEFFICIENTS = 6

#: A curvature smaller than this part of the largest one is a rounding error of the fit.
_ROUNDING = 1e-10


class SourceConfusionError(WeaveError):
    """More references have a match than there are image points; only with ``compat=True``."""


def peer_shift(
    ref: NDArray[np.float64], img: NDArray[np.float64], searchrad: float, pscale: float
) -> tuple[float, float]:
    """
    Find the offset image minus reference, with the zero point of the peer.

    Parameters
    ----------
    ref, img : ndarray of float64, shape (n, 2)
        Positions.
    searchrad : float
        Search radius, in the units of the positions.
    pscale : float
        Pixel scale in these units.

    Returns
    -------
    (float, float)
        The offset, too large by ``pscale * ceil(searchrad / pscale) - searchrad`` on either axis,
        since the peer counts from the border of the histogram as if that were at -searchrad.
    """
    counts = offset_histogram(
        ref, img, bin_size=pscale, radius=searchrad, reach=searchrad / pscale + 0.5
    )
    if not counts.any():
        log.warning("No pair of sources within the search radius: assuming no offset")
        return 0.0, 0.0
    x, y = peer_peak(counts)[:2]
    return pscale * x - searchrad, pscale * y - searchrad


def peer_peak(counts: NDArray[np.int64]) -> tuple[float, float, str]:
    """
    Find the peak of a histogram as tweakwcs does.

    Parameters
    ----------
    counts : ndarray of int64, shape (n, n)
        At least one cell is not 0.

    Returns
    -------
    x, y : float
        Position of the peak [cells].
    status : str
        'SUCCESS', 'WARNING:EDGE', 'WARNING:BADFIT' or 'WARNING:CENTER-OF-MASS'; no more than a
        word about how the position was found.
    """
    filled = np.flatnonzero(counts)
    row, column = (int(k) for k in np.unravel_index(np.argmax(counts), counts.shape))
    if filled.size == 1:
        return float(column), float(row), "SUCCESS"
    (row0, row1), (column0, column1) = (
        _box(middle, size) for middle, size in zip((row, column), counts.shape, strict=True)
    )
    if row in (row0, row1 - 1) or column in (column0, column1 - 1):
        return float(column), float(row), "WARNING:EDGE"
    rows, columns = _regrown(row0, counts.shape[0]), _regrown(column0, counts.shape[1])
    values = counts[slice(*rows), slice(*columns)].astype(np.float64)
    y, x = (axis.astype(np.float64) for axis in np.nonzero(values))
    z = values[values != 0]
    mass = float(z @ x / z.sum()) + columns[0], float(z @ y / z.sum()) + rows[0]
    if z.size < _COEFFICIENTS:
        return *mass, "WARNING:CENTER-OF-MASS"
    x, y = x + columns[0], y + rows[0]
    terms = np.stack([np.ones_like(x), x, y, x * y, x**2, y**2], axis=1)
    _, c10, c01, c11, c20, c02 = np.linalg.lstsq(terms, z, rcond=None)[0]
    bend = 4.0 * c02 * c20 - c11**2
    if bend <= _ROUNDING * max(abs(c11), abs(c20), abs(c02)) ** 2 or (c20 >= 0 and c02 >= 0):
        return *mass, "WARNING:BADFIT"
    top_x = float((c01 * c11 - 2.0 * c02 * c10) / bend)
    top_y = float((c10 * c11 - 2.0 * c01 * c20) / bend)
    inside = columns[0] <= top_x <= columns[1] - 1 and rows[0] <= top_y <= rows[1] - 1
    return (top_x, top_y, "SUCCESS") if inside else (*mass, "WARNING:CENTER-OF-MASS")


def _box(middle: int, size: int) -> tuple[int, int]:
    return max(0, middle - _BOX // 2), min(size, middle + _BOX // 2 + 1)


def _regrown(start: int, size: int) -> tuple[int, int]:
    """Give a box that was cut at a border its full width again, at its other end."""
    first = max(0, min(start, size - _BOX))
    return first, min(size, first + _BOX)


def peer_match(
    ref: NDArray[np.float64],
    img: NDArray[np.float64],
    shift: tuple[float, float],
    *,
    tolerance: float,
    separation: float,
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """
    Match each reference point with the nearest image point.

    Of points closer than the separation only the lowest in y takes part; an image point may be
    the nearest of several references.

    Parameters
    ----------
    ref, img : ndarray of float64, shape (n, 2)
        Positions.
    shift : (float, float)
        Offset image minus reference.
    tolerance, separation : float
        In the units of the positions.

    Returns
    -------
    ref_index, img_index : ndarray of int, shape (n,)
        The pairs, in the order of (y, x) of the reference.

    Raises
    ------
    SourceConfusionError
        If there are more pairs than image points.
    """
    points = []
    for array in (ref, img - np.asarray(shift)):
        x, y = (np.ascontiguousarray(array[:, axis]) for axis in (0, 1))
        keep = kernel.isolated(x, y, separation=separation, rule=kernel.COINCIDENT_LOWEST)
        points.append((x, y, keep))
    partner = kernel.match(*points[0], *points[1], tolerance=tolerance, rule=kernel.MATCH_NEAREST)
    order = np.lexsort((ref[:, 0], ref[:, 1]))
    order = order[partner[order] >= 0]
    if len(order) > len(img):
        raise SourceConfusionError(
            f"Number of output coordinates exceeded allocation ({len(img)}): several references "
            "are nearest to one source; use a smaller tolerance or a larger separation"
        )
    return order.astype(np.intp), partner[order].astype(np.intp)
