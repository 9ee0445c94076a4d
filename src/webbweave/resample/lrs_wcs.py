"""The rectified grid of MIRI LRS spectra: along y one wavelength per row, along x the slit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from astropy.modeling.models import Identity, Mapping
from gwcs import WCS
from numpy.typing import NDArray

from webbweave.resample.exposure import SlitExposure
from webbweave.resample.footprint import sky_box_region, slit_region
from webbweave.resample.grid import on_full_array
from webbweave.resample.gwcs_parts import (
    detector_frame,
    make_wcs,
    sky_of_rows,
    wavelength_lookups,
    world_frame,
)
from webbweave.resample.slit_line import Positions, SlitLine, check_together, fit_line, place_line
from webbweave.resample.wavelength_grid import design_table
from webbweave.resample.wavelengths import (
    WavelengthTable,
    at_position,
    column_medians,
    merge_wavelengths,
)
from webbweave.wcs.tangent import TangentPlane, angular_separation, mean_direction

__all__ = ["FIXED_SLIT", "LrsGrid", "build_lrs_grid"]

#: EXP_TYPE of spectra taken through the slit of MIRI.
FIXED_SLIT = "MIR_LRS-FIXEDSLIT"


@dataclass(frozen=True, eq=False)
class LrsGrid:
    """
    The rectified grid of one MIRI LRS source.

    Attributes
    ----------
    plane : TangentPlane
        A plane that touches the sky at the middle of the slit.
    line : SlitLine
        Where the columns lie on the plane [degree].
    table : WavelengthTable
        Which wavelength each row has, ascending.
    descending : bool
        Whether the wavelengths descend with the row, as they do on the detector.
    n_column : int
        Number of columns.
    reference : int
        Index of the exposure that set the sampling.
    outline : str
        S_REGION of an exposure through the slit, '' for none.
    """

    plane: TangentPlane
    line: SlitLine
    table: WavelengthTable
    descending: bool
    n_column: int
    reference: int
    outline: str = ""

    @property
    def shape(self) -> tuple[int, int]:
        """Shape (ny, nx) of the output arrays."""
        return self.table.wavelengths.size, self.n_column

    @property
    def dispersion_axis(self) -> int:
        """The axis of the wavelength: 2, along y."""
        return 2

    @cached_property
    def wavelength(self) -> NDArray[np.float64]:
        """Wavelength of each pixel [micron], shape (ny, nx); the same in all columns."""
        wavelengths = self.table.wavelengths
        rows = wavelengths[::-1] if self.descending else wavelengths
        return np.broadcast_to(rows[:, None], self.shape)

    @property
    def spectral_range(self) -> tuple[float, float]:
        """Smallest and largest wavelength [micron]."""
        return float(self.table.wavelengths[0]), float(self.table.wavelengths[-1])

    @property
    def pixel_scale(self) -> float:
        """Distance of neighbouring columns at the centre of the slit [arcsec]."""
        ra, dec = self.sky(np.array([0.0, 1.0]) + (self.n_column - 1) // 2)
        return 3600.0 * angular_separation(ra[0], dec[0], ra[1], dec[1])

    def resized(self, n_row: int, n_column: int) -> LrsGrid:
        """
        Cut or extend the grid at its high end; row 0 and column 0 stay where they are.

        Parameters
        ----------
        n_row, n_column : int
            The new shape.

        Returns
        -------
        LrsGrid
            The new grid. Added wavelengths continue with the last step.
        """
        table = self.table.extended_blue(n_row) if self.descending else self.table.resized(n_row)
        return replace(self, n_column=n_column, table=table)

    def sky(self, column: NDArray[np.float64]) -> Positions:
        """
        Find the sky positions of columns.

        Parameters
        ----------
        column : ndarray of float64
            Fractional output columns.

        Returns
        -------
        ra, dec : ndarray of float64
            Sky positions [degree]; they do not depend on the row.
        """
        return self.plane.deproject(*self.line.at(column))

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
        column = self.line.row(*self.plane.project(grid.ra, grid.dec))
        return on_full_array(exposure, column, self._row(grid.wavelength))

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
        row = self._row(np.array([wavelength], dtype=np.float64))
        return float(self.line.row(*self.plane.project(ra, dec))), float(row[0])

    def _row(self, wavelength: NDArray[np.float64]) -> NDArray[np.float64]:
        row = self.table.column(wavelength)
        return self.shape[0] - 1 - row if self.descending else row

    def s_region(self) -> str:
        """
        Outline the slit; without a slit, the box in right ascension and declination.

        Returns
        -------
        str
            The text of S_REGION.
        """
        ra, dec = self.sky(np.arange(self.n_column, dtype=np.float64))
        slit = slit_region(ra[[0, -1]], dec[[0, -1]], self.outline) if self.outline else None
        return slit or sky_box_region(ra, dec)

    def to_gwcs(self) -> WCS:
        """
        Express the grid as a WCS.

        Returns
        -------
        `~gwcs.WCS`
            From ``detector`` (x, y) to ``world`` (right ascension, declination [degree], wavelength
            [micron]), with inverse.
        """
        to_sky, to_column = sky_of_rows(self.line, self.plane)
        to_wavelength, to_row = wavelength_lookups(self.table, descending=self.descending)
        forward = Mapping((0, 0, 1)) | to_sky & to_wavelength
        forward.inverse = to_column & Identity(1) | Identity(1) & to_row
        return make_wcs([(detector_frame(), forward), (world_frame(), None)], self.shape)


def build_lrs_grid(
    exposures: Sequence[SlitExposure],
    reference: int,
    *,
    ratio: float = 1.0,
    wavelength_grid: str | float | NDArray[np.float64] = "native",
    compat: bool = False,
) -> LrsGrid:
    """
    Design the grid for exposures that are dispersed along y.

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
        Build the grid of jwst 3.0: half a pixel too short at each end of the slit, with the median
        wavelength of each row, and from red to blue for the fixed slit only.

    Returns
    -------
    LrsGrid
        The grid.

    Raises
    ------
    InputError
        If the exposures lie apart on the sky.
    """
    if compat:
        return _build_as_jwst(exposures, ratio, wavelength_grid)
    plane = TangentPlane(
        *mean_direction(
            np.concatenate([e.grid.ra.ravel() for e in exposures]),
            np.concatenate([e.grid.dec.ravel() for e in exposures]),
        )
    )
    positions = [plane.project(e.grid.ra, e.grid.dec) for e in exposures]
    chosen = exposures[reference]
    fitted = _fit_row(chosen, positions[reference], (chosen.grid.ra.shape[0] - 1) // 2, ratio)
    check_together([e.name for e in exposures], positions, fitted, arcsec=3600.0)
    line, n_column = place_line(fitted, positions)
    tables = [
        at_position(exposure.grid.wavelength.T, line.along(position).T)
        for exposure, position in zip(exposures, positions, strict=True)
    ]
    tables.insert(0, tables.pop(reference))
    table = design_table(merge_wavelengths(tables), wavelength_grid, continued=True)
    descending = float(np.nanmedian(np.diff(chosen.grid.wavelength, axis=0))) < 0
    outline = exposures[0].s_region if exposures[0].exposure_type == FIXED_SLIT else ""
    return LrsGrid(plane, line, table, descending, n_column, reference, outline)


def _fit_row(exposure: SlitExposure, position: Positions, row: int, ratio: float) -> SlitLine:
    """Fit the columns of one row of an exposure; if it has none, of the fullest row."""
    defined = np.isfinite(position[0]) & np.isfinite(position[1])
    if np.count_nonzero(defined[row]) < 2:
        row = int(defined.sum(axis=1).argmax())
    return fit_line(position[0][row], position[1][row], ratio=ratio, name=exposure.name)


def _build_as_jwst(
    exposures: Sequence[SlitExposure],
    ratio: float,
    wavelength_grid: str | float | NDArray[np.float64],
) -> LrsGrid:
    first = exposures[0]
    grid = first.grid
    row = int((grid.box[1][1] - grid.box[1][0]) / 2)
    ra, dec = _near(grid.ra, grid.ra), grid.dec
    plane = TangentPlane(float(np.nanmean(ra[row])), float(np.nanmean(dec[row])))
    fitted = _fit_row(first, plane.project(ra, dec), row, ratio)
    if len(exposures) > 1:
        all_ra = np.concatenate([_near(e.grid.ra, grid.ra).ravel() for e in exposures])
        all_dec = np.concatenate([e.grid.dec.ravel() for e in exposures])
        plane = TangentPlane(_middle(all_ra), _middle(all_dec))
    positions = [plane.project(e.grid.ra, e.grid.dec) for e in exposures]
    check_together([e.name for e in exposures], positions, fitted, arcsec=3600.0)
    axis, step = (1, fitted.dy) if fitted.is_steep else (0, fitted.dx)
    reach = [limit(p[axis]) for p in positions for limit in (np.nanmin, np.nanmax)]
    n_column = math.ceil((max(reach) - min(reach)) / abs(step))
    half = (n_column - 1) / 2
    line = SlitLine(-half * fitted.dx, -half * fitted.dy, fitted.dx, fitted.dy)
    merged = column_medians(first.grid.wavelength.T)
    for exposure in exposures[1:]:
        other = column_medians(exposure.grid.wavelength.T)
        beyond = (other < merged.min()) | (other > merged.max())
        merged = np.concatenate([merged, other[beyond]])
    table = design_table(np.unique(merged), wavelength_grid, continued=True, compat=True)
    is_slit = first.exposure_type == FIXED_SLIT
    return LrsGrid(plane, line, table, is_slit, n_column, 0, first.s_region if is_slit else "")


def _near(ra: NDArray[np.float64], reference: NDArray[np.float64]) -> NDArray[np.float64]:
    """Right ascensions without the jump at zero."""
    start = reference.flat[np.argmax(np.isfinite(reference))]
    near: NDArray[np.float64] = start + (ra - start + 180.0) % 360.0 - 180.0
    return near


def _middle(values: NDArray[np.float64]) -> float:
    return float((np.nanmin(values) + np.nanmax(values)) / 2)
