/* Medians against sorting: few and many values, ties, orders of all kinds. */
#include "median.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

enum { N_MOST = 5000 };

static unsigned state = 1;

static double
draw(unsigned below)
{
    state = state * 1664525u + 1013904223u;
    return (double)((state >> 8) % below);
}

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The i-th of n values of a kind. */
static double
value_of(int kind, size_t i, size_t n)
{
    switch (kind) {
    case 0:
        return draw(5);
    case 1:
        return draw(1000000);
    case 2:
        return (double)i;
    case 3:
        return -(double)i;
    case 4:
        return 7.0;
    case 5: /* an organ pipe */
        return (double)(i < n / 2 ? i : n - i);
    case 6: /* nearly all are the same */
        return draw(20) > 0.0 ? 1.0 : draw(1000);
    default:
        return i % 2 ? INFINITY : -INFINITY;
    }
}

static void
check(int kind, size_t n)
{
    static double values[N_MOST], again[N_MOST], sorted[N_MOST];
    double low, high;

    for (size_t i = 0; i < n; i++)
        values[i] = again[i] = sorted[i] = value_of(kind, i, n);
    qsort(sorted, n, sizeof *sorted, compare);
    low = sorted[(n - 1) / 2];
    high = sorted[n / 2];
    if (isinf(low) && low != high) {
        assert(isnan(ww_median(values, n, 0)));
        return;
    }
    assert(ww_median(values, n, 0) == (n % 2 ? high : (low + high) / 2.0));
    assert(ww_median(again, n, 1) == (n % 2 ? high : (low + high) / 2.0));
    /* No value is lost. */
    qsort(values, n, sizeof *values, compare);
    for (size_t i = 0; i < n; i++)
        assert(values[i] == sorted[i]);
}

/* Sum and mean of two floats are rounded. */
static void
test_rounding(void)
{
    double values[2] = {1.0, (double)(1.0f + 0x1p-23f)};

    assert(ww_median(values, 2, 1) == 1.0);
    assert(ww_median(values, 2, 0) == 1.0 + 0x1p-24);
}

/* What is not allowed ends all the same. */
static void
test_nan(void)
{
    double values[100];

    for (size_t i = 0; i < 100; i++)
        values[i] = NAN;
    assert(isnan(ww_median(values, 100, 0)));
}

int
main(void)
{
    for (int kind = 0; kind < 8; kind++) {
        for (size_t n = 1; n < 200; n++)
            check(kind, n);
        for (size_t n = 997; n <= N_MOST; n += 667)
            check(kind, n);
    }
    test_rounding();
    test_nan();
    return 0;
}
