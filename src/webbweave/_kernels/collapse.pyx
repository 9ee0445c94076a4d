# cython: language_level=3, freethreading_compatible=True, autotestdict=False
# cython: boundscheck=False, wraparound=False
"""Binding of csrc/collapse.h, which is the manual."""
from libc.stddef cimport size_t
from libc.stdint cimport int32_t

from webbweave._kernels.checks import check_array
from webbweave._kernels.status cimport raise_status


cdef extern from "collapse.h" nogil:
    ctypedef struct ww_collapse_input:
        size_t n
        const double *flux
        const double *error
        const double *alpha
        size_t n_bin
        const double *lower
        const double *upper
        int rounds

    int ww_collapse_profile(const ww_collapse_input *source, double *flux_profile,
                            double *error_profile, double *snr_profile, size_t *n_valid)
    ctypedef struct ww_float_sums:
        const int32_t *first_row
        size_t height

    int ww_collapse_sums(const double *flux, size_t n_column, size_t n_row,
                         const ww_float_sums *floats, int positive_only, double *sum)


def collapse_profile(flux, error, alpha, lower, upper, profile, *, bint rounds):
    """Fill `profile` with the medians of flux, error and their ratio; return how many count."""
    cdef ww_collapse_input source
    cdef const double[:, ::1] flux_view, error_view, alpha_view
    cdef const double[::1] lower_view, upper_view
    cdef double[:, ::1] out
    cdef size_t n_valid = 0
    cdef int status
    shape = check_array("flux", flux, "float64", (None, None))
    check_array("error", error, "float64", shape)
    check_array("alpha", alpha, "float64", shape)
    n_bin = check_array("lower", lower, "float64", (None,))[0]
    check_array("upper", upper, "float64", (n_bin,))
    check_array("profile", profile, "float64", (3, n_bin), writable=True)
    flux_view, error_view, alpha_view, out = flux, error, alpha, profile
    lower_view, upper_view = lower, upper
    source.n, source.n_bin, source.rounds = shape[0] * shape[1], n_bin, rounds
    source.flux, source.error = &flux_view[0, 0], &error_view[0, 0]
    source.alpha, source.lower, source.upper = &alpha_view[0, 0], &lower_view[0], &upper_view[0]
    with nogil:
        status = ww_collapse_profile(&source, &out[0, 0], &out[1, 0], &out[2, 0], &n_valid)
    raise_status(status)
    return n_valid


def collapse_sums(flux, sums, first_row, *, bint rounds, bint positive_only, size_t height):
    """Fill `sums` with the sums of columns; `first_row` may be None without a height."""
    cdef ww_float_sums floats
    cdef int status
    cdef const double[:, ::1] flux_view
    cdef const int32_t[::1] row_view
    cdef double[::1] out
    shape = check_array("flux", flux, "float64", (None, None))
    check_array("sums", sums, "float64", (shape[0],), writable=True)
    cdef size_t n_column = shape[0], n_row = shape[1]
    flux_view, out = flux, sums
    floats.first_row, floats.height = NULL, height
    if height:
        check_array("first_row", first_row, "int32", (n_column,))
        row_view = first_row
        floats.first_row = &row_view[0]
    with nogil:
        status = ww_collapse_sums(&flux_view[0, 0], n_column, n_row, &floats if rounds else NULL,
                                  positive_only, &out[0])
    raise_status(status)
