"""What the functions that make a spectrum ask of a group of exposures of a slitlet."""

from __future__ import annotations

from typing import Any, TypeAlias

__all__ = ["SlitGroupLike", "is_compat"]

#: `~webbweave.slit_combine.SlitGroup`, or anything with its public attributes ``N``, ``name``,
#: ``files``, ``info``, ``meta``, ``meta_comment``, ``sh``, ``grating``, ``filter``, ``unp``,
#: ``data``, ``sky_background``, ``mask``, ``var_total``, ``var_rnoise``, ``wave``, ``dwave_dx``,
#: ``yslit``, ``fixed_yshutter``, ``bar``, ``exptime``, ``base_coeffs``, ``trace_coeffs``, ``fit``,
#: ``calc_reference_exposure``, ``relative_nod_offset``, ``slit_pixel_scale``,
#: ``source_ypixel_position``, and the methods ``make_diff_image``, ``nod_sides`` and
#: ``slit_columns``; where it has them ``normalization`` and ``lookup_prf``.
SlitGroupLike: TypeAlias = Any


def is_compat(group: SlitGroupLike) -> bool:
    """
    Tell whether a group works as msaexp does.

    Parameters
    ----------
    group : SlitGroup
        The group.

    Returns
    -------
    bool
        Its attribute ``compat``, or the entry of that name in its metadata; else False.
    """
    return bool(getattr(group, "compat", False) or group.meta.get("compat", False))
