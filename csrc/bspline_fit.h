/* A cubic spline with equally spaced knots through samples in ascending order,
 * with rejection of outliers.
 *
 * 1. The gap of a sample is its distance from the one before. Samples with a
 *    gap above mean + 5 deviations of the clipped gaps, and twice their mean,
 *    are left out.
 * 2. If the tenth largest gap is above space_ratio times the spacing of the
 *    knots, there is no spline.
 * 3. The spline is fitted, samples with a residual beyond sigma_low or
 *    sigma_high standard deviations of the residuals are rejected, and so on:
 *    n_iteration fits, or until nothing is rejected, or until less than 0.8 of
 *    the samples would be left.
 *
 * There are n_interval - 1 inner knots with a spacing of the range of the
 * samples over n_interval, the first one half a spacing after the first sample.
 * A near-singular fit is repeated with a knot less, or two.
 *
 * With compat set, all is done as jwst does: the first gap is the distance of
 * the first sample from 0, and twice the mean does not matter; the number of
 * knots follows the rounding of a floating-point range, which often gives one
 * more; a near-singular fit is left to rotations of the rows, and where these
 * fail the spline of the iteration before holds.
 *
 * Re-entrant. The caller owns all memory.
 */
#ifndef WW_BSPLINE_FIT_H
#define WW_BSPLINE_FIT_H

#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "bspline_solve.h"
#include "clipped_mean.h"
#include "status.h"

typedef struct {
    size_t n_interval;  /* at least 1 */
    size_t n_iteration; /* 0: no spline */
    double sigma_low, sigma_high;
    double space_ratio;
    int compat;
    int single; /* the samples are float: so are gaps and spacing (compat) */
} ww_bspline_options;

/* What became of a fit. */
enum {
    WW_BSPLINE_FITTED = 0,
    WW_BSPLINE_FEW,      /* less than ten gaps */
    WW_BSPLINE_SPARSE,   /* gaps too wide for the knots */
    WW_BSPLINE_SINGULAR, /* the samples do not determine the spline */
    WW_BSPLINE_NONE      /* n_iteration is 0 */
};

typedef struct {
    int outcome;
    int is_refined;     /* knots less, or rotations */
    int is_last;        /* the samples left are those of the spline */
    int has_stopped;    /* too many samples rejected */
    size_t n_knot;      /* 0 without a spline */
    size_t n_used;      /* samples of the spline */
    size_t n_iteration; /* times that samples were rejected, or none found */
} ww_bspline_result;

/* The memory of one fit, and the memory from one fit to the next that makes
 * the next one faster, no more. */
typedef struct {
    size_t max_sample, max_knot;
    ww_spline_samples samples; /* on return, those left */
    ww_spline_system system;
    double *gap, *residual, *scratch; /* [max_sample] */
    ww_median_guess guess;
} ww_bspline_work;

/* Room for the knots of any fit with n_interval intervals. */
size_t
ww_bspline_room(size_t n_interval);

/* What samples may have besides x and y. */
enum { WW_BSPLINE_WEIGHT = 1, WW_BSPLINE_FACTOR = 2, WW_BSPLINE_PIXEL = 4 };

/* Memory from an arena for fits of at most max_sample samples and knots for
 * n_interval intervals; has says what samples have besides x and y. */
void
ww_bspline_init(ww_bspline_work *work, size_t max_sample, size_t n_interval,
                int has, ww_arena *arena);

/* Fit samples, which are left as they are: finite, x ascending, at most
 * max_sample of them, with all that work has room for.
 *
 * knots and coefficients have room for ww_bspline_room elements; those that a
 * spline leaves become 0, and without a spline they hold nothing of use. log may be NULL, or is [n_iteration][2]: samples rejected,
 * samples kept. */
void
ww_bspline_fit_samples(ww_bspline_work *work, const ww_spline_samples *samples,
                       const ww_bspline_options *options, double *knots,
                       double *coefficients, ww_bspline_result *result,
                       int64_t *log);

/* The same for arrays of n samples, with memory of its own.
 *
 * Returns WW_OK, whatever the outcome; WW_ERR_ARGUMENT if n_interval is 0, or
 * an option is NaN, or samples are not finite or do not ascend; WW_ERR_NOMEM.
 */
int
ww_bspline_fit(const double *x, const double *y, size_t n,
               const ww_bspline_options *options, double *knots,
               double *coefficients, ww_bspline_result *result, int64_t *log);

#endif
