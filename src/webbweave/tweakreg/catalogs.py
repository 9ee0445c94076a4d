"""Catalogs of the stars of an image: found in it, or given by the user."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.table import QTable, Table
from numpy.typing import ArrayLike, NDArray

from webbweave.tweakreg.background import Background, NoBackgroundError, estimate_background
from webbweave.tweakreg.finders import Stars, find_stars, make_kernel, refine_positions
from webbweave.tweakreg.segments import find_segments

__all__ = [
    "FinderOptions",
    "coverage_mask",
    "empty_catalog",
    "make_catalog",
    "position_weights",
    "rows_inside",
    "standard_catalog",
]

log = logging.getLogger(__name__)

#: Bits of the data quality that take a pixel out: DO_NOT_USE and NON_SCIENCE.
BAD_BITS = 1 | 512
#: The least separation of two stars in pixels, whatever ``minsep_fwhm`` is.
LEAST_SEPARATION = 2
#: Names that user catalogs may have for the two coordinates.
COORDINATES = (("x", "y"), ("xcentroid", "ycentroid"), ("x_centroid", "y_centroid"))
#: ``sharplo`` and ``roundlo`` from which on hardly a star passes with 'dao': they suit 'iraf'.
IRAF_SHARPNESS = 0.5
IRAF_ROUNDNESS = 0.0
#: What the noise of the background does not tell of the error of a position, in pixels: the shape
#: of the star, the noise of its own light, what the distortion leaves. Of 0.003 to
#: 0.05, it does best for fields of stars that are off by 0 to 0.01 pixel besides.
LEAST_ERROR = 0.01
#: The error in pixels of a position that is the finder's, as the fit had no answer.
UNFITTED_ERROR = 0.1

_CHOICES = {
    "starfinder": ("dao", "iraf", "segmentation"),
    "connectivity": (4, 8),
    "multithresh_mode": ("exponential", "linear", "sinh"),
    "apermask_method": ("correct", "mask", "none"),
}


@dataclass(frozen=True)
class FinderOptions:
    """
    How sources are found; the names and defaults are those of the step.

    Attributes
    ----------
    starfinder : {'dao', 'iraf', 'segmentation'}
        The method.
    snr_threshold : float
        Threshold above the background in units of its scatter.
    bkg_boxsize : int
        Side of a box of the background mesh in pixels.
    kernel_fwhm : float
        FWHM of a star in pixels; for 'segmentation', of the smoothing, 0 for none.
    minsep_fwhm : float
        Least separation of stars in units of `kernel_fwhm`; it is at least 2 pixels.
    sigma_radius : float
        Radius of the kernel in standard deviations.
    sharplo, sharphi, roundlo, roundhi : float
        Bounds on sharpness and roundness, inclusive ('dao' and 'iraf').
    brightest : int or None
        Number of sources to keep, the brightest first ('dao' and 'iraf').
    peakmax : float or None
        Sources whose peak reaches this are left out ('dao' and 'iraf').
    npixels, connectivity, nlevels, contrast, multithresh_mode, localbkg_width, apermask_method
        As in `photutils.segmentation` ('segmentation').
    kron_params : sequence of 2 or 3 floats, or None
        Kron aperture; (2.5, 1.4, 0) by default ('segmentation').
    deblend : bool
        Whether blended sources are separated ('segmentation').
    refine : bool
        Whether the positions of 'dao' and 'iraf' are improved by a fit; never with ``compat``.

    Raises
    ------
    ValueError
        If a value has no meaning; names the parameter.
    """

    starfinder: str = "dao"
    snr_threshold: float = 10.0
    bkg_boxsize: int = 400
    kernel_fwhm: float = 2.5
    minsep_fwhm: float = 0.0
    sigma_radius: float = 1.5
    sharplo: float = 0.2
    sharphi: float = 1.0
    roundlo: float = -1.0
    roundhi: float = 1.0
    brightest: int | None = 200
    peakmax: float | None = None
    npixels: int = 10
    connectivity: int = 8
    nlevels: int = 32
    contrast: float = 0.001
    multithresh_mode: str = "exponential"
    localbkg_width: int = 0
    apermask_method: str = "correct"
    kron_params: tuple[float, ...] | None = None
    deblend: bool = True
    refine: bool = True

    def __post_init__(self) -> None:
        # Configuration files hold the choice as text.
        object.__setattr__(self, "connectivity", int(self.connectivity))
        if self.starfinder not in _CHOICES["starfinder"]:
            raise ValueError(
                f"Unknown starfinder type: {self.starfinder!r}; expected 'dao', 'iraf' or "
                "'segmentation'"
            )
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"{name}: expected one of {choices}, found {getattr(self, name)!r}"
                )
        for name in ("snr_threshold", "minsep_fwhm", "localbkg_width", "contrast"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name}: must not be negative, found {getattr(self, name)}")
        for name in ("bkg_boxsize", "npixels", "nlevels", "brightest"):
            value = getattr(self, name)
            if value is not None and not value >= 1:
                raise ValueError(f"{name}: must be at least 1, found {value}")
        if self.starfinder == "segmentation":
            if not self.kernel_fwhm >= 0:
                raise ValueError(f"kernel_fwhm: must not be negative, found {self.kernel_fwhm}")
        else:
            make_kernel(self.kernel_fwhm, self.sigma_radius)
        if self.kron_params is not None and len(self.kron_params) not in (2, 3):
            raise ValueError(f"kron_params: expected 2 or 3 numbers, found {len(self.kron_params)}")

    @property
    def min_separation(self) -> int:
        """Least separation of stars in pixels."""
        return max(LEAST_SEPARATION, int(self.minsep_fwhm * self.kernel_fwhm + 0.5))

    @property
    def advice(self) -> str | None:
        """What a user should be warned of, or None."""
        if self.starfinder == "dao" and (
            self.sharplo >= IRAF_SHARPNESS or self.roundlo >= IRAF_ROUNDNESS
        ):
            return (
                f"sharplo={self.sharplo} and roundlo={self.roundlo} suit starfinder='iraf'; with "
                "'dao', sharpness and roundness mean something else and most stars are rejected"
            )
        return None


def coverage_mask(dq: ArrayLike) -> NDArray[np.bool_]:
    """
    Find the pixels that hold no science data.

    Parameters
    ----------
    dq : array_like of int, shape (ny, nx)
        Data quality.

    Returns
    -------
    ndarray of bool, shape (ny, nx)
        Where DO_NOT_USE or NON_SCIENCE is set.
    """
    return np.asarray((np.asarray(dq) & BAD_BITS) != 0)


def empty_catalog() -> QTable:
    """
    Make a catalog without sources.

    Returns
    -------
    `~astropy.table.QTable`
        No rows, with the columns that every catalog has.
    """
    return QTable(names=("id", "xcentroid", "ycentroid", "flux"), dtype=(int, float, float, float))


def make_catalog(
    data: ArrayLike,
    mask: NDArray[np.bool_] | None = None,
    err: ArrayLike | None = None,
    *,
    options: FinderOptions | None = None,
    compat: bool = False,
    threads: int = 1,
    name: str = "image",
) -> QTable:
    """
    Find the sources of an image.

    Parameters
    ----------
    data : array_like, shape (ny, nx)
        The image; converted to float32.
    mask : ndarray of bool, shape (ny, nx), optional
        Pixels that are not to be used, see `coverage_mask`.
    err : array_like, shape (ny, nx), optional
        Standard deviation of each pixel ('segmentation').
    options : FinderOptions, optional
        How to find them.
    compat : bool, optional
        Follow jwst and `photutils`: the threshold counts masked pixels as zeros, masked and missing
        pixels are not handled where stars are found, sources at `peakmax` are kept, and positions
        are those of the finders.
    threads : int, optional
        Number of threads; the result is the same for any.
    name : str, optional
        What messages call the image.

    Returns
    -------
    `~astropy.table.QTable`
        Columns ``id`` (from 1), ``xcentroid``, ``ycentroid`` (pixels, the centre of the first one
        is 0, 0), ``flux``; and, where positions are fitted, ``xy_error``, the standard deviation of
        a coordinate in pixels that the noise of the background makes, NaN where the fit failed.
        ``meta`` holds ``threshold`` and ``background_rms`` in the unit of the data. Without rows if
        there is nothing to be found, after a warning.

    Raises
    ------
    ValueError
        If the image is not two-dimensional, or the mask or errors differ from it in shape.
    """
    options = options or FinderOptions()
    image = np.ascontiguousarray(data, dtype=np.float32)
    if image.ndim != 2 or image.size == 0:
        raise ValueError(f"{name}: expected an image, found an array of shape {image.shape}")
    for what, array in (("mask", mask), ("err", err)):
        if array is not None and np.shape(array) != image.shape:
            raise ValueError(
                f"{name}: {what} has shape {np.shape(array)}, expected {image.shape}, that of data"
            )
    mask = None if mask is None else np.ascontiguousarray(mask, dtype=bool)
    try:
        background = estimate_background(
            image, mask, box_size=options.bkg_boxsize, compat=compat, threads=threads, name=name
        )
    except NoBackgroundError as error:
        log.warning("Error determining sky background: %s", error)
        return empty_catalog()
    if options.starfinder == "segmentation":
        table = _segments(image, mask, err, background, options, compat)
    else:
        table = _stars(image, mask, background, options, compat=compat, threads=threads)
    if not len(table):
        log.warning("%s: no sources found", name)
    return table


def _stars(
    image: NDArray[np.float32],
    mask: NDArray[np.bool_] | None,
    background: Background,
    options: FinderOptions,
    *,
    compat: bool,
    threads: int,
) -> QTable:
    data = background.subtracted(image, mask, threads=threads)
    rms = background.typical_rms(mask, compat=compat, threads=threads)
    threshold = options.snr_threshold * rms
    kernel = make_kernel(options.kernel_fwhm, options.sigma_radius)
    stars = find_stars(
        data,
        threshold,
        method="dao" if options.starfinder == "dao" else "iraf",
        kernel=kernel,
        mask=mask,
        min_separation=options.min_separation,
        compat=compat,
        threads=threads,
    )
    stars = _selected(stars, options, compat)
    table = empty_catalog() if len(stars) == 0 else _table(stars.x, stars.y, stars.flux)
    if options.refine and not compat and len(stars):
        x, y, error = refine_positions(data, stars.x, stars.y, kernel, mask=mask)
        table["xcentroid"], table["ycentroid"], table["xy_error"] = x, y, error * rms
    table.meta.update(threshold=threshold, background_rms=rms)
    return table


def _selected(stars: Stars, options: FinderOptions, compat: bool) -> Stars:
    """Those within the bounds, the brightest first."""
    keep = (stars.sharpness >= options.sharplo) & (stars.sharpness <= options.sharphi)
    for roundness in (stars.roundness, stars.roundness2):
        keep &= (roundness >= options.roundlo) & (roundness <= options.roundhi)
    if options.peakmax is not None:
        keep &= stars.peak <= options.peakmax if compat else stars.peak < options.peakmax
    stars = stars[keep]
    if options.brightest is None:
        return stars
    return stars[np.argsort(-stars.flux, kind="stable")[: options.brightest]]


def _segments(
    image: NDArray[np.float32],
    mask: NDArray[np.bool_] | None,
    err: ArrayLike | None,
    background: Background,
    options: FinderOptions,
    compat: bool,
) -> QTable:
    data = background.subtracted(image, mask)
    rms = background.image("rms", mask)
    if not compat:
        missing = ~np.isfinite(data)
        mask = missing if mask is None else mask | missing
    found = find_segments(
        data,
        options.snr_threshold * rms,
        mask=mask,
        err=None if err is None else np.asarray(err, dtype=np.float32),
        smoothing_fwhm=options.kernel_fwhm,
        npixels=options.npixels,
        connectivity=options.connectivity,
        deblend=options.deblend,
        nlevels=options.nlevels,
        contrast=options.contrast,
        multithresh_mode=options.multithresh_mode,
        localbkg_width=options.localbkg_width,
        apermask_method=options.apermask_method,
        kron_params=options.kron_params,
    )
    table = empty_catalog() if found is None else _table(*found)
    typical = background.typical_rms(mask, compat=compat)
    table.meta.update(threshold=options.snr_threshold * typical, background_rms=typical)
    return table


def _table(x: NDArray[np.float64], y: NDArray[np.float64], flux: NDArray[np.float64]) -> QTable:
    return QTable(
        {
            "id": np.arange(1, len(x) + 1),
            "xcentroid": x,
            "ycentroid": y,
            "flux": flux,
        }
    )


def standard_catalog(table: Table, name: str = "catalog") -> Table:
    """
    Give a catalog the columns ``x`` and ``y``.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Has ``x`` and ``y``, ``xcentroid`` and ``ycentroid``, or ``x_centroid`` and ``y_centroid``,
        in pixels. Not changed.
    name : str, optional
        What messages call it.

    Returns
    -------
    `~astropy.table.Table`
        A copy with plain columns ``x`` and ``y``, without the rows where one of these, or a
        ``weight``, is masked or not finite.

    Raises
    ------
    ValueError
        If the columns are not there, or hold no numbers.
    """
    for pair in COORDINATES:
        if set(pair) <= set(table.colnames):
            break
    else:
        raise ValueError(
            "'tweakreg' source catalogs must contain columns 'x' and 'y', or 'xcentroid' and "
            f"'ycentroid', or 'x_centroid' and 'y_centroid'; {name} has {table.colnames}"
        )
    result = table.copy()
    result.rename_columns(pair, ("x", "y"))
    good = np.ones(len(result), dtype=bool)
    for column in ("x", "y", "weight"):
        if column not in result.colnames:
            continue
        values = _numbers(result[column], f"{name}: column {column!r}")
        good &= np.isfinite(values)
        result[column] = values
    if not good.all():
        log.warning("%s: %d rows without a position are left out", name, np.count_nonzero(~good))
    return result[good]


def _numbers(column: Any, name: str) -> NDArray[np.float64]:
    values = np.ma.filled(np.ma.asarray(getattr(column, "value", column)), np.nan)
    try:
        return np.asarray(values, dtype=np.float64)
    except ValueError as error:
        raise ValueError(f"{name} holds no numbers: {error}") from error


def position_weights(error: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Weigh positions by their errors, without letting a few bright stars carry everything.

    Parameters
    ----------
    error : ndarray of float64, shape (n,)
        ``xy_error`` of `make_catalog` in pixels; NaN where the fit failed.

    Returns
    -------
    ndarray of float64, shape (n,)
        Inverse variances of a coordinate, in 1 / pixel^2, at most ``1 / LEAST_ERROR**2``.
    """
    known = np.where(np.isfinite(error), error, UNFITTED_ERROR)
    return np.asarray(1.0 / (known**2 + LEAST_ERROR**2))


def rows_inside(table: Table, bounding_box: Any) -> Table:
    """
    Keep the sources inside the bounding box of a WCS.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Has columns ``x`` and ``y`` in pixels.
    bounding_box : object or None
        ((x0, x1), (y0, y1)), or what has it as ``bounding_box(order='F')``; None keeps all.

    Returns
    -------
    `~astropy.table.Table`
        The rows strictly inside.
    """
    if bounding_box is None:
        return table
    box = getattr(bounding_box, "bounding_box", None)
    (x0, x1), (y0, y1) = bounding_box if box is None else box(order="F")
    x, y = np.asarray(table["x"]), np.asarray(table["y"])
    return table[(x > x0) & (x < x1) & (y > y0) & (y < y1)]
