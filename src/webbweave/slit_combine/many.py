"""Many sources, their spectra each, in processes or a cluster."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from webbweave.parallel import Submits, run_in_order, thread_count, worker_processes
from webbweave.slit_combine.extract import extract_spectra

__all__ = ["ExtractResult", "ExtractTask", "extract_one_source", "extract_sources"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExtractTask:
    """
    One source whose exposures are to be combined; can be pickled.

    Attributes
    ----------
    target : str
        Name of the source.
    files : tuple of str
        Its exposures.
    output_dir : str
        Where to write.
    parameters : mapping
        Further parameters of `extract_spectra`.
    """

    target: str
    files: tuple[str, ...]
    output_dir: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ExtractResult:
    """
    What became of a source; can be pickled.

    Attributes
    ----------
    target : str
        Name of the source.
    paths : tuple of path
        What was written: products, figures, and the summary.
    seconds : float
        Wall time [s].
    groups : tuple of (str, str, str)
        Name, status and reason of each group, as in the summary of `ExtractedSpectra`.
    failure : str or None
        Why there is nothing: the error, and where it came from.
    """

    target: str
    paths: tuple[Path, ...]
    seconds: float
    groups: tuple[tuple[str, str, str], ...] = ()
    failure: str | None = None


def extract_one_source(task: ExtractTask) -> ExtractResult:
    """
    Combine the exposures of one source, and write its products: paths in, paths out.

    Parameters
    ----------
    task : ExtractTask
        The source.

    Returns
    -------
    ExtractResult
        What became of it. An error is told there, and not raised.
    """
    begun = time.monotonic()
    try:
        made = extract_spectra(
            task.target, files=task.files, output_dir=task.output_dir, **task.parameters
        )
    except Exception as error:
        log.warning("%s: failed: %s", task.target, error)
        return _failed(task, error, begun)
    columns = (made.summary[name].tolist() for name in ("group", "status", "reason"))
    return ExtractResult(
        task.target,
        tuple(made.files),
        time.monotonic() - begun,
        tuple((str(a), str(b), str(c)) for a, b, c in zip(*columns, strict=True)),
    )


def _failed(task: ExtractTask, error: Exception, begun: float | None = None) -> ExtractResult:
    seconds = 0.0 if begun is None else time.monotonic() - begun
    said = "".join(traceback.format_exception(error))
    return ExtractResult(task.target, (), seconds, failure=said)


def extract_sources(
    sources: Mapping[str, Sequence[str | Path]],
    output_dir: str | Path,
    *,
    maximum_cores: str | int = "none",
    executor: Submits | None = None,
    **parameters: Any,
) -> Iterator[ExtractResult]:
    """
    Combine the exposures of many sources.

    Parameters
    ----------
    sources : mapping
        The exposures of each source by its name, as files.
    output_dir : str or path
        Where the products go.
    maximum_cores : str or int, optional
        Processes, counted as in `webbweave.parallel.thread_count`; see
        `webbweave.parallel.worker_processes`. They are no threads, since to read the world
        coordinates of an exposure is work of Python, which threads do one at a time.
    executor : Executor, optional
        Where to run instead; anything with ``submit``, such as that of a cluster.
    **parameters
        Of `extract_spectra`.

    Yields
    ------
    ExtractResult
        What became of each source, in their order, as soon as it is known. No spectrum is kept in
        memory.
    """
    tasks = [
        ExtractTask(target, tuple(str(path) for path in files), str(output_dir), parameters)
        for target, files in sources.items()
    ]
    count = 1 if executor is not None else min(thread_count(maximum_cores), len(tasks))
    with worker_processes(count) as pool:
        yield from run_in_order(extract_one_source, tasks, executor=executor or pool, lost=_failed)
