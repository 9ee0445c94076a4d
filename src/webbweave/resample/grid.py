"""What the resampling needs to know of an output grid, whichever way it was designed."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from gwcs import WCS
from numpy.typing import NDArray

from webbweave.resample.exposure import SlitExposure

__all__ = ["OutputGrid", "on_full_array"]


class OutputGrid(Protocol):
    """The grid of a rectified spectrum: one axis wavelength, the other along the slit."""

    @property
    def shape(self) -> tuple[int, int]:
        """Shape (ny, nx) of the output arrays."""

    @property
    def dispersion_axis(self) -> int:
        """Axis of the wavelength, as DISPAXIS: 1 for x, 2 for y."""

    @property
    def wavelength(self) -> NDArray[np.float64]:
        """Wavelength of each pixel [micron], float64, shape (ny, nx)."""

    @property
    def spectral_range(self) -> tuple[float, float]:
        """Smallest and largest wavelength [micron]."""

    @property
    def pixel_scale(self) -> float:
        """Distance of neighbouring pixels along the slit [arcsec]; NaN off the sky."""

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
            The new grid. Added wavelengths continue with the last step.
        """

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

    def s_region(self) -> str | None:
        """
        Outline the grid on the sky.

        Returns
        -------
        str or None
            The text of S_REGION; None off the sky.
        """

    def to_gwcs(self) -> WCS:
        """
        Express the grid as a WCS.

        Returns
        -------
        `~gwcs.WCS`
            From ``detector`` (x, y) to two spatial coordinates and the wavelength [micron], with
            inverses.
        """


def on_full_array(
    exposure: SlitExposure, x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    Put a map of the pixels of a slit into one of the whole array.

    Parameters
    ----------
    exposure : SlitExposure
        The exposure, of shape (ny, nx).
    x, y : ndarray of float64
        Output column and row of the pixels of ``exposure.grid``; NaN in one becomes NaN in both.

    Returns
    -------
    x, y : ndarray of float64, shape (ny, nx)
        The same, NaN outside the slit.
    """
    undefined = np.isnan(x) | np.isnan(y)
    x[undefined] = np.nan
    y[undefined] = np.nan
    shape = exposure.data.shape
    if x.shape == shape:
        return x, y
    full_x, full_y = np.full(shape, np.nan), np.full(shape, np.nan)
    full_x[exposure.grid.window] = x
    full_y[exposure.grid.window] = y
    return full_x, full_y
