"""How well a trace is seen, and what is lost of it when nods are subtracted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .differences import diff_samples, nod_difference
from .options import FitOptions
from .profiles import pixel_profile
from .stack import SlitStack
from .trace_fit import TraceFit, fit_single_trace

__all__ = ["SelfSubtraction", "fit_params_by_sn", "get_trace_sn", "self_subtraction"]

Floats = NDArray[np.float64]


def get_trace_sn(
    stack: SlitStack,
    *,
    exposure_position: Any = "auto",
    theta: Sequence[float] = (4.0, 0),
    force_positive: bool = True,
    options: FitOptions | None = None,
    **kwargs: Any,
) -> tuple[TraceFit, Floats]:
    """
    The signal-to-noise ratio of each column for a trace as it is.

    Parameters
    ----------
    stack : SlitStack
        The exposures.
    exposure_position : object, optional
        Which nod; 'auto' for the reference.
    theta : sequence of float, optional
        Width in tenths of pixels, and trace.
    force_positive : bool, optional
        As in `fit_single_trace`.
    options : FitOptions, optional
        Priors, wings, and whether to work as the peer.
    **kwargs
        Of `fit_single_trace`.

    Returns
    -------
    fit : TraceFit
        The evaluation.
    sn : ndarray of float64, shape (nx,)
        Flux over its error; NaN where there is none.
    """
    nod = stack.reference if exposure_position == "auto" else exposure_position
    settings = {"verbose": False, **kwargs, "x0": theta, "evaluate": True}
    fit = fit_single_trace(stack, nod, force_positive=force_positive, options=options, **settings)
    with np.errstate(invalid="ignore", divide="ignore"):
        return fit, fit["snum"] / np.sqrt(fit["svnum"])


def fit_params_by_sn(
    stack: SlitStack,
    *,
    sn_percentile: float = 80,
    sigma_threshold: float = 5,
    degree_sn: Sequence[Sequence[float]] = ((-1000,), (0,)),
    **kwargs: Any,
) -> tuple[Floats, float, bool, int]:
    """
    What the data are good enough to fit.

    Parameters
    ----------
    stack : SlitStack
        The exposures.
    sn_percentile : float, optional
        The signal-to-noise ratio of a trace is this percentile of those of its columns.
    sigma_threshold : float, optional
        Below this ratio, the width is not fitted.
    degree_sn : two sequences of float, optional
        Ratios, ascending, and the degree of the trace at each.
    **kwargs
        Of `get_trace_sn`.

    Returns
    -------
    sn : ndarray of float64, shape (nx,)
        Ratio of each column.
    sn_value : float
        The percentile.
    fix_sigma : bool
        Whether to leave the width.
    degree : int
        Of the trace.

    Raises
    ------
    ValueError
        If the two parts of `degree_sn` differ in length.
    """
    if len(degree_sn) != 2 or len(degree_sn[0]) != len(degree_sn[1]) or not len(degree_sn[0]):
        raise ValueError(f"degree_sn: expected two sequences of equal length, found {degree_sn}")
    sn = get_trace_sn(stack, **kwargs)[1]
    known = sn[np.isfinite(sn)]
    value = float(np.percentile(known, sn_percentile)) if known.size else float("nan")
    if not np.isfinite(value):
        return sn, value, True, int(degree_sn[1][0])
    degree = int(np.interp(value, degree_sn[0], degree_sn[1]))
    return sn, value, value < sigma_threshold, degree


@dataclass(frozen=True)
class SelfSubtraction:
    """
    The part of the flux of a source that goes when other nods are subtracted.

    Attributes
    ----------
    wave : ndarray of float64, shape (nx,)
        Mean wavelength of the pixels of each column, micron.
    aperture : ndarray of float64, shape (nx,)
        Part of the light in an aperture; NaN for columns without valid pixels.
    optimal : ndarray of float64, shape (nx,)
        Part of the flux of an optimal extraction that knows of the source in the added nod only.
    """

    wave: Floats
    aperture: Floats
    optimal: Floats


def self_subtraction(
    stack: SlitStack,
    exp: Any,
    *,
    sigma: float,
    y_range: tuple[float, float] = (-3.0, 3.0),
    options: FitOptions | None = None,
) -> SelfSubtraction:
    """
    What the light of a source in the other nods takes off its flux.

    Parameters
    ----------
    stack : SlitStack
        The exposures, with traces fitted.
    exp : object
        Which nod.
    sigma : float
        Width of the source, pixels.
    y_range : tuple of float, optional
        The aperture, pixels from the trace.
    options : FitOptions, optional
        Width of the PSF, wings, and whether to work as the peer.

    Returns
    -------
    SelfSubtraction
        Factors of each column: flux is to be divided by 1 minus these, unless it was extracted
        with the profile of the difference.

    Raises
    ------
    KeyError
        If there is no such nod.
    ValueError
        If the aperture is empty.
    """
    options = FitOptions() if options is None else options
    if not y_range[0] < y_range[1]:
        raise ValueError(f"y_range: expected two ascending numbers, found {y_range}")
    samples = diff_samples(stack, nod_difference(stack, exp, options), options)
    y, wave = (plane.reshape(-1)[samples.places] for plane in (stack.yslit, stack.wave))
    light = (
        samples.share
        * pixel_profile(y, samples.spread, sigma, lookup=stack.lookup, wings=options.wings).value
    )
    pixel, n_pixel = samples.owner, samples.diff.size
    added = samples.share > 0.0
    planes = [
        np.bincount(pixel[part], light[part], n_pixel).astype(np.float64)
        for part in (added, ~added)
    ]
    near = np.zeros(n_pixel, bool)
    near[pixel[added & (y >= y_range[0]) & (y <= y_range[1])]] = True
    waves = np.empty(n_pixel)
    waves[pixel[::-1]] = wave[::-1]  # the first of each pixel is the last to be written
    sums = samples.column_sums
    weighted = planes[0] * samples.weight
    with np.errstate(invalid="ignore", divide="ignore"):
        return SelfSubtraction(
            wave=sums(waves) / sums(np.ones_like(weighted)),
            aperture=-sums(planes[1] * near) / sums(planes[0] * near),
            optimal=-sums(planes[1] * weighted) / sums(planes[0] * weighted),
        )
