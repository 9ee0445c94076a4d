"""A page that needs nothing but a browser: no network, script or second file."""

from __future__ import annotations

import base64
import importlib.metadata
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from matplotlib.figure import Figure

from webbweave.datamodels import get_path, replace_atomically
from webbweave.report.style import png_bytes

__all__ = [
    "Page",
    "Picture",
    "Section",
    "data_uri",
    "figure_uri",
    "subtitle_of",
    "write_page",
]

#: Packages whose versions decide about the numbers.
_PACKAGES = ("webbweave", "numpy", "astropy", "gwcs", "stdatamodels")

#: Headings of the columns that the table of inputs is known to have.
_HEADINGS = {
    "file": "File",
    "name": "Name",
    "nod": "Nod",
    "offset": "Offset (arcsec)",
    "exposure_time": "Exposure time (s)",
    "pixels_used": "Pixels used",
}


@dataclass(frozen=True)
class Picture:
    """
    A figure as the page shows it.

    Parameters
    ----------
    title : str
        Its heading.
    source : str
        Data URI.
    narrow : str or None
        Data URI of a rendering for small screens; with one, the figure is as broad as the page.
    alt : str
        What a reader who cannot see it is told.
    caption : str
        What stands below; may be empty.
    """

    title: str
    source: str
    narrow: str | None
    alt: str
    caption: str


@dataclass(frozen=True)
class Section:
    """
    One row of the table of a page and, if it has pictures, its section.

    Parameters
    ----------
    anchor : str
        Where links to it go.
    name : str
        Its heading.
    thumbnail : str
        Data URI of a small picture; may be empty.
    sparkline : str
        Data of an SVG path in a box of 120 by 36; may be empty.
    facts : tuple of str
        What is said of it, one per fact name of the page.
    remarks : tuple of str
        Warnings.
    pictures : tuple of Picture
        Its figures.
    parts : tuple of Section
        What follows it under headings of their own, without a row of the table.
    """

    anchor: str
    name: str
    thumbnail: str = ""
    sparkline: str = ""
    facts: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    parts: tuple[Section, ...] = ()


@dataclass(frozen=True)
class Page:
    """
    All that a page says.

    Parameters
    ----------
    title, subtitle : str
        Heading of the page.
    key_figures : sequence of (str, str)
        What is to be seen first.
    what : str
        What the sections are, as ``"Sources"``.
    fact_names : sequence of str
        Headings of the facts of the sections.
    sections : sequence of Section
        In the order of the table; without a table if there is only one and nothing failed.
    inputs : sequence of mapping
        Rows of the table of inputs.
    parameters : mapping of str to (object, str)
        Value of each parameter and one line about its meaning.
    next_steps : sequence of (str, str)
        A sentence and a piece of code or a command each.
    failures : sequence of (str, str)
        What is not in the product, and why.
    seconds : mapping of str to float, optional
        How long each stage took.
    shown_first : str
        Which sections have figures, if not all have.
    overview : sequence of Picture
        Figures about all sections together.
    """

    title: str
    subtitle: str
    key_figures: Sequence[tuple[str, str]]
    what: str
    fact_names: Sequence[str]
    sections: Sequence[Section]
    inputs: Sequence[Mapping[str, object]]
    parameters: Mapping[str, tuple[object, str]]
    next_steps: Sequence[tuple[str, str]]
    failures: Sequence[tuple[str, str]] = ()
    seconds: Mapping[str, float] | None = None
    shown_first: str = ""
    overview: Sequence[Picture] = ()


def write_page(path: str | Path, page: Page) -> Path:
    """
    Write a self-contained HTML page.

    Parameters
    ----------
    path : str or path
        A file ending in ``.html``; replaced if it exists.
    page : Page
        What it says.

    Returns
    -------
    path
        The file.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    path = Path(path)
    text = _template().render(
        page=page,
        many=len(page.sections) + len(page.failures) > 1,
        inputs=_input_table(page.inputs),
        parameters=[(name, _text(value), text) for name, (value, text) in page.parameters.items()],
        seconds=_seconds(page.seconds),
        versions=_versions(),
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )
    replace_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
    return path


def subtitle_of(tree: Mapping[str, Any]) -> str:
    """
    Say what a product is of: instrument, elements, programme and date, as far as they are known.

    Parameters
    ----------
    tree : mapping
        Tree of the product.

    Returns
    -------
    str
        One line.
    """
    instrument = [
        str(get_path(tree, f"meta.instrument.{key}", "")) for key in ("name", "grating", "filter")
    ]
    program = str(get_path(tree, "meta.observation.program_number", "")).lstrip("0")
    parts = [
        str(get_path(tree, "meta.telescope", "")),
        instrument[0],
        "/".join(part for part in instrument[1:] if part not in {"", "N/A"}),
        f"programme {program}" if program else "",
        f"observed {get_path(tree, 'meta.observation.date', '')}".removesuffix("observed "),
    ]
    return " · ".join(part for part in parts if part)


def data_uri(png: bytes) -> str:
    """
    Write a picture into the page itself.

    Parameters
    ----------
    png : bytes
        A PNG.

    Returns
    -------
    str
        Its data URI.
    """
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def figure_uri(figure: Figure) -> str:
    """
    Render a figure into the page itself.

    Parameters
    ----------
    figure : `~matplotlib.figure.Figure`
        The figure.

    Returns
    -------
    str
        Its data URI.
    """
    return data_uri(png_bytes(figure))


def _template() -> jinja2.Template:
    text = resources.files("webbweave.report").joinpath("template.html").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(text)


def _input_table(inputs: Sequence[Mapping[str, object]]) -> dict[str, list[Any]]:
    keys = list(dict.fromkeys(key for row in inputs for key in row))
    return {
        "headings": [_HEADINGS.get(key, key.replace("_", " ")) for key in keys],
        "rows": [
            [Path(str(row[key])).name if key == "file" else _text(row.get(key)) for key in keys]
            for row in inputs
        ],
    }


def _text(value: object) -> str:
    """A value as a reader expects it: no more digits than mean something, a dash for nothing."""
    match value:
        case None | "":
            return "–"  # noqa: RUF001
        case bool():
            return "yes" if value else "no"
        case int() | np.integer():
            return f"{value:,}"
        case float() | np.floating():
            return f"{value:.6g}" if np.isfinite(value) else "–"  # noqa: RUF001
    return str(value)


def _seconds(seconds: Mapping[str, float] | None) -> list[tuple[str, str]]:
    if not seconds:
        return []
    rows = [(name, f"{value:.2f}") for name, value in seconds.items()]
    return [*rows, ("all stages", f"{sum(seconds.values()):.2f}")]


def _versions() -> list[tuple[str, str]]:
    found = [("Python", platform.python_version())]
    for name in _PACKAGES:
        try:
            found.append((name, importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
