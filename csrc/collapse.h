/* A slice or slit collapsed along the dispersion: its profile across the
 * dispersion, and the sums of its columns.
 *
 * Arrays are those of one region, name[n_column][n_row] of double. Re-entrant.
 */
#ifndef WW_COLLAPSE_H
#define WW_COLLAPSE_H

#include <stddef.h>

#include "status.h"

typedef struct {
    size_t n;            /* pixels, at least 1 */
    const double *flux;  /* [n] */
    const double *error; /* [n] standard deviation of the flux */
    const double *alpha; /* [n] coordinate across the dispersion */
    size_t n_bin;        /* at least 1 */
    const double *lower; /* [n_bin] ascending, about equally spaced */
    const double *upper; /* [n_bin] no more than the next two lower ones */
    int rounds;          /* all arithmetic is that of floats */
} ww_collapse_input;

/* The medians of flux, error and flux / error, in bins of alpha.
 *
 * A pixel counts if its three numbers are finite and its error is positive,
 * and is in bin k if lower[k] <= alpha < upper[k]; this may be none or two
 * where bins do not meet. Bins without pixels are NaN.
 *
 * flux_profile, error_profile, snr_profile: [n_bin]. n_valid: the number of
 * pixels that count, in bins or not.
 *
 * Returns WW_OK; WW_ERR_SHAPE if n or n_bin is 0; WW_ERR_NOMEM. After an
 * error the outputs are untouched. */
int
ww_collapse_profile(const ww_collapse_input *in, double *flux_profile,
                    double *error_profile, double *snr_profile,
                    size_t *n_valid);

/* The sum of each column, NaN left out; with positive_only, of what is above 0
 * in it. With `rounds`, of floats, summed in the order of the rows as floats.
 * sum: [n_column]; 0 for a column without anything. */
void
ww_collapse_sums(const double *flux, size_t n_column, size_t n_row, int rounds,
                 int positive_only, double *sum);

#endif
