"""Images of a star field with pixels, whose pointing is wrong by a known amount, as files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.table import Table
from dithered_models import _pixels
from star_fields import add_star
from stdatamodels.jwst.datamodels import ImageModel
from synthetic_image_wcs import PIXEL, WCSINFO, image_wcs

from webbweave.wcs.tangent import TangentPlane

PLACE = (214.75, 52.83)
FWHM = 2.5
#: Decades of flux. Noise of a pixel is 1: the faintest stars are at the limit of detection.
FLUX = (1.7, 3.5)


@dataclass
class Rendered:
    """Files, the true sky positions of their middles, and the catalog of the stars."""

    paths: list[Path]
    ra: list[float]
    dec: list[float]
    catalog: Path
    size: int

    def errors(self, result):
        """Errors of the middles of corrected images [mas]."""
        middle = (self.size - 1) / 2
        found = np.array([model.meta.wcs(middle, middle) for model in result])
        east = (found[:, 0] - self.ra + 180) % 360 - 180
        east = east * np.cos(np.deg2rad(self.dec))
        return 3.6e6 * np.hypot(east, found[:, 1] - self.dec)


def rendered_images(
    folder, n, *, size=2048, n_star=1500, dither=8.0, shift=0.4, turn=0.01, seed=1, shifts=None
):
    """
    Render exposures: dithers and errors of the pointing [arcsec], of the roll [degree].

    The first exposure is right, so that a relative alignment can be compared with the truth.
    """
    folder = Path(folder)
    rng = np.random.default_rng(seed)
    plane = TangentPlane(*PLACE)
    reach = size * PIXEL / 2 + dither
    total = int(n_star * (2 * reach / (size * PIXEL)) ** 2)
    sky = plane.deproject(*rng.uniform(-reach, reach, (2, total)) * 1.5 / 3600)
    flux = 10 ** rng.uniform(*FLUX, total)
    catalog = folder / "stars.ecsv"
    columns = {"RA": sky[0], "DEC": sky[1], "mag": 25 - 2.5 * np.log10(flux)}
    Table(columns).write(catalog, overwrite=True)
    found = Rendered([], [], [], catalog, size)
    for k in range(n):
        ra, dec = (float(v) for v in plane.deproject(*rng.uniform(-dither, dither, 2) / 3600))
        wrong = rng.uniform(-shift, shift, 2) / 3600 if k else np.zeros(2)
        if shifts is not None:
            wrong = np.asarray(shifts[k]) / 3600
        shown_ra, shown_dec = (float(v) for v in TangentPlane(ra, dec).deproject(*wrong))
        shown = WCSINFO | {"roll_ref": WCSINFO["roll_ref"] + (rng.uniform(-turn, turn) if k else 0)}
        truth = image_wcs(ra=ra, dec=dec, size=size)
        image = rng.standard_normal((size, size)) + 5.0
        x, y = _pixels(truth, sky)
        inside = (x > 1) & (x < size - 2) & (y > 1) & (y < size - 2)
        for star in np.flatnonzero(inside):
            add_star(image, x[star], y[star], flux[star], FWHM)
        model = _model(k, image, image_wcs(ra=shown_ra, dec=shown_dec, wcsinfo=shown, size=size))
        for key, value in shown.items():
            setattr(model.meta.wcsinfo, key, value)
        path = folder / model.meta.filename
        model.save(path)
        found.paths.append(path)
        found.ra.append(float(truth(*[(size - 1) / 2] * 2)[0]))
        found.dec.append(float(truth(*[(size - 1) / 2] * 2)[1]))
    text = json.dumps({"ra": found.ra, "dec": found.dec, "size": size})
    (folder / "truth.json").write_text(text)
    return found


def read_truth(folder):
    """Read what `rendered_images` wrote into a folder."""
    folder = Path(folder)
    truth = json.loads((folder / "truth.json").read_text())
    return Rendered(sorted(folder.glob("*_cal.fits")), catalog=folder / "stars.ecsv", **truth)


def _model(exposure, image, wcs):
    model = ImageModel(data=image.astype(np.float32))
    model.err = np.ones_like(model.data)
    model.dq = np.zeros(image.shape, np.uint32)
    model.meta.filename = f"jw01345001001_02201_{exposure + 1:05d}_nrcblong_cal.fits"
    model.meta.telescope = "JWST"
    model.meta.instrument.name, model.meta.instrument.filter = "NIRCAM", "F444W"
    model.meta.instrument.detector = "NRCBLONG"
    model.meta.wcs = wcs
    info, aperture = model.meta.wcsinfo, wcs.bounding_box
    info.ra_ref, info.dec_ref = (float(v) for v in wcs(*(side[1] / 2 for side in aperture)))
    info.v3yangle, info.vparity = 0.0, -1
    observation = model.meta.observation
    observation.program_number, observation.observation_number = "01345", "001"
    observation.visit_number, observation.visit_group = "001", "02"
    observation.sequence_id, observation.activity_id = "2", "01"
    observation.exposure_number, observation.date = str(exposure + 1), "2022-06-21"
    observation.time = "10:00:00.000"
    return model
