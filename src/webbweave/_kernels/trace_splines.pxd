# The splines of one region, for the bindings of the kernels that evaluate them.
from libc.stddef cimport size_t
from libc.stdint cimport int32_t, int64_t

from webbweave._kernels.checks import check_array


cdef extern from "trace_column.h" nogil:
    ctypedef struct ww_trace_splines:
        size_t n_column, stride
        const double *knots
        const double *coefficients
        const int32_t *n_knot
        const double *lower
        const double *upper
        const int32_t *model
        const double *scale

    ctypedef struct ww_steep_pixels:
        double limit
        size_t skip_first, skip_last
        int is_between
        size_t n_bin
        const double *edges
        int64_t *count

    ctypedef struct ww_compact_ranges:
        size_t n
        const double *range
        int everywhere


cdef inline int set_splines(ww_trace_splines *splines, arrays, n_column) except -1:
    cdef const double[:, ::1] knots, coefficients
    cdef const double[::1] lower, upper, scale
    cdef const int32_t[::1] n_knot, model
    shape = check_array("knots", arrays[0], "float64", (n_column, None))
    check_array("coefficients", arrays[1], "float64", shape)
    check_array("n_knot", arrays[2], "int32", (n_column,))
    check_array("lower", arrays[3], "float64", (n_column,))
    check_array("upper", arrays[4], "float64", (n_column,))
    check_array("model", arrays[5], "int32", (n_column,))
    check_array("scale", arrays[6], "float64", (n_column,))
    knots, coefficients, n_knot, lower, upper, model, scale = arrays
    splines.n_column, splines.stride = n_column, shape[1]
    splines.knots, splines.coefficients = &knots[0, 0], &coefficients[0, 0]
    splines.n_knot, splines.model, splines.scale = &n_knot[0], &model[0], &scale[0]
    splines.lower, splines.upper = &lower[0], &upper[0]
    return 0


cdef inline int set_steep(ww_steep_pixels *steep, edges, count, bint is_between) except -1:
    cdef const double[::1] edges_view
    cdef int64_t[::1] count_view
    n_bin = check_array("edges", edges, "float64", (None,))[0] - 1
    if n_bin < 1:
        raise ValueError(f"edges has shape {edges.shape}, expected 2 numbers or more")
    check_array("count", count, "int64", (n_bin + 1,), writable=True)
    edges_view, count_view = edges, count
    steep.is_between = is_between
    steep.n_bin, steep.edges, steep.count = n_bin, &edges_view[0], &count_view[0]
    return 0


cdef inline int set_ranges(ww_compact_ranges *ranges, array) except -1:
    cdef const double[:, ::1] view
    ranges.n, ranges.range, ranges.everywhere = 0, NULL, array is None
    if array is not None:
        ranges.n = check_array("ranges", array, "float64", (None, 2), may_be_empty=True)[0]
        if ranges.n:
            view = array
            ranges.range = &view[0, 0]
    return 0
