"""Tabulated profiles of sources of any width, and the light that their slit lets through."""

from __future__ import annotations

from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from webbweave.datamodels import read_named_arrays
from webbweave.errors import InputError
from webbweave.slit_combine.reference import LookupTables, lookup_tables

__all__ = ["FIXED_SLITS", "LookupTablePSF", "set_lookup_prf"]

Array = NDArray[np.float64]

#: The arrays of a file of tables.
_ARRAYS = ("PROF", "YSLIT", "WAVE", "SIGMA", "LOSS", "LOSS_XOFFSET")
#: Fixed slits of NIRSpec; what is in the shutters has the profile of the first one.
FIXED_SLITS = ("S200A1", "S200A2", "S400A1", "S1600A1", "S200B1")


class LookupTablePSF:
    """
    Profile along the slit, integrated over pixels, of exponential disks behind the telescope.

    Parameters
    ----------
    tables : `~webbweave.slit_combine.reference.LookupTables`, str or path, optional
        The tables, or a file with the arrays PROF (y, wave, width), YSLIT, WAVE, SIGMA, LOSS (wave,
        width, offset) and LOSS_XOFFSET: an npz file, or a FITS file with an extension for each, as
        msaexp has them. By default those that come with the package, in single precision.
    slit : str, optional
        Name of the fixed slit whose tables to take if there is none given. Shutters have those of
        S200A1.

    Raises
    ------
    InputError
        If the file cannot be read or does not have these arrays, or their shapes do not agree.

    Notes
    -----
    Nothing is kept of an evaluation: threads may share an instance.
    """

    def __init__(
        self, tables: LookupTables | str | Path | None = None, *, slit: str = "S200A1"
    ) -> None:
        if tables is None:
            tables = lookup_tables(slit)
        self.tables = tables if isinstance(tables, LookupTables) else _read(Path(tables))
        self.slit = slit.upper()

    def __repr__(self) -> str:
        low, high = self.tables.wave[[0, -1]]
        return f"<LookupTablePSF of {self.slit}, {low:.2f} to {high:.2f} um>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel to other processes by name where the tables are those of the package."""
        own = self.tables.profile is lookup_tables(self.slit).profile
        given = None if own and self.tables.loss is lookup_tables(self.slit).loss else self.tables
        return partial(LookupTablePSF, given, slit=self.slit), ()

    @cached_property
    def _profile(self) -> tuple[Array, Array]:
        """Wavelengths that have a profile, and the profiles (width, wave, y)."""
        planes = np.asarray(self.tables.profile, dtype=np.float64).transpose(2, 1, 0)
        known = np.isfinite(planes[0]).any(axis=1)
        return self.tables.wave[known], np.nan_to_num(planes[:, known])

    @cached_property
    def _loss(self) -> Array:
        """Light through the slit as a fraction of that of a centred point source."""
        loss = np.asarray(self.tables.loss, dtype=np.float64)
        return np.nan_to_num(loss / loss[:, :1, :1])

    @property
    def wave(self) -> Array:
        """Wavelengths of `plane` [micron], increasing."""
        return self._profile[0]

    @property
    def y(self) -> Array:
        """Distances from the trace of `plane` [pixel], increasing."""
        return self.tables.y

    def plane(self, sigma: float) -> Array:
        """
        Interpolate the profiles of one width.

        Parameters
        ----------
        sigma : float
            Half-light radius [pixel]; taken to the nearest tabulated one outside of the table.

        Returns
        -------
        ndarray of float64, shape (n_wave, n_y)
            The part of the light in a pixel at each of `wave` and `y`.
        """
        planes = self._profile[1]
        low, part = _fraction(np.array(float(sigma)), self.tables.sigma, clip=True)
        high = min(int(low) + 1, len(planes) - 1)
        return np.asarray(planes[int(low)] * (1 - part) + planes[high] * part)

    def evaluate(self, y: ArrayLike, wave: ArrayLike, sigma: float = 0.0) -> Array:
        """
        Interpolate the profile, linearly along each axis.

        Parameters
        ----------
        y : array_like
            Distances of pixels from the trace [pixel].
        wave : array_like
            Their wavelengths [micron].
        sigma : float, optional
            Half-light radius of the source [pixel], see `plane`.

        Returns
        -------
        ndarray of float64
            The part of the light in each pixel, 0 outside of the table and where one is NaN.
        """
        y, wave = np.broadcast_arrays(
            np.asarray(y, dtype=np.float64), np.asarray(wave, dtype=np.float64)
        )
        plane = self.plane(sigma)
        out = np.zeros(y.shape)
        inside = _inside(y, self.y) & _inside(wave, self.wave)
        row, along = _fraction(wave[inside], self.wave)
        column, across = _fraction(y[inside], self.y)
        flat, width = plane.reshape(-1), plane.shape[1]
        first = row * width + column
        second = first + width
        out[inside] = (1 - along) * ((1 - across) * flat[first] + across * flat[first + 1]) + (
            along * ((1 - across) * flat[second] + across * flat[second + 1])
        )
        return out

    __call__ = evaluate

    def path_loss(self, wave: ArrayLike, sigma: float = 0.0, x_offset: float = 0.0) -> Array:
        """
        Interpolate the light through the slit as a fraction of that of a centred point source.

        Parameters
        ----------
        wave : array_like
            Wavelengths [micron].
        sigma : float, optional
            Half-light radius of the source [pixel].
        x_offset : float, optional
            Offset from the middle of the slit, to either side [slit widths]; both are taken to the
            nearest tabulated value outside of the table.

        Returns
        -------
        ndarray of float64
            Fractions, 0 outside of the tabulated wavelengths.
        """
        wave = np.asarray(wave, dtype=np.float64)
        at_width, part_width = _fraction(np.array(float(sigma)), self.tables.sigma, clip=True)
        at_offset, part_offset = _fraction(
            np.array(abs(float(x_offset))), self.tables.x_offset, clip=True
        )
        two = self._loss[:, int(at_width) : int(at_width) + 2]
        four = two[:, :, int(at_offset) : int(at_offset) + 2]
        weights = np.outer([1 - part_width, part_width], [1 - part_offset, part_offset])
        by_wave = np.einsum("wij,ij->w", four, weights)
        at = np.interp(wave, self.tables.wave, by_wave, left=0.0, right=0.0)
        return np.asarray(np.where(np.isfinite(wave), at, 0.0))


def _inside(values: Array, grid: Array) -> NDArray[np.bool_]:
    return np.asarray((values >= grid[0]) & (values <= grid[-1]))


def _fraction(
    values: Array, grid: Array, *, clip: bool = False
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The grid point below each value and the part of the way to the next one."""
    if clip:
        values = np.clip(values, grid[0], grid[-1])
    low = np.clip(np.searchsorted(grid, values, side="right") - 1, 0, len(grid) - 2)
    return low, (values - grid[low]) / (grid[low + 1] - grid[low])


def _read(path: Path) -> LookupTables:
    found = read_named_arrays(path, _ARRAYS)
    profile, y, wave, sigma, loss, x_offset = (found[name] for name in _ARRAYS)
    for name, shape, want in (
        ("PROF", profile.shape, (y.size, wave.size, sigma.size)),
        ("LOSS", loss.shape, (wave.size, sigma.size, x_offset.size)),
    ):
        if shape != want:
            raise InputError(f"{path}: {name} has the shape {shape}, its axes have {want}")
    for name in ("YSLIT", "WAVE", "SIGMA", "LOSS_XOFFSET"):
        axis = found[name]
        if axis.size < 2 or not (np.diff(axis) > 0).all():
            raise InputError(f"{path}: {name} must be two or more increasing values")
    return LookupTables(profile, y, wave, sigma, loss, x_offset)


def set_lookup_prf(
    psf_file: str | Path | None = None,
    slit_file: str | Path | None = None,
    grating: str = "PRISM",
    filter: str = "CLEAR",  # noqa: A002  the name that callers use
    fixed_slit: str = "S200A1",
    version: str = "001",
    lookup_prf_type: str = "merged",
    force_m_gratings: bool = True,
    prism_merged: bool = False,
) -> LookupTablePSF:
    """
    Choose tables of the point spread function.

    Parameters
    ----------
    psf_file : str or path, optional
        A file of tables, npz or FITS, see `LookupTablePSF`; by default those of the package.
    slit_file : str or path, optional
        Another such file to take the slit losses from.
    grating, filter : str, optional
        What was observed with. The merged tables hold for all of them.
    fixed_slit : str, optional
        The fixed slit; S1600A1 has tables of its own.
    version : str or int, optional
        Version of the tables of the package; there is 1.
    lookup_prf_type : str, optional
        Kind of the tables; there is 'merged', of all gratings.
    force_m_gratings, prism_merged : bool, optional
        Of no consequence with merged tables.

    Returns
    -------
    LookupTablePSF
        The tables, to be given to `SlitGroup`. Nothing is set anywhere.

    Raises
    ------
    ValueError
        If there are no such tables.
    InputError
        If a file cannot be read, or those of two files do not fit together.
    """
    if fixed_slit.upper() not in FIXED_SLITS:
        raise ValueError(
            f"fixed_slit: expected one of {', '.join(FIXED_SLITS)}, found {fixed_slit!r}"
        )
    if psf_file is None and lookup_prf_type != "merged":
        raise ValueError(f"lookup_prf_type: expected 'merged', found {lookup_prf_type!r}")
    if psf_file is None and (not str(version).isdigit() or int(version) != 1):
        raise ValueError(f"version: expected '001', found {version!r}")
    psf = LookupTablePSF(psf_file, slit=fixed_slit)
    if slit_file is None:
        return psf
    loss, own = LookupTablePSF(slit_file).tables, psf.tables
    if loss.wave.shape != own.wave.shape or loss.sigma.shape != own.sigma.shape:
        raise InputError(
            f"{slit_file}: has {loss.wave.size} wavelengths and {loss.sigma.size} widths, "
            f"the profiles have {own.wave.size} and {own.sigma.size}"
        )
    return LookupTablePSF(
        LookupTables(own.profile, own.y, own.wave, own.sigma, loss.loss, loss.x_offset),
        slit=fixed_slit,
    )
