# cython: language_level=3, freethreading_compatible=True, autotestdict=False
# cython: boundscheck=False, wraparound=False
"""Binding of csrc/slit_nods.h, which is the manual."""
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t

from webbweave._kernels.checks import check_array
from webbweave._kernels.status cimport raise_status


cdef extern from "slit_nods.h" nogil:
    ctypedef struct ww_slit_nods:
        size_t n_exposure
        size_t n_pixel
        const double *data
        const double *sky
        const double *variance
        const double *read_variance
        const uint8_t *mask
        const uint8_t *counted
        const uint8_t *chosen
        int rounds

    int ww_slit_nod_mean(const ww_slit_nods *source, size_t start, size_t stop, double *out)


def nod_mean(data, sky, variance, read_variance, mask, counted, chosen, out, *, bint rounds):
    """Fill `out` with the means of the chosen exposures and the variances of these."""
    cdef ww_slit_nods source
    cdef const double[:, ::1] data_view, sky_view, variance_view, read_view
    cdef const uint8_t[:, ::1] mask_view, counted_view
    cdef const uint8_t[::1] chosen_view
    cdef double[:, ::1] out_view
    cdef int status
    shape = check_array("data", data, "float64", (None, None))
    check_array("sky", sky, "float64", shape)
    check_array("variance", variance, "float64", shape)
    check_array("read_variance", read_variance, "float64", shape)
    check_array("mask", mask, "uint8", shape)
    check_array("counted", counted, "uint8", shape)
    check_array("chosen", chosen, "uint8", shape[:1])
    check_array("out", out, "float64", (4, shape[1]), writable=True)
    data_view, sky_view, variance_view, read_view = data, sky, variance, read_variance
    mask_view, counted_view, chosen_view, out_view = mask, counted, chosen, out
    source.n_exposure, source.n_pixel, source.rounds = shape[0], shape[1], rounds
    source.data, source.sky = &data_view[0, 0], &sky_view[0, 0]
    source.variance, source.read_variance = &variance_view[0, 0], &read_view[0, 0]
    source.mask, source.counted = &mask_view[0, 0], &counted_view[0, 0]
    source.chosen = &chosen_view[0]
    with nogil:
        status = ww_slit_nod_mean(&source, 0, source.n_pixel, &out_view[0, 0])
    raise_status(status)
