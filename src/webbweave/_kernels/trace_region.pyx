# cython: language_level=3, freethreading_compatible=True, autotestdict=False
# cython: boundscheck=False, wraparound=False
"""Binding of csrc/trace_region.h, which is the manual."""
from libc.stddef cimport size_t
from libc.stdint cimport int32_t, uint8_t

from webbweave._kernels.checks import check_array
from webbweave._kernels.images cimport (
    raise_image_status, set_image, set_region, ww_image, ww_region,
)


cdef extern from "trace_region.h" nogil:
    int32_t ww_region_labels(const int32_t *map, size_t n, uint8_t *present, size_t n_label)
    int ww_region_rows(const int32_t *map, size_t ny, size_t nx, const int32_t *index,
                       size_t n_label, size_t n_region, int32_t *first, int32_t *stop)
    size_t ww_region_height(const ww_region *region)
    void ww_region_cut(const ww_region *region, const ww_image *image, int rounds, size_t n_row,
                       double *values)
    int ww_region_is_valid(const ww_region *region, size_t column_start, size_t column_stop)

    ctypedef struct ww_coordinate_extent:
        double pixel_size, lower, upper

    ww_coordinate_extent ww_extent_of(const double *alpha, size_t n_column, size_t n_row,
                                      int rounds, double *scratch)


def region_labels(region_map, present):
    """Mark the numbers that occur in `present`; return the largest of all."""
    cdef const int32_t[:, ::1] map_view
    cdef uint8_t[::1] present_view
    cdef int32_t largest
    shape = check_array("region_map", region_map, "int32", (None, None))
    cdef size_t n = shape[0] * shape[1]
    cdef size_t n_label = check_array("present", present, "uint8", (None,), writable=True)[0]
    map_view, present_view = region_map, present
    with nogil:
        largest = ww_region_labels(&map_view[0, 0], n, &present_view[0], n_label)
    return largest


def region_rows(region_map, index, first, stop):
    """Find the first row and one beyond the last row of each region in each column, in place."""
    cdef const int32_t[:, ::1] map_view
    cdef const int32_t[::1] index_view
    cdef int32_t[:, ::1] first_view, stop_view
    cdef int status
    shape = check_array("region_map", region_map, "int32", (None, None))
    cdef size_t ny = shape[0], nx = shape[1]
    cdef size_t n_label = check_array("index", index, "int32", (None,))[0]
    cdef size_t n_region = check_array("first", first, "int32", (None, nx), writable=True)[0]
    check_array("stop", stop, "int32", (n_region, nx), writable=True)
    map_view, index_view, first_view, stop_view = region_map, index, first, stop
    with nogil:
        status = ww_region_rows(&map_view[0, 0], ny, nx, &index_view[0], n_label, n_region,
                                &first_view[0, 0], &stop_view[0, 0])
    raise_image_status(status)


def region_cut(region_map, first, stop, image, values, *, int label, bint rounds):
    """Copy the region to ``values[column][row]``, from its first row in each column on."""
    cdef ww_region region
    cdef ww_image source
    cdef double[:, ::1] values_view
    set_region(&region, region_map, first, stop, label)
    set_image(&source, "image", image, region_map.shape)
    cdef size_t n_row = check_array("values", values, "float64", (region.nx, None),
                                    writable=True)[1]
    if not ww_region_is_valid(&region, 0, region.nx):
        raise IndexError("the rows of the region are not those of the image")
    if n_row < ww_region_height(&region):
        raise ValueError(f"values have {n_row} rows, expected {ww_region_height(&region)}")
    values_view = values
    with nogil:
        ww_region_cut(&region, &source, rounds, n_row, &values_view[0, 0])


def coordinate_extent(alpha, scratch, *, bint rounds):
    """Return the pixel size and the range of the coordinates of a region."""
    cdef ww_coordinate_extent extent
    cdef const double[:, ::1] alpha_view
    cdef double[:, ::1] scratch_view
    shape = check_array("alpha", alpha, "float64", (None, None))
    check_array("scratch", scratch, "float64", shape, writable=True)
    cdef size_t n_column = shape[0], n_row = shape[1]
    alpha_view, scratch_view = alpha, scratch
    with nogil:
        extent = ww_extent_of(&alpha_view[0, 0], n_column, n_row, rounds, &scratch_view[0, 0])
    return extent.pixel_size, extent.lower, extent.upper
