"""The common grid of one source: straight along the slit on the sky, one wavelength per column."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from astropy import coordinates as coord
from astropy import units as u
from astropy.modeling.models import (
    Const1D,
    Identity,
    Linear1D,
    Mapping,
    Pix2Sky_TAN,
    RotateCelestial2Native,
    RotateNative2Celestial,
    Sky2Pix_TAN,
    Tabular1D,
)
from astropy.stats import sigma_clip
from gwcs import WCS
from gwcs import coordinate_frames as cf
from numpy.typing import NDArray

from webbweave.errors import InputError
from webbweave.resample.exposure import SlitExposure
from webbweave.resample.tangent import TangentPlane, angular_separation
from webbweave.resample.wavelengths import (
    WavelengthTable,
    at_position,
    column_medians,
    merge_wavelengths,
)

__all__ = ["OutputGrid", "SlitLine", "build_output_grid"]

#: An exposure with fewer usable pixels than this says nothing about where its source is
#: (jwst#8561: a first exposure without data spoiled the grid of all).
_MIN_REFERENCE_PIXELS = 100

#: Outliers that would drag the flux-weighted position away are clipped at this many standard
#: deviations; the generous limit keeps the source itself.
_POSITION_CLIP = 100.0


@dataclass(frozen=True)
class SlitLine:
    """
    A straight line on the tangent plane: the rows of the output.

    Attributes
    ----------
    x0, y0 : float
        Plane coordinates of row 0 [degree].
    dx, dy : float
        Step per output row [degree].
    """

    x0: float
    y0: float
    dx: float
    dy: float

    @property
    def is_steep(self) -> bool:
        """Whether y varies faster than x along the line."""
        return abs(self.dx) < abs(self.dy)

    def row(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """
        Find the row of plane positions, along the axis that varies faster.

        Parameters
        ----------
        x, y : ndarray of float64
            Plane coordinates [degree].

        Returns
        -------
        ndarray of float64
            Fractional output rows.
        """
        return (y - self.y0) / self.dy if self.is_steep else (x - self.x0) / self.dx


@dataclass(frozen=True, eq=False)
class OutputGrid:
    """
    The rectified grid of one source.

    Attributes
    ----------
    plane : TangentPlane
        The plane that touches the sky at the target.
    line : SlitLine
        Where the rows lie on the plane.
    table : WavelengthTable
        Which wavelength each column has.
    n_row : int
        Number of rows.
    slit_y : ndarray of float64, shape (n_row,)
        Position of each row in the slit frame of the reference exposure.
    reference : int
        Index of the exposure that set the target position and the sampling.
    """

    plane: TangentPlane
    line: SlitLine
    table: WavelengthTable
    n_row: int
    slit_y: NDArray[np.float64]
    reference: int

    @property
    def shape(self) -> tuple[int, int]:
        """Shape (ny, nx) of the output arrays."""
        return self.n_row, self.table.wavelengths.size

    @property
    def pixel_scale(self) -> float:
        """Distance of neighbouring rows at the centre of the slit [arcsec]."""
        ra, dec = self.sky(np.array([0.0, 1.0]) + (self.n_row - 1) // 2)
        return 3600.0 * angular_separation(ra[0], dec[0], ra[1], dec[1])

    def resized(self, n_row: int, n_column: int) -> OutputGrid:
        """
        Cut or extend the grid at its high end; row 0 and column 0 stay where they are.

        Parameters
        ----------
        n_row, n_column : int
            The new shape.

        Returns
        -------
        OutputGrid
            The new grid. Added wavelengths and slit positions continue with the last step.
        """
        wavelengths = _resized(self.table.wavelengths, n_column)
        table = WavelengthTable.from_wavelengths(wavelengths)
        return replace(self, n_row=n_row, table=table, slit_y=_resized(self.slit_y, n_row))

    def sky(self, row: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """
        Find the sky positions of rows.

        Parameters
        ----------
        row : ndarray of float64
            Fractional output rows.

        Returns
        -------
        ra, dec : ndarray of float64
            Sky positions [degree]; they do not depend on the column.
        """
        line = self.line
        return self.plane.deproject(line.x0 + line.dx * row, line.y0 + line.dy * row)

    def pixel_map(self, exposure: SlitExposure) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """
        Find where the pixels of an exposure fall.

        Parameters
        ----------
        exposure : SlitExposure
            An exposure of shape (ny, nx).

        Returns
        -------
        x, y : ndarray of float64, shape (ny, nx)
            Output column and row of each pixel centre, NaN for pixels outside the slit or the
            table.
        """
        grid = exposure.grid
        column = self.table.column(grid.wavelength)
        row = self.line.row(*self.plane.project(grid.ra, grid.dec))
        undefined = np.isnan(column) | np.isnan(row)
        column[undefined] = np.nan
        row[undefined] = np.nan
        if grid.window == (slice(0, exposure.data.shape[0]), slice(0, exposure.data.shape[1])):
            return column, row
        x = np.full(exposure.data.shape, np.nan)
        y = np.full(exposure.data.shape, np.nan)
        x[grid.window] = column
        y[grid.window] = row
        return x, y

    def to_gwcs(self) -> WCS:
        """
        Express the grid as a WCS.

        Returns
        -------
        `~gwcs.WCS`
            From ``detector`` (x, y) over ``slit_frame`` (x_slit = 0, y_slit, wavelength [micron])
            to ``world`` (right ascension, declination [degree], wavelength [micron]), with
            inverses.
        """
        n_row, n_column = self.shape
        wcs = WCS(
            [
                (cf.Frame2D(name="detector", unit=(u.pix, u.pix)), self._to_slit()),
                (_slit_frame(), self._to_world()),
                (_world_frame(), None),
            ]
        )
        wcs.bounding_box = ((-0.5, n_column - 0.5), (-0.5, n_row - 0.5))
        wcs.array_shape = self.shape
        return wcs

    def _rows_of_slit(self) -> tuple[Tabular1D, Tabular1D]:
        """The relation of row and slit position, and its inverse, continued linearly."""
        rows = np.arange(self.n_row, dtype=np.float64)
        forward = _table(rows, self.slit_y, extrapolate=True)
        order = np.argsort(self.slit_y)
        return forward, _table(self.slit_y[order], rows[order], extrapolate=True)

    def _to_slit(self) -> Mapping:
        rows, rows_inverse = self._rows_of_slit()
        columns = _table(self.table.points, self.table.values)
        columns_inverse = _table(self.table.values, self.table.points)
        to_slit = Mapping((0, 1, 0)) | Const1D(0.0) & rows & columns
        to_slit.inverse = Mapping((2, 1), n_inputs=3) | columns_inverse & rows_inverse
        return to_slit

    def _to_world(self) -> Mapping:
        rows, rows_inverse = self._rows_of_slit()
        line, plane = self.line, self.plane
        to_plane = Linear1D(line.dx, line.x0) & Linear1D(line.dy, line.y0)
        rotate = RotateNative2Celestial(plane.ra, plane.dec, 180.0)
        forward = (
            Mapping((1, 1, 2), n_inputs=3)
            | rows_inverse & rows_inverse & Identity(1)
            | (to_plane | Pix2Sky_TAN() | rotate) & Identity(1)
        )
        if line.is_steep:
            to_row = Linear1D(1.0 / line.dy, -line.y0 / line.dy)
            pick = Mapping((1, 2), n_inputs=3)
        else:
            to_row = Linear1D(1.0 / line.dx, -line.x0 / line.dx)
            pick = Mapping((0, 2), n_inputs=3)
        rotate_back = RotateCelestial2Native(plane.ra, plane.dec, 180.0)
        forward.inverse = (
            (rotate_back | Sky2Pix_TAN()) & Identity(1)
            | pick
            | (to_row | rows) & Identity(1)
            | Mapping((0, 0, 1))
            | Const1D(0.0) & Identity(1) & Identity(1)
        )
        return forward


def _table(
    points: NDArray[np.float64], values: NDArray[np.float64], *, extrapolate: bool = False
) -> Tabular1D:
    if points.size < 2 or np.any(np.diff(points) <= 0):
        # One row, or one wavelength: a constant.
        return Const1D(float(values[values.size // 2]))
    return Tabular1D(
        points=points,
        lookup_table=values,
        bounds_error=False,
        fill_value=None if extrapolate else np.nan,
    )


def _resized(values: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    step = values[-1] - values[-2] if values.size > 1 else 0.0
    added = values[-1] + step * np.arange(1, max(size - values.size, 0) + 1)
    return np.concatenate([values[:size], added])


def _slit_frame() -> cf.CompositeFrame:
    slit = cf.Frame2D(
        name="slit_spatial", axes_order=(0, 1), unit=("", ""), axes_names=("x_slit", "y_slit")
    )
    return cf.CompositeFrame([slit, _spectral_frame()], name="slit_frame")


def _world_frame() -> cf.CompositeFrame:
    sky = cf.CelestialFrame(name="sky", axes_order=(0, 1), reference_frame=coord.ICRS())
    return cf.CompositeFrame([sky, _spectral_frame()], name="world")


def _spectral_frame() -> cf.SpectralFrame:
    return cf.SpectralFrame(
        name="spectral", axes_order=(2,), unit=(u.micron,), axes_names=("wavelength",)
    )


def build_output_grid(
    exposures: Sequence[SlitExposure], *, ratio: float = 1.0, compat: bool = False
) -> OutputGrid:
    """
    Design the grid that all exposures of a source are resampled onto.

    Parameters
    ----------
    exposures : sequence of SlitExposure
        The exposures, at least one.
    ratio : float, optional
        Input pixel scale over output pixel scale along the slit: 2 gives twice as many rows.
    compat : bool, optional
        Build the grid of jwst 3.0: centred half a row off, with the median wavelength of each
        column, and with everything redward of the table in its last half column.

    Returns
    -------
    OutputGrid
        The grid.

    Raises
    ------
    InputError
        If the exposures lie apart on the sky or have no wavelength in common use.
    """
    reference = _reference_exposure(exposures)
    plane = _target_plane(exposures[reference])
    positions = [plane.project(e.grid.ra, e.grid.dec) for e in exposures]
    fitted = _fit_line(exposures[reference], positions[reference], ratio)
    _check_together(exposures, positions, fitted)
    line, n_row = _place_rows(fitted, positions, compat=compat)
    tables = [
        _wavelengths(exposure, position, line, compat=compat)
        for exposure, position in zip(exposures, positions, strict=True)
    ]
    if not compat:
        tables.insert(0, tables.pop(reference))
    wavelengths = merge_wavelengths(tables, compat=compat)
    if not wavelengths.size:
        names = ", ".join(exposure.name for exposure in exposures)
        raise InputError(f"{names}: no pixel has a wavelength, expected a dispersed spectrum")
    table = WavelengthTable.from_wavelengths(wavelengths, compat=compat)
    slit_y = _slit_positions(exposures[reference], plane, line, n_row, wavelengths)
    return OutputGrid(plane, line, table, n_row, slit_y, reference)


def _reference_exposure(exposures: Sequence[SlitExposure]) -> int:
    """The first exposure with data worth a look, else the first."""
    for index, exposure in enumerate(exposures):
        usable = exposure.good & (exposure.data != 0)
        if np.count_nonzero(usable) > _MIN_REFERENCE_PIXELS:
            return index
    return 0


def _target_plane(exposure: SlitExposure) -> TangentPlane:
    """The plane that touches the sky at the flux-weighted position of the source in the slit."""
    grid = exposure.grid
    flux = np.where(exposure.invalid, np.nan, exposure.data)[grid.window]
    flux = flux - np.nanmin(flux) if np.isfinite(flux).any() else flux
    good = np.isfinite(grid.slit_y) & np.isfinite(grid.wavelength_slit) & np.isfinite(flux)
    weights = np.zeros(flux.shape)
    if good.any():
        clipped = sigma_clip(np.ma.masked_array(flux, ~good), sigma=_POSITION_CLIP)
        weights = clipped.filled(0.0)
    total = weights.sum(dtype=np.float64)
    if total > 0:
        slit_y = float(np.sum(weights[good] * grid.slit_y[good]) / np.sum(weights[good]))
        wavelength = float(np.mean(grid.wavelength_slit[good]))
    else:
        slit_y = float(np.nanmean(grid.slit_y))
        wavelength = float(np.nanmean(grid.wavelength_slit))
    ra, dec, _ = grid.to_sky(0.0, slit_y, wavelength)
    return TangentPlane(float(ra), float(dec))


def _fit_line(
    exposure: SlitExposure,
    position: tuple[NDArray[np.float64], NDArray[np.float64]],
    ratio: float,
) -> SlitLine:
    """Fit the rows of the column in the middle of the reference exposure."""
    column = exposure.grid.centre_column
    x, y = position[0][:, column], position[1][:, column]
    defined = np.isfinite(x) & np.isfinite(y)
    if np.count_nonzero(defined) < 2:
        # The middle column has no slit in it: take the fullest one.
        column = int(np.isfinite(position[0]).sum(axis=0).argmax())
        x, y = position[0][:, column], position[1][:, column]
        defined = np.isfinite(x) & np.isfinite(y)
    n = np.count_nonzero(defined)
    if n < 2:
        raise InputError(f"{exposure.name}: expected a slit of two rows or more, found {n}")
    row = np.arange(n) * ratio
    dx, x0 = np.polyfit(row, x[defined], 1)
    dy, y0 = np.polyfit(row, y[defined], 1)
    return SlitLine(float(x0), float(y0), float(dx), float(dy))


def _check_together(
    exposures: Sequence[SlitExposure],
    positions: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]],
    line: SlitLine,
) -> None:
    """Refuse exposures further apart than a slit length: they are not of one source."""
    step = np.hypot(line.dx, line.dy)
    along = [(x * line.dx + y * line.dy) / step for x, y in positions]
    across = [(x * line.dy - y * line.dx) / step for x, y in positions]
    extents = np.array([[np.nanmin(a), np.nanmax(a)] for a in along])
    centres = np.array([np.nanmean(a) for a in across])
    length = float((extents[:, 1] - extents[:, 0]).max())
    order = np.argsort(extents[:, 0])
    end = extents[order[0], 1]
    for before, index in pairwise(order):
        apart = max(extents[index, 0] - end, abs(centres[index] - centres[before]))
        if apart > length:
            raise InputError(
                f"{exposures[index].name}: does not overlap {exposures[before].name} on the sky: "
                f'the slits are {3600 * apart:.1f}" apart, expected less than the slit length of '
                f'{3600 * length:.1f}"'
            )
        end = max(end, extents[index, 1])


def _place_rows(
    line: SlitLine,
    positions: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]],
    *,
    compat: bool,
) -> tuple[SlitLine, int]:
    """Move the line so that its rows cover all pixels, and count them."""
    x_range = _range([x for x, _ in positions])
    y_range = _range([y for _, y in positions])
    extent, step = (
        (y_range[1] - y_range[0], line.dy) if line.is_steep else (x_range[1] - x_range[0], line.dx)
    )
    n_row = math.ceil(extent / abs(step)) + 1
    if compat:
        # jwst puts the data on row n/2 and takes the chord of the bounding box for the slit.
        x0 = _row_zero(x_range, line.dx, n_row / 2)
        y0 = _row_zero(y_range, line.dy, n_row / 2)
        return SlitLine(x0, y0, line.dx, line.dy), n_row
    centre = (n_row - 1) / 2
    if line.is_steep:
        y0 = _row_zero(y_range, line.dy, centre)
        x0 = line.x0 + line.dx * (y0 - line.y0) / line.dy
    else:
        x0 = _row_zero(x_range, line.dx, centre)
        y0 = line.y0 + line.dy * (x0 - line.x0) / line.dx
    return SlitLine(x0, y0, line.dx, line.dy), n_row


def _range(planes: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
    return (
        min(float(np.nanmin(plane)) for plane in planes),
        max(float(np.nanmax(plane)) for plane in planes),
    )


def _row_zero(limits: tuple[float, float], step: float, centre: float) -> float:
    """The coordinate of row 0 that puts the middle of `limits` on row `centre`."""
    low, high = limits
    margin = centre * abs(step) - (high - low) / 2
    return low - margin if step > 0 else high + margin


def _wavelengths(
    exposure: SlitExposure,
    position: tuple[NDArray[np.float64], NDArray[np.float64]],
    line: SlitLine,
    *,
    compat: bool,
) -> NDArray[np.float64]:
    if compat:
        return column_medians(exposure.grid.wavelength)
    # The tangent point is the target: its distance along the slit is the projection on the line.
    along = position[0] * line.dx + position[1] * line.dy
    return at_position(exposure.grid.wavelength, along)


def _slit_positions(
    exposure: SlitExposure,
    plane: TangentPlane,
    line: SlitLine,
    n_row: int,
    wavelengths: NDArray[np.float64],
) -> NDArray[np.float64]:
    """
    Where the rows lie in the slit frame of an exposure, at the central wavelength.

    The relation of rows and slit positions is linear but for the distortion of the optics, so one
    step of Newton's method from the linear relation is exact to far below a pixel. It uses the
    transform to the sky only: its inverse is an independent fit in NIRSpec files, 5e-4 pixel off.
    """
    grid = exposure.grid
    middle = np.nanargmin(abs(grid.wavelength - wavelengths[wavelengths.size // 2]))
    wavelength = grid.wavelength_slit.flat[middle]
    ends = np.array([np.nanmin(grid.slit_y), np.nanmax(grid.slit_y)])

    def rows_at(slit_y: NDArray[np.float64]) -> NDArray[np.float64]:
        ra, dec, _ = grid.to_sky(np.zeros_like(slit_y), slit_y, np.full_like(slit_y, wavelength))
        return line.row(*plane.project(ra, dec))

    first, last = rows_at(ends)
    slope = (ends[1] - ends[0]) / (last - first) if last != first else 0.0
    row = np.arange(n_row, dtype=np.float64)
    slit_y = ends[0] + slope * (row - first)
    corrected: NDArray[np.float64] = slit_y + slope * (row - rows_at(slit_y))
    return corrected
