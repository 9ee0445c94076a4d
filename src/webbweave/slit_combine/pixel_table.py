"""The corrected pixels of all exposures of a slitlet as one table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from webbweave.columns import Columns, stack_columns
from webbweave.errors import InputError
from webbweave.slit_combine.group import SlitGroupLike

__all__ = [
    "WEIGHT_TYPES",
    "flat_diff_columns",
    "get_flat_diff_arrays",
    "pixel_weights",
    "stack_pixel_columns",
    "stack_pixel_tables",
]

Array = NDArray[np.float64]

#: What the weight of a pixel may be.
WEIGHT_TYPES = ("ivm", "poisson", "exptime", "exptime_bar", "mask")

#: Columns that are no floating-point numbers.
_NOT_FLOAT = ("mask", "exposure_index")


def get_flat_diff_arrays(
    group: SlitGroupLike,
    apply_mask: bool = True,
    fit: Mapping[Any, Mapping[str, Any]] | None = None,
    with_pathloss: bool = False,
    float_dtype: Any = float,
) -> Table:
    """
    List the pixels of all exposures, each minus the mean of the other nods.

    Parameters
    ----------
    group : SlitGroup
        The exposures.
    apply_mask : bool, optional
        Keep only valid pixels; else all are kept, and there is the column ``mask``.
    fit : mapping, optional
        The fit of each nod, as the attribute of the group has it. Without it the profile is 1.
    with_pathloss : bool, optional
        Look up the loss at the slit for the fitted width, if the group has a tabulated PSF.
    float_dtype : dtype, optional
        Of the columns.

    Returns
    -------
    `~astropy.table.Table`
        One row per exposure and pixel, exposures of the first nod first: ``sci``, and ``sky`` that
        was subtracted [microjansky]; ``var_total``, ``var_rnoise``; ``wave`` and ``dwave_dx``
        [micron, per pixel]; ``yslit`` [pixel from the trace], ``yshutter`` [shutter]; ``bar``,
        ``profile``, ``pathloss``, ``exposure_index``, ``normalization``, ``exptime`` [s]. Its
        metadata have WITHPATH, and XPOS0, XPOS1 ... of the exposures if they are known.

    Raises
    ------
    KeyError
        If the fit lacks a nod of the group.

    Notes
    -----
    A pixel is valid if it is in its own exposure and all columns are finite there: so it needs a
    valid pixel in at least one of the exposures that are subtracted.
    """
    return flat_diff_columns(group, apply_mask, fit, with_pathloss, float_dtype).table()


def flat_diff_columns(
    group: SlitGroupLike,
    apply_mask: bool = True,
    fit: Mapping[Any, Mapping[str, Any]] | None = None,
    with_pathloss: bool = False,
    float_dtype: Any = float,
) -> Columns:
    """
    Make the columns of `get_flat_diff_arrays`.

    Parameters
    ----------
    group, apply_mask, fit, with_pathloss, float_dtype
        See there.

    Returns
    -------
    Columns
        The columns.

    Raises
    ------
    KeyError
        See there.
    """
    parts: list[dict[str, NDArray[Any]]] = []
    planes = _Planes(group)
    meta: dict[str, Any] = {}
    lookup = getattr(group, "lookup_prf", None)
    if not with_pathloss or fit is None:
        lookup = None
    for exp, (members, _, sides, _, variances, read) in group.nod_sides().items():
        profile, sigma = _profile_of_fit(fit, exp, planes.size)
        for i in np.flatnonzero(members):
            part = planes.of_exposure(int(i))
            if group.meta.get("diffs") and len(group.unp) > 1:
                part["sci"] = planes.data[i] - sides[1]
                part["sky"] = sides[1]
            else:
                part["sci"], part["sky"] = planes.data[i], planes.sky[i]
            part["var_total"] = group.var_total[i] + variances[1]
            part["var_rnoise"] = group.var_rnoise[i] + read[1]
            part["profile"] = profile
            place = _source_place(group, int(i))
            if place is not None:
                meta[f"XPOS{i}"] = (place, f"source_xpos of group {exp}")
            if lookup is not None and place is not None:
                part["pathloss"] = lookup.path_loss(part["wave"], sigma, place)
            parts.append(_finished(part, group.mask[i], apply_mask, float_dtype))
    with_path = (bool(with_pathloss), "Internal path loss correction")
    return Columns(stack_columns(parts), {"WITHPATH": with_path, **meta})


class _Planes:
    """Planes of a group that are computed on request, computed once."""

    def __init__(self, group: SlitGroupLike) -> None:
        self.group = group
        self.data = np.asarray(group.data)
        self.size = self.data.shape[1]
        self.sky = np.broadcast_to(np.asarray(group.sky_background, dtype=float), self.data.shape)
        self.shutter = np.asarray(group.fixed_yshutter)
        norm = getattr(group, "normalization", None)
        self.norm = np.broadcast_to(1.0 if norm is None else np.asarray(norm), self.data.shape)

    def of_exposure(self, i: int) -> dict[str, Any]:
        """The columns of one exposure, those of differences still without values."""
        group = self.group
        ones = np.ones(self.size)
        return {
            **dict.fromkeys(("sci", "sky", "var_total", "var_rnoise")),
            "wave": group.wave[i],
            "dwave_dx": group.dwave_dx[i],
            "yslit": group.yslit[i],
            "yshutter": self.shutter[i],
            "bar": group.bar[i],
            "profile": ones,
            "pathloss": ones,
            "exposure_index": np.full(self.size, i),
            "normalization": self.norm[i],
            "exptime": np.full(self.size, float(group.exptime[i])),
        }


def _profile_of_fit(
    fit: Mapping[Any, Mapping[str, Any]] | None, exp: Any, size: int
) -> tuple[Array, float]:
    """The profile of a nod, NaN in columns without amplitude, and the width of the source."""
    if fit is None:
        return np.ones(size), 0.0
    if exp not in fit:
        raise KeyError(f"fit: has no nod {exp!r}, only {list(fit)}")
    of_nod = fit[exp]
    with np.errstate(divide="ignore", invalid="ignore"):
        profile = of_nod["smod"] * (of_nod["sden"] / of_nod["snum"])
    return np.asarray(profile, dtype=np.float64).reshape(-1), float(of_nod["sigma"])


def _source_place(group: SlitGroupLike, i: int) -> float | None:
    """Where the source is across the shutter in an exposure."""
    if "source_xpos" not in getattr(group.info, "colnames", group.info):
        return None
    value = group.info["source_xpos"][i]
    return None if value is None or np.ma.is_masked(value) else float(value)


def _finished(
    part: dict[str, NDArray[Any]], mask: NDArray[np.bool_], apply_mask: bool, float_dtype: Any
) -> dict[str, NDArray[Any]]:
    valid = np.array(mask, dtype=bool)
    for name, values in part.items():
        if name != "exposure_index":
            valid &= np.isfinite(values)
    if apply_mask:
        kept = np.flatnonzero(valid)
        part = {name: values[kept] for name, values in part.items()}
    else:
        position = list(part).index("var_total")
        items = list(part.items())
        part = dict([*items[:position], ("mask", valid), *items[position:]])
    return {
        name: values if name in _NOT_FLOAT else np.asarray(values, dtype=float_dtype)
        for name, values in part.items()
    }


def pixel_weights(table: Table | Mapping[str, Any], weight_type: str) -> Array:
    """
    Compute the weights of pixels.

    Parameters
    ----------
    table : `~astropy.table.Table` or mapping
        A table of pixels.
    weight_type : str
        ``'ivm'``: the inverse of the readout variance; ``'poisson'``: of the whole variance;
        ``'exptime'``: the exposure time; ``'exptime_bar'``: that times the squared transmission of
        the bars, for the variance goes as its inverse after the correction; ``'mask'``: 1.

    Returns
    -------
    ndarray of float64
        Weights.

    Raises
    ------
    ValueError
        If there is no such weight.
    """

    def column(name: str) -> Array:
        return np.asarray(table[name], dtype=np.float64)

    if weight_type == "ivm":
        return 1.0 / column("var_rnoise")
    if weight_type == "poisson":
        return 1.0 / column("var_total")
    if weight_type == "exptime":
        return column("exptime").copy()
    if weight_type == "exptime_bar":
        return column("exptime") * column("bar") ** 2
    if weight_type == "mask":
        return np.ones_like(column("sci"))
    raise ValueError(
        f"weight_type: expected one of {', '.join(WEIGHT_TYPES)}, found {weight_type!r}"
    )


def stack_pixel_tables(tables: list[Table], sizes: list[int]) -> Table:
    """
    Put tables of pixels of several groups one after the other.

    Parameters
    ----------
    tables : list of `~astropy.table.Table`
        At least one; with the same columns.
    sizes : list of int
        Number of exposures in each group.

    Returns
    -------
    `~astropy.table.Table`
        All rows. The exposures of the second group are counted on from those of the first, in
        ``exposure_index`` and in the metadata XPOS0, XPOS1 ...

    Raises
    ------
    InputError
        If there is no table, or the columns differ.
    """
    if len(tables) == 1:
        return tables[0]
    return stack_pixel_columns([Columns.of(table) for table in tables], sizes).table()


def stack_pixel_columns(tables: list[Columns], sizes: list[int]) -> Columns:
    """
    Put columns of pixels of several groups one after the other.

    Parameters
    ----------
    tables, sizes
        See `stack_pixel_tables`.

    Returns
    -------
    Columns
        All rows.

    Raises
    ------
    InputError
        See there.
    """
    if not tables:
        raise InputError("no table of pixels to stack")
    names = [list(table.arrays) for table in tables]
    if any(of_table != names[0] for of_table in names):
        raise InputError(f"tables of pixels have columns {names}")
    if len(tables) == 1:
        return tables[0]
    first = np.concatenate([[0], np.cumsum(sizes)])[: len(tables)]
    parts = [
        table.arrays | {"exposure_index": table.arrays["exposure_index"] + start}
        for table, start in zip(tables, first, strict=True)
    ]
    meta: dict[str, Any] = {}
    for table, start in zip(tables, first, strict=True):
        for key, value in table.meta.items():
            if key.startswith("XPOS") and key[4:].isdigit():
                meta[f"XPOS{int(key[4:]) + int(start)}"] = value
            else:
                meta.setdefault(key, value)
    return Columns(stack_columns(parts), meta)
