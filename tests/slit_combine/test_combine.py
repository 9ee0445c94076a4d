"""Combined groups: truth, header, product, parity."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from group_double import group_of, stored_group
from synthetic_slitlet import make_slitlet

from webbweave.datamodels.spectra import exposure_header, save_spectrum
from webbweave.errors import InputError, OutputError, WeaveError
from webbweave.slit_combine import (
    DRIZZLE_KWS,
    LookupTablePSF,
    combine_grating_group,
    drizzle_grating_group,
    obj_header,
)

NAMES = [
    "PRIMARY", "SPEC1D", "SCI", "WHT", "PROFILE", "PROF1D", "BACKGROUND", "VARIANCE", "CORR_UP",
    "PIXTAB", "SLITS",
]  # fmt: skip
SMALL = {"step": 1, "wave_sample": 0.05, "ny": 8}


@pytest.fixture(scope="module")
def group():
    return group_of(make_slitlet(4))


def flat_flux(wave):
    return 2.0 + 0.0 * wave


def combined(group, **kws):
    return combine_grating_group({"a": {"obj": group, "fit": group.fit}}, ["a"], **kws)


def bins_with_pixels(spec):
    return np.asarray(spec["npix"]) > 20


@pytest.mark.parametrize("grating", ["PRISM", "G395M"])
def test_flux_without_noise_is_the_truth(grating):
    group = group_of(make_slitlet(None, grating=grating, flux=flat_flux, n_exposures=4))
    spec = drizzle_grating_group({"a": group}, ["a"], wave_sample=0.05)[6]
    used = bins_with_pixels(spec)
    assert used.sum() > 10
    np.testing.assert_allclose(spec["flux"][used], 2.0, rtol=1e-6)


@pytest.mark.parametrize("diffs", [True, False])
def test_errors_are_those_of_noise(diffs):
    """Without differences pixels are independent; with them noise of a nod is in all three."""
    pulls = []
    for seed in range(40):
        group = group_of(make_slitlet(seed, flux=flat_flux, gain=1e4), diffs=diffs)
        spec = drizzle_grating_group({"a": group}, ["a"], wave_sample=0.05)[6]
        used = bins_with_pixels(spec)
        pulls.append(np.asarray((spec["flux"] - 2.0) / spec["err"])[used])
    pulls = np.concatenate(pulls)
    assert abs(pulls.mean()) < 0.12
    if not diffs:
        assert pulls.std() == pytest.approx(1.0, abs=0.08)
    else:
        assert 0.8 < pulls.std() < 1.6


def test_image_conserves_what_the_pixels_have(group):
    made = drizzle_grating_group({"a": group}, ["a"], wave_sample=0.3, ny=20)
    pixels, (num, vnum, den, ntot) = made[5], made[7]
    weight = 1 / pixels["var_rnoise"]
    assert np.abs(pixels["yslit"]).max() < 20
    assert den.sum() == pytest.approx(weight.sum(), rel=1e-10)
    assert num.sum() == pytest.approx((weight * pixels["sci"]).sum(), abs=1e-12 * den.sum())
    assert vnum.sum() == pytest.approx((weight**2 * pixels["var_total"]).sum(), rel=1e-10)
    assert ntot.sum() == pytest.approx(len(pixels), rel=1e-10)
    sky, profile = made[8], made[9]
    np.testing.assert_array_equal(sky[2], den)
    assert profile[0].sum() == pytest.approx(
        (weight * pixels["profile"]).sum(), abs=1e-12 * den.sum()
    )


def test_path_loss_is_corrected(group):
    plain = drizzle_grating_group({"a": group}, ["a"], wave_sample=0.05)[6]
    group = group_of(make_slitlet(4))
    group.lookup_prf = LookupTablePSF()
    made = drizzle_grating_group({"a": group}, ["a"], wave_sample=0.05)
    spec = made[6]
    used = bins_with_pixels(spec)
    ratio = (spec["flux"] / plain["flux"])[used]
    np.testing.assert_allclose(ratio, spec["path_corr"][used], rtol=0.02)
    assert (ratio > 1.02).all()
    assert made[3]["WITHPATH"] is True
    without = drizzle_grating_group({"a": group}, ["a"], wave_sample=0.05, with_pathloss=False)
    np.testing.assert_allclose(without[6]["flux"][used], plain["flux"][used])


def test_product(group, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hdus = combined(group, drizzle_kws=SMALL)
    assert [hdu.name for hdu in hdus] == NAMES
    assert not [*tmp_path.iterdir()]
    sci, wht = hdus["SCI"].data, hdus["WHT"].data
    assert sci.shape == wht.shape == (17, hdus["SPEC1D"].header["NAXIS2"])
    known = wht > 0
    variance, above = hdus["VARIANCE"].data, hdus["CORR_UP"].data
    assert (variance[known] <= 1 / wht[known] * (1 + 1e-12)).all()
    assert (1 / wht[known] / variance[known]).max() > 1.5  # what the weights overestimate it by
    assert (above[np.isfinite(above)] <= 1 + 1e-12).all()
    assert np.isnan(sci[~known]).all()
    sci[0, 0] = 3.0  # arrays may be changed
    assert hdus["SCI"].data[0, 0] == 3.0

    path = save_spectrum(hdus, tmp_path / "out" / "a.spec.fits")
    assert [*tmp_path.rglob("*")] == [path.parent, path]
    with fits.open(path) as stored:
        stored.verify("exception")
        assert [hdu.name for hdu in stored] == NAMES
        assert stored["SCI"].header["BUNIT"] == "microJansky"
        np.testing.assert_array_equal(stored["WHT"].data, wht)
    spec = Table.read(path, hdu="SPEC1D")
    assert str(spec["flux"].unit) == "uJy"
    assert spec.colnames[:4] == ["wave", "flux", "err", "sky"]
    slits = Table.read(path, hdu="SLITS")
    assert slits["shutter_state"][0] == "1x1"
    assert len(Table.read(path, hdu="PIXTAB")) == hdus["PIXTAB"].header["NAXIS2"]
    with pytest.raises(OutputError, match=r"a.spec.fits"):
        save_spectrum(hdus, path / "b.fits")


def test_product_opens_in_specutils(group, tmp_path):
    specutils = pytest.importorskip("specutils")
    path = save_spectrum(combined(group, drizzle_kws=SMALL), tmp_path / "a.spec.fits")
    spectrum = specutils.Spectrum.read(path, format="tabular-fits", hdu=1)
    assert spectrum.flux.unit == "uJy"
    assert spectrum.spectral_axis.unit == "um"


def test_table_of_pixels_and_background_are_optional(group):
    names = [h.name for h in combined(group, drizzle_kws=SMALL, include_full_pixtab=[])]
    assert "PIXTAB" not in names
    bare = group_of(make_slitlet(4), diffs=False)
    bare.sky_background = np.zeros(bare.mask.shape)
    assert "BACKGROUND" not in [h.name for h in combined(bare, drizzle_kws=SMALL)]


def test_mean_profile_is_that_of_the_source():
    group = group_of(make_slitlet(None, flux=flat_flux, center=(0.0,)))
    prof = combined(group, drizzle_kws=SMALL)["PROF1D"].data
    middle = np.argmax(prof["profile"])
    assert prof["pix"][middle] == 0
    np.testing.assert_allclose(prof["profile"], prof["pfit"], atol=1e-6)
    assert prof["profile"][middle - 2 : middle + 3].sum() == pytest.approx(1, abs=0.05)


def test_rows_are_less_blurred_than_in_msaexp():
    rms = []
    for compat in (False, True):
        group = group_of(make_slitlet(None, flux=flat_flux), diffs=False)
        group.compat = compat
        prof = combined(group, drizzle_kws=SMALL)["PROF1D"].data
        weights = np.where(np.abs(prof["pix"]) <= 5, prof["pfit"], 0)
        rms.append(np.sqrt((weights * prof["pix"] ** 2).sum() / weights.sum()))
    assert rms[1] ** 2 - rms[0] ** 2 == pytest.approx(0.461**2 - 0.231**2, rel=0.25)


def test_two_groups_add_up(group):
    other = group_of(make_slitlet(5), name="other")
    other.info["filename"] = [f"jw01345063001_03101_{i:05d}_nrs1_phot.1.fits" for i in range(3)]
    xobj = {"a": group, "b": other}
    one = drizzle_grating_group(xobj, ["a"], wave_sample=0.05)
    both = drizzle_grating_group(xobj, ["a", "b"], wave_sample=0.05)
    used = bins_with_pixels(one[6])
    gain = (one[6]["err"] / both[6]["err"])[used]
    np.testing.assert_allclose(gain, np.sqrt(2), rtol=0.1)
    assert set(both[5]["exposure_index"]) == set(range(6))
    assert len(both[4]) == 6
    assert both[3]["NCOMBINE"] == 6
    assert both[3]["EXPTIME"] == 6000.0


def test_header_is_the_same_on_a_second_call(group):
    first, second = obj_header(group), obj_header(group)
    assert first["EXPTIME"] == second["EXPTIME"] == 3000.0
    assert list(first.items()) == list(second.items())
    hdus = [combined(group, drizzle_kws=SMALL)["SPEC1D"].header["EXPTIME"] for _ in range(2)]
    assert hdus == [3000.0, 3000.0]


def test_both_detectors_of_an_exposure_count_once():
    group = group_of(make_slitlet(1, n_exposures=4))
    group.info["filename"] = [
        f"jw01345062001_03101_{i:05d}_nrs{k}_phot.1.fits" for i in (1, 2) for k in (1, 2)
    ]
    header = obj_header(group)
    assert header["EXPTIME"] == 2000.0
    assert header["NCOMBINE"] == 4


def test_width_in_the_header_is_that_of_the_reference():
    """In msaexp it is that of whichever group came first."""
    group = group_of(make_slitlet(1))
    group.fit = {exp: dict(group.fit[exp]) for exp in (1, 2, 3)}
    for exp in (1, 2, 3):
        group.fit[exp]["sigma"] = exp / 10
    header = obj_header(group)
    assert header["CALCREF"] == 2
    assert header["SIGMA"] == pytest.approx(0.2)
    assert [header[f"SIGMA{i}"] for i in range(3)] == pytest.approx([0.1, 0.2, 0.3])
    assert [header[f"EGROUP{i}"] for i in range(3)] == [1, 2, 3]
    assert header["SIGERR1"] == pytest.approx(0.01)
    assert header["OFFD0"] == 0
    assert header["OFFC2_0"] == pytest.approx(0.3)
    assert header["OFFE2_0"] == pytest.approx(0.02)
    group.compat = True
    assert obj_header(group)["SIGMA"] == pytest.approx(0.1)


def test_options_are_in_the_header():
    group = group_of(make_slitlet(1), bad_shutter_names=[1, -1], odd=None, ratio=np.nan)
    group.meta_comment = {"weight_type": "Weights " + "and more " * 12}
    header = obj_header(group)
    assert header["WEIGHT_TYPE"] == "ivm"
    assert header["NBADSHUT"] == 2
    assert header["RATIO"] == "nan"
    assert header["ODD"] == "None"
    assert header["SHUTTRQ"] == 2
    assert "BAD_SHUTTER_NAMES" not in header
    with pytest.raises(IndexError, match="exposure 3 is not among 3"):
        obj_header(group, 3)


def test_header_of_an_exposure(example_files, tmp_path):
    header = exposure_header(example_files[0])
    with fits.open(example_files[0]) as hdus:
        for key in ("TARGNAME", "GRATING", "PROGRAM"):
            assert header[key] == hdus[0].header[key]
        assert header["SRCNAME"] == hdus["SCI"].header["SRCNAME"]
        assert header["S_REGION"] == hdus["SCI"].header["S_REGION"]  # a continued card
    assert not {"SIMPLE", "XTENSION", "NAXIS1", "EXTNAME"} & set(header)
    with pytest.raises(InputError, match=r"none.fits: no such file"):
        exposure_header(tmp_path / "none.fits")
    fits.PrimaryHDU(np.ones((2, 2))).writeto(tmp_path / "bare.fits")
    with pytest.raises(InputError, match=r"bare.fits: has no extension SCI"):
        exposure_header(tmp_path / "bare.fits")
    second = fits.HDUList(
        [fits.PrimaryHDU(), fits.ImageHDU(np.ones(3), name="ERR"), fits.ImageHDU(name="SCI")]
    )
    second["SCI"].header["SLTNAME"] = "7"
    second.writeto(tmp_path / "second.fits")
    assert exposure_header(tmp_path / "second.fits")["SLTNAME"] == "7"


def test_bad_input(group):
    with pytest.raises(KeyError, match="there is no 'b', only"):
        combined(group, drizzle_kws=SMALL) and combine_grating_group({"a": group}, ["b"])
    with pytest.raises(ValueError, match="at least one key"):
        combine_grating_group({"a": group}, [])
    other = group_of(make_slitlet(1, grating="G395M"))
    with pytest.raises(ValueError, match=r"expected one grating and filter, found .*G395M"):
        combine_grating_group({"a": group, "b": other}, ["a", "b"])
    with pytest.raises(ValueError, match="weight_type"):
        combined(group_of(make_slitlet(1), weight_type="snr"))
    with pytest.raises(TypeError, match="stepp"):
        combined(group, drizzle_kws={"stepp": 1})
    empty = group_of(make_slitlet(1))
    empty.mask = np.zeros_like(empty.mask)
    with pytest.raises(WeaveError, match="src: no valid pixel to combine"):
        combined(empty)


def test_defaults_cannot_be_changed():
    with pytest.raises(TypeError):
        DRIZZLE_KWS["step"] = 2
    with pytest.raises(TypeError):
        DRIZZLE_KWS["dkws"]["oversample"] = 2


def test_unmasked_table_gives_the_same_spectrum(group):
    kept = drizzle_grating_group({"a": group}, ["a"], wave_sample=0.05)
    full = drizzle_grating_group({"a": group}, ["a"], wave_sample=0.05, pixtab_with_mask=False)
    assert len(full[5]) == group.mask.size
    np.testing.assert_array_equal(full[6]["flux"], kept[6]["flux"])


def test_parity(shared_dir):
    group = stored_group(shared_dir)
    stored = np.load(shared_dir / "oracle/slit_combine/07_combine_gauss.npz")
    made = drizzle_grating_group({"a": {"obj": group, "fit": group.fit}}, ["a"])
    for name, found in (("wave_bin", made[0]), ("xbin", made[1]), ("ybin", made[2])):
        np.testing.assert_allclose(found, stored[name], rtol=1e-12)
    for name in made[6].colnames:
        np.testing.assert_allclose(made[6][name], stored[f"oned_{name}"], rtol=1e-9)
    for name, sums in (("sci", made[7]), ("bkg", made[8]), ("prof", made[9])):
        for key, found in zip(("num", "vnum", "den", "ntot"), sums, strict=True):
            want = stored[f"{name}_{key}"]
            np.testing.assert_allclose(found, want, rtol=1e-9, atol=1e-12 * np.abs(want).max())
    assert made[3]["EXPTIME"] == pytest.approx(3063.666)
    hdus = combined(group)
    assert [h.name for h in hdus if h.name in NAMES[7:9]] == []
    with np.errstate(all="ignore"):
        image = stored["sci_num"] / stored["sci_den"]
        inverse = stored["sci_den"] ** 2 / stored["sci_vnum"]
    # Cells without a pixel are 0 in msaexp, and their weight is not a number; here the other way.
    empty = np.isnan(image)
    assert empty.sum() > 1000
    np.testing.assert_allclose(hdus["SCI"].data, np.where(empty, 0.0, image), rtol=1e-9)
    np.testing.assert_allclose(hdus["WHT"].data, inverse, rtol=1e-9)
