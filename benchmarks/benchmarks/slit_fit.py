"""Fits of traces of nodded slitlets, and their kernel."""

from __future__ import annotations

import numpy as np

from webbweave.slit_combine.joint import fit_joint
from webbweave.slit_combine.profiles import pixel_profile
from webbweave.slit_combine.stack import SlitStack
from webbweave.slit_combine.trace_fit import fit_all_traces

SHAPE = (25, 341)  # of a prism cut-out
NOD = 5.06  # pixels
SPREAD = 0.3  # square pixels, the variance of the PSF


def slitlet() -> SlitStack:
    """Three nods of a faint continuum on a sky."""
    rng = np.random.default_rng(20260821)
    bases = [[0.4, 2.3, 12.3 + NOD * step] for step in (0, 1, -1)]
    y, x = (plane.ravel() for plane in np.indices(SHAPE))
    traces = np.stack([np.polyval(base, (x - SHAPE[1] / 2) / SHAPE[1]) for base in bases])
    light = pixel_profile(y - traces - 0.4, np.full(traces.shape, SPREAD), 0.6).value
    data = light + 0.4 + 0.05 * rng.standard_normal(light.shape)
    return SlitStack.build(
        shape=SHAPE,
        data=data,
        mask=np.ones(data.shape, bool),
        var_total=np.full(data.shape, 0.0025),
        var_rnoise=np.full(data.shape, 0.0020),
        wave=np.tile(0.6 + 4.7 * x / SHAPE[1], (3, 1)),
        psf_fwhm=np.full(data.shape, 2.3548 * SPREAD**0.5),
        base_coeffs=bases,
        nods=[2, 3, 1],
        reference=2,
    )


class Fits:
    """A fit of all traces, and of all exposures at once."""

    warmup_time = 0.0

    def setup(self) -> None:
        self.stack = slitlet()

    def time_fit_all_traces(self) -> None:
        fit_all_traces(self.stack, niter=4, degree=0, verbose=False)

    def time_fit_joint(self) -> None:
        fit_joint(self.stack)


class Profile:
    """The profile and its derivatives at 14000 places."""

    def setup(self) -> None:
        self.y = np.linspace(-15.0, 15.0, 14000)
        self.spread = np.full(self.y.size, SPREAD)

    def time_gaussian(self) -> None:
        pixel_profile(self.y, self.spread, 0.6)
