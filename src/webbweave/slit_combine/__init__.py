"""From nodded slitlets to one spectrum."""

from webbweave.slit_combine.combine import combine_grating_group
from webbweave.slit_combine.drizzle import DRIZZLE_KWS, drizzle_grating_group
from webbweave.slit_combine.extract import ExtractedSpectra, extract_spectra
from webbweave.slit_combine.grids import GRATING_LIMITS
from webbweave.slit_combine.group_options import WEIGHT_TYPES
from webbweave.slit_combine.header import obj_header
from webbweave.slit_combine.lookup_psf import LookupTablePSF, set_lookup_prf
from webbweave.slit_combine.many import ExtractResult, extract_sources
from webbweave.slit_combine.mask_bits import MaskBit
from webbweave.slit_combine.one_d import pixel_table_to_1d
from webbweave.slit_combine.path_loss import (
    average_path_loss,
    get_spectrum_path_loss,
    slit_prf_fraction,
)
from webbweave.slit_combine.pseudo_drizzle import pseudo_drizzle
from webbweave.slit_combine.slit_group import SlitGroup
from webbweave.slit_combine.sources import split_sources
from webbweave.slit_combine.splitting import split_visit_groups
from webbweave.slit_combine.summary import SourceSummary, summarise_source

__all__ = [
    "DRIZZLE_KWS",
    "GRATING_LIMITS",
    "WEIGHT_TYPES",
    "ExtractResult",
    "ExtractedSpectra",
    "LookupTablePSF",
    "MaskBit",
    "SlitGroup",
    "SourceSummary",
    "average_path_loss",
    "combine_grating_group",
    "drizzle_grating_group",
    "extract_sources",
    "extract_spectra",
    "get_spectrum_path_loss",
    "obj_header",
    "pixel_table_to_1d",
    "pseudo_drizzle",
    "set_lookup_prf",
    "slit_prf_fraction",
    "split_sources",
    "split_visit_groups",
    "summarise_source",
]
