"""Scenes rendered through the real geometry of NIRSpec are recovered; needs the reference data."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from stdatamodels.jwst.datamodels import MultiSlitModel

from webbweave import ResampleSpecStep


def render(shared_dir, folder, mode, *options):
    command = [sys.executable, str(shared_dir / "tools" / "render.py"), mode, "--out", str(folder)]
    subprocess.run([*command, *options], check=True, capture_output=True)
    files = sorted(folder.glob("jw*.fits"))
    return files, json.loads((folder / "truth.json").read_text())


def spectrum(source, wavelength):
    """Flux of a rendered source, MJy."""
    flux = (wavelength / source["pivot"]) ** source["slope"]
    for centre, sigma, peak in source["lines"]:
        flux = flux * (1 + peak * np.exp(-0.5 * ((wavelength - centre) / sigma) ** 2))
    return source["flux"] * 1e-9 * flux


def net_spectrum(slit):
    """Sum over the slit minus the sky at its ends, MJy; NaN in columns that are not complete."""
    data = np.asarray(slit.data, dtype=float)
    rows = np.flatnonzero(np.isfinite(data).mean(axis=1) > 0.5)
    inside = data[rows[1:-1]]
    sky = np.median(inside[[0, 1, -2, -1]], axis=0)
    total = (inside - sky).sum(axis=0)
    if "sr" in slit.meta.bunit_data:
        total *= slit.meta.photometry.pixelarea_steradians
    return total


def flux_ratio(slit, source):
    """The net spectrum over the true flux."""
    ratio = net_spectrum(slit) / spectrum(source, np.asarray(slit.wavelength, dtype=float)[0])
    return ratio[np.isfinite(ratio)][5:-5]


CLEAN = ("--noise", "none", "--bad-pixels", "0")


@pytest.mark.parametrize("n_exposure", [1, 3])
def test_prism_slitlet(shared_dir, tmp_path, n_exposure):
    files, truth = render(shared_dir, tmp_path, "nrs_mos_prism_1slit", *CLEAN)
    product = ResampleSpecStep.call([str(f) for f in files[:n_exposure]], configure_log=False)
    source = truth["slits"]["138"]["sources"][0]
    found = flux_ratio(product, source)
    assert np.median(found) == pytest.approx(1.0, abs=1e-3)
    wavelength = np.asarray(product.wavelength, dtype=float)[0]
    net = net_spectrum(product)
    column = np.arange(wavelength.size)
    continuum = spectrum({**source, "lines": []}, wavelength)
    true = spectrum(source, wavelength)
    for centre, sigma, _ in source["lines"]:
        near = abs(wavelength - centre) < 4 * sigma
        shift = [np.average(column[near], weights=(flux - continuum)[near]) for flux in (net, true)]
        assert shift[0] - shift[1] == pytest.approx(0.0, abs=0.02)


def test_fixed_slits_and_their_files(shared_dir, tmp_path):
    files, truth = render(shared_dir, tmp_path, "nrs_fs_g395m", *CLEAN)
    association = tmp_path / "nrs_fs_g395m_asn.json"
    product = ResampleSpecStep.call(str(association), configure_log=False)
    assert isinstance(product, MultiSlitModel)
    assert [slit.name for slit in product.slits] == list(truth["slits"])
    for slit in product.slits:
        found = flux_ratio(slit, truth["slits"][slit.name]["sources"][0])
        # The wings of the source fill the shortest slit, so that no sky is left at its ends.
        tolerance = 5e-3 if slit.name == "S1600A1" else 1e-3
        assert np.median(found) == pytest.approx(1.0, abs=tolerance), slit.name
        assert (slit.con > 0).any()
    assert len(files) == 3


def test_noise_and_bad_pixels_do_not_bias(shared_dir, tmp_path):
    files, truth = render(
        shared_dir, tmp_path, "nrs_mos_prism_1slit", "--snr", "50", "--bad-pixels", "0.02"
    )
    product = ResampleSpecStep.call([str(f) for f in files], configure_log=False)
    found = flux_ratio(product, truth["slits"]["138"]["sources"][0])
    assert np.median(found) == pytest.approx(1.0, abs=0.01)
