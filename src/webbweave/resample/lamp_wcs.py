"""The rectified grid of NIRSpec lamp exposures, which know the micro-shutters but no sky."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from astropy import units as u
from astropy.modeling.models import Linear1D, Mapping
from gwcs import WCS
from gwcs import coordinate_frames as cf
from numpy.typing import NDArray

from webbweave.resample.exposure import SlitExposure
from webbweave.resample.grid import on_full_array
from webbweave.resample.gwcs_parts import (
    detector_frame,
    make_wcs,
    spectral_frame,
    wavelength_lookups,
)
from webbweave.resample.slit_line import SlitLine, fit_line, place_line
from webbweave.resample.wavelength_grid import design_table
from webbweave.resample.wavelengths import WavelengthTable, column_medians, merge_wavelengths

__all__ = ["LampGrid", "build_lamp_grid"]


@dataclass(frozen=True, eq=False)
class LampGrid:
    """
    The rectified grid of one slit of lamp exposures.

    Attributes
    ----------
    line : SlitLine
        Where the rows lie on the plane of the micro-shutters, in its unit.
    table : WavelengthTable
        Which wavelength each column has.
    n_row : int
        Number of rows.
    input_frame : str
        Name of the frame of the input that gives the positions.
    unit : str
        Unit of the positions.
    """

    line: SlitLine
    table: WavelengthTable
    n_row: int
    input_frame: str
    unit: str

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
        """NaN: there is no sky to measure arcseconds on."""
        return math.nan

    def resized(self, n_row: int, n_column: int) -> LampGrid:
        """
        Cut or extend the grid at its high end; row 0 and column 0 stay where they are.

        Parameters
        ----------
        n_row, n_column : int
            The new shape.

        Returns
        -------
        LampGrid
            The new grid. Added wavelengths continue with the last step.
        """
        return replace(self, n_row=n_row, table=self.table.resized(n_column))

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
        return on_full_array(exposure, column, self.line.row(grid.ra, grid.dec))

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
        x_msa, y_msa, wavelength = wcs(x, y)
        column = self.table.column(np.array([wavelength], dtype=np.float64))
        return float(column[0]), float(self.line.row(x_msa, y_msa))

    def s_region(self) -> None:
        """Return None: there is no sky to outline."""

    def to_gwcs(self) -> WCS:
        """
        Express the grid as a WCS.

        Returns
        -------
        `~gwcs.WCS`
            From ``detector`` (x, y) to ``world`` (two positions on the micro-shutters, wavelength
            [micron]), with inverse.
        """
        line = self.line
        columns, columns_inverse = wavelength_lookups(self.table)
        to_position = Linear1D(line.dx, line.x0) & Linear1D(line.dy, line.y0)
        forward = Mapping((1, 1, 0)) | to_position & columns
        axis, step, start = (1, line.dy, line.y0) if line.is_steep else (0, line.dx, line.x0)
        to_row = Linear1D(1.0 / step, -start / step)
        forward.inverse = Mapping((2, axis), n_inputs=3) | columns_inverse & to_row
        unit = u.Unit(self.unit)
        positions = cf.Frame2D(
            name=f"resampled_{self.input_frame}",
            axes_order=(0, 1),
            unit=(unit, unit),
            axes_names=("x_msa", "y_msa"),
        )
        world = cf.CompositeFrame([positions, spectral_frame()], name="world")
        return make_wcs([(detector_frame(), forward), (world, None)], self.shape)


def build_lamp_grid(
    exposures: Sequence[SlitExposure],
    reference: int,
    *,
    ratio: float = 1.0,
    wavelength_grid: str | float | NDArray[np.float64] = "native",
    compat: bool = False,
) -> LampGrid:
    """
    Design the grid for lamp exposures of a NIRSpec slit.

    Parameters
    ----------
    exposures : sequence of SlitExposure
        The exposures.
    reference : int
        Index of the exposure that sets the sampling.
    ratio : float, optional
        Input pixel scale over output pixel scale along the slit.
    wavelength_grid : str, float or array_like, optional
        The wavelengths wanted; see `~webbweave.resample.wavelength_grid.design_table`.
    compat : bool, optional
        Build the grid of jwst 3.0: rows and wavelengths of the first exposure only.

    Returns
    -------
    LampGrid
        The grid. Wavelengths are the medians of the columns: a lamp fills the slit, there is no
        target.

    Raises
    ------
    InputError
        If the reference has fewer than two rows.
    """
    chosen = exposures[0] if compat else exposures[reference]
    grid = chosen.grid
    defined = np.isfinite(grid.ra)
    (x0, x1), _ = grid.box
    column = min(int((x1 - x0) / 2) if compat else grid.centre_column, grid.ra.shape[1] - 1)
    if np.count_nonzero(defined[:, column]) < 2:
        column = int(defined.sum(axis=0).argmax())
    line = fit_line(grid.ra[:, column], grid.dec[:, column], ratio=ratio, name=chosen.name)
    if compat:
        n_row = math.ceil(np.count_nonzero(defined[:, column]) * ratio)
        wavelengths = column_medians(grid.wavelength)
    else:
        line, n_row = place_line(line, [(e.grid.ra, e.grid.dec) for e in exposures])
        tables = [column_medians(exposure.grid.wavelength) for exposure in exposures]
        tables.insert(0, tables.pop(reference))
        wavelengths = merge_wavelengths(tables)
    table = design_table(wavelengths, wavelength_grid, continued=compat, compat=compat)
    unit = str(chosen.wcs.output_frame.unit[0])
    return LampGrid(line, table, n_row, grid.frame, unit)
