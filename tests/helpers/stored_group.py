"""The stored state of a real group of exposures: the planes before the tests for bad pixels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from webbweave.slit_combine.splines import spline_values

Array = NDArray[np.float64]

SHAPE = (25, 341)
SHUTTER_SCALE = 0.22835092202624319  # shutter pitches per pixel of this group


@dataclass
class BarTable:
    """The bar shadow of a three-shutter slitlet, from its table of coefficients."""

    coefficients: Array
    wavelengths: Array
    low: float
    high: float

    @classmethod
    def read(cls, shared_dir: Path) -> BarTable:
        path = shared_dir / "data/nirspec_msa/ref/prism_3_bar_coeffs_wave.yaml"
        table = yaml.safe_load(path.read_text(encoding="utf-8"))
        return cls(np.array(table["coeffs"]), np.array(table["wavelengths"]), *table["minmax"])

    def __call__(self, u: Array, wave: Array) -> Array:
        sets = spline_values(u, self.coefficients, self.low, self.high)
        last = len(self.wavelengths) - 2
        k = np.clip(np.searchsorted(self.wavelengths, wave) - 1, 0, last)
        step = self.wavelengths[k + 1] - self.wavelengths[k]
        part = np.clip((wave - self.wavelengths[k]) / step, 0, 1)
        below, above = (np.take_along_axis(sets, j[..., None], -1)[..., 0] for j in (k, k + 1))
        return np.where((u >= self.low) & (u <= self.high), below + part * (above - below), np.nan)


class StoredGroup:
    """Arrays of the group by name; those before any test of this package in `sci`, `mask` ..."""

    def __init__(self, shared_dir: Path) -> None:
        folder = shared_dir / "oracle/slit_combine"
        self.flags = dict(np.load(folder / "03_flags.npz"))
        self.group = dict(np.load(folder / "02_group_testkw.npz"))
        self.with_sky = dict(np.load(folder / "08_sky.npz"))
        self.grid = np.load(folder / "01_helpers.npz")["grid_prism"]
        self.bar_model = BarTable.read(shared_dir)
        group = self.group
        self.yslit, self.wave = group["yslit"], group["wave"]
        # The tests were stored for a group in which a few hot pixels had not been masked, so that
        # their flux must be made from that of the exposures.
        raw = dict(np.load(folder / "00_inputs_wcs.npz"))
        self.mask = self.flags["stuck__mask"]
        missing = self.mask & ~np.isfinite(group["sci"])
        self.shutter = group["slit_frame_y"] / SHUTTER_SCALE / 5
        self.bar = self.bar_model(self.shutter, self.wave)
        factor = group["phot_corr"] * (group["orig_bar"] / self.bar) * group["normalization"]
        planes = {
            name: np.stack([raw[f"{name}{i}"].ravel() for i in range(3)]).astype(float)
            for name in ("data", "var_rnoise", "var_poisson")
        }
        self.sci = np.where(missing, planes["data"] * factor, group["sci"])
        variance = (planes["var_rnoise"] + planes["var_poisson"]) * factor**2
        self.var_total = np.where(missing, variance, group["var_total"])
        self.data = np.where(self.mask, self.sci, np.nan)
