/* Clipped statistics by clipped_mean.h: against sorting, for any guess. */
#undef NDEBUG
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "clipped_mean.h"

enum { N_MOST = 1000 };

static double
random_part(unsigned *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 8) / 16777216.0;
}

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The definition. */
static ww_clipped_mean
by_sorting(const double *value, size_t n)
{
    double v[N_MOST], mean = 0.0, deviation = 0.0;

    memcpy(v, value, n * sizeof *v);
    qsort(v, n, sizeof *v, compare);
    for (int round = 0; round <= 5; round++) {
        double median = 0.5 * (v[n / 2] + v[(n - 1) / 2]);
        size_t kept = 0;

        mean = deviation = 0.0;
        for (size_t i = 0; i < n; i++)
            mean += v[i] / (double)n;
        for (size_t i = 0; i < n; i++)
            deviation += (v[i] - mean) * (v[i] - mean) / (double)n;
        deviation = sqrt(deviation);
        if (round == 5)
            break;
        for (size_t i = 0; i < n; i++)
            if (fabs(v[i] - median) <= 3.0 * deviation)
                v[kept++] = v[i];
        if (kept == n)
            break;
        n = kept;
    }
    return (ww_clipped_mean){mean, deviation, n};
}

static void
assert_same(ww_clipped_mean a, ww_clipped_mean b)
{
    assert(a.n == b.n);
    assert(fabs(a.mean - b.mean) <= 1e-12 * fabs(b.mean));
    assert(fabs(a.deviation - b.deviation) <= 1e-10 * b.deviation + 1e-15);
}

/* Skewed values with a tail, a low outlier and a huge one. */
static void
make_values(double *value, size_t n, unsigned seed)
{
    for (size_t i = 0; i < n; i++)
        value[i] = 5.0 - log(1.0 - 0.999 * random_part(&seed));
    value[n / 2] = 1e7;
    value[n / 3] = -100.0;
}

static void
agrees_with_the_definition(void)
{
    double value[N_MOST], scratch[N_MOST];

    for (size_t n = 6; n <= N_MOST; n = n * 3 / 2) {
        ww_median_guess wrong[] = {
            {0}, {-9.0, -8.0, 0.0}, {5.7, 5.70001, 5.7}, {1e9, 2e9, 1e9}};

        make_values(value, n, (unsigned)n);
        for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
            ww_clipped_mean found = ww_clip_mean(value, n, scratch, wrong + k),
                            plain = ww_clip_mean(value, n, scratch, NULL);

            assert_same(found, by_sorting(value, n));
            assert(memcmp(&found, &plain, sizeof found) == 0);
            /* Now the guess comes from the values themselves. */
            found = ww_clip_mean(value, n, scratch, wrong + k);
            assert(memcmp(&found, &plain, sizeof found) == 0);
        }
    }
}

static void
equal_values_have_no_deviation(void)
{
    double value[200], scratch[200];
    ww_clipped_mean found;

    for (size_t i = 0; i < 200; i++)
        value[i] = 0.1;
    found = ww_clip_mean(value, 200, scratch, NULL);
    assert(found.mean == 0.1 && found.deviation == 0.0 && found.n == 200);
    value[7] = 0.3;
    found = ww_clip_mean(value, 200, scratch, NULL);
    assert(found.mean == 0.1 && found.deviation == 0.0 && found.n == 199);
}

static void
few_values(void)
{
    double value[2] = {3.0, 5.0}, scratch[2];
    ww_clipped_mean found = ww_clip_mean(value, 0, scratch, NULL);

    assert(found.n == 0 && isnan(found.mean) && isnan(found.deviation));
    found = ww_clip_mean(value, 1, scratch, NULL);
    assert(found.n == 1 && found.mean == 3.0 && found.deviation == 0.0);
    found = ww_clip_mean(value, 2, scratch, NULL);
    assert(found.n == 2 && found.mean == 4.0 && found.deviation == 1.0);
}

int
main(void)
{
    agrees_with_the_definition();
    equal_values_have_no_deviation();
    few_values();
    return 0;
}
