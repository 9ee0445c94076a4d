"""AdaptiveTraceModelStep: the pipeline step around the modelling of spectral traces."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from stdatamodels.jwst.datamodels import JwstDataModel

from webbweave.adaptive_trace_model.model_products import (
    INTERMEDIATES,
    Failure,
    ModelTraces,
    finished,
    intermediate_model,
    is_supported,
    model_traces,
    working_copy,
)
from webbweave.adaptive_trace_model.options import TraceOptions
from webbweave.adaptive_trace_model.splines import TraceModel
from webbweave.adaptive_trace_model.summary import TraceSummary
from webbweave.adaptive_trace_model.trace_products import read_traces, save_traces
from webbweave.datamodels import Member, get_path, set_path, tree_of
from webbweave.parallel import thread_count
from webbweave.stpipe import WeaveStep

__all__ = ["AdaptiveTraceModelStep"]

log = logging.getLogger(__name__)

_STATUS = "meta.cal_step.adaptive_trace_model"


class AdaptiveTraceModelStep(WeaveStep):
    """
    Model the traces of spectra with splines, and oversample them.

    The step takes a file, an association, a model, or a list of any of these: integral-field
    exposures of NIRSpec and MIRI (IFUImageModel) and calibrated slits (SlitModel, MultiSlitModel).
    Each gets an image ``trace_model``; with `oversample`, all arrays are put on a grid that is
    finer along the slit.
    """

    class_alias = "adaptive_trace_model"

    spec: ClassVar[str] = """
    fit_threshold             = float(default=10.0)          # Brightness above which a slice or slit is fitted, in standard deviations (slits: signal-to-noise ratio); 0 fits all
    oversample                = float(default=1.0)           # Rows of the finer grid per row; 1 attaches the trace and changes nothing else
    slope_limit               = float(default=0.1)           # Change of the profile per pixel above which a source is compact; 0 uses the splines everywhere
    psf_optimal               = boolean(default=False)       # For simple isolated point sources: fit and use everything, leave residuals out
    save_intermediate_results = boolean(default=False)       # Also save the splines, and what the oversampled data are made of
    weighting                 = option('uniform', 'ivm', default='uniform')  # Weights of the samples of a fit
    trace_errors              = boolean(default=False)       # Also give the errors of the trace, extension TRACEERR
    column_table              = boolean(default=False)       # Also tell how the fit of each column went, extension TRACECOLS
    scale_per_integration     = boolean(default=False)       # Time series: also give the trace of each integration, extension TRACEINTS
    save_trace                = boolean(default=False)       # Also save the splines themselves, as ASDF
    trace_file                = string(default='')           # Use the splines of this ASDF file instead of fitting new ones
    skip                      = boolean(default=True)        # In pipelines: leave the data alone
    output_use_model          = boolean(default=True)        # Name products after their inputs
    suffix                    = string(default='adaptive_trace_model')       # Suffix of the product
    """  # noqa: E501

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: The splines of the last run, by the name of the exposure and that of the slit.
        self.traces: dict[str, dict[str, TraceModel]] = {}
        #: The slits that failed in the last run, and why.
        self.failures: list[Failure] = []
        #: Whether summaries for a report are made.
        self.summarises = False
        #: The summaries of the last run.
        self.summaries: list[TraceSummary] = []
        #: Further files that were written in the last run.
        self.written: list[Path] = []

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
        texts = ("maximum_cores", "trace_file")
        plain = {name: str(parameters[name]) for name in texts if parameters.get(name) is not None}
        return parameters | plain

    def run(self, *args: Any) -> Any:
        """
        Run the step with its hooks, unless it is skipped; see `WeaveStep.run`.

        Parameters
        ----------
        *args : object
            Arguments of ``process``.

        Returns
        -------
        object
            What ``process`` and the hooks return, or the input.
        """
        result = super().run(*args)
        if self.skip:
            log.info("adaptive_trace_model is skipped by default; skip=False switches it on")
        return result

    def process(self, input_data: Any) -> JwstDataModel | list[JwstDataModel]:
        """
        Model the traces of exposures.

        Parameters
        ----------
        input_data : str, path, dict, data model, or a collection of these
            Calibrated spectra; never changed.

        Returns
        -------
        data model or list of data models
            New models with traces, one per input; a list for an association or a collection. Of a
            kind that is not known here, a copy with status FAILED.

        Raises
        ------
        WeaveError
            If an input cannot be read or used; the message names it. A slit that fails among others
            is left as it is and listed in `failures`.
        ValueError
            If a parameter is out of range, the mode of an exposure is not known, or a time series
            is to be oversampled.
        """
        results = list(self.each(input_data))
        assert self.inputs is not None
        return results if self.inputs.is_container else results[0]

    def each(self, input_data: Any) -> Iterator[JwstDataModel]:
        """
        Model the traces of one exposure after the other.

        Parameters
        ----------
        input_data : str, path, dict, data model, or a collection of these
            As for `process`.

        Yields
        ------
        data model
            A new model with traces per input; nothing is kept of those before.

        Raises
        ------
        WeaveError, ValueError
            As `process`.
        """
        options = self.options()
        known = read_traces(self.trace_file) if self.trace_file else None
        self.traces.clear()
        self.failures.clear()
        self.written.clear()
        self.summaries.clear()
        inputs = self.collect(input_data)
        members: Iterable[Member] = inputs.members
        if len(inputs.members) > 1:
            members = self.progress.track(members, "Exposures")
        for member in members:
            yield self._one(member, options, known)

    def options(self) -> TraceOptions:
        """
        Check the parameters, and put them together.

        Returns
        -------
        TraceOptions
            What they ask for.

        Raises
        ------
        ValueError
            If one is out of range.
        """
        return TraceOptions(
            fit_threshold=self.fit_threshold,
            oversample=self.oversample,
            slope_limit=self.slope_limit,
            psf_optimal=self.psf_optimal,
            weighting=self.weighting,
            trace_errors=self.trace_errors,
            column_table=self.column_table,
            scale_per_integration=self.scale_per_integration,
            compat=self.compat,
            threads=thread_count(self.maximum_cores),
        )

    def _one(
        self, member: Member, options: TraceOptions, known: Mapping[str, TraceModel] | None
    ) -> JwstDataModel:
        with self.progress.stage("read"):
            model = working_copy(member)
        tree = tree_of(model)
        filename = get_path(tree, "meta.filename", member.name)
        log.info("Fitting trace model for %s", filename)
        if not is_supported(model):
            _refuse(model, filename)
            return finished(model, member)
        if options.psf_optimal:
            log.info("Ignoring fit threshold and slope limit for psf_optimal=True")
        made = model_traces(
            model,
            options,
            traces=known,
            images=self.save_intermediate_results,
            summarise=self.summarises,
            own=member.model is None,
            progress=self.progress,
        )
        set_path(tree, _STATUS, "COMPLETE")
        self.traces[filename] = made.splines
        self.failures += made.failures
        self.summaries += made.summaries
        if self.save_intermediate_results or self.save_trace:
            with self.progress.stage("save"):
                self._save_more(model, made, filename)
        for product in made.products.values():
            product.images.clear()
        return finished(model, member)

    def _save_more(self, model: JwstDataModel, made: ModelTraces, filename: str) -> None:
        if self.save_intermediate_results:
            for name, suffix in INTERMEDIATES.items():
                image = intermediate_model(name, made, model)
                if image is not None:
                    log.info("Saving %s of %s", suffix.replace("_", " "), filename)
                    path = self.save_model(image, suffix=suffix, output_file=filename, force=True)
                    self.written.append(Path(path))
        if self.save_trace:
            path = self.make_output_path(
                basepath=filename, suffix="trace", ext="asdf", **self._components()
            )
            self.written.append(save_traces(path, made.splines))

    def _components(self) -> dict[str, str]:
        """What stands in the names of all files before the suffix."""
        found = self.inputs.asn_id if self.inputs is not None else None
        return {"asn_id": found} if found else {}

    def save_model(self, model: Any, *args: Any, **components: Any) -> Any:
        """
        Save a product; the identifier of an association becomes part of its name.

        Parameters
        ----------
        model : data model or sequence of data models
            What to save.
        *args, **components
            As `WeaveStep.save_model`.

        Returns
        -------
        list of path or path or None
            The files written.
        """
        return super().save_model(model, *args, **(self._components() | components))


def _refuse(model: JwstDataModel, filename: str) -> None:
    tree = tree_of(model)
    log.warning(
        "%s: The adaptive_trace_model step is not implemented for datamodel type <%s>.",
        filename,
        type(model).__name__,
    )
    if "MIR_LRS" in str(get_path(tree, "meta.exposure.type", "")):
        log.warning(
            "The adaptive_trace_model step requires MIRI LRS cal files in <SlitModel> format, from "
            "jwst v2.0 or later."
        )
        log.warning("Try reprocessing the exposure with a newer version of the pipeline.")
    log.warning("No trace model will be attempted.")
    set_path(tree, _STATUS, "FAILED")
