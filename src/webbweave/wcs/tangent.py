"""Gnomonic projection of sky positions onto a tangent plane, and angles on the sky.

Calabretta & Greisen (2002, A&A 395, 1077), sections 2.4 and 5.1.3: zenithal projection ``TAN`` with
the native pole at longitude 180 degrees, so that x grows towards east and y towards north.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["TangentPlane", "angular_separation", "mean_direction"]


@dataclass(frozen=True)
class TangentPlane:
    """
    A plane that touches the sky in one point.

    Attributes
    ----------
    ra, dec : float
        The point of contact [degree].
    """

    ra: float
    dec: float

    def project(
        self, ra: ArrayLike, dec: ArrayLike
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """
        Project sky positions.

        Parameters
        ----------
        ra, dec : array_like
            Sky positions [degree], any shape; either side of RA = 0 will do.

        Returns
        -------
        x, y : ndarray
            Plane coordinates towards east and north [degree], NaN where a position is NaN.
        """
        dlon = np.deg2rad(np.asarray(ra, dtype=np.float64) - self.ra)
        lat = np.deg2rad(np.asarray(dec, dtype=np.float64))
        lat0 = np.deg2rad(self.dec)
        cos_lat = np.cos(lat)
        cos_dlon = np.cos(dlon)
        distance = np.sin(lat0) * np.sin(lat) + np.cos(lat0) * cos_lat * cos_dlon
        x = cos_lat * np.sin(dlon) / distance
        y = (np.cos(lat0) * np.sin(lat) - np.sin(lat0) * cos_lat * cos_dlon) / distance
        return np.rad2deg(x), np.rad2deg(y)

    def deproject(
        self, x: ArrayLike, y: ArrayLike
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """
        Find the sky positions of points of the plane: the inverse of `project`.

        Parameters
        ----------
        x, y : array_like
            Plane coordinates [degree], any shape.

        Returns
        -------
        ra, dec : ndarray
            Sky positions [degree], right ascension in [0, 360).
        """
        xi = np.deg2rad(np.asarray(x, dtype=np.float64))
        eta = np.deg2rad(np.asarray(y, dtype=np.float64))
        lat0 = np.deg2rad(self.dec)
        towards_pole = np.cos(lat0) - eta * np.sin(lat0)
        dlon = np.arctan2(xi, towards_pole)
        dec = np.arctan2(np.sin(lat0) + eta * np.cos(lat0), np.hypot(xi, towards_pole))
        return (self.ra + np.rad2deg(dlon)) % 360.0, np.rad2deg(dec)


def angular_separation(ra1: float, dec1: float, ra2: float, dec2: float) -> float:
    """
    Great-circle distance of two points, accurate at any distance (Vincenty's formula).

    Parameters
    ----------
    ra1, dec1, ra2, dec2 : float
        The points [degree].

    Returns
    -------
    float
        The distance [degree]; NaN if a coordinate is NaN.
    """
    lat1, lat2, dlon = np.deg2rad([dec1, dec2, ra2 - ra1])
    across = np.cos(lat2) * np.sin(dlon)
    along = np.cos(lat1) * np.sin(lat2) - np.sin(lat1) * np.cos(lat2) * np.cos(dlon)
    radial = np.sin(lat1) * np.sin(lat2) + np.cos(lat1) * np.cos(lat2) * np.cos(dlon)
    return float(np.rad2deg(np.arctan2(np.hypot(across, along), radial)))


def mean_direction(ra: NDArray[np.float64], dec: NDArray[np.float64]) -> tuple[float, float]:
    """
    Average sky positions as unit vectors, which knows neither RA = 0 nor poles.

    Parameters
    ----------
    ra, dec : ndarray of float64
        Sky positions [degree]; those that are NaN are passed over.

    Returns
    -------
    ra, dec : float
        The mean position [degree], right ascension in [0, 360).
    """
    lon, lat = np.deg2rad(ra), np.deg2rad(dec)
    x = float(np.nanmean(np.cos(lat) * np.cos(lon)))
    y = float(np.nanmean(np.cos(lat) * np.sin(lon)))
    z = float(np.nanmean(np.sin(lat)))
    return math.degrees(math.atan2(y, x)) % 360.0, math.degrees(math.atan2(z, math.hypot(x, y)))
