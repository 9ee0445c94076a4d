"""Tests of the page about an alignment, of its figures, and of the summary that they show."""

from __future__ import annotations

import re

import matplotlib as mpl
import numpy as np
import pytest
from astropy.table import Table
from dithered_models import exposures
from synthetic_image_wcs import PIXEL

from webbweave.errors import OutputError
from webbweave.report import align_figures
from webbweave.report.align_page import write_align_report
from webbweave.report.style import png_bytes
from webbweave.tweakreg import TweakRegStep

TREE = {"meta": {"telescope": "JWST", "instrument": {"name": "NIRCAM", "filter": "F444W"}}}
FLUX = 50.0


def aligned(field, folder, **parameters):
    """Run the step; the second of four images has a catalog of nothing, the others have fluxes."""
    rng = np.random.default_rng(1)
    for k, path in enumerate(field.catalogs):
        table = Table.read(path)
        table["flux"] = np.full(len(table), FLUX)
        if k == 1:
            table["x"], table["y"] = rng.uniform(0, 1000, (2, len(table)))
        table.write(path, overwrite=True)
    if parameters.pop("catalog", False):
        field.reference.write(folder / "stars.ecsv", overwrite=True)
        parameters["abs_refcat"] = str(folder / "stars.ecsv")
    step = TweakRegStep(use_custom_catalogs=True, **parameters)
    step.summarises = True
    step.process(field.models)
    return step.summary


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    return exposures(tmp_path_factory.mktemp("field"), 4, n_star=200)


@pytest.fixture(scope="module")
def summary(field, tmp_path_factory):
    return aligned(field, tmp_path_factory.mktemp("relative"))


@pytest.fixture(scope="module")
def with_catalog(field, tmp_path_factory):
    return aligned(field, tmp_path_factory.mktemp("absolute"), catalog=True)


def test_residuals_are_the_errors_of_the_pointing(summary, field):
    errors = field.errors(field.models).mean(axis=2) / 1000
    for k in (2, 3):
        image = summary.images[k]
        assert len(image.matched) > 100
        assert image.compared_with == "the other images"
        assert np.median(image.before, axis=0) == pytest.approx(errors[k], abs=0.005)
        # Noise of 0.05 pixels in this image, and less in the mean of two others.
        scatter = np.sqrt(np.mean(image.after**2)) / (0.05 * PIXEL)
        assert 1.0 < scatter < 1.5
        moved = np.median(image.points - image.outline.mean(axis=0), axis=0)
        assert np.hypot(*moved) < 10
    assert np.abs(summary.images[0].outline - summary.images[0].outline_before).max() == 0


def test_the_peak_is_where_the_error_is(summary, field):
    errors = field.errors(field.models).mean(axis=2) / 1000
    for k in (2, 3):
        image = summary.images[k]
        assert image.peak.significant
        assert np.hypot(*(image.peak.shift - errors[k])) < 1.5 * image.cell
    lost = summary.images[1]
    assert not lost.peak.significant
    assert len(lost.matched) == 0
    assert lost.counts.sum() > 100


def test_sources_are_compared_with_the_catalog(with_catalog, field):
    assert with_catalog.catalog == "stars.ecsv"
    assert len(with_catalog.stars) == len(field.reference)
    errors = field.errors(field.models).mean(axis=2) / 1000
    for k in (0, 2, 3):
        image = with_catalog.images[k]
        assert image.compared_with == "stars.ecsv"
        assert np.median(image.before, axis=0) == pytest.approx(errors[k], abs=0.005)
        assert np.sqrt(np.mean(image.after**2)) / (0.05 * PIXEL) == pytest.approx(1.0, abs=0.15)
    assert align_figures.kind_of(with_catalog.images[1]) == "failed"


def test_with_compat_the_catalog_is_named_as_well(field, tmp_path):
    found = aligned(field, tmp_path, catalog=True, compat=True)
    assert found.catalog == "stars.ecsv"
    assert len(found.stars) == len(field.reference)
    assert [image.compared_with for image in found.images] == ["stars.ecsv"] * 4
    assert len(found.images[3].matched) > 50


def test_a_run_makes_no_summary_unless_asked(field):
    step = TweakRegStep(use_custom_catalogs=True)
    step.process(field.models)
    assert step.summary is None


@pytest.mark.parametrize("draw", ["draw_magnitudes", "draw_offsets", "draw_residuals"])
def test_figures_leave_the_settings_alone(draw, summary):
    before = dict(mpl.rcParams)
    figure = getattr(align_figures, draw)(summary.images[2])
    assert png_bytes(figure, dpi=40).startswith(b"\x89PNG")
    assert dict(mpl.rcParams) == before


def test_field_shows_each_kind(with_catalog, summary):
    (axes,) = align_figures.draw_field(with_catalog).axes
    assert axes.get_legend_handles_labels()[1] == ["stars.ecsv", "aligned", "failed"]
    low, high = axes.get_xlim()
    assert low > high  # east is left
    (axes,) = align_figures.draw_field(summary).axes
    assert set(axes.get_legend_handles_labels()[1]) == {"reference", "aligned", "failed"}


def test_arrows_have_a_scale_each(summary):
    image = summary.images[2]
    panels = align_figures.draw_residuals(image).axes
    lengths = []
    for axes, vectors in zip(panels, (image.before, image.after), strict=True):
        (arrows,) = [one for one in axes.collections if hasattr(one, "U")]
        assert np.array_equal(np.stack([arrows.U, arrows.V], axis=1), vectors)
        lengths.append(arrows.scale)
    assert lengths[0] > 20 * lengths[1]


def test_offsets_tell_whether_there_is_a_peak(summary):
    titles = [align_figures.draw_offsets(i).axes[0].get_title("left") for i in summary.images[1:3]]
    assert titles[0].startswith("No peak")
    assert titles[1].startswith(f"Peak: {summary.images[2].peak.pairs} pairs")
    (drawn,) = align_figures.draw_offsets(summary.images[2]).axes[0].images
    assert np.array_equal(drawn.get_array()[:, ::-1], summary.images[2].counts)


def test_magnitudes(summary):
    image = summary.images[2]
    assert image.magnitude == pytest.approx(-2.5 * np.log10(FLUX))
    upper, lower = align_figures.draw_magnitudes(image).axes
    assert lower.lines[0].get_xdata() == pytest.approx(image.magnitude[image.matched])
    labels = [text.get_text() for text in upper.get_legend().get_texts()]
    assert labels == [f"{len(image.magnitude)} sources", f"{len(image.matched)} matched"]


def page_of(path, summary, **more):
    names = [f"jw01345001001_02201_{k:05d}_nrcb1_cal.fits" for k in (1, 2, 3, 4)]
    settings = {
        "tree": TREE,
        "verdicts": [
            (name, "FAILED: lost" if k == 1 else "COMPLETE: moved") for k, name in enumerate(names)
        ],
        "inputs": [{"file": f"/data/{name}"} for name in names],
        "parameters": {"searchrad": (2.0, "Radius")},
    }
    return write_align_report(path, summary, **(settings | more)).read_text()


def test_page_is_complete_and_accessible(with_catalog, tmp_path):
    text = page_of(tmp_path / "report.html", with_catalog, seconds={"align": 1.25})
    assert "Alignment of 4 images" in text
    assert "3 of 4" in text
    assert text.count("FAILED: lost") == 1
    assert text.count("COMPLETE: moved") == 3
    assert f"stars.ecsv, {len(with_catalog.stars):,} stars" in text
    assert not re.search(r'(src|href)="http', text)
    images = re.findall(r"<img [^>]*>", text)
    # The field, three pictures of each image, and one of the image that failed.
    assert len(images) == 1 + 3 * 3 + 1
    assert all('src="data:image/png;base64,' in image for image in images)
    assert all(re.search('alt="[^"]+"', image) for image in images)
    assert "Spectrum" not in text


def test_page_of_nothing(tmp_path):
    text = page_of(tmp_path / "r.html", None, verdicts=[("a", "SKIPPED: one")], dry_run=True)
    assert "Alignment of 1 image, dry run" in text
    assert "SKIPPED: one" in text
    assert "<img" not in text


def test_page_where_it_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        page_of(tmp_path / "file" / "report.html", None)
