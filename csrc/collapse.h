/* A slice or slit collapsed along the dispersion: its profile across the
 * dispersion, and the sums of its columns.
 *
 * Arrays are those of one region, name[n_column][n_row] of double. Re-entrant.
 */
#ifndef WW_COLLAPSE_H
#define WW_COLLAPSE_H

#include <stddef.h>
#include <stdint.h>

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
 * Returns WW_OK; WW_ERR_SHAPE if n or n_bin is 0, or n_bin is above 1e9;
 * WW_ERR_NOMEM. After an error the outputs are untouched. */
int
ww_collapse_profile(const ww_collapse_input *in, double *flux_profile,
                    double *error_profile, double *snr_profile,
                    size_t *n_valid);

/* How the columns of a region are summed as floats. NumPy takes row by row if
 * these are contiguous in memory, and sums pairs of parts of a column if columns
 * are; then it matters where in the image a region lies. */
typedef struct {
    const int32_t *first_row; /* [n_column] of the image, that is the first one
                                 here; not looked at without height */
    size_t height; /* rows of the image if pairs are summed; 0: row by row */
} ww_float_sums;

/* The sum of each column, NaN left out; with positive_only, of what is above 0
 * in it. With floats, of floats, as NumPy sums them; NULL for sums of doubles.
 * sum: [n_column]; 0 for a column without anything.
 *
 * Returns WW_OK; WW_ERR_RANGE if a column does not lie in the image: the sums
 * are then of those before it. */
int
ww_collapse_sums(const double *flux, size_t n_column, size_t n_row,
                 const ww_float_sums *floats, int positive_only, double *sum);

#endif
