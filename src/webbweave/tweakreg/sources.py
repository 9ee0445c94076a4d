"""Catalogs of data models: sources are found in an image as it comes from the pipeline."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from astropy.table import QTable, Table
from stdatamodels.jwst.datamodels import ImageModel

from webbweave.tweakreg.catalogs import (
    FinderOptions,
    coverage_mask,
    make_catalog,
    rows_inside,
    standard_catalog,
)

__all__ = ["image_catalog", "make_tweakreg_catalog"]

log = logging.getLogger(__name__)

#: Names that the libraries below jwst have for parameters of the step.
_SYNONYMS = {
    "fwhm": "kernel_fwhm",
    "n_brightest": "brightest",
    "peak_max": "peakmax",
    "n_pixels": "npixels",
    "n_levels": "nlevels",
    "mode": "multithresh_mode",
    "local_bkg_width": "localbkg_width",
    "aperture_mask_method": "apermask_method",
}


def make_tweakreg_catalog(
    model: ImageModel,
    snr_threshold: float,
    bkg_boxsize: int = 400,
    starfinder: str = "dao",
    starfinder_kwargs: Mapping[str, Any] | None = None,
    *,
    compat: bool = False,
) -> QTable:
    """
    Find the sources of an image.

    Parameters
    ----------
    model : `~stdatamodels.jwst.datamodels.ImageModel`
        The image; not changed.
    snr_threshold : float
        Threshold above the background in units of its scatter.
    bkg_boxsize : int, optional
        Side of a box of the background mesh in pixels.
    starfinder : {'dao', 'iraf', 'segmentation'}, optional
        The method.
    starfinder_kwargs : mapping, optional
        Parameters of the method by their names in the step or in `photutils`.
    compat : bool, optional
        Follow jwst and `photutils`.

    Returns
    -------
    `~astropy.table.QTable`
        See `~webbweave.tweakreg.catalogs.make_catalog`.

    Raises
    ------
    TypeError
        If the model is no ImageModel, or a parameter is unknown.
    ValueError
        If a parameter has no meaning.
    """
    named = {_SYNONYMS.get(name, name): value for name, value in (starfinder_kwargs or {}).items()}
    options = FinderOptions(
        starfinder=starfinder, snr_threshold=snr_threshold, bkg_boxsize=bkg_boxsize, **named
    )
    return _found(model, options, compat=compat, threads=1)


def image_catalog(
    model: ImageModel,
    options: FinderOptions,
    *,
    bounding_box: Any = None,
    compat: bool = False,
    threads: int = 1,
) -> Table:
    """
    Find the sources of an image, and keep what alignment needs.

    Parameters
    ----------
    model : `~stdatamodels.jwst.datamodels.ImageModel`
        The image; not changed.
    options : FinderOptions
        How to find them.
    bounding_box : object, optional
        Where the WCS of the image is valid, see `~webbweave.tweakreg.catalogs.rows_inside`.
    compat : bool, optional
        Follow jwst and `photutils`.
    threads : int, optional
        Number of threads.

    Returns
    -------
    `~astropy.table.Table`
        Columns ``id``, ``x``, ``y`` (pixels), ``flux``, and ``xy_error`` where positions are
        fitted; ``meta['name']`` is the stem of the file name.

    Raises
    ------
    TypeError
        If the model is no ImageModel.
    """
    table = standard_catalog(_found(model, options, compat=compat, threads=threads))
    table = rows_inside(Table(table), bounding_box)
    filename = _filename(model)
    table.meta.setdefault("name", Path(filename).stem.strip("_- "))
    if len(table):
        log.info("Detected %d sources in %s.", len(table), filename)
    else:
        log.warning("No sources found in %s.", filename)
    return table


def _filename(model: ImageModel) -> str:
    return str(model.meta.filename or "image")


def _found(model: Any, options: FinderOptions, *, compat: bool, threads: int) -> QTable:
    if not isinstance(model, ImageModel):
        raise TypeError(f"expected an ImageModel, found {type(model).__name__}")
    err = None
    if options.starfinder == "segmentation" and model.hasattr("err"):
        err = model.err
    return make_catalog(
        model.data,
        coverage_mask(model.dq) if model.hasattr("dq") else None,
        err,
        options=options,
        compat=compat,
        threads=threads,
        name=_filename(model),
    )
