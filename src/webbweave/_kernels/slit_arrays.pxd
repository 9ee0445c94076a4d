# The C side of slit_profile.pyx: csrc/slit_profile.h, and arrays as its structs take them.
from libc.stddef cimport size_t
from libc.stdint cimport int64_t

from webbweave._kernels.addresses cimport address
from webbweave._kernels.checks import check_array


cdef extern from "slit_profile.h" nogil:
    enum: WW_ERF_SIZE

    void ww_erf_table(double *nodes)

    ctypedef struct ww_profile_table:
        size_t n_width, n_wave, n_y
        const double *values, *width
        double y_first, y_step

    ctypedef struct ww_profile_shape:
        const ww_profile_table *table
        size_t n_wing
        const double *wings, *erf

    ctypedef struct ww_slit_samples:
        size_t n_column, n_pixel, n_sample
        const int64_t *column_start, *sample_start, *pixel
        const double *x, *diff, *inverse_error, *weight, *y, *spread, *share
        int positive
        double huber

    int ww_slit_profile(const ww_profile_shape *shape, double width, size_t n, const double *y,
                        const double *spread, double *profile, double *by_y, double *by_width)
    int ww_slit_samples_check(const ww_slit_samples *samples)
    int ww_slit_objective(const ww_slit_samples *samples, const ww_profile_shape *, double width,
                          size_t n_trace, const double *trace, double *value, double *gradient,
                          double *bend)
    int ww_slit_slopes(const ww_slit_samples *samples, const ww_profile_shape *, double width,
                       size_t n_trace, const double *trace, double *profile, double *slopes)


cdef inline const double *doubles(name, array, shape) except? NULL:
    """The address of the numbers of an array, which the caller keeps alive; may be empty."""
    return <const double *>address(name, array, "float64", shape, False, True)


cdef inline const int64_t *indices(name, array, n) except? NULL:
    return <const int64_t *>address(name, array, "int64", (n,), False, True)


cdef inline int set_shape(ww_profile_shape *shape, ww_profile_table *room, table, wings,
                          const double *erf) except -1:
    """`table`: (values, width, y_first, y_step) or None; `wings`: of three numbers each."""
    shape.table, shape.n_wing, shape.erf = NULL, len(wings), erf
    shape.wings = doubles("wings", wings, (None, 3))
    if table is None:
        return 0
    values, width, room.y_first, room.y_step = table
    room.n_width, room.n_wave, room.n_y = check_array("table", values, "float64", (None,) * 3)
    room.values = doubles("table", values, (None,) * 3)
    room.width = doubles("width of the table", width, (values.shape[0],))
    shape.table = room
    return 0
