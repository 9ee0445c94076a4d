/* The background of an image on a mesh: robust statistics of boxes, and the
 * cubic spline through a mesh evaluated at every pixel.
 *
 * Conventions: arrays are name[ny][nx], C-contiguous; pixel centres are
 * integers. A mask is NULL or [ny][nx], non-zero where a pixel does not count.
 * Re-entrant; the caller owns all memory.
 */
#ifndef WW_BACKGROUND_H
#define WW_BACKGROUND_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

/* Median and standard deviation of the boxes [box_start, box_stop).
 *
 * The image is cut into boxes of side box, from pixel (0, 0); those at the
 * end may be smaller. Boxes are numbered row by row, ceil(nx / box) to a row.
 * Values that are masked or not finite are left out, the others are clipped:
 * those farther than clip standard deviations (with the divisor n) from the
 * median are removed, until none is, or max_round times. Of what is left,
 * median, rms (standard deviation) and count are written to [box]; NaN, NaN
 * and 0 where nothing is left.
 *
 * The values of a box are sorted once, after which clipping moves the two
 * ends of the sorted list.
 *
 * Returns WW_OK; WW_ERR_SHAPE if ny or nx is 0; WW_ERR_ARGUMENT if box is 0
 * or clip is not positive; WW_ERR_RANGE if box_start > box_stop or there are
 * fewer than box_stop boxes; WW_ERR_NOMEM.
 */
int
ww_background_boxes(const float *value, const uint8_t *mask, size_t ny,
                    size_t nx, size_t box, double clip, int max_round,
                    size_t box_start, size_t box_stop, double *median,
                    double *rms, uint32_t *count);

/* A bicubic spline: in row y and column x the value is
 *
 *     sum over i, j < 4 of weight_y[y][i] weight_x[x][j]
 *                          coef[index_y[y][i]][index_x[x][j]]
 *
 * limited to [low, high]. */
typedef struct {
    size_t mesh_ny, mesh_nx;
    const double *coef; /* [mesh_ny][mesh_nx] */
    size_t ny, nx;
    const uint32_t *index_y; /* [ny][4], below mesh_ny */
    const uint32_t *index_x; /* [nx][4], below mesh_nx */
    const double *weight_y;  /* [ny][4] */
    const double *weight_x;  /* [nx][4] */
    double low, high;
} ww_spline;

/* Evaluate a spline in the rows [row_start, row_stop), or subtract it.
 *
 * out[ny][nx] receives the spline where value is NULL, with 0 in masked
 * pixels; or else value - spline, with value itself in masked pixels.
 *
 * Returns WW_OK; WW_ERR_SHAPE if a dimension is 0; WW_ERR_RANGE if
 * row_start > row_stop, row_stop > ny, or an index is not below its limit;
 * WW_ERR_NOMEM.
 */
int
ww_background_rows(const ww_spline *spline, const float *value,
                   const uint8_t *mask, size_t row_start, size_t row_stop,
                   float *out);

/* The median of the n values that are not masked: the mean of the two middle
 * ones of an even number, NaN if there is none. Values are counted by their
 * bits, three times 11 of them, so nothing is copied or moved. NaN sort
 * beyond the infinities, by their sign. mask is NULL or [n].
 */
double
ww_background_median(const float *value, const uint8_t *mask, size_t n);

#endif
