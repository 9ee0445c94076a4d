"""Pieces of YAML that refer to others are made to stand for themselves."""

from __future__ import annotations

import pytest
import yaml

from webbweave.datamodels.aliases import AliasError, Anchors, labels

DOCUMENT = b"""\
first:
  frame: &id001 {unit: [deg, deg]}
  steps:
  - &id002
    model: !one
      forward:
      - &id003 !two
        offset: 1.5
        name: a long text that goes on in
          the next line
      - 7.0
    inverse: &id004 !two
      offset: -1.5

      deeper: {x: 1}
  - *id003
second:
  - - *id002
    - *id001
  - steps:
      - x: *id004
      - &id005 [1, 2]
      - *id005
"""


class Loader(yaml.SafeLoader):
    """Reads tags as text."""


Loader.add_multi_constructor(
    "!", lambda loader, tag, node: (tag, loader.construct_mapping(node, deep=True))
)


def load(text):
    return yaml.load(text, Loader=Loader)


def test_a_piece_means_the_same_without_the_rest():
    piece = DOCUMENT[DOCUMENT.index(b"second:") :]
    with pytest.raises(yaml.YAMLError):
        load(piece)
    closed = Anchors(DOCUMENT).close(piece)
    assert load(closed)["second"] == load(DOCUMENT)["second"]
    assert labels(closed, b"*") == {b"id005"}
    assert b"id003" not in closed


def test_a_closed_piece_is_left_alone():
    piece = DOCUMENT[: DOCUMENT.index(b"second:")]
    assert Anchors(DOCUMENT).close(piece) is piece


@pytest.mark.parametrize(
    ("definition", "use"),
    [
        (b"x: 1\n", b"b: *id001\n"),
        (b"a: [&id001 {x: 1}, 2]\n", b"b: *id001\n"),
        (b"a: &id001\n- 1\n- 2\n", b"b:\n- *id001\n"),
        (b"a: &id001 {x: 1}\n", b"b: [1, *id001]\n"),
        (b"a: &id001\n  b: *id001\n", b"c: *id001\n"),
    ],
)
def test_unusual_layouts_are_refused(definition, use):
    with pytest.raises(AliasError):
        Anchors(definition + use).close(use)


def test_labels():
    assert labels(b"a: &id001 x\nb: *id001\nc: *id002\n", b"*") == {b"id001", b"id002"}
    assert labels(b"a: &id001 x\nb: *id001\nc: *id002\n", b"&") == {b"id001"}
    assert labels(b"a: b", b"*") == set()
