"""The slices or slits of an image: where they are, and how they are cut out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from webbweave._kernels.trace_region import (
    coordinate_extent,
    region_cut,
    region_labels,
    region_rows,
)
from webbweave.adaptive_trace_model.region import Region

__all__ = ["Extent", "RegionMap", "as_image", "as_number"]

#: Numbers of regions up to this one are looked up in a table; those of the instruments end at 417.
_LARGEST_TABLE = 65535


def as_image(name: str, array: ArrayLike, shape: tuple[int, int] | None = None) -> NDArray[Any]:
    """
    Make an array what the kernels take, without a copy where it is that already.

    Parameters
    ----------
    name : str
        What the array is called in messages.
    array : array_like, shape (ny, nx)
        The image; float32 remains so, all else becomes float64.
    shape : tuple of int, optional
        What its shape must be.

    Returns
    -------
    ndarray of float32 or float64
        The image, C-contiguous and native-endian.

    Raises
    ------
    ValueError
        If the shape is another one, or the array is not 2-D.
    TypeError
        If it does not hold numbers.
    """
    image = np.asarray(array)
    if image.ndim != 2 or (shape is not None and image.shape != tuple(shape)):
        expected = "two dimensions" if shape is None else str(tuple(shape))
        raise ValueError(f"{name} has shape {image.shape}, expected {expected}")
    if image.dtype.kind not in "fiub":
        raise TypeError(f"{name} is an array of {image.dtype}, expected numbers")
    is_single = image.dtype.kind == "f" and image.dtype.itemsize == 4
    return np.ascontiguousarray(image, dtype=np.float32 if is_single else np.float64)


def as_number(name: str, value: Any, *, positive: bool = False) -> float:
    """
    Check a parameter.

    Parameters
    ----------
    name : str
        What it is called in messages.
    value : object
        The candidate.
    positive : bool, optional
        It must be above 0.

    Returns
    -------
    float
        The number.

    Raises
    ------
    ValueError
        If it is not finite, or not positive.
    TypeError
        If it is no number.
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name}: expected a number, found {value!r}") from None
    if not np.isfinite(number) or (positive and number <= 0):
        kind = "positive" if positive else "finite"
        raise ValueError(f"{name}: expected a {kind} number, found {value!r}")
    return number


class Extent(NamedTuple):
    """How the coordinate along the slit lies in a region; NaN without a pixel."""

    pixel_size: float
    """Absolute of the median step of the coordinate from row to row."""
    lower: float
    """Its smallest value."""
    upper: float
    """Its largest value."""


@dataclass(frozen=True, eq=False)
class RegionMap:
    """
    Where the regions of an image are.

    Parameters
    ----------
    image : ndarray of int32, shape (ny, nx)
        Number of the region of each pixel, dispersion along x; 0 and less for none.
    labels : ndarray of int64, shape (n_region,)
        The numbers above 0 that occur, ascending; they need not be consecutive.
    first, stop : ndarray of int32, shape (n_region, nx)
        First row of each region in each column, and one beyond the last; both 0 where it has none.
    """

    image: NDArray[np.int32]
    labels: NDArray[np.int64]
    first: NDArray[np.int32]
    stop: NDArray[np.int32]

    @classmethod
    def find(
        cls, region_map: ArrayLike | RegionMap, shape: tuple[int, int] | None = None
    ) -> RegionMap:
        """
        Find the regions of an image.

        Parameters
        ----------
        region_map : array_like of int, shape (ny, nx)
            Number of the region of each pixel; or what this function returned before.
        shape : tuple of int, optional
            What its shape must be.

        Returns
        -------
        RegionMap
            The regions.

        Raises
        ------
        ValueError
            If the shape is another one.
        TypeError
            If it does not hold integers.
        """
        if isinstance(region_map, RegionMap):
            if shape is not None and region_map.image.shape != tuple(shape):
                raise ValueError(
                    f"region_map has shape {region_map.image.shape}, expected {tuple(shape)}"
                )
            return region_map
        image, numbers = _small_numbers(_as_labels(region_map, shape))
        nx = image.shape[1]
        present = np.zeros(_LARGEST_TABLE + 1, np.uint8)
        largest = region_labels(image, present) if image.size else 0
        found = np.flatnonzero(present[1 : largest + 1].view(bool)) + 1
        first = np.zeros((len(found), nx), np.int32)
        stop = np.zeros_like(first)
        if len(found):
            index = np.full(int(found[-1]) + 1, -1, np.int32)
            index[found] = np.arange(len(found), dtype=np.int32)
            region_rows(image, index, first, stop)
        labels = found if numbers is None else numbers[found - 1]
        return cls(image, np.asarray(labels, np.int64), first, stop)

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the image."""
        ny, nx = self.image.shape
        return ny, nx

    def number(self, region: int) -> int:
        """
        Give the number of a region in `image`.

        Parameters
        ----------
        region : int
            Index in `labels`.

        Returns
        -------
        int
            Its label, or the stand-in of one that is very large.
        """
        column = int(np.argmax(self.stop[region] > self.first[region]))
        return int(self.image[self.first[region, column], column])

    def height(self, region: int) -> int:
        """
        Give the most rows that a region has in a column.

        Parameters
        ----------
        region : int
            Index in `labels`.

        Returns
        -------
        int
            From its first row to its last, with holes.
        """
        return int((self.stop[region] - self.first[region]).max(initial=0))

    def cut(self, region: int, image: NDArray[Any], *, rounds: bool = False) -> NDArray[np.float64]:
        """
        Cut a region out of an image.

        Parameters
        ----------
        region : int
            Index in `labels`.
        image : ndarray of float32 or float64, shape (ny, nx)
            The image.
        rounds : bool, optional
            Round to float32.

        Returns
        -------
        ndarray of float64, shape (nx, n_row)
            A copy, transposed: each column from its `first` row on, NaN outside the region.
        """
        values = np.empty((self.image.shape[1], self.height(region)))
        region_cut(
            self.image,
            self.first[region],
            self.stop[region],
            image,
            values,
            label=self.number(region),
            rounds=rounds,
        )
        return values

    def cut_region(
        self,
        region: int,
        flux: NDArray[Any],
        alpha: NDArray[Any],
        error: NDArray[Any] | None = None,
        *,
        rounds: bool = False,
    ) -> Region:
        """
        Cut a region out of the images of an exposure, and measure its pixels.

        Parameters
        ----------
        region : int
            Index in `labels`.
        flux, alpha : ndarray of float32 or float64, shape (ny, nx)
            Data, and the coordinate along the slit; one that is infinite becomes NaN.
        error : ndarray of float32 or float64, shape (ny, nx), optional
            Standard deviation of the flux.
        rounds : bool, optional
            Round the coordinates to float32.

        Returns
        -------
        Region
            Copies of its pixels.
        """
        coordinate = self.cut(region, alpha, rounds=rounds)
        coordinate[np.isinf(coordinate)] = np.nan
        return Region(
            label=int(self.labels[region]),
            first_row=self.first[region],
            flux=self.cut(region, flux),
            alpha=coordinate,
            error=None if error is None else self.cut(region, error),
            single=flux.dtype == np.float32,
            pixel_size=_extent(coordinate, rounds=rounds).pixel_size,
        )

    def measure(self, region: int, alpha: NDArray[Any], *, rounds: bool = False) -> Extent:
        """
        Measure how the coordinate along the slit lies in a region.

        Parameters
        ----------
        region : int
            Index in `labels`.
        alpha : ndarray of float32 or float64, shape (ny, nx)
            The coordinate.
        rounds : bool, optional
            Compute in float32.

        Returns
        -------
        Extent
            Pixel size and range.
        """
        return _extent(self.cut(region, alpha, rounds=rounds), rounds=rounds)


def _extent(alpha: NDArray[np.float64], *, rounds: bool) -> Extent:
    return Extent(*coordinate_extent(alpha, np.empty_like(alpha), rounds=rounds))


def _as_labels(region_map: Any, shape: tuple[int, int] | None) -> NDArray[Any]:
    labels = np.asarray(region_map)
    if labels.ndim != 2 or (shape is not None and labels.shape != tuple(shape)):
        expected = "two dimensions" if shape is None else str(tuple(shape))
        raise ValueError(f"region_map has shape {labels.shape}, expected {expected}")
    if labels.dtype.kind == "f":
        # Some label mappers give floats, NaN outside.
        whole = np.nan_to_num(labels, nan=0.0, posinf=0.0, neginf=0.0)
        if np.any(whole != np.rint(whole)):
            raise TypeError("region_map holds fractions, expected integers")
        numbers: NDArray[np.int64] = whole.astype(np.int64)
        return numbers
    if labels.dtype.kind not in "iub":
        raise TypeError(f"region_map is an array of {labels.dtype}, expected integers")
    return labels


def _small_numbers(labels: NDArray[Any]) -> tuple[NDArray[np.int32], NDArray[np.int64] | None]:
    """Give the labels as int32, and what they stand for if they had to be renumbered."""
    is_small = labels.dtype.itemsize < 4 or not labels.size or labels.max() <= _LARGEST_TABLE
    if is_small and (labels.dtype.kind != "i" or labels.dtype.itemsize <= 4):
        return np.ascontiguousarray(labels, np.int32), None
    clipped = np.where(labels > 0, labels, 0)
    if is_small:
        return np.ascontiguousarray(clipped, np.int32), None
    numbers = np.unique(clipped[clipped > 0])
    if len(numbers) > _LARGEST_TABLE:
        raise ValueError(f"region_map holds {len(numbers)} regions, at most {_LARGEST_TABLE} fit")
    image = np.where(clipped > 0, np.searchsorted(numbers, clipped) + 1, 0)
    return np.ascontiguousarray(image, np.int32), numbers.astype(np.int64)
