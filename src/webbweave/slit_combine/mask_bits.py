"""Which test masked a pixel: the bits of a plane that stands beside the mask."""

from __future__ import annotations

from enum import IntFlag

import numpy as np
from numpy.typing import NDArray

__all__ = ["MaskBit", "count_bits", "new_bits", "set_bits"]


class MaskBit(IntFlag):
    """
    The tests that mask pixels, in the order in which they are made.

    A pixel that failed several tests has several bits; a pixel that failed none has 0 and is valid.
    """

    #: The data quality of the pipeline says that it is bad.
    DQ = 1 << 0
    #: In the table of additional bad pixels, or at the edge of the detector.
    EXTRA_DQ = 1 << 1
    #: Near a shutter that failed open.
    FAILED_OPEN = 1 << 2
    #: Flux, variance or flux calibration are missing, or the flux is exactly 0.
    NO_DATA = 1 << 3
    #: Brighter than any source of this mode is.
    TOO_BRIGHT = 1 << 4
    #: More negative than noise.
    NEGATIVE = 1 << 5
    #: Far more read noise than the others have.
    NOISY = 1 << 6
    #: At the border of the slit, or outside.
    BORDER = 1 << 7
    #: Hot in this exposure.
    HOT_PIXEL = 1 << 8
    #: No flat field, no normalisation or no flux calibration here.
    NO_CALIBRATION = 1 << 9
    #: The bar shadow is unknown here.
    NO_BAR = 1 << 10
    #: Behind the bar between shutters.
    BAR = 1 << 11
    #: In a shutter that is stuck, or was named as bad.
    SHUTTER = 1 << 12
    #: Hot or cold in several exposures.
    HOT_COLD = 1 << 13
    #: Brighter than anything in the trace.
    TRACE = 1 << 14
    #: Far from its neighbours in wavelength, in all exposures.
    OUTLIER_2D = 1 << 15
    #: Brighter than what the distribution in the trace lets expect.
    PERCENTILE = 1 << 16
    #: Far from the model of the sky, or with an extreme variance among its pixels.
    SKY = 1 << 17
    #: Far from the profile across the dispersion.
    PROFILE = 1 << 18
    #: Masked in too many of the exposures.
    MULTIPLE = 1 << 19
    #: No background spectrum, or one without a variance.
    BACKGROUND = 1 << 20
    #: Left out of the cross-dispersion range that was asked for.
    CROSS_DISPERSION = 1 << 21
    #: Masked by the user.
    USER = 1 << 22


def new_bits(shape: tuple[int, ...]) -> NDArray[np.uint32]:
    """
    Make a plane on which no test has masked anything.

    Parameters
    ----------
    shape : tuple of int
        That of the mask.

    Returns
    -------
    ndarray of uint32
        Zeros.
    """
    return np.zeros(shape, np.uint32)


def set_bits(bits: NDArray[np.uint32], flagged: NDArray[np.bool_], bit: MaskBit) -> None:
    """
    Note, in place, that a test has masked pixels.

    Parameters
    ----------
    bits : ndarray of uint32
        The plane.
    flagged : ndarray of bool
        What the test found; its shape may be that of one exposure, for all of them.
    bit : MaskBit
        Which test it was.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    found = np.broadcast_to(np.asarray(flagged, np.bool_), bits.shape)
    bits |= np.where(found, np.uint32(bit), np.uint32(0))


def count_bits(bits: NDArray[np.uint32]) -> dict[str, int]:
    """
    Count the pixels that each test has masked.

    Parameters
    ----------
    bits : ndarray of uint32
        The plane.

    Returns
    -------
    dict
        Numbers of pixels by the name of the test, for those that masked any.
    """
    counts = {str(bit.name): int(np.count_nonzero(bits & np.uint32(bit.value))) for bit in MaskBit}
    return {name: n for name, n in counts.items() if n}
