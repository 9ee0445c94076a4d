#undef NDEBUG
#include <assert.h>
#include <math.h>
#include <string.h>

#include "trace_case.h"

enum { N = CASE_NY * CASE_NX };

static const ww_output_image NOWHERE = {NULL, 0};

static void
fill_nan(double *image)
{
    for (int i = 0; i < N; i++)
        image[i] = NAN;
}

static int
is_near(double a, double b)
{
    return fabs(a - b) <= 1e-12 * (1.0 + fabs(b));
}

static void
test_values(void)
{
    trace_case s;
    double image[N];
    ww_output_image full = {image, 0};

    set_case(&s);
    fill_nan(image);
    assert(ww_trace_evaluate(&s.trace, NULL, &full, &NOWHERE, 0, CASE_NX) ==
           WW_OK);
    assert(isnan(image[0]) && isnan(image[N - 1])); /* ends of the columns */
    for (int y = 1; y < CASE_NY - 1; y++)
        assert(is_near(image[y * CASE_NX], 2.0 * y * y));
}

/* Bounds, holes, borrowed and missing models. */
static void
test_what_is_left_out(void)
{
    trace_case s;
    double image[N];
    ww_output_image full = {image, 0};

    set_case(&s);
    fill_nan(image);
    s.lower[0] = 1.0, s.upper[0] = 5.0;
    s.alpha[3 * CASE_NX] = NAN;
    s.map[4 * CASE_NX] = 0;
    s.model[1] = -1;
    image[4 * CASE_NX] = -5.0;
    assert(ww_trace_evaluate(&s.trace, NULL, &full, &NOWHERE, 0, CASE_NX) ==
           WW_OK);
    assert(isnan(image[1 * CASE_NX]) && isnan(image[5 * CASE_NX]));
    assert(is_near(image[2 * CASE_NX], 8.0) && isnan(image[3 * CASE_NX]));
    assert(image[4 * CASE_NX] == -5.0); /* of no region: left alone */
    for (int y = 0; y < CASE_NY; y++)
        assert(isnan(image[y * CASE_NX + 1]));
    s.model[1] = 0; /* of column 0, with its bounds but an own scale */
    s.scale[1] = 3.0;
    assert(ww_trace_evaluate(&s.trace, NULL, &full, &NOWHERE, 0, CASE_NX) ==
           WW_OK);
    assert(is_near(image[2 * CASE_NX + 1], 12.0));
    assert(isnan(image[5 * CASE_NX + 1]));
}

/* Lines that are no models must not be read. */
static void
test_broken_models(void)
{
    trace_case s;
    double image[N];
    ww_output_image full = {image, 0};

    set_case(&s);
    fill_nan(image);
    s.model[0] = CASE_NX;
    s.n_knot[1] = CASE_STRIDE + 1;
    assert(ww_trace_evaluate(&s.trace, NULL, &full, &NOWHERE, 0, CASE_NX) ==
           WW_OK);
    s.model[0] = 0, s.n_knot[0] = 7;
    assert(ww_trace_evaluate(&s.trace, NULL, &full, &NOWHERE, 0, CASE_NX) ==
           WW_OK);
    for (int i = 0; i < N; i++)
        assert(isnan(image[i]));
}

static void
test_error(void)
{
    trace_case s;
    double image[N], errors[N];
    ww_output_image full = {image, 0}, error = {errors, 0};

    set_case(&s);
    fill_nan(errors);
    assert(ww_trace_evaluate(&s.trace, NULL, &full, &error, 0, CASE_NX) ==
           WW_OK);
    assert(is_near(errors[2 * CASE_NX], 0.5 * 4.0)); /* of the scale only */
    /* Variance v of every coefficient, fully correlated: that of the spline
     * is v everywhere, since the B-splines add up to 1. */
    for (int i = 0; i < CASE_NX * CASE_STRIDE * 4; i++)
        s.covariance[i] = 0.25f;
    assert(ww_trace_evaluate(&s.trace, NULL, &full, &error, 0, CASE_NX) ==
           WW_OK);
    for (int y = 1; y < CASE_NY - 1; y++)
        assert(is_near(errors[y * CASE_NX],
                       sqrt(0.25 * y * y * y * y + 4.0 * 0.25)));
    s.trace.covariance = NULL;
    assert(ww_trace_evaluate(&s.trace, NULL, &full, &error, 0, CASE_NX) ==
           WW_ERR_ARGUMENT);
}

static void
test_steep_pixels(void)
{
    trace_case s;
    double edges[4] = {0.0, 3.0, 5.0, 6.0};
    int64_t count[4] = {0};
    ww_steep_pixels steep = {.limit = 4.0,
                             .skip_first = 2,
                             .skip_last = 1,
                             .n_bin = 3,
                             .edges = edges,
                             .count = count};

    /* The steps to rows 1 .. 7 are 1, 3, 5, 7, 9, 11, 13. */
    set_case(&s);
    assert(ww_trace_evaluate(&s.trace, &steep, &NOWHERE, &NOWHERE, 0, 1) ==
           WW_OK);
    assert(count[0] == 0 && count[1] == 2 && count[2] == 2 && count[3] == 4);
    steep.is_between = 1; /* at 2.5, 3.5, 4.5 and 5.5 */
    assert(ww_trace_evaluate(&s.trace, &steep, &NOWHERE, &NOWHERE, 0, 1) ==
           WW_OK);
    assert(count[0] == 1 && count[1] == 4 && count[2] == 3 && count[3] == 8);
}

static void
test_compact(void)
{
    trace_case s;
    double image[N], range[4] = {1.0, 2.0, 4.5, 5.5};
    ww_compact_ranges ranges = {2, range, 0}, all = {0, NULL, 1};
    ww_output_image used = {image, 0};
    ww_image source = {image, 0};

    set_case(&s);
    for (int i = 0; i < N; i++)
        image[i] = i;
    s.map[5 * CASE_NX] = 0;
    assert(ww_trace_keep_compact(&s.trace, &all, &source, &used, 0, 2) ==
           WW_OK);
    assert(image[3] == 3.0);
    assert(ww_trace_keep_compact(&s.trace, &ranges, &source, &used, 0, 2) ==
           WW_OK);
    for (int y = 0; y < CASE_NY; y++)
        assert(isnan(image[y * CASE_NX + 1]) == (y != 2 && y != 5));
    assert(image[5 * CASE_NX] == 5.0 * CASE_NX); /* of no region */
    assert(ww_trace_keep_compact(&s.trace, &all, &source, &used, 0, 3) ==
           WW_ERR_RANGE);
}

static void
test_ranges(void)
{
    trace_case s;
    double whole[N], split[N];
    ww_output_image one = {whole, 0}, other = {split, 0};

    set_case(&s);
    fill_nan(whole);
    fill_nan(split);
    assert(ww_trace_evaluate(&s.trace, NULL, &one, &NOWHERE, 0, 2) == WW_OK);
    assert(ww_trace_evaluate(&s.trace, NULL, &other, &NOWHERE, 1, 2) == WW_OK);
    assert(isnan(split[2]) && !isnan(split[3]));
    assert(ww_trace_evaluate(&s.trace, NULL, &other, &NOWHERE, 0, 1) == WW_OK);
    assert(ww_trace_evaluate(&s.trace, NULL, &other, &NOWHERE, 1, 1) == WW_OK);
    assert(!memcmp(whole, split, sizeof whole));
    assert(ww_trace_evaluate(&s.trace, NULL, &one, &NOWHERE, 0, 3) ==
           WW_ERR_RANGE);
    assert(ww_trace_evaluate(&s.trace, NULL, &one, &NOWHERE, 2, 1) ==
           WW_ERR_RANGE);
    s.stop[1] = CASE_NY + 1;
    assert(ww_trace_evaluate(&s.trace, NULL, &one, &NOWHERE, 0, 2) ==
           WW_ERR_RANGE);
}

int
main(void)
{
    test_values();
    test_what_is_left_out();
    test_broken_models();
    test_error();
    test_steep_pixels();
    test_compact();
    test_ranges();
    return 0;
}
