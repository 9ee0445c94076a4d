"""The common grid of the exposures of one source: straight along the slit, one wavelength each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from webbweave.errors import InputError
from webbweave.resample.exposure import SlitExposure, SlitletGrid
from webbweave.resample.grid import OutputGrid
from webbweave.resample.lamp_wcs import build_lamp_grid
from webbweave.resample.lrs_wcs import build_lrs_grid
from webbweave.resample.nirspec_wcs import build_nirspec_grid

__all__ = ["build_output_grid"]

#: An exposure with fewer usable pixels than this says nothing about where its source is
#: (jwst#8561: a first exposure without data spoiled the grid of all).
_MIN_REFERENCE_PIXELS = 100


def build_output_grid(
    exposures: Sequence[SlitExposure],
    *,
    ratio: float = 1.0,
    wavelength_grid: str | float | NDArray[np.float64] = "native",
    compat: bool = False,
) -> OutputGrid:
    """
    Design the grid that all exposures of a source are resampled onto.

    Parameters
    ----------
    exposures : sequence of SlitExposure
        The exposures, at least one.
    ratio : float, optional
        Input pixel scale over output pixel scale along the slit: 2 gives twice as many rows.
    wavelength_grid : str, float or array_like, optional
        The wavelengths wanted; see `~webbweave.resample.wavelength_grid.design_table`.
    compat : bool, optional
        Build the grid of jwst 3.0: NIRSpec centred half a row off, with the median wavelength of
        each column, and with everything redward of the table in its last half column.

    Returns
    -------
    OutputGrid
        The grid: a NirspecGrid, LampGrid or LrsGrid.

    Raises
    ------
    InputError
        If the exposures are not of one kind, lie apart on the sky or have no wavelengths.
    """
    if not any(np.isfinite(exposure.grid.wavelength).any() for exposure in exposures):
        names = ", ".join(exposure.name for exposure in exposures)
        raise InputError(f"{names}: no pixel has a wavelength, expected a dispersed spectrum")
    kinds = [_kind(exposure) for exposure in exposures]
    for exposure, kind in zip(exposures, kinds, strict=True):
        if kind != kinds[0]:
            raise InputError(f"{exposure.name}: {kind}, but {exposures[0].name}: {kinds[0]}")
    builders: dict[str, Callable[..., OutputGrid]] = {
        _LRS: build_lrs_grid,
        _LAMP: build_lamp_grid,
        _SLIT: build_nirspec_grid,
    }
    build = builders[kinds[0]]
    return build(
        exposures,
        _reference_exposure(exposures),
        ratio=ratio,
        wavelength_grid=wavelength_grid,
        compat=compat,
    )


_LRS = "dispersed along y (DISPAXIS 2)"
_LAMP = "its WCS does not end on the sky (a lamp exposure)"
_SLIT = "dispersed along x (DISPAXIS 1), on the sky"


def _kind(exposure: SlitExposure) -> str:
    if exposure.dispersion_axis == 2:
        return _LRS
    return _SLIT if isinstance(exposure.grid, SlitletGrid) else _LAMP


def _reference_exposure(exposures: Sequence[SlitExposure]) -> int:
    """The first exposure with data worth a look, else the first."""
    for index, exposure in enumerate(exposures):
        usable = exposure.good & (exposure.data != 0)
        if np.count_nonzero(usable) > _MIN_REFERENCE_PIXELS:
            return index
    return 0
