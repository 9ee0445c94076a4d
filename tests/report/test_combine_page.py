"""Tests of the page about combined slitlets, of its figures, and of the summary they show."""

from __future__ import annotations

import re
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_hex
from slit_arrays import group_arrays
from synthetic_slitlet import make_slitlet

from webbweave.errors import OutputError
from webbweave.report import combine_figures, combine_page
from webbweave.report.combine_page import without_hidden_figures, write_combine_report
from webbweave.slit_combine import MaskBit, extract_spectra, summarise_source

TREE = {"meta": {"telescope": "JWST", "instrument": {"name": "NIRSPEC", "grating": "PRISM"}}}
GROUP = "visit-prism-clear"
HOT = (2, 12, 30)  # exposure, row and column of a pixel that is bad


def extracted(**groups):
    return extract_spectra(
        "source",
        exposure_groups={GROUP: groups.pop("exposures"), **groups},
        lookup_prf_type=None,
        undo_barshadow=False,
    )


@pytest.fixture(scope="module")
def slitlet():
    return make_slitlet(3, bad_fraction=0.01)


@pytest.fixture(scope="module")
def result(slitlet):
    exposures = group_arrays(slitlet)
    exposures[HOT[0]]["dq"][HOT[1:]] = 1
    for exposure in exposures:
        exposure["wave"] = exposure["wave"].copy()
        exposure["wave"][:2] = np.nan  # outside the slit
    return extracted(exposures=exposures, alone=exposures[:1])


@pytest.fixture(scope="module")
def source(result):
    return summarise_source(result)


def page_of(tmp_path, sources, **more):
    path = write_combine_report(
        tmp_path / "page.html",
        sources,
        tree=TREE,
        inputs=[{"file": "a.fits"}],
        parameters={},
        **more,
    )
    text = path.read_text(encoding="utf-8")
    return re.sub(r"data:image/png;base64,[A-Za-z0-9+/=]+", "PNG", text)


def test_images_are_those_of_the_group(source, result, slitlet):
    group = result.groups[GROUP]["obj"]
    figures = source.groups[0].figures
    assert [nod.is_reference for nod in figures.nods] == [True, False, False]
    for nod in figures.nods:
        key = int(nod.label)
        others = np.array([slitlet.profile[i] * slitlet.flux[i] for i in range(3)])
        mine = slitlet.nod == key
        truth = (others[mine].mean(axis=0) - others[~mine].mean(axis=0)).reshape(group.sh)
        known = np.isfinite(nod.difference)
        assert known.mean() > 0.3
        # The sky cancels, so that the difference is that of the source, and so is the model: one
        # amplitude per column, hence with less noise.
        assert np.std((nod.difference - truth)[known]) == pytest.approx(nod.noise, rel=0.3)
        assert np.nanstd((nod.model - truth)[known]) < 0.6 * nod.noise
        y = np.arange(group.sh[0])
        brightest = np.array([y[np.argmax(column)] for column in np.nan_to_num(nod.model).T])
        assert np.abs(brightest - nod.added[0]).max() <= 1.0
        assert len(nod.subtracted) == 2


def test_profile_is_that_of_the_slitlet(source, slitlet):
    figures = source.groups[0].figures
    near = np.abs(figures.profile_y) < 2
    pulls = (figures.profile - figures.profile_model)[near] / figures.profile_error[near]
    assert np.sqrt(np.mean(pulls**2)) < 2
    middle = np.abs(figures.profile_y) < 0.3
    assert figures.profile_model[middle] == pytest.approx(slitlet.profile.max(), rel=0.1)
    assert source.groups[0].sigma == pytest.approx(slitlet.sigma, abs=0.05)


def test_spectrum_is_that_of_the_source(source, slitlet):
    (mode,) = source.modes
    known = np.isfinite(mode.flux) & (mode.error > 0)
    truth = np.interp(mode.wave[known], slitlet.wave[0][: slitlet.shape[1]], slitlet.column_flux())
    pulls = (mode.flux[known] - truth) / mode.error[known]
    assert abs(np.median(pulls)) < 0.5
    assert mode.n_exposure == 3
    assert mode.peak_snr == pytest.approx(np.nanmax(mode.flux[known] / mode.error[known]))


def test_the_sky_is_that_of_model_and_nods(source, slitlet):
    (mode,) = source.modes
    middle = np.isfinite(mode.sky) & (mode.wave > 1) & (mode.wave < 5)
    truth = np.interp(mode.wave[middle], slitlet.wave[0][:48], slitlet.sky[0][:48])
    assert np.median(mode.sky[middle] / truth) == pytest.approx(1.0, abs=0.1)


def test_reason_of_a_pixel():
    bits = np.array([0, 1, 1 | 128, 8 | 64, 4096 | 131072], np.uint32)
    assert combine_figures.shown_bits(bits).tolist() == [0, 1, 128, 8, 4096]


def test_flags_have_the_colour_of_their_test(source):
    group = source.groups[0]
    figure = combine_figures.draw_flags(group)
    images = [axes.images[0] for axes in figure.axes]
    assert len(images) == 3
    labels = {
        text.get_text().partition(":")[0]: to_hex(patch.get_facecolor())
        for text, patch in zip(
            figure.legends[0].get_texts(), figure.legends[0].get_patches(), strict=True
        )
    }
    drawn = [image.to_rgba(image.get_array(), bytes=False) for image in images]
    assert to_hex(drawn[HOT[0]][HOT[1:]]) == labels["DQ"]
    for colours, bits in zip(drawn, group.figures.bits, strict=True):
        assert {to_hex(c) for c in colours[bits == 0]} == {labels["used"]}
        border = (bits & MaskBit.BORDER) > 0
        assert {to_hex(c) for c in colours[border]} == {labels["BORDER"]}
    assert len(set(labels.values())) == len(labels)


def test_figures_have_what_they_say(source):
    figures = source.groups[0].figures
    broad = combine_figures.draw_nods(figures)
    assert len(broad.axes) == 12
    for row, nod in zip(np.reshape(broad.axes, (3, 4)), figures.nods, strict=True):
        difference, model, residual = (axes.images[0].get_array() for axes in row[1:])
        np.testing.assert_allclose(difference - model, residual, atol=1e-6)
        assert (difference.mask == ~np.isfinite(nod.difference)).all()
    assert len(combine_figures.draw_nods(figures, width=5.2).axes) == 4
    assert len(combine_figures.draw_slit_spectrum(source.modes[0]).axes) == 3  # with a colour bar


def test_bins_alone_are_points(source):
    (mode,) = source.modes
    wave = np.linspace(1, 5, 40)
    flux = np.where(np.arange(40) < 20, 1.0, np.nan)
    flux[[25, 30, 39]] = 2.0
    sparse = replace(
        mode,
        **{"wave": wave, "flux": flux, "error": 0.1 + 0 * flux, "sky": 0 * flux},
        image=np.ones((mode.y.size, 40), np.float32),
    )
    lower = combine_figures.draw_slit_spectrum(sparse).axes[1]
    (points,) = [line for line in lower.lines if line.get_marker() == "o"]
    assert points.get_xdata() == pytest.approx(wave[[25, 30, 39]])
    plain = combine_figures.draw_slit_spectrum(replace(sparse, flux=np.ones(40), error=np.ones(40)))
    assert not [line for line in plain.axes[1].lines if line.get_marker() == "o"]


def test_without_a_fit_there_is_no_model(source):
    figures = source.groups[0].figures
    bare = replace(figures, nods=tuple(replace(nod, model=None) for nod in figures.nods))
    assert len(combine_figures.draw_nods(bare).axes) == 6


def test_page_has_a_section_per_group(source, tmp_path, unrendered):
    text = page_of(tmp_path, [source])
    assert text.count('<section id="source-1-group-') == 1
    assert f"<h2>{GROUP}</h2>" in text or f"<h2>source: {GROUP}</h2>" in text
    for title in ("Nods", "What masked each pixel", "Profile along the slit", "Spectrum"):
        assert f"<h3>{title}</h3>" in text
    assert "<strong>Failed:</strong> rejected: one exposure, nothing to subtract" in text
    assert "1 of 2" in text  # groups


@pytest.fixture
def unrendered(monkeypatch):
    """Figures are drawn and not rendered, which takes longest; other tests do."""
    monkeypatch.setattr(combine_page, "figure_uri", lambda figure: f"axes-{len(figure.axes)}")


def test_page_has_a_row_per_source(source, tmp_path, unrendered):
    several = [replace(source, name=f"s{k}") for k in range(6)]
    assert [s.groups[0].figures is not None for s in without_hidden_figures(several)] == [
        *[True] * 4,
        *[False] * 2,
    ]
    text = page_of(tmp_path, without_hidden_figures(several))
    for k in range(6):
        assert len(re.findall(rf'<th scope="row">(?:<a [^>]*>)?s{k}(?:</a>)?</th>', text)) == 1
    assert text.count("<h3>Nods</h3>") == 4
    assert "Figures follow for the 4 of 6 sources" in text


def test_a_spectrum_per_grating_and_a_section_per_group(tmp_path, unrendered):
    grating = group_arrays(make_slitlet(5, grating="G395M", n_exposures=6))
    made = extracted(exposures=group_arrays(make_slitlet(4)), other=grating)
    source = summarise_source(made)
    assert sorted(mode.name for mode in source.modes) == ["g395m-f170lp", "prism-clear"]
    assert {mode.name: mode.n_exposure for mode in source.modes}["g395m-f170lp"] == 6
    assert source.best is max(source.modes, key=lambda mode: mode.peak_snr)
    text = page_of(tmp_path, [source])
    for mode in source.modes:
        assert f"<h3>Spectrum, {mode.name}</h3>" in text
    for group in source.groups:
        assert text.count(f"<h2>{group.name}</h2>") == 1
    assert len(source.groups[1].figures.bits) == 6


def test_page_of_nothing_tells_why(result, tmp_path):
    source = summarise_source(replace(result, spectra={}, groups={}, summary=result.summary[1:]))
    text = page_of(tmp_path, [source])
    assert text.count("alone was rejected: one exposure, nothing to subtract") == 1
    assert "no data" in text


def test_names_are_escaped_and_settings_kept(source, tmp_path, unrendered):
    before = dict(mpl.rcParams)
    text = page_of(tmp_path, [replace(source, name="<b>$x$")])
    assert "&lt;b&gt;$x$" in text
    assert "<b>" not in text
    assert dict(mpl.rcParams) == before


def test_picture(source, tmp_path):
    path = combine_figures.save_combined_picture(tmp_path / "a.png", source)
    content = path.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert tuple(np.frombuffer(content[16:24], ">u4")) == (1400, 1000)
    with pytest.raises(ValueError, match="no spectrum to draw"):
        combine_figures.save_combined_picture(tmp_path / "b.png", replace(source, modes=()))
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        combine_figures.save_combined_picture(tmp_path / "file" / "c.png", source)
