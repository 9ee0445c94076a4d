"""Where images lie on the sky, how much they overlap, and in which order they are aligned.

Overlaps are cut on tangent planes. The area of a piece of the plane at the distance
rho = tan(theta) from the point of contact is (1 + rho^2)^(3/2) times that on the sky, from the
scales of the gnomonic projection: 1/cos^2(theta) along and 1/cos(theta) across the radius.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from webbweave.wcs.sky import ARCSEC_PER_RADIAN, unit_vectors
from webbweave.wcs.tangent import TangentPlane, mean_direction

__all__ = [
    "SkyPolygon",
    "alignment_order",
    "connected_groups",
    "enclosing_circle",
    "next_group",
    "overlap_areas",
    "overlap_matrix",
    "source_hull",
    "starting_pair",
]

#: Beyond this angle from the point of contact [degree] nothing is projected: no group is that
#: large, and the plane ends at 90.
_FARTHEST = 60.0

#: Hulls below this area [arcsec^2] are lines: the area of a box of 1 mas x 1 arcsec.
_LEAST_HULL = 1e-3


@dataclass(frozen=True)
class SkyPolygon:
    """
    A polygon on the sky; its sides are great circles.

    Attributes
    ----------
    ra, dec : ndarray of float64, shape (n,)
        The corners in order [degree], n >= 3.
    """

    ra: NDArray[np.float64]
    dec: NDArray[np.float64]


def source_hull(ra: NDArray[np.float64], dec: NDArray[np.float64]) -> SkyPolygon | None:
    """
    Draw the convex hull of sources.

    Parameters
    ----------
    ra, dec : ndarray of float64, shape (n,)
        Sky positions [degree]; those that are not finite are passed over.

    Returns
    -------
    SkyPolygon or None
        None if there are fewer than 3 sources or they lie on a line: then the outline of the image
        tells more.
    """
    known = np.isfinite(ra) & np.isfinite(dec)
    if np.count_nonzero(known) < 3:
        return None
    plane = TangentPlane(*mean_direction(ra[known], dec[known]))
    x, y = plane.project(ra[known], dec[known])
    hull = shapely.convex_hull(shapely.multipoints(np.column_stack([x, y])))
    if shapely.get_type_id(hull) != shapely.GeometryType.POLYGON:
        return None
    if shapely.area(hull) * 3600.0**2 < _LEAST_HULL:
        return None
    corners = shapely.get_coordinates(hull)[:-1]
    return SkyPolygon(*plane.deproject(corners[:, 0], corners[:, 1]))


def enclosing_circle(polygons: Sequence[SkyPolygon]) -> tuple[float, float, float]:
    """
    Find the field that holds polygons: where to ask for a reference catalog.

    Parameters
    ----------
    polygons : sequence of SkyPolygon
        The footprints, at least one.

    Returns
    -------
    ra, dec : float
        The mean direction of the corners [degree].
    radius : float
        The distance of the farthest one [degree].
    """
    ra = np.concatenate([polygon.ra for polygon in polygons])
    dec = np.concatenate([polygon.dec for polygon in polygons])
    centre = mean_direction(ra, dec)
    return *centre, float(np.nanmax(_distance(centre, ra, dec)))


def _distance(
    centre: tuple[float, float], ra: NDArray[np.float64], dec: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Angles from a point [degree]."""
    tips = unit_vectors(ra, dec) - unit_vectors(*centre)
    half = np.clip(np.linalg.norm(tips, axis=-1) / 2.0, 0.0, 1.0)
    return np.asarray(np.rad2deg(2.0 * np.arcsin(half)))


def overlap_areas(
    first: Sequence[SkyPolygon], groups: Sequence[Sequence[SkyPolygon]]
) -> NDArray[np.float64]:
    """
    Measure how much groups of polygons overlap with one group.

    Parameters
    ----------
    first : sequence of SkyPolygon
        The one group.
    groups : sequence of sequence of SkyPolygon
        The others.

    Returns
    -------
    ndarray of float64, shape (n_group,)
        The areas [arcsec^2] in which a polygon of the group overlaps with one of `first`, summed
        over all such pairs.
    """
    areas = np.zeros(len(groups))
    owners = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    others = [polygon for group in groups for polygon in group]
    if not first or not others:
        return areas
    centre = mean_direction(
        np.concatenate([polygon.ra for polygon in first]),
        np.concatenate([polygon.dec for polygon in first]),
    )
    own, _ = _on_plane(first, centre)
    theirs, where = _on_plane(others, centre)
    mine, yours = shapely.STRtree(theirs).query(own, predicate="intersects")
    pieces = shapely.intersection(own[mine], theirs[yours])
    np.add.at(areas, owners[where[yours]], _area_on_sky(pieces))
    return areas


def _on_plane(
    polygons: Sequence[SkyPolygon], centre: tuple[float, float]
) -> tuple[NDArray[np.object_], NDArray[np.intp]]:
    """Project those polygons that lie in front of a plane [radian], and say which they are."""
    plane = TangentPlane(*centre)
    shapes, where = [], []
    for index, polygon in enumerate(polygons):
        if not np.all(_distance(centre, polygon.ra, polygon.dec) < _FARTHEST):
            continue  # also where a corner is NaN
        x, y = plane.project(polygon.ra, polygon.dec)
        shapes.append(shapely.polygons(np.deg2rad(np.column_stack([x, y]))))
        where.append(index)
    made = np.array(shapes, dtype=object)
    return shapely.make_valid(made) if len(made) else made, np.array(where, dtype=np.intp)


def _area_on_sky(pieces: NDArray[np.object_]) -> NDArray[np.float64]:
    """Areas of pieces of the plane [radian] on the sky [arcsec^2]."""
    area = shapely.area(pieces)
    middle = shapely.get_coordinates(shapely.centroid(pieces[area > 0]))
    area[area > 0] *= (1.0 + np.sum(middle**2, axis=1)) ** -1.5
    return np.asarray(area * ARCSEC_PER_RADIAN**2)


def overlap_matrix(groups: Sequence[Sequence[SkyPolygon]]) -> NDArray[np.float64]:
    """
    Measure how much groups of polygons overlap with each other.

    Parameters
    ----------
    groups : sequence of sequence of SkyPolygon
        The footprints of the images of each group.

    Returns
    -------
    ndarray of float64, shape (n_group, n_group)
        Areas [arcsec^2], see `overlap_areas`; symmetric, with zeros on the diagonal.
    """
    matrix = np.zeros((len(groups), len(groups)))
    for index, group in enumerate(groups):
        matrix[index, index + 1 :] = overlap_areas(group, groups[index + 1 :])
    return matrix + matrix.T


def starting_pair(matrix: NDArray[np.float64]) -> tuple[int, int]:
    """
    Choose the reference group, and the one that is aligned to it first.

    The two groups that overlap most are taken; of these, the one that overlaps more with all others
    is the reference. Two groups only are taken in the order given.

    Parameters
    ----------
    matrix : ndarray of float64, shape (n_group, n_group)
        The `overlap_matrix`, of at least 2 groups.

    Returns
    -------
    int, int
        The reference group and the next; the first of equals.

    Raises
    ------
    ValueError
        If there are fewer than 2 groups.
    """
    if len(matrix) < 2:
        raise ValueError(f"expected at least 2 groups, found {len(matrix)}")
    if len(matrix) == 2:
        return 0, 1
    upper = np.where(np.triu(np.ones_like(matrix, dtype=bool), 1), matrix, -1.0)
    first, second = (int(index) for index in np.unravel_index(np.argmax(upper), upper.shape))
    total = matrix.sum(axis=1)
    return (second, first) if total[second] > total[first] else (first, second)


def next_group(
    reference: Sequence[SkyPolygon],
    groups: Sequence[Sequence[SkyPolygon]],
    remaining: Sequence[int],
) -> tuple[int, float]:
    """
    Choose the group that overlaps most with a reference catalog.

    Parameters
    ----------
    reference : sequence of SkyPolygon
        The footprint of the reference catalog, as a rule one `source_hull`.
    groups : sequence of sequence of SkyPolygon
        The footprints of the images of all groups.
    remaining : sequence of int
        The groups to choose from, at least one.

    Returns
    -------
    int
        The group; the first of equals.
    float
        The area of the overlap [arcsec^2].
    """
    areas = overlap_areas(reference, [groups[index] for index in remaining])
    best = int(np.argmax(areas))
    return remaining[best], float(areas[best])


def alignment_order(
    groups: Sequence[Sequence[SkyPolygon]],
    *,
    expand_refcat: bool = False,
    enforce_user_order: bool = False,
) -> tuple[tuple[int, ...], NDArray[np.float64]]:
    """
    Put groups into the order in which they are aligned, if every alignment succeeds.

    With an expanding reference catalog and no order of the user's, this begins with the
    `starting_pair`; next is always the group that overlaps most with those that went before. Where
    alignments may fail, call `next_group` with the footprint of the true reference catalog instead.

    Parameters
    ----------
    groups : sequence of sequence of SkyPolygon
        The footprints of the images of each group.
    expand_refcat : bool
        Whether aligned groups add to the reference catalog.
    enforce_user_order : bool
        Whether the order given is kept all the same.

    Returns
    -------
    tuple of int
        The groups; the first is the reference.
    ndarray of float64, shape (n_group,)
        The area in which each group of the order overlaps with those before it [arcsec^2], summed
        over pairs of images; NaN for the reference, and for all in the order of the user, which
        needs no areas.
    """
    areas = np.full(len(groups), np.nan)
    if enforce_user_order or not expand_refcat or len(groups) < 2:
        return tuple(range(len(groups))), areas
    matrix = overlap_matrix(groups)
    order = list(starting_pair(matrix))
    areas[1] = matrix[order[0], order[1]]
    with_those = matrix[order].sum(axis=0)
    with_those[order] = -1.0
    for place in range(2, len(groups)):
        index = int(np.argmax(with_those))
        order.append(index)
        areas[place] = with_those[index]
        with_those += matrix[index]
        with_those[order] = -1.0
    return tuple(order), areas


def connected_groups(links: NDArray[np.generic], least: float = 0.0) -> NDArray[np.intp]:
    """
    Tell which groups hang together, directly or through others.

    Parameters
    ----------
    links : ndarray, shape (n_group, n_group)
        What groups have in common: areas of overlap, or numbers of stars.
    least : float
        Two groups are linked if they have more than this in common.

    Returns
    -------
    ndarray of int, shape (n_group,)
        Number of the set that each group belongs to.
    """
    _, labels = connected_components(np.asarray(links) > least, directed=False)
    return np.asarray(labels, dtype=np.intp)
