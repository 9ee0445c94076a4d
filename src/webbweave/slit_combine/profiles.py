"""The light of a source across the dispersion: Gaussians, or a table, integrated over pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from webbweave._kernels.slit_profile import profile as _profile

__all__ = ["PixelProfile", "ProfileTable", "pixel_profile", "psf_spread"]

Floats = NDArray[np.float64]
Wings = Sequence[tuple[float, ...]]


@dataclass(frozen=True)
class ProfileTable:
    """
    A tabulated profile, integrated over pixels.

    Attributes
    ----------
    yslit : ndarray of float64, shape (n_y,)
        Distance of the centre of the pixel from the trace, pixels; equally spaced, ascending.
    wave : ndarray of float64, shape (n_wave,)
        Wavelengths of the planes, micron, ascending.
    width : ndarray of float64, shape (n_width,)
        Intrinsic widths of the source, pixels, ascending.
    values : ndarray of float64, shape (n_width, n_wave, n_y)
        Part of the light in the pixel.

    Raises
    ------
    ValueError
        If an axis has less than two values or does not ascend, `yslit` is not equally spaced, or
        the shape of `values` is not that of the axes.
    """

    yslit: Floats
    wave: Floats
    width: Floats
    values: Floats

    def __post_init__(self) -> None:
        for name in ("yslit", "wave", "width"):
            axis = getattr(self, name)
            if axis.ndim != 1 or axis.size < 2 or not (np.diff(axis) > 0.0).all():
                raise ValueError(f"{name}: expected two or more ascending numbers, found {axis}")
        steps = np.diff(self.yslit)
        if np.ptp(steps) > 1e-6 * steps[0]:
            raise ValueError("yslit: expected equal steps")
        expected = (self.width.size, self.wave.size, self.yslit.size)
        if self.values.shape != expected:
            raise ValueError(f"values: expected shape {expected}, found {self.values.shape}")

    @classmethod
    def from_cube(
        cls, cube: ArrayLike, yslit: ArrayLike, wave: ArrayLike, width: ArrayLike
    ) -> ProfileTable:
        """
        Make a table of a cube with the axes distance, wavelength, width.

        Parameters
        ----------
        cube : array_like, shape (n_y, n_wave, n_width)
            Part of the light. Planes of wavelengths that are all NaN at the first width are left
            out; other NaN are 0.
        yslit, wave, width : array_like
            The axes.

        Returns
        -------
        ProfileTable
            The table.
        """
        planes = np.asarray(cube, dtype=np.float64)
        known = ~np.isnan(planes[:, :, 0]).all(axis=0)
        values = np.ascontiguousarray(np.nan_to_num(planes[:, known], nan=0.0).transpose(2, 1, 0))
        axes = [np.ascontiguousarray(axis, dtype=np.float64) for axis in (yslit, wave, width)]
        return cls(axes[0], axes[1][known], axes[2], values)

    def wave_index(self, wave: ArrayLike) -> Floats:
        """
        Where wavelengths are among those of the table.

        Parameters
        ----------
        wave : array_like
            Micron.

        Returns
        -------
        ndarray of float64
            Fractional index; -1 outside of the table.
        """
        index = np.interp(
            np.asarray(wave, dtype=np.float64),
            self.wave,
            np.arange(self.wave.size),
            left=-1.0,
            right=-1.0,
        )
        return np.where(np.isnan(index), -1.0, index)

    @property
    def kernel(self) -> tuple[Floats, Floats, float, float]:
        """The table as the kernel takes it: values, widths, first distance and step."""
        step = (self.yslit[-1] - self.yslit[0]) / (self.yslit.size - 1)
        return self.values, self.width, float(self.yslit[0]), float(step)


@dataclass(frozen=True)
class PixelProfile:
    """
    A profile at some places, and what it changes by.

    Attributes
    ----------
    value : ndarray of float64
        Part of the light in the pixel.
    by_y : ndarray of float64
        Derivative by the distance from the trace, per pixel.
    by_width : ndarray of float64
        Derivative by the intrinsic width, per pixel.
    """

    value: Floats
    by_y: Floats
    by_width: Floats


def psf_spread(
    wave: ArrayLike,
    psf_fwhm: ArrayLike,
    *,
    lookup: ProfileTable | None = None,
    scale_fwhm: float = 1.0,
    fwhm_per_sigma: float = 2.0 * np.sqrt(2.0 * np.log(2.0)),
) -> Floats:
    """
    What the kernel has to know of the PSF of a pixel.

    Parameters
    ----------
    wave : array_like
        Wavelength, micron.
    psf_fwhm : array_like
        Full width at half maximum of the PSF, pixels.
    lookup : ProfileTable, optional
        Table of the profile.
    scale_fwhm : float, optional
        Factor of the width of the PSF.
    fwhm_per_sigma : float, optional
        Full width at half maximum of a Gaussian over its standard deviation.

    Returns
    -------
    ndarray of float64
        Variance of the PSF, square pixels; with a table, the index of the wavelength in it.
    """
    if lookup is not None:
        return lookup.wave_index(wave)
    return np.asarray((np.asarray(psf_fwhm) * (scale_fwhm / fwhm_per_sigma)) ** 2)


def pixel_profile(
    y: ArrayLike,
    spread: ArrayLike,
    width: float,
    *,
    lookup: ProfileTable | None = None,
    wings: Wings = (),
) -> PixelProfile:
    """
    The part of the light of a source that pixels hold.

    Parameters
    ----------
    y : array_like
        Distance of the centres of the pixels from the trace, pixels.
    spread : array_like
        What `psf_spread` gives, of the same shape.
    width : float
        Intrinsic width of the source, pixels.
    lookup : ProfileTable, optional
        Table of the profile; by default it is a Gaussian.
    wings : sequence of (float, float, float), optional
        Amplitude, scale and shift of further Gaussians.

    Returns
    -------
    PixelProfile
        The profile and its derivatives, of the shape of `y`.

    Raises
    ------
    ValueError
        If shapes differ, or wings are asked for with a table.
    """
    where = np.asarray(y, dtype=np.float64)
    spreads = np.asarray(spread, dtype=np.float64)
    if lookup is not None and len(wings):
        raise ValueError("wings: a tabulated profile has its own")
    if spreads.shape != where.shape:
        raise ValueError(f"spread: expected shape {where.shape}, found {spreads.shape}")
    out = np.empty((3, where.size))
    if where.size:
        _profile(
            np.ascontiguousarray(where).reshape(-1),
            np.ascontiguousarray(spreads).reshape(-1),
            float(width),
            None if lookup is None else lookup.kernel,
            wing_array(wings),
            out,
        )
    return PixelProfile(*(plane.reshape(where.shape) for plane in out))


def wing_array(wings: Wings) -> Floats:
    """
    Wings as the kernel takes them.

    Parameters
    ----------
    wings : sequence of (float, float, float)
        Amplitude, scale and shift of each.

    Returns
    -------
    ndarray of float64, shape (n, 3)
        The same.
    """
    return np.ascontiguousarray(wings, dtype=np.float64).reshape(len(wings), 3)
