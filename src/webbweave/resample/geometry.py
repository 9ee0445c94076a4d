"""From the exposures and the options to the output grid, its scale and its pixel area."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from webbweave.resample.custom_wcs import GivenWCS, build_custom_grid, custom_scales
from webbweave.resample.exposure import SlitExposure
from webbweave.resample.grid import OutputGrid
from webbweave.resample.options import ResampleOptions
from webbweave.resample.output_wcs import build_output_grid
from webbweave.resample.scales import scale_ratio

__all__ = ["Geometry", "GivenWCS", "plan_geometry"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Geometry:
    """
    Where the output pixels are, and how large.

    Attributes
    ----------
    grid : OutputGrid
        The grid.
    ratio : float
        Input pixel scale over output pixel scale, as fluxes and errors are scaled by it.
    pixel_area : float or None
        Nominal area of an output pixel [steradian], if it is known.
    header_ratio : float
        The ratio to write into the header.
    """

    grid: OutputGrid
    ratio: float
    pixel_area: float | None
    header_ratio: float


def plan_geometry(
    exposures: Sequence[SlitExposure],
    options: ResampleOptions,
    given: GivenWCS | None = None,
) -> Geometry:
    """
    Design the output grid, or take the one given.

    Parameters
    ----------
    exposures : sequence of SlitExposure
        The exposures of one source, at least one.
    options : ResampleOptions
        The scale, the shape and the wavelengths that are wanted.
    given : GivenWCS, optional
        The grid to resample onto; it goes before the scale and the wavelengths of the options.

    Returns
    -------
    Geometry
        The grid and its scale.

    Raises
    ------
    InputError
        If the exposures do not belong together, or the given grid cannot be used.
    """
    first = exposures[0]
    if given is not None:
        _log_ignored(options)
        custom = build_custom_grid(given, options.output_shape, compat=options.compat)
        ratio, area = custom_scales(first, custom, given, compat=options.compat)
        # jwst writes the argument, whatever the grid is.
        header_ratio = options.pixel_scale_ratio if options.compat else ratio
        return Geometry(custom, ratio, area, header_ratio)
    ratio, area = scale_ratio(first, options)
    grid = build_output_grid(
        exposures, ratio=ratio, wavelength_grid=options.wavelength_grid, compat=options.compat
    )
    if options.output_shape is not None:
        if options.compat:
            log.warning("output_shape is ignored without output_wcs, as in jwst (compat)")
        else:
            n_column, n_row = options.output_shape
            grid = grid.resized(n_row, n_column)
    return Geometry(grid, ratio, None if area is None else area / ratio, ratio)


def _log_ignored(options: ResampleOptions) -> None:
    ignored = []
    if options.pixel_scale is not None:
        ignored.append("pixel_scale")
    if options.pixel_scale_ratio != 1.0:
        ignored.append("pixel_scale_ratio")
    if not (isinstance(options.wavelength_grid, str) and options.wavelength_grid == "native"):
        ignored.append("wavelength_grid")
    if ignored:
        verb = "is" if len(ignored) == 1 else "are"
        log.info("output_wcs is given, %s %s ignored", ", ".join(ignored), verb)
