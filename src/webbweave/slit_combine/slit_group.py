"""A group of exposures of one NIRSpec slitlet: the class that everything else works on."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import ArrayLike, NDArray

from webbweave.columns import Columns
from webbweave.slit_combine import group_calibration as calibration
from webbweave.slit_combine.group_options import (
    EXTENDED_CALIBRATION,
    IMAGE_STYLE,
    META_COMMENTS,
    NOTHING,
    check_choices,
    group_meta,
    refuse_unknown,
)
from webbweave.slit_combine.group_sky import GroupSky
from webbweave.slit_combine.inputs import open_exposures, read_sky_file
from webbweave.slit_combine.mask_bits import MaskBit
from webbweave.slit_combine.metadata import check_one_mode, info_table, slit_columns
from webbweave.slit_combine.plots import plot_2d_differences, plot_profile
from webbweave.slit_combine.reference import global_sky

__all__ = ["SlitGroup"]

log = logging.getLogger(__name__)

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: Tests of the constructor need more valid pixels than this.
_FEWEST_PIXELS = 100
#: The arguments that ``meta`` keeps.
_IN_META = (
    *("diffs", "grating_diffs", "trace_with_xpos", "trace_with_ypos", "trace_from_yoffset"),
    *("shutter_offset", "stuck_threshold", "bad_shutter_names", "dilate_failed_open"),
    *("num_shutters", "undo_barshadow", "min_bar", "bar_corr_mode", "fix_prism_norm", "nod_offset"),
    *("undo_pathloss", "reference_exposure", "pad_border", "position_key", "weight_type"),
    *("global_sky_df", "with_fs_offset", "with_sflat_correction", "with_extra_dq"),
)


class SlitGroup(GroupSky):
    """
    A group of exposures of one slitlet, on a common footing.

    Besides what is listed here, see the attributes and properties of `GroupState`.

    Parameters
    ----------
    files : list of str, path, data model or mapping
        SlitModel files; open SlitModels; or dictionaries of arrays, see `from_arrays`.
    name : str
        What the group is called in the log and in figures.
    position_key : str, optional
        Column of ``info`` that tells the nod positions: ``'y_index'``, ``'position_number'`` or
        ``'shutter_state'``.
    diffs : bool, optional
        Whether the other nods are subtracted.
    grating_diffs : bool, optional
        Whether they are for gratings at any rate.
    stuck_threshold : float, optional
        See `mask_stuck_closed_shutters`.
    hot_cold_kwargs : dict, optional
        Arguments of `flag_hot_cold_pixels`, which is left out by default.
    bad_shutter_names : list of int, optional
        Shutters to mask, 0 being that of the source; looked for by default.
    dilate_failed_open : bool or int, optional
        By how many pixels the mask of light from shutters that failed open is grown.
    num_shutters : int, optional
        Number of shutters; -1 for the length of ``shutter_state``, 0 for the number of nods.
    undo_barshadow : bool or int, optional
        2 to replace the bar shadow correction of the pipeline by that of the tables, True to undo
        it, False to leave it.
    min_bar : float, optional
        Least transmission of the bars.
    bar_corr_mode : str, optional
        ``'wave'``, or ``'flat'`` for a bar shadow without wavelengths.
    fix_prism_norm : bool, optional
        Whether to apply the normalisation of prism spectra.
    extended_calibration_kwargs : dict, optional
        Arguments of `webbweave.slit_combine.extended.extended_flux_calibration`; None to skip it.
    with_sflat_correction : bool, optional
        Whether to divide extended prism spectra by the field-dependent flat.
    with_extra_dq : bool, optional
        Whether to mask the additional bad pixels of the detectors, and their edges.
    slit_hotpix_kwargs : dict, optional
        Arguments of `webbweave.slit_combine.hot_pixels.find_hot_pixels`; None to skip it.
    sky_arrays : tuple of array_like, optional
        Wavelengths [micron] and flux [microjansky per pixel] of the sky.
    sky_file : str, optional
        A CSV file with these; ``'read'`` for the table of the visit, if there is one and no
        `sky_arrays`; None for neither.
    set_background_spectra_kwargs : dict, optional
        Arguments of `set_background_spectra`; None to skip it.
    global_sky_df : int, optional
        Functions of the sky that `estimate_sky` fits to a sky from a file.
    estimate_sky_kwargs : dict, optional
        Arguments of `estimate_sky`, which is left out by default.
    flag_profile_kwargs : dict, optional
        Arguments of `flag_from_profile`, which is left out by default.
    do_multiple_mask : bool, optional
        Whether pixels that are bad in most exposures are bad in all.
    flag_trace_kwargs, flag_2d_kwargs, flag_percentile_kwargs : dict, optional
        Arguments of `flag_trace_outliers`, `flag_2d_outliers` and `flag_percentile_outliers`; None
        to skip them.
    undo_pathloss : bool or int, optional
        Whether to undo the path loss correction of the pipeline; 2 to apply that of a point source.
    trace_with_xpos : bool, optional
        Whether wavelengths are those of a source off the middle of the shutter, by the WCS: a point
        source, of which only the part inside the slit counts. Not possible with `compat`.
    trace_with_ypos : bool, optional
        Whether traces are those of a source off the middle of the shutter.
    trace_from_yoffset : bool, optional
        Whether traces follow from the first one and the offsets of the dither.
    with_fs_offset : bool, optional
        Whether to add the offsets of the dither to the traces of fixed slits.
    fit_shutter_offset_kwargs : dict, optional
        Arguments of `fit_shutter_offset`, which is left out by default.
    shutter_offset : float, optional
        What is added to the place along the slitlet [pixel].
    nod_offset : float, optional
        From nod to nod [pixel]; that of neighbouring shutters by default.
    pad_border : int, optional
        By how many pixels the border of the slit is grown.
    weight_type : str, optional
        Weights in the combination: ``'ivm'`` (inverse variance of the read noise), ``'poisson'``
        (inverse total variance), ``'exptime'``, ``'exptime_bar'`` (exposure time times square of
        the transmission of the bars) or ``'mask'``.
    reference_exposure : object, optional
        The nod position that others are compared with; ``'auto'`` for the one in the middle.
    lookup_prf : object, optional
        Tabulated profiles, used in place of Gaussians, and for path losses.
    **kwargs
        There are no others: unknown names are refused.
    compat : bool, optional
        Whether to give the numbers of msaexp, with its errors.

    Raises
    ------
    TypeError
        If an argument is not known, or an exposure is nothing that can be opened.
    ValueError
        If an argument is not one of its choices, or the exposures do not belong together.
    InputError
        If an exposure cannot be read or lacks something, or a table that is needed is missing.
    """

    def __init__(
        self,
        files: Iterable[Any],
        name: str,
        position_key: str = "y_index",
        diffs: bool = True,
        grating_diffs: bool = True,
        stuck_threshold: float = 0.3,
        hot_cold_kwargs: Mapping[str, Any] | None = None,
        bad_shutter_names: Sequence[int] | None = None,
        dilate_failed_open: bool | int = True,
        num_shutters: int = -1,
        undo_barshadow: bool | int = 2,
        min_bar: float | None = 0.4,
        bar_corr_mode: str = "wave",
        fix_prism_norm: bool = True,
        extended_calibration_kwargs: Mapping[str, Any] | None = EXTENDED_CALIBRATION,
        with_sflat_correction: bool = True,
        with_extra_dq: bool = True,
        slit_hotpix_kwargs: Mapping[str, Any] | None = NOTHING,
        sky_arrays: Sequence[ArrayLike] | None = None,
        sky_file: str | Path | None = "read",
        set_background_spectra_kwargs: Mapping[str, Any] | None = NOTHING,
        global_sky_df: int = 7,
        estimate_sky_kwargs: Mapping[str, Any] | None = None,
        flag_profile_kwargs: Mapping[str, Any] | None = None,
        do_multiple_mask: bool = True,
        flag_trace_kwargs: Mapping[str, Any] | None = NOTHING,
        flag_2d_kwargs: Mapping[str, Any] | None = None,
        flag_percentile_kwargs: Mapping[str, Any] | None = NOTHING,
        undo_pathloss: bool | int = True,
        trace_with_xpos: bool = False,
        trace_with_ypos: bool = False,
        trace_from_yoffset: bool = True,
        with_fs_offset: bool = False,
        fit_shutter_offset_kwargs: Mapping[str, Any] | None = None,
        shutter_offset: float = 0.0,
        nod_offset: float | None = None,
        pad_border: int = 2,
        weight_type: str = "ivm",
        reference_exposure: Any = "auto",
        lookup_prf: Any = None,
        *,
        compat: bool = False,
        **kwargs: Any,
    ) -> None:
        arguments = dict(locals())
        self._check_arguments(arguments)
        self.compat, self.name, self.lookup_prf = bool(compat), name, lookup_prf
        self.files = list(files) if not isinstance(files, str | Path | Mapping) else [files]
        self.slits = open_exposures(files if isinstance(files, str | Path) else self.files)
        check_one_mode(self.slits)
        if self.IS_FIXED_SLIT:
            arguments |= {"undo_barshadow": False, "min_bar": None, "bad_shutter_names": []}
        self.meta = group_meta({key: arguments[key] for key in _IN_META}, compat=self.compat)
        self.meta_comment = dict(META_COMMENTS)
        self._undo_barshadow = self.meta["undo_barshadow"]
        if sky_arrays is not None:
            wave, flux = (np.array(item, np.float64) for item in sky_arrays)
            self.sky_arrays = wave, flux
        self.meta["has_sky_arrays"] = self.sky_arrays is not None
        self._phot_corrs = calibration.calibrate_exposures(
            self, _options(extended_calibration_kwargs), _options(slit_hotpix_kwargs)
        )
        self.info = self.parse_metadata()
        self.calculate_slices()
        self.parse_data(with_sflat_correction=with_sflat_correction, with_extra_dq=with_extra_dq)
        self._check_positions()
        if sky_file is not None:
            self.get_global_sky(sky_file=str(sky_file))
        if fix_prism_norm:
            self.apply_normalization_correction()
        self._run_tests(arguments)
        self.fit = None

    @classmethod
    def from_arrays(
        cls, exposures: Iterable[Mapping[str, Any]], name: str = "slitlet", **options: Any
    ) -> SlitGroup:
        """
        Make a group of arrays, without files.

        Parameters
        ----------
        exposures : iterable of mapping
            A dictionary for each exposure, with the names of a SlitModel, see
            `webbweave.slit_combine.inputs.open_exposure`: the arrays ``data`` [MJy / sr],
            ``var_poisson``, ``var_rnoise``, ``wave`` [micron] and ``slit_y`` [shutters], each of
            shape (ny, nx), and optional ones; ``slit_pixel_scale`` [arcsec] and
            ``slit_shutter_scale`` [shutters]; ``xstart``, ``ystart``; ``quadrant``, ``xcen``,
            ``ycen`` for prism spectra; ``shutter_state``; and ``meta`` with
            ``instrument`` (``grating``, ``filter``, ``detector``), ``dither`` (``y_offset``),
            ``exposure`` (``exposure_time``) and ``photometry`` (``pixelarea_steradians``).
        name : str, optional
            What the group is called.
        **options
            Other arguments of `SlitGroup`.

        Returns
        -------
        SlitGroup
            The group. Nothing of the dictionaries is changed.
        """
        return cls(list(exposures), name, **options)

    @staticmethod
    def _check_arguments(arguments: dict[str, Any]) -> None:
        compat = bool(arguments["compat"])
        known = [name for name in inspect.signature(SlitGroup).parameters if name != "kwargs"]
        refuse_unknown(arguments["kwargs"], known, compat=compat)
        arguments["bar_corr_mode"] = check_choices(
            arguments["weight_type"], arguments["bar_corr_mode"], compat=compat
        )
        if compat and arguments["trace_with_xpos"]:
            raise ValueError(
                "trace_with_xpos: msaexp takes the shift from reference files of CRDS, which are "
                "not read here; without compat it comes from the WCS"
            )
        if arguments["nod_offset"] is not None and not np.isfinite(arguments["nod_offset"]):
            raise ValueError(f"nod_offset: expected a number, found {arguments['nod_offset']!r}")

    def _check_positions(self) -> None:
        """Refuse nods that do not exist, and say what cannot be subtracted."""
        meta = self.meta
        n_position = self.unp.N
        _ = self.calc_reference_exposure
        if self.grating.upper().startswith("G"):
            meta["diffs"] = bool(meta["diffs"] or meta["grating_diffs"])
        if self.compat:
            return
        meta["diffs_applied"] = bool(meta["diffs"] and n_position > 1)
        if meta["diffs"] and n_position < 2:
            log.warning(
                "%s: all %d exposures are at one nod, there is nothing to subtract",
                self.name,
                self.N,
            )

    def _run_tests(self, arguments: Mapping[str, Any]) -> None:
        """Look for what is bad in the planes, and for the sky, in the order of msaexp."""
        hot_cold = _options(arguments["hot_cold_kwargs"])
        if hot_cold is not None and self.N > 2:
            n_cold, n_hot, flag = self.flag_hot_cold_pixels(**hot_cold)
            self.mask_out(flag != 0, MaskBit.HOT_COLD)
            swapped = self.compat
            self.meta["nhot"] = n_cold if swapped else n_hot
            self.meta["ncold"] = n_hot if swapped else n_cold
        self._flag_outliers(arguments, with_2d=True)
        sky = _options(arguments["estimate_sky_kwargs"])
        if sky is not None:
            self._try("estimate_sky", sky)
            self._flag_outliers(arguments, with_2d=False)
        profile = _options(arguments["flag_profile_kwargs"])
        if profile is not None:
            self._try("flag_from_profile", profile)
        if arguments["do_multiple_mask"]:
            calibration.mask_multiple(self)
        background = _options(arguments["set_background_spectra_kwargs"])
        if background is not None:
            self.set_background_spectra(**background)
        shutter = _options(arguments["fit_shutter_offset_kwargs"])
        if shutter is not None:
            self.fit_shutter_offset(**shutter)

    def _flag_outliers(self, arguments: Mapping[str, Any], *, with_2d: bool) -> None:
        enough = np.count_nonzero(self.mask) > _FEWEST_PIXELS
        trace = _options(arguments["flag_trace_kwargs"])
        if trace is not None and enough and self.meta["position_key"] != "manual_position":
            self.flag_trace_outliers(**trace)
        two_d = _options(arguments["flag_2d_kwargs"])
        if two_d is not None and enough and with_2d:
            self.flag_2d_outliers(**two_d)
        percentile = _options(arguments["flag_percentile_kwargs"])
        if percentile is not None and enough:
            outlier, _ = self.flag_percentile_outliers(**percentile)
            self.meta["percentile_outliers"] = int(np.count_nonzero(outlier))

    def _try(self, method: str, options: dict[str, Any]) -> None:
        """Run a test that too few pixels make impossible; that is said, and noted."""
        try:
            getattr(self, method)(**options)
        except ValueError as error:
            log.warning("%s: %s was not possible: %s", self.name, method, error)
            calibration.note_skipped(self, method)

    def parse_metadata(self) -> Table:
        """
        Make the table of exposures.

        Returns
        -------
        `~astropy.table.Table`
            A row for each, see `webbweave.slit_combine.metadata.info_table`.
        """
        return info_table(self.slits)

    def slit_metadata(self) -> Table:
        """
        Make a table of the slits.

        Returns
        -------
        `~astropy.table.Table`
            A row for each exposure, see `webbweave.slit_combine.metadata.slit_columns`.
        """
        return self.slit_columns().table()

    def slit_columns(self) -> Columns:
        """
        Give the columns of `slit_metadata`.

        Returns
        -------
        Columns
            The columns.
        """
        first = self.slits[:1] * self.N if self.compat else self.slits
        return slit_columns(
            self.slits,
            self.shapes,
            self.base_coeffs,
            [self._scale(slit, "pixel") for slit in first],
            [self._source_ypixel(slit) for slit in first],
        )

    def calculate_slices(self) -> None:
        """
        Find the part of the cut-outs that all have: sets ``sh``, and ``slice`` of all slits.

        Raises
        ------
        ValueError
            If there is none.
        """
        calibration.set_slices(self)

    def parse_data(
        self,
        debug: bool = False,
        with_sflat_correction: bool = True,
        with_extra_dq: bool = True,
        **kwargs: Any,
    ) -> None:
        """
        Read the planes of the exposures: cut, mask, convert to microjansky, correct for bars.

        Parameters
        ----------
        debug : bool, optional
            Whether to log the number of valid pixels after each step.
        with_sflat_correction, with_extra_dq : bool, optional
            See `SlitGroup`.
        **kwargs
            There are no others.

        Raises
        ------
        InputError
            If something is missing that is needed, or no pixel is valid.
        """
        known = ("debug", "with_sflat_correction", "with_extra_dq")
        refuse_unknown(kwargs, known, compat=self.compat)
        level = logging.INFO if debug else logging.DEBUG
        meta = self.meta
        meta["own_barshadow"] = meta["wrapped_barshadow"] = False
        meta["undo_barshadow"] = self._undo_barshadow
        calibration.parse_state(
            self, self._phot_corrs, with_sflat=with_sflat_correction, with_extra_dq=with_extra_dq
        )
        log.log(level, "%s: %d valid pixels", self.name, np.count_nonzero(self.mask))
        if self._undo_barshadow == 2:
            self.apply_spline_bar_correction()
        if meta["min_bar"] is not None:
            with np.errstate(invalid="ignore"):
                self.mask_out(~(self.bar > meta["min_bar"]), MaskBit.BAR)
        log.log(level, "%s: %d are not behind bars", self.name, np.count_nonzero(self.mask))
        if meta["bad_shutter_names"] is None:
            self.mask_stuck_closed_shutters(stuck_threshold=meta["stuck_threshold"])
        else:
            self.apply_bad_shutter_mask()
        log.log(level, "%s: %d in open shutters", self.name, np.count_nonzero(self.mask))

    def get_global_sky(self, sky_file: str | None = None) -> None:
        """
        Read the sky of the visit, or that of a file, into ``sky_arrays``.

        Parameters
        ----------
        sky_file : str, optional
            A CSV file with columns ``wave`` [micron] and ``flux`` [microjansky per pixel]. None or
            ``'read'`` for the table of the visit, which is for prism spectra; without one, nothing
            happens.

        Raises
        ------
        InputError
            If the file cannot be read.
        """
        if sky_file is None or sky_file == "read":
            if self.grating != "PRISM" or self.meta["has_sky_arrays"]:
                return
            visit = str(self.info["visit"][0])
            sky, name = global_sky(visit), f"{visit}_sky.csv"
        else:
            sky, name = read_sky_file(sky_file), Path(sky_file).name
        if sky is not None:
            self.sky_arrays = sky
            self.meta["sky_file"], self.meta["has_sky_arrays"] = name, True

    def plot_2d_differences(
        self,
        fit: Mapping[Any, Mapping[str, Any]] | None = None,
        clip_sigma: float = 5,
        kws: Mapping[str, Any] = IMAGE_STYLE,
        figsize: tuple[float, float] = (6, 2),
    ) -> Any:
        """
        Draw the differences of the nods.

        Parameters
        ----------
        fit : dict, optional
            The fits of the nods: their models and residuals are drawn too.
        clip_sigma : float, optional
            Limit of the grey scale [standard deviations].
        kws : mapping, optional
            Arguments of ``imshow``.
        figsize : (float, float), optional
            Size of an image [inch].

        Returns
        -------
        `~matplotlib.figure.Figure`
            A row for each nod.
        """
        return plot_2d_differences(self, fit, clip_sigma, kws, figsize)

    def plot_profile(
        self,
        exp: Any = 1,
        ax: Any = None,
        fit_result: Mapping[str, Any] | None = None,
        ymax: float = 0.2,
    ) -> Any:
        """
        Draw the pixels of a difference across the trace.

        Parameters
        ----------
        exp : object, optional
            The nod.
        ax : `~matplotlib.axes.Axes`, optional
            Where to draw.
        fit_result : dict, optional
            The fit of this nod.
        ymax : float, optional
            Upper limit of the flux [microjansky].

        Returns
        -------
        `~matplotlib.figure.Figure`
            The figure.
        """
        return plot_profile(self, exp, ax, fit_result, ymax)


def _options(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if given is None else dict(given)
