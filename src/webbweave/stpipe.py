"""The base of every step: at home in stpipe pipelines, and at work without a reference server."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

from stdatamodels.jwst.datamodels import JwstDataModel
from stpipe import Step
from stpipe.config_parser import ConfigObj
from stpipe.library import AbstractModelLibrary

from webbweave.datamodels import Inputs, collect_inputs, loaded_bytes, open_model, save_model
from webbweave.garbage import Remembered, old_objects_spared
from webbweave.progress import Progress

__all__ = ["HOUSEKEEPING", "KNOWN_SUFFIXES", "WeaveStep", "strip_suffix"]

log = logging.getLogger(__name__)

#: Product suffixes of the JWST pipeline (jwst documentation, "Product Types"): one of them at the
#: end of a name is replaced by the new one.
KNOWN_SUFFIXES = (
    "adaptive_trace_model",
    "uncal",
    "rate",
    "rateints",
    "cal",
    "calints",
    "crf",
    "crfints",
    "i2d",
    "phot",
    "s2d",
    "s3d",
    "x1d",
    "x1dints",
    "c1d",
    "bsub",
    "cat",
)


#: Characters of a parameter that the history of a product repeats: most paths are shorter.
_LONGEST_SETTING = 200


def strip_suffix(name: str) -> tuple[str, str]:
    """
    Remove the product suffix of a file name.

    Parameters
    ----------
    name : str
        A file name without extension, as ``jw..._nrs1_cal``.

    Returns
    -------
    root : str
        The name without suffix; the name itself if it ends in no known suffix.
    separator : str
        What separates the root from a suffix.
    """
    for suffix in KNOWN_SUFFIXES:
        root = name.removesuffix(f"_{suffix}")
        if root and root != name:
            return root, "_"
    return name, "_"


def _short(text: str) -> str:
    """Cut the text of a long list: the history of a file is for reading."""
    return text if len(text) <= _LONGEST_SETTING else text[: _LONGEST_SETTING - 3] + "..."


def _has_reference_server() -> bool:
    return bool(os.environ.get("CRDS_SERVER_URL") or os.environ.get("CRDS_PATH"))


#: Parameters of stpipe itself, which say nothing about how a product was made.
HOUSEKEEPING = frozenset(
    line.split("=")[0].strip() for line in Step.spec.splitlines() if "=" in line
) | {"maximum_cores"}


#: What steps were given, and what they made.
_MODELS = Remembered()
#: Metadata with a WCS are some 10^5 small objects, full of reference cycles.
_BYTES_OF_METADATA = 10_000_000


def _models_in(argument: Any) -> list[JwstDataModel]:
    several = isinstance(argument, Sequence) and not isinstance(argument, str)
    items = argument if several else [argument]
    return [item for item in items if isinstance(item, JwstDataModel)]


class WeaveStep(Step):
    """
    A pipeline step of webbweave.

    Steps run by ``call``, ``run``, ``strun`` and as hooks of other steps. Parameters of a reference
    server are asked for only where one is configured (``CRDS_SERVER_URL`` or ``CRDS_PATH``).
    """

    spec: ClassVar[str] = """
    output_ext         = string(default='.fits')     # Type of the product
    output_use_index   = boolean(default=False)      # Append index.
    compat             = boolean(default=False)      # Give the numbers of the jwst pipeline
    maximum_cores      = string(default='none')      # Threads: none, quarter, half, all, a number
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **self.plain_parameters(kwargs))
        #: Where the step counts its time.
        self.progress = Progress()
        #: What the last run was given.
        self.inputs: Inputs | None = None

    @staticmethod
    def plain_parameters(parameters: dict[str, Any]) -> dict[str, Any]:
        """
        Write parameters as the configuration knows them, which is often as texts.

        Parameters
        ----------
        parameters : dict
            As they were given.

        Returns
        -------
        dict
            The same; a step with parameters that take several types has its own rule.
        """
        return parameters

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
        config: tuple[Any, str | None] = super().build_config(input, **cls.plain_parameters(kwargs))
        return config

    def run(self, *args: Any) -> Any:
        """
        Run the step with its hooks, and save the product if it is set to.

        Parameters
        ----------
        *args : object
            Arguments of ``process``.

        Returns
        -------
        object
            What ``process`` and the hooks return.
        """
        given = [model for argument in args for model in _models_in(argument)]
        with old_objects_spared(_MODELS.lost_bytes(given), _MODELS.collect):
            result = super().run(*args)
        for model in (*given, *_models_in(result)):
            _MODELS.add(model, loaded_bytes(model) + _BYTES_OF_METADATA, _BYTES_OF_METADATA)
        return result

    def collect(self, init: Any) -> Inputs:
        """
        List the exposures that the step was given, and name its products after them.

        Parameters
        ----------
        init : object
            What ``process`` was called with.

        Returns
        -------
        Inputs
            The exposures.

        Raises
        ------
        InputError, TypeError
            As `~webbweave.datamodels.collect_inputs`.
        """
        self.inputs = inputs = collect_inputs(init)
        if self.search_attr("_input_filename") is None or inputs.product_name:
            self._input_filename = inputs.product_name or inputs.members[0].name
        return inputs

    @classmethod
    def get_config_from_reference(
        cls, dataset: Any, disable: bool | None = None, crds_observatory: str | None = None
    ) -> ConfigObj:
        """
        Ask the reference server for parameters, if one is configured.

        Parameters
        ----------
        dataset : object
            What the step is called with.
        disable : bool, optional
            Never ask.
        crds_observatory : str, optional
            Which observatory's references.

        Returns
        -------
        ConfigObj
            The parameters; empty without a server.
        """
        if not _has_reference_server():
            return ConfigObj()
        return super().get_config_from_reference(dataset, disable, crds_observatory)

    @classmethod
    def _get_crds_parameters(cls, dataset: Any) -> tuple[dict[str, Any], str]:
        if not _has_reference_server():
            return {}, "jwst"
        if isinstance(dataset, AbstractModelLibrary):
            parameters: tuple[dict[str, Any], str] = super()._get_crds_parameters(dataset)
            return parameters
        if not isinstance(dataset, str | Path | Mapping | Sequence | JwstDataModel):
            # stpipe goes on without. Some can be looked through only once.
            raise TypeError(f"no parameters for {type(dataset).__name__}")
        # Those of the first exposure. A model of the caller stays open.
        first = collect_inputs(dataset).members[0]
        if first.model is not None:
            return first.model.get_crds_parameters(), first.model.crds_observatory
        with first.open() as model:
            return model.get_crds_parameters(), model.crds_observatory

    @classmethod
    def _datamodels_open(cls, init: Any, **_: Any) -> JwstDataModel:
        return open_model(init)

    @staticmethod
    def get_stpipe_loggers() -> tuple[str, ...]:
        """Name the loggers that stpipe sets up while a step runs."""
        return ("webbweave", "stpipe", "py.warnings")

    @staticmethod
    def remove_suffix(name: str) -> tuple[str, str]:
        """
        Remove the product suffix of a file name; see `strip_suffix`.

        Parameters
        ----------
        name : str
            A file name without extension.

        Returns
        -------
        (str, str)
            The root and the separator.
        """
        return strip_suffix(name)

    def finalize_result(self, result: Any, reference_files_used: Sequence[Any]) -> None:
        """
        Note in the product which software made it, and how.

        Parameters
        ----------
        result : `~stdatamodels.jwst.datamodels.JwstDataModel`
            The product, changed in place.
        reference_files_used : sequence
            Not used: there are none.
        """
        if not isinstance(result, JwstDataModel):
            return
        own = {name: value for name, value in self.get_pars().items() if name not in HOUSEKEEPING}
        settings = ", ".join(f"{name}={_short(repr(value))}" for name, value in own.items())
        result.add_history_entry(
            f"webbweave {version('webbweave')} {self.class_alias}: {settings}",
            software={"name": "webbweave", "version": version("webbweave")},
        )

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
            A file name; None to name it after the input or as the user says.
        """
        del model
        return None

    def save_model(
        self,
        model: Any,
        suffix: str | None = None,
        idx: Any = None,
        output_file: str | None = None,
        force: bool = False,
        **components: Any,
    ) -> Any:
        """
        Save a product under the name that stpipe gives it, atomically and never over an input.

        Parameters
        ----------
        model : data model or sequence of data models
            What to save.
        suffix : str, optional
            Instead of the suffix of the step.
        idx : object, optional
            Number in a series.
        output_file : str, optional
            Name to derive the product's name from.
        force : bool, optional
            Save even if the step is not set to.
        **components
            Further parts of the name.

        Returns
        -------
        list of path or path or None
            The files written.
        """
        if not isinstance(model, JwstDataModel):
            return super().save_model(
                model, suffix=suffix, idx=idx, output_file=output_file, force=force, **components
            )
        own_name = self.own_name(model)
        if own_name is not None:
            output_file, idx = output_file or own_name, None
        output_file = output_file or self.output_file
        if not (force or self.save_results or (output_file and own_name is None)):
            return None
        if self.output_use_model or (output_file is None and not self.search_output_file):
            output_file, idx = model.meta.filename, None
        path = self.make_output_path(basepath=output_file, suffix=suffix, idx=idx, **components)
        return save_model(model, path, inputs=self._input_paths())

    def _input_paths(self) -> Iterable[Path]:
        return self.inputs.paths if self.inputs is not None else ()
