/* Drizzle: distribute the pixels of one exposure over an output grid.
 *
 * The method is that of Fruchter & Hook (2002, PASP 114, 144): every input
 * pixel, shrunk by pixfrac, becomes a quadrilateral on the output grid, and
 * each output cell receives the pixel's values with the weight
 *
 *     g = w * a / J
 *
 * where w is the pixel's weight, a the exact area of the overlap of the
 * quadrilateral with the cell and J the area of the quadrilateral. So the
 * sum of g over the cells is w for a pixel that falls wholly on the grid:
 * weight is conserved at any scale and pixfrac. Both areas are signed, so a
 * map that mirrors the image makes no difference.
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

#include "status.h"

enum {
    WW_KERNEL_SQUARE = 0, /* the shrunk pixel as a quadrilateral */
    WW_KERNEL_POINT = 1   /* all weight to the cell that holds the centre */
};

/* What becomes of a pixel (square kernel) with a neighbour that is not
 * finite in the pixel map.
 *
 * The corners lie at (j +- h, i +- h), h = pixfrac / 2, and come from
 * bilinear interpolation of the map between the pixel and its neighbours on
 * that side. On the border of the array, where there is no neighbour, the
 * nearest 2 x 2 pixels are extrapolated. A corner that is not finite is
 * treated by the rule below; the pixel itself must be finite in any case.
 * In an array of one row or one column there is no derivative across it, and
 * the square kernel leaves out all pixels under both rules. */
enum {
    WW_EDGE_JACOBIAN = 0, /* the corner follows from the differences to the
                             neighbours on its side, or, where one is not
                             finite, on the opposite side; the pixel is left
                             out if neither is */
    WW_EDGE_SKIP = 1      /* the pixel is left out */
};

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
    int centre_inside;    /* non-zero: leave out pixels whose centre is off
                            the grid, that is outside [-0.5, n - 0.5) */
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
 * |g| > 1e-12 |w|: less is rounding noise of the area sum, not an overlap.
 * So a quadrilateral of more than 1e12 cells leaves no trace. One of zero
 * area, or whose area is not finite, is left out. The point kernel rounds
 * halves away from zero. Coordinates may be of any size.
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
