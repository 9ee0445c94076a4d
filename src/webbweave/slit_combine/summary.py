"""What reports show of the spectra of a source, in arrays that do not keep the exposures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbweave.slit_combine.mask_bits import count_bits

__all__ = [
    "GroupFigures",
    "GroupSummary",
    "ModeSummary",
    "NodImages",
    "SourceSummary",
    "summarise_source",
]

Array = NDArray[np.float64]
Image = NDArray[np.float32]

#: Width of the bins of the mean profile [pixel].
_BIN = 0.25


@dataclass(frozen=True, eq=False)
class ModeSummary:
    """
    The spectrum of a source in one grating and filter.

    Attributes
    ----------
    name : str
        Such as ``prism-clear``.
    wave, flux, error, sky : ndarray of float64, shape (nx,)
        Wavelength [micron]; flux and its error [microjansky]; the sky that a model and the other
        nods subtracted [microjansky per pixel].
    y : ndarray of float64, shape (ny,)
        Distance of the rows from the trace [pixel].
    image : ndarray of float32, shape (ny, nx)
        The rectified image [microjansky per pixel]; NaN where there are no data.
    rows : tuple of float
        Where the spectrum was extracted [pixel from the trace].
    exposure_time : float
        Seconds.
    n_exposure : int
        Number of exposures.
    peak_snr, peak_wave : float
        The highest S/N of a bin and its wavelength [micron]; NaN without a spectrum.
    """

    name: str
    wave: Array
    flux: Array
    error: Array
    sky: Array
    y: Array
    image: Image
    rows: tuple[float, float]
    exposure_time: float
    n_exposure: int
    peak_snr: float
    peak_wave: float


@dataclass(frozen=True, eq=False)
class NodImages:
    """
    The images of one nod, of shape (ny, nx) [microjansky per pixel]; NaN where there are no data.

    Attributes
    ----------
    label : str
        Which nod.
    is_reference : bool
        Whether the others are compared with it.
    offset : float
        How far its trace is from that of the reference [pixel].
    mean, difference : ndarray of float32
        The mean of its exposures, and what is left when that of the other nods is subtracted.
    model : ndarray of float32 or None
        The fit to the difference.
    noise : float
        Median standard deviation of the difference.
    added, subtracted : ndarray of float64, shape (n, nx)
        Rows of the traces of exposures.
    """

    label: str
    is_reference: bool
    offset: float
    mean: Image
    difference: Image
    model: Image | None
    noise: float
    added: Array
    subtracted: Array


@dataclass(frozen=True, eq=False)
class GroupFigures:
    """
    The arrays that figures of a group are drawn from.

    Attributes
    ----------
    nods : tuple of NodImages
        The nods, the reference first.
    bits : ndarray of uint32, shape (n_exposure, ny, nx)
        The plane of `MaskBit` of each exposure.
    exposures : tuple of str
        What the exposures are called.
    wave : ndarray of float64, shape (nx,)
        Wavelength along the columns [micron]; NaN where it is not known.
    profile_y, profile, profile_error, profile_model : ndarray of float64, shape (n,)
        Share of the light per pixel in the difference of the reference, and in its fit, against the
        distance from its trace [pixel].
    """

    nods: tuple[NodImages, ...]
    bits: NDArray[np.uint32]
    exposures: tuple[str, ...]
    wave: Array
    profile_y: Array
    profile: Array
    profile_error: Array
    profile_model: Array


@dataclass(frozen=True, eq=False)
class GroupSummary:
    """
    What became of a group of exposures.

    Attributes
    ----------
    name, mode : str
        The group, and its grating and filter such as ``prism-clear``.
    status, reason : str
        ``combined``, ``rejected`` or ``failed``, and why.
    n_exposure, n_valid, n_pixel : int
        Exposures, pixels in use, and all pixels.
    sigma, sigma_error, offset, offset_error : float
        Width of the source, and its distance from where it was expected [pixel]; NaN without a fit.
    masked : dict of str to int
        Pixels that each test has masked.
    skipped : tuple of str
        Corrections for which there was nothing to correct with.
    figures : GroupFigures or None
        The arrays, if they were asked for.
    """

    name: str
    mode: str
    status: str
    reason: str
    n_exposure: int
    n_valid: int
    n_pixel: int
    sigma: float
    sigma_error: float
    offset: float
    offset_error: float
    masked: Mapping[str, int]
    skipped: tuple[str, ...]
    figures: GroupFigures | None


@dataclass(frozen=True, eq=False)
class SourceSummary:
    """
    The spectra of a source and its groups.

    Attributes
    ----------
    name : str
        The source.
    modes : tuple of ModeSummary
        Its spectra.
    groups : tuple of GroupSummary
        All groups, also those without a spectrum.
    """

    name: str
    modes: tuple[ModeSummary, ...]
    groups: tuple[GroupSummary, ...]

    @property
    def best(self) -> ModeSummary | None:
        """The spectrum of the highest S/N."""
        return max(self.modes, key=lambda m: np.nan_to_num(m.peak_snr, nan=-np.inf), default=None)

    @property
    def lost(self) -> tuple[GroupSummary, ...]:
        """The groups that were not combined."""
        return tuple(group for group in self.groups if group.status != "combined")


def summarise_source(result: Any, *, figures: bool = True) -> SourceSummary:
    """
    Take what a report shows out of the result of `extract_spectra`.

    Parameters
    ----------
    result : ExtractedSpectra
        The result; nothing of it is changed or kept.
    figures : bool, optional
        Whether to take the arrays of figures of groups.

    Returns
    -------
    SourceSummary
        The summary.
    """
    obj = [entry["obj"] for entry in result.groups.values()]
    modes = tuple(
        _mode(name, hdus, next(g for g in obj if f"{g.grating}-{g.filter}".lower() == name))
        for name, hdus in result.spectra.items()
    )
    groups = tuple(
        _group(row, result.groups.get(row["group"]), figures=figures) for row in result.summary
    )
    return SourceSummary(str(result.target), modes, groups)


def _mode(name: str, hdus: Any, group: Any) -> ModeSummary:
    table, header = hdus["SPEC1D"].data, hdus["SPEC1D"].header
    wave, flux, error, sky = (
        np.array(table[k], np.float64) for k in ("wave", "flux", "err", "sky")
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        snr = np.where(error > 0, flux / error, np.nan)
    known = np.isfinite(snr).any()
    best = int(np.nanargmax(snr)) if known else 0
    return ModeSummary(
        name=name,
        wave=wave,
        flux=flux,
        error=error,
        sky=sky + _sky_model(group, wave),
        y=np.array(hdus["PROF1D"].data["pix"], np.float64),
        image=np.array(hdus["SCI"].data, np.float32),
        rows=(float(header["YMIN1D"]), float(header["YMAX1D"])),
        exposure_time=float(header["EXPTIME"]),
        n_exposure=int(header["NCOMBINE"]),
        peak_snr=float(snr[best]) if known else np.nan,
        peak_wave=float(wave[best]) if known else np.nan,
    )


def _sky_model(group: Any, wave: Array) -> Array:
    """The sky that was subtracted of each exposure; zero outside its wavelengths."""
    sky = np.where(group.mask, group.sky_background, np.nan)
    model = _column_medians(sky[0].reshape(group.sh))
    place = _column_medians(np.asarray(group.wave[0]).reshape(group.sh))
    known = np.flatnonzero(np.isfinite(model) & np.isfinite(place))
    if not known.size:
        return np.zeros(wave.shape)
    known = known[np.argsort(place[known])]
    return np.interp(wave, place[known], model[known], left=0.0, right=0.0).astype(np.float64)


def _group(row: Any, entry: Mapping[str, Any] | None, *, figures: bool) -> GroupSummary:
    group = None if entry is None else entry["obj"]
    sigma = sigma_error = offset = offset_error = np.nan
    if group is not None and group.fit:
        fit = group.fit.get(group.calc_reference_exposure) or next(iter(group.fit.values()))
        sigma, offset = float(fit["sigma"]), float(np.atleast_1d(fit["trace_coeffs"])[-1])
        sigma_error = float(fit.get("sigma_err", np.nan))
        offset_error = float(np.atleast_1d(fit.get("trace_err", np.nan))[-1])
    mode = f"{row['grating']}-{row['filter']}".lower()
    return GroupSummary(
        name=str(row["group"]),
        mode=mode if row["grating"] else "",
        status=str(row["status"]),
        reason=str(row["reason"]),
        n_exposure=int(row["n_exposure"]),
        n_valid=int(np.count_nonzero(group.mask)) if group is not None else int(row["n_valid"]),
        n_pixel=int(group.mask.size) if group is not None else 0,
        sigma=sigma,
        sigma_error=sigma_error,
        offset=offset,
        offset_error=offset_error,
        masked=count_bits(group.mask_bits) if group is not None else {},
        skipped=_words(group.meta.get("skipped")) if group is not None else (),
        figures=_figures(group) if figures and group is not None else None,
    )


def _words(listed: Any) -> tuple[str, ...]:
    """The names of a list as the header of a product has it."""
    return tuple(word for word in str(listed or "").split(", ") if word)


def _figures(group: Any) -> GroupFigures:
    reference = group.calc_reference_exposure
    # The reference first: where there is no room for all, it stands for the others.
    nods = sorted(group.unp, key=lambda nod: nod != reference)
    y, mean, error, model = _profile(group, reference)
    ny, nx = group.sh
    wave = _column_medians(np.asarray(group.wave[0]).reshape(ny, nx))
    return GroupFigures(
        nods=tuple(_nod(group, nod, is_reference=nod == reference) for nod in nods),
        bits=np.array(group.mask_bits, np.uint32).reshape(-1, ny, nx),
        exposures=tuple(str(slit.name) for slit in group.slits),
        wave=wave,
        profile_y=y,
        profile=mean,
        profile_error=error,
        profile_model=model,
    )


def _column_medians(plane: Array) -> Array:
    out = np.full(plane.shape[1], np.nan)
    known = np.isfinite(plane).any(axis=0)
    out[known] = np.nanmedian(plane[:, known], axis=0)
    return out


def _nod(group: Any, nod: Any, *, is_reference: bool) -> NodImages:
    added, subtracted, difference, _, variance, _ = group.make_diff_image(exp=nod)
    mean = group.make_diff_image(exp=nod, separate=True)[2][0]
    known = np.isfinite(difference) & (variance > 0)
    fit = (group.fit or {}).get(nod)
    traces = group.ypix - group.yslit
    rows = np.array([_column_medians(plane.reshape(group.sh)) for plane in traces])
    offset = float(np.mean(np.asarray(group.relative_nod_offset)[added]))

    def image(plane: Any) -> Image:
        return np.array(plane, np.float32).reshape(group.sh)

    return NodImages(
        label=str(nod),
        is_reference=is_reference,
        offset=offset,
        mean=image(mean),
        difference=image(difference),
        model=None if fit is None else image(fit["smod"]),
        noise=float(np.median(np.sqrt(variance[known]))) if known.any() else 1.0,
        added=rows[added],
        subtracted=rows[subtracted],
    )


def _profile(group: Any, nod: Any) -> tuple[Array, Array, Array, Array]:
    """The profile that fits the difference best in bins of the distance from the trace."""
    added, _, difference, _, variance, _ = group.make_diff_image(exp=nod)
    place = np.asarray(group.yslit[np.flatnonzero(added)[0]], np.float64)
    known = np.isfinite(difference) & np.isfinite(place) & (variance > 0)
    flux: Array = np.ones(place.shape)
    model: Array = np.full(place.shape, np.nan)
    if group.fit and nod in group.fit:
        fit = group.fit[nod]
        with np.errstate(divide="ignore", invalid="ignore"):
            of_column = np.asarray(fit["snum"], np.float64) / np.asarray(fit["sden"], np.float64)
        flux = np.broadcast_to(of_column, group.sh).reshape(-1)
        model = np.asarray(fit["smod"], np.float64).reshape(-1)
        known &= np.isfinite(model) & np.isfinite(flux)
    if not known.any():
        empty = np.empty(0)
        return empty, empty, empty, empty
    cell = np.floor(place[known] / _BIN).astype(int)
    first = int(cell.min())
    cell -= first
    flux, weight = flux[known], 1.0 / np.asarray(variance, np.float64)[known]
    total = _sums(cell, flux**2 * weight)
    used = total > 0
    share, fitted = (
        _sums(cell, values[known] * flux * weight)[used] / total[used]
        for values in (difference, model)
    )
    y = (np.flatnonzero(used) + first + 0.5) * _BIN
    return y.astype(np.float64), share, 1.0 / np.sqrt(total[used]), fitted


def _sums(cell: NDArray[np.int64], values: Array) -> Array:
    return np.bincount(cell, weights=values).astype(np.float64)
