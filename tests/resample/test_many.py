"""One product per source: in this thread, in threads, in processes, or anything with submit."""

from __future__ import annotations

import multiprocessing
import pickle
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
import synthetic
from stdatamodels.jwst import datamodels

from webbweave import ResampleSpecStep
from webbweave.datamodels import tree_of
from webbweave.errors import InputError, UnsupportedInputError
from webbweave.resample import SourceResult, resample_sources


class Now:
    """The least that an executor can be; it insists that all can be pickled."""

    def submit(self, fn, /, *args, **kwargs):
        function, arguments = pickle.loads(pickle.dumps((fn, args)))
        answer = pickle.dumps(function(*arguments, **kwargs))

        class Done:
            def result(self):
                return pickle.loads(answer)

        return Done()


class Dies:
    """A pool whose workers are killed."""

    def submit(self, fn, /, *args, **kwargs):
        class Lost:
            def result(self):
                raise BrokenExecutor("a worker was terminated abruptly")

        return Lost()


@pytest.fixture(scope="module")
def visit(tmp_path_factory):
    """Two exposures of A, B and C, where B lacks its data quality and C is in the second only."""
    folder = tmp_path_factory.mktemp("visit")
    paths = []
    for number, names in ((1, ("A", "B")), (2, ("A", "B", "C d"))):
        model = synthetic.multi_slit_model(number, names)
        for index, slit in enumerate(tree_of(model)["slits"]):
            slit["source_id"] = 11 + index
        if number == 1:
            tree_of(model)["slits"][1]["dq"] = np.zeros((3, 3), np.uint32)
            tree_of(model)["slits"][0]["var_flat"] = np.zeros((3, 3), np.float32)
        paths.append(folder / model.meta.filename)
        model.save(paths[-1])
    return paths


def without_time(results):
    return [(r.source, [p.name for p in r.paths], r.warnings, r.failure) for r in results]


def test_results_say_what_became_of_each_source(visit, tmp_path):
    results = resample_sources(visit, tmp_path)
    assert [result.source for result in results] == ["A", "B", "C d"]
    first, second, third = results
    root = "jw01234001001_02101_00001_nrs1"
    assert first.path == tmp_path / f"{root}_A_s2d.fits"
    assert third.path == tmp_path / f"{root}_C_d_s2d.fits"
    assert sorted(tmp_path.iterdir()) == [first.path, third.path]
    assert second.path is None
    assert "DQ has shape (3, 3)" in second.failure
    assert first.failure is third.failure is None
    misshapen, estimated = first.warnings
    assert "VAR_FLAT has shape (3, 3)" in misshapen
    assert "no usable VAR_FLAT" in estimated
    assert third.warnings == ()
    assert all(result.seconds > 0 for result in results)


def test_products_are_those_of_the_step(visit, tmp_path):
    result, *_ = resample_sources(visit, tmp_path, sources=["A"], parameters={"pixfrac": 0.7})
    expected = ResampleSpecStep.call(visit, configure_log=False, sources="A", pixfrac=0.7).slits[0]
    with datamodels.open(result.path) as product:
        assert isinstance(product, datamodels.SlitModel)
        for name in ("data", "err", "wht", "con", "wavelength", "var_poisson"):
            np.testing.assert_array_equal(getattr(product, name), getattr(expected, name))
        assert product.source_name == "A"
        assert product.source_id == 11
        assert product.meta.resample.pointings == 2
        assert product.meta.resample.pixfrac == 0.7
        assert product.meta.exposure.exposure_time == 200.0
        assert product.meta.exposure.type == "NRS_MSASPEC"
        assert len(product.hdrtab) == 2
        position = 10.0, 5.0
        np.testing.assert_allclose(product.meta.wcs(*position), expected.meta.wcs(*position))


def processes():
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))


@pytest.mark.parametrize("make", [lambda: ThreadPoolExecutor(2), processes])
def test_pools_give_the_same(make, visit, tmp_path):
    expected = resample_sources(visit, tmp_path / "here")
    with make() as pool:
        results = resample_sources(visit, tmp_path / "there", executor=pool)
    assert without_time(results) == without_time(expected)
    for result, other in zip(results, expected, strict=True):
        if result.path is not None:
            with datamodels.open(result.path) as one, datamodels.open(other.path) as two:
                np.testing.assert_array_equal(one.data, two.data)
                np.testing.assert_array_equal(one.err, two.err)


def test_threads_and_an_executor_of_ones_own(visit, tmp_path):
    expected = without_time(resample_sources(visit, tmp_path))
    assert without_time(resample_sources(visit, tmp_path, maximum_cores=2)) == expected
    assert without_time(resample_sources(visit, tmp_path, executor=Now())) == expected


def test_a_lost_worker_is_a_failure_of_its_source(visit, tmp_path):
    results = resample_sources(visit, tmp_path, executor=Dies())
    assert len(results) == 3
    assert all("terminated abruptly" in result.failure for result in results)
    assert all(isinstance(result, SourceResult) for result in results)


def test_single_exposures_of_a_source(visit, tmp_path):
    parameters = {"single": True, "blendheaders": False}
    (result,) = resample_sources(visit, tmp_path, sources=[11], parameters=parameters)
    root = "jw01234001001_02101_00001_nrs1_A"
    assert [path.name for path in result.paths] == [
        f"{root}_1_outlier_s2d.fits",
        f"{root}_2_outlier_s2d.fits",
    ]
    shapes = set()
    for path in result.paths:
        with datamodels.open(path) as product:
            assert product.meta.resample.pointings == 1
            shapes.add(product.data.shape)
    assert len(shapes) == 1


def test_files_of_one_slit_and_an_association(example_files, tmp_path):
    members = [{"expname": str(path), "exptype": "science"} for path in example_files[:2]]
    association = {"products": [{"name": "jw01345_nirspec", "members": members}]}
    (result,) = resample_sources(association, tmp_path)
    assert result.path == tmp_path / "jw01345_nirspec_1345_933_s2d.fits"
    expected = ResampleSpecStep.call(example_files[:2], configure_log=False)
    with datamodels.open(result.path) as product:
        np.testing.assert_array_equal(product.data, expected.data)


def test_names_that_would_be_the_same_file(tmp_path):
    model = synthetic.multi_slit_model(1, ("a b", "a/b"))
    path = tmp_path / model.meta.filename
    model.save(path)
    results = resample_sources([path], tmp_path / "out")
    assert len({result.path for result in results}) == 2
    assert all(result.path.parent == tmp_path / "out" for result in results)


def test_bad_input_is_refused_at_once(visit, tmp_path):
    output = tmp_path / "out"
    with pytest.raises(InputError, match="no such file"):
        resample_sources([tmp_path / "missing.fits"], output)
    with pytest.raises(InputError, match="no 'Z'"):
        resample_sources(visit, output, sources=["Z"])
    with pytest.raises(ValueError, match="pixel_scale"):
        resample_sources(visit, output, parameters={"pixel_scale": -1.0})
    with pytest.raises(ValueError, match="sources"):
        resample_sources(visit, output, parameters={"sources": "A"})
    with pytest.raises(TypeError, match="open model"):
        resample_sources([synthetic.slit_model()], output)
    cubes = synthetic.multi_slit_model(1)
    for slit in tree_of(cubes)["slits"]:
        for name in ("data", "dq", "err", "var_rnoise", "var_flat", "var_poisson"):
            slit[name] = np.zeros((2, 3, 4), slit[name].dtype)
    path = tmp_path / cubes.meta.filename
    cubes.save(path)
    with pytest.raises(UnsupportedInputError, match="two dimensions"):
        resample_sources([path], output)
    assert not output.exists()


def test_sources_of_their_own_files_share_wavelengths(visit, tmp_path):
    results = resample_sources(
        visit, tmp_path, sources=["A", "C d"], parameters={"wavelength_grid": "common-linear"}
    )
    spectra = []
    for result in results:
        with datamodels.open(result.path) as product:
            spectra.append(np.array(product.wavelength[0]))
    np.testing.assert_array_equal(*spectra)
    np.testing.assert_allclose(np.diff(spectra[0]), np.diff(spectra[0])[0], rtol=1e-3)


def test_files_that_change_are_opened_anew(tmp_path):
    def write(source):
        model = synthetic.multi_slit_model(1, (source,))
        model.save(tmp_path / "one_cal.fits")

    write("A")
    assert resample_sources([tmp_path / "one_cal.fits"], tmp_path)[0].source == "A"
    write("Bcd")
    assert resample_sources([tmp_path / "one_cal.fits"], tmp_path)[0].source == "Bcd"
