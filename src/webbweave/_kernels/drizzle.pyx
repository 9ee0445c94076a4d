# cython: language_level=3, freethreading_compatible=True, autotestdict=False
# cython: boundscheck=False, wraparound=False
"""Binding of csrc/drizzle.h, which is the manual."""
from libc.stddef cimport size_t
from libc.stdint cimport uint32_t

from webbweave._kernels.checks import check_array
from webbweave._kernels.status cimport raise_status


cdef extern from "drizzle.h" nogil:
    enum:
        WW_KERNEL_SQUARE, WW_KERNEL_POINT
        WW_EDGE_JACOBIAN, WW_EDGE_SKIP
        WW_NAN_SKIP, WW_NAN_POISON

    ctypedef struct ww_drizzle_input:
        size_t ny, nx, n_plane
        const double *map_x
        const double *map_y
        const float *value
        const float *weight
        const uint32_t *dq
        double pixfrac
        int kernel, edge, nan_rule
        uint32_t context_bit

    ctypedef struct ww_drizzle_output:
        size_t ny, nx
        double *weight
        double *sum
        uint32_t *dq
        uint32_t *context

    int ww_drizzle_add(const ww_drizzle_input *source, const ww_drizzle_output *out,
                       size_t row_start, size_t row_stop)

KERNEL_SQUARE = WW_KERNEL_SQUARE
KERNEL_POINT = WW_KERNEL_POINT
EDGE_JACOBIAN = WW_EDGE_JACOBIAN
EDGE_SKIP = WW_EDGE_SKIP
NAN_SKIP = WW_NAN_SKIP
NAN_POISON = WW_NAN_POISON


def drizzle_add(map_x, map_y, value, weight, dq, out_weight, out_sum, out_dq, out_context, *,
                double pixfrac, int kernel, int edge, int nan_rule,
                uint32_t context_bit, Py_ssize_t row_start, Py_ssize_t row_stop):
    """Add one exposure to the rows [row_start, row_stop) of the output arrays, in place."""
    cdef ww_drizzle_input source
    cdef ww_drizzle_output out
    cdef int status
    shape = check_array("map_x", map_x, "float64", (None, None))
    grid = check_array("out_weight", out_weight, "float64", (None, None), writable=True)
    n_plane = check_array("value", value, "float32", (None, *shape))[0]
    check_array("map_y", map_y, "float64", shape)
    check_array("weight", weight, "float32", shape)
    check_array("out_sum", out_sum, "float64", (n_plane, *grid), writable=True)
    if dq is not None:
        check_array("dq", dq, "uint32", shape)
    if out_dq is not None:
        check_array("out_dq", out_dq, "uint32", grid, writable=True)
    if out_context is not None:
        check_array("out_context", out_context, "uint32", grid, writable=True)
    if not 0 <= row_start <= row_stop <= grid[0]:
        raise IndexError(f"rows {row_start}:{row_stop} are not in an output of {grid[0]} rows")
    cdef const double[:, ::1] map_x_view = map_x, map_y_view = map_y
    cdef const float[:, :, ::1] value_view = value
    cdef const float[:, ::1] weight_view = weight
    cdef const uint32_t[:, ::1] dq_view = dq
    cdef double[:, ::1] out_weight_view = out_weight
    cdef double[:, :, ::1] out_sum_view = out_sum
    cdef uint32_t[:, ::1] out_dq_view = out_dq, out_context_view = out_context
    source.n_plane, source.ny, source.nx = n_plane, shape[0], shape[1]
    source.map_x, source.map_y = &map_x_view[0, 0], &map_y_view[0, 0]
    source.value, source.weight = &value_view[0, 0, 0], &weight_view[0, 0]
    source.dq = NULL
    if dq is not None:
        source.dq = &dq_view[0, 0]
    source.pixfrac, source.context_bit = pixfrac, context_bit
    source.kernel, source.edge, source.nan_rule = kernel, edge, nan_rule
    out.ny, out.nx = grid[0], grid[1]
    out.weight, out.sum = &out_weight_view[0, 0], &out_sum_view[0, 0, 0]
    out.dq = NULL if out_dq is None else &out_dq_view[0, 0]
    out.context = NULL if out_context is None else &out_context_view[0, 0]
    with nogil:
        status = ww_drizzle_add(&source, &out, row_start, row_stop)
    raise_status(status)
