"""Traces of whole data models: all slits of an exposure, and the functions that jwst has."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from stdatamodels.jwst.datamodels import IFUImageModel, JwstDataModel, MultiSlitModel, SlitModel

from webbweave.adaptive_trace_model.exposure_products import Exposure, TraceProduct
from webbweave.adaptive_trace_model.options import TraceOptions
from webbweave.adaptive_trace_model.products import trace_product
from webbweave.adaptive_trace_model.splines import TraceModel
from webbweave.adaptive_trace_model.summary import TraceSummary
from webbweave.adaptive_trace_model.trace_products import column_table
from webbweave.datamodels import (
    Member,
    arrays_of,
    copy_metadata,
    defer_wcs,
    extend_schema,
    get_path,
    of_slits,
    replace_leaves,
    set_path,
    shallow_copy,
    table_schema,
    tree_of,
)
from webbweave.errors import WeaveError
from webbweave.parallel import run_in_order, thread_count
from webbweave.progress import Progress
from webbweave.wcs import TemplateCache

__all__ = [
    "INTERMEDIATES",
    "Failure",
    "ModelTraces",
    "finished",
    "fit_and_oversample",
    "intermediate_model",
    "is_supported",
    "model_traces",
    "working_copy",
]

log = logging.getLogger(__name__)

#: The intermediate images, and the suffixes of their files.
INTERMEDIATES = {
    "full": "spline_full",
    "used": "spline_used",
    "linear": "linear_interp",
    "residual": "spline_residual",
}

#: What we add to the products of jwst.
_EXTRA = {
    "trace_error": {
        "title": "Error of the trace model",
        "fits_hdu": "TRACEERR",
        "datatype": "float32",
        "ndim": 2,
    },
    "trace_integrations": {
        "title": "Trace model of each integration",
        "fits_hdu": "TRACEINTS",
        "datatype": "float32",
        "ndim": 3,
    },
}
_TABLE_TITLE = "How the trace model of each column was fitted"


class Failure(NamedTuple):
    """
    A slit whose trace could not be modelled.

    Attributes
    ----------
    slit : str
        Its name.
    reason : str
        Why.
    """

    slit: str
    reason: str


@dataclass(eq=False)
class ModelTraces:
    """
    What was made of a model.

    Attributes
    ----------
    products : dict of str to TraceProduct
        The products by the name of the slit; ``""`` for an exposure without slits.
    failures : list of Failure
        The slits that failed.
    """

    products: dict[str, TraceProduct] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)

    @property
    def summaries(self) -> list[TraceSummary]:
        """The summaries of all slits, where they were asked for."""
        found = (product.summary for product in self.products.values())
        return [summary for summary in found if summary is not None]

    @property
    def splines(self) -> dict[str, TraceModel]:
        """The trace models by the name of the slit."""
        return {name: product.splines for name, product in self.products.items()}


def is_supported(model: JwstDataModel) -> bool:
    """
    Tell whether a model is of a kind whose traces are modelled.

    Parameters
    ----------
    model : `~stdatamodels.jwst.datamodels.JwstDataModel`
        Any model.

    Returns
    -------
    bool
        True for IFUImageModel, SlitModel and MultiSlitModel.
    """
    return isinstance(model, IFUImageModel | SlitModel | MultiSlitModel)


def model_traces(
    model: JwstDataModel,
    options: TraceOptions,
    *,
    traces: Mapping[str, TraceModel] | None = None,
    images: bool = False,
    summarise: bool = False,
    own: bool = False,
    progress: Progress | None = None,
) -> ModelTraces:
    """
    Model the traces of all slits of a model, and change it into the product.

    Parameters
    ----------
    model : IFUImageModel, SlitModel or MultiSlitModel
        The model; its tree is changed in place, its arrays are replaced.
    options : TraceOptions
        How to do it.
    traces : mapping of str to TraceModel, optional
        Splines that were fitted before, by the name of the slit.
    images : bool, optional
        Whether the intermediate images are wanted.
    summarise : bool, optional
        Whether summaries for a report are wanted.
    own : bool, optional
        Whether the arrays are as they are in a file, and nobody else has them.
    progress : Progress, optional
        Where to count the time, and to draw a bar.

    Returns
    -------
    ModelTraces
        What was made. A slit that fails among others is left as it is.

    Raises
    ------
    WeaveError
        If an exposure, or all of its slits, cannot be worked on.
    ValueError
        If it is of no mode that is known, or a time series that is to be oversampled.
    """
    progress = progress or Progress()
    tree = tree_of(model)
    filename = get_path(tree, "meta.filename", type(model).__name__)
    if not isinstance(model, MultiSlitModel):
        exposure = Exposure(filename, tree, tree, isinstance(model, IFUImageModel), own)
        splines = _known(traces, "", filename)
        product = trace_product(
            exposure,
            options,
            splines=splines,
            images=images,
            summarise=summarise,
            progress=progress,
        )
        product.put_into(tree)
        _extend(model, tree, product, options, in_slits=False)
        return ModelTraces({"": product})
    work = partial(trace_product, images=images, summarise=summarise)
    return _all_slits(model, tree, filename, options, traces, work, progress)


def _all_slits(
    model: MultiSlitModel,
    tree: dict[str, Any],
    filename: str,
    options: TraceOptions,
    traces: Mapping[str, TraceModel] | None,
    trace_one: Callable[..., TraceProduct],
    progress: Progress,
) -> ModelTraces:
    slits = list(_named(tree))
    made = ModelTraces()
    single = replace(options, threads=1 if len(slits) > 1 else options.threads)

    def work(item: tuple[str, dict[str, Any]]) -> tuple[TraceProduct, Progress]:
        name, slit = item
        where = f"{filename}, slit {name}"
        log.info("Working on slit %s", name)
        own = Progress()
        splines = _known(traces, name, where)
        exposure = Exposure(where, slit, tree)
        return trace_one(exposure, single, splines=splines, progress=own), own

    def lost(item: tuple[str, dict[str, Any]], error: Exception) -> None:
        if not isinstance(error, WeaveError):
            raise error
        made.failures.append(Failure(item[0], str(error)))
        log.error("%s; the slit is left as it is", error)

    outcomes = run_in_order(work, slits, threads=min(options.threads, len(slits)), lost=lost)
    for (name, slit), outcome in zip(
        slits, progress.track(outcomes, "Slits", len(slits)), strict=True
    ):
        if outcome is not None:
            product, own = outcome
            progress.add(own)
            product.put_into(slit)
            made.products[name] = product
            _extend(model, slit, product, options, in_slits=True)
    if slits and not made.products:
        reasons = "; ".join(reason for _, reason in made.failures)
        raise WeaveError(f"{filename}: all {len(slits)} slits failed: {reasons}")
    return made


def _named(tree: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The slits by name; those without a name, or with that of another one, by number."""
    seen: set[str] = set()
    for number, slit in enumerate(tree.get("slits", [])):
        name = str(slit.get("name") or "")
        if not name or name in seen:
            name = f"{name}#{number}"
        seen.add(name)
        yield name, slit


def _known(traces: Mapping[str, TraceModel] | None, name: str, where: str) -> TraceModel | None:
    if traces is None:
        return None
    if name not in traces:
        names = ", ".join(map(repr, traces)) or "none"
        raise WeaveError(f"{where}: expected a trace model named {name!r}, found {names}")
    return traces[name]


def _extend(
    model: JwstDataModel,
    tree: dict[str, Any],
    product: TraceProduct,
    options: TraceOptions,
    *,
    in_slits: bool,
) -> None:
    """What the schemas of jwst do not know."""
    extra: dict[str, Any] = {name: _EXTRA[name] for name in _EXTRA if name in product.entries}
    if options.column_table:
        tree["trace_columns"] = table = column_table(product.splines)
        extra["trace_columns"] = table_schema(table, _TABLE_TITLE, "TRACECOLS")
    if extra:
        extend_schema(model, of_slits(extra) if in_slits else extra)


def fit_and_oversample(
    model: JwstDataModel,
    fit_threshold: float = 10.0,
    slope_limit: float = 0.1,
    psf_optimal: bool = False,
    oversample_factor: float = 1.0,
    return_intermediate_models: bool = False,
    maximum_cores: str | int | None = "none",
    metadata_model: JwstDataModel | None = None,
    *,
    compat: bool = False,
) -> Any:
    """
    Model the trace of an exposure or slit, and oversample it.

    Parameters
    ----------
    model : IFUImageModel or SlitModel
        The exposure or slit; changed in place.
    fit_threshold : float, optional
        How bright a slice or slit must be to be fitted; see `TraceOptions`.
    slope_limit : float, optional
        How steep the profile of a compact source is; see `TraceOptions`.
    psf_optimal : bool, optional
        For simple isolated point sources; see `TraceOptions`.
    oversample_factor : float, optional
        Rows of the finer grid per row; 1 to attach the trace only.
    return_intermediate_models : bool, optional
        Whether to return the intermediate images as well.
    maximum_cores : str, int or None, optional
        Number of threads; see `~webbweave.parallel.thread_count`.
    metadata_model : `~stdatamodels.jwst.datamodels.JwstDataModel`, optional
        The model that has the metadata of the exposure, for a slit of a MultiSlitModel.
    compat : bool, optional
        Give the numbers of jwst 3.0.

    Returns
    -------
    model : IFUImageModel or SlitModel
        The same model.
    full_spline, used_spline, linear, residual : model or None
        With `return_intermediate_models`: the splines, those that are used, and if oversampled the
        linear interpolation and the interpolated residual; of the kind of `model`.

    Raises
    ------
    WeaveError
        If the model lacks what is needed.
    ValueError
        If it is of no mode that is known, or a time series that is to be oversampled.
    """
    options = TraceOptions(
        fit_threshold=fit_threshold,
        slope_limit=slope_limit,
        psf_optimal=psf_optimal,
        oversample=oversample_factor,
        compat=compat,
        threads=thread_count(maximum_cores),
    )
    if psf_optimal:
        log.info("Ignoring fit threshold and slope limit for psf_optimal=True")
    tree = tree_of(model)
    header = tree if metadata_model is None else tree_of(metadata_model)
    name = get_path(header, "meta.filename", type(model).__name__)
    exposure = Exposure(name, tree, header, ifu=isinstance(model, IFUImageModel))
    product = trace_product(exposure, options, images=return_intermediate_models)
    product.put_into(tree)
    if not return_intermediate_models:
        return model
    kind = IFUImageModel if exposure.ifu else SlitModel
    made = {name: kind(intermediate_tree(image, tree)) for name, image in product.images.items()}
    return model, *(made.get(name) for name in INTERMEDIATES)


def intermediate_model(name: str, made: ModelTraces, model: JwstDataModel) -> JwstDataModel | None:
    """
    Make a model of one of the intermediate images.

    Parameters
    ----------
    name : str
        One of `INTERMEDIATES`.
    made : ModelTraces
        What was made of the model, with the images.
    model : IFUImageModel, SlitModel or MultiSlitModel
        The product, for its metadata.

    Returns
    -------
    IFUImageModel, SlitModel or MultiSlitModel, or None
        A model of the same kind, with the image as data and no errors; None if there is none.
    """
    tree = tree_of(model)
    if not isinstance(model, MultiSlitModel):
        image = made.products[""].images.get(name)
        return None if image is None else type(model)(intermediate_tree(image, tree))
    slits = [
        intermediate_tree(made.products[slit].images[name], entry)
        for slit, entry in _named(tree)
        if slit in made.products and name in made.products[slit].images
    ]
    if not slits:
        return None
    header = copy_metadata({key: value for key, value in tree.items() if key != "slits"})
    set_path(header, "meta.bunit_err", None)
    return MultiSlitModel(header | {"slits": slits})


def intermediate_tree(image: NDArray[np.float32], tree: Mapping[str, Any]) -> dict[str, Any]:
    """
    Make the tree of an intermediate image.

    Parameters
    ----------
    image : ndarray of float32, shape (ny, nx)
        The image.
    tree : mapping
        The tree of the product or slit.

    Returns
    -------
    dict
        Its metadata with the image as data, and nothing of its errors.
    """
    made = copy_metadata(tree)
    made["data"] = image
    set_path(made, "meta.bunit_err", None)
    made["meta"]["wcs"] = tree["meta"]["wcs"]
    defer_wcs(made)
    return made


def working_copy(member: Member) -> JwstDataModel:
    """
    Open an exposure to make a product of it.

    Parameters
    ----------
    member : Member
        A file, or a model that the caller holds.

    Returns
    -------
    `~stdatamodels.jwst.datamodels.JwstDataModel`
        A new model, to be given to `finished`: it may share arrays with the caller's, and each WCS
        of a file is a `~webbweave.wcs.FastWcs`.
    """
    if member.model is None:
        return member.open(TemplateCache())
    given = member.model
    copied = type(given)(shallow_copy(tree_of(given)), validate_on_assignment=False)
    copied._instance.pop("validate_on_assignment", None)
    copied._schema = given._schema
    return copied


def finished(model: JwstDataModel, member: Member) -> JwstDataModel:
    """
    Make a product independent of its input.

    Parameters
    ----------
    model : `~stdatamodels.jwst.datamodels.JwstDataModel`
        What `working_copy` gave, perhaps changed; changed in place.
    member : Member
        The input.

    Returns
    -------
    `~stdatamodels.jwst.datamodels.JwstDataModel`
        The same model, without any array of the caller's; each WCS is a gwcs.
    """
    given = () if member.model is None else arrays_of(tree_of(member.model))
    shared = {id(array) for array in given}

    def own(node: Any) -> Any:
        return node.copy() if isinstance(node, np.ndarray) and id(node) in shared else node

    replace_leaves(tree_of(model), own)
    defer_wcs(tree_of(model))
    return model
