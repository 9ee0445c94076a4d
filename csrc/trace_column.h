/* The model of one column of a trace, evaluated at pixels. */
#ifndef WW_TRACE_COLUMN_H
#define WW_TRACE_COLUMN_H

#include <stddef.h>
#include <stdint.h>

#include "trace_splines.h"

typedef struct {
    size_t line; /* of the splines, whose spline it is */
    size_t n_knot;
    const double *knots;
    const double *coefficients;
    const double *reciprocals; /* [3][n_knot] of the distances between a knot
                                  and the next, second and third one after */
    double lower, upper, scale;
} ww_column_model;

/* Where a normalised profile changes by more than `limit` from one pixel to
 * the next, the source is compact. The coordinates of such pixels are counted
 * in bins: bin k is edges[k] <= alpha < edges[k + 1], the last one closed. */
typedef struct {
    double limit;
    size_t skip_first; /* pixels of a column, at its ends, that never count; */
    size_t skip_last;  /* at least 1 at the first end: no pixel before it */
    int is_between;    /* the coordinate of a step is the middle of its two
                          pixels; otherwise that of the second one */
    size_t n_bin;      /* at least 1 */
    const double *edges; /* [n_bin + 1] equally spaced, ascending */
    int64_t *count;      /* [n_bin + 1], added to; the last one is the number
                            of all, in bins or not */
} ww_steep_pixels;

/* The coordinates near a compact source: lower < alpha <= upper of any of n
 * ranges, which are [n][2]. */
typedef struct {
    size_t n;
    const double *range;
    int everywhere; /* all coordinates, whatever the ranges */
} ww_compact_ranges;

/* The model of a column; 0 if it has none. reciprocals: room for 3 times the
 * stride of the splines, filled. */
int
ww_column_model_get(const ww_trace_splines *splines, size_t column,
                    double *reciprocals, ww_column_model *model);

/* The spline at x, without the scale. piece is where to begin to search, best
 * the piece of a neighbour, and becomes that of x. */
double
ww_column_value(const ww_column_model *model, double x, size_t *piece);

/* Evaluate the spline, without its scale, at the rows with a coordinate within
 * the bounds of the model. rows and values: room for n_row. Returns how many
 * there are. */
size_t
ww_column_evaluate(const ww_column_model *model, const double *alpha,
                   size_t n_row, size_t *rows, double *values);

/* Count the steep pixels among n that ww_column_evaluate gave; the slope is
 * the absolute difference to the one before. NaN is not steep. */
void
ww_column_count_steep(const ww_steep_pixels *steep, const double *alpha,
                      const size_t *rows, const double *values, size_t n);

/* 0 for NaN. */
int
ww_is_compact(const ww_compact_ranges *ranges, double alpha);

#endif
