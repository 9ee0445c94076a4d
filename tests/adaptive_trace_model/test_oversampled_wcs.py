"""The WCS of the finer grid: the same places on the sky, and nothing of the old one changed."""

from __future__ import annotations

import numpy as np
import pytest
import synthetic_ifu as si

from webbweave.adaptive_trace_model.oversampled_wcs import oversampled_wcs
from webbweave.datamodels import tree_of


def made(kind, factor):
    model, _ = si.model(kind)
    tree = tree_of(model)
    ny, nx = tree["data"].shape
    miri = kind in ("mrs", "lrs", "lrs_slitless")
    old = tree["meta"]["wcs"]
    size = nx if miri else ny
    new = oversampled_wcs(old, factor, axis=0 if miri else 1, n_pixel=size, from_end=miri)
    return old, new, (ny, nx), miri


def fine_position(index, size, factor, *, from_end):
    """Pixel of the image at a pixel of the finer grid; MIRI shares the upper end."""
    if not from_end:
        return index / factor - (factor - 1) / (2 * factor)
    last = int(np.ceil(size * factor)) - 1
    return size - 1 - ((last - index) / factor - (factor - 1) / (2 * factor))


@pytest.mark.parametrize("factor", [1.3, 2.0, 2.5, 3.0])
@pytest.mark.parametrize("kind", si.KINDS)
def test_same_place_on_the_sky(kind, factor):
    old, new, (ny, nx), miri = made(kind, factor)
    assert new.available_frames[0] == "coordinates"
    shape = (ny, int(np.ceil(nx * factor))) if miri else (int(np.ceil(ny * factor)), nx)
    y, x = np.mgrid[: shape[0] : 3, : shape[1] : 5].astype(float)
    native_x = fine_position(x, nx, factor, from_end=True) if miri else x
    native_y = y if miri else fine_position(y, ny, factor, from_end=False)
    third = (1.0,) if kind == "nrs_ifu_named" else ()
    # Away from where the maps of slices change, which is at halves.
    found = new(x, y, *third, with_bounding_box=False)
    expected = old(native_x, native_y, *third, with_bounding_box=False)
    for one, other in zip(found[:3], expected[:3], strict=True):
        same = np.isfinite(one) & np.isfinite(other)
        assert same.mean() > (0.5 if kind in ("nrs_ifu", "mrs") else 0.99)
        np.testing.assert_allclose(one[same], other[same], rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", si.KINDS)
def test_from_the_detector_on_all_is_as_before(kind):
    old, new, _, _ = made(kind, 2.0)
    frames = list(old.available_frames)
    start = frames.index("detector")
    assert new.available_frames[new.available_frames.index("detector") :] == frames[start:]
    one, other = (wcs.get_transform("detector", "world") for wcs in (old, new))
    pixel = (70.0, 36.0) if kind != "mrs" else (36.0, 70.0)
    third = (1.0,) if kind == "nrs_ifu_named" else ()
    assert one(*pixel, *third) == other(*pixel, *third)


@pytest.mark.parametrize("factor", [2.0, 2.5])
@pytest.mark.parametrize("kind", ["mrs", "nrs_slit", "lrs"])
def test_bounding_box_holds_the_same_pixels(kind, factor):
    old, new, (ny, nx), miri = made(kind, factor)
    boxes = [np.array(wcs.bounding_box.bounding_box(order="F")) for wcs in (old, new)]
    across = 0 if miri else 1
    np.testing.assert_array_equal(boxes[0][1 - across], boxes[1][1 - across])
    back = fine_position(boxes[1][across], (nx, ny)[across], factor, from_end=miri)
    np.testing.assert_allclose(back, boxes[0][across], atol=1e-12)


@pytest.mark.parametrize("kind", ["nrs_ifu", "nrs_ifu_named"])
def test_bounding_boxes_of_slices(kind):
    def boxes(wcs):
        if kind == "nrs_ifu":
            slices = wcs.pipeline[1].transform.selector
            return {
                key: np.array(model.bounding_box.bounding_box(order="F"))
                for key, model in slices.items()
            }
        return {
            key[0] + 1: np.array([tuple(box[name]) for name in ("x", "y")])
            for key, box in wcs.bounding_box.bounding_boxes.items()
        }

    old, new, (ny, _), _ = made(kind, 2.0)
    before = boxes(old)
    for label, box in boxes(new).items():
        np.testing.assert_array_equal(box[0], before[label][0])
        np.testing.assert_array_equal((box[1] + 0.5) / 2 - 0.5, before[label][1])
    oversampled_wcs(old, 3.0, axis=1, n_pixel=ny)
    for label, box in boxes(old).items():  # as they were
        np.testing.assert_array_equal(box, before[label])
        np.testing.assert_array_equal(box, np.array(si.box(label - 1, ny)))


def test_back_to_pixels():
    _, new, _, _ = made("nrs_slit", 2.0)
    to_pixels = new.get_transform("detector", "coordinates")
    assert to_pixels(10.0, 7.25) == pytest.approx((10.0, 15.0))


def test_size_of_the_array_if_it_is_known():
    model, _ = si.model("nrs_slit")
    wcs = tree_of(model)["meta"]["wcs"]
    wcs.pixel_shape = (150, 26)
    assert oversampled_wcs(wcs, 1.3, axis=1, n_pixel=26).pixel_shape == (150, 34)
