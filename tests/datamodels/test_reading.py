"""Opening files: the same as stdatamodels, but faster, and bad files are named."""

from __future__ import annotations

import gc
import gzip
import io

import numpy as np
import pytest
from astropy.io import fits
from gwcs import WCS
from replicate import multi_slit_files
from stdatamodels.fits_support import fits_hash
from stdatamodels.jwst import datamodels
from synthetic import slit_wcs

from webbweave.data import example_exposures
from webbweave.datamodels import get_path, open_model, read_model, reading, set_path, tree_of
from webbweave.datamodels.embedded import embedded_tree, lazy_embedded_tree
from webbweave.datamodels.layout import find_layout
from webbweave.errors import InputError
from webbweave.wcs import FastWcs, TemplateCache, fast_wcs

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


@pytest.mark.parametrize("part", [0.3, 0.95, 0.9999])
def test_compressed_files_cut_short(tmp_path, part):
    content = gzip.compress(example_exposures()[0].read_bytes())
    packed = tmp_path / "cut_cal.fits.gz"
    packed.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(InputError, match=r"cut_cal.fits.gz: cannot be read as a JWST product: "):
        read_model(packed)


def test_compressed_files_of_cut_ones(tmp_path):
    content = example_exposures()[0].read_bytes()
    packed = tmp_path / "cut_cal.fits.gz"
    packed.write_bytes(gzip.compress(content[:-3000]))
    with pytest.raises(InputError, match=r"cut_cal.fits.gz: truncated: "):
        read_model(packed)


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


def read_generally(path, monkeypatch):
    """Through astropy, as files are read that are not as stdatamodels wrote them."""
    with monkeypatch.context() as patch:
        patch.setattr(reading, "find_layout", lambda stream: None)
        return read_model(path)


@pytest.mark.parametrize("model_class", MODELS)
def test_quick_and_general_way_agree(model_class, tmp_path, monkeypatch):
    path = make(model_class, tmp_path / "file_cal.fits")
    with path.open("rb") as stream:
        assert find_layout(stream) is not None
    with monkeypatch.context() as patch:
        patch.setattr(reading.fits, "open", None)  # is not needed
        found = read_model(path)
    assert_same(found, read_generally(path, monkeypatch))


def test_tables_and_scaled_arrays(tmp_path):
    path = tmp_path / "file.fits"
    table = np.array([(1, 2.5, b"a"), (3, 4.5, b"bc")], dtype="i4,f8,S4")
    hdus = [
        fits.PrimaryHDU(),
        fits.BinTableHDU(table, name="TAB"),
        fits.ImageHDU(np.arange(6, dtype=np.uint16).reshape(2, 3) + 40000, name="U16"),
        fits.ImageHDU(np.arange(6, dtype=np.uint32).reshape(2, 3) + 2**31, name="U32"),
        fits.ImageHDU(np.arange(6, dtype=np.uint64) + 2**63, name="U64"),
        fits.ImageHDU(np.arange(6, dtype=np.uint8), name="U8"),
        fits.ImageHDU(np.arange(6, dtype=np.int16), name="I16"),
        fits.ImageHDU(np.arange(6, dtype=np.float64) / 3, name="F64"),
        fits.ImageHDU(name="NONE"),
        fits.ImageHDU(np.arange(6, dtype=np.float32), name="F32", ver=3),
    ]
    hdus[6].scale("int16", bscale=0.5, bzero=2)
    fits.HDUList(hdus).writeto(path)
    mapped = np.memmap(path, mode="c")
    with path.open("rb") as stream, fits.open(path) as expected:
        layout = find_layout(stream)
        assert layout.digest() == fits_hash(expected)
        for item, hdu in zip(layout.extensions, expected, strict=True):
            assert (item.name, item.ver) == (hdu.name, hdu.ver)
            found = item.array(mapped, stream)
            if hdu.data is None:
                assert found is None
                continue
            np.testing.assert_array_equal(np.asarray(found), np.asarray(hdu.data))
            assert found.dtype.newbyteorder("=") == hdu.data.dtype.newbyteorder("=")


def test_unusual_files_have_no_layout(tmp_path):
    good = make(datamodels.ImageModel, tmp_path / "good_cal.fits").read_bytes()
    xtension = b"XTENSION= 'IMAGE   '"
    strange = {
        "short": good[:-2880],
        "odd": good[:-1],
        "trailing": good + bytes(2880),
        "kind": good.replace(xtension, b"XTENSION= 'FOREIGN '"),
        "quoted": good.replace(b"EXTNAME = 'SCI     '", b"EXTNAME = 'SC''I   '"),
        "size": good.replace(b"NAXIS1  =                    4", b"NAXIS1  =                 4.5x"),
        "endless": good.replace(b"END".ljust(80), b"ENT".ljust(80)),
    }
    for name, content in strange.items():
        assert content != good, name
        assert find_layout(io.BytesIO(content)) is None, name
    assert find_layout(io.BytesIO(b"")) is None
    assert find_layout(io.BytesIO(good)) is not None


def assert_same_wcs(lazy, wcs):
    assert lazy.available_frames == wcs.available_frames
    assert lazy.output_frame.unit == wcs.output_frame.unit
    limits = wcs.bounding_box.bounding_box(order="F")
    assert lazy.bounding_box.bounding_box(order="F") == limits
    x, y = np.meshgrid(*(np.linspace(low - 2, high + 2, 23) for low, high in limits))
    for one, other in zip(lazy(x, y), fast_wcs(wcs)(x, y), strict=True):
        np.testing.assert_array_equal(one, other)
        assert np.isfinite(one).any()


def assert_lazily_the_same(path, n_wcs):
    """The model read with lazy WCSs has the same content, and they give the same coordinates."""
    found, expected = read_model(path, lazy_wcs=True), read_model(path)
    assert_same(found, expected)
    found, expected = flatten(tree_of(found)), flatten(tree_of(expected))
    names = [name for name, value in expected.items() if isinstance(value, WCS)]
    assert len(names) == n_wcs
    for name in names:
        assert isinstance(found[name], FastWcs)
        assert_same_wcs(found[name], expected[name])
    return found[names[0]], expected[names[0]]


def test_lazy_wcs_of_real_exposures():
    for path in example_exposures():
        lazy, wcs = assert_lazily_the_same(path, 1)
        centre = wcs(170.0, 12.0)
        np.testing.assert_allclose(lazy.invert(*centre), wcs.invert(*centre), rtol=1e-12)
        assert lazy.to_gwcs()(170.0, 12.0) == centre
        assert isinstance(lazy.to_gwcs(), WCS)


@pytest.fixture(scope="module")
def exposures_of_slits(tmp_path_factory):
    return multi_slit_files(tmp_path_factory.mktemp("slits"), 2)


def test_lazy_wcs_of_many_slits(exposures_of_slits):
    templates = TemplateCache()
    models = [read_model(path, lazy_wcs=True, templates=templates) for path in exposures_of_slits]
    trees = [slit for model in models for slit in tree_of(model)["slits"]]
    assert len({tree["source_name"] for tree in trees}) == 2
    assert len(trees) == 6
    single = [read_model(path).meta.wcs(170.0, 12.0) for path in example_exposures()]
    for index, tree in enumerate(trees):
        found = tree["meta"]["wcs"](170.0, 12.0)
        np.testing.assert_allclose(found, single[index // 2], rtol=1e-13)
    assert len(templates) == 1  # six WCSs, parsed once
    assert_lazily_the_same(exposures_of_slits[0], 2)


@pytest.mark.parametrize("name", ["nrs_fs_g395m", "miri_lrs_slit", "nircam_module_b"])
def test_lazy_wcs_of_other_modes(shared_dir, name):
    raw = (shared_dir / "data" / "wcs" / f"{name}.asdf").read_bytes()
    found = flatten(lazy_embedded_tree(raw, TemplateCache()))
    expected = flatten(embedded_tree(raw))
    names = [name for name, value in expected.items() if isinstance(value, WCS)]
    assert names
    for name in names[:4]:
        assert isinstance(found[name], FastWcs)
        assert_same_wcs(found[name], expected[name])


def test_shared_models_are_not_torn_apart(tmp_path):
    """One WCS in two slits, and two that share a frame: YAML that refers to other YAML."""
    wcs, other = slit_wcs(), slit_wcs(nod=0.3)
    other._pipeline[-1].frame = wcs.output_frame
    slits = [
        {"data": np.ones((3, 4), np.float32), "name": str(n), "meta": {"wcs": item}}
        for n, item in enumerate([wcs, wcs, other])
    ]
    path = tmp_path / "shared_cal.fits"
    datamodels.MultiSlitModel({"meta": {"telescope": "JWST"}, "slits": slits}).save(path)
    lazy = [slit["meta"]["wcs"] for slit in tree_of(read_model(path, lazy_wcs=True))["slits"]]
    for one, expected in zip(lazy, [wcs, wcs, other], strict=True):
        np.testing.assert_allclose(one(100.0, 12.0), expected(100.0, 12.0), rtol=1e-13)


def test_lazy_wcs_of_edited_compressed_and_damaged_files(tmp_path):
    content = example_exposures()[0].read_bytes()
    edited = tmp_path / "edited_cal.fits"
    edited.write_bytes(content)
    fits.setval(edited, "TARGNAME", value="NGC 7027")
    packed = tmp_path / "file_cal.fits.gz"
    packed.write_bytes(gzip.compress(content))
    for path in (edited, packed):
        model = read_model(path, lazy_wcs=True)
        assert np.isfinite(model.meta.wcs(170.0, 12.0)).all()
    cut = tmp_path / "cut.fits"
    cut.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="truncated"):
        read_model(cut, lazy_wcs=True)
    damaged = tmp_path / "damaged.fits"
    damaged.write_bytes(content.replace(b"#ASDF 1.0.0", b"#NOPE 1.0.0"))
    with pytest.raises(InputError, match=r"damaged\.fits"):
        read_model(damaged, lazy_wcs=True)
