# cython: language_level=3, freethreading_compatible=True, autotestdict=False
# cython: boundscheck=False, wraparound=False
"""Binding of csrc/star_refine.h, which is the manual."""
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t

from webbweave._kernels.checks import check_array
from webbweave._kernels.status cimport raise_status


cdef extern from "star_refine.h" nogil:
    enum:
        WW_REFINED_COLUMNS

    ctypedef struct ww_star_image:
        size_t ny, nx
        const float *value
        const uint8_t *mask

    int ww_star_refine(const ww_star_image *image, size_t half, double sigma,
                       const double *place, size_t start, size_t stop, double *out)

COLUMNS = WW_REFINED_COLUMNS


def star_refine(value, mask, place, out, *, Py_ssize_t half, double sigma, Py_ssize_t start,
                Py_ssize_t stop):
    """Fit the positions of stars, written in place."""
    cdef int status
    cdef ww_star_image image
    image.ny, image.nx = check_array("value", value, "float32", (None, None))
    n = check_array("place", place, "float64", (None, 2))[0]
    check_array("out", out, "float64", (n, WW_REFINED_COLUMNS), writable=True)
    if mask is not None:
        check_array("mask", mask, "uint8", value.shape)
    if half < 1:
        raise ValueError(f"half must be at least 1, found {half}")
    if not 0 <= start <= stop <= n:
        raise IndexError(f"stars {start}:{stop} are not among {n}")
    cdef const float[:, ::1] value_view = value
    cdef const uint8_t[:, ::1] mask_view = mask
    cdef const double[:, ::1] place_view = place
    cdef double[:, ::1] out_view = out
    image.value = &value_view[0, 0]
    image.mask = NULL if mask is None else &mask_view[0, 0]
    with nogil:
        status = ww_star_refine(&image, half, sigma, &place_view[0, 0], start, stop,
                                &out_view[0, 0])
    raise_status(status)
