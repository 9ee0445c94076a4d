"""FITS files as astropy opens them, refused if they are cut short."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from astropy.io import fits

from webbweave.errors import InputError

__all__ = ["FITS_MAGIC", "GZIP_MAGIC", "complete_fits", "first_bytes"]

#: First bytes of a FITS file (FITS Standard 4.0, section 4.4.1).
FITS_MAGIC = b"SIMPLE  ="
#: First bytes of a gzip file (RFC 1952).
GZIP_MAGIC = b"\x1f\x8b"
#: Everything in a FITS file is padded to multiples of this (FITS Standard 4.0, section 3.1).
_FITS_BLOCK = 2880


def first_bytes(path: Path) -> bytes:
    """
    Read the bytes that tell what a file is.

    Parameters
    ----------
    path : path
        The file.

    Returns
    -------
    bytes
        As many as `FITS_MAGIC` has, fewer if the file is shorter.

    Raises
    ------
    InputError
        If it is missing, a directory, or cannot be opened.
    """
    try:
        with path.open("rb") as stream:
            return stream.read(len(FITS_MAGIC))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except IsADirectoryError as error:
        raise InputError(f"{path}: is a directory, expected a FITS file") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be opened: {error.strerror}") from error


@contextmanager
def complete_fits(path: Path) -> Iterator[fits.HDUList]:
    """
    Open a FITS file, gzipped or not, as a whole in memory.

    Parameters
    ----------
    path : path
        The file.

    Yields
    ------
    `~astropy.io.fits.HDUList`
        Its extensions.

    Raises
    ------
    InputError
        If the file is cut short: astropy would pad what is missing, or pass over half a header.
    OSError, EOFError, zlib.error
        If it cannot be read, or what is compressed ends too early or is damaged.
    """
    source: Path | io.BytesIO = path
    size = path.stat().st_size
    if first_bytes(path).startswith(GZIP_MAGIC):
        content = gzip.decompress(path.read_bytes())
        source, size = io.BytesIO(content), len(content)
    with fits.open(source, memmap=False) as hdulist:
        _check_complete(path, hdulist, size)
        yield hdulist


def _check_complete(path: Path, hdulist: fits.HDUList, size: int) -> None:
    end = 0
    for hdu in hdulist:
        end = hdu.fileinfo()["datLoc"] + -(-hdu.size // _FITS_BLOCK) * _FITS_BLOCK
        if end > size:
            raise InputError(
                f"{path}: truncated: extension {hdu.name} ends at byte {end}, the file at {size}"
            )
    if size > end:
        raise InputError(
            f"{path}: truncated: the {size - end} bytes after {hdulist[-1].name} are no extension"
        )
