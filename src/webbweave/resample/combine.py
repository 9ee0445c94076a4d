"""Resampling of one source: all its exposures onto one rectified grid."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from webbweave.errors import InputError
from webbweave.progress import Progress
from webbweave.resample.as_jwst import combine_as_jwst
from webbweave.resample.drizzle import check_kernel
from webbweave.resample.exposure import SlitExposure
from webbweave.resample.geometry import Geometry, GivenWCS, plan_geometry
from webbweave.resample.grid import OutputGrid
from webbweave.resample.linear import combine_linearly
from webbweave.resample.options import ResampleOptions
from webbweave.resample.planes import Planes
from webbweave.resample.scales import is_flux_density

__all__ = ["Design", "ResampledSlit", "design_grid", "resample_slit"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Design:
    """
    What is settled before anything is drizzled.

    Attributes
    ----------
    geometry : Geometry
        The grid, its scale and its pixel area.
    used : tuple of int
        Indices of the exposures that take part.
    """

    geometry: Geometry
    used: tuple[int, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class ResampledSlit(Planes):
    """
    A rectified and combined spectrum image: its arrays, and what belongs to them.

    Attributes
    ----------
    grid : OutputGrid
        Its geometry.
    ratio : float
        Input pixel scale over output pixel scale.
    pixel_area : float or None
        Nominal area of an output pixel [steradian].
    used : tuple of int
        Indices of the exposures that took part; bit k of the context image stands for ``used[k]``.
    """

    grid: OutputGrid
    ratio: float
    pixel_area: float | None
    used: tuple[int, ...]

    @property
    def wavelength(self) -> NDArray[np.float32]:
        """Wavelength of each pixel [micron], shape (ny, nx)."""
        wavelength: NDArray[np.float32] = self.grid.wavelength.astype(np.float32)
        return wavelength


def design_grid(
    exposures: Sequence[SlitExposure],
    options: ResampleOptions | None = None,
    given_wcs: GivenWCS | None = None,
) -> Design:
    """
    Choose the grid that the exposures of one source are resampled onto.

    Parameters
    ----------
    exposures : sequence of SlitExposure
        The exposures; those without a pixel to use are left out with a warning.
    options : ResampleOptions, optional
        How to resample.
    given_wcs : GivenWCS, optional
        A grid to resample onto, as read from the file that ``options.output_wcs`` names.

    Returns
    -------
    Design
        The grid and the exposures that can be resampled.

    Raises
    ------
    InputError
        If there is no exposure with usable pixels, or the exposures do not belong together.
    """
    options = options or ResampleOptions()
    used = _usable(exposures)
    chosen = [exposures[index] for index in used]
    _check_alike(chosen)
    return Design(plan_geometry(chosen, options, given_wcs), tuple(used))


def resample_slit(
    exposures: Sequence[SlitExposure],
    options: ResampleOptions | None = None,
    *,
    given_wcs: GivenWCS | None = None,
    design: Design | None = None,
    progress: Progress | None = None,
) -> ResampledSlit:
    """
    Rectify, drizzle and combine the exposures of one source.

    Parameters
    ----------
    exposures : sequence of SlitExposure
        The exposures, in the order of their bits in the context image; those without a pixel to use
        are left out and take no bit. They are not changed.
    options : ResampleOptions, optional
        How to do it.
    given_wcs : GivenWCS, optional
        A grid to resample onto, as read from the file that ``options.output_wcs`` names.
    design : Design, optional
        The grid, and which of the exposures to resample onto it, in place of a new grid for all.
    progress : Progress, optional
        Where to count the time: stages ``geometry`` and ``drizzle``.

    Returns
    -------
    ResampledSlit
        The combined spectrum image.

    Raises
    ------
    InputError
        If there is no exposure with usable pixels, or the exposures do not belong together.
    """
    options = options or ResampleOptions()
    progress = progress or Progress()
    if check_kernel(options.kernel, options.pixfrac) != options.kernel:
        log.warning("pixfrac %g makes pixels points: kernel 'point' is used", options.pixfrac)
    with progress.stage("geometry"):
        design = design or design_grid(exposures, options, given_wcs)
    geometry = design.geometry
    grid, ratio = geometry.grid, geometry.ratio
    chosen = [exposures[index] for index in design.used]
    with progress.stage("drizzle"):
        has_area = bool(chosen[0].pixel_area)
        scale = 1.0 / ratio if has_area and is_flux_density(chosen[0].unit) else 1.0
        if options.compat:
            planes = combine_as_jwst(chosen, grid, options, scale=scale, ratio=ratio)
        else:
            planes = combine_linearly(chosen, grid, options, scale=scale)
    return ResampledSlit(
        **vars(planes),
        grid=grid,
        ratio=geometry.header_ratio,
        pixel_area=geometry.pixel_area,
        used=design.used,
    )


def _usable(exposures: Sequence[SlitExposure]) -> list[int]:
    """The exposures with pixels to use; the reason why, if there are none."""
    used, reasons = [], []
    for index, exposure in enumerate(exposures):
        reason = _why_unusable(exposure)
        if reason is None:
            used.append(index)
        else:
            reasons.append(f"{exposure.name}: {reason}")
    if not used:
        raise InputError("no exposure has a pixel to use: " + "; ".join(reasons))
    for reason in reasons:
        log.warning("%s; it is left out", reason)
    return used


def _why_unusable(exposure: SlitExposure) -> str | None:
    finite = np.isfinite(exposure.data)
    if not finite.any():
        return f"SCI is NaN in all its {exposure.data.size} pixels"
    if not exposure.good.any():
        n = np.count_nonzero(finite)
        return f"all its {n} finite pixels are flagged DO_NOT_USE or NON_SCIENCE in DQ"
    on_sky = np.isfinite(exposure.grid.ra)
    n_row, n_column = (np.count_nonzero(on_sky.any(axis=axis)) for axis in (1, 0))
    if n_row < 2 or n_column < 2:
        return (
            f"its WCS gives sky positions in {n_row} rows and {n_column} columns, "
            "expected two or more of each"
        )
    if not (exposure.good[exposure.grid.window] & on_sky).any():
        return "none of its good pixels has a sky position"
    return None


def _check_alike(exposures: Sequence[SlitExposure]) -> None:
    first = exposures[0]
    for other in exposures[1:]:
        if other.setup != first.setup:
            raise InputError(
                f"{other.name}: taken with {' '.join(other.setup) or 'an unknown set-up'}, but "
                f"{first.name} with {' '.join(first.setup) or 'an unknown set-up'}; expected one "
                "instrument, filter and grating"
            )
        if other.unit != first.unit:
            raise InputError(
                f"{other.name}: BUNIT is {other.unit!r}, but that of {first.name} {first.unit!r}; "
                "expected one unit"
            )
