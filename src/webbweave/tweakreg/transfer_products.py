"""Corrections of one image given to another: the models and files around it."""

from __future__ import annotations

from pathlib import Path

from gwcs import WCS
from numpy.typing import ArrayLike
from stdatamodels.jwst.datamodels import JwstDataModel

from webbweave.datamodels import get_path, open_model, save_model, set_path, tree_of
from webbweave.errors import InputError
from webbweave.tweakreg.adjust import carry_correction
from webbweave.tweakreg.image_products import sky_region
from webbweave.tweakreg.v2v3_plane import V2V3Plane
from webbweave.tweakreg.wcs_correction import read_correction, remove_correction

__all__ = ["transfer_wcs_correction"]


def _plane_of(model: JwstDataModel) -> V2V3Plane:
    return V2V3Plane.of(get_path(tree_of(model), "meta.wcsinfo", {}))


def transfer_wcs_correction(
    to_image: str | Path | JwstDataModel,
    from_image: str | Path | JwstDataModel | WCS,
    matrix: ArrayLike | None = None,
    shift: ArrayLike | None = None,
) -> None:
    """
    Give the correction of one image to another.

    Parameters
    ----------
    to_image : str, path or data model
        The image to correct: a model is changed in place, a file is replaced.
    from_image : str, path, data model or `~gwcs.WCS`
        The image that has the correction, all of which is carried over, or the plane in which
        `matrix` and `shift` are defined.
    matrix : array_like, shape (2, 2), optional
        A matrix instead of that of `from_image`; only together with `shift`.
    shift : array_like, shape (2,), optional
        A shift [arcsec].

    Raises
    ------
    ValueError
        If only one of matrix and shift is given, or none and `from_image` has no correction.
    InputError
        If a file cannot be read, or an image has no WCS.
    """
    if (matrix is None) != (shift is None):
        raise ValueError("matrix and shift: expected both or none of them")
    model = to_image if isinstance(to_image, JwstDataModel) else open_model(to_image)
    source = from_image if isinstance(from_image, WCS | JwstDataModel) else open_model(from_image)
    from_wcs = source if isinstance(source, WCS) else get_path(tree_of(source), "meta.wcs")
    wcs = get_path(tree_of(model), "meta.wcs")
    if from_wcs is None or wcs is None:
        raise InputError(f"{from_image if from_wcs is None else to_image}: has no WCS")
    found = read_correction(from_wcs)
    if matrix is None or shift is None:
        if found is None:
            raise ValueError(
                "from_image: its WCS has no correction (frame v2v3corr), expected one, or matrix "
                "and shift"
            )
        matrix, shift = found[1].matrix, found[1].shift
    if found is not None:
        plane = found[0]
    elif isinstance(source, JwstDataModel):
        plane = _plane_of(source)
    else:
        raise ValueError("from_image: a WCS without correction does not tell its plane")
    new = carry_correction(wcs, _plane_of(model), remove_correction(from_wcs), plane, matrix, shift)
    tree_of(model)["meta"]["wcs"] = new
    if (region := sky_region(new)) is not None:
        set_path(tree_of(model), "meta.wcsinfo.s_region", region)
    if not isinstance(to_image, JwstDataModel):
        save_model(model, to_image)
        model.close()
