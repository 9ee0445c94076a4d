"""Data that come with the package."""

from __future__ import annotations

from pathlib import Path

__all__ = ["example_exposures", "reference_folder"]


def example_exposures() -> list[Path]:
    """
    Locate the bundled exposures: three nods of a line emitter at redshift 4.23.

    Returns
    -------
    list of path
        Three NIRSpec PRISM SlitModel files of JWST programme 1345, in the order of their nods.
    """
    return sorted(reference_folder().glob("jw*_phot.*.fits"))


def reference_folder() -> Path:
    """
    Locate the reference tables of NIRSpec.

    Returns
    -------
    path
        The folder of the tables that `webbweave.slit_combine.reference` reads.
    """
    return Path(__file__).parent / "nirspec_msa"
