/* Splines and scales of columns by bspline_columns.h and bspline_scale.h: a
 * known profile, any division into ranges, columns without data, bad pixels,
 * errors of the result, and every error code. */
#undef NDEBUG
#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bspline_columns.h"
#include "bspline_scale.h"

enum {
    N_COLUMN = 40,
    N_ROW = 20,
    N_PIXEL = N_COLUMN * N_ROW,
    N_INTERVAL = 24,
    STRIDE = 48
};

typedef struct {
    double alpha[N_PIXEL], flux[N_PIXEL], error[N_PIXEL], sum[N_COLUMN];
    double knots[N_COLUMN * STRIDE], c[N_COLUMN * STRIDE];
    float covariance[N_COLUMN * STRIDE * 4];
    int32_t n_knot[N_COLUMN], n_point[N_COLUMN], n_rejected[N_COLUMN];
    double lower[N_COLUMN], upper[N_COLUMN];
    uint8_t flags[N_COLUMN];
    int32_t model[N_COLUMN];
    double scale[N_COLUMN], scale_error[N_COLUMN];
    float chi2[N_COLUMN];
} arrays;

typedef struct {
    arrays *a;
    ww_trace_samples samples;
    ww_column_options options;
    ww_column_fits fits;
    ww_trace_splines splines;
    ww_column_scales scales;
} scene;

/* The profile of a point source at alpha 0, in units of pixels. */
static double
profile(double alpha)
{
    return exp(-0.5 * alpha * alpha / 4.0);
}

static double
brightness(size_t column)
{
    return 100.0 + 10.0 * (double)(column % 7);
}

/* A trace that drifts by two pixels, and is 0.37 pixels apart at least. */
static scene
make_scene(void)
{
    arrays *a = calloc(1, sizeof *a);
    scene s = {.a = a};

    assert(a);
    for (size_t i = 0; i < N_COLUMN; i++)
        for (size_t j = 0; j < N_ROW; j++) {
            size_t p = i * N_ROW + j;

            a->alpha[p] = (double)j - 9.0 - 2.0 * (double)i / N_COLUMN;
            a->flux[p] = brightness(i) * profile(a->alpha[p]);
            a->error[p] = 1.0;
            a->sum[i] = brightness(i);
        }
    s.samples = (ww_trace_samples){N_COLUMN, N_ROW,  a->alpha, a->flux,
                                   NULL,     a->sum, 0};
    s.options = (ww_column_options){
        .fit = {N_INTERVAL, 3, 3.0, 3.0, 1.6, 0, 0},
        .n_left = 10,
        .n_right = 10,
        .min_valid = 5,
        .is_retried = 1,
    };
    s.fits = (ww_column_fits){STRIDE,        a->knots, a->c,     a->n_knot,
                              a->lower,      a->upper, a->flags, a->n_point,
                              a->n_rejected, NULL};
    s.splines =
        (ww_trace_splines){N_COLUMN, STRIDE,   a->knots, a->c, a->n_knot,
                           a->lower, a->upper, a->model, NULL};
    s.scales = (ww_column_scales){a->scale, a->chi2, a->scale_error, a->flags};
    for (size_t i = 0; i < N_COLUMN; i++)
        a->model[i] = (int32_t)i;
    return s;
}

static void
fit_all(const scene *s)
{
    assert(ww_bspline_columns(&s->samples, &s->options, NULL, &s->fits, 0,
                              N_COLUMN) == WW_OK);
}

static void
the_profile_is_found(void)
{
    scene s = make_scene();
    arrays *a = s.a;

    fit_all(&s);
    assert(ww_bspline_scales(&s.samples, &s.splines, 0, &s.scales, 0,
                             N_COLUMN) == WW_OK);
    for (size_t i = 0; i < N_COLUMN; i++) {
        size_t k = i * STRIDE, n = (size_t)a->n_knot[i];

        assert(a->flags[i] == 0 && n == N_INTERVAL + 7);
        assert(a->lower[i] < -8.0 && a->upper[i] > 8.0);
        for (double x = -6.0; x < 6.0; x += 0.1)
            assert(fabs(ww_spline_value(a->knots + k, n, a->c + k, x) -
                        profile(x)) < 2e-3);
        assert(fabs(a->scale[i] / brightness(i) - 1.0) < 2e-3);
        assert(isnan(a->chi2[i]) && isnan(a->scale_error[i]));
    }
    assert(a->n_point[20] == 21 * N_ROW && a->n_point[0] == 11 * N_ROW);
    free(a);
}

/* Ties in alpha, columns upside down and out of order: the window is in order
 * all the same, and no split changes a bit. */
static void
ranges_do_not_matter(void)
{
    scene s = make_scene(), t = make_scene();
    size_t edges[] = {0, 1, 17, 18, 30, N_COLUMN};

    for (size_t i = 0; i < N_COLUMN; i++) {
        double *alpha = s.a->alpha + i * N_ROW, *flux = s.a->flux + i * N_ROW;

        if (i % 3 == 1)
            for (size_t j = 0; j < N_ROW; j++)
                alpha[j] = -alpha[j];
        if (i % 3 == 2)
            alpha[5] = alpha[11];
        flux[i % N_ROW] = i % 2 ? NAN : 1e4;
        alpha[(i + 7) % N_ROW] = NAN;
    }
    for (size_t i = 20; i < 23; i++)
        memcpy(s.a->alpha + i * N_ROW, s.a->alpha + 19 * N_ROW,
               N_ROW * sizeof(double));
    memcpy(t.a, s.a, sizeof *s.a);
    s.samples.error = s.a->error;
    t.samples.error = t.a->error;
    s.fits.covariance = s.a->covariance;
    t.fits.covariance = t.a->covariance;
    fit_all(&s);
    for (size_t k = 0; k + 1 < sizeof edges / sizeof *edges; k++)
        assert(ww_bspline_columns(&t.samples, &t.options, NULL, &t.fits,
                                  edges[k], edges[k + 1]) == WW_OK);
    assert(memcmp(s.a, t.a, sizeof *s.a) == 0);
    assert(s.a->n_knot[20] > 0 && s.a->n_rejected[20] > 0);
    assert(s.a->covariance[20 * STRIDE * 4] > 0.0f);
    free(s.a);
    free(t.a);
}

/* Only what is wanted is written. */
static void
only_the_wanted(void)
{
    scene s = make_scene();
    uint8_t wanted[N_COLUMN] = {0};

    wanted[3] = wanted[30] = 1;
    for (size_t i = 0; i < N_COLUMN; i++)
        s.a->n_point[i] = -1;
    assert(ww_bspline_columns(&s.samples, &s.options, wanted, &s.fits, 0,
                              N_COLUMN) == WW_OK);
    for (size_t i = 0; i < N_COLUMN; i++)
        assert((s.a->n_knot[i] > 0) == wanted[i] &&
               (s.a->n_point[i] == -1) == !wanted[i]);
    free(s.a);
}

static void
columns_that_fail(void)
{
    scene s = make_scene();
    arrays *a = s.a;

    /* Column 7 has five valid pixels. */
    for (size_t j = 5; j < N_ROW; j++)
        a->flux[7 * N_ROW + j] = NAN;
    fit_all(&s);
    assert(a->flags[7] == WW_COLUMN_TOO_FEW && a->n_knot[7] == 0);
    assert(isnan(a->lower[7]) && a->n_point[7] == 0);
    /* Far too many knots, unless there are three less. */
    s.options.fit.n_interval = 30;
    s.options.fit.space_ratio = 0.0;
    fit_all(&s);
    assert(a->flags[8] == WW_COLUMN_TOO_SPARSE && a->n_knot[8] == 0);
    s.options.fit.n_interval = 24;
    s.options.n_left = s.options.n_right = 0;
    s.options.fit.space_ratio = 1.2;
    fit_all(&s);
    assert(a->flags[20] == WW_COLUMN_TOO_SPARSE);
    s.options.fit.n_interval = 18;
    s.options.fit.space_ratio = 0.9;
    fit_all(&s);
    assert(a->flags[20] == WW_COLUMN_FEWER_KNOTS);
    assert(a->n_knot[20] == 15 + 7);
    s.options.is_retried = 0;
    fit_all(&s);
    assert(a->flags[20] == WW_COLUMN_TOO_SPARSE && a->n_knot[20] == 0);
    /* Nothing at all. */
    for (size_t p = 0; p < N_PIXEL; p++)
        a->flux[p] = NAN;
    fit_all(&s);
    for (size_t i = 0; i < N_COLUMN; i++)
        assert(a->flags[i] == WW_COLUMN_TOO_FEW && a->n_knot[i] == 0);
    /* Column sums of 0 leave no samples, though the pixels are valid. */
    for (size_t p = 0; p < N_PIXEL; p++)
        a->flux[p] = 0.0;
    memset(a->sum, 0, sizeof a->sum);
    fit_all(&s);
    assert(a->flags[20] == WW_COLUMN_NO_SAMPLES && a->n_point[20] == 0);
    free(a);
}

static void
bad_pixels_do_not_move_the_scale(void)
{
    scene s = make_scene();
    arrays *a = s.a;

    s.samples.error = a->error;
    fit_all(&s);
    a->flux[20 * N_ROW + 13] *= 3.0; /* beside the five heaviest */
    a->flux[21 * N_ROW + 9] = NAN;
    assert(ww_bspline_scales(&s.samples, &s.splines, 0, &s.scales, 0,
                             N_COLUMN) == WW_OK);
    assert(fabs(a->scale[20] / brightness(20) - 1.0) < 2e-3);
    assert(fabs(a->scale[21] / brightness(21) - 1.0) < 2e-3);
    assert(a->chi2[20] > 10.0f && a->chi2[19] < 0.1f);
    /* From one pixel at the peak to all of them, with errors of 1. */
    assert(a->scale_error[19] > 0.4 && a->scale_error[19] < 1.1);
    free(a);
}

static void
columns_without_a_scale(void)
{
    scene s = make_scene();
    arrays *a = s.a;

    fit_all(&s);
    for (size_t j = 0; j < N_ROW; j++) {
        a->flux[5 * N_ROW + j] *= -1.0;
        if (j != 9)
            a->alpha[6 * N_ROW + j] = NAN;
    }
    a->model[7] = -1;
    for (int compat = 0; compat < 2; compat++) {
        memset(a->flags, 0, sizeof a->flags);
        a->scale[7] = -5.0;
        assert(ww_bspline_scales(&s.samples, &s.splines, compat, &s.scales, 0,
                                 N_COLUMN) == WW_OK);
        if (compat)
            assert(a->scale[5] == 0.0 && a->flags[5] == 0);
        else
            assert(isnan(a->scale[5]) && a->flags[5] == WW_COLUMN_NO_SCALE);
        assert(isnan(a->scale[6]) && a->flags[6] == WW_COLUMN_NO_SCALE);
        assert(a->scale[7] == -5.0 && a->flags[7] == 0); /* no model */
    }
    free(a);
}

static void
weights_need_errors(void)
{
    scene s = make_scene();
    arrays *a = s.a;

    s.options.is_weighted = 1;
    assert(ww_bspline_columns(&s.samples, &s.options, NULL, &s.fits, 0,
                              N_COLUMN) == WW_ERR_ARGUMENT);
    s.samples.error = a->error;
    /* Half of the pixels are wrong, with huge errors: they do not count. */
    for (size_t p = 0; p < N_PIXEL; p += 2) {
        a->flux[p] += p % 4 ? 30.0 : -20.0;
        a->error[p] = 1e6;
    }
    a->error[20 * N_ROW] = 0.0;
    fit_all(&s);
    assert(a->n_point[20] == 21 * N_ROW - 1);
    for (double x = -6.0; x < 6.0; x += 0.1)
        assert(
            fabs(ww_spline_value(a->knots + 20 * STRIDE, (size_t)a->n_knot[20],
                                 a->c + 20 * STRIDE, x) -
                 profile(x)) < 3e-3);
    free(a);
}

/* The knots are too wide for the profile, by far more than the noise: the
 * spline is near it nevertheless, and a cosmic ray in one column is nothing. */
static void
bright_cores_are_kept(void)
{
    scene s = make_scene();
    arrays *a = s.a;

    s.options.is_weighted = 1;
    s.options.fit.n_interval = 6;
    s.samples.error = a->error;
    for (size_t p = 0; p < N_PIXEL; p++)
        a->error[p] = 1e-3 * sqrt(1.0 + a->flux[p]);
    a->flux[15 * N_ROW + 2] += 1e4;
    fit_all(&s);
    for (double x = -3.0; x < 3.0; x += 0.1)
        assert(
            fabs(ww_spline_value(a->knots + 20 * STRIDE, (size_t)a->n_knot[20],
                                 a->c + 20 * STRIDE, x) -
                 profile(x)) < 0.1);
    free(a);
}

/* The alphas of the columns are mixed, so the spline is near their mean. */
static void
near_columns_weigh_more(void)
{
    scene s = make_scene();
    arrays *a = s.a;
    const size_t middles[] = {20, 0, N_COLUMN - 1};

    s.samples.divisor = NULL;
    s.samples.error = a->error;
    s.options.fit = (ww_bspline_options){4, 1, 9.0, 9.0, 99.0, 0, 0};
    for (size_t p = 0; p < N_PIXEL; p++) {
        a->alpha[p] = (double)(p % N_ROW) + (double)(p / N_ROW * 8 % 21) / 21;
        a->flux[p] = sqrt((double)(p / N_ROW));
    }
    for (int is_weighted = 0; is_weighted < 2; is_weighted++) {
        s.options.is_tapered = 1;
        s.options.is_weighted = is_weighted;
        fit_all(&s);
        for (size_t k = 0; k < 3; k++) {
            size_t m = middles[k];
            double sum = 0.0, mean = 0.0;

            for (size_t i = 0; i < N_COLUMN; i++) {
                double d = ((double)i - (double)m) / 11.0;
                double w = d * d < 1.0 ? 1.0 - d * d : 0.0;

                sum += w;
                mean += w * a->flux[i * N_ROW];
            }
            for (double x = 2.0; x < N_ROW - 2; x += 1.0)
                assert(fabs(ww_spline_value(a->knots + m * STRIDE,
                                            (size_t)a->n_knot[m],
                                            a->c + m * STRIDE, x) -
                            mean / sum) < 0.08);
        }
    }
    free(a);
}

static void
errors(void)
{
    scene s = make_scene(), bad;

#define CALL(x)                                                               \
    ww_bspline_columns(&(x).samples, &(x).options, NULL, &(x).fits, 0,        \
                       N_COLUMN)
    bad = s;
    bad.samples.n_column = 0;
    assert(CALL(bad) == WW_ERR_SHAPE);
    bad = s;
    bad.samples.n_row = INT32_MAX;
    assert(CALL(bad) == WW_ERR_SHAPE);
    bad = s;
    bad.fits.stride = ww_bspline_room(N_INTERVAL) - 1;
    assert(CALL(bad) == WW_ERR_SHAPE);
    bad = s;
    bad.options.fit.n_interval = 0;
    assert(CALL(bad) == WW_ERR_ARGUMENT);
    bad = s;
    bad.options.fit.space_ratio = NAN;
    assert(CALL(bad) == WW_ERR_ARGUMENT);
    assert(ww_bspline_columns(&s.samples, &s.options, NULL, &s.fits, 2, 1) ==
           WW_ERR_RANGE);
    assert(ww_bspline_columns(&s.samples, &s.options, NULL, &s.fits, 0,
                              N_COLUMN + 1) == WW_ERR_RANGE);
    assert(ww_bspline_columns(&s.samples, &s.options, NULL, &s.fits, 5, 5) ==
           WW_OK);
    bad = s;
    bad.splines.n_column = N_COLUMN - 1;
    assert(ww_bspline_scales(&bad.samples, &bad.splines, 0, &bad.scales, 0,
                             1) == WW_ERR_SHAPE);
    assert(ww_bspline_scales(&s.samples, &s.splines, 0, &s.scales, 0,
                             N_COLUMN + 1) == WW_ERR_RANGE);
    /* The models are there, the splines are not. */
    assert(ww_bspline_scales(&s.samples, &s.splines, 0, &s.scales, 0, 1) ==
           WW_ERR_RANGE);
    s.a->model[0] = N_COLUMN;
    assert(ww_bspline_scales(&s.samples, &s.splines, 0, &s.scales, 0, 1) ==
           WW_ERR_RANGE);
    free(s.a);
}

int
main(void)
{
    the_profile_is_found();
    ranges_do_not_matter();
    only_the_wanted();
    columns_that_fail();
    bad_pixels_do_not_move_the_scale();
    columns_without_a_scale();
    weights_need_errors();
    bright_cores_are_kept();
    near_columns_weigh_more();
    errors();
    return 0;
}
