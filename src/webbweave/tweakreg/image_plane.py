"""Images in the tangent plane of their correction: pixels and the sky, seen from there."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
from astropy.modeling import Model
from gwcs import WCS
from numpy.typing import ArrayLike, NDArray

from webbweave.tweakreg.v2v3_plane import LinearCorrection, V2V3Plane
from webbweave.tweakreg.wcs_correction import corrected_frame, read_correction

__all__ = ["ImagePlane", "moved_correction"]


class ImagePlane:
    """
    The tangent plane of one image, in which positions are compared and corrections are made.

    A correction that is in the WCS already is part of it: fits in this plane give the correction
    that comes after it.

    Parameters
    ----------
    wcs : `~gwcs.WCS`
        WCS of the image; it is not changed.
    plane : V2V3Plane
        Where the plane touches.
    compat : bool, optional
        Apply a correction that is in the WCS once more to the plane, as tweakwcs does. A second
        correction then is wrong by the commutator of the two.
    """

    def __init__(self, wcs: WCS, plane: V2V3Plane, *, compat: bool = False) -> None:
        self.wcs = wcs
        self.plane = plane
        self._frame = corrected_frame(wcs)
        found = read_correction(wcs) if compat else None
        self._again: LinearCorrection | None = None if found is None else found[1]

    def _transform(self, start: str, stop: str) -> Model:
        return self.wcs.get_transform(start, stop)

    @cached_property
    def _from_pixels(self) -> Model:
        return self._transform(self.wcs.input_frame.name, self._frame)

    @cached_property
    def _from_world(self) -> Model:
        return self._transform(self.wcs.output_frame.name, self._frame)

    @cached_property
    def _to_world(self) -> Model:
        return self._transform(self._frame, self.wcs.output_frame.name)

    @cached_property
    def _to_pixels(self) -> Model:
        return self._transform(self._frame, self.wcs.input_frame.name)

    def _project(self, v2: ArrayLike, v3: ArrayLike) -> NDArray[np.float64]:
        points = self.plane.project(v2, v3)
        return points if self._again is None else self._again(points)

    def _deproject(
        self, points: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self.plane.deproject(points if self._again is None else self._again.inverse(points))

    def from_pixels(self, x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
        """
        Project pixels.

        Parameters
        ----------
        x, y : array_like, shape (n,)
            Pixel coordinates, 0-indexed.

        Returns
        -------
        ndarray of float64, shape (n, 2)
            Plane coordinates [arcsec].
        """
        return self._project(*self._from_pixels(np.asarray(x, float), np.asarray(y, float)))

    def from_world(self, ra: ArrayLike, dec: ArrayLike) -> NDArray[np.float64]:
        """
        Project sky positions.

        Parameters
        ----------
        ra, dec : array_like, shape (n,)
            Sky positions [degree].

        Returns
        -------
        ndarray of float64, shape (n, 2)
            Plane coordinates [arcsec]; NaN on the other side of the sky.
        """
        return self._project(*self._from_world(np.asarray(ra, float), np.asarray(dec, float)))

    def to_world(
        self, points: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """
        Find sky positions.

        Parameters
        ----------
        points : ndarray of float64, shape (n, 2)
            Plane coordinates [arcsec].

        Returns
        -------
        ra, dec : ndarray of float64, shape (n,)
            Sky positions [degree].
        """
        ra, dec = self._to_world(*self._deproject(points))
        return np.asarray(ra), np.asarray(dec)

    def to_pixels(
        self, points: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """
        Find pixels.

        Parameters
        ----------
        points : ndarray of float64, shape (n, 2)
            Plane coordinates [arcsec].

        Returns
        -------
        x, y : ndarray of float64, shape (n,)
            Pixel coordinates.

        Raises
        ------
        NotImplementedError
            If the WCS has no inverse.
        """
        x, y = self._to_pixels(*self._deproject(points))
        return np.asarray(x), np.asarray(y)

    @cached_property
    def pixel_scale(self) -> float:
        """Root of the area of the pixel at the origin [arcsec]; in the middle without inverse."""
        try:
            x, y = (float(value[0]) for value in self.to_pixels(np.zeros((1, 2))))
        except NotImplementedError:
            x = y = math.nan
        if not (math.isfinite(x) and math.isfinite(y)):
            box = self.wcs.bounding_box
            if box is None:
                return 1.0
            x, y = (0.5 * (low + high) for low, high in box.bounding_box(order="F"))
        corners = self.from_pixels(
            x + np.array([-0.5, 0.5, 0.5, -0.5]), y + np.array([-0.5, -0.5, 0.5, 0.5])
        )
        (ax, ay), (bx, by) = corners[2] - corners[0], corners[3] - corners[1]
        return math.sqrt(0.5 * abs(ax * by - ay * bx))


def moved_correction(
    correction: LinearCorrection, start: ImagePlane, target: ImagePlane
) -> LinearCorrection:
    """
    Express a correction found in the plane of one image in that of another.

    Parameters
    ----------
    correction : LinearCorrection
        In the plane ``start``.
    start, target : ImagePlane
        Planes of two images that move together. The relation of the two is taken as linear; it is
        measured over one pixel at the origin.

    Returns
    -------
    LinearCorrection
        In the plane ``target``.
    """
    step = 0.5 * start.pixel_scale
    offsets = np.array([[0.0, 0.0], [-step, -step], [step, -step], [-step, step]])
    origin, corner, right, up = target.from_world(*start.to_world(offsets))
    change = np.stack([right - corner, up - corner], axis=1) / (2.0 * step)
    matrix = change @ correction.matrix @ np.linalg.inv(change)
    return LinearCorrection(matrix, change @ correction.shift - matrix @ origin + origin)
