"""Metadata whose WCS is made when it is first looked at."""

from __future__ import annotations

from collections.abc import ItemsView, ValuesView
from typing import Any

from webbweave.wcs import DeferredWcs, FastWcs

__all__ = ["DeferredMetadata", "defer_wcs"]

_WCS = "wcs"


class DeferredMetadata(dict[str, Any]):
    """
    The dictionary ``meta`` of a model, with a `~webbweave.wcs.DeferredWcs` in it.

    asdf knows a gwcs by its class: whoever takes the entry out is given one. Where the methods here
    are passed by (``dict(meta)``), what comes out makes itself a gwcs when it is used.
    """

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        # What is made in the image of this one, such as a tree to be written, is plain.
        return dict

    def _settle(self) -> None:
        wcs = super().get(_WCS)
        if isinstance(wcs, DeferredWcs):
            wcs.made()

    def __getitem__(self, key: str) -> Any:
        if key == _WCS:
            self._settle()
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        """
        Give an entry; see `dict.get`.

        Parameters
        ----------
        key : str
            Its name.
        default : object, optional
            What to give if there is none.

        Returns
        -------
        object
            The entry.
        """
        if key == _WCS:
            self._settle()
        return super().get(key, default)

    def items(self) -> ItemsView[str, Any]:  # type: ignore[override]
        """
        Give all entries; see `dict.items`.

        Returns
        -------
        view
            Names and entries.
        """
        self._settle()
        return super().items()

    def values(self) -> ValuesView[Any]:  # type: ignore[override]
        """
        Give all entries; see `dict.values`.

        Returns
        -------
        view
            The entries.
        """
        self._settle()
        return super().values()

    def pop(self, *arguments: Any) -> Any:
        """
        Remove an entry; see `dict.pop`.

        Parameters
        ----------
        *arguments : object
            Its name, and what to give if there is none.

        Returns
        -------
        object
            The entry.
        """
        self._settle()
        return super().pop(*arguments)


def defer_wcs(tree: dict[str, Any]) -> None:
    """
    Make each WCS of a tree a gwcs, at the time when it is first looked at.

    Parameters
    ----------
    tree : dict
        The tree of a model with ``meta.wcs``, a `~webbweave.wcs.FastWcs` or a
        `~webbweave.wcs.DeferredWcs`, or with ``slits`` that have such; changed in place. A gwcs
        stays as it is.
    """
    meta = tree.get("meta")
    if isinstance(meta, dict):
        wcs = dict(meta).get(_WCS)
        if isinstance(wcs, FastWcs):
            wcs = DeferredWcs(wcs.to_gwcs)
        if isinstance(wcs, DeferredWcs):
            tree["meta"] = DeferredMetadata(dict(meta) | {_WCS: wcs})
    for slit in tree.get("slits", ()):
        defer_wcs(slit)
