"""What jwst and the drizzle package refuse or get wrong, beside what is done here instead.

Most differences are told by their sides under ``compat``; these three cannot be, as webbweave does
not crash. Skipped where jwst is not installed.
"""

from __future__ import annotations

import os

import numpy as np
import pytest
from stdatamodels.jwst import datamodels

# Keep the peer from asking its reference server for parameters.
os.environ.setdefault("STPIPE_DISABLE_CRDS_STEPPARS", "true")

jwst_resample = pytest.importorskip("jwst.resample")
drizzle_package = pytest.importorskip("drizzle.resample")
from stpipe.exceptions import ValidationError  # noqa: E402

from webbweave import ResampleSpecStep  # noqa: E402
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
