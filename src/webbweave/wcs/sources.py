"""Where a WCS comes from: a gwcs, or the YAML of one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from astropy import units as u
from gwcs import WCS

from webbweave.wcs.blocks import BinaryBlocks
from webbweave.wcs.models import transform_of
from webbweave.wcs.slices import Slices, slices_of, wavelength_ranges
from webbweave.wcs.transforms import NotPlainError, Transform
from webbweave.wcs.yaml_models import YamlModels
from webbweave.wcs.yaml_slices import SELECTOR, Closer, SelectorText, cut_selectors
from webbweave.wcs.yaml_templates import Tagged, TemplateCache

__all__ = ["Box", "Frame", "GwcsSource", "Source", "YamlSource"]

_GWCS = "tag:stsci.edu:gwcs/"
_UNIT = "tag:stsci.edu:asdf/unit/unit"
_BOX = "tag:stsci.edu:asdf/transform/property/bounding_box"
_COMPOUND = "tag:stsci.edu:asdf/transform/"
#: Models that have no bounding box unless one is given.
_WITHOUT_DEFAULT_BOX = frozenset(
    _COMPOUND + name for name in ("compose", "concatenate", "identity", "fix_inputs")
)
#: Frames that have a unit per axis.
_PLAIN_FRAMES = frozenset(
    _GWCS + name for name in ("frame", "frame2d", "celestial_frame", "spectral_frame")
)


class Source(Protocol):
    """What is asked of a WCS. Any question may be answered by a `NotPlainError`."""

    def frames(self) -> list[str]:
        """Names of all frames."""

    def frame(self, index: int) -> Any:
        """One frame."""

    def transform(self, index: int) -> Transform:
        """The transform from one frame to the next."""

    def bounding_box(self) -> Any:
        """The bounding box of the first frame, or None."""

    def limits(self) -> Sequence[tuple[float, float]]:
        """The bounding box as plain numbers per coordinate; empty if there is none."""

    def pixel_shape(self) -> tuple[int, ...] | None:
        """The size of the array, if it is known."""

    def slices(self, frame: str) -> Slices:
        """The slices of an integral-field unit, from the detector to a frame."""

    def wavelength_ranges(self) -> list[tuple[float, float]]:
        """The wavelengths for which the WCS goes on to the sky; empty if there is no limit."""

    def to_gwcs(self) -> WCS:
        """The gwcs."""


class GwcsSource:
    """
    A gwcs.

    Parameters
    ----------
    wcs : `~gwcs.WCS`
        The WCS.
    """

    def __init__(self, wcs: WCS) -> None:
        self._wcs = wcs

    def frames(self) -> list[str]:
        """Names of all frames."""
        return list(self._wcs.available_frames)

    def frame(self, index: int) -> Any:
        """One frame."""
        return self._wcs.pipeline[index].frame

    def transform(self, index: int) -> Transform:
        """The transform from one frame to the next."""
        return transform_of(self._wcs.pipeline[index].transform)

    def bounding_box(self) -> Any:
        """The bounding box of the first frame, or None."""
        return self._wcs.bounding_box

    def limits(self) -> Sequence[tuple[float, float]]:
        """The bounding box as plain numbers per coordinate; empty if there is none."""
        box = self.bounding_box()
        if box is None:
            return ()
        if getattr(box, "ignored", None) or not hasattr(box, "intervals"):
            raise NotPlainError("a bounding box that depends on more than the limits")
        limits = box.bounding_box(order="F")
        if np.ndim(limits) != 2:
            raise NotPlainError("a bounding box of one coordinate")
        return [(float(low), float(high)) for low, high in limits]

    def pixel_shape(self) -> tuple[int, ...] | None:
        """The size of the array, if it is known."""
        shape: tuple[int, ...] | None = self._wcs.pixel_shape
        return shape

    def slices(self, frame: str) -> Slices:
        """The slices of an integral-field unit, from the detector to a frame."""
        return slices_of(self._wcs, frame)

    def wavelength_ranges(self) -> list[tuple[float, float]]:
        """The wavelengths for which the WCS goes on to the sky; empty if there is no limit."""
        return wavelength_ranges(self._wcs)

    def to_gwcs(self) -> WCS:
        """The gwcs."""
        return self._wcs


@dataclass(frozen=True)
class Frame:
    """
    What is asked of a frame.

    Attributes
    ----------
    name : str
        Its name.
    unit : tuple of `~astropy.units.Unit`
        The unit of each axis.
    axes_order : tuple of int
        Which coordinates of the whole the axes are.
    """

    name: str
    unit: tuple[u.UnitBase, ...]
    axes_order: tuple[int, ...]

    @property
    def naxes(self) -> int:
        """Number of axes."""
        return len(self.unit)


@dataclass(frozen=True)
class Box:
    """
    A bounding box.

    Attributes
    ----------
    limits : tuple of (float, float)
        Lower and upper limit of each coordinate.
    """

    limits: tuple[tuple[float, float], ...]

    def bounding_box(self, order: str = "F") -> tuple[tuple[float, float], ...]:
        """
        Return the limits.

        Parameters
        ----------
        order : {'F', 'C'}, optional
            F: in the order of the coordinates, as a gwcs has it. C: the last coordinate first.

        Returns
        -------
        tuple of (float, float)
            The limits.
        """
        return self.limits[::-1] if order == "C" else self.limits


class YamlSource:
    """
    The YAML of a WCS, read when it is first needed.

    Parameters
    ----------
    text : bytes
        The YAML, from ``wcs:`` on.
    blocks : BinaryBlocks
        The arrays that it refers to.
    templates : TemplateCache
        What is known of similar texts.
    build : callable
        Makes the gwcs of the text.
    closing : callable, optional
        Takes a document and gives a function that writes out the aliases in a piece of it; needed
        for integral-field units.
    """

    def __init__(
        self,
        text: bytes,
        blocks: BinaryBlocks,
        templates: TemplateCache,
        build: Callable[[bytes], WCS],
        closing: Callable[[bytes], Closer] | None = None,
    ) -> None:
        self._text = text
        self._blocks = blocks
        self._templates = templates
        self._build = build
        self._closing = closing
        self._selectors: dict[int, SelectorText] = {}
        self._close: Closer | None = None
        self._parsed: tuple[dict[str, Any], YamlModels] | None = None
        self._wcs: WCS | None = None

    def _content(self) -> tuple[dict[str, Any], YamlModels]:
        if self._parsed is None:
            text, selectors = cut_selectors(self._text)
            if selectors:
                text = self._closer()(text)
            content, numbers = self._templates.parse(text)
            node = content["wcs"]
            if not isinstance(node, Tagged) or node.tag != _GWCS + "wcs":
                raise NotPlainError("no gwcs")
            places = [
                index
                for index, step in enumerate(node.value["steps"])
                if isinstance(step.value.get("transform"), Tagged)
                and step.value["transform"].tag == SELECTOR
            ]
            self._selectors = dict(zip(places, selectors, strict=True))
            self._parsed = node.value, YamlModels(numbers, self._blocks)
        return self._parsed

    def _closer(self) -> Closer:
        if self._close is None:
            if self._closing is None:
                raise NotPlainError("a transform with a part per region")
            self._close = self._closing(self._text)
        return self._close

    def slices(self, frame: str) -> Slices:
        """The slices of an integral-field unit, from the detector to a frame."""
        frames = self.frames()
        start, stop = frames.index("detector"), frames.index(frame)
        if start not in self._selectors:
            raise NotPlainError("slices that are told in another way")
        rest = [self.transform(index) for index in range(start + 1, stop)]
        return self._selectors[start].slices(rest, self._templates, self._blocks, self._closer())

    def wavelength_ranges(self) -> list[tuple[float, float]]:
        """The wavelengths for which the WCS goes on to the sky; empty if there is no limit."""
        self._content()
        for selector in self._selectors.values():
            if found := selector.ranges(self._templates, self._closer()):
                return found
        return []

    def _steps(self) -> list[dict[str, Any]]:
        content, _ = self._content()
        steps = content["steps"]
        if not all(isinstance(step, Tagged) and step.tag == _GWCS + "step" for step in steps):
            raise NotPlainError("steps of another kind")
        return [step.value for step in steps]

    def frames(self) -> list[str]:
        """Names of all frames."""
        return [_name(step["frame"]) for step in self._steps()]

    def frame(self, index: int) -> Frame:
        """One frame."""
        node = self._steps()[index]["frame"]
        axes = self._axes(node)
        if sorted(order for order, _ in axes) != list(range(len(axes))):
            raise NotPlainError("axes in an unusual order")
        order = tuple(order for order, _ in axes)
        return Frame(_name(node), tuple(unit for _, unit in sorted(axes, key=_first)), order)

    def _axes(self, node: Any) -> list[tuple[int, u.UnitBase]]:
        if isinstance(node, Tagged) and node.tag == _GWCS + "composite_frame":
            return [axis for part in node.value["frames"] for axis in self._axes(part)]
        if not isinstance(node, Tagged) or node.tag not in _PLAIN_FRAMES:
            raise NotPlainError("a frame without units")
        _, models = self._content()
        if not {"axes_order", "unit"} <= node.value.keys():
            raise NotPlainError("a frame that relies on defaults")
        orders = [models.integer(order) for order in node.value["axes_order"]]
        return list(zip(orders, map(_unit, node.value["unit"]), strict=True))

    def transform(self, index: int) -> Transform:
        """The transform from one frame to the next."""
        _, models = self._content()
        return models.transform(self._steps()[index]["transform"])

    def bounding_box(self) -> Box | None:
        """The bounding box of the first frame, or None."""
        _, models = self._content()
        first = self._steps()[0]["transform"]
        if not isinstance(first, Tagged):
            raise NotPlainError("no first transform")
        if "bounding_box" not in first.value:
            if first.tag not in _WITHOUT_DEFAULT_BOX:
                raise NotPlainError("a model that may have a bounding box of its own")
            return None
        node = first.value["bounding_box"]
        names = first.value.get("inputs", ())
        if not isinstance(node, Tagged) or node.tag != _BOX or len(names) < 2:
            raise NotPlainError("a bounding box of another kind")
        if node.value.get("ignore") or node.value["intervals"].keys() != set(names):
            raise NotPlainError("a bounding box of some coordinates")
        intervals = node.value["intervals"]
        return Box(tuple(models.interval(intervals[name]) for name in names))

    def limits(self) -> Sequence[tuple[float, float]]:
        """The bounding box as plain numbers per coordinate; empty if there is none."""
        box = self.bounding_box()
        return () if box is None else box.limits

    def pixel_shape(self) -> tuple[int, ...] | None:
        """The size of the array, if it is known."""
        content, models = self._content()
        shape = content.get("pixel_shape")
        return None if shape is None else tuple(models.integer(length) for length in shape)

    def to_gwcs(self) -> WCS:
        """The gwcs, made when it is first asked for."""
        if self._wcs is None:
            self._wcs = self._build(self._text)
        return self._wcs


def _first(axis: tuple[int, Any]) -> int:
    return axis[0]


def _name(node: Any) -> str:
    name = node.value.get("name") if isinstance(node, Tagged) else node
    if not isinstance(name, str):
        raise NotPlainError("a frame without a name")
    return name


def _unit(node: Any) -> u.UnitBase:
    if not isinstance(node, Tagged) or node.tag != _UNIT:
        raise NotPlainError("a unit of another kind")
    return u.Unit(node.value, format="vounit", parse_strict="silent")
