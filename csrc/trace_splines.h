/* The splines of one region, as the fit leaves them and the evaluation takes
 * them: one line per column of the image, flat arrays.
 *
 * The trace of column i at the coordinate a along the slit is
 *
 *     scale[i] * s(a)   for   lower[m] <= a <= upper[m],   m = model[i],
 *
 * with the cubic spline s of line m. The caller owns all memory.
 */
#ifndef WW_TRACE_SPLINES_H
#define WW_TRACE_SPLINES_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    size_t n_column;
    size_t stride;              /* length of a line of knots and coefficients */
    const double *knots;        /* [n_column][stride] ascending, ends fourfold */
    const double *coefficients; /* [n_column][stride], n_knot - 4 of them */
    const int32_t *n_knot;      /* [n_column] 0: no spline was fitted */
    const double *lower;        /* [n_column] range of the samples of the fit */
    const double *upper;        /* [n_column] */
    const int32_t *model;       /* [n_column] line of the spline; -1: no model */
    const double *scale;        /* [n_column] */
} ww_trace_splines;

#endif
