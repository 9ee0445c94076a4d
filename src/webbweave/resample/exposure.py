"""One exposure of one slit, as the algorithms see it: arrays, numbers, its WCS evaluated once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from gwcs import WCS
from numpy.typing import NDArray

from webbweave.errors import InputError, UnsupportedInputError

__all__ = [
    "DO_NOT_USE",
    "NON_SCIENCE",
    "VARIANCES",
    "ExposureSummary",
    "SlitExposure",
    "SlitGrid",
    "SlitletGrid",
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
    ra, dec : ndarray of float64, shape (ny, nx)
        Sky position [degree]; the two spatial coordinates of the last frame of the WCS where that
        is not the sky.
    wavelength : ndarray of float64, shape (ny, nx)
        Wavelength [micron]; all arrays are NaN outside the slit.
    box : ((float, float), (float, float))
        Limits in x and in y of the bounding box, in pixels of the full array.
    frame : str
        Name of the last frame of the WCS.
    on_sky : bool
        Whether that frame is the sky; it is not for lamp exposures.
    """

    x_start: int
    y_start: int
    ra: NDArray[np.float64]
    dec: NDArray[np.float64]
    wavelength: NDArray[np.float64]
    box: tuple[tuple[float, float], tuple[float, float]]
    frame: str = "world"
    on_sky: bool = True

    @property
    def window(self) -> tuple[slice, slice]:
        """Where the grid lies in the full array."""
        ny, nx = self.ra.shape
        return (
            slice(self.y_start, self.y_start + ny),
            slice(self.x_start, self.x_start + nx),
        )

    @property
    def centre_column(self) -> int:
        """Index into the grid of the column in the middle of the bounding box."""
        middle = int(sum(self.box[0]) / 2) - self.x_start
        return int(min(max(middle, 0), self.ra.shape[1] - 1))


@dataclass(frozen=True, eq=False)
class SlitletGrid(SlitGrid):
    """
    The same for a NIRSpec slit on the sky, with the coordinates of its slit frame.

    Attributes
    ----------
    slit_y : ndarray of float64, shape (ny, nx)
        Position along the slit in the slit's own frame.
    wavelength_slit : ndarray of float64, shape (ny, nx)
        Wavelength in the slit frame, in the unit of that frame.
    to_sky : callable
        From the slit frame (x_slit, y_slit, wavelength) to right ascension and declination [degree]
        and wavelength [micron].
    """

    slit_y: NDArray[np.float64] = field(kw_only=True)
    wavelength_slit: NDArray[np.float64] = field(kw_only=True)
    to_sky: Callable[..., tuple[Any, Any, Any]] = field(kw_only=True)


@dataclass(frozen=True, eq=False)
class SlitExposure:
    """
    One slit of one exposure.

    Attributes
    ----------
    name : str
        What messages call it: file and slit.
    data : ndarray of float32, shape (ny, nx)
        Science values.
    dq : ndarray of uint32, shape (ny, nx)
        Data-quality bits.
    variances : mapping of str to ndarray of float32, shape (ny, nx)
        Those of `VARIANCES` that the exposure has, in the square of the unit of `data`.
    wcs : `~gwcs.WCS` or `~webbweave.wcs.FastWcs`
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
    dispersion_axis : int
        Axis along which the spectrum is dispersed, as DISPAXIS: 1 for x, 2 for y.
    exposure_type : str
        As EXP_TYPE.
    s_region : str
        Outline on the sky, as S_REGION.
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
    dispersion_axis: int = 1
    exposure_type: str = ""
    s_region: str = ""

    @cached_property
    def grid(self) -> SlitGrid:
        """The WCS on the pixels of the slit; evaluated on first use and kept."""
        return evaluate_slit(
            self.wcs, self.data.shape, dispersion_axis=self.dispersion_axis, name=self.name
        )

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


def evaluate_slit(
    wcs: WCS, shape: tuple[int, ...], *, dispersion_axis: int = 1, name: str = "the exposure"
) -> SlitGrid:
    """
    Evaluate the WCS of a slit on every pixel of its bounding box.

    Parameters
    ----------
    wcs : `~gwcs.WCS` or `~webbweave.wcs.FastWcs`
        From the pixels of the ``detector`` frame to two spatial coordinates and a wavelength in
        micron. Spectra dispersed along x (NIRSpec) must have a frame ``slit_frame``; their last
        frame is the sky (``world`` or ``moving_target``), or that of the micro-shutters for lamp
        exposures. Spectra dispersed along y (MIRI LRS) end on the sky.
    shape : (int, int)
        Shape (ny, nx) of the array.
    dispersion_axis : {1, 2}, optional
        Axis along which the spectrum is dispersed, as DISPAXIS: 1 for x, 2 for y.
    name : str, optional
        What an error message calls the exposure.

    Returns
    -------
    SlitGrid
        The coordinates; a `SlitletGrid` for NIRSpec slits on the sky, where the transform to the
        slit is evaluated once and continued to the sky.

    Raises
    ------
    InputError
        If the WCS lacks the frames that it must have, or has a bounding box outside of the array.
    UnsupportedInputError
        If it is that of a NIRSpec slit dispersed along y.
    """
    frames = wcs.available_frames
    on_sky = _is_sky(wcs, dispersion_axis, name)
    x, y, box = _pixels(wcs, shape, name)
    x_start, y_start = int(x[0, 0]), int(y[0, 0])
    if dispersion_axis == 2 or not on_sky:
        plain = wcs.get_transform(frames[0], frames[-1])(x, y)
        ra, dec, wavelength = (np.array(plane, dtype=np.float64) for plane in plain)
        _share_undefined(ra, dec, wavelength)
        return SlitGrid(x_start, y_start, ra, dec, wavelength, box, frames[-1], on_sky)
    slit_x, slit_y, wavelength_slit = wcs.get_transform(frames[0], "slit_frame")(x, y)
    to_sky = wcs.get_transform("slit_frame", frames[-1])
    ra, dec, wavelength = to_sky(slit_x, slit_y, wavelength_slit)
    _share_undefined(ra, dec, wavelength, slit_y, wavelength_slit)
    return SlitletGrid(
        x_start,
        y_start,
        ra,
        dec,
        wavelength,
        box,
        frames[-1],
        slit_y=slit_y,
        wavelength_slit=wavelength_slit,
        to_sky=to_sky,
    )


def _is_sky(wcs: WCS, dispersion_axis: int, name: str) -> bool:
    """Whether the WCS ends on the sky; refuse one that does not give what is needed."""
    frames = wcs.available_frames
    if dispersion_axis == 1 and "slit_frame" not in frames:
        raise InputError(
            f"{name}: expected a NIRSpec slit WCS with a frame 'slit_frame', found frames "
            + ", ".join(frames)
        )
    if dispersion_axis == 2 and "slit_frame" in frames:
        raise UnsupportedInputError(
            f"{name}: dispersed along y (DISPAXIS 2), expected a NIRSpec slit along x"
        )
    units = [str(unit).replace("micron", "um") for unit in wcs.output_frame.unit]
    on_sky = units[:2] == ["deg", "deg"]
    if len(units) == 3 and units[2] == "um" and (on_sky or dispersion_axis == 1):
        return on_sky
    expected = "two positions and a wavelength in um" if dispersion_axis == 1 else "deg, deg, um"
    raise InputError(f"{name}: expected a WCS that ends in {expected}, found {', '.join(units)}")


def _pixels(
    wcs: WCS, shape: tuple[int, ...], name: str
) -> tuple[
    NDArray[np.float64], NDArray[np.float64], tuple[tuple[float, float], tuple[float, float]]
]:
    """All pixels of the bounding box, and its limits."""
    ny, nx = shape
    (x0, x1), (y0, y1) = _bounding_box(wcs, ny, nx)
    columns = np.arange(max(_pixel(x0), 0), min(_pixel(x1), nx))
    rows = np.arange(max(_pixel(y0), 0), min(_pixel(y1), ny))
    if not columns.size or not rows.size:
        raise InputError(f"{name}: the bounding box of the WCS lies outside the ({ny}, {nx}) array")
    x, y = np.meshgrid(columns.astype(float), rows.astype(float))
    return x, y, ((x0, x1), (y0, y1))


def _share_undefined(
    ra: NDArray[np.float64],
    dec: NDArray[np.float64],
    wavelength: NDArray[np.float64],
    *others: NDArray[np.float64],
) -> None:
    """Make all coordinates NaN where one of the world coordinates is."""
    undefined = np.isnan(ra) | np.isnan(dec) | np.isnan(wavelength)
    for plane in (ra, dec, wavelength, *others):
        plane[undefined] = np.nan


def _bounding_box(wcs: WCS, ny: int, nx: int) -> tuple[tuple[float, float], tuple[float, float]]:
    if wcs.bounding_box is None:
        return (-0.5, nx - 0.5), (-0.5, ny - 0.5)
    box = wcs.bounding_box.bounding_box(order="F")
    return box[0], box[1]


def _pixel(edge: float) -> int:
    """The first pixel whose centre is at or beyond an edge."""
    return int(np.floor(edge + 0.5))
