"""Reference catalogs: positions, weights and magnitudes at the time of the exposures.

Stars move uniformly in space; seen from the barycentre without radial velocity, the direction at
a time t after the epoch is that of r + t m, where r is the direction at the epoch and m the proper
motion in its tangent plane (ESA 1997, The Hipparcos and Tycho Catalogues, vol. 1, section 1.5.5,
with the radial motion left out: below 0.1 mas within 20 years for all but a few dozen stars).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Column, MaskedColumn, Table
from astropy.time import Time
from numpy.typing import NDArray

from webbweave.errors import InputError, MissingColumnsError
from webbweave.wcs.sky import local_axes, sky_position

__all__ = ["ReferenceCatalog", "decimal_year", "move_stars", "reference_catalog"]

log = logging.getLogger(__name__)

#: Names of columns, in lower case, as the service, the Gaia archive and VizieR have them.
_NAMES = {
    "weight": ("weight",),
    "mag": ("mag", "phot_g_mean_mag", "gmag", "magnitude"),
    "pmra": ("pmra", "pm_ra_cosdec", "pm_ra"),
    "pmdec": ("pmdec", "pm_dec"),
    "parallax": ("parallax", "plx"),
    "epoch": ("epoch", "ref_epoch"),
    "id": ("id", "objid", "source_id"),
}
_SKY = "sky_centroid"

#: What columns without units are in.
_MAS = u.mas
_MAS_YEAR = u.mas / u.yr

#: Epochs outside of these years are no decimal years, but dates of another kind.
_YEARS = (1800.0, 2200.0)

#: Radians in a milliarcsecond.
_RADIAN = math.pi / 180.0 / 3600.0e3


@dataclass(frozen=True)
class ReferenceCatalog:
    """
    Stars whose positions are taken to be right.

    Attributes
    ----------
    name : str
        The catalog of the service or the file.
    ra, dec : ndarray of float64, shape (n,)
        Positions [degree], right ascension in [0, 360), finite.
    ids : ndarray of int64, shape (n,)
        Identifiers, unique; row numbers from 1 where the table has none that are.
    weight : ndarray of float64, shape (n,), or None
        Weights, not negative; None if the table has none.
    mag : ndarray of float64, shape (n,)
        Magnitudes, NaN if unknown.
    epoch : float or None
        Decimal year to which the stars were moved; None if they were not.
    n_dropped : int
        Rows of the table that are not among the stars.
    """

    name: str
    ra: NDArray[np.float64]
    dec: NDArray[np.float64]
    ids: NDArray[np.int64]
    weight: NDArray[np.float64] | None
    mag: NDArray[np.float64]
    epoch: float | None = None
    n_dropped: int = 0

    def __len__(self) -> int:
        return len(self.ra)


def decimal_year(date: str) -> float:
    """
    Turn a date into a year with decimals.

    Parameters
    ----------
    date : str
        ``2022-12-21`` or ``2022-12-21T08:01:02.3``, as in ``meta.observation.date``.

    Returns
    -------
    float
        The year.

    Raises
    ------
    ValueError
        If it is no date.
    """
    return float(Time(str(date), format="isot" if "T" in str(date) else "iso").decimalyear)


def move_stars(
    ra: NDArray[np.float64],
    dec: NDArray[np.float64],
    pmra: NDArray[np.float64],
    pmdec: NDArray[np.float64],
    years: NDArray[np.float64] | float,
    *,
    parallax: NDArray[np.float64] | None = None,
    observer: NDArray[np.float64] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    Move stars by their proper motion.

    Parameters
    ----------
    ra, dec : ndarray of float64, shape (n,)
        Positions at the epoch [degree].
    pmra, pmdec : ndarray of float64, shape (n,)
        Proper motions along great circles [mas/yr]: `pmra` with the cosine of the declination in
        it.
    years : ndarray of float64, shape (n,), or float
        Time since the epoch [yr].
    parallax : ndarray of float64, shape (n,), optional
        Parallaxes [mas]; NaN counts as 0.
    observer : ndarray of float64, shape (3,), optional
        Where the telescope is, from the barycentre of the solar system [au, ICRS axes]. Without
        it stars are where they are seen from the barycentre.

    Returns
    -------
    ra, dec : ndarray of float64, shape (n,)
        Positions at the time [degree], right ascension in [0, 360).
    """
    direction, east, north = np.moveaxis(local_axes(ra, dec), -2, 0)
    time = np.broadcast_to(np.asarray(years, dtype=np.float64), np.shape(ra))[:, None] * _RADIAN
    moved = direction + time * (pmra[:, None] * east + pmdec[:, None] * north)
    if parallax is not None and observer is not None:
        known = np.nan_to_num(parallax, nan=0.0, posinf=0.0, neginf=0.0)
        moved = moved - known[:, None] * _RADIAN * np.asarray(observer, dtype=np.float64)
    return sky_position(moved)


def reference_catalog(
    table: Table,
    name: str,
    *,
    epoch: float | None = None,
    mag_limits: tuple[float | None, float | None] = (None, None),
    observer: NDArray[np.float64] | None = None,
) -> ReferenceCatalog:
    """
    Take the stars out of a table.

    Columns are known by their names in any case: ``RA`` and ``DEC``, or ``sky_centroid`` with
    `~astropy.coordinates.SkyCoord`; and, if they are there, ``weight``, ``mag``, ``id``, and
    ``pmra``, ``pmdec``, ``parallax`` with the ``epoch`` or ``ref_epoch`` of the positions (a column
    or an entry of the table's ``meta``). Units are taken from the columns; without, they are
    degree, mas/yr, mas and decimal years. The names that the Gaia archive gives are known.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The table; it is not changed.
    name : str
        The file or the catalog: what messages call it.
    epoch : float, optional
        Decimal year to which stars are moved, where the table says how they move. Rows without
        proper motion are then left out, unless no row has any.
    mag_limits : (float or None, float or None)
        The brightest and the faintest magnitude that are kept, both inclusive.
    observer : ndarray of float64, shape (3,), optional
        Where the telescope is [au]; parallaxes are then applied, see `move_stars`.

    Returns
    -------
    ReferenceCatalog
        The stars; rows with NaN in position, weight or motion are left out and counted in the log.

    Raises
    ------
    MissingColumnsError
        If the columns of the positions are missing or there are several.
    InputError
        If the table has no rows, or columns hold what they should not.
    """
    if len(table) == 0:
        raise InputError(f"{name}: expected a reference catalog with at least 1 row, found 0")
    columns = _Columns(table, name)
    ra, dec = columns.positions()
    weight = columns.optional("weight")
    if weight is not None and np.any(weight < 0):
        raise InputError(
            f"{name}: column weight: expected no negative values, found {np.nanmin(weight):g}"
        )
    mag = columns.optional("mag", None if mag_limits == (None, None) else "mag_limits")
    keep = np.isfinite(ra) & np.isfinite(dec) & (np.abs(np.nan_to_num(dec)) <= 90.0)
    if weight is not None:
        keep &= np.isfinite(weight)
    moved_to = None
    if epoch is not None and (motion := columns.motion()) is not None:
        pmra, pmdec, parallax, reference_epoch = motion
        keep &= np.isfinite(pmra) & np.isfinite(pmdec) & np.isfinite(reference_epoch)
        years = epoch - reference_epoch
        ra, dec = move_stars(ra, dec, pmra, pmdec, years, parallax=parallax, observer=observer)
        moved_to = epoch
    if n_bad := int(np.count_nonzero(~keep)):
        what = "position or weight" if moved_to is None else "position, weight or proper motion"
        log.warning("%s: %d of %d rows have no %s and are left out", name, n_bad, len(keep), what)
    keep &= _within(mag, mag_limits, len(ra))
    return ReferenceCatalog(
        name,
        ra[keep] % 360.0,
        dec[keep],
        columns.identifiers()[keep],
        None if weight is None else weight[keep],
        np.full(np.count_nonzero(keep), np.nan) if mag is None else mag[keep],
        moved_to,
        int(np.count_nonzero(~keep)),
    )


def _within(
    mag: NDArray[np.float64] | None, limits: tuple[float | None, float | None], length: int
) -> NDArray[np.bool_]:
    bright, faint = limits
    if mag is None or (bright is None and faint is None):
        return np.ones(length, dtype=bool)
    low = -math.inf if bright is None else bright
    high = math.inf if faint is None else faint
    return (mag >= low) & (mag <= high)


class _Columns:
    """The columns of a table by what they mean."""

    def __init__(self, table: Table, name: str) -> None:
        self.table = table
        self.name = name

    def positions(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Right ascension and declination [degree]."""
        ra, dec = (self._with_names((key,)) for key in ("ra", "dec"))
        centroid = self._with_names((_SKY,))
        if len(ra) == 1 and len(dec) == 1:
            if centroid:
                log.warning("%s: has RA and DEC, column %s is not used", self.name, _SKY)
            return self._numbers(ra[0], u.deg), self._numbers(dec[0], u.deg)
        if not ra and not dec and len(centroid) == 1:
            sky = self._coordinates(centroid[0])
            return np.asarray(sky.ra.deg, np.float64), np.asarray(sky.dec.deg, np.float64)
        raise MissingColumnsError(
            f"{self.name}: expected one column RA and one DEC, or {_SKY}, in any case; found "
            f"{', '.join(self.table.colnames[:30]) or 'no columns'}"
        )

    def optional(self, what: str, needed_for: str | None = None) -> NDArray[np.float64] | None:
        """Numbers that need not be there; NaN where masked."""
        found = self._with_names(_NAMES[what])
        if not found:
            if needed_for:
                raise MissingColumnsError(
                    f"{self.name}: {needed_for} needs a column {' or '.join(_NAMES[what])}, found "
                    f"{', '.join(self.table.colnames[:30])}"
                )
            return None
        return self._numbers(found[0], None)

    def identifiers(self) -> NDArray[np.int64]:
        """Unique integers."""
        numbers = np.arange(1, len(self.table) + 1, dtype=np.int64)
        for found in self._with_names(_NAMES["id"]):
            column = self.table[found]
            masked = isinstance(column, MaskedColumn) and bool(np.any(column.mask))
            if getattr(column.dtype, "kind", "") in "iu" and not masked:
                values = np.asarray(column).astype(np.int64)
                if len(np.unique(values)) == len(values):
                    return values
        return numbers

    def motion(
        self,
    ) -> (
        tuple[
            NDArray[np.float64],
            NDArray[np.float64],
            NDArray[np.float64] | None,
            NDArray[np.float64],
        ]
        | None
    ):
        """Proper motions [mas/yr], parallaxes [mas] and epochs [yr]; None if nothing moves."""
        pmra, pmdec, plx = (self._with_names(_NAMES[key]) for key in ("pmra", "pmdec", "parallax"))
        if pmra and pmdec:
            motion = [self._numbers(key[0], _MAS_YEAR) for key in (pmra, pmdec)]
            parallax = self._numbers(plx[0], _MAS) if plx else None
            epoch = self._epoch()
        elif (moving := self._moving_centroid()) is not None:
            *motion, epoch = moving
            parallax = None
        else:
            return None
        if not np.any(np.isfinite(motion[0]) & np.isfinite(motion[1])):
            return None
        if epoch is None:
            log.warning(
                "%s: has proper motions but no epoch (a column or an entry in meta, %s): "
                "positions are used as they are",
                self.name,
                " or ".join(_NAMES["epoch"]),
            )
            return None
        return motion[0], motion[1], parallax, epoch

    def _moving_centroid(self) -> tuple[NDArray[np.float64], ...] | None:
        """Proper motions [mas/yr] and epoch [yr] of coordinates that know how they move."""
        if self._with_names(("ra",)) or not (found := self._with_names((_SKY,))):
            return None
        sky = self._coordinates(found[0])
        if "s" not in sky.data.differentials or sky.obstime is None:
            return None
        year = np.broadcast_to(np.asarray(sky.obstime.decimalyear, np.float64), sky.shape)
        motions = (sky.pm_ra_cosdec, sky.pm_dec)
        return *(np.asarray(pm.to_value(_MAS_YEAR), np.float64) for pm in motions), year

    def _epoch(self) -> NDArray[np.float64] | None:
        """Epoch of the positions as decimal years; None if there is none."""
        if found := self._with_names(_NAMES["epoch"]):
            column = self.table[found[0]]
            if isinstance(column, Time):
                return np.asarray(column.decimalyear, dtype=np.float64)
            years = self._numbers(found[0], u.yr)
        else:
            meta = {str(key).lower(): value for key, value in self.table.meta.items()}
            entry = next((meta[key] for key in _NAMES["epoch"] if meta.get(key) is not None), None)
            if entry is None:
                return None
            try:
                year = entry.decimalyear if isinstance(entry, Time) else float(entry)
            except (TypeError, ValueError) as error:
                raise self._no_epoch(entry) from error
            years = np.full(len(self.table), year)
        if not np.any(np.isfinite(years)):
            return None
        low, high = np.nanmin(years), np.nanmax(years)
        if low < _YEARS[0] or high > _YEARS[1]:
            raise self._no_epoch(low if low < _YEARS[0] else high)
        return years

    def _no_epoch(self, found: object) -> InputError:
        return InputError(f"{self.name}: epoch: expected a decimal year, found {found!s}")

    def _with_names(self, names: Iterable[str]) -> list[str]:
        """The columns with these names in any case, those of the first name first."""
        return [key for name in names for key in self.table.colnames if key.lower() == name]

    def _coordinates(self, key: str) -> SkyCoord:
        column = self.table[key]
        if not isinstance(column, SkyCoord):
            raise InputError(
                f"{self.name}: column {key}: expected sky coordinates, found {column.dtype}"
            )
        return column.icrs

    def _numbers(self, key: str, unit: u.UnitBase | None) -> NDArray[np.float64]:
        """A column as numbers in a unit, NaN where it is masked."""
        column = self.table[key]
        try:
            if isinstance(column, u.Quantity):
                column = column.filled(np.nan) if hasattr(column, "mask") else column
                return self._converted(np.asarray(column.value, np.float64), column.unit, unit)
            if isinstance(column, MaskedColumn):
                values = np.asarray(column.astype(np.float64).filled(np.nan))
            else:
                values = np.asarray(column, dtype=np.float64)
        except (TypeError, ValueError) as error:
            kind = getattr(column, "dtype", type(column).__name__)
            raise InputError(
                f"{self.name}: column {key}: expected numbers, found {kind}"
            ) from error
        if values.ndim != 1:
            raise InputError(
                f"{self.name}: column {key}: expected one number in each row, found an array of "
                f"shape {values.shape[1:]}"
            )
        return self._converted(values, column.unit if isinstance(column, Column) else None, unit)

    def _converted(
        self,
        values: NDArray[np.float64],
        own: u.UnitBase | None,
        unit: u.UnitBase | None,
    ) -> NDArray[np.float64]:
        if unit is None or own is None or isinstance(own, u.UnrecognizedUnit):
            return values
        if own == u.dimensionless_unscaled:
            return values
        try:
            return np.asarray(own.to(unit, values), dtype=np.float64)
        except u.UnitConversionError as error:
            raise InputError(
                f"{self.name}: expected a column in a unit like {unit}, found {own}"
            ) from error
