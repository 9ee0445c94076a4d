/* One slice or slit of an image: which pixels are its own, and how its
 * columns are taken out of images.
 *
 * Images are name[ny][nx] with the dispersion along x, of float or double;
 * the arrays that kernels work on are name[column][row] of double: a column
 * across the dispersion is contiguous. All functions are re-entrant, and none
 * of them allocates.
 */
#ifndef WW_TRACE_REGION_H
#define WW_TRACE_REGION_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

/* Columns that are taken out of an image together: a cache line of floats. */
enum { WW_REGION_BLOCK = 16 };

typedef struct {
    const void *pixels; /* [ny][nx] of float or double; NULL: no image */
    int is_float;
} ww_image;

typedef struct {
    void *pixels;
    int is_float;
} ww_output_image;

typedef struct {
    size_t ny, nx;        /* shape of the image */
    const int32_t *map;   /* [ny][nx] numbers of the regions */
    int32_t label;        /* the number of this one */
    const int32_t *first; /* [nx] its first row in a column */
    const int32_t *stop;  /* [nx] one beyond its last row; no more than first
                             where it has no pixel; both within 0 .. ny */
} ww_region;

/* A range of columns and rows. */
typedef struct {
    size_t column_start, column_stop, row_start, row_stop;
} ww_window;

/* Mark the numbers 0 .. n_label - 1 that occur among n pixels: present[label]
 * becomes 1, and is left alone if it does not occur. Returns the largest
 * number of all, which may be n_label or more; 0 if there is none above. */
int32_t
ww_region_labels(const int32_t *map, size_t n, uint8_t *present,
                 size_t n_label);

/* Find first and stop of n_region regions, [n_region][nx] each. Region r is
 * the one with index[label] == r, where index is [n_label]; -1 is no region,
 * and so are all labels outside 0 .. n_label - 1. Both are 0 in columns
 * without the region.
 *
 * Returns WW_OK; WW_ERR_RANGE if an index is n_region or more. */
int
ww_region_rows(const int32_t *map, size_t ny, size_t nx, const int32_t *index,
               size_t n_label, size_t n_region, int32_t *first, int32_t *stop);

/* Are first and stop within the image in all columns given, and these columns
 * of it? */
int
ww_region_is_valid(const ww_region *region, size_t column_start,
                   size_t column_stop);

/* The smallest window around the region in the columns given; row_start and
 * row_stop are 0 if it has no pixel there. */
ww_window
ww_region_window(const ww_region *region, size_t column_start,
                 size_t column_stop);

/* The most rows of the windows of all blocks in the columns given: blocks
 * begin at multiples of WW_REGION_BLOCK and at column_start. */
size_t
ww_region_tallest(const ww_region *region, size_t column_start,
                  size_t column_stop);

/* One beyond the last column of the block that begins at a column. */
size_t
ww_region_block_stop(size_t column, size_t column_stop);

/* Copy the pixels of a window to values[column][row], lines of `stride`:
 * those of the region, NaN for all others. With `rounds`, to the nearest
 * float. */
void
ww_region_gather(const ww_region *region, const ww_image *image, int rounds,
                 const ww_window *window, size_t stride, double *values);

/* The most rows of a column, holes included. */
size_t
ww_region_height(const ww_region *region);

/* Copy the pixels of the region to values[nx][n_row]: row r of the image to
 * r - first of its column, NaN for all others. n_row is at least the height.
 * What the map has outside first and stop is left out. With `rounds`, to the
 * nearest float. */
void
ww_region_cut(const ww_region *region, const ww_image *image, int rounds,
              size_t n_row, double *values);

/* Copy the pixels of a window of an image of nx columns as they are. */
void
ww_image_gather(const ww_image *image, size_t nx, const ww_window *window,
                size_t stride, double *values);

/* Copy values[column][row] of a window to an image of nx columns: in column c
 * of the window the rows first[c] <= row < stop[c] of the image; or, with NULL
 * for both, what is not NaN. Does nothing without pixels. */
void
ww_image_scatter(const ww_output_image *image, size_t nx,
                 const ww_window *window, size_t stride, const size_t *first,
                 const size_t *stop, const double *values);

/* How the coordinate across the dispersion lies in a region. */
typedef struct {
    double pixel_size;   /* the absolute of the median of the differences
                            between rows r and r - 1 of a column */
    double lower, upper; /* its smallest and largest value */
} ww_coordinate_extent;

/* Find the extent of coordinates alpha[n_column][n_row]: what is not finite
 * does not count, and all is NaN where there is nothing to find it from. With
 * `rounds`, alpha is of floats, and so are their differences. scratch holds as
 * many numbers as alpha. */
ww_coordinate_extent
ww_extent_of(const double *alpha, size_t n_column, size_t n_row, int rounds,
             double *scratch);

#endif
