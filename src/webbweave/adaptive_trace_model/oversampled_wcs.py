"""The WCS of an oversampled exposure: that of the exposure, with one step before it."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from astropy import units as u
from astropy.modeling import Model, bind_bounding_box
from astropy.modeling.models import Identity, Scale, Shift
from gwcs import WCS
from gwcs import coordinate_frames as cf
from gwcs.selector import RegionsSelector

from webbweave.adaptive_trace_model.oversample import fine_height

__all__ = ["oversampled_wcs"]

#: Name of the frame of the pixels of the finer grid, and of the transform from there.
COORDINATES = "coordinates"
TO_DETECTOR = "coord2det"


def oversampled_wcs(
    wcs: WCS, factor: float, *, axis: int, n_pixel: int, from_end: bool = False
) -> WCS:
    """
    Make the WCS of an oversampled exposure.

    Parameters
    ----------
    wcs : `~gwcs.WCS`
        The WCS of the exposure. It is not changed, and shares its transforms with the new one.
    factor : float
        Pixels of the finer grid per pixel.
    axis : {0, 1}
        The axis across the dispersion: 0 for x (MIRI), 1 for y (NIRSpec).
    n_pixel : int
        Pixels along that axis.
    from_end : bool, optional
        Whether the grids share their upper end, not their lower one, where the finer grid has a
        part of a pixel more than the image.

    Returns
    -------
    `~gwcs.WCS`
        Takes pixels of the finer grid, in a frame ``coordinates``; from ``detector`` on, all is as
        before. Bounding boxes are in pixels of the finer grid.
    """
    offset = _offset(factor, n_pixel, from_end)
    finer = Scale(1.0 / factor) | Shift(offset)
    to_detector = finer & Identity(1) if axis == 0 else Identity(1) & finer
    steps: list[Any] = [(step.frame, step.transform) for step in wcs.pipeline]
    if wcs.available_frames[0] == COORDINATES:
        first = to_detector | steps[0][1]
        _name_like(first, steps[0][1])
        steps[0] = (steps[0][0], first)
        steps[1:] = [
            (frame, _with_boxes(transform, factor, offset, axis)) for frame, transform in steps[1:]
        ]
    elif steps[0][1].n_inputs == 3:
        first = to_detector & Identity(1)
        first.name, first.inputs, first.outputs = (
            TO_DETECTOR,
            ("x", "y", "name"),
            ("x", "y", "name"),
        )
        steps.insert(0, (_like(wcs.input_frame), first))
    else:
        first = to_detector
        first.name, first.inputs, first.outputs = TO_DETECTOR, ("x", "y"), ("x", "y")
        frame = cf.Frame2D(
            name=COORDINATES, axes_order=(0, 1), axes_names=("x", "y"), unit=(u.pix, u.pix)
        )
        steps.insert(0, (frame, first))
    made = WCS(steps)
    _set_box(made, wcs.bounding_box, factor, offset, axis)
    if wcs.pixel_shape is not None:
        size = list(wcs.pixel_shape)
        size[axis] = fine_height(size[axis], factor)
        made.pixel_shape = tuple(size)
    return made


def _offset(factor: float, n_pixel: int, from_end: bool) -> float:
    """Where pixel 0 of the finer grid is, in pixels of the image."""
    half = (factor - 1.0) / (2.0 * factor)
    if not from_end:
        return -half
    return n_pixel - 1 - (fine_height(n_pixel, factor) - 1) / factor + half


def _name_like(model: Model, old: Model) -> None:
    model.name, model.inputs, model.outputs = old.name, old.inputs, old.outputs


def _like(frame: Any) -> Any:
    """The input frame under the name of the new one."""
    renamed = copy.deepcopy(frame)
    renamed._name = COORDINATES
    return renamed


def _finer(limits: Any, factor: float, offset: float) -> tuple[float, float]:
    low, high = (float((limit - offset) * factor) for limit in limits)
    return low, high


def _converted(
    box: Any, factor: float, offset: float, axis: int
) -> tuple[tuple[float, float], tuple[float, float]]:
    intervals = [interval for _, interval in sorted(box.intervals.items())]
    limits = [(float(item.lower), float(item.upper)) for item in intervals]
    limits[axis] = _finer(limits[axis], factor, offset)
    return limits[0], limits[1]


def _set_box(made: WCS, box: Any, factor: float, offset: float, axis: int) -> None:
    if box is None:
        return
    boxes = getattr(box, "bounding_boxes", None)
    if boxes is None:
        made.bounding_box = _converted(box, factor, offset, axis)
        return
    converted = {
        tuple(np.ravel(key).tolist()): _converted(item, factor, offset, axis)
        for key, item in boxes.items()
    }
    made.attach_compound_bounding_box(converted, [("name",)])


def _with_boxes(transform: Model | None, factor: float, offset: float, axis: int) -> Model | None:
    """The transforms of the slices with new bounding boxes; what they compute is shared."""
    if not isinstance(transform, RegionsSelector):
        return transform
    slices = {}
    for label, model in transform.selector.items():
        slices[label] = model
        try:
            box = model.bounding_box
        except NotImplementedError:
            continue
        slices[label] = copy.copy(model)
        bind_bounding_box(slices[label], _converted(box, factor, offset, axis), order="F")
    made = RegionsSelector(
        transform.inputs,
        transform.outputs,
        slices,
        transform.label_mapper,
        transform.undefined_transform_value,
        name=transform.name,
    )
    if getattr(transform, "_user_inverse", None) is not None:
        made.inverse = transform._user_inverse
    return made
