/* Least squares for a cubic spline with given knots, by the moments of the
 * samples of each knot interval.
 *
 * In an interval with the middle c, every basis function is a cubic polynomial
 * of u = (x - c) / step. So its normal equations need no more of the samples
 * than the sums of w u^k (k = 0..6) and of w y u^k (k = 0..3). Samples in
 * ascending order make the samples of an interval neighbours.
 */
#ifndef WW_BSPLINE_SOLVE_H
#define WW_BSPLINE_SOLVE_H

#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "spline_value.h"

enum {
    WW_N_POWER = 7,                    /* powers 0..6 of u alone */
    WW_N_MOMENT = WW_N_POWER + 4,      /* and 0..3 with y */
    WW_N_BLOCK = 10 + WW_SPLINE_ORDER, /* upper triangle of an interval's
                                          matrix, and its right side */
    WW_SPLINE_ENDS = 8                 /* knots that are not inside */
};

/* Samples in ascending order of x. */
typedef struct {
    size_t n;
    double *x, *y;
    double *weight; /* in the sum of squares; or NULL for 1 */
    double *factor; /* of residuals, where outliers are judged; or NULL */
    int32_t *pixel; /* where a sample comes from; or NULL */
} ww_spline_samples;

typedef struct {
    size_t n_knot;     /* at least WW_SPLINE_ENDS */
    double *knots;     /* ascending, ends fourfold */
    double step;       /* unit of u: the common length of inner intervals */
    int is_equal;      /* inner knots are step apart */
    size_t n_interval; /* n_knot - 7 */
    size_t *first;     /* [n_interval + 1] the first sample of an interval */
    uint8_t *is_new;   /* [n_interval] block does not hold for the samples */
    double (*piece)[4][4]; /* [n_interval] basis functions, powers of u */
    double (*block)[WW_N_BLOCK];       /* [n_interval] */
    double (*factor)[WW_SPLINE_ORDER]; /* [n_knot - 4] L D L': pivot D, then
                                          the column of L below it */
    double *right;      /* [n_knot - 4] right side, then coefficients */
    double *diagonal;   /* [n_knot - 4] of the normal matrix */
    double (*local)[4]; /* [n_interval] the spline, powers of u */
} ww_spline_system;

/* Memory for at most max_knot knots. */
void
ww_system_init(ww_spline_system *system, size_t max_knot, ww_arena *arena);

/* Prepare for the knots that stand in system->knots. */
void
ww_system_set_knots(ww_spline_system *system);

/* Take the inner knot nearest to the middle of a basis function away. Returns
 * 0 if there is none. */
int
ww_system_drop_knot(ww_spline_system *system, size_t basis);

/* Divide the samples among the intervals; all blocks become new. */
void
ww_system_locate(ww_spline_system *system, const ww_spline_samples *samples);

/* Solve the normal equations; the coefficients are in system->right. Returns
 * the number of basis functions, or the first one whose pivot is below
 * tolerance times its diagonal, or below a share of the mean diagonal, or not
 * positive. */
size_t
ww_system_solve(ww_spline_system *system, const ww_spline_samples *samples,
                double tolerance, double share);

/* The same by Givens rotations of the rows in the order of the samples (Cox
 * 1981, as in FITPACK): no squares of small numbers. Returns the number of
 * basis functions, or the first one that is not determined at all. */
size_t
ww_system_rotate(ww_spline_system *system, const ww_spline_samples *samples);

/* residual = y - spline, times the factor. */
void
ww_system_residuals(ww_spline_system *system, const ww_spline_samples *samples,
                    double *residual);

/* The sums of factor_i u^k of an interval with the basis functions: the upper
 * triangle of its matrix, row by row. moment has WW_N_POWER elements. */
void
ww_interval_matrix(const double piece[4][4], const double *moment,
                   double triangle[10]);

#endif
