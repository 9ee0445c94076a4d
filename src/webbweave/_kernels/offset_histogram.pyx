# cython: language_level=3, freethreading_compatible=True, autotestdict=False
# cython: boundscheck=False, wraparound=False
"""Binding of csrc/offset_histogram.h, which is the manual."""
from libc.stddef cimport size_t
from libc.stdint cimport uint32_t

from webbweave._kernels.checks import check_array
from webbweave._kernels.status cimport raise_status


cdef extern from "offset_histogram.h" nogil:
    ctypedef struct ww_offset_pairs:
        size_t n_ref, n_img, size
        const double *ref_x
        const double *ref_y
        const double *img_x
        const double *img_y
        double bin, reach

    int ww_offset_histogram(const ww_offset_pairs *pairs, size_t ref_start, size_t ref_stop,
                            uint32_t *count)


cdef const double *_address(const double[::1] view) noexcept:
    return &view[0] if view.shape[0] else NULL


def offset_histogram(ref_x, ref_y, img_x, img_y, count, *, double bin_size, double reach,
                     Py_ssize_t ref_start, Py_ssize_t ref_stop):
    """Add the pairs with the reference points [ref_start, ref_stop) to count."""
    cdef ww_offset_pairs pairs
    cdef int status
    (n_ref,) = check_array("ref_x", ref_x, "float64", (None,), may_be_empty=True)
    check_array("ref_y", ref_y, "float64", (n_ref,), may_be_empty=True)
    (n_img,) = check_array("img_x", img_x, "float64", (None,), may_be_empty=True)
    check_array("img_y", img_y, "float64", (n_img,), may_be_empty=True)
    size, _ = check_array("count", count, "uint32", (None, None), writable=True)
    check_array("count", count, "uint32", (size, size), writable=True)
    if not 0 <= ref_start <= ref_stop <= n_ref:
        raise IndexError(f"points {ref_start}:{ref_stop} are not among {n_ref} references")
    cdef uint32_t[:, ::1] count_view = count
    pairs.n_ref, pairs.n_img, pairs.size = n_ref, n_img, size
    pairs.ref_x, pairs.ref_y = _address(ref_x), _address(ref_y)
    pairs.img_x, pairs.img_y = _address(img_x), _address(img_y)
    pairs.bin, pairs.reach = bin_size, reach
    with nogil:
        status = ww_offset_histogram(&pairs, ref_start, ref_stop, &count_view[0, 0])
    raise_status(status)
