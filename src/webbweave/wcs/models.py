"""Models of astropy, gwcs and stdatamodels as transforms of this package."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from astropy.modeling import CompoundModel, Model
from astropy.modeling import models as astropy_models
from gwcs import geometry, spectroscopy
from stdatamodels.jwst.transforms import models as jwst_models

from webbweave.wcs import geometry as optics
from webbweave.wcs import numeric
from webbweave.wcs import transforms as tr

__all__ = ["transform_of"]


def transform_of(model: Model) -> tr.Transform:
    """
    Take a model apart.

    Parameters
    ----------
    model : `~astropy.modeling.Model`
        Any model, compound or not. It is not changed.

    Returns
    -------
    Transform
        The same as plain data; what is not known becomes a `Foreign` that calls the model.
    """
    try:
        if isinstance(model, CompoundModel):
            return _compound(model)
        convert = _CONVERTERS.get(type(model))
        if convert is not None and len(model) == 1:
            return convert(model)
    except tr.NotPlainError:
        pass
    return tr.Foreign(model)


def _compound(model: CompoundModel) -> tr.Transform:
    if model.op == "fix_inputs":
        values = sorted(
            (model.left.inputs.index(key) if isinstance(key, str) else int(key), _number(value))
            for key, value in model.right.items()
        )
        return tr.Fixed(transform_of(model.left), tuple(values))
    if model.op == "|":
        return tr.Chain(transform_of(model.left), transform_of(model.right))
    if model.op == "&":
        return tr.Beside(transform_of(model.left), transform_of(model.right))
    if model.op in tr.ARITHMETIC:
        return tr.Arithmetic(model.op, transform_of(model.left), transform_of(model.right))
    raise tr.NotPlainError


def _number(value: Any) -> float:
    if hasattr(value, "unit") or np.ndim(value) != 0:
        raise tr.NotPlainError
    return float(value)


def _parameter(parameter: Any) -> float:
    if parameter.unit is not None:
        raise tr.NotPlainError
    return _number(parameter.value)


def _radians(parameter: Any) -> tuple[float, ...]:
    """Angles as the model keeps them; what it tells is in degrees and rounded once more."""
    if parameter.unit is not None:
        raise tr.NotPlainError
    inside = getattr(parameter, "_internal_value", None)
    angles = np.deg2rad(parameter.value) if inside is None else inside
    return tuple(float(angle) for angle in np.ravel(angles))


def _interval(limits: Any) -> numeric.Interval:
    if limits is None:
        return (-1.0, 1.0)
    return float(limits[0]), float(limits[1])


def _polynomial_1(model: Any) -> tr.Transform:
    coefficients = tuple(_parameter(getattr(model, name)) for name in model.param_names)
    return numeric.Polynomial1(coefficients, _interval(model.domain), _interval(model.window))


def _polynomial_2(model: Any) -> tr.Transform:
    degree = model.degree
    rows = tuple(
        tuple(_parameter(getattr(model, f"c{j}_{i}")) for j in range(degree + 1 - i))
        for i in range(degree + 1)
    )
    return numeric.Polynomial2(
        rows,
        (_interval(model.x_domain), _interval(model.y_domain)),
        (_interval(model.x_window), _interval(model.y_window)),
    )


def _affine(model: Any) -> tr.Transform:
    if model.matrix.unit is not None or model.translation.unit is not None:
        raise tr.NotPlainError
    (a, b), (c, d) = model.matrix.value.tolist()
    x, y = np.ravel(model.translation.value).tolist()
    return optics.Affine(((a, b), (c, d)), (x, y))


def _table(model: Any) -> tr.Transform:
    points, values = model.points[0], model.lookup_table
    plain = not hasattr(points, "unit") and not hasattr(values, "unit")
    if not plain or model.bounds_error or model.method != "linear" or model.fill_value is None:
        raise tr.NotPlainError
    table = numeric.table(points, values, float(model.fill_value))
    if table is None:
        raise tr.NotPlainError
    return table


def _logical(model: Any) -> tr.Transform:
    if model.condition not in numeric.CONDITIONS:
        raise tr.NotPlainError
    return numeric.Condition(model.condition, _number(model.compareto), _number(model.value))


def _slits(model: Any) -> tr.Transform:
    names = tuple(_number(name) for name in model.slit_ids)
    return tr.Choice(names, tuple(transform_of(item) for item in model.models))


def _identity(model: Any) -> tr.Transform:
    return tr.Select(model.n_inputs, tuple(range(model.n_inputs)))


_CONVERTERS: Mapping[type[Model], Callable[[Any], tr.Transform]] = {
    astropy_models.Identity: _identity,
    astropy_models.Mapping: lambda model: tr.Select(model.n_inputs, tuple(model.mapping)),
    astropy_models.Const1D: lambda model: tr.Constant(_parameter(model.amplitude)),
    astropy_models.Shift: lambda model: tr.Shift(_parameter(model.offset)),
    astropy_models.Scale: lambda model: tr.Scale(_parameter(model.factor)),
    astropy_models.Polynomial1D: _polynomial_1,
    astropy_models.Polynomial2D: _polynomial_2,
    astropy_models.AffineTransformation2D: _affine,
    astropy_models.Rotation2D: lambda model: optics.Rotation2(_radians(model.angle)[0]),
    astropy_models.RotationSequence3D: lambda model: optics.Rotation3(
        _radians(model.angles), model.axes_order
    ),
    astropy_models.Tabular1D: _table,
    geometry.SphericalToCartesian: lambda model: optics.ToCartesian(),
    geometry.CartesianToSpherical: lambda model: optics.ToSpherical(model.wrap_lon_at),
    spectroscopy.WavelengthFromGratingEquation: lambda model: optics.Grating(
        _parameter(model.groove_density) * _parameter(model.spectral_order)
    ),
    jwst_models.Gwa2Slit: _slits,
    jwst_models.Logical: _logical,
    jwst_models.RefractionIndexFromPrism: lambda model: optics.PrismIndex(
        _radians(model.prism_angle)[0]
    ),
    jwst_models.Rotation3DToGWA: lambda model: optics.RotationToGwa(
        _radians(model.angles), model.axes_order
    ),
    jwst_models.Unitless2DirCos: lambda model: optics.DirectionCosines(),
    jwst_models.WavelengthFromGratingEquation: lambda model: optics.GratingWavelength(
        _parameter(model.groove_density) * _parameter(model.order)
    ),
}
