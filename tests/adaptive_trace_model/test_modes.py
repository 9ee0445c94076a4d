"""The tables of the instrument modes."""

from __future__ import annotations

import numpy as np
import pytest

from webbweave.adaptive_trace_model import trace_model
from webbweave.adaptive_trace_model.modes import fit_setup, oversample_setup

KEYS = [
    "lrange",
    "col_index",
    "space_ratio",
    "sigma_low",
    "sigma_high",
    "fit_iter",
    "spline_bkpt",
    "require_ngood",
    "auto_bkpt_factor",
    "auto_ngood_factor",
]
UP, DOWN = list(range(9)), list(range(8, -1, -1))
HALVES = [0, 1, 2, 3, 4, 8, 7, 6, 5]


@pytest.mark.parametrize(
    ("mode", "detector", "grating", "values"),
    [
        ("NRS_IFU", "NRS1", "G140H", [50, UP, 1.6, 2.5, 2.5, 3, None, None, 2.0, 0.5]),
        ("NRS_MOS", "NRS2", "G395M", [50, DOWN, 1.6, 2.5, 2.5, 3, None, None, 2.0, 0.5]),
        ("NRS_SLIT", "NRS1", "PRISM", [10, UP, 1.6, 2.5, 2.5, 3, None, None, 1.0, 0.25]),
        ("NRS_SLIT", "NRS2", "PRISM", [10, DOWN, 1.6, 2.5, 2.5, 3, None, None, 1.0, 0.25]),
        ("MIR_MRS", "MIRIFUSHORT", None, [50, HALVES, 1.2, 2.5, 2.5, 3, 36, 8, None, None]),
        ("MIR_LRS_SLIT", "MIRIMAGE", None, [5, DOWN, 1.2, 3.0, 3.0, 3, 40, 8, None, None]),
        ("MIR_LRS_SLITLESS", "MIRIMAGE", None, [5, DOWN, 1.2, 3.0, 3.0, 2, 60, 8, None, None]),
    ],
)
def test_arguments_of_the_fit(mode, detector, grating, values):
    found = trace_model._set_fit_kwargs(mode, detector, grating, 9)
    assert list(found) == KEYS
    assert [value.tolist() if key == "col_index" else value for key, value in found.items()] == (
        values
    )


@pytest.mark.parametrize("width", [1, 2, 9, 10, 1024])
@pytest.mark.parametrize("mode", ["MIR_MRS", "MIR_LRS_SLIT"])
def test_each_column_comes_once(mode, width):
    columns = fit_setup(mode, "MIRIFULONG", None).columns(width)
    np.testing.assert_array_equal(np.sort(columns), np.arange(width))


@pytest.mark.parametrize(
    ("mode", "detector", "pad", "trim"),
    [
        ("NRS_IFU", "NRS1", 2, True),
        ("NRS_SLIT", "NRS2", 1, True),
        ("NRS_MOS", "NRS1", 1, True),
        ("MIR_MRS", "MIRIFULONG", 3, False),
        ("MIR_LRS_SLIT", "MIRIMAGE", 3, False),
    ],
)
def test_arguments_of_oversampling(mode, detector, pad, trim):
    found = trace_model._set_oversample_kwargs(mode, detector)
    assert list(found.items()) == [("pad", pad), ("trim_ends", trim), ("require_ngood", 3)]


@pytest.mark.parametrize("detector", ["NIS", "NRCA1", ""])
def test_unknown_detectors(detector):
    with pytest.raises(ValueError, match=f"Unknown detector {detector!r}"):
        fit_setup("MIR_MRS", detector, None)
    with pytest.raises(ValueError, match="Unknown detector"):
        oversample_setup("MIR_MRS", detector)


def test_unknown_mode_of_miri():
    with pytest.raises(ValueError, match="Unknown detector and mode 'MIRIMAGE', 'MIR_WFSS'"):
        fit_setup("MIR_WFSS", "MIRIMAGE", None)
