"""Rendered slit exposures with a known scene, for tests: tilted trace, curved wavelengths, nods."""

from __future__ import annotations

import numpy as np
from astropy import coordinates as coord
from astropy import units as u
from astropy.modeling.models import (
    Const1D,
    Identity,
    Linear1D,
    Mapping,
    Pix2Sky_TAN,
    Polynomial2D,
    RotateNative2Celestial,
    Shift,
)
from gwcs import WCS
from gwcs import coordinate_frames as cf
from stdatamodels.jwst.datamodels import MultiSlitModel, SlitModel
from stdatamodels.jwst.transforms.models import Logical

from webbweave.datamodels import tree_of
from webbweave.resample import SlitExposure

SHAPE = (26, 220)
PIXEL_SCALE = 0.1  # arcsec per pixel along the slit
HALF_LENGTH = 1.0  # of the slit, arcsec
POSITION_ANGLE = 35.0  # of the slit on the sky, degree
SIGMA = 0.16  # of the source along the slit, arcsec
LINES = ((2.0, 0.004), (2.35, 0.004), (2.7, 0.005))  # centre and sigma, micron
PIXEL_AREA = 4.8e-13  # steradian


def spectrum(wavelength):
    """Flux of the source per detector column, MJy: a sloped continuum and three narrow lines."""
    level = 1.0 + 0.3 * (wavelength - 2.3)
    for centre, sigma in LINES:
        level = level + 2.0 * np.exp(-0.5 * ((wavelength - centre) / sigma) ** 2)
    return 1e-9 * level


def slit_wcs(nod=0.0, ra=150.0, dec=2.0):
    """A slit WCS; the sky moves by `nod` arcsec along the slit, so that the source does."""
    middle = (SHAPE[0] - 1) / 2
    to_slit = Polynomial2D(
        2,
        c0_0=-PIXEL_SCALE * middle - 0.25 * PIXEL_SCALE,
        c0_1=PIXEL_SCALE,
        c1_0=0.004 * PIXEL_SCALE,
        c2_0=-8e-6 * PIXEL_SCALE,
    )
    to_wavelength = Polynomial2D(
        2, c0_0=1.8 - 0.0009 * middle, c1_0=0.0045, c2_0=1.5e-6, c0_1=0.0009
    )
    inside = Logical("GT", HALF_LENGTH, np.nan) | Logical("LT", -HALF_LENGTH, np.nan)
    detector_to_slit = (
        Mapping((0, 1, 0, 1))
        | (to_slit | inside) & to_wavelength
        | Mapping((0, 0, 1))
        | Const1D(0.0) & Identity(2)
    )
    angle = np.deg2rad(POSITION_ANGLE)
    degree = 1 / 3600
    to_x = Linear1D(np.sin(angle) * degree, -nod * np.sin(angle) * degree)
    to_y = Linear1D(np.cos(angle) * degree, -nod * np.cos(angle) * degree)
    slit_to_world = Mapping((1, 1, 2), n_inputs=3) | (
        to_x & to_y | Pix2Sky_TAN() | RotateNative2Celestial(ra, dec, 180)
    ) & Identity(1)
    back = (RotateNative2Celestial(ra, dec, 180).inverse | Pix2Sky_TAN().inverse) & Identity(1)
    slit_to_world.inverse = (
        back
        | Mapping((1, 2), n_inputs=3)
        | to_y.inverse & Identity(1)
        | Mapping((0, 0, 1))
        | Const1D(0.0) & Identity(2)
    )
    detector = cf.Frame2D(name="detector", unit=(u.pix, u.pix))
    spectral = cf.SpectralFrame(
        name="wavelength", axes_order=(2,), unit=(u.micron,), axes_names=("wavelength",)
    )
    slit = cf.CompositeFrame(
        [
            cf.Frame2D(name="slit", unit=("", ""), axes_names=("x_slit", "y_slit")),
            spectral,
        ],
        name="slit_frame",
    )
    sky = cf.CelestialFrame(name="sky", reference_frame=coord.ICRS())
    world = cf.CompositeFrame([sky, spectral], name="world")
    wcs = WCS([(detector, detector_to_slit), (slit, slit_to_world), (world, None)])
    wcs.bounding_box = ((-0.5, SHAPE[1] - 0.5), (-0.5, SHAPE[0] - 0.5))
    return wcs


#: Metre on the plane of the micro-shutters per arcsec along the slit.
MSA_STEP = 3.9e-4


def lamp_wcs():
    """The WCS of a lamp exposure: it ends on the micro-shutters."""
    sky = slit_wcs()
    to_slit, slit = sky.pipeline[0], sky.pipeline[1]
    to_x = Linear1D(1e-3 * MSA_STEP, -0.012)
    to_y = Linear1D(MSA_STEP, 0.014)
    to_msa = Mapping((1, 1, 2), n_inputs=3) | to_x & to_y & Identity(1)
    positions = cf.Frame2D(
        name="msa_spatial", unit=(u.m, u.m), axes_names=("x_msa", "y_msa"), axes_order=(0, 1)
    )
    msa = cf.CompositeFrame([positions, sky.output_frame.frames[1]], name="msa_frame")
    wcs = WCS([(to_slit.frame, to_slit.transform), (slit.frame, to_msa), (msa, None)])
    wcs.bounding_box = sky.bounding_box
    return wcs


def moving_wcs(nod, drift, ra=150.0, dec=2.0):
    """A slit that follows a target: `drift` is how far that has moved in ra and dec [degree]."""
    fixed = slit_wcs(nod, ra + drift[0], dec + drift[1])
    back = Shift(-drift[0]) & Shift(-drift[1]) & Identity(1)
    steps = [(step.frame, step.transform) for step in fixed.pipeline[:-1]]
    target = cf.CompositeFrame(fixed.output_frame.frames, name="moving_target")
    wcs = WCS([*steps, (fixed.output_frame, back), (target, None)])
    wcs.bounding_box = fixed.bounding_box
    return wcs


def source_image(wcs, nod=0.0):
    """A point source at the centre of the field, integrated over pixels along the slit, MJy."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(float)
    _, slit_y, wavelength = wcs.get_transform("detector", "slit_frame")(x, y)
    step = np.linspace(-0.5, 0.5, 11)[:, None, None] * PIXEL_SCALE
    profile = np.exp(-0.5 * ((slit_y + step - nod) / SIGMA) ** 2)
    weights = np.r_[0.5, np.ones(9), 0.5] / 10
    profile = np.tensordot(weights, profile, axes=1) * PIXEL_SCALE / (SIGMA * np.sqrt(2 * np.pi))
    return spectrum(wavelength) * profile


def exposure(data=None, *, nod=0.0, name="exposure", unit="MJy", noise=1e-12, wcs=None, **settings):
    """A SlitExposure of the source, or of the data given."""
    wcs = wcs or slit_wcs(nod)
    data = source_image(wcs, nod) if data is None else np.broadcast_to(data, SHAPE).copy()
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(float)
    outside = np.isnan(wcs(x, y)[0])
    data[outside] = np.nan
    variance = np.full(SHAPE, noise**2, dtype=np.float32)
    variance[outside] = np.nan
    return SlitExposure(
        name=name,
        data=data.astype(np.float32),
        dq=np.where(outside, 1, 0).astype(np.uint32),
        variances={
            "var_rnoise": variance,
            "var_flat": variance * np.float32(0.25),
            "var_poisson": variance * np.float32(2.0),
        },
        wcs=wcs,
        unit=unit,
        exposure_time=100.0,
        pixel_area=PIXEL_AREA,
        setup=("NIRSPEC", "F170LP", "G235M"),
        **settings,
    )


def slit_model(nod=0.0, *, number=1, source="S1", **settings):
    """The same as a SlitModel."""
    made = exposure(nod=nod, **settings)
    tree = {
        "data": made.data,
        "dq": made.dq,
        "err": np.sqrt(sum(made.variances.values())),
        **made.variances,
        "name": "7",
        "source_name": source,
        "source_id": 7,
        "meta": {
            "filename": f"jw01234001001_02101_{number:05d}_nrs1_cal.fits",
            "telescope": "JWST",
            "instrument": {
                "name": "NIRSPEC",
                "detector": "NRS1",
                "filter": "F170LP",
                "grating": "G235M",
            },
            "observation": {
                "program_number": "01234",
                "observation_number": "001",
                "visit_number": "001",
                "visit_group": "02",
                "sequence_id": "1",
                "activity_id": "01",
                "exposure_number": str(number),
                "date": f"2026-01-{number:02d}",
            },
            "exposure": {
                "type": "NRS_MSASPEC",
                "exposure_time": 100.0,
                "duration": 110.0,
                "start_time": 60000.0 + number,
                "end_time": 60000.5 + number,
            },
            "photometry": {"pixelarea_steradians": PIXEL_AREA},
            "wcsinfo": {"dispersion_direction": 1},
            "bunit_data": made.unit,
            "bunit_err": made.unit,
            "wcs": made.wcs,
        },
    }
    model = SlitModel(tree)
    assert tree_of(model) is tree
    return model


def multi_slit_model(number, sources=("A", "B")):
    """An exposure of several slits, all with the same scene."""
    nod = 0.3 * (number - 1)
    slits = []
    for index, source in enumerate(sources):
        tree = tree_of(slit_model(nod, number=number, source=source))
        slit = {key: value for key, value in tree.items() if key != "meta"}
        slit["name"] = str(index + 1)
        names = ("wcs", "wcsinfo", "photometry", "bunit_data", "bunit_err")
        slit["meta"] = {name: tree["meta"][name] for name in names}
        slits.append(slit)
    meta = {key: value for key, value in tree["meta"].items() if key not in names}
    return MultiSlitModel({"meta": meta, "slits": slits})
