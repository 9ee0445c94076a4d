"""S_REGION: the outline of a product on the sky, as text."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["sky_box_region"]


def sky_box_region(ra: NDArray[np.float64], dec: NDArray[np.float64]) -> str:
    """
    Draw the box in right ascension and declination around sky positions.

    Parameters
    ----------
    ra, dec : ndarray of float64
        Sky positions [degree]; they may lie on both sides of RA = 0.

    Returns
    -------
    str
        The region: lower left, lower right, upper right, upper left.
    """
    near = ra[0] + (ra - ra[0] + 180.0) % 360.0 - 180.0
    west, east = float(near.min()), float(near.max())
    south, north = float(dec.min()), float(dec.max())
    corners = [(west, south), (east, south), (east, north), (west, north)]
    numbers = " ".join(f"{corner_ra % 360.0:.9f} {corner:.9f}" for corner_ra, corner in corners)
    return f"POLYGON ICRS  {numbers}"
