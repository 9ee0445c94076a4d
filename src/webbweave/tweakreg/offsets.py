"""The histogram of the offsets of all pairs, its peak, and whether the peak means anything."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammainc, gammaln

from webbweave._kernels import offset_histogram as kernel

__all__ = ["FALSE_ALARM", "OffsetPeak", "find_peak", "log_chance", "offset_histogram"]

#: A peak counts if noise alone would show one as high, anywhere in the histogram, in one of so
#: many searches.
FALSE_ALARM = 1e-4

#: Widths of the boxes [cells] in which pairs are summed up: the pairs of real matches spread over
#: more cells the worse the positions are, or the larger the rotation is.
_WIDTHS = (1, 3, 5, 9, 17, 33)

#: The background of a box is taken from a square around it that is wider by so many box widths,
#: at least so many cells, on every side.
_RING_WIDTHS, _RING_CELLS = 2, 8

#: Pairs that one cell of the kernel can count in a call.
_MOST_PAIRS = 2**32 - 1


@dataclass(frozen=True)
class OffsetPeak:
    """
    The peak of a histogram of offsets.

    Attributes
    ----------
    shift : (float, float)
        Offset image minus reference in x and y, in the units of the positions.
    pairs : int
        Pairs in the box that the peak was found in.
    background : float
        Pairs that would lie there by chance.
    width : float
        Width of that box, in the units of the positions.
    false_alarm : float
        How many peaks as high or higher are expected in the whole histogram by chance; 1 at most.
    at_edge : bool
        The box touches the border of the histogram: the true peak may lie beyond.
    """

    shift: tuple[float, float]
    pairs: int
    background: float
    width: float
    false_alarm: float
    at_edge: bool

    @property
    def significant(self) -> bool:
        """Whether the peak is higher than chance allows."""
        return self.false_alarm < FALSE_ALARM


def offset_histogram(
    ref: NDArray[np.float64],
    img: NDArray[np.float64],
    *,
    bin_size: float,
    radius: float,
    reach: float | None = None,
) -> NDArray[np.int64]:
    """
    Count the offsets of all pairs of points, without a list of pairs.

    Parameters
    ----------
    ref, img : ndarray of float64, shape (n, 2)
        Positions; those that are not finite are left out.
    bin_size : float
        Width of a cell, in the units of the positions.
    radius : float
        Largest offset on either axis; the histogram has R = ceil(radius / bin_size) cells on
        either side of the one in the middle.
    reach : float, optional
        Largest offset [cells] that counts; R + 1/2, so that all cells are complete, by default.

    Returns
    -------
    ndarray of int64, shape (2 R + 1, 2 R + 1)
        Numbers of pairs by offset image minus reference in (y, x); the cell (R, R) is centred on
        offset 0.
    """
    half = math.ceil(radius / bin_size)
    size = 2 * half + 1
    ref_x, ref_y, img_x, img_y = (
        np.ascontiguousarray(points[:, axis]) for points in (ref, img) for axis in (0, 1)
    )
    total = np.zeros((size, size), dtype=np.int64)
    step = max(1, _MOST_PAIRS // max(len(img), 1))
    for start in range(0, len(ref), step):
        count = np.zeros((size, size), dtype=np.uint32)
        kernel.offset_histogram(
            *(ref_x, ref_y, img_x, img_y, count),
            bin_size=bin_size,
            reach=half + 0.5 if reach is None else reach,
            ref_start=start,
            ref_stop=min(start + step, len(ref)),
        )
        total += count
    return total


def find_peak(
    counts: NDArray[np.int64], *, bin_size: float, widest: float = math.inf
) -> OffsetPeak:
    """
    Find the most significant peak of a histogram of offsets.

    Pairs are summed up in boxes of several widths; a box is compared with what lies around it.
    Its chance is that of a Poisson distribution, or of a wider one where neighbouring cells differ
    by more than Poisson's law allows, as they do when sources come in clumps. The position is the
    centre of mass above the background.

    Parameters
    ----------
    counts : ndarray of int64, shape (2 R + 1, 2 R + 1)
        From `offset_histogram`.
    bin_size : float
        Width of a cell.
    widest : float, optional
        Width of the largest box, in the same units. It has to be small compared with the field,
        since the offsets of all sources taken together are a peak as wide as the field.

    Returns
    -------
    OffsetPeak
        The peak, significant or not; of several equal ones the first by rows.
    """
    size = len(counts)
    sums = np.zeros((size + 1, size + 1))
    np.cumsum(np.cumsum(counts, axis=0), axis=1, out=sums[1:, 1:])
    largest = min(size / 3, widest / bin_size)
    widths = [width for width in _WIDTHS if width == 1 or width <= largest]
    found = []
    for width in widths:
        box_sums = _boxes(sums, width)
        row, column = (int(k) for k in np.unravel_index(np.argmax(box_sums), box_sums.shape))
        box = _Box(row, column, width, size)
        pairs, level = float(box_sums[row, column]), _background(sums, box)
        excess = _dispersion(sums, box)
        found.append((log_chance(pairs / excess, level / excess), box, pairs, level))
    chance, box, pairs, level = min(found, key=lambda item: (item[0], item[1].width))
    middle = (size - 1) // 2
    y, x = _centroid(counts, box, level)
    return OffsetPeak(
        shift=(bin_size * (x - middle), bin_size * (y - middle)),
        pairs=int(pairs),
        background=level,
        width=box.width * bin_size,
        false_alarm=math.exp(min(0.0, chance + math.log(size * size * len(widths)))),
        at_edge=box.at_edge,
    )


@dataclass(frozen=True)
class _Box:
    """A square of cells of a histogram of size x size cells."""

    row: int
    column: int
    width: int
    size: int

    def grown(self, margin: int) -> tuple[slice, slice]:
        """Return its rows and columns with a margin, cut at the border."""
        rows, columns = (
            slice(max(0, start - margin), min(self.size, start + self.width + margin))
            for start in (self.row, self.column)
        )
        return rows, columns

    @property
    def at_edge(self) -> bool:
        """Whether it touches the border."""
        last = self.size - self.width
        return min(self.row, self.column) == 0 or max(self.row, self.column) == last


def _boxes(sums: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Sum up all boxes of a width, from the cumulative sums."""
    high, low = slice(width, None), slice(None, -width)
    return np.asarray(sums[high, high] - sums[low, high] - sums[high, low] + sums[low, low])


def _pairs_and_cells(sums: NDArray[np.float64], where: tuple[slice, slice]) -> tuple[float, int]:
    rows, columns = where
    high = sums[rows.stop, columns.stop] - sums[rows.stop, columns.start]
    low = sums[rows.start, columns.stop] - sums[rows.start, columns.start]
    return float(high - low), (rows.stop - rows.start) * (columns.stop - columns.start)


def _background(sums: NDArray[np.float64], box: _Box) -> float:
    """
    Estimate the pairs in a box by chance, from two rings around it and from the mean of all.

    The offsets of unrelated sources in a field of limited size are most often zero: their number
    falls off linearly, so it is continued linearly into the box.
    """
    margin = max(1, box.width // 2)
    wide = max(_RING_WIDTHS * box.width, _RING_CELLS)
    core, core_cells = _pairs_and_cells(sums, box.grown(margin))
    inner, inner_cells = _pairs_and_cells(sums, box.grown(margin + wide // 2))
    outer, outer_cells = _pairs_and_cells(sums, box.grown(margin + wide))
    # One pair more, since no pair elsewhere does not mean that there could be none.
    level = (float(sums[-1, -1]) - core + 1.0) / ((len(sums) - 1) ** 2 - core_cells + 1)
    if core_cells < inner_cells:
        near = (inner - core) / (inner_cells - core_cells)
        level = max(level, near)
    if core_cells < inner_cells < outer_cells:
        far = (outer - inner) / (outer_cells - inner_cells)
        half = 0.5 * box.width
        edges = [half + margin, half + margin + wide // 2, half + margin + wide]
        slope = (near - far) / (_distance(edges[1], edges[2]) - _distance(edges[0], edges[1]))
        here = near + slope * (_distance(edges[0], edges[1]) - _distance(0.0, half))
        level = max(level, here)
    return level * box.width**2


def _distance(inner: float, outer: float) -> float:
    """Return the mean of |x| over a square ring, given as half widths."""
    return 0.5 * (outer**3 - inner**3) / (outer**2 - inner**2)


def _dispersion(sums: NDArray[np.float64], box: _Box) -> float:
    """
    Find by how much the scatter of boxes of this width exceeds that of Poisson's law.

    Differences of neighbours do not see a slope of the background.
    """
    edges = sums[:: box.width, :: box.width]
    blocks = np.diff(np.diff(edges, axis=0), axis=1)
    margin = max(1, box.width // 2)
    rows, columns = box.grown(margin)
    first_row, first_column = rows.start // box.width, columns.start // box.width
    blocks[
        first_row : (rows.stop - 1) // box.width + 1,
        first_column : (columns.stop - 1) // box.width + 1,
    ] = np.nan
    mean = float(np.nanmean(blocks)) if np.isfinite(blocks).any() else 0.0
    steps = np.diff(blocks, axis=1)
    if not (mean > 0 and np.isfinite(steps).any()):
        return 1.0
    return max(1.0, 0.5 * float(np.nanmean(steps**2)) / mean)


def log_chance(pairs: float, level: float) -> float:
    """
    Find the chance of so many pairs or more by Poisson's law.

    Parameters
    ----------
    pairs : float
        The number.
    level : float
        The number that is expected.

    Returns
    -------
    float
        The natural logarithm of the chance, which does not underflow; NaN of NaN.
    """
    if pairs <= 0:
        return 0.0
    if level <= 0:
        return -math.inf
    chance = float(gammainc(pairs, level))
    if chance > 0:
        return math.log(chance)
    # The first term of the series, where the sum underflows: pairs is far above level.
    return pairs * math.log(level) - level - float(gammaln(pairs + 1.0))


def _centroid(counts: NDArray[np.int64], box: _Box, level: float) -> tuple[float, float]:
    """Find the centre of mass of what exceeds the background around a box, as (y, x)."""
    rows, columns = box.grown(1 + box.width // 2)
    excess = counts[rows, columns] - level / box.width**2
    # What is below the background is noise as well: leaving it out would favour the wider side.
    total = float(excess.sum())
    y = float(excess.sum(axis=1) @ np.arange(rows.start, rows.stop))
    x = float(excess.sum(axis=0) @ np.arange(columns.start, columns.stop))
    middle = (box.width - 1) / 2.0
    centre = (box.row + middle, box.column + middle)
    if not total > 0:
        return centre
    found = (y / total, x / total)
    inside = max(abs(found[0] - centre[0]), abs(found[1] - centre[1])) <= box.width / 2.0 + 0.5
    return found if inside else centre
