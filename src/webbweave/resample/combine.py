"""Resampling of one source: all its exposures onto one rectified grid."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbweave.errors import InputError
from webbweave.progress import Progress
from webbweave.resample.drizzle import Drizzled, check_kernel, drizzle_exposure
from webbweave.resample.exposure import DO_NOT_USE, SlitExposure
from webbweave.resample.options import ResampleOptions, parse_fillval
from webbweave.resample.output_wcs import OutputGrid, build_output_grid
from webbweave.resample.scales import is_flux_density, scale_ratio
from webbweave.resample.variance import VarianceCombiner
from webbweave.resample.weights import pixel_weights

__all__ = ["ResampledSlit", "resample_slit"]

log = logging.getLogger(__name__)

#: Exposures that fit into one plane of the context image: the bits of an int32.
_CONTEXT_BITS = 32


@dataclass(frozen=True, eq=False)
class ResampledSlit:
    """
    A rectified and combined spectrum image.

    Attributes
    ----------
    grid : OutputGrid
        Its geometry.
    data, error : ndarray of float32, shape (ny, nx)
        Science values and their errors, in the unit of the input.
    variances : dict of str to ndarray of float32, shape (ny, nx)
        The variance planes that could be made.
    weight : ndarray of float32, shape (ny, nx)
        Sum of the weights.
    context : ndarray of int32, shape (n_plane, ny, nx)
        Bit k % 32 of plane k // 32 is set where exposure ``used[k]`` contributes.
    dq : ndarray of uint32, shape (ny, nx), or None
        Data-quality bits, if they were asked for.
    ratio : float
        Input pixel scale over output pixel scale.
    pixel_area : float or None
        Nominal area of an output pixel [steradian].
    used : tuple of int
        Indices of the exposures that took part.
    """

    grid: OutputGrid
    data: NDArray[np.float32]
    error: NDArray[np.float32]
    variances: dict[str, NDArray[np.float32]]
    weight: NDArray[np.float32]
    context: NDArray[np.int32]
    dq: NDArray[np.uint32] | None
    ratio: float
    pixel_area: float | None
    used: tuple[int, ...]

    @property
    def wavelength(self) -> NDArray[np.float32]:
        """Wavelength of each pixel [micron], shape (ny, nx); the same in all rows."""
        wavelengths = self.grid.table.wavelengths.astype(np.float32)
        return np.tile(wavelengths, (self.grid.n_row, 1))


def resample_slit(
    exposures: Sequence[SlitExposure],
    options: ResampleOptions | None = None,
    *,
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
        used = _usable(exposures)
        chosen = [exposures[index] for index in used]
        _check_alike(chosen)
        ratio, pixel_area = scale_ratio(chosen[0], options)
        grid = build_output_grid(chosen, ratio=ratio, compat=options.compat)
        if options.output_shape is not None:
            grid = _reshape(grid, options.output_shape, compat=options.compat)
    with progress.stage("drizzle"):
        planes = _combine(chosen, grid, options, ratio=ratio, has_area=bool(pixel_area))
    return ResampledSlit(
        grid,
        **planes,
        ratio=ratio,
        pixel_area=None if pixel_area is None else pixel_area / ratio,
        used=tuple(used),
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


def _reshape(grid: OutputGrid, shape: tuple[int, ...], *, compat: bool) -> OutputGrid:
    if compat:
        log.warning("output_shape is ignored without output_wcs, as in jwst (compat)")
        return grid
    n_column, n_row = shape
    return grid.resized(n_row, n_column)


def _combine(
    exposures: Sequence[SlitExposure],
    grid: OutputGrid,
    options: ResampleOptions,
    *,
    ratio: float,
    has_area: bool,
) -> dict[str, Any]:
    """Drizzle all exposures and divide by the weights; the arrays of a ResampledSlit by name."""
    scale = 1.0 / ratio if has_area and is_flux_density(exposures[0].unit) else 1.0
    weights = pixel_weights(exposures, options.weight_type, compat=options.compat)
    n_plane = -(-len(exposures) // _CONTEXT_BITS)
    context = np.zeros((n_plane, *grid.shape), dtype=np.uint32)
    total, total_weight = np.zeros(grid.shape), np.zeros(grid.shape)
    variances = VarianceCombiner(grid.shape, options.weight_type, options.compat)
    dq = np.zeros(grid.shape, dtype=np.uint32) if options.propagate_dq else None
    for index, (exposure, weight) in enumerate(zip(exposures, weights, strict=True)):
        drizzled = _drizzle(exposure, weight, grid, scale, options)
        if not drizzled.hit.any():
            log.warning("%s: none of its pixels falls on the output grid", exposure.name)
        total += drizzled.sums["data"]
        total_weight += drizzled.weight
        if dq is not None and drizzled.dq is not None:
            dq |= drizzled.dq
        variances.add(
            drizzled, exposure_time=exposure.exposure_time, level=float(weight.max(initial=0.0))
        )
        bit = np.uint32(1 << index % _CONTEXT_BITS)
        context[index // _CONTEXT_BITS] |= drizzled.hit.astype(np.uint32) * bit
    with np.errstate(divide="ignore", invalid="ignore"):
        data = total / total_weight
    if dq is not None and not options.compat:
        dq[~np.isfinite(data)] |= np.uint32(DO_NOT_USE)
    data[total_weight == 0] = parse_fillval(options.fillval)
    planes, error = variances.result(ratio)
    return {
        "data": data.astype(np.float32),
        "error": error,
        "variances": planes,
        "weight": total_weight.astype(np.float32),
        "context": context.view(np.int32),
        "dq": dq,
    }


def _drizzle(
    exposure: SlitExposure,
    weight: NDArray[np.float32],
    grid: OutputGrid,
    scale: float,
    options: ResampleOptions,
) -> Drizzled:
    data = np.where(exposure.invalid, np.float32(np.nan), exposure.data).astype(np.float32)
    if exposure.background:
        data -= np.float32(exposure.background)
    planes = {"data": data * np.float32(scale)}
    for name, variance in exposure.variances.items():
        with np.errstate(invalid="ignore"):
            planes[name] = np.sqrt(np.asarray(variance, np.float32)) * np.float32(scale)
    return drizzle_exposure(
        planes,
        weight,
        grid.pixel_map(exposure),
        grid.shape,
        dq=exposure.dq if options.propagate_dq else None,
        pixfrac=options.pixfrac,
        kernel=options.kernel,
        compat=options.compat,
        threads=options.threads,
    )
