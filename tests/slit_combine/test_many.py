"""Many sources: paths in, paths out, and the slit that tables are chosen for."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from slit_arrays import group_arrays
from synthetic_slitlet import make_slitlet

from webbweave.datamodels import get_path, read_model, tree_of
from webbweave.datamodels.reading import read_tree_of
from webbweave.slit_combine import LookupTablePSF, extract_sources, extract_spectra, reference
from webbweave.slit_combine.geometry import trace_line
from webbweave.slit_combine.inputs import slit_of
from webbweave.slit_combine.many import ExtractTask, extract_one_source

QUICK = {"lookup_prf_type": None, "fix_params": True, "make_2d_plots": False}


def test_sources_in_threads_are_those_of_one_after_the_other(example_files, tmp_path):
    files = [str(path) for path in example_files]
    sources = {"one": files, "gone": ["gone_phot.fits"], "two": files[::-1]}
    serial = list(extract_sources(sources, tmp_path / "a", **QUICK))
    with ThreadPoolExecutor(2) as pool:
        threads = list(extract_sources(sources, tmp_path / "b", executor=pool, **QUICK))
    assert [result.target for result in serial] == list(sources)
    for one, other in zip(serial, threads, strict=True):
        assert [path.name for path in one.paths] == [path.name for path in other.paths]
        for path, beside in zip(one.paths, other.paths, strict=True):
            assert path.read_bytes() == beside.read_bytes()
    assert serial[0].groups[0][1] == "combined"
    assert serial[0].seconds > 0
    assert [bool(result.failure) for result in serial] == [False, True, False]
    assert "gone_phot.fits" in serial[1].failure


def test_sources_in_processes_are_those_of_one_after_the_other(example_files, tmp_path):
    files = [str(path) for path in example_files]
    sources = {"one": files, "gone": ["gone_phot.fits"], "two": files[:2]}
    serial = list(extract_sources(sources, tmp_path / "a", **QUICK))
    processes = list(extract_sources(sources, tmp_path / "b", maximum_cores=2, **QUICK))
    assert [result.target for result in processes] == list(sources)
    for one, other in zip(serial, processes, strict=True):
        for path, beside in zip(one.paths, other.paths, strict=True):
            assert path.read_bytes() == beside.read_bytes()
    assert [bool(result.failure) for result in processes] == [False, True, False]


def test_tasks_and_results_travel(tmp_path):
    task = ExtractTask("none", ("none_phot.fits",), str(tmp_path), QUICK)
    result = pickle.loads(pickle.dumps(extract_one_source(pickle.loads(pickle.dumps(task)))))
    assert result.failure
    assert result.paths == ()


def test_a_fixed_slit_has_its_own_tables(example_files):
    slitlet = make_slitlet(2, fixed_slit=True, shape=(25, 64), scale=3.0)
    arrays = group_arrays(slitlet)
    assert slit_of(arrays[0]) == "S200A1"
    assert slit_of(str(example_files[0])) == "S200A1"
    for exposure in arrays:
        exposure["name"] = "S1600A1"
    assert slit_of(arrays[0]) == "S1600A1"
    made = extract_spectra("star", exposure_groups={"a": arrays}, fix_params=True)
    (entry,) = made.groups.values()
    psf = entry["obj"].lookup_prf
    assert psf.tables.profile is reference.lookup_tables("s1600a1").profile
    own = LookupTablePSF(slit="S1600A1")
    np.testing.assert_array_equal(psf.plane(0.5), own.plane(0.5))
    given = extract_spectra(
        "star", exposure_groups={"a": arrays}, fix_params=True, group_kws={"lookup_prf": None}
    )
    assert given.groups["a"]["obj"].lookup_prf is None


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_trace_line_interpolates_each_column(sign):
    rng = np.random.default_rng(4)
    ny, nx = 12, 30
    slit_y = np.arange(ny)[:, None] * 0.2 - 1.1 + 0.01 * rng.random((ny, nx))
    slit_y[:2, 3:9] = np.nan
    slit_y[-3:, 20:] = np.nan
    slit_y[:, 11] = np.nan
    slit_y[5, 13] = np.nan  # a gap
    slit_y[4, 15] = slit_y[3, 15]  # no rise
    slit_y[:-1, 17] = np.nan  # one pixel
    wave = 1.0 + rng.random((ny, nx))
    for place in (-9.0, -0.3, 0.0, slit_y[6, 2], 9.0):
        row, lam = trace_line(sign * slit_y, wave, sign * place)
        for column in range(nx):
            index = np.flatnonzero(np.isfinite(slit_y[:, column]))
            if not index.size:
                assert np.isnan(row[column])
                continue
            known = slit_y[index, column]
            assert row[column] == np.interp(place, known, index.astype(float))
            assert lam[column] == np.interp(place, known, wave[index, column])


def test_a_tree_without_a_model_is_that_of_the_model(example_files):
    tree = read_tree_of(example_files[0])
    of_model = tree_of(read_model(example_files[0], lazy_wcs=True))
    for name in ("meta.filename", "meta.instrument.grating", "source_name", "meta.dither.y_offset"):
        assert get_path(tree, name) == get_path(of_model, name)
    for name in ("data", "dq", "var_rnoise", "barshadow"):
        np.testing.assert_array_equal(tree[name], of_model[name])
