# cython: language_level=3, freethreading_compatible=True, autotestdict=False
# cython: boundscheck=False, wraparound=False
"""Binding of csrc/covariance.h, which is the manual."""
from libc.stddef cimport size_t
from libc.stdint cimport int32_t, int64_t, uint8_t

from webbweave._kernels.checks import check_array
from webbweave._kernels.status cimport raise_status


cdef extern from "covariance.h" nogil:
    enum:
        WW_ERR_RANGE, WW_ERR_ARGUMENT

    ctypedef struct ww_covariance_matrix:
        size_t ny, nx, n_pixel, n_entry
        const int64_t *first
        const int32_t *cell
        const double *g

    ctypedef struct ww_covariance_input:
        double scale
        const double *weight
        const uint8_t *keep
        size_t n_plane
        const float *variance
        const double *taper

    ctypedef struct ww_covariance_output:
        size_t reach_y, reach_x
        double *row_sum
        double *diagonal
        double *covariance

    int ww_covariance_reach(const ww_covariance_matrix *matrix, size_t *reach_y, size_t *reach_x)
    int ww_covariance_add(const ww_covariance_matrix *matrix, const ww_covariance_input *source,
                          const ww_covariance_output *out, size_t cell_start, size_t cell_stop)


cdef _raise(int status):
    if status == WW_ERR_RANGE:
        raise ValueError("first and cell are not those of a sparse matrix on a grid of this shape")
    if status == WW_ERR_ARGUMENT:
        raise ValueError("reach_y and reach_x are too short for a pixel of the matrix")
    raise_status(status)


cdef _set_matrix(ww_covariance_matrix *matrix, tuple grid, first, cell):
    cdef const int64_t[::1] first_view
    cdef const int32_t[::1] cell_view
    n_pixel = check_array("first", first, "int64", (None,))[0] - 1
    n_entry = check_array("cell", cell, "int32", (None,), may_be_empty=True)[0]
    first_view, cell_view = first, cell
    matrix.ny, matrix.nx, matrix.n_pixel, matrix.n_entry = grid[0], grid[1], n_pixel, n_entry
    matrix.first = &first_view[0]
    matrix.cell = &cell_view[0] if n_entry else NULL
    matrix.g = NULL


def covariance_reach(first, cell, *, Py_ssize_t n_row, Py_ssize_t n_column):
    """Return the largest distances (rows, columns) between two cells of one pixel."""
    cdef ww_covariance_matrix matrix
    cdef size_t reach_y = 0, reach_x = 0
    cdef int status
    if n_row < 0 or n_column < 0:
        raise ValueError(f"the grid has shape {(n_row, n_column)}, expected positive numbers")
    _set_matrix(&matrix, (n_row, n_column), first, cell)
    with nogil:
        status = ww_covariance_reach(&matrix, &reach_y, &reach_x)
    _raise(status)
    return reach_y, reach_x


def covariance_add(first, cell, share, weight, keep, variance, taper, row_sum, diagonal,
                   covariance, *, double scale, Py_ssize_t reach_y, Py_ssize_t reach_x,
                   Py_ssize_t cell_start, Py_ssize_t cell_stop):
    """Add one exposure to the cells [cell_start, cell_stop) of the outputs, in place."""
    cdef ww_covariance_matrix matrix
    cdef ww_covariance_input source
    cdef ww_covariance_output out
    cdef int status
    grid = check_array("weight", weight, "float64", (None, None))
    _set_matrix(&matrix, grid, first, cell)
    check_array("share", share, "float64", cell.shape, may_be_empty=True)
    n_plane = check_array("variance", variance, "float32", (None, first.shape[0] - 1))[0]
    if keep is not None:
        check_array("keep", keep, "uint8", grid)
    if reach_y < 0 or reach_x < 0:
        raise ValueError(f"reach_y and reach_x are {reach_y} and {reach_x}, expected 0 or more")
    if taper is not None:
        check_array("taper", taper, "float64", (reach_y + 1, reach_x + 1))
    n_offset = reach_y * (2 * reach_x + 1) + reach_x + 1
    check_array("row_sum", row_sum, "float64", (n_plane, *grid), writable=True)
    check_array("diagonal", diagonal, "float64", (n_plane, *grid), writable=True)
    check_array("covariance", covariance, "float64", (n_offset, *grid), writable=True)
    n_cell = grid[0] * grid[1]
    if not 0 <= cell_start <= cell_stop <= n_cell:
        raise IndexError(f"cells {cell_start}:{cell_stop} are not in a grid of {n_cell} cells")
    cdef const double[::1] share_view = share
    cdef const double[:, ::1] weight_view = weight
    cdef const uint8_t[:, ::1] keep_view = keep
    cdef const double[:, ::1] taper_view = taper
    cdef const float[:, ::1] variance_view = variance
    cdef double[:, :, ::1] row_sum_view = row_sum, diagonal_view = diagonal
    cdef double[:, :, ::1] covariance_view = covariance
    if matrix.n_entry:
        matrix.g = &share_view[0]
    source.scale, source.weight, source.n_plane = scale, &weight_view[0, 0], n_plane
    source.keep = NULL if keep is None else &keep_view[0, 0]
    source.variance = &variance_view[0, 0]
    source.taper = NULL if taper is None else &taper_view[0, 0]
    out.reach_y, out.reach_x = reach_y, reach_x
    out.row_sum, out.diagonal = &row_sum_view[0, 0, 0], &diagonal_view[0, 0, 0]
    out.covariance = &covariance_view[0, 0, 0]
    with nogil:
        status = ww_covariance_add(&matrix, &source, &out, cell_start, cell_stop)
    _raise(status)
