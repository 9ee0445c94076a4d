"""The step under compat beside jwst itself, on catalogs of dithered exposures."""

from __future__ import annotations

import numpy as np
import pytest
from dithered_models import exposures

from webbweave.tweakreg import TweakRegStep

jwst_step = pytest.importorskip("jwst.tweakreg").TweakRegStep

X, Y = (axis.ravel() for axis in np.meshgrid(*[np.linspace(20, 1000, 5)] * 2))
#: The bounds on shapes that catalogs without images do not need, alike for both.
BOTH = {"use_custom_catalogs": True, "abs_separation": 1.0}


@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize(
    ("field", "options"),
    [
        ({}, {}),
        ({"n": 4, "shift": 1.0}, {"fitgeometry": "general", "abs_fitgeometry": "rscale"}),
        ({"n_star": 12, "n": 2}, {}),
        ({"n": 1}, {}),
        ({"n": 3, "shifts": [(0, 0), (3.4, 0), (0.1, 0)]}, {"nclip": 2}),
        (
            {"n": 4, "dither": 20.0},
            {
                "expand_refcat": True,
                "enforce_user_order": True,
                "tolerance": 0.9,
                "separation": 1.5,
            },
        ),
    ],
)
def test_positions_and_status(tmp_path, monkeypatch, field, options, absolute):
    monkeypatch.setenv("STPIPE_DISABLE_CRDS_STEPPARS", "true")
    scene = exposures(tmp_path, **field)
    reference = tmp_path / "reference.ecsv"
    scene.reference.write(reference)
    options = BOTH | options | ({"abs_refcat": str(reference)} if absolute else {})
    ours = TweakRegStep(compat=True, **options).run(scene.models)
    theirs = jwst_step(**options).run([model.copy() for model in scene.models])
    with theirs:
        for index, model in enumerate(theirs):
            expected = np.array(model.meta.wcs(X, Y))
            found = np.array(ours[index].meta.wcs(X, Y))
            np.testing.assert_allclose(found, expected, rtol=0, atol=0.02 / 3.6e6)
            assert ours[index].meta.cal_step.tweakreg == model.meta.cal_step.tweakreg
            theirs.shelve(model, index, modify=False)
