"""A gwcs that is made when it is first used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gwcs import WCS

__all__ = ["DeferredWcs"]


class DeferredWcs(WCS):
    """
    A gwcs that is made when it is first used; from then on it is nothing but a gwcs.

    Reading the WCS of an integral-field exposure takes longer than modelling its traces, and most
    products are saved, or looked at, without a pixel being asked for its place on the sky.

    Parameters
    ----------
    build : callable
        Makes the WCS.
    """

    def __init__(self, build: Callable[[], WCS]) -> None:
        self.__dict__["_build"] = build

    def __getattr__(self, name: str) -> Any:
        # Asked for what is not there yet: for any attribute but those that Python itself looks for.
        if "_build" not in self.__dict__ or (name.startswith("__") and name.endswith("__")):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        self.made()
        return getattr(self, name)

    def made(self) -> WCS:
        """
        Make the WCS, if that has not happened yet.

        Returns
        -------
        `~gwcs.WCS`
            This object.
        """
        build = self.__dict__.get("_build")
        if build is not None:
            self.__dict__.update(build().__dict__)
            self.__dict__.pop("_build", None)
        self.__class__ = WCS
        return self
