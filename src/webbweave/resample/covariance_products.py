"""The covariance of neighbouring pixels in products: extension COVAR."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stdatamodels.jwst.datamodels import JwstDataModel

from webbweave.datamodels import get_path, read_model, tree_of
from webbweave.errors import InputError
from webbweave.resample.combine import ResampledSlit

__all__ = ["covariance_offsets", "read_covariance", "set_covariance"]


def covariance_offsets(reach_y: int, reach_x: int) -> tuple[tuple[int, int], ...]:
    """
    List what the planes of extension COVAR are.

    Parameters
    ----------
    reach_y, reach_x : int
        Largest distance in rows and columns.

    Returns
    -------
    tuple of (int, int)
        ``(dy, dx)`` of each plane: the plane holds the covariance of pixel ``(y, x)`` with pixel
        ``(y + dy, x + dx)``. In the order of rows, with one of each pair of opposite offsets; the
        first is ``(0, 0)``.
    """
    return tuple(
        (dy, dx)
        for dy in range(reach_y + 1)
        for dx in range(-reach_x, reach_x + 1)
        if dy > 0 or dx >= 0
    )


def set_covariance(tree: dict[str, Any], resampled: ResampledSlit) -> None:
    """
    Write the covariances of a resampled spectrum into its tree, if it has any.

    Parameters
    ----------
    tree : dict
        The tree of a SlitModel with ``meta.resample``, changed in place.
    resampled : ResampledSlit
        The spectrum.

    Raises
    ------
    ValueError
        If the planes are not in the order of `covariance_offsets`.
    """
    covariance = getattr(resampled, "covariance", None)
    if covariance is None:
        return
    offsets = tuple(tuple(offset) for offset in resampled.covariance_offsets)  # type: ignore[attr-defined]
    reach = tuple(max(offset[axis] for offset in offsets) for axis in (0, 1))
    if offsets != covariance_offsets(*reach):
        raise ValueError(f"covariance_offsets: expected the order of rows, found {offsets}")
    tree["covariance"] = covariance
    tree["meta"]["resample"] |= {
        "noise_correlation": float(resampled.noise_correlation),  # type: ignore[attr-defined]
        "covariance_reach_y": reach[0],
        "covariance_reach_x": reach[1],
    }


def read_covariance(
    product: str | Path | JwstDataModel, slit: int | str | None = None
) -> tuple[NDArray[np.float32], tuple[tuple[int, int], ...]]:
    """
    Read how the noise of neighbouring pixels of a product is correlated.

    Parameters
    ----------
    product : str, path, SlitModel or MultiSlitModel
        A rectified spectrum, or several.
    slit : int or str, optional
        Which one of several: its number, counted from 0, or the name of its source.

    Returns
    -------
    covariance : ndarray of float32, shape (n_offset, ny, nx)
        Covariance of each pixel ``(y, x)`` with pixel ``(y + dy, x + dx)``, in the unit of the
        variances; NaN or 0 where there is none.
    offsets : tuple of (int, int)
        ``(dy, dx)`` of each plane; the covariance for the opposite offset is that of the other
        pixel.

    Raises
    ------
    InputError
        If the product has no covariances or no such slit.
    """
    if isinstance(product, str | Path):
        with read_model(product) as model:
            covariance, offsets = read_covariance(model, slit)
            return np.array(covariance), offsets
    tree: Mapping[str, Any] = tree_of(product)
    name = str(get_path(tree, "meta.filename", type(product).__name__))
    if "slits" in tree:
        tree = _choose_slit(name, tree["slits"], slit)
    cube = tree.get("covariance")
    reach = [get_path(tree, f"meta.resample.covariance_reach_{axis}") for axis in "yx"]
    if cube is None or None in reach:
        raise InputError(
            f"{name}: no covariances, expected an extension COVAR with keywords REACHY and REACHX"
        )
    offsets = covariance_offsets(*map(int, reach))
    if len(offsets) != len(cube):
        raise InputError(
            f"{name}: COVAR has {len(cube)} planes, expected {len(offsets)} for REACHY, REACHX ="
            f" {reach[0]}, {reach[1]}"
        )
    return np.asarray(cube, dtype=np.float32), offsets


def _choose_slit(
    name: str, slits: Sequence[Mapping[str, Any]], slit: int | str | None
) -> Mapping[str, Any]:
    if slit is None and len(slits) == 1:
        return slits[0]
    if isinstance(slit, int) and 0 <= slit < len(slits):
        return slits[slit]
    found = [one for one in slits if str(one.get("source_name")) == slit]
    if found:
        return found[0]
    raise InputError(
        f"{name}: expected the number (0 to {len(slits) - 1}) or source of one of its slits, "
        f"found {slit!r}"
    )
