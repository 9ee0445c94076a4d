"""Memory of arrays that are mapped from files is given back, and their content is not lost."""

from __future__ import annotations

import mmap
from pathlib import Path

import numpy as np
import pytest
from stdatamodels.jwst.datamodels import ImageModel

from webbweave.datamodels import read_model, release, tree_of


def resident(array):
    """Kilobytes of the mapping of an array that are in memory."""
    start = f"{array.__array_interface__['data'][0]:x}"
    with Path("/proc/self/smaps").open() as stream:
        inside = False
        for line in stream:
            first = line.split()[0]
            if "-" in first and not first.endswith(":"):
                low, high = (int(part, 16) for part in first.split("-"))
                inside = low <= int(start, 16) < high
            elif inside and first == "Rss:":
                return int(line.split()[1])
    return 0


@pytest.mark.skipif(not hasattr(mmap, "MADV_DONTNEED"), reason="no such advice on this system")
def test_pages_of_a_plane_are_released(tmp_path):
    model = ImageModel((600, 700))
    model.data = np.arange(600 * 700, dtype=np.float32).reshape(600, 700)
    model.err = model.data + 1
    model.save(tmp_path / "a_cal.fits")
    tree = tree_of(read_model(tmp_path / "a_cal.fits"))
    total = tree["data"].sum() + tree["err"].sum()
    before = resident(tree["data"])
    release(tree["data"])
    after = resident(tree["data"])
    assert before - after > 0.9 * tree["data"].nbytes / 1024
    assert tree["data"].sum() + tree["err"].sum() == total
    np.testing.assert_array_equal(tree["data"], model.data)


def test_other_arrays_are_left_alone():
    array = np.arange(100_000.0)
    for item in (array, array[::2], None, "text"):
        release(item)
    np.testing.assert_array_equal(array, np.arange(100_000.0))
