# What the bindings of the trace kernels share: images of float or double, and one region of them.
from libc.stddef cimport size_t
from libc.stdint cimport int32_t

from webbweave._kernels.checks import check_array
from webbweave._kernels.status cimport raise_status


cdef extern from "trace_region.h" nogil:
    ctypedef struct ww_image:
        const void *pixels
        int is_float

    ctypedef struct ww_output_image:
        void *pixels
        int is_float

    ctypedef struct ww_region:
        size_t ny, nx
        const int32_t *map
        int32_t label
        const int32_t *first
        const int32_t *stop


cdef inline int raise_image_status(int status) except -1:
    raise_status(status, "the columns, or the rows of the region, are not those of the image")
    return 0


cdef inline int set_image(ww_image *image, name, array, tuple shape) except -1:
    cdef const float[:, ::1] floats
    cdef const double[:, ::1] doubles
    image.is_float = getattr(array, "dtype", None) == "float32"
    check_array(name, array, "float32" if image.is_float else "float64", shape)
    if image.is_float:
        floats = array
        image.pixels = &floats[0, 0]
    else:
        doubles = array
        image.pixels = &doubles[0, 0]
    return 0


cdef inline int set_output(ww_output_image *image, name, array, tuple shape) except -1:
    cdef float[:, ::1] floats
    cdef double[:, ::1] doubles
    image.pixels, image.is_float = NULL, 0
    if array is None:
        return 0
    image.is_float = getattr(array, "dtype", None) == "float32"
    check_array(name, array, "float32" if image.is_float else "float64", shape, writable=True)
    if image.is_float:
        floats = array
        image.pixels = &floats[0, 0]
    else:
        doubles = array
        image.pixels = &doubles[0, 0]
    return 0


cdef inline int set_region(ww_region *region, region_map, first, stop, label) except -1:
    cdef const int32_t[:, ::1] map_view
    cdef const int32_t[::1] first_view, stop_view
    shape = check_array("region_map", region_map, "int32", (None, None))
    check_array("first", first, "int32", (shape[1],))
    check_array("stop", stop, "int32", (shape[1],))
    map_view, first_view, stop_view = region_map, first, stop
    region.ny, region.nx, region.label = shape[0], shape[1], label
    region.map, region.first, region.stop = &map_view[0, 0], &first_view[0], &stop_view[0]
    return 0
