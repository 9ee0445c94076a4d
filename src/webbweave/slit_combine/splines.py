"""Uniform cubic B-splines: their values, their design matrices, and least squares on these."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from webbweave._kernels.spline_design import (
    spline_clip,
    spline_least_squares,
    spline_normal,
    spline_rows,
    spline_sums,
)

__all__ = ["SplineDesign", "SplineFit", "design", "fit_design", "spline_values"]

#: Functions of a basis that are not 0 at a place: one more than the degree, which is cubic.
ORDER = 4

#: msaexp takes a function as 0 where it is below this part of its largest value in the sample.
_CLIP_FLOOR = 1e-4

#: A pivot below this part of its diagonal is rounding: the normal equations lose the square of
#: what the samples leave undetermined, and double precision has 16 digits.
_PIVOT_TOLERANCE = 1e-12


@dataclass(frozen=True, eq=False)
class SplineDesign:
    """
    A design matrix of B-splines, of which only what is not 0 is kept.

    Parameters
    ----------
    first : ndarray of int32, shape (n,)
        The first function that is not 0 at a place.
    values : ndarray of float64, shape (n, 4)
        The values of this function and the next three.
    n_function : int
        Number of functions, the columns of the matrix.
    """

    first: NDArray[np.int32]
    values: NDArray[np.float64]
    n_function: int

    def dense(self) -> NDArray[np.float64]:
        """
        Give the whole matrix.

        Returns
        -------
        ndarray of float64, shape (n, n_function)
            The functions, one per column.
        """
        matrix = np.zeros((len(self.first), self.n_function))
        columns = self.first[:, None] + np.arange(ORDER)
        np.put_along_axis(matrix, columns, self.values, axis=1)
        return matrix

    def evaluate(self, coefficients: ArrayLike) -> NDArray[np.float64]:
        """
        Multiply the matrix with coefficients.

        Parameters
        ----------
        coefficients : array_like of float, shape (n_function,)
            One per function.

        Returns
        -------
        ndarray of float64, shape (n,)
            The spline.

        Raises
        ------
        ValueError
            If the number of coefficients is not that of the functions.
        """
        given = np.asarray(coefficients, np.float64)
        if given.shape != (self.n_function,):
            raise ValueError(f"expected {self.n_function} coefficients, found shape {given.shape}")
        near = given[self.first[:, None] + np.arange(ORDER)]
        return np.asarray(np.einsum("ij,ij->i", self.values, near))

    def scaled(self, factor: ArrayLike) -> SplineDesign:
        """
        Multiply each row with a factor.

        Parameters
        ----------
        factor : array_like of float, shape (n,)
            One per row, or one for all.

        Returns
        -------
        SplineDesign
            Another design.
        """
        rows = np.broadcast_to(np.asarray(factor, np.float64), self.first.shape)
        return replace(self, values=self.values * rows[:, None])

    def select(self, rows: ArrayLike) -> SplineDesign:
        """
        Take some of the rows.

        Parameters
        ----------
        rows : array_like of bool or int
            Which ones: an index of an array.

        Returns
        -------
        SplineDesign
            Another design.
        """
        index = np.asarray(rows)
        return replace(self, first=self.first[index], values=self.values[index])

    def normal_equations(
        self, y: ArrayLike, weight: ArrayLike
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """
        Sum the products of the functions over the rows.

        Parameters
        ----------
        y, weight : array_like of float, shape (n,)
            Samples and their weights.

        Returns
        -------
        matrix : ndarray of float64, shape (n_function, n_function)
            The sums of weight times two functions.
        right : ndarray of float64, shape (n_function,)
            The sums of weight times sample times a function.

        Raises
        ------
        ValueError
            If there is not one sample and weight per row.
        """
        samples, weights = self._per_row(y), self._per_row(weight)
        n = self.n_function
        band, right = np.zeros((n, ORDER)), np.zeros(n)
        if len(self.first):
            first, values = np.ascontiguousarray(self.first), np.ascontiguousarray(self.values)
            spline_normal(first, values, samples, weights, band, right)
        matrix = np.diag(band[:, 0])
        for k in range(1, ORDER):
            index = np.arange(n - k)
            matrix[index, index + k] = matrix[index + k, index] = band[: n - k, k]
        return matrix, right

    def _per_row(self, given: ArrayLike) -> NDArray[np.float64]:
        array = np.ascontiguousarray(given, np.float64)
        if array.shape != self.first.shape:
            raise ValueError(
                f"expected one number for each of {len(self.first)} rows, found shape {array.shape}"
            )
        return array


@dataclass(frozen=True, eq=False)
class SplineFit:
    """
    The outcome of least squares.

    Parameters
    ----------
    coefficients : ndarray of float64, shape (n_function,)
        0 for functions that are left out.
    covariance : ndarray of float64, shape (n_function, n_function)
        The inverse of the normal matrix; 0 for functions that are left out.
    kept : ndarray of bool, shape (n_function,)
        The functions that were fitted.
    """

    coefficients: NDArray[np.float64]
    covariance: NDArray[np.float64]
    kept: NDArray[np.bool_]


def design(
    x: ArrayLike, n_function: int, low: float, high: float, *, clip: bool = False
) -> SplineDesign:
    """
    Evaluate the functions of a uniform cubic B-spline basis.

    Their knots are `low` and `high` four times each, and between them `n_function` - 4 that are
    equally spaced. The functions are 0 outside ``[low, high]``, and NaN where `x` is.

    Parameters
    ----------
    x : array_like of float
        Where; any shape, the rows are those of the flat array.
    n_function : int
        Number of functions, at least 4.
    low, high : float
        The ends of the basis.
    clip : bool, optional
        As msaexp: a function is 0 where it is below 1e-4 of its largest value among these rows,
        unless one of `x` is NaN.

    Returns
    -------
    SplineDesign
        The rows.

    Raises
    ------
    ValueError
        If there are less than 4 functions, or `low` is not below `high`.
    """
    places = np.ascontiguousarray(x, np.float64).reshape(-1)
    _check_basis(n_function, low, high)
    first = np.zeros(len(places), np.int32)
    values = np.zeros((len(places), ORDER))
    if len(places):
        spline_rows(places, first, values, n_function=n_function, low=low, high=high)
        if clip and not np.isnan(values[:, 0]).any():
            spline_clip(first, values, n_function=n_function, floor=_CLIP_FLOOR)
    return SplineDesign(first, values, int(n_function))


def spline_values(
    x: ArrayLike, coefficients: ArrayLike, low: float, high: float, *, clip: bool = False
) -> NDArray[np.float64]:
    """
    Evaluate splines on a uniform cubic B-spline basis, as that of `design`.

    Parameters
    ----------
    x : array_like of float
        Where; any shape.
    coefficients : array_like of float, shape (n_function,) or (n_function, n_set)
        Of one spline, or of several.
    low, high : float
        The ends of the basis. The splines are 0 outside, and NaN where `x` is.
    clip : bool, optional
        As in `design`.

    Returns
    -------
    ndarray of float64
        The splines, with the shape of `x`, and ``n_set`` as the last axis if there are several.

    Raises
    ------
    ValueError
        If there are less than 4 coefficients, or `low` is not below `high`.
    """
    places = np.ascontiguousarray(x, np.float64)
    given = np.ascontiguousarray(coefficients, np.float64)
    if given.ndim not in (1, 2) or (given.ndim == 2 and given.shape[1] == 0):
        raise ValueError(f"expected one or two axes of coefficients, found shape {given.shape}")
    _check_basis(len(given), low, high)
    sets = given.reshape(len(given), -1)
    out = np.zeros((places.size, sets.shape[1]))
    if clip:
        rows = design(places, len(given), low, high, clip=True)
        for k in range(sets.shape[1]):
            out[:, k] = rows.evaluate(sets[:, k])
    elif places.size:
        spline_sums(places.reshape(-1), sets, out, low=low, high=high)
    return out.reshape(places.shape + given.shape[1:])


def fit_design(
    rows: SplineDesign,
    y: ArrayLike,
    weight: ArrayLike,
    *,
    keep: ArrayLike | None = None,
) -> SplineFit:
    """
    Find the coefficients that come nearest to samples, by weighted least squares.

    Parameters
    ----------
    rows : SplineDesign
        The functions at the samples.
    y : array_like of float, shape (n,)
        The samples.
    weight : array_like of float, shape (n,)
        Their weights: the inverse of their variances makes the covariance what it says.
    keep : array_like of bool, shape (n_function,), optional
        The functions that may be used. Those that the samples do not determine are left out anyway.

    Returns
    -------
    SplineFit
        The coefficients and their covariance.

    Raises
    ------
    ValueError
        If the arrays do not fit together, or hold what is not finite or negative weights.
    """
    samples, weights = rows._per_row(y), rows._per_row(weight)
    n_row, n_function = len(rows.first), rows.n_function
    # A sum tells what is not finite without an array of answers.
    if not np.isfinite(samples.sum() + weights.sum() + rows.values.sum()) or np.any(weights < 0):
        raise ValueError("samples, weights and rows must be finite, and weights not negative")
    chosen = np.ones(n_function, np.uint8)
    if keep is not None:
        allowed = np.asarray(keep)
        if allowed.shape != (n_function,) or allowed.dtype != np.bool_:
            raise ValueError(f"expected {n_function} bool in keep, found shape {allowed.shape}")
        chosen[:] = allowed
    coefficients, covariance = np.zeros(n_function), np.zeros((n_function, n_function))
    if n_row == 0:
        return SplineFit(coefficients, covariance, np.zeros(n_function, np.bool_))
    spline_least_squares(
        np.ascontiguousarray(rows.first),
        np.ascontiguousarray(rows.values),
        samples,
        weights,
        chosen,
        coefficients,
        covariance,
        tolerance=_PIVOT_TOLERANCE,
    )
    return SplineFit(coefficients, covariance, chosen.astype(np.bool_))


def _check_basis(n_function: int, low: float, high: float) -> None:
    if n_function < ORDER:
        raise ValueError(f"a cubic basis has at least {ORDER} functions, asked for {n_function}")
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise ValueError(f"the ends of a basis must ascend, found low {low} and high {high}")
