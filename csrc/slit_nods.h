/* The mean of some exposures of a slitlet, masked pixels left out: one side of
 * a difference of nods. Re-entrant, no allocation. */
#ifndef WW_SLIT_NODS_H
#define WW_SLIT_NODS_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

/* What is averaged: planes [n_exposure][n_pixel]. Values where mask is 0 are not
 * looked at; NaN elsewhere add nothing. */
typedef struct {
    size_t n_exposure, n_pixel;
    const double *data, *sky, *variance, *read_variance;
    const uint8_t *mask;
    const uint8_t *counted; /* what the sums are divided by: mask, or that of
                               the peer */
    const uint8_t *chosen;  /* [n_exposure] 0: left out */
    int rounds;             /* variances are summed as floats */
} ww_slit_nods;

/* Means and their variances: sum(data) / n and sum(variance) / n^2, n being
 * the number of counted exposures. NaN where that is 0.
 *
 * out: [4][n_pixel] of data, sky, variance, read_variance. For pixels from
 * start to stop - 1.
 *
 * Returns WW_OK; WW_ERR_RANGE if start <= stop <= n_pixel does not hold. */
int
ww_slit_nod_mean(const ww_slit_nods *in, size_t start, size_t stop,
                 double *out);

#endif
