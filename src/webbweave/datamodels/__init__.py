"""The one place that knows files: opening, saving, collections of exposures, metadata."""

from webbweave.datamodels.arrays import read_arrays, write_arrays
from webbweave.datamodels.catalogs import (
    catalog_choices,
    catalog_path,
    chosen_catalog,
    read_catfile,
)
from webbweave.datamodels.inputs import Inputs, Member, collect_inputs, open_model
from webbweave.datamodels.model_list import ModelList
from webbweave.datamodels.output_wcs import StoredWCS, read_output_wcs, read_wavelengths
from webbweave.datamodels.reading import read_model
from webbweave.datamodels.scratch import spill
from webbweave.datamodels.tables import read_table, save_table
from webbweave.datamodels.tree import copy_metadata, get_path, header_entries, set_path, tree_of
from webbweave.datamodels.writing import (
    attach_table,
    extend_schema,
    of_slits,
    replace_atomically,
    save_model,
)

__all__ = [
    "Inputs",
    "Member",
    "ModelList",
    "StoredWCS",
    "attach_table",
    "catalog_choices",
    "catalog_path",
    "chosen_catalog",
    "collect_inputs",
    "copy_metadata",
    "extend_schema",
    "get_path",
    "header_entries",
    "of_slits",
    "open_model",
    "read_arrays",
    "read_catfile",
    "read_model",
    "read_output_wcs",
    "read_table",
    "read_wavelengths",
    "replace_atomically",
    "save_model",
    "save_table",
    "set_path",
    "spill",
    "tree_of",
    "write_arrays",
]
