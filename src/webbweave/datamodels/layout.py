"""Where the arrays of a FITS file are, found without parsing what is not needed for that.

A file of a hundred slits has a thousand extensions, and making objects of all their header cards
takes longer than anything else in reading. This looks at a dozen keywords and is strict: for a file
that is unusual in any way there is no layout, and the general route is to be taken.
"""

from __future__ import annotations

import hashlib
import io
import math
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
from astropy.io import fits

__all__ = ["Extension", "Layout", "find_layout"]

#: Everything in a FITS file is padded to multiples of this (FITS Standard 4.0, section 3.1).
_BLOCK = 2880
#: Length of a header card, and of its keyword with the value indicator.
_CARD = 80
_KEYWORD = 10
_END = b"END".ljust(_CARD)
#: Keywords that say where arrays are and what they are called.
_WANTED = frozenset(
    name.ljust(8).encode()
    for name in (
        ["SIMPLE", "XTENSION", "BITPIX", "NAXIS", "PCOUNT", "GCOUNT", "EXTNAME", "EXTVER"]
        + ["BSCALE", "BZERO", "BLANK", "TFIELDS", "DATAMODL", "ZIMAGE", "GROUPS", "TFORM1"]
        + [f"NAXIS{axis}" for axis in range(1, 10)]
    )
)
#: Extensions with arrays or tables of a fixed width.
_KINDS = frozenset({"PRIMARY", "IMAGE", "BINTABLE"})
#: What FITS adds to unsigned integers to store them as signed ones (FITS Standard 4.0, 5.2.5).
_UNSIGNED = {8: 0, 16: 2**15, 32: 2**31, 64: 2**63}


class _UnusualError(ValueError):
    """A file that this module leaves to astropy."""


@dataclass(frozen=True)
class Extension:
    """
    One extension of a file.

    Attributes
    ----------
    name : str
        Its name in capitals.
    ver : int
        Its version.
    keywords : dict
        Values of the keywords that were looked at.
    start, data_start, stop : int
        Bytes at which header, data and padding begin.
    header : bytes
        All cards, padded.
    """

    name: str
    ver: int
    keywords: dict[str, Any] = field(repr=False)
    start: int
    data_start: int
    stop: int
    header: bytes = field(repr=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array, slowest axis first."""
        axes = range(self.keywords["NAXIS"], 0, -1)
        return tuple(self.keywords[f"NAXIS{axis}"] for axis in axes)

    @property
    def size(self) -> int:
        """Bytes of the array, without padding."""
        bits: int = abs(self.keywords["BITPIX"])
        return math.prod(self.shape) * bits // 8

    def array(self, mapped: np.memmap[Any, Any], stream: BinaryIO) -> np.ndarray | None:
        """
        Return the array or table.

        Parameters
        ----------
        mapped : memmap of uint8
            The file, for what is used as it is there.
        stream : binary file
            The file, for what has to be read and converted.

        Returns
        -------
        ndarray or None
            A view of the file for plain arrays, a copy for others; None if there is no array.
        """
        keywords = self.keywords
        if not self.shape:
            return None
        if keywords["kind"] == "BINTABLE" or "BLANK" in keywords or keywords.get("BSCALE", 1) != 1:
            return self._by_astropy(stream)
        bits, zero = keywords["BITPIX"], keywords.get("BZERO", 0)
        kind = "f" if bits < 0 else "u" if bits == 8 else "i"
        dtype = np.dtype(f">{kind}{abs(bits) // 8}")
        if zero == 0:
            plain: np.ndarray = mapped[self.data_start : self.data_start + self.size].view(dtype)
            return plain.reshape(self.shape)
        if zero != _UNSIGNED.get(bits):
            return self._by_astropy(stream)
        native = np.dtype(f"u{bits // 8}")
        stored = np.frombuffer(_read(stream, self.data_start, self.size), dtype)
        unsigned: np.ndarray = stored.view(native.newbyteorder(">")).astype(native)
        unsigned ^= native.type(zero)
        return unsigned.reshape(self.shape)

    def _by_astropy(self, stream: BinaryIO) -> np.ndarray | None:
        content = _read(stream, self.start, self.stop - self.start)
        made = fits.BinTableHDU if self.keywords["kind"] == "BINTABLE" else fits.ImageHDU
        array: np.ndarray | None = made.fromstring(content).data
        return array


@dataclass(frozen=True)
class Layout:
    """
    The extensions of a file.

    Attributes
    ----------
    extensions : list of Extension
        All, the primary one first.
    """

    extensions: list[Extension]

    def digest(self) -> str:
        """
        Return what `stdatamodels.fits_support.fits_hash` gives for these headers.

        Returns
        -------
        str
            SHA-256 of all headers but that of the ASDF extension. Where astropy would correct a
            card on reading, the two differ.
        """
        headers = (item.header for item in self.extensions if item.name != "ASDF")
        return hashlib.sha256(b"".join(headers)).hexdigest()

    def asdf(self, stream: BinaryIO) -> bytes | None:
        """
        Return the embedded ASDF file.

        Parameters
        ----------
        stream : binary file
            The file.

        Returns
        -------
        bytes or None
            Its content, or None if there is none, or not as stdatamodels writes it.
        """
        found = [item for item in self.extensions if item.name == "ASDF"]
        if len(found) != 1 or found[0].keywords["kind"] != "BINTABLE":
            return None
        keywords = found[0].keywords
        rows, width = found[0].shape
        plain = keywords.get("TFIELDS") == 1 and keywords.get("TFORM1") == f"{width}B"
        if not plain or rows != 1 or keywords.get("PCOUNT", 0) != 0:
            return None
        return _read(stream, found[0].data_start, width)


def find_layout(stream: BinaryIO) -> Layout | None:
    """
    Find the extensions of a file.

    Parameters
    ----------
    stream : binary file
        The file. It is not mapped for this: pages that were looked at would stay in memory.

    Returns
    -------
    Layout or None
        The layout, or None if the file is incomplete or unusual.
    """
    size = stream.seek(0, io.SEEK_END)
    extensions: list[Extension] = []
    position = 0
    try:
        while position < size:
            extensions.append(_extension(stream, position, size))
            position = extensions[-1].stop
    except (ValueError, KeyError, TypeError):
        return None
    return Layout(extensions) if extensions else None


def _read(stream: BinaryIO, start: int, size: int) -> bytes:
    stream.seek(start)
    content = stream.read(size)
    if len(content) != size:
        raise _UnusualError
    return content


def _extension(stream: BinaryIO, start: int, end: int) -> Extension:
    first = start == 0
    header = _header(stream, start)
    keywords = _keywords(header)
    kind = "PRIMARY" if first else keywords["XTENSION"]
    if kind not in _KINDS or "ZIMAGE" in keywords or "GROUPS" in keywords:
        raise _UnusualError
    if (first and keywords.get("SIMPLE") is not True) or keywords.get("GCOUNT", 1) != 1:
        raise _UnusualError
    keywords["kind"] = kind
    count = keywords["NAXIS"]
    pixels = 1 if count else 0
    for axis in range(1, count + 1):
        pixels *= keywords[f"NAXIS{axis}"]
    size = (pixels + keywords.get("PCOUNT", 0)) * abs(keywords["BITPIX"]) // 8
    data_start = start + len(header)
    stop = data_start + -(-size // _BLOCK) * _BLOCK
    if size < 0 or stop > end:
        raise _UnusualError
    name = keywords.get("EXTNAME", "PRIMARY" if first else "")
    return Extension(
        name.upper(), keywords.get("EXTVER", 1), keywords, start, data_start, stop, header
    )


def _header(stream: BinaryIO, start: int) -> bytes:
    header = b""
    while True:
        block = _read(stream, start + len(header), _BLOCK)
        header += block
        end = block.find(_END)
        while end >= 0 and end % _CARD:
            end = block.find(_END, end + 1)
        if end >= 0:
            return header


def _keywords(header: bytes) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for start in range(0, len(header), _CARD):
        keyword = header[start : start + 8]
        if keyword in _WANTED:
            name = keyword.decode().rstrip()
            if name in found or header[start + 8 : start + _KEYWORD] != b"= ":
                raise _UnusualError
            found[name] = _value(header[start + _KEYWORD : start + _CARD])
    return found


def _value(text: bytes) -> Any:
    text = text.strip()
    if text.startswith(b"'"):
        end = text.find(b"'", 1)
        rest = text[end + 1 :].strip()
        if end < 0 or (rest and not rest.startswith(b"/")):
            raise _UnusualError
        return text[1:end].decode("ascii").rstrip()
    text = text.partition(b"/")[0].strip()
    if text in (b"T", b"F"):
        return text == b"T"
    try:
        return int(text)
    except ValueError:
        return float(text)
