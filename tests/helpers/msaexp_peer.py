"""Msaexp, imported beside packages that are newer than it: for tests and benchmarks."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path
from typing import Any

#: The release that ``compat=True`` gives the numbers of.
VERSION = "0.9.17"


class _Casts(dict):
    def __missing__(self, kind: type) -> Any:
        import numpy as np

        return functools.partial(np.asarray, dtype=kind)


def import_msaexp() -> Any:
    """Its module ``slit_combine``; two names that it imports have gone from jwst and numpy."""
    import jwst.datamodels.mask
    import numpy as np
    from stdatamodels.jwst.datamodels import dqflags

    if not hasattr(jwst.datamodels.mask, "pixel"):
        jwst.datamodels.mask.pixel = dqflags.pixel
    if not hasattr(np, "cast"):
        np.cast = _Casts()  # noqa: NPY201
    from msaexp import slit_combine

    return slit_combine


def psf_file() -> Path | None:
    """Its tables of the PSF of shutters, in double precision; None where it is not installed."""
    spec = importlib.util.find_spec("msaexp")
    if spec is None or spec.origin is None:
        return None
    name = "nirspec_merged_s200a1_exp_psf_lookup_001.fits"
    return Path(spec.origin).parent / "data" / "psf" / name
