"""Msaexp, imported beside packages that are newer than it: for tests and benchmarks."""

from __future__ import annotations

import functools
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
