"""The numbers that a report shows, measured on a rectified spectrum; for looking at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from stdatamodels.jwst.datamodels import JwstDataModel

from webbweave.datamodels import get_path, tree_of

__all__ = [
    "SlitSummary",
    "column_wavelengths",
    "count_exposures",
    "find_source_rows",
    "row_scale",
    "signal_to_noise",
    "spatial_profile",
    "summarise",
    "summarise_slit",
]

Floats = NDArray[np.float64]

#: A row whose share of columns with data is below this is an edge of the slit, where a source is
#: not looked for and from which the sky is not taken.
_FULL_ROW = 0.5

#: Rows that are added on both sides of those above half of the peak. Of a Gaussian profile that is
#: sampled by two rows per FWHM, as that of NIRSpec is, more than 95 % of the light is then summed.
_MARGIN_ROWS = 1

#: A stripe is called negative when it is this many errors below zero ...
_STRIPE_ERRORS = 5.0

#: ... and this part of the height of the source.
_STRIPE_DEPTH = 0.1


@dataclass(frozen=True, eq=False)
class SlitSummary:
    """
    A rectified spectrum and what was measured on it.

    Attributes
    ----------
    name : str
        Name of the source, or of the slit.
    unit : str
        Unit of `data`, such as ``"MJy/sr"``.
    exposure_time : float or None
        Seconds, all exposures together.
    data : ndarray of float64, shape (ny, nx)
        The signal; NaN where there are no data.
    snr : ndarray of float64, shape (ny, nx)
        Signal over its error; NaN where either is missing.
    weight : ndarray of float64, shape (ny, nx)
        Sum of the weights of the input pixels; NaN where it is zero.
    n_exposures : ndarray of int64, shape (ny, nx)
        Number of exposures that contributed to a pixel.
    wavelength : ndarray of float64, shape (nx,)
        Micron, NaN beyond the ends of the spectrum.
    pixel_scale : float or None
        Arcseconds between rows; None without a WCS.
    position_angle : float or None
        Direction of increasing rows on the sky: degrees from north to east.
    profile, profile_error : ndarray of float64, shape (ny,)
        Weighted mean of the signal of each row, and its error.
    source_rows : tuple of int
        First row of the source and the row after the last; equal if there are no data.
    spectrum, error : ndarray of float64, shape (nx,)
        Sum of the signal over `source_rows`, and its error, see `summarise_slit`.
    background : ndarray of float64, shape (nx,)
        What the rows outside the source lead to expect for `spectrum` if there were no source.
    peak_snr : float
        Largest value of ``(spectrum - background) / error``; NaN without data.
    peak_wavelength : float
        Where it is, in micron.
    """

    name: str
    unit: str
    exposure_time: float | None
    data: Floats
    snr: Floats
    weight: Floats
    n_exposures: NDArray[np.int64]
    wavelength: Floats
    pixel_scale: float | None
    position_angle: float | None
    profile: Floats
    profile_error: Floats
    source_rows: tuple[int, int]
    spectrum: Floats
    error: Floats
    background: Floats
    peak_snr: float
    peak_wavelength: float

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.data.shape[0], self.data.shape[1]

    @property
    def most_exposures(self) -> int:
        """The largest number of exposures that met in one pixel."""
        return int(self.n_exposures.max(initial=0))

    @property
    def rows_with_data(self) -> int:
        """The number of rows in which any pixel has a value."""
        return int(np.isfinite(self.data).any(axis=1).sum())

    @property
    def share_with_data(self) -> float:
        """The share of pixels that have a value, 0 to 1."""
        return float(np.isfinite(self.data).mean()) if self.data.size else 0.0

    @property
    def wavelength_range(self) -> tuple[float, float] | None:
        """Shortest and longest wavelength with data, in micron; None without any."""
        seen = self.wavelength[np.isfinite(self.wavelength) & np.isfinite(self.data).any(axis=0)]
        return (float(seen.min()), float(seen.max())) if seen.size else None

    @property
    def centre_row(self) -> float:
        """The row that position zero stands for: middle of the source rows, or of the slit."""
        start, stop = self.source_rows
        return (start + stop - 1) / 2 if stop > start else (self.shape[0] - 1) / 2

    @property
    def has_negative_stripes(self) -> bool:
        """Whether rows are clearly below zero, as they are after exposures were subtracted."""
        profile, error = self.profile, self.profile_error
        known = np.isfinite(profile) & np.isfinite(error)
        if not known.any():
            return False
        floor = -_STRIPE_DEPTH * profile[known].max()
        return bool(((profile < -_STRIPE_ERRORS * error) & (profile < floor))[known].any())

    @property
    def has_sky(self) -> bool:
        """Whether the rows outside the source are clearly brighter than zero."""
        known = np.isfinite(self.background) & np.isfinite(self.error)
        return bool(known.any()) and bool(
            np.median(self.background[known]) > np.median(self.error[known])
        )


def signal_to_noise(data: ArrayLike, error: ArrayLike) -> Floats:
    """
    Divide a signal by its error.

    Parameters
    ----------
    data, error : array_like, same shape
        In the same unit.

    Returns
    -------
    ndarray of float64
        NaN where the error is not positive or anything is not finite.
    """
    data, error = np.asarray(data, dtype=np.float64), np.asarray(error, dtype=np.float64)
    known = np.isfinite(data) & np.isfinite(error) & (error > 0)
    ratio: Floats = np.divide(data, error, out=np.full(data.shape, np.nan), where=known)
    return ratio


def count_exposures(context: ArrayLike) -> NDArray[np.int64]:
    """
    Count the exposures that contributed to each pixel.

    Parameters
    ----------
    context : array_like of int32, shape (n_plane, ny, nx) or (ny, nx)
        Bit ``k`` of plane ``p`` is set if exposure ``32 p + k`` contributed.

    Returns
    -------
    ndarray of int64, shape (ny, nx)
        Number of bits that are set.
    """
    planes = np.asarray(context)
    planes = planes.reshape((-1, *planes.shape[-2:])).astype(np.int32, copy=False)
    # Bits of the unsigned pattern: bitwise_count of a negative number counts those of its size.
    n_bit: NDArray[np.int64] = np.bitwise_count(planes.view(np.uint32)).sum(axis=0, dtype=np.int64)
    return n_bit


def column_wavelengths(wavelength: ArrayLike | None, n_column: int) -> Floats:
    """
    Reduce the wavelengths of the pixels to one for each column.

    Parameters
    ----------
    wavelength : array_like, shape (ny, nx) or (nx,), or None
        Micron.
    n_column : int
        Number of columns of the spectrum.

    Returns
    -------
    ndarray of float64, shape (nx,)
        Median of each column; NaN where no pixel has one.
    """
    if wavelength is None:
        return np.full(n_column, np.nan)
    planes: Floats = np.atleast_2d(np.asarray(wavelength, dtype=np.float64))
    if planes.size and (planes == planes[0]).all():
        return np.array(planes[0])
    return _median_of_columns(planes)


def row_scale(wcs: Any, shape: tuple[int, int]) -> tuple[float | None, float | None]:
    """
    Measure how far apart two rows are on the sky, and in which direction.

    Parameters
    ----------
    wcs : `~gwcs.WCS` or None
        From pixels to right ascension, declination (degrees) and wavelength.
    shape : tuple of int
        Rows and columns.

    Returns
    -------
    scale, angle : float or None
        Arcseconds between rows, and degrees from north to east of increasing rows; None if unknown.
    """
    n_row, n_column = shape
    if wcs is None or n_row < 2:
        return None, None
    column = (n_column - 1) / 2
    sky = wcs(np.array([column, column]), np.array([0.0, n_row - 1.0]))[:2]
    (ra0, ra1), (dec0, dec1) = np.deg2rad(np.asarray(sky, dtype=np.float64))
    if not np.isfinite([ra0, ra1, dec0, dec1]).all():
        return None, None
    east = np.cos(dec1) * np.sin(ra1 - ra0)
    # North component in the tangent plane, without the loss of digits of a difference of products.
    north = np.sin(dec1 - dec0) + 2 * np.sin(dec0) * np.cos(dec1) * np.sin((ra1 - ra0) / 2) ** 2
    length = np.hypot(east, north)
    if length == 0:
        return None, None
    scale = np.rad2deg(np.arcsin(length)) * 3600 / (n_row - 1)
    return float(scale), float(np.rad2deg(np.arctan2(east, north)) % 360)


def spatial_profile(data: Floats, error: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """
    Average each row over wavelength.

    Parameters
    ----------
    data, error, weight : ndarray of float64, shape (ny, nx)
        Signal, error and weight; pixels where the signal is not finite or the weight not positive
        are left out.

    Returns
    -------
    profile, profile_error : ndarray of float64, shape (ny,)
        Weighted mean and its error without correlations; NaN for a row without data.
    """
    used = np.isfinite(data) & np.isfinite(weight) & (weight > 0)
    weight = np.where(used, weight, 0.0)
    total = weight.sum(axis=1)
    nothing = np.full(total.shape, np.nan)
    mean = np.divide(
        (weight * np.where(used, data, 0.0)).sum(axis=1), total, out=nothing.copy(), where=total > 0
    )
    variance = ((weight * np.where(used & np.isfinite(error), error, 0.0)) ** 2).sum(axis=1)
    return mean, np.divide(np.sqrt(variance), total, out=nothing, where=total > 0)


def find_source_rows(data: Floats, error: Floats) -> tuple[int, int]:
    """
    Find the rows in which the brightest source of a slit lies.

    The median of each column, which is mostly sky, is subtracted and the rest divided by its
    error. A row counts with the cubic mean over wavelength of what is positive: a few bright lines
    then weigh more than sky that is unevenly let through by the bars of the shutters. Single hot
    pixels are taken out by a running median. The rows taken are those that join the brightest
    one without falling below half of its height, and one row on each side.

    Parameters
    ----------
    data, error : ndarray of float64, shape (ny, nx)
        Signal and error, NaN where there are none.

    Returns
    -------
    start, stop : int
        First row and the row after the last; both 0 if there are no data.
    """
    full = _full_rows(data)
    if not full.any():
        return 0, 0
    residual = data - _median_of_columns(data[full])
    score = signal_to_noise(residual, error) if np.isfinite(error).any() else residual
    score = np.where(np.isfinite(score), score, 0.0)
    if score.shape[1] >= 3:
        score = np.median([score[:, :-2], score[:, 1:-1], score[:, 2:]], axis=0)
    height = np.cbrt((np.maximum(score, 0.0) ** 3).mean(axis=1))
    height[~full] = 0.0
    peak = int(np.argmax(height))
    base = np.median(height[full])
    bright = height >= base + (height[peak] - base) / 2
    start, stop = peak, peak + 1
    while start > 0 and bright[start - 1]:
        start -= 1
    while stop < bright.size and bright[stop]:
        stop += 1
    return max(start - _MARGIN_ROWS, 0), min(stop + _MARGIN_ROWS, bright.size)


def summarise_slit(tree: Mapping[str, Any], exposure_time: float | None = None) -> SlitSummary:
    """
    Measure one rectified spectrum.

    The collapsed spectrum is the plain sum of the source rows, a pixel without data counting as
    zero; columns in which less than half of these rows have data are NaN. Its error is the square
    root of the sum of the squared errors: drizzling correlates neighbouring pixels, which this
    leaves out, so the true error is somewhat larger. No loss of light outside the rows or the slit
    is corrected, and the background is not subtracted.

    Parameters
    ----------
    tree : mapping
        Tree of a SlitModel, or an element of ``slits`` of a MultiSlitModel. Needs ``data``;
        ``err``, ``wht``, ``con``, ``wavelength`` and ``meta.wcs`` are used if they are there.
    exposure_time : float, optional
        Seconds, if the tree does not know.

    Returns
    -------
    SlitSummary
        The numbers. Nothing here raises for want of good data: it is NaN then.
    """
    data = np.array(tree["data"], dtype=np.float64)
    data[~np.isfinite(data)] = np.nan
    error = _plane(tree, "err", data.shape, np.nan)
    weight = _plane(tree, "wht", data.shape, 1.0)
    weight = np.where(np.isfinite(weight) & (weight > 0), weight, np.nan)
    context = tree.get("con")
    wavelength = column_wavelengths(tree.get("wavelength"), data.shape[1])
    profile, profile_error = spatial_profile(data, error, weight)
    start, stop = rows = find_source_rows(data, error)
    spectrum, spectrum_error = _collapse(data[start:stop], error[start:stop])
    background = _background(data, rows)
    net = signal_to_noise(spectrum - np.nan_to_num(background), spectrum_error)
    peak = int(np.nanargmax(net)) if np.isfinite(net).any() else None
    scale, angle = row_scale(get_path(tree, "meta.wcs"), (data.shape[0], data.shape[1]))
    return SlitSummary(
        name=_name(tree),
        unit=str(get_path(tree, "meta.bunit_data", "")),
        exposure_time=get_path(tree, "meta.exposure.exposure_time", exposure_time),
        data=data,
        snr=signal_to_noise(data, error),
        weight=weight,
        n_exposures=(
            np.isfinite(data).astype(np.int64) if context is None else count_exposures(context)
        ),
        wavelength=wavelength,
        pixel_scale=scale,
        position_angle=angle,
        profile=profile,
        profile_error=profile_error,
        source_rows=rows,
        spectrum=spectrum,
        error=spectrum_error,
        background=background,
        peak_snr=float("nan") if peak is None else float(net[peak]),
        peak_wavelength=float("nan") if peak is None else float(wavelength[peak]),
    )


def summarise(product: JwstDataModel) -> list[SlitSummary]:
    """
    Measure all spectra of a product.

    Parameters
    ----------
    product : SlitModel or MultiSlitModel
        Rectified spectra. Not changed.

    Returns
    -------
    list of SlitSummary
        One for each slit, in the order of the product.
    """
    tree = tree_of(product)
    time = get_path(tree, "meta.exposure.exposure_time")
    slits = tree.get("slits")
    return [summarise_slit(slit, time) for slit in ([tree] if slits is None else slits)]


def _name(tree: Mapping[str, Any]) -> str:
    for key in ("source_name", "name", "source_id"):
        value = tree.get(key)
        if value is not None and str(value).strip():
            return str(value).strip()
    return "unnamed source"


def _plane(tree: Mapping[str, Any], key: str, shape: tuple[int, ...], missing: float) -> Floats:
    array = tree.get(key)
    return np.full(shape, missing) if array is None else np.asarray(array, dtype=np.float64)


def _median_of_columns(image: Floats) -> Floats:
    """Median over rows without NaN; NaN for columns that have nothing else."""
    if not image.size:
        return np.full(image.shape[1], np.nan)
    ordered = np.sort(image, axis=0)  # NaN last
    n_known = np.isfinite(image).sum(axis=0)
    columns = np.arange(image.shape[1])
    low = ordered[np.maximum(n_known - 1, 0) // 2, columns]
    high = ordered[np.minimum(n_known // 2, image.shape[0] - 1), columns]
    return np.where(n_known > 0, (low + high) / 2, np.nan)


def _full_rows(data: Floats) -> NDArray[np.bool_]:
    n_column = np.isfinite(data).sum(axis=1)
    full: NDArray[np.bool_] = (n_column > 0) & (n_column >= _FULL_ROW * n_column.max(initial=0))
    return full


def _collapse(data: Floats, error: Floats) -> tuple[Floats, Floats]:
    known = np.isfinite(data) & np.isfinite(error)
    enough = (known.sum(axis=0) * 2 >= data.shape[0]) & known.any(axis=0)
    total = np.where(known, data, 0.0).sum(axis=0)
    spread = np.sqrt((np.where(known, error, 0.0) ** 2).sum(axis=0))
    return np.where(enough, total, np.nan), np.where(enough, spread, np.nan)


def _background(data: Floats, rows: tuple[int, int]) -> Floats:
    start, stop = rows
    outside = _full_rows(data)
    outside[start:stop] = False
    beside = data[outside]
    few = np.isfinite(beside).sum(axis=0) * 2 < beside.shape[0]
    return np.where(few, np.nan, _median_of_columns(beside) * (stop - start))
