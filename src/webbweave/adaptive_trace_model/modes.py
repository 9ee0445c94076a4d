"""What differs between the instrument modes: windows, knots, clipping, padding."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["FitSetup", "OversampleSetup", "fit_setup", "oversample_setup"]


@dataclass(frozen=True)
class FitSetup:
    """
    How splines are fitted in one mode of an instrument.

    The values are those of Law & Clarke 2026 (AJ 171, 304) and of jwst 3.0, tuned by their authors
    on exposures of each mode.

    Attributes
    ----------
    lrange : int
        Columns on each side of a column that its spline is fitted to.
    space_ratio : float
        Widest gap between samples that a fit is tried with, in distances of knots.
    sigma_low, sigma_high : float
        Samples so many standard deviations below or above the spline are left out.
    fit_iter : int
        Number of fits, with samples left out in between.
    spline_bkpt : int or None
        Number of knot intervals; None to take it from the extent of the slit.
    require_ngood : int or None
        A column needs more valid pixels than this; None to take it from the extent of the slit.
    auto_bkpt_factor, auto_ngood_factor : float or None
        Knot intervals, and required pixels, per pixel along the slit where these are None.
    order : {'ascending', 'descending', 'halves'}
        Order of the columns: that of rising wavelength on the detector in question. Halves: the
        left half from the left, then the right half from the right.
    """

    lrange: int
    space_ratio: float
    sigma_low: float = 2.5
    sigma_high: float = 2.5
    fit_iter: int = 3
    spline_bkpt: int | None = None
    require_ngood: int | None = None
    auto_bkpt_factor: float | None = None
    auto_ngood_factor: float | None = None
    order: str = "ascending"

    def columns(self, n_column: int) -> NDArray[np.intp]:
        """
        List the columns in the order in which they are fitted.

        Parameters
        ----------
        n_column : int
            Width of the image.

        Returns
        -------
        ndarray of int, shape (n_column,)
            Each column once.
        """
        columns = np.arange(n_column, dtype=np.intp)
        if self.order == "ascending":
            return columns
        if self.order == "descending":
            return columns[::-1]
        middle = n_column // 2 + 1
        return np.concatenate([columns[:middle], columns[: middle - 1 : -1]])


@dataclass(frozen=True)
class OversampleSetup:
    """
    How an image is oversampled in one mode of an instrument.

    Attributes
    ----------
    pad : int
        Pixels on each side of a compact source that the splines are kept for.
    trim_ends : bool
        Whether the ends of a spline in a column are left out.
    require_ngood : int
        A column needs more valid pixels than this.
    """

    pad: int
    trim_ends: bool
    require_ngood: int = 3


_NIRSPEC = FitSetup(50, 1.6, auto_bkpt_factor=2.0, auto_ngood_factor=0.5)
#: The prism changes the line spread, and so the profile, faster along the spectrum.
_NIRSPEC_PRISM_AS_JWST = FitSetup(10, 1.6, auto_bkpt_factor=1.0, auto_ngood_factor=0.25)
#: One knot per pixel cannot follow a source that is as narrow as a pixel, at short wavelengths. Of
#: 1.0 to 2.0 per pixel, on rendered exposures, 1.1 to 1.4 follow it, and more leave gaps.
_NIRSPEC_PRISM = replace(_NIRSPEC_PRISM_AS_JWST, auto_bkpt_factor=1.2)
_MIRI = {
    "MIR_MRS": FitSetup(50, 1.2, spline_bkpt=36, require_ngood=8, order="halves"),
    "MIR_LRS_SLIT": FitSetup(5, 1.2, 3.0, 3.0, spline_bkpt=40, require_ngood=8, order="descending"),
    "MIR_LRS_SLITLESS": FitSetup(
        5, 1.2, 3.0, 3.0, fit_iter=2, spline_bkpt=60, require_ngood=8, order="descending"
    ),
}


def fit_setup(mode: str, detector: str, grating: str | None, *, compat: bool = False) -> FitSetup:
    """
    Give the setup of the fits.

    Parameters
    ----------
    mode : str
        NRS_IFU, NRS_MOS, NRS_SLIT, MIR_MRS, MIR_LRS_SLIT or MIR_LRS_SLITLESS.
    detector : str
        Name of the detector.
    grating : str or None
        Name of the grating, for NIRSpec.
    compat : bool, optional
        As in jwst: fewer knots for the prism.

    Returns
    -------
    FitSetup
        The setup.

    Raises
    ------
    ValueError
        If the detector is none of NIRSpec or MIRI, or MIRI has no such mode.
    """
    if detector.startswith("NRS"):
        prism = _NIRSPEC_PRISM_AS_JWST if compat else _NIRSPEC_PRISM
        setup = prism if grating == "PRISM" else _NIRSPEC
        return setup if detector.startswith("NRS1") else replace(setup, order="descending")
    if detector.startswith("MIR") and mode in _MIRI:
        return _MIRI[mode]
    raise ValueError(_unknown(detector, mode))


def oversample_setup(mode: str, detector: str) -> OversampleSetup:
    """
    Give the setup of oversampling.

    Parameters
    ----------
    mode : str
        As for `fit_setup`.
    detector : str
        Name of the detector.

    Returns
    -------
    OversampleSetup
        The setup.

    Raises
    ------
    ValueError
        If the detector is none of NIRSpec or MIRI.
    """
    if detector.startswith("NRS"):
        return OversampleSetup(pad=2 if mode == "NRS_IFU" else 1, trim_ends=True)
    if detector.startswith("MIR"):
        return OversampleSetup(pad=3, trim_ends=False)
    raise ValueError(_unknown(detector, mode))


def _unknown(detector: str, mode: str) -> str:
    if detector.startswith("MIR"):
        return (
            f"Unknown detector and mode {detector!r}, {mode!r}: expected one of {', '.join(_MIRI)}"
        )
    return f"Unknown detector {detector!r}: expected one of NIRSpec (NRS1, NRS2) or MIRI (MIR...)"


def _values(setup: FitSetup | OversampleSetup) -> dict[str, Any]:
    return {item.name: getattr(setup, item.name) for item in fields(setup)}


def _set_fit_kwargs(mode: str, detector: str, grating: str | None, xsize: int) -> dict[str, Any]:
    """Give the arguments of ``fit_2d_spline_trace``, in the order that users of jwst know."""
    setup = fit_setup(mode, detector, grating, compat=True)
    names = [
        *("space_ratio", "sigma_low", "sigma_high", "fit_iter"),
        *("spline_bkpt", "require_ngood", "auto_bkpt_factor", "auto_ngood_factor"),
    ]
    first = {"lrange": setup.lrange, "col_index": setup.columns(xsize)}
    return first | {name: getattr(setup, name) for name in names}


def _set_oversample_kwargs(mode: str, detector: str) -> dict[str, Any]:
    """Give the arguments of ``oversample_flux`` that depend on the mode."""
    return _values(oversample_setup(mode, detector))
