# cython: language_level=3, freethreading_compatible=True, autotestdict=False
# cython: boundscheck=False, wraparound=False
"""Binding of csrc/slit_profile.h, which is the manual."""
cimport cython
from libc.stddef cimport size_t

from webbweave._kernels.checks import check_array
from webbweave._kernels.slit_arrays cimport (
    WW_ERF_SIZE, doubles, indices, set_shape, ww_erf_table, ww_profile_shape, ww_profile_table,
    ww_slit_objective, ww_slit_profile, ww_slit_samples, ww_slit_samples_check, ww_slit_slopes)
from webbweave._kernels.status cimport raise_status

cdef double[WW_ERF_SIZE] _ERF
ww_erf_table(_ERF)


@cython.final
@cython.auto_pickle(False)
cdef class Samples:
    """Arrays that were found to fit together; they are kept, and must not change any more."""
    cdef ww_slit_samples at
    cdef tuple arrays

    def __cinit__(self, *arrays):
        cdef ww_slit_samples *to = &self.at
        self.arrays = arrays
        if not arrays:  # no samples
            return
        starts, firsts, x, diff, inverse_error, weight, pixel, y, spread, share = arrays
        to.n_column, to.n_pixel, to.n_sample = len(x), len(diff), len(y)
        to.column_start = indices("column_start", starts, to.n_column + 1)
        to.sample_start = indices("sample_start", firsts, to.n_column + 1)
        to.x = doubles("x", x, (to.n_column,))
        to.diff = doubles("diff", diff, (to.n_pixel,))
        to.inverse_error = doubles("inverse_error", inverse_error, (to.n_pixel,))
        to.weight = doubles("weight", weight, (to.n_pixel,))
        to.pixel = indices("pixel", pixel, to.n_sample)
        to.y = doubles("y", y, (to.n_sample,))
        to.spread = doubles("spread", spread, (to.n_sample,))
        to.share = doubles("share", share, (to.n_sample,))
        raise_status(ww_slit_samples_check(to),
                     "column_start, sample_start and pixel do not fit together")

    def moved(self, y):
        """Return the same samples at other places."""
        cdef Samples other = Samples.__new__(Samples)
        other.at = self.at
        other.at.y = doubles("y", y, (self.at.n_sample,))
        other.arrays = (*self.arrays, y)
        return other


def profile(y, spread, double width, table, wings, out):
    """Fill `out` with the profile and its derivatives by y and by the width."""
    cdef ww_profile_shape shape
    cdef ww_profile_table room
    cdef double[:, ::1] out_view
    cdef int status
    cdef size_t n = check_array("y", y, "float64", (None,))[0]
    cdef const double *at = doubles("y", y, (n,))
    cdef const double *spreads = doubles("spread", spread, (n,))
    check_array("out", out, "float64", (3, n), writable=True)
    out_view = out
    set_shape(&shape, &room, table, wings, _ERF)
    with nogil:
        status = ww_slit_profile(&shape, width, n, at, spreads, &out_view[0, 0], &out_view[1, 0],
                                 &out_view[2, 0])
    raise_status(status)


def objective(Samples samples not None, double width, trace, table, wings, slopes, *,
              bint positive, double huber):
    """Return the objective; fill the one or two rows of `slopes`, unless None, see the manual."""
    cdef ww_profile_shape shape
    cdef ww_profile_table room
    cdef ww_slit_samples source = samples.at
    cdef double[:, ::1] to_view
    cdef double *gradient = NULL
    cdef double *bend = NULL
    cdef double value = 0.0
    cdef int status
    cdef size_t n_trace = len(trace)
    cdef const double *coefficients = doubles("trace", trace, (None,))
    set_shape(&shape, &room, table, wings, _ERF)
    source.positive, source.huber = positive, huber
    if slopes is not None:
        check_array("slopes", slopes, "float64", (None, 1 + n_trace + 3 * len(wings)),
                    writable=True)
        to_view = slopes
        gradient = &to_view[0, 0]
        bend = &to_view[1, 0] if len(slopes) > 1 else NULL
    with nogil:
        status = ww_slit_objective(&source, &shape, width, n_trace, coefficients, &value,
                                   gradient, bend)
    raise_status(status)
    return value


def slopes(Samples samples not None, double width, trace, table, wings, values, derivatives, *,
           bint positive):
    """Fill `values` with the profile of each pixel; unless None, `derivatives`."""
    cdef ww_profile_shape shape
    cdef ww_profile_table room
    cdef ww_slit_samples source = samples.at
    cdef double[::1] values_view
    cdef double[:, ::1] derivatives_view
    cdef double *to = NULL
    cdef int status
    cdef size_t n_trace = len(trace)
    cdef const double *coefficients = doubles("trace", trace, (None,))
    set_shape(&shape, &room, table, wings, _ERF)
    source.positive = positive
    check_array("values", values, "float64", (source.n_pixel,), writable=True)
    if derivatives is not None:
        check_array("derivatives", derivatives, "float64",
                    (source.n_pixel, 1 + n_trace + 3 * len(wings)), writable=True)
        derivatives_view = derivatives
        to = &derivatives_view[0, 0]
    values_view = values
    with nogil:
        status = ww_slit_slopes(&source, &shape, width, n_trace, coefficients, &values_view[0], to)
    raise_status(status)
