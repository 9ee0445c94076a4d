"""Products of resampled sources: data models with their tables and all header values."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stdatamodels.jwst.datamodels import JwstDataModel, MultiSlitModel, SlitModel

from webbweave.datamodels import (
    attach_table,
    copy_metadata,
    extend_schema,
    header_entries,
    of_slits,
    set_path,
)
from webbweave.datamodels.blending import (
    blend_metadata,
    combine_exposure_times,
    group_id,
    header_table,
)
from webbweave.resample.combine import ResampledSlit
from webbweave.resample.fits_wcs import TABLE_NAME, column_names, wavelength_table
from webbweave.resample.options import ResampleOptions
from webbweave.resample.products import (
    SlitInput,
    central_wavelengths,
    drop_fits_wcs,
    product_tree,
)

__all__ = ["SourceProduct", "multi_slit_product", "slit_product", "source_product"]

log = logging.getLogger(__name__)


def _keyword(title: str, kind: str, keyword: str, extension: str | None = None) -> dict[str, str]:
    entry = {"title": title, "type": kind, "fits_keyword": keyword}
    return entry if extension is None else entry | {"fits_hdu": extension}


#: What the schemas of JWST do not know: entries of ``meta.resample`` in the primary header ...
_TOP_ENTRIES = {
    "error_mode": _keyword("What a variance is", "string", "ERRMODE"),
    "combine": _keyword("How exposures are combined", "string", "COMBINE"),
}

#: ... in the header of each spectrum ...
_OF_EACH_SLIT = {
    "noise_correlation": _keyword("Noise correlation factor", "number", "NOISCORR", "SCI"),
    "covariance_reach_y": _keyword("Rows that planes reach", "integer", "REACHY", "COVAR"),
    "covariance_reach_x": _keyword("Columns that planes reach", "integer", "REACHX", "COVAR"),
}

#: ... and of ``meta.wcsinfo``.
_WCS_ENTRIES = {
    f"ps{axis}_{number}": _keyword(title, "string", f"PS{axis}_{number}", "SCI")
    for axis in (1, 2)
    for number, title in enumerate(("Table with coordinates", "Column with coordinates"))
}


@dataclass(frozen=True, eq=False)
class SourceProduct:
    """
    A resampled source, ready to become a product or a part of one; it can be pickled.

    Attributes
    ----------
    source : str
        Name of the source.
    tree : dict
        The tree of a SlitModel; see `product_tree`.
    headers : tuple of mapping
        Header of each exposure that was used.
    wavelengths : ndarray of float64, shape (n,)
        Wavelength of each pixel along the spectrum [micron].
    """

    source: str
    tree: dict[str, Any]
    headers: tuple[Mapping[str, Any], ...]
    wavelengths: NDArray[np.float64]


def source_product(
    resampled: ResampledSlit,
    inputs: Sequence[SlitInput],
    options: ResampleOptions,
    *,
    blend: bool = True,
) -> SourceProduct:
    """
    Prepare a resampled source for its product.

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
    SourceProduct
        For `slit_product` or `multi_slit_product`.
    """
    return SourceProduct(
        inputs[resampled.used[0]].source,
        product_tree(resampled, inputs, options, blend=blend),
        tuple(inputs[index].metadata for index in resampled.used),
        central_wavelengths(resampled.grid),
    )


def slit_product(
    product: SourceProduct, options: ResampleOptions, *, blend: bool = True
) -> SlitModel:
    """
    Make the product of one source.

    Parameters
    ----------
    product : SourceProduct
        The source.
    options : ResampleOptions
        How it was made.
    blend : bool, optional
        Whether to add the table of the header values of all inputs, extension HDRTAB.

    Returns
    -------
    `~stdatamodels.jwst.datamodels.SlitModel`
        The product; it shares the arrays and header values of `product`.
    """
    model = SlitModel(product.tree)
    if not options.compat:
        extend_schema(model, _slit_schema(_TOP_ENTRIES))
        _add_wavelength_table(model, [product], [product.tree])
    if blend:
        _add_header_table(model, product.headers, compat=options.compat)
    return model


def multi_slit_product(
    exposures: Sequence[Mapping[str, Any]],
    products: Sequence[SourceProduct],
    options: ResampleOptions,
    *,
    blend: bool = True,
) -> MultiSlitModel:
    """
    Make the product of many sources.

    Its own header is that of the exposures that any source was made of: their times are summed and
    their values combined as in each slit (under compat, it is that of the first exposure).

    Parameters
    ----------
    exposures : sequence of mapping
        Trees of the models that the slits come from; only their ``meta`` is looked at.
    products : sequence of SourceProduct
        The sources, at least one.
    options : ResampleOptions
        How they were made.
    blend : bool, optional
        Whether to combine header values and add a table of those of all inputs, extension HDRTAB,
        with a column SOURCE.

    Returns
    -------
    `~stdatamodels.jwst.datamodels.MultiSlitModel`
        The product; it shares the arrays and header values of `products`.
    """
    headers = [{"meta": header_entries(tree.get("meta", {}))} for tree in exposures]
    tree = copy_metadata(headers[0])
    resample = dict(products[0].tree["meta"]["resample"])
    if not options.compat:
        seen = {group_id(header) for product in products for header in product.headers}
        used = [header for header in headers if group_id(header) in seen] or headers
        if blend:
            blend_metadata(tree, used, MultiSlitModel)
        resample["pointings"] = combine_exposure_times(tree, used)
        for name in _OF_EACH_SLIT:
            resample.pop(name, None)
    tree["meta"]["resample"] = resample
    set_path(tree, "meta.cal_step.resample", "COMPLETE")
    tree["meta"]["model_type"] = "MultiSlitModel"
    tree["slits"] = [product.tree for product in products]
    model = MultiSlitModel(tree)
    if not options.compat:
        extend_schema(model, of_slits(_slit_schema({})) | _resample_schema(_TOP_ENTRIES))
        _add_wavelength_table(model, products, tree["slits"])
        if blend:
            rows = [(one.source, header) for one in products for header in one.headers]
            labels = {"SOURCE": [source for source, _ in rows]}
            _add_header_table(model, [header for _, header in rows], labels=labels)
    return model


def _add_header_table(
    model: JwstDataModel,
    headers: Sequence[Mapping[str, Any]],
    *,
    labels: Mapping[str, Sequence[str]] | None = None,
    compat: bool = False,
) -> None:
    # The attributes of a slit in the product are those of its first input: the table has all.
    table = header_table(headers, SlitModel, slit_attributes=not compat, labels=labels)
    attach_table(model, "hdrtab", table, "Header values of the inputs")


def _add_wavelength_table(
    model: JwstDataModel, products: Sequence[SourceProduct], slits: Sequence[dict[str, Any]]
) -> None:
    """Attach the wavelengths that the FITS keywords refer to, and name the column in each slit."""
    described = [
        (product, slit["meta"]["wcsinfo"])
        for product, slit in zip(products, slits, strict=True)
        if "wcsaxes" in slit["meta"]["wcsinfo"]
    ]
    if not described:
        return
    alone = isinstance(model, SlitModel)
    names = column_names("" if alone else str(one.tree.get("name") or "") for one, _ in described)
    table = wavelength_table(
        {name: product.wavelengths for name, (product, _) in zip(names, described, strict=True)}
    )
    if table is None:
        for _, keywords in described:
            drop_fits_wcs(keywords)
        log.warning(
            "%d slits are more than the columns that a FITS table can have: no FITS keywords of the"
            " wavelengths are written, they are in the gwcs",
            len(described),
        )
        return
    for name, (_, keywords) in zip(names, described, strict=True):
        keywords |= {key: name for key in ("ps1_1", "ps2_1") if key in keywords}
    attach_table(model, "wavetable", table, "Wavelengths of the pixels", extension=TABLE_NAME)


def _resample_schema(entries: Mapping[str, Any]) -> dict[str, Any]:
    resample = {"type": "object", "properties": dict(entries)}
    return {"meta": {"type": "object", "properties": {"resample": resample}}}


def _slit_schema(entries: Mapping[str, Any]) -> dict[str, Any]:
    schema = _resample_schema({**entries, **_OF_EACH_SLIT})
    schema["meta"]["properties"]["wcsinfo"] = {"type": "object", "properties": _WCS_ENTRIES}
    schema["covariance"] = {
        "title": "Covariance with neighbouring pixels",
        "fits_hdu": "COVAR",
        "datatype": "float32",
        "ndim": 3,
    }
    return schema
