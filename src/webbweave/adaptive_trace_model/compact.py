"""Where a trace is that of a compact source: its profile is steep there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks

from webbweave.adaptive_trace_model.regions import Extent

__all__ = ["SteepBins"]

#: Fewer steep pixels than this in a whole region are noise (as in jwst 3.0.0).
_FEWEST_STEEP = 50

#: A peak of the histogram of steep pixels counts from this part of the highest one (as in jwst
#: 3.0.0).
_LOWEST_PEAK = 0.2


@dataclass(frozen=True)
class SteepBins:
    """
    The histogram of the coordinates of steep pixels in a region.

    Parameters
    ----------
    edges : ndarray of float64, shape (n_bin + 1,)
        Edges of the bins, half a pixel apart.
    pixel_size : float
        Size of a pixel along the slit.
    as_jwst : bool
        Steps count at the coordinate of their second pixel, and peaks are at the lower edges of
        bins, as in jwst 3.0.0: a quarter of a pixel off in all.
    """

    edges: NDArray[np.float64]
    pixel_size: float
    as_jwst: bool

    @classmethod
    def over(cls, extent: Extent) -> SteepBins:
        """
        Make bins over the range of a region, and one more at each end.

        Parameters
        ----------
        extent : Extent
            The range.

        Returns
        -------
        SteepBins
            Bins for all of the region's pixels; its first and last one remain empty, so that a
            source at the end of the slit makes a peak as well.
        """
        width = extent.pixel_size / 2
        n_bin = int((extent.upper - extent.lower) / width) + 3
        edges = extent.lower + width * np.arange(-1.0, n_bin)
        return cls(edges, extent.pixel_size, as_jwst=False)

    @classmethod
    def about_zero(cls, extent: Extent, n_bin: int, *, single: bool) -> SteepBins:
        """
        Make bins as jwst 3.0.0 does: about the coordinate 0, wherever the region lies.

        Parameters
        ----------
        extent : Extent
            Of it, the pixel size.
        n_bin : int
            Number of bins.
        single : bool
            Compute in float32.

        Returns
        -------
        SteepBins
            Bins from ``-n_bin / 4`` to ``n_bin / 4`` pixels.
        """
        real = np.float32 if single else np.float64
        half = real(extent.pixel_size) * n_bin / 4
        edges = np.linspace(-half, half, n_bin + 1, dtype=real).astype(np.float64)
        return cls(edges, extent.pixel_size, as_jwst=True)

    @property
    def is_possible(self) -> bool:
        """Whether there are bins: not if the coordinate is the same in all rows."""
        return bool(np.all(np.diff(self.edges) > 0))

    def ranges(self, count: NDArray[np.int64], pad: float) -> NDArray[np.float64]:
        """
        Find the coordinates near compact sources.

        Parameters
        ----------
        count : ndarray of int64, shape (n_bin + 1,)
            Steep pixels in each bin, and in the last place the number of all of them.
        pad : float
            Pixels on each side of a peak that belong to the source.

        Returns
        -------
        ndarray of float64, shape (n, 2)
            Ranges, the lower end excluded and the upper one included.
        """
        inside = count[:-1]
        if count[-1] < _FEWEST_STEEP or inside.sum() == 0:
            return np.empty((0, 2))
        # jwst 3.0.0 takes the density: where edges are rounded, no two bins are equally wide.
        height = inside / np.diff(self.edges) / inside.sum() if self.as_jwst else inside
        peaks, _ = find_peaks(height / height.max(), height=_LOWEST_PEAK)
        if self.as_jwst:
            centres = peaks * self.pixel_size / 2 + self.edges[0]
        else:
            centres = (self.edges[peaks] + self.edges[peaks + 1]) / 2
        reach = pad * self.pixel_size
        return np.ascontiguousarray(np.column_stack([centres - reach, centres + reach]))
