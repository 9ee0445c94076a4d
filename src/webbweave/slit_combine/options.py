"""How profiles and traces of a group of slitlets are fitted: one frozen object per group."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

__all__ = ["NIRSPEC_PIXEL_SCALE", "FitOptions"]

#: Arcsec per pixel along NIRSpec slits; the peer's prior of the width is this number in pixels.
NIRSPEC_PIXEL_SCALE = 0.10544

# Full width at half maximum of a Gaussian of standard deviation 1.
_FWHM_PER_SIGMA = 2.0 * math.sqrt(2.0 * math.log(2.0))


@dataclass(frozen=True)
class FitOptions:
    """
    The constants of the fit of a trace.

    The names are those of the constants of msaexp, of which there is one set for all groups of a
    process; here each group has its own.

    Attributes
    ----------
    huber_alpha : float
        Residual, in standard deviations, from which on the penalty grows linearly.
    sigma_prior, sigma_prior_width : float
        Mean and standard deviation of the Gaussian prior of the width, pixels; an infinite
        `sigma_prior_width` for none.
    center_prior, center_width : float
        The same of the offset of the trace, pixels.
    center_prior_all : bool
        The prior holds for every coefficient of the trace, not for the constant one only.
    scale_fwhm : float
        Factor of the width of the PSF.
    fwhm_per_sigma : float
        Full width at half maximum of a Gaussian over its standard deviation.
    wings : tuple of (float, float, float)
        Further Gaussians of the profile: amplitude relative to the first, scale of the standard
        deviation, shift in pixels.
    compat : bool
        Nod differences and profiles are those of msaexp, see the `peer` constructor.

    Raises
    ------
    ValueError
        If a value is out of range; the message names it.
    """

    huber_alpha: float = 7.0
    sigma_prior: float = 0.6
    sigma_prior_width: float = NIRSPEC_PIXEL_SCALE
    center_prior: float = 0.0
    center_width: float = 0.5
    center_prior_all: bool = False
    scale_fwhm: float = 1.0
    fwhm_per_sigma: float = _FWHM_PER_SIGMA
    wings: tuple[tuple[float, ...], ...] = ()
    compat: bool = False

    def __post_init__(self) -> None:
        for name in (
            "huber_alpha",
            "sigma_prior_width",
            "center_width",
            "scale_fwhm",
            "fwhm_per_sigma",
        ):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"{name}: expected a positive number, found {getattr(self, name)}")
        for name in ("sigma_prior", "center_prior"):
            if not math.isfinite(getattr(self, name)):
                raise ValueError(f"{name}: expected a number, found {getattr(self, name)}")
        for wing in self.wings:
            if len(wing) != 3 or not all(map(math.isfinite, wing)) or wing[1] <= 0.0:
                raise ValueError(
                    f"wings: expected (amplitude, scale, shift) with a positive scale, found {wing}"
                )

    @classmethod
    def peer(cls) -> FitOptions:
        """
        The constants of msaexp.

        The prior of the centre is 0.1 pixel wide on every coefficient, the width of a Gaussian is
        its full width over 2.35, and masks of the background stay as they were at the beginning.

        Returns
        -------
        FitOptions
            The options.
        """
        return cls(center_width=0.1, center_prior_all=True, fwhm_per_sigma=2.35, compat=True)

    def without_priors(self) -> FitOptions:
        """
        Leave the priors out.

        Returns
        -------
        FitOptions
            The options with priors of infinite width.
        """
        return replace(self, sigma_prior_width=math.inf, center_width=math.inf)
