"""What jwst and the drizzle package refuse or get wrong, beside what is done here instead.

Most differences are told by their sides under ``compat``. These cannot be: webbweave does not
crash, or it tells in both modes what jwst leaves out. Skipped where jwst is not installed.
"""

from __future__ import annotations

import os

import numpy as np
import pytest
from astropy.table import Table
from dithered_models import exposures
from stdatamodels.jwst import datamodels
from synthetic_image_wcs import SIZE

# Keep the peer from asking its reference server for parameters.
os.environ.setdefault("STPIPE_DISABLE_CRDS_STEPPARS", "true")

jwst_resample = pytest.importorskip("jwst.resample")
jwst_tweakreg = pytest.importorskip("jwst.tweakreg")
drizzle_package = pytest.importorskip("drizzle.resample")
from stpipe.exceptions import ValidationError  # noqa: E402

from webbweave import ResampleSpecStep, TweakRegStep  # noqa: E402
from webbweave.datamodels import tree_of  # noqa: E402
from webbweave.resample.drizzle import drizzle_exposure  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")


def theirs(files, **parameters):
    models = [datamodels.open(file) for file in files]
    return jwst_resample.ResampleSpecStep.call(models, configure_log=False, **parameters)


def ours(files, **parameters):
    files = [str(file) for file in files]
    return ResampleSpecStep.call(files, configure_log=False, **parameters)


def test_d5_no_weights(example_files):
    with pytest.raises(AttributeError, match="startswith"):
        theirs(example_files[:1], weight_type=None)
    for compat in (False, True):
        weight = ours(example_files[:1], weight_type=None, compat=compat).wht
        assert np.median(weight[weight > 0]) == pytest.approx(1.0, rel=0.1)


def test_d20_fillval_as_a_number(example_files):
    with pytest.raises(ValidationError, match=r"fillval.*wrong type"):
        theirs(example_files[:1], fillval=0.5)
    text = theirs(example_files[:1], fillval="0.5")
    for compat in (False, True):
        product = ours(example_files[:1], fillval=0.5, compat=compat)
        assert (product.data[product.wht == 0] == 0.5).all()
    assert (text.data[text.wht == 0] == 0.5).all()


def test_d24_counts_below_none():
    y, x = np.indices((20, 20), dtype=float)
    maps = 0.3 * x + 3.4, 0.3 * y
    ones = np.ones(x.shape, dtype=np.float32)
    package = drizzle_package.Drizzle(kernel="square", out_shape=x.shape)
    missed, _ = package.add_image(
        ones, exptime=1.0, pixmap=np.stack(maps, axis=-1), weight_map=ones, in_units="cps"
    )
    assert missed < 0
    # The pixels are 0.3 cells wide and all on the grid: nothing is missed, as the weights tell.
    ours = drizzle_exposure({"data": ones}, ones, maps, x.shape)
    assert ours.weight.sum() == pytest.approx(400.0, rel=1e-12)
    assert package.out_wht.sum() == pytest.approx(400.0, rel=1e-5)


def aligned(step, field, **options):
    """Copies of the images of a field, aligned by a step of either package."""
    result = step(use_custom_catalogs=True, **options).run([m.copy() for m in field.models])
    if isinstance(result, list):
        return result
    with result:
        models = [result.borrow(k) for k in range(len(field.models))]
        for k, model in enumerate(models):
            result.shelve(model, k, modify=False)
    return models


def test_a15_a21_what_jwst_stores_of_a_fit(tmp_path, caplog):
    field = exposures(tmp_path, 2, n_star=200)
    options = {"sigma": 1.5, "nclip": 1}
    with caplog.at_level("INFO"):
        product = aligned(jwst_tweakreg.TweakRegStep, field, **options)[1]
    known = field.models[1].to_flat_dict(include_arrays=False)
    found = product.to_flat_dict(include_arrays=False)
    changed = {name for name, value in found.items() if known.get(name) != value}
    assert "meta.cal_step.tweakreg" in changed
    # The WCS, the status and the log, in which matches and rms are: no other place has them.
    places = {name.split(".")[1] if name.startswith("meta") else name[:8] for name in changed}
    assert places == {
        *("cal_logs", "group_id", "wcs", "asn", "wcsinfo", "cal_step"),
        *("calibration_software_version", "calibration_software_revision"),
    }
    assert "Found 178 matches" in caplog.text
    assert "based on 159 objects" in caplog.text
    for compat, matched, used in ((True, 178, 159), (False, 191, 170)):
        product = aligned(TweakRegStep, field, compat=compat, **options)[1]
        values = tree_of(product)["meta"]["tweakreg"]
        assert (values["relative_n_matched"], values["relative_n_used"]) == (matched, used)
        assert 0.005 < values["relative_rms"] < 0.0055


def test_a18_a20_what_jwst_makes_of_the_wcs(tmp_path):
    field = exposures(tmp_path, 2, n_star=200)
    path = tmp_path / "my_stars.ecsv"
    field.reference.write(path)
    wcs = aligned(jwst_tweakreg.TweakRegStep, field, abs_refcat=str(path))[1].meta.wcs
    assert wcs.pixel_shape is None
    assert wcs.name == f"FIT-LVL3-{path}"
    wcs = aligned(TweakRegStep, field, abs_refcat=str(path))[1].meta.wcs
    assert wcs.pixel_shape == (SIZE, SIZE)
    assert wcs.name == "FIT-LVL3-my_stars"


def test_a23_jwst_and_a_first_image_with_few_stars(tmp_path):
    field = exposures(tmp_path, 4, n_star=300, dither=1.0, seed=5)
    stars = Table.read(field.catalogs[0])[::10]
    stars.write(field.catalogs[0], format="ascii.ecsv", overwrite=True)
    products = aligned(jwst_tweakreg.TweakRegStep, field)
    np.testing.assert_array_equal(
        products[0].meta.wcs(1.0, 2.0), field.models[0].meta.wcs(1.0, 2.0)
    )
    assert field.scatter(products[1:], 1) > 0.6
    assert field.scatter(aligned(TweakRegStep, field, method="joint")[1:], 1) < 0.45
