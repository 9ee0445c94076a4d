# cython: language_level=3, freethreading_compatible=True, autotestdict=False
# cython: boundscheck=False, wraparound=False
"""Binding of csrc/background.h, which is the manual."""
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t

from webbweave._kernels.checks import check_array
from webbweave._kernels.status cimport raise_status


cdef extern from "background.h" nogil:
    ctypedef struct ww_spline:
        size_t mesh_ny, mesh_nx
        const double *coef
        size_t ny, nx
        const uint32_t *index_y
        const uint32_t *index_x
        const double *weight_y
        const double *weight_x
        double low, high

    int ww_background_boxes(const float *value, const uint8_t *mask, size_t ny, size_t nx,
                            size_t box, double clip, int max_round, size_t box_start,
                            size_t box_stop, double *median, double *rms, uint32_t *count)
    int ww_background_rows(const ww_spline *spline, const float *value, const uint8_t *mask,
                           size_t row_start, size_t row_stop, float *out)
    double ww_background_median(const float *value, const uint8_t *mask, size_t n)


def background_boxes(value, mask, median, rms, count, *, Py_ssize_t box, double clip,
                     int max_round, Py_ssize_t box_start, Py_ssize_t box_stop):
    """Median, scatter and number of the unclipped values of boxes, written in place."""
    cdef int status
    cdef size_t ny, nx
    ny, nx = check_array("value", value, "float32", (None, None))
    n_box = check_array("median", median, "float64", (None,), writable=True)
    check_array("rms", rms, "float64", n_box, writable=True)
    check_array("count", count, "uint32", n_box, writable=True)
    if mask is not None:
        check_array("mask", mask, "uint8", value.shape)
    if box < 1:
        raise ValueError(f"box must be at least 1, found {box}")
    if not 0 <= box_start <= box_stop <= n_box[0]:
        raise IndexError(f"boxes {box_start}:{box_stop} are not among {n_box[0]}")
    cdef const float[:, ::1] value_view = value
    cdef const uint8_t[:, ::1] mask_view = mask
    cdef double[::1] median_view = median, rms_view = rms
    cdef uint32_t[::1] count_view = count
    cdef const uint8_t *bad = NULL if mask is None else &mask_view[0, 0]
    with nogil:
        status = ww_background_boxes(&value_view[0, 0], bad, ny, nx, box, clip, max_round,
                                     box_start, box_stop, &median_view[0], &rms_view[0],
                                     &count_view[0])
    raise_status(status)


def background_rows(coef, index_y, weight_y, index_x, weight_x, value, mask, out, *,
                    double low, double high, Py_ssize_t row_start, Py_ssize_t row_stop):
    """Evaluate a bicubic spline in rows of an image, or subtract it, written in place."""
    cdef ww_spline spline
    cdef int status
    spline.mesh_ny, spline.mesh_nx = check_array("coef", coef, "float64", (None, None))
    spline.ny, spline.nx = check_array("out", out, "float32", (None, None), writable=True)
    check_array("index_y", index_y, "uint32", (spline.ny, 4))
    check_array("index_x", index_x, "uint32", (spline.nx, 4))
    check_array("weight_y", weight_y, "float64", (spline.ny, 4))
    check_array("weight_x", weight_x, "float64", (spline.nx, 4))
    if value is not None:
        check_array("value", value, "float32", out.shape)
    if mask is not None:
        check_array("mask", mask, "uint8", out.shape)
    if not 0 <= row_start <= row_stop <= spline.ny:
        raise IndexError(f"rows {row_start}:{row_stop} are not in an output of {spline.ny} rows")
    cdef const double[:, ::1] coef_view = coef
    cdef const uint32_t[:, ::1] index_y_view = index_y, index_x_view = index_x
    cdef const double[:, ::1] weight_y_view = weight_y, weight_x_view = weight_x
    cdef const float[:, ::1] value_view = value
    cdef const uint8_t[:, ::1] mask_view = mask
    cdef float[:, ::1] out_view = out
    cdef const float *data = NULL if value is None else &value_view[0, 0]
    cdef const uint8_t *bad = NULL if mask is None else &mask_view[0, 0]
    spline.coef, spline.low, spline.high = &coef_view[0, 0], low, high
    spline.index_y, spline.index_x = &index_y_view[0, 0], &index_x_view[0, 0]
    spline.weight_y, spline.weight_x = &weight_y_view[0, 0], &weight_x_view[0, 0]
    with nogil:
        status = ww_background_rows(&spline, data, bad, row_start, row_stop, &out_view[0, 0])
    raise_status(status)


def masked_median(value, mask):
    """The median of the values that are not masked, NaN if there is none."""
    cdef double median
    cdef size_t n
    check_array("value", value, "float32", (None, None))
    if mask is not None:
        check_array("mask", mask, "uint8", value.shape)
    cdef const float[:, ::1] value_view = value
    cdef const uint8_t[:, ::1] mask_view = mask
    cdef const uint8_t *bad = NULL if mask is None else &mask_view[0, 0]
    n = value.size
    with nogil:
        median = ww_background_median(&value_view[0, 0], bad, n)
    return median
