"""The normal equations of all exposures and all stars at once.

Detection i of star k in group g lies at a_i(p_g), its place in the tangent plane of the star after
the correction p_g of the group; the star lies at s_k, and a reference catalog has it at b_k. Least
squares over the sum of w_i |a_i - s_k|^2 and v_k |b_k - s_k|^2 has two unknowns for each star,
which are eliminated: the best star is the weighted mean of what shows it, and what is left are
equations of the corrections alone, few and dense where stars are many (the reduced normal equations
of block adjustment, Brown 1976; of overlapping plates, Eichhorn 1960, AN 285, 233).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from webbweave.wcs.sky import ARCSEC_PER_RADIAN, local_axes, sky_position, unit_vectors
from webbweave.wcs.tangent import TangentPlane, mean_direction

__all__ = ["N_PARAMETERS", "Equations", "JointSystem", "Solved", "transformation"]

#: One number for each detection, or the same for all.
_Row = NDArray[np.float64] | float

#: Parameters of each geometry: two shifts, then rotation, scale, or the four entries of a matrix.
N_PARAMETERS = {"shift": 2, "rshift": 3, "rscale": 4, "general": 6}

#: Directions in which the equations are weaker than this, relative to the best determined one, are
#: not determined: six digits of a shift of all stars are left there in double precision.
_SINGULAR = 1e-10

#: Corrections that change by less than this [arcsec] have converged: far below all noise.
_CONVERGED = 1e-9

#: Steps of Gauss and Newton; each one makes the error of a rotation of a degree 50 times smaller.
_MOST_STEPS = 20


def transformation(
    geometry: str, parameters: NDArray[np.float64], size: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    Make a matrix and a shift of the parameters of a correction.

    Parameters
    ----------
    geometry : str
        ``shift``, ``rshift``, ``rscale`` or ``general``.
    parameters : ndarray of float64, shape (n_parameter,)
        Shift in x and y; then, by geometry, the rotation, the rotation and the change of scale, or
        the changes of the four entries of the matrix, as displacements at the distance `size`. All
        in arcsec.
    size : float
        The distance [arcsec].

    Returns
    -------
    matrix : ndarray of float64, shape (2, 2)
        The matrix F of F u + d, for u from the centre of the group.
    shift : ndarray of float64, shape (2,)
        The shift d [arcsec].
    """
    shift, rest = parameters[:2], parameters[2:] / size
    if geometry == "shift":
        return np.eye(2), shift
    if geometry == "general":
        return np.eye(2) + rest.reshape(2, 2), shift
    scale = 1.0 + rest[1] if geometry == "rscale" else 1.0
    cos, sin = np.cos(rest[0]), np.sin(rest[0])
    return scale * np.array([[cos, sin], [-sin, cos]]), shift


@dataclass(frozen=True)
class Equations:
    """
    Where detections and stars are at one set of corrections.

    Attributes
    ----------
    place : ndarray of float64, shape (n, 2)
        Each detection in the tangent plane of its star [arcsec].
    star_place : ndarray of float64, shape (n_star, 2)
        Each star, as weighted mean; NaN without any weight.
    star_weight : ndarray of float64, shape (n_star,)
        Sum of the weights.
    """

    place: NDArray[np.float64]
    star_place: NDArray[np.float64]
    star_weight: NDArray[np.float64]


@dataclass(frozen=True)
class Solved:
    """
    The corrections where the sum of squares is least.

    Attributes
    ----------
    parameters : ndarray of float64, shape (n_group, n_parameter)
        Corrections, see `transformation`; 0 for groups that stay.
    equations : Equations
        At these corrections.
    inverse : ndarray of float64, shape (n_group, n_parameter, n_parameter)
        The blocks of the inverse of the normal matrix; 0 for groups that stay.
    undetermined : int or None
        A group that the stars do not determine; nothing was solved then.
    """

    parameters: NDArray[np.float64]
    equations: Equations
    inverse: NDArray[np.float64]
    undetermined: int | None = None


class JointSystem:
    """
    The detections and what does not change while the corrections are found.

    Parameters
    ----------
    ra, dec : ndarray of float64, shape (n,)
        Detections under the present WCSs [degree].
    group : ndarray of int, shape (n,)
        Their groups.
    star : ndarray of int, shape (n,)
        Their stars, from 0.
    planes : sequence of TangentPlane
        The tangent plane in which each group is corrected.
    geometry : str
        A key of `N_PARAMETERS`.
    reference : (ndarray, ndarray, ndarray)
        Right ascension, declination [degree] and star of the stars of the reference catalog.
    """

    def __init__(
        self,
        ra: NDArray[np.float64],
        dec: NDArray[np.float64],
        group: NDArray[np.intp],
        star: NDArray[np.intp],
        planes: Sequence[TangentPlane],
        geometry: str,
        reference: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]],
    ) -> None:
        self.group = group
        self.star = star
        self.geometry = geometry
        self.n_parameter = N_PARAMETERS[geometry]
        self.n_group = len(planes)
        self.reference_star = reference[2]
        self.n_star = int(max(star.max(initial=-1), self.reference_star.max(initial=-1))) + 1
        self._axes = local_axes([plane.ra for plane in planes], [plane.dec for plane in planes])
        tips = unit_vectors(ra, dec)
        own = np.einsum("nij,nj->ni", self._axes[group], tips)
        self._position = own[:, 1:] / own[:, :1] * ARCSEC_PER_RADIAN
        self._set_centres()
        # Where a star is drawn hardly matters: the plane touches at one of its detections.
        points = np.zeros((self.n_star, 3))
        points[:, 0] = 1.0
        reference_tips = unit_vectors(reference[0], reference[1])
        points[self.reference_star] = reference_tips
        points[star] = tips
        self._star_axes = local_axes(*sky_position(points))
        # From the plane of the group to that of the star; the detections along the last axis.
        turns = np.einsum("nij,nkj->ikn", self._star_axes[star], self._axes[group])
        self._turns = np.ascontiguousarray(turns)
        own = np.einsum("nij,nj->ni", self._star_axes[self.reference_star], reference_tips)
        self.reference_place = own[:, 1:] / own[:, :1] * ARCSEC_PER_RADIAN

    def _set_centres(self) -> None:
        """Find the middle of the detections of each group, and how far from it they are."""
        count = np.maximum(np.bincount(self.group, minlength=self.n_group), 1)
        self.centre = np.zeros((self.n_group, 2))
        np.add.at(self.centre, self.group, self._position)
        self.centre /= count[:, None]
        self.offset = np.ascontiguousarray((self._position - self.centre[self.group]).T)
        square = np.bincount(self.group, np.sum(self.offset**2, axis=0), minlength=self.n_group)
        size = np.sqrt(square / count)
        self.size = np.where(size > 0, size, 1.0)

    def star_positions(
        self, place: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """
        Turn places in the planes of the stars into sky positions.

        Parameters
        ----------
        place : ndarray of float64, shape (n_star, 2)
            Places [arcsec].

        Returns
        -------
        ra, dec : ndarray of float64, shape (n_star,)
            Sky positions [degree].
        """
        tilted = np.column_stack([np.ones(len(place)), place / ARCSEC_PER_RADIAN])
        return sky_position(np.einsum("nij,ni->nj", self._star_axes, tilted))

    def corrected(
        self, parameters: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """
        Correct the detections.

        Parameters
        ----------
        parameters : ndarray of float64, shape (n_group, n_parameter)
            The corrections.

        Returns
        -------
        ra, dec : ndarray of float64, shape (n,)
            Sky positions [degree].
        """
        tilted = np.column_stack([np.ones(len(self.group)), self._moved(parameters)[0].T])
        tilted[:, 1:] /= ARCSEC_PER_RADIAN
        return sky_position(np.einsum("nij,ni->nj", self._axes[self.group], tilted))

    def _moved(
        self, parameters: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Corrected detections in the planes of their groups, shape (2, n), and the matrices."""
        made = [
            transformation(self.geometry, *each) for each in zip(parameters, self.size, strict=True)
        ]
        matrix = np.array([each[0] for each in made]).reshape(-1, 2, 2)
        shift = np.array([each[1] for each in made]).reshape(-1, 2)
        return _applied(matrix, self.group, self.offset) + (self.centre + shift).T[
            :, self.group
        ], matrix

    def _derivatives(self, matrix: NDArray[np.float64]) -> list[tuple[_Row, _Row]]:
        """How x and y in the plane of the group move with each parameter beyond the shift."""
        unit = self.offset / self.size[self.group]
        if self.geometry == "general":
            return [(unit[0], 0.0), (unit[1], 0.0), (0.0, unit[0]), (0.0, unit[1])]
        if self.geometry == "shift":
            return []
        x, y = _applied(matrix, self.group, unit)
        found: list[tuple[_Row, _Row]] = [(y, -x)]
        if self.geometry == "rscale":
            scale = np.sqrt(np.abs(np.linalg.det(matrix)))[self.group]
            found.append((x / scale, y / scale))
        return found

    def _places(
        self, parameters: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Places in the planes of the stars, shape (2, n), heights over them, and the matrices."""
        (x, y), matrix = self._moved(parameters)
        turns = self._turns
        height = turns[0, 0] + (turns[0, 1] * x + turns[0, 2] * y) / ARCSEC_PER_RADIAN
        place = turns[1:, 0] * ARCSEC_PER_RADIAN + turns[1:, 1] * x + turns[1:, 2] * y
        return place / height, height, matrix

    def _linearised(
        self, parameters: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Places of detections in the planes of their stars, and derivatives of these."""
        place, height, matrix = self._places(parameters)
        slope = np.empty((self.n_parameter, 2, len(height)))
        for axis in range(2):
            bent = place[axis] / ARCSEC_PER_RADIAN
            for k in range(2):
                slope[k, axis] = (
                    self._turns[1 + axis, 1 + k] - bent * self._turns[0, 1 + k]
                ) / height
        for k, (x, y) in enumerate(self._derivatives(matrix), 2):
            slope[k] = slope[0] * x + slope[1] * y
        return np.ascontiguousarray(place.T), np.ascontiguousarray(slope.transpose(2, 1, 0))

    def equations(
        self,
        parameters: NDArray[np.float64],
        weight: NDArray[np.float64],
        reference_weight: NDArray[np.float64],
    ) -> Equations:
        """
        Put detections and stars where some corrections put them.

        Parameters
        ----------
        parameters : ndarray of float64, shape (n_group, n_parameter)
            The corrections.
        weight : ndarray of float64, shape (n,)
            Weights of the detections [arcsec^-2]; 0 for those that do not count.
        reference_weight : ndarray of float64, shape (n_reference,)
            Weights of the reference stars [arcsec^-2].

        Returns
        -------
        Equations
            Places and weights.
        """
        place = np.ascontiguousarray(self._places(parameters)[0].T)
        return Equations(place, *self.star_means(place, weight, reference_weight))

    def _normal(
        self,
        slope: NDArray[np.float64],
        weight: NDArray[np.float64],
        star_weight: NDArray[np.float64],
        free: NDArray[np.intp],
    ) -> NDArray[np.float64]:
        """Reduced normal matrix of the parameters of the groups of `free`, one after the other."""
        n_parameter = self.n_parameter
        column = np.full(self.n_group, -1)
        column[free] = np.arange(len(free)) * n_parameter
        rows = np.flatnonzero((weight > 0) & (column[self.group] >= 0))
        own, group = self.star[rows], self.group[rows]
        slope = slope[rows] * np.sqrt(weight[rows])[:, None, None]
        normal = np.zeros((len(free) * n_parameter,) * 2)
        for i in range(n_parameter):
            for j in range(n_parameter):
                products = np.einsum("na,na->n", slope[:, :, i], slope[:, :, j])
                sums = np.bincount(group, products, minlength=self.n_group)[free]
                normal[i::n_parameter, j::n_parameter] = np.diag(sums)
        slope *= np.sqrt(weight[rows] / star_weight[own])[:, None, None]
        shape = (len(rows), 2, n_parameter)
        where = 2 * own[:, None, None] + np.arange(2)[:, None], column[group][:, None, None]
        where = where[0], where[1] + np.arange(n_parameter)
        shared = sparse.coo_matrix(
            (slope.ravel(), tuple(np.broadcast_to(each, shape).ravel() for each in where)),
            shape=(2 * self.n_star, len(normal)),
        ).tocsr()
        return np.asarray(normal - (shared.T @ shared).toarray())

    def _gradient(
        self,
        equations: Equations,
        slope: NDArray[np.float64],
        weight: NDArray[np.float64],
        free: NDArray[np.intp],
    ) -> NDArray[np.float64]:
        """Half the derivative of the sum of squares, after the same parameters."""
        rows = np.flatnonzero(weight > 0)
        residual = equations.place[rows] - equations.star_place[self.star[rows]]
        each = np.einsum("ni,nip->pn", residual * weight[rows, None], slope[rows])
        sums = [np.bincount(self.group[rows], one, minlength=self.n_group) for one in each]
        return np.asarray(np.stack(sums, axis=1)[free].ravel())

    def star_means(
        self,
        place: NDArray[np.float64],
        weight: NDArray[np.float64],
        reference_weight: NDArray[np.float64],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """
        Take weighted means over detections and reference stars.

        Parameters
        ----------
        place : ndarray of float64, shape (n, 2)
            Detections in the planes of their stars [arcsec].
        weight, reference_weight : ndarray of float64
            Weights of detections and reference stars.

        Returns
        -------
        mean : ndarray of float64, shape (n_star, 2)
            NaN for stars without weight.
        total : ndarray of float64, shape (n_star,)
            Sums of weights.
        """
        total = np.bincount(self.star, weight, minlength=self.n_star)
        total += np.bincount(self.reference_star, reference_weight, minlength=self.n_star)
        sums = np.empty((self.n_star, 2))
        for axis in range(2):
            sums[:, axis] = np.bincount(self.star, weight * place[:, axis], minlength=self.n_star)
            sums[:, axis] += np.bincount(
                self.reference_star,
                reference_weight * self.reference_place[:, axis],
                minlength=self.n_star,
            )
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(sums / total[:, None]), np.asarray(total, dtype=np.float64)

    def solve(
        self,
        start: NDArray[np.float64],
        weight: NDArray[np.float64],
        reference_weight: NDArray[np.float64],
        free: NDArray[np.intp],
        floating: Sequence[NDArray[np.intp]],
    ) -> Solved:
        """
        Find the corrections.

        Parameters
        ----------
        start : ndarray of float64, shape (n_group, n_parameter)
            Where to begin.
        weight, reference_weight : ndarray of float64
            Weights of detections and reference stars [arcsec^-2].
        free : ndarray of int
            The groups whose corrections are sought.
        floating : sequence of ndarray of int
            Sets of groups that hang together and on nothing else: the mean of the corrections of
            each set is 0.

        Returns
        -------
        Solved
            The corrections and their inverse normal matrix.
        """
        parameters = np.zeros_like(start)
        inverse = np.zeros((self.n_group, self.n_parameter, self.n_parameter))
        if len(free) == 0:
            equations = self.equations(parameters, weight, reference_weight)
            return Solved(parameters, equations, inverse)
        parameters[free] = start[free]
        basis = _complement(self._constraints(free, floating))
        # Least change that fulfils the constraints: they hold for the sum of all steps.
        flat = basis @ (basis.T @ parameters[free].ravel())
        parameters[free] = flat.reshape(-1, self.n_parameter)
        root = np.zeros((0, 0))
        for count in range(_MOST_STEPS):
            place, slope = self._linearised(parameters)
            equations = Equations(place, *self.star_means(place, weight, reference_weight))
            if count == 0:
                # The matrix hardly changes on the way: that of the start will do for all steps.
                normal = self._normal(slope, weight, equations.star_weight, free)
                values, vectors = np.linalg.eigh(basis.T @ normal @ basis)
                if not values[0] > _SINGULAR * values[-1]:
                    weak = (basis @ vectors[:, 0]).reshape(-1, self.n_parameter)
                    worst = int(free[np.argmax(np.sum(weak**2, axis=1))])
                    return Solved(parameters, equations, inverse, worst)
                root = basis @ (vectors / np.sqrt(values))
            step = -root @ (root.T @ self._gradient(equations, slope, weight, free))
            parameters[free] += step.reshape(-1, self.n_parameter)
            if np.max(np.abs(step)) < _CONVERGED:
                break
        blocks = root.reshape(len(free), self.n_parameter, -1)
        inverse[free] = np.einsum("gik,gjk->gij", blocks, blocks)
        return Solved(parameters, equations, inverse)

    def _constraints(
        self, free: NDArray[np.intp], floating: Sequence[NDArray[np.intp]]
    ) -> NDArray[np.float64]:
        """
        What adds up to 0 over the groups of a set that hangs on nothing.

        All groups of such a set may be shifted, and as the geometry has it turned and stretched,
        together without any star noticing. Each row is one entry of the mean correction.
        """
        place = {int(group): index for index, group in enumerate(free)}
        rows = []
        for members in floating:
            for entry in np.moveaxis(self._entries_of_mean(members), 1, 0):
                row = np.zeros((len(free), self.n_parameter))
                row[[place[int(group)] for group in members]] = entry
                rows.append(row.ravel())
        return np.array(rows).reshape(-1, len(free) * self.n_parameter)

    def _entries_of_mean(self, members: NDArray[np.intp]) -> NDArray[np.float64]:
        """Mean correction from the parameters of each group, shape (n_member, n_entry, p)."""
        # Along axes that all have in common: near the poles those of the planes differ.
        axes = local_axes(*mean_direction(*sky_position(self._axes[members, 0])))
        turn = np.einsum("ij,nkj->nik", axes[1:], self._axes[members][:, 1:])
        result = np.zeros((len(members), self.n_parameter, self.n_parameter))
        result[:, :2, :2] = turn
        if self.geometry == "general":
            # The matrix T L T^-1 along the common axes; T is a rotation but for the sky's bend.
            turned = np.einsum("nik,njl->nijkl", turn, turn)
            result[:, 2:, 2:] = turned.reshape(-1, 4, 4) / self.size[members, None, None]
        else:
            for index in range(2, self.n_parameter):
                result[:, index, index] = 1.0 / self.size[members]
        return result


def _applied(
    matrix: NDArray[np.float64], group: NDArray[np.intp], points: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Multiply points, shape (2, n), by the matrices of their groups."""
    own = matrix.reshape(-1, 4).T[:, group]
    x, y = points
    return np.stack([own[0] * x + own[1] * y, own[2] * x + own[3] * y])


def _complement(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Columns that span all that is orthogonal to some rows."""
    n_row, n_unknown = rows.shape
    if n_row == 0:
        return np.eye(n_unknown)
    q, _ = np.linalg.qr(rows.T, mode="complete")
    return np.asarray(q[:, n_row:])
