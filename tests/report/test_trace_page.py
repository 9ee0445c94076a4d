"""Tests of the page about trace models and its figures."""

from __future__ import annotations

import dataclasses
import re

import matplotlib as mpl
import numpy as np
import pytest
from numpy.testing import assert_allclose
from traces import modelled_scene

from webbweave.adaptive_trace_model.summary import summarise_trace
from webbweave.errors import OutputError
from webbweave.report import trace_figures
from webbweave.report.style import png_bytes
from webbweave.report.trace_page import write_trace_report

TREE = {"meta": {"telescope": "JWST", "instrument": {"name": "NIRSPEC", "grating": "G140H"}}}


@pytest.fixture(scope="module")
def summary():
    fine = modelled_scene(per_pixel=2)
    return summarise_trace(
        "jw01_cal.fits",
        **modelled_scene(),
        oversampled=(fine["flux"], fine["alpha"], fine["trace"]),
        factor=2.0,
    )


@pytest.fixture(scope="module")
def dark():
    scene = modelled_scene()
    scene["trace"] = np.full_like(scene["trace"], np.nan)
    return summarise_trace("dark <slit>", **scene)


@pytest.mark.parametrize("draw", trace_figures.__all__)
def test_figures_leave_the_settings_alone(draw, summary):
    before = dict(mpl.rcParams)
    assert png_bytes(getattr(trace_figures, draw)(summary), dpi=40).startswith(b"\x89PNG")
    assert dict(mpl.rcParams) == before


def test_images_share_their_colours_and_show_the_residual(summary):
    data, trace, residual = (
        axes.images[0] for axes in trace_figures.draw_trace_images(summary).axes[:3]
    )
    assert data.get_clim() == trace.get_clim()
    assert_allclose(residual.get_clim()[0], -residual.get_clim()[1])
    assert_allclose(residual.get_array().filled(np.nan), summary.data - summary.trace)


def test_images_show_the_columns_with_data(summary):
    data = np.full_like(summary.data, np.nan)
    data[:, 20:31] = summary.data[:, 20:31]
    part = dataclasses.replace(summary, data=data)
    assert trace_figures.draw_trace_images(part).axes[0].get_xlim() == (19.5, 30.5)
    nothing = dataclasses.replace(summary, data=np.full_like(data, np.nan))
    assert trace_figures.draw_trace_images(nothing).axes[0].get_xlim() == (
        -0.5,
        data.shape[1] - 0.5,
    )


def test_fit_shows_samples_spline_and_knots(summary):
    (axes,) = trace_figures.draw_column_fit(summary).axes
    lines = {line.get_label(): line for line in axes.lines}
    fit = summary.column_fit
    assert f"{fit.knots.size} knots" in lines
    assert_allclose(lines["spline"].get_ydata(), fit.curve)
    assert lines["the column"].get_xdata().size == fit.own.sum()


def test_ripple_tells_its_numbers(summary):
    (axes,) = trace_figures.draw_ripple(summary).axes
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels[0] == f"as observed: {100 * summary.ripple.before.amplitude:.2f} %"
    assert labels[1].startswith("oversampled 2 times")


def page_of(path, summaries, **more):
    settings = {
        "tree": TREE,
        "inputs": [{"file": "/data/jw01_cal.fits"}],
        "parameters": {"oversample": (2.0, "Factor")},
    }
    return write_trace_report(path, summaries, **(settings | more)).read_text()


def test_page_is_complete_and_accessible(summary, tmp_path):
    text = page_of(tmp_path / "report.html", [summary], seconds={"fit": 1.25})
    assert "NIRSPEC" in text
    assert "G140H" in text
    assert "300 of 600" in text
    assert not re.search(r'(src|href)="http', text)
    images = re.findall(r"<img [^>]*>", text)
    assert len(images) == 3
    assert all('src="data:image/png;base64,' in image for image in images)
    assert all(re.search('alt="[^"]+"', image) for image in images)
    before, after = (100 * r.amplitude for r in (summary.ripple.before, summary.ripple.after))
    assert f"On the finer grid, {after:.2f} % of the {before:.2f} % are left." in text


def test_broad_figures_have_the_whole_width(summary, tmp_path):
    text = page_of(tmp_path / "trace.html", [summary])
    found = re.findall(r"<figure( class=\"broad\")?>\s*<h3>([^<]*)</h3>", text)
    assert found == [
        (' class="broad"', "The trace in the data"),
        ("", "How one column was fitted"),
        (' class="broad"', "The ripple of an undersampled spectrum"),
    ]


def test_page_of_several_with_failures(summary, dark, tmp_path):
    text = page_of(
        tmp_path / "report.html",
        [summary, dark],
        failures=[("slit 9", "no WCS")],
        warnings={"dark <slit>": ["faint"]},
    )
    assert "2 spectra" in text
    assert "dark &lt;slit&gt;" in text
    assert "no WCS" in text
    assert "faint" in text
    assert 'id="trace-1"' in text
    assert 'id="trace-2"' not in text  # nothing to draw


def test_page_where_it_cannot_be_written(summary, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        page_of(tmp_path / "file" / "report.html", [summary])
