"""S_REGION: the outline of a product on the sky, as text."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from webbweave.resample.tangent import TangentPlane, angular_separation

__all__ = ["fixed_slit_region", "sky_box_region"]


def _polygon(corners: list[tuple[float, float]]) -> str:
    numbers = " ".join(f"{ra % 360.0:.9f} {dec:.9f}" for ra, dec in corners)
    return f"POLYGON ICRS  {numbers}"


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
    return _polygon([(west, south), (east, south), (east, north), (west, north)])


def fixed_slit_region(ra: NDArray[np.float64], dec: NDArray[np.float64], input_region: str) -> str:
    """
    Draw a slit of the input's width along the output rows.

    Parameters
    ----------
    ra, dec : ndarray of float64, shape (n_row,)
        Sky positions of the rows [degree].
    input_region : str
        S_REGION of an input; the slit width is its shortest side.

    Returns
    -------
    str
        The region: the four corners of the slit, or the box around the rows if the width is not
        known.
    """
    width = _shortest_side(input_region)
    if width is None or ra.size < 2:
        return sky_box_region(ra, dec)
    plane = TangentPlane(float(ra[0]), float(dec[0]))
    x, y = plane.project(ra[[0, -1]], dec[[0, -1]])
    length = float(np.hypot(x[1] - x[0], y[1] - y[0]))
    if length == 0.0:
        return sky_box_region(ra, dec)
    across_x = -(y[1] - y[0]) / length * width / 2
    across_y = (x[1] - x[0]) / length * width / 2
    corner_x = np.array([x[0] + across_x, x[1] + across_x, x[1] - across_x, x[0] - across_x])
    corner_y = np.array([y[0] + across_y, y[1] + across_y, y[1] - across_y, y[0] - across_y])
    corners = zip(*plane.deproject(corner_x, corner_y), strict=True)
    return _polygon([(float(a), float(d)) for a, d in corners])


def _shortest_side(region: str) -> float | None:
    """The shortest of the four sides of a polygon [degree]; None if it cannot be read."""
    numbers = []
    for word in region.split():
        try:
            numbers.append(float(word))
        except ValueError:
            continue
    if len(numbers) != 8:
        return None
    points = list(zip(numbers[0::2], numbers[1::2], strict=True))
    sides = [
        angular_separation(*start, *end)
        for start, end in zip(points, points[1:] + points[:1], strict=True)
    ]
    return min(sides)
