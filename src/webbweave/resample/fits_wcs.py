"""The grid of a rectified spectrum as FITS keywords, for readers that know no gwcs.

The spectral axis is a look-up table (``-TAB``: Greisen, Calabretta, Valdes & Allen 2006, A&A 446,
747, section 6): a binary table holds the wavelength of each pixel. The other axis is the offset
along the slit from the source; its type is ``OFFSET``, a linear axis to every reader, since the
FITS standard (4.0, section 8.2) takes any type that it does not reserve for a linear one. The sky
is in the gwcs of the product only.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

__all__ = ["TABLE_NAME", "column_names", "spectral_wcs", "wavelength_table"]

#: Name of the extension with the wavelengths; the name that JWST cubes use.
TABLE_NAME = "WCS-TABLE"

#: Most columns that a FITS table can have (FITS standard 4.0, section 7.3.1: TFIELDS).
_MOST_COLUMNS = 999


def spectral_wcs(
    dispersion_axis: int,
    n_position: int,
    pixel_scale: float,
    *,
    source: float | None = None,
    column: str = "wavelength",
) -> dict[str, str | int | float]:
    """
    Describe a grid by FITS keywords.

    Parameters
    ----------
    dispersion_axis : {1, 2}
        FITS axis of the wavelength: 1 along rows, 2 along columns.
    n_position : int
        Number of pixels along the slit.
    pixel_scale : float
        Distance of neighbouring pixels along the slit [arcsec]; NaN off the sky, where offsets are
        in pixels.
    source : float, optional
        Pixel of the source along the slit, counted from 0; the middle pixel if None.
    column : str, optional
        Name of the column of `wavelength_table` with the wavelengths.

    Returns
    -------
    dict
        Values by FITS keyword in lower case.
    """
    spectral, position = (1, 2) if dispersion_axis == 1 else (2, 1)
    on_sky = math.isfinite(pixel_scale)
    reference = float(n_position // 2 if source is None else source) + 1.0
    return {
        "wcsaxes": 2,
        f"ctype{spectral}": "WAVE-TAB",
        f"cunit{spectral}": "um",
        f"crpix{spectral}": 1.0,
        f"crval{spectral}": 1.0,
        f"cdelt{spectral}": 1.0,
        f"ps{spectral}_0": TABLE_NAME,
        f"ps{spectral}_1": column,
        f"ctype{position}": "OFFSET",
        f"cunit{position}": "arcsec" if on_sky else "pixel",
        f"crpix{position}": reference,
        f"crval{position}": 0.0,
        f"cdelt{position}": float(pixel_scale) if on_sky else 1.0,
    }


def column_names(slits: Iterable[str]) -> list[str]:
    """
    Name the columns of the slits of a product.

    Parameters
    ----------
    slits : iterable of str
        Names of the slits; they may repeat or be empty.

    Returns
    -------
    list of str
        ``wave_slit_NAME``, or ``wavelength`` for a slit without name; all different, whatever the
        case, and of letters, digits and underscores as the FITS standard recommends.
    """
    names: list[str] = []
    taken = set()
    for slit in slits:
        plain = re.sub(r"\W", "_", slit.strip(), flags=re.ASCII)
        name = base = f"wave_slit_{plain}" if plain else "wavelength"
        number = 1
        while name.lower() in taken:
            number += 1
            name = f"{base}_{number}"
        taken.add(name.lower())
        names.append(name)
    return names


def wavelength_table(columns: Mapping[str, NDArray[np.float64]]) -> NDArray[np.void] | None:
    """
    Put the wavelengths of slits into a table.

    Parameters
    ----------
    columns : mapping of str to ndarray of float64, shape (n,)
        Wavelengths of each pixel [micron] by column name.

    Returns
    -------
    ndarray, shape (1,), or None
        One row; each field is of shape (n, 1) and type float64, as ``-TAB`` wants a coordinate
        array of one axis. None if there are more columns than a FITS table can have.
    """
    if len(columns) > _MOST_COLUMNS:
        return None
    table = np.empty(
        1, dtype=[(name, np.float64, (values.size, 1)) for name, values in columns.items()]
    )
    for name, values in columns.items():
        table[name][0, :, 0] = values
    return table
