"""The weight of each input pixel."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from webbweave.errors import InputError
from webbweave.resample.exposure import SlitExposure

__all__ = ["WEIGHT_TYPES", "check_weight_type", "pixel_weights"]

log = logging.getLogger(__name__)

WEIGHT_TYPES = ("ivm", "exptime", None)


def check_weight_type(weight_type: str | None) -> None:
    """
    Refuse an unknown weighting.

    Parameters
    ----------
    weight_type : str or None
        The name to check.

    Raises
    ------
    ValueError
        If it is none of `WEIGHT_TYPES`.
    """
    if weight_type not in WEIGHT_TYPES:
        raise ValueError(f"weight_type: expected 'ivm', 'exptime' or None, found {weight_type!r}")


def pixel_weights(
    exposures: Sequence[SlitExposure], weight_type: str | None, *, compat: bool = False
) -> list[NDArray[np.float32]]:
    """
    Weigh the pixels of the exposures of one source.

    Parameters
    ----------
    exposures : sequence of SlitExposure
        The exposures, of shapes (ny, nx).
    weight_type : {'ivm', 'exptime', None}
        Inverse of the read-noise variance, exposure time, or equal weights. With 'ivm', an exposure
        without read-noise variance gets equal weights: the median of those of the others.
    compat : bool, optional
        Give the pixels of an exposure without read-noise variance weight 1, as jwst does.

    Returns
    -------
    list of ndarray of float32, shape (ny, nx)
        The weights; 0 for pixels that are not to be used.

    Raises
    ------
    InputError
        If an exposure time is needed and is not positive or not known.
    ValueError
        If `weight_type` is none of the three.
    """
    check_weight_type(weight_type)
    weights = [_weights(exposure, weight_type) for exposure in exposures]
    known = [w[e.good & (w > 0)] for w, e in zip(weights, exposures, strict=True) if w is not None]
    typical = float(np.median(np.concatenate(known))) if any(w.size for w in known) else 1.0
    result = []
    for exposure, weight in zip(exposures, weights, strict=True):
        if weight is None:
            log.warning(
                "%s: no usable VAR_RNOISE, its pixels get equal weights instead of ivm",
                exposure.name,
            )
            level = 1.0 if compat else typical
            weight = np.full(exposure.data.shape, level, dtype=np.float32)
        weight[~exposure.good] = 0.0
        result.append(weight)
    return result


def _weights(exposure: SlitExposure, weight_type: str | None) -> NDArray[np.float32] | None:
    """Weights before masking; None if they need a variance that is not there."""
    if weight_type is None:
        return np.ones(exposure.data.shape, dtype=np.float32)
    if weight_type == "exptime":
        time = exposure.exposure_time
        if time is None or not time > 0:
            raise InputError(
                f"{exposure.name}: weight_type 'exptime' needs a positive TMEASURE or EFFEXPTM, "
                f"found {time}"
            )
        return np.full(exposure.data.shape, time, dtype=np.float32)
    variance = exposure.variances.get("var_rnoise")
    if variance is None:
        return None
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        weights = (1.0 / np.asarray(variance, dtype=np.float32)).astype(np.float32)
    weights[~np.isfinite(weights)] = 0.0
    return weights
