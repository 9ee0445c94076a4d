"""What is said below the figures, to somebody who has never seen one."""

from __future__ import annotations

from webbweave.report.spectrum import SlitSummary

__all__ = ["image", "profile", "spectrum", "weights"]


def image(summary: SlitSummary) -> tuple[str, str]:
    """
    Describe the two-dimensional spectrum.

    Parameters
    ----------
    summary : SlitSummary
        The spectrum.

    Returns
    -------
    alt, caption : str
        For those who cannot see the figure, and for those who can.
    """
    sentences = []
    sentences.append(
        "The light of the slit spread out by colour: wavelength grows to the right, up is along the"
        f" slit{_direction(summary)}, and the brighter a pixel, the more light (upper panel) or the"
        " more certain it is (lower panel)."
    )
    sentences.append(
        "A star or galaxy is a horizontal streak, an emission line a bright spot on it; the orange"
        " bar at the right marks the rows of the brightest source."
    )
    sentences.append(
        "Grey means that no exposure has usable data there: outside the slit, beyond the detector,"
        " or bad pixels."
    )
    if summary.has_negative_stripes:
        sentences.append(
            "The dark stripes above and below are negative images of the source, left where"
            " exposures with the telescope nodded along the slit were subtracted from each other."
        )
    elif summary.has_sky:
        sentences.append(
            "The glow over the whole height of the slit is the sky, which was not subtracted."
        )
    alt = (
        f"Two images of {summary.shape[0]} rows and {summary.shape[1]} columns, signal and"
        f" signal-to-noise ratio, against wavelength and position along the slit{_range(summary)}."
    )
    return alt, " ".join(sentences)


def profile(summary: SlitSummary) -> tuple[str, str]:
    """
    Describe the spatial profile.

    Parameters
    ----------
    summary : SlitSummary
        The spectrum.

    Returns
    -------
    alt, caption : str
        For those who cannot see the figure, and for those who can.
    """
    start, stop = summary.source_rows
    sentences = []
    sentences.append(
        "The rows of the image, each averaged over all wavelengths: the shaded band is the source,"
        " left is the bottom of the image and right its top."
    )
    if summary.has_negative_stripes:
        sentences.append("The troughs beside it are the negative images left by subtracting nods.")
    elif summary.has_sky:
        sentences.append(
            "The sky gives all rows a common level, dented where bars between shutters shade it;"
            " the ends fall off at the edges of the slit."
        )
    alt = f"Mean signal of each row; rows {start + 1} to {stop} are marked as the source."
    return alt if stop > start else "Mean signal of each row; there are no data.", " ".join(
        sentences
    )


def spectrum(summary: SlitSummary) -> tuple[str, str]:
    """
    Describe the collapsed spectrum.

    Parameters
    ----------
    summary : SlitSummary
        The spectrum.

    Returns
    -------
    alt, caption : str
        For those who cannot see the figure, and for those who can.
    """
    start, stop = summary.source_rows
    sentences = []
    sentences.append(
        "The rows of the source added up: sharp peaks are emission lines, steps and dips are"
        " absorption, and the shaded band is the error of one standard deviation."
    )
    tail = ", so what stands above it belongs to the source." if summary.has_sky else "."
    sentences.append(f"The dashed line is the light of equally many rows beside the source{tail}")
    sentences.append(
        "This sum is meant for a first look: it corrects for no light lost outside these rows, and"
        " its error leaves out that neighbouring pixels share noise."
    )
    alt = f"Sum of {stop - start} rows of the source against wavelength{_range(summary)}"
    if summary.peak_snr == summary.peak_snr:
        alt += f", with its highest signal-to-noise ratio, {summary.peak_snr:.0f}"
        if summary.peak_wavelength == summary.peak_wavelength:
            alt += f", at {summary.peak_wavelength:.2f} micron"
    return alt + ".", " ".join(sentences)


def weights(summary: SlitSummary) -> tuple[str, str]:
    """
    Describe the weights and the number of exposures.

    Parameters
    ----------
    summary : SlitSummary
        The spectrum.

    Returns
    -------
    alt, caption : str
        For those who cannot see the figure, and for those who can.
    """
    most = summary.most_exposures
    caption = (
        "On the same axes as the image, how much each pixel can be trusted (upper panel, a"
        " logarithmic scale) and how many exposures it was made of (lower panel)"
    )
    caption += (
        ": the exposures look at shifted parts of the slit, so fewer meet at the top and bottom."
        if most > 1
        else "."
    )
    share = round(100 * summary.share_with_data)
    plural = "s" if most != 1 else ""
    alt = f"{share} % of the pixels have data, made of at most {most} exposure{plural}."
    return alt, caption


def _direction(summary: SlitSummary) -> str:
    angle = summary.position_angle
    return (
        "" if angle is None else f" (towards {angle:.0f}° on the sky, counted from north to east)"
    )


def _range(summary: SlitSummary) -> str:
    ends = summary.wavelength_range
    return "" if ends is None else f", {ends[0]:.2f} to {ends[1]:.2f} micron"
