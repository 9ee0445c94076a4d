/* Pixels of many exposures added up in the cells of a rectified grid, each
 * spread over cells by sub-samples instead of by the overlap of polygons.
 *
 * Along each axis a pixel has n_shift sub-samples, which are the same point
 * seen against edges that are moved: sub-sample s lies in the cell c with
 *
 *     edge[c][s] <= position < edge[c + 1][s]
 *
 * where the last cell also has its upper edge. The share f of a cell is the
 * part of the sub-samples that lie in it, times that of the other axis. With
 * weight w, value d and variance v the sums are
 *
 *     den += f w,  num += f w d,  linear += f w^2 v,  count += f
 *     square += f^2 w^2 v,  above += f f' w^2 v
 *
 * f' is the share of the cell in the next row. square / den^2 is the variance
 * of num / den; above / (den den') is its covariance with the next row.
 * linear / den^2 is no variance of a cell, but linear adds up over the cells to
 * the variance of the sum of num.
 *
 * Sub-samples outside of the grid, and positions that are NaN, are in no cell;
 * other values are taken as they are. Edges increase with c, and with s: so the
 * sub-samples of a pixel in one cell follow each other. Arrays are
 * C-contiguous. Re-entrant. The caller owns all memory and sets the sums to 0.
 */
#ifndef WW_HISTOGRAM_DRIZZLE_H
#define WW_HISTOGRAM_DRIZZLE_H

#include <stddef.h>

#include "status.h"

typedef struct {
    size_t n_cell;      /* at least 1 */
    size_t n_shift;     /* at least 1 */
    const double *edge; /* [n_cell + 1][n_shift] */
} ww_histogram_axis;

typedef struct {
    size_t n_pixel, n_plane; /* n_plane planes of values share the weights */
    const double *x;         /* [n_pixel] */
    const double *y;         /* [n_pixel] */
    const double *weight;    /* [n_pixel] */
    const double *variance;  /* [n_pixel] */
    const double *value;     /* [n_plane][n_pixel] */
} ww_histogram_pixels;

/* All [y.n_cell][x.n_cell], num [n_plane] times that. */
typedef struct {
    double *den, *num, *linear, *count, *square, *above;
} ww_histogram_sums;

/* Add the pixels [start, stop).
 *
 * Returns WW_OK; WW_ERR_SHAPE if an axis has no cell or no shift; WW_ERR_RANGE
 * if start > stop or stop > n_pixel; WW_ERR_NOMEM. After an error the sums are
 * as before.
 */
int
ww_histogram_drizzle(const ww_histogram_axis *x, const ww_histogram_axis *y,
                     const ww_histogram_pixels *pixels, size_t start,
                     size_t stop, const ww_histogram_sums *sums);

#endif
