"""Saving of products: checked against the schema once, and complete on disk or not there at all."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from asdf.exceptions import ValidationError
from asdf.tags.core.ndarray import numpy_dtype_to_asdf_datatype
from astropy.io import fits
from numpy.typing import NDArray
from stdatamodels import fits_support
from stdatamodels.jwst.datamodels import JwstDataModel
from stdatamodels.schema import merge_property_trees

from webbweave.errors import OutputError
from webbweave.garbage import collector_paused

__all__ = [
    "attach_table",
    "extend_schema",
    "of_slits",
    "replace_atomically",
    "save_model",
    "table_schema",
]

log = logging.getLogger(__name__)


def save_model(
    model: JwstDataModel,
    path: str | Path,
    *,
    inputs: Iterable[str | Path] = (),
    overwrite: bool = True,
) -> Path:
    """
    Validate a product and write it.

    Parameters
    ----------
    model : `~stdatamodels.jwst.datamodels.JwstDataModel`
        The product. Its file name, date and type are set; nothing else is changed.
    path : str or path
        Where to write, ending in ``.fits``. The folder is made if it does not exist.
    inputs : iterable of str or path, optional
        Files that must not be overwritten, whatever `overwrite` says.
    overwrite : bool, optional
        Whether an existing file may be replaced.

    Returns
    -------
    path
        The file written.

    Raises
    ------
    OutputError
        If the file is one of `inputs`, exists while `overwrite` is False, does not satisfy the
        schema of its model, or cannot be written; the folder is then as it was.
    """
    path = Path(path)
    for source in inputs:
        if path.exists() and Path(source).exists() and path.samefile(source):
            raise OutputError(
                f"{path}: is an input and would be overwritten; choose another folder"
            )
    if path.exists() and not overwrite:
        raise OutputError(f"{path}: exists already")

    filename = model._instance["meta"].get("filename")
    try:
        replace_atomically(path, lambda temporary: _write_valid(model, temporary))
    except BaseException:
        model._instance["meta"]["filename"] = filename
        raise
    log.info("Saved %s", path)
    return path


def attach_table(
    model: JwstDataModel,
    name: str,
    table: NDArray[np.void],
    title: str,
    *,
    extension: str | None = None,
) -> None:
    """
    Add a table that the schema of a model does not know.

    Parameters
    ----------
    model : `~stdatamodels.jwst.datamodels.JwstDataModel`
        The product, changed in place.
    name : str
        Name of the attribute.
    table : ndarray
        A structured array.
    title : str
        What it holds.
    extension : str, optional
        Name of the FITS extension; `name` in capitals by default.
    """
    extend_schema(model, {name: table_schema(table, title, extension or name.upper())})
    model._instance[name] = table


def table_schema(table: NDArray[np.void], title: str, extension: str) -> dict[str, Any]:
    """
    Describe a table for `extend_schema`.

    Parameters
    ----------
    table : ndarray
        A structured array.
    title : str
        What it holds.
    extension : str
        Name of the FITS extension.

    Returns
    -------
    dict
        The schema of the entry.
    """
    datatype, _ = numpy_dtype_to_asdf_datatype(table.dtype)
    return {"title": title, "fits_hdu": extension, "datatype": datatype}


def extend_schema(model: JwstDataModel, properties: Mapping[str, Any]) -> None:
    """
    Tell a model of entries that its schema does not know, so that they are written to FITS.

    Parameters
    ----------
    model : `~stdatamodels.jwst.datamodels.JwstDataModel`
        The product, changed in place; its entries are not validated here.
    properties : mapping
        Schemas of the entries by name, with ``fits_hdu``, ``fits_keyword`` or ``datatype``; nested
        as the schema of the model is. Entries of slits are under ``slits``, see `of_slits`.
    """
    extension = {"type": "object", "properties": dict(properties)}
    # Not by the model's own extend_schema, which would validate the whole model once more.
    model._schema = merge_property_trees({"allOf": [model._schema, extension]})


def of_slits(properties: Mapping[str, Any]) -> dict[str, Any]:
    """
    Say that entries are in each slit of a product of many.

    Parameters
    ----------
    properties : mapping
        Schemas of the entries of a slit by name.

    Returns
    -------
    dict
        The argument of `extend_schema` for a MultiSlitModel.
    """
    items = {"type": "object", "properties": dict(properties)}
    return {"slits": {"type": "array", "items": items}}


def _write_valid(model: JwstDataModel, path: Path) -> None:
    """
    Write a product; writing checks it against its schema, the one time that this is done.

    Header values that older calibrations wrote and the present schema refuses are dropped with a
    warning, as `stdatamodels` does on opening a file. Anything else is an error of ours.
    """
    while True:
        try:
            _write(model, path)
            return
        except ValidationError as error:
            entry = list(error.path)
            if not _drop_header_value(model._instance, entry):
                raise OutputError(
                    f"{path.name}: the product is not valid: {error.message}"
                ) from error
            name = ".".join(str(part) for part in entry)
            log.warning("%s: header value %s is not valid and left out", path.name, name)


def _write(model: JwstDataModel, path: Path) -> None:
    if path.suffix != ".fits":
        model.save(str(path))
        return
    # As the model's own method does, but for the list that it makes for the extensions.
    model.on_save(str(path))
    with collector_paused():
        hdulist = fits_support.to_fits(
            model._instance, model._schema, hdulist=_Extensions([fits.PrimaryHDU()])
        )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Card is too long")
        fits.HDUList(list(hdulist)).writeto(path)


class _Extensions(fits.HDUList):
    """
    A list of extensions that finds them by name and number without looking at all of them.

    A product of n slits has 8 n extensions, and each of its 50 n header values is put into one that
    is looked up: with a search through the list, the time to save goes with the square of n.
    """

    def __init__(self, hdus: list[Any]) -> None:
        self._known: dict[str | tuple[str, int], tuple[int, Any]] = {}
        self._seen = 0
        super().__init__(hdus)

    def index_of(self, key: Any) -> int:
        """
        Find the place of an extension; see `astropy.io.fits.HDUList.index_of`.

        Parameters
        ----------
        key : int, str, tuple or HDU
            What to look for.

        Returns
        -------
        int
            Its index.

        Raises
        ------
        KeyError
            If there is none.
        """
        if isinstance(key, str):
            key = key.strip().upper()
        elif isinstance(key, tuple) and isinstance(key[0], str):
            key = key[0].strip().upper(), key[1]
        else:
            return int(super().index_of(key))
        found = self._known.get(key)
        if (
            found is None
            or found[0] >= len(self)
            or list.__getitem__(self, found[0]) is not found[1]
        ):
            # Where an extension was exchanged for another one, all are looked at again.
            self._look_through(self._seen if found is None and self._seen <= len(self) else 0)
            found = self._known.get(key)
        if found is None:
            raise KeyError(f"Extension {key!r} not found.")
        return found[0]

    def _look_through(self, start: int) -> None:
        if start == 0:
            self._known.clear()
        for index in range(start, len(self)):
            hdu: Any = list.__getitem__(self, index)
            for key in (hdu.name, (hdu.name, hdu.ver)):
                self._known.setdefault(key, (index, hdu))
        self._seen = len(self)


def _drop_header_value(tree: Any, entry: list[str | int]) -> bool:
    """Remove one scalar from a tree; False if there is no such scalar."""
    node = tree
    for part in entry[:-1]:
        node = node[part]
    if not entry or not isinstance(node, dict) or entry[-1] not in node:
        return False
    if not isinstance(node[entry[-1]], str | int | float | bool | None):
        return False
    del node[entry[-1]]
    return True


def replace_atomically(path: str | Path, write: Callable[[Path], object]) -> None:
    """
    Write a file under a temporary name in its own folder, then move it into place.

    Parameters
    ----------
    path : str or path
        The file to make. Its folder is made if it does not exist.
    write : callable
        Called with a path of the same file name in a temporary folder beside `path`; must write it.

    Raises
    ------
    OutputError
        If the folder or the file cannot be written; what was at `path` before is still there.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".webbweave-", dir=path.parent) as folder:
            temporary = Path(folder) / path.name
            write(temporary)
            temporary.replace(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"{path}: cannot be written: {reason}") from error
