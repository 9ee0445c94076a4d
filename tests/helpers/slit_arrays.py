"""Synthetic slitlets as the dictionaries of arrays that a group is made of."""

from __future__ import annotations

from typing import Any

import numpy as np
from synthetic_slitlet import PIXEL_SCALE, SHUTTER_SCALE, SyntheticSlitlet

PIXEL_AREA = 4.85e-13  # steradian
STATES = {1: "x11", 2: "1x1", 3: "11x"}


def exposure_arrays(slitlet: SyntheticSlitlet, i: int) -> dict[str, Any]:
    """What a file of exposure `i` would hold; the pipeline has divided by the bars."""
    ny, nx = slitlet.shape
    unit = PIXEL_AREA * 1e12  # microjansky per MJy/sr
    x = (np.arange(nx) - nx / 2) / nx
    trace = np.polyval(slitlet.base_coeffs[i], x)
    image = (slitlet.sci[i] / unit).reshape(ny, nx)
    return {
        "data": image,
        "err": np.sqrt(slitlet.var_total[i]).reshape(ny, nx) / unit,
        "dq": np.where(slitlet.mask[i], 0, 1).astype(np.uint32).reshape(ny, nx),
        "var_poisson": slitlet.var_poisson[i].reshape(ny, nx) / unit**2,
        "var_rnoise": slitlet.var_rnoise[i].reshape(ny, nx) / unit**2,
        "barshadow": slitlet.bar[i].reshape(ny, nx),
        "wave": slitlet.wave[i].reshape(ny, nx),
        "slit_y": (np.arange(ny)[:, None] - trace) * SHUTTER_SCALE,
        "slit_pixel_scale": PIXEL_SCALE,
        "slit_shutter_scale": SHUTTER_SCALE,
        "xstart": 600,
        "ystart": 1000,
        "quadrant": 5,  # none of the array: no normalisation
        "xcen": 100,
        "ycen": 50,
        "source_ra": 150.0,
        "source_dec": 2.0,
        "source_xpos": 0.0,
        "source_ypos": 0.1,
        "shutter_state": STATES[int(slitlet.nod[i])],
        "slitlet_id": 7,
        "meta": {
            "filename": f"jw00001001001_0310{i}_00001_nrs1_phot.fits",
            "instrument": {
                "grating": slitlet.grating,
                "filter": "CLEAR" if slitlet.grating == "PRISM" else "F170LP",
                "detector": "NRS1",
                "lamp_mode": "FIXEDSLIT" if slitlet.fixed_slit else "MSASPEC",
            },
            "dither": {"x_offset": 0.0, "y_offset": float(slitlet.y_offset[i])},
            "exposure": {
                "exposure_time": float(slitlet.exptime[i]),
                "effective_exposure_time": float(slitlet.exptime[i]),
            },
            "photometry": {"pixelarea_steradians": PIXEL_AREA},
        },
    }


def group_arrays(slitlet: SyntheticSlitlet) -> list[dict[str, Any]]:
    """All exposures."""
    return [exposure_arrays(slitlet, i) for i in range(slitlet.n)]
