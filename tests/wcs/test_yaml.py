"""WCSs made straight of YAML are those that asdf makes of it, or are left to asdf."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor

import asdf
import numpy as np
import pytest
from astropy import units as u
from astropy.modeling import fix_inputs
from astropy.modeling import models as m
from gwcs import WCS
from gwcs import coordinate_frames as cf
from synthetic import SHAPE, slit_wcs

from webbweave.wcs import FastWcs, TemplateCache, fast_wcs
from webbweave.wcs.blocks import BinaryBlocks
from webbweave.wcs.sources import GwcsSource, YamlSource
from webbweave.wcs.transforms import NotPlainError


def written(wcs, **options):
    """A WCS as asdf writes it: the text from ``wcs:`` on, the blocks, and how to read it."""
    stream = io.BytesIO()
    asdf.AsdfFile({"wcs": wcs}).write_to(stream, include_block_index=False, **options)
    raw = stream.getvalue()
    end = raw.index(b"\n...\n")
    start = raw.index(b"\nwcs: ") + 1

    def build(text):
        assert text == raw[start : end + 1]
        with asdf.open(io.BytesIO(raw), lazy_load=False, memmap=False) as file:
            return file["wcs"]

    return raw[start : end + 1], BinaryBlocks(raw, end + 5), build


def fast_from_yaml(wcs, templates=None, **options):
    text, blocks, build = written(wcs, **options)
    return FastWcs(
        YamlSource(text, blocks, TemplateCache() if templates is None else templates, build)
    )


def is_from_yaml(fast):
    return isinstance(fast._source, YamlSource)


def simple(first, box=((-0.5, 9.5), (-0.5, 4.5))):
    detector = cf.Frame2D(name="detector", unit=(u.pix, u.pix))
    sky = cf.Frame2D(name="sky", unit=(u.deg, u.deg))
    wcs = WCS([(detector, first.copy()), (sky, None)])
    if box:
        wcs.bounding_box = box
    return wcs


KNOWN = [
    m.Shift(1.5) & m.Scale(-2e-7),
    m.Mapping((1, 0)) | m.Identity(1) & m.Shift(0.0),
    m.Mapping((0, 1, 0)) | fix_inputs(m.Polynomial2D(1, c0_0=1, c1_0=2), {"y": 2.0}) & m.Identity(2)
    | m.Mapping((0, 2), n_inputs=3),
    fix_inputs(m.Shift(1) & m.Shift(2) & m.Const1D(7.0), {1: 2.0}) | m.Mapping((0, 2)),
    m.Polynomial1D(2, c0=1, c1=2, c2=3, domain=(0, 9), window=(-2, 1)) & m.Polynomial1D(0, c0=5),
    m.AffineTransformation2D([[1, 2], [3, 4.5]], [0.1, -3]) | m.Rotation2D(33.25),
    (m.Identity(1) + m.Shift(2.0)) * m.Const1D(-0.5) & (m.Identity(1) - m.Scale(3) ** m.Const1D(2)),
    m.Tabular1D([0.0, 2, 3, 10], [1.0, 4, 3, 9], bounds_error=False, fill_value=np.nan)
    & (m.Shift(3.0) / m.Shift(4.0)),
]  # fmt: skip

#: Models, options and units that are left to asdf and astropy.
LEFT = [
    m.Scale(0.1) & m.Shift(-3.0) | m.Pix2Sky_TAN(),
    m.Tabular1D([0.0, 2, 3, 10], [1.0, 4, 3, 9], bounds_error=False, fill_value=None) & m.Shift(1),
    m.Gaussian1D(1, 2, 3) & m.Shift(2),
]


@pytest.mark.parametrize("model", KNOWN)
@pytest.mark.parametrize("storage", ["internal", "inline"])
def test_same_as_through_models(model, storage):
    wcs = simple(model)
    fast = fast_from_yaml(wcs, all_array_storage=storage)
    x, y = np.meshgrid(np.arange(-2.0, 12), np.arange(-2.0, 7))
    for found, expected in zip(fast(x, y), fast_wcs(wcs)(x, y), strict=True):
        np.testing.assert_array_equal(found, expected)
    for found, expected in zip(fast(x, y), wcs(x, y), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-13)
    assert fast.available_frames == ["detector", "sky"]
    assert is_from_yaml(fast)


@pytest.mark.parametrize("model", LEFT)
def test_what_is_not_known_is_left_to_astropy(model):
    wcs = simple(model)
    fast = fast_from_yaml(wcs)
    x, y = np.meshgrid(np.arange(-2.0, 12), np.arange(-2.0, 7))
    for found, expected in zip(fast(x, y), wcs(x, y), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-13)
    assert not is_from_yaml(fast)
    assert isinstance(fast.to_gwcs(), WCS)


def test_compressed_blocks_are_left_to_asdf():
    wcs = simple(KNOWN[5])
    fast = fast_from_yaml(wcs, all_array_storage="internal", all_array_compression="zlib")
    np.testing.assert_allclose(fast(2.0, 3.0), wcs(2.0, 3.0), rtol=1e-13)
    assert not is_from_yaml(fast)


def test_slit_wcs():
    wcs = slit_wcs()  # with models on the sphere that are not known
    wcs.array_shape = SHAPE
    fast = fast_from_yaml(wcs)
    assert fast.available_frames == wcs.available_frames
    assert fast.array_shape == SHAPE
    assert fast.output_frame.name == "world"
    assert fast.output_frame.unit == wcs.output_frame.unit
    assert fast.output_frame.axes_order == (0, 1, 2)
    assert fast.input_frame.naxes == 2
    expected = wcs.bounding_box.bounding_box(order="F")
    assert fast.bounding_box.bounding_box(order="F") == expected
    assert fast.bounding_box.bounding_box(order="C") == expected[::-1]
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(float)
    slit = fast.get_transform("detector", "slit_frame")(x, y)
    for found, expected in zip(
        slit, wcs.get_transform("detector", "slit_frame")(x, y), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert is_from_yaml(fast)
    sky = fast.get_transform("slit_frame", "world")(*slit)
    for found, expected in zip(sky, wcs(x, y), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert not is_from_yaml(fast)


def test_no_bounding_box():
    fast = fast_from_yaml(simple(KNOWN[0], box=None))
    assert fast.bounding_box is None
    assert fast(100.0, 100.0)[0] == 101.5
    assert is_from_yaml(fast)


def test_one_template_serves_all_with_other_numbers():
    templates = TemplateCache()
    offsets = [1.0, -1.5e-7, 2.25, 1e30, np.nan, 123456789.123456789, 0.1 + 0.2]
    for offset in offsets:
        fast = fast_from_yaml(simple(m.Shift(offset) & m.Scale(1 / 3)), templates)
        x, y = fast(3.0, 4.0)
        np.testing.assert_array_equal([x, y], [3.0 + offset, 4.0 * (1 / 3)])
        assert is_from_yaml(fast)
    assert len(templates) == 2  # not a number is no number to YAML
    fast_from_yaml(simple(m.Scale(1.0) & m.Scale(1 / 3)), templates)(3.0, 4.0)
    assert len(templates) == 3


def test_number_of_templates_is_bounded():
    templates = TemplateCache()
    for count in range(80):
        text = b"wcs: [" + b", ".join([b"1.5"] * (count + 1)) + b"]\n"
        content, numbers = templates.parse(text)
        assert len(content["wcs"]) == len(numbers) == count + 1
    assert len(templates) <= 32


def test_long_sequences_may_wrap_anywhere():
    templates = TemplateCache()
    for width in (40, 80, 120):
        numbers = b", ".join(b"%d.5" % value for value in range(30))
        pieces = [numbers[start : start + width] for start in range(0, len(numbers), width)]
        text = b"wcs: [" + numbers.replace(b"7.5, ", b"7.5,\n      ") + b"]\n" if pieces else b""
        content, found = templates.parse(text)
        assert [float(value) for value in found] == [value + 0.5 for value in range(30)]
        assert [item.index for item in content["wcs"]] == list(range(30))
    assert len(templates) == 1


@pytest.mark.parametrize(
    "text",
    [
        b"wcs: {cost: $5}\n",
        b"wcs: [1.0, *id007]\n",
        b"wcs: [1.0, 2.0\n",
        b"wcs: {name: slit 3\n}\n",
        b"wcs: {? [1, 2] : 3}\n",
        b"wcs: {a: 1, a: 2}\n",
    ],
)
def test_strange_texts_are_refused(text):
    with pytest.raises(NotPlainError):
        TemplateCache().parse(text)


def test_blocks():
    raw = written(simple(KNOWN[5]), all_array_storage="internal")
    blocks = raw[1]
    assert len(blocks) == 2
    np.testing.assert_array_equal(blocks.array(0, "float64", "little", (2, 2)), [[1, 2], [3, 4.5]])
    for wrong in [(2, "float64", "little", (2, 2)), (0, "float64", "little", (3,))]:
        with pytest.raises(NotPlainError):
            blocks.array(*wrong)
    with pytest.raises(NotPlainError):
        blocks.array(0, "complex128", "little", (2, 2))
    assert isinstance(fast_wcs(simple(KNOWN[0]))._source, GwcsSource)


@pytest.mark.parametrize(
    "text",
    [
        b"wcs: 5\n",
        b"csw: {}\n",
        b"wcs: !<tag:stsci.edu:gwcs/wcs-1.4.0> {name: ''}\n",
        b"wcs: !<tag:stsci.edu:gwcs/wcs-1.4.0> {steps: [1]}\n",
        b"wcs: !<tag:stsci.edu:gwcs/wcs-1.4.0> {steps: []}\n",
        b"wcs: !<tag:stsci.edu:gwcs/wcs-9.4.0> {steps: []}\n",
        b"wcs: [\n",
    ],
)
def test_unreadable_texts_are_left_to_asdf(text):
    wcs = simple(KNOWN[0])
    fast = FastWcs(YamlSource(text, BinaryBlocks(b"", 0), TemplateCache(), lambda text: wcs))
    assert fast(1.0, 2.0) == wcs(1.0, 2.0)
    assert fast.bounding_box is wcs.bounding_box
    assert fast.to_gwcs() is wcs


def test_threads_may_share_templates():
    wcss = [simple(m.Shift(float(value)) & m.Scale(2.0)) for value in range(40)]
    pieces = [written(wcs) for wcs in wcss]
    templates = TemplateCache()

    def evaluate(piece):
        text, blocks, build = piece
        return FastWcs(YamlSource(text, blocks, templates, build))(1.0, 2.0)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(evaluate, pieces))
    assert found == [(1.0 + value, 4.0) for value in range(40)]
    assert len(templates) == 1
