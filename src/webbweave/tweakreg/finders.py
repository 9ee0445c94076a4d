"""Star finders on arrays: DAOFIND, IRAF's starfind, and segmentation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from webbweave._kernels import star_finder as _kernel
from webbweave._kernels import star_refine as _refine
from webbweave.parallel import run_ranges

__all__ = ["StarKernel", "Stars", "find_stars", "make_kernel", "refine_positions"]

#: FWHM of a Gaussian over its standard deviation: 2 sqrt(2 ln 2).
FWHM_PER_SIGMA = float(2.0 * np.sqrt(2.0 * np.log(2.0)))
#: The kernel reaches at least this far, in pixels, however narrow the star (Stetson 1987).
LEAST_REACH = 2.0
#: Peaks that are looked for at first; where there are more, they are looked for once more.
FIRST_CAPACITY = 4096

_METHODS = {"dao": _kernel.DAOFIND, "iraf": _kernel.STARFIND}


@dataclass(frozen=True, eq=False)
class StarKernel:
    """
    The zero-sum Gaussian that stars are found with.

    Attributes
    ----------
    sigma : float
        Standard deviation of the Gaussian in pixels.
    gauss : ndarray of float64, shape (n, n)
        The Gaussian, 1 in the centre.
    inside : ndarray of bool, shape (n, n)
        Pixels that the kernel uses.
    weights : ndarray of float64, shape (n, n)
        The kernel: its correlation with an image is the amplitude of the fitted Gaussian.
    relative_error : float
        Noise of the correlation over that of a pixel.
    """

    sigma: float
    gauss: NDArray[np.float64]
    inside: NDArray[np.bool_]
    weights: NDArray[np.float64]
    relative_error: float


@dataclass(frozen=True, eq=False)
class Stars:
    """
    What a finder found, an element per star.

    Attributes
    ----------
    x, y : ndarray of float64
        Position in pixels; the centre of the first pixel is (0, 0).
    flux, peak : ndarray of float64
        In the unit of the data; see csrc/star_measure.h for the definitions of each finder.
    sharpness, roundness, roundness2 : ndarray of float64
        Measures of shape; the two roundnesses differ for 'dao' only.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    flux: NDArray[np.float64]
    peak: NDArray[np.float64]
    sharpness: NDArray[np.float64]
    roundness: NDArray[np.float64]
    roundness2: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, which: NDArray[np.bool_] | NDArray[np.intp] | slice) -> Stars:
        return Stars(*(column[which] for column in self.columns))

    @property
    def columns(self) -> tuple[NDArray[np.float64], ...]:
        """All columns, in the order of the attributes."""
        return (
            self.x,
            self.y,
            self.flux,
            self.peak,
            self.sharpness,
            self.roundness,
            self.roundness2,
        )


def make_kernel(fwhm: float, sigma_radius: float = 1.5) -> StarKernel:
    """
    Make the kernel of a star finder (Stetson 1987, PASP 99, 191).

    Parameters
    ----------
    fwhm : float
        FWHM of the Gaussian in pixels.
    sigma_radius : float, optional
        Radius at which it is cut, in standard deviations; at least 2 pixels.

    Returns
    -------
    StarKernel
        The kernel.

    Raises
    ------
    ValueError
        If a parameter is not positive.
    """
    for name, value in (("kernel_fwhm", fwhm), ("sigma_radius", sigma_radius)):
        if not 0.0 < value < np.inf:
            raise ValueError(f"{name}: expected a positive number, found {value}")
    sigma = fwhm / FWHM_PER_SIGMA
    half = int(max(LEAST_REACH, sigma_radius * sigma))
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    square = (x**2 + y**2).astype(np.float64)
    exponent = square / (2.0 * sigma**2)
    inside = (exponent <= sigma_radius**2 / 2.0) | (np.sqrt(square) <= LEAST_REACH)
    gauss = np.exp(-exponent)
    used = gauss * inside
    n = np.count_nonzero(inside)
    information = float((used**2).sum() - used.sum() ** 2 / n)
    weights = (used - used.sum() / n) / information * inside
    return StarKernel(sigma, gauss, inside, weights, float(1.0 / np.sqrt(information)))


def find_stars(
    data: NDArray[np.float32],
    threshold: float,
    *,
    method: Literal["dao", "iraf"],
    kernel: StarKernel,
    mask: NDArray[np.bool_] | None = None,
    min_separation: int = 2,
    compat: bool = False,
    threads: int = 1,
) -> Stars:
    """
    Find the stars of an image and measure them.

    A star is a peak of the correlation of the image with the kernel. By default, pixels that are
    masked or not finite or off the image are left out of the correlation, and filled with the
    fitted Gaussian where a star is measured; a star is not found where its centre is such a pixel,
    or where less than half of its information is left.

    Parameters
    ----------
    data : ndarray of float32, shape (ny, nx)
        The image without background.
    threshold : float
        Least height of the peak: of the correlation for 'iraf'; for 'dao', of the correlation in
        units of its noise over that of a pixel.
    method : {'dao', 'iraf'}
        How stars are measured.
    kernel : StarKernel
        The shape of a star.
    mask : ndarray of bool, shape (ny, nx), optional
        Pixels that are not to be used.
    min_separation : int, optional
        Radius in pixels within which there is no higher peak; of equal ones, the first is taken.
    compat : bool, optional
        As `photutils.detection`: masked pixels are used where they are not peaks, a pixel that is
        not finite hides all that the kernel covers, beyond the image all is 0, of equal peaks all
        are taken.
    threads : int, optional
        Number of threads; the result is the same for any.

    Returns
    -------
    Stars
        All stars that could be measured, in the order of the rows of their peaks.
    """
    missing = _kernel.MISSING_POISON if compat else _kernel.MISSING_FIT
    bad = None if mask is None else mask.view(np.uint8)
    inside = kernel.inside.view(np.uint8)
    shape = kernel.gauss, kernel.weights, inside
    correlation = np.empty(data.shape, dtype=np.float32)

    def correlate(start: int, stop: int) -> None:
        _kernel.star_correlate(
            data,
            bad,
            *shape,
            correlation,
            sigma=kernel.sigma,
            missing=missing,
            row_start=start,
            row_stop=stop,
        )

    run_ranges(correlate, data.shape[0], threads)
    limit = threshold * (kernel.relative_error if method == "dao" else 1.0)
    pixel = _peaks(correlation, bad, limit, min_separation, compat)
    table = np.empty((len(pixel), _kernel.COLUMNS))
    if len(pixel):
        _kernel.star_measure(
            data,
            bad,
            *shape,
            correlation,
            pixel,
            table,
            sigma=kernel.sigma,
            method=_METHODS[method],
            missing=missing,
            start=0,
            stop=len(pixel),
        )
    return Stars(*table[np.asarray(np.isfinite(table).all(axis=1))].T.copy())


def _peaks(
    correlation: NDArray[np.float32],
    bad: NDArray[np.uint8] | None,
    threshold: float,
    radius: int,
    compat: bool,
) -> NDArray[np.uint64]:
    capacity = FIRST_CAPACITY
    while True:
        pixel = np.empty(capacity, dtype=np.uint64)
        found = _kernel.star_peaks(
            correlation,
            bad,
            pixel,
            threshold=threshold,
            radius=radius,
            ties=_kernel.TIES_ALL if compat else _kernel.TIES_FIRST,
            row_start=0,
            row_stop=correlation.shape[0],
        )
        if found <= capacity:
            return pixel[:found]
        capacity = found


def refine_positions(
    data: NDArray[np.float32],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    kernel: StarKernel,
    *,
    mask: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """
    Improve positions by the fit of a Gaussian of free width on a free level.

    The positions of the finders are off by some hundredths of a pixel, depending on where in its
    pixel a star is. Those of the fit are not, to a few thousandths for the narrowest of stars.

    Parameters
    ----------
    data : ndarray of float32, shape (ny, nx)
        The image.
    x, y : ndarray of float64, shape (n,)
        Positions in pixels.
    kernel : StarKernel
        The kernel that the stars were found with; its pixels are fitted.
    mask : ndarray of bool, shape (ny, nx), optional
        Pixels that are not to be used.

    Returns
    -------
    x, y : ndarray of float64, shape (n,)
        Positions in pixels; those given where the fit has no answer.
    error : ndarray of float64, shape (n,)
        Standard deviation of a coordinate in pixels, for pixels with a noise of 1: to be multiplied
        by it. NaN where the fit has no answer.
    """
    place = np.stack([x, y], axis=1).astype(np.float64)
    fitted = np.empty((len(place), _refine.COLUMNS))
    if len(place):
        _refine.star_refine(
            data,
            None if mask is None else mask.view(np.uint8),
            place,
            fitted,
            half=len(kernel.gauss) // 2,
            sigma=kernel.sigma,
            start=0,
            stop=len(place),
        )
    good = np.isfinite(fitted[:, 0]) & np.isfinite(fitted[:, 1])
    best = np.where(good[:, None], fitted[:, :2], place)
    return best[:, 0], best[:, 1], fitted[:, 3]
