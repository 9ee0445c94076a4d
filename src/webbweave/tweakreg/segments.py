"""Sources as segments of an image above a threshold: `photutils.segmentation`."""

from __future__ import annotations

import importlib.util
import inspect
import warnings
from typing import Any

import numpy as np
from astropy.convolution import Gaussian2DKernel, convolve
from numpy.typing import NDArray

from webbweave.errors import WeaveError
from webbweave.tweakreg.finders import FWHM_PER_SIGMA

__all__ = ["find_segments"]

#: Scale, minimum radius and minimum of the circular aperture in units of it: Kron's, as in jwst.
KRON = (2.5, 1.4, 0.0)

#: What photutils called its parameters before version 3.
_FORMER = {
    "n_pixels": "npixels",
    "n_levels": "nlevels",
    "local_bkg_width": "localbkg_width",
    "aperture_mask_method": "apermask_method",
}


def find_segments(
    data: NDArray[np.float32],
    threshold: NDArray[np.float32],
    *,
    mask: NDArray[np.bool_] | None = None,
    err: NDArray[np.float32] | None = None,
    smoothing_fwhm: float = 2.5,
    npixels: int = 10,
    connectivity: int = 8,
    deblend: bool = True,
    nlevels: int = 32,
    contrast: float = 0.001,
    multithresh_mode: str = "exponential",
    localbkg_width: int = 0,
    apermask_method: str = "correct",
    kron_params: tuple[float, ...] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]] | None:
    """
    Find sources as connected pixels above a threshold, and separate those that touch.

    Parameters
    ----------
    data : ndarray of float32, shape (ny, nx)
        The image without background.
    threshold : ndarray of float32, shape (ny, nx)
        Threshold for each pixel.
    mask : ndarray of bool, shape (ny, nx), optional
        Pixels that belong to no source.
    err : ndarray of float32, shape (ny, nx), optional
        Standard deviation of each pixel.
    smoothing_fwhm : float, optional
        FWHM in pixels of the Gaussian that the image is smoothed with before; 0 for none.
    npixels : int, optional
        Least number of pixels of a source.
    connectivity : {4, 8}, optional
        Neighbours of a pixel.
    deblend : bool, optional
        Whether touching sources are separated.
    nlevels, contrast, multithresh_mode
        How: number of levels, least fraction of the flux, spacing of the levels.
    localbkg_width : int, optional
        Width in pixels of the annulus for a local background, 0 for none.
    apermask_method : {'correct', 'mask', 'none'}, optional
        What becomes of neighbours in apertures.
    kron_params : sequence of float, optional
        Parameters of the Kron aperture.

    Returns
    -------
    (x, y, flux), ndarray of float64, shape (n,) each, or None
        Positions in pixels and sums of the segments; None if there is no source.

    Raises
    ------
    WeaveError
        If scikit-image is needed and not installed.
    """
    # photutils takes long to import, and the other finders do without it.
    from photutils.segmentation import SourceCatalog, SourceFinder

    if deblend and importlib.util.find_spec("skimage") is None:
        raise WeaveError(
            "starfinder 'segmentation' with deblend=True needs the package scikit-image, which is "
            "not installed: pip install 'webbweave[segmentation]', or set deblend=False"
        )

    with warnings.catch_warnings():
        # Deblending and missing pixels are warned of; an empty result says it too.
        warnings.simplefilter("ignore")
        smoothed = _smoothed(data, mask, smoothing_fwhm)
        finder = _called(
            SourceFinder,
            n_pixels=npixels,
            connectivity=connectivity,
            deblend=deblend,
            n_levels=nlevels,
            contrast=contrast,
            mode=multithresh_mode,
            progress_bar=False,
        )
        segments = finder(smoothed, threshold, mask=mask)
        if segments is None:
            return None
        sources = _called(
            SourceCatalog,
            data,
            segments,
            convolved_data=smoothed,
            error=err,
            mask=mask,
            local_bkg_width=localbkg_width,
            aperture_mask_method=apermask_method,
            kron_params=KRON if kron_params is None else tuple(kron_params),
        )
        new = hasattr(sources, "x_centroid")
        x = np.atleast_1d(sources.x_centroid if new else sources.xcentroid)
        y = np.atleast_1d(sources.y_centroid if new else sources.ycentroid)
        flux = np.atleast_1d(sources.segment_flux)
    good = np.isfinite(x) & np.isfinite(y) & np.isfinite(flux)
    if not good.any():
        return None
    x, y, flux = (np.asarray(column[good], dtype=np.float64) for column in (x, y, flux))
    return x, y, flux


def _smoothed(
    data: NDArray[np.float32], mask: NDArray[np.bool_] | None, fwhm: float
) -> NDArray[np.float64]:
    """Smooth an image; masked and missing values are interpolated."""
    if fwhm == 0:
        return data.astype(np.float64)
    kernel = Gaussian2DKernel(fwhm / FWHM_PER_SIGMA)
    kernel.normalize()
    return np.asarray(convolve(data, kernel, mask=mask))


def _called(function: Any, *arguments: Any, **options: Any) -> Any:
    """Call something of photutils by the names that its version has for the parameters."""
    known = inspect.signature(function).parameters
    named = {
        name if name in known else _FORMER.get(name, name): value for name, value in options.items()
    }
    return function(*arguments, **named)
