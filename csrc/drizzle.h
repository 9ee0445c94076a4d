/* Drizzle: distribute the pixels of one exposure over an output grid.
 *
 * Each output cell receives the values of an input pixel with the weight
 *
 *     g = w * a / J
 *
 * where w is the pixel's weight and a / J its share in the cell; overlap.h
 * says how shares are found and what the options mean. The sum of g over the
 * cells is w for a pixel that falls wholly on the grid: weight is conserved
 * at any scale and pixfrac.
 *
 * One pass over the geometry serves all planes (science, square roots of the
 * variances, ...), the weight, the data quality and the context. Sums are
 * kept in double; the caller divides by the weight.
 *
 * Conventions: arrays are name[ny][nx], C-contiguous; pixel centres are
 * integers, so that cell (j, i) covers [i-0.5, i+0.5] x [j-0.5, j+0.5].
 * Re-entrant; calls may run side by side on the same output as long as their
 * row ranges do not overlap. The caller owns all memory.
 */
#ifndef WW_DRIZZLE_H
#define WW_DRIZZLE_H

#include <stddef.h>
#include <stdint.h>

#include "overlap.h"
#include "status.h"

/* What becomes of a value that is not finite in plane 0. */
enum {
    WW_NAN_SKIP = 0,  /* the pixel is left out of all planes */
    WW_NAN_POISON = 1 /* it enters the sums, so the cells that it touches
                         become NaN (or infinite) in plane 0 */
};

typedef struct {
    size_t ny, nx;        /* shape of the input arrays */
    size_t n_plane;       /* at least 1 */
    const double *map_x;  /* [ny][nx] output column of each pixel centre;
                            not finite: nowhere */
    const double *map_y;  /* [ny][nx] output row */
    const float *value;   /* [n_plane][ny][nx] */
    const float *weight;  /* [ny][nx]; a pixel of weight 0 or NaN does not take
                            part; negative and infinite ones count as is */
    const uint32_t *dq;   /* [ny][nx] data-quality bits, or NULL */
    double pixfrac;       /* in (0, 1]: linear size of the shrunk pixel */
    int kernel;           /* WW_KERNEL_* */
    int edge;             /* WW_EDGE_* */
    int nan_rule;         /* WW_NAN_* */
    uint32_t context_bit; /* the bit of this exposure in context */
} ww_drizzle_input;

typedef struct {
    size_t ny, nx;     /* shape of the output grid */
    double *weight;    /* [ny][nx] sum of g */
    double *sum;       /* [n_plane][ny][nx] sum of g * value */
    uint32_t *dq;      /* [ny][nx] bitwise or of the bits of all pixels that
                          hit the cell, or NULL */
    uint32_t *context; /* [ny][nx] context_bit is set where g > 0, or NULL */
} ww_drizzle_output;

/* Add one exposure to the rows [row_start, row_stop) of the output.
 *
 * Output arrays are added to, not cleared. A cell is hit when
 * |g| > 1e-12 |w|.
 *
 * The order of the additions to a cell is that of the input pixels (row by
 * row), and no number depends on the range, so results are the same bit for
 * bit for any division into ranges and any number of threads. A value that
 * is not finite in a plane other than 0 spoils the cells that it touches in
 * that plane only.
 *
 * Returns WW_OK; WW_ERR_SHAPE if an input or output dimension or n_plane is
 * 0; WW_ERR_RANGE if row_start > row_stop or row_stop > out->ny;
 * WW_ERR_ARGUMENT for an unknown kernel, edge or nan_rule or a pixfrac
 * outside (0, 1]; WW_ERR_NOMEM. After an error the output is untouched.
 */
int
ww_drizzle_add(const ww_drizzle_input *in, const ww_drizzle_output *out,
               size_t row_start, size_t row_stop);

#endif
