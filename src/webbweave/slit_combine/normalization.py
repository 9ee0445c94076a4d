"""The throughput of the prism mode against wavelength and place in the micro-shutter array."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from webbweave.slit_combine.reference import normalization_table
from webbweave.slit_combine.splines import spline_values

__all__ = ["prism_normalization"]

_QUADRANTS = (1, 2, 3, 4)


def prism_normalization(
    wave: ArrayLike, quadrant: int, xcen: float, ycen: float, *, compat: bool = False
) -> NDArray[np.float64] | None:
    """
    Compute the normalisation of a prism spectrum.

    Parameters
    ----------
    wave : array_like of float
        Wavelengths [micron].
    quadrant : int
        Quadrant of the micro-shutter array, 1 to 4.
    xcen, ycen : float
        The shutter.
    compat : bool, optional
        As msaexp: small basis functions are left out.

    Returns
    -------
    ndarray of float64 or None
        What to multiply fluxes by, NaN outside the tabulated wavelengths, 1 outside the array; None
        if the table is missing.
    """
    waves = np.asarray(wave, np.float64)
    if quadrant not in _QUADRANTS:
        return np.ones(waves.shape)
    table = normalization_table()
    if table is None:
        return None
    n_wave = table.wavelengths.size
    steps = np.arange(n_wave) / n_wave
    place = np.interp(waves, table.wavelengths, steps, left=np.nan, right=np.nan)
    coeffs = table.coeffs[:, quadrant - 1] @ np.array([1.0, xcen, ycen])
    return 1 / spline_values(place, coeffs, 0.0, 1.0, clip=compat)
