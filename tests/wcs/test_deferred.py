"""A WCS that is made when it is first used, and the metadata that it is in."""

from __future__ import annotations

import copy
import io
import pickle

import asdf
import numpy as np
import pytest
import synthetic
from gwcs import WCS
from stdatamodels.jwst import datamodels
from stdatamodels.jwst.datamodels import SlitModel

from webbweave.datamodels import defer_wcs, tree_of
from webbweave.wcs import DeferredWcs, fast_wcs


class Builder:
    def __init__(self):
        self.count = 0

    def __call__(self):
        self.count += 1
        return synthetic.slit_wcs()


def test_made_once_and_then_a_gwcs():
    build = Builder()
    wcs = DeferredWcs(build)
    assert isinstance(wcs, WCS)
    assert not hasattr(wcs, "__array__")
    assert build.count == 0
    plain = synthetic.slit_wcs()
    assert wcs(100.0, 12.0) == plain(100.0, 12.0)
    assert type(wcs) is WCS
    assert wcs.available_frames == plain.available_frames
    assert wcs.bounding_box == plain.bounding_box
    assert build.count == 1
    with pytest.raises(AttributeError, match="nothing"):
        _ = wcs.nothing


def test_changes_are_kept():
    wcs = DeferredWcs(Builder())
    wcs.bounding_box = ((0, 5), (0, 7))
    assert wcs.bounding_box.bounding_box(order="F") == ((0, 5), (0, 7))


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_copies(duplicate):
    wcs = DeferredWcs(Builder())
    assert duplicate(wcs)(100.0, 12.0) == wcs(100.0, 12.0)


def deferred_model():
    model = synthetic.slit_model()
    tree = tree_of(model)
    tree["meta"]["wcs"] = fast_wcs(tree["meta"]["wcs"])
    defer_wcs(tree)
    return model


def settled(model):
    return not isinstance(dict(tree_of(model)["meta"])["wcs"], DeferredWcs)


def test_metadata_is_like_any_other():
    model = deferred_model()
    assert model.meta.instrument.name == "NIRSPEC"
    model.meta.filename = "b.fits"
    meta = tree_of(model)["meta"]
    assert meta.get("filename") == meta["filename"] == "b.fits"
    assert "wcs" in meta
    assert not settled(model)
    for look in (
        lambda model: model.meta.wcs,
        lambda model: tree_of(model)["meta"].get("wcs"),
        lambda model: dict(tree_of(model)["meta"].items())["wcs"],
        lambda model: next(v for v in tree_of(model)["meta"].values() if isinstance(v, WCS)),
        lambda model: tree_of(model)["meta"].pop("wcs"),
        lambda model: copy.deepcopy(tree_of(model)["meta"])["wcs"],
        lambda model: model.copy().meta.wcs,
    ):
        model = deferred_model()
        assert type(look(model)) is WCS


def test_slits_have_theirs_each():
    model = synthetic.multi_slit_model(1)
    tree = tree_of(model)
    for slit in tree["slits"]:
        slit["meta"]["wcs"] = fast_wcs(slit["meta"]["wcs"])
    defer_wcs(tree)
    assert type(model.slits[0].meta.wcs) is WCS
    assert settled(SlitModel(tree["slits"][0]))
    assert isinstance(dict(tree["slits"][1]["meta"])["wcs"], DeferredWcs)


def test_saved_by_the_model_itself(tmp_path):
    path = tmp_path / "a.fits"
    deferred_model().save(path)
    with datamodels.open(path) as saved:
        assert type(saved.meta.wcs) is WCS
        np.testing.assert_array_equal(
            saved.meta.wcs(100.0, 12.0), synthetic.slit_wcs()(100.0, 12.0)
        )


def test_written_by_asdf():
    stream = io.BytesIO()
    asdf.AsdfFile({"meta": tree_of(deferred_model())["meta"]}).write_to(stream)
    stream.seek(0)
    with asdf.open(stream) as file:
        assert type(file["meta"]["wcs"]) is WCS


def test_pickled_once_it_is_made():
    wcs = DeferredWcs(Builder())
    wcs.made()
    again = pickle.loads(pickle.dumps(wcs))
    assert again(100.0, 12.0) == wcs(100.0, 12.0)
