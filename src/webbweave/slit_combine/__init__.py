"""From nodded slitlets to one spectrum."""

from webbweave.slit_combine.combine import combine_grating_group
from webbweave.slit_combine.drizzle import drizzle_grating_group
from webbweave.slit_combine.group_options import WEIGHT_TYPES
from webbweave.slit_combine.lookup_psf import LookupTablePSF, set_lookup_prf
from webbweave.slit_combine.mask_bits import MaskBit
from webbweave.slit_combine.one_d import pixel_table_to_1d
from webbweave.slit_combine.slit_group import SlitGroup

__all__ = [
    "WEIGHT_TYPES",
    "LookupTablePSF",
    "MaskBit",
    "SlitGroup",
    "combine_grating_group",
    "drizzle_grating_group",
    "pixel_table_to_1d",
    "set_lookup_prf",
]
