"""Stacks of synthetic slitlets."""

from __future__ import annotations

import numpy as np
from synthetic_slitlet import SyntheticSlitlet, psf_fwhm

from webbweave.slit_combine.stack import SlitStack


def stack_of(case: SyntheticSlitlet, **kwargs) -> SlitStack:
    """The stack of a slitlet: its sky not subtracted, its first nod the reference."""
    settings = {"reference": int(np.min(case.nod)), **kwargs}
    return SlitStack.build(
        shape=case.shape,
        data=np.where(case.mask, case.sci, np.nan),
        mask=case.mask,
        bkg_mask=case.bkg_mask,
        var_total=case.var_total,
        var_rnoise=case.var_rnoise,
        wave=case.wave,
        psf_fwhm=psf_fwhm(case.wave),
        base_coeffs=case.base_coeffs,
        nods=case.nod,
        **settings,
    )
