"""The reference catalog that a user asks for, from a file or from the service."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from webbweave.datamodels import read_table
from webbweave.datamodels.gaia import SERVICE_CATALOGS, CatalogService, service_catalog
from webbweave.errors import InputError
from webbweave.tweakreg.overlap import SkyPolygon, enclosing_circle
from webbweave.tweakreg.reference import ReferenceCatalog, reference_catalog

__all__ = [
    "FoundReference",
    "check_reference_name",
    "find_reference",
    "reference_file_name",
]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FoundReference:
    """
    A reference catalog and where it comes from.

    Attributes
    ----------
    catalog : ReferenceCatalog
        The stars; none if the service has none in the field.
    table : `~astropy.table.Table` or None
        The table to save, for a catalog of the service; None for a file.
    """

    catalog: ReferenceCatalog
    table: Table | None


def check_reference_name(name: str) -> None:
    """
    Check that a reference catalog is a file or one that the service knows.

    Parameters
    ----------
    name : str
        What the user asked for.

    Raises
    ------
    ValueError
        If it is neither.
    """
    if name.strip().upper() not in SERVICE_CATALOGS and not Path(name).is_file():
        known = ", ".join(SERVICE_CATALOGS)
        raise ValueError(f"abs_refcat: expected an existing file or one of {known}, found {name!r}")


def find_reference(
    abs_refcat: str,
    footprints: Sequence[SkyPolygon],
    *,
    epoch: float | None = None,
    margin: float = 0.0,
    mag_limits: tuple[float | None, float | None] = (None, None),
    observer: NDArray[np.float64] | None = None,
    service: CatalogService | None = None,
    rng: np.random.Generator | None = None,
    compat: bool = False,
) -> FoundReference:
    """
    Read or fetch a reference catalog.

    Parameters
    ----------
    abs_refcat : str
        A file, or the name of a catalog of the service.
    footprints : sequence of SkyPolygon
        Where the images are: the field that the service is asked for.
    epoch : float, optional
        Decimal year of the exposures, to which stars are moved.
    margin : float
        What is added to the radius of the field [arcsec], for errors of the pointing.
    mag_limits : (float or None, float or None)
        The brightest and the faintest magnitude that are kept.
    observer : ndarray of float64, shape (3,), optional
        Where the telescope is [au], for the parallaxes of a file.
    service : CatalogService, optional
        The service; by default the one that the environment names.
    rng : `numpy.random.Generator`, optional
        Source of the random part of waits for the service.
    compat : bool
        As jwst does: no margin, and the stars of a file stay where they are.

    Returns
    -------
    FoundReference
        The stars.

    Raises
    ------
    ValueError
        If `abs_refcat` is neither a file nor a known name.
    ServiceError
        If the service fails: alignment of the images among each other is not affected.
    InputError
        If the file is no reference catalog.
    """
    check_reference_name(abs_refcat)
    name = service_catalog(abs_refcat)
    if name is None:
        catalog = reference_catalog(
            read_table(abs_refcat),
            str(abs_refcat),
            epoch=None if compat else epoch,
            mag_limits=mag_limits,
            observer=observer,
        )
        log.info("%s: %d stars", abs_refcat, len(catalog))
        return FoundReference(catalog, None)
    if not footprints:
        raise InputError(f"{name}: expected the footprints of images, found none")
    ra, dec, radius = enclosing_circle(footprints)
    table = (service or CatalogService()).fetch(
        name,
        ra,
        dec,
        radius + (0.0 if compat else margin / 3600.0),
        epoch=epoch,
        mag_limits=mag_limits,
        rng=rng,
    )
    if len(table) == 0:
        none = np.zeros(0)
        empty = ReferenceCatalog(name, none, none, none.astype(np.int64), None, none, epoch)
        return FoundReference(empty, table)
    catalog = reference_catalog(table, name)
    return FoundReference(catalog, table)


def reference_file_name(abs_refcat: str) -> str:
    """
    Name the file in which a catalog of the service is saved.

    Parameters
    ----------
    abs_refcat : str
        The catalog.

    Returns
    -------
    str
        ``fit_gaiadr3_ref.ecsv`` for GAIADR3.
    """
    return f"fit_{abs_refcat.strip().lower()}_ref.ecsv"
