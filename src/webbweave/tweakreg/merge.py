"""One star, many detections: which detections belong together, and where the star is.

A star that N images show is N detections that scatter around one place. To take one of them throws
away the others, and to choose it by its place moves the star; their mean does neither.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from webbweave.wcs.sky import chord, sky_position, unit_vectors

__all__ = ["StarList", "merge_detections", "mutual_neighbours"]


@dataclass(frozen=True)
class StarList:
    """
    Stars as means of detections.

    Attributes
    ----------
    ra, dec : ndarray of float64, shape (n,)
        Weighted mean positions [degree].
    weight : ndarray of float64, shape (n,)
        Sums of the weights.
    n_detections : ndarray of int64, shape (n,)
        Numbers of detections.
    """

    ra: NDArray[np.float64]
    dec: NDArray[np.float64]
    weight: NDArray[np.float64]
    n_detections: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ra)

    def add(
        self,
        ra: NDArray[np.float64],
        dec: NDArray[np.float64],
        star: NDArray[np.intp],
        weight: ArrayLike = 1.0,
    ) -> tuple[StarList, NDArray[np.intp]]:
        """
        Add the detections of an image.

        Parameters
        ----------
        ra, dec : ndarray of float64, shape (m,)
            Sky positions [degree].
        star : ndarray of int, shape (m,)
            The star that each detection is of, -1 for a new one. No star twice.
        weight : array_like, shape (m,) or ()
            Weights of the detections, positive.

        Returns
        -------
        StarList
            The stars, new ones last in the order of their detections.
        ndarray of int, shape (m,)
            The star of each detection in the new list.
        """
        weights = np.broadcast_to(np.asarray(weight, dtype=np.float64), ra.shape)
        label = np.asarray(star, dtype=np.intp).copy()
        new = label < 0
        label[new] = len(self) + np.arange(np.count_nonzero(new))
        total = np.concatenate([self.weight, np.zeros(np.count_nonzero(new))])
        count = np.concatenate([self.n_detections, np.zeros(np.count_nonzero(new), np.int64)])
        sums = np.zeros((len(total), 3))
        sums[: len(self)] = unit_vectors(self.ra, self.dec) * self.weight[:, None]
        np.add.at(sums, label, unit_vectors(ra, dec) * weights[:, None])
        np.add.at(total, label, weights)
        np.add.at(count, label, 1)
        touched = np.zeros(len(total), dtype=bool)
        touched[label] = True
        mean = sky_position(sums)
        places = []
        for old, moved in zip((self.ra, self.dec), mean, strict=True):
            place = moved.copy()
            place[: len(self)] = np.where(touched[: len(self)], moved[: len(self)], old)
            places.append(place)
        return StarList(places[0], places[1], total, count), label


def mutual_neighbours(
    ra: NDArray[np.float64],
    dec: NDArray[np.float64],
    other_ra: NDArray[np.float64],
    other_dec: NDArray[np.float64],
    radius: float,
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """
    Find the pairs of two lists that are each other's nearest.

    Parameters
    ----------
    ra, dec : ndarray of float64, shape (n,)
        Sky positions [degree], finite.
    other_ra, other_dec : ndarray of float64, shape (m,)
        Sky positions of the other list, finite.
    radius : float
        The largest distance [arcsec].

    Returns
    -------
    first, second : ndarray of int, shape (n_pair,)
        Indices into the two lists, in the order of the first; none occurs twice.
    """
    none = np.zeros(0, dtype=np.intp)
    if len(ra) == 0 or len(other_ra) == 0:
        return none, none
    tips, others = unit_vectors(ra, dec), unit_vectors(other_ra, other_dec)
    reach = chord(radius)
    # A bound of the search excludes the bound itself.
    far = np.nextafter(reach, np.inf)
    _, nearest = _tree(others).query(tips, distance_upper_bound=far)
    first = np.flatnonzero(nearest < len(others))
    second = nearest[first]
    _, back = _tree(tips).query(others[second], distance_upper_bound=far)
    mutual = back == first
    return first[mutual], second[mutual].astype(np.intp)


def _tree(points: NDArray[np.float64]) -> cKDTree:
    # Stars are spread evenly enough: a tree that is made to measure takes longer than it saves.
    return cKDTree(points, balanced_tree=False, compact_nodes=False)


def merge_detections(
    ra: NDArray[np.float64],
    dec: NDArray[np.float64],
    image: NDArray[np.integer],
    *,
    radius: float,
    weight: NDArray[np.float64] | None = None,
) -> tuple[StarList, NDArray[np.intp]]:
    """
    Put together the detections of each star in images that are aligned with each other.

    Image by image in increasing number, detections join the star of which they are the nearest
    detection and which is their nearest star; the others are new stars. So a star never has two
    detections in one image, however crowded the field.

    Parameters
    ----------
    ra, dec : ndarray of float64, shape (n,)
        Sky positions of all detections [degree], finite.
    image : ndarray of int, shape (n,)
        The image that each detection is in.
    radius : float
        The largest distance of a detection from the mean of those before it [arcsec].
    weight : ndarray of float64, shape (n,), optional
        Weights, positive; 1 each by default.

    Returns
    -------
    StarList
        The stars: weighted means.
    ndarray of int, shape (n,)
        The star of each detection.
    """
    weight = np.ones(len(ra)) if weight is None else weight
    label = np.full(len(ra), -1, dtype=np.intp)
    empty = np.zeros(0)
    stars = StarList(empty, empty, empty, np.zeros(0, dtype=np.int64))
    order = np.argsort(image, kind="stable")
    starts = np.flatnonzero(np.diff(image[order], prepend=image[order][:1] - 1))
    for members in np.split(order, starts[1:]):
        if len(members) == 0:
            continue
        star = np.full(len(members), -1, dtype=np.intp)
        known, found = mutual_neighbours(stars.ra, stars.dec, ra[members], dec[members], radius)
        star[found] = known
        stars, label[members] = stars.add(ra[members], dec[members], star, weight[members])
    return stars, label
