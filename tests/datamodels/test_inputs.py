"""Collections of exposures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from stdatamodels.jwst import datamodels

from webbweave.datamodels import collect_inputs
from webbweave.errors import InputError


def test_a_file_is_not_opened():
    inputs = collect_inputs("nowhere/exposure_cal.fits")
    assert not inputs.is_container
    assert inputs.members[0].name == "nowhere/exposure_cal.fits"
    with pytest.raises(InputError, match="no such file"):
        inputs.members[0].open()


def test_members_of_an_association_are_relative_to_it(tmp_path):
    members = [
        {"expname": "a_cal.fits", "exptype": "science"},
        {"expname": "b_cal.fits", "exptype": "BACKGROUND"},
        {"expname": "c_cal.fits"},
    ]
    path = tmp_path / "asn.json"
    path.write_text(json.dumps({"asn_pool": "p.csv", "products": [{"members": members}]}))
    inputs = collect_inputs(str(path))
    assert [item.name for item in inputs.paths] == ["a_cal.fits", "c_cal.fits"]
    assert {item.parent for item in inputs.paths} == {tmp_path}
    assert (inputs.product_name, inputs.pool_name) == (None, "p.csv")


def test_what_an_association_says_of_its_members_is_kept(tmp_path):
    members = [
        {"expname": "a_cal.fits", "exptype": "science", "group_id": "one"},
        {"expname": "sub/b_cal.fits", "group_id": "two", "tweakreg_catalog": "b.ecsv"},
        {"expname": "c_cal.fits", "exptype": "science"},
    ]
    path = tmp_path / "asn.json"
    path.write_text(json.dumps({"products": [{"members": members}]}))
    inputs = collect_inputs(path)
    assert [member.attributes for member in inputs.members] == [
        {"group_id": "one"},
        {"group_id": "two", "tweakreg_catalog": "b.ecsv"},
        {},
    ]
    assert {member.folder for member in inputs.members} == {tmp_path}
    assert len(set(inputs.members)) == 3


@pytest.mark.parametrize(("n_entries", "folder"), [(2, "there"), (1, "")])
def test_what_a_container_knows_of_its_models(n_entries, folder):
    class Container(list):
        pass

    container = Container([datamodels.ImageModel(), datamodels.ImageModel()])
    entries = [{"expname": f"{i}.fits", "group_id": i} for i in range(n_entries)]
    container.asn_dir = folder
    container.asn_table = {"products": [{"members": entries}]}
    inputs = collect_inputs(container)
    expected = [{"group_id": 0}, {"group_id": 1}] if n_entries == 2 else [{}, {}]
    assert [member.attributes for member in inputs.members] == expected
    assert {member.folder for member in inputs.members} == {Path(folder)}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read as an association"),
        ("[1]", "found a list"),
        ("{}", "'products'"),
        ('{"products": []}', "'products'"),
        ('{"products": [{"members": [{}]}]}', "no 'expname'"),
        ('{"products": [{"members": []}]}', "science members, found 0"),
    ],
)
def test_bad_associations_are_named(tmp_path, content, message):
    path = tmp_path / "asn.json"
    path.write_text(content)
    with pytest.raises(InputError, match=message) as caught:
        collect_inputs(path)
    assert str(path) in str(caught.value)


def test_missing_association(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        collect_inputs(tmp_path / "asn.json")
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(InputError, match="is a directory"):
        collect_inputs(tmp_path / "folder.json")


def test_collections():
    model = datamodels.ImageModel()
    assert collect_inputs([model, "b.fits"]).members[0].open() is model
    with pytest.raises(InputError, match="empty"):
        collect_inputs([])
    with pytest.raises(TypeError, match="found float"):
        collect_inputs(1.5)
