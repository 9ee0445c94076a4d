"""What all figures have in common: colours, type, and how they become pictures."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

__all__ = [
    "BLUE",
    "GREEN",
    "GREY",
    "NO_DATA",
    "ORANGE",
    "SIGNAL_COLOURS",
    "SNR_COLOURS",
    "STYLE",
    "WEIGHT_COLOURS",
    "colour_limits",
    "colour_map",
    "new_figure",
    "pixel_edges",
    "png_bytes",
    "with_unit",
]

#: Perceptually uniform and told apart by colour-blind readers; none of them passes through grey.
SIGNAL_COLOURS, SNR_COLOURS, WEIGHT_COLOURS = "viridis", "magma", "viridis"

#: Pixels without data: a grey that the colour maps do not contain.
NO_DATA = "#c4c4c4"

#: Line colours of Okabe & Ito (2008), chosen to be told apart by colour-blind readers.
BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#595959"

#: Percentiles of the pixels that the colours span; what lies outside has the end colours.
_COLOUR_LIMITS = (1.0, 99.3)

# Any, since matplotlib types the names of its settings as literals.
STYLE: Any = {
    "axes.edgecolor": "#404040",
    "axes.linewidth": 0.8,
    "axes.titlelocation": "left",
    "axes.titlesize": "medium",
    "figure.facecolor": "white",
    "font.family": ["DejaVu Sans"],
    "font.size": 11,
    "image.interpolation": "nearest",
    "savefig.facecolor": "white",
    "text.parse_math": False,  # a $ in the name of a source is a $
    "xtick.direction": "out",
}


def new_figure(width: float, height: float) -> Figure:
    """
    Make an empty figure that no window knows of.

    Parameters
    ----------
    width, height : float
        Inches.

    Returns
    -------
    `~matplotlib.figure.Figure`
        With constrained layout.
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def png_bytes(figure: Figure, *, dpi: float = 125) -> bytes:
    """
    Render a figure.

    Parameters
    ----------
    figure : `~matplotlib.figure.Figure`
        Any of this module.
    dpi : float, optional
        Pixels per inch.

    Returns
    -------
    bytes
        A PNG; the same bytes for the same figure and version of matplotlib.
    """
    buffer = io.BytesIO()
    with rc_context(STYLE):
        figure.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()


def pixel_edges(centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Find the edges half-way between centres, the outer ones as far out as the inner ones are in.

    Parameters
    ----------
    centres : ndarray of float64, shape (n,)
        At least one.

    Returns
    -------
    ndarray of float64, shape (n + 1,)
        Edges in the same order.
    """
    if centres.size < 2:
        return np.concatenate([centres - 0.5, centres + 0.5])
    middle = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[2 * centres[0] - middle[0]], middle, [2 * centres[-1] - middle[-1]]])


def colour_limits(image: NDArray[np.floating]) -> tuple[float, float]:
    """
    Choose the values that the colours span: nearly all of the pixels, not the outliers.

    Parameters
    ----------
    image : ndarray of float
        NaN where there are no data.

    Returns
    -------
    low, high : float
        In this order and never equal.
    """
    known = image[np.isfinite(image)]
    if known.size == 0:
        return 0.0, 1.0
    low, high = np.percentile(known, _COLOUR_LIMITS)
    if not high > low:
        low, high = known.min(), known.max()
    return (float(low), float(high)) if high > low else (float(low) - 0.5, float(low) + 0.5)


def colour_map(name: str) -> Colormap:
    """
    Give a colour map in which pixels without data are grey.

    Parameters
    ----------
    name : str
        Name of one of matplotlib's.

    Returns
    -------
    `~matplotlib.colors.Colormap`
        A copy.
    """
    return colormaps[name].with_extremes(bad=NO_DATA)


def with_unit(quantity: str, unit: str) -> str:
    """
    Label an axis.

    Parameters
    ----------
    quantity : str
        What is shown.
    unit : str
        In which unit; may be empty.

    Returns
    -------
    str
        The label.
    """
    return f"{quantity} ({unit})" if unit else quantity
