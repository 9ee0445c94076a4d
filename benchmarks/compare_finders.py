"""Catalogs of an image of stars: this package beside photutils, and jwst where it is installed.

    python benchmarks/compare_finders.py [--size 2048] [--stars 3000] [--finder dao]

The packages take turns in one process, and the least processor time of each counts: machines are
shared and noisy, so compare ratios, not seconds. The errors of the positions are compared too. jwst
is run as its step finds sources; photutils by the calls that make the same catalog.
"""

from __future__ import annotations

import argparse
import logging
import os
import time
import warnings
from collections.abc import Callable

import numpy as np
from astropy.table import QTable
from scipy.special import erf
from stdatamodels.jwst.datamodels import ImageModel

from webbweave.tweakreg.background import estimate_background
from webbweave.tweakreg.catalogs import FinderOptions, coverage_mask, make_catalog
from webbweave.tweakreg.finders import find_stars, make_kernel, refine_positions

BOUNDS = {"sharplo": 0.2, "sharphi": 2.0, "roundlo": -1.0, "roundhi": 1.0}
FWHM = 2.2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=int, default=2048, help="side of the image (default: 2048)")
    parser.add_argument("--stars", type=int, default=3000, help="number of stars (default: 3000)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each (default: 3)")
    parser.add_argument("--finder", choices=("dao", "iraf", "segmentation"), default="dao")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    image, x, y = scene(options.size, options.stars)
    dq = np.zeros(image.shape, dtype=np.uint32)
    dq[np.random.default_rng(2).random(image.shape) < 0.003] = 1
    calls = {
        name: make(image, dq, options.finder)
        for name, make in (
            ("webbweave", ours(compat=False)),
            ("webbweave compat", ours(compat=True)),
            ("photutils", photutils),
            ("jwst", jwst),
        )
    }
    seconds: dict[str, float] = {}
    found = {}
    for _ in range(options.rounds):
        for name, call in calls.items():
            if call is None:
                continue
            start = time.process_time()
            found[name] = call()
            seconds[name] = min(seconds.get(name, np.inf), time.process_time() - start)
    for name, table in found.items():
        errors = nearest(table, x, y)
        print(
            f"{name:18s} {seconds[name]:7.3f} s  x{seconds[name] / seconds['webbweave']:5.1f}  "
            f"{len(table):5d} sources, scatter of the brightest "
            f"{1.4826 * np.median(abs(errors)):.4f} px"
        )
    stages(image, dq)


def scene(size: int, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Stars of Gaussian shape, integrated over pixels, on a slope with noise 1."""
    rng = np.random.default_rng(1)
    image = rng.standard_normal((size, size)) + 10.0 + 0.002 * np.arange(size)
    x, y = rng.uniform(8, size - 9, (2, number))
    scale = FWHM / 2.3548 * np.sqrt(2)
    for xs, ys, flux in zip(x, y, 10 ** rng.uniform(2, 4.5, number), strict=True):
        first = [round(centre) - 8 for centre in (ys, xs)]
        profiles = [
            0.5 * np.diff(erf((start + np.arange(18) - 0.5 - centre) / scale))
            for start, centre in zip(first, (ys, xs), strict=True)
        ]
        rows, columns = (slice(start, start + 17) for start in first)
        image[rows, columns] += flux * np.outer(*profiles)
    return image.astype(np.float32), x, y


def ours(*, compat: bool) -> Callable:
    def make(image, dq, finder):
        options = FinderOptions(starfinder=finder, **BOUNDS)
        return lambda: make_catalog(
            image, coverage_mask(dq), np.ones_like(image), options=options, compat=compat
        )

    return make


def photutils(image, dq, finder):
    if finder == "segmentation":
        return None
    from astropy.stats import SigmaClip
    from photutils.background import Background2D, MedianBackground
    from photutils.detection import DAOStarFinder, IRAFStarFinder

    def call():
        mask = coverage_mask(dq)
        background = Background2D(
            image,
            400,
            coverage_mask=mask,
            sigma_clip=SigmaClip(3.0, maxiters=5),
            bkg_estimator=MedianBackground(),
        )
        threshold = 10.0 * np.median(background.background_rms)
        table = {"dao": DAOStarFinder, "iraf": IRAFStarFinder}[finder](
            threshold=threshold,
            fwhm=2.5,
            min_separation=2,
            sharpness_range=(BOUNDS["sharplo"], BOUNDS["sharphi"]),
            roundness_range=(BOUNDS["roundlo"], BOUNDS["roundhi"]),
            n_brightest=200,
        )(image - background.background, mask=mask)
        names = {"xcentroid": "x_centroid", "ycentroid": "y_centroid", "flux": "flux"}
        return QTable({ours: np.asarray(table[theirs]) for ours, theirs in names.items()})

    return call


def jwst(image, dq, finder):
    os.environ.setdefault("STPIPE_DISABLE_CRDS_STEPPARS", "true")
    try:
        from jwst.tweakreg import TweakRegStep
    except ImportError:
        return None
    model = ImageModel(data=image, dq=dq, err=np.ones_like(image))
    model.meta.filename = "a_cal.fits"
    step = TweakRegStep(starfinder=finder, **BOUNDS)
    return lambda: step._find_sources(model)


def nearest(table, x, y) -> np.ndarray:
    """Errors of the 200 brightest of a catalog, those near a star."""
    table = table[np.argsort(-np.asarray(table["flux"]))[:200]]
    dx = np.subtract.outer(np.asarray(table["xcentroid"]), x)
    dy = np.subtract.outer(np.asarray(table["ycentroid"]), y)
    best = np.hypot(dx, dy).argmin(axis=1)[:, None]
    errors = np.hstack([np.take_along_axis(d, best, axis=1) for d in (dx, dy)])
    return errors[np.hypot(*errors.T) < 1]


def stages(image: np.ndarray, dq: np.ndarray) -> None:
    """What is left of the time, by stage."""
    mask = coverage_mask(dq)
    background = estimate_background(image, mask)
    data = background.subtracted(image, mask)
    rms = background.typical_rms(mask)
    kernel = make_kernel(2.5)
    stars = find_stars(data, 10 * rms, method="dao", kernel=kernel, mask=mask)
    for name, call in {
        "mask": lambda: coverage_mask(dq),
        "background mesh": lambda: estimate_background(image, mask),
        "subtraction": lambda: background.subtracted(image, mask),
        "threshold": lambda: background.typical_rms(mask),
        "finding": lambda: find_stars(data, 10 * rms, method="dao", kernel=kernel, mask=mask),
        f"fit of all {len(stars)}": lambda: refine_positions(data, stars.x, stars.y, kernel),
    }.items():
        times = []
        for _ in range(5):
            start = time.process_time()
            call()
            times.append(time.process_time() - start)
        print(f"  {name:20s} {min(times):.4f} s")


if __name__ == "__main__":
    main()
