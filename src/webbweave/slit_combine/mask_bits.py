"""Which test masked a pixel."""

from __future__ import annotations

from enum import IntFlag

import numpy as np
from numpy.typing import NDArray

__all__ = ["MaskBit", "count_bits"]


class MaskBit(IntFlag):
    """
    Reasons for a pixel not to be used.

    A pixel may have several: each test marks what it finds among the pixels that were used until
    then, and the tests of `SlitGroup.parse_data` what they find among all.
    """

    DQ = 1  #: A bad bit in the data quality plane.
    EXTRA_DQ = 2  #: In the table of additional bad pixels, or at the edge of the detector.
    FAILED_OPEN = 4  #: Beside light of a shutter that failed open.
    NOT_FINITE = 8  #: No finite value or variance, no flux calibration, or exactly zero.
    TOO_BRIGHT = 16  #: Above the largest valid value.
    TOO_NEGATIVE = 32  #: Below what noise can do.
    NOISY = 64  #: Read noise far above that of the others.
    BORDER = 128  #: Outside the slit, or next to its border.
    BAR = 256  #: Behind a bar, or outside the range of the bar model.
    STUCK = 512  #: In a shutter that is stuck closed.
    NORMALIZATION = 1024  #: Without a normalisation.
    HOT_COLD = 2048  #: Hot or cold in several exposures.
    TRACE = 4096  #: Brighter than the trace, outside it.
    TWO_D = 8192  #: Far from its neighbours in wavelength.
    PERCENTILE = 16384  #: Brighter than the distribution of values allows.
    SKY = 32768  #: Far from the sky model.
    PROFILE = 65536  #: Far from the profile across the trace.
    MULTIPLE = 131072  #: Bad in most of the exposures.
    BACKGROUND = 262144  #: Without a background.
    CROSS_DISPERSION = 524288  #: In rows that were asked not to be used.


def count_bits(bits: NDArray[np.uint32]) -> dict[str, int]:
    """
    Count the pixels that each test has masked.

    Parameters
    ----------
    bits : ndarray of uint32
        The plane of `MaskBit`.

    Returns
    -------
    dict
        Numbers of pixels by the name of the test, for those that masked any.
    """
    counts = {str(bit.name): int(np.count_nonzero(bits & np.uint32(bit))) for bit in MaskBit}
    return {name: n for name, n in counts.items() if n}
