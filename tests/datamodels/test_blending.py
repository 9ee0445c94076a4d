"""Header values of a combination."""

from __future__ import annotations

from stdatamodels.jwst.datamodels import SlitModel

from webbweave.datamodels.blending import (
    blend_metadata,
    combine_exposure_times,
    group_id,
    header_table,
)


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
