"""Light that a slit cuts off, for Gaussian sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from astropy.table import Column, Table
from numpy.typing import ArrayLike, NDArray
from scipy.special import erf

from webbweave.errors import InputError
from webbweave.slit_combine.psf_width import psf_sigma

__all__ = ["average_path_loss", "get_spectrum_path_loss", "slit_prf_fraction"]

#: Width of the source that a correction takes the light to [pixel]: next to a point.
_POINT_SIGMA = 0.01


def slit_prf_fraction(
    wave: ArrayLike,
    sigma: float = 0.0,
    x_pos: float = 0.0,
    slit_width: float = 0.2,
    pixel_scale: float = 0.10544,
    *,
    compat: bool = False,
) -> NDArray[np.float64]:
    """
    Compute the part of the light of a Gaussian source that goes through a slit.

    Parameters
    ----------
    wave : array_like
        Wavelengths [micron].
    sigma : float, optional
        Standard deviation of the source before the PSF [pixel].
    x_pos : float, optional
        Place of the source across the slit [slit widths], 0 in the middle.
    slit_width : float, optional
        Width of the slit [arcsec].
    pixel_scale : float, optional
        Size of a pixel [arcsec].
    compat : bool, optional
        With the width of the PSF as in msaexp, see `psf_sigma`.

    Returns
    -------
    ndarray of float64
        Fractions, above 0 and below 1.

    Raises
    ------
    ValueError
        If the slit or the pixel has no size, or the source a negative one.
    """
    if not (slit_width > 0 and pixel_scale > 0 and sigma >= 0):
        raise ValueError(
            "slit_width, pixel_scale, sigma: expected positive numbers, found "
            f"{slit_width}, {pixel_scale}, {sigma}"
        )
    width = slit_width / pixel_scale
    scale = np.sqrt(2.0) * np.hypot(psf_sigma(wave, compat=compat), sigma)
    centre = x_pos * width
    return np.asarray(
        0.5 * (erf((width / 2 - centre) / scale) - erf((-width / 2 - centre) / scale))
    )


def get_spectrum_path_loss(spec: Table, *, compat: bool = False) -> NDArray[np.float64]:
    """
    Compute the correction that takes a spectrum to a centred point source.

    Parameters
    ----------
    spec : `~astropy.table.Table`
        A spectrum with the column ``wave`` [micron] and, in its metadata, ``SIGMA`` (width of the
        source [pixel]) and ``SRCXPOS`` (its place across the shutter [shutter widths]).
    compat : bool, optional
        See `slit_prf_fraction`.

    Returns
    -------
    ndarray of float64, shape (n,)
        Factors that the flux is multiplied by; 1 for a centred point source.

    Raises
    ------
    InputError
        If the column or one of the keywords is missing.
    """
    sigma, x_pos = (_keyword(spec.meta, name) for name in ("SIGMA", "SRCXPOS"))
    return _correction(spec, sigma, [x_pos], compat)


def average_path_loss(
    spec: Table, header: Mapping[str, Any] | None = None, *, compat: bool = False
) -> Column | None:
    """
    Compute the mean correction of the exposures of a spectrum, and add it as a column.

    Parameters
    ----------
    spec : `~astropy.table.Table`
        A spectrum with the column ``wave`` [micron]; the column ``path_corr`` is set.
    header : mapping, optional
        ``SIGMA`` and ``XPOS0``, ``XPOS1`` and so on, the place of the source across the shutter in
        each exposure [shutter widths], and ``WITHPATH``; by default the metadata of the table.
    compat : bool, optional
        See `slit_prf_fraction`.

    Returns
    -------
    `~astropy.table.Column` or None
        The column: factors that take the flux to that of a centred point source; None, and nothing
        is added, if there is no WITHPATH, for then no correction was asked for.

    Raises
    ------
    InputError
        If the column or one of the keywords is missing.
    """
    meta = spec.meta if header is None else header
    if "WITHPATH" not in meta:
        return None
    numbers = (f"XPOS{i}" for i in range(len(meta)))
    places = [_keyword(meta, name) for name in numbers if name in meta]
    if not places:
        places = [_keyword(meta, "SRCXPOS")]
    values = _correction(spec, _keyword(meta, "SIGMA"), places, compat)
    spec["path_corr"] = Column(
        values, format=".2f", description="Average path loss correction already applied"
    )
    return spec["path_corr"]


def _correction(
    spec: Table, sigma: float, places: list[float], compat: bool
) -> NDArray[np.float64]:
    if "wave" not in spec.colnames:
        raise InputError(f"the spectrum has no column wave, only {', '.join(spec.colnames)}")
    wave = np.asarray(spec["wave"], dtype=np.float64)
    through = [slit_prf_fraction(wave, sigma, place, compat=compat) for place in places]
    point = slit_prf_fraction(wave, _POINT_SIGMA, compat=compat)
    return np.asarray(point / np.mean(through, axis=0))


def _keyword(meta: Mapping[str, Any], name: str) -> float:
    """A number of a header, whose value may stand in a tuple with its comment."""
    if name not in meta:
        raise InputError(f"the spectrum has no keyword {name} in its metadata")
    value = meta[name]
    return float(value[0] if isinstance(value, tuple) else value)
