"""From the exposures of a source to its spectra."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from astropy.table import Table

from webbweave.datamodels.spectra import SpectrumHDUs, spectrum_hdus
from webbweave.datamodels.tables import save_table
from webbweave.datamodels.writing import replace_atomically
from webbweave.errors import InputError
from webbweave.parallel import Submits, run_in_order
from webbweave.slit_combine.combine import combined_bytes
from webbweave.slit_combine.drizzle import DRIZZLE_KWS
from webbweave.slit_combine.extract_plan import (
    FitPlan,
    fit_groups,
    mask_rows,
    order_groups,
    reason_to_reject,
)
from webbweave.slit_combine.inputs import slit_of
from webbweave.slit_combine.lookup_psf import set_lookup_prf
from webbweave.slit_combine.slit_group import SlitGroup
from webbweave.slit_combine.splitting import split_visit_groups

__all__ = ["ExtractedSpectra", "extract_spectra"]

log = logging.getLogger(__name__)

_GRATINGS = ("PRISM", "G395H", "G395M", "G235M", "G140M")
#: Columns of the spectrum that are drawn.
_DRAWN = ("wave", "flux", "err", "sky")
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_COLUMNS = ("group", "grating", "filter", "n_exposure", "n_valid", "status", "reason", "traceback")


@dataclass
class _Row:
    """One line of the summary."""

    group: str
    files: list[str]
    grating: str = ""
    filter: str = ""
    n_exposure: int = 0
    n_valid: int = 0
    status: str = "combined"
    reason: str = ""
    traceback: str = ""


@dataclass(frozen=True, eq=False)
class ExtractedSpectra:
    """
    The spectra of a source.

    Attributes
    ----------
    target : str
        The source.
    spectra : dict of str to HDUList
        Products by grating and filter, such as ``prism-clear``, see `combine_grating_group`.
    groups : dict of str to dict
        Groups that were combined by name: the SlitGroup is under ``obj``, its fit under ``fit``.
    summary : `~astropy.table.Table`
        A row for each group: ``status`` is combined, rejected or failed, ``reason`` says why, and
        ``traceback`` where an error came from.
    files : list of path
        What was written.
    """

    target: str
    spectra: dict[str, SpectrumHDUs]
    groups: dict[str, dict[str, Any]]
    summary: Table
    files: list[Path] = field(default_factory=list)


def extract_spectra(
    target: str,
    root: str = "nirspec",
    path_to_files: str | Path = "./",
    files: Sequence[str | Path] | None = None,
    do_gratings: Sequence[str] = _GRATINGS,
    join: Sequence[int] = (0, 3, 5),
    exposure_groups: Mapping[str, Sequence[Any]] | None = None,
    split_uncover: bool | Sequence[int] = True,
    stuck_threshold: float = 0.3,
    valid_frac_threshold: float = 0.1,
    pad_border: int = 2,
    sort_by_sn: bool = False,
    position_key: str = "y_index",
    mask_cross_dispersion: Sequence[float] | None = None,
    cross_dispersion_mask_type: str = "trace",
    trace_from_yoffset: bool = False,
    reference_exposure: Any = "auto",
    trace_niter: int = 4,
    offset_degree: int = 0,
    degree_kwargs: Mapping[str, Any] = _NOTHING,
    recenter_all: bool = False,
    free_trace_offset: bool = False,
    nod_offset: float | None = None,
    initial_sigma: float = 7,
    fit_type: int = 1,
    initial_theta: Sequence[float] | None = None,
    fix_params: bool = False,
    input_fix_sigma: float | None = None,
    fit_params_kwargs: Mapping[str, Any] | None = None,
    flag_2d_kwargs: Mapping[str, Any] | None = None,
    diffs: bool = True,
    undo_pathloss: bool | int = True,
    undo_barshadow: bool | int = False,
    sky_arrays: Sequence[Any] | None = None,
    use_first_sky: bool = False,
    drizzle_kws: Mapping[str, Any] = DRIZZLE_KWS,
    get_xobj: bool = False,
    trace_with_xpos: bool = False,
    trace_with_ypos: bool | str = "auto",
    get_background: bool = False,
    make_2d_plots: bool = True,
    lookup_prf_type: str | None = "merged",
    lookup_prf_version: str = "001",
    include_full_pixtab: Sequence[str] = ("PRISM",),
    plot_kws: Mapping[str, Any] = _NOTHING,
    protect_exception: bool = True,
    *,
    output_dir: str | Path | None = None,
    executor: Submits | None = None,
    group_kws: Mapping[str, Any] = _NOTHING,
    compat: bool = False,
) -> ExtractedSpectra:
    """
    Combine all exposures of a source, a spectrum for each grating and filter.

    Parameters
    ----------
    target : str
        The source, as it ends the names of its files.
    root : str, optional
        How the names of products begin.
    path_to_files : str or path, optional
        The folder of the exposures ``*_phot.*{target}.fits``.
    files : sequence of str or path, optional
        The exposures themselves.
    do_gratings, join, split_uncover
        What to take, and how it is grouped, see `split_visit_groups`.
    exposure_groups : mapping, optional
        Exposures by group, instead of all this; they may also be arrays, see `SlitGroup`.
    stuck_threshold, pad_border, position_key, trace_from_yoffset, reference_exposure, nod_offset
        See `SlitGroup`.
    diffs, undo_pathloss, undo_barshadow, sky_arrays, trace_with_xpos
        See `SlitGroup`.
    trace_with_ypos : bool or str, optional
        See `SlitGroup`; ``'auto'`` unless it is of the background.
    valid_frac_threshold : float, optional
        The part of the pixels that must be valid if nods are subtracted.
    sort_by_sn : bool, optional
        Fit the group of the highest S/N; else that of the reddest filter.
    mask_cross_dispersion, cross_dispersion_mask_type
        Rows to mask, and how they are counted, see `mask_rows`.
    trace_niter, offset_degree : int, optional
        Iterations of the fit, and degree of the offset of the trace.
    degree_kwargs : mapping, optional
        Further parameters of `SlitGroup.fit_all_traces`.
    recenter_all : bool, optional
        Fit the trace of each group; else that of the first holds for all.
    free_trace_offset : bool, optional
        Fit each nod.
    initial_sigma : float, optional
        Width to begin with [0.1 pixel].
    fit_type : int, optional
        0 to fit the positive side of the difference only.
    initial_theta : sequence of float, optional
        Width [0.1 pixel] and trace to begin with.
    fix_params : bool, optional
        Do not fit, but take these.
    input_fix_sigma : float, optional
        The width [0.1 pixel], if it is not to be fitted.
    fit_params_kwargs : mapping, optional
        Of `SlitGroup.fit_params_by_sn`: where the S/N is low, nothing is fitted.
    flag_2d_kwargs : mapping, optional
        Of `SlitGroup.flag_2d_outliers`, after the fit, for more than two exposures.
    use_first_sky : bool, optional
        The sky of the first group holds for all.
    drizzle_kws, include_full_pixtab
        See `combine_grating_group`.
    get_xobj : bool, optional
        Of no consequence: the result always has the groups.
    get_background : bool, optional
        The slitlet is one of the background: its trace does not follow the source.
    make_2d_plots : bool, optional
        Draw the spectra and the differences of nods, if something is written.
    lookup_prf_type, lookup_prf_version : str, optional
        Tables of the PSF, see `set_lookup_prf`, those of the slit of each group; None for
        Gaussians.
    plot_kws : mapping, optional
        Of `plot_2d_differences`.
    protect_exception : bool, optional
        Go on with the other groups after an error, which is then in the summary; else raise it.
    output_dir : str or path, optional
        Where to write ``{root}_{grating}-{filter}_{target}.spec.fits``, pictures of it per
        frequency ``.fnu.png`` and per wavelength ``.flam.png``, of the differences of each group
        ``{root}_{group}_{target}.d2d.png``, and the summary ``{root}_{target}.extract.ecsv``. By
        default nothing is written. msaexp's further files say nothing else: the pixels are in the
        extension PIXTAB, the options in the headers, and the log is that of Python.
    executor : Executor, optional
        Where groups are made; anything with ``submit``.
    group_kws : mapping, optional
        Further parameters of `SlitGroup`.
    compat : bool, optional
        Work as msaexp.

    Returns
    -------
    ExtractedSpectra
        Spectra, groups, and the summary, which lists every group.

    Raises
    ------
    InputError
        If there is no exposure.
    ValueError
        If an option has no meaning.
    OutputError
        If a product cannot be written.
    """
    given = dict(locals())
    group_options = {
        name: given[name]
        for name in (
            *("stuck_threshold", "pad_border", "position_key", "trace_from_yoffset", "diffs"),
            *("reference_exposure", "nod_offset", "undo_pathloss", "undo_barshadow"),
            *("sky_arrays", "trace_with_xpos", "compat"),
        )
    }
    auto = trace_with_ypos == "auto"
    group_options["trace_with_ypos"] = not get_background if auto else bool(trace_with_ypos)
    tables: dict[str, Any] | None = None
    if lookup_prf_type is not None and "lookup_prf" not in group_kws:
        tables = {"version": lookup_prf_version, "lookup_prf_type": lookup_prf_type}
        set_lookup_prf(**tables)  # says now if there are none
    group_options |= group_kws
    plan = FitPlan(**{name: given[name] for name in FitPlan.__dataclass_fields__})
    if exposure_groups is None:
        found = _find(target, path_to_files, files)
        exposure_groups = split_visit_groups(
            found, join=join, gratings=do_gratings, split_uncover=split_uncover, compat=compat
        )
        if not exposure_groups:
            raise InputError(f"{target}: none of {len(found)} exposures is of {list(do_gratings)}")
    run = _Run(protect=protect_exception, diffs=diffs, least_valid=valid_frac_threshold)
    run.make(exposure_groups, target, group_options, tables, executor, use_first_sky)
    if mask_cross_dispersion is not None:
        run.each(lambda g: mask_rows(g, mask_cross_dispersion, cross_dispersion_mask_type))
    run.fit(plan, sort_by_sn)
    if flag_2d_kwargs is not None:
        run.each(partial(_flag_2d, options=dict(flag_2d_kwargs)))
    contents = run.combine(drizzle_kws, include_full_pixtab)
    spectra = {mode: spectrum_hdus(content) for mode, content in contents.items()}
    result = ExtractedSpectra(target, spectra, run.xobj(), run.summary())
    if output_dir is not None:
        plots = dict(plot_kws) if make_2d_plots else None
        _write(result, contents, Path(output_dir), root, plots)
    return result


def _find(
    target: str, folder: str | Path, files: Sequence[str | Path] | None
) -> Sequence[str | Path]:
    if files is None:
        files = sorted(Path(folder).glob(f"*_phot.*{target}.fits"))
    if not files:
        raise InputError(f"{target}: no exposure *_phot.*{target}.fits in {folder}")
    return files


def _make_group(
    item: tuple[str, Sequence[Any]],
    *,
    target: str,
    options: Mapping[str, Any],
    tables: Mapping[str, Any] | None,
) -> Any:
    """A group, or the error and its traceback; at the top of the module for processes."""
    name, members = item
    try:
        given = dict(options)
        if tables is not None and members:
            given["lookup_prf"] = set_lookup_prf(fixed_slit=slit_of(members[0]), **tables)
        return SlitGroup(list(members), f"{name} {target}", **given)
    except Exception as error:
        return error, traceback.format_exc()


def _flag_2d(group: Any, options: dict[str, Any]) -> None:
    if group.N > 2:
        group.flag_2d_outliers(tfit=group.fit, **options)


class _Run:
    """The groups of a source on their way, and what became of each."""

    def __init__(self, *, protect: bool, diffs: bool, least_valid: float) -> None:
        self.protect, self.diffs, self.least_valid = protect, diffs, least_valid
        self.groups: dict[str, Any] = {}
        self.rows: dict[str, _Row] = {}

    def make(
        self,
        exposures: Mapping[str, Sequence[Any]],
        target: str,
        options: Mapping[str, Any],
        tables: Mapping[str, Any] | None,
        executor: Submits | None,
        use_first_sky: bool,
    ) -> None:
        """Make all groups, and reject what cannot be combined."""
        work = partial(_make_group, target=target, options=options, tables=tables)
        made = run_in_order(
            work, exposures.items(), executor=executor, lost=lambda _, error: (error, str(error))
        )
        for (key, members), group in zip(exposures.items(), made, strict=True):
            names = [Path(f).name if isinstance(f, str | Path) else "arrays" for f in members]
            self.rows[key] = row = _Row(key, names, n_exposure=len(names))
            if isinstance(group, tuple):
                self._failed(key, *group)
                continue
            row.grating, row.filter = group.grating, group.filter
            row.n_valid = int(np.count_nonzero(group.mask))
            diffs = bool(group.meta.get("diffs", self.diffs))
            reason = reason_to_reject(group, diffs=diffs, valid_frac_threshold=self.least_valid)
            if reason is None:
                self.groups[key] = group
            else:
                row.status, row.reason = "rejected", reason
                log.warning("%s: rejected: %s", key, reason)
        if use_first_sky and self.groups:
            first, *others = self.groups.values()
            for group in others:
                group.sky_arrays = first.sky_arrays

    def _failed(self, key: str, error: Exception, trace: str) -> None:
        if not self.protect:
            raise error
        row = self.rows[key]
        row.status, row.reason, row.traceback = "failed", f"{type(error).__name__}: {error}", trace
        self.groups.pop(key, None)
        log.warning("%s: failed: %s", key, row.reason)

    def each(self, work: Any) -> None:
        """Do something with every group that is left."""
        for key, group in list(self.groups.items()):
            try:
                work(group)
            except Exception as error:
                self._failed(key, error, traceback.format_exc())

    def fit(self, plan: FitPlan, by_sn: bool) -> None:
        """Fit all; one that cannot be fitted is left out, and the next one is the first."""
        ordered = {key: self.groups[key] for key in order_groups(self.groups, by_sn=by_sn)}
        self.groups = dict(ordered)
        fit_groups(
            ordered, plan, lambda key, error: self._failed(key, error, traceback.format_exc())
        )

    def combine(
        self, drizzle_kws: Mapping[str, Any], include_full_pixtab: Sequence[str]
    ) -> dict[str, bytes]:
        """Combine the groups of each mode, to the files of the products."""
        modes: dict[str, list[str]] = {}
        for key, group in self.groups.items():
            modes.setdefault(f"{group.grating}-{group.filter}".lower(), []).append(key)
        spectra: dict[str, bytes] = {}
        xobj = self.xobj()
        for mode, keys in modes.items():
            try:
                spectra[mode] = combined_bytes(
                    xobj, keys, drizzle_kws=drizzle_kws, include_full_pixtab=include_full_pixtab
                )
            except Exception as error:
                trace = traceback.format_exc()
                for key in keys:
                    self._failed(key, error, trace)
        return spectra

    def xobj(self) -> dict[str, dict[str, Any]]:
        """Groups and fits by key."""
        return {key: {"obj": group, "fit": group.fit} for key, group in self.groups.items()}

    def summary(self) -> Table:
        """One row per group."""
        rows = list(self.rows.values())
        columns: dict[str, Any] = {name: [getattr(row, name) for row in rows] for name in _COLUMNS}
        columns["files"] = [" ".join(row.files) for row in rows]
        return Table(columns)


def _write(
    result: ExtractedSpectra,
    contents: Mapping[str, bytes],
    folder: Path,
    root: str,
    plots: dict[str, Any] | None,
) -> None:
    """Write products, figures and the summary."""

    def write(name: str, content: bytes) -> None:
        replace_atomically(folder / name, lambda there: there.write_bytes(content))
        result.files.append(folder / name)

    target = result.target.lower()
    for mode, content in contents.items():
        write(f"{root}_{mode}_{target}.spec.fits", content)
    if plots is not None:
        for name, picture in _pictures(result, root, plots):
            write(name, picture)
    result.files.append(save_table(result.summary, folder / f"{root}_{target}.extract.ecsv"))


def _pictures(
    result: ExtractedSpectra, root: str, plots: dict[str, Any]
) -> Iterator[tuple[str, bytes]]:
    """Names and contents of all pictures."""
    from webbweave.report.combined_spectrum import draw_combined_spectrum
    from webbweave.report.style import png_bytes
    from webbweave.slit_combine.plots import plot_2d_differences

    target = result.target.lower()
    for mode, hdus in result.spectra.items():
        spectrum = [np.asarray(hdus["SPEC1D"].data[name], float) for name in _DRAWN]
        image, weight = (np.asarray(hdus[name].data, float) for name in ("SCI", "WHT"))
        y = np.asarray(hdus["PROF1D"].data["pix"], float)
        title = f"{result.target}, {mode}, {hdus['SPEC1D'].header['EXPTIME']:.0f} s"
        for kind in ("fnu", "flam"):
            figure = draw_combined_spectrum(
                *spectrum, image=image, weight=weight, y=y, title=title, flam=kind == "flam"
            )
            yield f"{root}_{mode}_{target}.{kind}.png", png_bytes(figure)
    for key, entry in result.groups.items():
        figure = plot_2d_differences(entry["obj"], entry["fit"], **plots)
        yield f"{root}_{key}_{target}.d2d.png", png_bytes(figure)
