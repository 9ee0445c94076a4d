#undef NDEBUG
#include <assert.h>
#include <math.h>

#include "collapse.h"

/* Three bins of width 1 about 0, 1 and 2. */
static const double LOWER[3] = {-0.5, 0.5, 1.5}, UPPER[3] = {0.5, 1.5, 2.5};

static void
test_medians(void)
{
    double flux[8] = {1, 3, 2, 10, 20, NAN, 7, 5};
    double error[8] = {1, 1, 1, 2, 4, 1, 0, 1};
    double alpha[8] = {0, 0.1, -0.5, 1, 1.4, 1, 1, 2.5};
    ww_collapse_input in = {8, flux, error, alpha, 3, LOWER, UPPER, 0};
    double f[3], e[3], s[3];
    size_t n_valid;

    assert(ww_collapse_profile(&in, f, e, s, &n_valid) == WW_OK);
    assert(n_valid == 6); /* not the NaN, not the error of 0 */
    assert(f[0] == 2.0 && e[0] == 1.0 && s[0] == 2.0);
    assert(f[1] == 15.0 && e[1] == 3.0 && s[1] == 5.0);
    assert(isnan(f[2]) && isnan(e[2]) && isnan(s[2])); /* 2.5 is outside */
    in.rounds = 1;
    flux[0] = flux[1] = flux[2] = 0.1;
    error[0] = error[1] = error[2] = 3.0;
    assert(ww_collapse_profile(&in, f, e, s, &n_valid) == WW_OK);
    assert(s[0] == (double)(0.1f / 3.0f));
}

/* Bins that overlap, or leave a gap. */
static void
test_bins_that_do_not_meet(void)
{
    double lower[2] = {0.0, 0.9}, upper[2] = {1.0, 2.0};
    double flux[2] = {4, 8}, error[2] = {1, 1}, alpha[2] = {0.95, 1.5};
    ww_collapse_input in = {2, flux, error, alpha, 2, lower, upper, 0};
    double f[2], e[2], s[2];
    size_t n_valid;

    assert(ww_collapse_profile(&in, f, e, s, &n_valid) == WW_OK);
    assert(f[0] == 4.0 && f[1] == 6.0);
    lower[1] = 1.1;
    alpha[0] = 1.05;
    assert(ww_collapse_profile(&in, f, e, s, &n_valid) == WW_OK);
    assert(isnan(f[0]) && f[1] == 8.0 && n_valid == 2);
    alpha[0] = 1e300;
    alpha[1] = -1e300;
    assert(ww_collapse_profile(&in, f, e, s, &n_valid) == WW_OK);
    assert(isnan(f[0]) && isnan(f[1]) && n_valid == 2);
}

static void
test_sizes(void)
{
    double one = 1.0, f = -1.0, e, s, lower = 0.0, upper = 2.0;
    ww_collapse_input in = {1, &one, &one, &one, 1, &lower, &upper, 0};
    size_t n_valid;

    assert(ww_collapse_profile(&in, &f, &e, &s, &n_valid) == WW_OK);
    assert(f == 1.0 && e == 1.0 && s == 1.0 && n_valid == 1);
    f = -1.0;
    in.n = 0;
    assert(ww_collapse_profile(&in, &f, &e, &s, &n_valid) == WW_ERR_SHAPE);
    in.n = 1;
    in.n_bin = 0;
    assert(ww_collapse_profile(&in, &f, &e, &s, &n_valid) == WW_ERR_SHAPE);
    assert(f == -1.0);
}

static void
test_sums(void)
{
    double flux[9] = {1, NAN, -3, 1e8, 1, 1, NAN, NAN, NAN}, sum[3];
    ww_float_sums rows = {NULL, 0};

    assert(ww_collapse_sums(flux, 3, 3, NULL, 0, sum) == WW_OK);
    assert(sum[0] == -2.0 && sum[1] == 1e8 + 2.0 && sum[2] == 0.0);
    assert(ww_collapse_sums(flux, 3, 3, NULL, 1, sum) == WW_OK);
    assert(sum[0] == 1.0);
    assert(ww_collapse_sums(flux, 3, 3, &rows, 0, sum) == WW_OK);
    assert(sum[1] == 1e8); /* floats lose the ones */
}

/* 2^24 is the first float that 1 is lost beside. Nine values are eight lanes and
 * a rest: the ones meet in the lanes, unless the rest is among them. */
static void
test_pairs(void)
{
    double big = 16777216.0, sum;
    double flux[9] = {big, 0, 1, 1, 1, 1, NAN, 0, 1};
    int32_t first = 0;
    ww_float_sums rows = {NULL, 0}, pairs = {&first, 9};

    assert(ww_collapse_sums(flux, 1, 9, &rows, 0, &sum) == WW_OK);
    assert(sum == big);
    assert(ww_collapse_sums(flux, 1, 9, &pairs, 0, &sum) == WW_OK);
    assert(sum == big + 4.0);
    /* Four rows down, the last one is in the lanes of 16 too. */
    first = 4;
    pairs.height = 16;
    flux[4] = flux[5] = 0.0;
    assert(ww_collapse_sums(flux, 1, 9, &pairs, 0, &sum) == WW_OK);
    /* The last 1 is lost beside big in lane 4, those of lanes 6 and 7 are not. */
    assert(sum == big + 2.0);
    first = 0;
    pairs.height = 256; /* halves of 128 */
    assert(ww_collapse_sums(flux, 1, 9, &pairs, 0, &sum) == WW_OK);
    assert(sum == big + 2.0);
    first = 126; /* the second half is 3, which rounds up */
    assert(ww_collapse_sums(flux, 1, 9, &pairs, 0, &sum) == WW_OK);
    assert(sum == big + 4.0);
    first = 248;
    assert(ww_collapse_sums(flux, 1, 9, &pairs, 0, &sum) == WW_ERR_RANGE);
    flux[8] = NAN; /* nothing is beyond the image now */
    assert(ww_collapse_sums(flux, 1, 9, &pairs, 0, &sum) == WW_OK);
    first = -1;
    assert(ww_collapse_sums(flux, 1, 9, &pairs, 0, &sum) == WW_ERR_RANGE);
}

/* Each run of positive values is a sum by itself. */
static void
test_runs(void)
{
    double big = 16777216.0, sum;
    double flux[9] = {big, -1, 1, 1, NAN, 1, 1, 0, 1};
    int32_t first = 3;
    ww_float_sums rows = {NULL, 0}, pairs = {&first, 20};

    assert(ww_collapse_sums(flux, 1, 9, &rows, 1, &sum) == WW_OK);
    assert(sum == big);
    assert(ww_collapse_sums(flux, 1, 9, &pairs, 1, &sum) == WW_OK);
    assert(sum == big + 4.0);
}

int
main(void)
{
    test_medians();
    test_bins_that_do_not_meet();
    test_sizes();
    test_sums();
    test_pairs();
    test_runs();
    return 0;
}
