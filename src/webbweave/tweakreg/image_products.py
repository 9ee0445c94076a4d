"""Images as data models: what alignment reads from them, and what it writes to its copies."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table
from gwcs import WCS
from stdatamodels.jwst.datamodels import ImageModel, JwstDataModel

from webbweave.datamodels import (
    Member,
    chosen_catalog,
    get_path,
    read_table,
    set_path,
    tree_of,
)
from webbweave.errors import InputError
from webbweave.tweakreg.catalogs import (
    FinderOptions,
    empty_catalog,
    position_weights,
    standard_catalog,
)
from webbweave.tweakreg.image_plane import ImagePlane
from webbweave.tweakreg.pointing import ImageSources
from webbweave.tweakreg.sources import image_catalog
from webbweave.tweakreg.v2v3_plane import LinearCorrection, V2V3Plane
from webbweave.tweakreg.wcs_correction import apply_correction, existing_correction

__all__ = [
    "FitsApproximation",
    "OpenedImage",
    "correct_model",
    "open_image",
    "sky_region",
]

log = logging.getLogger(__name__)

#: The degrees of the polynomial that are tried, as jwst does.
_DEGREES = range(1, 6)

#: Header values of an earlier approximation, which the new one does not set.
_OLD_VALUES = re.compile(r"(cdelt[12]|pc[12]_[12]|cd[12]_[12]|(a|b|ap|bp)_(order|\d_\d))")


@dataclass(frozen=True, kw_only=True)
class FitsApproximation:
    """
    How the corrected WCS is approximated in the FITS header.

    Attributes
    ----------
    max_pix_error, max_inv_pix_error : float
        Largest error of the polynomials and their inverse [pixel].
    degree, inv_degree : int or None
        Their degrees; None for the lowest of 1 to 5 that will do.
    npoints : int
        Points along each axis that they are fitted to.
    """

    max_pix_error: float = 0.01
    degree: int | None = None
    max_inv_pix_error: float = 0.01
    inv_degree: int | None = None
    npoints: int = 12

    def header(self, wcs: WCS, crpix: tuple[float, float] | None) -> dict[str, Any]:
        """
        Make the header values.

        Parameters
        ----------
        wcs : `~gwcs.WCS`
            The WCS, with bounding box.
        crpix : (float, float) or None
            Reference pixel, 1-indexed; the middle if there is none.

        Returns
        -------
        dict
            The values by their names in ``meta.wcsinfo``.
        """
        header = wcs.to_fits_sip(
            max_pix_error=self.max_pix_error,
            degree=list(_DEGREES) if self.degree is None else self.degree,
            max_inv_pix_error=self.max_inv_pix_error,
            inv_degree=list(_DEGREES) if self.inv_degree is None else self.inv_degree,
            npoints=self.npoints,
            crpix=crpix,
            projection="TAN",
        )
        left_out = ("naxis", "mjdref", "lonpole", "latpole", "radesys", "wcsname")
        return {
            key.lower(): value
            for key, value in header.items()
            if not key.lower().startswith(left_out)
        }


@dataclass(frozen=True, eq=False)
class OpenedImage:
    """
    An image, its catalog, and what is aligned of it.

    Attributes
    ----------
    member : Member
        Where it is from.
    model : `~stdatamodels.jwst.datamodels.ImageModel`
        The image; not to be changed.
    table : `~astropy.table.Table`
        Its catalog.
    custom : path or None
        The catalog of the user's, if it is one.
    sources : ImageSources or None
        What is aligned; None for an image whose pointing cannot be corrected.
    problem : str
        Why not.
    """

    member: Member
    model: ImageModel
    table: Table
    custom: Path | None
    sources: ImageSources | None
    problem: str

    @property
    def filename(self) -> str:
        """The file name of the image."""
        return str(get_path(tree_of(self.model), "meta.filename", self.member.name))


def open_image(
    member: Member,
    model: JwstDataModel,
    finder: FinderOptions | None,
    *,
    choices: Mapping[str, Path | None] | None = None,
    compat: bool = False,
    threads: int = 1,
) -> OpenedImage:
    """
    Take what is aligned out of an image: its WCS, and its sources, found or read.

    Parameters
    ----------
    member : Member
        Where the image is from.
    model : data model
        The open image; not changed.
    finder : FinderOptions or None
        How sources are found; None for an empty catalog.
    choices : mapping of str to path or None, optional
        Catalogs of the user's by file name, see `~webbweave.datamodels.catalog_choices`; None if
        none are to be used.
    compat : bool, optional
        Do as jwst does.
    threads : int, optional
        Number of threads.

    Returns
    -------
    OpenedImage
        The image. One without a WCS that can be corrected says so.

    Raises
    ------
    TypeError
        If it is no ImageModel.
    InputError
        If a file cannot be read.
    ValueError
        If a catalog of the user's has no positions.
    """
    if not isinstance(model, ImageModel):
        raise TypeError(f"{member.name}: expected an ImageModel, found {type(model).__name__}")
    tree = tree_of(model)
    name = str(get_path(tree, "meta.filename", member.name))
    wcs, problem = get_path(tree, "meta.wcs"), ""
    table, custom = _catalog(member, model, name, finder, choices, compat, threads)
    sources = None
    try:
        if wcs is None:
            raise InputError("has no WCS")
        sources = _sources(model, name, wcs, table, compat=compat)
    except (InputError, ValueError) as error:
        problem = str(error)
        log.warning("%s: cannot be aligned: %s", name, problem)
    return OpenedImage(member, model, table, custom, sources, problem)


def _catalog(
    member: Member,
    model: ImageModel,
    name: str,
    finder: FinderOptions | None,
    choices: Mapping[str, Path | None] | None,
    compat: bool,
    threads: int,
) -> tuple[Table, Path | None]:
    """Read or find the sources of an image."""
    tree, custom = tree_of(model), None
    if choices is not None:
        folder = None if member.path is None else member.path.parent
        custom = chosen_catalog(choices, name, get_path(tree, "meta.tweakreg_catalog"), folder)
    if custom is not None:
        table = standard_catalog(read_table(custom), str(custom))
        log.info("%s: %d sources in %s", name, len(table), custom)
        return table, custom
    if finder is None:
        return standard_catalog(empty_catalog(), name), None
    wcs = get_path(tree, "meta.wcs")
    box = None if wcs is None else wcs.bounding_box
    return image_catalog(model, finder, bounding_box=box, compat=compat, threads=threads), None


def _sources(model: ImageModel, name: str, wcs: WCS, table: Table, *, compat: bool) -> ImageSources:
    ny, nx = model.data.shape
    box = ((-0.5, nx - 0.5), (-0.5, ny - 0.5))
    if wcs.bounding_box is not None:
        (x0, x1), (y0, y1) = wcs.bounding_box.bounding_box(order="F")
        box = ((float(x0), float(x1)), (float(y0), float(y1)))
    weight = np.asarray(table["weight"], dtype=np.float64) if "weight" in table.colnames else None
    if weight is None and not compat and "xy_error" in table.colnames:
        weight = position_weights(np.asarray(table["xy_error"], dtype=np.float64))
    plane = V2V3Plane.of(get_path(tree_of(model), "meta.wcsinfo", {}))
    existing_correction(wcs, plane)  # one that nothing can be added to is found out here
    return ImageSources(
        name,
        ImagePlane(wcs, plane, compat=compat),
        np.asarray(table["x"], dtype=np.float64),
        np.asarray(table["y"], dtype=np.float64),
        weight,
        box,
    )


def sky_region(wcs: WCS) -> str | None:
    """
    Write down the corners of an image.

    Parameters
    ----------
    wcs : `~gwcs.WCS`
        Its WCS.

    Returns
    -------
    str or None
        ``POLYGON ICRS`` with the sky positions of the outer corners of the bounding box; None if
        there is none, or a corner is nowhere.
    """
    if wcs.bounding_box is None:
        return None
    corners = np.asarray(wcs.footprint(center=False), dtype=np.float64)
    if not np.isfinite(corners).all():
        return None
    corners[:, 0] %= 360.0
    return "POLYGON ICRS  " + " ".join(f"{value:.9f}" for value in corners.ravel())


def correct_model(
    model: JwstDataModel,
    correction: LinearCorrection,
    *,
    name: str | None = None,
    fits: FitsApproximation | None = None,
) -> None:
    """
    Write a correction into a model: its WCS, S_REGION, and the approximation in its header.

    Parameters
    ----------
    model : data model
        Changed in place; as it was if something goes wrong.
    correction : LinearCorrection
        The correction.
    name : str, optional
        New name of the WCS.
    fits : FitsApproximation, optional
        How the WCS is approximated; None to leave the header alone.

    Raises
    ------
    ValueError
        If the WCS has a correction that is not known here.
    """
    tree = tree_of(model)
    plane = V2V3Plane.of(get_path(tree, "meta.wcsinfo", {}))
    wcs = apply_correction(
        tree["meta"]["wcs"], correction.matrix, correction.shift, plane, name=name
    )
    region = sky_region(wcs)
    values = _approximated(model, wcs, fits) if fits is not None else None
    tree["meta"]["wcs"] = wcs
    if region is not None:
        set_path(tree, "meta.wcsinfo.s_region", region)
    if values is not None:
        info = tree["meta"]["wcsinfo"]
        for key in [key for key in info if _OLD_VALUES.fullmatch(key)]:
            del info[key]
        info.update(values)


def _approximated(model: JwstDataModel, wcs: WCS, fits: FitsApproximation) -> dict[str, Any] | None:
    info = get_path(tree_of(model), "meta.wcsinfo", {})
    crpix = info.get("crpix1"), info.get("crpix2")
    known = all(isinstance(x, (int, float)) and math.isfinite(x) for x in crpix)
    try:
        return fits.header(wcs, (float(crpix[0]), float(crpix[1])) if known else None)
    except (ValueError, RuntimeError, ArithmeticError, np.linalg.LinAlgError) as error:
        filename = get_path(tree_of(model), "meta.filename", "image")
        log.warning("%s: the header keeps its approximation of the WCS: %s", filename, error)
        return None
