"""The WCS of a made-up imager, with the frames of JWST."""

from __future__ import annotations

from astropy import coordinates as coord
from astropy import units as u
from astropy.modeling.models import Mapping, Polynomial2D, RotationSequence3D, Scale, Shift
from gwcs import WCS
from gwcs import coordinate_frames as cf
from gwcs.geometry import CartesianToSpherical, SphericalToCartesian

#: Where the made-up aperture is: [arcsec], [arcsec], [degree].
WCSINFO = {"v2_ref": 120.5, "v3_ref": -527.7, "roll_ref": 130.6}

SIZE = 1024
PIXEL = 0.063


def distortion() -> tuple[object, object]:
    """From pixels, centred, to arcseconds and back: quadratic terms of a pixel at the border."""
    x = Polynomial2D(2, c1_0=PIXEL, c0_1=0.0004, c2_0=1e-7, c1_1=2e-7)
    y = Polynomial2D(2, c1_0=-0.0003, c0_1=PIXEL, c0_2=1e-7, c1_1=-1e-7)
    back_x = Polynomial2D(2, c1_0=1 / PIXEL, c0_1=-0.0004 / PIXEL**2)
    back_y = Polynomial2D(2, c1_0=0.0003 / PIXEL**2, c0_1=1 / PIXEL)
    there = Mapping((0, 1, 0, 1)) | x & y
    there.inverse = Mapping((0, 1, 0, 1)) | back_x & back_y
    return there


def image_wcs(
    *,
    ra: float = 214.75,
    dec: float = 52.83,
    wcsinfo: dict[str, float] = WCSINFO,
    aberration: bool = True,
    box: bool = True,
    size: int = SIZE,
) -> WCS:
    """Make the WCS of an image; the frame v2v3vacorr only with aberration."""
    v2, v3, roll = wcsinfo["v2_ref"], wcsinfo["v3_ref"], wcsinfo["roll_ref"]
    middle = (size - 1) / 2
    to_v2v3 = Shift(-middle) & Shift(-middle) | distortion() | Shift(v2) & Shift(v3)
    angles = [v2 / 3600, -v3 / 3600, roll, dec, -ra]
    to_sky = (
        Scale(1 / 3600) & Scale(1 / 3600)
        | SphericalToCartesian(wrap_lon_at=180)
        | RotationSequence3D(angles, "zyxyz")
        | CartesianToSpherical(wrap_lon_at=360)
    )
    to_sky.name = "v23tosky"
    aberrated = Scale(0.99999) & Scale(0.99999) | Shift(0.0012) & Shift(-0.0053)
    aberrated.name = "DVA_Correction"

    def plane(name: str, unit: u.UnitBase) -> cf.Frame2D:
        return cf.Frame2D(name=name, unit=(unit, unit), axes_order=(0, 1))

    steps = [(plane("detector", u.pix), to_v2v3)]
    if aberration:
        steps += [(plane("v2v3", u.arcsec), aberrated), (plane("v2v3vacorr", u.arcsec), to_sky)]
    else:
        steps += [(plane("v2v3", u.arcsec), to_sky)]
    steps += [(cf.CelestialFrame(name="world", reference_frame=coord.ICRS()), None)]
    wcs = WCS(steps)
    wcs.name = "synthetic"
    if box:
        wcs.bounding_box = ((-0.5, size - 0.5), (-0.5, size - 0.5))
        wcs.pixel_shape = (size, size)
    return wcs
