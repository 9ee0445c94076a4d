"""Pieces that the WCS of all rectified spectra are put together from."""

from __future__ import annotations

import numpy as np
from astropy import coordinates as coord
from astropy import units as u
from astropy.modeling import Model
from astropy.modeling.models import (
    Const1D,
    Linear1D,
    Mapping,
    Pix2Sky_TAN,
    RotateCelestial2Native,
    RotateNative2Celestial,
    Sky2Pix_TAN,
    Tabular1D,
)
from gwcs import WCS
from gwcs import coordinate_frames as cf
from numpy.typing import NDArray

from webbweave.resample.slit_line import SlitLine
from webbweave.resample.wavelengths import WavelengthTable
from webbweave.wcs.tangent import TangentPlane

__all__ = [
    "detector_frame",
    "lookup",
    "make_wcs",
    "sky_of_rows",
    "spectral_frame",
    "wavelength_lookups",
    "world_frame",
]


def lookup(
    points: NDArray[np.float64], values: NDArray[np.float64], *, extrapolate: bool = False
) -> Model:
    """
    Make a piecewise linear relation.

    Parameters
    ----------
    points : ndarray of float64, shape (n,)
        Where it is known, ascending.
    values : ndarray of float64, shape (n,)
        What it is there.
    extrapolate : bool, optional
        Continue it linearly; else it is NaN beyond the points.

    Returns
    -------
    `~astropy.modeling.Model`
        A table, or a constant if there is only one point.
    """
    if points.size < 2 or np.any(np.diff(points) <= 0):
        # One row, or one wavelength: a constant.
        return Const1D(float(values[values.size // 2]))
    return Tabular1D(
        points=points,
        lookup_table=values,
        bounds_error=False,
        fill_value=None if extrapolate else np.nan,
    )


def wavelength_lookups(table: WavelengthTable, *, descending: bool = False) -> tuple[Model, Model]:
    """
    Express a wavelength table as a pair of relations.

    Parameters
    ----------
    table : WavelengthTable
        The table.
    descending : bool, optional
        Count the columns from the red end.

    Returns
    -------
    to_wavelength, to_column : `~astropy.modeling.Model`
        From columns to wavelengths [micron], and back. Wavelengths in a gap have no column.
    """
    points, values, back_values, back_points = table.as_lookup()
    if descending:
        last = table.wavelengths.size - 1
        points, values = last - points[::-1], values[::-1]
        back_points = last - back_points
    return (
        lookup(points, values, extrapolate=table.continued),
        lookup(back_values, back_points, extrapolate=table.continued),
    )


def sky_of_rows(line: SlitLine, plane: TangentPlane) -> tuple[Model, Model]:
    """
    Relate positions along the slit and on the sky.

    Parameters
    ----------
    line : SlitLine
        The line on the plane.
    plane : TangentPlane
        The plane.

    Returns
    -------
    to_sky : `~astropy.modeling.Model`
        From a position, given twice, to right ascension and declination [degree].
    to_row : `~astropy.modeling.Model`
        From right ascension and declination to a position.
    """
    to_sky = (
        Linear1D(line.dx, line.x0) & Linear1D(line.dy, line.y0)
        | Pix2Sky_TAN()
        | RotateNative2Celestial(plane.ra, plane.dec, 180.0)
    )
    if line.is_steep:
        pick, to_row = Mapping((1,), n_inputs=2), Linear1D(1.0 / line.dy, -line.y0 / line.dy)
    else:
        pick, to_row = Mapping((0,), n_inputs=2), Linear1D(1.0 / line.dx, -line.x0 / line.dx)
    back = RotateCelestial2Native(plane.ra, plane.dec, 180.0) | Sky2Pix_TAN() | pick | to_row
    return to_sky, back


def detector_frame() -> cf.Frame2D:
    """
    Name the pixels of the product.

    Returns
    -------
    `~gwcs.coordinate_frames.Frame2D`
        The frame ``detector``.
    """
    return cf.Frame2D(name="detector", unit=(u.pix, u.pix))


def spectral_frame() -> cf.SpectralFrame:
    """
    Name the wavelength axis.

    Returns
    -------
    `~gwcs.coordinate_frames.SpectralFrame`
        The third axis, in micron.
    """
    return cf.SpectralFrame(
        name="spectral", axes_order=(2,), unit=(u.micron,), axes_names=("wavelength",)
    )


def world_frame() -> cf.CompositeFrame:
    """
    Name the sky and wavelength axes.

    Returns
    -------
    `~gwcs.coordinate_frames.CompositeFrame`
        The frame ``world``.
    """
    sky = cf.CelestialFrame(name="sky", axes_order=(0, 1), reference_frame=coord.ICRS())
    return cf.CompositeFrame([sky, spectral_frame()], name="world")


def make_wcs(steps: list[tuple[cf.CoordinateFrame, Model | None]], shape: tuple[int, int]) -> WCS:
    """
    Put a WCS together.

    Parameters
    ----------
    steps : list of (frame, transform)
        Each frame with the transform to the next, None for the last.
    shape : (int, int)
        Shape (ny, nx) of the product.

    Returns
    -------
    `~gwcs.WCS`
        With shape and bounding box.
    """
    wcs = WCS(steps)
    ny, nx = shape
    wcs.bounding_box = ((-0.5, nx - 0.5), (-0.5, ny - 0.5))
    wcs.array_shape = shape
    return wcs
