"""Fast opening of JWST files: no validation, arrays mapped from disk, the gwcs from ASDF.

The embedded ASDF tree already holds every header value, so a file whose headers are unchanged since
it was written (its hash tells) needs no walk over the schema. Files with edited headers, compressed
files and files without an ASDF extension take the general route of `stdatamodels`.
"""

from __future__ import annotations

import io
import logging
import re
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, cast

import asdf
import numpy as np
from asdf.extension import Converter, Extension
from asdf.tags.core.ndarray import asdf_datatype_to_numpy_dtype, inline_data_asarray
from asdf.treeutil import walk_and_modify
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning
from stdatamodels import fits_support
from stdatamodels.jwst import datamodels as jwst_models
from stdatamodels.jwst.datamodels import JwstDataModel

from webbweave.errors import InputError
from webbweave.garbage import collector_paused

__all__ = ["read_model"]

log = logging.getLogger(__name__)

#: First bytes of a FITS file (FITS Standard 4.0, section 4.4.1).
_FITS_MAGIC = b"SIMPLE  ="
#: Everything in a FITS file is padded to multiples of this (FITS Standard 4.0, section 3.1).
_FITS_BLOCK = 2880
#: First bytes of a gzip file (RFC 1952).
_GZIP_MAGIC = b"\x1f\x8b"
#: How the embedded ASDF refers to an array in the FITS file around it: ``fits:SCI,1``.
_FITS_SOURCE = re.compile(r"fits:(?:(?P<name>[ -~]+),)?(?P<ver>[0-9]+)")


def read_model(path: str | Path) -> JwstDataModel:
    """
    Open a JWST product.

    Parameters
    ----------
    path : str or path
        A FITS file with a ``DATAMODL`` keyword.

    Returns
    -------
    `~stdatamodels.jwst.datamodels.JwstDataModel`
        A model of the class that the file names, with validation on assignment off. Arrays are
        mapped copy-on-write: nothing is read before it is used, and no change reaches the file.

    Raises
    ------
    InputError
        If the file is missing, a directory, not FITS, cut short, or of no known model.
    """
    path = Path(path)
    magic = _first_bytes(path)
    if not magic.startswith((_FITS_MAGIC, _GZIP_MAGIC)):
        found = "an empty file" if not magic else f"a file that starts with {magic[:9]!r}"
        raise InputError(f"{path}: expected a FITS file, found {found}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)
            with collector_paused(), fits.open(path, memmap=False) as hdulist:
                return _model_from_hdulist(path, hdulist, mapped=magic.startswith(_FITS_MAGIC))
    except KeyError as error:
        # The embedded tree names the extensions that hold its arrays.
        raise InputError(f"{path}: an extension is missing: {error.args[0]}") from error
    except (OSError, ValueError, TypeError, EOFError, fits.VerifyError) as error:
        raise InputError(f"{path}: cannot be read as a JWST product: {error}") from error


def _first_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(len(_FITS_MAGIC))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except IsADirectoryError as error:
        raise InputError(f"{path}: is a directory, expected a FITS file") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be opened: {error.strerror}") from error


def _model_from_hdulist(path: Path, hdulist: fits.HDUList, *, mapped: bool) -> JwstDataModel:
    if mapped:
        _check_complete(path, hdulist)
    model_class = _model_class(path, hdulist)
    embedded = _embedded_tree(hdulist) if mapped else {}
    if mapped and not embedded:
        log.warning("%s: has no ASDF extension, and so no WCS; is the file complete?", path)
    if embedded.get(fits_support.FITS_HASH_KEY, "") == fits_support.fits_hash(hdulist):
        content: Any = _link_arrays(embedded, _array_loader(path, hdulist))
        content["meta"]["filename"] = path.name
    else:
        log.debug("%s: headers differ from the embedded tree, reading through the schema", path)
        content = hdulist
    model = model_class(content, validate_on_assignment=False)
    # SlitModel stores any keyword as one of its attributes.
    model._instance.pop("validate_on_assignment", None)
    return model


def _check_complete(path: Path, hdulist: fits.HDUList) -> None:
    """Refuse a truncated file: astropy would pad what is missing, or pass over half a header."""
    size = path.stat().st_size
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


def _model_class(path: Path, hdulist: fits.HDUList) -> type[JwstDataModel]:
    name = hdulist[0].header.get("DATAMODL")
    model_class = getattr(jwst_models, name, None) if isinstance(name, str) else None
    if isinstance(model_class, type) and issubclass(model_class, JwstDataModel):
        return model_class
    found = "no such keyword" if name is None else repr(name)
    raise InputError(
        f"{path}: expected the name of a JWST data model in keyword DATAMODL, found {found}"
    )


def _embedded_tree(hdulist: fits.HDUList) -> dict[str, Any]:
    """Read the ASDF extension; empty if there is none."""
    try:
        raw = hdulist["ASDF"].data[0][0].tobytes()
    except KeyError:
        return {}
    # The context copies the configuration: fill the copied caches first, or every file pays for
    # collecting the entry points of all installed extensions again.
    config = asdf.get_config()
    _ = config.extensions, config.resource_manager
    with asdf.config_context() as quiet:
        quiet.validate_on_read = False
        quiet.legacy_fill_schema_defaults = False
        quiet.add_extension(_ARRAYS)
        with asdf.open(io.BytesIO(raw), ignore_missing_extensions=True) as file:
            return dict(file.tree)


#: The versions of the array tag of the ASDF standard.
_ARRAY_TAGS = [f"tag:stsci.edu:asdf/core/ndarray-1.{minor}.0" for minor in range(2)]


@dataclass(frozen=True)
class _FitsArray:
    """A place in the tree that an array of the FITS file takes."""

    name: str | None
    ver: int


class _ArrayConverter(Converter):
    """
    Read the arrays of an embedded tree.

    Tables inside transforms become arrays at once, where asdf would hand out objects that fail as
    soon as the file is forgotten: a WCS must outlive the model that it came from.
    """

    tags: ClassVar = _ARRAY_TAGS
    types: ClassVar[list[type]] = []

    def from_yaml_tree(self, node: Any, tag: str, ctx: Any) -> Any:
        if isinstance(node, list):
            return inline_data_asarray(node)
        datatype = node.get("datatype")
        byteorder = node.get("byteorder", sys.byteorder)
        dtype = asdf_datatype_to_numpy_dtype(datatype, byteorder) if datatype else None
        if "data" in node:
            return inline_data_asarray(node["data"], dtype)
        source = node["source"]
        if isinstance(source, str):
            match = _FITS_SOURCE.fullmatch(source)
            if match is None:
                raise ValueError(f"the embedded tree refers to an array outside the file: {source}")
            return _FitsArray(match["name"], int(match["ver"]))
        block = ctx.get_block_data_callback(source)()
        return np.ndarray(
            tuple(node["shape"]), dtype, block, node.get("offset", 0), node.get("strides")
        )

    def select_tag(self, obj: Any, tags: list[str], ctx: Any) -> str:
        return tags[-1]

    def to_yaml_tree(self, obj: Any, tag: str, ctx: Any) -> Any:
        raise TypeError("this converter only reads")


class _ArrayExtension(Extension):
    extension_uri = "asdf://webbweave/extensions/embedded-arrays-1.0.0"
    tags: ClassVar = _ARRAY_TAGS
    converters: ClassVar = [_ArrayConverter()]


#: One object for all files: asdf keeps what it derives from a set of extensions.
_ARRAYS = _ArrayExtension()


def _link_arrays(tree: Any, load: Callable[[str | None, int], np.ndarray | None]) -> dict[str, Any]:
    def link(node: Any) -> Any:
        return load(node.name, node.ver) if isinstance(node, _FitsArray) else node

    linked: dict[str, Any] = walk_and_modify(tree, link)
    return linked


def _array_loader(
    path: Path, hdulist: fits.HDUList
) -> Callable[[str | None, int], np.ndarray | None]:
    """Return a function that gives the array of one extension, mapped where the file allows it."""
    by_name = {(hdu.name, hdu.ver): hdu for hdu in hdulist}
    mapped = np.memmap(path, mode="c")

    def load(name: str | None, ver: int) -> np.ndarray | None:
        hdu = hdulist[ver] if name is None else by_name[name.upper(), ver]
        header = hdu.header
        plain = isinstance(hdu, fits.ImageHDU) and header.get("BSCALE", 1) == 1
        if not plain or header.get("BZERO", 0) != 0 or not hdu.shape:
            # Tables and scaled integers: astropy converts them.
            return cast("np.ndarray | None", hdu.data)
        dtype = np.dtype(fits.hdu.image.BITPIX2DTYPE[header["BITPIX"]]).newbyteorder(">")
        start = hdu.fileinfo()["datLoc"]
        array: np.ndarray = mapped[start : start + hdu.size].view(dtype).reshape(hdu.shape)
        return array

    return load
