/* What sorting and selecting have in common. */
#ifndef WW_SORTING_H
#define WW_SORTING_H

#include <stddef.h>

/* The middle one of three numbers, none of them NaN. */
static inline double
ww_middle_of_three(double a, double b, double c)
{
    double low = a < b ? a : b, high = a < b ? b : a;

    high = high < c ? high : c;
    return low > high ? low : high;
}

/* Sort a few numbers by insertion. */
static inline void
ww_sort_few(double *v, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        double x = v[i];
        size_t j = i;

        for (; j > 0 && v[j - 1] > x; j--)
            v[j] = v[j - 1];
        v[j] = x;
    }
}

#endif
