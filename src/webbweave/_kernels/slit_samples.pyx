# cython: language_level=3, freethreading_compatible=True, autotestdict=False
# cython: boundscheck=False, wraparound=False
"""Binding of csrc/slit_samples.h, which is the manual."""
import numpy as np

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t

from webbweave._kernels.addresses cimport address
from webbweave._kernels.checks import check_array  # no-cython-lint: for address
from webbweave._kernels.slit_arrays cimport doubles
from webbweave._kernels.status cimport raise_status


cdef extern from "slit_samples.h" nogil:
    ctypedef struct ww_slit_planes:
        size_t n_exposure, n_row, n_column
        const uint8_t *side
        const uint8_t *may_add
        const uint8_t *may_subtract
        const double *spread
        const double *distance
        const double *base
        const double *diff
        const double *variance
        const double *read_variance

    ctypedef struct ww_slit_lists:
        int64_t *pixel_start
        int64_t *sample_start
        int64_t *place
        int64_t *column
        double *diff
        double *variance
        double *weight
        double *inverse_error
        int64_t *sample_place
        int64_t *owner
        double *y
        double *spread
        double *share

    int ww_slit_list(const ww_slit_planes *source, const ww_slit_lists *to)


cdef inline const uint8_t *_flags(name, array, shape) except? NULL:
    return <const uint8_t *>address(name, array, "uint8", shape)


cdef inline double *_numbers(array) except? NULL:
    return <double *>address("a list", array, "float64", (None,), True, True)


cdef inline int64_t *_indices(array) except? NULL:
    return <int64_t *>address("a list", array, "int64", (None,), True, True)


def list_samples(shape, side, may_add, may_subtract, spread, distance, base, diff, variance,
                 read_variance):
    """Return the starts, and the lists of pixels and of samples, in the order of the manual."""
    cdef ww_slit_planes source
    cdef ww_slit_lists to
    cdef int status
    source.n_row, source.n_column = shape
    source.n_exposure = len(side)
    n = source.n_row * source.n_column
    every = (source.n_exposure, n)
    source.side = _flags("side", side, (None,))
    source.may_add = _flags("may_add", may_add, every)
    source.may_subtract = _flags("may_subtract", may_subtract, every)
    source.spread = doubles("spread", spread, every)
    source.distance = doubles("distance", distance, every)
    source.base = doubles("base", base, (source.n_exposure, source.n_column))
    source.diff = doubles("diff", diff, (n,))
    source.variance = doubles("variance", variance, (n,))
    source.read_variance = doubles("read_variance", read_variance, (n,))
    starts = [np.empty(source.n_column + 1, np.int64) for _ in range(2)]
    pixels = [np.empty(n, kind) for kind in "qqdddd"]
    samples = [np.empty(source.n_exposure * n, kind) for kind in "qqddd"]
    to.pixel_start, to.sample_start = _indices(starts[0]), _indices(starts[1])
    to.place, to.column = _indices(pixels[0]), _indices(pixels[1])
    to.diff, to.variance = _numbers(pixels[2]), _numbers(pixels[3])
    to.weight, to.inverse_error = _numbers(pixels[4]), _numbers(pixels[5])
    to.sample_place, to.owner = _indices(samples[0]), _indices(samples[1])
    to.y, to.spread, to.share = (_numbers(samples[2]), _numbers(samples[3]),
                                 _numbers(samples[4]))
    with nogil:
        status = ww_slit_list(&source, &to)
    raise_status(status)
    n_pixel, n_sample = (of[-1] for of in starts)
    return (tuple(starts), tuple([array[:n_pixel] for array in pixels]),
            tuple([array[:n_sample] for array in samples]))
