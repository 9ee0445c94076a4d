"""The nod differences of a group, and the fits of its traces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import ArrayLike, NDArray

from webbweave.slit_combine import trace_fit, trace_sn
from webbweave.slit_combine.differences import make_diff_image
from webbweave.slit_combine.group_corrections import GroupCorrections
from webbweave.slit_combine.group_options import refuse_unknown
from webbweave.slit_combine.options import FitOptions
from webbweave.slit_combine.pixel_table import get_flat_diff_arrays
from webbweave.slit_combine.profiles import ProfileTable
from webbweave.slit_combine.psf_width import psf_fwhm
from webbweave.slit_combine.stack import SlitStack
from webbweave.slit_combine.trace_fit import TraceFit

__all__ = ["GroupFits"]

Array = NDArray[np.float64]

#: The arguments of `GroupFits.fit_single_trace` that other methods pass on.
_FIT_ARGUMENTS = (
    *("x0", "initial_sigma", "exp", "force_positive", "method", "tol", "evaluate", "degree"),
    *("sigma_bounds", "trace_bounds", "fix_sigma", "with_bounds", "verbose", "wings", "errors"),
)


class GroupFits(GroupCorrections):
    """A group with its nod differences and the fits to them."""

    _fit_options: FitOptions | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Give what travels to other processes: all but what is computed of it."""
        return {name: value for name, value in self.__dict__.items() if name != "_profile_table"}

    @property
    def fit_options(self) -> FitOptions:
        """The constants of the fits; assign another `FitOptions` to change them."""
        if self._fit_options is not None:
            return self._fit_options
        return FitOptions.peer() if self.compat else FitOptions()

    @fit_options.setter
    def fit_options(self, options: FitOptions) -> None:
        self._fit_options = options

    @cached_property
    def _profile_table(self) -> ProfileTable | None:
        """The tabulated profile of the group, as fits use it."""
        lookup = self.lookup_prf
        if lookup is None or isinstance(lookup, ProfileTable):
            return lookup
        tables = getattr(lookup, "tables", lookup)
        return ProfileTable.from_cube(tables.profile, tables.y, tables.wave, tables.sigma)

    def stack(self) -> SlitStack:
        """
        Give the arrays that fits need, as they are now.

        Returns
        -------
        SlitStack
            The arrays in double precision.
        """
        data, sky, mask = self.data, self.sky_background, self.mask
        known = np.isfinite(data) & np.isfinite(sky)
        if self.compat:
            # Pixels beyond the wavelengths of the sky stay, and count as zeros.
            data, sky = np.where(mask & ~known, 0.0, data), np.where(known, sky, 0.0)
        else:
            mask = mask & known
        return SlitStack.build(
            shape=self.sh,
            data=data,
            mask=mask,
            var_total=self.var_total,
            var_rnoise=self.var_rnoise,
            wave=self.wave,
            psf_fwhm=psf_fwhm(self.wave),
            base_coeffs=self.base_coeffs,
            nods=self.unp,
            bkg_mask=self.bkg_mask,
            sky_background=sky,
            trace_coeffs=self.trace_coeffs,
            reference=self.calc_reference_exposure,
            diffs=bool(self.meta["diffs"]),
            lookup=self._profile_table,
        )

    def make_diff_image(self, exp: Any = 1, separate: bool = False) -> tuple[Any, ...]:
        """
        Subtract the mean of the other nods from that of one.

        Parameters
        ----------
        exp : object, optional
            The nod, one of ``unp.values``.
        separate : bool, optional
            Whether to give both means in place of their difference.

        Returns
        -------
        ipos, ineg : ndarray of bool, shape (N,)
            Exposures that are added, and subtracted.
        diff, bdiff, vdiff, wdiff : ndarray of float64, shape (P,)
            Differences of data and sky [microjansky], variance, and variance of the read noise;
            pairs of those of the two means with `separate`.

        Raises
        ------
        KeyError
            If there is no such nod.
        """
        return make_diff_image(self.stack(), exp, separate=separate, options=self.fit_options)

    def nod_sides(self) -> dict[Any, tuple[Any, ...]]:
        """
        Give the means of both sides of the differences of all nods.

        Returns
        -------
        dict
            By nod what `make_diff_image` returns with `separate`.
        """
        stack, options = self.stack(), self.fit_options
        return {
            exp: make_diff_image(stack, exp, separate=True, options=options) for exp in self.unp
        }

    def fit_single_trace(
        self,
        x0: ArrayLike | None = None,
        initial_sigma: float = 3.0,
        exp: Any = 1,
        force_positive: bool = True,
        method: str = "powell",
        tol: float = 1e-06,
        evaluate: bool = False,
        degree: int = 2,
        sigma_bounds: tuple[float, float] = (1, 20),
        trace_bounds: tuple[float, float] = (-1, 1),
        fix_sigma: float = -1,
        with_bounds: bool = True,
        verbose: bool = True,
        *,
        wings: Sequence[Sequence[float]] | None = None,
        errors: bool = True,
        **kwargs: Any,
    ) -> TraceFit:
        """
        Fit the width of the source and its trace in the difference of one nod and the others.

        Parameters
        ----------
        x0 : array_like, optional
            Where to begin: the width [0.1 pixel] unless it is fixed, then the polynomial that is
            added to the trace.
        initial_sigma : float, optional
            The width to begin with [0.1 pixel].
        exp : object, optional
            The nod.
        force_positive : bool, optional
            Whether to fit only the light of this nod, not that which is subtracted.
        method, tol : str, float, optional
            Minimiser of `scipy.optimize.minimize` and its tolerance; ``'L-BFGS-B'`` uses the
            gradient, and is some ten times faster.
        evaluate : bool, optional
            Whether to take `x0` as it is.
        degree : int, optional
            Degree of the polynomial.
        sigma_bounds, trace_bounds : tuple of float, optional
            Limits of the width [0.1 pixel] and of each coefficient [pixel].
        fix_sigma : float, optional
            The width [0.1 pixel] if it is not to be fitted.
        with_bounds : bool, optional
            Whether to use the limits.
        verbose : bool, optional
            Whether to log the result.
        wings : sequence of (float, float, float), optional
            Further Gaussians: amplitude, scale of the width, shift [pixel].
        errors : bool, optional
            Whether to compute the covariance.
        **kwargs
            There are no others.

        Returns
        -------
        dict
            See `webbweave.slit_combine.trace_fit.TraceFit`.

        Raises
        ------
        KeyError
            If there is no such nod.
        ValueError
            If an argument makes no sense, or no pixel of the difference is valid.
        """
        refuse_unknown(kwargs, _FIT_ARGUMENTS, compat=self.compat)
        return trace_fit.fit_single_trace(
            self.stack(),
            exp,
            x0=x0,
            initial_sigma=initial_sigma,
            force_positive=force_positive,
            method=method,
            tol=tol,
            evaluate=evaluate,
            degree=degree,
            sigma_bounds=sigma_bounds,
            trace_bounds=trace_bounds,
            fix_sigma=fix_sigma,
            with_bounds=with_bounds,
            verbose=verbose,
            errors=errors,
            options=self._options_with(wings),
        )

    def fit_all_traces(
        self,
        niter: int = 3,
        dchi_threshold: float = -25,
        ref_exp: Any = 2,
        **kwargs: Any,
    ) -> dict[Any, TraceFit]:
        """
        Fit the traces of all nods; sets ``fit``, and moves the traces.

        Parameters
        ----------
        niter : int, optional
            How often: what is subtracted moves with each fit.
        dchi_threshold : float, optional
            Traces move if the objective changes by less than this (it is half of a chi-squared).
        ref_exp : object, optional
            The nod whose fit holds for all; ``'auto'`` for the reference of the group, which is
            also meant by 2 if there is no such nod; None for a fit of each.
        **kwargs
            Of `fit_single_trace`; here the minimiser is L-BFGS-B unless it is given, or with
            ``compat=True`` and more than a constant Powell's, which msaexp has: it stops up to
            0.005 pixel from the minimum.

        Returns
        -------
        dict
            The fit of each nod, that of the reference first.

        Raises
        ------
        ValueError
            If an argument makes no sense.
        """
        options = self._fit_keywords(kwargs)
        if self.compat and options.get("degree", 2) > 0:
            options.setdefault("method", "powell")
        self.fit, moved = trace_fit.fit_all_traces(
            self.stack(), niter=niter, dchi_threshold=dchi_threshold, ref_exp=ref_exp, **options
        )
        self.trace_coeffs = [np.array(coeffs) for coeffs in moved.trace_coeffs]
        self.update_trace_from_coeffs()
        return self.fit

    def get_trace_sn(
        self,
        exposure_position: Any = "auto",
        theta: Sequence[float] = (4.0, 0),
        force_positive: bool = True,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """
        Measure the signal-to-noise ratio of each column.

        Parameters
        ----------
        exposure_position : object, optional
            The nod; ``'auto'`` for the reference.
        theta : sequence of float, optional
            Width [0.1 pixel] and trace of the profile.
        force_positive : bool, optional
            See `fit_single_trace`.
        **kwargs
            Of `fit_single_trace`.

        Returns
        -------
        dict
            As of `fit_single_trace`, and ``sn``, shape (nx,).
        """
        options = self._fit_keywords(kwargs)
        fit, sn = trace_sn.get_trace_sn(
            self.stack(),
            exposure_position=exposure_position,
            theta=theta,
            force_positive=force_positive,
            **options,
        )
        return {**fit, "sn": sn}

    def fit_params_by_sn(
        self,
        sn_percentile: float = 80,
        sigma_threshold: float = 5,
        degree_sn: Sequence[Sequence[float]] = ((-1000,), (0,)),
        **kwargs: Any,
    ) -> tuple[Array, float, bool, int]:
        """
        Decide by the signal-to-noise ratio what can be fitted.

        Parameters
        ----------
        sn_percentile : float, optional
            The percentile of the ratios of all columns that decides.
        sigma_threshold : float, optional
            Below this ratio, the width is not fitted.
        degree_sn : two sequences of float, optional
            Ratios, and the degree of the polynomial from each on.
        **kwargs
            Of `get_trace_sn`.

        Returns
        -------
        sn : ndarray of float64, shape (nx,)
            The ratio of each column.
        sn_value : float
            The percentile.
        fix_sigma : bool
            Whether to fix the width.
        interp_degree : int
            The degree.
        """
        own = {key: kwargs.pop(key) for key in ("exposure_position", "theta") if key in kwargs}
        options = self._fit_keywords(kwargs)
        return trace_sn.fit_params_by_sn(
            self.stack(),
            sn_percentile=sn_percentile,
            sigma_threshold=sigma_threshold,
            degree_sn=degree_sn,
            **own,
            **options,
        )

    def _fit_keywords(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Check what is passed on to a fit, and add the constants."""
        unknown = {key: value for key, value in given.items() if key not in _FIT_ARGUMENTS}
        refuse_unknown(unknown, _FIT_ARGUMENTS, compat=self.compat)
        known = {key: value for key, value in given.items() if key in _FIT_ARGUMENTS}
        options = self._options_with(known.pop("wings", None))
        return {**known, "options": options}

    def _options_with(self, wings: Sequence[Sequence[float]] | None) -> FitOptions:
        if wings is None:
            return self.fit_options
        given = tuple((float(wing[0]), float(wing[1]), float(wing[2])) for wing in wings)
        return replace(self.fit_options, wings=given)

    def get_flat_diff_arrays(
        self,
        apply_mask: bool = True,
        fit: Mapping[Any, Mapping[str, Any]] | None = None,
        with_pathloss: bool = False,
        float_dtype: Any = float,
    ) -> Table:
        """
        List the pixels of all exposures, each minus the mean of the other nods.

        Parameters
        ----------
        apply_mask : bool, optional
            Whether to list valid pixels only.
        fit : dict, optional
            The fits of the nods, for their profiles.
        with_pathloss : bool, optional
            Whether to compute path losses.
        float_dtype : dtype, optional
            Of the columns.

        Returns
        -------
        `~astropy.table.Table`
            See `webbweave.slit_combine.pixel_table.get_flat_diff_arrays`.
        """
        return get_flat_diff_arrays(self, apply_mask, fit, with_pathloss, float_dtype)
