"""One exposure of one slit, as the algorithms see it: arrays, numbers, its WCS evaluated once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from gwcs import WCS
from numpy.typing import NDArray

from webbweave.errors import InputError

__all__ = [
    "DO_NOT_USE",
    "NON_SCIENCE",
    "VARIANCES",
    "ExposureSummary",
    "SlitExposure",
    "SlitGrid",
    "evaluate_slit",
]

#: Data-quality bits of the JWST pipeline that take a pixel out of a reduction
#: (jwst documentation, "Data Quality Flags").
DO_NOT_USE = 1
NON_SCIENCE = 512

#: Names of the variance planes, in the order in which they are drizzled.
VARIANCES = ("var_rnoise", "var_flat", "var_poisson")


@dataclass(frozen=True, eq=False)
class SlitGrid:
    """
    The WCS of a slit on all integer pixels of its bounding box.

    Attributes
    ----------
    x_start, y_start : int
        Pixel of the full array at which the grid starts.
    slit_y : ndarray of float64, shape (ny, nx)
        Position along the slit in the slit's own frame.
    wavelength_slit : ndarray of float64, shape (ny, nx)
        Wavelength in the slit frame, in the unit of that frame.
    ra, dec : ndarray of float64, shape (ny, nx)
        Sky position [degree].
    wavelength : ndarray of float64, shape (ny, nx)
        Wavelength [micron]; all arrays are NaN outside the slit.
    centre_column : int
        Index into the grid of the column at the centre of the bounding box.
    to_sky : callable
        From the slit frame (x_slit, y_slit, wavelength) to right ascension and declination [degree]
        and wavelength [micron].
    """

    x_start: int
    y_start: int
    slit_y: NDArray[np.float64]
    wavelength_slit: NDArray[np.float64]
    ra: NDArray[np.float64]
    dec: NDArray[np.float64]
    wavelength: NDArray[np.float64]
    centre_column: int
    to_sky: Callable[..., tuple[Any, Any, Any]]

    @property
    def window(self) -> tuple[slice, slice]:
        """Where the grid lies in the full array."""
        ny, nx = self.ra.shape
        return (
            slice(self.y_start, self.y_start + ny),
            slice(self.x_start, self.x_start + nx),
        )


@dataclass(frozen=True, eq=False)
class SlitExposure:
    """
    One slit of one exposure.

    Attributes
    ----------
    name : str
        What messages call it: file and slit.
    data : ndarray of float32, shape (ny, nx)
        Science values, dispersed along x.
    dq : ndarray of uint32, shape (ny, nx)
        Data-quality bits.
    variances : mapping of str to ndarray of float32, shape (ny, nx)
        Those of `VARIANCES` that the exposure has, in the square of the unit of `data`.
    wcs : `~gwcs.WCS`
        From pixels to right ascension and declination [degree] and wavelength [micron].
    unit : str
        Unit of `data`.
    exposure_time : float or None
        Measurement time, or exposure time if that is not known [s].
    pixel_area : float or None
        Nominal pixel area [steradian].
    background : float or None
        Background level that is still in `data` and to be subtracted.
    setup : tuple of str
        Instrument, filter and grating.
    """

    name: str
    data: NDArray[np.float32]
    dq: NDArray[np.uint32]
    variances: Mapping[str, NDArray[np.float32]]
    wcs: WCS
    unit: str = ""
    exposure_time: float | None = None
    pixel_area: float | None = None
    background: float | None = None
    setup: tuple[str, ...] = field(default=())

    @cached_property
    def grid(self) -> SlitGrid:
        """The WCS on the pixels of the slit; evaluated on first use and kept."""
        return evaluate_slit(self.wcs, self.data.shape, name=self.name)

    @cached_property
    def invalid(self) -> NDArray[np.bool_]:
        """Pixels not finite in any array or flagged DO_NOT_USE, shape (ny, nx)."""
        invalid: NDArray[np.bool_] = ~np.isfinite(self.data) | (self.dq & DO_NOT_USE != 0)
        for variance in self.variances.values():
            invalid |= ~np.isfinite(variance)
        return invalid

    @cached_property
    def good(self) -> NDArray[np.bool_]:
        """Pixels that may contribute, shape (ny, nx)."""
        good: NDArray[np.bool_] = ~self.invalid & (self.dq & NON_SCIENCE == 0)
        return good


@dataclass(frozen=True)
class ExposureSummary:
    """
    What became of an exposure, without its arrays.

    Attributes
    ----------
    name : str
        File and slit.
    exposure_time : float or None
        Measurement time, or exposure time if that is not known [s].
    n_used : int
        Number of pixels that may contribute.
    """

    name: str
    exposure_time: float | None
    n_used: int

    @classmethod
    def of(cls, exposure: SlitExposure) -> ExposureSummary:
        """
        Summarise an exposure.

        Parameters
        ----------
        exposure : SlitExposure
            The exposure.

        Returns
        -------
        ExposureSummary
            Its summary.
        """
        n_used = int(np.count_nonzero(exposure.good))
        return cls(exposure.name, exposure.exposure_time, n_used)


def evaluate_slit(wcs: WCS, shape: tuple[int, ...], *, name: str = "the exposure") -> SlitGrid:
    """
    Evaluate the WCS of a NIRSpec slit on every pixel of its bounding box.

    Parameters
    ----------
    wcs : `~gwcs.WCS`
        A WCS with the frames ``detector``, ``slit_frame`` and a sky frame (``world`` or
        ``moving_target``) with wavelengths in micron.
    shape : (int, int)
        Shape (ny, nx) of the array.
    name : str, optional
        What an error message calls the exposure.

    Returns
    -------
    SlitGrid
        Slit and sky coordinates; the transform to the slit is evaluated once and continued to the
        sky.

    Raises
    ------
    InputError
        If the WCS has no slit frame or no sky frame, or a bounding box outside of the array.
    """
    frames = wcs.available_frames
    if "slit_frame" not in frames:
        raise InputError(
            f"{name}: expected a NIRSpec slit WCS with a frame 'slit_frame', found frames "
            + ", ".join(frames)
        )
    units = [str(unit) for unit in wcs.output_frame.unit]
    if units != ["deg", "deg", "micron"] and units != ["deg", "deg", "um"]:
        raise InputError(
            f"{name}: expected a WCS that ends in deg, deg, micron, found {', '.join(units)}"
            " (lamp exposures have no sky)"
        )
    ny, nx = shape
    (x0, x1), (y0, y1) = _bounding_box(wcs, ny, nx)
    columns = np.arange(max(_pixel(x0), 0), min(_pixel(x1), nx))
    rows = np.arange(max(_pixel(y0), 0), min(_pixel(y1), ny))
    if not columns.size or not rows.size:
        raise InputError(f"{name}: the bounding box of the WCS lies outside the ({ny}, {nx}) array")
    x, y = np.meshgrid(columns.astype(float), rows.astype(float))
    sky_frame = frames[-1]
    slit_x, slit_y, wavelength_slit = wcs.get_transform("detector", "slit_frame")(x, y)
    to_sky = wcs.get_transform("slit_frame", sky_frame)
    ra, dec, wavelength = to_sky(slit_x, slit_y, wavelength_slit)
    undefined = np.isnan(ra) | np.isnan(dec) | np.isnan(wavelength)
    for plane in (slit_y, wavelength_slit, ra, dec, wavelength):
        plane[undefined] = np.nan
    centre = min(max(int((x0 + x1) / 2) - int(columns[0]), 0), columns.size - 1)
    return SlitGrid(
        int(columns[0]), int(rows[0]), slit_y, wavelength_slit, ra, dec, wavelength, centre, to_sky
    )


def _bounding_box(wcs: WCS, ny: int, nx: int) -> tuple[tuple[float, float], tuple[float, float]]:
    if wcs.bounding_box is None:
        return (-0.5, nx - 0.5), (-0.5, ny - 0.5)
    box = wcs.bounding_box.bounding_box(order="F")
    return box[0], box[1]


def _pixel(edge: float) -> int:
    """The first pixel whose centre is at or beyond an edge."""
    return int(np.floor(edge + 0.5))
