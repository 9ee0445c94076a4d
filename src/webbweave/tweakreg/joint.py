"""Joint alignment: the corrections of all exposures at once, from all stars that they share.

Nothing is a reference unless it is one: each star is where its detections, and the reference
catalog if it has the star, say on the average, and each group is moved towards the stars. The
covariance of each correction comes with it.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from webbweave.tweakreg.joint_noise import (
    LEAST_SIGMA,
    relative_weights,
    rms,
    scatter,
    scatter_beyond,
    standard_distances,
)
from webbweave.tweakreg.joint_system import (
    N_PARAMETERS,
    Equations,
    JointSystem,
    Solved,
    transformation,
)
from webbweave.tweakreg.linear import leverage, weakness
from webbweave.tweakreg.overlap import connected_groups
from webbweave.wcs.tangent import TangentPlane

__all__ = ["GroupFit", "JointSolution", "ReferenceStars", "solve_joint"]

log = logging.getLogger(__name__)

#: A reference catalog is not taken to be better than this part of the noise of a detection: where
#: the noise of detections hides that of the catalog, its estimate may come out as 0.
_BEST_REFERENCE = 0.1

#: After this many rounds no clipped detection comes back, so that clipping comes to an end.
_ROUNDS_OF_RETURN = 10


@dataclass(frozen=True)
class ReferenceStars:
    """
    Stars of a reference catalog that were matched.

    Attributes
    ----------
    ra, dec : ndarray of float64, shape (n,)
        Positions [degree].
    star : ndarray of int, shape (n,)
        The star of the detections that each one is; none twice.
    weight : ndarray of float64, shape (n,), or None
        Relative weights; 0 for stars that do not count.
    """

    ra: NDArray[np.float64]
    dec: NDArray[np.float64]
    star: NDArray[np.intp]
    weight: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class GroupFit:
    """
    The correction of one group.

    A point u [arcsec] of the group's tangent plane is moved to ``matrix @ u + shift``.

    Attributes
    ----------
    status : str
        ``'SUCCESS'``, ``'REFERENCE'`` for a group that was to stay, or ``'FAILED: '`` and the
        reason; only a success has a matrix other than 1 and a shift other than 0.
    geometry : str
        ``shift``, ``rshift``, ``rscale`` or ``general``.
    matrix : ndarray of float64, shape (2, 2)
        The matrix.
    shift : ndarray of float64, shape (2,)
        The shift at the point of contact of the plane [arcsec].
    centre : ndarray of float64, shape (2,)
        The mean of the group's detections in the plane [arcsec].
    displacement : ndarray of float64, shape (2,)
        The shift at the centre [arcsec].
    covariance : ndarray of float64, shape (n_parameter, n_parameter)
        Of the displacement in x and y [arcsec], and of the rotation [radian]; or rotation and
        relative scale; or the four entries of the matrix, row by row. NaN without success.
    absolute : bool
        Whether the correction is tied to the reference catalog; if not, the mean of the corrections
        of the groups that hang together is 0.
    n_matched, n_used : int
        Detections whose stars other groups or the catalog have too, before and after clipping.
    rms_before, rms : float
        Distance of the used detections from their stars without and with the correction [arcsec],
        root mean square; NaN without any.
    """

    status: str
    geometry: str
    matrix: NDArray[np.float64]
    shift: NDArray[np.float64]
    centre: NDArray[np.float64]
    displacement: NDArray[np.float64]
    covariance: NDArray[np.float64]
    absolute: bool
    n_matched: int
    n_used: int
    rms_before: float
    rms: float


@dataclass(frozen=True)
class JointSolution:
    """
    The corrections of all groups, and the stars.

    Attributes
    ----------
    groups : tuple of GroupFit
        The corrections.
    ra, dec : ndarray of float64, shape (n,)
        The corrected detections [degree].
    used : ndarray of bool, shape (n,)
        The detections that count: not clipped, in groups that did not fail, and of stars that other
        groups or the catalog have too.
    star_ra, star_dec : ndarray of float64, shape (n_star,)
        Mean positions of the stars [degree]; NaN for those without used detections.
    star_sigma : ndarray of float64, shape (n_star,)
        Their standard deviations along each axis [arcsec], corrections taken as known.
    reference_used : ndarray of bool, shape (n_reference,)
        The reference stars that were not clipped.
    sigma_detection, sigma_reference : float
        Noise of a detection and of a reference star of median weight along each axis [arcsec], as
        the residuals show it; NaN where they cannot.
    n_rounds : int
        Rounds of clipping.
    converged : bool
        Whether the last round changed nothing.
    """

    groups: tuple[GroupFit, ...]
    ra: NDArray[np.float64]
    dec: NDArray[np.float64]
    used: NDArray[np.bool_]
    star_ra: NDArray[np.float64]
    star_dec: NDArray[np.float64]
    star_sigma: NDArray[np.float64]
    reference_used: NDArray[np.bool_]
    sigma_detection: float
    sigma_reference: float
    n_rounds: int
    converged: bool


def solve_joint(
    ra: NDArray[np.float64],
    dec: NDArray[np.float64],
    group: NDArray[np.integer],
    star: NDArray[np.integer],
    planes: Sequence[TangentPlane],
    *,
    geometry: str = "rshift",
    weight: NDArray[np.float64] | None = None,
    reference: ReferenceStars | None = None,
    fixed: Sequence[int] = (),
    min_stars: int = 3,
    sigma: float = 3.0,
    max_rounds: int = 30,
) -> JointSolution:
    """
    Align groups of images to each other, and to a reference catalog, by least squares.

    Parameters
    ----------
    ra, dec : ndarray of float64, shape (n,)
        Detections under the present WCSs [degree], finite.
    group : ndarray of int, shape (n,)
        The group that each detection is in.
    star : ndarray of int, shape (n,)
        The star that it is of, from 0; see `~webbweave.tweakreg.merge.merge_detections`.
    planes : sequence of TangentPlane
        The tangent plane in which each group is corrected.
    geometry : str
        ``shift``, ``rshift`` (with rotation), ``rscale`` (with scale) or ``general``.
    weight : ndarray of float64, shape (n,), optional
        Relative weights of the detections; 0 for those that do not count.
    reference : ReferenceStars, optional
        Stars of a reference catalog. How much they weigh comes out of the residuals.
    fixed : sequence of int
        Groups that stay where they are.
    min_stars : int
        A group needs at least so many stars in common with others or with the catalog; groups that
        hang together need as many reference stars, or the catalog does not count for them.
    sigma : float
        Detections are clipped if they are farther from their star than this many times the expected
        root mean square distance, as in a fit of one image; 0 for no clipping. Reference stars too.
    max_rounds : int
        Most rounds of clipping. In each one, all detections are judged by the newest solution: in a
        star the farthest first, and those that are near enough come back.

    Returns
    -------
    JointSolution
        The corrections; a group that cannot be aligned keeps its place and says why.

    Raises
    ------
    ValueError
        If there is no such geometry, arrays do not fit together, positions are not
        finite, or weights are negative.
    """
    if geometry not in N_PARAMETERS:
        known = ", ".join(N_PARAMETERS)
        raise ValueError(f"unknown geometry {geometry!r}, expected one of {known}")
    if not len(ra) == len(dec) == len(group) == len(star):
        raise ValueError(
            f"expected arrays of one length, found {len(ra)}, {len(dec)}, {len(group)}, {len(star)}"
        )
    if not (np.all(np.isfinite(ra)) and np.all(np.isfinite(dec))):
        raise ValueError("expected sky positions that are finite")
    none = np.zeros(0)
    stars = reference or ReferenceStars(none, none, none.astype(np.intp))
    system = JointSystem(
        np.asarray(ra, dtype=np.float64),
        np.asarray(dec, dtype=np.float64),
        np.asarray(group, dtype=np.intp),
        np.asarray(star, dtype=np.intp),
        planes,
        geometry,
        (stars.ra, stars.dec, np.asarray(stars.star, dtype=np.intp)),
    )
    work = _Adjustment(system, weight, stars.weight, fixed, max(min_stars, _least(geometry)))
    rounds, converged = work.run(sigma, max_rounds)
    return work.solution(rounds, converged)


def _least(geometry: str) -> int:
    """Stars that determine a correction."""
    return (N_PARAMETERS[geometry] + 1) // 2


def _sets_of_groups(seen: sparse.csr_matrix, least: int) -> NDArray[np.intp]:
    """Number the sets of groups that have enough stars in common, each with all others together."""
    sets = np.arange(seen.shape[1])
    while True:
        # A group may have few stars in common with each of the others, and enough with all.
        member = sparse.csr_matrix((np.ones(len(sets), np.int64), (np.arange(len(sets)), sets)))
        together = seen @ member
        together.data[:] = 1
        larger = connected_groups((together.T @ together).toarray(), least - 0.5)
        if len(np.unique(larger)) == len(np.unique(sets)):
            return np.asarray(sets, dtype=np.intp)
        sets = larger[sets]


@dataclass(frozen=True, eq=False)
class _Links:
    """Which groups see which stars, what ties groups to others, and the sets that hang together."""

    seen: sparse.csr_matrix
    tying: NDArray[np.bool_]
    sets: NDArray[np.intp]


class _Adjustment:
    """The solution while it is found: what counts, how much, and what has failed."""

    def __init__(
        self,
        system: JointSystem,
        weight: NDArray[np.float64] | None,
        reference_weight: NDArray[np.float64] | None,
        fixed: Sequence[int],
        min_stars: int,
    ) -> None:
        n_reference = len(system.reference_star)
        self.system = system
        self.weight = relative_weights(weight, len(system.star))
        self.reference_weight = relative_weights(reference_weight, n_reference)
        self.min_stars = min_stars
        self.fixed = np.zeros(system.n_group, dtype=bool)
        self.fixed[list(fixed)] = True
        self.reason: dict[int, str] = {}
        self.used = self.weight > 0
        self.reference_used = self.reference_weight > 0
        self._linked: tuple[object, _Links] | None = None
        self.sigma = math.nan
        self.reference_sigma = math.nan
        self.parameters = np.zeros((system.n_group, system.n_parameter))
        self.matched = self._links().tying

    def run(self, sigma: float, max_rounds: int) -> tuple[int, bool]:
        """Solve and clip; a group that the stars hardly determine fails, the weakest first."""
        while True:
            outcome = self._rounds(sigma, max_rounds)
            weak = self._weakest()
            if weak is None:
                return outcome
            self.reason[weak[0]] = weak[1]

    def _rounds(self, sigma: float, max_rounds: int) -> tuple[int, bool]:
        """Solve and clip until nothing changes."""
        for rounds in range(max_rounds + 1):
            self.solved = self._solve()
            self._estimate_noise()
            # With better known weights of the catalog the solution is a better one.
            self.solved = self._solve()
            before = self.used.copy(), self.reference_used.copy()
            if sigma > 0:
                self._clip(sigma, may_return=rounds < _ROUNDS_OF_RETURN)
            same = np.array_equal(before[0], self.used)
            if same and np.array_equal(before[1], self.reference_used):
                return rounds, True
            if rounds == max_rounds:
                self.used, self.reference_used = before
        return max_rounds, False

    def _weakest(self) -> tuple[int, str] | None:
        """Find the group whose matrix is known worst, if it is not known."""
        system = self.system
        tying, residual = self._links().tying, self._residual(self.solved.equations)
        scale = self._unit_variance(residual, tying)
        # A rotation or a scale is two entries of the matrix.
        entries = 1.0 if system.geometry == "general" else 2.0
        found = []
        for index in range(system.n_group):
            rows = tying & (system.group == index)
            noise = rms(residual[rows])
            if index in self.reason or self.fixed[index] or not noise > LEAST_SIGMA:
                continue
            unit = system.offset[:, rows].T / system.size[index]
            variance = entries * scale * float(np.trace(self.solved.inverse[index][2:, 2:]))
            ratio = leverage(unit, variance, noise)
            found.append((ratio, index, weakness(system.geometry, ratio, noise)))
        weak = max((one for one in found if one[2]), default=None)
        return None if weak is None else weak[1:]

    def _residual(self, equations: Equations) -> NDArray[np.float64]:
        """Squared distances of detections from their stars."""
        away = equations.place - equations.star_place[self.system.star]
        return np.asarray(np.sum(away**2, axis=1))

    def _counting(self) -> NDArray[np.bool_]:
        """Detections that count now: not clipped, and not in a group that failed."""
        alive = np.ones(self.system.n_group, dtype=bool)
        alive[list(self.reason)] = False
        return self.used & alive[self.system.group]

    def _links(self) -> _Links:
        """Tell how groups hang together now."""
        state = self.used.tobytes(), self.reference_used.tobytes(), tuple(self.reason)
        if self._linked is None or self._linked[0] != state:
            self._linked = state, self._find_links()
        return self._linked[1]

    def _find_links(self) -> _Links:
        system = self.system
        counting = self._counting()
        seen = sparse.csr_matrix(
            (
                np.ones(np.count_nonzero(counting), dtype=np.int64),
                (system.star[counting], system.group[counting]),
            ),
            shape=(system.n_star, system.n_group),
        )
        seen.data[:] = 1
        others = np.asarray(seen.sum(axis=1)).ravel()
        has_reference = np.zeros(system.n_star, dtype=np.int64)
        has_reference[system.reference_star[self.reference_used]] = 1
        tying = counting & ((others + has_reference)[system.star] > 1)
        return _Links(seen, tying, _sets_of_groups(seen, _least(system.geometry)))

    def _drop_lonely(self) -> None:
        """Let those groups fail that have too little in common with the rest, the least first."""
        system = self.system
        while True:
            links = self._links()
            ties = np.zeros(system.n_star)
            ties[system.star[links.tying]] = 1.0
            count = ties @ links.seen
            candidates = [
                index
                for index in range(system.n_group)
                if index not in self.reason and not self.fixed[index]
            ]
            worst = min(candidates, key=lambda index: int(count[index]), default=None)
            if worst is None or count[worst] >= self.min_stars:
                return
            present = bool(np.any(system.group == worst))
            self.reason[worst] = "not enough matches" if present else "empty source catalog"

    def _solve(self) -> Solved:
        """Solve for the groups that can be; the others fail."""
        system = self.system
        while True:
            self._drop_lonely()
            free = np.array(
                [i for i in range(system.n_group) if i not in self.reason and not self.fixed[i]],
                dtype=np.intp,
            )
            floating, counts = self._ties()
            if lonely := [int(members[0]) for members in floating if len(members) == 1]:
                self.reason.update(dict.fromkeys(lonely, "not enough matches"))
                continue
            solved = system.solve(self.parameters, *self._weights(counts), free, floating)
            if solved.undetermined is None:
                self.parameters = solved.parameters
                return solved
            self.reason[solved.undetermined] = "the stars do not determine the correction"

    def _weights(
        self, counts: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Weights of detections and reference stars [arcsec^-2], as far as noise is known."""
        noise = self.sigma if math.isfinite(self.sigma) else 1.0
        other = self.reference_sigma if math.isfinite(self.reference_sigma) else noise
        weight = np.where(self._counting(), self.weight, 0.0) / noise**2
        return weight, np.where(counts, self.reference_weight, 0.0) / other**2

    def _ties(self) -> tuple[list[NDArray[np.intp]], NDArray[np.bool_]]:
        """Sets of groups that hang on nothing else, and the reference stars that count."""
        system = self.system
        sets = self._links().sets
        counting = self._counting()
        set_of_star = np.full(system.n_star, -1)
        set_of_star[system.star[counting]] = sets[system.group[counting]]
        own = set_of_star[system.reference_star]
        able = self.reference_used & (own >= 0)
        many = np.bincount(own[able], minlength=system.n_group) >= self.min_stars
        floating = []
        self.absolute = np.zeros(system.n_group, dtype=bool)
        for label in np.unique(sets):
            members = np.flatnonzero(sets == label)
            members = np.array([i for i in members if i not in self.reason], dtype=np.intp)
            self.absolute[members] = many[label]
            if len(members) and not many[label] and not np.any(self.fixed[members]):
                floating.append(members)
        return floating, able & many[np.where(own >= 0, own, 0)]

    def _estimate_noise(self) -> None:
        """Estimate the noise of detections from each other, and then that of the catalog."""
        system = self.system
        weight = np.where(self._counting(), self.weight, 0.0)
        no_reference = np.zeros(len(system.reference_star))
        place = self.solved.equations.place
        mean, total = system.star_means(place, weight, no_reference)
        share = 1.0 - np.divide(
            weight, total[system.star], where=weight > 0, out=np.ones_like(weight)
        )
        several = (weight > 0) & (share > 1e-9)
        noise = scatter(
            (place - mean[system.star])[several]
            * np.sqrt(self.weight[several] / share[several])[:, None]
        )
        _, counts = self._ties()
        own = system.reference_star[counts]
        distance = system.reference_place[counts] - mean[own]
        both = scatter(distance) ** 2
        if not math.isfinite(both):
            self.sigma, self.reference_sigma = noise, math.nan
        elif not math.isfinite(noise):
            # One detection of each star: which of the two is noisier does not show, nor matters.
            self.sigma = self.reference_sigma = max(math.sqrt(both / 2), LEAST_SIGMA)
        else:
            self.sigma = noise
            self.reference_sigma = scatter_beyond(
                distance,
                1.0 / self.reference_weight[counts],
                noise**2 / total[own],
                max(LEAST_SIGMA, _BEST_REFERENCE * noise),
            )

    def _clip(self, sigma: float, *, may_return: bool) -> None:
        """Judge all detections and reference stars by the newest solution."""
        system = self.system
        noise = self.sigma if math.isfinite(self.sigma) else LEAST_SIGMA
        other = self.reference_sigma if math.isfinite(self.reference_sigma) else noise
        weights = np.concatenate([self.weight / noise**2, self.reference_weight / other**2])
        used = np.concatenate([self._counting(), self.reference_used])
        star = np.concatenate([system.star, system.reference_star])
        place = np.concatenate([self.solved.equations.place, system.reference_place])
        alive = np.ones(system.n_group, dtype=bool)
        alive[list(self.reason)] = False
        able = np.concatenate([alive[system.group], np.ones(len(system.reference_star), bool)])
        able &= weights > 0
        # A star all of whose detections were clipped is judged by the mean of them all.
        left = np.bincount(star[used], minlength=system.n_star) > 0
        counting = used | (able & ~left[star])
        far = standard_distances(
            place, star, np.where(counting, weights, 0.0), weights, system.n_star
        )
        limit = sigma * math.sqrt(2.0)
        good = far <= limit
        keep = used.copy()
        # The farthest detection of a star spoils the mean for the others: it goes first.
        farthest = np.zeros(system.n_star)
        np.maximum.at(farthest, star[used], far[used])
        keep[used & ~good & (far >= farthest[star])] = False
        if may_return:
            keep |= able & good
        n = len(system.star)
        # What is in failed groups stays as it is.
        self.used = np.where(alive[system.group], keep[:n], self.used)
        self.reference_used = keep[n:]

    def solution(self, rounds: int, converged: bool) -> JointSolution:
        """Put the results together."""
        system, solved = self.system, self.solved
        counting, tying = self._counting(), self._links().tying
        equations = solved.equations
        still = system.equations(
            np.zeros_like(self.parameters),
            *self._weights(self._ties()[1]),
        )
        residual, before = self._residual(equations), self._residual(still)
        scale = self._unit_variance(residual, tying)
        groups = tuple(
            self._group_fit(index, scale, tying & (system.group == index), before, residual)
            for index in range(system.n_group)
        )
        ra, dec = system.corrected(self.parameters)
        star_ra, star_dec = system.star_positions(equations.star_place)
        shown = np.zeros(system.n_star, dtype=bool)
        shown[system.star[counting]] = True
        with np.errstate(divide="ignore", invalid="ignore"):
            star_sigma = np.where(shown, np.sqrt(scale / equations.star_weight), np.nan)
        return JointSolution(
            groups,
            ra,
            dec,
            tying,
            np.where(shown, star_ra, np.nan),
            np.where(shown, star_dec, np.nan),
            star_sigma,
            self.reference_used,
            self.sigma,
            self.reference_sigma,
            rounds,
            converged,
        )

    def _unit_variance(self, residual: NDArray[np.float64], tying: NDArray[np.bool_]) -> float:
        """Mean square of the residuals over what their weights promise."""
        system = self.system
        floating, counts = self._ties()
        weight, reference_weight = self._weights(counts)
        total = float(np.sum((residual * weight)[tying]))
        place = system.reference_place - self.solved.equations.star_place[system.reference_star]
        total += float(np.sum((np.sum(place**2, axis=1) * reference_weight)[counts]))
        n_star = len(np.unique(system.star[tying]))
        n_free = np.count_nonzero(~self.fixed) - len(self.reason)
        # As many movements as a correction has parameters leave all stars where they are.
        freedom = 2 * (np.count_nonzero(tying) + np.count_nonzero(counts) - n_star)
        freedom -= (n_free - len(floating)) * system.n_parameter
        return total / freedom if freedom > 0 else 1.0

    def _group_fit(
        self,
        index: int,
        scale: float,
        rows: NDArray[np.bool_],
        before: NDArray[np.float64],
        residual: NDArray[np.float64],
    ) -> GroupFit:
        system = self.system
        geometry = system.geometry
        centre = system.centre[index]
        status = "REFERENCE" if self.fixed[index] else "SUCCESS"
        covariance = self.solved.inverse[index] * scale
        parameters = self.parameters[index]
        if index in self.reason:
            status = f"FAILED: {self.reason[index]}"
            parameters = np.zeros_like(parameters)
            covariance = np.full_like(covariance, np.nan)
        matrix, displacement = transformation(geometry, parameters, float(system.size[index]))
        unit = np.ones(system.n_parameter)
        unit[2:] /= system.size[index]
        return GroupFit(
            status,
            geometry,
            matrix,
            centre + displacement - matrix @ centre,
            centre,
            displacement,
            covariance * np.outer(unit, unit),
            bool(self.absolute[index]),
            int(np.count_nonzero(self.matched & (system.group == index))),
            int(np.count_nonzero(rows)),
            rms(before[rows]),
            rms(residual[rows]),
        )
