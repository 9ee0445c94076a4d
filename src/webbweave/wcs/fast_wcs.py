"""A gwcs that is evaluated by straight-line programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from gwcs import WCS
from numpy.typing import ArrayLike

from webbweave.wcs.program import Graph, Program
from webbweave.wcs.slices import Slices
from webbweave.wcs.sources import GwcsSource, Source
from webbweave.wcs.transforms import NotPlainError, Transform

__all__ = ["FastWcs", "fast_wcs"]

_Answer = TypeVar("_Answer")

#: What comes of YAML that is not as expected: what should be there is missing or something else.
_UNREADABLE = (NotPlainError, KeyError, IndexError, TypeError, ValueError, AttributeError)


class FastWcs:
    """
    Stands in for a gwcs where coordinates are computed forwards.

    Transforms are compiled when they are first asked for, and kept. Whatever is not offered here is
    to be asked of the gwcs itself (`to_gwcs`).

    Parameters
    ----------
    source : Source
        Where the WCS comes from. It must not be changed afterwards.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._steps: dict[int, Transform] = {}
        self._programs: dict[tuple[int, int], Program] = {}

    def __repr__(self) -> str:
        return f"<FastWcs of {' -> '.join(self.available_frames)}>"

    def _ask(self, question: Callable[[Source], _Answer]) -> _Answer:
        """Ask the source; what is not plain to it is asked of the gwcs, from then on."""
        try:
            return question(self._source)
        except _UNREADABLE:
            if isinstance(self._source, GwcsSource):
                raise
            self._source = GwcsSource(self._source.to_gwcs())
            return question(self._source)

    def to_gwcs(self) -> WCS:
        """
        Return the WCS that this stands in for.

        Returns
        -------
        `~gwcs.WCS`
            The WCS itself.
        """
        return self._source.to_gwcs()

    @property
    def available_frames(self) -> list[str]:
        """Names of all frames, from the detector to the sky."""
        return self._ask(lambda source: source.frames())

    @property
    def input_frame(self) -> Any:
        """The first frame."""
        return self._ask(lambda source: source.frame(0))

    @property
    def output_frame(self) -> Any:
        """The last frame."""
        return self._ask(lambda source: source.frame(len(source.frames()) - 1))

    @property
    def bounding_box(self) -> Any:
        """The bounding box of the first frame, or None."""
        return self._ask(lambda source: source.bounding_box())

    @property
    def pixel_shape(self) -> tuple[int, ...] | None:
        """Size of the array in the order of the pixel coordinates, if it is known."""
        return self._ask(lambda source: source.pixel_shape())

    @property
    def array_shape(self) -> tuple[int, ...] | None:
        """Shape of the array, if it is known."""
        return None if self.pixel_shape is None else self.pixel_shape[::-1]

    def get_transform(self, from_frame: Any, to_frame: Any) -> Callable[..., Any] | None:
        """
        Return the transform between two frames.

        Parameters
        ----------
        from_frame, to_frame : str or frame
            The frames, or their names.

        Returns
        -------
        callable or None
            A function of the coordinates in `from_frame`, given as arrays of any shape; it knows no
            bounding box. None if both frames are the same. Backwards, that of the gwcs.

        Raises
        ------
        ValueError
            If there is no such frame.
        """
        start, stop = self._index(from_frame), self._index(to_frame)
        if start == stop:
            return None
        if start > stop:
            backwards: Callable[..., Any] = self.to_gwcs().get_transform(from_frame, to_frame)
            return backwards
        return self._program(start, stop)

    def program(
        self, from_frame: Any, to_frame: Any, outputs: Sequence[int] | None = None
    ) -> Program:
        """
        Compile the transform from one frame to one behind it.

        Parameters
        ----------
        from_frame, to_frame : str or frame
            The frames, or their names.
        outputs : sequence of int, optional
            Which coordinates are wanted, negative numbers from the last one; all by default.

        Returns
        -------
        Program
            A function of the coordinates in `from_frame`; it knows no bounding box, and computes
            nothing that the outputs do not need.

        Raises
        ------
        ValueError
            If there is no such frame, or they are in the other order.
        """
        start, stop = self._index(from_frame), self._index(to_frame)
        if start >= stop:
            raise ValueError(f"the frame {to_frame!r} is not behind {from_frame!r}")
        if outputs is None:
            return self._program(start, stop)
        graph, slots = self._recorded(start, stop)
        return graph.program([slots[index] for index in outputs])

    def slices(self, frame: str) -> Slices:
        """
        Take the WCS of an integral-field unit apart.

        Parameters
        ----------
        frame : str
            The frame wanted, behind ``detector``.

        Returns
        -------
        Slices
            See `slices_of`.

        Raises
        ------
        ValueError
            If the WCS has no such frames, or is of another kind.
        """
        frames = self.available_frames
        for name in ("detector", frame):
            if name not in frames:
                raise ValueError(f"expected a WCS with a frame {name!r}, found {', '.join(frames)}")
        return self._ask(lambda source: source.slices(frame))

    def wavelength_ranges(self) -> list[tuple[float, float]]:
        """
        List the wavelengths for which the WCS goes on to the sky.

        Returns
        -------
        list of (float, float)
            The ranges, without their ends, in the unit of the WCS; empty if there is no limit.
        """
        return self._ask(lambda source: source.wavelength_ranges())

    def __call__(
        self, *coordinates: ArrayLike, with_bounding_box: bool = True, fill_value: float = np.nan
    ) -> Any:
        """
        Transform pixels to the last frame.

        Parameters
        ----------
        *coordinates : array_like
            Pixel coordinates.
        with_bounding_box : bool, optional
            Whether pixels outside of the bounding box get the fill value.
        fill_value : float, optional
            That value.

        Returns
        -------
        tuple of ndarray or float
            Coordinates in the last frame.
        """
        if any(hasattr(item, "unit") for item in coordinates):
            box = None
        else:
            box = self._limits() if with_bounding_box else ()
        if box is None:
            return self.to_gwcs()(
                *coordinates, with_bounding_box=with_bounding_box, fill_value=fill_value
            )
        result = self._program(0, len(self.available_frames) - 1)(*coordinates)
        if not box:
            return result
        outside = _outside(box, coordinates)
        several = isinstance(result, tuple)
        filled = tuple(
            np.where(outside, fill_value, item)[()] for item in (result if several else (result,))
        )
        return filled if several else filled[0]

    def invert(self, *coordinates: Any, **options: Any) -> Any:
        """
        Transform from the last frame to pixels, as the gwcs does.

        Parameters
        ----------
        *coordinates : array_like
            Coordinates in the last frame.
        **options
            Those of `gwcs.WCS.invert`.

        Returns
        -------
        tuple of ndarray or float
            Pixel coordinates.
        """
        return self.to_gwcs().invert(*coordinates, **options)

    def _index(self, frame: Any) -> int:
        name = getattr(frame, "name", frame)
        frames = self.available_frames
        if name not in frames:
            raise ValueError(f"expected one of the frames {', '.join(frames)}, found {name!r}")
        return frames.index(name)

    def _program(self, start: int, stop: int) -> Program:
        if (start, stop) not in self._programs:
            graph, slots = self._recorded(start, stop)
            self._programs[start, stop] = graph.program(slots)
        return self._programs[start, stop]

    def _recorded(self, start: int, stop: int) -> tuple[Graph, list[int]]:
        steps = [self._step(index) for index in range(start, stop)]
        graph = Graph(steps[0].n_inputs)
        slots = list(range(graph.n_inputs))
        for step in steps:
            slots = step.record(graph, slots)
        return graph, slots

    def _step(self, index: int) -> Transform:
        if index not in self._steps:
            self._steps[index] = self._ask(lambda source: source.transform(index))
        return self._steps[index]

    def _limits(self) -> Sequence[tuple[float, float]] | None:
        """Limits per coordinate; nothing if there are none, None if only the gwcs knows them."""
        try:
            return self._ask(lambda source: source.limits())
        except NotPlainError:
            return None


def _outside(box: Sequence[tuple[float, float]], coordinates: Sequence[ArrayLike]) -> Any:
    outside: Any = np.False_
    for (low, high), item in zip(box, coordinates, strict=True):
        values = np.asarray(item)
        outside = outside | (values < low) | (values > high)
    return outside


def fast_wcs(wcs: WCS | FastWcs) -> FastWcs:
    """
    Make a WCS fast to evaluate.

    Parameters
    ----------
    wcs : `~gwcs.WCS` or FastWcs
        The WCS; one that is fast already is returned as it is.

    Returns
    -------
    FastWcs
        Gives the same coordinates (within a few units in the last place).
    """
    return wcs if isinstance(wcs, FastWcs) else FastWcs(GwcsSource(wcs))
