"""The catalog that a user names: a file, or the service, asked for the field of the images."""

from __future__ import annotations

import catalog_server as server
import numpy as np
import pytest
from astropy.table import Table

from webbweave.datamodels import save_table
from webbweave.datamodels.download import Patience
from webbweave.datamodels.gaia import CatalogService
from webbweave.errors import InputError, ServiceError
from webbweave.tweakreg.overlap import SkyPolygon
from webbweave.tweakreg.reference_products import find_reference, reference_file_name
from webbweave.wcs.tangent import TangentPlane

BODY = "objID,ra,dec,mag,epoch,pmra,pmdec\n5,0.01,60.0,20,2016.0,100,0\n7,359.99,60.0,19,2016.0,,\n"


@pytest.fixture(autouse=True)
def _direct(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def footprint(x, size=60.0):
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * size / 2 + (x, 0)
    return SkyPolygon(*TangentPlane(0.0, 60.0).deproject(*(corners.T / 3600)))


FIELD = [footprint(-100.0), footprint(100.0)]


def ask(running, name="GAIADR3", **options):
    client = CatalogService(running.url, Patience(tries=1), None)
    return find_reference(name, FIELD, service=client, **options)


def test_the_service_is_asked_for_the_field_of_the_images():
    with server.serve(server.text(BODY)) as running:
        found = ask(running, "gaiadr3", epoch=2022.5, margin=6.0)
        ask(running, margin=6.0, compat=True)
    (_, query), (_, without) = running.queries
    assert min(float(query["RA"]), 360 - float(query["RA"])) < 1e-5
    assert float(query["DEC"]) == pytest.approx(60.0, abs=1e-4)
    assert float(query["SR"]) * 3600 == pytest.approx(np.hypot(130, 30) + 6.0, abs=0.1)
    assert float(without["SR"]) * 3600 == pytest.approx(np.hypot(130, 30), abs=0.1)
    assert query["EPOCH"] == "2022.500"
    assert query["CAT"] == "GAIADR3"
    np.testing.assert_array_equal(found.catalog.ids, [5])
    # The service has moved the star already.
    np.testing.assert_array_equal(found.catalog.ra, [0.01])
    assert found.table.meta["catalog"] == "GAIADR3"


@pytest.mark.parametrize("name", ["GAIADR1", "gaiadr2", "GaiaDR3", "GAIAREFCAT"])
def test_names_of_the_service(name):
    with server.serve(server.text(BODY)) as running:
        found = ask(running, name)
    ((_, query),) = running.queries
    assert query["CAT"] == found.table.meta["catalog"] == name.upper()


def test_what_is_saved_gives_the_same_stars(tmp_path):
    with server.serve(server.text(BODY)) as running:
        found = ask(running)
    path = save_table(found.table, tmp_path / reference_file_name("GAIADR3"))
    assert path.name == "fit_gaiadr3_ref.ecsv"
    again = find_reference(str(path), [], epoch=2024.0)
    np.testing.assert_array_equal(again.catalog.ra, found.catalog.ra)
    np.testing.assert_array_equal(again.catalog.ids, [5, 7])
    assert again.table is None


def test_a_field_without_stars_and_a_service_that_fails():
    with server.serve(server.text("No data records")) as running:
        found = ask(running, mag_limits=(None, 20.0))
        assert len(found.catalog) == len(found.table) == 0
    with server.serve(server.text("", 500)) as running, pytest.raises(ServiceError):
        ask(running)


def test_the_stars_of_a_file_move_but_not_in_compat(tmp_path):
    path = tmp_path / "mine.csv"
    Table(
        {"ra": [10.0], "dec": [0.0], "pmra": [1000.0], "pmdec": [0.0], "ref_epoch": [2016.0]}
    ).write(path)
    moved = find_reference(str(path), [], epoch=2020.0).catalog
    assert (moved.ra[0] - 10.0) * 3600 == pytest.approx(4.0, abs=1e-6)
    still = find_reference(str(path), [], epoch=2020.0, compat=True).catalog
    assert still.ra[0] == 10.0


def test_names_that_are_nothing(tmp_path):
    with pytest.raises(ValueError, match="GAIADR1, GAIADR2"):
        find_reference(str(tmp_path / "none.ecsv"), FIELD)
    with pytest.raises(InputError, match="footprints"):
        find_reference("GAIADR3", [])
