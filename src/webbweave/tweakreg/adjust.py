"""Changes of the pointing by hand, and corrections of one WCS carried over to another."""

from __future__ import annotations

import numpy as np
from astropy import units as u
from astropy.modeling import Model
from gwcs import WCS
from numpy.typing import ArrayLike

from webbweave.tweakreg.image_plane import ImagePlane
from webbweave.tweakreg.pointing import linear_between
from webbweave.tweakreg.v2v3_plane import LinearCorrection, V2V3Plane
from webbweave.tweakreg.wcs_correction import apply_correction, copied_wcs, read_correction

__all__ = ["adjust_wcs", "carry_correction"]

#: Angles of the rotation from (V2, V3) to the sky: V2, -V3, roll, declination, -right ascension.
_ANGLES = 5

#: Points along each side of an image at which a correction is compared.
_PROBES = 5


def _rotation(wcs: WCS) -> Model:
    """Find the rotation from (V2, V3) to the sky."""
    transform = wcs.pipeline[-2].transform if len(wcs.pipeline) > 1 else None
    parts = [] if transform is None else list(transform.traverse_postorder())
    found = [part for part in parts if np.size(getattr(part, "angles", ())) >= _ANGLES]
    if len(found) != 1:
        raise ValueError(
            "the last step of the WCS has no rotation by the 5 angles of the pointing, found "
            f"{[part.__class__.__name__ for part in parts]}: Unknown WCS structure"
        )
    return found[0]


def _plain(value: float | u.Quantity) -> float:
    """Degrees, of what is a number or has units."""
    return float(value.to_value(u.deg) if isinstance(value, u.Quantity) else value)


def adjust_wcs(
    wcs: WCS,
    delta_ra: float | u.Quantity = 0.0,
    delta_dec: float | u.Quantity = 0.0,
    delta_roll: float | u.Quantity = 0.0,
    scale_factor: float = 1.0,
) -> WCS:
    """
    Change the pointing of a WCS.

    Parameters
    ----------
    wcs : `~gwcs.WCS`
        WCS of a calibrated image; it is not changed.
    delta_ra, delta_dec, delta_roll : float or `~astropy.units.Quantity`, optional
        What is added to the right ascension and declination that the reference point looks at, and
        to the roll angle [degree].
    scale_factor : float, optional
        Multiplies the scale, in the tangent plane of the reference point.

    Returns
    -------
    `~gwcs.WCS`
        The changed WCS. It can be aligned afterwards.

    Raises
    ------
    ValueError
        If the WCS has no rotation from (V2, V3) to the sky, or the scale factor is not above 0.
    """
    if not (np.isfinite(scale_factor) and scale_factor > 0):
        raise ValueError(f"scale_factor: expected a number above 0, found {scale_factor!r}")
    new = copied_wcs(wcs)
    rotation = _rotation(new)
    angles = np.array(rotation.angles.value, dtype=np.float64)
    v2, minus_v3, roll = angles[-_ANGLES:-2]
    angles[-3:] += [_plain(delta_roll), _plain(delta_dec), -_plain(delta_ra)]
    rotation.angles = angles
    if scale_factor == 1.0:
        return new
    earlier = read_correction(new)
    plane = V2V3Plane(3600.0 * v2, -3600.0 * minus_v3, roll) if earlier is None else earlier[0]
    return apply_correction(new, scale_factor * np.eye(2), np.zeros(2), plane)


def carry_correction(
    wcs: WCS,
    plane: V2V3Plane,
    from_wcs: WCS,
    from_plane: V2V3Plane,
    matrix: ArrayLike,
    shift: ArrayLike,
) -> WCS:
    """
    Apply a correction that is defined in the plane of another image.

    Parameters
    ----------
    wcs : `~gwcs.WCS`
        The WCS to correct; it is not changed.
    plane : V2V3Plane
        Its plane.
    from_wcs : `~gwcs.WCS`
        WCS of the other image, without correction.
    from_plane : V2V3Plane
        The plane of the correction.
    matrix : array_like, shape (2, 2)
        The matrix of the correction.
    shift : array_like, shape (2,)
        Its shift [arcsec].

    Returns
    -------
    `~gwcs.WCS`
        The corrected WCS.

    Raises
    ------
    ValueError
        If matrix or shift have no meaning.
    """
    correction = LinearCorrection.checked(matrix, shift)
    there, here = ImagePlane(from_wcs, from_plane), ImagePlane(wcs, plane)
    box = wcs.bounding_box
    if box is None:
        start = 10.0 * np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    else:
        limits = box.bounding_box(order="F")
        sides = (np.linspace(low, high, _PROBES) for low, high in limits)
        x, y = (axis.ravel() for axis in np.meshgrid(*sides))
        start = here.from_pixels(x, y)
    moved = correction(there.from_world(*here.to_world(start)))
    own = linear_between(start, here.from_world(*there.to_world(moved)))
    return apply_correction(wcs, own.matrix, own.shift, plane)
