"""What products tell of their noise: extension COVAR, and the resampling matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse
from stdatamodels.jwst.datamodels import JwstDataModel

from webbweave.datamodels import get_path, read_model, tree_of
from webbweave.errors import InputError
from webbweave.resample.combine import ResampledSlit
from webbweave.resample.covariance import Covariance, neighbour_offsets

__all__ = ["read_covariance", "read_matrix", "set_noise"]


def set_noise(tree: dict[str, Any], resampled: ResampledSlit, names: Sequence[str]) -> None:
    """
    Write the covariances and the matrix of a resampled spectrum into its tree, if it has any.

    Parameters
    ----------
    tree : dict
        The tree of a SlitModel with ``meta.resample``, changed in place.
    resampled : ResampledSlit
        The spectrum.
    names : sequence of str
        Names of the exposures that it was made of.
    """
    covariance = resampled.covariance
    if covariance is not None:
        tree["covariance"] = covariance.values
        reach_y, reach_x = covariance.reach
        tree["meta"]["resample"] |= {
            "noise_correlation": covariance.noise_correlation,
            "covariance_reach_y": reach_y,
            "covariance_reach_x": reach_x,
        }
    if resampled.matrix is not None:
        tree["resampling_matrix"] = [
            {
                "exposure": name,
                "shape": list(matrix.shape),
                "indptr": matrix.indptr,
                "indices": matrix.indices,
                "data": matrix.data,
            }
            for name, matrix in zip(names, resampled.matrix, strict=True)
        ]


def read_covariance(
    product: str | Path | JwstDataModel, slit: int | str | None = None
) -> Covariance:
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
    Covariance
        The covariances, with which the variance of any sum of pixels follows.

    Raises
    ------
    InputError
        If the product has no covariances or no such slit.
    """
    if isinstance(product, str | Path):
        with read_model(product) as model:
            covariance = read_covariance(model, slit)
            return Covariance(np.array(covariance.values), covariance.offsets)
    name, tree = _slit_of(product, slit)
    cube = tree.get("covariance")
    reach = [get_path(tree, f"meta.resample.covariance_reach_{axis}") for axis in "yx"]
    if cube is None or None in reach:
        raise InputError(
            f"{name}: no covariances, expected an extension COVAR with keywords REACHY and REACHX"
        )
    offsets = neighbour_offsets(*map(int, reach))
    if len(offsets) != len(cube):
        raise InputError(
            f"{name}: COVAR has {len(cube)} planes, expected {len(offsets)} for REACHY, REACHX ="
            f" {reach[0]}, {reach[1]}"
        )
    return Covariance(np.asarray(cube, dtype=np.float32), offsets)


def read_matrix(
    product: str | Path | JwstDataModel, slit: int | str | None = None
) -> list[tuple[str, sparse.csr_array]]:
    """
    Read the matrices that made a product of its exposures.

    Parameters
    ----------
    product : str, path, SlitModel or MultiSlitModel
        A spectrum, or several, resampled with ``save_matrix``.
    slit : int or str, optional
        Which one of several: its number, counted from 0, or the name of its source.

    Returns
    -------
    list of (str, `~scipy.sparse.csr_array`), shape (ny * nx, ny_e * nx_e)
        Name and matrix of each exposure. The science values of the product are the sum over the
        exposures of the matrix times the exposure's pixels, row by row; pixels that were not used
        have no entries.

    Raises
    ------
    InputError
        If the product has no matrix or no such slit.
    """
    if isinstance(product, str | Path):
        with read_model(product) as model:
            return [(name, matrix.copy()) for name, matrix in read_matrix(model, slit)]
    name, tree = _slit_of(product, slit)
    stored = tree.get("resampling_matrix")
    if not stored:
        raise InputError(f"{name}: no resampling matrix, expected a product of save_matrix")
    parts = ("data", "indices", "indptr")
    return [
        (
            entry["exposure"],
            sparse.csr_array(
                tuple(np.asarray(entry[part]) for part in parts), shape=tuple(entry["shape"])
            ),
        )
        for entry in stored
    ]


def _slit_of(product: JwstDataModel, slit: int | str | None) -> tuple[str, Mapping[str, Any]]:
    """The name of a product, and the tree of one of its slits."""
    tree: Mapping[str, Any] = tree_of(product)
    name = str(get_path(tree, "meta.filename", type(product).__name__))
    if "slits" in tree:
        tree = _choose_slit(name, tree["slits"], slit)
    return name, tree


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
