"""Least squares for the four geometries of a linear transformation, and what one means."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from webbweave.errors import WeaveError

__all__ = [
    "MIN_POINTS",
    "MOST_LEVERAGE",
    "LinearParts",
    "NotEnoughPointsError",
    "SingularMatrixError",
    "decompose",
    "leverage",
    "solution_covariance",
    "solve",
    "weakness",
]

#: The points that the parameters of each geometry need.
MIN_POINTS = {"shift": 1, "rshift": 2, "rscale": 2, "general": 3}

#: Points whose scatter across a line is below this part of the scatter along it are collinear:
#: the condition of the normal equations is the inverse of its square, and double precision has
#: 16 digits.
_COLLINEAR = 1e-7

#: An error at the distance of the farthest source above this multiple of the scatter: the sources
#: lie on a line. For sources all over an image, it is less than the scatter.
MOST_LEVERAGE = 3.0

#: A determinant smaller than this part of its terms has no sign: of two points, or points on a
#: line, the mirror image fits as well as the rotation, which is then taken.
_ROUNDING = 1e-10


class NotEnoughPointsError(WeaveError):
    """There are fewer points than the parameters of the transformation need."""


class SingularMatrixError(WeaveError):
    """The points, collinear or at one place, do not determine the transformation."""


@dataclass(frozen=True)
class LinearParts:
    """
    What a matrix means, in angles and scales.

    Attributes
    ----------
    proper_rot : float
        Rotation [degree] of the rotation (or reflection) nearest to the matrix.
    rot : (float, float)
        Rotation of the x and of the y axis [degree].
    scale : (float, float)
        Scale along the x and along the y axis.
    skew : float
        Rotation of the y axis against the x axis [degree], in [-180, 180).
    proper : bool
        Whether the determinant is not negative: no reflection.
    """

    proper_rot: float
    rot: tuple[float, float]
    scale: tuple[float, float]
    skew: float
    proper: bool


def _means(
    xy: NDArray[np.float64], uv: NDArray[np.float64], weight: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    share = weight / weight.sum()
    return share @ xy, share @ uv


def _rotation(
    xy: NDArray[np.float64],
    uv: NDArray[np.float64],
    weight: NDArray[np.float64],
    *,
    with_scale: bool,
) -> NDArray[np.float64]:
    """Fit a rotation, or a reflection if that is nearer, to centred points."""
    (s_xu, s_xv), (s_yu, s_yv) = (weight[:, None] * xy).T @ uv
    same, mirrored = s_xu * s_yv, s_xv * s_yu
    flip = -1.0 if same - mirrored < -_ROUNDING * (abs(same) + abs(mirrored)) else 1.0
    across = s_xv - flip * s_yu
    along = s_xu + flip * s_yv
    angle = 0.0 if across == along == 0.0 else math.atan2(across, along)
    cos, sin = math.cos(angle), math.sin(angle)
    square = float(weight @ (uv**2).sum(axis=1))
    if square == 0.0:
        raise SingularMatrixError("the points lie at one place: they do not determine a rotation")
    scale = (along * cos + across * sin) / square if with_scale else 1.0
    return scale * np.array([[cos, sin], [-flip * sin, flip * cos]])


def _general(
    xy: NDArray[np.float64], uv: NDArray[np.float64], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Fit any matrix to centred points."""
    moments = (weight[:, None] * uv).T @ uv
    small, large = np.linalg.eigvalsh(moments)
    if not small > large * _COLLINEAR**2:
        raise SingularMatrixError(
            "the points lie on a line: they do not determine the geometry 'general'"
        )
    cross = (weight[:, None] * xy).T @ uv
    return np.asarray(np.linalg.solve(moments, cross.T).T)


def solve(
    xy: NDArray[np.float64],
    uv: NDArray[np.float64],
    weight: NDArray[np.float64],
    fitgeom: str,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    Find the transformation ``xy = F uv + s`` with the smallest squared residuals.

    Parameters
    ----------
    xy, uv : ndarray of float64, shape (n, 2)
        Corresponding points; finite.
    weight : ndarray of float64, shape (n,)
        Weights, all above 0.
    fitgeom : {'shift', 'rshift', 'rscale', 'general'}
        Whether F is 1, a rotation or reflection, one with a scale, or any matrix.

    Returns
    -------
    matrix : ndarray of float64, shape (2, 2)
        F.
    shift : ndarray of float64, shape (2,)
        s.

    Raises
    ------
    NotEnoughPointsError
        If there are fewer points than `MIN_POINTS` says.
    SingularMatrixError
        If the points do not determine F.
    """
    if len(xy) < MIN_POINTS[fitgeom]:
        raise NotEnoughPointsError(
            f"found {len(xy)} points, expected at least {MIN_POINTS[fitgeom]} "
            f"for the geometry {fitgeom!r}"
        )
    mean_xy, mean_uv = _means(xy, uv, weight)
    centred = xy - mean_xy, uv - mean_uv
    if fitgeom == "shift":
        matrix = np.eye(2)
    elif fitgeom == "general":
        matrix = _general(*centred, weight)
    else:
        matrix = _rotation(*centred, weight, with_scale=fitgeom == "rscale")
    return matrix, mean_xy - matrix @ mean_uv


def _directions(matrix: NDArray[np.float64], fitgeom: str) -> NDArray[np.float64]:
    """Find how (F00, F01, F10, F11) changes with each free parameter, shape (4, n)."""
    if fitgeom == "shift":
        return np.empty((4, 0))
    if fitgeom == "general":
        return np.eye(4)
    turned = matrix @ np.array([[0.0, 1.0], [-1.0, 0.0]])
    free = [turned] if fitgeom == "rshift" else [turned, matrix]
    return np.stack([direction.ravel() for direction in free], axis=1)


def solution_covariance(
    uv: NDArray[np.float64],
    residuals: NDArray[np.float64],
    weight: NDArray[np.float64],
    matrix: NDArray[np.float64],
    fitgeom: str,
) -> NDArray[np.float64]:
    """
    Find the covariance of a solution from the scatter of its residuals.

    The errors of all points are taken as independent, the same in x and y, and in proportion to
    1 / sqrt(weight); their size follows from the residuals and the degrees of freedom. The usual
    formula of linear least squares, linearised for the rotation.

    Parameters
    ----------
    uv : ndarray of float64, shape (n, 2)
        The points that are transformed, relative to the centre of rotation.
    residuals : ndarray of float64, shape (n, 2)
        Of the fit.
    weight : ndarray of float64, shape (n,)
        Weights, all above 0.
    matrix : ndarray of float64, shape (2, 2)
        The solution.
    fitgeom : {'shift', 'rshift', 'rscale', 'general'}
        Its geometry.

    Returns
    -------
    ndarray of float64, shape (6, 6)
        Covariance of (F00, F01, F10, F11, sx, sy); 0 for what the geometry holds fixed, NaN if
        there are no more points than parameters need.
    """
    free = _directions(matrix, fitgeom)
    change = np.zeros((6, free.shape[1] + 2))
    change[:4, :-2] = free
    change[4:, -2:] = np.eye(2)
    freedom = 2 * len(uv) - change.shape[1]
    if freedom <= 0:
        moves = np.abs(change).sum(axis=1) > 0
        return np.where(np.logical_and.outer(moves, moves), np.nan, 0.0)
    # x follows from (u, v, 1) and (F00, F01, sx), y from the same and (F10, F11, sy).
    known = np.column_stack([uv, np.ones(len(uv))])
    moments = (weight[:, None] * known).T @ known
    full = np.zeros((6, 6))
    for parameters in ([0, 1, 4], [2, 3, 5]):
        full[np.ix_(parameters, parameters)] = moments
    normal = change.T @ full @ change
    variance = float(weight @ (residuals**2).sum(axis=1)) / freedom
    # Scaled to unit diagonal, since the parameters have different units.
    size = np.sqrt(np.diag(normal))
    inverse = np.linalg.pinv(normal / np.outer(size, size), hermitian=True)
    return np.asarray(variance * change @ (inverse / np.outer(size, size)) @ change.T)


def leverage(points: NDArray[np.float64], variance: float, scatter: float) -> float:
    """
    Compare the error that a matrix makes at the farthest point with the scatter of the points.

    Parameters
    ----------
    points : ndarray of float64, shape (n, 2)
        The points that were fitted, relative to the centre of rotation.
    variance : float
        Sum of the variances of the four entries of the matrix.
    scatter : float
        Root mean square of the residuals.

    Returns
    -------
    float
        The ratio; 0 without a scatter, NaN if the variance is not known.
    """
    farthest = float(np.hypot(points[:, 0], points[:, 1]).max(initial=0.0))
    return farthest * math.sqrt(max(variance, 0.0)) / scatter if scatter > 0 else 0.0


def weakness(fitgeom: str, ratio: float, scatter: float) -> str:
    """
    Say that points do not determine a matrix, though the equations have a solution.

    Parameters
    ----------
    fitgeom : str
        The geometry.
    ratio : float
        As `leverage` found it.
    scatter : float
        Root mean square of the residuals [arcsec].

    Returns
    -------
    str
        The reason; empty if all is well.
    """
    if not ratio > MOST_LEVERAGE:
        return ""
    return (
        f"the sources do not determine the geometry {fitgeom!r}: standard error "
        f"{ratio * scatter:.3g} arcsec at the border, scatter {scatter:.3g}"
    )


def decompose(matrix: NDArray[np.float64]) -> LinearParts:
    """
    Find the angles and scales of a matrix.

    Parameters
    ----------
    matrix : ndarray of float64, shape (2, 2)
        The matrix.

    Returns
    -------
    LinearParts
        What it means.
    """
    (f00, f01), (f10, f11) = ((float(value) for value in row) for row in matrix)
    scale = math.hypot(f00, f10), math.hypot(f01, f11)
    sign = -1.0 if f00 * f11 - f01 * f10 < 0 else 1.0
    # The nearest rotation is that of the axes of unit length, sign by sign.
    unit_x, unit_y = (length if length > 0 else 1.0 for length in scale)
    proper_rot = math.atan2(f01 / unit_y - sign * f10 / unit_x, f00 / unit_x + sign * f11 / unit_y)
    rot_x = math.degrees(math.atan2(-f10, f00))
    rot_y = math.degrees(math.atan2(f01, f11))
    return LinearParts(
        proper_rot=math.degrees(proper_rot),
        rot=(rot_x, rot_y),
        scale=scale,
        skew=(rot_y - rot_x + 180.0) % 360.0 - 180.0,
        proper=sign > 0,
    )
