# cython: language_level=3, freethreading_compatible=True, autotestdict=False
# cython: boundscheck=False, wraparound=False
"""Binding of csrc/trace_image.h, which is the manual."""
from libc.stddef cimport size_t

from webbweave._kernels.checks import check_array
from webbweave._kernels.images cimport (
    raise_image_status, set_image, set_output, set_region, ww_image, ww_output_image, ww_region
)
from webbweave._kernels.trace_splines cimport (
    set_ranges, set_splines, set_steep, ww_compact_ranges, ww_steep_pixels, ww_trace_splines
)


cdef extern from "trace_image.h" nogil:
    ctypedef struct ww_trace:
        ww_region region
        ww_image alpha
        int rounds
        ww_trace_splines splines
        const double *scale_error
        const float *covariance

    int ww_trace_evaluate(const ww_trace *trace, const ww_steep_pixels *steep,
                          const ww_output_image *full, const ww_output_image *error,
                          size_t column_start, size_t column_stop)
    int ww_trace_keep_compact(const ww_trace *trace, const ww_compact_ranges *ranges,
                              const ww_image *source, const ww_output_image *used,
                              size_t column_start, size_t column_stop)


def trace_evaluate(region_map, first, stop, alpha, splines, scale_error, covariance, edges, count,
                   full, error, *, int label, bint rounds, bint is_between, double slope_limit,
                   Py_ssize_t column_start, Py_ssize_t column_stop):
    """Write the trace of a region, and its error, to images; count steep pixels in `count`."""
    cdef ww_trace trace
    cdef ww_steep_pixels steep
    cdef ww_steep_pixels *counts = NULL
    cdef ww_output_image full_out, error_out
    cdef const double[::1] scale_error_view
    cdef const float[:, :, ::1] covariance_view
    cdef size_t start, end
    cdef int status
    set_region(&trace.region, region_map, first, stop, label)
    set_image(&trace.alpha, "alpha", alpha, region_map.shape)
    set_splines(&trace.splines, splines, region_map.shape[1])
    set_output(&full_out, "full", full, region_map.shape)
    set_output(&error_out, "error", error, region_map.shape)
    trace.rounds, trace.scale_error, trace.covariance = rounds, NULL, NULL
    if error is not None:
        n_column = check_array("scale_error", scale_error, "float64", (trace.region.nx,))[0]
        check_array("covariance", covariance, "float32", (n_column, trace.splines.stride, 4))
        scale_error_view, covariance_view = scale_error, covariance
        trace.scale_error, trace.covariance = &scale_error_view[0], &covariance_view[0, 0, 0]
    if count is not None:
        set_steep(&steep, edges, count, is_between)
        steep.limit, steep.skip_first, steep.skip_last = slope_limit, 2, 1
        counts = &steep
    start, end = max(column_start, 0), max(column_stop, 0)
    with nogil:
        status = ww_trace_evaluate(&trace, counts, &full_out, &error_out, start, end)
    raise_image_status(status)


def trace_keep_compact(region_map, first, stop, alpha, ranges, source, used, *, int label,
                       bint rounds, Py_ssize_t column_start, Py_ssize_t column_stop):
    """Copy what is within `ranges` of alpha, or all with None, to `used`; the rest is NaN."""
    cdef ww_trace trace
    cdef ww_compact_ranges compact
    cdef ww_image source_image
    cdef ww_output_image out
    cdef size_t start, end
    cdef int status
    if used is None:
        raise TypeError("used must be an array, found None")
    set_region(&trace.region, region_map, first, stop, label)
    set_image(&trace.alpha, "alpha", alpha, region_map.shape)
    set_image(&source_image, "source", source, region_map.shape)
    set_output(&out, "used", used, region_map.shape)
    set_ranges(&compact, ranges)
    trace.rounds = rounds
    start, end = max(column_start, 0), max(column_stop, 0)
    with nogil:
        status = ww_trace_keep_compact(&trace, &compact, &source_image, &out, start, end)
    raise_image_status(status)
