"""Pixel scales, areas, and what they do to fluxes."""

from __future__ import annotations

import logging
import math

import numpy as np
from gwcs import WCS

from webbweave.resample.exposure import SlitExposure
from webbweave.resample.options import ResampleOptions
from webbweave.wcs import FastWcs
from webbweave.wcs.tangent import angular_separation

__all__ = ["has_inverse", "is_flux_density", "scale_ratio", "spatial_scale", "wcs_scale"]

log = logging.getLogger(__name__)


def spatial_scale(exposure: SlitExposure, *, compat: bool = False) -> float | None:
    """
    Measure the pixel scale along the slit at the centre of an exposure.

    Parameters
    ----------
    exposure : SlitExposure
        The exposure.
    compat : bool, optional
        Start from the pixel that the inverse of the WCS gives for the centre, as jwst does. In
        NIRSpec files the inverse is a fit of its own, so that this is not quite the centre.

    Returns
    -------
    float or None
        Distance of neighbouring rows on the sky [arcsec]; None if there is no sky position there.
    """
    grid = exposure.grid
    if not grid.on_sky:
        return None
    wcs = exposure.wcs.to_gwcs() if isinstance(exposure.wcs, FastWcs) else exposure.wcs
    if compat and has_inverse(wcs):
        x, y = (sum(limits) / 2 for limits in grid.box)
        return wcs_scale(wcs, x, y, dispersion_axis=exposure.dispersion_axis)
    row = (grid.ra.shape[0] - 1) // 2
    if exposure.dispersion_axis == 2:
        column = (grid.ra.shape[1] - 1) // 2
        ra, dec = grid.ra[row, column : column + 2], grid.dec[row, column : column + 2]
    else:
        column = grid.centre_column
        ra, dec = grid.ra[row : row + 2, column], grid.dec[row : row + 2, column]
    if ra.size < 2:
        return None
    scale = angular_separation(ra[0], dec[0], ra[1], dec[1])
    return 3600.0 * scale if math.isfinite(scale) else None


def has_inverse(wcs: WCS) -> bool:
    """
    Tell whether a WCS can be inverted; gwcs raises where it cannot.

    Parameters
    ----------
    wcs : `~gwcs.WCS`
        The WCS.

    Returns
    -------
    bool
        True if it goes from the world to pixels as well.
    """
    try:
        return wcs.backward_transform is not None
    except NotImplementedError:
        return False


def wcs_scale(wcs: WCS, x: float, y: float, *, dispersion_axis: int) -> float | None:
    """
    Measure the pixel scale along the slit with the inverse of a WCS.

    Parameters
    ----------
    wcs : `~gwcs.WCS`
        From pixels to right ascension, declination [degree] and wavelength.
    x, y : float
        Where to measure it [pixel].
    dispersion_axis : {1, 2}
        Axis along which the spectrum is dispersed.

    Returns
    -------
    float or None
        Distance of neighbouring pixels on the sky [arcsec]; None if there is no sky position.
    """
    world = wcs(x, y)
    x0, y0 = wcs.invert(*world, with_bounding_box=False)
    along = np.array([0.0, 1.0])
    step_x, step_y = (0.0 * along, along) if dispersion_axis == 1 else (along, 0.0 * along)
    ra, dec, _ = wcs(x0 + step_x, y0 + step_y, with_bounding_box=False)
    scale = angular_separation(ra[0], dec[0], ra[1], dec[1])
    return 3600.0 * scale if math.isfinite(scale) else None


def scale_ratio(first: SlitExposure, options: ResampleOptions) -> tuple[float, float | None]:
    """
    Find the ratio of the pixel scales along the slit.

    Parameters
    ----------
    first : SlitExposure
        The exposure that stands for all.
    options : ResampleOptions
        With the ratio or the output scale that is wanted.

    Returns
    -------
    ratio : float
        Input pixel scale over output pixel scale.
    area : float or None
        Nominal area of an input pixel [steradian], if it is known.
    """
    area = first.pixel_area
    if options.pixel_scale is None:
        return options.pixel_scale_ratio, area
    scale = spatial_scale(first, compat=options.compat)
    if scale is None or area is None:
        missing = "pixel scale" if scale is None else "nominal pixel area (PIXAR_SR)"
        log.warning("%s: its %s is not known, pixel_scale is ignored", first.name, missing)
        return options.pixel_scale_ratio, area
    if options.pixel_scale_ratio != 1.0:
        log.info("pixel_scale is given, pixel_scale_ratio is ignored")
    return scale / options.pixel_scale, area


def is_flux_density(unit: str) -> bool:
    """
    Tell whether values are per pixel, not per solid angle: a smaller pixel then holds less.

    Parameters
    ----------
    unit : str
        The unit of the science values.

    Returns
    -------
    bool
        True for the units of flux density.
    """
    return unit.replace(" ", "").lower() in ("jy", "mjy", "ujy", "njy")
