"""Which exposures belong together."""

from __future__ import annotations

import pytest
from astropy.io import fits

from webbweave.errors import InputError
from webbweave.slit_combine.splitting import split_visit_groups


@pytest.fixture
def make(tmp_path):
    def make(name, grating="PRISM", blocking="CLEAR", **cards):
        hdu = fits.PrimaryHDU()
        hdu.header.update({"GRATING": grating, "FILTER": blocking, **cards})
        path = tmp_path / f"{name}_phot.138.1345_933.fits"
        hdu.writeto(path)
        return str(path)

    return make


def exposures(make, programme="01345", n=3, detector="nrs2", **cards):
    return [make(f"jw{programme}062001_03101_{i:05d}_{detector}", **cards) for i in range(1, n + 1)]


def test_detectors_and_gratings_are_apart(make):
    second, first = exposures(make), exposures(make, detector="nrs1")
    grating = make("jw01345062001_05101_00001_nrs1", "G395M", "F290LP")
    files = [*second[::-1], grating, *first]
    assert split_visit_groups(files) == {
        "jw01345062001_nrs1-prism-clear": first,
        "jw01345062001_nrs2-prism-clear": second,
    }
    both = split_visit_groups(files, gratings=["prism", "G395M"])
    assert both["jw01345062001_nrs1-g395m-f290lp"] == [grating]
    assert list(both) == sorted(both)


def test_pieces_of_names(make):
    files = exposures(make)
    assert len(split_visit_groups(files, join=[0, 3])) == 1
    assert list(split_visit_groups(files, join=[0, 2, 3])) == [
        f"jw01345062001_0000{i}_nrs2-prism-clear" for i in (1, 2, 3)
    ]
    assert list(split_visit_groups(files, join=(0, 3, 5))) == ["jw01345062001_nrs2_138-prism-clear"]
    with pytest.raises(ValueError, match="asks for more pieces than jw01345"):
        split_visit_groups(files, join=[0, 20])


def test_dithers_are_apart(make):
    files = [make(f"jw01345062001_03101_{i:05d}_nrs2", SPAT_NUM=1 + i % 2) for i in range(4)]
    assert split_visit_groups(files) == {
        "jw01345062001_nrs2_dith1-prism-clear": files[::2],
        "jw01345062001_nrs2_dith2-prism-clear": files[1::2],
    }


def test_groups_are_halved_on_request_only(make):
    files = exposures(make, "02561", 6)
    whole = {"jw02561062001_nrs2-prism-clear": files}
    halves = {
        "jw02561062001_nrs2a-prism-clear": files[::2],
        "jw02561062001_nrs2b-prism-clear": files[1::2],
    }
    assert split_visit_groups(files) == whole
    assert split_visit_groups(files, split_uncover=[1810]) == whole
    assert split_visit_groups(files, split_uncover=[2561]) == halves
    assert split_visit_groups(files, compat=True) == whole
    assert split_visit_groups(files, split_uncover=[2561], compat=True) == halves
    assert split_visit_groups(files, split_uncover=False, compat=True) == whole
    (first, second) = split_visit_groups(files[:5], split_uncover=["2561"]).values()
    assert (len(first), len(second)) == (3, 2)


def test_no_files_no_groups(tmp_path):
    assert split_visit_groups([]) == {}
    (tmp_path / "bad.fits").write_text("nothing")
    with pytest.raises(InputError, match=r"bad.fits: cannot be read"):
        split_visit_groups([tmp_path / "bad.fits"])


def test_examples(example_files):
    (key,) = split_visit_groups(example_files)
    assert key == "jw01345062001_nrs2-prism-clear"
