from __future__ import annotations

import pytest

from webbweave.datamodels import read_model
from webbweave.resample.products import slit_inputs


@pytest.fixture(scope="session")
def real_exposures(example_files):
    """The same as the algorithms see them."""
    return [slit_inputs(path.name, read_model(path))[0].exposure() for path in example_files]
