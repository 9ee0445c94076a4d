"""Alignment of images by their sources: finding, matching, fitting, correction of the WCS."""

from webbweave.tweakreg.adjust import adjust_wcs
from webbweave.tweakreg.fitting import (
    LinearFit,
    NotEnoughPointsError,
    SingularMatrixError,
    iter_linear_fit,
)
from webbweave.tweakreg.matching import Match, SourceConfusionError, XYXYMatch
from webbweave.tweakreg.sources import make_tweakreg_catalog
from webbweave.tweakreg.transfer_products import transfer_wcs_correction
from webbweave.tweakreg.tweakreg_step import TweakRegStep

__all__ = [
    "LinearFit",
    "Match",
    "NotEnoughPointsError",
    "SingularMatrixError",
    "SourceConfusionError",
    "TweakRegStep",
    "XYXYMatch",
    "adjust_wcs",
    "iter_linear_fit",
    "make_tweakreg_catalog",
    "transfer_wcs_correction",
]
