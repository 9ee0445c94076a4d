"""The slices of an integral-field unit made straight of YAML, without what nobody asks for.

The WCS of such an exposure is 10^5 lines, nearly all of them the transforms of the slices and their
inverses. The pieces are cut out of the text by the layout that asdf writes; what is laid out in
another way is refused, and left to asdf.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbweave.wcs.blocks import BinaryBlocks
from webbweave.wcs.slices import Limits, Slice, Slices, chained
from webbweave.wcs.transforms import NotPlainError, Transform
from webbweave.wcs.yaml_models import YamlModels
from webbweave.wcs.yaml_templates import Tagged, TemplateCache

__all__ = ["SELECTOR", "Closer", "SelectorText", "cut_selectors"]

#: Where a transform with a part per region begins.
_SELECTOR = re.compile(rb"\n( +)transform: !<tag:stsci\.edu:gwcs/regions_selector-1[.0-9]+>\n")
#: The tag of what takes its place.
SELECTOR = "tag:webbweave/selector"
_PLACE = b"!<%s> region" % SELECTOR.encode()
_BOX = "tag:stsci.edu:asdf/transform/property/bounding_box"
_WHOLE = re.compile(rb"[0-9]+")

#: Writes out the aliases in a piece of text.
Closer = Callable[[bytes], bytes]


@dataclass(frozen=True, eq=False)
class SelectorText:
    """
    The YAML of a transform that has a part per region.

    Attributes
    ----------
    body : bytes
        The lines after the first one.
    indent : int
        Column of the keys.
    """

    body: bytes
    indent: int

    def _key(self, name: bytes, text: bytes | None = None, deeper: int = 0) -> bytes:
        """What stands behind a key, up to the next one of its column."""
        column = self.indent + deeper
        content = self.body if text is None else text
        start = re.search(rb"(?:^|\n) {%d}%s:" % (column, name), content)
        if start is None:
            raise NotPlainError(f"no key {name.decode()}")
        stop = re.compile(rb"\n(?= {0,%d}[^ \n-])|\Z" % column).search(content, start.end())
        assert stop is not None
        return content[start.end() : stop.start() + 1]

    def slices(
        self,
        rest: list[Transform],
        templates: TemplateCache,
        blocks: BinaryBlocks,
        close: Closer,
    ) -> Slices:
        """
        Read the transform of each region, and the map of the regions.

        Parameters
        ----------
        rest : list of Transform
            What follows the transform of each region.
        templates : TemplateCache
            What is known of similar texts.
        blocks : BinaryBlocks
            The arrays that the text refers to.
        close : callable
            Writes out aliases.

        Returns
        -------
        Slices
            The slices.

        Raises
        ------
        NotPlainError
            If something is not as expected.
        """
        content = self._key(b"selector")
        head, found, items = content.partition(b"\n%s transforms:\n" % (b" " * (self.indent + 1)))
        if not found:
            raise NotPlainError("a selector without transforms")
        labels = [int(label) for label in _WHOLE.findall(head.partition(b"labels:")[2])]
        texts = re.split(rb"(?:^|\n) {%d}- " % (self.indent + 2), items)[1:]
        if len(labels) != len(texts):
            raise NotPlainError(f"{len(texts)} transforms for {len(labels)} regions")
        slices = {}
        for label, text in zip(labels, texts, strict=True):
            parsed, numbers = templates.parse(close(b"item: " + text.rstrip(b"\n") + b"\n"))
            models = YamlModels(numbers, blocks)
            transform = models.transform(parsed["item"])
            limits = _limits(parsed["item"], models)
            slices[label] = Slice(chained([transform, *rest]), limits)
        return Slices(slices, self._labels(templates, blocks))

    def _labels(self, templates: TemplateCache, blocks: BinaryBlocks) -> Any:
        mapper = b"mapper:" + self._key(b"mapper", self._key(b"label_mapper"), 2)
        if not mapper.startswith(b"mapper: !core/ndarray-"):
            return None
        parsed, numbers = templates.parse(mapper)
        labels: NDArray[np.float64] = YamlModels(numbers, blocks).array(parsed["mapper"])
        return labels.astype(np.int64)

    def ranges(self, templates: TemplateCache, close: Closer) -> list[tuple[float, float]]:
        """
        Read the ranges of the coordinate that tells the region, if it is one.

        Parameters
        ----------
        templates : TemplateCache
            What is known of similar texts.
        close : callable
            Writes out aliases.

        Returns
        -------
        list of (float, float)
            The ranges; empty if regions are told in another way.

        Raises
        ------
        NotPlainError
            If something is not as expected.
        """
        mapper = b"mapper:" + self._key(b"mapper", self._key(b"label_mapper"), 2)
        if not mapper.startswith(b"mapper: !!omap"):
            return []
        parsed, numbers = templates.parse(close(mapper))
        models = YamlModels(numbers, BinaryBlocks(b"", 0))
        labels = parsed["mapper"][0]["labels"]
        return [models.interval(item) for item in labels if isinstance(item, list)]


def cut_selectors(text: bytes) -> tuple[bytes, list[SelectorText]]:
    """
    Cut the transforms with a part per region out of a WCS.

    Parameters
    ----------
    text : bytes
        The YAML of a WCS.

    Returns
    -------
    rest : bytes
        The YAML with a mark in the place of each of them.
    selectors : list of SelectorText
        What was cut out, in order.
    """
    parts = []
    selectors = []
    done = 0
    for match in _SELECTOR.finditer(text):
        if match.start() < done:
            continue
        column = len(match[1])
        stop = re.compile(rb"\n(?! {%d}|\n)" % (column + 1)).search(text, match.end() - 1)
        end = stop.start() + 1 if stop else len(text)
        parts += [text[done : match.start()], b"\n%stransform: %s\n" % (match[1], _PLACE)]
        selectors.append(SelectorText(text[match.end() : end], column + 2))
        done = end
    parts.append(text[done:])
    return b"".join(parts), selectors


def _limits(node: Any, models: YamlModels) -> Limits | None:
    box = node.value.get("bounding_box") if isinstance(node, Tagged) else None
    if box is None:
        return None
    names = node.value.get("inputs", ())
    if not isinstance(box, Tagged) or box.tag != _BOX or len(names) != 2:
        raise NotPlainError("a bounding box of another kind")
    intervals = box.value["intervals"]
    if box.value.get("ignore") or intervals.keys() != set(names):
        raise NotPlainError("a bounding box of some coordinates")
    return models.interval(intervals[names[0]]), models.interval(intervals[names[1]])
