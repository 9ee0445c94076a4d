"""The sources of images, and how movements on the sky become corrections of each image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from webbweave.tweakreg.image_plane import ImagePlane
from webbweave.tweakreg.linear import decompose
from webbweave.tweakreg.overlap import SkyPolygon, source_hull
from webbweave.tweakreg.v2v3_plane import LinearCorrection
from webbweave.wcs.tangent import TangentPlane, mean_direction

__all__ = [
    "UNMOVED",
    "Detections",
    "ImageSources",
    "Move",
    "SkyMove",
    "carried",
    "describe_move",
    "detections",
    "footprints",
    "linear_between",
    "moved",
]

#: No correction.
UNMOVED = LinearCorrection(np.eye(2), np.zeros(2))

#: Pixels along each side of an image at which a movement is looked at: more than enough for the
#: six numbers of a linear correction.
_PROBES = 5


@dataclass(frozen=True, eq=False)
class ImageSources:
    """
    The sources of one image.

    Attributes
    ----------
    name : str
        What messages call it.
    plane : ImagePlane
        Where it is corrected.
    x, y : ndarray of float64, shape (n,)
        Pixel coordinates, 0-indexed.
    weight : ndarray of float64, shape (n,), or None
        Weights of the positions, as inverse variances.
    box : ((float, float), (float, float))
        First and last x and y of the image [pixel].
    group : int
        Number of the group that it moves with; `~webbweave.tweakreg.alignment.align_images` sets
        it.
    """

    name: str
    plane: ImagePlane
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    weight: NDArray[np.float64] | None
    box: tuple[tuple[float, float], tuple[float, float]]
    group: int = 0

    @cached_property
    def points(self) -> NDArray[np.float64]:
        """The sources in the plane [arcsec], shape (n, 2)."""
        return self.plane.from_pixels(self.x, self.y)

    @cached_property
    def probes(self) -> NDArray[np.float64]:
        """Points all over the image in the plane [arcsec]."""
        x, y = (np.linspace(*side, _PROBES) for side in self.box)
        grid_x, grid_y = np.meshgrid(x, y)
        return self.plane.from_pixels(grid_x.ravel(), grid_y.ravel())

    def sky(self, correction: LinearCorrection) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """
        Find the sources on the sky.

        Parameters
        ----------
        correction : LinearCorrection
            The correction of the image so far.

        Returns
        -------
        ra, dec : ndarray of float64, shape (n,)
            Sky positions [degree].
        """
        return self.plane.to_world(correction(self.points))

    def outline(self, correction: LinearCorrection) -> SkyPolygon:
        """
        Find the corners of the image.

        Parameters
        ----------
        correction : LinearCorrection
            The correction of the image so far.

        Returns
        -------
        SkyPolygon
            The corners.
        """
        (x0, x1), (y0, y1) = self.box
        corners = self.plane.from_pixels([x0, x0, x1, x1], [y0, y1, y1, y0])
        return SkyPolygon(*self.plane.to_world(correction(corners)))


@dataclass(frozen=True, eq=False)
class SkyMove:
    """
    A linear movement in a plane that touches the sky.

    Attributes
    ----------
    plane : TangentPlane
        The plane; x is east, y is north.
    correction : LinearCorrection
        The movement [arcsec].
    """

    plane: TangentPlane
    correction: LinearCorrection

    def __call__(
        self, ra: NDArray[np.float64], dec: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Move sky positions [degree]."""
        points = 3600.0 * np.stack(self.plane.project(ra, dec), axis=-1)
        x, y = self.correction(points).T / 3600.0
        return self.plane.deproject(x, y)


def moved(image: ImageSources, correction: LinearCorrection, move: SkyMove) -> LinearCorrection:
    """
    Put a movement on the sky into the correction of an image.

    Parameters
    ----------
    image : ImageSources
        The image.
    correction : LinearCorrection
        Its correction so far.
    move : SkyMove
        How it is to be moved.

    Returns
    -------
    LinearCorrection
        The correction that leads to the moved positions: exact if the two planes touch the sky at
        the same point, else the linear one that is nearest all over the image.
    """
    start = image.probes
    target = image.plane.from_world(*move(*image.plane.to_world(correction(start))))
    return linear_between(start, target)


def carried(
    correction: LinearCorrection, first: ImageSources, image: ImageSources
) -> LinearCorrection:
    """
    Express a correction in the plane of one image in that of another.

    Parameters
    ----------
    correction : LinearCorrection
        In the plane of `first`.
    first, image : ImageSources
        Two images that move together.

    Returns
    -------
    LinearCorrection
        In the plane of `image`: the linear one that is nearest all over it.
    """
    start = image.probes
    there = first.plane.from_world(*image.plane.to_world(start))
    return linear_between(start, image.plane.from_world(*first.plane.to_world(correction(there))))


def linear_between(start: NDArray[np.float64], target: NDArray[np.float64]) -> LinearCorrection:
    """
    Find the linear transformation between points.

    Parameters
    ----------
    start, target : ndarray of float64, shape (n, 2)
        The points in two planes [arcsec].

    Returns
    -------
    LinearCorrection
        The one with the least squares of the differences.
    """
    # Centred: shift and matrix are then found independently of each other.
    centre = start.mean(axis=0)
    known = np.column_stack([start - centre, np.ones(len(start))])
    found = np.linalg.lstsq(known, target, rcond=None)[0]
    matrix = found[:2].T
    return LinearCorrection(matrix, found[2] - matrix @ centre)


@dataclass(frozen=True, eq=False)
class Detections:
    """
    The sources of some images as one list.

    Attributes
    ----------
    ra, dec : ndarray of float64, shape (n,)
        Sky positions [degree].
    image, group : ndarray of int, shape (n,)
        The image and group of each.
    weight : ndarray of float64, shape (n,), or None
        Weights, if all images have some.
    """

    ra: NDArray[np.float64]
    dec: NDArray[np.float64]
    image: NDArray[np.intp]
    group: NDArray[np.intp]
    weight: NDArray[np.float64] | None

    def __len__(self) -> int:
        return len(self.ra)


def detections(
    images: Sequence[ImageSources],
    corrections: Sequence[LinearCorrection],
    members: Sequence[int],
) -> Detections:
    """
    Put the sources of images together.

    Parameters
    ----------
    images, corrections : sequence
        All images with their corrections so far.
    members : sequence of int
        Those that are wanted.

    Returns
    -------
    Detections
        Their sources, without those that are nowhere on the sky.
    """
    none = np.zeros(0)
    places = [images[i].sky(corrections[i]) for i in members]
    ra = np.concatenate([none, *(place[0] for place in places)])
    dec = np.concatenate([none, *(place[1] for place in places)])
    counts = [len(images[i].x) for i in members]
    image = np.repeat(np.asarray(members, dtype=np.intp), counts)
    group = np.repeat(np.array([images[i].group for i in members], dtype=np.intp), counts)
    weights = [w for i in members if (w := images[i].weight) is not None]
    weight = np.concatenate([none, *weights]) if len(weights) == len(members) else None
    good = np.isfinite(ra) & np.isfinite(dec)
    return Detections(
        ra[good], dec[good], image[good], group[good], None if weight is None else weight[good]
    )


def footprints(
    images: Sequence[ImageSources],
    corrections: Sequence[LinearCorrection],
    members: Sequence[int],
) -> list[SkyPolygon]:
    """
    Draw where the sources of images are.

    Parameters
    ----------
    images, corrections : sequence
        All images with their corrections so far.
    members : sequence of int
        Those that are wanted.

    Returns
    -------
    list of SkyPolygon
        The hull of the sources of each, or its outline if these are too few.
    """
    hulls = (source_hull(*images[i].sky(corrections[i])) for i in members)
    return [
        hull or images[i].outline(corrections[i]) for i, hull in zip(members, hulls, strict=True)
    ]


@dataclass(frozen=True)
class Move:
    """
    What a correction does to a group.

    Attributes
    ----------
    east, north : float
        Shift of the middle of the group [arcsec].
    rotation : float
        Rotation from north through east [degree].
    scale : float
        Root of the change of areas.
    skew : float
        Change of the angle between the axes [degree].
    matrix : ndarray of float64, shape (2, 2)
        The movement in the plane (east, north) that touches the sky at `ra`, `dec`.
    shift : ndarray of float64, shape (2,)
        Its shift there [arcsec].
    ra, dec : float
        Where the plane touches [degree].
    """

    east: float
    north: float
    rotation: float
    scale: float
    skew: float
    matrix: NDArray[np.float64]
    shift: NDArray[np.float64]
    ra: float
    dec: float


def describe_move(
    images: Sequence[ImageSources],
    before: Sequence[LinearCorrection],
    after: Sequence[LinearCorrection],
    members: Sequence[int],
) -> Move:
    """
    Say how a group is moved on the sky.

    Parameters
    ----------
    images : sequence of ImageSources
        All images.
    before, after : sequence of LinearCorrection
        Their corrections.
    members : sequence of int
        The images of the group.

    Returns
    -------
    Move
        The movement.
    """
    pair = []
    for corrections in (before, after):
        places = [images[i].plane.to_world(corrections[i](images[i].probes)) for i in members]
        pair.append([np.concatenate(part) for part in zip(*places, strict=True)])
    ra, dec = mean_direction(*pair[0])
    plane = TangentPlane(ra, dec)
    start, end = (3600.0 * np.stack(plane.project(*place), axis=-1) for place in pair)
    linear = linear_between(start, end)
    matrix, centre = linear.matrix, start.mean(axis=0)
    displacement = linear(centre) - centre
    parts = decompose(matrix)
    return Move(
        east=float(displacement[0]),
        north=float(displacement[1]),
        rotation=parts.proper_rot,
        scale=float(np.sqrt(abs(np.linalg.det(matrix)))),
        skew=parts.skew,
        matrix=matrix,
        shift=linear.shift,
        ra=float(ra),
        dec=float(dec),
    )
