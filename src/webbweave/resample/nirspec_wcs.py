"""The rectified grid of NIRSpec slits: along x one wavelength per column, along y the slit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from astropy.modeling import Model
from astropy.modeling.models import Const1D, Identity, Mapping
from astropy.stats import sigma_clip
from gwcs import WCS
from gwcs import coordinate_frames as cf
from numpy.typing import NDArray

from webbweave.resample.exposure import SlitExposure, SlitletGrid
from webbweave.resample.footprint import sky_box_region
from webbweave.resample.grid import on_full_array
from webbweave.resample.gwcs_parts import (
    detector_frame,
    lookup,
    make_wcs,
    sky_of_rows,
    spectral_frame,
    wavelength_lookups,
    world_frame,
)
from webbweave.resample.slit_line import Positions, SlitLine, check_together, fit_line, place_line
from webbweave.resample.wavelength_grid import design_table
from webbweave.resample.wavelengths import (
    WavelengthTable,
    at_position,
    column_medians,
    continued_to,
    merge_wavelengths,
)
from webbweave.wcs.tangent import TangentPlane, angular_separation

__all__ = ["NirspecGrid", "build_nirspec_grid"]

#: Outliers that would drag the flux-weighted position away are clipped at this many standard
#: deviations; the generous limit keeps the source itself.
_POSITION_CLIP = 100.0


@dataclass(frozen=True, eq=False)
class NirspecGrid:
    """
    The rectified grid of one NIRSpec source.

    Attributes
    ----------
    plane : TangentPlane
        The plane that touches the sky at the target.
    line : SlitLine
        Where the rows lie on the plane [degree].
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
    def dispersion_axis(self) -> int:
        """The axis of the wavelength: 1, along x."""
        return 1

    @cached_property
    def wavelength(self) -> NDArray[np.float64]:
        """Wavelength of each pixel [micron], shape (ny, nx); the same in all rows."""
        return np.broadcast_to(self.table.wavelengths, self.shape)

    @property
    def spectral_range(self) -> tuple[float, float]:
        """Smallest and largest wavelength [micron]."""
        return float(self.table.wavelengths[0]), float(self.table.wavelengths[-1])

    @property
    def pixel_scale(self) -> float:
        """Distance of neighbouring rows at the centre of the slit [arcsec]."""
        ra, dec = self.sky(np.array([0.0, 1.0]) + (self.n_row - 1) // 2)
        return 3600.0 * angular_separation(ra[0], dec[0], ra[1], dec[1])

    def resized(self, n_row: int, n_column: int) -> NirspecGrid:
        """
        Cut or extend the grid at its high end; row 0 and column 0 stay where they are.

        Parameters
        ----------
        n_row, n_column : int
            The new shape.

        Returns
        -------
        NirspecGrid
            The new grid. Added wavelengths and slit positions continue with the last step.
        """
        return replace(
            self,
            n_row=n_row,
            table=self.table.resized(n_column),
            slit_y=continued_to(self.slit_y, n_row),
        )

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
        return self.plane.deproject(*self.line.at(row))

    def pixel_map(self, exposure: SlitExposure) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """
        Find where the pixels of an exposure fall; see `OutputGrid.pixel_map`.

        Parameters
        ----------
        exposure : SlitExposure
            An exposure of shape (ny, nx).

        Returns
        -------
        x, y : ndarray of float64, shape (ny, nx)
            Output column and row of each pixel centre.
        """
        grid = exposure.grid
        column = self.table.column(grid.wavelength)
        row = self.line.row(*self.plane.project(grid.ra, grid.dec))
        return on_full_array(exposure, column, row)

    def position(self, wcs: WCS, x: float, y: float) -> tuple[float, float]:
        """
        Find where one place of an exposure falls.

        Parameters
        ----------
        wcs : `~gwcs.WCS`
            The WCS of the exposure.
        x, y : float
            A place on its array [pixel].

        Returns
        -------
        x, y : float
            The place on the output [pixel]; NaN if there is none.
        """
        ra, dec, wavelength = wcs(x, y)
        column = self.table.column(np.array([wavelength], dtype=np.float64))
        return float(column[0]), float(self.line.row(*self.plane.project(ra, dec)))

    def s_region(self) -> str:
        """
        Outline the box in right ascension and declination around the slit.

        Returns
        -------
        str
            The text of S_REGION.
        """
        return sky_box_region(*self.sky(np.arange(self.n_row, dtype=np.float64)))

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
        steps = [
            (detector_frame(), self._to_slit()),
            (_slit_frame(), self._to_world()),
            (world_frame(), None),
        ]
        return make_wcs(steps, self.shape)

    def _rows_of_slit(self) -> tuple[Model, Model]:
        """The relation of row and slit position, and its inverse, continued linearly."""
        rows = np.arange(self.n_row, dtype=np.float64)
        forward = lookup(rows, self.slit_y, extrapolate=True)
        order = np.argsort(self.slit_y)
        return forward, lookup(self.slit_y[order], rows[order], extrapolate=True)

    def _to_slit(self) -> Model:
        rows, rows_inverse = self._rows_of_slit()
        columns, columns_inverse = wavelength_lookups(self.table)
        to_slit = Mapping((0, 1, 0)) | Const1D(0.0) & rows & columns
        to_slit.inverse = Mapping((2, 1), n_inputs=3) | columns_inverse & rows_inverse
        return to_slit

    def _to_world(self) -> Model:
        rows, rows_inverse = self._rows_of_slit()
        to_sky, to_row = sky_of_rows(self.line, self.plane)
        forward = (
            Mapping((1, 1, 2), n_inputs=3)
            | rows_inverse & rows_inverse & Identity(1)
            | to_sky & Identity(1)
        )
        forward.inverse = (
            (to_row | rows) & Identity(1)
            | Mapping((0, 0, 1))
            | Const1D(0.0) & Identity(1) & Identity(1)
        )
        return forward


def _slit_frame() -> cf.CompositeFrame:
    slit = cf.Frame2D(
        name="slit_spatial", axes_order=(0, 1), unit=("", ""), axes_names=("x_slit", "y_slit")
    )
    return cf.CompositeFrame([slit, spectral_frame()], name="slit_frame")


def build_nirspec_grid(
    exposures: Sequence[SlitExposure],
    reference: int,
    *,
    ratio: float = 1.0,
    wavelength_grid: str | float | NDArray[np.float64] = "native",
    compat: bool = False,
) -> NirspecGrid:
    """
    Design the grid for exposures of a NIRSpec slit on the sky.

    Parameters
    ----------
    exposures : sequence of SlitExposure
        The exposures; each has a `SlitletGrid`.
    reference : int
        Index of the exposure that sets the target position and the sampling.
    ratio : float, optional
        Input pixel scale over output pixel scale along the slit.
    wavelength_grid : str, float or array_like, optional
        The wavelengths wanted; see `~webbweave.resample.wavelength_grid.design_table`.
    compat : bool, optional
        Build the grid of jwst 3.0.

    Returns
    -------
    NirspecGrid
        The grid.

    Raises
    ------
    InputError
        If the exposures lie apart on the sky or no pixel has a wavelength.
    """
    plane = _target_plane(exposures[reference])
    positions = [plane.project(e.grid.ra, e.grid.dec) for e in exposures]
    fitted = _fit_column(exposures[reference], positions[reference], ratio)
    check_together([e.name for e in exposures], positions, fitted, arcsec=3600.0)
    line, n_row = place_line(fitted, positions, chord=compat)
    tables = [
        _wavelengths(exposure, position, line, compat=compat)
        for exposure, position in zip(exposures, positions, strict=True)
    ]
    if not compat:
        tables.insert(0, tables.pop(reference))
    wavelengths = merge_wavelengths(tables, compat=compat)
    table = design_table(wavelengths, wavelength_grid, compat=compat)
    slit_y = _slit_positions(exposures[reference], plane, line, n_row, table.wavelengths)
    return NirspecGrid(plane, line, table, n_row, slit_y, reference)


def _target_plane(exposure: SlitExposure) -> TangentPlane:
    """The plane that touches the sky at the flux-weighted position of the source in the slit."""
    grid = exposure.grid
    assert isinstance(grid, SlitletGrid)
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


def _fit_column(exposure: SlitExposure, position: Positions, ratio: float) -> SlitLine:
    """Fit the rows of the column in the middle of the reference exposure."""
    column = exposure.grid.centre_column
    defined = np.isfinite(position[0]) & np.isfinite(position[1])
    if np.count_nonzero(defined[:, column]) < 2:
        # The middle column has no slit in it: take the fullest one.
        column = int(defined.sum(axis=0).argmax())
    x, y = position[0][:, column], position[1][:, column]
    return fit_line(x, y, ratio=ratio, name=exposure.name)


def _wavelengths(
    exposure: SlitExposure, position: Positions, line: SlitLine, *, compat: bool
) -> NDArray[np.float64]:
    if compat:
        return column_medians(exposure.grid.wavelength)
    # The tangent point is the target: its distance along the slit is the projection on the line.
    return at_position(exposure.grid.wavelength, line.along(position))


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
    assert isinstance(grid, SlitletGrid)
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
