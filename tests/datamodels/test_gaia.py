"""The astrometric catalog service, as a real server on loopback: in good health and in bad."""

from __future__ import annotations

import importlib.util
import os
import socket
import sys
import time

import catalog_server as server
import numpy as np
import pytest

from webbweave.datamodels.cache import CACHE_VARIABLE, TextCache, default_cache_folder
from webbweave.datamodels.download import Patience, fetch_text
from webbweave.datamodels.gaia import (
    DEFAULT_SERVICE,
    SERVICE_VARIABLE,
    CatalogService,
    service_catalog,
)
from webbweave.errors import ServiceError, WeaveError

HEADER = "# comment of the service\nhstID,objID,ra,dec,mag,epoch,pmra,pmdec\n"
ROWS = [
    "N1,3123456789012345678,10.1,-20.1,17.5,2016.0,1.5,-2.5",
    "N2,3123456789012345679,10.2,-20.2,19.5,2016.0,0.5,0.5",
    "N3,3123456789012345680,10.3,-20.3,21.5,2016.0,,",
    "N4,3123456789012345681,10.4,-20.4,18.5,2016.0,3.0,4.0",
]
GOOD = server.text(HEADER + "\n".join(ROWS) + "\n")
IMPATIENT = Patience(timeout=0.1, total_timeout=0.2, tries=3, backoff=0.001)


@pytest.fixture(autouse=True)
def _direct(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def ask(service, catalog="GAIADR3", *, patience=IMPATIENT, cache=None, max_age=30.0, **options):
    client = CatalogService(service.url, patience, cache, max_age)
    return client.fetch(catalog, 10.25, -20.25, 0.05, **options)


def test_a_catalog_comes_back_from_faint_to_bright():
    with server.serve(GOOD) as service:
        table = ask(service)
    assert table.colnames == ["RA", "DEC", "mag", "objID", "epoch"]
    np.testing.assert_array_equal(table["RA"], [10.3, 10.2, 10.4, 10.1])
    np.testing.assert_array_equal(table["DEC"], [-20.3, -20.2, -20.4, -20.1])
    np.testing.assert_array_equal(table["mag"], [21.5, 19.5, 18.5, 17.5])
    assert table["objID"][3] == 3123456789012345678
    assert table.meta["catalog"] == "GAIADR3"
    assert table["RA"].dtype == np.float64
    assert not table.has_masked_columns


def test_the_question_is_what_the_service_expects():
    with server.serve(GOOD) as service:
        ask(service, "gaiadr2", epoch=2023.4567)
        client = CatalogService(service.url, cache_folder=None)
        client.fetch("GAIAREFCAT", -0.25, 89.0, 0.0123456789)
    path, query = service.queries[0]
    assert path == "/webservices/vo/CatalogSearch.aspx"
    assert query == {
        "RA": "10.250000",
        "DEC": "-20.250000",
        "EPOCH": "2023.457",
        "SR": "0.050000",
        "FORMAT": "CSV",
        "CAT": "GAIADR2",
    }
    _, query = service.queries[1]
    assert query["RA"] == "359.750000"
    assert float(query["SR"]) >= 0.0123456789
    assert "EPOCH" not in query


def test_stars_without_proper_motion_are_left_out_at_an_epoch(caplog):
    caplog.set_level("INFO")
    with server.serve(GOOD) as service:
        table = ask(service, epoch=2023.5)
    np.testing.assert_array_equal(table["mag"], [19.5, 18.5, 17.5])
    assert table.meta["n_dropped"] == 1
    assert "1 of 4 stars have no proper motion" in caplog.text


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ((None, None), [21.5, 19.5, 18.5, 17.5]),
        ((18.5, None), [21.5, 19.5, 18.5]),
        ((None, 18.5), [18.5, 17.5]),
        ((18.0, 20.0), [19.5, 18.5]),
        ((1.0, 2.0), []),
    ],
)
def test_limits_of_magnitude(limits, expected):
    with server.serve(GOOD) as service:
        assert list(ask(service, mag_limits=limits)["mag"]) == expected


def test_stars_of_unknown_magnitude_are_outside_of_limits():
    body = "RA,DEC,objid\n1,2,a\n3,4,b\n"
    with server.serve(server.text(body)) as service:
        assert len(ask(service)) == 2
        assert len(ask(service, mag_limits=(None, 30.0))) == 0


def test_rows_without_position_are_left_out(caplog):
    body = "ra,dec,mag\n1.0,2.0,20\n,2.0,20\n3.0,nan,20\n4.0,95.0,20\n"
    with server.serve(server.text(body)) as service:
        table = ask(service)
    assert list(table["RA"]) == [1.0]
    assert table.meta["n_dropped"] == 3
    assert "3 rows of GAIADR3 have no position" in caplog.text


@pytest.mark.parametrize("body", ["No data records returned.\n", "", "ra,dec,mag,pmra,pmdec\n"])
def test_an_empty_field_is_an_empty_catalog_and_not_kept(body, tmp_path):
    with server.serve(server.text(body), GOOD) as service:
        assert len(ask(service, cache=tmp_path, epoch=2020.0)) == 0
        assert len(ask(service, cache=tmp_path, epoch=2020.0)) == 3


@pytest.mark.parametrize(
    "failure",
    [
        server.text("busy", 500),
        server.text("busy", 503),
        server.text("too often", 429),
        server.broken(HEADER + ROWS[0], 5000),
        server.broken_pieces(HEADER + ROWS[0]),
        server.hung_up,
        server.silent(0.3),
        server.dripping(0.6),
    ],
    ids=["500", "503", "429", "broken", "broken pieces", "hung up", "silent", "dripping"],
)
def test_a_failure_that_passes_is_tried_again(failure):
    with server.serve(failure, GOOD) as service:
        assert len(ask(service)) == 4
    assert len(service.queries) == 2


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (server.text("busy", 500), "replied 500"),
        (server.broken(HEADER + ROWS[0], 5000), "broke off after .* of 5000 bytes"),
        (server.broken_pieces(HEADER), "broke off"),
        (server.hung_up, "no connection: .*closed connection"),
        (server.silent(0.3), "no answer within 0.1 s"),
        (server.dripping(0.5), "not complete within 0.2 s"),
    ],
    ids=["500", "broken", "broken pieces", "hung up", "silent", "dripping"],
)
def test_a_failure_that_stays_is_reported_with_its_reason(failure, reason):
    with server.serve(failure) as service, pytest.raises(ServiceError, match=reason) as caught:
        ask(service, patience=Patience(0.1, 0.2, tries=2, backoff=0.001))
    assert len(service.queries) == 2
    assert "2 tries" in str(caught.value)
    assert service.url in str(caught.value)
    assert isinstance(caught.value, WeaveError)


def test_a_service_that_is_not_there():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
        client = CatalogService(f"http://127.0.0.1:{taken.getsockname()[1]}", IMPATIENT, None)
        with pytest.raises(ServiceError, match=r"no connection: .*refused"):
            client.fetch("GAIADR3", 0.0, 0.0, 0.1)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (server.text("not here", 404), "replied 404"),
        (server.text("<html><body>Under repair</body></html>", kind="text/html"), "found a page"),
        (server.text('<?xml version="1.0"?><VOTABLE/>'), "found a page"),
        (server.text("x,y,mag\n1,2,3\n"), "no column dec and ra, found x, y, mag"),
        (server.text("ra,decl\n1,2\n"), "no column dec, found ra, decl"),
        (server.text("Sorry, the database is down\n"), "no column dec and ra"),
        (server.text("ra,dec\nten,minus five\n"), "expected numbers in column ra"),
        (server.text("ra,dec\n1,2,3,4\n1,2\n"), "cannot be read"),
        (server.text("\x00\x01\x02\xff" * 50), "no column|cannot be read"),
    ],
    ids=["404", "page", "votable", "columns", "column", "sentence", "words", "ragged", "binary"],
)
def test_a_wrong_reply_is_reported_at_once(reply, reason, tmp_path):
    with server.serve(reply) as service, pytest.raises(ServiceError, match=reason):
        ask(service, cache=tmp_path)
    assert len(service.queries) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("told", [True, False])
def test_a_reply_that_is_too_large_is_not_taken(told):
    body = HEADER + "\n".join(ROWS * 1000)
    reply = server.text(body) if told else server.broken(body, None)
    small = Patience(max_bytes=1000, tries=3, backoff=0.001)
    with server.serve(reply) as service, pytest.raises(ServiceError, match="at most 1000"):
        ask(service, patience=small)
    assert len(service.queries) == 1


def test_a_large_reply_is_read():
    lines = [f"{i},{10 + i * 1e-6:.6f},-20.0,20.0,2016.0,1.0,1.0" for i in range(20000)]
    body = "objID,ra,dec,mag,epoch,pmra,pmdec\n" + "\n".join(lines) + "\n"
    with server.serve(server.text(body)) as service:
        table = ask(service, epoch=2024.0, patience=Patience())
    assert len(table) == 20000
    np.testing.assert_allclose(np.sort(table["RA"]), 10 + np.arange(20000) * 1e-6, atol=1e-12)


def test_a_reply_of_untold_length_may_not_end_within_a_number():
    body = "ra,dec\n10.123456,-20.5\n10.223456,-20.7"
    with server.serve(server.broken(body, None)) as service:
        assert list(ask(service)["DEC"]) == [-20.5]
    with server.serve(server.text(body)) as service:
        assert sorted(ask(service)["DEC"]) == [-20.7, -20.5]


def test_waits_grow_and_come_from_the_generator_that_is_passed(monkeypatch):
    waits = []
    monkeypatch.setattr(time, "sleep", waits.append)
    patience = Patience(tries=4, backoff=1.0)
    with server.serve(server.text("", 500)) as service:
        for _ in range(2):
            with pytest.raises(ServiceError):
                fetch_text(service.url, patience, rng=np.random.default_rng(7))
    first, second = waits[:3], waits[3:]
    assert first == second
    assert all(0.5 <= wait / 2**k <= 1.5 for k, wait in enumerate(first))
    assert len(set(first)) == 3


def test_replies_are_kept(tmp_path):
    with server.serve(GOOD, server.text("", 500)) as service:
        first = ask(service, cache=tmp_path)
        again = ask(service, cache=tmp_path)
        assert len(service.queries) == 1
        with pytest.raises(ServiceError):
            ask(service, cache=tmp_path, epoch=2020.0)  # another question
    assert list(first["RA"]) == list(again["RA"])
    (kept,) = tmp_path.iterdir()
    assert kept.name.startswith("GAIADR3_")


def test_old_replies_are_asked_for_again(tmp_path):
    with server.serve(GOOD) as service:
        ask(service, cache=tmp_path)
        (kept,) = tmp_path.iterdir()
        os.utime(kept, (time.time() - 3 * 86400,) * 2)
        ask(service, cache=tmp_path, max_age=4.0)
        assert len(service.queries) == 1
        ask(service, cache=tmp_path, max_age=2.0)
        assert len(service.queries) == 2


def test_old_replies_will_do_while_the_service_is_down(tmp_path, caplog):
    with server.serve(GOOD, server.text("", 500)) as service:
        ask(service, cache=tmp_path)
        table = ask(service, cache=tmp_path, max_age=0.0)
    assert len(table) == 4
    assert "replied 500" in caplog.text
    assert "older reply" in caplog.text


def test_a_damaged_reply_is_forgotten(tmp_path, caplog):
    with server.serve(GOOD) as service:
        ask(service, cache=tmp_path)
        (kept,) = tmp_path.iterdir()
        kept.write_text("<html>")
        assert len(ask(service, cache=tmp_path)) == 4
    assert len(service.queries) == 2
    assert str(kept) in caplog.text
    assert kept.read_text().startswith("# comment")


def test_a_folder_that_cannot_be_written_is_no_obstacle(tmp_path, caplog):
    (tmp_path / "file").write_text("no folder")
    with server.serve(GOOD) as service:
        assert len(ask(service, cache=tmp_path / "file" / "cache")) == 4
    assert "not kept" in caplog.text


def test_the_environment_names_service_and_cache(monkeypatch, tmp_path):
    monkeypatch.delenv(SERVICE_VARIABLE, raising=False)
    monkeypatch.delenv(CACHE_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert CatalogService().url == DEFAULT_SERVICE
    folder = default_cache_folder()
    assert folder.name == "webbweave"
    if sys.platform == "linux":
        assert folder.parent == tmp_path
    monkeypatch.setenv(CACHE_VARIABLE, "off")
    assert CatalogService().cache_folder is None
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "mine"))
    with server.serve(GOOD) as service:
        monkeypatch.setenv(SERVICE_VARIABLE, service.url + "/")
        CatalogService().fetch("GAIADR1", 0, 0, 1)
    assert len(service.queries) == 1
    assert len(list((tmp_path / "mine").iterdir())) == 1
    assert service.queries[0][0] == "/webservices/vo/CatalogSearch.aspx"


def test_different_questions_have_different_files(tmp_path):
    cache = TextCache(tmp_path)
    cache.put("one", "GAIADR3", "1\r\n")
    cache.put("two", "GAIADR3", "2\n")
    assert cache.get("one", "GAIADR3", 10.0) == "1\r\n"
    assert cache.get("two", "GAIADR3", 10.0) == "2\n"
    assert cache.get("three", "GAIADR3", 10.0) is None
    cache.remove("one", "GAIADR3")
    cache.remove("one", "GAIADR3")
    assert cache.get("one", "GAIADR3", 10.0) is None


def test_names_of_catalogs():
    assert service_catalog("gaiadr3 ") == "GAIADR3"
    assert service_catalog("GAIAREFCAT") == "GAIAREFCAT"
    assert service_catalog("gaiadr3.ecsv") is None
    assert service_catalog("") is None
    assert service_catalog(None) is None
    with pytest.raises(ValueError, match=r"unknown catalog 'PS1'.*GAIADR1"):
        CatalogService().fetch("PS1", 0, 0, 1)


@pytest.mark.parametrize("field", [(np.nan, 0, 1), (0, 91, 1), (0, np.nan, 1), (0, 0, 0)])
def test_fields_that_are_none(field):
    with pytest.raises(ValueError, match="expected a field on the sky"):
        CatalogService().fetch("GAIADR3", *field)


@pytest.mark.parametrize("address", ["file:///etc/hosts", "ftp://host/x", "host/x"])
def test_addresses_that_are_not_of_the_web(address):
    with pytest.raises(ValueError, match="http"):
        fetch_text(address)


@pytest.mark.parametrize("name", ["gaia", "download", "cache"])
def test_nothing_is_asked_at_import(name, monkeypatch):
    def refuse(*args, **kwargs):
        pytest.fail("a connection at import")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    spec = importlib.util.find_spec(f"webbweave.datamodels.{name}")
    fresh = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, fresh)
    spec.loader.exec_module(fresh)
    assert fresh.__all__
