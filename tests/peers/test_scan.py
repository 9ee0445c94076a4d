"""The pixels that compat=True drizzles are those that the drizzle package does; skipped without."""

from __future__ import annotations

import numpy as np
import pytest

resample = pytest.importorskip("drizzle.resample")

from webbweave.resample.drizzle import drizzle_exposure  # noqa: E402


def their_weight(pixel_map, shape, kernel):
    package = resample.Drizzle(kernel=kernel, out_shape=shape, fillval="NAN")
    ones = np.ones(pixel_map[0].shape, dtype=np.float32)
    stack = np.stack(pixel_map, axis=-1)
    package.add_image(ones, exptime=1.0, pixmap=stack, weight_map=ones, in_units="cps")
    return package.out_wht


def bent_map(rng, shape, scale):
    """A map turned, sheared and bent, with its centre anywhere on the input."""
    y, x = np.indices(shape, dtype=float)
    x -= shape[1] * rng.uniform(0.2, 0.8)
    y -= shape[0] * rng.uniform(0.2, 0.8)
    bend = rng.uniform(-0.002, 0.002, 6)
    u = x + rng.uniform(-0.3, 0.3) * y + bend[0] * x * y + bend[1] * x**2 + bend[2] * y**2
    v = y + bend[3] * x * y + bend[4] * x**2 + bend[5] * y**2
    angle = rng.choice([0.0, 0.02, -0.1, 0.8, 1.6, 3.1])
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    mirror = rng.choice([-1.0, 1.0])
    return mirror * (cosine * u + sine * v), cosine * v - sine * u


@pytest.mark.parametrize("kernel", ["square", "point"])
@pytest.mark.parametrize("scale", [0.7, 1.0, 2.2])
@pytest.mark.parametrize("seed", range(8))
def test_bent_maps(seed, scale, kernel):
    rng = np.random.default_rng(seed)
    pixel_map = bent_map(rng, tuple(rng.integers(30, 60, 2)), scale)
    shape = tuple(int(size) for size in rng.integers(20, 50, 2))
    pixel_map[0][:] += shape[1] / 2
    pixel_map[1][:] += shape[0] / 2
    if seed % 4 == 0:
        pixel_map[0][:, :2] = np.nan  # without the corners, all pixels are looked at
    value = {"data": np.ones(pixel_map[0].shape)}
    options = {"kernel": kernel, "compat": True}
    ours = drizzle_exposure(value, value["data"], pixel_map, shape, **options).weight
    theirs = their_weight(pixel_map, shape, kernel)
    assert np.count_nonzero(theirs) > 100
    np.testing.assert_allclose(ours, theirs, rtol=5e-6, atol=2e-6)
