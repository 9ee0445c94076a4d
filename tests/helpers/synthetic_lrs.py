"""Rendered MIRI LRS exposures with a known scene: dispersed along y, tilted trace and lines."""

from __future__ import annotations

import numpy as np
from astropy import coordinates as coord
from astropy import units as u
from astropy.modeling.models import (
    Identity,
    Linear1D,
    Mapping,
    Pix2Sky_TAN,
    Polynomial2D,
    RotateNative2Celestial,
)
from gwcs import WCS
from gwcs import coordinate_frames as cf
from stdatamodels.jwst.datamodels import SlitModel

from webbweave.datamodels import tree_of
from webbweave.resample import SlitExposure

SHAPE = (130, 64)
BOX = ((8.5, 55.5), (4.5, 124.5))
PIXEL_SCALE = 0.11  # arcsec per pixel along the slit
CENTRE = (32.0, 64.0)  # pixel of the source without a nod
SIGMA = 0.2  # of the source along the slit, arcsec
LINES = ((7.0, 0.1), (9.5, 0.1))  # centre and sigma, micron
PIXEL_AREA = 2.8e-13  # steradian
SLIT_WIDTH = 0.51  # arcsec


def spectrum(wavelength):
    """Flux of the source per detector row, MJy."""
    level = 1.0 - 0.05 * (wavelength - 8.0)
    for centre, sigma in LINES:
        level = level + 2.0 * np.exp(-0.5 * ((wavelength - centre) / sigma) ** 2)
    return 1e-9 * level


def lrs_wcs(nod=0.0, ra=80.0, dec=-69.5, angle=35.0):
    """A WCS whose sky moves by `nod` arcsec along the slit at position angle `angle` [degree]."""
    along = Polynomial2D(
        1,
        c0_0=-PIXEL_SCALE * (CENTRE[0] + 0.006 * CENTRE[1]),
        c1_0=PIXEL_SCALE,
        c0_1=0.006 * PIXEL_SCALE,
    )
    # Wavelengths descend with the row, and lines are tilted by half a row across the slit.
    wavelength = Polynomial2D(2, c0_0=11.0, c0_1=-0.045, c0_2=-2e-5, c1_0=-0.0005)
    turned = np.deg2rad(angle)
    step_x, step_y = np.sin(turned) / 3600, np.cos(turned) / 3600
    sky = (
        Linear1D(step_x, -nod * step_x) & Linear1D(step_y, -nod * step_y)
        | Pix2Sky_TAN()
        | RotateNative2Celestial(ra, dec, 180)
    )
    transform = Mapping((0, 1, 0, 1)) | along & wavelength | Mapping((0, 0, 1)) | sky & Identity(1)
    spectral = cf.SpectralFrame(
        name="spectral", axes_order=(2,), unit=(u.micron,), axes_names=("wavelength",)
    )
    world = cf.CompositeFrame(
        [cf.CelestialFrame(name="sky", reference_frame=coord.ICRS()), spectral], name="world"
    )
    wcs = WCS([(cf.Frame2D(name="detector"), transform), (world, None)])
    wcs.bounding_box = BOX
    return wcs


def source_image(wcs, nod=0.0):
    """A point source integrated over pixels along the slit, MJy."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(float)
    wavelength = wcs(x, y)[2]
    along = PIXEL_SCALE * (x - CENTRE[0] + 0.006 * (y - CENTRE[1])) - nod
    step = np.linspace(-0.5, 0.5, 11)[:, None, None] * PIXEL_SCALE
    profile = np.exp(-0.5 * ((along + step) / SIGMA) ** 2)
    weights = np.r_[0.5, np.ones(9), 0.5] / 10
    profile = np.tensordot(weights, profile, axes=1) * PIXEL_SCALE / (SIGMA * np.sqrt(2 * np.pi))
    return spectrum(wavelength) * profile


def exposure(*, nod=0.0, name="lrs", unit="MJy", noise=1e-12, data=None, wcs=None, **settings):
    """A SlitExposure of the source, or of the data given."""
    wcs = wcs or lrs_wcs(nod)
    data = source_image(wcs, nod) if data is None else np.broadcast_to(data, SHAPE).copy()
    if unit == "MJy/sr":
        data, noise = data / PIXEL_AREA, noise / PIXEL_AREA
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(float)
    outside = np.isnan(wcs(x, y)[0])
    data[outside] = np.nan
    variance = np.full(SHAPE, noise**2, dtype=np.float32)
    variance[outside] = np.nan
    settings = {"exposure_type": "MIR_LRS-FIXEDSLIT", "s_region": outline(wcs)} | settings
    return SlitExposure(
        name=name,
        data=data.astype(np.float32),
        dq=np.where(outside, 1, 0).astype(np.uint32),
        variances={"var_rnoise": variance, "var_poisson": variance * np.float32(2.0)},
        wcs=wcs,
        unit=unit,
        exposure_time=100.0,
        pixel_area=PIXEL_AREA,
        setup=("MIRI", "P750L", ""),
        dispersion_axis=2,
        **settings,
    )


def outline(wcs):
    """S_REGION of the slit: 4.7 arcsec by its width."""
    ra, dec, _ = wcs(*CENTRE)
    half = coord.SkyCoord(ra, dec, unit="deg")
    corners = [
        half.directional_offset_by(angle * u.deg, radius * u.arcsec)
        for angle, radius in ((6, 2.4), (-6, 2.4), (-174, 2.4), (174, 2.4))
    ]
    numbers = " ".join(f"{corner.ra.deg:.9f} {corner.dec.deg:.9f}" for corner in corners)
    return f"POLYGON ICRS  {numbers}"


def lrs_model(nod=0.0, *, number=1, model_class=SlitModel, **settings):
    """The same as a data model."""
    made = exposure(nod=nod, **settings)
    tree = {
        "data": made.data,
        "dq": made.dq,
        "err": np.sqrt(sum(made.variances.values())),
        **made.variances,
        "meta": {
            "filename": f"jw01234001001_02101_{number:05d}_mirimage_cal.fits",
            "telescope": "JWST",
            "instrument": {"name": "MIRI", "detector": "MIRIMAGE", "filter": "P750L"},
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
                "type": made.exposure_type,
                "exposure_time": 100.0,
                "duration": 110.0,
                "start_time": 60000.0 + number,
                "end_time": 60000.5 + number,
            },
            "photometry": {"pixelarea_steradians": PIXEL_AREA},
            "wcsinfo": {"dispersion_direction": 2, "s_region": made.s_region},
            "bunit_data": made.unit,
            "bunit_err": made.unit,
            "wcs": made.wcs,
        },
    }
    if model_class is SlitModel:
        tree |= {"source_xpos": CENTRE[0] + nod / PIXEL_SCALE, "source_ypos": CENTRE[1]}
    model = model_class(tree)
    assert tree_of(model) is tree
    return model
