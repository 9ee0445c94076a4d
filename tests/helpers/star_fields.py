"""Images of stars with known positions: Gaussians integrated over pixels, on a background."""

from __future__ import annotations

import numpy as np
from scipy.special import erf

REACH = 8  # pixels around a star that it is drawn in


def add_star(image, x, y, flux, fwhm):
    """Add one star to an image, in place."""
    sigma = fwhm / 2.354820045
    ny, nx = image.shape
    profiles = []
    for centre, size in ((y, ny), (x, nx)):
        first, last = (int(np.clip(round(centre) + d, 0, size)) for d in (-REACH, REACH + 1))
        edges = (np.arange(first, last + 1) - 0.5 - centre) / (sigma * np.sqrt(2))
        profiles.append((slice(first, last), 0.5 * np.diff(erf(edges))))
    (rows, along_y), (columns, along_x) = profiles
    image[rows, columns] += flux * np.outer(along_y, along_x)


def star_grid(per_side=15, spacing=20, *, fwhm=2.2, flux=3000.0, noise=1.0, level=5.0, seed=1):
    """Stars on a grid, each somewhere else within its pixel: image, x and y."""
    rng = np.random.default_rng(seed)
    size = per_side * spacing
    image = level + noise * rng.standard_normal((size, size))
    nodes = np.arange(per_side) * spacing + spacing // 2
    x, y = (
        axis.ravel() + rng.uniform(-0.5, 0.5, per_side**2) for axis in np.meshgrid(nodes, nodes)
    )
    for xs, ys in zip(x, y, strict=True):
        add_star(image, xs, ys, flux, fwhm)
    return image.astype(np.float32), x, y


def star_field(shape=(256, 300), number=60, *, fwhm=2.2, noise=1.0, level=5.0, slope=0.0, seed=1):
    """Stars anywhere, of fluxes from 100 to 30000, on a sloping background: image, x, y, flux."""
    rng = np.random.default_rng(seed)
    image = level + slope * np.arange(shape[1]) + noise * rng.standard_normal(shape)
    x, y = (rng.uniform(-0.5, size - 0.5, number) for size in shape[::-1])
    flux = 10 ** rng.uniform(2.0, 4.5, number)
    for star in zip(x, y, flux, strict=True):
        add_star(image, *star, fwhm)
    return image.astype(np.float32), x, y, flux


def errors_of(found_x, found_y, x, y, within=1.0):
    """Errors (n, 2) of the found positions, and how many found stars belong to no true one."""
    distance = np.hypot(np.subtract.outer(found_x, x), np.subtract.outer(found_y, y))
    nearest = distance.argmin(axis=1)
    true = distance.min(axis=1) < within
    errors = np.stack([found_x - x[nearest], found_y - y[nearest]], axis=1)
    return errors[true], int(np.count_nonzero(~true))
