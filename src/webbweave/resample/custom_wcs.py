"""A grid that the user gives as a WCS."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
from gwcs import WCS
from numpy.typing import NDArray

from webbweave.errors import InputError
from webbweave.resample.exposure import SlitExposure
from webbweave.resample.footprint import sky_box_region
from webbweave.resample.grid import on_full_array
from webbweave.resample.scales import has_inverse, spatial_scale, wcs_scale

__all__ = ["CustomGrid", "GivenWCS", "build_custom_grid", "custom_scales"]

#: Steradians in a square arcsecond.
_SR_PER_ARCSEC2 = float(np.deg2rad(1 / 3600.0) ** 2)


class GivenWCS(Protocol):
    """What a file for ``output_wcs`` holds."""

    @property
    def name(self) -> str:
        """What messages call it."""

    @property
    def wcs(self) -> WCS:
        """From two pixel coordinates to two positions and a wavelength, with inverse."""

    @property
    def pixel_area(self) -> float | None:
        """Nominal area of a pixel [steradian]."""

    @property
    def pixel_scale(self) -> float | None:
        """Pixel scale along the slit [arcsec]."""

    @property
    def pixel_shape(self) -> tuple[int, int] | None:
        """Shape (nx, ny) of the product."""

    @property
    def array_shape(self) -> tuple[int, int] | None:
        """Shape (ny, nx) of the product."""


@dataclass(frozen=True, eq=False)
class CustomGrid:
    """
    A grid given as a WCS.

    Attributes
    ----------
    name : str
        What messages call it.
    wcs : `~gwcs.WCS`
        The WCS; it is not changed.
    shape : (int, int)
        Shape (ny, nx) of the output arrays.
    keep_box : bool
        Leave positions undefined beyond the bounding box of the WCS, as jwst does.
    """

    name: str
    wcs: WCS
    shape: tuple[int, int]
    keep_box: bool = False

    @cached_property
    def _world(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        y, x = np.mgrid[: self.shape[0], : self.shape[1]].astype(np.float64)
        first, second, wavelength = self.wcs(x, y, with_bounding_box=self.keep_box)
        return first, second, np.asarray(wavelength, dtype=np.float64)

    @cached_property
    def dispersion_axis(self) -> int:
        """The axis along which the wavelength varies faster: 1 for x, 2 for y."""
        steps = [abs(np.diff(self.wavelength, axis=axis)) for axis in (0, 1)]
        along_y, along_x = (np.nansum(step) / max(step.size, 1) for step in steps)
        return 1 if along_x >= along_y else 2

    @property
    def wavelength(self) -> NDArray[np.float64]:
        """Wavelength of each pixel [micron], shape (ny, nx)."""
        return self._world[2]

    @cached_property
    def spectral_range(self) -> tuple[float, float]:
        """Smallest and largest wavelength [micron]."""
        return float(np.nanmin(self.wavelength)), float(np.nanmax(self.wavelength))

    @property
    def on_sky(self) -> bool:
        """Whether positions are on the sky."""
        return [str(unit) for unit in self.wcs.output_frame.unit[:2]] == ["deg", "deg"]

    @cached_property
    def pixel_scale(self) -> float:
        """Distance of neighbouring pixels along the slit [arcsec]; NaN off the sky."""
        if not self.on_sky:
            return math.nan
        (x0, x1), (y0, y1) = _box(self.wcs) or (
            (-0.5, self.shape[1] - 0.5),
            (-0.5, self.shape[0] - 0.5),
        )
        x, y = (x0 + x1) / 2, (y0 + y1) / 2
        scale = wcs_scale(self.wcs, x, y, dispersion_axis=self.dispersion_axis)
        return math.nan if scale is None else scale

    def resized(self, n_row: int, n_column: int) -> CustomGrid:
        """
        Cut or extend the grid at its high end; row 0 and column 0 stay where they are.

        Parameters
        ----------
        n_row, n_column : int
            The new shape.

        Returns
        -------
        CustomGrid
            The new grid; what lies beyond the WCS stays empty.
        """
        return replace(self, shape=(n_row, n_column))

    def pixel_map(self, exposure: SlitExposure) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """
        Find where the pixels of an exposure fall; see `OutputGrid.pixel_map`.

        Parameters
        ----------
        exposure : SlitExposure
            An exposure of shape (ny, nx).

        Returns
        -------
        x, y : ndarray of float64, shape (ny, nx)
            Output column and row of each pixel centre.
        """
        grid = exposure.grid
        if grid.on_sky != self.on_sky:
            found = "on the sky" if self.on_sky else "not on the sky"
            raise InputError(
                f"{self.name}: its positions are {found}, expected the opposite for {exposure.name}"
            )
        x, y = self.wcs.invert(grid.ra, grid.dec, grid.wavelength, with_bounding_box=False)
        return on_full_array(exposure, np.array(x, dtype=float), np.array(y, dtype=float))

    def position(self, wcs: WCS, x: float, y: float) -> tuple[float, float]:
        """
        Find where one place of an exposure falls.

        Parameters
        ----------
        wcs : `~gwcs.WCS`
            The WCS of the exposure.
        x, y : float
            A place on its array [pixel].

        Returns
        -------
        x, y : float
            The place on the output [pixel]; NaN if there is none.
        """
        out_x, out_y = self.wcs.invert(*wcs(x, y), with_bounding_box=False)
        return float(out_x), float(out_y)

    def s_region(self) -> str | None:
        """
        Outline the box in right ascension and declination around the grid.

        Returns
        -------
        str or None
            The text of S_REGION; None off the sky.
        """
        if not self.on_sky:
            return None
        ra, dec = self._world[0], self._world[1]
        defined = np.isfinite(ra) & np.isfinite(dec)
        return sky_box_region(ra[defined], dec[defined])

    def to_gwcs(self) -> WCS:
        """
        Express the grid as a WCS.

        Returns
        -------
        `~gwcs.WCS`
            A copy of the one given, with the shape of the product.
        """
        wcs = copy.deepcopy(self.wcs)
        if wcs.array_shape is None or tuple(wcs.array_shape) != self.shape:
            wcs.array_shape = self.shape
        if wcs.bounding_box is None or not self.keep_box:
            ny, nx = self.shape
            wcs.bounding_box = ((-0.5, nx - 0.5), (-0.5, ny - 0.5))
        return wcs


def build_custom_grid(
    given: GivenWCS, output_shape: tuple[int, ...] | None = None, *, compat: bool = False
) -> CustomGrid:
    """
    Make a grid of a WCS.

    Parameters
    ----------
    given : GivenWCS
        The WCS, with its shape and scale as far as they are known.
    output_shape : (int, int), optional
        Shape (nx, ny) of the product. Without it, ``pixel_shape`` is taken, else ``array_shape``,
        else that of the WCS, else that of its bounding box.
    compat : bool, optional
        Do as jwst 3.0: the shape of the WCS goes before ``array_shape``, that before
        ``pixel_shape``.

    Returns
    -------
    CustomGrid
        The grid.

    Raises
    ------
    InputError
        If the WCS is not one of a spectrum, or no shape is known.
    """
    _check_kind(given)
    of_wcs = given.wcs.array_shape
    own = None if of_wcs is None or None in tuple(of_wcs) else (int(of_wcs[0]), int(of_wcs[1]))
    from_pixels = None if given.pixel_shape is None else given.pixel_shape[::-1]
    candidates = (
        [own, given.array_shape, from_pixels] if compat else [from_pixels, given.array_shape, own]
    )
    if output_shape is not None:
        candidates.insert(0, (output_shape[1], output_shape[0]))
    box = _box(given.wcs)
    if box is not None:
        (_, x1), (_, y1) = box
        candidates.append((int(y1 + 0.5), int(x1 + 0.5)))
    for shape in candidates:
        if shape is not None:
            return CustomGrid(given.name, given.wcs, (int(shape[0]), int(shape[1])), compat)
    raise InputError(
        f"{given.name}: the WCS has neither a shape nor a bounding box; give output_shape, or "
        "array_shape or pixel_shape in the file"
    )


def _check_kind(given: GivenWCS) -> None:
    wcs = given.wcs
    n_pixel, n_world = wcs.forward_transform.n_inputs, wcs.forward_transform.n_outputs
    if (n_pixel, n_world) != (2, 3):
        raise InputError(
            f"{given.name}: expected a WCS from 2 pixel to 3 world coordinates (two positions and "
            f"the wavelength), found one from {n_pixel} to {n_world}"
        )
    types = tuple(wcs.output_frame.axes_type)
    if types[-1] != "SPECTRAL":
        raise InputError(
            f"{given.name}: expected a WCS with the wavelength as third axis, found axes "
            + ", ".join(types)
        )
    unit = str(wcs.output_frame.unit[-1])
    if unit not in ("um", "micron"):
        raise InputError(f"{given.name}: expected wavelengths in micron, found {unit}")
    if not has_inverse(wcs):
        raise InputError(f"{given.name}: the WCS has no inverse")


def _box(wcs: WCS) -> tuple[tuple[float, float], tuple[float, float]] | None:
    if wcs.bounding_box is None:
        return None
    box = wcs.bounding_box.bounding_box(order="F")
    return box[0], box[1]


def custom_scales(
    first: SlitExposure, grid: CustomGrid, given: GivenWCS, *, compat: bool = False
) -> tuple[float, float | None]:
    """
    Find the ratio of pixel scales and the pixel area of a given grid.

    Parameters
    ----------
    first : SlitExposure
        The exposure that stands for all.
    grid : CustomGrid
        The grid.
    given : GivenWCS
        What came with it.
    compat : bool, optional
        Do as jwst 3.0: an area given, or the square of a scale in square arcseconds as if these
        were steradians, sets the ratio.

    Returns
    -------
    ratio : float
        Input pixel scale over output pixel scale; 1 where one of them is unknown.
    area : float or None
        Nominal area of an output pixel [steradian], if it is known. A pixel scale given changes
        one side of the pixel: the other is across the slit.
    """
    scale_in = spatial_scale(first, compat=compat)
    scale_out = None if math.isnan(grid.pixel_scale) else grid.pixel_scale
    area = first.pixel_area
    geometric = scale_in / scale_out if scale_in is not None and scale_out is not None else None
    known = area is not None and geometric is not None
    from_geometry = area / geometric if known else None  # type: ignore[operator]
    if compat:
        if not area:
            return 1.0, None
        area_out = given.pixel_area
        if area_out is None and given.pixel_scale is not None:
            area_out = given.pixel_scale**2
        if area_out is None:
            area_out = from_geometry
        return (area / area_out if area_out else 1.0), area_out
    if given.pixel_area is not None:
        return geometric or 1.0, given.pixel_area
    if given.pixel_scale is not None and scale_in is not None and area is not None:
        return geometric or 1.0, area * given.pixel_scale / scale_in
    return geometric or 1.0, from_geometry
