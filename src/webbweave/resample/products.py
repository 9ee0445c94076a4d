"""Between data models and the arrays that the algorithms work on."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stdatamodels.jwst.datamodels import ImageModel, JwstDataModel, MultiSlitModel, SlitModel

from webbweave.datamodels import copy_metadata, get_path, header_entries, set_path, tree_of
from webbweave.datamodels.blending import blend_metadata, combine_exposure_times
from webbweave.errors import InputError, UnsupportedInputError
from webbweave.resample.combine import ResampledSlit
from webbweave.resample.exposure import VARIANCES, SlitExposure
from webbweave.resample.fits_wcs import spectral_wcs
from webbweave.resample.grid import OutputGrid
from webbweave.resample.lrs_wcs import LrsGrid
from webbweave.resample.nirspec_wcs import NirspecGrid
from webbweave.resample.noise_products import set_noise
from webbweave.resample.options import ResampleOptions
from webbweave.wcs import fast_wcs

__all__ = [
    "SlitInput",
    "central_wavelengths",
    "drop_fits_wcs",
    "group_by_source",
    "product_tree",
    "slit_inputs",
    "source_position",
]

log = logging.getLogger(__name__)

#: Metadata of a slit that the metadata of its exposure does not replace.
_OF_THE_SLIT = ("bunit_data", "bunit_err", "model_type", "wcsinfo", "photometry", "wcs")

#: Entries of ``meta.wcsinfo`` that describe the axes of an image.
_AXIS_KEYWORD = re.compile(r"wcsaxes|(crpix|crval|ctype|cunit|cdelt)\d|(cd|pc|ps|pv)\d_\d")

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
        """The header of the slit merged with that of its exposure: a tree without arrays.

        What is specific to the slit stays as it is. What is nested in it is shared with the model:
        not to be changed.
        """
        merged = header_entries(self.tree)
        own = header_entries(merged.get("meta", {}))
        merged["meta"] = own
        if self.exposure_tree is self.tree:
            return merged
        merged["meta"] = meta = header_entries(self.exposure_tree.get("meta", {}))
        meta.update({key: value for key, value in own.items() if key in _OF_THE_SLIT})
        exposure_type = get_path(own, "exposure.type")
        if exposure_type and exposure_type != get_path(meta, "exposure.type"):
            meta["exposure"] = {**meta.get("exposure", {}), "type": exposure_type}
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
            If the data are not an image, or dispersed along neither axis.
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
        axis = get_path(meta, "wcsinfo.dispersion_direction", 1)
        if axis not in (1, 2):
            raise UnsupportedInputError(f"{self.name}: expected DISPAXIS 1 or 2, found {axis}")
        time = get_path(meta, "exposure.measurement_time")
        return SlitExposure(
            name=self.name,
            data=data,
            dq=dq,
            variances=self._variances(data.shape),
            wcs=fast_wcs(wcs),
            unit=str(get_path(meta, "bunit_data", "")),
            exposure_time=time or get_path(meta, "exposure.exposure_time"),
            pixel_area=get_path(meta, "photometry.pixelarea_steradians"),
            background=_background(meta),
            setup=tuple(
                str(get_path(meta, f"instrument.{key}", ""))
                for key in ("name", "filter", "grating")
            ),
            dispersion_axis=axis,
            exposure_type=str(get_path(meta, "exposure.type", "")),
            s_region=str(get_path(meta, "wcsinfo.s_region", "")),
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
        A SlitModel or MultiSlitModel, or the ImageModel of older MIRI LRS products.

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
    if isinstance(model, SlitModel) or _is_lrs_image(model):
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


def _is_lrs_image(model: JwstDataModel) -> bool:
    """Whether it is what MIRI LRS exposures were before there was a SlitModel for them."""
    exposure_type = str(get_path(tree_of(model), "meta.exposure.type", ""))
    return isinstance(model, ImageModel) and exposure_type.startswith("MIR_LRS")


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
        In the order of first appearance. Slits that name no source go by their place among those of
        their exposure.
    """
    groups: dict[str, list[SlitInput]] = {}
    nameless: dict[int, int] = {}
    for item in inputs:
        source = item.source
        if not source:
            exposure = id(item.exposure_tree)
            nameless[exposure] = nameless.get(exposure, 0) + 1
            source = f"unnamed {nameless[exposure]}"
        groups.setdefault(source, []).append(item)
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
    _set_geometry(tree, resampled, inputs[resampled.used[0]])
    tree["meta"]["resample"] = _settings(resampled, options) | {"pointings": pointings}
    if not options.compat:
        _set_fits_wcs(tree, resampled, sources)
        set_noise(tree, resampled, [PurePath(inputs[index].name).name for index in resampled.used])
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


def _settings(resampled: ResampledSlit, options: ResampleOptions) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "pixel_scale_ratio": resampled.ratio,
        "pixfrac": options.pixfrac,
        "kernel": options.kernel,
        "fillval": str(options.fillval),
    }
    if options.compat and options.output_wcs:
        # jwst notes the parameter, which such a grid ignores.
        settings["pixel_scale_ratio"] = options.pixel_scale_ratio
    if options.weight_type:
        settings["weight_type"] = options.weight_type
    if not options.compat:
        settings |= {"error_mode": options.error_mode, "combine": options.combine}
    return settings


def _set_geometry(tree: dict[str, Any], resampled: ResampledSlit, first: SlitInput) -> None:
    grid = resampled.grid
    meta = tree["meta"]
    area = resampled.pixel_area
    set_path(meta, "photometry.pixelarea_steradians", area)
    set_path(
        meta, "photometry.pixelarea_arcsecsq", None if area is None else area * _ARCSEC2_PER_SR
    )
    set_path(meta, "wcsinfo.s_region", grid.s_region())
    set_path(meta, "wcsinfo.spectral_region", list(grid.spectral_range))
    set_path(meta, "wcsinfo.dispersion_direction", grid.dispersion_axis)
    meta["wcs"] = grid.to_gwcs()
    x, y = tree.get("source_xpos"), tree.get("source_ypos")
    if grid.dispersion_axis == 2 and x is not None and y is not None:
        # For MIRI these are detector pixels; for NIRSpec, places in the slit.
        place = grid.position(get_path(first.tree, "meta.wcs"), x, y)
        tree["source_xpos"], tree["source_ypos"] = (None, None) if np.isnan(place).any() else place


def _set_fits_wcs(
    tree: dict[str, Any], resampled: ResampledSlit, sources: Sequence[Mapping[str, Any]]
) -> None:
    grid = resampled.grid
    keywords = tree["meta"].setdefault("wcsinfo", {})
    drop_fits_wcs(keywords)
    if not np.isfinite(central_wavelengths(grid)).all():
        # A grid of the user may reach beyond its WCS; a table of coordinates cannot have gaps.
        return
    header = sources[getattr(grid, "reference", 0)]
    keywords |= spectral_wcs(
        grid.dispersion_axis,
        grid.shape[0 if grid.dispersion_axis == 1 else 1],
        grid.pixel_scale,
        source=source_position(grid, header),
    )


def drop_fits_wcs(keywords: dict[str, Any]) -> None:
    """
    Remove the axes of an image from header values.

    Parameters
    ----------
    keywords : dict
        ``meta.wcsinfo``, changed in place. The pointing and the dispersion axis stay.
    """
    for name in [name for name in keywords if _AXIS_KEYWORD.fullmatch(name)]:
        del keywords[name]


def central_wavelengths(grid: OutputGrid) -> NDArray[np.float64]:
    """
    Take the wavelengths in the middle of the slit.

    Parameters
    ----------
    grid : OutputGrid
        The grid.

    Returns
    -------
    ndarray of float64, shape (n,)
        Wavelength of each pixel along the spectrum [micron].
    """
    wavelength = grid.wavelength if grid.dispersion_axis == 1 else grid.wavelength.T
    return np.ascontiguousarray(wavelength[wavelength.shape[0] // 2], dtype=np.float64)


def source_position(grid: OutputGrid, header: Mapping[str, Any]) -> float | None:
    """
    Find where along the slit a source is expected.

    Parameters
    ----------
    grid : OutputGrid
        The grid of the source.
    header : mapping
        Tree of the exposure that set the grid: ``source_ypos`` is the planned position in the slit
        of NIRSpec; ``meta.dither.dithered_ra`` and ``dithered_dec`` that on the sky for MIRI.

    Returns
    -------
    float or None
        Pixel of the product along the slit; None if it is not known or outside the grid.
    """
    if isinstance(grid, LrsGrid):
        ra, dec = (get_path(header, f"meta.dither.dithered_{axis}") for axis in ("ra", "dec"))
        if ra is None or dec is None:
            return None
        position = float(grid.line.row(*grid.plane.project(np.array(ra), np.array(dec))))
        size = grid.n_column
    elif isinstance(grid, NirspecGrid) and header.get("source_ypos") is not None:
        size = grid.n_row
        order = np.argsort(grid.slit_y)
        position = float(
            np.interp(
                header["source_ypos"],
                grid.slit_y[order],
                np.arange(size, dtype=np.float64)[order],
                left=np.nan,
                right=np.nan,
            )
        )
    else:
        return None
    return position if -0.5 <= position <= size - 0.5 else None
