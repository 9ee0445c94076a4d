"""How spectra are resampled: the parameters, checked."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from webbweave.resample.drizzle import check_kernel
from webbweave.resample.wavelength_grid import parse_wavelength_grid
from webbweave.resample.weights import check_weight_type

__all__ = ["COMBINE", "ERROR_MODES", "ResampleOptions", "parse_fillval"]

COMBINE = ("mean", "median", "clip")
ERROR_MODES = ("total", "pixel")

#: Apertures over which users add up variances have some pixels: for this size, the sums over 5 x 5
#: and 9 x 9 pixels, and over lines of five columns, have their true scatter to 3 %. Plain row sums
#: overstate that of 5 x 5 pixels by 7 %, as neighbours beyond its border are counted.
DEFAULT_APERTURE = 6.0


@dataclass(frozen=True)
class ResampleOptions:
    """
    How to resample; the parameters of the step.

    Attributes
    ----------
    pixfrac : float
        Linear size of the shrunk input pixel, in [0, 1].
    kernel : {'square', 'point'}
        Drizzle kernel.
    pixel_scale_ratio : float
        Input pixel scale over output pixel scale along the slit.
    pixel_scale : float or None
        Output pixel scale along the slit [arcsec]; goes before `pixel_scale_ratio`.
    weight_type : {'ivm', 'exptime', None}
        Weighting of the input pixels.
    fillval : str or float
        Science value of cells without weight: a number, or 'NAN', 'INDEF' or '' for NaN.
    output_shape : (int, int) or None
        Columns and rows (nx, ny) of the output: rows and columns are cut or added at the high end.
    output_wcs : str
        An ASDF file with the grid to resample onto; '' to design one.
    wavelength_grid : str or array_like
        Wavelengths of the output: 'native', 'linear', 'log', each also for all sources alike
        ('common', 'common-linear', 'common-log'), a number (columns per native column),
        or the wavelengths themselves [micron], ascending. The step also takes the path of a table.
    propagate_dq : bool
        Also combine the data-quality bits of the pixels that contribute.
    combine : {'mean', 'median', 'clip'}
        How to combine the exposures: weighted mean, median, or mean after rejection of outliers.
    error_mode : {'total', 'pixel'}
        Whether a variance is the sum of a pixel's covariances, so that variances may be added up
        over an aperture, or the scatter of the single pixel.
    error_aperture : float
        Size of the apertures that the variances of 'total' are meant for [pixel]; infinity makes
        them the plain row sums of the covariance.
    save_matrix : bool
        Keep the resampling matrix.
    compat : bool
        Give the numbers of jwst 3.0 instead of the corrected ones.
    threads : int
        Number of threads.

    Raises
    ------
    ValueError
        If a value is out of range; the message names the parameter.
    """

    pixfrac: float = 1.0
    kernel: str = "square"
    pixel_scale_ratio: float = 1.0
    pixel_scale: float | None = None
    weight_type: str | None = "ivm"
    fillval: str | float = "NAN"
    output_shape: tuple[int, ...] | None = None
    output_wcs: str = ""
    wavelength_grid: str | float | NDArray[np.float64] = "native"
    propagate_dq: bool = False
    combine: str = "mean"
    error_mode: str = "total"
    error_aperture: float = DEFAULT_APERTURE
    save_matrix: bool = False
    compat: bool = False
    threads: int = 1

    def __post_init__(self) -> None:
        check_kernel(self.kernel, self.pixfrac)
        check_weight_type(self.weight_type)
        parse_wavelength_grid(self.wavelength_grid)
        parse_fillval(self.fillval)
        for name in ("pixel_scale_ratio", "pixel_scale"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name}: expected a positive number, found {value}")
        for name, known in (("combine", COMBINE), ("error_mode", ERROR_MODES)):
            if getattr(self, name) not in known:
                expected = ", ".join(map(repr, known))
                raise ValueError(
                    f"{name}: expected one of {expected}, found {getattr(self, name)!r}"
                )
        if self.save_matrix and (self.compat or self.combine == "median"):
            other = "compat" if self.compat else "combine 'median'"
            raise ValueError(f"save_matrix: expected a linear combination, found {other}")
        if not self.error_aperture >= 1.0:
            raise ValueError(f"error_aperture: expected 1 or more, found {self.error_aperture}")
        shape = self.output_shape
        if shape is not None and (len(shape) != 2 or min(shape) < 1):
            raise ValueError(f"output_shape: expected two positive numbers nx, ny, found {shape}")


def parse_fillval(fillval: str | float) -> float:
    """
    Read the value for cells without data.

    Parameters
    ----------
    fillval : str or float
        A number, also as text, or 'NAN', 'INDEF' or '' for NaN.

    Returns
    -------
    float
        The value.

    Raises
    ------
    ValueError
        If the text is no number.
    """
    if isinstance(fillval, str) and fillval.strip().upper() in ("", "NAN", "INDEF"):
        return math.nan
    try:
        return float(fillval)
    except (TypeError, ValueError) as error:
        raise ValueError(f"fillval: expected a number or 'NAN', found {fillval!r}") from error
