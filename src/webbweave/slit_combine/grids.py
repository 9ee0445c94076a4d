"""Standard wavelength grids of the NIRSpec gratings, and the edges of bins around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from webbweave.slit_combine.reference import dispersion

__all__ = [
    "GRATING_LIMITS",
    "bin_edges",
    "cross_dispersion_edges",
    "standard_wavelength_grid",
]

#: First and last wavelength and step of the standard grids [um]. Those of the gratings are steps of
#: one detector pixel; the prism has the dispersion of its table, and its step is a mean.
GRATING_LIMITS: Mapping[str, Sequence[float]] = MappingProxyType(
    {
        "prism": (0.5, 5.6, 0.01),
        "g140m": (0.6, 3.35, 0.00063),
        "g235m": (1.5, 5.3, 0.00106),
        "g395m": (2.6, 5.6, 0.00179),
        "g140h": (0.6, 1.9, 0.000238),
        "g235h": (1.6, 3.2, 0.000396),
        "g395h": (2.8, 5.3, 0.000666),
        "grismr": (2.5, 5.1, 0.002),
        "grismc": (2.5, 5.1, 0.002),
    }
)

#: More bins than this are a mistake in the step: a grid of all NIRSpec wavelengths at the finest
#: step of the gratings has 2e4.
_MOST_BINS = 10_000_000


def standard_wavelength_grid(
    grating: str,
    sample: float = 1.0,
    *,
    grating_limits: Mapping[str, Sequence[float]] = GRATING_LIMITS,
) -> NDArray[np.float64]:
    """
    Compute the wavelengths that all spectra of a grating are sampled at.

    Parameters
    ----------
    grating : str
        Name of the grating, in any case.
    sample : float, optional
        Samples per detector pixel, above 0.
    grating_limits : mapping of str to sequence of float, optional
        First and last wavelength and step [um] by grating in lower case.

    Returns
    -------
    ndarray of float64, shape (n,)
        Wavelengths [um], increasing. The grid of the prism ends with the first wavelength that is
        not below its limit, the others before it.

    Raises
    ------
    ValueError
        If the grating is not known, or the limits or the sampling make no grid.
    """
    limits = grating_limits.get(grating.lower())
    if limits is None:
        known = ", ".join(grating_limits)
        raise ValueError(f"grating: expected one of {known}, found {grating!r}")
    low, high, step = (float(value) for value in limits)
    positive = sample > 0 and step > 0 and low > 0 and np.isfinite([low, high, step, sample]).all()
    if not positive or not low < high or (high - low) * sample / step > _MOST_BINS:
        raise ValueError(
            f"{grating}: limits {list(limits)} and {sample} samples per pixel make no grid"
        )
    if grating.lower() == "prism":
        return _prism_grid(low, high, float(sample)).copy()
    return np.arange(low, high, step / sample)


@lru_cache(maxsize=32)
def _prism_grid(low: float, high: float, sample: float) -> NDArray[np.float64]:
    """Steps of the dispersion at each wavelength, to the first one that reaches the end."""
    wave, dlds, _ = dispersion("prism")
    grid = [low]
    while grid[-1] < high:
        grid.append(grid[-1] + float(np.interp(grid[-1], wave, dlds)) / sample)
    return np.array(grid)


def bin_edges(centres: ArrayLike) -> NDArray[np.float64]:
    """
    Find the edges of bins half-way between their centres, the outer ones by half the step there.

    Parameters
    ----------
    centres : array_like, shape (n,)
        At least two numbers, strictly increasing.

    Returns
    -------
    ndarray of float64, shape (n + 1,)
        The edges.

    Raises
    ------
    ValueError
        If there are fewer than two centres, or they do not increase.
    """
    centres = np.asarray(centres, dtype=np.float64)
    if centres.ndim != 1 or centres.size < 2 or not (np.diff(centres) > 0).all():
        raise ValueError(
            "bin centres: expected two numbers or more that increase, "
            f"found {centres.size} of shape {centres.shape}"
        )
    first, last = centres[1] - centres[0], centres[-1] - centres[-2]
    middle = centres[:-1] + np.diff(centres) / 2
    return np.concatenate([[centres[0] - first / 2], middle, [centres[-1] + last / 2]])


def cross_dispersion_edges(ny: int = 13, step: float = 1.0) -> NDArray[np.float64]:
    """
    Find the edges of the rows of a rectified spectrum.

    Parameters
    ----------
    ny : int, optional
        Pixels to either side of the trace, at least 1.
    step : float, optional
        Height of a row [pixel], above 0.

    Returns
    -------
    ndarray of float64
        Edges [pixel from the trace]; ``2 * ny + 2`` of them if the step is 1, so that the middle
        row is centred on the trace.

    Raises
    ------
    ValueError
        If there would be no row.
    """
    if not (ny >= 1 and 0 < step <= 2 * ny and 2 * ny / step < _MOST_BINS):
        raise ValueError(f"rows of height {step} to {ny} pixels beside the trace: there are none")
    # A little more than the last step, so that rounding does not decide about the last edge.
    return np.arange(-ny, ny + 1.01 * step, step) - 0.5
