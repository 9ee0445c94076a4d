"""Header values of a combination."""

from __future__ import annotations

import math

import numpy as np
import pytest
from stdatamodels.jwst.datamodels import SlitModel

from webbweave.datamodels.blending import (
    blend_metadata,
    combine_exposure_times,
    group_id,
    header_table,
)
from webbweave.datamodels.tree import copy_metadata, get_path, header_entries, set_path


def tree(number=1, **exposure):
    return {
        "meta": {
            "filename": f"f{number}.fits",
            "observation": {
                "date": f"2026-01-0{number}",
                "date_end": f"2026-01-0{number}T12:00:00",
            },
            "instrument": {"detector": f"NRS{number}", "name": "NIRSPEC"},
            "exposure": {"mid_time": float(number), **exposure},
            "group_id": f"group{number}",
        }
    }


def test_rules():
    sources = [tree(2), tree(1)]
    product = tree(2)
    blend_metadata(product, sources, SlitModel)
    meta = product["meta"]
    assert meta["observation"] == {"date": "2026-01-01", "date_end": "2026-01-02T12:00:00"}
    assert meta["instrument"] == {"detector": "MULTIPLE", "name": "NIRSPEC"}
    assert meta["exposure"]["mid_time"] == 1.5
    assert sources[0]["meta"]["instrument"]["detector"] == "NRS2"


def test_table_has_a_row_per_source_and_gaps():
    sources = [tree(1, nints=3), tree(2)]
    sources[1]["meta"]["target"] = {"catalog_name": "M 1"}
    table = header_table(sources, SlitModel)
    assert table["FILENAME"].tolist() == [b"f1.fits", b"f2.fits"]
    assert table["TARGNAME"].tolist() == [b"", b"M 1"]
    assert table["NINTS"][0] == 3
    assert table["NINTS"][1] != table["NINTS"][1]


WHEEL = "meta.instrument.filter_wheel_tolerance"
OUTSIDE = "outside calibration tolerance"


@pytest.mark.parametrize(
    ("path", "values", "expected"),
    [
        ("meta.instrument.detector", ["NRS1", "NRS1"], "NRS1"),
        ("meta.instrument.detector", ["NRS1", None, "NRS1"], "NRS1"),
        ("meta.instrument.detector", [None, "NRS1", "NRS2"], "MULTIPLE"),
        ("meta.exposure.mid_time", [1.0, 2.0, 6.0], 3.0),
        ("meta.exposure.mid_time", [None, 2.0, math.nan, 4.0], 3.0),
        ("meta.exposure.mid_time", [None, None], None),
        ("meta.exposure.mid_time", ["noon", 2.0], 2.0),
        ("meta.exposure.duration", [1.5, None, 2.5], 4.0),
        ("meta.exposure.start_time", [math.nan, 3.0, 2.0], 2.0),
        ("meta.exposure.end_time", [3.0, math.nan, 2.0], 3.0),
        ("meta.exposure.integration_start", [5, 1], 1),
        ("meta.exposure.segment_number", [2, 1], 2),
        ("meta.exposure.segment_number", [None, 1], None),
        ("meta.observation.date", ["2026-01-02", None, "2025-12-31"], "2025-12-31"),
        ("meta.observation.time", ["10:00:00", 9.5, "09:30:00"], "09:30:00"),
        ("meta.observation.date_end", [None, "2026-01-02T00:00:00"], "2026-01-02T00:00:00"),
        (WHEEL, ["nominal", "nominal"], "nominal"),
        (WHEEL, ["nominal", OUTSIDE], OUTSIDE),
        (WHEEL, [None, "nominal"], "nominal"),
        ("meta.target.catalog_name", ["M 1", "M 2"], "M 1"),  # has no rule
    ],
)
def test_each_rule_and_missing_values(path, values, expected):
    sources = []
    for value in values:
        sources.append({"meta": {}})
        set_path(sources[-1], path, value)
    product = copy_metadata(sources[0])
    blend_metadata(product, sources, SlitModel)
    assert get_path(product, path) == expected


def test_nothing_known_leaves_what_is_there():
    product = {"meta": {"exposure": {"mid_time": 7.0}}}
    blend_metadata(product, [{"meta": {"exposure": None}}, {}], SlitModel)
    assert product == {"meta": {"exposure": {"mid_time": 7.0}}}


def test_table_of_slits_that_share_a_header():
    shared = tree(1, nints=3)["meta"]
    sources = [
        {"name": "5", "source_xpos": 0.1, "source_type": "POINT", "meta": shared},
        {"name": "6", "source_xpos": None, "meta": shared | {"instrument": {"detector": "NRS2"}}},
        {"name": "7", "source_xpos": np.float32(0.5), "meta": {}},
    ]
    labels = {"SOURCE": ["a", "b", "gamma"]}
    table = header_table(sources, SlitModel, slit_attributes=True, labels=labels)
    assert table.dtype.names[0] == "SOURCE"
    assert table["SOURCE"].tolist() == [b"a", b"b", b"gamma"]
    assert table["SLTNAME"].tolist() == [b"5", b"6", b"7"]
    assert table["DETECTOR"].tolist() == [b"NRS1", b"NRS2", b""]
    np.testing.assert_array_equal(table["NINTS"], [3, 3, np.nan])
    np.testing.assert_array_equal(table["SRCXPOS"], [0.1, np.nan, 0.5])
    assert table["SRCTYPE"].tolist() == [b"POINT", b"", b""]
    without = header_table(sources, SlitModel)
    assert not {"SOURCE", "SLTNAME", "SRCXPOS"} & set(without.dtype.names)


def test_table_of_values_that_fit_no_column():
    sources = [tree(1, nints=2**70), tree(2, nints=1)]
    sources[0]["meta"]["target"] = {"catalog_name": "ÅÄÖ", "proposer_name": ["a", "list"]}
    sources[1]["meta"]["target"] = {"catalog_name": 7}
    table = header_table(sources, SlitModel)
    assert table["TARGNAME"].tolist() == [b"???", b"7"]
    assert table["NINTS"].tolist() == [2.0**70, 1.0]
    assert "TARGPROP" not in table.dtype.names


def test_header_entries_share_and_copies_do_not():
    original = tree(1, numbers=[np.float64(1.5), 2]) | {
        "data": np.zeros(3),
        "_fits_hash": "x",
        "number": np.int16(4),
    }
    entries = header_entries(original)
    assert set(entries) == {"meta", "number"}
    assert entries["meta"] is original["meta"]
    copied = copy_metadata(original)
    assert copied["meta"]["exposure"]["numbers"] == [1.5, 2]
    assert type(copied["meta"]["exposure"]["numbers"][0]) is float
    assert type(copied["number"]) is int
    copied["meta"]["exposure"]["numbers"][0] = 0
    assert original["meta"]["exposure"]["numbers"][0] == 1.5


def test_groups():
    assert group_id(tree(1)) == "group1"
    names = ("program_number", "observation_number", "visit_number", "visit_group")
    observation = dict(zip(names, ("01345", "062", "001", "03"), strict=True))
    observation |= {"sequence_id": "1", "activity_id": "01", "exposure_number": "2"}
    assert group_id({"meta": {"observation": observation}}) == "jw01345062001_03101_2"
    assert group_id({"meta": {"filename": "a.fits"}}) == "a.fits"


def test_times_count_once_per_group():
    times = {"exposure_time": 10.0, "measurement_time": 9.0, "start_time": 1.0, "end_time": 2.0}
    sources = [tree(1, **times), tree(1, **times), tree(2, **(times | {"end_time": 5.0}))]
    product = {}
    assert combine_exposure_times(product, sources) == 2
    exposure = product["meta"]["exposure"]
    assert exposure["exposure_time"] == 20.0
    assert exposure["measurement_time"] == 18.0
    assert (exposure["start_time"], exposure["end_time"]) == (1.0, 5.0)
    assert "duration" not in exposure
    del sources[2]["meta"]["exposure"]["measurement_time"]
    combine_exposure_times(product, sources)
    assert "measurement_time" not in product["meta"]["exposure"]
