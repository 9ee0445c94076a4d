"""Exposures of a slitlet from files, open models, or arrays."""

from __future__ import annotations

import csv
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stdatamodels.jwst.datamodels import JwstDataModel

from webbweave.datamodels import get_path, header_entries, tree_of
from webbweave.datamodels.reading import read_tree_of
from webbweave.datamodels.spectra import exposure_cards
from webbweave.errors import InputError
from webbweave.slit_combine.exposure import Scales, SlitExposure
from webbweave.slit_combine.geometry import evaluate_wcs, scales_along_slit
from webbweave.slit_combine.lookup_psf import FIXED_SLITS
from webbweave.wcs import TemplateCache, fast_wcs

__all__ = ["open_exposure", "open_exposures", "read_sky_file", "slit_of"]

log = logging.getLogger(__name__)

#: Planes without which there is no reduction, by their name in the data model and in the file.
_NEEDED = {"data": "SCI", "var_poisson": "VAR_POISSON", "var_rnoise": "VAR_RNOISE"}
#: Planes that may be missing.
_OPTIONAL = {
    "wavelength": "WAVELENGTH",
    "barshadow": "BARSHADOW",
    "pathloss_point": "PATHLOSS_PS",
    "pathloss_uniform": "PATHLOSS_UN",
}
#: The WCSs of the slitlets of a visit differ in their numbers only: their grammar is learnt once in
#: a process. It depends on nothing but their text.
_TEMPLATES = TemplateCache()
#: What the arrays of an exposure without a WCS must say in its place.
_EVALUATED = ("wave", "slit_y")


def open_exposures(
    files: Iterable[str | Path | JwstDataModel | Mapping[str, Any]],
) -> list[SlitExposure]:
    """
    Open the exposures of a slitlet.

    Parameters
    ----------
    files : iterable of str, path, data model or mapping
        See `open_exposure`.

    Returns
    -------
    list of SlitExposure
        The exposures, in the order given.

    Raises
    ------
    ValueError
        If there is none, or one is given twice.
    InputError
        If one cannot be read, or lacks something that is needed.
    TypeError
        If one is something else.
    """
    if isinstance(files, str | Path | JwstDataModel | Mapping):
        raise TypeError(f"files: expected a list of exposures, found {type(files).__name__}")
    files = list(files)
    if not files:
        raise ValueError("files: expected at least one exposure, found an empty list")
    _check_no_repetition(files)
    return [open_exposure(item, _TEMPLATES, index) for index, item in enumerate(files)]


def _check_no_repetition(files: Sequence[Any]) -> None:
    keys = [
        str(Path(item).resolve()) if isinstance(item, str | Path) else id(item) for item in files
    ]
    for key, count in Counter(keys).items():
        if count > 1:
            item = files[keys.index(key)]
            name = item if isinstance(item, str | Path) else f"the exposure {keys.index(key)}"
            raise ValueError(f"files: {name} is given {count} times")


def open_exposure(
    item: str | Path | JwstDataModel | Mapping[str, Any],
    templates: TemplateCache | None = None,
    index: int = 0,
) -> SlitExposure:
    """
    Open one exposure of a slitlet.

    Parameters
    ----------
    item : str, path, data model or mapping
        A SlitModel file; an open SlitModel; or arrays and header values by the names of a
        SlitModel: the arrays ``data``, ``var_poisson``, ``var_rnoise`` and, where there is no
        ``meta.wcs``, ``wave`` [micron] and ``slit_y`` [shutters], all of shape (ny, nx); optional
        are ``err``, ``dq``, ``wavelength``, ``barshadow``, ``pathloss_point``,
        ``pathloss_uniform``; numbers ``slit_pixel_scale`` [arcsec] and ``slit_shutter_scale``
        [shutters] without a WCS; ``meta`` is nested. Nothing of it is changed.
    templates : TemplateCache, optional
        Shared by the files of a run, it makes that they are read faster.
    index : int, optional
        What an exposure without a name is called by.

    Returns
    -------
    SlitExposure
        The exposure; its arrays are copies in memory.

    Raises
    ------
    InputError
        If it cannot be read, or lacks something that is needed.
    TypeError
        If it is nothing of the above.
    """
    if isinstance(item, Mapping):
        return _from_tree(item, str(get_path(item, "meta.filename", f"exposure_{index}")))
    if isinstance(item, JwstDataModel):
        tree = tree_of(item)
        return _from_tree(tree, str(get_path(tree, "meta.filename", f"exposure_{index}")))
    if not isinstance(item, str | Path):
        raise TypeError(
            "files: expected paths, SlitModels or dictionaries of arrays, "
            f"found {type(item).__name__}"
        )
    path = Path(item)
    tree = read_tree_of(path, templates=templates)
    exposure = _from_tree(tree, path.name)
    _subtract_sky_file(exposure, path)
    return exposure


def slit_of(item: str | Path | JwstDataModel | Mapping[str, Any]) -> str:
    """
    Tell the slit of an exposure, for tables that differ from slit to slit.

    Parameters
    ----------
    item : str, path, data model or mapping
        See `open_exposure`.

    Returns
    -------
    str
        One of the fixed slits; S200A1 also for shutters, which share its tables.

    Raises
    ------
    InputError
        If a file cannot be read.
    """
    if isinstance(item, str | Path):
        cards = exposure_cards(item)
        found = [cards[name] for name in ("SLTNAME", "FXD_SLIT") if name in cards]
    else:
        tree = tree_of(item) if isinstance(item, JwstDataModel) else item
        found = [get_path(tree, name) for name in ("name", "meta.instrument.fixed_slit")]
    names = [str(name).upper() for name in found]
    return next((name for name in names if name in FIXED_SLITS), FIXED_SLITS[0])


def _plane(
    tree: Mapping[str, Any], name: str, shape: tuple[int, ...] | None, where: str
) -> NDArray[Any] | None:
    """A copy of an array in memory, None if it is missing or empty."""
    array = tree.get(name)
    if array is None or np.size(array) == 0:
        return None
    values = np.asarray(array)
    kind: np.dtype[Any]
    if name == "dq":
        kind = np.dtype(np.uint32)
    else:
        # Single precision, as in files, is kept; anything else is computed with in double.
        single = values.dtype == np.float32 and name not in _EVALUATED
        kind = np.dtype(np.float32 if single else np.float64)
    if values.ndim != 2 or (shape is not None and values.shape != shape):
        extension = (_NEEDED | _OPTIONAL).get(name, name)
        expected = "two axes" if shape is None else f"the shape {shape} of SCI"
        raise InputError(f"{where}: {extension}: expected {expected}, found {values.shape}")
    return np.array(values, dtype=kind, order="C")


def _from_tree(tree: Mapping[str, Any], where: str) -> SlitExposure:
    if "slits" in tree:
        raise InputError(
            f"{where}: expected one slitlet (a SlitModel), found a model of several slits"
        )
    needed: dict[str, Any] = {}
    shape: tuple[int, ...] | None = None
    for name, extension in _NEEDED.items():
        plane = _plane(tree, name, shape, where)
        if plane is None:
            raise InputError(f"{where}: the array {extension} is missing, and needed")
        needed[name], shape = plane, plane.shape
    assert shape is not None
    optional: dict[str, Any] = {name: _plane(tree, name, shape, where) for name in _OPTIONAL}
    dq = _plane(tree, "dq", shape, where)
    err = _plane(tree, "err", shape, where)
    if err is None:
        err = np.sqrt(needed["var_poisson"] + needed["var_rnoise"])
    return SlitExposure(
        where,
        _entries(tree),
        err=err,
        dq=np.zeros(shape, np.uint32) if dq is None else dq,
        **needed,
        **optional,
        **_geometry(tree, (shape[0], shape[1]), where),
    )


def _entries(tree: Mapping[str, Any]) -> dict[str, Any]:
    entries = header_entries({key: value for key, value in tree.items() if key != "meta"})
    meta = tree.get("meta") or {}
    plain = {key: value for key, value in dict(meta).items() if key != "wcs"}
    return entries | {"meta": header_entries(plain)}


def _geometry(tree: Mapping[str, Any], shape: tuple[int, int], where: str) -> dict[str, Any]:
    wcs = dict(tree.get("meta") or {}).get("wcs")
    if wcs is None:
        return _given_geometry(tree, shape, where)
    fast = fast_wcs(wcs)
    try:
        wave, slit_y, central = evaluate_wcs(fast, shape)
        along = scales_along_slit(fast, wave, slit_y) if np.isfinite(wave).any() else None
    except (ValueError, IndexError) as error:
        raise InputError(f"{where}: the WCS is not that of a slitlet: {error}") from error
    if not np.isfinite(wave).any():
        raise InputError(f"{where}: the WCS gives no wavelength for any pixel of the cut-out")
    if along is None:
        log.info("%s: the slit cannot be followed, the middle pixel gives the scales", where)
    return {
        "wave": wave,
        "slit_y": slit_y,
        "scales": along or central,
        "central_scales": central,
        "wcs": fast,
    }


def _given_geometry(tree: Mapping[str, Any], shape: tuple[int, int], where: str) -> dict[str, Any]:
    planes = {name: _plane(tree, name, shape, where) for name in _EVALUATED}
    missing = [name for name, plane in planes.items() if plane is None]
    missing += [
        name for name in ("slit_pixel_scale", "slit_shutter_scale") if tree.get(name) is None
    ]
    if missing:
        raise InputError(f"{where}: has no WCS, and no {', '.join(missing)} in its place")
    scales = Scales(float(tree["slit_pixel_scale"]), float(tree["slit_shutter_scale"]))
    if not (scales.pixel > 0 and scales.shutter > 0):
        raise InputError(f"{where}: expected positive sizes of a pixel, found {scales}")
    return {**planes, "scales": scales, "central_scales": scales}


def _subtract_sky_file(exposure: SlitExposure, path: Path) -> None:
    """Subtract the sky that msaexp writes beside an uncorrected file, if it is there."""
    if "_raw" not in path.name:
        return
    beside = path.with_name(path.name.replace("_raw", "_sky"))
    if not beside.exists():
        return
    sky = _plane(read_tree_of(beside), "data", exposure.shape, str(beside))
    if sky is None:
        raise InputError(f"{beside}: the array SCI is missing, and needed")
    bar = 1.0 if exposure.barshadow is None else exposure.barshadow
    log.info("%s: the sky of %s is subtracted", path.name, beside.name)
    exposure.data = exposure.data - sky / bar


def read_sky_file(path: str | Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    Read the sky of a visit from a table.

    Parameters
    ----------
    path : str or path
        A CSV file with the columns ``wave`` and ``flux``.

    Returns
    -------
    wave, flux : ndarray of float64
        Wavelengths [micron], ascending, and flux [microjansky per pixel].

    Raises
    ------
    InputError
        If it cannot be read, or has no such columns.
    """
    try:
        with Path(path).open(encoding="utf-8", newline="") as stream:
            rows = [(float(row["wave"]), float(row["flux"])) for row in csv.DictReader(stream)]
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: expected numbers in columns wave and flux: {error}") from error
    table = np.array(rows, np.float64).reshape(-1, 2)
    if len(table) < 2 or not (np.diff(table[:, 0]) > 0).all():
        raise InputError(f"{path}: expected ascending wavelengths, found {len(table)} rows")
    return table[:, 0].copy(), table[:, 1].copy()
