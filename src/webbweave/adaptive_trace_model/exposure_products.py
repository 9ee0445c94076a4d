"""An exposure or slit as it goes into the modelling of its trace, and what comes out."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from gwcs import WCS
from numpy.typing import NDArray

from webbweave.adaptive_trace_model.geometry import Geometry, find_mode
from webbweave.adaptive_trace_model.splines import TraceModel
from webbweave.adaptive_trace_model.summary import TraceSummary
from webbweave.datamodels import get_path, release, set_path
from webbweave.errors import InputError

__all__ = ["Cube", "Exposure", "TraceProduct", "turned_back"]


@dataclass(frozen=True)
class Exposure:
    """
    An exposure, or one slit of it.

    Attributes
    ----------
    name : str
        What messages call it: the file, and the slit.
    tree : mapping
        Its tree; never changed.
    header : mapping
        The tree that has the metadata of the exposure: the same, or that of all slits.
    ifu : bool
        Whether it is of an integral-field unit.
    own : bool
        Whether its arrays are ours alone, and as they are in a file.
    """

    name: str
    tree: Mapping[str, Any] = field(repr=False)
    header: Mapping[str, Any] = field(repr=False)
    ifu: bool = False
    own: bool = False

    @property
    def detector(self) -> str:
        """Name of the detector."""
        return str(get_path(self.header, "meta.instrument.detector", ""))

    @property
    def grating(self) -> str | None:
        """Name of the grating, for NIRSpec."""
        grating: str | None = get_path(self.header, "meta.instrument.grating")
        return grating

    def mode(self) -> str:
        """
        Tell the mode; see `find_mode`.

        Returns
        -------
        str
            The mode.

        Raises
        ------
        ValueError
            If there is none for the detector and type of exposure; the message has the name.
        """
        kind = get_path(self.header, "meta.exposure.type")
        try:
            return find_mode(self.detector, kind, ifu=self.ifu)
        except ValueError as error:
            raise ValueError(f"{self.name}: {error}") from error


@dataclass(eq=False)
class TraceProduct:
    """
    What becomes of an exposure or slit.

    Attributes
    ----------
    splines : TraceModel
        The fitted splines.
    entries : dict of str to ndarray
        Arrays to set, with the orientation of the detector.
    removed : tuple of str
        Arrays to remove.
    metadata : dict of str to object
        Header values to set, by path.
    wcs : `~gwcs.WCS` or None
        The WCS of the finer grid.
    images : dict of str to ndarray
        The intermediate images: ``full`` and ``used``, and if oversampled ``linear`` and
        ``residual``.
    summary : TraceSummary or None
        What is shown in a report.
    """

    splines: TraceModel
    entries: dict[str, NDArray[Any]] = field(default_factory=dict)
    removed: tuple[str, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)
    wcs: WCS | None = None
    images: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    summary: TraceSummary | None = None

    def put_into(self, tree: dict[str, Any]) -> None:
        """
        Change a tree into that of the product.

        Parameters
        ----------
        tree : dict
            The tree of a model or slit that is ours; its dictionaries are changed in place, its
            arrays are replaced.
        """
        tree.update(self.entries)
        for name in self.removed:
            tree.pop(name, None)
        for path, value in self.metadata.items():
            set_path(tree, path, value)
        if self.wcs is not None:
            tree["meta"]["wcs"] = self.wcs


@dataclass(frozen=True)
class Cube:
    """
    The arrays of an exposure, of one integration or of several.

    Attributes
    ----------
    name : str
        What messages call the exposure.
    tree : mapping
        Its tree.
    n : int
        Number of integrations.
    shape : (int, int)
        Shape (ny, nx) of one of them.
    single : bool
        Whether the one integration has an axis of its own.
    own : bool
        Whether the arrays are ours alone, and as they are in a file.
    """

    name: str
    tree: Mapping[str, Any]
    n: int
    shape: tuple[int, int]
    single: bool
    own: bool

    @classmethod
    def of(cls, exposure: Exposure) -> Cube:
        """
        Look at the arrays of an exposure.

        Parameters
        ----------
        exposure : Exposure
            The exposure.

        Returns
        -------
        Cube
            Its arrays.

        Raises
        ------
        InputError
            If there is no SCI, or it is no image and no cube.
        """
        data = exposure.tree.get("data")
        if data is None:
            raise InputError(f"{exposure.name}: expected an array SCI, found none")
        if data.ndim not in (2, 3) or 0 in data.shape:
            raise InputError(
                f"{exposure.name}: expected SCI of 2 or 3 dimensions with pixels, "
                f"found shape {data.shape}"
            )
        n = data.shape[0] if data.ndim == 3 else 1
        shape = data.shape[-2], data.shape[-1]
        single = data.ndim == 3 and n == 1
        return cls(exposure.name, exposure.tree, n, shape, single, exposure.own)

    def plane(self, name: str) -> NDArray[Any] | None:
        """
        Give one of the arrays.

        Parameters
        ----------
        name : str
            Its name in the tree.

        Returns
        -------
        ndarray of shape (ny, nx) or (n, ny, nx), or None
            The array, without the axis of a single integration; None if there is none.

        Raises
        ------
        InputError
            If it has not the shape of SCI.
        """
        array = self.tree.get(name)
        if array is None or not np.ndim(array):
            return None
        expected = (self.n, *self.shape) if self.n > 1 else self.shape
        if self.n == 1 and array.ndim == 3 and array.shape[0] == 1:
            array = array[0]
        if array.shape != expected and array.shape != self.shape:
            raise InputError(
                f"{self.name}: expected {name.upper()} of the shape {expected} of SCI, "
                f"found {array.shape}"
            )
        result: NDArray[Any] = array
        return result

    def image(self, name: str) -> Any:
        """
        Give one of the arrays as an image.

        Parameters
        ----------
        name : str
            Its name in the tree.

        Returns
        -------
        ndarray, shape (ny, nx), or None
            The array, or the median of the integrations; None if there is none.
        """
        plane = self.plane(name)
        if plane is None or plane.ndim == 2:
            return plane
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # pixels without a value
            return np.nanmedian(plane, axis=0)

    def done(self, name: str) -> None:
        """
        Let the system take back the memory of an array that is mapped from a file.

        Parameters
        ----------
        name : str
            Its name in the tree. It can still be used, and is read again then.
        """
        if self.own:
            release(self.tree.get(name))

    def given_back(self, array: NDArray[Any]) -> NDArray[Any]:
        """
        Give an array of the product the axis of a single integration, if the input has it.

        Parameters
        ----------
        array : ndarray, shape (ny, nx)
            The array.

        Returns
        -------
        ndarray, shape (ny, nx) or (1, ny, nx)
            The same.
        """
        array = np.ascontiguousarray(array)
        return array[np.newaxis] if self.single else array


def turned_back(geometry: Geometry, plane: NDArray[Any]) -> NDArray[Any]:
    """
    Turn an array to the orientation of the detector.

    Parameters
    ----------
    geometry : Geometry
        Tells if it is turned.
    plane : ndarray, shape (..., ny, nx)
        An array with the dispersion along x.

    Returns
    -------
    ndarray
        Contiguous in memory.
    """
    return np.ascontiguousarray(geometry.to_detector(plane))
