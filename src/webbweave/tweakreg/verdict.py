"""One line about what became of an image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["verdict"]

#: Offsets are told in mas below this, in arcsec above [arcsec].
_MANY_MAS = 1.0


def verdict(values: Mapping[str, Any]) -> str:
    """
    Say in one line what became of an image.

    Parameters
    ----------
    values : mapping
        As `~webbweave.tweakreg.fit_table.outcome_values` gives them and ``meta.tweakreg`` of a
        product has them.

    Returns
    -------
    str
        Status, movement, and how good the fit is; or the reason why there is none.
    """
    status, reason = values["status"], values["reason"]
    if status != "COMPLETE":
        return f"{status}: {reason or 'no reason known'}"
    stage = "absolute" if values["absolute_status"] == "SUCCESS" else "relative"
    outcome = values[f"{stage}_status"]
    if outcome in {"SUCCESS", "APPLIED"}:
        text = _movement(values)
        if outcome == "SUCCESS":
            text += f"; {_fit(values, stage)}"
    elif outcome == "REFERENCE":
        text = "not moved, the others are aligned to it"
    else:
        text = f"not moved ({outcome or 'nothing was fitted'})"
    return f"{status}: {text}" + (f" ({reason})" if reason else "")


def _movement(values: Mapping[str, Any]) -> str:
    text = (
        f"moved {_offset(values['east'])} east, {_offset(values['north'])} north, "
        f"turned {3600.0 * values['rotation']:+.1f} arcsec"
    )
    scale = 1.0e6 * (values["scale"] - 1.0)
    return text + (f", scaled {scale:+.1f} ppm" if abs(scale) >= 0.05 else "")


def _offset(arcsec: float) -> str:
    return f"{arcsec:+.3f} arcsec" if abs(arcsec) >= _MANY_MAS else f"{1000 * arcsec:+.1f} mas"


def _fit(values: Mapping[str, Any], stage: str) -> str:
    used, matched = values[f"{stage}_n_used"], values[f"{stage}_n_matched"]
    where = "stars of the catalog" if stage == "absolute" else "stars"
    return f"{used} of {matched} {where}, rms {1000 * values[f'{stage}_rms']:.2f} mas"
