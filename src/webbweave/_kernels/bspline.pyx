# cython: language_level=3, freethreading_compatible=True, autotestdict=False
# cython: boundscheck=False, wraparound=False
"""Binding of csrc/bspline_fit.h and csrc/bspline_columns.h, which are the manual."""
from libc.stddef cimport size_t
from libc.stdint cimport int32_t, int64_t, uint8_t

from webbweave._kernels.addresses cimport address
from webbweave._kernels.checks import check_array
from webbweave._kernels.status cimport raise_status


cdef extern from "bspline_columns.h" nogil:
    enum:
        WW_BSPLINE_FITTED, WW_BSPLINE_FEW

    ctypedef struct ww_trace_samples:
        size_t n_column, n_row
        const double *alpha
        const double *flux
        const double *error
        const double *divisor
        int single

    ctypedef struct ww_bspline_options:
        size_t n_interval, n_iteration
        double sigma_low, sigma_high, space_ratio
        int compat, single

    ctypedef struct ww_bspline_result:
        int outcome, has_stopped
        size_t n_knot, n_iteration

    ctypedef struct ww_column_options:
        ww_bspline_options fit
        size_t n_left, n_right, min_valid
        int is_retried, is_weighted, is_tapered

    ctypedef struct ww_column_fits:
        size_t stride
        double *knots
        double *coefficients
        int32_t *n_knot
        double *lower
        double *upper
        uint8_t *flags
        int32_t *n_point
        int32_t *n_rejected
        float *covariance

    size_t ww_bspline_room(size_t n_interval)
    int ww_bspline_fit(const double *x, const double *y, size_t n,
                       const ww_bspline_options *options, double *knots, double *coefficients,
                       ww_bspline_result *result, int64_t *log)
    int ww_bspline_columns(const ww_trace_samples *samples, const ww_column_options *options,
                           const uint8_t *wanted, const ww_column_fits *fits, size_t start,
                           size_t stop)


FITTED = WW_BSPLINE_FITTED
FEW = WW_BSPLINE_FEW


cdef _set_samples(ww_trace_samples *samples, alpha, flux, error, divisor, bint single):
    shape = check_array("alpha", alpha, "float64", (None, None))
    samples.n_column, samples.n_row = shape
    samples.alpha = <const double *>address("alpha", alpha, "float64", shape)
    samples.flux = <const double *>address("flux", flux, "float64", shape)
    samples.error = <const double *>address("error", error, "float64", shape)
    samples.divisor = <const double *>address("divisor", divisor, "float64", shape[:1])
    samples.single = single


def room(size_t n_interval):
    """Return the room that a line of knots needs."""
    return ww_bspline_room(n_interval)


def fit_samples(x, y, knots, coefficients, log, *, size_t n_interval, size_t n_iteration,
                double sigma_low, double sigma_high, double space_ratio, bint compat, bint single):
    """Fit arrays; return the outcome, the numbers of knots and of rejections, and the stop."""
    cdef ww_bspline_options options
    cdef ww_bspline_result result
    options.n_interval, options.n_iteration = n_interval, n_iteration
    options.space_ratio = space_ratio
    options.sigma_low, options.sigma_high = sigma_low, sigma_high
    options.compat, options.single = compat, single
    shape, line, pairs = (None,), (ww_bspline_room(n_interval),), (max(n_iteration, 1), 2)
    cdef size_t n = check_array("x", x, "float64", shape)[0]
    cdef const double *at = <const double *>address("x", x, "float64", shape)
    cdef const double *value = <const double *>address("y", y, "float64", (n,))
    cdef double *t = <double *>address("knots", knots, "float64", line, True)
    cdef double *c = <double *>address("coefficients", coefficients, "float64", line, True)
    cdef int64_t *pair = <int64_t *>address("log", log, "int64", pairs, True)
    cdef int status
    with nogil:
        status = ww_bspline_fit(at, value, n, &options, t, c, &result, pair)
    raise_status(status)
    return result.outcome, result.n_knot, result.n_iteration, bool(result.has_stopped)


def fit_columns(alpha, flux, error, divisor, wanted, knots, coefficients, n_knot, lower, upper,
                flags, n_point, n_rejected, covariance, *, bint single, bint compat,
                size_t n_interval, size_t n_iteration, double sigma_low, double sigma_high,
                double space_ratio, size_t n_left, size_t n_right, size_t min_valid,
                bint is_retried, bint is_weighted, bint is_tapered, size_t start, size_t stop):
    """Fit the splines of the columns [start, stop), in place."""
    cdef ww_trace_samples samples
    cdef ww_column_options options
    cdef ww_column_fits fits
    cdef int status
    _set_samples(&samples, alpha, flux, error, divisor, single)
    options.fit.n_interval, options.fit.n_iteration = n_interval, n_iteration
    options.fit.sigma_low, options.fit.sigma_high = sigma_low, sigma_high
    options.fit.space_ratio, options.fit.compat, options.fit.single = space_ratio, compat, single
    options.n_left, options.n_right, options.is_tapered = n_left, n_right, is_tapered
    options.min_valid, options.is_retried, options.is_weighted = min_valid, is_retried, is_weighted
    lines = check_array("knots", knots, "float64", (samples.n_column, None), writable=True)
    one, band = lines[:1], (*lines, 4)
    fits.stride = lines[1]
    fits.knots = <double *>address("knots", knots, "float64", lines, True)
    fits.coefficients = <double *>address("coefficients", coefficients, "float64", lines, True)
    fits.n_knot = <int32_t *>address("n_knot", n_knot, "int32", one, True)
    fits.lower = <double *>address("lower", lower, "float64", one, True)
    fits.upper = <double *>address("upper", upper, "float64", one, True)
    fits.flags = <uint8_t *>address("flags", flags, "uint8", one, True)
    fits.n_point = <int32_t *>address("n_point", n_point, "int32", one, True)
    fits.n_rejected = <int32_t *>address("n_rejected", n_rejected, "int32", one, True)
    fits.covariance = <float *>address("covariance", covariance, "float32", band, True)
    cdef const uint8_t *chosen = <const uint8_t *>address("wanted", wanted, "bool", one)
    with nogil:
        status = ww_bspline_columns(&samples, &options, chosen, &fits, start, stop)
    raise_status(status)
