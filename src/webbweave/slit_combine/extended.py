"""Calibration of spectra that were extracted beyond the wavelengths of the pipeline."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion

from webbweave.slit_combine.exposure import SlitExposure
from webbweave.slit_combine.grids import standard_wavelength_grid
from webbweave.slit_combine.reference import (
    fixed_slit_flat,
    sensitivity_ratio_s400a1,
    sensitivity_table,
    shutter_flat,
)
from webbweave.slit_combine.splines import design, spline_values

__all__ = [
    "CalibrationStatus",
    "extended_flux_calibration",
    "fixed_slit_profile",
    "is_extended",
    "lacks_quadrant",
    "shutter_flat_values",
]

Array = NDArray[np.float64]

#: The reference files that were made for extended wavelengths say so in their names.
_REFERENCES = ("fflat", "sflat", "dflat")
_EXTENDED = "_ext.fits"
#: Limits of a plausible shutter flat, and of the wavelengths where it is known [micron].
_SFLAT_VALUES, _SFLAT_WAVES = (0.0, 5.0), (0.55, 5.60)
#: Limits of a plausible flat along a fixed slit, and by how many pixels its area is eroded.
_PROFILE_VALUES, _PROFILE_EROSION = (0.2, 1.5), 2
#: The quadrants with a correction of their own: the column of the fourth holds noise.
_QUADRANTS = (1, 2, 3)


class CalibrationStatus(IntEnum):
    """What became of the extended flux calibration."""

    NOT_EXTENDED = 0  #: The pipeline used its own reference files: nothing to do.
    NO_TABLE = 1  #: There is no table for this mode.
    APPLIED = 2  #: It was applied.


def is_extended(exposure: SlitExposure) -> bool:
    """
    Tell whether reference files for extended wavelengths were used.

    Parameters
    ----------
    exposure : SlitExposure
        The exposure.

    Returns
    -------
    bool
        True if the name of one of the flats says so.
    """
    names = (str(exposure.get(f"meta.ref_file.{name}.name", "")) for name in _REFERENCES)
    return any(_EXTENDED in name for name in names)


def extended_flux_calibration(
    exposure: SlitExposure, *, threshold: float = 0.01
) -> tuple[Array | None, CalibrationStatus]:
    """
    Compute the flux calibration over the extended wavelengths.

    Parameters
    ----------
    exposure : SlitExposure
        The exposure.
    threshold : float, optional
        Least sensitivity to use, as a part of the largest. If negative, only the ratio of the two
        detectors is given.

    Returns
    -------
    phot_corr : ndarray of float64, shape (ny, nx), or None
        What to multiply the data by, NaN where it is not known; None if there is nothing to do.
    status : CalibrationStatus
        Why.
    """
    if not is_extended(exposure):
        return None, CalibrationStatus.NOT_EXTENDED
    grating = str(exposure.require("meta.instrument.grating"))
    table = sensitivity_table(grating, str(exposure.require("meta.instrument.filter")))
    if table is None:
        return None, CalibrationStatus.NO_TABLE

    def interpolate(values: Array) -> Array:
        return np.interp(exposure.wave, table.wavelength, values, left=np.nan, right=np.nan)

    sensitivity = table.sensitivity if threshold >= 0 else np.ones_like(table.wavelength)
    if exposure.require("meta.instrument.detector") == "NRS2":
        sensitivity = sensitivity / table.nrs1_nrs2
    with np.errstate(divide="ignore", invalid="ignore"):
        corr = 1 / interpolate(sensitivity)
        if threshold < 0:
            return np.where(np.isfinite(corr), corr, np.nan), CalibrationStatus.APPLIED
        if exposure.is_fixed_slit:
            corr = corr * interpolate(table.nrs1_s200a1) / _ratio_s400a1(exposure)
        else:
            quadrant = int(exposure.get("quadrant", 0))
            if quadrant in _QUADRANTS and quadrant in table.quadrants:
                corr = corr / interpolate(table.quadrants[quadrant])
        relative = 1 / corr
    relative[~np.isfinite(relative)] = 0
    corr[relative <= threshold * relative.max()] = np.nan
    return corr, CalibrationStatus.APPLIED


def lacks_quadrant(exposure: SlitExposure) -> bool:
    """
    Tell whether the calibration would differ from quadrant to quadrant, and there is none.

    Parameters
    ----------
    exposure : SlitExposure
        The exposure.

    Returns
    -------
    bool
        True for one of the micro-shutter array without ``quadrant`` whose table has quadrants.
    """
    if exposure.is_fixed_slit or not is_extended(exposure) or exposure.get("quadrant") is not None:
        return False
    mode = (str(exposure.require(f"meta.instrument.{name}")) for name in ("grating", "filter"))
    table = sensitivity_table(*mode)
    return table is not None and bool(table.quadrants)


def _slit_name(exposure: SlitExposure) -> str:
    return str(exposure.get("name") or exposure.get("meta.instrument.fixed_slit", ""))


def _ratio_s400a1(exposure: SlitExposure) -> Array | float:
    if _slit_name(exposure).upper() != "S400A1":
        return 1.0
    coeffs = sensitivity_ratio_s400a1()
    if coeffs is None:
        return 1.0
    grid = standard_wavelength_grid("PRISM")
    place = np.interp(exposure.wave, grid, np.arange(grid.size) / grid.size)
    return spline_values(place, coeffs, 0.0, 1.0)


def shutter_flat_values(
    wave: Array, quadrant: int, xcen: float, ycen: float, *, compat: bool = False
) -> Array | None:
    """
    Evaluate the field-dependent flat of the prism mode.

    Parameters
    ----------
    wave : ndarray of float64
        Wavelengths [micron].
    quadrant : int
        Quadrant of the micro-shutter array.
    xcen, ycen : float
        The shutter.
    compat : bool, optional
        As msaexp: the shutter is looked up on a grid with both ends of the range, which has one
        point too few, and small basis functions are left out.

    Returns
    -------
    ndarray of float64 or None
        What to divide fluxes by, NaN where it is not known; None if there is no table.
    """
    table = shutter_flat(quadrant)
    if table is None:
        return None
    n_wave, ky, kx = table.coeffs.shape
    by_x = _shutter_basis(xcen, kx, table.x_limits, compat=compat)
    by_y = _shutter_basis(ycen, ky, table.y_limits, compat=compat)
    values = np.einsum("kyx,y,x->k", table.coeffs, by_y, by_x)
    offset = (table.wave - table.damp_wave) / table.damp_width
    values = 1 + (values - 1) * (1 - table.damp_scale * np.exp(-0.5 * offset**2))
    coordinate = np.interp(wave, table.wave, np.arange(n_wave) / (n_wave - 1))
    flat = spline_values(coordinate, values, 0.0, 1.0, clip=compat)
    low, high = _SFLAT_VALUES
    known = (flat > low) & (flat <= high) & (wave >= _SFLAT_WAVES[0]) & (wave <= _SFLAT_WAVES[1])
    return np.where(known, flat, np.nan)


def _shutter_basis(
    centre: float, n_function: int, limits: tuple[float, float], *, compat: bool
) -> Array:
    """The spline basis at a shutter; that of msaexp is of a grid with a step above 1."""
    low, high = limits
    if not compat:
        rows = design(np.clip([float(centre)], low, high), n_function, low, high)
        return np.asarray(rows.dense()[0])
    grid = np.linspace(low, high, round(high - low))
    rows = design(grid, n_function, low, high, clip=True)
    return np.asarray(rows.dense()[round(centre - low)])


def fixed_slit_profile(exposure: SlitExposure, trace: Array) -> Array | None:
    """
    Evaluate the flat along a fixed slit.

    Parameters
    ----------
    exposure : SlitExposure
        The exposure.
    trace : ndarray of float64, shape (nx,)
        Row of the trace in each column [pixel].

    Returns
    -------
    ndarray of float64, shape (ny, nx), or None
        What to divide fluxes by, NaN where it is not known; None if there is no table.
    """
    table = fixed_slit_flat(_slit_name(exposure))
    if table is None:
        return None
    y = np.arange(exposure.shape[0])[:, None] - trace
    n_wave = len(table.coeffs)
    by_wave = spline_values(y, table.coeffs.T, *table.y_limits)
    weights = spline_values(exposure.wave, np.eye(n_wave), *table.wave_limits)
    flat = np.einsum("yxk,yxk->yx", by_wave, weights)
    low, high = _PROFILE_VALUES
    valid = binary_erosion((flat > low) & (flat < high), iterations=_PROFILE_EROSION)
    return np.where(valid, flat, np.nan)
