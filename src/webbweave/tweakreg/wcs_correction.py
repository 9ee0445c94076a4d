"""Corrections of the pointing in the WCS of an image, as other tools for JWST understand them.

A correction is a step of its own, from the frame ``v2v3vacorr`` (``v2v3`` where velocity aberration
is not in the WCS) to ``v2v3corr``: to a tangent plane, an affine transformation, and back. Names
of models and frames are those of tweakwcs, since tools find the parts by them.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from astropy.modeling import Model
from astropy.modeling.models import (
    AffineTransformation2D,
    Const1D,
    Identity,
    Mapping,
    RotationSequence3D,
    Scale,
)
from gwcs import WCS
from gwcs.geometry import CartesianToSpherical, SphericalToCartesian
from numpy.typing import ArrayLike

from webbweave.errors import InputError
from webbweave.tweakreg.v2v3_plane import LinearCorrection, V2V3Plane
from webbweave.wcs.sky import ARCSEC_PER_RADIAN

__all__ = [
    "CORRECTED_FRAME",
    "apply_correction",
    "copied_wcs",
    "corrected_frame",
    "correction_model",
    "existing_correction",
    "read_correction",
    "remove_correction",
]

#: The frame that a correction leads to.
CORRECTED_FRAME = "v2v3corr"

#: The frames that a correction may start from; the first one that there is.
_FRAMES_BEFORE = ("v2v3vacorr", "v2v3")

_NAME = "JWST tangent-plane linear correction. v1"
_INVERSE_NAME = "Inverse JWST tangent-plane linear correction. v1"

#: Reference angles [degree] that agree within this are the same: a nano-arcsecond or so.
_SAME_ANGLE = 1e-12


def _affine(correction: LinearCorrection, name: str) -> Model:
    return AffineTransformation2D(
        matrix=correction.matrix, translation=correction.shift / ARCSEC_PER_RADIAN, name=name
    )


def _one_way(plane: V2V3Plane, affine: Model, name: str) -> Model:
    """Put the chain together: to the plane, in the plane, and back."""
    to_deg = Scale(1.0 / 3600.0, name="arcsec_to_deg_1D")
    to_arcsec = Scale(3600.0, name="deg_to_arcsec_1D")
    to_degrees = (to_deg & to_deg.copy()).rename("arcsec_to_deg_2D")
    to_arcseconds = (to_arcsec & to_arcsec.copy()).rename("deg_to_arcsec_2D")
    turn = RotationSequence3D(list(plane.angles), "zyx", name="det_to_optic_axis")
    turn_back = turn.inverse
    turn_back.name = "optic_axis_to_det"
    divided = Mapping((0, 1, 2), name="xyz") / Mapping((0, 0, 0), n_inputs=3, name="xxx")
    to_plane = (divided | Mapping((1, 2), name="xtyt")).rename("Cartesian 3D to TAN")
    from_plane = (
        Mapping((0, 0, 1), name="xtyt2xyz") | Const1D(1.0, name="one") & Identity(2, name="I(2D)")
    ).rename("TAN to cartesian 3D")
    to_vector = SphericalToCartesian(name="s2c", wrap_lon_at=180)
    to_angles = CartesianToSpherical(name="c2s", wrap_lon_at=180)
    chain = to_degrees | to_vector | turn | to_plane | affine
    return (chain | from_plane | turn_back | to_angles | to_arcseconds).rename(name)


def correction_model(plane: V2V3Plane, correction: LinearCorrection) -> Model:
    """
    Express a correction as a model, with inverse.

    Parameters
    ----------
    plane : V2V3Plane
        The plane of the correction.
    correction : LinearCorrection
        The correction.

    Returns
    -------
    `~astropy.modeling.CompoundModel`
        From (V2, V3) to corrected (V2, V3) [arcsec].
    """
    model = _one_way(plane, _affine(correction, "tp_affine"), _NAME)
    model.inverse = _one_way(plane, _affine(correction.inverse, "tp_affine_inv"), _INVERSE_NAME)
    return model


def corrected_frame(wcs: WCS) -> str:
    """
    Name the frame that holds the best (V2, V3) there are.

    Parameters
    ----------
    wcs : `~gwcs.WCS`
        WCS of an image.

    Returns
    -------
    str
        ``v2v3corr``, ``v2v3vacorr`` or ``v2v3``.

    Raises
    ------
    InputError
        If it has none of them.
    """
    for name in (CORRECTED_FRAME, *_FRAMES_BEFORE):
        if name in wcs.available_frames:
            return name
    raise InputError(
        f"the WCS has no frame v2v3, found {', '.join(wcs.available_frames)}: "
        "its pointing cannot be corrected"
    )


def read_correction(wcs: WCS) -> tuple[V2V3Plane, LinearCorrection] | None:
    """
    Read the correction that is in a WCS.

    Parameters
    ----------
    wcs : `~gwcs.WCS`
        WCS of an image.

    Returns
    -------
    (V2V3Plane, LinearCorrection) or None
        The correction and its plane; None if there is none.

    Raises
    ------
    ValueError
        If the frame ``v2v3corr`` was made in a way that is not known here.
    """
    if CORRECTED_FRAME not in wcs.available_frames:
        return None
    place = wcs.available_frames.index(CORRECTED_FRAME)
    model = wcs.pipeline[place - 1].transform if place > 0 else None
    if model is None or model.name != _NAME:
        raise ValueError(
            f"the step to {CORRECTED_FRAME} is called {getattr(model, 'name', None)!r}, "
            f"expected {_NAME!r}"
        )
    try:
        turn, affine = model["det_to_optic_axis"], model["tp_affine"]
        about_z, about_y, about_x = (float(angle) for angle in turn.angles.value)
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"the step to {CORRECTED_FRAME} lacks its parts: {error}") from error
    plane = V2V3Plane(3600.0 * about_z, -3600.0 * about_y, about_x)
    shift = np.array(affine.translation.value, dtype=np.float64).ravel() * ARCSEC_PER_RADIAN
    return plane, LinearCorrection.checked(affine.matrix.value, shift)


def existing_correction(wcs: WCS, plane: V2V3Plane) -> LinearCorrection | None:
    """
    Read the correction that a WCS has, and that another one would be added to.

    Parameters
    ----------
    wcs : `~gwcs.WCS`
        The WCS.
    plane : V2V3Plane
        The plane of the image.

    Returns
    -------
    LinearCorrection or None
        The correction; None if there is none.

    Raises
    ------
    ValueError
        If it is of another plane, or not one of jwst, tweakwcs or this package.
    """
    found = read_correction(wcs)
    if found is None:
        return None
    if not np.allclose(found[0].angles, plane.angles, rtol=0.0, atol=_SAME_ANGLE):
        raise ValueError(
            f"the WCS has a correction for the reference angles {found[0].angles} "
            f"(v2, -v3, roll [degree]), expected {plane.angles}"
        )
    return found[1]


def _rebuilt(wcs: WCS, steps: list[tuple[Any, Model | None]], name: str | None) -> WCS:
    """Make a WCS of steps, with all else that the old one knows."""
    new = WCS(steps)
    new.name = wcs.name if name is None else name
    if wcs.bounding_box is not None:
        new.bounding_box = wcs.bounding_box.bounding_box(order="F")
    if wcs.pixel_shape is not None:
        new.pixel_shape = wcs.pixel_shape
    return new


def _copied_steps(wcs: WCS) -> list[tuple[Any, Model | None]]:
    """Copy everything, so that the new WCS shares nothing with the old one."""
    # One copy of all: frames that share parts keep sharing them.
    return copy.deepcopy([(step.frame, step.transform) for step in wcs.pipeline])


def copied_wcs(wcs: WCS) -> WCS:
    """
    Copy a WCS.

    Parameters
    ----------
    wcs : `~gwcs.WCS`
        Any WCS.

    Returns
    -------
    `~gwcs.WCS`
        One that shares nothing with it.
    """
    return _rebuilt(wcs, _copied_steps(wcs), None)


def apply_correction(
    wcs: WCS,
    matrix: ArrayLike,
    shift: ArrayLike,
    plane: V2V3Plane,
    *,
    name: str | None = None,
) -> WCS:
    """
    Correct the pointing of a WCS.

    Parameters
    ----------
    wcs : `~gwcs.WCS`
        WCS of an image, with or without a correction; it is not changed.
    matrix : array_like, shape (2, 2)
        Rotation, scale and skew in the plane.
    shift : array_like, shape (2,)
        Shift in the plane, after the matrix [arcsec].
    plane : V2V3Plane
        The plane. Corrections are applied one after another: both act on the corrected positions
        in the same plane, and their combination is exact.
    name : str, optional
        Name of the new WCS; that of the old one if not given.

    Returns
    -------
    `~gwcs.WCS`
        The corrected WCS, with the same bounding box and shape.

    Raises
    ------
    InputError
        If the WCS has no frame ``v2v3``.
    ValueError
        If matrix or shift have no meaning, or the WCS has a correction that was made for another
        plane or in a way that is not known here.
    """
    correction = LinearCorrection.checked(matrix, shift)
    frame = corrected_frame(wcs)
    earlier = existing_correction(wcs, plane)
    steps = _copied_steps(wcs)
    place = wcs.available_frames.index(frame)
    if earlier is not None:
        model = correction_model(plane, correction.after(earlier))
        steps[place - 1] = (steps[place - 1][0], model)
    else:
        before, onwards = steps[place]
        after = copy.deepcopy(before)
        after.name = CORRECTED_FRAME
        steps[place : place + 1] = [(before, correction_model(plane, correction)), (after, onwards)]
    return _rebuilt(wcs, steps, name)


def remove_correction(wcs: WCS) -> WCS:
    """
    Take the correction out of a WCS.

    Parameters
    ----------
    wcs : `~gwcs.WCS`
        WCS of an image; it is not changed.

    Returns
    -------
    `~gwcs.WCS`
        The WCS as it was before any correction.

    Raises
    ------
    ValueError
        If the correction was made in a way that is not known here.
    """
    steps = _copied_steps(wcs)
    if read_correction(wcs) is not None:
        place = wcs.available_frames.index(CORRECTED_FRAME)
        steps[place - 1 : place + 1] = [(steps[place - 1][0], steps[place][1])]
    return _rebuilt(wcs, steps, None)
