"""The driver: rejections, errors, order, what is written."""

from __future__ import annotations

import inspect
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from group_double import group_of
from synthetic_slitlet import make_slitlet

from webbweave.errors import InputError
from webbweave.slit_combine import extract_spectra
from webbweave.slit_combine.extract_plan import (
    FitPlan,
    fit_groups,
    mask_rows,
    order_groups,
    reason_to_reject,
)
from webbweave.slit_combine.mask_bits import MaskBit

TARGET = "1345_933"
GAUSS = {"lookup_prf_type": None, "undo_barshadow": 2}


@pytest.fixture(scope="module")
def mixed(example_files, tmp_path_factory):
    """One good group, one that is rejected, one that fails; what is written."""
    folder = tmp_path_factory.mktemp("products")
    files = [str(path) for path in example_files]
    groups = {"good": files, "single": files[:1], "gone": ["gone_phot.fits", *files[1:]]}
    result = extract_spectra(TARGET, exposure_groups=groups, output_dir=folder / "out", **GAUSS)
    return result, folder


def test_every_group_is_in_the_summary(mixed):
    summary = mixed[0].summary
    assert dict(zip(summary["group"], summary["status"], strict=True)) == {
        "good": "combined",
        "single": "rejected",
        "gone": "failed",
    }
    assert summary["reason"][1] == "one exposure, nothing to subtract"
    assert "gone_phot.fits" in summary["reason"][2]
    assert "Traceback" in summary["traceback"][2]
    assert summary["n_exposure"].tolist() == [3, 1, 3]
    assert summary["n_valid"][0] > 13000
    assert list(mixed[0].groups) == ["good"]


def test_spectrum_of_the_examples(mixed):
    spec = mixed[0].spectra["prism-clear"]["SPEC1D"]
    assert spec.header["EXPTIME"] == pytest.approx(3063.666)
    # H-alpha and [O III] with H-beta at a redshift of 4.23.
    sn = np.nan_to_num(spec.data["flux"] / spec.data["err"])
    for wave in (3.43, 2.62):
        near = np.abs(spec.data["wave"] - wave) < 0.03
        assert sn[near].max() > 25
    assert spec.header["SIGMA"] == pytest.approx(0.57, abs=0.05)


def test_what_is_written(mixed):
    result, folder = mixed
    assert sorted(path.name for path in (folder / "out").iterdir()) == [
        "nirspec_1345_933.extract.ecsv",
        "nirspec_good_1345_933.d2d.png",
        "nirspec_prism-clear_1345_933.flam.png",
        "nirspec_prism-clear_1345_933.fnu.png",
        "nirspec_prism-clear_1345_933.spec.fits",
    ]
    assert sorted(result.files) == sorted((folder / "out").iterdir())
    assert [path.name for path in folder.iterdir()] == ["out"]
    stored = Table.read(folder / "out" / "nirspec_1345_933.extract.ecsv")
    assert stored["reason"][1] == result.summary["reason"][1]
    with fits.open(folder / "out" / "nirspec_prism-clear_1345_933.spec.fits") as hdus:
        flux = result.spectra["prism-clear"]["SPEC1D"].data["flux"]
        np.testing.assert_array_equal(hdus["SPEC1D"].data["flux"], flux)


def test_nothing_is_written_by_default_and_executors_give_the_same(
    mixed, example_files, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    with ThreadPoolExecutor(2) as pool:
        result = extract_spectra(
            TARGET, path_to_files=example_files[0].parent, executor=pool, **GAUSS
        )
    assert not [*tmp_path.iterdir()]
    assert result.files == []
    assert result.summary["group"].tolist() == ["jw01345062001_nrs2_138-prism-clear"]
    want = mixed[0].spectra["prism-clear"]["SPEC1D"].data
    np.testing.assert_array_equal(
        result.spectra["prism-clear"]["SPEC1D"].data["flux"], want["flux"]
    )


def test_errors_are_raised_on_request():
    with pytest.raises(InputError, match=r"gone_phot.fits"):
        extract_spectra(
            TARGET, exposure_groups={"a": ["gone_phot.fits"]}, protect_exception=False, **GAUSS
        )


def test_no_exposures(example_files, tmp_path):
    with pytest.raises(InputError, match=r"no exposure .*9_9.fits in"):
        extract_spectra("9_9", path_to_files=tmp_path)
    with pytest.raises(InputError, match=r"none of 3 exposures is of \['G395M'\]"):
        extract_spectra(TARGET, files=example_files, do_gratings=["G395M"])
    with pytest.raises(ValueError, match="lookup_prf_type"):
        extract_spectra(TARGET, files=example_files, lookup_prf_type="split")
    with pytest.raises(TypeError, match="typo"):
        extract_spectra(TARGET, files=example_files, typo=1)


def test_signature_is_that_of_msaexp():
    parameters = inspect.signature(extract_spectra).parameters
    positional = [p for p in parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert len(positional) == 46
    defaults = {p.name: p.default for p in positional}
    assert defaults["join"] == (0, 3, 5)
    assert defaults["trace_from_yoffset"] is False
    assert defaults["trace_niter"] == 4
    assert defaults["initial_sigma"] == 7
    assert defaults["protect_exception"] is True
    assert parameters["output_dir"].default is None
    assert parameters["executor"].kind is inspect.Parameter.KEYWORD_ONLY


def reject(slitlet, **meta):
    group = group_of(slitlet, **meta)
    return reason_to_reject(group, diffs=True, valid_frac_threshold=0.1), group


def test_rejections():
    assert reject(make_slitlet(1))[0] is None
    assert reject(make_slitlet(1, nods=[2, 2]))[0].startswith("all 2 exposures are at one nod")
    assert reject(make_slitlet(1, n_exposures=1))[0].startswith("one exposure")
    part = reject(make_slitlet(1, bad_fraction=0.92))[0]
    assert part.startswith("0.08")
    assert part.endswith("needs 0.1")
    assert reject(make_slitlet(1, bad_fraction=0.99))[0].endswith("valid pixels, needs 256")
    _, group = reject(make_slitlet(1, n_exposures=1))
    assert reason_to_reject(group, diffs=False, valid_frac_threshold=0.1) is None
    _, group = reject(make_slitlet(1), bad_shutter_names=[-1, 0, 1])
    group.info["shutter_state"] = ["11x", "1x1", "x11"]
    assert reason_to_reject(group, diffs=True, valid_frac_threshold=0.1) == "all 3 shutters are bad"


@pytest.mark.parametrize("kind", ["trace", "fixed", "bkg"])
def test_rows_are_masked(kind):
    group = group_of(make_slitlet(1))
    group.yshutter = group.yslit[:1] + np.zeros((3, 1))
    before, background = group.mask.copy(), group.bkg_mask.copy()
    mask_rows(group, [2, 4], kind)
    place = group.yshutter if kind == "fixed" else group.yslit
    chosen = (place > 2) & (place < 4)
    if kind == "bkg":
        np.testing.assert_array_equal(group.mask, before)
        np.testing.assert_array_equal(group.bkg_mask, background & ~chosen)
    else:
        np.testing.assert_array_equal(group.mask, before & ~chosen)
        assert group.last_bit == MaskBit.CROSS_DISPERSION


def test_rows_that_make_no_sense():
    group = group_of(make_slitlet(1))
    with pytest.raises(ValueError, match="cross_dispersion_mask_type: expected one of trace"):
        mask_rows(group, [2, 4], "rows")
    with pytest.raises(ValueError, match="mask_cross_dispersion"):
        mask_rows(group, [4, 2], "trace")


class Recorder:
    """A group that notes how it is fitted."""

    N, sh, meta = 3, (20, 30), {}
    calc_reference_exposure = 2

    def __init__(self, sn=10.0, grating="PRISM", blocking="CLEAR", error=None):
        self.grating, self.filter, self.sn, self.error = grating, blocking, sn, error
        self.calls = []
        self.fit = None

    def get_trace_sn(self):
        if self.sn is None:
            raise ValueError("no valid pixel")
        return {"sn": np.full(5, self.sn)}

    def fit_params_by_sn(self, **kwargs):
        return None, self.sn, self.sn < 5, 1

    def fit_all_traces(self, **kwargs):
        if self.error:
            raise self.error
        self.calls.append(kwargs)
        self.fit = {2: {"sigma": 0.6, "trace_coeffs": np.array([0.1])}}


def test_order():
    groups = {
        "blue": Recorder(30.0, "G140M", "F100LP"),
        "prism": Recorder(20.0),
        "red": Recorder(None, "G395M", "F290LP"),
    }
    assert order_groups(groups, by_sn=True) == ["prism", "blue", "red"]
    assert order_groups(groups, by_sn=False) == ["red", "blue", "prism"]


def test_the_first_group_is_fitted_and_the_others_follow():
    first, second = Recorder(), Recorder()
    how = fit_groups({"a": first, "b": second}, FitPlan())
    assert how == {"a": "fitted", "b": "evaluated"}
    fitted, evaluated = first.calls[0], second.calls[0]
    assert fitted["degree"] == 0
    assert fitted["initial_sigma"] == 7
    assert fitted["force_positive"] is False
    assert fitted["ref_exp"] == 2
    assert fitted["niter"] == 4
    assert fitted["evaluate"] is False
    assert evaluated["fix_sigma"] == pytest.approx(6.0)
    assert evaluated["x0"] == pytest.approx([0.1])
    assert evaluated["evaluate"] is True


@pytest.mark.parametrize(
    ("plan", "first", "second"),
    [
        ({"recenter_all": True}, {"evaluate": False}, {"evaluate": False, "fix_sigma": 6.0}),
        ({"free_trace_offset": True}, {"ref_exp": None}, {"ref_exp": None}),
        ({"fit_type": 0}, {"force_positive": True}, {"force_positive": True}),
        ({"fix_params": True, "initial_theta": [5, 0.2]}, {"x0": [5, 0.2], "evaluate": True}, {}),
        ({"fix_params": True}, {"x0": [7, 0.0], "evaluate": True}, {"evaluate": True}),
        ({"input_fix_sigma": 3}, {"fix_sigma": 3.0, "evaluate": False}, {"fix_sigma": 6.0}),
        ({"offset_degree": 2, "degree_kwargs": {"tol": 1e-3}}, {"degree": 2, "tol": 1e-3}, {}),
        ({"fit_params_kwargs": {}}, {"degree": 1, "evaluate": False}, {"evaluate": True}),
    ],
)
def test_plans(plan, first, second):
    groups = {"a": Recorder(), "b": Recorder()}
    fit_groups(groups, FitPlan(**plan))
    for group, want in zip(groups.values(), (first, second), strict=True):
        for name, value in want.items():
            assert group.calls[0][name] == (value and pytest.approx(value))


def test_faint_sources_are_not_fitted():
    group = Recorder(sn=2.0)
    fit_groups({"a": group}, FitPlan(fit_params_kwargs={}, initial_theta=[5, 0.0]))
    assert group.calls[0]["evaluate"] is True
    assert group.calls[0]["x0"] == [5, 0.0]


def test_a_group_that_cannot_be_fitted_does_not_stop_the_others():
    groups = {"a": Recorder(error=ValueError("flat")), "b": Recorder()}
    told = []
    how = fit_groups(groups, FitPlan(), lambda key, error: told.append((key, str(error))))
    assert told == [("a", "flat")]
    assert how == {"b": "fitted"}
    with pytest.raises(ValueError, match="flat"):
        fit_groups(groups, FitPlan())


def test_an_error_of_a_whole_mode_is_in_the_summary(example_files):
    bad = {"step": 1, "ny": 13, "wave_sample": -1}
    result = extract_spectra(TARGET, files=example_files, drizzle_kws=bad, **GAUSS)
    assert result.spectra == {}
    assert result.summary["status"].tolist() == ["failed"]
    assert "make no grid" in result.summary["reason"][0]
