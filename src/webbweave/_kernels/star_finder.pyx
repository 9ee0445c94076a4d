# cython: language_level=3, freethreading_compatible=True, autotestdict=False
# cython: boundscheck=False, wraparound=False
"""Binding of csrc/star_finder.h and csrc/star_measure.h, which are the manuals."""
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint64_t

from webbweave._kernels.checks import check_array
from webbweave._kernels.status cimport raise_status


cdef extern from "star_measure.h" nogil:
    enum:
        WW_MISSING_FIT, WW_MISSING_POISON
        WW_TIES_FIRST, WW_TIES_ALL
        WW_STAR_DAOFIND, WW_STAR_STARFIND
        WW_STAR_COLUMNS

    ctypedef struct ww_star_image:
        size_t ny, nx
        const float *value
        const uint8_t *mask

    ctypedef struct ww_star_kernel:
        size_t half
        double sigma
        const double *gauss
        const double *kernel
        const uint8_t *inside

    int ww_star_correlate(const ww_star_image *image, const ww_star_kernel *kernel, int missing,
                          size_t row_start, size_t row_stop, float *out)
    int ww_star_peaks(const float *correlation, const uint8_t *mask, size_t ny, size_t nx,
                      double threshold, size_t radius, int ties, size_t row_start,
                      size_t row_stop, uint64_t *pixel, size_t capacity, size_t *found)
    int ww_star_measure(const ww_star_image *image, const ww_star_kernel *kernel,
                        const float *correlation, int method, int missing,
                        const uint64_t *pixel, size_t start, size_t stop, double *out)

MISSING_FIT = WW_MISSING_FIT
MISSING_POISON = WW_MISSING_POISON
TIES_FIRST = WW_TIES_FIRST
TIES_ALL = WW_TIES_ALL
DAOFIND = WW_STAR_DAOFIND
STARFIND = WW_STAR_STARFIND
COLUMNS = WW_STAR_COLUMNS


cdef ww_star_image image_of(value, mask) except *:
    cdef ww_star_image image
    image.ny, image.nx = check_array("value", value, "float32", (None, None))
    cdef const float[:, ::1] value_view = value
    cdef const uint8_t[:, ::1] mask_view
    image.value, image.mask = &value_view[0, 0], NULL
    if mask is not None:
        check_array("mask", mask, "uint8", value.shape)
        mask_view = mask
        image.mask = &mask_view[0, 0]
    return image


cdef ww_star_kernel kernel_of(gauss, kernel, inside, double sigma) except *:
    cdef ww_star_kernel result
    shape = check_array("gauss", gauss, "float64", (None, None))
    if shape[0] != shape[1] or shape[0] % 2 == 0:
        raise ValueError(f"gauss has shape {shape}, expected an odd square")
    check_array("kernel", kernel, "float64", shape)
    check_array("inside", inside, "uint8", shape)
    cdef const double[:, ::1] gauss_view = gauss, kernel_view = kernel
    cdef const uint8_t[:, ::1] inside_view = inside
    result.half, result.sigma = shape[0] // 2, sigma
    result.gauss, result.kernel = &gauss_view[0, 0], &kernel_view[0, 0]
    result.inside = &inside_view[0, 0]
    return result


def star_correlate(value, mask, gauss, kernel, inside, out, *, double sigma, int missing,
                   Py_ssize_t row_start, Py_ssize_t row_stop):
    """Correlate rows of an image with a zero-sum kernel, written in place."""
    cdef int status
    cdef ww_star_image image = image_of(value, mask)
    cdef ww_star_kernel shape = kernel_of(gauss, kernel, inside, sigma)
    check_array("out", out, "float32", value.shape, writable=True)
    if not 0 <= row_start <= row_stop <= value.shape[0]:
        raise IndexError(f"rows {row_start}:{row_stop} are not in an image of {value.shape[0]}")
    cdef float[:, ::1] out_view = out
    with nogil:
        status = ww_star_correlate(&image, &shape, missing, row_start, row_stop, &out_view[0, 0])
    raise_status(status)


def star_peaks(correlation, mask, pixel, *, double threshold, Py_ssize_t radius, int ties,
               Py_ssize_t row_start, Py_ssize_t row_stop):
    """Indices of the peaks in rows of a correlation into pixel; how many there are."""
    cdef int status
    cdef size_t found, capacity
    cdef ww_star_image image = image_of(correlation, mask)
    capacity = check_array("pixel", pixel, "uint64", (None,), writable=True)[0]
    if radius < 0:
        raise ValueError(f"radius must not be negative, found {radius}")
    if not 0 <= row_start <= row_stop <= correlation.shape[0]:
        raise IndexError(
            f"rows {row_start}:{row_stop} are not in an image of {correlation.shape[0]}"
        )
    cdef uint64_t[::1] pixel_view = pixel
    with nogil:
        status = ww_star_peaks(image.value, image.mask, image.ny, image.nx, threshold, radius,
                               ties, row_start, row_stop, &pixel_view[0], capacity, &found)
    raise_status(status)
    return found


def star_measure(value, mask, gauss, kernel, inside, correlation, pixel, out, *, double sigma,
                 int method, int missing, Py_ssize_t start, Py_ssize_t stop):
    """Measure sources at peak pixels, written in place."""
    cdef int status
    cdef ww_star_image image = image_of(value, mask)
    cdef ww_star_kernel shape = kernel_of(gauss, kernel, inside, sigma)
    check_array("correlation", correlation, "float32", value.shape)
    n = check_array("pixel", pixel, "uint64", (None,))[0]
    check_array("out", out, "float64", (n, WW_STAR_COLUMNS), writable=True)
    if not 0 <= start <= stop <= n:
        raise IndexError(f"sources {start}:{stop} are not among {n}")
    cdef const float[:, ::1] correlation_view = correlation
    cdef const uint64_t[::1] pixel_view = pixel
    cdef double[:, ::1] out_view = out
    with nogil:
        status = ww_star_measure(&image, &shape, &correlation_view[0, 0], method, missing,
                                 &pixel_view[0], start, stop, &out_view[0, 0])
    raise_status(status)
