"""The exposures that a step returns: a list that containers and libraries of models understand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any

from stdatamodels.jwst.datamodels import JwstDataModel

__all__ = ["ModelList"]


class ModelList(list[JwstDataModel]):
    """
    Data models in order, with what their association says.

    A list that can be used as the containers of jwst (attributes ``asn_table``,
    ``models_grouped``) and as its libraries (``with``, ``borrow``, ``shelve``).

    Parameters
    ----------
    models : iterable of data model
        The models.
    group_ids : iterable of str
        The name of the group of each model.
    asn_table : mapping, optional
        The association.
    asn_table_name : str, optional
        Its file name.
    """

    def __init__(
        self,
        models: Iterable[JwstDataModel] = (),
        group_ids: Iterable[str] = (),
        *,
        asn_table: Mapping[str, Any] | None = None,
        asn_table_name: str | None = None,
    ) -> None:
        super().__init__(models)
        self.group_ids = list(group_ids)
        self.asn_table = dict(asn_table or {})
        self.asn_table_name = asn_table_name

    @property
    def asn(self) -> dict[str, Any]:
        """The association, as libraries call it."""
        return self.asn_table

    @property
    def group_indices(self) -> dict[str, list[int]]:
        """The numbers of the models of each group."""
        indices: dict[str, list[int]] = {}
        for index, name in enumerate(self.group_ids):
            indices.setdefault(name, []).append(index)
        return indices

    @property
    def group_names(self) -> list[str]:
        """The names of the groups, in the order of their first models."""
        return list(self.group_indices)

    @property
    def models_grouped(self) -> list[list[JwstDataModel]]:
        """The models of each group."""
        return [[self[i] for i in indices] for indices in self.group_indices.values()]

    def __enter__(self) -> ModelList:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return None

    def borrow(self, index: int) -> JwstDataModel:
        """
        Give a model out, as libraries do.

        Parameters
        ----------
        index : int
            Which one.

        Returns
        -------
        `~stdatamodels.jwst.datamodels.JwstDataModel`
            The model itself.
        """
        return self[index]

    def shelve(self, model: JwstDataModel, index: int | None = None, modify: bool = True) -> None:
        """
        Take a model back, as libraries do.

        Parameters
        ----------
        model : `~stdatamodels.jwst.datamodels.JwstDataModel`
            The model.
        index : int, optional
            Where it belongs; not needed for a model of this list.
        modify : bool, optional
            Whether it replaces the one that is there.
        """
        if index is not None and modify:
            self[index] = model

    def map_function(self, function: Callable[[JwstDataModel, int], Any]) -> Iterator[Any]:
        """
        Call a function for each model, as libraries do.

        Parameters
        ----------
        function : callable
            Takes a model and its number.

        Yields
        ------
        object
            What it returns.
        """
        for index, model in enumerate(self):
            yield function(model, index)

    def close(self) -> None:
        """Close the files of all models."""
        for model in self:
            model.close()
