/* The image of a trace, from the splines of its columns.
 *
 * Images are name[ny][nx] with the dispersion along x. Re-entrant: calls may
 * run side by side on the same outputs as long as their ranges of columns do
 * not overlap; no number depends on the ranges. Scratch memory of a call is a
 * few blocks of columns.
 */
#ifndef WW_TRACE_IMAGE_H
#define WW_TRACE_IMAGE_H

#include "trace_column.h"
#include "trace_region.h"

typedef struct {
    ww_region region;
    ww_image alpha; /* coordinate across the dispersion; NaN: no pixel */
    int rounds;     /* coordinates are rounded to floats */
    ww_trace_splines splines;  /* n_column is nx */
    const double *scale_error; /* [nx] standard deviation of the scale, or
                                  NULL for no errors */
    const float *covariance;   /* [nx][stride][4] of the coefficients j and
                                  j + 0 .. 3, or NULL */
} ww_trace;

/* Evaluate the trace at the pixels of a region: scale * s(alpha) where alpha
 * is within the bounds of the column's model. The first and the last of these
 * pixels of a column are left out: at the end of its range a spline is not
 * held by data on both sides.
 *
 * full: pixels with a trace are written, others are left alone; it may have no
 * pixels. error: its standard deviation, the root of
 * (scale_error s)^2 + scale^2 var(s). steep: counts steep pixels; with
 * skip_first = 2 and skip_last = 1 it takes differences between pixels that are
 * in the image only; NULL: not counted.
 *
 * Returns WW_OK; WW_ERR_RANGE if the columns, or the rows of the region, are not those of
 * the image;
 * WW_ERR_ARGUMENT if error is wanted without scale_error and covariance;
 * WW_ERR_NOMEM. After an error the outputs are untouched. */
int
ww_trace_evaluate(const ww_trace *trace, const ww_steep_pixels *steep,
                  const ww_output_image *full, const ww_output_image *error,
                  size_t column_start, size_t column_stop);

/* Copy to `used` what is near a compact source: at the other pixels of the
 * region it becomes NaN. source and used may be the same image.
 *
 * Returns WW_OK or WW_ERR_RANGE as above. */
int
ww_trace_keep_compact(const ww_trace *trace, const ww_compact_ranges *ranges,
                      const ww_image *source, const ww_output_image *used,
                      size_t column_start, size_t column_stop);

#endif
