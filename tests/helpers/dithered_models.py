"""Image models of one star field, whose pointing is wrong by a known amount, with catalogs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy.table import Table
from star_fields import add_star
from stdatamodels.jwst.datamodels import ImageModel
from synthetic_image_wcs import PIXEL, SIZE, WCSINFO, image_wcs

from webbweave.datamodels import read_table, tree_of
from webbweave.wcs.tangent import TangentPlane


@dataclass
class Exposures:
    """Models, and what is true of them."""

    models: list[ImageModel]
    truth: list[object]
    reference: Table
    catalogs: list[Path] = field(default_factory=list)

    def errors(self, result, *, relative=False):
        """Error of each WCS over its image [mas], shape (n, 2, 49): east and north."""
        x, y = (axis.ravel() for axis in np.meshgrid(*[np.linspace(20, SIZE - 20, 7)] * 2))
        errors = []
        for model, truth in zip(result, self.truth, strict=True):
            ra, dec = model.meta.wcs(x, y)
            right_ra, right_dec = truth(x, y)
            east = (ra - right_ra + 180) % 360 - 180
            errors.append([east * np.cos(np.deg2rad(right_dec)), dec - right_dec])
        errors = 3.6e6 * np.array(errors)
        return errors - errors.mean(axis=(0, 2), keepdims=True) if relative else errors

    def disagreement(self, result, *, relative=False):
        """
        Largest error of each WCS over its image [mas].

        Relative errors are those against the first image, which may be wrong itself: by how much,
        the others are to be wrong too, wherever they look.
        """
        x, y = (axis.ravel() for axis in np.meshgrid(*[np.linspace(5, SIZE - 5, 5)] * 2))
        plane = TangentPlane(*map(float, self.truth[0](SIZE / 2, SIZE / 2)))
        found, right = (
            [3.6e6 * np.stack(plane.project(*wcs(x, y)), axis=-1) for wcs in each]
            for each in ([model.meta.wcs for model in result], self.truth)
        )
        if relative:
            known = [np.column_stack([points, np.ones(len(points))]) for points in right]
            common = np.linalg.lstsq(known[0], found[0], rcond=None)[0]
            right = [points @ common for points in known]
        return np.array([np.hypot(*(a - b).T).max() for a, b in zip(found, right, strict=True)])

    def scatter(self, result, first=0):
        """
        Rms of what the images of a result disagree in [mas].

        A linear error that all have in common does not count. The result may be of the images from
        number ``first`` on.
        """
        x, y = (axis.ravel() for axis in np.meshgrid(*[np.linspace(5, SIZE - 5, 5)] * 2))
        plane = TangentPlane(*map(float, self.truth[0](SIZE / 2, SIZE / 2)))
        found, right = (
            np.concatenate([3.6e6 * np.stack(plane.project(*wcs(x, y)), axis=-1) for wcs in each])
            for each in ([model.meta.wcs for model in result], self.truth[first:])
        )
        known = np.column_stack([right, np.ones(len(right))])
        error = found - known @ np.linalg.lstsq(known, found, rcond=None)[0]
        return np.sqrt(np.mean(np.sum(error**2, axis=1)))

    def rms(self, result, **options):
        """Root mean square of the errors of each image [mas]."""
        return np.sqrt(np.mean(np.sum(self.errors(result, **options) ** 2, axis=1), axis=1))


def exposures(
    folder,
    n=3,
    *,
    n_star=500,
    noise=0.05,
    dither=6.0,
    shift=0.4,
    turn=0.02,
    shifts=None,
    seed=1,
    place=(214.75, 52.83),
    detectors=1,
    weights=False,
):
    """
    Make exposures; shifts [arcsec], turns [degree], noise of the catalogs [pixel].

    The first exposure is right, so that a relative alignment can be compared with the truth. With
    more detectors, each exposure has as many images side by side.
    """
    rng = np.random.default_rng(seed)
    plane = TangentPlane(*place)
    extent = SIZE * PIXEL / 2 + dither + detectors * SIZE * PIXEL
    density = n_star / (SIZE * PIXEL) ** 2
    total = int(density * (2 * extent) ** 2)
    sky = plane.deproject(*rng.uniform(-extent, extent, (2, total)) / 3600)
    found = Exposures([], [], Table({"RA": sky[0], "DEC": sky[1]}))
    for k in range(n):
        offset = rng.uniform(-dither, dither, 2) / 3600
        wrong = rng.uniform(-shift, shift, 2) if shifts is None else np.asarray(shifts[k], float)
        roll_error = rng.uniform(-turn, turn)
        if k == 0:
            roll_error = 0.0
            wrong = wrong if shifts is not None else np.zeros(2)
        for d in range(detectors):
            info = WCSINFO | {"v2_ref": WCSINFO["v2_ref"] + 1.02 * d * SIZE * PIXEL}
            beside = np.array([0.9 * d * SIZE * PIXEL / 3600, 0.0])
            at = np.array(plane.deproject(*(offset + beside)))
            truth = image_wcs(ra=at[0], dec=at[1], wcsinfo=info)
            angle = np.deg2rad(roll_error)
            turned = np.array([np.cos(angle) * beside[0], -np.sin(angle) * beside[0]])
            shifted = TangentPlane(*at).deproject(*(turned - beside + wrong / 3600))
            north = _north(TangentPlane(*at), *shifted)
            shown = dict(info, roll_ref=info["roll_ref"] + roll_error - north)
            model = _model(k, d, image_wcs(ra=shifted[0], dec=shifted[1], wcsinfo=shown), shown)
            x, y = _pixels(truth, sky)
            inside = (x > 0) & (x < SIZE - 1) & (y > 0) & (y < SIZE - 1)
            near = np.hypot(*plane.project(*sky)) < 1
            x, y = (axis[inside & near] for axis in (x, y))
            error = noise * rng.uniform(0.5, 1.5, len(x)) if weights else np.full(len(x), noise)
            columns = {"x": x + error * rng.normal(size=len(x)), "y": y}
            columns["y"] = y + error * rng.normal(size=len(x))
            if weights:
                columns["weight"] = 1 / error**2
            path = Path(folder) / model.meta.filename.replace("_cal.fits", "_stars.ecsv")
            Table(columns).write(path, format="ascii.ecsv", overwrite=True)
            tree_of(model)["meta"]["tweakreg_catalog"] = str(path)
            found.models.append(model)
            found.truth.append(truth)
            found.catalogs.append(path)
    return found


def _north(plane, ra, dec):
    """Where north is, at a place near the point of contact [degree]."""
    (x0, x1), (y0, y1) = plane.project([ra, ra], [dec, dec + 1e-6])
    return np.rad2deg(np.arctan2(x1 - x0, y1 - y0))


def _pixels(wcs, sky):
    """Invert a WCS whose own inverse is but a linear approximation."""
    forward, backward = wcs.forward_transform, wcs.backward_transform
    target = np.array(backward(*sky))
    x = target.copy()
    for _ in range(5):
        x += target - np.array(backward(*forward(*x)))
    return x


def _model(exposure, detector, wcs, info):
    model = ImageModel((8, 8))  # the catalogs are given: nobody looks at the pixels
    # Written past the validation of each value, which would take most of the time of a test.
    meta = tree_of(model)["meta"]
    meta["filename"] = f"jw01345001001_02201_{exposure + 1:05d}_nrcb{detector + 1}_cal.fits"
    meta["wcs"] = wcs
    angles = {name: info[name] for name in ("v2_ref", "v3_ref", "roll_ref")}
    meta["wcsinfo"] = {"ra_ref": 1.0, "dec_ref": 2.0, **angles}
    meta["observation"] = {
        "program_number": "01345",
        "observation_number": "001",
        "visit_number": "001",
        "visit_group": "02",
        "sequence_id": "2",
        "activity_id": "01",
        "exposure_number": str(exposure + 1),
        "date": "2022-06-21",
    }
    return model


def draw(field, rng, *, fwhm=2.2, flux=(3.0, 5.0)):
    """Draw the stars of the catalogs, of decades of flux, with noise and missing pixels."""
    flux_of = {}
    for model, path in zip(field.models, field.catalogs, strict=True):
        table = read_table(path)
        image = rng.normal(5.0, 1.0, (SIZE, SIZE))
        ra, dec = model.meta.wcs(np.array(table["x"]), np.array(table["y"]))
        for x, y, east, north in zip(table["x"], table["y"], ra, dec, strict=True):
            # The same star has the same flux in each image, whatever its pointing error is.
            key = round(east * 7200), round(north * 7200)
            add_star(image, x, y, flux_of.setdefault(key, 10 ** rng.uniform(*flux)), fwhm)
        dq = (rng.random(image.shape) < 5e-4).astype(np.uint32)
        image[dq > 0] = np.nan
        model.data, model.dq = image.astype(np.float32), dq
        model.err = np.ones(image.shape, dtype=np.float32)
