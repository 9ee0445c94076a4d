"""The one place that knows files: opening, saving, collections of exposures, metadata."""

from webbweave.datamodels.arrays import read_arrays, read_named_arrays, write_arrays
from webbweave.datamodels.catalogs import (
    catalog_choices,
    catalog_path,
    chosen_catalog,
    read_catfile,
)
from webbweave.datamodels.deferred import defer_wcs
from webbweave.datamodels.inputs import Inputs, Member, collect_inputs, open_model
from webbweave.datamodels.model_list import ModelList
from webbweave.datamodels.output_wcs import StoredWCS, read_output_wcs, read_wavelengths
from webbweave.datamodels.pages import release
from webbweave.datamodels.reading import read_model
from webbweave.datamodels.scratch import spill
from webbweave.datamodels.tables import read_table, save_table
from webbweave.datamodels.tree import (
    arrays_of,
    copy_metadata,
    get_path,
    header_entries,
    loaded_bytes,
    replace_leaves,
    set_path,
    shallow_copy,
    tree_of,
)
from webbweave.datamodels.writing import (
    attach_table,
    extend_schema,
    of_slits,
    replace_atomically,
    save_model,
    table_schema,
)

__all__ = [
    "Inputs",
    "Member",
    "ModelList",
    "StoredWCS",
    "arrays_of",
    "attach_table",
    "catalog_choices",
    "catalog_path",
    "chosen_catalog",
    "collect_inputs",
    "copy_metadata",
    "defer_wcs",
    "extend_schema",
    "get_path",
    "header_entries",
    "loaded_bytes",
    "of_slits",
    "open_model",
    "read_arrays",
    "read_catfile",
    "read_model",
    "read_named_arrays",
    "read_output_wcs",
    "read_table",
    "read_wavelengths",
    "release",
    "replace_atomically",
    "replace_leaves",
    "save_model",
    "save_table",
    "set_path",
    "shallow_copy",
    "spill",
    "table_schema",
    "tree_of",
    "write_arrays",
]
