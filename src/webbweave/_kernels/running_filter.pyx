# cython: language_level=3, freethreading_compatible=True, autotestdict=False
# cython: boundscheck=False, wraparound=False
"""Binding of csrc/running_filter.h, which is the manual."""
from libc.stddef cimport size_t
from libc.stdint cimport int32_t

from webbweave._kernels.checks import check_array
from webbweave._kernels.status cimport raise_status


cdef extern from "running_filter.h" nogil:
    int ww_running_maximum(const double *value, size_t n, size_t width, double *out)
    int ww_running_ranks(const int32_t *place, const double *ascending, size_t n, size_t width,
                         const size_t *rank, size_t n_rank, double *out)


_OUT_OF_RANGE = "a rank is not below the width, or a place is not that of a sample"
_WRONG = "the width of the window is 0 or too large"


def running_maximum(value, out, *, Py_ssize_t width):
    """Fill `out` with the largest value of each window."""
    cdef int status
    (n,) = check_array("value", value, "float64", (None,))
    check_array("out", out, "float64", (n,), writable=True)
    cdef const double[::1] value_view = value
    cdef double[::1] out_view = out
    cdef size_t size = n, w = max(width, 0)
    with nogil:
        status = ww_running_maximum(&value_view[0], size, w, &out_view[0])
    raise_status(status, _OUT_OF_RANGE, _WRONG)


def running_ranks(place, ascending, rank, out, *, Py_ssize_t width):
    """Fill each line of `out` with the values of one rank in each window."""
    cdef int status
    (n,) = check_array("place", place, "int32", (None,))
    check_array("ascending", ascending, "float64", (n,))
    (n_rank,) = check_array("rank", rank, "uintp", (None,))
    check_array("out", out, "float64", (n_rank, n), writable=True)
    cdef const int32_t[::1] place_view = place
    cdef const double[::1] ascending_view = ascending
    cdef const size_t[::1] rank_view = rank
    cdef double[:, ::1] out_view = out
    cdef size_t size = n, ranks = n_rank, w = max(width, 0)
    with nogil:
        status = ww_running_ranks(&place_view[0], &ascending_view[0], size, w, &rank_view[0],
                                  ranks, &out_view[0, 0])
    raise_status(status, _OUT_OF_RANGE, _WRONG)
