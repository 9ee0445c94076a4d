"""Transforms of this package made straight of the YAML that asdf writes for models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbweave.wcs import geometry, numeric
from webbweave.wcs import transforms as tr
from webbweave.wcs.blocks import BinaryBlocks
from webbweave.wcs.transforms import NotPlainError
from webbweave.wcs.yaml_templates import Number, Tagged

__all__ = ["YamlModels"]

_ASDF = "tag:stsci.edu:asdf/"
_GWCS = "tag:stsci.edu:gwcs/"
_JWST = "tag:stsci.edu:jwst_pipeline/"

_Node = Mapping[str, Any]


class YamlModels:
    """
    Reads the parsed YAML of one WCS.

    Parameters
    ----------
    numbers : list of bytes
        The numbers that the `Number` nodes stand for.
    blocks : BinaryBlocks
        The arrays that the text refers to.
    """

    def __init__(self, numbers: list[bytes], blocks: BinaryBlocks) -> None:
        self._numbers = numbers
        self._blocks = blocks
        self._known: dict[int, tr.Transform] = {}

    def transform(self, node: Any) -> tr.Transform:
        """
        Make a transform.

        Parameters
        ----------
        node : Tagged
            The node of a model.

        Returns
        -------
        Transform
            The transform.

        Raises
        ------
        NotPlainError
            If a model, an option or a notation is not known.
        """
        if id(node) in self._known:
            return self._known[id(node)]
        if not isinstance(node, Tagged) or node.tag not in _MODELS:
            raise NotPlainError(f"model {getattr(node, 'tag', node)}")
        try:
            made = _MODELS[node.tag](self, node.value)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise NotPlainError(f"model {node.tag}: {error!r}") from error
        self._known[id(node)] = made
        return made

    def real(self, node: Any) -> float:
        """
        Return a number.

        Parameters
        ----------
        node : Number or float
            The node.

        Returns
        -------
        float
            The number.

        Raises
        ------
        NotPlainError
            If it is no number: a quantity with a unit, an array, …
        """
        if isinstance(node, Number):
            return float(self._numbers[node.index])
        if isinstance(node, float):  # not a number, or infinite
            return node
        raise NotPlainError(f"expected a number, found {node}")

    def integer(self, node: Any) -> int:
        """
        Return a whole number.

        Parameters
        ----------
        node : Number
            The node.

        Returns
        -------
        int
            The number.

        Raises
        ------
        NotPlainError
            If it is none.
        """
        if isinstance(node, Number) and b"." not in self._numbers[node.index]:
            return int(self._numbers[node.index])
        raise NotPlainError(f"expected a whole number, found {node}")

    def array(self, node: Any) -> NDArray[np.float64]:
        """
        Return an array.

        Parameters
        ----------
        node : list or Tagged
            Numbers in lists, or an ASDF array.

        Returns
        -------
        ndarray of float64
            The array.

        Raises
        ------
        NotPlainError
            If it is masked, strided, a table, or not in the file.
        """
        if isinstance(node, list):
            return np.array(self._nested(node))
        if not isinstance(node, Tagged) or node.tag != _ASDF + "core/ndarray":
            raise NotPlainError(f"expected an array, found {node}")
        if isinstance(node.value, list):
            return np.array(self._nested(node.value))
        fields = dict(node.value)
        if fields.keys() - {"source", "data", "datatype", "byteorder", "shape"}:
            raise NotPlainError(f"an array with {', '.join(fields)}")
        if "data" in fields:
            if fields.get("datatype", "float64") != "float64":
                raise NotPlainError(f"an array of {fields['datatype']}")
            return np.array(self._nested(fields["data"]))
        shape = tuple(self.integer(length) for length in fields["shape"])
        return self._blocks.array(
            self.integer(fields["source"]), fields["datatype"], fields["byteorder"], shape
        )

    def _nested(self, node: Any) -> Any:
        return [self._nested(item) for item in node] if isinstance(node, list) else self.real(node)

    def interval(self, node: Any) -> tuple[float, float]:
        """
        Return the ends of an interval.

        Parameters
        ----------
        node : list
            Two numbers.

        Returns
        -------
        (float, float)
            The ends.
        """
        low, high = node
        return self.real(low), self.real(high)


def _pair(combine: Callable[..., tr.Transform], *options: str) -> Any:
    def make(models: YamlModels, node: _Node) -> tr.Transform:
        first, second = node["forward"]
        return combine(*options, models.transform(first), models.transform(second))

    return make


def _fixed(models: YamlModels, node: _Node) -> tr.Transform:
    inner, fixed = node["forward"]
    names = inner.value["inputs"]
    values = sorted(
        (names.index(key) if isinstance(key, str) else models.integer(key), models.real(value))
        for key, value in zip(fixed["keys"], fixed["values"], strict=True)
    )
    return tr.Fixed(models.transform(inner), tuple(values))


def _identity(models: YamlModels, node: _Node) -> tr.Transform:
    count = models.integer(node["n_dims"]) if "n_dims" in node else 1
    return tr.Select(count, tuple(range(count)))


def _mapping(models: YamlModels, node: _Node) -> tr.Transform:
    mapping = tuple(models.integer(index) for index in node["mapping"])
    count = node.get("n_inputs")
    return tr.Select(max(mapping) + 1 if count is None else models.integer(count), mapping)


def _constant(models: YamlModels, node: _Node) -> tr.Transform:
    if "dimensions" in node and models.integer(node["dimensions"]) != 1:
        raise NotPlainError("a constant of several dimensions")
    return tr.Constant(models.real(node["value"]))


def _polynomial(models: YamlModels, node: _Node) -> tr.Transform:
    coefficients = models.array(node["coefficients"])
    default = (-1.0, 1.0)
    domain, window = node.get("domain"), node.get("window")
    if coefficients.ndim == 1:
        return numeric.Polynomial1(
            tuple(coefficients.tolist()),
            default if domain is None else models.interval(domain),
            default if window is None else models.interval(window),
        )
    n_x, n_y = coefficients.shape
    if n_x != n_y:
        raise NotPlainError("a polynomial of different degrees")
    columns = coefficients.T.tolist()
    rows = tuple(tuple(column[: n_y - power]) for power, column in enumerate(columns))

    def both(limits: Any) -> tuple[tuple[float, float], tuple[float, float]]:
        if limits is None:
            return default, default
        x, y = (default if item is None else models.interval(item) for item in limits)
        return x, y

    return numeric.Polynomial2(rows, both(domain), both(window))


def _affine(models: YamlModels, node: _Node) -> tr.Transform:
    (a, b), (c, d) = models.array(node["matrix"]).tolist()
    x, y = models.array(node["translation"]).ravel().tolist()
    return geometry.Affine(((a, b), (c, d)), (x, y))


def _radians(angle: float) -> float:
    return float(np.deg2rad(angle))


def _rotation_3(models: YamlModels, node: _Node) -> tr.Transform:
    if node["rotation_type"] != "cartesian":
        raise NotPlainError("a rotation on the sphere")
    angles = tuple(_radians(models.real(angle)) for angle in node["angles"])
    return geometry.Rotation3(angles, _axes(node, len(angles)))


def _rotation_to_gwa(models: YamlModels, node: _Node) -> tr.Transform:
    angles = tuple(_radians(models.real(angle)) for angle in node["angles"])
    return geometry.RotationToGwa(angles, _axes(node, len(angles)))


def _axes(node: _Node, count: int) -> str:
    axes: str = node["axes_order"]
    if len(axes) != count or not set(axes) <= set("xyz"):
        raise NotPlainError(f"axes {axes} for {count} angles")
    return axes


def _table(models: YamlModels, node: _Node) -> tr.Transform:
    values = models.array(node["lookup_table"])
    points = [models.array(item) for item in node["points"]]
    known = node["method"] == "linear" and node["bounds_error"] is False and len(points) == 1
    table = numeric.table(points[0], values, models.real(node["fill_value"])) if known else None
    if table is None:
        raise NotPlainError("a table of another kind")
    return table


def _sphere(models: YamlModels, node: _Node) -> tr.Transform:
    if node["transform_type"] == "spherical_to_cartesian":
        return geometry.ToCartesian()
    if node["transform_type"] == "cartesian_to_spherical":
        return geometry.ToSpherical(models.integer(node["wrap_lon_at"]))
    raise NotPlainError(f"transform type {node['transform_type']}")


def _grating(make: Callable[[float], tr.Transform]) -> Any:
    def read(models: YamlModels, node: _Node) -> tr.Transform:
        if node["output"] != "wavelength":
            raise NotPlainError(f"a grating equation for {node['output']}")
        return make(models.real(node["groove_density"]) * models.real(node["order"]))

    return read


def _direction_cosines(models: YamlModels, node: _Node) -> tr.Transform:
    if node["model_type"] not in ("unitless2directional", "to_dircos"):
        raise NotPlainError(f"model type {node['model_type']}")
    return geometry.DirectionCosines()


def _condition(models: YamlModels, node: _Node) -> tr.Transform:
    condition = node["condition"].upper()
    if condition not in numeric.CONDITIONS:
        raise NotPlainError(f"condition {condition}")
    return numeric.Condition(condition, models.real(node["compareto"]), models.real(node["value"]))


_MODELS: Mapping[str, Callable[[YamlModels, _Node], tr.Transform]] = {
    _ASDF + "transform/compose": _pair(tr.Chain),
    _ASDF + "transform/concatenate": _pair(tr.Beside),
    _ASDF + "transform/add": _pair(tr.Arithmetic, "+"),
    _ASDF + "transform/subtract": _pair(tr.Arithmetic, "-"),
    _ASDF + "transform/multiply": _pair(tr.Arithmetic, "*"),
    _ASDF + "transform/divide": _pair(tr.Arithmetic, "/"),
    _ASDF + "transform/power": _pair(tr.Arithmetic, "**"),
    _ASDF + "transform/fix_inputs": _fixed,
    _ASDF + "transform/identity": _identity,
    _ASDF + "transform/remap_axes": _mapping,
    _ASDF + "transform/constant": _constant,
    _ASDF + "transform/shift": lambda models, node: tr.Shift(models.real(node["offset"])),
    _ASDF + "transform/scale": lambda models, node: tr.Scale(models.real(node["factor"])),
    _ASDF + "transform/polynomial": _polynomial,
    _ASDF + "transform/affine": _affine,
    _ASDF + "transform/rotate2d": lambda models, node: geometry.Rotation2(
        _radians(models.real(node["angle"]))
    ),
    _ASDF + "transform/rotate_sequence_3d": _rotation_3,
    _ASDF + "transform/tabular": _table,
    _GWCS + "spherical_cartesian": _sphere,
    _GWCS + "grating_equation": _grating(geometry.Grating),
    _JWST + "grating_equation": _grating(geometry.GratingWavelength),
    _JWST + "coords": _direction_cosines,
    _JWST + "rotation_sequence": _rotation_to_gwa,
    _JWST + "refraction_index_from_prism": lambda models, node: geometry.PrismIndex(
        _radians(models.real(node["prism_angle"]))
    ),
    _JWST + "logical": _condition,
}
