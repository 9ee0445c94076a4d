"""From groups of exposures of a slitlet to a rectified image and a spectrum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from webbweave.columns import Columns, stack_columns
from webbweave.datamodels.cards import CardTexts
from webbweave.datamodels.spectra import Header
from webbweave.errors import WeaveError
from webbweave.slit_combine.grids import (
    GRATING_LIMITS,
    bin_edges,
    cross_dispersion_edges,
    standard_wavelength_grid,
)
from webbweave.slit_combine.group import SlitGroupLike, is_compat
from webbweave.slit_combine.header import obj_cards, with_exposures
from webbweave.slit_combine.one_d import spectrum_columns
from webbweave.slit_combine.pixel_table import (
    flat_diff_columns,
    pixel_weights,
    stack_pixel_columns,
)
from webbweave.slit_combine.pseudo_drizzle import DrizzledPlanes, drizzle_planes

__all__ = ["DRIZZLE_KWS", "DrizzledGroups", "chosen_groups", "drizzle_grating_group", "drizzled"]

Array = NDArray[np.float64]
Sums = tuple[Array, Array, Array, Array]

_DKWS: Mapping[str, Any] = MappingProxyType({"oversample": 16, "pixfrac": 0.8, "sample_axes": "y"})
#: How spectra are made unless told otherwise.
DRIZZLE_KWS: Mapping[str, Any] = MappingProxyType(
    {
        "step": 1,
        "with_pathloss": True,
        "wave_sample": 1.05,
        "ny": 13,
        "dkws": MappingProxyType({"oversample": 16, "pixfrac": 0.8}),
    }
)


@dataclass(frozen=True, eq=False)
class DrizzledGroups:
    """
    The pixels of groups of one grating, and what was made of them.

    Attributes
    ----------
    wave : ndarray, shape (nx,)
        Centres of the bins of wavelength [micron].
    x_edges, y_edges : ndarray, shape (nx + 1,) and (ny + 1,)
        Edges of the cells [micron], [pixel from the trace].
    cards : CardTexts
        What was observed and how it was reduced.
    slits, pixels, spectrum : Columns
        One row per exposure, per pixel, and per bin of wavelength.
    planes : DrizzledPlanes
        Flux, sky and profile, in this order.
    """

    wave: Array
    x_edges: Array
    y_edges: Array
    cards: CardTexts
    slits: Columns
    pixels: Columns
    spectrum: Columns
    planes: DrizzledPlanes

    def sums(self, plane: int) -> Sums:
        """
        Give the sums of one plane as msaexp has them.

        Parameters
        ----------
        plane : int
            0 flux, 1 sky, 2 profile.

        Returns
        -------
        num, vnum, den, ntot : ndarray, shape (ny, nx)
            See `pseudo_drizzle`.
        """
        planes = self.planes
        count = np.where(planes.den > 0, planes.count, 0.0)
        return planes.num[plane], planes.linear, planes.den, count


def drizzle_grating_group(
    xobj: Mapping[str, Any],
    grating_keys: Sequence[str],
    step: float = 1,
    with_pathloss: bool = True,
    wave_sample: float = 1.05,
    grating_limits: Mapping[str, Sequence[float]] = GRATING_LIMITS,
    pixtab_with_mask: bool = True,
    ny: int = 13,
    dkws: Mapping[str, Any] = _DKWS,
    y_range: Sequence[float] = (-3, 3),
) -> tuple[Array, Array, Array, Header, Table, Table, Table, Sums, Sums, Sums]:
    """
    Put all pixels of groups of one grating on a grid, and extract their spectrum.

    Parameters
    ----------
    xobj : mapping
        Groups by key: a SlitGroup, or a mapping with the group under ``obj`` and perhaps its fit
        under ``fit``.
    grating_keys : sequence of str
        The keys to combine.
    step : float, optional
        Height of a row [pixel].
    with_pathloss : bool, optional
        Correct for the loss at the slit, if the group has a tabulated PSF.
    wave_sample : float, optional
        Bins of wavelength per detector pixel.
    grating_limits : mapping, optional
        See `standard_wavelength_grid`.
    pixtab_with_mask : bool, optional
        Keep only valid pixels in the table; else all, with the column ``mask``.
    ny : int, optional
        Pixels to either side of the trace.
    dkws : mapping, optional
        ``oversample``, ``pixfrac`` and ``sample_axes`` of `drizzle_planes`.
    y_range : sequence of two floats, optional
        What is extracted [pixel from the trace].

    Returns
    -------
    wave, x_edges, y_edges : ndarray
        The grid, as in `DrizzledGroups`.
    header : `~astropy.io.fits.Header`
        The header of the first group.
    slits, pixels, spectrum : `~astropy.table.Table`
        One row per exposure, per pixel, and per bin.
    flux, sky, profile : tuple of ndarray
        Sums as of `pseudo_drizzle`; flux and sky are corrected for the loss at the slit.

    Raises
    ------
    KeyError
        If there is no such key.
    ValueError
        If no key is given, the groups are of several gratings, or an option has no meaning.
    WeaveError
        If no pixel is valid.
    """
    made = drizzled(
        chosen_groups(xobj, grating_keys),
        step=step,
        with_pathloss=with_pathloss,
        wave_sample=wave_sample,
        grating_limits=grating_limits,
        pixtab_with_mask=pixtab_with_mask,
        ny=ny,
        dkws=dkws,
        y_range=y_range,
    )
    return (
        made.wave,
        made.x_edges,
        made.y_edges,
        made.cards.header(),
        made.slits.table(),
        made.pixels.table(),
        made.spectrum.table(),
        made.sums(0),
        made.sums(1),
        made.sums(2),
    )


def chosen_groups(
    xobj: Mapping[str, Any], grating_keys: Sequence[str]
) -> list[tuple[SlitGroupLike, Any]]:
    """
    Take groups and their fits out of a collection.

    Parameters
    ----------
    xobj, grating_keys
        See `drizzle_grating_group`.

    Returns
    -------
    list of (SlitGroup, mapping or None)
        Groups and fits, in the order of the keys.

    Raises
    ------
    KeyError
        If there is no such key.
    ValueError
        If no key is given, or groups are of several gratings or filters.
    """
    if isinstance(grating_keys, str):
        grating_keys = [grating_keys]
    if not grating_keys:
        raise ValueError("grating_keys: expected at least one key")
    chosen: list[tuple[SlitGroupLike, Any]] = []
    for key in grating_keys:
        if key not in xobj:
            raise KeyError(f"grating_keys: there is no {key!r}, only {list(xobj)}")
        entry = xobj[key]
        group = entry["obj"] if isinstance(entry, Mapping) else entry
        fit = entry.get("fit") if isinstance(entry, Mapping) else None
        chosen.append((group, group.fit if fit is None else fit))
    modes = {key: f"{g.grating}-{g.filter}" for key, (g, _) in zip(grating_keys, chosen)}  # noqa: B905
    if len(set(modes.values())) > 1:
        raise ValueError(f"grating_keys: expected one grating and filter, found {modes}")
    return chosen


def drizzled(
    chosen: Sequence[tuple[SlitGroupLike, Any]],
    *,
    step: float = 1,
    with_pathloss: bool = True,
    wave_sample: float = 1.05,
    grating_limits: Mapping[str, Sequence[float]] = GRATING_LIMITS,
    pixtab_with_mask: bool = True,
    ny: int = 13,
    dkws: Mapping[str, Any] = _DKWS,
    y_range: Sequence[float] = (-3, 3),
) -> DrizzledGroups:
    """
    Do the work of `drizzle_grating_group`, which has the parameters.

    Parameters
    ----------
    chosen : sequence of (SlitGroup, mapping or None)
        Groups of one grating, and their fits.
    step, with_pathloss, wave_sample, grating_limits, pixtab_with_mask, ny, dkws, y_range
        See there.

    Returns
    -------
    DrizzledGroups
        All that is made.

    Raises
    ------
    WeaveError
        If no pixel is valid.
    """
    groups = [group for group, _ in chosen]
    compat = is_compat(groups[0])
    wave = standard_wavelength_grid(groups[0].grating, wave_sample, grating_limits=grating_limits)
    x_edges, y_edges = bin_edges(wave), cross_dispersion_edges(ny, step)
    pixels = stack_pixel_columns(
        [
            flat_diff_columns(
                group, apply_mask=pixtab_with_mask, fit=fit or None, with_pathloss=with_pathloss
            )
            for group, fit in chosen
        ],
        [group.N for group in groups],
    )
    used = pixels.arrays
    if not pixtab_with_mask:
        used = {name: values[used["mask"]] for name, values in used.items()}
    if not used["sci"].size:
        raise WeaveError(f"{groups[0].name}: no valid pixel to combine")
    weight = pixel_weights(used, groups[0].meta.get("weight_type", "ivm"))
    path = used["pathloss"]
    with np.errstate(divide="ignore", invalid="ignore"):
        planes = drizzle_planes(
            used["wave"],
            used["yslit"],
            np.stack([used["sci"] / path, used["sky"] / path, used["profile"]]),
            used["var_total"] / path**2,
            weight,
            x_edges,
            y_edges,
            compat=compat,
            **{**_DKWS, **dkws},
        )
    spectrum = spectrum_columns(used, wave, weight=weight, y_range=y_range, compat=compat)
    slits = [group.slit_columns() for group in groups]
    cards = _cards(chosen, pixels, slits[0])
    return DrizzledGroups(
        wave,
        x_edges,
        y_edges,
        cards,
        Columns(stack_columns(part.arrays for part in slits)),
        pixels,
        spectrum,
        planes,
    )


def _cards(
    chosen: Sequence[tuple[SlitGroupLike, Any]], pixels: Columns, slits: Columns
) -> CardTexts:
    cards = obj_cards(chosen[0][0], slits=slits)
    if len(chosen) > 1:
        with_exposures(cards, [group for group, _ in chosen])
    cards.set(pixels.meta)
    return cards
