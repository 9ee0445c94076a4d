"""The cards of a header as text: a header of FITS that is made in no time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from astropy.io import fits

__all__ = ["CardTexts"]

#: Lengths of a keyword, of a number and of a card of FITS [byte].
_KEYWORD, _NUMBER, _CARD = 8, 20, 80
#: A value of FITS has at most this many characters; longer ones are continued, which old readers
#: do not know, and lists of many names need not be in a header.
_LONGEST_TEXT = 68


class CardTexts:
    """
    Cards by keyword, in their order.

    A `~astropy.io.fits.Header` takes each of its cards apart and checks it, which is most of the
    time of making a product of FITS; here cards of files are kept as they stand there.

    Parameters
    ----------
    lines : iterable of str, optional
        Cards of 80 characters, and those that continue them. Of several with one keyword, the last
        one counts.
    """

    def __init__(self, lines: Iterable[str] = ()) -> None:
        self._texts: dict[str, str] = {}
        keyword = ""
        for line in lines:
            name = line[:_KEYWORD].rstrip()
            if name == "CONTINUE":
                self._texts[keyword] = self._texts.get(keyword, "") + line
                continue
            keyword = name if name != "HIERARCH" else line[9:].partition("=")[0].strip()
            self._texts[keyword] = line

    def __contains__(self, keyword: str) -> bool:
        return keyword in self._texts

    def __getitem__(self, keyword: str) -> Any:
        return fits.Card.fromstring(self._texts[keyword]).value

    def set(self, cards: Mapping[str, Any]) -> None:
        """
        Set values, whatever their type.

        Parameters
        ----------
        cards : mapping
            Values, or pairs of a value and a comment, by keyword. Keywords of more than eight
            characters become HIERARCH cards; numbers that are not finite, lists and None are
            written as text, texts are cut at 68 characters, and comments where the card ends.
        """
        for key, entry in cards.items():
            value, comment = entry if isinstance(entry, tuple) else (entry, "")
            keyword = key.upper()
            self._texts[keyword] = _card(keyword, _plain(value), comment)

    def text(self) -> str:
        """
        Give all cards.

        Returns
        -------
        str
            Cards of 80 characters one after the other, without END.
        """
        return "".join(self._texts.values())

    def header(self) -> fits.Header:
        """
        Make the header.

        Returns
        -------
        `~astropy.io.fits.Header`
            With these cards.
        """
        return fits.Header.fromstring(self.text())


def _plain(value: Any) -> bool | int | float | str:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool | int | str):
        return _text(value) if isinstance(value, str) else value
    if isinstance(value, float) and np.isfinite(value):
        return value
    return _text(value)


def _text(value: object) -> str:
    return str(value)[:_LONGEST_TEXT].encode("ascii", "replace").decode("ascii")


def _card(keyword: str, value: bool | int | float | str, comment: str) -> str:
    """One card, or several if the value is too long for one; only those are left to astropy."""
    if isinstance(value, bool):
        shown = "T" if value else "F"
    elif isinstance(value, str):
        shown = f"'{value.replace(chr(39), 2 * chr(39)):<8}'" if value else "''"
    else:
        shown = repr(value).upper()
    is_long = len(keyword) > _KEYWORD
    if is_long:
        start = f"HIERARCH {keyword} = {shown}"
    elif isinstance(value, str):
        start = f"{keyword:<8}= {shown:<{_NUMBER if value else 0}}"
    else:
        start = f"{keyword:<8}= {shown:>{_NUMBER}}"
    number = not isinstance(value, str | bool)
    if len(start) > _CARD or (number and len(shown) > _NUMBER):
        return str(fits.Card(f"HIERARCH {keyword}" if is_long else keyword, value))
    room = _CARD - len(start) - len(" / ")
    if comment and room > 0:
        start += f" / {comment[:room]}"
    return start.ljust(_CARD)
