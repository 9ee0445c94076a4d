/* The sparse resampling matrix of one exposure.
 *
 * Its element (pixel, cell) is the weight
 *
 *     g = w * a / J
 *
 * with which drizzle.h adds the value of the pixel to the cell: w the weight
 * of the pixel, a / J its share in the cell (overlap.h says how shares are
 * found and what the options mean). What drizzle.h sums up is a product with
 * this matrix, and so the matrix carries whatever is linear in the values:
 * covariances above all.
 *
 * The matrix comes in the order of compressed sparse rows: for each pixel the
 * cells that it hits, in ascending order, and the weights. Arrays are
 * name[ny][nx], C-contiguous. Re-entrant. The caller owns all memory.
 */
#ifndef WW_RESAMPLING_MATRIX_H
#define WW_RESAMPLING_MATRIX_H

#include <stddef.h>
#include <stdint.h>

#include "overlap.h"
#include "status.h"

typedef struct {
    size_t ny, nx;   /* shape of the output grid; at most 2^31 - 1 cells */
    int32_t *count;  /* [rows of the call][in.nx] cells that a pixel hits */
    size_t capacity; /* the number of entries that there is room for */
    int32_t *cell;   /* [capacity] index row * nx + column */
    double *g;       /* [capacity] */
    size_t n_entry;  /* set: the number of entries that there are */
} ww_matrix;

/* Write the matrix rows of the pixels in the input rows [row_start, row_stop).
 *
 * What is in count before does not matter. Where there are more entries than
 * capacity, the first of them are written and count and n_entry are true
 * nevertheless: call again with as much room. No number depends on the range,
 * so the results of consecutive ranges, one behind the other, are those of
 * one call, bit for bit. cell and g may be NULL if capacity is 0.
 *
 * Returns WW_OK; WW_ERR_SHAPE if a dimension is 0 or the grid has more cells
 * than an int32_t can count; WW_ERR_RANGE if row_start > row_stop or
 * row_stop > in->ny; WW_ERR_ARGUMENT for an unknown kernel or edge or a
 * pixfrac outside (0, 1]; WW_ERR_NOMEM. After an error count, cell and g are
 * undefined and n_entry is 0.
 */
int
ww_drizzle_matrix(const ww_overlap_input *in, ww_matrix *matrix,
                  size_t row_start, size_t row_stop);

#endif
