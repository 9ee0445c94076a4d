"""S_REGION: the outline of a product on the sky, as text."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from webbweave.wcs.tangent import TangentPlane, angular_separation

__all__ = ["sky_box_region", "slit_region"]


def sky_box_region(ra: NDArray[np.float64], dec: NDArray[np.float64]) -> str:
    """
    Draw the box in right ascension and declination around sky positions.

    Parameters
    ----------
    ra, dec : ndarray of float64, shape (n,)
        Sky positions [degree]; they may lie on both sides of RA = 0.

    Returns
    -------
    str
        The region: lower left, lower right, upper right, upper left.
    """
    near = ra[0] + (ra - ra[0] + 180.0) % 360.0 - 180.0
    west, east = float(near.min()), float(near.max())
    south, north = float(dec.min()), float(dec.max())
    return _polygon([(west, south), (east, south), (east, north), (west, north)])


def slit_region(ra: NDArray[np.float64], dec: NDArray[np.float64], outline: str) -> str | None:
    """
    Draw a long slit: as long as the product, as wide as the outline of an exposure.

    Parameters
    ----------
    ra, dec : ndarray of float64, shape (2,)
        The two ends of the slit [degree].
    outline : str
        The S_REGION of an exposure; its shortest side is the width of the slit.

    Returns
    -------
    str or None
        The region, around the slit; None if there is no outline of four corners.
    """
    corners = _corners(outline)
    if corners is None:
        return None
    sides = [
        angular_separation(*corners[side], *corners[(side + 1) % len(corners)])
        for side in range(len(corners))
    ]
    half_width = min(sides) / 2
    # Across the slit, seen from either end; half a slit width is far below what curves the sky.
    east, north = TangentPlane(float(ra[0]), float(dec[0])).project(ra[1], dec[1])
    length = float(np.hypot(east, north))
    corners = []
    for end, side in ((0, 1.0), (1, 1.0), (1, -1.0), (0, -1.0)):
        plane = TangentPlane(float(ra[end]), float(dec[end]))
        offset = half_width * side / length
        corner_ra, corner_dec = plane.deproject(-north * offset, east * offset)
        corners.append((float(corner_ra), float(corner_dec)))
    return _polygon(corners)


def _corners(outline: str) -> list[tuple[float, float]] | None:
    """The four corners of a region."""
    numbers = []
    for word in outline.split():
        try:
            numbers.append(float(word))
        except ValueError:
            continue
    if len(numbers) != 8:
        return None
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _polygon(corners: list[tuple[float, float]]) -> str:
    numbers = " ".join(f"{ra % 360.0:.9f} {dec:.9f}" for ra, dec in corners)
    return f"POLYGON ICRS  {numbers}"
