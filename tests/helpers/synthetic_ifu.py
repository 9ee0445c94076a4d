"""Small calibrated exposures of all modes with an analytic gwcs and a known scene, as data models.

All kinds show the same: slices or slits with tilted, curved traces, of which one has a point
source. `render` gives the arrays with the dispersion along x; MIRI models are turned.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy import coordinates as coord
from astropy import units as u
from astropy.modeling import models as am
from gwcs import WCS, selector
from gwcs import coordinate_frames as cf
from stdatamodels.jwst.datamodels import IFUImageModel, MultiSlitModel, SlitModel
from stdatamodels.jwst.transforms.models import Gwa2Slit
from synthetic_trace import PIXEL, profile, spectrum

from webbweave.datamodels import tree_of

N_COLUMN = 150
HEIGHT = 18  # rows of a slice
#: MIRI LRS has a fixed number of knots: its slits must be as long as in the instrument.
HEIGHTS = {"lrs": 40, "lrs_slitless": 60}
GAP = 4  # rows between slices
TILT = 2.6  # rows from the first to the last column
BEND = 0.4  # rows in the middle
CENTRE = 0.031  # of the source, arcsec
NOISE = 0.02
PIXEL_AREA = 4.8e-13
#: Wavelength of column 0 and step per column, metre.
WAVE = (1.0e-6, 2.0e-9)

KINDS = {
    "nrs_ifu": (IFUImageModel, "NRS1", "NRS_IFU", (1, 2, 3)),
    "nrs_ifu_named": (IFUImageModel, "NRS1", "NRS_IFU", (1, 2, 3)),
    "mrs": (IFUImageModel, "MIRIFUSHORT", "MIR_MRS", (101, 102, 201)),
    "nrs_slit": (SlitModel, "NRS2", "NRS_FIXEDSLIT", (1,)),
    "lrs": (SlitModel, "MIRIMAGE", "MIR_LRS-FIXEDSLIT", (1,)),
    "lrs_slitless": (SlitModel, "MIRIMAGE", "MIR_LRS-SLITLESS", (1,)),
}


@dataclass(frozen=True, eq=False)
class Rendered:
    """Arrays with the dispersion along x."""

    flux: np.ndarray
    error: np.ndarray
    truth: np.ndarray
    alpha: np.ndarray
    region_map: np.ndarray


def middle(number, height=HEIGHT):
    """Row of alpha = 0 in slice `number` (counted from 0), as coefficients of the column."""
    base = GAP + height / 2 - 0.5 + number * (height + GAP)
    n = N_COLUMN - 1
    return base - TILT / 2, TILT / n + 4 * BEND / n, -4 * BEND / n**2


def middle_row(number, height=HEIGHT):
    c0, c1, c2 = middle(number, height)
    x = np.arange(N_COLUMN)
    return c0 + c1 * x + c2 * x**2


def n_row(labels, height=HEIGHT):
    return len(labels) * (height + GAP) + GAP


def render(labels, *, seed=1, peak=40.0, background=0.5, centre=CENTRE, bright=None, height=HEIGHT):
    """The scene; `bright` is the label with the source, the second one (or the only one)."""
    rng = np.random.default_rng(seed)
    bright = labels[min(1, len(labels) - 1)] if bright is None else bright
    shape = n_row(labels, height), N_COLUMN
    y = np.arange(shape[0])[:, None]
    alpha, region_map = np.full(shape, np.nan), np.zeros(shape, np.int32)
    truth = np.full(shape, np.nan)
    for number, label in enumerate(labels):
        along = PIXEL * (y - middle_row(number, height)[None, :])
        inside = np.abs(along) < PIXEL * height / 2
        alpha[inside], region_map[inside] = along[inside], label
        level = background + (peak * spectrum(N_COLUMN) * profile(along, centre)) * (
            label == bright
        )
        truth[inside] = level[inside]
    error = NOISE * np.sqrt(1.0 + np.abs(truth))
    flux = truth + error * rng.standard_normal(shape)
    return Rendered(flux.astype(np.float32), error.astype(np.float32), truth, alpha, region_map)


# --- coordinate systems -------------------------------------------------------------------------


def _along(number, *, turned, n, height=HEIGHT):
    """alpha as a polynomial of the pixel (x, y) of the detector."""
    c0, c1, c2 = middle(number, height)
    if not turned:
        return am.Polynomial2D(2, c0_0=-PIXEL * c0, c1_0=-PIXEL * c1, c2_0=-PIXEL * c2, c0_1=PIXEL)
    # Row of the turned array: n - 1 - x; its column: y.
    return am.Polynomial2D(
        2, c0_0=PIXEL * (n - 1 - c0), c1_0=-PIXEL, c0_1=-PIXEL * c1, c0_2=-PIXEL * c2
    )


def _wave(*, turned, scale=1.0):
    key = "c0_1" if turned else "c1_0"
    return am.Polynomial2D(1, c0_0=WAVE[0] * scale, **{key: WAVE[1] * scale})


def _across(number):
    return am.Polynomial2D(1, c0_0=0.01 * (number + 1))


def _frames(name):
    spectral = cf.SpectralFrame(name="spec", axes_order=(2,), unit=(u.micron,))
    plane = cf.Frame2D(name="plane", unit=("", ""), axes_names=("a", "b"))
    sky = cf.CelestialFrame(name="sky", reference_frame=coord.ICRS())
    middle_frame = cf.CompositeFrame([plane, spectral], name=name)
    return middle_frame, cf.CompositeFrame([sky, spectral], name="world")


def _detector(name="detector"):
    return cf.Frame2D(name=name, axes_order=(0, 1), unit=(u.pix, u.pix))


def _to_world(scale):
    plane = am.Scale(1 / 3600) & am.Scale(1 / 3600)
    sky = plane | am.Pix2Sky_TAN() | am.RotateNative2Celestial(30.0, -5.0, 180.0)
    return sky & am.Scale(scale)


def _slice(number, *, n):
    """From pixels to (x_slice, y_slice, wavelength) of NIRSpec: y_slice is -alpha."""
    flipped = _along(number, turned=False, n=n) | am.Scale(-1.0)
    made = am.Mapping((0, 1, 0, 1, 0, 1)) | _across(number) & flipped & _wave(turned=False)
    made.inputs, made.outputs = ("x", "y"), ("x_slice", "y_slice", "lam")
    return made


def box(number, number_of_rows):
    """The bounding box of a slice, a row wider than it on either side."""
    rows = middle_row(number)
    low = np.floor(rows.min() - HEIGHT / 2) - 0.5
    high = np.ceil(rows.max() + HEIGHT / 2) + 0.5
    return (-0.5, N_COLUMN - 0.5), (max(low, -0.5), min(high, number_of_rows - 0.5))


def nrs_ifu_wcs(region_map):
    """Pixels tell the slice."""
    labels = [int(label) for label in np.unique(region_map) if label > 0]
    n = region_map.shape[0]
    slices = {}
    for number, label in enumerate(labels):
        slices[label] = _slice(number, n=n)
        slices[label].bounding_box = box(number, n)[::-1]
    mapper = selector.LabelMapperArray(region_map.astype(int))
    to_slicer = selector.RegionsSelector(
        ("x", "y"), ("x_slice", "y_slice", "lam"), slices, mapper, name="det2slicer"
    )
    slicer, world = _frames("slicer")
    first = am.Identity(2, name="coord2det")
    first.inputs, first.outputs = ("x", "y"), ("x", "y")
    return WCS(
        [
            (_detector("coordinates"), first),
            (_detector(), to_slicer),
            (slicer, _to_world(1e6)),
            (world, None),
        ]
    )


def nrs_ifu_named_wcs(region_map):
    """The number of the slice, from 0, is the third coordinate."""
    labels = [int(label) for label in np.unique(region_map) if label > 0]
    n = region_map.shape[0]
    third = am.Mapping((0, 1), n_inputs=3)
    models = [third | _slice(number, n=n) for number in range(len(labels))]
    # A model without any parameter would be taken for one that wants units.
    pixels = am.Shift(0.0) & am.Shift(0.0) & am.Identity(1) | am.Mapping((2, 0, 1, 1))
    to_slicer = pixels | Gwa2Slit(list(range(len(labels))), models) | am.Mapping((1, 2, 3, 0))
    names = ("x_slice", "y_slice", "lam", "name")
    to_slicer.inputs, to_slicer.outputs = ("x", "y", "name"), names
    to_world = _to_world(1e6) & am.Identity(1)
    to_world.inputs, to_world.outputs = names, ("ra", "dec", "lam", "name")
    slicer, world = _frames("slicer")
    # As in jwst, the frames do not know of the number.
    wcs = WCS(
        [
            (_detector(), to_slicer),
            (slicer, to_world),
            (world, None),
        ]
    )
    boxes = {(number,): box(number, n) for number in range(len(labels))}
    wcs.attach_compound_bounding_box(boxes, [("name",)])
    return wcs


def mrs_wcs(region_map):
    """MIRI: `region_map` is turned, the detector has the slices side by side along x."""
    labels = [int(label) for label in np.unique(region_map) if label > 0]
    n = region_map.shape[0]
    # A constant would lose the shape: a coefficient that is zero keeps it.
    slices = {
        label: am.Mapping((0, 1, 0, 1, 0, 1))
        | _along(number, turned=True, n=n) & _across(number) & _wave(turned=True, scale=1e6)
        for number, label in enumerate(labels)
    }
    mapper = selector.LabelMapperArray(np.ascontiguousarray(np.rot90(region_map, -1), dtype=int))
    names = ("x0", "x1", "x2")
    to_alpha = selector.RegionsSelector(("x0", "x1"), names, slices, mapper, name="to_alpha")
    low, high = WAVE[0] * 1e6, (WAVE[0] + N_COLUMN * WAVE[1]) * 1e6
    edge = (0.9 * low + 0.1 * high) if len(labels) > 1 else low - 1
    ranges = {(edge, high + 1): am.Mapping((0,), n_inputs=3) | am.Polynomial1D(1, c0=1.0)}
    by_wave = selector.LabelMapperRange(names, ranges, inputs_mapping=am.Mapping((2,), n_inputs=3))
    to_sky = selector.RegionsSelector(names, names, {1: am.Identity(3)}, by_wave, name="to_sky")
    middle_frame, world = _frames("alpha_beta")
    sky, _ = _frames("v2v3")
    wcs = WCS(
        [(_detector(), to_alpha), (middle_frame, to_sky), (sky, _to_world(1.0)), (world, None)]
    )
    wcs.bounding_box = ((-0.5, n - 0.5), (-0.5, N_COLUMN - 0.5))
    return wcs


def slit_wcs(number_of_rows, *, miri, height=HEIGHT):
    if miri:
        to_slit = am.Mapping((0, 1, 0, 1, 0, 1)) | _along(
            0, turned=True, n=number_of_rows, height=height
        ) & _across(0) & _wave(turned=True, scale=1e6)
    else:
        to_slit = _slice(0, n=number_of_rows)
    middle_frame, world = _frames("alpha_beta" if miri else "slit_frame")
    wcs = WCS(
        [
            (_detector(), to_slit),
            (middle_frame, _to_world(1.0 if miri else 1e6)),
            (world, None),
        ]
    )
    along, across = (-0.5, N_COLUMN - 0.5), (2.5, number_of_rows - 3.5)
    wcs.bounding_box = (across, along) if miri else (along, across)
    return wcs


# --- models -------------------------------------------------------------------------------------


def _metadata(kind, detector, exposure_type, number):
    miri = detector.startswith("MIR")
    return {
        "filename": f"jw01234001001_02101_{number:05d}_{detector.lower()}_cal.fits",
        "telescope": "JWST",
        "instrument": {
            "name": "MIRI" if miri else "NIRSPEC",
            "detector": detector,
            "filter": "P750L" if miri else "F170LP",
            "grating": None if miri else "G235M",
        },
        "exposure": {"type": exposure_type, "exposure_time": 100.0},
        "photometry": {
            "pixelarea_steradians": PIXEL_AREA,
            "pixelarea_arcsecsq": PIXEL_AREA * 4.25e10,
        },
        "wcsinfo": {"dispersion_direction": 2 if miri else 1},
        "bunit_data": "MJy/sr",
        "bunit_err": "MJy/sr",
    }


def model(kind, *, number=1, scene=None, unit="MJy/sr", labels=None, **settings):
    """A data model of one of `KINDS`, and its scene; with other slices if told so."""
    model_class, detector, exposure_type, usual = KINDS[kind]
    labels = usual if labels is None else labels
    height = HEIGHTS.get(kind, HEIGHT)
    scene = scene or render(labels, height=height, **settings)
    miri = detector.startswith("MIR")

    def turned(plane):
        return np.ascontiguousarray(np.rot90(plane, -1) if miri else plane)

    inside = scene.region_map > 0
    variance = np.where(inside, scene.error**2, np.nan).astype(np.float32)
    meta = _metadata(kind, detector, exposure_type, number)
    meta |= {"bunit_data": unit, "bunit_err": unit, "wcs": _wcs(kind, scene)}
    tree = {
        "data": turned(scene.flux),
        "err": turned(np.where(inside, scene.error, np.nan).astype(np.float32)),
        "dq": turned(np.where(inside, 0, 1).astype(np.uint32)),
        "var_rnoise": turned(0.3 * variance),
        "var_poisson": turned(0.6 * variance),
        "var_flat": turned(0.1 * variance),
        "wavelength": turned(np.ones(inside.shape, np.float32)),
        "area": turned(np.ones(inside.shape, np.float32)),
        "meta": meta,
    }
    if kind.startswith("nrs_ifu"):
        tree["regions"] = scene.region_map
    made = model_class(tree)
    assert tree_of(made) is tree
    return made, scene


def _wcs(kind, scene):
    if kind == "nrs_ifu":
        return nrs_ifu_wcs(scene.region_map)
    if kind == "nrs_ifu_named":
        return nrs_ifu_named_wcs(scene.region_map)
    if kind == "mrs":
        return mrs_wcs(scene.region_map)
    return slit_wcs(
        scene.flux.shape[0], miri=kind.startswith("lrs"), height=HEIGHTS.get(kind, HEIGHT)
    )


def multi_slit(names=("A", "B"), *, exposure_type="NRS_MSASPEC", number=1, **settings):
    """An exposure of several slits, each with a scene of its own."""
    slits, scenes = [], []
    for seed, name in enumerate(names):
        one, scene = model("nrs_slit", number=number, seed=seed + 1, **settings)
        tree = tree_of(one)
        slit = {key: value for key, value in tree.items() if key != "meta"} | {"name": name}
        own = ("wcs", "wcsinfo", "photometry", "bunit_data", "bunit_err")
        slit["meta"] = {key: tree["meta"][key] for key in own}
        slits.append(slit)
        scenes.append(scene)
    meta = {key: value for key, value in tree["meta"].items() if key not in own}
    meta["exposure"] = meta["exposure"] | {"type": exposure_type}
    return MultiSlitModel({"meta": meta, "slits": slits}), scenes


def time_series(n=6, *, dips=None, seed=3):
    """A bright-object time series whose source is fainter in some integrations: the factors."""
    factors = np.ones(n) if dips is None else np.asarray(dips)
    rng = np.random.default_rng(seed)
    base = render((1,), seed=seed, background=0.0)
    truth = np.array([factor * base.truth for factor in factors])
    error = np.broadcast_to(base.error, truth.shape)
    data = (truth + error * rng.standard_normal(truth.shape)).astype(np.float32)
    one, _ = model("nrs_slit", scene=base)
    tree = tree_of(one)
    tree["data"] = data
    tree["err"] = np.where(np.isfinite(data), error, np.nan).astype(np.float32)
    tree["dq"] = np.where(np.isfinite(data), 0, 1).astype(np.uint32)
    for name in ("var_rnoise", "var_poisson", "var_flat"):
        tree[name] = np.broadcast_to(tree[name], truth.shape).copy()
    tree["meta"]["exposure"]["type"] = "NRS_BRIGHTOBJ"
    return one, truth
