"""The sources of a visit: which there are, and the product of one of them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from stdatamodels.jwst.datamodels import MultiSlitModel

from webbweave.datamodels import Inputs, get_path, header_entries, set_path, spill, tree_of
from webbweave.datamodels.blending import group_id
from webbweave.errors import InputError, WeaveError
from webbweave.messages import collected_warnings
from webbweave.parallel import run_in_order
from webbweave.progress import Progress
from webbweave.resample.combine import Design, ResampledSlit, design_grid, resample_slit
from webbweave.resample.exposure import ExposureSummary, SlitExposure
from webbweave.resample.geometry import GivenWCS
from webbweave.resample.options import ResampleOptions
from webbweave.resample.products import (
    SlitInput,
    central_wavelengths,
    group_by_source,
    slit_inputs,
)
from webbweave.resample.slit_products import SourceProduct, source_product
from webbweave.resample.wavelength_grid import common_wavelengths, is_common
from webbweave.wcs import TemplateCache

__all__ = [
    "Failure",
    "Opened",
    "Recipe",
    "SourceOutcome",
    "check_some_succeeded",
    "open_slits",
    "reason_of",
    "resample_all",
    "resample_source",
    "select_sources",
    "with_common_wavelengths",
]

log = logging.getLogger(__name__)

#: How many names or reasons a message lists.
_LISTED = 10


class Failure(NamedTuple):
    """
    A source that could not be resampled.

    Attributes
    ----------
    source : str
        Its name.
    reason : str
        Why.
    """

    source: str
    reason: str


@dataclass(frozen=True, eq=False)
class Opened:
    """
    The slits of all exposures.

    Attributes
    ----------
    slits : list of SlitInput
        The slits, exposure by exposure. Those of files are held by nothing else.
    headers : list of dict
        Tree of each exposure, without its slits and arrays.
    is_multi : bool
        Whether a MultiSlitModel is among the exposures.
    is_cube : bool
        Whether the first exposure is a MultiSlitModel of three-dimensional slits, which is not to
        be resampled; then it is the only one that was opened.
    """

    slits: list[SlitInput]
    headers: list[dict[str, Any]]
    is_multi: bool
    is_cube: bool = False


@dataclass(frozen=True)
class Recipe:
    """
    How to make the product of a source.

    Attributes
    ----------
    options : ResampleOptions
        How to resample.
    given_wcs : GivenWCS or None
        The grid to resample onto; designed for each source if None.
    single : bool
        One spectrum per exposure, all on the grid of all exposures, instead of their combination.
    blend : bool
        Whether to combine the header values of the inputs.
    in_memory : bool
        Keep the arrays of the product in memory, not on disk.
    """

    options: ResampleOptions
    given_wcs: GivenWCS | None = None
    single: bool = False
    blend: bool = True
    in_memory: bool = True


@dataclass(eq=False)
class SourceOutcome:
    """
    What became of a source.

    Attributes
    ----------
    source : str
        Its name.
    products : list of SourceProduct
        Its spectra; empty if it failed.
    summaries : list of ExposureSummary
        Its exposures.
    progress : Progress
        The time it took.
    warnings : list of str
        What was warned of.
    error : Exception or None
        Why it failed.
    """

    source: str
    products: list[SourceProduct] = field(default_factory=list)
    summaries: list[ExposureSummary] = field(default_factory=list)
    progress: Progress = field(default_factory=Progress)
    warnings: list[str] = field(default_factory=list)
    error: Exception | None = None

    @property
    def failure(self) -> Failure:
        """The source and why it failed."""
        return Failure(self.source, "" if self.error is None else reason_of(self.error))


def reason_of(error: Exception) -> str:
    """
    Put an error into words.

    Parameters
    ----------
    error : Exception
        The error.

    Returns
    -------
    str
        Its message, if that is one of ours; of others also the type.
    """
    if isinstance(error, WeaveError) and str(error):
        return str(error)
    return f"{type(error).__name__}: {error}"


def open_slits(inputs: Inputs, progress: Progress) -> Opened:
    """
    Open all exposures and list their slits; no array and no WCS is read yet.

    Parameters
    ----------
    inputs : Inputs
        The exposures.
    progress : Progress
        Where to count the time.

    Returns
    -------
    Opened
        The slits.

    Raises
    ------
    InputError
        If an exposure cannot be read or has no slit.
    """
    slits: list[SlitInput] = []
    headers: list[dict[str, Any]] = []
    is_multi = False
    templates = TemplateCache()
    log.info("Opening %d exposures", len(inputs.members))
    for index, member in enumerate(progress.track(inputs.members, "Reading")):
        with progress.stage("read"):
            model = member.open(templates)
            tree = tree_of(model)
            multi = isinstance(model, MultiSlitModel)
            headers.append({"meta": header_entries(tree.get("meta", {}))})
            if index == 0 and multi and _is_cube(tree):
                return Opened([], headers, is_multi=True, is_cube=True)
            slits += slit_inputs(member.name, model)
            is_multi |= multi
            if member.path is not None:
                # Read here: what is done may go, while the other slits are worked on.
                tree.pop("slits", None)
    return Opened(slits, headers, is_multi)


def _is_cube(tree: Mapping[str, Any]) -> bool:
    slits = tree.get("slits") or [{}]
    return getattr(slits[0].get("data"), "ndim", 2) == 3


def select_sources(
    slits: Sequence[SlitInput], wanted: Sequence[str] | None = None
) -> dict[str, list[SlitInput]]:
    """
    Group slits by source, and choose some of the sources.

    Parameters
    ----------
    slits : sequence of SlitInput
        The slits of all exposures.
    wanted : sequence of str, optional
        Names or numbers of sources; all by default.

    Returns
    -------
    dict of str to list of SlitInput
        The slits of each source, in the order of first appearance.

    Raises
    ------
    InputError
        If there is no such source.
    """
    groups = group_by_source(slits)
    if wanted is None:
        return groups
    chosen = set()
    for name in wanted:
        found = {source for source, group in groups.items() if _is_called(name, source, group)}
        if not found:
            raise InputError(
                f"sources: there is no {name!r}; expected some of the {len(groups)} in the "
                f"exposures: {_some(groups)}"
            )
        chosen |= found
    return {source: group for source, group in groups.items() if source in chosen}


def _is_called(name: str, source: str, group: Iterable[SlitInput]) -> bool:
    return name == source or any(str(slit.tree.get("source_id")) == name for slit in group)


def _some(texts: Iterable[str], separator: str = ", ") -> str:
    texts = list(texts)
    more = f"{separator}and {len(texts) - _LISTED} more" if len(texts) > _LISTED else ""
    return separator.join(texts[:_LISTED]) + more


def resample_all(
    groups: dict[str, list[SlitInput]], recipe: Recipe, progress: Progress
) -> Iterator[SourceOutcome]:
    """
    Resample many sources; one that fails does not stop the others, if there are others.

    Parameters
    ----------
    groups : dict of str to list of SlitInput
        The slits of each source. The dictionary is emptied, so that nothing of a source has to stay
        in memory once it is done.
    recipe : Recipe
        What to make. Its threads are spread over the sources, if there are several.
    progress : Progress
        Where to count the time.

    Yields
    ------
    SourceOutcome
        The sources in order.
    """
    total = len(groups)
    threads = min(recipe.options.threads, total)
    if total > 1:
        recipe = replace(recipe, options=replace(recipe.options, threads=1))

    def work(item: tuple[str, list[SlitInput]]) -> SourceOutcome:
        return _outcome(*item, recipe, alone=total == 1)

    outcomes = run_in_order(work, _taken(groups), threads=threads)
    for outcome in progress.track(outcomes, "Resampling", total):
        progress.add(outcome.progress)
        if outcome.error is not None:
            log.warning("source %s failed: %s", *outcome.failure)
        yield outcome


def _taken(groups: dict[str, list[SlitInput]]) -> Iterator[tuple[str, list[SlitInput]]]:
    while groups:
        source = next(iter(groups))
        yield source, groups.pop(source)


def _outcome(
    source: str, slits: Sequence[SlitInput], recipe: Recipe, *, alone: bool
) -> SourceOutcome:
    outcome = SourceOutcome(source)
    try:
        with collected_warnings() as outcome.warnings:
            outcome.products = resample_source(
                source, slits, recipe, progress=outcome.progress, summaries=outcome.summaries
            )
    except Exception as error:  # whatever it is, the other sources are worth their products
        if alone:
            raise
        # Its frames hold the arrays of the source.
        outcome.error = error.with_traceback(None)
        log.debug("the failure of source %s", source, exc_info=True)
    return outcome


def check_some_succeeded(failures: Sequence[Failure], n_source: int) -> None:
    """
    Report the sources that failed.

    Parameters
    ----------
    failures : sequence of Failure
        The sources that failed.
    n_source : int
        The number of all sources.

    Raises
    ------
    WeaveError
        If no source is left.
    """
    reasons = [f"{source}: {reason}" for source, reason in failures]
    if len(failures) == n_source:
        raise WeaveError(f"all {n_source} sources failed: {_some(reasons, '; ')}")
    if failures:
        log.error("%d of %d sources failed:\n  %s", len(failures), n_source, "\n  ".join(reasons))


def resample_source(
    source: str,
    slits: Sequence[SlitInput],
    recipe: Recipe,
    *,
    progress: Progress | None = None,
    summaries: list[ExposureSummary] | None = None,
) -> list[SourceProduct]:
    """
    Make the product of one source.

    Parameters
    ----------
    source : str
        What the log calls it.
    slits : sequence of SlitInput
        Its slits.
    recipe : Recipe
        What to make.
    progress : Progress, optional
        Where to count the time.
    summaries : list of ExposureSummary, optional
        Where to add a summary of each exposure.

    Returns
    -------
    list of SourceProduct
        The combination, or with ``single`` one spectrum per exposure, where the two detectors of
        NIRSpec are one exposure. Under ``compat`` the spectra of the single exposures have no
        variances, as in jwst.

    Raises
    ------
    InputError
        If a slit lacks something, none can be used, or they do not belong together.
    """
    progress = progress or Progress()
    options = recipe.options
    with progress.stage("read"):
        exposures = [slit.exposure() for slit in slits]
    if summaries is not None:
        summaries.extend(ExposureSummary.of(exposure) for exposure in exposures)
    with progress.stage("geometry"):
        design = design_grid(exposures, options, recipe.given_wcs)
    if not recipe.single:
        resampled = resample_slit(exposures, options, design=design, progress=progress)
        _log_result(source, resampled, len(slits))
        spectra = [source_product(resampled, slits, options, blend=recipe.blend)]
    else:
        spectra = []
        for part in _exposure_designs(design, slits):
            resampled = resample_slit(exposures, options, design=part, progress=progress)
            spectra.append(_single_spectrum(resampled, part, exposures, slits, recipe))
            _keep_apart(spectra)
            _log_result(f"{source}, {slits[part.used[0]].name}", resampled, len(part.used))
    if not recipe.in_memory:
        for spectrum in spectra:
            spill(spectrum.tree)
    return spectra


def with_common_wavelengths(
    groups: Mapping[str, Sequence[SlitInput]], recipe: Recipe, progress: Progress
) -> Recipe:
    """
    Settle the wavelengths, if all sources are to have the same.

    Parameters
    ----------
    groups : mapping of str to sequence of SlitInput
        The slits of each source.
    recipe : Recipe
        What to make.
    progress : Progress
        Where to count the time.

    Returns
    -------
    Recipe
        The same, with the wavelengths of all sources in place of the wish for a common grid.
    """
    choice = recipe.options.wavelength_grid
    if not is_common(choice) or recipe.given_wcs is not None:
        return recipe
    natives = []
    options = replace(recipe.options, wavelength_grid="native")
    for source, slits in progress.track(groups.items(), "Wavelengths", len(groups)):
        try:
            with progress.stage("geometry"):
                grid = design_grid([slit.exposure() for slit in slits], options).geometry.grid
        except (WeaveError, ValueError) as error:
            # Said again, and noted, when it is resampled.
            log.debug("source %s has no wavelengths: %s", source, error)
            continue
        natives.append(np.sort(central_wavelengths(grid)))
    if not natives:
        return replace(recipe, options=options)
    wavelengths = common_wavelengths(natives, str(choice))
    log.info(
        "All sources get %d wavelengths from %.4f to %.4f micron",
        wavelengths.size,
        wavelengths[0],
        wavelengths[-1],
    )
    return replace(recipe, options=replace(options, wavelength_grid=wavelengths))


def _log_result(name: str, resampled: ResampledSlit, n_input: int) -> None:
    ny, nx = resampled.grid.shape
    log.info(
        'Resampled %s: %d of %d exposures onto %d rows and %d columns, %.4f" along the slit, '
        "ratio %.4f",
        name,
        len(resampled.used),
        n_input,
        ny,
        nx,
        resampled.grid.pixel_scale,
        resampled.ratio,
    )
    if resampled.n_rejected:
        log.info("%s: %d pixels rejected as outliers", name, resampled.n_rejected)


def _exposure_designs(design: Design, slits: Sequence[SlitInput]) -> list[Design]:
    """The same grid for each exposure alone; files of the two detectors belong together."""
    groups: dict[str, list[int]] = {}
    for index in design.used:
        groups.setdefault(group_id(slits[index].metadata), []).append(index)
    return [replace(design, used=tuple(used)) for used in groups.values()]


def _single_spectrum(
    resampled: ResampledSlit,
    design: Design,
    exposures: Sequence[SlitExposure],
    slits: Sequence[SlitInput],
    recipe: Recipe,
) -> SourceProduct:
    spectrum = source_product(resampled, slits, recipe.options, blend=recipe.blend)
    tree, first = spectrum.tree, spectrum.headers[0]
    filename = get_path(first, "meta.filename", "exposure.fits")
    set_path(tree, "meta.filename", _single_filename(filename))
    set_path(tree, "meta.group_id", group_id(first))
    if recipe.options.compat:
        tree["err"] = _drizzled_error(design, exposures, slits, recipe.options)
        for name in list(tree):
            if name.startswith("var_"):
                del tree[name]
        set_path(tree, "meta.bunit_err", get_path(first, "meta.bunit_err"))
    return spectrum


def _single_filename(filename: str) -> str:
    """``jw..._nrs1_cal.fits`` becomes ``jw..._nrs1_outlier_s2d.fits``, as in jwst."""
    path = PurePath(filename)
    root = path.stem.rpartition("_")[0] or path.stem
    return f"{root}_outlier_s2d{path.suffix or '.fits'}"


def _keep_apart(spectra: Sequence[SourceProduct]) -> None:
    """Give the last spectrum a name of its own, where exposures share a file name."""
    *others, last = (spectrum.tree["meta"] for spectrum in spectra)
    taken = {meta["filename"] for meta in others}
    name = PurePath(last["filename"])
    number = 1
    while last["filename"] in taken:
        number += 1
        root = name.stem.removesuffix("_outlier_s2d")
        last["filename"] = f"{root}-{number}_outlier_s2d{name.suffix}"


def _drizzled_error(
    design: Design,
    exposures: Sequence[SlitExposure],
    slits: Sequence[SlitInput],
    options: ResampleOptions,
) -> NDArray[np.float32]:
    """Errors of a single exposure by jwst: those of the input are drizzled like the data."""
    with_errors = list(exposures)
    for index in design.used:
        exposure = exposures[index]
        error = _error(slits[index].tree, exposure)
        clone = replace(
            exposure,
            data=np.where(exposure.invalid, np.float32(np.nan), error),
            background=None,
        )
        # The grid is known: it is that of the data.
        clone.__dict__["grid"] = exposure.grid
        with_errors[index] = clone
    drizzled = resample_slit(with_errors, options, design=design).data
    errors: NDArray[np.float32] = (drizzled * np.sqrt(design.geometry.ratio)).astype(np.float32)
    return errors


def _error(tree: Mapping[str, Any], exposure: SlitExposure) -> NDArray[np.float32]:
    error = tree.get("err")
    if error is None or error.shape != exposure.data.shape:
        found = "none" if error is None else f"shape {error.shape}"
        log.warning("%s: no usable ERR (%s), the errors are NaN", exposure.name, found)
        error = np.full(exposure.data.shape, np.nan)
    result: NDArray[np.float32] = np.asarray(error, dtype=np.float32)
    return result
