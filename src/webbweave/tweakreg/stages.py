"""One match and one fit of a group to a reference list, and whether the outcome can be trusted."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from webbweave.tweakreg.fitting import LinearFit, iter_linear_fit
from webbweave.tweakreg.linear import (
    MIN_POINTS,
    NotEnoughPointsError,
    SingularMatrixError,
    leverage,
    weakness,
)
from webbweave.tweakreg.matching import Match, SourceConfusionError, XYXYMatch
from webbweave.tweakreg.offsets import FALSE_ALARM, log_chance
from webbweave.tweakreg.v2v3_plane import LinearCorrection

__all__ = ["Fitted", "MatchOptions", "StageFit", "fit_lists"]

#: Pointing errors of JWST rotate by arcminutes; of three chance pairs, rotations by 37 degrees were
#: seen (jwst issue 6112).
MOST_ROTATION = 2.0
#: The plate scale is known to 1e-4; a larger change than this is a fit to chance pairs.
MOST_SCALE = 0.01
#: A search without a histogram peak goes on to this multiple of the radius.
WIDEST = 4.0

GEOMETRIES = tuple(MIN_POINTS)


@dataclass(frozen=True, kw_only=True)
class MatchOptions:
    """
    How a stage matches and fits; names and defaults are those of the step for the relative stage.

    Attributes
    ----------
    minobj : int
        Number of matches that are needed.
    searchrad : float
        Largest offset that is searched for [arcsec].
    max_searchrad : float or None
        Radius [arcsec] up to which the search goes on if nothing is found; 4 `searchrad` for None.
    use2dhist : bool
        Whether the offset is found with a histogram.
    xoffset, yoffset : float
        Expected offset [arcsec].
    separation, tolerance : float
        As in `~webbweave.tweakreg.XYXYMatch` [arcsec].
    fitgeometry : str
        ``shift``, ``rshift``, ``rscale`` or ``general``.
    nclip : int
        Most rounds of clipping.
    sigma : float
        Limit of clipping; 0 for none.
    compat : bool
        Match and fit as tweakwcs does.

    Raises
    ------
    ValueError
        If a value has no meaning; names the parameter.
    """

    minobj: int = 15
    searchrad: float = 2.0
    max_searchrad: float | None = None
    use2dhist: bool = True
    xoffset: float = 0.0
    yoffset: float = 0.0
    separation: float = 1.0
    tolerance: float = 0.7
    fitgeometry: str = "rshift"
    nclip: int = 3
    sigma: float = 3.0
    compat: bool = False

    def __post_init__(self) -> None:
        if self.fitgeometry not in GEOMETRIES:
            raise ValueError(
                f"fitgeometry: expected one of {', '.join(GEOMETRIES)}, found {self.fitgeometry!r}"
            )
        for name in ("minobj", "nclip", "sigma"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name}: must not be negative, found {getattr(self, name)}")
        self.matcher()

    def matcher(self) -> XYXYMatch:
        """Make the matcher."""
        widest = WIDEST * self.searchrad if self.max_searchrad is None else self.max_searchrad
        return XYXYMatch(
            self.searchrad,
            self.separation,
            self.use2dhist,
            self.xoffset,
            self.yoffset,
            self.tolerance,
            self.compat,
            max_searchrad=self.searchrad if self.compat else widest,
        )

    @property
    def confuses(self) -> bool:
        """Whether jwst 3.0 would refuse: sources closer than the tolerance allows."""
        return not self.separation > math.sqrt(2.0) * self.tolerance


@dataclass(frozen=True, eq=False)
class StageFit:
    """
    The outcome of one stage for one group.

    Attributes
    ----------
    status : str
        'REFERENCE', 'SUCCESS', 'FAILED: ' and the reason, or 'SKIPPED: ' and the reason.
    geometry : str
        The geometry asked for.
    n_matched, n_used : int
        Matched sources before and after clipping.
    rms_before, rms : float
        Distance of the used sources from the reference, root mean square, without and with the
        correction [arcsec]; NaN without success.
    false_alarm : float
        Chance of a histogram peak as high; NaN without a histogram.
    offset : (float, float)
        Peak of the histogram [arcsec], in the plane of the fit.
    sigma : (float, float, float)
        Standard errors of the shift along two axes [arcsec] and of the rotation [degree]; NaN
        where they are not known, 0 for what is held fixed.
    """

    status: str
    geometry: str = ""
    n_matched: int = 0
    n_used: int = 0
    rms_before: float = math.nan
    rms: float = math.nan
    false_alarm: float = math.nan
    offset: tuple[float, float] = (math.nan, math.nan)
    sigma: tuple[float, float, float] = (math.nan, math.nan, math.nan)

    @property
    def success(self) -> bool:
        """Whether there is a correction."""
        return self.status == "SUCCESS"


@dataclass(frozen=True, eq=False)
class Fitted:
    """
    A match and its fit.

    Attributes
    ----------
    outcome : StageFit
        The numbers.
    correction : LinearCorrection or None
        From image to reference; None without success.
    ref_index, img_index : ndarray of int, shape (n,)
        The matched pairs.
    used : ndarray of bool, shape (n,)
        Those that were not clipped.
    tolerance : float
        Largest distance of a pair [arcsec].
    """

    outcome: StageFit
    correction: LinearCorrection | None
    ref_index: NDArray[np.intp]
    img_index: NDArray[np.intp]
    used: NDArray[np.bool_]
    tolerance: float


def fit_lists(
    ref: NDArray[np.float64],
    img: NDArray[np.float64],
    pscale: float,
    options: MatchOptions,
    *,
    ref_weight: NDArray[np.float64] | None = None,
    img_weight: NDArray[np.float64] | None = None,
) -> Fitted:
    """
    Match two lists of positions and fit one to the other.

    Parameters
    ----------
    ref, img : ndarray of float64, shape (n, 2)
        Positions in one plane [arcsec].
    pscale : float
        Size of a pixel [arcsec].
    options : MatchOptions
        How.
    ref_weight, img_weight : ndarray of float64, shape (n,), optional
        Weights of the positions.

    Returns
    -------
    Fitted
        The outcome; a failure says why.
    """
    try:
        match = options.matcher().match(ref, img, pscale)
    except SourceConfusionError as error:
        return _failed(str(error), options, None)
    n = len(match.ref_index)
    if match.reason and not options.compat:
        return _failed(match.reason, options, match)
    if n < options.minobj:
        return _failed(f"not enough matches: {n}, expected {options.minobj}", options, match)
    if not options.compat and _false_match(match, img) >= FALSE_ALARM:
        return _failed(
            f"no more matches than by chance: {n}, {match.expected_chance:.3g} by chance",
            options,
            match,
        )
    try:
        fit = iter_linear_fit(
            ref[match.ref_index],
            img[match.img_index],
            wxy=None if ref_weight is None else ref_weight[match.ref_index],
            wuv=None if img_weight is None else img_weight[match.img_index],
            fitgeom=options.fitgeometry,
            nclip=options.nclip if options.sigma > 0 else 0,
            sigma=(options.sigma or 1.0, "rmse"),
            compat=options.compat,
        )
    except (NotEnoughPointsError, SingularMatrixError) as error:
        return _failed(str(error), options, match)
    if not options.compat and (reason := _unlikely(fit, img[match.img_index], options)):
        return _failed(reason, options, match)
    return _succeeded(ref, img, match, fit, options)


def _false_match(match: Match, img: NDArray[np.float64]) -> float:
    """
    Bound the chance of so many pairs of unrelated sources, wherever they might have been found.

    It is that of one place, times the number of transformations that do not have most of their
    pairs in common: shifts within the search radius, and likely rotations and scales.
    """
    reach = match.tolerance
    points = img[np.isfinite(img).all(axis=1)]
    farthest = float(np.hypot(*(points - points.mean(axis=0)).T).max())
    shifts = (2.0 * match.searched) ** 2 / (math.pi * reach**2)
    turns = math.radians(MOST_ROTATION) * farthest / reach
    scales = MOST_SCALE * farthest / reach
    tries = max(shifts, 1.0) * max(turns, 1.0) * max(scales, 1.0)
    chance = log_chance(len(match.ref_index), match.expected_chance)
    return math.exp(min(0.0, chance + math.log(tries)))


def _unlikely(fit: LinearFit, img: NDArray[np.float64], options: MatchOptions) -> str:
    """Say what is wrong with a fit, if something is."""
    used = int(np.count_nonzero(fit["fitmask"]))
    if used < options.minobj:
        return f"not enough matches after clipping: {used}, expected {options.minobj}"
    if not fit["proper"] or abs(fit["proper_rot"]) > MOST_ROTATION:
        return f"rotation by {fit['proper_rot']:.3g} degrees, at most {MOST_ROTATION:g} are likely"
    if max(abs(scale - 1.0) for scale in fit["scale"]) > MOST_SCALE:
        return f"scales {fit['scale'][0]:.4f}, {fit['scale'][1]:.4f}: 1 within 1 % is likely"
    variance = float(np.trace(fit["covariance"][:4, :4]))
    ratio = leverage(img - fit["center"], variance, fit["rmse"])
    return weakness(options.fitgeometry, ratio, fit["rmse"])


def _false_alarm(match: Match | None) -> float:
    return math.nan if match is None or match.peak is None else match.peak.false_alarm


def _failed(reason: str, options: MatchOptions, match: Match | None) -> Fitted:
    none = np.zeros(0, dtype=np.intp)
    outcome = StageFit(
        f"FAILED: {reason}",
        options.fitgeometry,
        0 if match is None else len(match.ref_index),
        offset=(math.nan, math.nan) if match is None else match.offset,
        false_alarm=_false_alarm(match),
    )
    return Fitted(outcome, None, none, none, np.zeros(0, dtype=bool), options.tolerance)


def _succeeded(
    ref: NDArray[np.float64],
    img: NDArray[np.float64],
    match: Match,
    fit: LinearFit,
    options: MatchOptions,
) -> Fitted:
    matrix, centre = fit["matrix"], fit["center"]
    used = fit["fitmask"]
    before = (ref[match.ref_index] - img[match.img_index])[used]
    covariance = fit["covariance"]
    variance = np.array([covariance[4, 4], covariance[5, 5], covariance[1, 1]])
    errors = np.sqrt(np.maximum(variance, 0.0))
    outcome = StageFit(
        "SUCCESS",
        options.fitgeometry,
        len(match.ref_index),
        int(np.count_nonzero(used)),
        float(np.sqrt(np.mean(np.sum(before**2, axis=1)))),
        fit["rmse"],
        offset=match.offset,
        sigma=(float(errors[0]), float(errors[1]), math.degrees(errors[2])),
        false_alarm=_false_alarm(match),
    )
    correction = LinearCorrection(matrix, fit["shift"] + centre - matrix @ centre)
    return Fitted(outcome, correction, match.ref_index, match.img_index, used, match.tolerance)
