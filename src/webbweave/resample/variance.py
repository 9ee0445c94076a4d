"""Variances of a combination of drizzled exposures as jwst makes them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from webbweave.resample.drizzle import Drizzled
from webbweave.resample.exposure import VARIANCES

__all__ = ["VarianceCombiner"]


@dataclass
class VarianceCombiner:
    """
    Combine the variances of exposures, one exposure at a time.

    The square roots of the variances are drizzled like the science values and squared again; their
    mean over the exposures is weighted with the inverse of the read-noise variance on the output
    grid, or with the exposure times. Correlations between pixels are not followed (jwst
    documentation, "resample_spec", section on error propagation).

    Attributes
    ----------
    shape : (int, int)
        Shape (ny, nx) of the output grid.
    weight_type : {'ivm', 'exptime', None}
        The weighting of the exposures.
    """

    shape: tuple[int, int]
    weight_type: str | None = "ivm"
    _sums: dict[str, NDArray[np.float64]] = field(default_factory=dict, init=False)
    _weights: dict[str, NDArray[np.float64]] = field(default_factory=dict, init=False)
    _last_weight: NDArray[np.float64] | None = field(default=None, init=False)

    def add(self, drizzled: Drizzled, *, exposure_time: float | None = None) -> None:
        """
        Add one exposure.

        Parameters
        ----------
        drizzled : Drizzled
            With the square roots of the variances among its planes, under the names of the
            variances.
        exposure_time : float, optional
            Needed for the weight type 'exptime' [s].
        """
        weight = self._exposure_weight(drizzled, exposure_time)
        for name in VARIANCES:
            if name not in drizzled.sums:
                continue
            variance = drizzled.mean(name) ** 2
            with np.errstate(invalid="ignore"):
                valid = np.isfinite(variance) & (weight > 0)
            sums = self._sums.setdefault(name, np.full(self.shape, np.nan))
            weights = self._weights.setdefault(name, np.zeros(self.shape))
            sums[valid] = np.nan_to_num(sums[valid]) + variance[valid] * weight[valid] ** 2
            weights[valid] += weight[valid]

    def _exposure_weight(
        self, drizzled: Drizzled, exposure_time: float | None
    ) -> NDArray[np.float64]:
        if self.weight_type == "exptime":
            return np.full(self.shape, exposure_time or 0.0)
        if self.weight_type is None:
            return np.ones(self.shape)
        if "var_rnoise" in drizzled.sums:
            variance = drizzled.mean("var_rnoise") ** 2
            with np.errstate(divide="ignore", invalid="ignore"):
                weight = 1.0 / variance
            weight[~((variance > 0) & np.isfinite(weight))] = 0.0
            self._last_weight = weight
            return weight
        # Without read-noise variance jwst uses the weights of the exposure before.
        return np.ones(self.shape) if self._last_weight is None else self._last_weight

    def result(
        self, ratio: float = 1.0
    ) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.float32]]:
        """
        Return the variances of the combination.

        Parameters
        ----------
        ratio : float, optional
            Input pixel scale over output pixel scale: a smaller output pixel holds less of the
            data.

        Returns
        -------
        variances : dict of str to ndarray of float32, shape (ny, nx)
            NaN where no exposure contributes; names as in `VARIANCES`.
        error : ndarray of float32, shape (ny, nx)
            Square root of their sum, NaN where all are NaN.
        """
        variances = {}
        total = np.zeros(self.shape)
        known = np.zeros(self.shape, dtype=bool)
        for name, sums in self._sums.items():
            weights = self._weights[name]
            with np.errstate(divide="ignore", invalid="ignore"):
                # In this order: the square of the weights may be out of range.
                variance = (sums * ratio / weights) / weights
            finite = np.isfinite(variance)
            total[finite] += variance[finite]
            known |= finite
            variances[name] = variance.astype(np.float32)
        error = np.where(known, np.sqrt(total), np.nan).astype(np.float32)
        return variances, error
