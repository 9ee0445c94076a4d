# cython: language_level=3, freethreading_compatible=True, autotestdict=False
# cython: boundscheck=False, wraparound=False
"""Binding of csrc/spline_design.h, which is the manual."""
from libc.stddef cimport size_t
from libc.stdint cimport int32_t, uint8_t

from webbweave._kernels.checks import check_array
from webbweave._kernels.status cimport raise_status


cdef extern from "spline_design.h" nogil:
    ctypedef struct ww_uniform_basis:
        size_t n_function
        double low, high

    int ww_spline_rows(const ww_uniform_basis *basis, const double *x, size_t n, int32_t *first,
                       double (*value)[4])
    int ww_spline_clip(size_t n, const int32_t *first, double (*value)[4], size_t n_function,
                       double floor)
    int ww_spline_sums(const ww_uniform_basis *basis, const double *x, size_t n,
                       const double *coefficients, size_t n_set, double *out)
    int ww_spline_normal(size_t n, const int32_t *first, const double (*value)[4], const double *y,
                         const double *weight, size_t n_function, double (*band)[4],
                         double *right)
    int ww_spline_least_squares(size_t n, const int32_t *first, const double (*value)[4],
                                const double *y, const double *weight, size_t n_function,
                                double tolerance, uint8_t *keep, double *coefficients,
                                double *covariance)


_OUT_OF_RANGE = "a row of the design begins at no function of the basis"
_WRONG = "a basis needs at least 4 functions and finite low < high"


def spline_rows(x, first, value, *, Py_ssize_t n_function, double low, double high):
    """Fill `first` and `value` with the rows of the design matrix at x."""
    cdef ww_uniform_basis basis
    cdef int status
    (n,) = check_array("x", x, "float64", (None,))
    check_array("first", first, "int32", (n,), writable=True)
    check_array("value", value, "float64", (n, 4), writable=True)
    cdef const double[::1] x_view = x
    cdef int32_t[::1] first_view = first
    cdef double[:, ::1] value_view = value
    cdef size_t size = n
    basis.n_function, basis.low, basis.high = max(n_function, 0), low, high
    with nogil:
        status = ww_spline_rows(&basis, &x_view[0], size, &first_view[0],
                                <double (*)[4]>&value_view[0, 0])
    raise_status(status, _OUT_OF_RANGE, _WRONG)


def spline_clip(first, value, *, Py_ssize_t n_function, double floor):
    """Put 0 where a function is less than a part of its largest value, in place."""
    cdef int status
    (n,) = check_array("first", first, "int32", (None,))
    check_array("value", value, "float64", (n, 4), writable=True)
    cdef const int32_t[::1] first_view = first
    cdef double[:, ::1] value_view = value
    cdef size_t size = n, m = max(n_function, 0)
    with nogil:
        status = ww_spline_clip(size, &first_view[0], <double (*)[4]>&value_view[0, 0], m, floor)
    raise_status(status, _OUT_OF_RANGE, _WRONG)


def spline_sums(x, coefficients, out, *, double low, double high):
    """Fill `out` with the splines of some sets of coefficients at x."""
    cdef ww_uniform_basis basis
    cdef int status
    (n,) = check_array("x", x, "float64", (None,))
    n_function, n_set = check_array("coefficients", coefficients, "float64", (None, None))
    check_array("out", out, "float64", (n, n_set), writable=True)
    cdef const double[::1] x_view = x
    cdef const double[:, ::1] coefficient_view = coefficients
    cdef double[:, ::1] out_view = out
    cdef size_t size = n, sets = n_set
    basis.n_function, basis.low, basis.high = n_function, low, high
    with nogil:
        status = ww_spline_sums(&basis, &x_view[0], size, &coefficient_view[0, 0], sets,
                                &out_view[0, 0])
    raise_status(status, _OUT_OF_RANGE, _WRONG)


def spline_normal(first, value, y, weight, band, right):
    """Fill `band` and `right` with the normal equations."""
    cdef int status
    (n,) = check_array("first", first, "int32", (None,))
    check_array("value", value, "float64", (n, 4))
    check_array("y", y, "float64", (n,))
    check_array("weight", weight, "float64", (n,))
    (m,) = check_array("right", right, "float64", (None,), writable=True)
    check_array("band", band, "float64", (m, 4), writable=True)
    cdef const int32_t[::1] first_view = first
    cdef const double[:, ::1] value_view = value
    cdef const double[::1] y_view = y, weight_view = weight
    cdef double[:, ::1] band_view = band
    cdef double[::1] right_view = right
    cdef size_t size = n, functions = m
    with nogil:
        status = ww_spline_normal(size, &first_view[0], <const double (*)[4]>&value_view[0, 0],
                                  &y_view[0], &weight_view[0], functions,
                                  <double (*)[4]>&band_view[0, 0], &right_view[0])
    raise_status(status, _OUT_OF_RANGE, _WRONG)


def spline_least_squares(first, value, y, weight, keep, coefficients, covariance, *,
                         double tolerance):
    """Fit; fill `coefficients` and, unless None, `covariance`; mark in `keep` what counts."""
    cdef int status
    (n,) = check_array("first", first, "int32", (None,))
    check_array("value", value, "float64", (n, 4))
    check_array("y", y, "float64", (n,))
    check_array("weight", weight, "float64", (n,))
    (m,) = check_array("coefficients", coefficients, "float64", (None,), writable=True)
    check_array("keep", keep, "uint8", (m,), writable=True)
    cdef const int32_t[::1] first_view = first
    cdef const double[:, ::1] value_view = value
    cdef const double[::1] y_view = y, weight_view = weight
    cdef uint8_t[::1] keep_view = keep
    cdef double[::1] coefficient_view = coefficients
    cdef double[:, ::1] covariance_view
    cdef double *matrix = NULL
    cdef size_t size = n, functions = m
    if covariance is not None:
        check_array("covariance", covariance, "float64", (m, m), writable=True)
        covariance_view = covariance
        matrix = &covariance_view[0, 0]
    with nogil:
        status = ww_spline_least_squares(
            size, &first_view[0], <const double (*)[4]>&value_view[0, 0], &y_view[0],
            &weight_view[0], functions, tolerance, &keep_view[0], &coefficient_view[0], matrix)
    raise_status(status, _OUT_OF_RANGE, _WRONG)
