# cython: language_level=3, freethreading_compatible=True, autotestdict=False
# cython: boundscheck=False, wraparound=False
"""Binding of csrc/slit_profile.h, which is the manual."""
from libc.stddef cimport size_t
from libc.stdint cimport int64_t

from webbweave._kernels.checks import check_array
from webbweave._kernels.images cimport raise_status


cdef extern from "slit_profile.h" nogil:
    ctypedef struct ww_profile_table:
        size_t n_width, n_wave, n_y
        const double *values, *width
        double y_first, y_step

    ctypedef struct ww_profile_shape:
        const ww_profile_table *table
        size_t n_wing
        const double *wings

    ctypedef struct ww_slit_samples:
        size_t n_column, n_pixel, n_sample
        const int64_t *column_start
        const int64_t *sample_start
        const double *x, *diff, *inverse_error, *weight, *y, *spread, *share
        int positive
        double huber

    int ww_slit_profile(const ww_profile_shape *shape, double width, size_t n, const double *y,
                        const double *spread, double *profile, double *by_y, double *by_width)
    int ww_slit_objective(const ww_slit_samples *samples, const ww_profile_shape *, double width,
                          size_t n_trace, const double *trace, double *value, double *gradient)
    int ww_slit_slopes(const ww_slit_samples *samples, const ww_profile_shape *, double width,
                       size_t n_trace, const double *trace, double *profile, double *slopes)


cdef const double *_doubles(name, array, shape) except? NULL:
    """The address of the numbers of an array, which the caller keeps alive; may be empty."""
    cdef const double[::1] view
    if not check_array(name, array, "float64", shape, may_be_empty=True)[0]:
        return NULL
    view = array.reshape(-1)
    return &view[0]


cdef const int64_t *_starts(name, array, n) except NULL:
    cdef const int64_t[::1] view
    check_array(name, array, "int64", (n,))
    view = array
    return &view[0]


cdef int _set_shape(ww_profile_shape *shape, ww_profile_table *room, table, wings) except -1:
    """`table`: (values, width, y_first, y_step) or None; `wings`: of three numbers each."""
    shape.table, shape.n_wing = NULL, len(wings)
    shape.wings = _doubles("wings", wings, (None, 3))
    if table is None:
        return 0
    values, width, room.y_first, room.y_step = table
    room.n_width, room.n_wave, room.n_y = check_array("table", values, "float64", (None,) * 3)
    room.values = _doubles("table", values, (None,) * 3)
    room.width = _doubles("width of the table", width, (values.shape[0],))
    shape.table = room
    return 0


cdef int _set_samples(ww_slit_samples *to, tuple arrays, bint positive, double huber) except -1:
    """`arrays`: column_start, sample_start, x, diff, inverse_error, weight, y, spread, share."""
    starts, firsts, x, diff, inverse_error, weight, y, spread, share = arrays
    to.n_column, to.n_pixel, to.n_sample = len(x), len(diff), len(y)
    to.column_start = _starts("column_start", starts, to.n_column + 1)
    to.sample_start = _starts("sample_start", firsts, to.n_pixel + 1)
    to.x = _doubles("x", x, (to.n_column,))
    to.diff = _doubles("diff", diff, (to.n_pixel,))
    to.inverse_error = _doubles("inverse_error", inverse_error, (to.n_pixel,))
    to.weight = _doubles("weight", weight, (to.n_pixel,))
    to.y = _doubles("y", y, (to.n_sample,))
    to.spread = _doubles("spread", spread, (to.n_sample,))
    to.share = _doubles("share", share, (to.n_sample,))
    to.positive, to.huber = positive, huber
    return 0


def profile(y, spread, double width, table, wings, out):
    """Fill `out` with the profile and its derivatives by y and by the width."""
    cdef ww_profile_shape shape
    cdef ww_profile_table room
    cdef double[:, ::1] out_view
    cdef int status
    cdef size_t n = check_array("y", y, "float64", (None,))[0]
    cdef const double *at = _doubles("y", y, (n,))
    cdef const double *spreads = _doubles("spread", spread, (n,))
    check_array("out", out, "float64", (3, n), writable=True)
    out_view = out
    _set_shape(&shape, &room, table, wings)
    with nogil:
        status = ww_slit_profile(&shape, width, n, at, spreads, &out_view[0, 0], &out_view[1, 0],
                                 &out_view[2, 0])
    raise_status(status)


def objective(samples, double width, trace, table, wings, gradient, *, bint positive, double huber):
    """Return the objective and, unless None, fill `gradient`."""
    cdef ww_profile_shape shape
    cdef ww_profile_table room
    cdef ww_slit_samples source
    cdef double[::1] gradient_view
    cdef double *to = NULL
    cdef double value = 0.0
    cdef int status
    cdef size_t n_trace = len(trace)
    cdef const double *coefficients = _doubles("trace", trace, (None,))
    _set_shape(&shape, &room, table, wings)
    _set_samples(&source, samples, positive, huber)
    if gradient is not None:
        check_array("gradient", gradient, "float64", (1 + n_trace + 3 * len(wings),),
                    writable=True)
        gradient_view = gradient
        to = &gradient_view[0]
    with nogil:
        status = ww_slit_objective(&source, &shape, width, n_trace, coefficients, &value, to)
    raise_status(status)
    return value


def slopes(samples, double width, trace, table, wings, values, derivatives, *, bint positive):
    """Fill `values` with the profile of each pixel; unless None, `derivatives`."""
    cdef ww_profile_shape shape
    cdef ww_profile_table room
    cdef ww_slit_samples source
    cdef double[::1] values_view
    cdef double[:, ::1] derivatives_view
    cdef double *to = NULL
    cdef int status
    cdef size_t n_trace = len(trace)
    cdef const double *coefficients = _doubles("trace", trace, (None,))
    _set_shape(&shape, &room, table, wings)
    _set_samples(&source, samples, positive, 0.0)
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
