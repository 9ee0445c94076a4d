"""All splines of an exposure, in flat arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import IntFlag
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import BSpline

from webbweave.adaptive_trace_model.column_models import ColumnModels

__all__ = ["DEGREE", "ColumnFlag", "TraceModel"]

#: All splines are cubic.
DEGREE = 3


class ColumnFlag(IntFlag):
    """How a column of a region came by its model, or why it has none."""

    TOO_FEW = 1
    """Not more valid pixels than `require_ngood`: nothing was tried."""
    TOO_SPARSE = 2
    """The samples of the window leave gaps that are wider than the knots allow."""
    SINGULAR = 4
    """The samples do not determine the spline."""
    BORROWED = 8
    """The spline of another column is used."""
    FEWER_KNOTS = 16
    """The spline was fitted with three knots fewer."""
    REFINED = 32
    """The normal equations were near singular: solved by orthogonal rotations, or with two knot
    intervals merged."""
    NO_SCALE = 64
    """No pixel of the column could be compared with the spline."""
    NO_SAMPLES = 128
    """The window holds less than ten samples."""


@dataclass(frozen=True)
class TraceModel:
    """
    The splines of every column of every region of an exposure.

    Region ``r`` of the arrays is the one with number ``labels[r]``; columns are those of an image
    with the dispersion along x. The trace of a column at coordinate alpha is ``scale * s(alpha)``
    for alpha in ``[lower, upper]``, where s is the cubic spline of the column ``model``.

    Parameters
    ----------
    labels : ndarray of int64, shape (n_region,)
        The numbers of the regions, ascending; those without a single model too.
    knots : ndarray of float64, shape (n_region, n_column, stride)
        Knots of the spline that was fitted to a column, the first `n_knot` of them.
    coefficients : ndarray of float64, shape (n_region, n_column, stride)
        Coefficients of that spline, the first ``n_knot - 4`` of them.
    n_knot : ndarray of int32, shape (n_region, n_column)
        Number of knots; 0 where no spline was fitted.
    lower, upper : ndarray of float64, shape (n_region, n_column)
        Range of alpha of the samples that the spline was fitted to; NaN where there is none.
    model : ndarray of int32, shape (n_region, n_column)
        The column whose spline is used: its own, or that of another one; -1 for none.
    scale : ndarray of float64, shape (n_region, n_column)
        Factor of the spline, in the unit of the flux; NaN where there is no model.
    flags : ndarray of uint8, shape (n_region, n_column)
        Bits of `ColumnFlag`.
    n_point, n_rejected : ndarray of int32, shape (n_region, n_column)
        Samples in the window of a column, and how many of these the fit left out.
    chi2 : ndarray of float32, shape (n_region, n_column)
        Sum of squares of (data - trace) / error in the column over the number of its pixels; NaN
        without errors.
    scale_error : ndarray of float64, shape (n_region, n_column), optional
        Standard deviation of `scale`.
    covariance : ndarray of float32, shape (n_region, n_column, stride, 4), optional
        Covariance of the coefficients j and j + 0..3 of the fitted spline: enough for the variance
        of the spline anywhere.
    """

    labels: NDArray[np.int64]
    knots: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    n_knot: NDArray[np.int32]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    model: NDArray[np.int32]
    scale: NDArray[np.float64]
    flags: NDArray[np.uint8]
    n_point: NDArray[np.int32]
    n_rejected: NDArray[np.int32]
    chi2: NDArray[np.float32]
    scale_error: NDArray[np.float64] | None = field(default=None)
    covariance: NDArray[np.float32] | None = field(default=None)

    @classmethod
    def empty(
        cls, labels: NDArray[np.int64], n_column: int, stride: int, *, errors: bool = False
    ) -> TraceModel:
        """
        Make a trace model without a single spline, to be filled.

        Parameters
        ----------
        labels : ndarray of int64, shape (n_region,)
            The numbers of the regions, ascending.
        n_column : int
            Width of the image.
        stride : int
            Room for the knots of a spline.
        errors : bool, optional
            With room for `scale_error` and `covariance`.

        Returns
        -------
        TraceModel
            Memory of splines that are never written is never touched.
        """
        shape = (len(labels), n_column)
        return cls(
            labels=np.asarray(labels, dtype=np.int64),
            knots=np.zeros((*shape, stride)),
            coefficients=np.zeros((*shape, stride)),
            n_knot=np.zeros(shape, np.int32),
            lower=np.full(shape, np.nan),
            upper=np.full(shape, np.nan),
            model=np.full(shape, -1, np.int32),
            scale=np.full(shape, np.nan),
            flags=np.zeros(shape, np.uint8),
            n_point=np.zeros(shape, np.int32),
            n_rejected=np.zeros(shape, np.int32),
            chi2=np.full(shape, np.nan, np.float32),
            scale_error=np.full(shape, np.nan) if errors else None,
            covariance=np.zeros((*shape, stride, 4), np.float32) if errors else None,
        )

    def as_arrays(self) -> dict[str, NDArray[Any]]:
        """
        Give all that is to be kept, without the room for splines that were not fitted.

        Returns
        -------
        dict of str to ndarray
            The attributes. Knots and coefficients are those of the fitted splines one after the
            other, by region and column, and so is the covariance.
        """
        arrays = {f.name: getattr(self, f.name) for f in fields(self)}
        arrays = {name: array for name, array in arrays.items() if array is not None}
        has_knot, has_coefficient = self._places()
        arrays["knots"] = self.knots[has_knot]
        arrays["coefficients"] = self.coefficients[has_coefficient]
        if self.covariance is not None:
            arrays["covariance"] = self.covariance[has_coefficient]
        return arrays

    def _places(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        place = np.arange(self.knots.shape[2])
        count = self.n_knot[:, :, None]
        return place < count, place < count - DEGREE - 1

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> TraceModel:
        """
        Make a trace model of what `as_arrays` gave.

        Parameters
        ----------
        arrays : mapping of str to ndarray
            The attributes.

        Returns
        -------
        TraceModel
            The same model.

        Raises
        ------
        ValueError
            If an attribute is missing, or the arrays do not belong together.
        """
        needed = {f.name for f in fields(cls)} - {"scale_error", "covariance"}
        if missing := sorted(needed - arrays.keys()):
            raise ValueError(f"a trace model needs {missing[0]}, found {sorted(arrays)}")
        shape = arrays["model"].shape
        if len(shape) != 2 or arrays["n_knot"].shape != shape:
            raise ValueError(f"model has shape {shape}, n_knot {arrays['n_knot'].shape}")
        if np.any(arrays["model"] >= shape[1]):
            raise ValueError(f"model names columns beyond the {shape[1]} that there are")
        stride, has_errors = int(arrays["n_knot"].max(initial=0)), "covariance" in arrays
        model = cls.empty(np.asarray(arrays["labels"]), shape[1], stride, errors=has_errors)
        model.n_knot[:] = arrays["n_knot"]
        has_knot, has_coefficient = model._places()
        ragged = {"knots": has_knot, "coefficients": has_coefficient, "covariance": has_coefficient}
        for name, array in arrays.items():
            own = getattr(model, name, None)
            if own is None:
                raise ValueError(f"a trace model has no {name} here")
            count = (int(np.count_nonzero(ragged[name])), *own.shape[3:]) if name in ragged else ()
            if array.shape != (count or own.shape):
                raise ValueError(f"{name} has shape {array.shape}, expected {count or own.shape}")
            own[ragged.get(name, ...)] = array
        return model

    def evaluate(self, alpha: ArrayLike, region_map: ArrayLike) -> NDArray[np.float64]:
        """
        Evaluate the trace at any coordinates along the slit.

        Parameters
        ----------
        alpha : array_like, shape (ny, n_column)
            Coordinates, for any number of rows.
        region_map : array_like of int, shape (ny, n_column)
            The region of each.

        Returns
        -------
        ndarray of float64, shape (ny, n_column)
            The trace; NaN beyond the bounds of the models, and in columns without.

        Raises
        ------
        ValueError
            If the shapes of the arrays do not agree.
        """
        from webbweave.adaptive_trace_model.oversample import oversample_image

        # Oversampled by 1, of any data.
        images = oversample_image(
            alpha,
            alpha,
            region_map,
            self,
            1.0,
            alpha,
            require_ngood=0,
            slope_limit=0.0,
            planes=("full",),
        )
        assert images.full is not None
        return images.full

    @property
    def n_model(self) -> int:
        """Number of columns with a model."""
        return int(np.count_nonzero(self.model >= 0))

    def spline(self, region: int, column: int) -> BSpline:
        """
        Give the spline that a column uses.

        Parameters
        ----------
        region : int
            Number of the region, one of `labels`.
        column : int
            Column of the image.

        Returns
        -------
        `scipy.interpolate.BSpline`
            The spline of the normalised profile; its arrays are views.

        Raises
        ------
        KeyError
            If there is no such region, or the column has no model.
        """
        row = self.row(region)
        source = self.model[row, column]
        if source < 0:
            raise KeyError(f"column {column} of region {region} has no model")
        n = self.n_knot[row, source]
        knots, coefficients = self.knots[row, source], self.coefficients[row, source]
        return BSpline.construct_fast(knots[:n], coefficients[: n - DEGREE - 1], DEGREE)

    def row(self, region: int) -> int:
        """
        Give the place of a region in the arrays.

        Parameters
        ----------
        region : int
            Number of the region.

        Returns
        -------
        int
            Its index in `labels`.

        Raises
        ------
        KeyError
            If there is no such region.
        """
        row = int(np.searchsorted(self.labels, region))
        if row == len(self.labels) or self.labels[row] != region:
            raise KeyError(f"no region {region}, there are {self.labels.tolist()}")
        return row

    def as_dicts(self, order: NDArray[np.integer] | None = None) -> dict[int, ColumnModels]:
        """
        Give the models in the form of jwst: region to column to model, scale and bounds.

        Parameters
        ----------
        order : ndarray of int, optional
            The columns in the order of the dictionaries; ascending by default.

        Returns
        -------
        dict of int to ColumnModels
            For every region a mapping of column to ``{"model": BSpline, "scale": float,
            "bounds": (lo, hi)}``, which are made when they are asked for; columns without a model
            are absent. Splines that are shared are one object.
        """
        return {label: ColumnModels(self, label, order) for label in self.labels.tolist()}

    @classmethod
    def from_dicts(cls, models: Mapping[int, Mapping[int, Any]], n_column: int) -> TraceModel:
        """
        Pack models of the form that `as_dicts` gives.

        Parameters
        ----------
        models : dict
            Region to column to ``{"model", "scale", "bounds"}``; the model is anything with the
            attributes ``t``, ``c`` and ``k`` of `scipy.interpolate.BSpline`.
        n_column : int
            Width of the image.

        Returns
        -------
        TraceModel
            The same models.

        Raises
        ------
        TypeError
            If an entry is not such a dictionary, or its spline is not cubic; the message names
            region and column.
        ValueError
            If a column is not in the image.
        """
        entries = [
            (row, column, *_unpacked(entry, region, column, n_column))
            for row, region in enumerate(sorted(models))
            for column, entry in models[region].items()
        ]
        stride = max((len(knots) for _, _, knots, *_ in entries), default=0)
        packed = cls.empty(np.array(sorted(models), np.int64), n_column, stride)
        if not entries:
            return packed
        # Flat arrays are filled in the order of their places.
        entries.sort(key=lambda entry: entry[:2])
        rows, columns, knots, coefficients, scales, bounds = zip(*entries, strict=True)
        place = np.array(rows), np.array(columns)
        packed.n_knot[place] = [len(t) for t in knots]
        has_knot, has_coefficient = packed._places()
        packed.knots[has_knot] = np.concatenate(knots)
        packed.coefficients[has_coefficient] = np.concatenate(coefficients)
        packed.lower[place], packed.upper[place] = np.array(bounds, dtype=float).T
        packed.model[place], packed.scale[place] = place[1], scales
        return packed


def _unpacked(
    entry: Any, region: int, column: int, n_column: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], float, tuple[float, float]]:
    try:
        spline, scale, (lower, upper) = entry["model"], entry["scale"], entry["bounds"]
        t, c, degree = spline.t, spline.c, spline.k
    except (AttributeError, KeyError, TypeError, IndexError):
        degree = None
    if degree != DEGREE or not 0 <= column < n_column:
        raise _wrong_entry(entry, region, column, n_column)
    knots = np.asarray(t, dtype=float)
    # FITPACK's habit, which some carry on: as many coefficients as knots, the last four unused.
    coefficients = np.asarray(c, dtype=float)[: len(knots) - DEGREE - 1]
    return knots, coefficients, float(scale), (float(lower), float(upper))


def _wrong_entry(entry: Any, region: int, column: int, n_column: int) -> Exception:
    where = f"spline_models[{region}][{column}]"
    if not isinstance(entry, Mapping) or not {"model", "scale", "bounds"} <= entry.keys():
        return TypeError(
            f"{where}: expected a dictionary with model, scale and bounds, "
            f"found {type(entry).__name__}"
        )
    if not 0 <= column < n_column:
        return ValueError(f"{where}: there is no column {column} in an image of {n_column}")
    return TypeError(f"{where}: expected a cubic BSpline, found {entry['model']!r}")
