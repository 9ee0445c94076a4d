"""The background of an image and its scatter: robust statistics on a mesh, a spline between."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import spline_filter
from scipy.spatial import cKDTree

from webbweave._kernels import background as _kernel
from webbweave.parallel import run_ranges

__all__ = ["Background", "NoBackgroundError", "estimate_background"]

log = logging.getLogger(__name__)

#: Values farther from the median of their box than this many standard deviations are clipped.
CLIP = 3.0
#: Rounds of clipping, as many as `photutils.background` takes by default; boxes with bright stars
#: need more than the 5 that jwst takes.
CLIP_ROUNDS = 10
COMPAT_CLIP_ROUNDS = 5
#: A box counts if more than this part of its pixels are left, as in `photutils.background`.
LEAST_FILLED = 0.9
#: A smaller remainder of a box says little: its median has a tenth of the noise of a pixel.
LEAST_PIXELS = 100
#: A rejected box is filled from this many others, weighted by the inverse of their distance.
NEIGHBOURS = 10
#: Neighbours in the tree of boxes: decides among equally distant ones, as `photutils` does.
LEAF_SIZE = 10
#: The median of the scatter is taken over about this many rows and columns: many to a box of the
#: default size in the largest of images (boxes of 400 pixels, 2048 x 2048 pixels).
_SAMPLES = 256


class NoBackgroundError(ValueError):
    """No pixel is left to estimate a background from."""


@dataclass(frozen=True, eq=False)
class Background:
    """
    A background on a mesh.

    Attributes
    ----------
    level, rms : ndarray of float64, shape (my, mx)
        Background and its scatter in each box, in the unit of the data.
    box : (int, int)
        Height and width of a box in pixels; box (0, 0) begins at pixel (0, 0).
    shape : (int, int)
        Shape of the image in pixels.
    """

    level: NDArray[np.float64]
    rms: NDArray[np.float64]
    box: tuple[int, int]
    shape: tuple[int, int]

    def subtracted(
        self, data: NDArray[np.float32], mask: NDArray[np.bool_] | None = None, *, threads: int = 1
    ) -> NDArray[np.float32]:
        """
        Subtract the background from an image.

        Parameters
        ----------
        data : ndarray of float32, shape (ny, nx)
            The image.
        mask : ndarray of bool, shape (ny, nx), optional
            Pixels that keep their value.
        threads : int, optional
            Number of threads.

        Returns
        -------
        ndarray of float32, shape (ny, nx)
            The difference.
        """
        return self._evaluate(self.level, data, mask, threads)

    def image(
        self,
        of: Literal["level", "rms"],
        mask: NDArray[np.bool_] | None = None,
        *,
        step: int = 1,
        threads: int = 1,
    ) -> NDArray[np.float32]:
        """
        Evaluate the background or its scatter.

        Parameters
        ----------
        of : {'level', 'rms'}
            Which of the two.
        mask : ndarray of bool, shape (ny, nx), optional
            Pixels that are set to 0.
        step : int, optional
            Evaluate each pixel of this many along each axis.
        threads : int, optional
            Number of threads.

        Returns
        -------
        ndarray of float32, shape (ceil(ny / step), ceil(nx / step))
            The value at each pixel, in the unit of the data.
        """
        mesh = self.level if of == "level" else self.rms
        return self._evaluate(mesh, None, mask, threads, step)

    def typical_rms(
        self, mask: NDArray[np.bool_] | None = None, *, compat: bool = False, threads: int = 1
    ) -> float:
        """
        Median scatter over the image.

        Parameters
        ----------
        mask : ndarray of bool, shape (ny, nx), optional
            Pixels that are left out.
        compat : bool, optional
            Count masked pixels as zeros, as jwst does; with half of them masked, the median is 0.
        threads : int, optional
            Number of threads.

        Returns
        -------
        float
            The median, in the unit of the data; NaN if all pixels are masked.
        """
        if compat:
            return _kernel.masked_median(self.image("rms", mask, threads=threads), None)
        # The mesh is smooth: part of the pixels have the median of all, unless all of these are
        # masked.
        median = math.nan
        for step in sorted({max(1, -(-min(self.shape) // _SAMPLES)), 1}, reverse=True):
            image = self.image("rms", step=step, threads=threads)
            left_out = None if mask is None else np.ascontiguousarray(mask[::step, ::step])
            median = _kernel.masked_median(image, _bytes(left_out))
            if math.isfinite(median):
                break
        return median

    def _evaluate(
        self,
        mesh: NDArray[np.float64],
        data: NDArray[np.float32] | None,
        mask: NDArray[np.bool_] | None,
        threads: int,
        step: int = 1,
    ) -> NDArray[np.float32]:
        coef = np.ascontiguousarray(spline_filter(mesh, order=3, mode="reflect"))
        index_y, weight_y = _spline_tables(self.shape[0], self.box[0], mesh.shape[0], step)
        index_x, weight_x = _spline_tables(self.shape[1], self.box[1], mesh.shape[1], step)
        mask = None if mask is None else np.ascontiguousarray(mask[::step, ::step])
        out = np.empty((len(index_y), len(index_x)), dtype=np.float32)

        def work(start: int, stop: int) -> None:
            _kernel.background_rows(
                coef,
                index_y,
                weight_y,
                index_x,
                weight_x,
                data,
                _bytes(mask),
                out,
                low=float(mesh.min()),
                high=float(mesh.max()),
                row_start=start,
                row_stop=stop,
            )

        run_ranges(work, len(out), threads)
        return out


def estimate_background(
    data: NDArray[np.float32],
    mask: NDArray[np.bool_] | None = None,
    *,
    box_size: int = 400,
    compat: bool = False,
    threads: int = 1,
    name: str = "image",
) -> Background:
    """
    Estimate the background of an image, as `photutils.background.Background2D` does.

    In boxes, values are clipped at 3 standard deviations about the median; median and standard
    deviation of the rest are the background and its scatter. Boxes with too few values are filled
    from those around, and a 3 x 3 median filter takes out boxes on bright objects.

    Parameters
    ----------
    data : ndarray of float32, shape (ny, nx)
        The image. Values that are not finite are left out.
    mask : ndarray of bool, shape (ny, nx), optional
        Pixels that are left out.
    box_size : int, optional
        Side of a box in pixels.
    compat : bool, optional
        Judge the smaller boxes at the end of the image against the size of a full one, as
        `photutils` does: they are then always rejected; and clip 5 times at most, as jwst does.
    threads : int, optional
        Number of threads; the result is the same for any.
    name : str, optional
        What messages call the image.

    Returns
    -------
    Background
        The mesh. Where no box is good enough, a mesh of one box, the whole image.

    Raises
    ------
    NoBackgroundError
        If all pixels are masked or not finite.
    ValueError
        If `box_size` is not positive.
    """
    if box_size < 1:
        raise ValueError(f"bkg_boxsize: expected a positive number of pixels, found {box_size}")
    ny, nx = data.shape
    rounds = COMPAT_CLIP_ROUNDS if compat else CLIP_ROUNDS
    level, rms, count = _box_statistics(data, mask, box_size, rounds, threads)
    box = min(box_size, ny), min(box_size, nx)
    full = np.full(level.shape, box[0] * box[1])
    own = np.outer(_box_lengths(ny, box_size), _box_lengths(nx, box_size))
    good = count > LEAST_FILLED * (full if compat else own)
    if not compat:
        good &= own >= np.minimum(full, LEAST_PIXELS)
    if not good.any():
        log.info(
            "%s: no box of %d x %d pixels has enough good pixels for a background; "
            "the whole image is taken as one",
            name,
            *box,
        )
        level, rms, count = _box_statistics(data, mask, max(ny, nx), rounds, threads)
        box = ny, nx
        good = count > 0
    if not good.any():
        raise NoBackgroundError(f"{name}: all pixels are masked or not finite")
    meshes = [_median_filtered(_filled(mesh, good)) for mesh in (level, rms)]
    return Background(meshes[0], meshes[1], box, (ny, nx))


def _bytes(mask: NDArray[np.bool_] | None) -> NDArray[np.uint8] | None:
    return None if mask is None else mask.view(np.uint8)


def _box_lengths(size: int, box: int) -> NDArray[np.int64]:
    edges = np.append(np.arange(0, size, box), size)
    return np.diff(edges)


def _box_statistics(
    data: NDArray[np.float32],
    mask: NDArray[np.bool_] | None,
    box: int,
    rounds: int,
    threads: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.uint32]]:
    shape = tuple(-(-size // box) for size in data.shape)
    n_box = shape[0] * shape[1]
    level, rms, count = np.empty(n_box), np.empty(n_box), np.empty(n_box, dtype=np.uint32)

    def work(start: int, stop: int) -> None:
        _kernel.background_boxes(
            data,
            _bytes(mask),
            level,
            rms,
            count,
            box=box,
            clip=CLIP,
            max_round=rounds,
            box_start=start,
            box_stop=stop,
        )

    run_ranges(work, n_box, threads)
    return level.reshape(shape), rms.reshape(shape), count.reshape(shape)


def _filled(mesh: NDArray[np.float64], good: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Fill boxes by the mean of the nearest good ones, weighted by the inverse distance."""
    if good.all():
        return mesh
    known = np.argwhere(good)
    k = min(NEIGHBOURS, len(known))
    wanted = np.argwhere(~good)
    distance, index = cKDTree(known, leafsize=LEAF_SIZE).query(wanted, k=k)
    weight = 1.0 / np.reshape(distance, (-1, k))
    values = mesh[good][np.reshape(index, (-1, k))]
    filled = mesh.copy()
    filled[~good] = (weight * values).sum(axis=1) / weight.sum(axis=1)
    return filled


def _median_filtered(mesh: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median of 3 x 3 boxes; at the rim, of those that there are."""
    padded = np.pad(mesh, 1, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3))
    return np.asarray(np.nanmedian(windows, axis=(2, 3)), dtype=np.float64)


def _spline_tables(
    size: int, box: int, nodes: int, step: int
) -> tuple[NDArray[np.uint32], NDArray[np.float64]]:
    """
    The four nodes that each pixel of `step` along an axis depends on, and their weights.

    The values of the mesh stand for the centres of the boxes, and are mirrored at its ends
    (Unser 1999, IEEE Signal Processing Magazine 16, 22).
    """
    place = (np.arange(0, size, step) + 0.5) / box - 0.5
    first = np.floor(place)
    t = place - first
    index = first.astype(np.int64)[:, None] + np.arange(-1, 3)
    index %= 2 * nodes
    index = np.where(index < nodes, index, 2 * nodes - 1 - index)
    cubes = (1 - t) ** 3, 4 - 6 * t**2 + 3 * t**3, 1 + 3 * t + 3 * t**2 - 3 * t**3, t**3
    return index.astype(np.uint32), np.stack(cubes, axis=1) / 6.0
