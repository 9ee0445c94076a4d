/* The covariance of the coefficients of a spline fit. */
#ifndef WW_BSPLINE_COVARIANCE_H
#define WW_BSPLINE_COVARIANCE_H

#include <stddef.h>

#include "arena.h"
#include "bspline_solve.h"

/* Scratch memory of one covariance. */
typedef struct {
    double *inverse; /* [n][n] of the normal matrix, n = max_knot - 4 */
    double (
        *middle)[WW_SPLINE_ORDER]; /* [n] the matrix between two inverses */
} ww_covariance_work;

void
ww_coefficient_covariance_init(ww_covariance_work *work, size_t max_knot,
                               ww_arena *arena);

/* C = A^-1 (B' W V W B) A^-1 with the normal matrix A = B' W B that the system
 * has just solved for the samples. variance is V, of each sample; it is
 * overwritten. covariance[j] becomes that of the coefficients j and j + 0..3.
 */
void
ww_coefficient_covariance(ww_covariance_work *work,
                          const ww_spline_system *system,
                          const ww_spline_samples *samples, double *variance,
                          float *covariance);

#endif
