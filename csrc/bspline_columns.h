/* The splines of a range of columns of a region: each is fitted to the samples
 * of the columns around it (bspline_window.h, bspline_fit.h).
 *
 * A sample is a pixel with finite alpha and flux; its value is the flux over
 * the divisor of its column, which has to be finite too. With weights, a
 * sample weighs 1 / ((error / divisor)^2 + (0.002 P)^2), with the mean P of
 * the peaks of the columns in the window, and pixels without a positive error
 * are no samples. With is_tapered, the weights of a column at a distance d from
 * that in the middle of the window are multiplied by 1 - (d / h)^2, where h is
 * the distance of the first column outside: the kernel of Epanechnikov (1969,
 * Theory Probab. Appl. 14, 153), whose local fits have the least mean squared
 * error. They have no effect on which samples are rejected.
 *
 * The covariance of the coefficients is that of a weighted sum of independent
 * samples: the variance of each is (error / divisor)^2, or the square of its
 * residual where there is no such error.
 *
 * Re-entrant; the result for a column does not depend on the range, bit for
 * bit. The caller owns all memory.
 */
#ifndef WW_BSPLINE_COLUMNS_H
#define WW_BSPLINE_COLUMNS_H

#include <stddef.h>
#include <stdint.h>

#include "bspline_fit.h"
#include "bspline_window.h"
#include "status.h"

/* Bits of what is to be known about a column. */
enum {
    WW_COLUMN_TOO_FEW = 1,    /* not more valid pixels than min_valid */
    WW_COLUMN_TOO_SPARSE = 2, /* gaps too wide for the knots */
    WW_COLUMN_SINGULAR = 4,   /* the samples do not determine the spline */
    WW_COLUMN_BORROWED = 8,   /* the spline of another column */
    WW_COLUMN_FEWER_KNOTS = 16,
    WW_COLUMN_REFINED = 32,    /* near-singular normal equations */
    WW_COLUMN_NO_SCALE = 64,   /* nothing to compare the spline with */
    WW_COLUMN_NO_SAMPLES = 128 /* less than ten gaps in the window */
};

enum {
    WW_COLUMN_LESS = 3 /* intervals that a second attempt has less */
};

typedef struct {
    ww_bspline_options fit;
    size_t n_left, n_right; /* columns of the window beside its own */
    size_t min_valid;       /* a column has more valid pixels than this */
    int is_retried;         /* try failures again with WW_COLUMN_LESS
                               intervals less, if there are more than these */
    int is_weighted;        /* needs errors */
    int is_tapered;         /* near columns weigh more */
} ww_column_options;

/* One line per column of the image; a line is written only if its column is
 * wanted and in the range, and then wholly. */
typedef struct {
    size_t stride;        /* at least ww_bspline_room(n_interval) */
    double *knots;        /* [n_column][stride] */
    double *coefficients; /* [n_column][stride] */
    int32_t *n_knot;      /* [n_column] 0: no spline */
    double *lower;        /* [n_column] range of the samples; NaN: no spline */
    double *upper;        /* [n_column] */
    uint8_t *flags;       /* [n_column] */
    int32_t *n_point;     /* [n_column] samples in the window */
    int32_t *n_rejected;  /* [n_column] those that the spline leaves out */
    float *covariance;    /* [n_column][stride][4] of the coefficients j and
                             j + 0..3; NaN if unknown. Or NULL */
} ww_column_fits;

/* Fit the columns of [start, stop) with wanted[column] != 0, or all of them if
 * wanted is NULL.
 *
 * Returns WW_OK; WW_ERR_SHAPE if the region is empty, or has more pixels than
 * an int32_t counts, or stride is too small; WW_ERR_RANGE if start > stop or
 * stop > n_column; WW_ERR_ARGUMENT if an option is NaN, or n_interval 0, or
 * is_weighted is set without errors; WW_ERR_NOMEM. After an error nothing is
 * written.
 */
int
ww_bspline_columns(const ww_trace_samples *samples,
                   const ww_column_options *options, const uint8_t *wanted,
                   const ww_column_fits *fits, size_t start, size_t stop);

#endif
