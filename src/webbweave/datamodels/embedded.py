"""The ASDF file inside of a JWST product, read without what nobody asks for.

The tree of an exposure of many slits is nearly all WCS, and building its models is what takes the
time and the memory of reading. Here the WCSs can be cut out of the text before asdf sees it, and
come back as objects that read their piece of text when they are used.
"""

from __future__ import annotations

import functools
import io
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import asdf
import numpy as np
from asdf.extension import Converter, Extension
from asdf.tags.core.ndarray import asdf_datatype_to_numpy_dtype, inline_data_asarray
from gwcs import WCS

from webbweave.datamodels.aliases import AliasError, Anchors, labels
from webbweave.datamodels.plugins import load_plugins
from webbweave.wcs import FastWcs
from webbweave.wcs.blocks import BinaryBlocks
from webbweave.wcs.sources import YamlSource
from webbweave.wcs.yaml_templates import TemplateCache

__all__ = ["ArrayLoader", "embedded_tree", "lazy_embedded_tree", "link_arrays"]

#: Gives the array of an extension of the FITS file, by name (or none) and version.
ArrayLoader = Callable[[str | None, int], np.ndarray | None]

#: How the embedded ASDF refers to an array in the FITS file around it: ``fits:SCI,1``.
_FITS_SOURCE = re.compile(r"fits:(?:(?P<name>[ -~]+),)?(?P<ver>[0-9]+)")
#: The versions of the array tag of the ASDF standard.
_ARRAY_TAGS = [f"tag:stsci.edu:asdf/core/ndarray-1.{minor}.0" for minor in range(2)]

#: The end of the YAML of an ASDF file (ASDF Standard 1.6, "Low-level file layout").
_END_OF_YAML = b"\n...\n"
#: The beginning of what tells where the blocks are, at the end of the file; it is optional.
_BLOCK_INDEX = b"#ASDF BLOCK INDEX"
#: The only tag directive that an ASDF file has, as it stands before the YAML.
_DIRECTIVES = b"%YAML 1.1\n%TAG ! tag:stsci.edu:asdf/\n--- !core/asdf-"
#: How a WCS begins.
_WCS = b"wcs: !<tag:stsci.edu:gwcs/wcs-"
#: What takes its place, with a number behind.
_PLACE = "webbweave-place-of-wcs-"
#: A tree that has arrays in the blocks of the ASDF file itself.
_BINARY = re.compile(rb"source: [0-9]")


def embedded_tree(raw: bytes) -> dict[str, Any]:
    """
    Read the embedded ASDF.

    Parameters
    ----------
    raw : bytes
        An ASDF file.

    Returns
    -------
    dict
        The tree. `link_arrays` puts the arrays in.
    """
    # The context copies the configuration: without them, every file would look for them again.
    load_plugins()
    with asdf.config_context() as quiet:
        quiet.validate_on_read = False
        quiet.legacy_fill_schema_defaults = False
        quiet.add_extension(_ARRAYS)
        with asdf.open(io.BytesIO(raw), ignore_missing_extensions=True) as file:
            return dict(file.tree)


def lazy_embedded_tree(raw: bytes, templates: TemplateCache) -> dict[str, Any]:
    """
    Read the embedded ASDF, and its WCSs when they are used.

    Parameters
    ----------
    raw : bytes
        An ASDF file.
    templates : TemplateCache
        What is known of the WCSs of other slits and files; added to.

    Returns
    -------
    dict
        The tree, with a `~webbweave.wcs.FastWcs` in each place of a WCS. Where a file is written in
        an unusual way, some or all of them are gwcs objects.
    """
    try:
        pieces = _cut(raw)
    except AliasError:
        pieces = None
    if pieces is None:
        return embedded_tree(raw)
    tree = embedded_tree(pieces.rest)
    blocks = BinaryBlocks(pieces.blocks, 0)
    build = functools.partial(_build_gwcs, pieces.head, pieces.blocks)
    placed: set[int] = set()

    def place(node: Any) -> Any:
        if isinstance(node, str) and node.startswith(_PLACE):
            index = int(node.removeprefix(_PLACE))
            placed.add(index)
            return FastWcs(YamlSource(pieces.texts[index], blocks, templates, build, _closing))
        return node

    _replace_leaves(tree, place)
    return tree if len(placed) == len(pieces.texts) else embedded_tree(raw)


def _replace_leaves(tree: Any, replace: Callable[[Any], Any]) -> None:
    """Replace what is in dictionaries and lists and is neither of these itself, in place."""
    seen: set[int] = set()
    todo = [tree]
    while todo:
        node = todo.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            if isinstance(value, dict | list):
                todo.append(value)
            elif (new := replace(value)) is not value:
                node[key] = new


@dataclass(frozen=True)
class _Pieces:
    """An ASDF file taken apart."""

    head: bytes
    rest: bytes
    texts: list[bytes]
    blocks: bytes


def _cut(raw: bytes) -> _Pieces | None:
    """Cut the WCSs out of an ASDF file; None if there are none, or they cannot be cut out."""
    end = raw.find(_END_OF_YAML)
    start = raw.find(_DIRECTIVES, 0, end)
    if end < 0 or start < 0 or raw.find(_PLACE.encode(), 0, end) >= 0 or b"\r" in raw[:end]:
        return None
    body = raw.index(b"\n", start + len(_DIRECTIVES))
    end += 1
    rest: list[bytes] = []
    texts: list[bytes] = []
    defined: set[bytes] = set()
    anchors: Anchors | None = None
    done = 0
    for begin, stop in _wcs_nodes(raw, body, end):
        if begin < done:
            return None  # one within the other
        text = raw[begin:stop]
        if labels(text, b"*") - labels(text, b"&"):
            anchors = Anchors(raw[body:end]) if anchors is None else anchors
            text = anchors.close(text)
        rest += [raw[done:begin], b"wcs: %s%d\n" % (_PLACE.encode(), len(texts))]
        texts.append(text)
        defined |= labels(raw[begin:stop], b"&")
        done = stop
    rest.append(raw[done:end])
    outside = b"".join(rest)
    if not texts or defined & labels(outside, b"*"):
        return None
    blocks = raw[end + len(_END_OF_YAML) - 1 :]
    index = blocks.rfind(_BLOCK_INDEX)  # of places in the whole file
    blocks = blocks[:index] if index >= 0 else blocks
    kept = blocks if _BINARY.search(outside) else b""
    return _Pieces(raw[:body], outside + _END_OF_YAML[1:] + kept, texts, blocks)


def _wcs_nodes(raw: bytes, start: int, end: int) -> list[tuple[int, int]]:
    """Where the WCSs are: from the key to the beginning of the next line that is not of them."""
    nodes = []
    begin = raw.find(_WCS, start, end)
    while begin >= 0:
        line = raw.rindex(b"\n", 0, begin) + 1
        indent = begin - line
        if raw[line:begin].strip(b" "):
            return []  # not a key of its own line: in the middle of something
        outdented = re.compile(rb"\n(?! {%d}|\n)" % (indent + 1))
        match = outdented.search(raw, begin, end)
        stop = match.end() if match else end
        nodes.append((begin, stop))
        begin = raw.find(_WCS, stop, end)
    return nodes


def _closing(document: bytes) -> Callable[[bytes], bytes]:
    """Write out the aliases in pieces of a document."""
    return Anchors(document).close


def _build_gwcs(head: bytes, blocks: bytes, text: bytes) -> WCS:
    """Make the gwcs of a piece of text, by asdf."""
    return embedded_tree(head + b"\n" + text + _END_OF_YAML[1:] + blocks)["wcs"]


@dataclass(frozen=True)
class _FitsArray:
    """A place in the tree that an array of the FITS file takes."""

    name: str | None
    ver: int


class _ArrayConverter(Converter):
    """
    Read the arrays of an embedded tree.

    Tables inside transforms become arrays at once, where asdf would hand out objects that fail as
    soon as the file is forgotten: a WCS must outlive the model that it came from.
    """

    tags: ClassVar = _ARRAY_TAGS
    types: ClassVar[list[type]] = []

    def from_yaml_tree(self, node: Any, tag: str, ctx: Any) -> Any:
        if isinstance(node, list):
            return inline_data_asarray(node)
        datatype = node.get("datatype")
        byteorder = node.get("byteorder", sys.byteorder)
        dtype = asdf_datatype_to_numpy_dtype(datatype, byteorder) if datatype else None
        if "data" in node:
            return inline_data_asarray(node["data"], dtype)
        source = node["source"]
        if isinstance(source, str):
            match = _FITS_SOURCE.fullmatch(source)
            if match is None:
                raise ValueError(f"the embedded tree refers to an array outside the file: {source}")
            return _FitsArray(match["name"], int(match["ver"]))
        block = ctx.get_block_data_callback(source)()
        return np.ndarray(
            tuple(node["shape"]), dtype, block, node.get("offset", 0), node.get("strides")
        )

    def select_tag(self, obj: Any, tags: list[str], ctx: Any) -> str:
        return tags[-1]

    def to_yaml_tree(self, obj: Any, tag: str, ctx: Any) -> Any:
        raise TypeError("this converter only reads")


class _ArrayExtension(Extension):
    extension_uri = "asdf://webbweave/extensions/embedded-arrays-1.0.0"
    tags: ClassVar = _ARRAY_TAGS
    converters: ClassVar = [_ArrayConverter()]


#: One object for all files: asdf keeps what it derives from a set of extensions.
_ARRAYS = _ArrayExtension()


def link_arrays(tree: dict[str, Any], load: ArrayLoader) -> dict[str, Any]:
    """
    Put the arrays of the FITS file into the tree.

    Parameters
    ----------
    tree : dict
        The tree of `embedded_tree`, changed in place.
    load : callable
        Gives the array of one extension.

    Returns
    -------
    dict
        The same tree, with the arrays.
    """

    def link(node: Any) -> Any:
        return load(node.name, node.ver) if isinstance(node, _FitsArray) else node

    _replace_leaves(tree, link)
    return tree
