# cython: language_level=3, freethreading_compatible=True, autotestdict=False
# cython: boundscheck=False, wraparound=False
"""Binding of csrc/xymatch.h, which is the manual."""
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t

import numpy as np

from webbweave._kernels.checks import check_array
from webbweave._kernels.status cimport raise_status


cdef extern from "xymatch.h" nogil:
    enum:
        WW_MATCH_MUTUAL, WW_MATCH_NEAREST
        WW_COINCIDENT_NONE, WW_COINCIDENT_LOWEST

    ctypedef struct ww_catalogue:
        size_t n
        const double *x
        const double *y
        const uint8_t *keep

    int ww_match(const ww_catalogue *ref, const ww_catalogue *img, double tolerance, int rule,
                 int64_t *partner)
    int ww_match_isolated(const double *x, const double *y, size_t n, double separation, int rule,
                          uint8_t *keep)

MATCH_MUTUAL = WW_MATCH_MUTUAL
MATCH_NEAREST = WW_MATCH_NEAREST
COINCIDENT_NONE = WW_COINCIDENT_NONE
COINCIDENT_LOWEST = WW_COINCIDENT_LOWEST


cdef _describe(ww_catalogue *catalogue, name, x, y, keep):
    """Check the arrays of a catalogue and take their addresses; they must stay alive."""
    cdef const double[::1] x_view, y_view
    cdef const uint8_t[::1] keep_view
    (n,) = check_array(f"{name}_x", x, "float64", (None,), may_be_empty=True)
    check_array(f"{name}_y", y, "float64", (n,), may_be_empty=True)
    if keep is not None:
        check_array(f"{name}_keep", keep, "uint8", (n,), may_be_empty=True)
    catalogue.n = n
    catalogue.x = catalogue.y = NULL
    catalogue.keep = NULL
    if n == 0:
        return
    x_view, y_view = x, y
    catalogue.x, catalogue.y = &x_view[0], &y_view[0]
    if keep is not None:
        keep_view = keep
        catalogue.keep = &keep_view[0]


def match(ref_x, ref_y, ref_keep, img_x, img_y, img_keep, *, double tolerance, int rule):
    """Return for each reference point the index of its image point, or -1."""
    cdef ww_catalogue ref, img
    cdef int status
    _describe(&ref, "ref", ref_x, ref_y, ref_keep)
    _describe(&img, "img", img_x, img_y, img_keep)
    partner = np.empty(max(ref.n, 1), dtype=np.int64)
    cdef int64_t[::1] partner_view = partner
    with nogil:
        status = ww_match(&ref, &img, tolerance, rule, &partner_view[0])
    raise_status(status)
    return partner[:ref.n]


def isolated(x, y, *, double separation, int rule):
    """Return 1 for each point that has no other within a separation, else 0."""
    cdef ww_catalogue points
    cdef int status
    _describe(&points, "points", x, y, None)
    keep = np.empty(max(points.n, 1), dtype=np.uint8)
    cdef uint8_t[::1] keep_view = keep
    with nogil:
        status = ww_match_isolated(points.x, points.y, points.n, separation, rule, &keep_view[0])
    raise_status(status)
    return keep[:points.n]
