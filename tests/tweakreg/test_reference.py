"""Reference catalogs: what tables may look like, and where stars are at another time."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, QTable, Table
from astropy.time import Time

from webbweave.datamodels import read_table
from webbweave.errors import InputError, MissingColumnsError
from webbweave.tweakreg.reference import decimal_year, move_stars, reference_catalog
from webbweave.tweakreg.reference_products import check_reference_name

MAS = 1 / 3.6e6


def stars(**columns):
    return Table({"RA": [10.0, 10.1, 10.2], "DEC": [-5.0, -5.1, -5.2], **columns})


def separation(first, second):
    """Distances on the sky [mas]."""
    a, b = (SkyCoord(*position, unit="deg") for position in (first, second))
    return a.separation(b).to_value("mas")


@pytest.mark.parametrize("suffix", ["ecsv", "csv", "fits", "txt", "vot", "dat", "unknown"])
def test_any_table_that_astropy_reads(tmp_path, suffix):
    path = tmp_path / f"catalog.{suffix}"
    kinds = {"ecsv": "ascii.ecsv", "csv": "csv", "fits": "fits", "vot": "votable"}
    table = stars(mag=[20.0, 21.0, 22.0])
    table.write(path, format=kinds.get(suffix, "ascii.commented_header"))
    found = reference_catalog(read_table(path), str(path))
    np.testing.assert_array_equal(found.ra, table["RA"])
    np.testing.assert_array_equal(found.dec, table["DEC"])
    np.testing.assert_array_equal(found.mag, table["mag"])
    assert found.ra.dtype == np.dtype(np.float64)
    assert found.ra.dtype.isnative
    assert found.name == str(path)


@pytest.mark.parametrize("names", [("RA", "DEC"), ("ra", "dec"), ("Ra", "dEc")])
def test_columns_in_any_case(names):
    table = stars()
    table.rename_columns(["RA", "DEC"], names)
    found = reference_catalog(table, "mine")
    np.testing.assert_array_equal(found.ra, [10.0, 10.1, 10.2])
    np.testing.assert_array_equal(found.ids, [1, 2, 3])
    assert found.weight is None
    assert np.isnan(found.mag).all()
    assert len(found) == 3


def test_sky_coordinates(tmp_path, caplog):
    sky = SkyCoord([10.0, 350.0], [5.0, 6.0], unit="deg")
    table = QTable({"sky_centroid": sky, "flux": [1.0, 2.0]})
    path = tmp_path / "sky.ecsv"
    table.write(path)
    found = reference_catalog(read_table(path), "mine")
    np.testing.assert_allclose(found.ra, [10.0, 350.0], rtol=1e-14)
    np.testing.assert_allclose(found.dec, [5.0, 6.0], rtol=1e-14)

    galactic = Table({"Sky_Centroid": sky.galactic})
    np.testing.assert_allclose(reference_catalog(galactic, "mine").ra, [10.0, 350.0], rtol=1e-12)

    table["RA"], table["DEC"] = [1.0, 2.0], [3.0, 4.0]
    assert not caplog.records
    np.testing.assert_array_equal(reference_catalog(table, "mine").ra, [1.0, 2.0])
    assert "sky_centroid is not used" in caplog.text


def test_units_of_columns_count():
    table = stars()
    table["RA"] = table["RA"] / 15
    table["RA"].unit = "hourangle"
    table["DEC"] = table["DEC"] * 60
    table["DEC"].unit = "arcmin"
    for kind in (Table, QTable):
        found = reference_catalog(kind(table), "mine")
        np.testing.assert_allclose(found.ra, [10.0, 10.1, 10.2], rtol=1e-14)
        np.testing.assert_allclose(found.dec, [-5.0, -5.1, -5.2], rtol=1e-14)
    table["RA"].unit = "pix"
    with pytest.raises(InputError, match=r"mine: expected a column in a unit like deg, found pix"):
        reference_catalog(table, "mine")


def test_rows_that_are_not_whole_are_left_out(caplog):
    table = stars(weight=MaskedColumn([1.0, 2.0, 3.0], mask=[False, True, False]))
    table["RA"][0] = np.nan
    found = reference_catalog(table, "mine.csv")
    np.testing.assert_array_equal(found.ra, [10.2])
    np.testing.assert_array_equal(found.weight, [3.0])
    np.testing.assert_array_equal(found.ids, [3])
    assert found.n_dropped == 2
    assert "mine.csv: 2 of 3 rows have no position or weight" in caplog.text


def test_masked_quantities_are_left_out():
    table = QTable(stars(), masked=True)
    table["RA"] = MaskedColumn([10.0, 10.1, 10.2], mask=[0, 1, 0], unit="deg")
    table = QTable(table)
    np.testing.assert_array_equal(reference_catalog(table, "mine").ra, [10.0, 10.2])


def test_weights_and_identifiers():
    found = reference_catalog(stars(Weight=[0.0, 1.0, 2.5], ID=[7, 5, 3]), "mine")
    np.testing.assert_array_equal(found.weight, [0.0, 1.0, 2.5])
    np.testing.assert_array_equal(found.ids, [7, 5, 3])
    for useless in ([1, 1, 2], ["a", "b", "c"], [1.5, 2.5, 3.5]):
        np.testing.assert_array_equal(reference_catalog(stars(id=useless), "mine").ids, [1, 2, 3])
    with pytest.raises(InputError, match=r"mine: column weight: expected no negative.*-1"):
        reference_catalog(stars(weight=[1.0, -1.0, 2.0]), "mine")


def test_limits_of_magnitude():
    table = stars(phot_g_mean_mag=[18.0, 20.0, np.nan])
    assert list(reference_catalog(table, "mine", mag_limits=(None, 19.0)).ra) == [10.0]
    assert list(reference_catalog(table, "mine", mag_limits=(20.0, None)).ra) == [10.1]
    assert len(reference_catalog(table, "mine")) == 3
    with pytest.raises(MissingColumnsError, match="mag_limits needs a column mag or"):
        reference_catalog(stars(), "mine", mag_limits=(None, 19.0))


@pytest.mark.parametrize(
    ("table", "found"),
    [
        (Table({"x": [1.0], "y": [2.0]}), "found x, y"),
        (Table({"RA": [1.0]}), "found RA"),
        (Table({"RA": [1.0], "ra": [1.0], "DEC": [2.0]}), "found RA, ra, DEC"),
        (Table({"RA": [1.0], "sky_centroid": SkyCoord([1.0], [2.0], unit="deg")}), "found RA"),
    ],
)
def test_columns_that_are_missing_or_too_many(table, found):
    with pytest.raises(MissingColumnsError) as caught:
        reference_catalog(table, "mine.fits")
    assert isinstance(caught.value, KeyError)
    message = str(caught.value)
    assert message.startswith("mine.fits: expected one column RA and one DEC, or sky_centroid")
    assert found in message


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (stars()[:0], "at least 1 row, found 0"),
        (Table({"RA": ["00:40:00"], "DEC": ["-5:00:00"]}), "column RA: expected numbers"),
        (Table({"RA": [[1.0, 2.0]], "DEC": [[1.0, 2.0]]}), r"column RA: .* shape \(2,\)"),
        (Table({"sky_centroid": [1.0, 2.0]}), "column sky_centroid: expected sky coordinates"),
    ],
)
def test_tables_that_are_no_catalogs(table, reason):
    with pytest.raises(InputError, match=reason):
        reference_catalog(table, "mine")


def test_names_are_files_or_known(tmp_path):
    check_reference_name("gaiadr2")
    (tmp_path / "x.ecsv").write_text("")
    check_reference_name(str(tmp_path / "x.ecsv"))
    with pytest.raises(ValueError, match=r"GAIADR1, .*found 'nothing\.ecsv'"):
        check_reference_name("nothing.ecsv")


@pytest.mark.parametrize("dec", [0.0, -45.0, 89.999, 90.0])
def test_motion_agrees_with_astropy(dec):
    rng = np.random.default_rng(1)
    ra = np.array([0.0, 0.00001, 359.99999, 120.0, 271.0])
    decs = np.full(5, dec)
    pmra, pmdec = rng.normal(0, 500, (2, 5))
    years = 8.25
    moved = move_stars(ra, decs, pmra, pmdec, years)
    start = SkyCoord(
        ra * u.deg,
        decs * u.deg,
        pm_ra_cosdec=pmra * u.mas / u.yr,
        pm_dec=pmdec * u.mas / u.yr,
        distance=np.full(5, 100.0) * u.pc,
        radial_velocity=np.zeros(5) * u.km / u.s,
        obstime=Time("J2016.0"),
    )
    if dec < 90:  # astropy moves nothing that stands at the pole
        expected = start.apply_space_motion(dt=years * u.yr)
        assert np.all(separation(moved, (expected.ra.deg, expected.dec.deg)) < 1e-3)
    np.testing.assert_allclose(
        separation((ra, decs), moved), years * np.hypot(pmra, pmdec), rtol=1e-6, atol=1e-5
    )
    assert np.all((moved[0] >= 0) & (moved[0] < 360))


def test_parallax_moves_a_star_against_the_observer():
    ra, dec = np.array([0.0, 90.0]), np.array([0.0, 0.0])
    still, parallax = np.zeros(2), np.array([100.0, np.nan])
    moved = move_stars(
        ra, dec, still, still, 0.0, parallax=parallax, observer=np.array([0.0, 1.0, 0.0])
    )
    assert (moved[0][0] - 360) / MAS == pytest.approx(-100.0, abs=1e-4)
    assert moved[0][1] == pytest.approx(90.0, abs=1e-12)


def gaia_table(**changes):
    columns = {
        "ra": [10.0, 10.1, 10.2],
        "dec": [60.0, 60.1, 60.2],
        "pmra": [100.0, -50.0, np.nan],
        "pmdec": [0.0, 20.0, np.nan],
        "parallax": [1.0, np.nan, np.nan],
        "ref_epoch": [2016.0, 2016.0, 2016.0],
        **changes,
    }
    return Table({key: value for key, value in columns.items() if value is not None})


def test_stars_are_moved_to_the_epoch_and_those_that_cannot_be_are_left_out(caplog):
    table = gaia_table()
    before = table.copy()
    found = reference_catalog(table, "gaia", epoch=2024.0)
    assert len(found) == 2
    assert found.epoch == 2024.0
    east = (found.ra - [10.0, 10.1]) * np.cos(np.deg2rad([60.0, 60.1])) / MAS
    np.testing.assert_allclose(east, [800.0, -400.0], atol=0.02)
    np.testing.assert_allclose((found.dec - [60.0, 60.1]) / MAS, [0.0, 160.0], atol=0.02)
    assert "1 of 3 rows have no position, weight or proper motion" in caplog.text
    assert all(np.array_equal(before[key], table[key], equal_nan=True) for key in table.colnames)


def test_without_an_epoch_nothing_moves():
    found = reference_catalog(gaia_table(), "gaia")
    np.testing.assert_array_equal(found.ra, [10.0, 10.1, 10.2])
    assert found.epoch is None


def test_epochs_of_all_kinds():
    expected = reference_catalog(gaia_table(), "gaia", epoch=2024.0)
    times = gaia_table(ref_epoch=None)
    times["epoch"] = Time([2016.0] * 3, format="jyear")
    in_meta = gaia_table(ref_epoch=None)
    in_meta.meta["EPOCH"] = 2016.0
    for table in (times, in_meta):
        found = reference_catalog(table, "gaia", epoch=2024.0)
        np.testing.assert_allclose(found.ra, expected.ra, atol=0.5 * MAS)
    for wrong in ([57388.0] * 3, [2457388.5] * 3):
        with pytest.raises(InputError, match="gaia: epoch: expected a decimal year, found"):
            reference_catalog(gaia_table(ref_epoch=wrong), "gaia", epoch=2024.0)
    in_meta.meta["EPOCH"] = "long ago"
    with pytest.raises(InputError, match="found long ago"):
        reference_catalog(in_meta, "gaia", epoch=2024.0)


def test_motion_without_epoch_is_told(caplog):
    found = reference_catalog(gaia_table(ref_epoch=None), "gaia", epoch=2024.0)
    np.testing.assert_array_equal(found.ra, [10.0, 10.1, 10.2])
    assert "proper motions but no epoch" in caplog.text
    assert found.epoch is None


def test_columns_of_motions_that_are_blank_do_not_matter():
    blank = [np.nan] * 3
    found = reference_catalog(gaia_table(pmra=blank, pmdec=blank), "gaia", epoch=2024.0)
    assert len(found) == 3
    assert found.epoch is None


def test_units_of_motions_count():
    table = gaia_table()
    for key, factor in (("pmra", 1e-3), ("pmdec", 1e-3)):
        table[key] = table[key] * factor
        table[key].unit = "arcsec / yr"
    expected = reference_catalog(gaia_table(), "gaia", epoch=2024.0)
    np.testing.assert_allclose(
        reference_catalog(table, "gaia", epoch=2024.0).ra, expected.ra, rtol=1e-14
    )


def test_sky_coordinates_that_know_how_they_move():
    table = gaia_table()[:2]
    sky = SkyCoord(
        table["ra"] * u.deg,
        table["dec"] * u.deg,
        pm_ra_cosdec=table["pmra"] * u.mas / u.yr,
        pm_dec=table["pmdec"] * u.mas / u.yr,
        obstime=Time(2016.0, format="decimalyear"),
    )
    found = reference_catalog(Table({"sky_centroid": sky}), "sky", epoch=2024.0)
    expected = reference_catalog(table, "gaia", epoch=2024.0)
    assert np.all(separation((found.ra, found.dec), (expected.ra, expected.dec)) < 1e-3)


def test_dates_become_years():
    assert decimal_year("2022-01-01") == pytest.approx(2022.0)
    assert decimal_year("2022-07-02T12:00:00.0") == pytest.approx(2022.5, abs=1e-4)
    with pytest.raises(ValueError, match="yesterday"):
        decimal_year("yesterday")
