"""The header of a combined spectrum."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from webbweave import __version__
from webbweave.columns import Columns
from webbweave.datamodels.cards import CardTexts
from webbweave.datamodels.spectra import Header, exposure_cards
from webbweave.slit_combine.group import SlitGroupLike, is_compat

__all__ = ["obj_cards", "obj_header", "with_exposures"]

#: Entries of the metadata that are no card of their own: they are said in other words.
_NOT_CARDS = ("bad_shutter_names",)

#: What joins the exposures of both detectors: visit, group and number, the first words of a name.
_EXPOSURE_WORDS = 3


def obj_header(obj: SlitGroupLike, i0: int = 0) -> Header:
    """
    Make the header of the spectrum of a group.

    Parameters
    ----------
    obj : SlitGroup
        The group.
    i0 : int, optional
        The exposure whose header is the beginning.

    Returns
    -------
    `~astropy.io.fits.Header`
        Cards of the file of that exposure, if there is a file; EXPTIME, the exposure times [s] of
        all exposures, those of two detectors once; NCOMBINE, the number of exposures; the options
        of the group; the fits: SIGMA, the width of the reference [pixel], and for nod number i
        EGROUP{i}, SIGMA{i} and its error SIGERR{i}, OFFD{i}, the degree of the offset of the trace,
        OFFC{i}_{k} and OFFE{i}_{k}, its coefficients and their errors.

    Raises
    ------
    IndexError
        If there is no such exposure.
    InputError
        If its file cannot be read.
    """
    return obj_cards(obj, i0).header()


def obj_cards(obj: SlitGroupLike, i0: int = 0, *, slits: Columns | None = None) -> CardTexts:
    """
    Make the cards of `obj_header`.

    Parameters
    ----------
    obj, i0
        See there.
    slits : Columns, optional
        What ``obj.slit_columns()`` gave, if it is at hand.

    Returns
    -------
    CardTexts
        The cards.

    Raises
    ------
    IndexError, InputError
        See there.
    """
    if not -obj.N <= i0 < obj.N:
        raise IndexError(f"{obj.name}: exposure {i0} is not among {obj.N}")
    file = obj.files[i0]
    header = CardTexts()
    if isinstance(file, str | PathLike) and Path(file).suffix == ".fits":
        header = exposure_cards(Path(file))
    header.set(_summary_cards(obj))
    header.set(_option_cards(obj))
    header.set(_slit_cards(obj, i0, obj.slit_columns() if slits is None else slits))
    header.set(_fit_cards(obj))
    header.set({"WEAVEVER": (__version__, "Version of webbweave")})
    return header


def with_exposures(header: CardTexts, groups: list[SlitGroupLike]) -> None:
    """
    Set the number of exposures and their time to those of several groups.

    Parameters
    ----------
    header : CardTexts
        Changed in place.
    groups : list of SlitGroup
        All groups of a spectrum.
    """
    header.set(_exposure_cards(groups))


def _exposure_cards(groups: list[SlitGroupLike]) -> dict[str, Any]:
    times: dict[Any, float] = {}
    for number, group in enumerate(groups):
        for i in range(group.N):
            name = Path(_file_name(group, i) or f"{number} {i}").name
            root = "_".join(name.split("_")[:_EXPOSURE_WORDS])
            times.setdefault(root, float(group.exptime[i]))
    return {
        "EXPTIME": (sum(times.values()), "[s] Exposure time of all exposures"),
        "NCOMBINE": (sum(group.N for group in groups), "Number of combined exposures"),
    }


def _file_name(group: SlitGroupLike, i: int) -> str:
    names = group.info["filename"] if "filename" in _names(group.info) else [""] * group.N
    return str(names[i])


def _names(info: Any) -> Any:
    return getattr(info, "colnames", info)


def _summary_cards(obj: SlitGroupLike) -> dict[str, Any]:
    return {
        **_exposure_cards([obj]),
        "BUNIT": ("microJansky", "physical units of the array values"),
        "WAVECORR": (bool(obj.meta.get("trace_with_xpos")), "Wavelength corrected for xpos"),
        "YPIXTRA": (obj.source_ypixel_position, "Y pixel position in 2D cutouts"),
        "YPIXSCL": (obj.slit_pixel_scale, "Cross dispersion pixel scale, arcsec"),
        "CALCREF": (obj.calc_reference_exposure, "Derived reference exposure"),
    }


def _option_cards(obj: SlitGroupLike) -> dict[str, Any]:
    comments = obj.meta_comment
    cards = {
        key: (value, comments.get(key, ""))
        for key, value in obj.meta.items()
        if key not in _NOT_CARDS
    }
    bad = obj.meta.get("bad_shutter_names") or []
    cards["NBADSHUT"] = (len(bad), "Number of flagged bad shutters")
    return cards


def _slit_cards(obj: SlitGroupLike, i0: int, slits: Columns) -> dict[str, Any]:
    cards: dict[str, Any] = {}
    for key, name, comment in (
        ("SHUTTRQ", "quadrant", "Shutter quadrant"),
        ("SHUTTRX", "xcen", "Shutter row"),
        ("SHUTTRY", "ycen", "Shutter column"),
    ):
        if name in slits.arrays:
            cards[key] = (slits.arrays[name][i0], comment)
    for i in range(obj.N):
        file = obj.files[i]
        name = Path(file).name if isinstance(file, str | PathLike) else _file_name(obj, i)
        cards[f"SFILE{i + 1:03d}"] = (name, "Exposure")
    return cards


def _fit_cards(obj: SlitGroupLike) -> dict[str, Any]:
    fit: Mapping[Any, Mapping[str, Any]] | None = obj.fit
    if not fit:
        return {}
    reference = obj.calc_reference_exposure
    first = next(iter(fit))
    # The first one was inserted first, whichever was fitted.
    chosen = reference if reference in fit and not is_compat(obj) else first
    comment = f"Profile width, pixels for group {chosen}"
    cards: dict[str, Any] = {"SIGMA": (fit[chosen]["sigma"], comment)}
    if "sigma_err" in fit[chosen]:
        cards["SIGERR"] = (fit[chosen]["sigma_err"], "Its error, pixels")
    for i, (exp, of_nod) in enumerate(fit.items()):
        offsets = np.atleast_1d(of_nod["trace_coeffs"])
        errors = np.atleast_1d(of_nod.get("trace_err", []))
        cards[f"EGROUP{i}"] = (exp, "Exposure group name")
        cards[f"SIGMA{i}"] = (of_nod["sigma"], f"Profile width, pixels for group {exp}")
        if "sigma_err" in of_nod:
            cards[f"SIGERR{i}"] = (of_nod["sigma_err"], f"Its error, pixels, for group {exp}")
        cards[f"OFFD{i}"] = (len(offsets) - 1, "Trace offset polynomial degree")
        for k, value in enumerate(offsets):
            cards[f"OFFC{i}_{k}"] = (value, f"Trace offset coefficient for group {exp}")
        for k, value in enumerate(errors):
            cards[f"OFFE{i}_{k}"] = (value, "Its error, pixels")
    return cards
