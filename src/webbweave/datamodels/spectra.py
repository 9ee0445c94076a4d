"""Combined spectra as FITS: the header of an exposure, extensions by name, and complete files."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from astropy.io import fits
from astropy.table import Table
from numpy.typing import NDArray

from webbweave.columns import Columns
from webbweave.datamodels.cards import CardTexts
from webbweave.datamodels.writing import replace_atomically
from webbweave.errors import InputError

__all__ = [
    "Header",
    "SpectrumHDUs",
    "exposure_cards",
    "exposure_header",
    "header_value",
    "save_spectrum",
    "spectrum_bytes",
    "spectrum_hdus",
]

#: The header of an extension, as astropy has it.
Header: TypeAlias = fits.Header
#: What a spectrum is handed over as.
SpectrumHDUs: TypeAlias = fits.HDUList

#: Keywords that say how an extension is stored, not what was observed.
_STRUCTURE = frozenset(
    (
        *("SIMPLE", "XTENSION", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "NAXIS3", "EXTEND"),
        *("PCOUNT", "GCOUNT", "TFIELDS", "EXTNAME", "EXTVER", "BSCALE", "BZERO", "CHECKSUM"),
        *("DATASUM", "NEXTEND", "COMMENT", "HISTORY", "WCSAXES"),
    )
)
#: Lengths of a card and of a block of FITS [byte].
_CARD, _BLOCK = 80, 2880
#: The primary header of a product, which has no data.
_PRIMARY = fits.PrimaryHDU().header.tostring(padding=False, endcard=False)
#: Formats of columns of FITS.
_FORMS = {">f8": "D", ">f4": "E", ">i8": "K"}


def exposure_header(path: str | Path) -> Header:
    """
    Read what was observed, see `exposure_cards`.

    Parameters
    ----------
    path : str or path
        A calibrated exposure.

    Returns
    -------
    `~astropy.io.fits.Header`
        The cards.

    Raises
    ------
    InputError
        If the file cannot be read or has no extension SCI.
    """
    return exposure_cards(path).header()


def exposure_cards(path: str | Path) -> CardTexts:
    """
    Read what was observed: the cards of the primary header of an exposure and of its image.

    Parameters
    ----------
    path : str or path
        A calibrated exposure.

    Returns
    -------
    CardTexts
        The cards, those of the image first where both have one, without those of the storage.

    Raises
    ------
    InputError
        If the file cannot be read or has no extension SCI.
    """
    try:
        primary, image = _two_headers(Path(path))
    except KeyError as error:
        raise InputError(f"{path}: has no extension SCI") from error
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except (OSError, TypeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as FITS: {error}") from error
    own = {line[:8].rstrip() for line in image}
    return CardTexts([*_kept(primary, own), *_kept(image, set())])


def _two_headers(path: Path) -> tuple[list[str], list[str]]:
    """The cards as they stand in the file: to take each apart would be most of the time."""
    with path.open("rb") as file:
        if file.read(6) == b"SIMPLE":
            file.seek(0)
            primary = _cards_of(file)
            if "NAXIS   =                    0" in {card[:30] for card in primary}:
                image = _cards_of(file)
                if "EXTNAME = 'SCI" in {card[:14] for card in image}:
                    return primary, image
    with fits.open(path, memmap=True, lazy_load_hdus=True) as hdus:
        texts = [hdus[key].header.tostring(endcard=False, padding=False) for key in (0, "SCI")]
    return _split(texts[0]), _split(texts[1])


def _split(text: str) -> list[str]:
    return [text[i : i + _CARD] for i in range(0, len(text), _CARD)]


def _cards_of(file: BinaryIO) -> list[str]:
    cards: list[str] = []
    while block := file.read(_BLOCK):
        cards += _split(block.decode("ascii"))
        if any(card.rstrip() == "END" for card in cards[-_BLOCK // _CARD :]):
            return [card for card in cards if card.rstrip() != "END"]
    raise OSError("the header has no end")


def _kept(cards: list[str], others: set[str]) -> Iterator[str]:
    """Cards that say what was observed, unless others have them; continued ones as a whole."""
    keep = False
    for line in cards:
        keyword = line[:8].rstrip()
        if keyword != "CONTINUE":
            keep = bool(keyword) and keyword not in _STRUCTURE and keyword not in others
        if keep:
            yield line


def header_value(path: str | Path, *names: str) -> tuple[Any, ...]:
    """
    Read a few values of the primary header of a file.

    Parameters
    ----------
    path : str or path
        A FITS file.
    *names : str
        Keywords.

    Returns
    -------
    tuple
        Their values, None where there is none.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    try:
        with fits.open(path, memmap=True, lazy_load_hdus=True) as hdus:
            header = hdus[0].header
            return tuple(header.get(name) for name in names)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except (OSError, TypeError) as error:
        raise InputError(f"{path}: cannot be read as FITS: {error}") from error


def spectrum_bytes(
    header: CardTexts,
    parts: Iterable[tuple[str, Any, bool]],
    tables: Mapping[str, Table | Columns],
) -> bytes:
    """
    Make the file of a spectrum.

    Parameters
    ----------
    header : CardTexts
        What was observed.
    parts : iterable of (str, ndarray or Columns or Table, bool)
        Name and data of the extensions in order, and whether `header` is put into them.
    tables : mapping
        Further tables by name, at the end.

    Returns
    -------
    bytes
        A primary extension without data, then these.
    """
    text = header.text()
    pieces = [_blocks(_PRIMARY, b"")]
    every = [*parts, *((name, table, False) for name, table in tables.items())]
    for name, data, with_header in every:
        make = _table_bytes if isinstance(data, Table | Columns) else _image_bytes
        pieces.append(make(data, name, text if with_header else ""))
    return b"".join(pieces)


def spectrum_hdus(content: bytes) -> SpectrumHDUs:
    """
    Open the file of a spectrum that is in memory.

    Astropy looks at each header and column when it is asked for, which spares most of the time of
    making them one by one.

    Parameters
    ----------
    content : bytes
        What `spectrum_bytes` gave.

    Returns
    -------
    `~astropy.io.fits.HDUList`
        The extensions.
    """
    return fits.open(io.BytesIO(content), lazy_load_hdus=True)


def _blocks(cards: str, data: bytes) -> bytes:
    text = (cards + "END").encode("ascii")
    return b"".join([text, b" " * (-len(text) % _BLOCK), data, b"\0" * (-len(data) % _BLOCK)])


def _card(keyword: str, value: str | int) -> str:
    quoted = f"'{value:<8}'" if isinstance(value, str) else f"{value:>20}"
    return f"{keyword:<8}= {quoted}".ljust(_CARD)


def _image_bytes(data: Any, name: str, text: str) -> bytes:
    array = np.asarray(data, dtype=">f8")
    sizes = [_card(f"NAXIS{i}", n) for i, n in enumerate(array.shape[::-1], 1)]
    start = [_card("XTENSION", "IMAGE"), _card("BITPIX", -64), _card("NAXIS", array.ndim), *sizes]
    start += [_card("PCOUNT", 0), _card("GCOUNT", 1)]
    return _blocks("".join([*start, text, _card("EXTNAME", name)]), array.tobytes())


def _table_bytes(table: Table | Columns, name: str, text: str) -> bytes:
    given = Columns.of(table)
    stored = {column: _as_stored(values) for column, values in given.arrays.items()}
    array = np.empty(
        len(given), dtype=[(key, values.dtype, values.shape[1:]) for key, values in stored.items()]
    )
    cards = [_card("XTENSION", "BINTABLE"), _card("BITPIX", 8), _card("NAXIS", 2)]
    cards += [_card("NAXIS1", array.dtype.itemsize), _card("NAXIS2", len(given))]
    cards += [_card("PCOUNT", 0), _card("GCOUNT", 1), _card("TFIELDS", len(stored))]
    for i, (key, values) in enumerate(stored.items(), 1):
        array[key] = values
        form = "L" if given.arrays[key].dtype.kind == "b" else _FORMS.get(values.dtype.str, "A")
        repeat = values.dtype.itemsize if form == "A" else int(np.prod(values.shape[1:]))
        cards += [
            _card(f"TTYPE{i}", key),
            _card(f"TFORM{i}", f"{repeat}{form}" if repeat != 1 or form == "A" else form),
        ]
        if key in given.units:
            cards.append(_card(f"TUNIT{i}", given.units[key]))
    own = CardTexts()
    own.set({key: value for key, value in given.meta.items() if key != "EXTNAME"})
    return _blocks("".join([*cards, own.text(), text, _card("EXTNAME", name)]), array.tobytes())


def _as_stored(values: NDArray[Any]) -> NDArray[Any]:
    """A column as FITS stores it: large first byte, text in ASCII, truth as T and F."""
    kind = values.dtype.kind
    if kind == "O":
        values = np.array([str(value) for value in values])
        kind = values.dtype.kind
    if kind == "U":
        values = np.char.encode(values, "ascii", "replace") if values.size else values.astype("S1")
    if kind == "b":
        return np.where(values, np.uint8(ord("T")), np.uint8(ord("F")))
    if kind in "SU":
        return values if values.dtype.itemsize else values.astype("S1")
    if kind in "iu":
        return values.astype(">i8")
    return values.astype(">f4" if values.dtype.itemsize == 4 else ">f8")


def save_spectrum(hdus: SpectrumHDUs, path: str | Path) -> Path:
    """
    Write a spectrum; an existing file is replaced once the new one is complete.

    Parameters
    ----------
    hdus : `~astropy.io.fits.HDUList`
        The spectrum.
    path : str or path
        The file to make; its folder is made if it does not exist.

    Returns
    -------
    path
        The file written.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    path = Path(path)

    def write(there: Path) -> None:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Card is too long")
            SpectrumHDUs(list(hdus)).writeto(there)

    replace_atomically(path, write)
    return path
