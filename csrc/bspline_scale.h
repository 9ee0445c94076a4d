/* The factor of a spline in each column of a region, and how well the trace
 * fits there. Robust against bad pixels: see ww_bspline_scales. */
#ifndef WW_BSPLINE_SCALE_H
#define WW_BSPLINE_SCALE_H

#include <stddef.h>
#include <stdint.h>

#include "bspline_window.h"
#include "status.h"
#include "trace_splines.h"

typedef struct {
    double *scale;       /* [n_column] NaN: none */
    float *chi2;         /* [n_column] sum of ((flux - trace) / error)^2 over
                            the pixels with a positive error between lower and
                            upper, over their number; NaN without errors */
    double *scale_error; /* [n_column] from the errors of the pixels that make
                            the scale; NaN without. Or NULL */
    uint8_t *flags;      /* [n_column] WW_COLUMN_NO_SCALE is added */
} ww_column_scales;

/* Find the scales of the columns [start, stop) that have a model; the others
 * are left alone.
 *
 * In a column, q = flux / s(alpha) of the pixels from lower to upper is
 * averaged with the weight s(alpha), where neither is negative. Pixels
 * further than two deviations from the clipped mean of the five heaviest are
 * left out. A column with less than five such pixels has no scale. If all
 * weights are 0, there is none either; with compat it is 0, as in jwst.
 *
 * splines->scale is not used. Returns WW_OK; WW_ERR_SHAPE if the region is
 * empty or not of the width of the splines; WW_ERR_RANGE if start > stop or
 * stop > n_column, or a model is not a column with a spline; WW_ERR_NOMEM.
 */
int
ww_bspline_scales(const ww_trace_samples *samples,
                  const ww_trace_splines *splines, int compat,
                  const ww_column_scales *out, size_t start, size_t stop);

#endif
