"""Alignment of images by their sources: finding, matching, fitting, correction of the WCS."""

from webbweave.tweakreg.fitting import (
    LinearFit,
    NotEnoughPointsError,
    SingularMatrixError,
    iter_linear_fit,
)
from webbweave.tweakreg.matching import Match, SourceConfusionError, XYXYMatch
from webbweave.tweakreg.tweakreg_step import TweakRegStep

__all__ = [
    "LinearFit",
    "Match",
    "NotEnoughPointsError",
    "SingularMatrixError",
    "SourceConfusionError",
    "TweakRegStep",
    "XYXYMatch",
    "iter_linear_fit",
]
