"""The corrections and tests of a group that can be asked for one at a time."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import iterate_structure

from webbweave.report.slit_figures import draw_flagged_profile
from webbweave.slit_combine import group_calibration as calibration
from webbweave.slit_combine.flags import (
    PLUS,
    SQUARE,
    hot_cold_pixels,
    outliers_2d,
    percentile_outliers,
    profile_outliers,
    restore_profile_flags,
    stuck_shutters,
    trace_outliers,
)
from webbweave.slit_combine.group_options import refuse_unknown
from webbweave.slit_combine.group_state import GroupState
from webbweave.slit_combine.mask_bits import MaskBit
from webbweave.slit_combine.traces import fit_trace_coeffs

__all__ = ["GroupCorrections"]

log = logging.getLogger(__name__)

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: The levels of `flag_percentile_outliers` in the page of msaexp.
_LEVELS = (0.95, -4, -0.1)
#: A median over the exposures tells the source, which moves, from the detector with this many.
_FEWEST_EXPOSURES_2D = 3


class GroupCorrections(GroupState):
    """A group with what can be corrected and tested once its planes are filled."""

    def apply_spline_bar_correction(self) -> None:
        """
        Replace the bar shadow correction of the pipeline by that of the tables.

        Flux and variances are scaled, and the mask updated; other modes than the prism and the
        gratings of the micro-shutter array stay as they are.

        Raises
        ------
        InputError
            If the file of the table is missing.
        """
        if calibration.apply_bar(self):
            self.meta["undo_barshadow"] = False

    def apply_bad_shutter_mask(self) -> None:
        """Mask the shutters in ``meta["bad_shutter_names"]``; their flux becomes NaN."""
        calibration.mask_shutters(self)

    def apply_normalization_correction(self) -> None:
        """Normalise prism spectra; others stay as they are, and all if the table is missing."""
        calibration.apply_normalization(self)

    def set_trace_coeffs(self, degree: int = 2) -> None:
        """
        Fit polynomials to the traces, and drop what fits have added to them.

        Parameters
        ----------
        degree : int, optional
            Degree of the polynomials.

        Raises
        ------
        ValueError
            If the degree is negative, or larger than a trace allows.
        """
        self.set_trace(fit_trace_coeffs(self.xtr, self.ytr, degree))

    def update_trace_from_coeffs(self) -> None:
        """Compute ``yslit`` and ``yshutter`` from ``base_coeffs`` and ``trace_coeffs``."""
        self.follow_trace()

    def mask_stuck_closed_shutters(
        self, stuck_threshold: float = 0.3, min_bar: float = 0.7
    ) -> None:
        """
        Find and mask shutters that are stuck closed, in prism spectra.

        Parameters
        ----------
        stuck_threshold : float, optional
            Least median signal-to-noise ratio, as a part of that of the brightest shutter; of a
            single shutter, the ratio itself.
        min_bar : float, optional
            Pixels behind bars with a lower transmission do not count.
        """
        bad: tuple[int, ...] = ()
        if self.grating == "PRISM":
            found = stuck_shutters(
                self.sci,
                self.var_total,
                self.mask,
                self.bar,
                self.fixed_yshutter,
                threshold=stuck_threshold,
                min_bar=min_bar,
            )
            bad = found.bad
        if bad:
            log.info("%s: shutters %s are stuck closed", self.name, bad)
        self.meta["bad_shutter_names"] = list(bad)
        self.apply_bad_shutter_mask()

    def flag_trace_outliers(
        self,
        yslit: Sequence[float] = (-2, 2),
        filter_size: int = -2,
        threshold: float = 1.5,
    ) -> Mask | None:
        """
        Mask pixels beside the trace that are brighter than the trace.

        Parameters
        ----------
        yslit : sequence of float, optional
            Range of the trace [pixel].
        filter_size : int, optional
            The trace is as bright as the brightest of so many pixels in order of wavelength; a
            negative number counts per exposure.
        threshold : float, optional
            Outliers are brighter than this times the trace, and than 3 standard deviations.

        Returns
        -------
        ndarray of bool, shape (N, P), or None
            The outliers, None if the trace has fewer than 100 pixels.
        """
        outlier = trace_outliers(
            self.data,
            self.var_total,
            self.yslit,
            self.wave,
            limits=yslit,
            filter_size=filter_size,
            threshold=threshold,
            stable=not self.compat,
        )
        if outlier is not None:
            self.mask_out(outlier, MaskBit.TRACE)
        return outlier

    def flag_percentile_outliers(
        self,
        plevels: Sequence[float] = _LEVELS,
        scale: float = 2,
        yslit: Sequence[float] = (-2.0, 2.0),
        dilate: ArrayLike | None = SQUARE,
        update: bool = True,
        **kwargs: Any,
    ) -> tuple[Mask, float]:
        """
        Mask pixels that are brighter than the distribution in the trace lets expect.

        Parameters
        ----------
        plevels : sequence of float, optional
            Three levels of the distribution (0 to 1); a negative one is 1 less so many of the
            pixels that the trace has in one exposure.
        scale : float, optional
            The limit is so many times as far from the first level as the third one.
        yslit : sequence of float, optional
            Range of the trace [pixel].
        dilate : array_like of bool, optional
            By what outliers are grown in each exposure: None or False for nothing. With
            ``compat=True`` False means True, and they grow only if their number is odd.
        update : bool, optional
            Whether to mask them.
        **kwargs
            There are no others.

        Returns
        -------
        outlier : ndarray of bool, shape (N, P)
            The outliers.
        high_level : float
            The limit [microjansky]; NaN if the trace has fewer than 100 pixels.
        """
        refuse_unknown(
            kwargs, ("plevels", "scale", "yslit", "dilate", "update"), compat=self.compat
        )
        if self.compat and dilate is not None and np.ndim(dilate) == 0:
            dilate = SQUARE
        outlier, level = percentile_outliers(
            self.data,
            self.yslit,
            self.sh,
            levels=plevels,
            scale=scale,
            limits=yslit,
            dilate=dilate,
            var_total=None if self.compat else self.var_total,
            odd_only=self.compat,
        )
        if update:
            self.mask_out(outlier, MaskBit.PERCENTILE)
        return outlier, level

    def flag_from_profile(
        self,
        grow: float = 2,
        nfilt: int = -32,
        require_multiple: bool = True,
        make_plot: bool = False,
    ) -> Any:
        """
        Mask pixels that are far from the profile across the trace.

        Parameters
        ----------
        grow : float, optional
            Pixels are too bright above ``p95 + grow * (p95 - p50)``, running percentiles in order
            of the distance from the trace, and too faint 5 standard deviations below the smaller of
            p5 and 0.
        nfilt : int, optional
            Pixels that the percentiles run over; a negative number is a part of all.
        require_multiple : bool, optional
            Whether they must be so in most of more than two exposures; then they are masked in all.
        make_plot : bool, optional
            Whether to draw the profile.

        Returns
        -------
        figure or None
            The figure, if it was asked for.
        """
        if self.mask_profile is not None:
            self.mask = restore_profile_flags(self.mask, self.mask_profile, compat=self.compat)
        data, mask = self.data, self.mask
        found = profile_outliers(
            data,
            self.var_total,
            self.yslit,
            grow=grow,
            filter_size=nfilt,
            require_multiple=require_multiple,
        )
        self.mask_profile = found
        self.mask_out(found, MaskBit.PROFILE)
        if not make_plot:
            return None
        return draw_flagged_profile(self.yslit, data, mask & found, self.name)

    def flag_hot_cold_pixels(
        self,
        cold_percentile: float = -0.1,
        hot_percentile: float = 1.5,
        absolute: bool = True,
        min_nexp: int = -1,
        dilate: int | bool | ArrayLike | None = None,
    ) -> tuple[int, int, NDArray[np.int64]]:
        """
        Find pixels that are hot or cold in several exposures; the mask stays as it is.

        Parameters
        ----------
        cold_percentile, hot_percentile : float, optional
            Limits [microjansky], or percentiles of the data.
        absolute : bool, optional
            Whether the limits are not percentiles.
        min_nexp : int, optional
            In how many exposures; a number below 1 counts those that a nod has. At least in two.
        dilate : int, bool or array_like of bool, optional
            By how many pixels, or by what, to grow what was found.

        Returns
        -------
        ncold, nhot : int
            Numbers of pixels.
        flag : ndarray of int64, shape (P,)
            1 for cold, 2 for hot pixels, 3 for both.
        """
        found = hot_cold_pixels(
            self.data,
            self.sh,
            cold=cold_percentile,
            hot=hot_percentile,
            absolute=absolute,
            min_exposures=min_nexp,
            n_position=self.unp.N,
            dilate=_footprint(dilate),
            compat=self.compat,
        )
        return found.n_cold, found.n_hot, found.flag

    def flag_2d_outliers(
        self,
        filter_size: int = 5,
        threshold: Sequence[float] = (-5, 5),
        with_mask: bool = False,
        dilate_structure: ArrayLike | None = PLUS,
        in_place: bool = True,
        *,
        tfit: dict[Any, Any] | None = None,
        trim_multiples: bool = False,
    ) -> Mask:
        """
        Mask pixels that are far from those of similar wavelength, in the median of exposures.

        Parameters
        ----------
        filter_size : int, optional
            Pixels that the running median is of.
        threshold : sequence of float, optional
            Least and largest residual [standard deviations].
        with_mask : bool, optional
            Whether to use valid pixels only.
        dilate_structure : array_like of bool, optional
            By what to grow what was found.
        in_place : bool, optional
            Whether to mask it.
        tfit : dict, optional
            Fits of all nods, whose residuals are tested in place of the data.
        trim_multiples : bool, optional
            Whether to spare pixels that are outliers with a neighbour.

        Returns
        -------
        ndarray of bool, shape (P,)
            The pixels that are not outliers.

        Notes
        -----
        In the median of less than three exposures without a fit the source itself stands out: the
        test is skipped then, which the log and ``meta["skipped"]`` say. msaexp does not.
        """
        if tfit is None and self.N < _FEWEST_EXPOSURES_2D and not self.compat:
            log.warning(
                "%s: flag_2d_outliers is skipped: %d exposures without a fit, and in the median of "
                "less than %d the source itself is an outlier",
                *(self.name, self.N, _FEWEST_EXPOSURES_2D),
            )
            calibration.note_skipped(self, "flag_2d_outliers")
            return np.ones(self.sci.shape[1], np.bool_)
        planes, variances = self.sci, self.var_total
        mask = self.mask if with_mask else None
        if tfit is not None:
            planes = np.stack([fit["diff"] - fit["smod"].ravel() for fit in tfit.values()])
            variances = np.stack([fit["vdiff"] for fit in tfit.values()])
            mask = np.isfinite(planes) if with_mask else None
        bad = outliers_2d(
            planes,
            variances,
            self.wave[0],
            self.sh,
            mask=mask,
            filter_size=filter_size,
            threshold=threshold,
            trim_multiples=trim_multiples,
            dilate=dilate_structure,
        )
        if in_place:
            self.mask_out(bad, MaskBit.TWO_D)
        return ~bad


def _footprint(dilate: int | bool | ArrayLike | None) -> Mask | None:
    """What to grow by: a plus, so many times, or what was given."""
    if dilate is None or dilate is False:
        return None
    given = np.asarray(dilate)
    if given.ndim == 2:
        return given.astype(np.bool_)
    footprint = iterate_structure(PLUS, int(given)) if int(given) > 0 else None
    return None if footprint is None else np.asarray(footprint, np.bool_)
