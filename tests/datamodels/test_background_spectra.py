"""Tables of background spectra are found by the names of exposures, and read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from webbweave.datamodels.background_spectra import background_path, read_background_spectra
from webbweave.errors import InputError

NAMES = [f"jw01345062001_03101_0000{i}_nrs2_phot.138.1345_933.fits" for i in (1, 2)]


def write(path, meta=None, **columns):
    spectrum = {"wave": [1.0, 2.0, 3.0], "p50": [0.1, 0.2, 0.3], "perr": [0.01, 0.01, 0.02]}
    table = Table({**spectrum, **columns}, meta=meta or {})
    table.write(path)
    return table


def test_names():
    assert background_path(NAMES[0]) == Path("jw01345062001_03101_00001_nrs2_gbkg.fits")
    assert background_path(f"/data/{NAMES[1]}", "/sky") == Path(
        "/sky/jw01345062001_03101_00002_nrs2_gbkg.fits"
    )


def test_spectra_are_read_from_the_folder(tmp_path, monkeypatch):
    # msaexp looks for them in the folder, but reads them from where it runs.
    write(background_path(NAMES[0], tmp_path))
    write(background_path(NAMES[1], tmp_path), {"REFPAREA": 5e-13}, p50=[1.0, 2.0, 3.0])
    monkeypatch.chdir(Path("/"))
    (first, second) = read_background_spectra(NAMES, tmp_path)
    np.testing.assert_array_equal(first[1], [0.1, 0.2, 0.3])
    np.testing.assert_array_equal(second[1], [1, 2, 3])
    assert (first[3], second[3]) == (4.88e-13, 5e-13)
    assert first[0].dtype == "float64"


def test_all_or_none(tmp_path):
    write(background_path(NAMES[0], tmp_path))
    assert read_background_spectra(NAMES, tmp_path) is None


@pytest.mark.parametrize(
    ("columns", "meta", "message"),
    [
        ({"wave": [1.0, 3.0, 2.0]}, {}, "wave must be two or more and ascend"),
        ({}, {"REFPAREA": -1.0}, "REFPAREA must be a positive area, found -1.0"),
    ],
)
def test_bad_tables_are_named(tmp_path, columns, meta, message):
    path = background_path(NAMES[0], tmp_path)
    write(path, meta, **columns)
    with pytest.raises(InputError, match=message) as error:
        read_background_spectra(NAMES[:1], tmp_path)
    assert str(path) in str(error.value)


def test_missing_columns_are_named(tmp_path):
    path = background_path(NAMES[0], tmp_path)
    Table({"wave": [1.0, 2.0], "p50": [1.0, 2.0]}).write(path)
    with pytest.raises(InputError, match="no column perr, found wave, p50"):
        read_background_spectra(NAMES[:1], tmp_path)
