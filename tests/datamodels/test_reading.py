"""Opening files: the same as stdatamodels, but faster, and bad files are named."""

from __future__ import annotations

import gc
import gzip

import numpy as np
import pytest
from astropy.io import fits
from stdatamodels.jwst import datamodels

from webbweave.data import example_exposures
from webbweave.datamodels import get_path, open_model, read_model, set_path, tree_of
from webbweave.errors import InputError

MODELS = [
    datamodels.ImageModel,
    datamodels.IFUImageModel,
    datamodels.SlitModel,
    datamodels.MultiSlitModel,
]


def flatten(tree, prefix=""):
    flat = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{key}.")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for index, item in enumerate(value):
                flat |= flatten(item, f"{prefix}{key}.{index}.")
        else:
            flat[prefix + key] = value
    return flat


def assert_same(found, expected):
    found, expected = flatten(tree_of(found)), flatten(tree_of(expected))
    skip = ("history", "asdf_library", "_fits_hash", "extra_fits")
    for key in found.keys() | expected.keys():
        if key.startswith(skip) or key.endswith("wcs"):
            continue
        one, other = found.get(key), expected.get(key)
        if isinstance(other, np.ndarray):
            np.testing.assert_array_equal(np.asarray(one), np.asarray(other), err_msg=key)
            assert one.dtype.newbyteorder("=") == other.dtype.newbyteorder("="), key
        else:
            assert one == other, key


def make(model_class, path):
    def image(factor=1):
        return factor * np.arange(12, dtype=np.float32).reshape(3, 4)

    def dq():
        return np.full((3, 4), 2**31 + 5, dtype=np.uint32)

    meta = {"instrument": {"name": "NIRSPEC", "detector": "NRS1"}, "telescope": "JWST"}
    arrays = {"data": image(), "dq": dq(), "err": image(5)}
    if model_class is datamodels.MultiSlitModel:
        slits = [
            {"data": image(n), "dq": dq(), "err": image(n + 3), "name": str(n), "meta": {}}
            for n in (1, 2, 3)
        ]
        model = model_class({"meta": meta, "slits": slits})
    else:
        model = model_class({"meta": meta, **arrays})
    model.save(path)
    return path


@pytest.mark.parametrize("model_class", MODELS)
def test_agrees_with_stdatamodels(model_class, tmp_path):
    path = make(model_class, tmp_path / "file_cal.fits")
    found = read_model(path)
    assert type(found) is model_class
    with datamodels.open(path) as expected:
        assert_same(found, expected)


def test_real_exposure():
    for path in example_exposures():
        found = read_model(path)
        with datamodels.open(path) as expected:
            assert_same(found, expected)
            point = (170.0, 12.0)
            assert found.meta.wcs(*point) == expected.meta.wcs(*point)


def test_wcs_outlives_its_model():
    wcs = read_model(example_exposures()[0]).meta.wcs
    gc.collect()
    assert np.isfinite(wcs(170.0, 12.0)).all()


def test_edited_headers_are_honoured(tmp_path):
    path = make(datamodels.ImageModel, tmp_path / "edited_cal.fits")
    fits.setval(path, "TARGNAME", value="NGC 7027")
    fits.setval(path, "DETECTOR", value="NRS2")
    model = read_model(path)
    assert model.meta.target.catalog_name == "NGC 7027"
    assert model.meta.instrument.detector == "NRS2"


def test_compressed_files(tmp_path):
    path = make(datamodels.ImageModel, tmp_path / "file_cal.fits")
    packed = tmp_path / "file_cal.fits.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    np.testing.assert_array_equal(read_model(packed).data, read_model(path).data)


def test_changes_stay_in_memory(tmp_path):
    path = make(datamodels.ImageModel, tmp_path / "file_cal.fits")
    content = path.read_bytes()
    model = read_model(path)
    model.data[:] = 7
    model.meta.target.catalog_name = "changed"
    assert path.read_bytes() == content
    assert read_model(path).data[0, 1] == 1


def test_bad_files_are_named(tmp_path):
    good = make(datamodels.ImageModel, tmp_path / "good_cal.fits").read_bytes()
    cases = {
        "missing.fits": (None, "no such file"),
        "empty.fits": (b"", "empty file"),
        "text.fits": (b"hello world, this is no image", "expected a FITS file"),
        "half.fits": (good[: len(good) // 2 + 1000], "truncated"),
        "header.fits": (good[:1000], "cannot be read|truncated"),
        "cut.fits": (good[:-3000], "truncated"),
    }
    for name, (content, message) in cases.items():
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(InputError, match=message) as caught:
            read_model(path)
        assert str(path) in str(caught.value)
    with pytest.raises(InputError, match="is a directory"):
        read_model(tmp_path)


def test_any_truncation_is_found(tmp_path):
    good = example_exposures()[0].read_bytes()
    for size in range(2880, len(good), 23 * 2880 + 17):
        path = tmp_path / "cut.fits"
        path.write_bytes(good[:size])
        with pytest.raises(InputError, match=r"cut\.fits"):
            read_model(path)


def test_unknown_models_are_named(tmp_path):
    path = tmp_path / "plain.fits"
    fits.PrimaryHDU().writeto(path)
    with pytest.raises(InputError, match="DATAMODL, found no such keyword"):
        read_model(path)
    fits.setval(path, "DATAMODL", value="PuddingModel")
    with pytest.raises(InputError, match="PuddingModel"):
        read_model(path)


def test_damaged_embedded_tree(tmp_path):
    path = make(datamodels.ImageModel, tmp_path / "damaged_cal.fits")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"#ASDF 1.0.0", b"#NOPE 1.0.0"))
    with pytest.raises(InputError, match=r"damaged_cal\.fits"):
        read_model(path)


def test_missing_extension(tmp_path):
    path = tmp_path / "nosci_cal.fits"
    with fits.open(example_exposures()[0]) as hdulist:
        del hdulist["SCI"]
        hdulist.writeto(path)
    with pytest.raises(InputError, match=r"nosci_cal\.fits: an extension is missing.*SCI"):
        read_model(path)


def test_open_models_pass_through():
    model = datamodels.ImageModel()
    assert open_model(model) is model
    with pytest.raises(TypeError, match="found list"):
        open_model([])


def test_paths_in_trees():
    tree = {"meta": {"a": None, "list": [{"x": 1}]}}
    assert get_path(tree, "meta.a", 5) == 5
    assert get_path(tree, "meta.b.c") is None
    set_path(tree, "meta.b.c", 3)
    assert get_path(tree, "meta.b.c") == 3
    set_path(tree, "meta.b.c", None)
    assert tree["meta"]["b"] == {}
