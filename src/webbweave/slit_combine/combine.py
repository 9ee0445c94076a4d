"""The product: spectrum, rectified image, profile, and what they were made of."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbweave.columns import Columns
from webbweave.datamodels.spectra import SpectrumHDUs, spectrum_bytes, spectrum_hdus
from webbweave.slit_combine.drizzle import DRIZZLE_KWS, DrizzledGroups, chosen_groups, drizzled
from webbweave.slit_combine.group import is_compat

__all__ = ["combine_grating_group", "combined_bytes", "mean_profile"]

log = logging.getLogger(__name__)

Array = NDArray[np.float64]

#: Columns above this S/N make the mean profile, unless there are fewer than so many; then those
#: above the lower one do. The limits of msaexp.
_HIGH_SN, _LOW_SN, _ENOUGH_COLUMNS = 3.0, 1.0, 10

#: Columns of the spectrum in the order of the product.
_SPECTRUM = (
    "wave", "flux", "err", "sky", "path_corr", "npix", "norm_corr", "flux_sum", "profile_sum",
    "var_sum",
)  # fmt: skip


def combine_grating_group(
    xobj: Mapping[str, Any],
    grating_keys: Sequence[str],
    drizzle_kws: Mapping[str, Any] = DRIZZLE_KWS,
    include_full_pixtab: Sequence[str] = ("PRISM",),
) -> SpectrumHDUs:
    """
    Combine groups of one grating to a spectrum.

    Parameters
    ----------
    xobj : mapping
        Groups by key, see `drizzle_grating_group`.
    grating_keys : sequence of str
        The keys to combine.
    drizzle_kws : mapping, optional
        Further parameters of `drizzle_grating_group`.
    include_full_pixtab : sequence of str, optional
        Gratings whose products have the table of pixels.

    Returns
    -------
    `~astropy.io.fits.HDUList`
        SPEC1D: the spectrum [microjansky, micron], see `pixel_table_to_1d`. SCI: the rectified
        image. WHT: the inverse of a variance that adds up over cells. PROFILE: the fitted profile.
        All these have the whole header. PROF1D: ``pix``, and the means over wavelengths of the data
        and of the fit, ``profile`` and ``pfit``. BACKGROUND: the sky that was subtracted, unless
        there is none. VARIANCE and
        CORR_UP: the variance of each cell, and the correlation of its error with the next row; not
        in the mode of msaexp. PIXTAB: the pixels. SLITS: the exposures.

    Raises
    ------
    KeyError, ValueError, WeaveError
        See `drizzle_grating_group`.
    """
    return spectrum_hdus(
        combined_bytes(xobj, grating_keys, drizzle_kws, include_full_pixtab=include_full_pixtab)
    )


def combined_bytes(
    xobj: Mapping[str, Any],
    grating_keys: Sequence[str],
    drizzle_kws: Mapping[str, Any] = DRIZZLE_KWS,
    include_full_pixtab: Sequence[str] = ("PRISM",),
) -> bytes:
    """
    Make the file of `combine_grating_group`.

    Parameters
    ----------
    xobj, grating_keys, drizzle_kws, include_full_pixtab
        See there.

    Returns
    -------
    bytes
        The file.

    Raises
    ------
    KeyError, ValueError, WeaveError
        See there.
    """
    chosen = chosen_groups(xobj, grating_keys)
    made = drizzled(chosen, **drizzle_kws)
    num, vnum, den, _ = made.sums(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        image, weight = num / den, den**2 / vnum
        sky, profile = made.planes.num[1] / den, np.nan_to_num(made.planes.num[2] / den)
    weight = np.where(den > 0, weight, 0.0)
    prof1d = mean_profile(image, weight, profile, made)
    if is_compat(chosen[0][0]):  # where there is no pixel
        image, weight = np.nan_to_num(image), np.where(den > 0, weight, np.nan)
    header = made.cards
    header.set(_extraction_cards(made))
    parts: list[tuple[str, Any, bool]] = [
        ("SPEC1D", made.spectrum.select(_SPECTRUM), True),
        ("SCI", image, True),
        ("WHT", weight, True),
        ("PROFILE", profile, True),
        ("PROF1D", prof1d, False),
    ]
    if np.nan_to_num(sky).any():
        parts.append(("BACKGROUND", sky, True))
    if not is_compat(chosen[0][0]):
        parts.append(("VARIANCE", made.planes.variance(), False))
        parts.append(("CORR_UP", made.planes.correlation_above(), False))
    tables = {"SLITS": made.slits}
    if chosen[0][0].grating in include_full_pixtab:
        tables = {"PIXTAB": made.pixels, **tables}
    log.info("%s: spectrum of %d exposures", chosen[0][0].name, header["NCOMBINE"])
    return spectrum_bytes(header, parts, tables)


def _extraction_cards(made: DrizzledGroups) -> dict[str, Any]:
    header, middle = made.cards, int(np.argmin(np.abs(made.y_edges + 0.5)))
    cards: dict[str, Any] = {
        "TOMUJY": (1.0, "Conversion from pixel values to microJansky"),
        "PROFCEN": (0.0, "Profile center, pixels from the trace"),
        "YTRACE": (float(middle), "Expected center of trace"),
        **made.spectrum.meta,
    }
    if "SIGMA" in header:
        cards["PROFSIG"] = (header["SIGMA"], "Profile width, pixels")
    if "NOD_OFFSET" in header:
        cards["BKGOFF"] = (header["NOD_OFFSET"], "Offset of the subtracted nods, pixels")
    return cards


def mean_profile(image: Array, weight: Array, profile: Array, made: DrizzledGroups) -> Columns:
    """
    Average the profile along the slit over the wavelengths where the source is seen.

    Parameters
    ----------
    image, weight, profile : ndarray, shape (ny, nx)
        The rectified image, its weight, and the fitted profile.
    made : DrizzledGroups
        The spectrum.

    Returns
    -------
    Columns
        ``pix``, distance from the trace [pixel]; ``profile``, the image divided by the flux of each
        column, weighted with its inverse variance; ``pfit``, the fit with the same weights. NaN in
        rows without data.
    """
    flux, error = (made.spectrum.arrays[name] for name in ("flux", "err"))
    with np.errstate(divide="ignore", invalid="ignore"):
        sn = flux / error
        used = sn > _HIGH_SN
        if np.count_nonzero(used) < _ENOUGH_COLUMNS:
            used = sn > _LOW_SN
        known = np.isfinite(image) & used
        weights = np.where(known, weight * np.where(used, flux, 0.0) ** 2, 0.0)
        ratio = np.where(known, image / np.where(used, flux, 1.0), 0.0)
        total = weights.sum(axis=1)
        data = (ratio * weights).sum(axis=1) / total
        fitted = (profile * weights).sum(axis=1) / total
    centres = (made.y_edges[1:] + made.y_edges[:-1]) / 2
    return Columns({"pix": centres, "profile": data, "pfit": fitted})
