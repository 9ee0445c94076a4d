"""Width of the point spread function along the slit."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from webbweave.slit_combine.reference import psf_fwhm as _table

__all__ = ["FWHM_PER_SIGMA", "PEER_FWHM_PER_SIGMA", "psf_fwhm", "psf_sigma"]

#: Full width at half maximum of a Gaussian of unit standard deviation, 2 sqrt(2 ln 2).
FWHM_PER_SIGMA = 2.0 * float(np.sqrt(2.0 * np.log(2.0)))
#: What msaexp divides by instead; its widths are 0.2 % larger.
PEER_FWHM_PER_SIGMA = 2.35


def psf_fwhm(wave: ArrayLike) -> NDArray[np.float64]:
    """
    Interpolate the full width at half maximum, which was measured of a star.

    Parameters
    ----------
    wave : array_like
        Wavelengths [micron].

    Returns
    -------
    ndarray of float64
        Widths [pixel]; constant outside of the table, which has 0.5 to 5.6 micron; NaN where the
        wavelength is.
    """
    return np.asarray(np.interp(np.asarray(wave, dtype=np.float64), *_table()), dtype=np.float64)


def psf_sigma(wave: ArrayLike, *, compat: bool = False) -> NDArray[np.float64]:
    """
    Compute the standard deviation of the Gaussian that stands for the point spread function.

    Parameters
    ----------
    wave : array_like
        Wavelengths [micron].
    compat : bool, optional
        Divide the full width by 2.35, as msaexp does.

    Returns
    -------
    ndarray of float64
        Standard deviations [pixel].
    """
    return psf_fwhm(wave) / (PEER_FWHM_PER_SIGMA if compat else FWHM_PER_SIGMA)
