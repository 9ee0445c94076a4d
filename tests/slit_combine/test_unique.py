"""Distinct values and their rows."""

from __future__ import annotations

import numpy as np
import pytest

from webbweave.slit_combine.unique import Unique


@pytest.mark.parametrize("column", [[2, 3, 1, 2], ["b", "c", "a", "b"], np.array([2.0, 3, 1, 2])])
def test_values_rows_and_counts(column):
    found = Unique(column)
    assert found.values == sorted(set(column))
    assert found.indices.tolist() == [1, 2, 0, 1]
    assert found.counts == [1, 2, 1]
    assert found.N == len(found) == 3
    assert list(found) == found.values
    assert found[column[0]].tolist() == [True, False, False, True]
    assert column[1] in found
    assert "Unique" in repr(found)


def test_what_is_not_there():
    with pytest.raises(KeyError, match=r"7 is none of the values \[1, 2\]"):
        _ = Unique([1, 2])[7]
    with pytest.raises(ValueError, match="one column"):
        Unique([[1, 2]])
    assert Unique([]).N == 0
