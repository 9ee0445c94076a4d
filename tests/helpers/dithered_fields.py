"""Fields of stars seen by groups of images whose pointing is wrong by a known amount."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from webbweave.wcs.tangent import TangentPlane


def on_sky(plane, x, y):
    """Sky positions of points [arcsec] of a plane."""
    return plane.deproject(np.asarray(x) / 3600, np.asarray(y) / 3600)


def on_plane(plane, ra, dec):
    """Points [arcsec] of a plane, shape (n, 2)."""
    return np.stack(plane.project(ra, dec), axis=-1) * 3600


@dataclass
class Field:
    """Detections, what is true of them, and the corrections that would put them right."""

    ra: np.ndarray
    dec: np.ndarray
    group: np.ndarray
    star: np.ndarray
    true_ra: np.ndarray
    true_dec: np.ndarray
    planes: list[TangentPlane]
    matrices: np.ndarray
    shifts: np.ndarray

    def errors(self, ra, dec):
        """Distance of positions of the detections from the true stars [arcsec], east and north."""
        east = (ra - self.true_ra[self.star] + 180) % 360 - 180
        north = dec - self.true_dec[self.star]
        return np.stack([east * np.cos(np.deg2rad(dec)), north], axis=-1) * 3600


def field(
    n_group,
    n_star,
    rng,
    *,
    place=(150.0, 2.0),
    size=130.0,
    dither=30.0,
    noise=0.001,
    shift=0.4,
    rotation=0.02,
    scale=0.0,
    general=0.0,
    seen=1.0,
):
    """Dithered exposures [arcsec, degree, relative] of stars that all lie in the field."""
    middle = TangentPlane(*place)
    reach = size / 2 + dither
    truth = on_sky(middle, *rng.uniform(-reach, reach, (2, n_star)))
    parts, planes, matrices, shifts = [], [], [], []
    for index in range(n_group):
        plane = TangentPlane(*map(float, on_sky(middle, *rng.uniform(-dither, dither, 2))))
        angle = np.deg2rad(rng.uniform(-rotation, rotation))
        cos, sin = np.cos(angle), np.sin(angle)
        matrix = (1 + rng.uniform(-scale, scale)) * np.array([[cos, sin], [-sin, cos]])
        matrix = matrix + rng.uniform(-general, general, (2, 2))
        offset = rng.uniform(-shift, shift, 2)
        right = on_plane(plane, *truth)
        inside = np.all(np.abs(right) < size / 2, axis=1) & (rng.random(n_star) < seen)
        measured = right[inside] + rng.normal(0, noise, (np.count_nonzero(inside), 2))
        wrong = np.linalg.solve(matrix, (measured - offset).T)
        parts.append((*on_sky(plane, *wrong), np.full(wrong.shape[1], index), np.where(inside)[0]))
        planes.append(plane)
        matrices.append(matrix)
        shifts.append(offset)
    ra, dec, group, star = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Field(ra, dec, group, star, *truth, planes, np.array(matrices), np.array(shifts))
