# cython: language_level=3, freethreading_compatible=True, autotestdict=False
# cython: boundscheck=False, wraparound=False
"""Binding of csrc/oversample.h, which is the manual."""
from libc.math cimport isfinite
from libc.stddef cimport size_t
from libc.stdint cimport int32_t, uint8_t

from webbweave._kernels.checks import check_array
from webbweave._kernels.images cimport (
    raise_image_status, set_image, set_output, set_region, ww_image, ww_output_image, ww_region
)
from webbweave._kernels.trace_splines cimport (
    set_ranges, set_splines, set_steep, ww_compact_ranges, ww_steep_pixels, ww_trace_splines
)


cdef extern from "oversample.h" nogil:
    enum:
        WW_GRID_NEAREST, WW_GRID_JWST

    ctypedef struct ww_fine_grid:
        size_t ny, fine
        double factor
        int rule
        const double *position
        const int32_t *nearest

    ctypedef struct ww_trace:
        ww_region region
        ww_image alpha
        int rounds
        ww_trace_splines splines

    ctypedef struct ww_linear_input:
        ww_region region
        ww_fine_grid grid
        ww_image image
        size_t require_good, edge
        int preserve_nan
        const uint8_t *keep
        int is_variance
        double multiply

    ctypedef struct ww_oversample_input:
        ww_trace trace
        ww_fine_grid grid
        ww_image flux, fine_alpha
        ww_compact_ranges compact
        size_t require_good, edge
        int rounds_residual, without_residual, trim_ends, trims_column

    ctypedef struct ww_oversample_output:
        ww_output_image flux, used, full, linear, residual

    int ww_oversample_linear(const ww_linear_input *source, const ww_output_image *out,
                             size_t column_start, size_t column_stop)
    int ww_oversample_flux(const ww_oversample_input *source, const ww_oversample_output *out,
                           size_t column_start, size_t column_stop)
    int ww_oversample_count_steep(const ww_oversample_input *source, const ww_steep_pixels *steep,
                                  size_t column_start, size_t column_stop)


cdef tuple _set_grid(ww_fine_grid *grid, tuple shape, table, double factor, bint as_jwst):
    cdef const double[::1] position
    cdef const int32_t[::1] nearest
    if not isfinite(factor) or factor <= 0.0:
        raise ValueError(f"factor is {factor}, expected a positive number")
    fine = check_array("position", table[0], "float64", (None,))[0]
    check_array("nearest", table[1], "int32", (fine,))
    position, nearest = table
    grid.ny, grid.fine, grid.factor = shape[0], fine, factor
    grid.rule = WW_GRID_JWST if as_jwst else WW_GRID_NEAREST
    grid.position, grid.nearest = &position[0], &nearest[0]
    return fine, shape[1]


def oversample_linear(region_map, first, stop, image, table, keep, out, *, int label, double factor,
                      bint as_jwst, size_t require_good, size_t edge, bint preserve_nan,
                      bint is_variance, double multiply, size_t column_start, size_t column_stop):
    """Interpolate the columns of a region linearly onto the finer grid of `out`."""
    cdef ww_linear_input source
    cdef ww_output_image target
    cdef const uint8_t[:, ::1] keep_view
    cdef int status
    if out is None:
        raise TypeError("out must be an array, found None")
    set_region(&source.region, region_map, first, stop, label)
    set_image(&source.image, "image", image, region_map.shape)
    fine = _set_grid(&source.grid, region_map.shape, table, factor, as_jwst)
    set_output(&target, "out", out, fine)
    source.keep = NULL
    if keep is not None:
        check_array("keep", keep, "uint8", fine)
        keep_view = keep
        source.keep = &keep_view[0, 0]
    source.require_good, source.edge, source.preserve_nan = require_good, edge, preserve_nan
    source.is_variance, source.multiply = is_variance, multiply
    with nogil:
        status = ww_oversample_linear(&source, &target, column_start, column_stop)
    raise_image_status(status)


def oversample_flux(region_map, first, stop, alpha, splines, flux, table, fine_alpha, ranges,
                    planes, edges, count, *, int label, bint rounds, double factor, bint as_jwst,
                    double slope_limit, size_t require_good, size_t edge, bint rounds_residual,
                    bint without_residual, bint trim_ends, bint trims_column,
                    size_t column_start, size_t column_stop):
    """Fill the five `planes` of a region; with `count`, only count its steep pixels."""
    cdef ww_oversample_input source
    cdef ww_oversample_output out
    cdef ww_steep_pixels steep
    cdef int status
    shape = region_map.shape
    set_region(&source.trace.region, region_map, first, stop, label)
    set_image(&source.trace.alpha, "alpha", alpha, shape)
    set_splines(&source.trace.splines, splines, shape[1])
    set_image(&source.flux, "flux", flux, shape)
    fine = _set_grid(&source.grid, shape, table, factor, as_jwst)
    set_image(&source.fine_alpha, "fine_alpha", fine_alpha, fine)
    set_ranges(&source.compact, ranges)
    source.trace.rounds, source.rounds_residual = rounds, rounds_residual
    source.require_good, source.edge, source.without_residual = require_good, edge, without_residual
    source.trim_ends, source.trims_column = trim_ends, trims_column
    if count is not None:
        set_steep(&steep, edges, count, not as_jwst)
        steep.limit, steep.skip_first, steep.skip_last = slope_limit, edge, edge
        with nogil:
            status = ww_oversample_count_steep(&source, &steep, column_start, column_stop)
    else:
        set_output(&out.flux, "flux_os", planes[0], fine)
        set_output(&out.used, "used", planes[1], fine)
        set_output(&out.full, "full", planes[2], fine)
        set_output(&out.linear, "linear", planes[3], fine)
        set_output(&out.residual, "residual", planes[4], fine)
        with nogil:
            status = ww_oversample_flux(&source, &out, column_start, column_stop)
    raise_image_status(status)
