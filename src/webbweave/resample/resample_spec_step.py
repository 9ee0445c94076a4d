"""ResampleSpecStep: the pipeline step around the resampling of slit spectra."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from stdatamodels.jwst.datamodels import JwstDataModel, MultiSlitModel, SlitModel

from webbweave.datamodels import Inputs, set_path, tree_of
from webbweave.datamodels.output_wcs import read_output_wcs, read_wavelengths
from webbweave.parallel import thread_count
from webbweave.resample.exposure import ExposureSummary
from webbweave.resample.options import ResampleOptions
from webbweave.resample.products import SlitInput
from webbweave.resample.slit_products import multi_slit_product, slit_product
from webbweave.resample.sources import (
    Failure,
    Opened,
    Recipe,
    check_some_succeeded,
    open_slits,
    resample_all,
    resample_source,
    select_sources,
    with_common_wavelengths,
)
from webbweave.resample.wavelength_grid import names_file
from webbweave.stpipe import WeaveStep

__all__ = ["ResampleSpecStep"]

log = logging.getLogger(__name__)


class ResampleSpecStep(WeaveStep):
    """
    Rectify and combine slit spectra of NIRSpec and MIRI: product ``s2d``.

    The step takes a file, an association, a model, or a list of any of these. A SlitModel, or
    several of the same source, give a SlitModel; MultiSlitModels give a MultiSlitModel with one
    slit per source.
    """

    class_alias = "resample_spec"

    spec: ClassVar[str] = """
    pixfrac            = float(0.0, 1.0, default=1.0)                      # Linear size of the shrunk input pixel
    kernel             = option('square', 'point', default='square')       # Drizzle kernel
    pixel_scale_ratio  = float(default=1.0)                                # Input over output pixel scale along the slit
    pixel_scale        = float(default=None)                               # Output pixel scale along the slit in arcsec; goes before the ratio
    output_shape       = int_list(min=2, max=2, default=None)              # Columns and rows nx,ny of the product; cut or added at the high end
    output_wcs         = string(default='')                                # ASDF file with the grid to resample onto
    wavelength_grid    = pass(default='native')                            # native, linear, log, the same as common, common-linear, common-log, columns per native column, a file, or wavelengths in micron
    fillval            = string(default='NAN')                             # Value of output pixels without data
    weight_type        = option('ivm', 'exptime', None, default='ivm')     # Weight of the input pixels
    combine            = option('mean', 'median', 'clip', default='mean')  # How exposures are combined
    error_mode         = option('total', 'pixel', default='total')         # Variances that may be summed, or those of single pixels
    error_aperture     = float(default=6.0)                                # Size in pixels of the apertures that total variances are summed over
    propagate_dq       = boolean(default=False)                            # Combine the data-quality bits of the inputs
    save_matrix        = boolean(default=False)                            # Keep the resampling matrix in the product
    single             = boolean(default=False)                            # Resample each exposure alone, all onto the common grid
    sources            = pass(default=None)                                # Names or numbers of the sources to resample, with commas
    blendheaders       = boolean(default=True)                             # Combine the header values of all inputs
    in_memory          = boolean(default=True)                             # Keep the arrays of the product in memory, not on disk
    suffix             = string(default='s2d')                             # Suffix of the product
    """  # noqa: E501

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: What the last run resampled, in order.
        self.summaries: list[ExposureSummary] = []
        #: The sources that failed in the last run, and why.
        self.failures: list[Failure] = []
        #: What was warned of in the last run, by source, where there are several.
        self.warnings: dict[str, list[str]] = {}
        #: The number of sources in the product of the last run.
        self.n_done = 0

    @staticmethod
    def plain_parameters(parameters: dict[str, Any]) -> dict[str, Any]:
        """
        Write parameters as the configuration knows them; see `WeaveStep.plain_parameters`.

        Parameters
        ----------
        parameters : dict
            As they were given.

        Returns
        -------
        dict
            The same with texts where the configuration wants texts.
        """
        plain = {}
        for name in ("fillval", "maximum_cores", "output_wcs", "sources", "wavelength_grid"):
            value = parameters.get(name)
            if value is None or isinstance(value, str):
                continue
            items = np.asarray(value).tolist() if isinstance(value, np.ndarray) else value
            plain[name] = (
                [str(item) for item in items] if isinstance(items, Iterable) else str(items)
            )
        return parameters | plain

    def process(self, input_data: Any) -> JwstDataModel | list[SlitModel]:
        """
        Resample spectra.

        Parameters
        ----------
        input_data : str, path, dict, data model, or a collection of these
            Calibrated slit spectra (SlitModel or MultiSlitModel); never changed.

        Returns
        -------
        SlitModel, MultiSlitModel, or list of SlitModel
            The rectified spectra. With ``single``, a list for exposures of one slit; under
            ``compat`` the first of them alone, as in jwst.

        Raises
        ------
        WeaveError
            If an input cannot be read or used; the message names it. A source that fails among
            others is left out and listed in `failures`.
        ValueError
            If a parameter is out of range.
        """
        recipe = self.recipe()
        self.summaries.clear()
        self.failures.clear()
        self.warnings.clear()
        self.n_done = 0
        inputs = self.collect(input_data)
        recipe = replace(recipe, blend=recipe.blend and inputs.is_container)
        opened = open_slits(inputs, self.progress)
        if opened.is_cube:
            log.warning("%s: slits of three dimensions are not resampled", inputs.members[0].name)
            return _skipped(inputs.members[0].open())
        groups = select_sources(opened.slits, _listed(self.sources))
        recipe = with_common_wavelengths(groups, recipe, self.progress)
        if opened.is_multi:
            return self._multi_slit(inputs, opened, groups, recipe)
        return self._one_slit(inputs, opened, groups, recipe)

    def recipe(self) -> Recipe:
        """
        Check the parameters, and put them together.

        Returns
        -------
        Recipe
            What they ask for.

        Raises
        ------
        ValueError
            If one is out of range.
        """
        options = ResampleOptions(
            pixfrac=self.pixfrac,
            kernel=self.kernel,
            pixel_scale_ratio=self.pixel_scale_ratio,
            pixel_scale=self.pixel_scale,
            weight_type=self.weight_type,
            fillval=self.fillval,
            output_shape=None if self.output_shape is None else tuple(self.output_shape),
            output_wcs=self.output_wcs,
            wavelength_grid=_wavelength_grid(self.wavelength_grid),
            propagate_dq=self.propagate_dq,
            combine=self.combine,
            error_mode=self.error_mode,
            error_aperture=self.error_aperture,
            save_matrix=self.save_matrix,
            compat=self.compat,
            threads=thread_count(self.maximum_cores),
        )
        return Recipe(
            options,
            read_output_wcs(self.output_wcs) if self.output_wcs else None,
            self.single,
            self.blendheaders,
            self.in_memory,
        )

    def _one_slit(
        self,
        inputs: Inputs,
        opened: Opened,
        groups: dict[str, list[SlitInput]],
        recipe: Recipe,
    ) -> SlitModel | list[SlitModel]:
        chosen = {id(slit) for group in groups.values() for slit in group}
        slits = [slit for slit in opened.slits if id(slit) in chosen]
        spectra = resample_source(
            slits[0].source, slits, recipe, progress=self.progress, summaries=self.summaries
        )
        if recipe.single and recipe.options.compat:
            spectra = spectra[:1]
        self.n_done = 1
        products = []
        for spectrum in spectra:
            product = slit_product(spectrum, recipe.options, blend=recipe.blend)
            _name(product, inputs, own_name=recipe.single)
            products.append(product)
        several = recipe.single and inputs.is_container and not recipe.options.compat
        return products if several else products[0]

    def _multi_slit(
        self,
        inputs: Inputs,
        opened: Opened,
        groups: dict[str, list[SlitInput]],
        recipe: Recipe,
    ) -> MultiSlitModel:
        products = []
        n_source = len(groups)
        opened.slits.clear()
        for outcome in resample_all(groups, recipe, self.progress):
            self.summaries += outcome.summaries
            if outcome.warnings:
                self.warnings[outcome.source] = outcome.warnings
            if outcome.error is not None:
                self.failures.append(outcome.failure)
            products += outcome.products
        check_some_succeeded(self.failures, n_source)
        self.n_done = n_source - len(self.failures)
        product = multi_slit_product(opened.headers, products, recipe.options, blend=recipe.blend)
        _name(product, inputs)
        return product

    def finalize_result(self, result: Any, reference_files_used: Sequence[Any]) -> None:
        """
        Note in the product how it was made, and which sources are not in it.

        Parameters
        ----------
        result : `~stdatamodels.jwst.datamodels.JwstDataModel`
            The product, changed in place.
        reference_files_used : sequence
            Not used: there are none.
        """
        super().finalize_result(result, reference_files_used)
        for source, reason in self.failures:
            result.add_history_entry(f"source {source} failed: {reason}")

    def own_name(self, model: JwstDataModel) -> str | None:
        """
        Name the file of a product, if the product has a name of its own.

        Parameters
        ----------
        model : `~stdatamodels.jwst.datamodels.JwstDataModel`
            The product.

        Returns
        -------
        str or None
            With ``single``, each exposure of a slit keeps its name.
        """
        return model.meta.filename if self.single and isinstance(model, SlitModel) else None


def _listed(value: str | list[str] | None) -> list[str] | None:
    if value is None:
        return None
    parts = value.split(",") if isinstance(value, str) else value
    names = [name for part in parts if (name := part.strip())]
    if not names:
        raise ValueError(f"sources: expected names or numbers, found {value!r}")
    return names


def _wavelength_grid(value: str | list[str]) -> str | float | NDArray[np.float64]:
    """A number and a list of numbers as such; a word as it is; of a file, what is in it."""
    parts = value.split(",") if isinstance(value, str) else value
    if isinstance(value, str) and names_file(value.split(",")[0]):
        return read_wavelengths(value)
    try:
        numbers = [float(part) for part in parts]
    except ValueError as error:
        if isinstance(value, str):
            return value
        raise ValueError(f"wavelength_grid: expected numbers, found {value}") from error
    return numbers[0] if isinstance(value, str) and len(numbers) == 1 else np.array(numbers)


def _skipped(model: JwstDataModel) -> JwstDataModel:
    result = model.copy()
    set_path(tree_of(result), "meta.cal_step.resample", "SKIPPED")
    return result


def _name(product: JwstDataModel, inputs: Inputs, *, own_name: bool = False) -> None:
    tree = tree_of(product)
    if inputs.product_name and not own_name:
        set_path(tree, "meta.filename", f"{inputs.product_name}.fits")
    set_path(tree, "meta.asn.table_name", inputs.table_name)
    set_path(tree, "meta.asn.pool_name", inputs.pool_name)
