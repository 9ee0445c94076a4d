"""Cards as text are those that astropy writes."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from webbweave.columns import Columns, stack_columns
from webbweave.datamodels.cards import CardTexts


@pytest.mark.parametrize("comment", ["", "of the exposure"])
@pytest.mark.parametrize(
    "value",
    [
        *(True, False, 0, -7, 2**40, 1.0, -0.25, 1e-30, 2.5e17, 1 / 3, -123456.7890123456789),
        *("", "a", "exactly8", "it's", "a longer text of one card", "x" * 60),
    ],
)
@pytest.mark.parametrize("keyword", ["SIGMA", "NOD_OFFSET"])
def test_a_card_is_that_of_astropy(keyword, value, comment):
    cards = CardTexts()
    cards.set({keyword.lower(): (value, comment)})
    name = f"HIERARCH {keyword}" if len(keyword) > 8 else keyword
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        header = cards.header()
    assert header[keyword] == value
    assert cards[keyword] == value
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what does not fit is cut
        want = str(fits.Card(name, value, comment))
    if isinstance(value, float) and len(repr(value)) > 20:
        assert header[keyword] == pytest.approx(value, rel=1e-14)
    elif len(name) + len(str(value)) < 60:
        assert cards.text() == want
    assert len(cards.text()) % 80 == 0


def test_what_is_no_value_of_fits_is_written_as_text():
    cards = CardTexts()
    cards.set({"a": np.nan, "b": None, "c": [1, 2], "d": np.float32(0.5), "e": np.bool_(True)})
    cards.set({"f": "y" * 100, "g": "µ"})
    header = cards.header()
    assert [header[key] for key in "ABCDE"] == ["nan", "None", "[1, 2]", 0.5, True]
    assert header["F"] == "y" * 68


def test_cards_of_a_file_stay_as_they_are_and_in_place():
    given = fits.Header([("ONE", 1, "first"), ("TWO", "2"), ("HIERARCH LONGER NAME", 3)])
    given["LAST"] = "z" * 150
    text = given.tostring(endcard=False, padding=False)
    cards = CardTexts(text[i : i + 80] for i in range(0, len(text), 80))
    assert cards.text() == text
    cards.set({"TWO": 5, "NEW": 6})
    header = cards.header()
    assert list(header) == ["ONE", "TWO", "LONGER NAME", "LAST", "NEW"]
    assert header["TWO"] == 5
    assert header["LAST"] == "z" * 150
    assert "NEW" in cards
    assert "OLD" not in cards
    with pytest.raises(KeyError):
        cards["OLD"]


def test_columns_are_those_of_the_table():
    table = Table({"a": [1, 2], "b": ["x", "yy"]}, meta={"k": 3})
    table["a"].unit = "um"
    columns = Columns.of(table)
    assert len(columns) == 2
    assert Columns.of(columns) is columns
    assert columns.units == {"a": "um"}
    back = columns.select(["a"]).table()
    assert back.colnames == ["a"]
    assert back.meta == {"k": 3}
    assert str(back["a"].unit) == "um"
    back["a"][0] = 9
    assert columns.arrays["a"][0] == 1


def test_columns_that_a_part_lacks_are_filled():
    one = {"a": np.array([1.0]), "t": np.array(["x"])}
    both = stack_columns([one, {"a": np.array([2.0, 3.0])}])
    np.testing.assert_array_equal(both["a"], [1, 2, 3])
    assert both["t"].tolist() == ["x", "", ""]
    only = stack_columns([{"a": np.zeros(2)}, {"a": np.ones(1), "b": np.ones(1)}])
    np.testing.assert_array_equal(only["b"], [np.nan, np.nan, 1])
