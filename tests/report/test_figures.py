"""Tests of the figures: what they show, and that nothing outside them changes."""

from __future__ import annotations

import io
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.collections import QuadMesh
from matplotlib.image import imread
from numpy.testing import assert_allclose
from stdatamodels.jwst.datamodels import SlitModel

from webbweave.errors import OutputError
from webbweave.report import figures, save_picture
from webbweave.report.spectrum import summarise_slit
from webbweave.report.style import png_bytes

DRAWINGS = [
    figures.draw_image,
    figures.draw_profile,
    figures.draw_spectrum,
    figures.draw_weights,
    figures.draw_overview,
]


@pytest.mark.parametrize("draw", DRAWINGS)
@pytest.mark.parametrize("kind", ["source", "empty", "bare"])
def test_every_figure_of_every_product(draw, kind, tree, empty_tree):
    made = {"source": tree(), "empty": empty_tree(), "bare": {"data": tree()["data"]}}[kind]
    before = dict(mpl.rcParams)
    png = png_bytes(draw(summarise_slit(made)), dpi=40)
    assert png.startswith(b"\x89PNG")
    assert dict(mpl.rcParams) == before


def test_drawing_does_without_pyplot():
    code = """
import sys
import numpy as np
from webbweave.report.figures import draw_image, png_bytes
from webbweave.report.spectrum import summarise_slit
from webbweave.report.style import png_bytes
png_bytes(draw_image(summarise_slit({"data": np.ones((5, 9))})), dpi=30)
print("matplotlib.pyplot" in sys.modules)
"""
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "False"


def test_image_has_the_wavelengths_of_the_pixels(tree):
    summary = summarise_slit(tree())
    axes = figures.draw_image(summary).axes[0]
    (mesh,) = (artist for artist in axes.collections if isinstance(artist, QuadMesh))
    edges = mesh.get_coordinates()[0, :, 0]
    assert_allclose((edges[1:] + edges[:-1]) / 2, summary.wavelength, atol=1e-4)
    assert np.ma.getmaskarray(mesh.get_array()).reshape(summary.shape)[:, :3].all()
    assert mesh.get_cmap().get_bad().tolist() == pytest.approx([0xC4 / 255] * 3 + [1.0])


def test_image_leaves_out_columns_without_a_wavelength(tree):
    made = tree()
    made["wavelength"][:, -10:] = np.nan
    axes = figures.draw_spectrum(summarise_slit(made)).axes[0]
    assert axes.get_xlim()[1] < 1.0 + 0.01 * 111 + 1e-4 * 111**2


def test_spectrum_axis_is_not_stretched_by_noisy_columns(tree):
    made = tree()
    made["data"][:, -5:], made["err"][:, -5:] = 1e6, 1e6
    low, high = figures.draw_spectrum(summarise_slit(made)).axes[0].get_ylim()
    assert 50 < high < 70
    assert low > -10


def test_colours_ignore_outliers(tree):
    made = tree(noise=1)
    made["data"][3, 7] = 1e9
    assert figures.draw_image(summarise_slit(made)).axes[0].collections[0].norm.vmax < 50


def test_a_name_is_not_read_as_a_formula(tree):
    figure = figures.draw_overview(summarise_slit(tree(name="$x_{ & $")))
    assert png_bytes(figure, dpi=40)


def test_thumbnail_is_small_and_shows_the_source(tree):
    made = tree()
    png = figures.draw_thumbnail(summarise_slit(made))
    assert len(png) < 20_000
    image = imread(io.BytesIO(png))[..., :3]
    n_row, n_column = made["data"].shape
    repeat = image.shape[0] // n_row
    assert image.shape == (n_row * repeat, n_column, 3)
    # Rows run upwards; the source is the brightest, pixels without data are grey.
    brightest = image[:, n_column // 2].sum(axis=-1).argmax()
    assert n_row - 1 - brightest // repeat == 12
    assert np.ptp(image[0, 0]) == 0
    wide = made["data"].repeat(9, axis=1)
    wide = imread(io.BytesIO(figures.draw_thumbnail(summarise_slit({"data": wide}))))
    assert wide.shape[1] <= 240


def test_sparkline_follows_the_spectrum(tree, empty_tree):
    made = tree()
    made["data"][:, 60:80] = np.nan
    path = figures.trace_sparkline(summarise_slit(made))
    pieces = [piece.split("L") for piece in path.split("M")[1:]]
    assert len(pieces) == 2  # a gap
    points = np.array([point.split() for piece in pieces for point in piece], dtype=float)
    assert len(points) == 97
    assert points[:, 0].min() >= 0
    assert points[:, 0].max() <= 120
    assert points[:, 1].min() >= 0
    assert points[:, 1].max() <= 36
    # The line is the highest point: the smallest y of SVG.
    assert points[points[:, 1].argmin(), 0] == pytest.approx(40 * 120 / 119, abs=1.5)
    assert figures.trace_sparkline(summarise_slit(empty_tree())) == ""


def test_save_picture(slit, tmp_path):
    path = save_picture(tmp_path / "new" / "picture.png", slit)
    assert imread(path).shape[:2] == (1000, 1400)
    assert [one.name for one in path.parent.iterdir()] == ["picture.png"]


def test_save_picture_of_several_takes_the_best(several, tree, empty_tree, tmp_path, monkeypatch):
    titles = []
    draw = figures.draw_overview
    monkeypatch.setattr(
        figures, "draw_overview", lambda one, title: titles.append(title) or draw(one, title=title)
    )
    save_picture(tmp_path / "a.png", several([empty_tree(), tree(name="best")]))
    assert titles == ["best (of 2 sources)"]
    with pytest.raises(ValueError, match="no spectrum"):
        save_picture(tmp_path / "b.png", several([]))
    assert [one.name for one in tmp_path.iterdir()] == ["a.png"]


def test_save_picture_where_it_cannot(tree, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OutputError, match=r"picture\.png"):
        save_picture(tmp_path / "file" / "picture.png", SlitModel(tree()))
    assert [one.name for one in tmp_path.iterdir()] == ["file"]
