"""Regions, wherever they are and whatever their numbers."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic_trace import PIXEL, make_scene

from webbweave.adaptive_trace_model.regions import RegionMap, as_image


def test_labels_with_holes():
    scene = make_scene({105: (), 3: (), 217: ()}, n_column=50)
    regions = RegionMap.find(scene.region_map)
    np.testing.assert_array_equal(regions.labels, [3, 105, 217])
    for region, label in enumerate(regions.labels):
        inside = scene.region_map == label
        assert regions.height(region) == inside.sum(axis=0).max()
        np.testing.assert_array_equal(regions.first[region], inside.argmax(axis=0))
        np.testing.assert_array_equal(
            regions.stop[region] - regions.first[region], inside.sum(axis=0)
        )
    assert RegionMap.find(regions, scene.flux.shape) is regions


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, np.float32, ">i4", bool])
def test_any_kind_of_numbers(dtype):
    labels = np.zeros((9, 5))
    labels[2:7] = 1
    regions = RegionMap.find(labels.astype(dtype))
    np.testing.assert_array_equal(regions.labels, [1])
    assert regions.height(0) == 5
    np.testing.assert_array_equal(regions.first[0], np.full(5, 2))


def test_very_large_and_negative_labels():
    labels = np.full((9, 5), -7, np.int64)
    labels[2:4], labels[5:8] = 10**12, 123456789
    regions = RegionMap.find(labels)
    np.testing.assert_array_equal(regions.labels, [123456789, 10**12])
    assert [regions.height(i) for i in range(2)] == [3, 2]
    cut = regions.cut_region(1, labels.astype(float), labels.astype(float))
    assert cut.label == 10**12
    assert (cut.flux == 10**12).all()
    unknown = np.full((4, 4), np.nan)
    assert RegionMap.find(unknown).labels.size == 0


def test_cut_out():
    scene = make_scene({1: (), 2: ((0, 5.0),)}, n_column=70)
    regions = RegionMap.find(scene.region_map)
    region = regions.cut_region(1, scene.flux, scene.alpha, scene.error)
    inside = scene.region_map == 2
    assert region.flux.shape == (70, inside.sum(axis=0).max())
    for cut, image in (
        (region.flux, scene.flux),
        (region.alpha, scene.alpha),
        (region.error, scene.error),
    ):
        for column, values in enumerate(cut):
            own = image[inside[:, column], column]
            np.testing.assert_array_equal(values[: len(own)], own)
            assert np.isnan(values[len(own) :]).all()
        assert cut.flags.c_contiguous
    np.testing.assert_array_equal(region.first_row, inside.argmax(axis=0))
    assert region.single
    extent = regions.measure(1, scene.alpha)
    assert extent.pixel_size == pytest.approx(PIXEL)
    assert extent.lower == np.nanmin(scene.alpha[scene.region_map == 2])
    assert extent.upper == np.nanmax(scene.alpha[scene.region_map == 2])


def test_one_pixel_and_nothing():
    labels = np.zeros((5, 4), int)
    labels[4, 3] = 8
    regions = RegionMap.find(labels)
    assert regions.first[0, 3] == 4
    np.testing.assert_array_equal(regions.cut(0, np.ones((5, 4))), [[np.nan]] * 3 + [[1.0]])
    assert np.isnan(regions.measure(0, np.ones((5, 4))).pixel_size)
    assert RegionMap.find(np.zeros((5, 4), int)).labels.size == 0
    assert RegionMap.find(np.zeros((0, 4), int)).labels.size == 0


def test_what_is_refused():
    with pytest.raises(ValueError, match=r"region_map has shape \(3, 4\), expected \(4, 3\)"):
        RegionMap.find(np.zeros((3, 4), int), (4, 3))
    with pytest.raises(TypeError, match="fractions"):
        RegionMap.find(np.full((3, 4), 0.5))
    with pytest.raises(TypeError, match="integers"):
        RegionMap.find(np.full((3, 4), "a"))
    with pytest.raises(ValueError, match=r"flux has shape \(3,\), expected two dimensions"):
        as_image("flux", np.zeros(3))
    with pytest.raises(TypeError, match="flux is an array of"):
        as_image("flux", np.zeros((3, 4), complex))


def test_images_are_converted_once():
    big_endian = np.arange(12, dtype=">f4").reshape(3, 4)
    assert as_image("flux", big_endian).dtype == np.float32
    native = np.zeros((3, 4))
    assert as_image("flux", native) is native
    assert as_image("flux", native[:, ::-1]).flags.c_contiguous
    assert as_image("flux", native.astype(int)).dtype == np.float64
