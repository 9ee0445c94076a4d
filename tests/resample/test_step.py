"""The step: inputs it takes, products it makes, and that it leaves its inputs alone."""

from __future__ import annotations

import json

import numpy as np
import pytest
import synthetic
from astropy.io import fits
from stdatamodels.jwst import datamodels
from stpipe import Step, crds_client

from webbweave import ResampleSpecStep
from webbweave.datamodels import get_path, read_model, tree_of
from webbweave.errors import InputError, OutputError, UnsupportedInputError, WeaveError


def call(data, **parameters):
    return ResampleSpecStep.call(data, configure_log=False, **parameters)


def models():
    return [
        synthetic.slit_model(nod, number=number + 1) for number, nod in enumerate((0.0, 0.3, -0.3))
    ]


def test_the_ways_to_give_exposures(example_files, tmp_path):
    from_list = call([str(path) for path in example_files])
    members = [{"expname": path.name, "exptype": "science"} for path in example_files]
    members.append({"expname": "background.fits", "exptype": "background"})
    association = {
        "asn_type": "spec3",
        "asn_pool": "pool.csv",
        "products": [{"name": "jw01345_s00933", "members": members}],
    }
    for path in example_files:
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "asn.json").write_text(json.dumps(association))
    from_file = call(tmp_path / "asn.json")
    for member in members:
        member["expname"] = str(tmp_path / member["expname"])
    from_dict = call(association)
    from_models = call([read_model(path) for path in example_files])
    for other in (from_file, from_dict, from_models):
        np.testing.assert_array_equal(other.data, from_list.data)
    assert from_file.meta.filename == "jw01345_s00933.fits"
    assert from_file.meta.asn.table_name == "asn.json"
    assert from_file.meta.asn.pool_name == "pool.csv"


def test_inputs_beside_a_reference_server(example_files, tmp_path, monkeypatch):
    """As in a pipeline: parameters are asked for with the metadata of the first exposure."""
    monkeypatch.setenv("CRDS_SERVER_URL", "https://crds.invalid")
    monkeypatch.delenv("STPIPE_DISABLE_CRDS_STEPPARS", raising=False)
    asked = []

    def answer(parameters, reftype, observatory):
        asked.append((parameters["meta.filename"], reftype, observatory))
        return "N/A"

    monkeypatch.setattr(crds_client, "get_reference_file", answer)
    for path in example_files:
        (tmp_path / path.name).symlink_to(path)
    members = [{"expname": path.name, "exptype": "science"} for path in example_files]
    association = {"products": [{"name": "combined", "members": members}]}
    (tmp_path / "asn.json").write_text(json.dumps(association))
    paths = [str(path) for path in example_files]
    held = [read_model(path) for path in paths]
    expected = call(held)
    for given in (tmp_path / "asn.json", str(tmp_path / "asn.json"), paths):
        np.testing.assert_array_equal(call(given).data, expected.data)
    call(held[0])
    call(paths[0])
    name = held[0].meta.filename
    assert asked == [(name, "pars-resamplespecstep", "jwst")] * 6
    # What can be looked through only once is left alone.
    np.testing.assert_array_equal(call(model for model in held).data, expected.data)
    assert len(asked) == 6
    assert np.isfinite(held[0].data).any()
    assert held[0].meta.wcs(10.0, 10.0)[2] > 0


def test_one_model_and_a_container_of_another_package():
    single, *_ = models()
    alone = call(single)
    assert alone.meta.filename == single.meta.filename

    class Container:
        def __init__(self):
            self.asn_table = {"products": [{"name": "combined"}]}

        def __iter__(self):
            return iter(models())

    class Library(Container):
        """Lends its models and wants them back."""

        shelved = 0

        def __enter__(self):
            return self

        def __exit__(self, *_):
            assert self.shelved == 3

        def shelve(self, model, index, modify=True):
            assert not modify
            self.shelved += 1

    first, second = call(Container()), call(Library())
    assert first.meta.filename == "combined.fits"
    np.testing.assert_array_equal(first.data, second.data)


def test_inputs_are_not_changed(example_files):
    before = [path.read_bytes() for path in example_files]
    inputs = models()
    trees = [
        {k: v.copy() for k, v in tree_of(m).items() if isinstance(v, np.ndarray)} for m in inputs
    ]
    call(inputs)
    call(list(example_files))
    for model, arrays in zip(inputs, trees, strict=True):
        for name, array in arrays.items():
            np.testing.assert_array_equal(tree_of(model)[name], array)
        assert "cal_step" not in tree_of(model)["meta"]
        assert get_path(tree_of(model), "meta.resample") is None
    assert [path.read_bytes() for path in example_files] == before


def test_metadata_of_the_product():
    product = call(models(), pixfrac=0.9, pixel_scale_ratio=2.0, weight_type="exptime")
    meta = product.meta
    assert meta.cal_step.resample == "COMPLETE"
    assert meta.resample.pointings == 3
    assert meta.resample.pixfrac == 0.9
    assert meta.resample.pixel_scale_ratio == 2.0
    assert meta.resample.weight_type == "exptime"
    assert meta.exposure.exposure_time == 300.0
    assert meta.exposure.effective_exposure_time == 300.0
    assert meta.exposure.duration == 330.0
    assert meta.exposure.start_time == 60001.0
    assert meta.exposure.end_time == 60003.5
    assert meta.exposure.measurement_time is None
    assert meta.observation.date == "2026-01-01"
    area = synthetic.PIXEL_AREA / 2
    assert meta.photometry.pixelarea_steradians == pytest.approx(area)
    assert meta.photometry.pixelarea_arcsecsq == pytest.approx(area * 206264.806**2)
    assert meta.wcsinfo.s_region.startswith("POLYGON ICRS  ")
    corners = np.array(meta.wcsinfo.s_region.split()[2:], dtype=float)
    assert corners.size == 8
    assert meta.wcsinfo.dispersion_direction == 1
    assert meta.bunit_data == "MJy"
    assert product.source_name == "S1"
    assert len(product.hdrtab) == 3
    scale = product.meta.wcs(50, [10, 11])
    separation = np.hypot(np.diff(scale[0]) * np.cos(np.deg2rad(2.0)), np.diff(scale[1])) * 3600
    assert separation[0] == pytest.approx(synthetic.PIXEL_SCALE / 2, rel=1e-4)


def test_both_detectors_of_an_exposure_count_once():
    pair = [synthetic.slit_model(number=1), synthetic.slit_model(number=1)]
    tree_of(pair[1])["meta"]["instrument"]["detector"] = "NRS2"
    product = call(pair)
    assert product.meta.resample.pointings == 1
    assert product.meta.exposure.exposure_time == 100.0
    assert product.meta.instrument.detector == "MULTIPLE"
    assert call(pair, blendheaders=False).meta.instrument.detector == "NRS1"


def test_multi_slit_models_are_regrouped_by_source():
    product = call(
        [
            synthetic.multi_slit_model(1),
            synthetic.multi_slit_model(2),
            synthetic.multi_slit_model(3, sources=("A",)),
        ]
    )
    assert isinstance(product, datamodels.MultiSlitModel)
    assert [slit.source_name for slit in product.slits] == ["A", "B"]
    alone = call([synthetic.slit_model(0.3 * (n - 1), number=n) for n in (1, 2, 3)])
    np.testing.assert_array_equal(product.slits[0].data, alone.data)
    assert product.slits[0].con.max() == 0b111
    assert product.slits[1].con.max() == 0b11
    assert product.meta.cal_step.resample == "COMPLETE"
    assert product.meta.resample.pixfrac == 1.0
    assert product.meta.exposure.type == "NRS_MSASPEC"


def test_product_survives_the_disk(tmp_path):
    for data, root in (
        (models(), "jw01234001001_02101_00001_nrs1"),
        (synthetic.multi_slit_model(1), "m"),
    ):
        product = call(
            data, save_results=True, output_dir=str(tmp_path), output_file=f"{root}.fits"
        )
        path = tmp_path / f"{root}_s2d.fits"
        with datamodels.open(path) as again, fits.open(path) as hdulist:
            first, found = (
                (m.slits[0] if isinstance(m, datamodels.MultiSlitModel) else m)
                for m in (product, again)
            )
            np.testing.assert_array_equal(first.data, found.data)
            np.testing.assert_array_equal(first.con, found.con)
            x, y = 40.25, 11.5
            np.testing.assert_allclose(first.meta.wcs(x, y), found.meta.wcs(x, y), rtol=1e-13)
            np.testing.assert_allclose(
                found.meta.wcs.invert(*found.meta.wcs(x, y)), (x, y), rtol=1e-6
            )
            assert hdulist[0].header["S_RESAMP"] == "COMPLETE"
            assert any("webbweave" in line for line in hdulist[0].header["HISTORY"])
            names = [hdu.name for hdu in hdulist[1:]]
            assert names[0] == "SCI"
            assert names[-1] == "ASDF"
            # What viewers look for in a rectified spectrum.
            header = hdulist["SCI"].header
            assert hdulist[0].header["TELESCOP"] == "JWST"
            assert header["DISPAXIS"] == 1
            assert header["BUNIT"] == "MJy"
            assert found.meta.wcs.bounding_box is not None
            ny, nx = found.data.shape
            wavelength = found.meta.wcs(*np.mgrid[:nx, :ny])[2]
            assert (wavelength == wavelength[:, :1]).all()


def test_a_product_as_output_wcs_maps_back(real_exposures):
    wcs = call(models()).meta.wcs
    y, x = np.mgrid[0:20:3, 2:200:17].astype(float)
    back = wcs.invert(*wcs(x, y))
    np.testing.assert_allclose(back[0], x, atol=1e-8)
    np.testing.assert_allclose(back[1], y, atol=1e-6)
    slit = wcs.get_transform("detector", "slit_frame")(x, y)
    np.testing.assert_allclose(wcs.get_transform("slit_frame", "world")(*slit), wcs(x, y))


def test_never_over_an_input(tmp_path):
    path = tmp_path / "exposure_s2d.fits"
    synthetic.slit_model().save(path)
    content = path.read_bytes()
    with pytest.raises(OutputError, match="is an input"):
        call(path, save_results=True, output_dir=str(tmp_path))
    assert path.read_bytes() == content
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_as_a_hook_of_another_step():
    class Other(Step):
        spec = "output_ext = string(default='fits')"

        def process(self, data):
            return data

        @classmethod
        def get_config_from_reference(cls, *_, **__):
            return ResampleSpecStep.get_config_from_reference(None)

    hook = "webbweave.resample.ResampleSpecStep"
    result = Other(post_hooks=[hook]).run(models()[0])
    assert result.meta.cal_step.resample == "COMPLETE"


def test_unknown_and_impossible_parameters_are_refused():
    for parameters in (
        {"pixel_fraction": 1.0},
        {"kernel": "gaussian"},
        {"weight_type": "variance"},
        {"pixfrac": 1.5},
    ):
        with pytest.raises(Exception, match=next(iter(parameters))):
            call(models(), **parameters)
    for parameters in ({"pixel_scale_ratio": -1.0}, {"fillval": "none"}, {"maximum_cores": "few"}):
        with pytest.raises(ValueError, match=next(iter(parameters))):
            call(models(), **parameters)


def test_fillval():
    for fillval in ("0.5", 0.5, -1):
        product = call(models(), fillval=fillval)
        empty = product.wht == 0
        assert empty.any()
        assert (product.data[empty] == float(fillval)).all()
        assert np.isnan(product.err[empty]).all()
    product = call(models(), fillval="INDEF")
    assert np.isnan(product.data[product.wht == 0]).all()


def test_missing_pixel_area(caplog):
    lacking = models()
    for model in lacking:
        del tree_of(model)["meta"]["photometry"]
    product = call(lacking, pixel_scale=0.05)
    assert "PIXAR_SR" in caplog.text
    assert product.data.shape == call(models()).data.shape
    assert product.meta.photometry.pixelarea_steradians is None
    assert call(lacking, pixel_scale_ratio=2.0).data.shape[0] > 1.9 * product.data.shape[0]


@pytest.mark.parametrize("which", [0, 1, 2])
def test_missing_read_noise_variance(caplog, which):
    lacking = models()
    del tree_of(lacking[which])["var_rnoise"]
    product = call(lacking)
    assert f"{which + 1:05d}_nrs1_cal.fits: no usable VAR_RNOISE" in caplog.text
    complete = call(models())
    np.testing.assert_allclose(product.wht, complete.wht, rtol=1e-5)
    np.testing.assert_allclose(product.data, complete.data, rtol=1e-4)
    np.testing.assert_allclose(product.var_poisson, complete.var_poisson, rtol=1e-3)


def test_without_any_read_noise_variance():
    lacking = models()
    for model in lacking:
        del tree_of(model)["var_rnoise"]
    product = call(lacking)
    assert product.wht.max() == pytest.approx(3.0, rel=0.01)
    assert np.isfinite(product.err[product.wht > 0]).all()
    assert "var_rnoise" not in tree_of(product)


def test_misshapen_variance_is_left_out(caplog):
    odd = models()
    tree_of(odd[0])["var_flat"] = np.ones((3, 3), dtype=np.float32)
    product = call(odd)
    assert "VAR_FLAT has shape (3, 3)" in caplog.text
    assert np.isfinite(product.var_flat).any()


def test_background_is_subtracted_once():
    pedestal = models()
    for model in pedestal:
        tree = tree_of(model)
        tree["data"] = tree["data"] + np.float32(1e-9)
        tree["meta"]["background"] = {"level": 1e-9, "subtracted": False}
    clean, corrected = call(models()), call(pedestal)
    np.testing.assert_allclose(corrected.data, clean.data, rtol=1e-4, atol=1e-15)
    for model in pedestal:
        tree_of(model)["meta"]["background"]["subtracted"] = True
    assert np.nanmedian(call(pedestal).data - clean.data) == pytest.approx(1e-9, rel=1e-3)


def test_an_empty_exposure_among_good_ones(caplog):
    inputs = models()
    tree_of(inputs[0])["data"] = np.full(synthetic.SHAPE, np.nan, dtype=np.float32)
    product = call(inputs)
    assert "left out" in caplog.text
    assert product.meta.resample.pointings == 2
    assert product.meta.exposure.exposure_time == 200.0
    assert len(product.hdrtab) == 2
    assert product.con.max() == 0b11


def broken(**entries):
    model = synthetic.slit_model()
    for name, value in entries.items():
        tree_of(model)[name] = value
    return model


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": None}, "no science array"),
        ({"data": np.zeros((0, 5), np.float32)}, "empty"),
        ({"data": np.full(synthetic.SHAPE, np.nan, np.float32)}, "NaN in all"),
        ({"dq": np.ones(synthetic.SHAPE, np.uint32)}, "flagged"),
        ({"dq": np.full(synthetic.SHAPE, 512, np.uint32)}, "flagged"),
        ({"dq": np.zeros((2, 2), np.uint32)}, r"DQ has shape \(2, 2\)"),
        ({"data": np.zeros((2, *synthetic.SHAPE), np.float32)}, "2-D"),
    ],
)
def test_bad_arrays_are_named(change, message):
    with pytest.raises(InputError, match=message) as caught:
        call(broken(**change))
    assert "nrs1_cal.fits" in str(caught.value)


def test_bad_models_are_named():
    no_wcs = synthetic.slit_model()
    del tree_of(no_wcs)["meta"]["wcs"]
    with pytest.raises(InputError, match="no WCS"):
        call(no_wcs)
    with pytest.raises(TypeError, match="CubeModel"):
        call(datamodels.CubeModel(np.zeros((2, 3, 4), np.float32)))
    with pytest.raises(UnsupportedInputError, match="ImageModel"):
        call(datamodels.ImageModel(np.zeros((3, 4), np.float32)))
    with pytest.raises(TypeError, match="int"):
        call([1, 2])
    with pytest.raises(InputError, match="no slits"):
        call(datamodels.MultiSlitModel())
    across = synthetic.slit_model()
    tree_of(across)["meta"]["wcsinfo"]["dispersion_direction"] = 2
    with pytest.raises(UnsupportedInputError, match="DISPAXIS"):
        call(across)
    timeless = synthetic.slit_model()
    tree_of(timeless)["meta"]["exposure"]["exposure_time"] = 0.0
    with pytest.raises(InputError, match="TMEASURE"):
        call(timeless, weight_type="exptime")


def test_exposures_that_do_not_belong_together():
    one, two, _ = models()
    tree_of(two)["meta"]["instrument"]["grating"] = "G395M"
    with pytest.raises(WeaveError, match=r"G395M.*G235M"):
        call([one, two])
    two = models()[1]
    tree_of(two)["meta"]["bunit_data"] = "MJy/sr"
    with pytest.raises(WeaveError, match="BUNIT"):
        call([one, two])
    far = synthetic.slit_model(number=2, wcs=synthetic.slit_wcs(ra=150.01))
    with pytest.raises(WeaveError, match="does not overlap"):
        call([one, far])


def test_slits_of_integrations_are_skipped():
    cubes = synthetic.multi_slit_model(1)
    for slit in tree_of(cubes)["slits"]:
        slit["data"] = np.zeros((2, *synthetic.SHAPE), np.float32)
    result = call(cubes)
    assert result.meta.cal_step.resample == "SKIPPED"
    assert get_path(tree_of(cubes), "meta.cal_step.resample") is None


def test_a_wcs_without_sky(caplog):
    lost = synthetic.slit_model(wcs=synthetic.slit_wcs(ra=np.nan), data=1.0)
    tree_of(lost)["data"] = tree_of(models()[0])["data"]
    tree_of(lost)["dq"] = tree_of(models()[0])["dq"]
    for name in ("var_rnoise", "var_flat", "var_poisson"):
        tree_of(lost)[name] = tree_of(models()[0])[name]
    with pytest.raises(InputError, match="0 rows and 0 columns"):
        call(lost)
    product = call([lost, *models()])
    assert "0 rows and 0 columns" in caplog.text
    assert product.meta.resample.pointings == 3


def test_tiny_pixels_are_points(caplog):
    product = call(models(), pixfrac=0.0)
    assert "kernel 'point' is used" in caplog.text
    np.testing.assert_array_equal(product.data, call(models(), kernel="point").data)


def test_infinite_values_are_left_out():
    spoiled = models()
    for model in spoiled:
        tree_of(model)["data"][12, 50] = np.inf
        tree_of(model)["var_rnoise"][10, 80] = 0.0
    product = call(spoiled)
    assert not np.isinf(product.data).any()
    assert not np.isinf(product.wht).any()


@pytest.mark.parametrize("shape", [(100, 15), (260, 40), (1, 3)])
def test_output_shape_cuts_and_pads_at_the_high_end(shape):
    whole, resized = call(models()), call(models(), output_shape=list(shape))
    ny, nx = resized.data.shape
    assert (nx, ny) == shape
    rows, columns = min(ny, whole.data.shape[0]), min(nx, whole.data.shape[1])
    inner = (slice(0, rows), slice(0, max(columns - 4, 1)))
    if nx > 1:
        np.testing.assert_array_equal(resized.data[inner], whole.data[inner])
    assert (resized.wht[whole.data.shape[0] :] == 0).all()
    wavelength = resized.wavelength[0]
    np.testing.assert_array_equal(wavelength[:columns], whole.wavelength[0, :columns])
    assert (np.diff(wavelength) > 0).all()
    assert resized.meta.wcs.array_shape == (ny, nx)
    compat = call(models(), output_shape=list(shape), compat=True)
    assert compat.data.shape == call(models(), compat=True).data.shape


def test_impossible_output_shape():
    for shape in ([0, 5], [-1, 5]):
        with pytest.raises(ValueError, match="output_shape"):
            call(models(), output_shape=shape)


def test_data_quality_is_propagated():
    inputs = models()
    assert "dq" not in tree_of(call(inputs))
    tree_of(inputs[1])["dq"][13, 100] |= 4  # a jump that was corrected: still good
    tree_of(inputs[2])["dq"][10, 60] |= 1 | 8
    product = call(inputs, propagate_dq=True)
    assert product.dq.dtype == np.uint32
    used = product.wht > 0
    assert set(np.unique(product.dq[used])) == {0, 4}
    rows, columns = np.nonzero((product.dq == 4) & used)
    assert 1 <= rows.size <= 9
    assert abs(columns - 100).max() <= 3
    assert (product.dq[~used] == 1).all()
    assert (call(inputs, propagate_dq=True, compat=True).dq[0] == 0).all()
