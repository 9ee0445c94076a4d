"""Joint alignment of nearly aligned images: matching detections, and fitting corrections, in turn.

Where stars are crowded, the neighbour of a star may be nearer than the star itself as long as the
images are not aligned well. So matching and fitting take turns, and the radius within which
detections are matched shrinks to what their noise asks for.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from webbweave.tweakreg.joint import JointSolution, ReferenceStars, solve_joint
from webbweave.tweakreg.merge import merge_detections, mutual_neighbours
from webbweave.tweakreg.offsets import log_chance
from webbweave.tweakreg.reference import ReferenceCatalog
from webbweave.wcs.sky import chord, unit_vectors
from webbweave.wcs.tangent import TangentPlane

__all__ = ["REACH", "JointAlignment", "align_jointly"]

log = logging.getLogger(__name__)

#: Detections of one star are within so many standard deviations of each other: the distance of two
#: of them exceeds this in 1 of 8000 cases (exp(-6^2/4), two noises in two directions).
REACH = 6.0

#: A group is not aligned if chance gives it as many matches more often than this. It is small since
#: some thousand corrections within the first radius were, in effect, tried.
_CHANCE = 1e-8

#: Where stars that are not matched are counted, to know how many are near by chance: between these
#: multiples of the radius of matching.
_AROUND = (3.0, 20.0)

#: Another turn is worth while if the radius shrinks below this part of what it was.
_SHRINKS = 0.9


@dataclass(frozen=True)
class JointAlignment:
    """
    The corrections of all groups, and what was matched with what.

    Attributes
    ----------
    solution : JointSolution
        The corrections and the stars.
    star : ndarray of int, shape (n,)
        The star of each detection.
    reference_index : ndarray of int, shape (n_star,)
        The row of the reference catalog that each star is, -1 for none.
    radius, reference_radius : float
        The last radii of matching between images and with the catalog [arcsec].
    n_turns : int
        How often detections were matched.
    """

    solution: JointSolution
    star: NDArray[np.intp]
    reference_index: NDArray[np.intp]
    radius: float
    reference_radius: float
    n_turns: int


class _Options(TypedDict):
    """What is handed on to `solve_joint`."""

    geometry: str
    fixed: Sequence[int]
    min_stars: int
    sigma: float


def align_jointly(
    ra: NDArray[np.float64],
    dec: NDArray[np.float64],
    image: NDArray[np.integer],
    group: NDArray[np.integer],
    planes: Sequence[TangentPlane],
    *,
    radius: float,
    reference: ReferenceCatalog | None = None,
    reference_radius: float | None = None,
    weight: NDArray[np.float64] | None = None,
    geometry: str = "rshift",
    fixed: Sequence[int] = (),
    min_stars: int = 3,
    sigma: float = 3.0,
    max_turns: int = 10,
) -> JointAlignment:
    """
    Match and align groups of images to each other, and to a reference catalog.

    Parameters
    ----------
    ra, dec : ndarray of float64, shape (n,)
        Detections [degree], finite. They may be off by a good part of `radius`, no more: larger
        offsets are found with a histogram first and corrected in these positions.
    image, group : ndarray of int, shape (n,)
        The image and the group of each detection. Two detections in one image are two stars.
    planes : sequence of TangentPlane
        The tangent plane in which each group is corrected.
    radius : float
        Detections within this distance are matched at first [arcsec].
    reference : ReferenceCatalog, optional
        The reference catalog.
    reference_radius : float, optional
        Stars are matched with the catalog within this distance at first [arcsec]; `radius` by
        default.
    weight, geometry, fixed, min_stars, sigma
        As in `~webbweave.tweakreg.joint.solve_joint`. Detections of weight 0 are matched, but do
        not count.
    max_turns : int
        Most turns of matching and fitting.

    Returns
    -------
    JointAlignment
        The corrections of the positions given. A group that has no more matches than it would have
        by chance fails, and does not count.

    Raises
    ------
    ValueError
        If there is no such geometry, arrays do not fit together, or a radius is not positive.
    """
    reach = radius if reference_radius is None else reference_radius
    if not (radius > 0 and reach > 0):
        raise ValueError(f"expected positive radii, found {radius} and {reach}")
    options: _Options = {
        "geometry": geometry,
        "fixed": fixed,
        "min_stars": min_stars,
        "sigma": sigma,
    }
    now, before = (ra, dec), None
    for turn in range(1, max_turns + 1):
        stars, star = merge_detections(*now, np.asarray(image), radius=radius)
        ties, index = _tie(stars.ra, stars.dec, reference, reach)
        solution = solve_joint(
            ra, dec, group, star, planes, weight=weight, reference=ties, **options
        )
        found = JointAlignment(solution, star, index, radius, reach, turn)
        noise, other = solution.sigma_detection, solution.sigma_reference
        smaller = _shrunk(radius, noise)
        smaller_reach = _shrunk(reach, math.hypot(noise, other))
        log.debug(
            "turn %d: %d stars within %.4f arcsec, %d of the catalog within %.4f arcsec",
            turn,
            len(stars),
            radius,
            len(ties.ra) if ties is not None else 0,
            reach,
        )
        matched = star.tobytes(), index.tobytes()
        if smaller > _SHRINKS * radius and smaller_reach > _SHRINKS * reach and matched == before:
            break
        now, before = (solution.ra, solution.dec), matched
        radius, reach = smaller, smaller_reach
    lucky = _lucky_groups(found, group, reference)
    if not lucky:
        return found
    counting = np.where(np.isin(group, lucky), 0.0, 1.0 if weight is None else weight)
    solution = solve_joint(
        ra, dec, group, found.star, planes, weight=counting, reference=ties, **options
    )
    fits = list(solution.groups)
    for failed in lucky:
        fits[failed] = replace(
            fits[failed],
            status="FAILED: no more matches than by chance",
            n_matched=found.solution.groups[failed].n_matched,
        )
    return replace(found, solution=replace(solution, groups=tuple(fits)))


def _lucky_groups(
    found: JointAlignment,
    group: NDArray[np.integer],
    reference: ReferenceCatalog | None,
) -> list[int]:
    """Find the groups that have no more matches than they would have anywhere on the sky."""
    solution, star = found.solution, found.star
    lucky = []
    for index, fit in enumerate(solution.groups):
        own = group == index
        if fit.status != "SUCCESS" or not np.any(own):
            continue
        # All that this group can be matched with: stars of other groups, and the catalog.
        seen = np.unique(star[~own & solution.used])
        seen = seen[(found.reference_index[seen] < 0) & np.isfinite(solution.star_ra[seen])]
        tips = unit_vectors(solution.star_ra[seen], solution.star_dec[seen])
        if reference is not None:
            tips = np.concatenate([tips, unit_vectors(reference.ra, reference.dec)])
        radius = max(found.radius, found.reference_radius) if fit.absolute else found.radius
        near, far = (chord(factor * radius) for factor in _AROUND)
        tree = cKDTree(unit_vectors(solution.ra[own], solution.dec[own]))
        inner, outer = tree.count_neighbors(cKDTree(tips), [near, far])
        expected = (outer - inner) * chord(radius) ** 2 / (far**2 - near**2)
        if log_chance(fit.n_used, expected) > math.log(_CHANCE):
            lucky.append(index)
    return lucky


def _shrunk(radius: float, noise: float) -> float:
    """The radius that noise asks for, if that is smaller."""
    return min(radius, REACH * noise) if math.isfinite(noise) else radius


def _tie(
    ra: NDArray[np.float64],
    dec: NDArray[np.float64],
    reference: ReferenceCatalog | None,
    radius: float,
) -> tuple[ReferenceStars | None, NDArray[np.intp]]:
    """Match stars with a catalog."""
    index = np.full(len(ra), -1, dtype=np.intp)
    if reference is None:
        return None, index
    star, row = mutual_neighbours(ra, dec, reference.ra, reference.dec, radius)
    index[star] = row
    weight = None if reference.weight is None else reference.weight[row]
    return ReferenceStars(reference.ra[row], reference.dec[row], star, weight), index
