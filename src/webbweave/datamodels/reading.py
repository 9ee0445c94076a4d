"""Fast opening of JWST files: no validation, arrays mapped from disk, the gwcs from ASDF.

The embedded ASDF tree already holds every header value, so a file whose headers are unchanged since
it was written (its hash tells) needs no walk over the schema. Files with edited headers, compressed
files and files without an ASDF extension take the general route of `stdatamodels`.
"""

from __future__ import annotations

import functools
import logging
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning
from stdatamodels import fits_support
from stdatamodels.jwst import datamodels as jwst_models
from stdatamodels.jwst.datamodels import JwstDataModel

from webbweave.datamodels.embedded import (
    ArrayLoader,
    embedded_tree,
    lazy_embedded_tree,
    link_arrays,
)
from webbweave.datamodels.fits_files import FITS_MAGIC, GZIP_MAGIC, complete_fits, first_bytes
from webbweave.datamodels.layout import find_layout
from webbweave.errors import InputError
from webbweave.garbage import collector_paused
from webbweave.wcs import TemplateCache

__all__ = ["read_model", "read_tree_of"]

log = logging.getLogger(__name__)

#: Reads an embedded ASDF file.
_TreeReader = Callable[[bytes], dict[str, Any]]
#: Makes what is wanted of the class of a model and its content.
_Maker = Callable[[type[JwstDataModel], Any], Any]


def read_model(
    path: str | Path, *, lazy_wcs: bool = False, templates: TemplateCache | None = None
) -> JwstDataModel:
    """
    Open a JWST product.

    Parameters
    ----------
    path : str or path
        A FITS file with a ``DATAMODL`` keyword.
    lazy_wcs : bool, optional
        Whether each WCS becomes a `~webbweave.wcs.FastWcs`, which is read when it is used and can
        only be evaluated. Such a model cannot be saved.
    templates : `~webbweave.wcs.TemplateCache`, optional
        With `lazy_wcs`: shared by the files of a run, it makes that they are read faster.

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
    magic = _magic(path)
    read_tree: _TreeReader = embedded_tree
    if lazy_wcs:
        cache = TemplateCache() if templates is None else templates
        read_tree = functools.partial(lazy_embedded_tree, templates=cache)
    model: JwstDataModel = _opened(path, magic, read_tree, _model)
    return model


def read_tree_of(path: str | Path, *, templates: TemplateCache | None = None) -> dict[str, Any]:
    """
    Read the tree of a JWST product, that of a model of `read_model` with ``lazy_wcs``.

    The model itself is not made, nearly half of whose time goes into its schema.

    Parameters
    ----------
    path : str or path
        A FITS file with a ``DATAMODL`` keyword.
    templates : `~webbweave.wcs.TemplateCache`, optional
        Shared by the files of a run, it makes that they are read faster.

    Returns
    -------
    dict
        The nested dictionary; arrays as in `read_model`.

    Raises
    ------
    InputError
        As `read_model`.
    """
    path = Path(path)
    cache = TemplateCache() if templates is None else templates
    read_tree = functools.partial(lazy_embedded_tree, templates=cache)
    found = _opened(path, _magic(path), read_tree, _content_of)
    if isinstance(found, JwstDataModel):
        return _TreeOfModel(found)
    tree: dict[str, Any] = found
    return tree


class _TreeOfModel(dict[str, Any]):
    """
    The tree of a model, which stays open as long as there is the tree.

    A file with an edited header is read through the schema, and the tables of its WCS only when
    they are used.
    """

    def __init__(self, model: JwstDataModel) -> None:
        super().__init__(model._instance)
        self._model = model


def _magic(path: Path) -> bytes:
    magic = first_bytes(path)
    if not magic.startswith((FITS_MAGIC, GZIP_MAGIC)):
        found = "an empty file" if not magic else f"a file that starts with {magic[:9]!r}"
        raise InputError(f"{path}: expected a FITS file, found {found}")
    return magic


def _opened(path: Path, magic: bytes, read_tree: _TreeReader, make: _Maker) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)
            with collector_paused():
                mapped = magic.startswith(FITS_MAGIC)
                found = _from_layout(path, read_tree, make) if mapped else None
                if found is None:
                    with complete_fits(path) as hdulist:
                        found = _from_hdulist(path, hdulist, read_tree, make, mapped=mapped)
                return found
    except KeyError as error:
        # The embedded tree names the extensions that hold its arrays.
        raise InputError(f"{path}: an extension is missing: {error.args[0]}") from error
    except (OSError, ValueError, TypeError, EOFError, zlib.error, fits.VerifyError) as error:
        raise InputError(f"{path}: cannot be read as a JWST product: {error}") from error


def _from_layout(path: Path, read_tree: _TreeReader, make: _Maker) -> Any:
    """Open a file that is as stdatamodels wrote it; None for any other."""
    with path.open("rb") as stream:
        layout = find_layout(stream)
        raw = None if layout is None else layout.asdf(stream)
        if layout is None or raw is None:
            return None
        digest = layout.digest()
        if f"{fits_support.FITS_HASH_KEY}: {digest}\n".encode() not in raw:
            return None
        model_class = _model_class(path, layout.extensions[0].keywords.get("DATAMODL"))
        tree = read_tree(raw)
        if tree.get(fits_support.FITS_HASH_KEY) != digest:
            return None
        by_name = {(item.name, item.ver): item for item in reversed(layout.extensions)}
        mapped: np.memmap[Any, Any] = np.memmap(path, mode="c")

        def load(name: str | None, ver: int) -> np.ndarray | None:
            item = layout.extensions[ver] if name is None else by_name[name.upper(), ver]
            return item.array(mapped, stream)

        return make(model_class, _linked(path, tree, load))


def _linked(path: Path, tree: dict[str, Any], load: ArrayLoader) -> dict[str, Any]:
    content = link_arrays(tree, load)
    content["meta"]["filename"] = path.name
    return content


def _content_of(model_class: type[JwstDataModel], content: Any) -> Any:
    """The content itself; a model where it is still to be read through the schema."""
    return content if isinstance(content, dict) else _model(model_class, content)


def _model(model_class: type[JwstDataModel], content: Any) -> JwstDataModel:
    model = model_class(content, validate_on_assignment=False)
    # SlitModel stores any keyword as one of its attributes.
    model._instance.pop("validate_on_assignment", None)
    return model


def _from_hdulist(
    path: Path, hdulist: fits.HDUList, read_tree: _TreeReader, make: _Maker, *, mapped: bool
) -> Any:
    model_class = _model_class(path, hdulist[0].header.get("DATAMODL"))
    embedded = _embedded_tree(hdulist, read_tree) if mapped else {}
    if mapped and not embedded:
        log.warning("%s: has no ASDF extension, and so no WCS; is the file complete?", path)
    if embedded.get(fits_support.FITS_HASH_KEY, "") == fits_support.fits_hash(hdulist):
        return make(model_class, _linked(path, embedded, _array_loader(path, hdulist)))
    log.debug("%s: headers differ from the embedded tree, reading through the schema", path)
    return make(model_class, hdulist)


def _model_class(path: Path, name: Any) -> type[JwstDataModel]:
    model_class = getattr(jwst_models, name, None) if isinstance(name, str) else None
    if isinstance(model_class, type) and issubclass(model_class, JwstDataModel):
        return model_class
    found = "no such keyword" if name is None else repr(name)
    raise InputError(
        f"{path}: expected the name of a JWST data model in keyword DATAMODL, found {found}"
    )


def _embedded_tree(hdulist: fits.HDUList, read_tree: _TreeReader) -> dict[str, Any]:
    """Read the ASDF extension; empty if there is none."""
    try:
        raw = hdulist["ASDF"].data[0][0].tobytes()
    except KeyError:
        return {}
    return read_tree(raw)


def _array_loader(path: Path, hdulist: fits.HDUList) -> ArrayLoader:
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
