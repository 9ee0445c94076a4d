"""Images of one exposure move together, unless the user says otherwise."""

from __future__ import annotations

import pytest

from webbweave.tweakreg.grouping import Group, group_id, group_images

OBSERVATION = {
    "program_number": "01345",
    "observation_number": "062",
    "visit_number": "001",
    "visit_group": "03",
    "sequence_id": "1",
    "activity_id": "01",
    "exposure_number": "00002",
}


def test_an_exposure_has_the_name_of_its_files():
    assert group_id(4, OBSERVATION) == "jw01345062001_03101_00002"


@pytest.mark.parametrize("key", OBSERVATION)
def test_each_key_tells_exposures_apart(key):
    assert group_id(0, {**OBSERVATION, key: "7"}) != group_id(0, OBSERVATION)
    for missing in (None, "", " "):
        assert group_id(6, {**OBSERVATION, key: missing}) == "exposure0007"
    rest = {other: value for other, value in OBSERVATION.items() if other != key}
    assert group_id(11, rest) == "exposure0012"


def test_detectors_of_an_exposure_share_a_group():
    ids = [
        group_id(i, {**OBSERVATION, "exposure_number": exposure, "detector": detector})
        for i, (exposure, detector) in enumerate(
            [("1", "NRCA1"), ("2", "NRCA1"), ("1", "NRCB1"), ("2", "NRCB1")]
        )
    ]
    groups = group_images(ids)
    assert [group.members for group in groups] == [(0, 2), (1, 3)]


def test_what_the_user_says_goes_first_and_the_association_before_the_file():
    assert group_id(0, OBSERVATION, model_id="mine") == "mine"
    assert group_id(0, OBSERVATION, model_id="mine", member_id="theirs") == "theirs"
    assert group_id(0, OBSERVATION, model_id="mine", member_id=" ") == "mine"
    assert group_id(0, OBSERVATION, model_id="", member_id=None) == "jw01345062001_03101_00002"
    assert group_id(0, {}, member_id=12) == "12"


def test_groups_are_in_the_order_of_their_first_images():
    assert group_images(["b", "a", "b", "c", "a"]) == (
        Group("b", (0, 2)),
        Group("a", (1, 4)),
        Group("c", (3,)),
    )
    assert group_images([]) == ()


def test_images_without_names_are_alone():
    groups = group_images([group_id(i, {}) for i in range(3)])
    assert [group.members for group in groups] == [(0,), (1,), (2,)]
