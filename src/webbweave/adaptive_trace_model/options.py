"""How traces are modelled: the parameters of the step, checked."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

__all__ = ["WEIGHTINGS", "TraceOptions"]

WEIGHTINGS = ("uniform", "ivm")


@dataclass(frozen=True)
class TraceOptions:
    """
    How to model traces and to oversample; the parameters of the step.

    Attributes
    ----------
    fit_threshold : float
        A slice or slit is fitted if it is brighter than the mean of the image by so many standard
        deviations (integral-field units, MIRI per channel), or has a higher signal-to-noise ratio
        than this (slits). Not above 0: all are.
    oversample : float
        Rows of the finer grid per row; 1 to leave the data alone.
    slope_limit : float
        Change of the profile from pixel to pixel, as a fraction of the sum of the column, above
        which a source counts as compact. A background counts in that sum: what the number means
        depends on it. Not above 0: the splines are used everywhere.
    psf_optimal : bool
        For simple isolated point sources: everything is fitted, the splines are used everywhere,
        and residuals are left out.
    weighting : {'uniform', 'ivm'}
        Weights of the samples of a fit: all the same, or the inverse of their variances.
    trace_errors : bool
        Also compute the errors of the trace.
    column_table : bool
        Also tell how the fit of each column went.
    scale_per_integration : bool
        Fit the scale of the trace to each integration of a time series.
    compat : bool
        Give the numbers of jwst 3.0 instead of the corrected ones.
    threads : int
        Number of threads.

    Raises
    ------
    ValueError
        If a value is out of range; the message names the parameter.
    """

    fit_threshold: float = 10.0
    oversample: float = 1.0
    slope_limit: float = 0.1
    psf_optimal: bool = False
    weighting: str = "uniform"
    trace_errors: bool = False
    column_table: bool = False
    scale_per_integration: bool = False
    compat: bool = False
    threads: int = 1

    def __post_init__(self) -> None:
        if not (math.isfinite(self.oversample) and self.oversample > 0):
            raise ValueError(f"oversample: expected a positive number, found {self.oversample}")
        for name in ("fit_threshold", "slope_limit"):
            if math.isnan(getattr(self, name)):
                raise ValueError(f"{name}: expected a number, found {getattr(self, name)}")
        if self.weighting not in WEIGHTINGS:
            expected = " or ".join(map(repr, WEIGHTINGS))
            raise ValueError(f"weighting: expected {expected}, found {self.weighting!r}")

    @property
    def oversamples(self) -> bool:
        """Whether the data are to be put on another grid."""
        return self.oversample != 1.0

    def resolved(self) -> TraceOptions:
        """
        Put in what `psf_optimal` means for the limits.

        Returns
        -------
        TraceOptions
            The options to work with.
        """
        if not self.psf_optimal:
            return self
        return replace(self, fit_threshold=0.0, slope_limit=0.0)
