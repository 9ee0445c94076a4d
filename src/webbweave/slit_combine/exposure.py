"""One exposure of a slitlet: its planes, its header values, and its WCS as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbweave.errors import InputError
from webbweave.wcs import FastWcs

__all__ = ["Scales", "SlitExposure"]

Plane = NDArray[Any]


@dataclass(frozen=True)
class Scales:
    """
    Sizes of a detector pixel along the slit.

    Attributes
    ----------
    pixel : float
        On the sky [arcsec].
    shutter : float
        In the frame of the slit [shutters].
    """

    pixel: float
    shutter: float


@dataclass(eq=False)
class SlitExposure:
    """
    One exposure of a slitlet.

    Attributes
    ----------
    name : str
        Its file, for messages and tables.
    entries : mapping
        Header values, nested as in the data model: ``source_ra``, ``meta.dither.y_offset`` etc.
    data, err, var_poisson, var_rnoise : ndarray of float, shape (ny, nx)
        Surface brightness [MJy / sr], its error, and variances.
    dq : ndarray of uint32, shape (ny, nx)
        Data quality bits.
    wave : ndarray of float64, shape (ny, nx)
        Wavelengths of the WCS [micron], NaN outside the slit.
    slit_y : ndarray of float64, shape (ny, nx)
        Position along the slit [shutters], NaN outside.
    scales, central_scales : Scales
        Sizes of a pixel: medians along the slit, and in the middle of the cut-out.
    wavelength : ndarray, shape (ny, nx), or None
        The wavelengths that came with the data, if any.
    barshadow, pathloss_point, pathloss_uniform : ndarray, shape (ny, nx), or None
        What the pipeline divided the data by, if it did.
    wcs : FastWcs or None
        The WCS itself, where there is one.
    slice : tuple of slice or None
        The part that all exposures of a group have in common, when the group has found it.
    """

    name: str
    entries: Mapping[str, Any] = field(repr=False)
    data: Plane = field(repr=False)
    err: Plane = field(repr=False)
    dq: NDArray[np.uint32] = field(repr=False)
    var_poisson: Plane = field(repr=False)
    var_rnoise: Plane = field(repr=False)
    wave: NDArray[np.float64] = field(repr=False)
    slit_y: NDArray[np.float64] = field(repr=False)
    scales: Scales
    central_scales: Scales
    wavelength: Plane | None = field(default=None, repr=False)
    barshadow: Plane | None = field(default=None, repr=False)
    pathloss_point: Plane | None = field(default=None, repr=False)
    pathloss_uniform: Plane | None = field(default=None, repr=False)
    wcs: FastWcs | None = field(default=None, repr=False)
    slice: tuple[slice, slice] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the cut-out."""
        ny, nx = self.data.shape
        return ny, nx

    @property
    def is_fixed_slit(self) -> bool:
        """Whether this is a fixed slit, not the micro-shutter array."""
        return bool(self.get("meta.instrument.lamp_mode") == "FIXEDSLIT")

    def get(self, path: str, default: Any = None) -> Any:
        """
        Look up a header value.

        Parameters
        ----------
        path : str
            Names joined by dots, such as ``"meta.exposure.type"``.
        default : object, optional
            What to return where it is missing or None.

        Returns
        -------
        object
            The value.
        """
        node: Any = self.entries
        for name in path.split("."):
            if not isinstance(node, Mapping) or name not in node:
                return default
            node = node[name]
        return default if node is None else node

    def require(self, path: str) -> Any:
        """
        Look up a header value that is needed.

        Parameters
        ----------
        path : str
            Names joined by dots.

        Returns
        -------
        object
            The value.

        Raises
        ------
        InputError
            If it is missing; the message names file and entry.
        """
        value = self.get(path)
        if value is None:
            raise InputError(f"{self.name}: the entry {path} is missing, and needed")
        return value

    def number(self, path: str) -> float:
        """
        Look up a number that is needed.

        Parameters
        ----------
        path : str
            Names joined by dots.

        Returns
        -------
        float
            The value.

        Raises
        ------
        InputError
            If it is missing, or no finite number.
        """
        value = self.require(path)
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = np.nan
        if not np.isfinite(number):
            raise InputError(f"{self.name}: the entry {path}: expected a number, found {value!r}")
        return number

    def shutter(self) -> tuple[int, float, float] | None:
        """
        Tell which shutter of the array the source is in.

        Returns
        -------
        tuple of (int, float, float), or None
            Quadrant, column and row, the entries ``quadrant``, ``xcen`` and ``ycen``; None if the
            headers do not say, as those of early versions of the pipeline.

        Raises
        ------
        InputError
            If an entry is there, but no number.
        """
        names = ("quadrant", "xcen", "ycen")
        if any(self.get(name) is None for name in names):
            return None
        quadrant, xcen, ycen = (self.number(name) for name in names)
        return round(quadrant), xcen, ycen
