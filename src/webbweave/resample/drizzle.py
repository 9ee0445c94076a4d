"""Drizzling: the pixels of one exposure onto the output grid, all planes in one pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from webbweave._kernels import drizzle as _kernel
from webbweave.parallel import run_ranges
from webbweave.resample.scan import scanned_pixels

__all__ = [
    "KERNELS",
    "SMALLEST_PIXFRAC",
    "Drizzled",
    "check_kernel",
    "drizzle_exposure",
]

KERNELS = {"square": _kernel.KERNEL_SQUARE, "point": _kernel.KERNEL_POINT}

#: A pixel shrunk below this is a point: its corners are no longer distinct to the kernel.
SMALLEST_PIXFRAC = 0.001


@dataclass(frozen=True, eq=False)
class Drizzled:
    """
    One exposure on the output grid.

    Attributes
    ----------
    weight : ndarray of float64, shape (ny, nx)
        Sum of the weights that each cell received.
    sums : mapping of str to ndarray of float64, shape (ny, nx)
        Weighted sum per plane.
    dq : ndarray of uint32, shape (ny, nx), or None
        Bits of all pixels that contributed.
    hit : ndarray of bool, shape (ny, nx)
        Cells with a positive weight.
    """

    weight: NDArray[np.float64]
    sums: Mapping[str, NDArray[np.float64]]
    dq: NDArray[np.uint32] | None
    hit: NDArray[np.bool_]

    def mean(self, name: str) -> NDArray[np.float64]:
        """
        Divide a plane by the weight.

        Parameters
        ----------
        name : str
            A key of `sums`.

        Returns
        -------
        ndarray of float64, shape (ny, nx)
            Weighted means, NaN where there is no weight.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = self.sums[name] / self.weight
        mean[self.weight == 0] = np.nan
        return mean


def check_kernel(kernel: str, pixfrac: float) -> str:
    """
    Check the drizzle options.

    Parameters
    ----------
    kernel : str
        Name of the kernel.
    pixfrac : float
        Linear size of the shrunk pixel.

    Returns
    -------
    str
        The kernel to use: 'point' if the pixel is shrunk to one.

    Raises
    ------
    ValueError
        If the kernel is unknown or `pixfrac` outside [0, 1].
    """
    if kernel not in KERNELS:
        raise ValueError(f"kernel: expected 'square' or 'point', found {kernel!r}")
    if not 0.0 <= pixfrac <= 1.0:
        raise ValueError(f"pixfrac: expected a number from 0 to 1, found {pixfrac}")
    return "point" if pixfrac <= SMALLEST_PIXFRAC else kernel


def drizzle_exposure(
    planes: Mapping[str, ArrayLike],
    weight: ArrayLike,
    pixel_map: tuple[ArrayLike, ArrayLike],
    shape: tuple[int, int],
    *,
    dq: ArrayLike | None = None,
    pixfrac: float = 1.0,
    kernel: str = "square",
    compat: bool = False,
    threads: int = 1,
) -> Drizzled:
    """
    Drizzle the planes of one exposure (Fruchter & Hook 2002, PASP 114, 144).

    Parameters
    ----------
    planes : mapping of str to array_like, shape (ny_in, nx_in)
        The planes to drizzle, the science values first. Sums of a cell are NaN in a plane if a
        pixel that contributes is NaN in it.
    weight : array_like, shape (ny_in, nx_in)
        Weight of each pixel; 0 leaves it out.
    pixel_map : (array_like, array_like), shape (ny_in, nx_in) each
        Output column and row of each pixel centre, NaN for none.
    shape : (int, int)
        Shape (ny, nx) of the output grid.
    dq : array_like of uint32, shape (ny_in, nx_in), optional
        Bits to combine.
    pixfrac : float, optional
        Linear size of the shrunk pixel, in [0, 1].
    kernel : {'square', 'point'}, optional
        The pixel as a quadrilateral, or all of it to the cell of its centre.
    compat : bool, optional
        Follow jwst: a pixel without all its neighbours in the map is left out, and so is one that
        is not looked at, see `~webbweave.resample.scan.scanned_pixels`.
    threads : int, optional
        Number of threads; the result is the same for any.

    Returns
    -------
    Drizzled
        Sums in double precision.

    Raises
    ------
    ValueError
        If an option is unknown or shapes differ.
    """
    kernel = check_kernel(kernel, pixfrac)
    map_x, map_y = (np.ascontiguousarray(axis, dtype=np.float64) for axis in pixel_map)
    value = np.stack([np.asarray(plane, dtype=np.float32) for plane in planes.values()])
    weight = np.ascontiguousarray(weight, dtype=np.float32)
    if compat:
        weight = np.where(scanned_pixels((map_x, map_y), shape), weight, np.float32(0.0))
    bits = None if dq is None else np.ascontiguousarray(dq, dtype=np.uint32)
    out_weight = np.zeros(shape)
    out_sum = np.zeros((len(planes), *shape))
    out_dq = None if dq is None else np.zeros(shape, dtype=np.uint32)
    context = np.zeros(shape, dtype=np.uint32)

    def work(start: int, stop: int) -> None:
        _kernel.drizzle_add(
            map_x,
            map_y,
            value,
            weight,
            bits,
            out_weight,
            out_sum,
            out_dq,
            context,
            pixfrac=max(pixfrac, SMALLEST_PIXFRAC),
            kernel=KERNELS[kernel],
            edge=_kernel.EDGE_SKIP if compat else _kernel.EDGE_JACOBIAN,
            nan_rule=_kernel.NAN_POISON if compat else _kernel.NAN_SKIP,
            context_bit=1,
            row_start=start,
            row_stop=stop,
        )

    run_ranges(work, shape[0], threads)
    sums = dict(zip(planes, out_sum, strict=True))
    return Drizzled(out_weight, sums, out_dq, context != 0)
