"""Tests of the page: complete in itself, safe against names, sensible without data."""

from __future__ import annotations

import itertools
import re
from html.parser import HTMLParser

import pytest
from stdatamodels.jwst.datamodels import SlitModel

from webbweave.errors import OutputError
from webbweave.report import write_report

INPUTS = [
    {
        "file": "/somewhere/exposure_1.fits",
        "nod": 1,
        "exposure_time": 1021.2223,
        "pixels_used": 6544,
    },
    {"file": "exposure_2.fits", "nod": 2, "exposure_time": None, "pixels_used": 10},
]
PARAMETERS = {
    "pixfrac": (1.0, "Size of the dropped pixel"),
    "compat": (False, "Numbers of the peer"),
    "pixel_scale": (None, "Scale <arcsec>"),
}
VOID = {"br", "hr", "img", "link", "meta", "source"}


class Page(HTMLParser):
    """Collects tags, attributes and text, and checks that tags are closed in order."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.text, self.open = [], [], [], []
        self.attributes = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.append((tag, dict(attrs)))
        self.links += [value for name, value in attrs if name in {"href", "src", "srcset"}]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    @property
    def words(self):
        return re.sub(r"\s+", " ", " ".join(self.text))


def report(tmp_path, product, **kwargs):
    options = {"inputs": INPUTS, "parameters": PARAMETERS} | kwargs
    path = write_report(tmp_path / "report.html", product, **options)
    assert [one.name for one in tmp_path.iterdir()] == ["report.html"]
    return Page(path.read_text(encoding="utf-8"))


@pytest.fixture
def quick(monkeypatch):
    """Figures are drawn but not rendered, for tests of the words around them."""
    monkeypatch.setattr("webbweave.report.page.png_bytes", lambda figure: b"PNG")


def test_page_is_complete_in_itself(slit, tmp_path):
    page = report(tmp_path, slit)
    assert all(link.startswith("data:image/png;base64,") for link in page.links)
    assert page.tags.count("img") == 4
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert not re.search(r"https?://|url\(|@import", text)


@pytest.mark.usefixtures("quick")
def test_page_says_what_was_done(slit, tmp_path):
    page = report(
        tmp_path, slit, seconds={"read": 0.5, "drizzle": 0.25}, product_path="/x/a_s2d.fits"
    )
    for words in (
        "known",
        "JWST · NIRSPEC · PRISM/CLEAR",
        "2 exposures",
        "21 rows",
        "2,042 s (34 min)",
        "exposure_1.fits",
        "1021.22",
        "6,544",
        "pixfrac",
        "Size of the dropped pixel",
        "drizzle 0.25",
        "all stages 0.75",
        "webbweave",
        'open("a_s2d.fits")',
    ):
        assert words in page.words
    assert "/somewhere" not in page.words
    assert "Sources" not in page.words


@pytest.mark.usefixtures("quick")
def test_page_is_accessible(slit, tmp_path):
    page = report(tmp_path, slit)
    assert ("html", {"lang": "en"}) in page.attributes
    assert page.tags.count("title") == page.tags.count("h1") == 1
    assert all(attrs.get("alt") for tag, attrs in page.attributes if tag == "img")
    levels = [int(tag[1]) for tag in page.tags if re.fullmatch("h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


@pytest.mark.usefixtures("quick")
def test_names_are_escaped(tree, tmp_path):
    name = '<b>bold</b> "&'
    page = report(
        tmp_path,
        SlitModel(tree(name=name)),
        inputs=[{"file": "<i>.fits", "<u>": "<s>"}],
        parameters={"<tt>": ("<em>", "<q>")},
    )
    assert not {"b", "i", "u", "s", "tt", "em", "q"} & set(page.tags)
    assert name in page.words


@pytest.mark.usefixtures("quick")
def test_page_of_a_product_without_data(empty_tree, tmp_path):
    page = report(tmp_path, SlitModel(empty_tree()), inputs=[], parameters={}, title="Nothing")
    assert "no data" in page.words
    assert "Nothing" in page.words
    assert "nan" not in page.words.lower().split()


@pytest.mark.usefixtures("quick")
def test_page_of_several_sources(several, tree, empty_tree, tmp_path, monkeypatch):
    monkeypatch.setattr("webbweave.report.html._MOST_SECTIONS", 2)
    page = report(tmp_path, several([tree(name="one"), empty_tree("two"), tree(name="three")]))
    # A picture in each row; the two brightest have two figures each.
    assert page.tags.count("img") == 3 + 2 * 2
    assert page.tags.count("svg") == 2
    targets = {attrs["id"] for _, attrs in page.attributes if "id" in attrs}
    anchors = {link.removeprefix("#") for link in page.links if link.startswith("#")}
    assert anchors == targets == {"source-1", "source-3"}
    assert "2 of 3 sources with the highest signal-to-noise ratio" in page.words
    assert page.words.count("one") >= 2
    assert "21 of 21" in page.words
    assert "0 of 21" in page.words
    page = report(tmp_path, several([tree(name="one"), tree(name="two")]))
    assert page.tags.count("img") == 2 + 2 * 4
    assert "with the highest" not in page.words


@pytest.mark.usefixtures("quick")
def test_page_of_failed_sources_and_warnings(several, slit, tree, tmp_path):
    warnings = {"two": ["exposure 3 is left out", "<b> no DQ array"], "known": ["a remark"]}
    failures = [("lost <i>", "SCI is NaN in all its 9 pixels")]
    product = several([tree(name="one"), tree(name="two")])
    page = report(tmp_path, product, warnings=warnings, failures=failures)
    assert "lost <i> Failed: SCI is NaN in all its 9 pixels" in page.words
    assert "exposure 3 is left out <b> no DQ array" in page.words
    sources = page.tags[: page.tags.index("figure")]
    assert sources.count("tr") == 1 + 3
    assert not {"i", "b"} & set(page.tags)
    # The only source that came through is in a table with the one that did not.
    page = report(tmp_path, slit, warnings=warnings, failures=failures)
    assert "Failed: SCI is NaN" in page.words
    assert "a remark" in page.words
    page = report(tmp_path, slit, warnings=warnings)
    assert "a remark" in page.words
    assert "Failed" not in page.words


@pytest.mark.usefixtures("quick")
def test_captions_follow_the_data(tree, tmp_path):
    assert "the sky, which was not subtracted" in report(tmp_path, SlitModel(tree(sky=5.0))).words
    made = tree()
    made["data"] = made["data"] - 0.5 * made["data"][::-1]
    assert "negative images" in report(tmp_path, SlitModel(made)).words


@pytest.mark.usefixtures("quick")
def test_page_where_it_cannot_be_written(slit, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OutputError, match=r"report\.html"):
        write_report(tmp_path / "file" / "report.html", slit, inputs=[], parameters={})
    assert [one.name for one in tmp_path.iterdir()] == ["file"]
