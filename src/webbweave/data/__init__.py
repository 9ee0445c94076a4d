"""Data that come with the package."""

from __future__ import annotations

from pathlib import Path

__all__ = ["example_exposures", "reference_path"]


def example_exposures() -> list[Path]:
    """
    Locate the bundled exposures: three nods of a line emitter at redshift 4.23.

    Returns
    -------
    list of path
        Three NIRSpec PRISM SlitModel files of JWST programme 1345, in the order of their nods.
    """
    folder = Path(__file__).parent / "nirspec_msa"
    return sorted(folder.glob("jw*_phot.*.fits"))


def reference_path(name: str) -> Path:
    """
    Locate a reference table of NIRSpec.

    Parameters
    ----------
    name : str
        The file, as in the README beside the tables.

    Returns
    -------
    path
        Where it is.
    """
    return Path(__file__).parent / "nirspec_msa" / name
