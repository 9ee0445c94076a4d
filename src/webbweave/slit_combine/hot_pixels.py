"""Hot pixels of a cut-out: brighter than a spectrum can be beside its neighbours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, maximum_filter, minimum_filter

from webbweave.slit_combine.exposure import SlitExposure
from webbweave.slit_combine.parse import BAD_PIXEL_FLAG

__all__ = ["find_hot_pixels"]

#: Data quality bits of single hot pixels, and of what leaks to the neighbours of dead ones.
_HOT, _WARM = 2048, 4096
#: The neighbours of a pixel: all eight, those with a common edge, the others.
_AROUND = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], np.bool_)
_EDGES = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.bool_)
_CORNERS = _AROUND & ~_EDGES
#: What is far above the read noise: times this percentile of its standard deviation.
_NOISE_PERCENTILE = 90.0
#: A value this many standard deviations below zero is bad.
_MIN_VALID_SN = -3.0


def find_hot_pixels(
    exposure: SlitExposure,
    *,
    threshold: float = 16.0,
    hot_ratio: float = 3.0,
    plus_ratio: float = 2.0,
    max_flagged: int = 128,
) -> tuple[NDArray[np.uint32], int, int]:
    """
    Find hot pixels, and dead ones whose neighbours are bright.

    Parameters
    ----------
    exposure : SlitExposure
        The exposure; it is not changed.
    threshold : float, optional
        Least value, in units of the 90th percentile of the read noise.
    hot_ratio : float, optional
        Least ratio to the largest neighbour.
    plus_ratio : float, optional
        Least ratio of the smallest neighbour along an edge to the largest at a corner.
    max_flagged : int, optional
        Where as many pixels are found, something else is the matter, and none is flagged.

    Returns
    -------
    dq : ndarray of uint32, shape (ny, nx)
        Bits 2048 (hot) and 4096 (around a dead pixel), each also of the pixels beside.
    count : int
        Number of pixels found.
    status : int
        2 if `dq` is to be used, 1 if there are too many.
    """
    sci, err = exposure.data, exposure.err
    flagged = (exposure.dq & BAD_PIXEL_FLAG) > 0
    with np.errstate(invalid="ignore"):
        bad = flagged | ~np.isfinite(sci) | ~(err > 0) | (sci < _MIN_VALID_SN * err)
    if bad.all():
        return np.zeros(sci.shape, np.uint32), 0, 2
    values = np.where(bad, 0, sci)
    noise = np.sqrt(exposure.var_rnoise[~bad])
    limit = threshold * np.nanpercentile(noise, _NOISE_PERCENTILE)
    outside = {"mode": "constant", "cval": 0.0}
    around = maximum_filter(values, footprint=_AROUND, **outside)
    hot = (values > limit) & (around < values / hot_ratio)
    edges = minimum_filter(values, footprint=_EDGES, **outside)
    corners = maximum_filter(values, footprint=_CORNERS, **outside)
    dead = flagged | ~np.isfinite(sci) | hot
    plus = (edges > limit) & (corners < edges / plus_ratio) & dead
    warm = binary_dilation(plus, structure=_EDGES)
    count = int(np.count_nonzero(hot | warm))
    dq = np.where(binary_dilation(hot), _HOT, 0) | np.where(binary_dilation(warm), _WARM, 0)
    return dq.astype(np.uint32), count, 2 if count < max_flagged else 1
