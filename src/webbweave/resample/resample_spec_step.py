"""ResampleSpecStep: the pipeline step around the resampling of slit spectra."""

from __future__ import annotations

import logging
from typing import Any, ClassVar

from stdatamodels.jwst.datamodels import JwstDataModel, MultiSlitModel

from webbweave.datamodels import Inputs, set_path, tree_of
from webbweave.parallel import thread_count
from webbweave.resample.combine import ResampledSlit, resample_slit
from webbweave.resample.exposure import ExposureSummary
from webbweave.resample.options import ResampleOptions
from webbweave.resample.products import SlitInput, group_by_source, slit_inputs
from webbweave.resample.slit_products import multi_slit_product, slit_product, source_product
from webbweave.stpipe import WeaveStep

__all__ = ["ResampleSpecStep"]

log = logging.getLogger(__name__)


class ResampleSpecStep(WeaveStep):
    """
    Rectify and combine slit spectra of NIRSpec: product ``s2d``.

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
    fillval            = string(default='NAN')                             # Value of output pixels without data
    weight_type        = option('ivm', 'exptime', None, default='ivm')     # Weight of the input pixels
    output_shape       = int_list(min=2, max=2, default=None)              # Columns and rows nx,ny of the product; cut or added at the high end
    propagate_dq       = boolean(default=False)                            # Combine the data-quality bits of the inputs
    blendheaders       = boolean(default=True)                             # Combine the header values of all inputs
    suffix             = string(default='s2d')                             # Suffix of the product
    """  # noqa: E501

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **_with_text_fillval(kwargs))
        #: What the last run resampled, in order.
        self.summaries: list[ExposureSummary] = []

    @classmethod
    def build_config(cls, input: Any, **kwargs: Any) -> tuple[Any, str | None]:  # noqa: A002
        """
        Put the parameters together; see `stpipe.Step.build_config`.

        Parameters
        ----------
        input : object
            What the step is called with.
        **kwargs
            Parameters of the step.

        Returns
        -------
        config : ConfigObj
            The parameters.
        config_file : str or None
            The file that they were read from.
        """
        config: tuple[Any, str | None] = super().build_config(input, **_with_text_fillval(kwargs))
        return config

    def process(self, input_data: Any) -> JwstDataModel:
        """
        Resample spectra.

        Parameters
        ----------
        input_data : str, path, dict, data model, or a collection of these
            Calibrated slit spectra (SlitModel or MultiSlitModel); never changed.

        Returns
        -------
        `~stdatamodels.jwst.datamodels.SlitModel` or `~stdatamodels.jwst.datamodels.MultiSlitModel`
            The rectified spectra.

        Raises
        ------
        WeaveError
            If an input cannot be read or used; the message names it.
        ValueError
            If a parameter is out of range.
        """
        options = ResampleOptions(
            pixfrac=self.pixfrac,
            kernel=self.kernel,
            pixel_scale_ratio=self.pixel_scale_ratio,
            pixel_scale=self.pixel_scale,
            weight_type=self.weight_type,
            fillval=self.fillval,
            output_shape=None if self.output_shape is None else tuple(self.output_shape),
            propagate_dq=self.propagate_dq,
            compat=self.compat,
            threads=thread_count(self.maximum_cores),
        )
        self.summaries.clear()
        inputs = self.collect(input_data)
        with self.progress.stage("read"):
            members = self.progress.track(inputs.members, "Reading")
            models = [member.open() for member in members]
        if isinstance(models[0], MultiSlitModel) and _is_cube(models[0]):
            log.warning("%s: slits of three dimensions are not resampled", inputs.members[0].name)
            return _skipped(models[0])
        slits = [
            slit
            for member, model in zip(inputs.members, models, strict=True)
            for slit in slit_inputs(member.name, model)
        ]
        blend = self.blendheaders and inputs.is_container
        if any(isinstance(model, MultiSlitModel) for model in models):
            return self._multi_slit(inputs, models, slits, options, blend)
        resampled = self._resample(slits, options)
        _log_result("spectrum", resampled, len(slits))
        source = source_product(resampled, slits, options, blend=blend)
        product = slit_product(source, options, blend=blend)
        _name(product, inputs)
        return product

    def _resample(self, slits: list[SlitInput], options: ResampleOptions) -> ResampledSlit:
        with self.progress.stage("read"):
            exposures = [slit.exposure() for slit in slits]
        self.summaries.extend(ExposureSummary.of(exposure) for exposure in exposures)
        return resample_slit(exposures, options, progress=self.progress)

    def _multi_slit(
        self,
        inputs: Inputs,
        models: list[JwstDataModel],
        slits: list[SlitInput],
        options: ResampleOptions,
        blend: bool,
    ) -> MultiSlitModel:
        sources = []
        groups = group_by_source(slits)
        for source, group in self.progress.track(groups.items(), "Resampling", len(groups)):
            resampled = self._resample(group, options)
            _log_result(f"source {source}", resampled, len(group))
            sources.append(source_product(resampled, group, options, blend=blend))
        product = multi_slit_product(
            [tree_of(model) for model in models], sources, options, blend=blend
        )
        _name(product, inputs)
        return product


def _with_text_fillval(parameters: dict[str, Any]) -> dict[str, Any]:
    """The configuration knows texts only where a number or 'NAN' may stand."""
    fillval = parameters.get("fillval")
    if isinstance(fillval, int | float):
        return parameters | {"fillval": str(fillval)}
    return parameters


def _is_cube(model: JwstDataModel) -> bool:
    slits = tree_of(model).get("slits") or [{}]
    data = slits[0].get("data")
    return data is not None and data.ndim == 3


def _skipped(model: JwstDataModel) -> JwstDataModel:
    result = model.copy()
    set_path(tree_of(result), "meta.cal_step.resample", "SKIPPED")
    return result


def _log_result(name: str, resampled: ResampledSlit, n_input: int) -> None:
    ny, nx = resampled.grid.shape
    log.info(
        'Resampled %s: %d of %d exposures onto %d rows of %.4f" and %d columns, ratio %.4f',
        name,
        len(resampled.used),
        n_input,
        ny,
        resampled.grid.pixel_scale,
        nx,
        resampled.ratio,
    )


def _name(product: JwstDataModel, inputs: Inputs) -> None:
    tree = tree_of(product)
    if inputs.product_name:
        set_path(tree, "meta.filename", f"{inputs.product_name}.fits")
    set_path(tree, "meta.asn.table_name", inputs.table_name)
    set_path(tree, "meta.asn.pool_name", inputs.pool_name)
