"""YAML of a WCS, parsed once for all WCSs that differ in their numbers only.

The slits of an exposure, and those of several exposures, have WCSs of the same models with other
numbers in them. Their texts with the numbers taken out are identical: the *template*, which is
parsed and kept. What remains to be done per slit is to find the numbers, which is fast.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

from webbweave.wcs.transforms import NotPlainError

__all__ = ["Number", "Tagged", "TemplateCache"]

#: Stands for a number in a template. Such a character in the text itself is refused.
_MARK = b"$"
#: A flow sequence that goes on in the next line: where it does depends on the length of numbers.
_WRAPPED = re.compile(rb",\n +")
#: A number that is a YAML value or an item of a sequence. Other notations stay in the template.
#: That a number starts there is looked at last: it is the character itself that is quick to find.
_NUMBER = re.compile(rb"([-0-9](?<=[ \[].)[0-9]*(?:\.[0-9]*(?:e[-+][0-9]+)?)?)(?=[],\n])")
#: Anchors and aliases as asdf numbers them through the file.
_LABEL = re.compile(rb"[&*]id[0-9]+")
#: What an ASDF file says of its tags, for the part of one that is parsed here.
_HEAD = b"%YAML 1.1\n%TAG ! tag:stsci.edu:asdf/\n---\n"
#: A tag and its version; what is read here has kept its meaning through all versions 1.x.
_VERSIONED = re.compile(r"(.*)-1\.[0-9]+\.[0-9]+")
#: Kept templates: one exposure has a few kinds of slits at most, a run a few modes.
_MOST_TEMPLATES = 32

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Number:
    """Stands for the number at `index` in the list of all numbers of a text."""

    index: int


@dataclass(frozen=True, slots=True, eq=False)
class Tagged:
    """A YAML node with a tag: the tag without its version, and what is in the node."""

    tag: str
    value: Any


class TemplateCache:
    """
    Parses the YAML of WCSs. Several threads may use one.

    The number of templates kept is limited: when there are too many, it starts anew.
    """

    def __init__(self) -> None:
        self._templates: dict[bytes, tuple[Any, int]] = {}

    def __len__(self) -> int:
        return len(self._templates)

    def parse(self, text: bytes) -> tuple[Any, list[bytes]]:
        """
        Parse the YAML of one WCS.

        Parameters
        ----------
        text : bytes
            A YAML mapping, indented as in the file.

        Returns
        -------
        content : object
            Dictionaries, lists, `Tagged`, scalars and `Number`; shared, not to be changed.
        numbers : list of bytes
            The numbers.

        Raises
        ------
        NotPlainError
            If the text is not understood.
        """
        if _MARK in text:
            raise NotPlainError("the mark for numbers is in the text")
        text = _WRAPPED.sub(b", ", text)
        parts = _NUMBER.split(text)
        numbers = parts[1::2]
        template = _relabelled(_MARK.join(parts[0::2]))
        known = self._templates.get(template)
        if known is None:
            known = _parse(template)
            if len(self._templates) >= _MOST_TEMPLATES:
                self._templates.clear()
            self._templates[template] = known
        content, count = known
        if count != len(numbers):
            raise NotPlainError(f"expected {count} numbers, found {len(numbers)}")
        return content, numbers


def _relabelled(template: bytes) -> bytes:
    """Number anchors from one, as if nothing came before."""
    labels: dict[bytes, bytes] = {}

    def new(match: re.Match[bytes]) -> bytes:
        label = match[0]
        return label[:1] + labels.setdefault(label[1:], b"id%d" % len(labels))

    return _LABEL.sub(new, template)


def _parse(template: bytes) -> tuple[Any, int]:
    try:
        node = yaml.compose(_HEAD + template, Loader=_Loader)
    except yaml.YAMLError as error:
        raise NotPlainError(f"not understood as YAML: {error}") from error
    reader = _Reader()
    return reader.content(node), reader.count


class _Reader:
    """Turns YAML nodes into plain objects, in the order of the document."""

    def __init__(self) -> None:
        self.count = 0
        self._known: dict[int, Any] = {}

    def content(self, node: Any) -> Any:
        if id(node) not in self._known:  # an alias is the node that it refers to
            self._known[id(node)] = self._new_content(node)
        return self._known[id(node)]

    def _new_content(self, node: Any) -> Any:
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        value: Any
        if isinstance(node, yaml.MappingNode):
            value = {}
            for key, item in node.value:
                if not isinstance(key, yaml.ScalarNode) or key.value in value:
                    raise NotPlainError("a key that is not text, or twice")
                value[key.value] = self.content(item)
        elif isinstance(node, yaml.SequenceNode):
            value = [self.content(item) for item in node.value]
        else:
            raise NotPlainError(f"a YAML node of type {type(node).__name__}")
        return self._tagged(node.tag, value)

    def _scalar(self, node: Any) -> Any:
        kind = node.tag.removeprefix("tag:yaml.org,2002:")
        if node.value == _MARK.decode():
            self.count += 1
            return Number(self.count - 1)
        if _MARK.decode() in node.value:
            raise NotPlainError("a number within a text")
        if kind == "null":
            return None
        if kind == "bool":
            return node.value.lower() in ("true", "yes", "on")
        if kind == "float":
            return float(node.value.replace(".nan", "nan").replace(".inf", "inf"))
        if kind == "str":
            return node.value
        return self._tagged(node.tag, node.value)

    @staticmethod
    def _tagged(tag: str, value: Any) -> Any:
        if tag.startswith("tag:yaml.org,2002:"):
            return value
        match = _VERSIONED.fullmatch(tag)
        return Tagged(match[1] if match else tag, value)
