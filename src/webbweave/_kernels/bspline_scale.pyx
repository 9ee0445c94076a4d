# cython: language_level=3, freethreading_compatible=True, autotestdict=False
# cython: boundscheck=False, wraparound=False
"""Binding of csrc/bspline_scale.h, which is the manual."""
from libc.stddef cimport size_t
from libc.stdint cimport int32_t, uint8_t

from webbweave._kernels.addresses cimport address
from webbweave._kernels.checks import check_array
from webbweave._kernels.status cimport raise_status


cdef extern from "bspline_scale.h" nogil:
    ctypedef struct ww_trace_samples:
        size_t n_column, n_row
        const double *alpha
        const double *flux
        const double *error
        const double *divisor
        int single

    ctypedef struct ww_column_scales:
        double *scale
        float *chi2
        double *scale_error
        uint8_t *flags

    ctypedef struct ww_trace_splines:
        size_t n_column, stride
        const double *knots
        const double *coefficients
        const int32_t *n_knot
        const double *lower
        const double *upper
        const int32_t *model

    int ww_bspline_scales(const ww_trace_samples *samples, const ww_trace_splines *splines,
                          int compat, const ww_column_scales *out, size_t start, size_t stop)


def scale_columns(alpha, flux, error, knots, coefficients, n_knot, lower, upper, model, scale,
                  chi2, scale_error, flags, *, bint compat, size_t start, size_t stop):
    """Find the scales of the columns [start, stop), in place."""
    cdef ww_trace_samples samples
    cdef ww_trace_splines splines
    cdef ww_column_scales out
    cdef int status
    pixels = check_array("alpha", alpha, "float64", (None, None))
    samples.n_column, samples.n_row = pixels
    samples.alpha = <const double *>address("alpha", alpha, "float64", pixels)
    samples.flux = <const double *>address("flux", flux, "float64", pixels)
    samples.error = <const double *>address("error", error, "float64", pixels)
    samples.divisor, samples.single = NULL, False
    lines = check_array("knots", knots, "float64", (samples.n_column, None))
    one = lines[:1]
    splines.n_column, splines.stride = lines
    splines.knots = <const double *>address("knots", knots, "float64", lines)
    splines.coefficients = <const double *>address("coefficients", coefficients, "float64", lines)
    splines.n_knot = <const int32_t *>address("n_knot", n_knot, "int32", one)
    splines.lower = <const double *>address("lower", lower, "float64", one)
    splines.upper = <const double *>address("upper", upper, "float64", one)
    splines.model = <const int32_t *>address("model", model, "int32", one)
    out.scale = <double *>address("scale", scale, "float64", one, True)
    out.chi2 = <float *>address("chi2", chi2, "float32", one, True)
    out.scale_error = <double *>address("scale_error", scale_error, "float64", one, True)
    out.flags = <uint8_t *>address("flags", flags, "uint8", one, True)
    with nogil:
        status = ww_bspline_scales(&samples, &splines, compat, &out, start, stop)
    raise_status(status)
