"""A product with a known source, made of plain arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from stdatamodels.jwst.datamodels import MultiSlitModel, SlitModel

SHAPE = (21, 120)
SOURCE_ROW, SIGMA_ROWS = 12, 1.0
LINE_COLUMN, LINE_FLUX, CONTINUUM = 40, 50.0, 2.0
ERROR = 0.25


def sky_of(x, y):
    """Rows of 0.1 arcsec towards the east, on the equator."""
    return 150.0 + 0.1 / 3600 * np.asarray(y), np.zeros_like(y), 1.0 + 0.01 * np.asarray(x)


def make_tree(*, name: str = "known", sky: float = 0.0, noise: int | None = None) -> dict[str, Any]:
    """A continuum and a line of two columns, both spread over rows by a Gaussian, unit sum."""
    rows, columns = np.arange(SHAPE[0]), np.arange(SHAPE[1])
    spread = np.exp(-0.5 * ((rows - SOURCE_ROW) / SIGMA_ROWS) ** 2)
    spectrum = np.full(SHAPE[1], CONTINUUM)
    spectrum[LINE_COLUMN : LINE_COLUMN + 2] += LINE_FLUX
    data = np.outer(spread / spread.sum(), spectrum) + sky
    if noise is not None:
        data += np.random.default_rng(noise).normal(0, ERROR, SHAPE)
    data[:, :3] = np.nan
    weight = np.where(np.isfinite(data), ERROR**-2, 0.0)
    context = np.where(np.isfinite(data), 0b101, 0)[np.newaxis]
    wavelength = np.broadcast_to(1.0 + 0.01 * columns + 1e-4 * columns**2, SHAPE)
    return {
        "source_name": name,
        "data": data.astype(np.float32),
        "err": np.where(np.isfinite(data), ERROR, np.nan).astype(np.float32),
        "wht": weight.astype(np.float32),
        "con": context.astype(np.int32),
        "wavelength": wavelength.astype(np.float32),
        "meta": {
            "bunit_data": "MJy",
            "exposure": {"exposure_time": 2042.4},
            "instrument": {"name": "NIRSPEC", "grating": "PRISM", "filter": "CLEAR"},
            "telescope": "JWST",
        },
    }


def make_empty_tree(name: str = "empty") -> dict[str, Any]:
    tree = make_tree(name=name)
    for key in ("data", "err"):
        tree[key] = np.full(SHAPE, np.nan, dtype=np.float32)
    tree["wht"] = np.zeros(SHAPE, dtype=np.float32)
    tree["con"] = np.zeros((1, *SHAPE), dtype=np.int32)
    return tree


@pytest.fixture
def tree():
    return make_tree


@pytest.fixture
def empty_tree():
    return make_empty_tree


@pytest.fixture
def slit():
    return SlitModel(make_tree())


@pytest.fixture
def several():
    """Makes a product of many sources."""

    def make(trees):
        meta = make_tree()["meta"]
        return MultiSlitModel({"meta": meta, "slits": trees})

    return make
