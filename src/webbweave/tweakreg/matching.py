"""Matching of an image catalogue with a reference catalogue in a tangent plane."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from webbweave.tweakreg.offsets import OffsetPeak, find_peak, offset_histogram
from webbweave.tweakreg.peer_matching import SourceConfusionError, peer_match, peer_shift
from webbweave.tweakreg.refining import CORE_RADII, Pairs, Transformation, refine_pairs

__all__ = ["Match", "SourceConfusionError", "XYXYMatch", "find_offset"]

log = logging.getLogger(__name__)

#: Half the cells of a histogram at most, along each axis: 13 MB. A wider search has wider cells.
_MOST_HALF = 512

#: Pairs are summed up in boxes of at most this part of the field: a rotation by 7 degrees spreads
#: the pairs so far.
_BOX_OF_FIELD = 0.125

#: A search that finds nothing is repeated with a radius so many times larger.
_WIDER = 4

#: A peak of a histogram with wide cells is looked at again with cells of one pixel, as far around
#: it as it is wide, and at least so many pixels.
_LEAST_CELLS = 16


@dataclass(frozen=True, eq=False)
class Match:
    """
    The matched sources of two catalogues, and how far they can be trusted.

    Attributes
    ----------
    ref_index, img_index : ndarray of int, shape (n,)
        The pairs; empty if the offset histogram has no significant peak.
    offset : (float, float)
        First estimate of image minus reference: the peak of the histogram, or what was given.
    peak : OffsetPeak or None
        The peak of the histogram and the chance of a false alarm; None without a histogram, or
        with ``compat``.
    searched : float
        Search radius in the end; 0 without a histogram.
    transformation : Transformation
        From image to reference, as used for the match.
    tolerance : float
        Largest distance of a pair in the end.
    expected_chance : float
        Pairs of unrelated sources that are expected within that tolerance; NaN with ``compat``.
    """

    ref_index: NDArray[np.intp]
    img_index: NDArray[np.intp]
    offset: tuple[float, float]
    peak: OffsetPeak | None
    searched: float
    transformation: Transformation
    tolerance: float
    expected_chance: float

    @property
    def significant(self) -> bool:
        """Whether the offset is no coincidence; True where it was not searched for."""
        return self.peak is None or self.peak.significant

    @property
    def reason(self) -> str:
        """Why nothing was matched, for people; empty if something was."""
        if not self.significant and self.peak is not None:
            return (
                f"no significant peak in the histogram of offsets up to {self.searched:g}: the "
                f"best has {self.peak.pairs} pairs, {self.peak.background:.2g} by chance "
                f"(false alarm {self.peak.false_alarm:.2g})"
            )
        return "" if len(self.ref_index) else f"no pairs within the tolerance of {self.tolerance:g}"


@dataclass(frozen=True, kw_only=True)
class _Options:
    """What an `XYXYMatch` was made with."""

    searchrad: float
    separation: float
    use2dhist: bool
    offset: tuple[float, float]
    tolerance: float
    max_searchrad: float
    refine: bool
    compat: bool


class XYXYMatch:
    """
    Match catalogues by an offset histogram and mutual nearest neighbours.

    An instance is a function of two catalogues that tweakwcs accepts for its ``match`` as well.

    Parameters
    ----------
    searchrad : float, optional
        Largest offset that is searched for, in the units of the tangent plane [arcsec].
    separation : float, optional
        Sources of one catalogue that are closer than this are confused at the given tolerance,
        and take no part. As the tolerance shrinks, so does the separation.
    use2dhist : bool, optional
        Find the offset with a histogram; otherwise it is (xoffset, yoffset).
    xoffset, yoffset : float, optional
        Expected offset image minus reference; with the histogram, where its search is centred.
    tolerance : float, optional
        Largest distance of a pair once the offset is removed. It is made smaller as far as the
        scatter of the pairs allows, so that in crowded fields chance pairs do not spoil the fit.
    compat : bool, optional
        Do as tweakwcs and stsci.stimage do: the zero point of the histogram is off by a part of a
        pixel, its peak is used however insignificant, (xoffset, yoffset) is ignored with a
        histogram, of close sources the one lowest in y is matched, a source may serve several
        references.
    max_searchrad : float, optional
        Search as far as this if the histogram up to ``searchrad`` has no significant peak.
    refine : bool, optional
        Let the tolerance shrink.

    Attributes
    ----------
    result : Match or None
        What the last call found, and how far it can be trusted. Use one instance per thread, or
        `match`, which leaves it alone.

    Raises
    ------
    ValueError
        If a number is not finite or out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from webbweave.tweakreg import XYXYMatch
    >>> ref = np.random.default_rng(1).uniform(-30, 30, (50, 2))
    >>> img = ref[::-1] + [1.2, -0.7]
    >>> match = XYXYMatch(searchrad=2.0)
    >>> ref_index, img_index = match(
    ...     {"TPx": ref[:, 0], "TPy": ref[:, 1]},
    ...     {"TPx": img[:, 0], "TPy": img[:, 1]},
    ...     tp_pscale=0.063,
    ... )
    >>> bool((ref_index == 49 - img_index).all()), match.result.significant
    (True, True)
    """

    def __init__(
        self,
        searchrad: float = 3.0,
        separation: float = 0.5,
        use2dhist: bool = True,
        xoffset: float = 0.0,
        yoffset: float = 0.0,
        tolerance: float = 1.0,
        compat: bool = False,
        *,
        max_searchrad: float | None = None,
        refine: bool = True,
    ) -> None:
        for name, value in (("searchrad", searchrad), ("tolerance", tolerance)):
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name}: expected a number above 0, found {value!r}")
        if not (math.isfinite(separation) and separation >= 0):
            raise ValueError(f"separation: expected a number, 0 or above, found {separation!r}")
        for name, value in (("xoffset", xoffset), ("yoffset", yoffset)):
            if not math.isfinite(value):
                raise ValueError(f"{name}: expected a number, found {value!r}")
        farthest = searchrad if max_searchrad is None else max_searchrad
        if not (math.isfinite(farthest) and farthest >= searchrad):
            raise ValueError(
                f"max_searchrad: expected {searchrad!r} (searchrad) or more, found {farthest!r}"
            )
        self._options = _Options(
            searchrad=float(searchrad),
            separation=float(separation),
            use2dhist=bool(use2dhist),
            offset=(float(xoffset), float(yoffset)),
            tolerance=float(tolerance),
            max_searchrad=float(farthest),
            refine=bool(refine),
            compat=bool(compat),
        )
        self.result: Match | None = None

    def __call__(
        self,
        refcat: Mapping[str, ArrayLike],
        imcat: Mapping[str, ArrayLike],
        tp_pscale: float = 1.0,
        tp_units: str | None = None,
        **_: Any,
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """
        Match two tables.

        Parameters
        ----------
        refcat, imcat : `~astropy.table.Table` or mapping
            With the columns TPx and TPy: positions in one tangent plane.
        tp_pscale : float, optional
            Size of an image pixel in the units of the tangent plane.
        tp_units : str, optional
            These units, for messages only.
        **_
            Whatever else tweakwcs gives.

        Returns
        -------
        ref_index, img_index : ndarray of int, shape (n,)
            The pairs; none if they could not be trusted: see `result`.

        Raises
        ------
        KeyError
            If a column is missing.
        ValueError
            If the columns are no lists of numbers of one length, or the scale is not above 0.
        SourceConfusionError
            With ``compat``, if there are more pairs than image sources.
        """
        ref, img = _positions("refcat", refcat), _positions("imcat", imcat)
        self.result = self.match(ref, img, tp_pscale)
        units = f" {tp_units}" if tp_units else ""
        if self.result.reason:
            log.warning("Not matched: %s%s", self.result.reason, units)
        else:
            log.info(
                "Matched %d sources within %.4g%s, offset (%.4g, %.4g)",
                len(self.result.ref_index),
                self.result.tolerance,
                units,
                *self.result.offset,
            )
        return self.result.ref_index, self.result.img_index

    def match(self, ref: ArrayLike, img: ArrayLike, pscale: float = 1.0) -> Match:
        """
        Match two lists of positions; the instance is not changed.

        Parameters
        ----------
        ref, img : array_like, shape (n, 2)
            Positions in one tangent plane; those that are not finite match nothing.
        pscale : float, optional
            Size of an image pixel in the units of the tangent plane.

        Returns
        -------
        Match
            The pairs and the evidence for them.

        Raises
        ------
        ValueError
            If the shapes are wrong or the scale is not above 0.
        SourceConfusionError
            With ``compat``, if there are more pairs than image sources.
        """
        lists = []
        for name, points in (("ref", ref), ("img", img)):
            array = np.ascontiguousarray(points, dtype=np.float64)
            if array.ndim != 2 or array.shape[1] != 2:
                raise ValueError(f"{name} has shape {array.shape}, expected (n, 2)")
            lost = len(array) - int(np.isfinite(array).all(axis=1).sum())
            if lost:
                log.warning("%d of %d %s positions are not finite", lost, len(array), name)
            lists.append(array)
        if not (math.isfinite(pscale) and pscale > 0):
            raise ValueError(f"pscale: expected a number above 0, found {pscale!r}")
        work = _match_as_peer if self._options.compat else _match
        return work(lists[0], lists[1], pscale, self._options)


def _positions(name: str, catalogue: Mapping[str, ArrayLike]) -> NDArray[np.float64]:
    columns = []
    for key in ("TPx", "TPy"):
        try:
            values = catalogue[key]
        except KeyError:
            raise KeyError(f"{name} has no column {key!r}") from None
        columns.append(np.ma.filled(np.ma.asarray(values, dtype=np.float64), np.nan))
    if columns[0].ndim != 1 or columns[0].shape != columns[1].shape:
        raise ValueError(
            f"{name}: TPx and TPy have shapes {columns[0].shape} and {columns[1].shape}, "
            "expected lists of one length"
        )
    return np.stack(columns, axis=1)


def find_offset(
    ref: NDArray[np.float64],
    img: NDArray[np.float64],
    *,
    pscale: float,
    searchrad: float,
    max_searchrad: float | None = None,
    centre: tuple[float, float] = (0.0, 0.0),
) -> tuple[OffsetPeak, float]:
    """
    Find the offset of two catalogues from coarse to fine.

    The search radius grows by a factor of 4 until there is a significant peak. Cells become wider
    with it, so that memory is bounded; what is found with wide cells is looked at again with
    cells of one pixel.

    Parameters
    ----------
    ref, img : ndarray of float64, shape (n, 2)
        Positions; those that are not finite are left out.
    pscale : float
        Pixel scale: the width of the finest cells.
    searchrad, max_searchrad : float
        The first and (if given) the last search radius.
    centre : (float, float), optional
        Offset that the search is centred on.

    Returns
    -------
    peak : OffsetPeak
        The peak, significant or not; its shift is relative to offset 0.
    searched : float
        The last search radius.
    """
    radius = searchrad
    last = searchrad if max_searchrad is None else max_searchrad
    while True:
        cell = pscale * max(1, math.ceil(radius / pscale / _MOST_HALF))
        peak = _peak_around(ref, img, centre, cell, radius)
        if peak.significant or radius >= last:
            break
        radius = min(_WIDER * radius, last)
    if peak.significant and cell > pscale:
        around = max(peak.width, _LEAST_CELLS * pscale)
        fine = max(pscale, around / _MOST_HALF)
        closer = _peak_around(ref, img, peak.shift, fine, around)
        peak = replace(peak, shift=closer.shift, width=closer.width)
    return peak, radius


def _side(points: NDArray[np.float64]) -> float:
    """Return the shorter side of the box that the points lie in."""
    finite = points[np.isfinite(points).all(axis=1)]
    return float(np.ptp(finite, axis=0).min()) if len(finite) else 0.0


def _peak_around(
    ref: NDArray[np.float64],
    img: NDArray[np.float64],
    centre: tuple[float, float],
    cell: float,
    radius: float,
) -> OffsetPeak:
    counts = offset_histogram(ref, img - np.asarray(centre), bin_size=cell, radius=radius)
    peak = find_peak(counts, bin_size=cell, widest=_BOX_OF_FIELD * min(_side(ref), _side(img)))
    return replace(peak, shift=(peak.shift[0] + centre[0], peak.shift[1] + centre[1]))


def _match(
    ref: NDArray[np.float64], img: NDArray[np.float64], pscale: float, options: _Options
) -> Match:
    peak, searched, offset = None, 0.0, options.offset
    if options.use2dhist:
        peak, searched = find_offset(
            ref,
            img,
            pscale=pscale,
            searchrad=options.searchrad,
            max_searchrad=options.max_searchrad,
            centre=options.offset,
        )
        offset = peak.shift
    if peak is not None and not peak.significant:
        pairs = _no_pairs(offset, options.tolerance)
    else:
        pairs = refine_pairs(
            ref,
            img,
            offset,
            tolerance=options.tolerance,
            separation=options.separation,
            start=None if peak is None or not options.refine else _scatter(peak),
            shrink=options.refine,
        )
    return Match(
        ref_index=pairs.ref_index,
        img_index=pairs.img_index,
        offset=offset,
        peak=peak,
        searched=searched,
        transformation=pairs.transformation,
        tolerance=pairs.tolerance,
        expected_chance=pairs.expected_chance,
    )


def _scatter(peak: OffsetPeak) -> float:
    """Return how far from the peak real pairs are: its box is their core, but for its corners."""
    return CORE_RADII * math.sqrt(0.5) * peak.width


def _no_pairs(offset: tuple[float, float], tolerance: float) -> Pairs:
    none = np.empty(0, dtype=np.intp)
    shift = Transformation(np.eye(2), -np.asarray(offset))
    return Pairs(none, none.copy(), shift, tolerance, 0.0)


def _match_as_peer(
    ref: NDArray[np.float64], img: NDArray[np.float64], pscale: float, options: _Options
) -> Match:
    searched, offset = 0.0, options.offset
    if options.use2dhist:
        searched = options.searchrad
        offset = peer_shift(ref, img, options.searchrad, pscale)
    pairs = peer_match(ref, img, offset, tolerance=options.tolerance, separation=options.separation)
    return Match(
        ref_index=pairs[0],
        img_index=pairs[1],
        offset=offset,
        peak=None,
        searched=searched,
        transformation=Transformation(np.eye(2), -np.asarray(offset)),
        tolerance=options.tolerance,
        expected_chance=math.nan,
    )
