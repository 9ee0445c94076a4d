"""Many sources, one product each, in threads, processes or a cluster."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from stdatamodels.jwst.datamodels import SlitModel

from webbweave.datamodels import Inputs, collect_inputs, get_path, save_model
from webbweave.errors import UnsupportedInputError
from webbweave.messages import collected_warnings
from webbweave.parallel import Submits, run_in_order, thread_count
from webbweave.progress import Progress
from webbweave.resample.products import SlitInput, group_by_source
from webbweave.resample.resample_spec_step import ResampleSpecStep
from webbweave.resample.sources import (
    Recipe,
    open_slits,
    reason_of,
    select_sources,
    with_common_wavelengths,
)
from webbweave.resample.wavelength_grid import is_common
from webbweave.stpipe import strip_suffix

__all__ = ["SourceResult", "SourceTask", "resample_one_source", "resample_sources"]

log = logging.getLogger(__name__)

#: A worker keeps so many files open from one source to the next; arrays stay on disk, and each WCS
#: is text until its source is resampled.
_FILES_KEPT = 16


@dataclass(frozen=True)
class SourceTask:
    """
    One source to be resampled; can be pickled.

    Attributes
    ----------
    source : str
        Name of the source.
    paths : tuple of str
        The exposures that it is in.
    output : str
        The product to write.
    parameters : mapping
        Parameters of `~webbweave.resample.ResampleSpecStep`.
    """

    source: str
    paths: tuple[str, ...]
    output: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class SourceResult:
    """
    What became of a source; can be pickled.

    Attributes
    ----------
    source : str
        Name of the source.
    paths : tuple of path
        The products written: one, or with ``single`` one per exposure; none if it failed.
    seconds : float
        Wall time [s].
    warnings : tuple of str
        What was warned of.
    failure : str or None
        Why it failed.
    """

    source: str
    paths: tuple[Path, ...]
    seconds: float
    warnings: tuple[str, ...] = ()
    failure: str | None = None

    @property
    def path(self) -> Path | None:
        """The product; the first if there are several, None if it failed."""
        return self.paths[0] if self.paths else None


def resample_sources(
    inputs: Any,
    output_dir: str | Path,
    *,
    parameters: Mapping[str, Any] | None = None,
    sources: Sequence[str | int] | None = None,
    maximum_cores: str | int = "none",
    executor: Submits | None = None,
) -> list[SourceResult]:
    """
    Resample every source of a visit into a file of its own.

    Parameters
    ----------
    inputs : path, association, or sequence of paths
        Calibrated exposures, as files: models cannot be sent to other processes.
    output_dir : str or path
        Where the products go, ``<root>_<source>_s2d.fits``; the root is the product name of the
        association, or that of the first file.
    parameters : mapping, optional
        Parameters of `~webbweave.resample.ResampleSpecStep`.
    sources : sequence of str or int, optional
        Names or numbers of the sources to resample; all by default.
    maximum_cores : str or int, optional
        Threads to use without an executor; see `~webbweave.parallel.thread_count`.
    executor : `concurrent.futures.Executor`, optional
        Where to run: a pool of threads or of processes (start method ``spawn``), or one of a
        cluster that sees the same files; anything with ``submit``.

    Returns
    -------
    list of SourceResult
        In the order of first appearance in the exposures. A source that fails does not stop the
        others.

    Raises
    ------
    InputError
        If an exposure cannot be read, or there is no such source.
    TypeError
        If an input is not a file.
    ValueError
        If a parameter is out of range.
    """
    parameters = {"sources": None} | dict(parameters or {}) | {"maximum_cores": "none"}
    if parameters.pop("sources") is not None:
        raise ValueError("sources: expected as an argument, not among the parameters")
    recipe = ResampleSpecStep(**parameters).recipe()
    if is_common(recipe.options.wavelength_grid):
        # Settled here: a worker sees one source only.
        parameters["wavelength_grid"] = _common_wavelengths(inputs, sources, recipe)
    try:
        tasks = _tasks(inputs, Path(output_dir), parameters, sources)
        threads = min(thread_count(maximum_cores), len(tasks))
        return list(
            run_in_order(resample_one_source, tasks, threads=threads, executor=executor, lost=_lost)
        )
    finally:
        _slits_of_file.cache_clear()


def _common_wavelengths(
    init: Any, sources: Sequence[str | int] | None, recipe: Recipe
) -> str | list[float]:
    groups = select_sources(_opened(collect_inputs(init)), _texts(sources))
    chosen = with_common_wavelengths(groups, recipe, Progress()).options.wavelength_grid
    return chosen.tolist() if isinstance(chosen, np.ndarray) else str(chosen)


def _texts(sources: Sequence[str | int] | None) -> list[str] | None:
    return None if sources is None else [str(source) for source in sources]


def _tasks(
    init: Any,
    folder: Path,
    parameters: Mapping[str, Any],
    sources: Sequence[str | int] | None,
) -> list[SourceTask]:
    inputs = collect_inputs(init)
    slits: list[SlitInput] = []
    path_of: dict[int, str] = {}
    for member in inputs.members:
        if member.path is None:
            raise TypeError(f"{member.name}: expected a path, found an open model")
        for slit in _slits_of(member.path):
            slits.append(slit)
            path_of[id(slit)] = str(member.path)
    groups = select_sources(slits, _texts(sources))
    root, _ = strip_suffix(inputs.product_name or Path(inputs.members[0].name).stem)
    tasks, taken = [], set()
    for source, group in groups.items():
        name = _file_name(root, source)
        while name in taken:
            name += "_"
        taken.add(name)
        paths = dict.fromkeys(path_of[id(slit)] for slit in group)
        output = folder / f"{name}_{parameters.get('suffix', 's2d')}.fits"
        tasks.append(SourceTask(source, tuple(paths), str(output), parameters))
    return tasks


def _slits_of(path: str | Path) -> list[SlitInput]:
    """The slits of a file, which is opened once for all of its sources."""
    try:
        status = Path(path).stat()
    except OSError:
        # Opening it tells what is wrong.
        return _opened(collect_inputs([path]))
    return _slits_of_file(str(path), status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=_FILES_KEPT)
def _slits_of_file(path: str, _mtime: int, _size: int) -> list[SlitInput]:
    return _opened(collect_inputs([path]))


def _opened(inputs: Inputs) -> list[SlitInput]:
    opened = open_slits(inputs, Progress())
    if opened.is_cube:
        raise UnsupportedInputError(
            f"{inputs.members[0].name}: expected slits of two dimensions, found three"
        )
    return opened.slits


def _file_name(root: str, source: str) -> str:
    return f"{root}_{re.sub(r'[^A-Za-z0-9.+-]+', '_', source)}"


def _lost(task: SourceTask, error: Exception) -> SourceResult:
    """The worker died, or what it sent cannot be read."""
    return SourceResult(task.source, (), 0.0, failure=reason_of(error))


def resample_one_source(task: SourceTask) -> SourceResult:
    """
    Resample one source: the unit of work of `resample_sources`.

    Parameters
    ----------
    task : SourceTask
        What to do. Doing it twice gives the same files.

    Returns
    -------
    SourceResult
        What became of it; no exception is raised.
    """
    start = time.perf_counter()
    paths: list[Path] = []
    failure = None
    with collected_warnings() as warnings:
        try:
            paths = _write_products(task)
        except Exception as error:  # whatever it is, the other sources are worth their products
            failure = reason_of(error)
            log.debug("the failure of source %s", task.source, exc_info=True)
    if failure is not None:
        log.warning("source %s failed: %s", task.source, failure)
    seconds = time.perf_counter() - start
    return SourceResult(task.source, tuple(paths), seconds, tuple(warnings), failure)


def _write_products(task: SourceTask) -> list[Path]:
    slits = group_by_source([slit for path in task.paths for slit in _slits_of(path)])[task.source]
    step = ResampleSpecStep(**task.parameters)
    made = step.process([_slit_model(slit) for slit in slits])
    products = made if isinstance(made, list) else [made]
    output = Path(task.output)
    written = []
    for number, product in enumerate(products, start=1):
        step.finalize_result(product, [])
        path = output
        if step.single:
            root, _ = strip_suffix(output.stem)
            path = output.with_name(f"{root}_{number}_outlier_{step.suffix}.fits")
        written.append(save_model(product, path, inputs=task.paths))
    return written


def _slit_model(slit: SlitInput) -> SlitModel:
    """One slit of an exposure as a model of its own, with the same arrays."""
    arrays = {key: value for key, value in slit.tree.items() if isinstance(value, np.ndarray)}
    tree = dict(slit.metadata) | arrays
    tree["meta"] = slit.metadata["meta"] | {"wcs": get_path(slit.tree, "meta.wcs")}
    return SlitModel(tree)
