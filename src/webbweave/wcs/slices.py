"""The slices of an integral-field unit: what holds on the pixels of one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gwcs import WCS
from gwcs.selector import LabelMapperArray, LabelMapperRange, RegionsSelector
from numpy.typing import NDArray

from webbweave.wcs.models import transform_of
from webbweave.wcs.program import Graph, Program
from webbweave.wcs.transforms import Chain, Fixed, NotPlainError, Transform

__all__ = ["Limits", "Slice", "Slices", "chained", "slices_of", "wavelength_ranges"]

#: Lower and upper limits of x and y [pixel].
Limits = tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class Slice:
    """
    The part of a WCS that holds on one slice.

    Attributes
    ----------
    transform : Transform
        From the pixels (x, y) of the detector to the frame asked for.
    limits : ((float, float), (float, float)) or None
        The bounding box of the slice in x and y, if it has one.
    """

    transform: Transform
    limits: Limits | None

    def program(self, outputs: Sequence[int]) -> Program:
        """
        Compile the transform.

        Parameters
        ----------
        outputs : sequence of int
            Which coordinates are wanted; negative numbers count from the last one.

        Returns
        -------
        Program
            A function of (x, y) that computes nothing else.
        """
        graph = Graph(2)
        slots = self.transform.record(graph, [0, 1])
        return graph.program([slots[index] for index in outputs])


@dataclass(frozen=True)
class Slices:
    """
    All slices of an exposure.

    Attributes
    ----------
    slices : dict of int to Slice
        The slices by number.
    labels : ndarray of int, shape (ny, nx), or None
        The slice that each pixel belongs to, 0 for none, if the WCS says so.
    """

    slices: dict[int, Slice]
    labels: NDArray[np.int64] | None


def slices_of(wcs: WCS, frame: str) -> Slices:
    """
    Take the WCS of an integral-field unit apart.

    Parameters
    ----------
    wcs : `~gwcs.WCS`
        One whose pixels tell the slice (a `~gwcs.selector.RegionsSelector` after the frame
        ``detector``), or one with the number of the slice, from 0, as third coordinate.
    frame : str
        The frame wanted, behind ``detector``.

    Returns
    -------
    Slices
        The slices; those of the second kind are numbered from 1 as well.

    Raises
    ------
    ValueError
        If the WCS has none of the frames, or is of another kind.
    """
    frames = list(wcs.available_frames)
    for name in ("detector", frame):
        if name not in frames:
            raise ValueError(f"expected a WCS with a frame {name!r}, found {', '.join(frames)}")
    start, stop = frames.index("detector"), frames.index(frame)
    steps = [step.transform for step in wcs.pipeline[start:stop]]
    try:
        if steps and isinstance(steps[0], RegionsSelector):
            return _of_selector(steps[0], [transform_of(step) for step in steps[1:]])
        if steps and steps[0].n_inputs == 3:
            return _of_names(wcs, [transform_of(step) for step in steps])
    except NotPlainError as error:
        raise ValueError(f"the WCS of the slices is not understood: {error}") from error
    raise ValueError(
        "expected a WCS with a RegionsSelector or three inputs behind the frame 'detector', found "
        + (type(steps[0]).__name__ if steps else "nothing")
    )


def wavelength_ranges(wcs: WCS) -> list[tuple[float, float]]:
    """
    List the wavelengths for which a WCS goes on to the sky.

    Parameters
    ----------
    wcs : `~gwcs.WCS`
        A WCS; that of the MIRI spectrometer has a transform per channel, each for a range.

    Returns
    -------
    list of (float, float)
        The ranges, without their ends, in the unit of the WCS; empty if there is no limit.
    """
    for step in wcs.pipeline:
        mapper = getattr(step.transform, "label_mapper", None)
        if isinstance(mapper, LabelMapperRange):
            return [(float(low), float(high)) for low, high in mapper.mapper]
    return []


def _of_selector(selector: RegionsSelector, rest: Sequence[Transform]) -> Slices:
    mapper = selector.label_mapper
    labels = np.asarray(mapper.mapper) if isinstance(mapper, LabelMapperArray) else None
    slices = {
        int(label): Slice(chained([transform_of(model), *rest]), _limits(model))
        for label, model in selector.selector.items()
    }
    return Slices(slices, labels)


def _of_names(wcs: WCS, steps: Sequence[Transform]) -> Slices:
    transform = chained(steps)
    box = wcs.bounding_box
    boxes = getattr(box, "bounding_boxes", None)
    if boxes is None:
        raise NotPlainError("expected a bounding box for each slice")
    slices = {}
    for key, item in boxes.items():
        name = float(np.ravel(key)[0])
        limits = _plain_limits(item)
        slices[int(name) + 1] = Slice(Fixed(transform, ((2, name),)), limits)
    return Slices(slices, None)


def chained(steps: Sequence[Transform]) -> Transform:
    """
    Put transforms one after the other.

    Parameters
    ----------
    steps : sequence of Transform
        At least one.

    Returns
    -------
    Transform
        All of them.
    """
    transform, *rest = steps
    for step in rest:
        transform = Chain(transform, step)
    return transform


def _limits(model: Any) -> Limits | None:
    try:
        box = model.bounding_box
    except NotImplementedError:
        return None
    return _plain_limits(box)


def _plain_limits(box: Any) -> Limits:
    """The intervals of the first two coordinates; others, such as the name, are ignored."""
    intervals = [interval for _, interval in sorted(box.intervals.items())]
    if len(intervals) != 2:
        raise NotPlainError(f"a bounding box of {len(intervals)} coordinates")
    x, y = ((float(item.lower), float(item.upper)) for item in intervals)
    return x, y
