"""Between data models and the arrays that the algorithms work on."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stdatamodels.jwst.datamodels import JwstDataModel, MultiSlitModel, SlitModel

from webbweave.datamodels import attach_table, copy_metadata, get_path, set_path, tree_of
from webbweave.datamodels.blending import blend_metadata, combine_exposure_times, header_table
from webbweave.errors import InputError, UnsupportedInputError
from webbweave.resample.combine import ResampledSlit
from webbweave.resample.exposure import VARIANCES, SlitExposure
from webbweave.resample.footprint import sky_box_region
from webbweave.resample.options import ResampleOptions

__all__ = ["SlitInput", "add_header_table", "group_by_source", "product_tree", "slit_inputs"]

log = logging.getLogger(__name__)

#: Metadata of a slit that the metadata of its exposure does not replace.
_OF_THE_SLIT = ("bunit_data", "bunit_err", "model_type", "wcsinfo", "photometry", "wcs")

#: Square arcseconds in a steradian.
_ARCSEC2_PER_SR = float(np.rad2deg(3600.0) ** 2)


class SlitInput:
    """
    One slit of one exposure as it stands in a data model.

    Parameters
    ----------
    name : str
        What messages call it.
    tree : mapping
        Tree of the slit: of a SlitModel, or an element of ``slits``.
    exposure_tree : mapping
        Tree of the model that holds it; the same for a SlitModel.
    """

    def __init__(
        self, name: str, tree: Mapping[str, Any], exposure_tree: Mapping[str, Any]
    ) -> None:
        self.name = name
        self.tree = tree
        self.exposure_tree = exposure_tree

    @property
    def source(self) -> str:
        """Name of the source, else its number, else the name of the slit."""
        name = str(self.tree.get("source_name") or "").strip()
        number = self.tree.get("source_id")
        if not name and number is None:
            return str(self.tree.get("name") or "")
        return name or str(number)

    @cached_property
    def metadata(self) -> Mapping[str, Any]:
        """The metadata of the slit merged with those of its exposure, as a tree without arrays.

        What is specific to the slit stays as it is.
        """
        merged = copy_metadata(self.tree)
        if self.exposure_tree is self.tree:
            return merged
        meta = copy_metadata(self.exposure_tree).get("meta", {})
        own = merged.get("meta", {})
        meta.update({key: value for key, value in own.items() if key in _OF_THE_SLIT})
        exposure_type = get_path(own, "exposure.type")
        if exposure_type:
            set_path(meta, "exposure.type", exposure_type)
        merged["meta"] = meta
        return merged

    def exposure(self) -> SlitExposure:
        """
        Take the arrays and numbers that the resampling needs.

        Returns
        -------
        SlitExposure
            With native-endian copies of the arrays.

        Raises
        ------
        UnsupportedInputError
            If the data are not an image, or dispersed along y.
        InputError
            If an array or the WCS is missing or of the wrong shape.
        """
        data = self._image("data", "SCI", np.float32)
        if data is None:
            raise InputError(f"{self.name}: no science array, expected an extension SCI")
        if data.size == 0:
            raise InputError(f"{self.name}: SCI is empty, its shape is {data.shape}")
        dq = self._image("dq", "DQ", np.uint32)
        if dq is None:
            log.warning("%s: no DQ array, all finite pixels are taken to be good", self.name)
            dq = np.zeros(data.shape, dtype=np.uint32)
        elif dq.shape != data.shape:
            raise InputError(f"{self.name}: DQ has shape {dq.shape}, but SCI {data.shape}")
        meta = self.metadata["meta"]
        wcs = get_path(self.tree, "meta.wcs")
        if wcs is None:
            raise InputError(
                f"{self.name}: no WCS, expected a gwcs in the ASDF extension (run assign_wcs)"
            )
        if get_path(meta, "wcsinfo.dispersion_direction", 1) != 1:
            raise UnsupportedInputError(
                f"{self.name}: dispersed along y (DISPAXIS 2), expected a NIRSpec slit along x"
            )
        time = get_path(meta, "exposure.measurement_time")
        return SlitExposure(
            name=self.name,
            data=data,
            dq=dq,
            variances=self._variances(data.shape),
            wcs=wcs,
            unit=str(get_path(meta, "bunit_data", "")),
            exposure_time=time or get_path(meta, "exposure.exposure_time"),
            pixel_area=get_path(meta, "photometry.pixelarea_steradians"),
            background=_background(meta),
            setup=tuple(
                str(get_path(meta, f"instrument.{key}", ""))
                for key in ("name", "filter", "grating")
            ),
        )

    def _image(self, key: str, extension: str, dtype: type) -> NDArray[Any] | None:
        array = self.tree.get(key)
        if array is None:
            return None
        if array.ndim != 2:
            raise UnsupportedInputError(
                f"{self.name}: expected a 2-D image in {extension}, found shape {array.shape}"
            )
        return np.ascontiguousarray(array, dtype=dtype)

    def _variances(self, shape: tuple[int, ...]) -> dict[str, NDArray[np.float32]]:
        variances = {}
        for key in VARIANCES:
            array = self.tree.get(key)
            if array is None:
                continue
            if array.shape != shape:
                log.warning(
                    "%s: %s has shape %s, but SCI %s; it is left out",
                    self.name,
                    key.upper(),
                    array.shape,
                    shape,
                )
                continue
            variances[key] = np.ascontiguousarray(array, dtype=np.float32)
        return variances


def _background(meta: Mapping[str, Any]) -> float | None:
    if get_path(meta, "background.subtracted", False):
        return None
    level: float | None = get_path(meta, "background.level")
    return level


def slit_inputs(name: str, model: JwstDataModel) -> list[SlitInput]:
    """
    List the slits of a model.

    Parameters
    ----------
    name : str
        What messages call the model.
    model : `~stdatamodels.jwst.datamodels.JwstDataModel`
        A SlitModel or MultiSlitModel.

    Returns
    -------
    list of SlitInput
        Views into the model; nothing is copied.

    Raises
    ------
    UnsupportedInputError
        If it is a model of another kind.
    InputError
        If it has no slit.
    """
    tree = tree_of(model)
    if isinstance(model, SlitModel):
        return [SlitInput(name, tree, tree)]
    if not isinstance(model, MultiSlitModel):
        data = tree.get("data")
        shape = "" if data is None else f" of shape {data.shape}"
        raise UnsupportedInputError(
            f"{name}: expected a SlitModel or MultiSlitModel, found {type(model).__name__}{shape}"
        )
    slits = tree.get("slits") or []
    if not slits:
        raise InputError(f"{name}: no slits, expected at least one extension SCI")
    return [
        SlitInput(f"{name}[{slit.get('name') or index + 1}]", slit, tree)
        for index, slit in enumerate(slits)
    ]


def group_by_source(inputs: Sequence[SlitInput]) -> dict[str, list[SlitInput]]:
    """
    Collect the exposures of each source.

    Parameters
    ----------
    inputs : sequence of SlitInput
        The slits of all exposures.

    Returns
    -------
    dict of str to list of SlitInput
        In the order of first appearance.
    """
    groups: dict[str, list[SlitInput]] = {}
    for item in inputs:
        groups.setdefault(item.source, []).append(item)
    return groups


def product_tree(
    resampled: ResampledSlit,
    inputs: Sequence[SlitInput],
    options: ResampleOptions,
    *,
    blend: bool = True,
) -> dict[str, Any]:
    """
    Write a resampled spectrum as the tree of a SlitModel.

    Parameters
    ----------
    resampled : ResampledSlit
        The spectrum.
    inputs : sequence of SlitInput
        The slits that it was made of, in the same order as the exposures.
    options : ResampleOptions
        How it was made.
    blend : bool, optional
        Whether to combine the header values of all inputs, not only the exposure times.

    Returns
    -------
    dict
        Arrays and metadata; the attributes of the slit are those of the first input.
    """
    sources = [inputs[index].metadata for index in resampled.used]
    tree = copy_metadata(sources[0])
    if blend:
        blend_metadata(tree, sources, SlitModel)
    pointings = combine_exposure_times(tree, sources)
    tree["meta"].pop("background", None)
    _set_geometry(tree, resampled)
    tree["meta"]["resample"] = {
        "pointings": pointings,
        "pixel_scale_ratio": resampled.ratio,
        "pixfrac": options.pixfrac,
        "kernel": options.kernel,
        "fillval": str(options.fillval),
    }
    set_path(tree, "meta.resample.weight_type", options.weight_type)
    set_path(tree, "meta.cal_step.resample", "COMPLETE")
    tree["meta"]["model_type"] = "SlitModel"
    tree["data"] = resampled.data
    tree["err"] = resampled.error
    tree["wavelength"] = resampled.wavelength
    tree["wht"] = resampled.weight
    tree["con"] = resampled.context
    tree.update(resampled.variances)
    if resampled.dq is not None:
        tree["dq"] = resampled.dq
    if not resampled.variances:
        set_path(tree, "meta.bunit_err", None)
    return tree


def add_header_table(model: JwstDataModel, inputs: Sequence[SlitInput]) -> None:
    """
    Attach the table of the header values of all inputs, extension HDRTAB.

    Parameters
    ----------
    model : `~stdatamodels.jwst.datamodels.JwstDataModel`
        The product, changed in place.
    inputs : sequence of SlitInput
        What it was made of.
    """
    table = header_table([item.metadata for item in inputs], SlitModel)
    attach_table(model, "hdrtab", table, "Header values of the inputs")


def _set_geometry(tree: dict[str, Any], resampled: ResampledSlit) -> None:
    grid = resampled.grid
    meta = tree["meta"]
    area = resampled.pixel_area
    set_path(meta, "photometry.pixelarea_steradians", area)
    set_path(
        meta, "photometry.pixelarea_arcsecsq", None if area is None else area * _ARCSEC2_PER_SR
    )
    ra, dec = grid.sky(np.arange(grid.n_row, dtype=np.float64))
    set_path(meta, "wcsinfo.s_region", sky_box_region(ra, dec))
    wavelengths = grid.table.wavelengths
    set_path(meta, "wcsinfo.spectral_region", [float(wavelengths[0]), float(wavelengths[-1])])
    meta["wcs"] = grid.to_gwcs()
