"""Figures of groups."""

from __future__ import annotations

import numpy as np
import pytest
from group_double import group_of
from matplotlib.figure import Figure
from synthetic_slitlet import make_slitlet

from webbweave.report.style import new_figure, png_bytes
from webbweave.slit_combine.plots import plot_2d_differences, plot_profile


@pytest.fixture(scope="module")
def group():
    return group_of(make_slitlet(1))


def test_differences_with_a_fit(group):
    figure = plot_2d_differences(group)
    assert len(figure.axes) == 9
    images = [axis.images[0].get_array() for axis in figure.axes]
    for k, exp in enumerate((1, 2, 3)):
        diff, model, residual = images[3 * k : 3 * k + 3]
        np.testing.assert_allclose(residual, diff - model)
        np.testing.assert_array_equal(diff.ravel(), group.make_diff_image(exp)[2])
        colours = [line.get_color() for line in figure.axes[3 * k].lines]
        assert sorted(colours) == ["tomato", "wheat", "wheat"]
    assert "nod 2*" in figure.axes[3].get_ylabel()
    assert png_bytes(figure, dpi=30).startswith(b"\x89PNG")


def test_differences_without_a_fit_and_several_nods():
    """A TypeError in msaexp."""
    group = group_of(make_slitlet(1, n_exposures=2))
    group.fit = None
    figure = plot_2d_differences(group)
    assert len(figure.axes) == 2
    assert isinstance(figure, Figure)


def test_one_nod_without_differences():
    group = group_of(make_slitlet(1, n_exposures=1), diffs=False)
    assert len(plot_2d_differences(group).axes) == 3


def test_settings_are_used_and_not_changed(group):
    kws = {"cmap": "viridis"}
    figure = plot_2d_differences(group, clip_sigma=2, kws=kws, figsize=(4, 1))
    assert kws == {"cmap": "viridis"}
    image = figure.axes[0].images[0]
    assert image.get_cmap().name == "viridis"
    assert image.get_interpolation() == "hanning"
    noise = np.nanmedian(np.sqrt(group.make_diff_image(1)[4]))
    assert image.get_clim() == pytest.approx((-2 * noise, 3 * noise))
    wide = plot_2d_differences(group)
    assert wide.get_figwidth() > figure.get_figwidth()
    assert wide.axes[0].images[0].get_cmap().name == "bone_r"


@pytest.mark.parametrize("exp", [1, 2, 3])
def test_profile_is_against_the_trace_of_its_own_nod(group, exp):
    """msaexp takes that of the first exposure for all."""
    figure = plot_profile(group, exp)
    means = figure.axes[0].lines[1].get_xydata()
    assert abs(means[np.argmax(means[:, 1]), 0]) < 0.8
    assert figure.axes[0].get_ylim() == (-0.1, 0.2)


def test_profile_in_given_axes_with_a_given_fit(group):
    figure = new_figure(4, 3)
    axis = figure.subplots()
    fit = dict(group.fit[2])
    fit["sigma"] = 1.25
    assert plot_profile(group, 2, ax=axis, fit_result=fit, ymax=3) is figure
    verticals = [ln.get_xdata()[0] for ln in axis.lines if len(set(ln.get_xdata())) == 1]
    assert {-1.25, 1.25} <= set(verticals)
    assert axis.get_ylim() == (-1.5, 3)
    assert png_bytes(figure, dpi=30).startswith(b"\x89PNG")


def test_profile_without_a_fit(group):
    bare = group_of(make_slitlet(1))
    bare.fit = None
    assert len(plot_profile(bare).axes[0].lines) < len(plot_profile(group).axes[0].lines)


def test_bad_input(group):
    with pytest.raises(KeyError, match="there is no nod 9"):
        plot_profile(group, 9)
    with pytest.raises(ValueError, match="ymax"):
        plot_profile(group, ymax=0)
    with pytest.raises(KeyError):
        plot_2d_differences(group, fit={7: {}})
