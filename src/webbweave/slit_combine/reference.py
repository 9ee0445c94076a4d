"""The reference tables that come with the package: read once, shared, and never changed.

Tables that a reduction can do without are given as None if their file is missing, with one line in
the log; a missing table that it needs is an error that names the file.
"""

from __future__ import annotations

import functools
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbweave.data import reference_path
from webbweave.errors import InputError

__all__ = [
    "BarTable",
    "FixedSlitFlat",
    "LookupTables",
    "NormalizationTable",
    "SensitivityTable",
    "ShutterFlat",
    "bad_pixels",
    "bar_table",
    "dispersion",
    "fixed_slit_flat",
    "global_sky",
    "lookup_tables",
    "normalization_table",
    "psf_fwhm",
    "sensitivity_ratio_s400a1",
    "sensitivity_table",
    "shutter_flat",
]

log = logging.getLogger(__name__)

Array = NDArray[np.float64]

#: The sky spectra are stored as integer multiples of 1e-6 microjansky.
_SKY_UNITS = 10**6
#: Version of the table of the PSF in use, measured from a star of programme 1493.
_FWHM_VERSION = "2024b"
#: The slits whose PSF was tabulated; the others have the width of the first one, or nearly so.
_LOOKUP_SLITS = {"s1600a1": "s1600a1"}


@dataclass(frozen=True, eq=False)
class BarTable:
    """
    Transmission along a slitlet, as spline coefficients.

    Attributes
    ----------
    low, high : float
        Range of the spline [shutters].
    flat : ndarray, shape (n,)
        Coefficients that hold at all wavelengths.
    wave : ndarray, shape (n, k)
        Coefficients at the tabulated wavelengths.
    wavelengths : ndarray, shape (k,)
        These wavelengths [micron].
    """

    low: float
    high: float
    flat: Array
    wave: Array
    wavelengths: Array


@dataclass(frozen=True, eq=False)
class NormalizationTable:
    """
    Throughput of the prism mode against wavelength and place in the micro-shutter array.

    Attributes
    ----------
    coeffs : ndarray, shape (n, 4, 3)
        Spline coefficients per quadrant: constant, slope with xcen and with ycen.
    wavelengths : ndarray, shape (k,)
        Wavelengths that give the spline coordinate ``i / k`` [micron].
    """

    coeffs: Array
    wavelengths: Array


@dataclass(frozen=True, eq=False)
class SensitivityTable:
    """
    Sensitivity over the extended range of wavelengths.

    Attributes
    ----------
    wavelength : ndarray, shape (n,)
        Wavelengths [micron].
    sensitivity, nrs1_nrs2, nrs1_s200a1 : ndarray, shape (n,)
        The sensitivity on NRS1, its ratio to that on NRS2, and that of shutters to fixed slits.
    quadrants : dict of int to ndarray, shape (n,)
        Relative sensitivity of quadrants of the array, where there is such a column.
    """

    wavelength: Array
    sensitivity: Array
    nrs1_nrs2: Array
    nrs1_s200a1: Array
    quadrants: dict[int, Array]


@dataclass(frozen=True, eq=False)
class ShutterFlat:
    """
    The field-dependent flat of one quadrant in prism mode.

    Attributes
    ----------
    wave : ndarray, shape (n,)
        Wavelengths [micron].
    coeffs : ndarray, shape (n, ky, kx)
        Coefficients of a tensor spline over ycen and xcen.
    x_limits, y_limits : tuple of float
        Range of the spline in xcen and ycen.
    damp_wave, damp_width, damp_scale : float
        Centre, width [micron] and depth of the range of wavelengths in which the flat is damped.
    """

    wave: Array
    coeffs: Array
    x_limits: tuple[float, float]
    y_limits: tuple[float, float]
    damp_wave: float
    damp_width: float
    damp_scale: float


@dataclass(frozen=True, eq=False)
class FixedSlitFlat:
    """
    The flat along a fixed slit.

    Attributes
    ----------
    coeffs : ndarray, shape (kw, ky)
        Coefficients of a tensor spline over wavelength and pixels from the trace.
    y_limits, wave_limits : tuple of float
        Range of the spline [pixel], [micron].
    """

    coeffs: Array
    y_limits: tuple[float, float]
    wave_limits: tuple[float, float]


@dataclass(frozen=True, eq=False)
class LookupTables:
    """
    Tabulated profiles and slit losses.

    Attributes
    ----------
    profile : ndarray of float32 or float64, shape (ny, nw, ns)
        Fraction of the light in a pixel, by distance from the trace, wavelength and source width.
    y, wave, sigma : ndarray
        Distances [pixel], wavelengths [micron] and half-light radii [pixel].
    loss : ndarray of float32 or float64, shape (nw, ns, nx)
        Fraction of the light through the slit, by wavelength, source width and offset.
    x_offset : ndarray, shape (nx,)
        Offsets from the middle of the slit [slit widths].
    """

    profile: NDArray[np.floating]
    y: Array
    wave: Array
    sigma: Array
    loss: NDArray[np.floating]
    x_offset: Array


@functools.cache
def _tables(path: Path) -> dict[str, NDArray[Any]]:
    with np.load(path, allow_pickle=False) as packed:
        tables = {name: packed[name] for name in packed.files}
    for table in tables.values():
        table.flags.writeable = False
    return tables


def _required(name: str) -> dict[str, NDArray[Any]]:
    path = reference_path(f"{name}.npz")
    try:
        return _tables(path)
    except FileNotFoundError as error:
        raise InputError(
            f"{path}: the reference table is missing, is webbweave fully installed?"
        ) from error


def _optional(name: str) -> dict[str, NDArray[Any]] | None:
    try:
        return _required(name)
    except InputError as error:
        log.warning("%s; the correction is skipped", error)
        return None


def bar_table(n_shutter: int) -> BarTable:
    """
    Read the bar shadow of slitlets of one, two or three shutters.

    Parameters
    ----------
    n_shutter : int
        Number of shutters, 1 to 3.

    Returns
    -------
    BarTable
        The table.

    Raises
    ------
    ValueError
        If there is no table for so many shutters.
    InputError
        If the file is missing.
    """
    if n_shutter not in (1, 2, 3):
        raise ValueError(f"n_shutter: expected 1, 2 or 3, found {n_shutter!r}")
    tables = _required("bar_shadow")
    low, high = tables[f"minmax_{n_shutter}"]
    return BarTable(
        float(low),
        float(high),
        tables[f"flat_{n_shutter}"],
        tables[f"wave_{n_shutter}"],
        tables[f"wavelengths_{n_shutter}"],
    )


def normalization_table() -> NormalizationTable | None:
    """
    Read the normalisation of the prism mode.

    Returns
    -------
    NormalizationTable or None
        The table, None if its file is missing.
    """
    tables = _optional("prism_normalization")
    return None if tables is None else NormalizationTable(tables["coeffs"], tables["wavelengths"])


def psf_fwhm(version: str = _FWHM_VERSION) -> tuple[Array, Array]:
    """
    Read the width of the PSF along the slit.

    Parameters
    ----------
    version : str, optional
        ``'2024b'``, or one of the older ``'2024'``, ``'update'`` and ``'orig'``.

    Returns
    -------
    wave, fwhm : ndarray
        Wavelengths [micron] and full widths at half maximum [pixel].

    Raises
    ------
    ValueError
        If there is no such version.
    InputError
        If the file is missing.
    """
    tables = _required("psf_fwhm")
    if version not in tables:
        raise ValueError(f"version: expected one of {', '.join(tables)}, found {version!r}")
    wave, fwhm = tables[version]
    return wave, fwhm


def dispersion(grating: str) -> tuple[Array, Array, Array]:
    """
    Read the dispersion of a grating or the prism.

    Parameters
    ----------
    grating : str
        ``'prism'``, ``'g140m'`` and so on, in any case.

    Returns
    -------
    wavelength, dlds, resolution : ndarray
        Wavelengths [micron], dispersions [micron / pixel] and resolutions.

    Raises
    ------
    ValueError
        If there is no such grating.
    InputError
        If the file is missing.
    """
    tables = _required("dispersion")
    if grating.lower() not in tables:
        raise ValueError(f"grating: expected one of {', '.join(tables)}, found {grating!r}")
    wavelength, dlds, resolution = tables[grating.lower()].astype(np.float64)
    return wavelength, dlds, resolution


def bad_pixels(detector: str) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """
    Read the additional bad pixels of a detector.

    Parameters
    ----------
    detector : str
        ``'NRS1'`` or ``'NRS2'``.

    Returns
    -------
    index : ndarray of int32
        ``y * 2048 + x`` of each, from 0, in ascending order.
    value : ndarray of uint8
        What is the matter: open 1, cold 2, very cold 4, hot 8, very hot 16, beside a bad pixel 32,
        cold in the median 64, hot in the median 128.

    Raises
    ------
    InputError
        If the file is missing.
    """
    tables = _required("bad_pixels")
    name = detector.lower()
    if f"{name}_index" not in tables:
        raise InputError(f"detector: expected NRS1 or NRS2, found {detector!r}")
    return tables[f"{name}_index"], tables[f"{name}_value"]


def sensitivity_table(grating: str, blocking: str) -> SensitivityTable | None:
    """
    Read the sensitivity of a mode.

    Parameters
    ----------
    grating, blocking : str
        Names of the grating and the filter, in any case.

    Returns
    -------
    SensitivityTable or None
        The table, None if there is none for this mode or the file is missing.
    """
    tables = _optional("sensitivity")
    mode = f"{grating}_{blocking}".lower()
    if tables is None or f"{mode}_wavelength" not in tables:
        return None
    names = ("wavelength", "sensitivity", "nrs1_nrs2", "nrs1_s200a1")
    columns = [tables[f"{mode}_{name}"].astype(np.float64) for name in names]
    return SensitivityTable(
        columns[0],
        columns[1],
        columns[2],
        columns[3],
        {
            quadrant: tables[f"{mode}_q{quadrant}"].astype(np.float64)
            for quadrant in (1, 2, 3, 4)
            if f"{mode}_q{quadrant}" in tables
        },
    )


def shutter_flat(quadrant: int) -> ShutterFlat | None:
    """
    Read the flat of a quadrant of the micro-shutter array.

    Parameters
    ----------
    quadrant : int
        The quadrant, 1 to 4.

    Returns
    -------
    ShutterFlat or None
        The table, None if there is none or the file is missing.
    """
    tables = _optional("prism_sflat")
    if tables is None or f"wave_{quadrant}" not in tables:
        return None
    kx, ky, x_low, x_high, y_low, y_high, *damp = map(float, tables[f"header_{quadrant}"])
    coeffs = tables[f"coeffs_{quadrant}"]
    return ShutterFlat(
        tables[f"wave_{quadrant}"],
        coeffs.reshape(len(coeffs), int(ky), int(kx)),
        (x_low, x_high),
        (y_low, y_high),
        *damp,
    )


def fixed_slit_flat(slit: str) -> FixedSlitFlat | None:
    """
    Read the flat of a fixed slit.

    Parameters
    ----------
    slit : str
        Its name, such as ``'S200A1'``.

    Returns
    -------
    FixedSlitFlat or None
        The table, None if there is none or the file is missing.
    """
    tables = _optional("fixed_slit_flat")
    name = slit.lower()
    if tables is None or f"coeffs_{name}" not in tables:
        return None
    (y_low, y_high), (wave_low, wave_high) = tables[f"limits_{name}"].tolist()
    return FixedSlitFlat(tables[f"coeffs_{name}"], (y_low, y_high), (wave_low, wave_high))


def sensitivity_ratio_s400a1() -> Array | None:
    """
    Read the ratio of the sensitivities of the fixed slits S400A1 and S200A1.

    Returns
    -------
    ndarray, shape (41,), or None
        Spline coefficients on the wavelength grid of the prism, None if the file is missing.
    """
    tables = _optional("fixed_slit_flat")
    return None if tables is None else tables["ratio_s400a1_s200a1"]


def global_sky(visit: str) -> tuple[Array, Array] | None:
    """
    Read the sky of a visit, in prism mode.

    Parameters
    ----------
    visit : str
        Such as ``'jw01345062001'``.

    Returns
    -------
    wave, flux : ndarray, or None
        Wavelengths [micron] and flux [microjansky per pixel]; None if there is none.
    """
    tables = _optional("msa_sky")
    if tables is None:
        return None
    (rows,) = np.nonzero(tables["visits"] == visit)
    if not rows.size:
        return None
    start, stop = tables["ranges"][rows[0]]
    flux = np.cumsum(tables["steps"][rows[0], start:stop], dtype=np.int64) / _SKY_UNITS
    return tables["wave"][start:stop], flux


def lookup_tables(slit: str = "s200a1") -> LookupTables:
    """
    Read the tabulated profiles of a slit.

    Parameters
    ----------
    slit : str, optional
        Name of a fixed slit. S1600A1 has its own table, all others and the shutters share one.

    Returns
    -------
    LookupTables
        The tables.

    Raises
    ------
    InputError
        If the file is missing.
    """
    tables = _required(f"lookup_psf_{_LOOKUP_SLITS.get(slit.lower(), 's200a1')}")
    return LookupTables(
        tables["PROF"],
        tables["YSLIT"],
        tables["WAVE"],
        tables["SIGMA"],
        tables["LOSS"],
        tables["LOSS_XOFFSET"],
    )
