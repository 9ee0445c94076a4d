"""The bits that say which test masked a pixel."""

from __future__ import annotations

import numpy as np

from webbweave.slit_combine.mask_bits import MaskBit, count_bits


def test_every_reason_has_a_bit_of_its_own():
    values = [bit.value for bit in MaskBit]
    assert sorted(values) == [1 << k for k in range(len(values))]
    assert max(values) < 1 << 32  # the plane is uint32


def test_pixels_are_counted_once_per_reason():
    bits = np.zeros((2, 3), np.uint32)
    bits[0, 0] = MaskBit.DQ | MaskBit.TRACE
    bits[1] |= np.uint32(MaskBit.MULTIPLE)
    bits[1, 2] |= np.uint32(MaskBit.TRACE)
    assert count_bits(bits) == {"DQ": 1, "TRACE": 2, "MULTIPLE": 3}
    assert MaskBit(bits[0, 0]) == MaskBit.DQ | MaskBit.TRACE
    assert count_bits(np.zeros((1, 4), np.uint32)) == {}
