# cython: language_level=3, freethreading_compatible=True, autotestdict=False
# cython: boundscheck=False, wraparound=False
"""Binding of csrc/resampling_matrix.h, which is the manual."""
from libc.stddef cimport size_t
from libc.stdint cimport int32_t

import numpy as np

from webbweave._kernels.checks import check_array
from webbweave._kernels.status cimport raise_status


cdef extern from "resampling_matrix.h" nogil:
    ctypedef struct ww_overlap_input:
        size_t ny, nx
        const double *map_x
        const double *map_y
        const float *weight
        double pixfrac
        int kernel, edge

    ctypedef struct ww_matrix:
        size_t ny, nx, capacity, n_entry
        int32_t *count
        int32_t *cell
        double *g

    int ww_drizzle_matrix(const ww_overlap_input *source, ww_matrix *matrix,
                          size_t row_start, size_t row_stop)

# Entries per pixel that there is room for at first: a pixel of the size of a cell hits four to six.
cdef Py_ssize_t ROOM = 6


cdef _fill(const ww_overlap_input *source, ww_matrix *matrix, Py_ssize_t row_start,
           Py_ssize_t row_stop, Py_ssize_t room):
    """Call the kernel with so much room for entries."""
    cdef int status
    cell = np.empty(max(room, 1), dtype=np.int32)
    share = np.empty(max(room, 1))
    cdef int32_t[::1] cell_view = cell
    cdef double[::1] share_view = share
    matrix.capacity, matrix.cell, matrix.g = room, &cell_view[0], &share_view[0]
    with nogil:
        status = ww_drizzle_matrix(source, matrix, row_start, row_stop)
    raise_status(status)
    return cell, share


def resampling_matrix(map_x, map_y, weight, *, double pixfrac, int kernel, int edge,
                      Py_ssize_t n_row, Py_ssize_t n_column, Py_ssize_t row_start,
                      Py_ssize_t row_stop):
    """Return (count, cell, share) of the pixels in the input rows [row_start, row_stop)."""
    cdef ww_overlap_input source
    cdef ww_matrix matrix
    cdef Py_ssize_t n_pixel
    shape = check_array("map_x", map_x, "float64", (None, None))
    check_array("map_y", map_y, "float64", shape)
    check_array("weight", weight, "float32", shape)
    if not 0 <= row_start <= row_stop <= shape[0]:
        raise IndexError(f"rows {row_start}:{row_stop} are not in an input of {shape[0]} rows")
    if not (n_row > 0 and n_column > 0 and n_row * n_column < 2**31):
        raise ValueError(
            f"the output grid has shape {(n_row, n_column)}, expected 1 to {2**31 - 1} cells"
        )
    cdef const double[:, ::1] map_x_view = map_x, map_y_view = map_y
    cdef const float[:, ::1] weight_view = weight
    n_pixel = (row_stop - row_start) * shape[1]
    count = np.zeros(max(n_pixel, 1), dtype=np.int32)
    cdef int32_t[::1] count_view = count
    source.ny, source.nx = shape[0], shape[1]
    source.map_x, source.map_y = &map_x_view[0, 0], &map_y_view[0, 0]
    source.weight = &weight_view[0, 0]
    source.pixfrac, source.kernel, source.edge = pixfrac, kernel, edge
    matrix.ny, matrix.nx, matrix.count = n_row, n_column, &count_view[0]
    cell, share = _fill(&source, &matrix, row_start, row_stop, ROOM * n_pixel)
    if matrix.n_entry > matrix.capacity:
        cell, share = _fill(&source, &matrix, row_start, row_stop, matrix.n_entry)
    return count[:n_pixel], cell[:matrix.n_entry], share[:matrix.n_entry]
