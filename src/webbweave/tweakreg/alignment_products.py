"""From exposures to aligned copies of them: catalogs, corrections, keywords, the fit table."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray
from stdatamodels.jwst.datamodels import ImageModel, JwstDataModel

from webbweave.datamodels import (
    Inputs,
    Member,
    ModelList,
    catalog_choices,
    catalog_path,
    get_path,
    read_table,
    save_table,
    set_path,
    spill,
    tree_of,
)
from webbweave.parallel import run_in_order
from webbweave.progress import Progress
from webbweave.tweakreg.alignment import align_images
from webbweave.tweakreg.catalogs import FinderOptions
from webbweave.tweakreg.fit_table import fit_table, outcome_values
from webbweave.tweakreg.grouping import group_id
from webbweave.tweakreg.image_products import (
    FitsApproximation,
    OpenedImage,
    correct_model,
    open_image,
)
from webbweave.tweakreg.outcomes import Alignment, AlignmentOptions, GroupOutcome
from webbweave.tweakreg.overlap import SkyPolygon
from webbweave.tweakreg.reference import ReferenceCatalog, decimal_year
from webbweave.tweakreg.reference_products import (
    check_reference_name,
    find_reference,
    reference_file_name,
)
from webbweave.tweakreg.solution import apply_table, check_solution
from webbweave.tweakreg.summary import AlignmentSummary, summarise_alignment
from webbweave.tweakreg.wcs_correction import copied_wcs

__all__ = ["Aligned", "Recipe", "align_members", "summary_of"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """
    What is done with the exposures; names are those of the parameters of the step.

    Attributes
    ----------
    finder : FinderOptions
        How sources are found.
    options : AlignmentOptions
        How images are aligned.
    use_custom_catalogs, catfile : bool, str
        Whether catalogs of the user's are used, and the file that lists them.
    save_catalogs, catalog_format : bool, str
        Whether found catalogs are saved, and as what.
    abs_refcat, save_abs_catalog : str, bool
        The reference catalog, blank for none; whether one from the service is saved.
    mag_limits : (float or None, float or None)
        The brightest and the faintest magnitude of reference stars.
    fits : FitsApproximation or None
        How the corrected WCS is approximated in headers.
    apply_solution : str
        A fit table whose corrections are applied, blank to find them.
    dry_run : bool
        Whether the exposures keep their WCSs.
    in_memory : bool
        Whether the results are kept in memory, not on disk.
    folder : path
        Where catalogs are saved.
    threads : int
        Number of threads.
    """

    finder: FinderOptions = field(default_factory=FinderOptions)
    options: AlignmentOptions = field(default_factory=AlignmentOptions)
    use_custom_catalogs: bool = False
    catfile: str = ""
    save_catalogs: bool = False
    catalog_format: str = "ecsv"
    abs_refcat: str = ""
    save_abs_catalog: bool = False
    mag_limits: tuple[float | None, float | None] = (None, None)
    fits: FitsApproximation | None = field(default_factory=FitsApproximation)
    apply_solution: str = ""
    dry_run: bool = False
    in_memory: bool = True
    folder: Path = field(default_factory=Path)
    threads: int = 1

    def check(self) -> None:
        """
        Refuse what would fail after the work is done.

        Raises
        ------
        ValueError
            If the format of catalogs or the reference catalog is unknown.
        """
        catalog_path("any.fits", self.catalog_format)
        if self.abs_refcat:
            check_reference_name(self.abs_refcat)


@dataclass(frozen=True, eq=False)
class Aligned:
    """
    What became of the exposures.

    Attributes
    ----------
    models : ModelList
        Copies of the exposures, in order, with keywords and corrected WCSs.
    table : `~astropy.table.Table`
        The fit table.
    alignment : Alignment or None
        The alignment itself; None if there was nothing to do.
    images : list of OpenedImage
        The exposures with their catalogs.
    """

    models: ModelList
    table: Table
    alignment: Alignment | None
    images: list[OpenedImage]


def align_members(inputs: Inputs, recipe: Recipe, progress: Progress) -> Aligned:
    """
    Align exposures.

    Parameters
    ----------
    inputs : Inputs
        The exposures; models are not changed.
    recipe : Recipe
        How.
    progress : Progress
        Where time is counted.

    Returns
    -------
    Aligned
        The results.

    Raises
    ------
    InputError, TypeError, ValueError
        If an input or a parameter cannot be used; a failure of the alignment is a status.
    """
    recipe.check()
    solution = None
    if recipe.apply_solution:
        solution = read_table(recipe.apply_solution)
        check_solution(solution, recipe.apply_solution)
    with progress.stage("read"):
        opened = [member.open() for member in progress.track(inputs.members, "reading")]
    ids = _group_ids(inputs.members, opened)
    lonely = len(set(ids)) == 1 and not recipe.abs_refcat and solution is None
    if lonely:
        log.warning("At least two exposures are required for image alignment.")
        log.warning("Nothing to do. Skipping 'TweakRegStep'...")
    finder = (
        recipe.finder if solution is None and not (lonely and not recipe.save_catalogs) else None
    )
    images = _opened(inputs, opened, recipe, finder, progress)
    if recipe.save_catalogs and solution is None:
        _save_catalogs(images, recipe)
    able = [i for i, image in enumerate(images) if image.sources is not None]
    alignment = None
    if able and not lonely:
        with progress.stage("align"):
            alignment = _align(images, able, ids, solution, recipe)
    with progress.stage("write"):
        models = [_result(image, recipe) for image in images]
        outcomes = _outcomes(images, able, ids, alignment, lonely, recipe)
        for image, model, outcome, group in zip(images, models, outcomes, ids, strict=True):
            _write_status(model, image, group, outcome, recipe)
        if alignment is not None and not recipe.dry_run:
            _correct(models, able, alignment, recipe)
        _part_from_inputs(models, images)
    table = fit_table(alignment) if alignment is not None else Table()
    association = {"products": [{"name": inputs.product_name or "", "members": []}]}
    result = ModelList(models, ids, asn_table=association, asn_table_name=inputs.table_name)
    return Aligned(result, table, alignment, images)


def summary_of(aligned: Aligned, recipe: Recipe) -> AlignmentSummary | None:
    """
    Put together what a page shows.

    Parameters
    ----------
    aligned : Aligned
        What became of the exposures.
    recipe : Recipe
        How they were aligned.

    Returns
    -------
    AlignmentSummary or None
        The summary of the images that could be aligned; None if there was nothing to do.
    """
    if aligned.alignment is None:
        return None
    sources, fluxes = [], []
    for image in aligned.images:
        if image.sources is not None:
            known = "flux" in image.table.colnames
            flux = image.table["flux"] if known else np.full(len(image.table), np.nan)
            sources.append(image.sources)
            fluxes.append(np.ma.filled(np.ma.asarray(flux, dtype=np.float64), np.nan))
    options = recipe.options
    return summarise_alignment(
        sources, fluxes, aligned.alignment, options.relative, options.absolute
    )


def _group_ids(members: Sequence[Member], models: Sequence[JwstDataModel]) -> list[str]:
    ids = []
    for index, (member, model) in enumerate(zip(members, models, strict=True)):
        tree = tree_of(model)
        ids.append(
            group_id(
                index,
                get_path(tree, "meta.observation", {}),
                member_id=member.attributes.get("group_id"),
                model_id=get_path(tree, "meta.group_id"),
            )
        )
    return ids


def _opened(
    inputs: Inputs,
    models: Sequence[JwstDataModel],
    recipe: Recipe,
    finder: FinderOptions | None,
    progress: Progress,
) -> list[OpenedImage]:
    choices = None
    if recipe.use_custom_catalogs and not recipe.apply_solution:
        choices = catalog_choices(recipe.catfile, inputs.members)

    def work(pair: tuple[Member, JwstDataModel]) -> OpenedImage:
        return open_image(*pair, finder, choices=choices, compat=recipe.options.compat)

    pairs = zip(inputs.members, models, strict=True)
    with progress.stage("catalogs"):
        found = run_in_order(work, pairs, threads=recipe.threads)
        return list(progress.track(found, "finding sources", total=len(models)))


def _save_catalogs(images: Sequence[OpenedImage], recipe: Recipe) -> None:
    for image in images:
        if image.custom is None:
            path = catalog_path(image.filename, recipe.catalog_format, recipe.folder)
            columns = ["id", "x", "y", "flux"]
            save_table(image.table[columns], path)
            log.info("Wrote source catalog: %s", path)


def _align(
    images: Sequence[OpenedImage],
    able: Sequence[int],
    ids: Sequence[str],
    solution: Table | None,
    recipe: Recipe,
) -> Alignment:
    sources = [images[i].sources for i in able]
    known = [each for each in sources if each is not None]
    if len({images[i].custom is None for i in able}) > 1:
        # The weights of a catalog of the user's may be of any scale.
        known = [replace(each, weight=None) for each in known]
    own_ids = [ids[i] for i in able]
    if solution is not None:
        return apply_table(known, own_ids, solution)
    finder = None
    if recipe.abs_refcat:
        trees = [tree_of(images[i].model) for i in able]

        def finder(outlines: Sequence[SkyPolygon]) -> ReferenceCatalog:
            return _reference(outlines, trees, recipe)

    return align_images(known, own_ids, recipe.options, finder)


def _reference(
    outlines: Sequence[SkyPolygon], trees: Sequence[dict[str, Any]], recipe: Recipe
) -> ReferenceCatalog:
    dates = [get_path(tree, "meta.observation.date") for tree in trees]
    years = [decimal_year(str(date)) for date in dates if date]
    epoch = None
    if years:
        epoch = years[0] if recipe.options.compat else float(np.mean(years))
    found = find_reference(
        recipe.abs_refcat,
        outlines,
        epoch=epoch,
        margin=recipe.options.absolute.searchrad,
        mag_limits=recipe.mag_limits,
        observer=_observer(trees[0]),
        compat=recipe.options.compat,
    )
    if recipe.save_abs_catalog and found.table is not None:
        save_table(found.table, recipe.folder / reference_file_name(recipe.abs_refcat))
    return found.catalog


def _observer(tree: dict[str, Any]) -> NDArray[np.float64] | None:
    """Where the telescope is [au], from the ephemeris in the header [km]."""
    kilometres_per_au = 1.495978707e8  # IAU 2012, resolution B2
    values = [get_path(tree, f"meta.ephemeris.spatial_{axis}_bary") for axis in "xyz"]
    if any(value is None for value in values):
        return None
    return np.array(values, dtype=np.float64) / kilometres_per_au


def _result(image: OpenedImage, recipe: Recipe) -> ImageModel:
    """Copy a model of the caller's; what was opened here is ours already."""
    model = image.model
    if image.member.model is not None:
        wcs = get_path(tree_of(model), "meta.wcs")
        # Most are replaced by the corrected one, which is a copy; see `_correct`.
        model = model.copy(memo={} if wcs is None else {id(wcs): wcs})
    if not recipe.in_memory:
        spill(tree_of(model))
    return model


def _outcomes(
    images: Sequence[OpenedImage],
    able: Sequence[int],
    ids: Sequence[str],
    alignment: Alignment | None,
    lonely: bool,
    recipe: Recipe,
) -> list[GroupOutcome]:
    """What became of each image."""
    nothing = "at least two exposures are required" if lonely else ""
    status = "SKIPPED" if lonely and not recipe.options.compat else "FAILED"
    by_group = {}
    if alignment is not None:
        pairs = zip(alignment.groups, alignment.outcomes, strict=True)
        by_group = {group.id: outcome for group, outcome in pairs}
    outcomes = []
    for i, image in enumerate(images):
        if i in able and ids[i] in by_group:
            outcomes.append(by_group[ids[i]])
        else:
            reason = image.problem or nothing
            outcomes.append(GroupOutcome(status, reason, None, None, None, len(image.table)))
    return outcomes


def _write_status(
    model: ImageModel, image: OpenedImage, group: str, outcome: GroupOutcome, recipe: Recipe
) -> None:
    tree = tree_of(model)
    status = "SKIPPED" if recipe.dry_run else outcome.status
    set_path(tree, "meta.cal_step.tweakreg", status)
    if image.custom is not None:
        set_path(tree, "meta.tweakreg_catalog", str(image.custom))
    elif recipe.save_catalogs and not recipe.apply_solution:
        path = catalog_path(image.filename, recipe.catalog_format)
        set_path(tree, "meta.tweakreg_catalog", path.name)
    set_path(tree, "meta.tweakreg", outcome_values(group, outcome))


def _part_from_inputs(models: Sequence[ImageModel], images: Sequence[OpenedImage]) -> None:
    """Copy the WCSs that results still share with what the caller holds."""
    for model, image in zip(models, images, strict=True):
        wcs = get_path(tree_of(model), "meta.wcs")
        shared = wcs is not None and wcs is get_path(tree_of(image.model), "meta.wcs")
        if shared and image.member.model is not None:
            tree_of(model)["meta"]["wcs"] = copied_wcs(wcs)


def _correct(
    models: Sequence[ImageModel], able: Sequence[int], alignment: Alignment, recipe: Recipe
) -> None:
    name = f"FIT-LVL3-{recipe.abs_refcat}"
    if not recipe.options.compat and recipe.abs_refcat:
        name = f"FIT-LVL3-{Path(recipe.abs_refcat).stem}"
    for place, i in enumerate(able):
        correction = alignment.corrections[place]
        if correction is not None:
            correct_model(
                models[i],
                correction,
                name=name if alignment.absolute[place] else None,
                fits=recipe.fits,
            )
