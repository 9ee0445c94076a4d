"""The arrays of the exposures of one slitlet that its fits need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .profiles import ProfileTable
from .unique import Unique

__all__ = ["SlitStack", "trace_coordinate"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_PLANES = ("data", "sky_background", "var_total", "var_rnoise", "wave", "psf_fwhm", "yslit")


def trace_coordinate(x: ArrayLike, n_column: int) -> Floats:
    """
    The coordinate of the polynomials of traces.

    Parameters
    ----------
    x : array_like
        Columns of the cutout.
    n_column : int
        Its width.

    Returns
    -------
    ndarray of float64
        From -0.5 to 0.5 along the cutout.
    """
    return (np.asarray(x, dtype=np.float64) - n_column / 2) / n_column


@dataclass(frozen=True)
class SlitStack:
    """
    The exposures of a slitlet on a common cutout of ny rows and nx columns, P = ny nx pixels.

    Attributes
    ----------
    shape : tuple of int
        ny, nx.
    data : ndarray of float64, shape (N, P)
        Flux without sky, microjansky; NaN where it is masked.
    mask : ndarray of bool, shape (N, P)
        True where pixels are good.
    bkg_mask : ndarray of bool, shape (N, P)
        True where pixels may be used as background of other nods.
    sky_background : ndarray of float64, shape (N, P)
        The sky that was subtracted, microjansky.
    var_total, var_rnoise : ndarray of float64, shape (N, P)
        Variance of the data, and what readout noise adds to it.
    xslit, ypix : ndarray of int64, shape (P,)
        Column and row of each pixel.
    wave : ndarray of float64, shape (N, P)
        Wavelength, micron.
    psf_fwhm : ndarray of float64, shape (N, P)
        Full width at half maximum of the PSF along the slit, pixels.
    yslit : ndarray of float64, shape (N, P)
        Distance from the trace, pixels.
    base_coeffs : tuple of ndarray
        Polynomial of the trace of each exposure in `trace_coordinate`, highest power first.
    trace_coeffs : tuple of ndarray
        Polynomial that the fit adds to it.
    nods : Unique
        The nod position of each exposure.
    reference : object
        One of the nod positions.
    diffs : bool
        Other nods are subtracted as background.
    lookup : ProfileTable, optional
        The tabulated profile; None for Gaussians.

    Raises
    ------
    ValueError
        If shapes disagree; the message names the array, what was found and what was expected.
    """

    shape: tuple[int, int]
    data: Floats
    mask: Flags
    bkg_mask: Flags
    sky_background: Floats
    var_total: Floats
    var_rnoise: Floats
    xslit: NDArray[np.int64]
    ypix: NDArray[np.int64]
    wave: Floats
    psf_fwhm: Floats
    yslit: Floats
    base_coeffs: tuple[Floats, ...]
    trace_coeffs: tuple[Floats, ...]
    nods: Unique
    reference: Any
    diffs: bool = True
    lookup: ProfileTable | None = None

    def __post_init__(self) -> None:
        n, pixels = self.n, self.shape[0] * self.shape[1]
        for name in (*_PLANES, "mask", "bkg_mask"):
            _check(name, getattr(self, name), (n, pixels))
        for name in ("xslit", "ypix"):
            _check(name, getattr(self, name), (pixels,))
        for name in ("base_coeffs", "trace_coeffs"):
            _check_number(name, getattr(self, name), n)
        if self.reference not in self.nods:
            raise ValueError(
                f"reference: expected one of the nods {self.nods.values}, found {self.reference!r}"
            )

    @classmethod
    def build(
        cls,
        *,
        shape: tuple[int, int],
        data: ArrayLike,
        mask: ArrayLike,
        var_total: ArrayLike,
        var_rnoise: ArrayLike,
        wave: ArrayLike,
        psf_fwhm: ArrayLike,
        base_coeffs: Sequence[ArrayLike],
        nods: Unique | Sequence[Any],
        bkg_mask: ArrayLike | None = None,
        sky_background: ArrayLike | None = None,
        trace_coeffs: Sequence[ArrayLike] | None = None,
        reference: Any = None,
        diffs: bool = True,
        lookup: ProfileTable | None = None,
    ) -> SlitStack:
        """
        Make a stack of whatever converts to its arrays.

        Parameters
        ----------
        shape, data, mask, var_total, var_rnoise, wave, psf_fwhm, base_coeffs, nods, bkg_mask, \
        sky_background, trace_coeffs, reference, diffs, lookup
            As the attributes. The background mask is `mask`, the sky 0, the trace that of
            `base_coeffs` and the reference the first nod unless given.

        Returns
        -------
        SlitStack
            The stack; arrays of the right type are shared, not copied.

        Raises
        ------
        ValueError
            If shapes disagree.
        """
        ypix, xslit = (plane.ravel().astype(np.int64) for plane in np.indices(shape))
        base = tuple(np.asarray(c, dtype=np.float64) for c in base_coeffs)
        extra = [np.zeros(1)] * len(base) if trace_coeffs is None else trace_coeffs
        trace = tuple(np.asarray(c, dtype=np.float64) for c in extra)
        nods = nods if isinstance(nods, Unique) else Unique(nods)
        for name, coeffs in (("base_coeffs", base), ("trace_coeffs", trace)):
            _check_number(name, coeffs, len(nods.indices))
        good = np.ascontiguousarray(mask, dtype=bool)
        data = np.ascontiguousarray(data, dtype=np.float64)
        sky = np.zeros_like(data) if sky_background is None else sky_background
        return cls(
            shape=shape,
            data=data,
            mask=good,
            bkg_mask=good if bkg_mask is None else np.ascontiguousarray(bkg_mask, dtype=bool),
            sky_background=np.ascontiguousarray(sky, dtype=np.float64),
            var_total=np.ascontiguousarray(var_total, dtype=np.float64),
            var_rnoise=np.ascontiguousarray(var_rnoise, dtype=np.float64),
            xslit=xslit,
            ypix=ypix,
            wave=np.ascontiguousarray(wave, dtype=np.float64),
            psf_fwhm=np.ascontiguousarray(psf_fwhm, dtype=np.float64),
            yslit=distances(shape, base, trace),
            base_coeffs=base,
            trace_coeffs=trace,
            nods=nods,
            reference=nods.values[0] if reference is None else reference,
            diffs=diffs,
            lookup=lookup,
        )

    @property
    def n(self) -> int:
        """Number of exposures."""
        return len(self.nods.indices)

    @property
    def diffs_applied(self) -> bool:
        """Whether nods are subtracted: `diffs`, and there is more than one."""
        return self.diffs and self.nods.N > 1

    def with_trace(self, trace_coeffs: Sequence[ArrayLike]) -> SlitStack:
        """
        The same exposures with other traces.

        Parameters
        ----------
        trace_coeffs : sequence of array_like
            For each exposure, the polynomial added to that of `base_coeffs`.

        Returns
        -------
        SlitStack
            A stack that shares everything but `trace_coeffs` and `yslit`.
        """
        trace = tuple(np.array(c, dtype=np.float64) for c in trace_coeffs)
        _check_number("trace_coeffs", trace, self.n)
        return replace(
            self, trace_coeffs=trace, yslit=distances(self.shape, self.base_coeffs, trace)
        )

    def columns(self) -> Floats:
        """
        The coordinate of the polynomials of traces in each column.

        Returns
        -------
        ndarray of float64, shape (nx,)
            From -0.5 to 0.5.
        """
        return trace_coordinate(np.arange(self.shape[1]), self.shape[1])


def distances(
    shape: tuple[int, int], base_coeffs: Sequence[Floats], trace_coeffs: Sequence[Floats]
) -> Floats:
    """
    The distance of pixels from traces.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns.
    base_coeffs, trace_coeffs : sequence of ndarray
        Polynomials of each exposure, highest power first.

    Returns
    -------
    ndarray of float64, shape (N, ny nx)
        Pixels.
    """
    ny, nx = shape
    x = trace_coordinate(np.arange(nx), nx)
    rows = np.arange(ny, dtype=np.float64)[:, None]
    planes = np.empty((len(base_coeffs), ny, nx))
    for plane, base, trace in zip(planes, base_coeffs, trace_coeffs, strict=True):
        np.subtract(rows, polynomial(base, x), out=plane)
        plane -= polynomial(trace, x)
    return planes.reshape(len(planes), ny * nx)


def polynomial(coeffs: Floats, x: Floats) -> Floats:
    """
    What `numpy.polyval` gives, sooner.

    Parameters
    ----------
    coeffs : ndarray of float64, shape (n,)
        Coefficients, highest power first; at least one.
    x : ndarray of float64
        Where.

    Returns
    -------
    ndarray of float64
        The values, of the shape of `x`.
    """
    y = np.full(x.shape, coeffs[0], dtype=np.float64)
    for c in coeffs[1:]:
        y *= x
        y += c
    return y


def _check_number(name: str, coeffs: Sequence[Floats], n: int) -> None:
    if len(coeffs) != n:
        raise ValueError(f"{name}: expected one per exposure ({n}), found {len(coeffs)}")


def _check(name: str, array: Any, shape: tuple[int, ...]) -> None:
    if getattr(array, "shape", None) != shape:
        raise ValueError(
            f"{name}: expected an array of shape {shape}, found {getattr(array, 'shape', array)}"
        )
