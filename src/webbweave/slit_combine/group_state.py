"""What a group of exposures holds, and what follows from it."""

from __future__ import annotations

from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from webbweave.errors import InputError
from webbweave.slit_combine.exposure import SlitExposure
from webbweave.slit_combine.group_planes import source_trace
from webbweave.slit_combine.mask_bits import MaskBit
from webbweave.slit_combine.stack import distances
from webbweave.slit_combine.traces import relative_offsets
from webbweave.slit_combine.unique import Unique

__all__ = ["GroupState"]

Array = NDArray[np.float64]
Plane = NDArray[Any]
Mask = NDArray[np.bool_]

#: The shutter coordinate takes shutters to be so many pixels high.
PIXELS_PER_SHUTTER = 5.0


class GroupState:
    """
    The planes and tables of a group of exposures; N exposures of P pixels.

    Attributes
    ----------
    files : list
        What the exposures were opened from.
    name : str
        What the group is called.
    compat : bool
        Whether numbers are those of msaexp.
    meta, meta_comment : dict
        Options and what became of them; what they mean.
    slits : list of SlitExposure
        The exposures.
    shapes : list of tuple of int
        Rows and columns of their cut-outs.
    sh : tuple of int
        Rows and columns of what they have in common.
    info : `~astropy.table.Table`
        A row for each exposure.
    flagged_hot_pixels : list of tuple
        Of each exposure: data quality bits, number and status of its hot pixels.
    calibration_status : list of int
        Of each exposure: what became of the extended flux calibration.
    sci, var_rnoise, var_poisson, var_sky, var_total : ndarray of float, shape (N, P)
        Flux [microjansky per pixel] and variances.
    dq : ndarray of uint32, shape (N, P)
        Data quality bits.
    mask, bkg_mask : ndarray of bool, shape (N, P)
        The pixels in use; those in use before any test of the group.
    mask_bits : ndarray of uint32, shape (N, P)
        Which tests masked a pixel, see `MaskBit`.
    phot_corr, pathloss_corr : ndarray of float, shape (N, P)
        What the data were multiplied by.
    xslit, ypix : ndarray of int64, shape (N, P)
        Column and row of each pixel.
    yslit, yslit_orig, yshutter : ndarray of float64, shape (N, P)
        Rows from the trace; from that of the WCS; from that of the first exposure.
    wave, dwave_dx : ndarray of float64, shape (N, P)
        Wavelength, and its change from column to column [micron].
    slit_frame_y : ndarray of float64, shape (N, P)
        Place along the slit, in the frame of the first exposure.
    bar, orig_bar : ndarray of float, shape (N, P)
        Transmission of the bars now, and that of the pipeline.
    normalization : ndarray of float64, shape (N, P), or None
        The normalisation of prism spectra, if it was applied.
    sflat_data : ndarray of float64 or None
        The field-dependent flat, if it was applied.
    xtr, ytr, wtr : ndarray of float64, shape (N, nx)
        Column, row and wavelength along the traces.
    base_coeffs, trace_coeffs : list of ndarray
        Polynomials of the traces, and those that fits add.
    sky_arrays : tuple of ndarray or None
        Wavelengths [micron] and flux of a global sky.
    sky_data : dict or None
        The sky of the slitlet itself.
    mask_profile : ndarray of bool, shape (N, P), or None
        What `flag_from_profile` found.
    lookup_prf : object or None
        Tabulated profiles, used in place of Gaussians.
    fit : dict or None
        Fits of the traces by nod position.
    """

    files: list[Any]
    name: str
    compat: bool
    meta: dict[str, Any]
    meta_comment: dict[str, str]
    slits: list[SlitExposure]
    shapes: list[tuple[int, int]]
    sh: tuple[int, int]
    info: Table
    flagged_hot_pixels: list[tuple[NDArray[np.uint32], int, int]]
    calibration_status: list[int]
    sci: Plane
    dq: NDArray[np.uint32]
    mask: Mask
    bkg_mask: Mask
    mask_bits: NDArray[np.uint32]
    var_rnoise: Plane
    var_poisson: Plane
    var_sky: Plane
    var_total: Plane
    phot_corr: Plane
    pathloss_corr: Plane
    xslit: NDArray[np.int64]
    ypix: NDArray[np.int64]
    yslit: Array
    yslit_orig: Array
    yshutter: Array
    wave: Array
    dwave_dx: Array
    slit_frame_y: Array
    bar: Plane
    orig_bar: Plane
    normalization: Array | None = None
    sflat_data: Array | None = None
    xtr: Array
    ytr: Array
    wtr: Array
    base_coeffs: list[Array]
    trace_coeffs: list[Array]
    sky_arrays: tuple[Array, Array] | None = None
    sky_data: dict[str, Any] | None = None
    mask_profile: Mask | None = None
    lookup_prf: Any = None
    fit: dict[Any, Any] | None = None

    @property
    def N(self) -> int:  # noqa: N802 - the name of the public interface
        """Number of exposures."""
        return len(self.slits)

    @property
    def IS_FIXED_SLIT(self) -> bool:  # noqa: N802 - the name of the public interface
        """Whether this is a spectrum of a fixed slit."""
        return self.slits[0].is_fixed_slit

    @property
    def grating(self) -> str:
        """Grating of the exposures, or the prism."""
        return str(self.info["grating"][0])

    @property
    def filter(self) -> str:
        """Filter of the exposures."""
        return str(self.info["filter"][0])

    @property
    def exptime(self) -> Array:
        """Exposure time of each exposure [s], shape (N,)."""
        return np.array([slit.number("meta.exposure.exposure_time") for slit in self.slits])

    @property
    def var(self) -> Plane:
        """The total variance, shape (N, P)."""
        return self.var_total

    @property
    def unp(self) -> Unique:
        """The nod positions, and which exposures are at each."""
        key = self.meta["position_key"]
        if key not in self.info.colnames:
            raise ValueError(
                f"position_key: expected a column of info ({', '.join(self.info.colnames)}), "
                f"found {key!r}"
            )
        column = np.asarray(self.info[key])
        if column.ndim != 1:
            raise ValueError(f"position_key: the column {key!r} has no single value per exposure")
        return Unique(column)

    @property
    def calc_reference_exposure(self) -> Any:
        """The nod position that the others are compared with: that in the middle, by default."""
        reference = self.meta["reference_exposure"]
        keys = self.unp
        if isinstance(reference, str) and reference == "auto":
            row = 0 if self.N < 3 else int(np.argmin(np.abs(self.relative_nod_offset)))
            return keys.values[keys.indices[row]]
        if reference not in keys:
            raise ValueError(
                f"reference_exposure: expected 'auto' or one of {keys.values}, found {reference!r}"
            )
        return reference

    @property
    def relative_nod_offset(self) -> Array:
        """Place of each trace relative to that in the middle [pixel], shape (N,)."""
        return relative_offsets(np.array(self.base_coeffs))

    @property
    def slit_pixel_scale(self) -> float:
        """Size of a pixel along the slit [arcsec]."""
        return self._scale(self.slits[0], "pixel")

    @property
    def slit_shutter_scale(self) -> float:
        """Size of a pixel in the frame of the slit [shutters]."""
        return self._scale(self.slits[0], "shutter")

    def _scale(self, slit: SlitExposure, name: str) -> float:
        scales = slit.central_scales if self.compat else slit.scales
        value = float(getattr(scales, name))
        if not value > 0:
            raise InputError(f"{slit.name}: the WCS gives no size of a pixel along the slit")
        return value

    @property
    def source_ypixel_position(self) -> float:
        """Where the source is expected, relative to the trace [pixel]."""
        return self._source_ypixel(self.slits[0])

    def _source_ypixel(self, slit: SlitExposure) -> float:
        columns = slice(None) if slit.slice is None else slit.slice[1]
        with_source, without = (
            source_trace(slit, with_ypos=with_ypos)[0][columns] for with_ypos in (True, False)
        )
        return float(np.nanmedian(with_source - without))

    @property
    def fixed_yshutter(self) -> Array:
        """
        Place along the slitlet [shutters], shape (N, P); NaN where pixels are masked.

        It is ``(slit_frame_y / slit_shutter_scale + shutter_offset) / 5``.
        """
        pixels = self.slit_frame_y / self.slit_shutter_scale + self.meta["shutter_offset"]
        return np.where(self.mask, pixels / PIXELS_PER_SHUTTER, np.nan)

    @property
    def sky_background(self) -> Array:
        """The sky that is subtracted [microjansky per pixel], shape (N, P)."""
        if self.sky_data is not None:
            use = self.sky_data["use"]
            return np.asarray(self.sky_data["sky2d"]) if use else np.zeros(self.wave.shape)
        if self.sky_arrays is not None:
            wave, flux = self.sky_arrays
            return np.interp(self.wave, wave, flux, left=np.nan, right=np.nan)
        return np.zeros(self.wave.shape)

    @property
    def data(self) -> Array:
        """Flux without sky [microjansky per pixel], shape (N, P); NaN where masked."""
        data = np.asarray(self.sci - self.sky_background, np.float64)
        if self.meta["undo_barshadow"]:
            data = data * self.bar
        return np.where(self.mask, data, np.nan)

    def set_trace(self, base_coeffs: Array) -> None:
        """
        Set the polynomials of the traces, without what a fit adds to them.

        Parameters
        ----------
        base_coeffs : ndarray of float64, shape (N, degree + 1)
            Coefficients, highest power first.
        """
        self.base_coeffs = list(base_coeffs)
        self.trace_coeffs = [np.zeros_like(coeffs) for coeffs in self.base_coeffs]
        self.follow_trace()

    def follow_trace(self) -> None:
        """Compute the distances of all pixels from the traces."""
        self.yslit[:] = distances(self.sh, self.base_coeffs, self.trace_coeffs)
        self.yshutter[:] = distances(self.sh, self.base_coeffs[:1], [np.zeros(1)])

    def mask_out(self, bad: Mask, bit: MaskBit) -> None:
        """
        Mask pixels, and note why.

        Parameters
        ----------
        bad : ndarray of bool, shape (N, P) or (P,)
            The pixels; what is masked already is passed over.
        bit : MaskBit
            The test that found them.
        """
        new = self.mask & bad
        self.mask_bits[new] |= np.uint32(bit)
        self.mask = self.mask & ~new

    def set_variances(self) -> None:
        """Sum the variances of read noise, of the source and of the sky."""
        self.var_total = self.var_poisson + self.var_rnoise + self.var_sky
