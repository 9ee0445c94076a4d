# cython: language_level=3, freethreading_compatible=True, autotestdict=False
# cython: boundscheck=False, wraparound=False
"""Binding of csrc/histogram_drizzle.h, which is the manual."""
from libc.stddef cimport size_t

from webbweave._kernels.checks import check_array
from webbweave._kernels.status cimport raise_status


cdef extern from "histogram_drizzle.h" nogil:
    ctypedef struct ww_histogram_axis:
        size_t n_cell, n_shift
        const double *edge

    ctypedef struct ww_histogram_pixels:
        size_t n_pixel, n_plane
        const double *x
        const double *y
        const double *weight
        const double *variance
        const double *value

    ctypedef struct ww_histogram_sums:
        double *den
        double *num
        double *linear
        double *count
        double *square
        double *above

    int ww_histogram_drizzle(const ww_histogram_axis *x, const ww_histogram_axis *y,
                             const ww_histogram_pixels *pixels, size_t start, size_t stop,
                             const ww_histogram_sums *sums)


cdef const double *_address(const double[::1] view) noexcept:
    return &view[0] if view.shape[0] else NULL


cdef double *_plane(double[:, ::1] view) noexcept:
    return &view[0, 0]


def histogram_drizzle(x_edge, y_edge, x, y, weight, variance, value, den, num, linear, count,
                      square, above, *, Py_ssize_t start, Py_ssize_t stop):
    """Add pixels to the sums of the cells of a grid, in place."""
    cdef ww_histogram_axis x_axis, y_axis
    cdef ww_histogram_pixels pixels
    cdef ww_histogram_sums sums
    cdef int status
    edges_x, shifts_x = check_array("x_edge", x_edge, "float64", (None, None))
    edges_y, shifts_y = check_array("y_edge", y_edge, "float64", (None, None))
    if edges_x < 2 or edges_y < 2:
        raise ValueError("x_edge, y_edge: at least two edges along each axis")
    n_plane, n_pixel = check_array("value", value, "float64", (None, None), may_be_empty=True)
    for name, one in (("x", x), ("y", y), ("weight", weight), ("variance", variance)):
        check_array(name, one, "float64", (n_pixel,), may_be_empty=True)
    shape = (edges_y - 1, edges_x - 1)
    for name, plane in (("den", den), ("linear", linear), ("count", count), ("square", square),
                        ("above", above)):
        check_array(name, plane, "float64", shape, writable=True)
    check_array("num", num, "float64", (n_plane, *shape), writable=True)
    if not 0 <= start <= stop <= n_pixel:
        raise IndexError(f"pixels {start}:{stop} are not among {n_pixel}")
    cdef const double[:, ::1] x_view = x_edge, y_view = y_edge
    cdef double[:, :, ::1] num_view = num
    cdef const double[::1] values = value.reshape(-1)
    x_axis.n_shift, x_axis.n_cell, x_axis.edge = shifts_x, edges_x - 1, &x_view[0, 0]
    y_axis.n_shift, y_axis.n_cell, y_axis.edge = shifts_y, edges_y - 1, &y_view[0, 0]
    pixels.n_pixel, pixels.n_plane, pixels.value = n_pixel, n_plane, _address(values)
    pixels.x, pixels.y = _address(x), _address(y)
    pixels.weight, pixels.variance = _address(weight), _address(variance)
    sums.den, sums.num, sums.linear = _plane(den), &num_view[0, 0, 0], _plane(linear)
    sums.count, sums.square, sums.above = _plane(count), _plane(square), _plane(above)
    with nogil:
        status = ww_histogram_drizzle(&x_axis, &y_axis, &pixels, start, stop, &sums)
    raise_status(status)
