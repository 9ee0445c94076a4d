"""Linear transformations between matched points, with weights and sigma clipping."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from webbweave.tweakreg.linear import (
    MIN_POINTS,
    NotEnoughPointsError,
    SingularMatrixError,
    decompose,
    solution_covariance,
    solve,
)

__all__ = [
    "LinearFit",
    "NotEnoughPointsError",
    "SingularMatrixError",
    "iter_linear_fit",
]

_STATISTICS = ("rmse", "mae", "std", "mad")

#: Residuals within so many times the rounding of a coordinate are no reason to clip: each is the
#: result of about ten operations.
_ROUNDING = 64 * float(np.finfo(np.float64).eps)

#: Points closer to their mean than so much of a coordinate are there.
_SAME_PLACE = 4 * float(np.finfo(np.float64).eps)

#: A fit, with the names of tweakwcs. Angles in degrees; all else in the units of the points.
LinearFit = TypedDict(
    "LinearFit",
    {
        "shift": NDArray[np.float64],
        "matrix": NDArray[np.float64],
        "proper_rot": float,
        "rot": tuple[float, float],
        "<rot>": float,
        "scale": tuple[float, float],
        "<scale>": float,
        "skew": float,
        "proper": bool,
        "fitgeom": str,
        "resids": NDArray[np.float64],
        "rmse": float,
        "mae": float,
        "std": float,
        "mad": float,
        "center": NDArray[np.float64],
        "fitmask": NDArray[np.bool_],
        "eff_nclip": int,
        "converged": bool,
        "covariance": NDArray[np.float64],
    },
)


@dataclass(frozen=True)
class _Points:
    """Checked input; xy and uv are relative to the centre."""

    xy: NDArray[np.float64]
    uv: NDArray[np.float64]
    weight: NDArray[np.float64]
    weighted: bool
    valid: NDArray[np.bool_]
    center: NDArray[np.float64]


@dataclass(frozen=True)
class _Clipping:
    """When to clip, and how."""

    rounds: int
    factor: float
    statistic: str
    accumulate: bool
    as_peer: bool


@dataclass(frozen=True)
class _Solution:
    """One fit; residuals are those of all points."""

    matrix: NDArray[np.float64]
    shift: NDArray[np.float64]
    mask: NDArray[np.bool_]
    residuals: NDArray[np.float64]
    statistics: dict[str, float]


def iter_linear_fit(
    xy: ArrayLike,
    uv: ArrayLike,
    wxy: ArrayLike | None = None,
    wuv: ArrayLike | None = None,
    fitgeom: str = "general",
    center: ArrayLike | None = None,
    nclip: int | None = 3,
    sigma: float | tuple[float, str] = (3.0, "rmse"),
    clip_accum: bool = False,
    compat: bool = False,
) -> LinearFit:
    """
    Fit ``xy = F (uv - center) + shift + center``, leaving out outliers.

    Sum of ``w |residual|^2`` is minimised over the points that are not clipped. After each fit
    *every* point is compared with it, so a point that was clipped may come back by merit;
    rounds end when the set of points repeats.

    Parameters
    ----------
    xy, uv : array_like, shape (n, 2)
        Corresponding points, such as reference and image positions [arcsec].
    wxy, wuv : array_like, shape (n,), optional
        Weights of either, as inverse variances: with both, ``1 / w = 1 / wxy + 1 / wuv``.
        A point with weight 0 takes no part.
    fitgeom : {'shift', 'rshift', 'rscale', 'general'}, optional
        Whether F is 1, a rotation, a rotation with a scale, or any matrix. Where that fits
        better, the rotation includes a reflection.
    center : array_like, shape (2,), optional
        Centre of rotation; the plain mean of the ``uv`` that take part if not given.
    nclip : int, optional
        Most rounds of clipping; None or 0 for none.
    sigma : float or (float, str), optional
        Points are kept whose residual is below so many times the statistic named: 'rmse'
        (default), 'mae', 'std' or 'mad'.
    clip_accum : bool, optional
        Points that were clipped stay out.
    compat : bool, optional
        Clip as tweakwcs does: only the points of the last fit are tested, all others come back
        untested (unless ``clip_accum``), so that the result may depend on ``nclip`` being odd.

    Returns
    -------
    dict
        ``'shift'`` (2,) and ``'matrix'`` (2, 2); their meaning: ``'proper_rot'``, ``'rot'`` (x, y)
        and their mean ``'<rot>'`` [degree], ``'scale'`` (x, y) and ``'<scale>'``, the
        root of the change of areas, ``'skew'`` [degree], ``'proper'`` (no reflection);
        ``'fitgeom'``; ``'center'`` (2,); ``'fitmask'`` (n,), the points used; ``'resids'``
        (n used, 2), xy minus fit; their ``'rmse'``, ``'mae'``, ``'std'`` and ``'mad'`` (median /
        sqrt(ln 2), which is the rmse if they are normally distributed), weighted;
        ``'eff_nclip'``, rounds done.
        And what tweakwcs does not have: ``'converged'``, another round would change nothing;
        ``'covariance'`` (6, 6) of (F00, F01, F10, F11, shift x, shift y) from the scatter of the
        residuals, 0 for what the geometry holds fixed, NaN without degrees of freedom.

    Raises
    ------
    ValueError
        If an argument has no meaning: shapes, NaN, negative weights, unknown names.
    NotEnoughPointsError
        If fewer points than the geometry needs have a weight.
    SingularMatrixError
        If the points, collinear or at one place, do not determine the transformation.
    """
    if fitgeom not in MIN_POINTS:
        raise ValueError(f"fitgeom: expected one of {', '.join(MIN_POINTS)}, found {fitgeom!r}")
    points = _check_points(xy, uv, wxy, wuv, center)
    clipping = _check_clipping(nclip, sigma, clip_accum, compat)
    solution = _fit(points, points.valid, fitgeom)
    seen = {solution.mask.tobytes()}
    rounds = 0
    while rounds < clipping.rounds:
        mask = _clip(points, solution, clipping)
        repeats = mask.tobytes() in seen and not clipping.as_peer
        if repeats or not _is_new(mask, solution, fitgeom):
            break
        seen.add(mask.tobytes())
        solution = _fit(points, mask, fitgeom)
        rounds += 1
    again = _clip(points, solution, clipping)
    converged = clipping.rounds == 0 or not _is_new(again, solution, fitgeom)
    return _describe(points, solution, fitgeom, rounds, converged)


def _is_new(mask: NDArray[np.bool_], solution: _Solution, fitgeom: str) -> bool:
    """Whether another fit with these points is possible and of use."""
    return int(mask.sum()) >= MIN_POINTS[fitgeom] and not np.array_equal(mask, solution.mask)


def _coordinates(name: str, values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != 2:
        raise ValueError(f"{name} has shape {array.shape}, expected (n, 2)")
    bad = ~np.isfinite(array).all(axis=1)
    if bad.any():
        raise ValueError(
            f"{name} has {int(bad.sum())} of {len(array)} points that are not finite, "
            f"the first in row {int(bad.argmax())}"
        )
    return array


def _weights(name: str, values: ArrayLike | None, n: int) -> NDArray[np.float64] | None:
    if values is None:
        return None
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (n,):
        raise ValueError(f"{name} has shape {array.shape}, expected ({n},), one weight per point")
    if not (np.isfinite(array) & (array >= 0)).all():
        raise ValueError(f"{name} has weights that are negative or not finite, expected >= 0")
    return array


def _check_points(
    xy: ArrayLike,
    uv: ArrayLike,
    wxy: ArrayLike | None,
    wuv: ArrayLike | None,
    center: ArrayLike | None,
) -> _Points:
    first, second = _coordinates("xy", xy), _coordinates("uv", uv)
    n = len(first)
    if len(second) != n:
        raise ValueError(f"xy has {n} points and uv {len(second)}, expected as many")
    weight_1, weight_2 = _weights("wxy", wxy, n), _weights("wuv", wuv, n)
    if weight_1 is not None and weight_2 is not None:
        total = weight_1 + weight_2
        weight = weight_1 * (weight_2 / np.where(total > 0, total, 1.0))
    else:
        weight = next((w for w in (weight_1, weight_2) if w is not None), np.ones(n))
    valid = weight > 0
    if center is None:
        middle = second[valid].mean(axis=0) if valid.any() else np.zeros(2)
    else:
        middle = np.array(center, dtype=np.float64)
        if middle.shape != (2,) or not np.isfinite(middle).all():
            raise ValueError(f"center: expected two numbers, found {center!r}")
    centred = second - middle
    # What is left of points at one place is rounding.
    centred[np.abs(centred) <= _SAME_PLACE * np.abs(second).max(initial=0.0)] = 0.0
    return _Points(
        xy=first - middle,
        uv=centred,
        weight=weight / weight.max(initial=0.0) if valid.any() else weight,
        weighted=not (wxy is None and wuv is None),
        valid=valid,
        center=middle,
    )


def _check_clipping(
    nclip: int | None, sigma: float | tuple[float, str], clip_accum: bool, compat: bool
) -> _Clipping:
    factor, statistic = (sigma, "rmse") if isinstance(sigma, (int, float)) else sigma
    if statistic not in _STATISTICS:
        raise ValueError(
            f"sigma: expected one of the statistics {', '.join(_STATISTICS)}, found {statistic!r}"
        )
    rounds = 0 if nclip is None else nclip
    if rounds < 0:
        raise ValueError(f"nclip: expected None or a number of rounds >= 0, found {nclip!r}")
    if rounds > 0 and not factor > 0:
        raise ValueError(f"sigma: expected a number above 0, found {factor!r}")
    return _Clipping(int(rounds), float(factor), statistic, bool(clip_accum), bool(compat))


def _fit(points: _Points, mask: NDArray[np.bool_], fitgeom: str) -> _Solution:
    weight = points.weight[mask]
    matrix, shift = solve(points.xy[mask], points.uv[mask], weight, fitgeom)
    residuals = points.xy - points.uv @ matrix.T - shift
    statistics = _scatter(residuals[mask], weight, points.weighted)
    return _Solution(matrix, shift, mask, residuals, statistics)


def _scatter(
    residuals: NDArray[np.float64], weight: NDArray[np.float64], weighted: bool
) -> dict[str, float]:
    share = weight / weight.sum()
    distance = np.hypot(residuals[:, 0], residuals[:, 1])
    about_mean = residuals - share @ residuals
    variance = float(share @ (about_mean**2).sum(axis=1))
    # With weights, the unbiased variance of a sample whose weights are reliabilities.
    freedom = 1.0 - float(share @ share) if weighted else 1.0
    return {
        "rmse": math.sqrt(float(share @ distance**2)),
        "mae": float(share @ distance),
        "std": math.sqrt(variance / freedom) if freedom > 0 else 0.0,
        "mad": _weighted_median(distance, share) / math.sqrt(math.log(2.0)),
    }


def _weighted_median(values: NDArray[np.float64], share: NDArray[np.float64]) -> float:
    """Find the value with half of the weight on either side."""
    order = np.argsort(values, kind="stable")
    below = np.cumsum(share[order])
    low = min(int(np.searchsorted(below, 0.5 - _ROUNDING)), len(values) - 1)
    high = min(int(np.searchsorted(below, 0.5 + _ROUNDING)), len(values) - 1)
    return float(values[order[low]] + values[order[high]]) / 2.0


def _clip(points: _Points, solution: _Solution, clipping: _Clipping) -> NDArray[np.bool_]:
    """Choose the points for the next fit."""
    distance = np.hypot(solution.residuals[:, 0], solution.residuals[:, 1])
    limit = clipping.factor * solution.statistics[clipping.statistic]
    if clipping.as_peer:
        bad = solution.mask & (distance >= limit)
        # Without a new outlier the peer stops; else those of earlier rounds come back.
        start = solution.mask if clipping.accumulate or not bad.any() else points.valid
        return np.asarray(start & ~bad)
    extent = max(float(np.abs(points.xy).max()), float(np.abs(points.uv).max()))
    good = distance < max(limit, _ROUNDING * extent)
    return np.asarray((solution.mask if clipping.accumulate else points.valid) & good)


def _describe(
    points: _Points, solution: _Solution, fitgeom: str, rounds: int, converged: bool
) -> LinearFit:
    parts = decompose(solution.matrix)
    used = solution.mask
    return {
        "shift": solution.shift,
        "matrix": solution.matrix,
        "proper_rot": parts.proper_rot,
        "rot": parts.rot,
        "<rot>": 0.5 * (parts.rot[0] + parts.rot[1]),
        "scale": parts.scale,
        "<scale>": math.sqrt(abs(float(np.linalg.det(solution.matrix)))),
        "skew": parts.skew,
        "proper": parts.proper,
        "fitgeom": fitgeom,
        "resids": solution.residuals[used],
        "rmse": solution.statistics["rmse"],
        "mae": solution.statistics["mae"],
        "std": solution.statistics["std"],
        "mad": solution.statistics["mad"],
        "center": points.center,
        "fitmask": used.copy(),
        "eff_nclip": rounds,
        "converged": converged,
        "covariance": solution_covariance(
            points.uv[used],
            solution.residuals[used],
            points.weight[used],
            solution.matrix,
            fitgeom,
        ),
    }
