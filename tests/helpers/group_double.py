"""A stand-in for SlitGroup: its public attributes, from arrays that are given."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from astropy.table import Table
from synthetic_slitlet import NOD, PIXEL_SCALE, SHUTTER_SCALE, SyntheticSlitlet

from webbweave.columns import Columns


class Nods:
    """The distinct values of a column."""

    def __init__(self, column):
        self.column = np.asarray(column)
        self.values = np.unique(self.column).tolist()

    def __getitem__(self, value):
        return self.column == value

    def __iter__(self):
        return iter(self.values)

    def __len__(self):
        return len(self.values)


class GroupDouble:
    """Attributes by name; planes are (exposures, pixels)."""

    fit = None
    lookup_prf = None
    compat = False

    def __init__(self, **attributes):
        self.__dict__.update(attributes)
        self.N = len(self.mask)
        self.sky_background = getattr(self, "sky_background", np.zeros(self.mask.shape))

    @property
    def grating(self):
        return self.info["grating"][0]

    @property
    def filter(self):
        return self.info["filter"][0]

    @property
    def exptime(self):
        return np.asarray(self.info["exptime"])

    @property
    def unp(self):
        return Nods(self.info[self.meta["position_key"]])

    @property
    def data(self):
        return np.where(self.mask, self.sci - self.sky_background, np.nan)

    @property
    def fixed_yshutter(self):
        u = (self.slit_frame_y / self.slit_shutter_scale + self.meta["shutter_offset"]) / 5
        return np.where(self.mask, u, np.nan)

    @property
    def relative_nod_offset(self):
        last = np.array([coeffs[-1] for coeffs in self.base_coeffs])
        return last - np.median(last)

    @property
    def calc_reference_exposure(self):
        i = 0 if self.N < 3 else int(np.argmin(np.abs(self.relative_nod_offset)))
        return self.info[self.meta["position_key"]][i]

    def make_diff_image(self, exp=1, separate=False):
        """Means of the two sides, with the denominators of the peer if it is to be like it."""
        inside = self.unp[exp]
        others = ~inside if self.meta["diffs"] else np.zeros_like(inside)
        counted = self.bkg_mask if self.compat else self.mask & self.bkg_mask
        sides = [[], [], [], []]
        with np.errstate(invalid="ignore"):
            for members, valid, below in (
                (inside, self.mask, self.mask),
                (others, self.mask & self.bkg_mask if not self.compat else self.mask, counted),
            ):
                n = below[members].sum(axis=0)
                zero = not members.any()
                for k, (plane, power) in enumerate(
                    (
                        (self.data, 1),
                        (self.sky_background, 1),
                        (self.var_total, 2),
                        (self.var_rnoise, 2),
                    )
                ):
                    total = np.where(valid, plane, 0.0)[members].sum(axis=0)
                    sides[k].append(np.zeros(n.shape) if zero else total / n**power)
        if not separate:
            signs = (-1, -1, 1, 1)
            sides = [pair[0] + s * pair[1] for pair, s in zip(sides, signs, strict=True)]
        else:
            sides = [tuple(pair) for pair in sides]
        return inside, others, *sides

    def mask_out(self, bad, bit):
        self.mask, self.last_bit = self.mask & ~bad, bit

    def nod_sides(self):
        return {exp: self.make_diff_image(exp, separate=True) for exp in self.unp}

    def slit_columns(self):
        names = [f"file_{i}.fits" for i in range(self.N)]
        columns = Table(
            {
                "filename": names,
                "trace_c0": [coeffs[0] for coeffs in self.base_coeffs],
                "shutter_state": ["1x1"] * self.N,
                "quadrant": [2] * self.N,
                "xcen": [295] * self.N,
                "ycen": [33] * self.N,
                "grating": [self.grating] * self.N,
            }
        )
        return Columns.of(columns)


META = {
    "diffs": True,
    "position_key": "y_index",
    "weight_type": "ivm",
    "shutter_offset": 0.0,
    "trace_with_xpos": False,
    "bad_shutter_names": [],
    "nod_offset": NOD,
}


def stored_group(shared_dir: Path, *, compat: bool = True) -> GroupDouble:
    """The group of the stored results, with its fit of degree 0."""
    folder = shared_dir / "oracle/slit_combine"
    with np.load(folder / "02_group_testkw.npz") as packed:
        arrays = {name: packed[name] for name in packed.files if "__" not in name}
    with np.load(folder / "04_fit_gauss_deg0.npz") as packed:
        newer = {name: packed[name] for name in packed.files}
    arrays.update((name, value) for name, value in newer.items() if "__" not in name)
    scalars = json.loads((folder / "04_fit_gauss_deg0.json").read_text())
    fit = {}
    for exp in (2, 1, 3):
        prefix = f"fit{exp}__"
        of_nod = {k.removeprefix(prefix): v for k, v in newer.items() if k.startswith(prefix)}
        fit[exp] = {k: v.item() if v.ndim == 0 else v for k, v in of_nod.items()}
    info = Table(scalars["info"])
    info["exptime"] = arrays.pop("exptime")
    for name in ("data", "fixed_yshutter", "relative_nod_offset"):
        arrays.pop(name)
    files = sorted((shared_dir / "data/nirspec_msa/testdata").glob("*phot*.fits"))
    return GroupDouble(
        **arrays,
        compat=compat,
        name="1345_933",
        files=[str(path) for path in files],
        meta=META | scalars["meta"],
        meta_comment={"pad_border": "Border padding"},
        info=info,
        fit=fit,
        slit_pixel_scale=scalars["slit_pixel_scale"],
        slit_shutter_scale=scalars["slit_shutter_scale"],
        source_ypixel_position=scalars["source_ypixel_position"],
    )


def group_of(
    slitlet: SyntheticSlitlet, *, name: str = "src", diffs: bool = True, **meta
) -> GroupDouble:
    """A group of a synthetic slitlet whose fit is the truth."""
    n_x = slitlet.shape[1]
    grid = (np.arange(n_x) - n_x / 2) / n_x
    y = np.array([slitlet.ypix - trace[slitlet.xslit] for trace in slitlet.trace])
    blocking = {"PRISM": "CLEAR", "G395M": "F290LP", "G235M": "F170LP", "G140M": "F100LP"}
    n = slitlet.n
    info = Table(
        {
            "filename": [f"jw01345062001_03101_{i:05d}_nrs2_phot.1.fits" for i in range(n)],
            "grating": [slitlet.grating] * n,
            "filter": [blocking[slitlet.grating]] * n,
            "y_index": np.array(slitlet.nod),
            "exptime": np.array(slitlet.exptime),
            "source_xpos": np.linspace(-0.2, 0.2, n),
        }
    )
    group = GroupDouble(
        name=name,
        files=[{"array": i} for i in range(n)],
        meta=META | {"diffs": diffs} | meta,
        meta_comment={},
        info=info,
        sh=slitlet.shape,
        sci=slitlet.sci,
        mask=slitlet.mask,
        bkg_mask=slitlet.bkg_mask,
        var_total=slitlet.var_total,
        var_rnoise=slitlet.var_rnoise,
        wave=slitlet.wave,
        dwave_dx=slitlet.dwave_dx,
        yslit=y,
        bar=slitlet.bar,
        slit_frame_y=slitlet.slit_frame_y,
        base_coeffs=list(slitlet.base_coeffs),
        trace_coeffs=[np.array(slitlet.center)] * n,
        slit_pixel_scale=PIXEL_SCALE,
        slit_shutter_scale=SHUTTER_SCALE,
        source_ypixel_position=float(np.polyval(slitlet.center, grid).mean()),
    )
    if not diffs:
        group.sky_background = slitlet.sky
    group.fit = true_fit(group, slitlet)
    return group


def true_fit(group: GroupDouble, slitlet: SyntheticSlitlet) -> dict:
    """The fit of each nod with the true profile: amplitudes, and the model."""
    fit = {}
    reference = group.calc_reference_exposure
    for exp in sorted(group.unp, key=lambda value: value != reference):
        inside, others, diff, _, vdiff, wdiff = group.make_diff_image(exp)
        profile = _mean(slitlet.profile[inside], slitlet.mask[inside])
        if others.any():
            profile = profile - _mean(slitlet.profile[others], slitlet.mask[others])
        planes = [plane.reshape(group.sh) for plane in (diff, vdiff, wdiff, profile)]
        known = np.isfinite(planes[0])
        diff, vdiff, wdiff, profile = (np.where(known, p, np.nan) for p in planes)
        snum = np.nansum(diff * profile / wdiff, axis=0)
        sden = np.nansum(profile**2 / wdiff, axis=0)
        with np.errstate(invalid="ignore"):
            smod = snum / sden * profile
        fit[exp] = {
            "sigma": slitlet.sigma,
            "sigma_err": 0.01,
            "trace_coeffs": np.array(slitlet.center),
            "trace_err": np.full(len(slitlet.center), 0.02),
            "ipos": inside,
            "ineg": others,
            "diff": diff.reshape(-1),
            "vdiff": vdiff.reshape(-1),
            "wdiff": wdiff.reshape(-1),
            "snum": snum,
            "sden": sden,
            "svnum": np.nansum(vdiff * profile**2 / wdiff**2, axis=0),
            "smod": smod,
        }
    return fit


def _mean(planes, mask):
    with np.errstate(invalid="ignore"):
        return np.where(mask, planes, 0).sum(axis=0) / mask.sum(axis=0)
