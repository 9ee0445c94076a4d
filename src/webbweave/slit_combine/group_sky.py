"""The sky of a group: fitted beside the source, or from spectra of other slitlets."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import OptimizeResult

from webbweave.datamodels.background_spectra import read_background_spectra
from webbweave.report.slit_figures import draw_shutter_offset, draw_sky
from webbweave.slit_combine.background import background_sky, fit_background_scale
from webbweave.slit_combine.barshadow import bar_transmission, shutter_shift
from webbweave.slit_combine.grids import GRATING_LIMITS, standard_wavelength_grid
from webbweave.slit_combine.group_fits import GroupFits
from webbweave.slit_combine.group_options import refuse_unknown
from webbweave.slit_combine.group_state import PIXELS_PER_SHUTTER
from webbweave.slit_combine.mask_bits import MaskBit
from webbweave.slit_combine.shutter_offset import fit_shutter_offset
from webbweave.slit_combine.sky import estimate_sky

__all__ = ["GroupSky"]

log = logging.getLogger(__name__)

Array = NDArray[np.float64]

#: As in the page of msaexp.
_MINIMIZER: Mapping[str, Any] = MappingProxyType({"method": "bfgs", "tol": 1e-05})
_SKY_ARGUMENTS = (
    *("mask_yslit", "min_bar", "var_percentiles", "df", "high_clip", "use", "outlier_threshold"),
    *("absolute_threshold", "make_plot", "grating_limits"),
)
_BACKGROUND_ARGUMENTS = (
    *("path", "skip_h_gratings", "df", "by_wavelength", "wsteps", "poly", "mask_yslit"),
    *("resid_limits", "apply_to_background"),
)


class GroupSky(GroupFits):
    """A group with its sky."""

    def estimate_sky(
        self,
        mask_yslit: Sequence[Sequence[float]] = ((-4.5, 4.5),),
        min_bar: float = 0.95,
        var_percentiles: Sequence[float] | None = (-5, -5),
        df: int = 51,
        high_clip: float = 0.8,
        use: bool = True,
        outlier_threshold: float | None = 7,
        absolute_threshold: float | None = 0.2,
        make_plot: bool = False,
        grating_limits: Mapping[str, Sequence[float]] = GRATING_LIMITS,
        **kwargs: Any,
    ) -> Any:
        """
        Fit the sky to the pixels beside the source; sets ``sky_data``.

        Parameters
        ----------
        mask_yslit : sequence of (float, float), optional
            Ranges with sources [pixel from the trace].
        min_bar : float, optional
            Least transmission of the bars.
        var_percentiles : (float, float), optional
            Percentiles of the variance between which pixels are used; a negative number leaves out
            so many.
        df : int, optional
            Number of spline functions; 0 for a constant, less for the global sky as it is. With a
            global sky of a file it is that of the group, ``global_sky_df``.
        high_clip : float, optional
            Largest flux [microjansky].
        use : bool, optional
            Whether the sky is subtracted from then on.
        outlier_threshold : float, optional
            Pixels so far from the sky are masked [standard deviations].
        absolute_threshold : float, optional
            Pixels so far from the first fit are left out of the second [microjansky].
        make_plot : bool, optional
            Whether to draw the sky.
        grating_limits : mapping, optional
            Wavelengths and steps of the standard grids.
        **kwargs
            There are no others.

        Returns
        -------
        figure or None
            The figure, if it was asked for.
        """
        refuse_unknown(kwargs, _SKY_ARGUMENTS, compat=self.compat)
        fit = estimate_sky(
            self.sci,
            self.mask,
            self.var_total,
            self.var_rnoise,
            self.bar,
            self.yslit,
            self.wave,
            standard_wavelength_grid(self.grating, grating_limits=grating_limits),
            mask_yslit=mask_yslit,
            min_bar=min_bar,
            var_percentiles=var_percentiles,
            df=df if self.meta["sky_file"] == "N/A" else self.meta["global_sky_df"],
            high_clip=high_clip,
            outlier_threshold=outlier_threshold,
            absolute_threshold=absolute_threshold,
            sky_arrays=self.sky_arrays,
            compat=self.compat,
        )
        if fit is None:
            log.warning("%s: too few pixels beside the source for a sky", self.name)
            return None
        self.sky_data = fit.as_dict(use=use)
        figure = draw_sky(self) if make_plot else None
        self.mask_out(fit.flagged, MaskBit.SKY)
        return figure

    def set_background_spectra(
        self,
        path: str | Path = "",
        skip_h_gratings: bool = True,
        df: int = -1,
        by_wavelength: bool = False,
        wsteps: ArrayLike | None = None,
        poly: bool = False,
        mask_yslit: Sequence[Sequence[float]] = ((-4, 4),),
        resid_limits: Sequence[float] = (-3, 5),
        apply_to_background: bool = True,
        **kwargs: Any,
    ) -> bool | None:
        """
        Take the sky from the background spectra of the exposures; sets ``sky_data``.

        Parameters
        ----------
        path : str or path, optional
            Folder of the tables ``*_gbkg.fits``, one for each exposure, with the columns ``wave``
            [micron], ``p50`` and ``perr``; they are named by the first four parts of its name.
        skip_h_gratings : bool, optional
            Whether to do nothing for H gratings.
        df : int, optional
            Functions of the scale that is fitted to the background; none below 0.
        by_wavelength : bool, optional
            Whether these are equally spaced in wavelength, not in `wsteps`.
        wsteps : array_like, optional
            Wavelengths [micron]; percentiles of those of the pixels by default.
        poly : bool, optional
            Whether they are Chebyshev polynomials.
        mask_yslit : sequence of (float, float), optional
            Ranges with sources [pixel from the trace].
        resid_limits : (float, float), optional
            Residuals of the pixels in the fit [standard deviations].
        apply_to_background : bool, optional
            Whether the background is scaled, not the data.
        **kwargs
            There are no others.

        Returns
        -------
        bool or None
            True if the background was set; None if there is none; False if too few pixels are left
            for the scale, which then is 1.

        Raises
        ------
        InputError
            If a table cannot be read.
        """
        refuse_unknown(kwargs, _BACKGROUND_ARGUMENTS, compat=self.compat)
        if skip_h_gratings and self.grating.upper().endswith("H"):
            return None
        spectra = read_background_spectra([slit.name for slit in self.slits], path)
        if spectra is None:
            return None
        area = [slit.number("meta.photometry.pixelarea_steradians") for slit in self.slits]
        sky2d, var_sky = background_sky(
            self.wave, self.phot_corr, self.pathloss_corr, spectra, area
        )
        self.sky_data = {"use": True, "sky2d": sky2d}
        self.var_sky = var_sky.astype(self.var_total.dtype)
        self.set_variances()
        with np.errstate(invalid="ignore"):
            known = np.isfinite(sky2d) & (sky2d > 0)
        self.mask_out(~known, MaskBit.BACKGROUND)
        if df < 0:
            return True
        fit = fit_background_scale(
            self.sci,
            sky2d,
            self.var_total,
            self.mask,
            self.yslit,
            self.wave,
            df=df,
            by_wavelength=by_wavelength,
            wsteps=wsteps,
            poly=poly,
            mask_yslit=mask_yslit,
            resid_limits=resid_limits,
        )
        if fit is None:
            log.warning("%s: too few pixels for the scale of the background", self.name)
            return False
        self._scale_background(fit.scale, apply_to_background=apply_to_background)
        return True

    def _scale_background(self, scale: Array, *, apply_to_background: bool) -> None:
        """Multiply the background with a function, or divide everything else by it."""
        kind = self.sci.dtype
        if apply_to_background:
            assert self.sky_data is not None
            self.sky_data["sky2d"] = self.sky_data["sky2d"] * scale
            self.var_sky = (self.var_sky * scale**2).astype(kind)
        else:
            self.sci = (self.sci / scale).astype(kind)
            self.phot_corr = (self.phot_corr / scale).astype(kind)
            self.var_rnoise = (self.var_rnoise / scale**2).astype(kind)
            self.var_poisson = (self.var_poisson / scale**2).astype(kind)
        self.set_variances()

    def fit_shutter_offset(
        self,
        minimizer_kwargs: Mapping[str, Any] = _MINIMIZER,
        update: bool = True,
        make_plot: bool = False,
        max_sn: float = 50,
        prior: Sequence[float] = (0, 0.05),
    ) -> OptimizeResult | None:
        """
        Fit the offset of the shutters to the shadows of their bars in the sky.

        Parameters
        ----------
        minimizer_kwargs : mapping, optional
            Of `scipy.optimize.minimize`.
        update : bool, optional
            Whether to use the offset, and correct for the bars again.
        make_plot : bool, optional
            Whether to draw the sums that were tried: attribute ``figure`` of the result.
        max_sn : float, optional
            Brighter sources than this are not fitted [signal-to-noise ratio].
        prior : (float, float), optional
            Middle and standard deviation of the offset [pixel].

        Returns
        -------
        `~scipy.optimize.OptimizeResult` or None
            See `webbweave.slit_combine.shutter_offset.fit_shutter_offset`; None without a sky, or
            if the source is too bright.
        """
        if self.sky_data is None or "mask" not in self.sky_data:
            log.info("%s: no sky was fitted, the offset of the shutters is not known", self.name)
            return None
        meta = self.meta
        place = self.slit_frame_y / self.slit_shutter_scale / PIXELS_PER_SHUTTER
        if not self.compat:
            place = place + shutter_shift(self.fixed_yshutter, meta["num_shutters"])

        def bar_model(u: Array, wave: Array) -> Array:
            return bar_transmission(
                u,
                wave,
                meta["num_shutters"],
                mode=meta["bar_corr_mode"],
                wrap=meta["wrapped_barshadow"],
                compat=self.compat,
            )[0]

        result = fit_shutter_offset(
            self.sci,
            self.mask & self.sky_data["mask"],
            self.var_rnoise + self.var_poisson,
            self.bar,
            self.sky_data["sky2d"],
            place,
            self.wave,
            bar_model,
            minimizer_kwargs=minimizer_kwargs,
            prior=prior,
            trace_sn=self.get_trace_sn()["sn"],
            max_sn=max_sn,
            compat=self.compat,
        )
        if result is None:
            return None
        if make_plot:
            result.figure = draw_shutter_offset(result, self.name)
        if update:
            meta["shutter_offset"] = result.offset
            self.apply_spline_bar_correction()
        return result
