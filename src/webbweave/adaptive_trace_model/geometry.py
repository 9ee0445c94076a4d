"""Where the pixels of an exposure are: region, coordinate along the slit, wavelength.

All arrays have the dispersion along x: those of MIRI are rotated by a quarter turn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from gwcs import WCS
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from webbweave.adaptive_trace_model.oversample import fine_rows, nearest_rows
from webbweave.errors import InputError
from webbweave.parallel import run_in_order
from webbweave.wcs import FastWcs, fast_wcs
from webbweave.wcs.slices import Limits

__all__ = [
    "Geometry",
    "OversampledGrid",
    "find_mode",
    "ifu_geometry",
    "slit_geometry",
]

#: Wavelengths below this are in metre: the longest of JWST is 3e-5 m, the shortest 0.6 micron.
_METRE_BELOW = 1e-3
_MICRON_PER_METRE = 1e6


def find_mode(detector: str | None, exposure_type: str | None, *, ifu: bool) -> str:
    """
    Tell the mode of an exposure.

    Parameters
    ----------
    detector : str or None
        Name of the detector.
    exposure_type : str or None
        Type of the exposure, as EXP_TYPE.
    ifu : bool
        Whether it is of an integral-field unit.

    Returns
    -------
    str
        NRS_IFU, NRS_MOS, NRS_SLIT, MIR_MRS, MIR_LRS_SLIT or MIR_LRS_SLITLESS.

    Raises
    ------
    ValueError
        If the step knows no such mode.
    """
    name, kind = str(detector or ""), str(exposure_type or "")
    if name.startswith("NRS"):
        return "NRS_IFU" if ifu else "NRS_MOS" if kind == "NRS_MSASPEC" else "NRS_SLIT"
    if name.startswith("MIR"):
        if ifu:
            return "MIR_MRS"
        if kind == "MIR_WFSS":
            raise ValueError("MIRI WFSS is not supported.")
        return "MIR_LRS_SLITLESS" if kind == "MIR_LRS-SLITLESS" else "MIR_LRS_SLIT"
    raise ValueError(f"Unknown detector {detector!r}: expected NRS1, NRS2 or one of MIRI (MIR...)")


@dataclass(frozen=True)
class OversampledGrid:
    """
    Coordinates on the finer grid.

    Attributes
    ----------
    alpha : ndarray of float64, shape (n_os, nx)
        Coordinate along the slit; NaN outside of the regions.
    wavelength : ndarray of float32, shape (n_os, nx), or None
        Wavelength [micron]; NaN where it is not defined.
    """

    alpha: NDArray[np.float64]
    wavelength: NDArray[np.float32] | None


@dataclass(frozen=True, eq=False)
class _Patch:
    """
    What is evaluated for one region.

    `alpha` gives the coordinate along the slit, `both` that and the wavelength, as functions of x
    and y on the detector. Rows of the image that the region is in; None for all, without a look at
    the region map. Limits of x and y for both, and for the wavelength alone.
    """

    label: int
    rows: tuple[int, int] | None
    alpha: Callable[..., Any]
    both: Callable[..., Any]
    limits: Limits | None = None
    limits_of_wavelength: Limits | None = None


@dataclass(frozen=True, eq=False)
class Geometry:
    """
    The geometry of an exposure or slit.

    Attributes
    ----------
    mode : str
        As `find_mode` tells.
    alpha : ndarray of float64, shape (ny, nx)
        Coordinate along the slit, NaN outside of the regions.
    region_map : ndarray of int32, shape (ny, nx)
        Number of the slice or slit, 0 for none.
    """

    mode: str
    alpha: NDArray[np.float64]
    region_map: NDArray[np.int32]
    _patches: tuple[_Patch, ...] = field(repr=False)
    _ranges: tuple[tuple[float, float], ...] = field(default=(), repr=False)

    @property
    def rotated(self) -> bool:
        """Whether the arrays are turned with respect to the detector."""
        return self.mode.startswith("MIR")

    @property
    def labels(self) -> list[int]:
        """The numbers of the regions, ascending."""
        if not self.region_map.size:
            return []
        counts = np.bincount(np.maximum(self.region_map, 0).ravel())
        return [int(label) for label in np.flatnonzero(counts) if label > 0]

    @property
    def _sign(self) -> float:
        # The slits of NIRSpec count downwards on the detector; jwst turns them for the fits.
        return 1.0 if self.rotated else -1.0

    def bare(self) -> Geometry:
        """
        Let go of the coordinates.

        Returns
        -------
        Geometry
            One that only knows how arrays are turned.
        """
        return Geometry(self.mode, self.alpha[:0].copy(), self.region_map[:0].copy(), ())

    def to_work(self, plane: NDArray[Any]) -> NDArray[Any]:
        """
        Turn an array of the detector so that the dispersion is along x.

        Parameters
        ----------
        plane : ndarray, shape (..., ny, nx)
            Array of the detector.

        Returns
        -------
        ndarray
            A view.
        """
        return np.rot90(plane, 1, axes=(-2, -1)) if self.rotated else plane

    def to_detector(self, plane: NDArray[Any]) -> NDArray[Any]:
        """
        Turn an array back.

        Parameters
        ----------
        plane : ndarray, shape (..., ny, nx)
            Array with the dispersion along x.

        Returns
        -------
        ndarray
            A view.
        """
        return np.rot90(plane, -1, axes=(-2, -1)) if self.rotated else plane

    def oversampled(
        self,
        factor: float,
        *,
        wavelength: bool = True,
        threads: int = 1,
        compat: bool = False,
    ) -> OversampledGrid:
        """
        Evaluate the coordinates of the finer grid.

        Parameters
        ----------
        factor : float
            Rows of the finer grid per row.
        wavelength : bool, optional
            Whether wavelengths are wanted, too.
        threads : int, optional
            Number of threads.
        compat : bool, optional
            As jwst does it: nothing for rows whose nearest pixel is outside of a slice.

        Returns
        -------
        OversampledGrid
            The coordinates. Of slices, those of the rows whose nearest pixel is between the first
            and the last one of the slice in a column, and of the next rows where the data go on
            there: with a factor that is not whole.
        """
        n_row, n_column = self.alpha.shape
        rows = fine_rows(n_row, factor)
        alpha = np.full((rows.size, n_column), np.nan)
        waves = np.full((rows.size, n_column), np.nan, np.float32) if wavelength else None

        def work(patch: _Patch) -> None:
            first, inside = self._inside(patch, rows.size, factor, compat)
            place, column = np.nonzero(inside)
            place += first
            x, y = self._pixels(rows[place], column)
            if patch.limits is not None:
                kept = _within(patch.limits, x, y)
                place, column, x, y = place[kept], column[kept], x[kept], y[kept]
            if waves is None:
                along = patch.alpha(x, y)
            else:
                along, wave = patch.both(x, y)
                waves[place, column] = self._valid_wavelengths(patch, wave, x, y)
            alpha[place, column] = self._sign * along

        for _ in run_in_order(work, self._patches, threads=threads):
            pass
        return OversampledGrid(alpha, waves)

    def _inside(
        self, patch: _Patch, n_fine: int, factor: float, compat: bool
    ) -> tuple[int, NDArray[np.bool_]]:
        """First row of the finer grid that is looked at, and which pixels from there on count."""
        n_row, n_column = self.alpha.shape
        if patch.rows is None:
            return 0, np.ones((n_fine, n_column), np.bool_)
        # With a factor that is not whole, a row may be taken whose nearest one is the next.
        margin = 0 if compat or float(factor).is_integer() else 1
        start, stop = max(patch.rows[0] - margin, 0), min(patch.rows[1] + margin, n_row)
        labels = self.region_map[start:stop]
        own = labels == patch.label
        below = np.logical_or.accumulate(own, axis=0)
        inside = below & np.logical_or.accumulate(own[::-1], axis=0)[::-1]
        if margin:
            inside[1:] |= inside[:-1].copy()
            inside[:-1] |= inside[1:].copy()
            inside &= own | (labels == 0)
        nearest = nearest_rows(n_row, factor)
        if compat and not self.rotated:  # where jwst looks it up in the map of the WCS
            nearest = np.clip(np.floor(fine_rows(n_row, factor) + 0.5), 0, n_row - 1).astype(int)
        first, last = np.searchsorted(nearest, [start, stop])
        return int(first), inside[nearest[first:last] - start]

    def _pixels(
        self, rows: NDArray[np.float64], columns: NDArray[np.intp]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Pixels of the detector, x and y, from rows and columns of the arrays here."""
        along = columns.astype(np.float64)
        return (self.alpha.shape[0] - 1 - rows, along) if self.rotated else (along, rows)

    def _valid_wavelengths(
        self,
        patch: _Patch,
        wave: NDArray[np.float64],
        x: NDArray[np.float64],
        y: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        if patch.limits_of_wavelength is not None:
            wave[~_within(patch.limits_of_wavelength, x, y)] = np.nan
        if self._ranges:
            wave[~np.any([(wave > low) & (wave < high) for low, high in self._ranges], axis=0)] = (
                np.nan
            )
        if not self.rotated and wave.size and np.nanmax(wave, initial=0.0) < _METRE_BELOW:
            wave *= _MICRON_PER_METRE
        return wave


def _within(limits: Limits, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
    (x_low, x_high), (y_low, y_high) = limits
    return (x >= x_low) & (x <= x_high) & (y >= y_low) & (y <= y_high)


def _whole_pixels(limits: Limits) -> Limits:
    """The limits widened to the centres of all pixels that they touch, as gwcs makes grids."""
    x, y = ((float(np.floor(low + 0.5)), float(np.ceil(high - 0.5))) for low, high in limits)
    return x, y


def ifu_geometry(
    wcs: WCS | FastWcs,
    shape: tuple[int, int],
    *,
    mode: str,
    regions: NDArray[np.integer[Any]] | None = None,
    name: str = "the exposure",
    threads: int = 1,
) -> Geometry:
    """
    Evaluate the WCS of an integral-field unit on the pixels of its slices.

    Parameters
    ----------
    wcs : `~gwcs.WCS` or `~webbweave.wcs.FastWcs`
        NIRSpec: with a frame ``slicer``, MIRI: with a frame ``alpha_beta``, behind ``detector``.
    shape : (int, int)
        Shape (ny, nx) of the detector array.
    mode : {'NRS_IFU', 'MIR_MRS'}
        The instrument.
    regions : ndarray of int, shape (ny, nx), optional
        The slice of each pixel, 0 for none; that of the WCS by default.
    name : str, optional
        What an error message calls the exposure.
    threads : int, optional
        Number of threads.

    Returns
    -------
    Geometry
        The geometry.

    Raises
    ------
    InputError
        If the WCS is not as said, the map is missing or of another shape.
    """
    nirspec = mode == "NRS_IFU"
    full = fast_wcs(wcs)
    try:
        slices = full.slices("slicer" if nirspec else "alpha_beta")
    except ValueError as error:
        raise InputError(f"{name}: {error}") from error
    labels = slices.labels if regions is None or not nirspec else regions
    if labels is None or labels.shape != tuple(shape):
        found = "none" if labels is None else f"shape {labels.shape}"
        raise InputError(f"{name}: expected a map of the slices of shape {shape}, found {found}")
    turned = np.asarray(labels if nirspec else np.rot90(labels))
    region_map = np.ascontiguousarray(turned, dtype=np.int32)
    # The wavelength of MIRI is defined where that on the sky is.
    ranges = () if nirspec else tuple(full.wavelength_ranges())
    patches = []
    boxes = find_objects(region_map)
    for label, item in slices.slices.items():
        box = boxes[label - 1] if 0 < label <= len(boxes) else None
        if box is not None:
            along = 1 if nirspec else 0
            alpha, both = item.program([along]), item.program([along, 2])
            patches.append(_Patch(label, (box[0].start, box[0].stop), alpha, both, item.limits))
    return _evaluated(mode, region_map, patches, ranges, threads)


def _evaluated(
    mode: str,
    region_map: NDArray[np.int32],
    patches: Sequence[_Patch],
    ranges: Sequence[tuple[float, float]],
    threads: int,
) -> Geometry:
    """Fill in the coordinate of all pixels."""
    alpha: NDArray[np.float64] = np.full(region_map.shape, np.nan)
    geometry = Geometry(mode, alpha, region_map, tuple(patches), tuple(ranges))

    def work(patch: _Patch) -> None:
        first, stop = patch.rows or (0, alpha.shape[0])
        row, column = np.nonzero(region_map[first:stop] == patch.label)
        row += first
        x, y = geometry._pixels(row.astype(np.float64), column)
        if patch.limits is not None:
            kept = _within(_whole_pixels(patch.limits), x, y)
            row, column, x, y = row[kept], column[kept], x[kept], y[kept]
        alpha[row, column] = geometry._sign * patch.alpha(x, y)

    for _ in run_in_order(work, patches, threads=threads):
        pass
    return geometry


def slit_geometry(
    wcs: WCS | FastWcs, shape: tuple[int, int], *, mode: str, name: str = "the slit"
) -> Geometry:
    """
    Evaluate the WCS of a slit on the pixels of its bounding box.

    Parameters
    ----------
    wcs : `~gwcs.WCS` or `~webbweave.wcs.FastWcs`
        NIRSpec: with a frame ``slit_frame``, MIRI: with a frame ``alpha_beta``, behind
        ``detector``.
    shape : (int, int)
        Shape (ny, nx) of the array.
    mode : str
        One of the modes of `find_mode` for slits.
    name : str, optional
        What an error message calls the slit.

    Returns
    -------
    Geometry
        The geometry: region 1 is where the coordinate along the slit is finite.

    Raises
    ------
    InputError
        If there is no WCS, or it has no such frame.
    """
    nirspec = mode.startswith("NRS")
    frame = "slit_frame" if nirspec else "alpha_beta"
    full = _slit_wcs(wcs, ("detector", frame), name)
    along = 1 if nirspec else 0
    alpha = full.program("detector", frame, [along])
    limits = _limits(full, shape)
    if nirspec:
        patch = _Patch(1, None, alpha, full.program("detector", frame, [along, 2]), limits)
    else:
        both = _side_by_side(alpha, full.program("detector", full.available_frames[-1], [2]))
        # Rows of a finer grid may begin or end within the pixels next to the box.
        (x_low, x_high), y_limits = _whole_pixels(limits)
        patch = _Patch(1, None, alpha, both, ((x_low - 1, x_high + 1), y_limits), limits)
    (x_low, x_high), (y_low, y_high) = _whole_pixels(limits)
    inside = np.zeros(shape, np.int32)
    inside[max(int(y_low), 0) : int(y_high) + 1, max(int(x_low), 0) : int(x_high) + 1] = 1
    region_map = np.ascontiguousarray(inside if nirspec else np.rot90(inside))
    geometry = _evaluated(mode, region_map, [patch], (), 1)
    region_map[~np.isfinite(geometry.alpha)] = 0
    return geometry


def _slit_wcs(wcs: WCS | FastWcs | None, needed: Sequence[str], name: str) -> FastWcs:
    if wcs is None:
        raise InputError(f"{name}: expected a WCS in meta.wcs, found none")
    full = fast_wcs(wcs)
    frames = full.available_frames
    if missing := [frame for frame in needed if frame not in frames]:
        raise InputError(
            f"{name}: expected a WCS with a frame {missing[0]!r}, found {', '.join(frames)}"
        )
    return full


def _limits(wcs: FastWcs, shape: tuple[int, int]) -> Limits:
    box = wcs.bounding_box
    if box is None:
        return (-0.5, shape[1] - 0.5), (-0.5, shape[0] - 0.5)
    x, y = ((float(low), float(high)) for low, high in box.bounding_box(order="F"))
    return x, y


def _side_by_side(
    first: Callable[..., Any], second: Callable[..., Any]
) -> Callable[..., tuple[Any, Any]]:
    def both(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[Any, Any]:
        return first(x, y), second(x, y)

    return both
