/* Mean and standard deviation after clipping, without sorting. */
#ifndef WW_CLIPPED_MEAN_H
#define WW_CLIPPED_MEAN_H

#include <stddef.h>

/* Where medians are likely to be: it costs time if it is wrong, nothing else.
 * {0} knows nothing. */
typedef struct {
    double low, high, median;
} ww_median_guess;

typedef struct {
    double mean;
    double deviation; /* about the mean, divisor n */
    size_t n; /* values that were kept; 0: mean and deviation are NaN */
} ww_clipped_mean;

/* The mean and the standard deviation of n finite values, after leaving out at
 * most five times what lies more than 3 standard deviations from the median:
 * what astropy.stats.sigma_clipped_stats gives by default.
 *
 * scratch has room for n values. guess may be NULL; it is updated, and the
 * result does not depend on it. Re-entrant.
 */
ww_clipped_mean
ww_clip_mean(const double *value, size_t n, double *scratch,
             ww_median_guess *guess);

#endif
