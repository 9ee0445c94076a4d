"""The step against stored results of jwst 3.0.0, on images of stars, and against the truth."""

from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest

from webbweave.tweakreg import TweakRegStep

#: What the stored results are good for [mas].
TOLERANCE = 0.02


@pytest.fixture(scope="module")
def stored(shared_dir):
    folder = shared_dir / "oracle" / "tweakreg"
    if not (folder / "scene.py").is_file():
        pytest.skip("needs the stored results of jwst")
    spec = importlib.util.spec_from_file_location("stored_scene", folder / "scene.py")
    scene = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(scene)
    with np.load(folder / "e2e_summary.npz") as file:
        arrays = {name: file[name] for name in file.files}
    meta = json.loads(str(arrays.pop("meta")))
    models, truth, _, _ = scene.make(**meta["make"])
    return scene, arrays, meta, models, truth


def test_positions_are_those_of_jwst(stored):
    _, arrays, meta, models, _ = stored
    result = TweakRegStep(compat=True, **meta["params"]).run(models)
    nodes = np.linspace(20, meta["make"]["size"] - 20, 15)
    x, y = (axis.ravel() for axis in np.meshgrid(nodes, nodes))
    for index, (model, expected) in enumerate(zip(result, meta["images"], strict=True)):
        ra, dec = model.meta.wcs(x, y)
        east = (ra - arrays[f"ra{index}"].ravel()) * np.cos(np.deg2rad(dec))
        north = dec - arrays[f"dec{index}"].ravel()
        assert 3.6e6 * np.hypot(east, north).max() < TOLERANCE
        assert model.meta.cal_step.tweakreg == expected["status"]
        assert model.meta.wcs.available_frames == expected["frames"]
        assert model.meta.wcsinfo.s_region == expected["s_region"]


def test_positions_are_right_by_default(stored):
    """jwst leaves errors of up to 3 mas here."""
    scene, _, meta, models, truth = stored
    result = TweakRegStep(**meta["params"]).run(models)
    for model, true in zip(result, truth, strict=True):
        error = scene.residual(model.meta.wcs, true, meta["make"]["size"])
        assert np.sqrt(np.mean(np.sum(np.square(error), axis=0))) < 0.05


@pytest.mark.parametrize("n", [4, 16])
def test_no_bias_against_a_catalog(stored, tmp_path, n):
    """The joint catalog of jwst is biased by 1.6 mas (4 images) or 2.7 mas (16)."""
    scene = stored[0]
    rng = np.random.default_rng(n)
    errors = np.column_stack([rng.uniform(-0.3, 0.3, (n, 2)), rng.uniform(-0.01, 0.01, n)])
    models, truth, reference = scene.make_catalogs(
        tmp_path, n=n, stars=900, seed=n, errors=errors, size=2048
    )
    step = TweakRegStep(use_custom_catalogs=True, abs_refcat=reference, sip_approx=False)
    result = step.run(models)
    residuals = np.array(
        [
            scene.residual(model.meta.wcs, true, 2048)
            for model, true in zip(result, truth, strict=True)
        ]
    )
    bias = residuals.mean(axis=(0, 2))
    assert np.abs(bias).max() < 0.1
    assert np.sqrt(np.mean(np.sum(residuals**2, axis=1))) < 0.2
