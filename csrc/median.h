/* The median of a list. */
#ifndef WW_MEDIAN_H
#define WW_MEDIAN_H

#include <stddef.h>

/* The median of n > 0 numbers, none of them NaN; reorders them. The mean of
 * the middle two for an even number, rounded as floats are if `rounds`. */
double
ww_median(double *values, size_t n, int rounds);

#endif
