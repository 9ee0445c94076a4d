"""What the tests of slitlets share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from msaexp_peer import psf_file

from webbweave.slit_combine.stack import SlitStack


@pytest.fixture(scope="session")
def peer_results(shared_dir: Path) -> Path:
    """The folder of stored results of the peer."""
    folder = shared_dir / "oracle" / "slit_combine"
    if not folder.is_dir():
        pytest.skip("needs the stored results of the peer")
    return folder


@pytest.fixture(scope="session")
def peer_tables(shared_dir: Path) -> Path:
    """The folder of reference tables."""
    return shared_dir / "data" / "nirspec_msa" / "ref"


@pytest.fixture(scope="session")
def msaexp_psf() -> Path:
    """The tables of the PSF as msaexp comes with them, in double precision."""
    found = psf_file()
    if found is None:
        pytest.skip("needs the tables of an installed msaexp")
    return found


@pytest.fixture
def peer_stack(peer_results, peer_tables):
    """Make the stack of a stored group of the peer, with options of its fits."""

    def make(name: str = "02_group_testkw", **kwargs) -> SlitStack:
        group = np.load(peer_results / f"{name}.npz")
        fwhm = np.loadtxt(peer_tables / "nirspec_psf_fwhm_2024b.csv", delimiter=",", skiprows=1)
        data = np.where(group["mask"], group["sci"] - group["sky_background"], np.nan)
        settings = {"reference": 2, **kwargs}
        return SlitStack.build(
            shape=tuple(group["sh"]),
            data=data,
            mask=group["mask"],
            bkg_mask=group["bkg_mask"],
            sky_background=group["sky_background"],
            var_total=group["var_total"],
            var_rnoise=group["var_rnoise"],
            wave=group["wave"],
            psf_fwhm=np.interp(group["wave"], *fwhm.T),
            base_coeffs=group["base_coeffs"],
            trace_coeffs=group["trace_coeffs"],
            nods=[2, 3, 1],
            **settings,
        )

    return make
