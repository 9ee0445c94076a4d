"""Gaia catalogs from the astrometric catalog service of STScI or a mirror of it.

The service is described at https://outerspace.stsci.edu/display/MASTDATA/Catalog+Access: a cone
search that replies with comma-separated values.
"""

from __future__ import annotations

import logging
import math
import os
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy.table import Column, MaskedColumn, Table
from numpy.typing import NDArray

from webbweave.datamodels.cache import TextCache, default_cache_folder
from webbweave.datamodels.download import Patience, fetch_text
from webbweave.errors import ServiceError

__all__ = [
    "DEFAULT_SERVICE",
    "SERVICE_CATALOGS",
    "SERVICE_VARIABLE",
    "CatalogService",
    "service_catalog",
]

log = logging.getLogger(__name__)

#: The catalogs that the service is asked for.
SERVICE_CATALOGS = ("GAIADR1", "GAIADR2", "GAIADR3", "GAIAREFCAT")

#: Address of the service, and the environment variable that names another one, as for jwst.
DEFAULT_SERVICE = "https://gsss.stsci.edu/webservices"
SERVICE_VARIABLE = "ASTROMETRIC_CATALOG_URL"
_SEARCH = "vo/CatalogSearch.aspx"

#: How the service says that there is nothing in the field.
_NO_DATA = "No data records"

#: What stands for a value that is not known.
_BLANKS = [("", "0"), ("null", "0"), ("NULL", "0"), ("nan", "0"), ("NaN", "0")]

_DAY = 86400.0


def service_catalog(name: str | None) -> str | None:
    """
    Tell the name of a catalog of the service from that of a file.

    Parameters
    ----------
    name : str or None
        What a user asked for.

    Returns
    -------
    str or None
        The service's name of the catalog, None if this is none of `SERVICE_CATALOGS`.
    """
    upper = (name or "").strip().upper()
    return upper if upper in SERVICE_CATALOGS else None


def _service_from_environment() -> str:
    return os.environ.get(SERVICE_VARIABLE, "").strip() or DEFAULT_SERVICE


@dataclass(frozen=True)
class CatalogService:
    """
    The astrometric catalog service.

    Attributes
    ----------
    url : str
        Its address; that of the environment variable ``ASTROMETRIC_CATALOG_URL``, or STScI's.
    patience : Patience
        Time-outs, number of tries, largest reply.
    cache_folder : path or None
        Where replies are kept; None for nowhere. See
        `~webbweave.datamodels.cache.default_cache_folder`.
    max_age : float
        Replies older than this [day] are asked for again; while the service is down they will do.
    """

    url: str = field(default_factory=_service_from_environment)
    patience: Patience = field(default_factory=Patience)
    cache_folder: Path | None = field(default_factory=default_cache_folder)
    max_age: float = 30.0

    def fetch(
        self,
        catalog: str,
        ra: float,
        dec: float,
        radius: float,
        *,
        epoch: float | None = None,
        mag_limits: tuple[float | None, float | None] = (None, None),
        rng: np.random.Generator | None = None,
    ) -> Table:
        """
        Get the stars of a field.

        Parameters
        ----------
        catalog : str
            One of `SERVICE_CATALOGS`, in any case.
        ra, dec : float
            Centre of the field [degree].
        radius : float
            Its radius [degree].
        epoch : float, optional
            Decimal year to which the service moves the stars. Stars without known proper motion
            are then left out, and counted in the log.
        mag_limits : (float or None, float or None)
            The brightest and the faintest magnitude that are kept, both inclusive.
        rng : `numpy.random.Generator`, optional
            Source of the random part of waits between tries.

        Returns
        -------
        `~astropy.table.Table`
            Columns ``RA``, ``DEC`` (float64, degree), ``mag`` (float64, NaN if unknown), ``objID``
            and ``epoch``, from faint to bright, without masks; no rows if the field is empty.
            ``meta``: ``catalog`` (its name), ``epoch``, ``service``, ``n_dropped``.

        Raises
        ------
        ServiceError
            If the service fails at all tries and no former reply is kept, or if its reply is none.
        ValueError
            If there is no such catalog or field.
        """
        name = service_catalog(catalog)
        if name is None:
            known = ", ".join(SERVICE_CATALOGS)
            raise ValueError(f"unknown catalog {catalog!r}, expected one of {known}")
        query = self._query(name, ra, dec, radius, epoch)
        table = self._find(query, name, epoch, rng)
        _limit_magnitudes(table, mag_limits)
        table.sort("mag", reverse=True, kind="stable")
        table.meta["service"] = self.url
        return table

    def _query(self, name: str, ra: float, dec: float, radius: float, epoch: float | None) -> str:
        if not (math.isfinite(ra) and abs(dec) <= 90 and 0 < radius <= 180):
            raise ValueError(
                f"expected a field on the sky, found RA={ra}, DEC={dec}, radius={radius} degree"
            )
        # Rounded to a few mas, the radius upwards: runs on the same images ask the same question.
        words = {"RA": f"{ra % 360.0:.6f}", "DEC": f"{dec:.6f}"}
        if epoch is not None:
            words["EPOCH"] = f"{epoch:.3f}"
        words["SR"] = f"{math.ceil(radius * 1e6) / 1e6:.6f}"
        words["FORMAT"] = "CSV"
        words["CAT"] = name
        return f"{self.url.rstrip('/')}/{_SEARCH}?{urllib.parse.urlencode(words)}"

    def _find(
        self, query: str, name: str, epoch: float | None, rng: np.random.Generator | None
    ) -> Table:
        """The stars from a kept reply or from the service."""
        cache = None if self.cache_folder is None else TextCache(self.cache_folder)
        if cache is not None:
            kept = _parse_kept(cache, query, name, epoch, self.max_age * _DAY)
            if kept is not None:
                log.info("%s: %d stars from %s", name, len(kept), cache.path(query, name))
                return kept
        try:
            text = fetch_text(query, self.patience, rng=rng)
            table = _parse(text, self.url, name, epoch)
        except ServiceError as error:
            stale = _parse_kept(cache, query, name, epoch, math.inf) if cache is not None else None
            if stale is None:
                raise
            log.warning("%s; an older reply is used", error)
            return stale
        log.info("%s: %d stars from %s", name, len(table), self.url)
        if cache is not None and len(table) > 0:
            cache.put(query, name, text)
        return table


def _parse_kept(
    cache: TextCache, query: str, name: str, epoch: float | None, max_age: float
) -> Table | None:
    text = cache.get(query, name, max_age)
    if text is None:
        return None
    try:
        return _parse(text, str(cache.path(query, name)), name, epoch)
    except ServiceError as error:
        log.warning("%s; it is removed", error)
        cache.remove(query, name)
        return None


def _parse(text: str, source: str, name: str, epoch: float | None) -> Table:
    """Make a table of stars of a reply."""
    raw = _read_csv(text, source, name)
    columns = {key.lower(): raw[key] for key in reversed(raw.colnames)}
    if missing := {"ra", "dec"} - columns.keys():
        raise ServiceError(
            f"{source}: the reply on {name} has no column {' and '.join(sorted(missing))}, "
            f"found {', '.join(raw.colnames[:20]) or 'none'}"
        )
    ra, dec = (_numbers(columns[key], source, name) for key in ("ra", "dec"))
    keep = np.isfinite(ra) & (np.abs(dec) <= 90.0)
    if n_bad := int(np.count_nonzero(~keep)):
        log.warning("%s: %d rows of %s have no position and are left out", source, n_bad, name)
    if epoch is not None and {"pmra", "pmdec"} <= columns.keys():
        moving = np.isfinite(_numbers(columns["pmra"], source, name))
        moving &= np.isfinite(_numbers(columns["pmdec"], source, name))
        if n_still := int(np.count_nonzero(keep & ~moving)):
            log.info(
                "%s: %d of %d stars have no proper motion and are left out",
                name,
                n_still,
                np.count_nonzero(keep),
            )
        keep &= moving
    unknown = np.full(len(raw), np.nan)
    table = Table(
        {
            "RA": ra,
            "DEC": dec,
            "mag": _numbers(columns["mag"], source, name) if "mag" in columns else unknown,
            "objID": _identifiers(columns.get("objid"), len(raw)),
            "epoch": _numbers(columns["epoch"], source, name) if "epoch" in columns else unknown,
        },
        units={"RA": "deg", "DEC": "deg", "mag": "mag", "epoch": "yr"},
    )
    table = table[keep]
    table.meta = {"catalog": name, "epoch": epoch, "n_dropped": len(raw) - len(table)}
    return table


def _read_csv(text: str, source: str, name: str) -> Table:
    start = text.lstrip()
    if not start or start.startswith(_NO_DATA):
        return Table({"ra": np.zeros(0), "dec": np.zeros(0)})
    if start.startswith("<"):
        raise ServiceError(
            f"{source}: expected comma-separated values for {name}, found a page or another "
            f"format: {_excerpt(start)}"
        )
    try:
        return Table.read(start, format="ascii.csv", comment="#", fill_values=_BLANKS)
    except Exception as error:  # the reader has many ways to say no
        raise ServiceError(
            f"{source}: the reply on {name} cannot be read as comma-separated values "
            f"({type(error).__name__}): {_excerpt(start)}"
        ) from error


def _excerpt(text: str) -> str:
    return repr(" ".join(text[:200].split())[:80])


def _numbers(column: Column, source: str, name: str) -> NDArray[np.float64]:
    """A column as numbers, NaN where it is masked."""
    try:
        if isinstance(column, MaskedColumn):
            return np.asarray(column.astype(np.float64).filled(np.nan))
        return np.asarray(column, dtype=np.float64)
    except ValueError as error:
        raise ServiceError(
            f"{source}: expected numbers in column {column.name} of {name}: {error}"
        ) from error


def _identifiers(column: Column | None, length: int) -> NDArray[np.generic]:
    if column is None:
        return np.arange(1, length + 1)
    if isinstance(column, MaskedColumn):
        return np.asarray(column.filled(0 if column.dtype.kind in "iuf" else ""))
    return np.asarray(column)


def _limit_magnitudes(table: Table, limits: tuple[float | None, float | None]) -> None:
    """Remove the stars outside of limits in place; those of unknown magnitude are outside."""
    bright, faint = limits
    if bright is None and faint is None:
        return
    mag = np.asarray(table["mag"])
    low = -math.inf if bright is None else bright
    high = math.inf if faint is None else faint
    keep = (mag >= low) & (mag <= high)
    log.info("%d of %d stars are within the limits of magnitude", np.count_nonzero(keep), len(mag))
    table.meta["n_dropped"] += int(np.count_nonzero(~keep))
    table.remove_rows(~keep)
