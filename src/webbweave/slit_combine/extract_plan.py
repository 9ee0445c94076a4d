"""What `extract_spectra` does with groups that have been made: reject, mask, order, fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from webbweave.slit_combine.group import SlitGroupLike
from webbweave.slit_combine.mask_bits import MaskBit

__all__ = ["FitPlan", "fit_groups", "mask_rows", "order_groups", "reason_to_reject"]

#: Fewer valid pixels than this make no spectrum; the number of msaexp.
_FEWEST_PIXELS = 256
#: Percentile of the S/N of columns that stands for a group, and the weight of the prism, which
#: collects all wavelengths in few pixels.
_SN_PERCENTILE, _PRISM_WEIGHT = 80, 2.0
#: Tolerance of the fits.
_TOLERANCE = 1e-8
#: How rows may be chosen: by the trace of each exposure, by the slit, or by the trace but only in
#: what is subtracted.
MASK_TYPES = ("trace", "fixed", "bkg")


@dataclass(frozen=True)
class FitPlan:
    """
    How the groups of a source are fitted; the parameters of `extract_spectra` of these names.

    Attributes
    ----------
    trace_niter, offset_degree, initial_sigma, fit_type, recenter_all, free_trace_offset
        See `extract_spectra`.
    initial_theta, fix_params, input_fix_sigma, fit_params_kwargs, degree_kwargs
        See `extract_spectra`.
    """

    trace_niter: int = 4
    offset_degree: int = 0
    initial_sigma: float = 7
    fit_type: int = 1
    recenter_all: bool = False
    free_trace_offset: bool = False
    initial_theta: Sequence[float] | None = None
    fix_params: bool = False
    input_fix_sigma: float | None = None
    fit_params_kwargs: Mapping[str, Any] | None = None
    degree_kwargs: Mapping[str, Any] = field(default_factory=dict)


def reason_to_reject(
    group: SlitGroupLike, *, diffs: bool, valid_frac_threshold: float
) -> str | None:
    """
    Tell why no spectrum can be made of a group.

    Parameters
    ----------
    group : SlitGroup
        The group.
    diffs : bool
        Whether nods are to be subtracted.
    valid_frac_threshold : float
        The part of the pixels that must be valid then.

    Returns
    -------
    str or None
        The reason; None if one can be made.
    """
    valid = int(np.count_nonzero(group.mask))
    if valid < _FEWEST_PIXELS:
        return f"{valid} valid pixels, needs {_FEWEST_PIXELS}"
    if not diffs:
        return None
    if group.N == 1:
        return "one exposure, nothing to subtract"
    bad = group.meta.get("bad_shutter_names") or []
    states = _column(group, "shutter_state")
    shutters = max((len(str(state)) for state in states), default=0)
    if shutters and len(bad) >= shutters:
        return f"all {shutters} shutters are bad"
    if len(list(group.unp)) < 2:
        return f"all {group.N} exposures are at one nod, nothing to subtract"
    part = valid / group.mask.size
    if part < valid_frac_threshold:
        return f"{part:.3f} of the pixels are valid, needs {valid_frac_threshold}"
    return None


def _column(group: SlitGroupLike, name: str) -> list[Any]:
    names = getattr(group.info, "colnames", group.info)
    return list(group.info[name]) if name in names else []


def mask_rows(group: SlitGroupLike, limits: Sequence[float], kind: str) -> None:
    """
    Mask pixels along the slit, such as those of a neighbour.

    Parameters
    ----------
    group : SlitGroup
        Changed in place.
    limits : sequence of two floats
        From here to there, without the ends [pixel].
    kind : str
        ``'trace'``: of the distance from the trace of each exposure; ``'fixed'``: of that in the
        first one, so that the same rows are masked in all; ``'bkg'``: as the first, but only in
        what is subtracted.

    Raises
    ------
    ValueError
        If there is no such kind, or the limits do not increase.
    """
    if kind not in MASK_TYPES:
        raise ValueError(
            f"cross_dispersion_mask_type: expected one of {', '.join(MASK_TYPES)}, found {kind!r}"
        )
    low, high = (float(value) for value in limits)
    if not low < high:
        raise ValueError(
            f"mask_cross_dispersion: expected two numbers that increase, found {list(limits)}"
        )
    place = group.yshutter if kind == "fixed" else group.yslit
    chosen = (place > low) & (place < high)
    if kind == "bkg":
        group.bkg_mask = group.bkg_mask & ~chosen
    else:
        group.mask_out(chosen, MaskBit.CROSS_DISPERSION)


def order_groups(groups: Mapping[str, SlitGroupLike], *, by_sn: bool) -> list[str]:
    """
    Order groups: the first one is fitted, the others take its width.

    Parameters
    ----------
    groups : mapping
        Groups by key.
    by_sn : bool
        By the S/N, that of the prism counts twice; else by the name of the filter and the length of
        the cut-out.

    Returns
    -------
    list of str
        The keys.
    """
    if by_sn:
        scores: dict[str, Any] = {key: _sn(group) for key, group in groups.items()}
    else:
        scores = {key: f"{g.filter}-{g.sh[1]:05d}" for key, g in groups.items()}
    return sorted(groups, key=lambda key: scores[key], reverse=True)


def _sn(group: SlitGroupLike) -> float:
    try:
        ratios = np.asarray(group.get_trace_sn()["sn"])
    except ValueError:  # no valid pixel in the difference
        return -np.inf
    ratios = ratios[np.isfinite(ratios)]
    score = float(np.percentile(ratios, _SN_PERCENTILE)) if ratios.size else -np.inf
    return score * (_PRISM_WEIGHT if group.grating == "PRISM" else 1.0)


def fit_groups(
    groups: Mapping[str, SlitGroupLike],
    plan: FitPlan,
    failed: Callable[[str, Exception], None] | None = None,
) -> dict[str, str]:
    """
    Fit the first group, and evaluate the others at its width and trace.

    Parameters
    ----------
    groups : mapping
        Groups by key, in order; their fits are set.
    plan : FitPlan
        How.
    failed : callable, optional
        Told the key and the error of a group that cannot be fitted, while the next one goes on; by
        default errors are raised.

    Returns
    -------
    dict of str to str
        How each was fitted: ``'fitted'``, or ``'evaluated'``.
    """
    theta: Any = None
    how: dict[str, str] = {}
    for key, group in groups.items():
        try:
            options, evaluated = _fit_options(group, plan, theta)
            reference = None if plan.free_trace_offset else group.calc_reference_exposure
            group.fit_all_traces(niter=plan.trace_niter, ref_exp=reference, **options)
        except Exception as error:
            if failed is None:
                raise
            failed(key, error)
            continue
        how[key] = "evaluated" if evaluated else "fitted"
        if theta is None:
            theta = _start_of_others(group)
    return how


def _fit_options(group: SlitGroupLike, plan: FitPlan, theta: Any) -> tuple[dict[str, Any], bool]:
    options: dict[str, Any] = {
        "degree": plan.offset_degree,
        "initial_sigma": plan.initial_sigma,
        "with_bounds": False,
        "force_positive": plan.fit_type == 0,
        "tol": _TOLERANCE,
        "verbose": False,
    }
    width = plan.input_fix_sigma
    evaluate = plan.fix_params
    if plan.fit_params_kwargs is not None:
        _, _, faint, degree = group.fit_params_by_sn(**plan.fit_params_kwargs)
        options["degree"] = degree
        evaluate = evaluate or faint
    options |= dict(plan.degree_kwargs)
    start = plan.initial_theta
    if theta is not None and not plan.recenter_all:
        width, start, evaluate = theta[0], theta[1:], True
    elif theta is not None and width is None:
        width = theta[0]
    if evaluate and start is None:
        start = [0.0] if width is not None else [plan.initial_sigma, 0.0]
    if start is not None:
        options["x0"] = list(start)
    if width is not None:
        options["fix_sigma"] = float(width)
    options["evaluate"] = evaluate
    return options, evaluate


def _start_of_others(group: SlitGroupLike) -> list[float]:
    """Width in tenths of pixels, and trace, of the reference."""
    fit = group.fit
    reference = group.calc_reference_exposure
    of_nod = fit[reference] if reference in fit else next(iter(fit.values()))
    return [10.0 * float(of_nod["sigma"]), *np.atleast_1d(of_nod["trace_coeffs"]).tolist()]
