"""The picture of a combined spectrum."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units
from numpy.testing import assert_allclose

from webbweave.report.combined_spectrum import FLAM_UNIT, draw_combined_spectrum, flam_per_fnu
from webbweave.report.style import png_bytes


def test_flux_per_wavelength_is_that_of_astropy():
    wave = np.array([0.6, 1.0, 5.3])
    unit = units.erg / units.s / units.cm**2 / units.AA
    want = (1 * units.uJy).to(unit, units.spectral_density(wave * units.um)).value / FLAM_UNIT
    assert_allclose(flam_per_fnu(wave), want, rtol=1e-12)


@pytest.mark.parametrize("flam", [False, True])
def test_the_picture_shows_image_and_flux(flam):
    wave = np.linspace(1.0, 2.0, 40)
    flux = np.where(np.arange(40) == 20, 9.0, 1.0)
    flux[:3] = np.nan
    image = np.ones((9, 40))
    image[:, 0] = np.nan
    figure = draw_combined_spectrum(
        *(wave, flux, np.full(40, 0.1), np.zeros(40)),
        image=image,
        weight=np.ones((9, 40)),
        y=np.arange(-4.0, 5.0),
        title="$a source",
        flam=flam,
    )
    top, axes = figure.axes
    assert top.get_title(loc="left") == "$a source"
    line = next(line for line in axes.lines if line.get_label() == "flux")
    assert_allclose(line.get_ydata(), flux * (flam_per_fnu(wave) if flam else 1.0))
    assert np.nanmax(line.get_ydata()) < axes.get_ylim()[1]  # the line is not cut
    assert axes.get_xlim() == (wave[3], wave[-1])
    assert not any(one.get_label() == "subtracted sky" for one in axes.lines)  # there is none
    assert png_bytes(figure).startswith(b"\x89PNG")


def test_a_spectrum_without_data_is_drawn():
    nothing = np.full(5, np.nan)
    figure = draw_combined_spectrum(
        *(np.linspace(1, 2, 5), nothing, nothing, nothing),
        image=np.full((3, 5), np.nan),
        weight=np.zeros((3, 5)),
        y=np.arange(3.0),
        title="none",
    )
    assert png_bytes(figure).startswith(b"\x89PNG")
