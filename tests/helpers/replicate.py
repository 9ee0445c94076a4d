"""Exposures of many slits, made of the three bundled ones: for benchmarks and tests of size."""

from __future__ import annotations

import shutil
from pathlib import Path

from stdatamodels.jwst.datamodels import MultiSlitModel

from webbweave.data import example_exposures
from webbweave.datamodels import read_model, save_model, tree_of

#: What belongs to a slit; the rest of the metadata is that of the exposure.
_OF_THE_SLIT = ("wcs", "wcsinfo", "photometry", "bunit_data", "bunit_err")
#: What belongs to a file or to the exposure as a whole.
_NOT_OF_THE_SLIT = ("meta", "_fits_hash", "asdf_library", "history", "extra_fits", "int_times")


def multi_slit_files(folder: str | Path, n_slit: int, n_exposure: int = 3) -> list[Path]:
    """
    Write the three bundled exposures as exposures of many slits.

    Parameters
    ----------
    folder : str or path
        Where to write.
    n_slit : int
        Number of slits per exposure; all have the same pixels, and names and sources of their own.
    n_exposure : int, optional
        Number of exposures; from the fourth on, they are copies of the first three.

    Returns
    -------
    list of path
        The files.
    """
    written: list[Path] = []
    examples = list(example_exposures())
    for number in range(n_exposure):
        path = Path(folder) / f"jw01345062001_03101_{number + 1:05d}_nrs2_cal.fits"
        if number < len(examples):
            _write_multi_slit_file(examples[number], path, n_slit)
        else:
            shutil.copy(written[number % len(examples)], path)
        written.append(path)
    return written


def _write_multi_slit_file(path: Path, written: Path, n_slit: int) -> None:
    slits = []
    for index in range(n_slit):
        # Opened anew: slits that share objects would be written with references to each other.
        tree = tree_of(read_model(path))
        slit = {key: value for key, value in tree.items() if key not in _NOT_OF_THE_SLIT}
        slit["meta"] = {key: tree["meta"][key] for key in _OF_THE_SLIT if key in tree["meta"]}
        slit["meta"]["model_type"] = "SlitModel"
        slit["name"] = str(index + 1)
        slit["source_id"] = index + 1
        slit["source_name"] = f"{slit['source_name'].partition('_')[0]}_{index + 1}"
        slits.append(slit)
    meta = {key: value for key, value in tree["meta"].items() if key not in _OF_THE_SLIT}
    meta["model_type"] = "MultiSlitModel"
    save_model(MultiSlitModel({"meta": meta, "slits": slits}), written)
