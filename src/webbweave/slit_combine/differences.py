"""Differences of nods: one position minus the mean of the others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbweave._kernels.slit_nods import nod_mean
from webbweave._kernels.slit_profile import Samples
from webbweave._kernels.slit_samples import list_samples

from .options import FitOptions
from .profiles import psf_spread
from .stack import SlitStack, polynomial

__all__ = ["DiffSamples", "NodDifference", "NodSide", "make_diff_image", "nod_difference"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class NodSide:
    """
    The mean of the exposures of one side of a difference.

    Attributes
    ----------
    data, sky : ndarray of float64, shape (P,)
        Mean flux and mean sky, microjansky; NaN where no exposure is valid.
    variance, read_variance : ndarray of float64, shape (P,)
        Variance of the mean, and what readout noise adds to it.
    """

    data: Floats
    sky: Floats
    variance: Floats
    read_variance: Floats


@dataclass(frozen=True)
class NodDifference:
    """
    One nod position minus the mean of the others.

    Attributes
    ----------
    ipos, ineg : ndarray of bool, shape (N,)
        Exposures that are added, and subtracted.
    pos, neg : NodSide
        Their means; zeros if nothing is subtracted, or NaN in the mode of the peer if there are no
        others though differences are asked for.
    """

    ipos: Flags
    ineg: Flags
    pos: NodSide
    neg: NodSide

    @property
    def diff(self) -> Floats:
        """The difference of the data."""
        return self.pos.data - self.neg.data

    @property
    def sky(self) -> Floats:
        """The difference of the sky that had been subtracted."""
        return self.pos.sky - self.neg.sky

    @property
    def variance(self) -> Floats:
        """The variance of the difference."""
        return self.pos.variance + self.neg.variance

    @property
    def read_variance(self) -> Floats:
        """What readout noise adds to it."""
        return self.pos.read_variance + self.neg.read_variance


def valid_masks(stack: SlitStack, options: FitOptions) -> tuple[Flags, Flags]:
    """
    The pixels that may be added, and those that may be subtracted.

    Parameters
    ----------
    stack : SlitStack
        The exposures.
    options : FitOptions
        In the mode of the peer, both are the mask of the data.

    Returns
    -------
    pos, neg : ndarray of bool, shape (N, P)
        True where they may.
    """
    if options.compat:
        return stack.mask, stack.mask
    pos = stack.mask & np.isfinite(stack.data)
    return pos, pos & stack.bkg_mask


def _side(
    stack: SlitStack, chosen: Flags, mask: Flags, counted: Flags, options: FitOptions
) -> NodSide:
    out = np.empty((4, mask.shape[1]))
    nod_mean(
        stack.data,
        stack.sky_background,
        stack.var_total,
        stack.var_rnoise,
        mask.view(np.uint8),
        counted.view(np.uint8),
        chosen.view(np.uint8),
        out,
        rounds=options.compat,  # the peer keeps variances as floats
    )
    return NodSide(*out)


def nod_difference(stack: SlitStack, exp: Any, options: FitOptions | None = None) -> NodDifference:
    """
    Subtract the mean of the other nods from the mean of one.

    In the mode of the peer, what is subtracted is the sum over the valid pixels divided by their
    number in the mask of the background as it was before later flags, so that pixels flagged since
    count as zeros; else pixels that are masked anywhere leave sum and number.

    Parameters
    ----------
    stack : SlitStack
        The exposures.
    exp : object
        Which nod.
    options : FitOptions, optional
        Whether to work as the peer.

    Returns
    -------
    NodDifference
        Both sides.

    Raises
    ------
    KeyError
        If there is no such nod.
    """
    options = FitOptions() if options is None else options
    ipos = stack.nods[exp]
    ineg = ~ipos if stack.diffs else np.zeros_like(ipos)
    good, mask = valid_masks(stack, options)
    pos = _side(stack, ipos, good, good, options)
    if ineg.any():
        neg = _side(stack, ineg, mask, stack.bkg_mask if options.compat else mask, options)
    else:
        # The peer subtracts the mean of no exposure, which is not a number.
        nothing = np.nan if options.compat and stack.diffs else 0.0
        plane = np.full(stack.mask.shape[1], nothing)
        neg = NodSide(plane, plane, plane, plane)
    return NodDifference(ipos, ineg, pos, neg)


def make_diff_image(
    stack: SlitStack, exp: Any = 1, *, separate: bool = False, options: FitOptions | None = None
) -> tuple[Any, ...]:
    """
    The difference of one nod position and the mean of the others.

    Parameters
    ----------
    stack : SlitStack
        The exposures.
    exp : object, optional
        Which nod.
    separate : bool, optional
        Give pairs of positive and negative sides instead of differences.
    options : FitOptions, optional
        Whether to work as the peer.

    Returns
    -------
    tuple
        (ipos, ineg, diff, bdiff, vdiff, wdiff): which exposures are added and subtracted, shape
        (N,), the differences of data and sky, the variance and the readout variance, shape (P,).
        With `separate`, the last four are pairs.

    Raises
    ------
    KeyError
        If there is no such nod.
    """
    d = nod_difference(stack, exp, options)
    if separate:
        return (
            d.ipos,
            d.ineg,
            (d.pos.data, d.neg.data),
            (d.pos.sky, d.neg.sky),
            (d.pos.variance, d.neg.variance),
            (d.pos.read_variance, d.neg.read_variance),
        )
    return d.ipos, d.ineg, d.diff, d.sky, d.variance, d.read_variance


@dataclass(frozen=True)
class DiffSamples:
    """
    The valid pixels of a difference, column after column, and the exposures behind each.

    The samples of a column are those of its pixels in one exposure after another.

    Attributes
    ----------
    pixels : ndarray of int64, shape (n_pixel,)
        Index in the plane.
    columns : ndarray of int64, shape (n_pixel,)
        Column of each.
    x : ndarray of float64, shape (nx,)
        The coordinate of the polynomials of traces in each column.
    diff, variance, weight : ndarray of float64, shape (n_pixel,)
        Difference, its variance, and the inverse of the readout variance.
    places : ndarray of int64, shape (n_sample,)
        Index of each sample in the planes of all exposures, (N, P) raveled.
    owner : ndarray of int64, shape (n_sample,)
        Which of the pixels it belongs to.
    y : ndarray of float64, shape (n_sample,)
        Distance from the base of the trace; if it is subtracted, from the trace.
    spread : ndarray of float64, shape (n_sample,)
        What the kernel has to know of the PSF.
    share : ndarray of float64, shape (n_sample,)
        What it adds to the profile of the pixel; negative for subtracted exposures.
    starts : (ndarray of int64, ndarray of int64), shapes (nx + 1,)
        The first pixel, and the first sample, of each column.
    kernel : Samples
        What the kernel needs of these, as it takes it.
    """

    pixels: NDArray[np.int64]
    columns: NDArray[np.int64]
    x: Floats
    diff: Floats
    variance: Floats
    weight: Floats
    places: NDArray[np.int64]
    owner: NDArray[np.int64]
    y: Floats
    spread: Floats
    share: Floats
    starts: tuple[NDArray[np.int64], NDArray[np.int64]]
    kernel: Samples

    def at(self, stack: SlitStack) -> DiffSamples:
        """
        The same samples where the traces of a stack have the subtracted ones.

        Parameters
        ----------
        stack : SlitStack
            The exposures, with other traces than before.

        Returns
        -------
        DiffSamples
            The samples.
        """
        places = stack.yslit.reshape(-1).take(self.places)
        y = np.where(self.share < 0.0, places, self.y)
        return replace(self, y=y, kernel=self.kernel.moved(y))

    def column_sums(self, values: Floats) -> Floats:
        """
        Sum over the pixels of each column.

        Parameters
        ----------
        values : ndarray of float64, shape (n_pixel,)
            What to sum.

        Returns
        -------
        ndarray of float64, shape (nx,)
            The sums.
        """
        sums = np.bincount(self.columns, weights=values, minlength=self.x.size)
        return sums.astype(np.float64, copy=False)  # without pixels, they are integers


def _bases(stack: SlitStack, ipos: Flags, options: FitOptions) -> Floats:
    """Rows where the traces of added exposures begin in each column, (N, nx); 0 for others."""
    x = stack.columns()
    rows = np.zeros((stack.n, x.size))
    for i in np.flatnonzero(ipos):
        # the peer takes the base of the first for all
        rows[i] = polynomial(stack.base_coeffs[np.argmax(ipos) if options.compat else i], x)
    return rows


def stack_spread(stack: SlitStack, options: FitOptions) -> Floats:
    """
    What the kernel has to know of the PSF, for all pixels.

    Parameters
    ----------
    stack : SlitStack
        The exposures.
    options : FitOptions
        Width of the PSF.

    Returns
    -------
    ndarray of float64, shape (N, P)
        See `psf_spread`.
    """
    return psf_spread(
        stack.wave,
        stack.psf_fwhm,
        lookup=stack.lookup,
        scale_fwhm=options.scale_fwhm,
        fwhm_per_sigma=options.fwhm_per_sigma,
    )


def diff_samples(
    stack: SlitStack,
    difference: NodDifference,
    options: FitOptions,
    spread: Floats | None = None,
) -> DiffSamples:
    """
    List the pixels that a fit to a difference uses.

    Parameters
    ----------
    stack : SlitStack
        The exposures.
    difference : NodDifference
        What is fitted.
    options : FitOptions
        Width of the PSF, and whether to work as the peer.
    spread : ndarray of float64, shape (N, P), optional
        That of `stack_spread`, if it is at hand.

    Returns
    -------
    DiffSamples
        The list.
    """
    spread = stack_spread(stack, options) if spread is None else spread
    good, mask = valid_masks(stack, options)
    starts, of_pixels, of_samples = list_samples(
        stack.shape,
        difference.ipos + np.uint8(2) * difference.ineg,
        good.view(np.uint8),
        mask.view(np.uint8),
        spread,
        stack.yslit,
        _bases(stack, difference.ipos, options),
        difference.diff,
        difference.variance,
        difference.read_variance,
    )
    pixels, columns, diff, variance, weight, inverse_error = of_pixels
    places, owner, y, spread, share = of_samples
    for indices in (owner, *starts):
        indices.setflags(write=False)  # the kernel goes where they say
    x = stack.columns()
    return DiffSamples(
        pixels=pixels,
        columns=columns,
        x=x,
        diff=diff,
        variance=variance,
        weight=weight,
        places=places,
        owner=owner,
        y=y,
        spread=spread,
        share=share,
        starts=starts,
        kernel=Samples(*starts, x, diff, inverse_error, weight, owner, y, spread, share),
    )
