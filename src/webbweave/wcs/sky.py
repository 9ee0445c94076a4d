"""Directions on the sky as unit vectors, which know neither RA = 0 nor poles."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["ARCSEC_PER_RADIAN", "chord", "local_axes", "sky_position", "unit_vectors"]

#: Arcseconds in a radian.
ARCSEC_PER_RADIAN = 180.0 / np.pi * 3600.0


def unit_vectors(ra: ArrayLike, dec: ArrayLike) -> NDArray[np.float64]:
    """
    Turn sky positions into unit vectors.

    Parameters
    ----------
    ra, dec : array_like, shape (n,)
        Sky positions [degree].

    Returns
    -------
    ndarray of float64, shape (n, 3)
        The vectors; NaN where a position is NaN.
    """
    lon = np.deg2rad(np.asarray(ra, dtype=np.float64))
    lat = np.deg2rad(np.asarray(dec, dtype=np.float64))
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)


def sky_position(vectors: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    Turn vectors into sky positions.

    Parameters
    ----------
    vectors : ndarray of float64, shape (n, 3)
        Vectors of any length but 0.

    Returns
    -------
    ra, dec : ndarray of float64, shape (n,)
        Sky positions [degree], right ascension in [0, 360).
    """
    x, y, z = np.moveaxis(vectors, -1, 0)
    ra = np.rad2deg(np.arctan2(y, x)) % 360.0
    # A tiny negative angle is rounded to 360 by the remainder.
    ra = np.where(ra >= 360.0, 0.0, ra)
    return ra, np.rad2deg(np.arctan2(z, np.hypot(x, y)))


def local_axes(ra: ArrayLike, dec: ArrayLike) -> NDArray[np.float64]:
    """
    Draw the axes of the tangent planes at sky positions.

    Parameters
    ----------
    ra, dec : array_like, shape (n,)
        The points of contact [degree].

    Returns
    -------
    ndarray of float64, shape (n, 3, 3)
        Rows: the direction itself, the axis towards east, the axis towards north.
    """
    lon = np.deg2rad(np.asarray(ra, dtype=np.float64))
    lat = np.deg2rad(np.asarray(dec, dtype=np.float64))
    sin_lon, cos_lon, sin_lat, cos_lat = np.sin(lon), np.cos(lon), np.sin(lat), np.cos(lat)
    east = np.stack([-sin_lon, cos_lon, np.zeros_like(lon)], axis=-1)
    north = np.stack([-sin_lat * cos_lon, -sin_lat * sin_lon, cos_lat], axis=-1)
    return np.stack([unit_vectors(ra, dec), east, north], axis=-2)


def chord(angle: float) -> float:
    """
    Say how far apart unit vectors are that enclose an angle.

    Parameters
    ----------
    angle : float
        The angle [arcsec], not negative.

    Returns
    -------
    float
        The distance of the tips.
    """
    return float(2.0 * np.sin(min(angle / ARCSEC_PER_RADIAN, np.pi) / 2.0))
