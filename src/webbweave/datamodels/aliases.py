"""YAML aliases written out, so that a piece of a document stands for itself.

asdf writes an object that occurs twice once, and an alias (``*id007``) in the other place: the WCSs
of the slits of an exposure may refer to each other for all that they share.
"""

from __future__ import annotations

import re

__all__ = ["AliasError", "Anchors", "labels"]

#: The name of an anchor or alias.
_NAME = re.compile(rb"\w+")
#: An anchor before a node, and an alias in the place of one.
_ANCHOR = re.compile(rb"&(?<= &)(\w+)(?: |(?=\n))")
_ALIAS = re.compile(rb"\*(?<= \*)(\w+)(?=\n|\Z)")
#: What may stand before a node in its line: dashes of sequences, and a key.
_BEFORE = re.compile(rb"( *(?:- )*)([\w.]+: )?")
#: Aliases within aliases: models nest far less deep than this.
_MOST_DEPTH = 50


class AliasError(ValueError):
    """YAML that is laid out in a way that asdf does not write."""


def labels(text: bytes, kind: bytes) -> set[bytes]:
    """
    Find the anchors or aliases in YAML.

    Parameters
    ----------
    text : bytes
        The YAML.
    kind : bytes
        ``b"&"`` for anchors, ``b"*"`` for aliases.

    Returns
    -------
    set of bytes
        Their names, and words in strings that look like them.
    """
    # Pieces between two of these characters: much faster than to look at every character.
    matches = map(_NAME.match, text.split(kind)[1:])
    return {match[0] for match in matches if match}


class Anchors:
    """
    The anchors of a document, as asdf writes it.

    Parameters
    ----------
    document : bytes
        All of the YAML.
    """

    def __init__(self, document: bytes) -> None:
        self._document = document
        self._places = {match[1]: match.start() for match in _ANCHOR.finditer(document)}
        self._blocks: dict[bytes, tuple[bytes, list[bytes], int]] = {}

    def close(self, text: bytes) -> bytes:
        """
        Write out the aliases whose anchors are elsewhere.

        Parameters
        ----------
        text : bytes
            A piece of the document, of whole lines but for the beginning of the first.

        Returns
        -------
        bytes
            The same content, without reference to the rest of the document.

        Raises
        ------
        AliasError
            If the document is laid out in an unusual way.
        """
        foreign = labels(text, b"*") - labels(text, b"&")
        if not foreign:
            return text
        closed = self._written_out(text, foreign, 0)
        if left := labels(closed, b"*") - labels(closed, b"&"):
            raise AliasError(f"an alias in an unusual place: {b', '.join(left).decode()}")
        return closed

    def _written_out(self, text: bytes, names: set[bytes] | None, depth: int) -> bytes:
        """Write out the aliases of these names, or all."""
        if depth > _MOST_DEPTH:
            raise AliasError("aliases without end")
        parts = []
        done = 0
        for match in _ALIAS.finditer(text):
            if names is not None and match[1] not in names:
                continue
            line = text.rfind(b"\n", 0, match.start()) + 1
            column, _ = _column(text[line : match.start()])
            parts += [text[done : match.start()], self._block(match[1], column, depth)]
            done = match.end()
        parts.append(text[done:])
        return b"".join(parts)

    def _block(self, name: bytes, column: int, depth: int) -> bytes:
        """The node of an anchor, moved to a column; without a newline at its end."""
        if name not in self._blocks:
            self._blocks[name] = self._find(name, depth)
        head, lines, old_column = self._blocks[name]
        if column >= old_column:
            margin = b" " * (column - old_column)
            moved = [margin + line for line in lines]
        else:
            moved = [line[old_column - column :] for line in lines]
        return b"\n".join([head, *moved])

    def _find(self, name: bytes, depth: int) -> tuple[bytes, list[bytes], int]:
        if name not in self._places:
            raise AliasError(f"no anchor {name.decode()}")
        document, place = self._document, self._places[name]
        line = document.rfind(b"\n", 0, place) + 1
        column, nested = _column(document[line:place])
        end = re.compile(rb"\n(?! {%d}|\n)|\Z" % (column + 1)).search(document, place)
        assert end is not None
        if nested and document[end.start() :].startswith(b"\n" + b" " * column + b"- "):
            raise AliasError("a sequence at the column of its key")
        # All text before the node keeps the columns of the aliases in the first line right.
        block = self._written_out(document[line : end.start()], None, depth + 1)
        # From the space before the anchor on, which tells that it is one.
        lines = _ANCHOR.sub(b"", block[place - line - 1 :])[1:].split(b"\n")
        return lines[0], lines[1:], column


def _column(before: bytes) -> tuple[int, bool]:
    """Where the parent of a node begins, from the text before it in its line; if it is a key."""
    match = _BEFORE.fullmatch(before)
    if match is None:
        raise AliasError(f"a node behind {before!r}")
    dashes, key = match[1], match[2]
    if key is None and not dashes.strip():
        raise AliasError("a node in a line of its own")
    return (len(dashes), True) if key else (len(dashes) - 2, False)
