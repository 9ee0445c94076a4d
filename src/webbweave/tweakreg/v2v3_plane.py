"""The plane in which corrections of the pointing are made: tangent at the reference point."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from webbweave.errors import InputError
from webbweave.wcs.sky import ARCSEC_PER_RADIAN

__all__ = ["LinearCorrection", "V2V3Plane"]


@dataclass(frozen=True, eq=False)
class LinearCorrection:
    """
    A linear transformation of a tangent plane: ``matrix @ point + shift``.

    Attributes
    ----------
    matrix : ndarray of float64, shape (2, 2)
        Rotation, scale, skew.
    shift : ndarray of float64, shape (2,)
        Shift [arcsec].
    """

    matrix: NDArray[np.float64]
    shift: NDArray[np.float64]

    @classmethod
    def checked(cls, matrix: ArrayLike, shift: ArrayLike) -> LinearCorrection:
        """
        Make one of anything that looks like a matrix and a shift.

        Parameters
        ----------
        matrix : array_like, shape (2, 2)
            The matrix.
        shift : array_like, shape (2,)
            The shift [arcsec].

        Returns
        -------
        LinearCorrection
            With arrays of its own.

        Raises
        ------
        ValueError
            If the shapes are wrong, a number is not finite, or the matrix has no inverse.
        """
        rows, vector = np.array(matrix, dtype=np.float64), np.array(shift, dtype=np.float64)
        if rows.shape != (2, 2) or vector.shape != (2,):
            raise ValueError(
                f"matrix and shift have shapes {rows.shape} and {vector.shape}, "
                "expected (2, 2) and (2,)"
            )
        if not (np.isfinite(rows).all() and np.isfinite(vector).all()):
            raise ValueError(f"matrix {rows.tolist()} and shift {vector.tolist()} must be finite")
        if np.linalg.det(rows) == 0.0:
            raise ValueError(f"matrix {rows.tolist()} has no inverse")
        return cls(rows, vector)

    def __call__(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Transform points [arcsec], shape (n, 2)."""
        return points @ self.matrix.T + self.shift

    def after(self, first: LinearCorrection) -> LinearCorrection:
        """
        Combine two corrections.

        Parameters
        ----------
        first : LinearCorrection
            The one that is applied first.

        Returns
        -------
        LinearCorrection
            Both, exactly.
        """
        return LinearCorrection(self.matrix @ first.matrix, self.matrix @ first.shift + self.shift)

    @property
    def inverse(self) -> LinearCorrection:
        """The correction that undoes this one."""
        back = np.asarray(np.linalg.inv(self.matrix), dtype=np.float64)
        return LinearCorrection(back, -back @ self.shift)


@dataclass(frozen=True)
class V2V3Plane:
    """
    The plane that touches the sphere (V2, V3) at the reference point of an aperture.

    Its axes are turned by the roll angle, so that the coordinates are nearly north and east. With
    the unit vector n of (V2, V3) and ``m = Rx(roll) Ry(-v3_ref) Rz(v2_ref) n``, they are
    ``(m_y, m_z) / m_x``; Rx, Ry, Rz turn the axes (Goldstein, Classical Mechanics, section 4.4).

    Attributes
    ----------
    v2_ref, v3_ref : float
        The reference point [arcsec].
    roll_ref : float
        Roll angle there [degree].
    """

    v2_ref: float
    v3_ref: float
    roll_ref: float

    @classmethod
    def of(cls, wcsinfo: Mapping[str, Any]) -> V2V3Plane:
        """
        Take the reference point of an image.

        Parameters
        ----------
        wcsinfo : mapping
            ``meta.wcsinfo`` of the image, with v2_ref, v3_ref [arcsec] and roll_ref [degree].

        Returns
        -------
        V2V3Plane
            The plane.

        Raises
        ------
        InputError
            If a value is missing or no number.
        """
        values = []
        for key in ("v2_ref", "v3_ref", "roll_ref"):
            value = wcsinfo.get(key)
            if not isinstance(value, (int, float)) or not math.isfinite(value):
                raise InputError(f"meta.wcsinfo.{key}: expected a number, found {value!r}")
            values.append(float(value))
        return cls(*values)

    @property
    def angles(self) -> tuple[float, float, float]:
        """Angles of the rotation to the optic axis, about z, y and x [degree]."""
        return self.v2_ref / 3600.0, -self.v3_ref / 3600.0, self.roll_ref

    @property
    def _rotation(self) -> NDArray[np.float64]:
        about_z, about_y, about_x = np.deg2rad(self.angles)
        cos, sin = math.cos(about_z), math.sin(about_z)
        r_z = np.array([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])
        cos, sin = math.cos(about_y), math.sin(about_y)
        r_y = np.array([[cos, 0.0, -sin], [0.0, 1.0, 0.0], [sin, 0.0, cos]])
        cos, sin = math.cos(about_x), math.sin(about_x)
        r_x = np.array([[1.0, 0.0, 0.0], [0.0, cos, sin], [0.0, -sin, cos]])
        return np.asarray(r_x @ r_y @ r_z)

    def project(self, v2: ArrayLike, v3: ArrayLike) -> NDArray[np.float64]:
        """
        Project points of the sphere.

        Parameters
        ----------
        v2, v3 : array_like, shape (n,)
            Positions [arcsec].

        Returns
        -------
        ndarray of float64, shape (n, 2)
            Plane coordinates [arcsec]; NaN more than 90 degrees from the point of contact.
        """
        lon, lat = (np.asarray(angle, dtype=np.float64) / ARCSEC_PER_RADIAN for angle in (v2, v3))
        unit = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
        along, x, y = self._rotation @ unit
        along = np.where(along > 0, along, np.nan)
        return np.stack([x / along, y / along], axis=-1) * ARCSEC_PER_RADIAN

    def deproject(
        self, points: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """
        Find the points of the sphere: the inverse of `project`.

        Parameters
        ----------
        points : ndarray of float64, shape (n, 2)
            Plane coordinates [arcsec].

        Returns
        -------
        v2, v3 : ndarray of float64, shape (n,)
            Positions [arcsec], V2 in (-180, 180] degrees.
        """
        x, y = np.asarray(points, dtype=np.float64).T / ARCSEC_PER_RADIAN
        n_x, n_y, n_z = self._rotation.T @ np.stack([np.ones_like(x), x, y])
        v2 = np.arctan2(n_y, n_x) * ARCSEC_PER_RADIAN
        v3 = np.arctan2(n_z, np.hypot(n_x, n_y)) * ARCSEC_PER_RADIAN
        return v2, v3
