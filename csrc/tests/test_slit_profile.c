#undef NDEBUG
#include <assert.h>
#include <math.h>

#include "slit_profile.h"

static double nodes[WW_ERF_SIZE];
static const ww_profile_shape GAUSS = {NULL, 0, NULL, nodes};

static double
direct(double y, double s)
{
    return 0.5 * (erf((y + 0.5) / (sqrt(2.0) * s)) -
                  erf((y - 0.5) / (sqrt(2.0) * s)));
}

static void
test_gaussian(void)
{
    double p, by_y, by_width, spread = 0.3, worst = 0.0, h = 1e-6;

    for (double width = 0.1; width < 2.0; width += 0.19) {
        double s = sqrt(spread + width * width);
        double more = sqrt(spread + (width + h) * (width + h));
        double less = sqrt(spread + (width - h) * (width - h));

        for (double y = -14.0; y < 14.0; y += 0.0937) {
            assert(ww_slit_profile(&GAUSS, width, 1, &y, &spread, &p, &by_y,
                                   &by_width) == WW_OK);
            worst = fmax(worst, fabs(p - direct(y, s)));
            assert(fabs(by_y - (direct(y + h, s) - direct(y - h, s)) /
                                   (2.0 * h)) < 1e-9);
            assert(fabs(by_width - (direct(y, more) - direct(y, less)) /
                                       (2.0 * h)) < 1e-9);
        }
    }
    assert(worst < 1e-13);
    p = NAN;
    assert(ww_slit_profile(&GAUSS, 0.5, 1, &p, &spread, &by_y, NULL, NULL) ==
           WW_OK);
    assert(isnan(by_y));
    assert(ww_slit_profile(&GAUSS, 0.5, 0, &p, &spread, &by_y, NULL, NULL) ==
           WW_OK);
}

static void
test_table(void)
{
    /* Two widths, two wavelengths, three rows: values 100 w + 10 l + y. */
    double values[12], width[2] = {1.0, 3.0}, p, by_y, by_width;
    ww_profile_table table = {2, 2, 3, values, width, -1.0, 1.0};
    ww_profile_shape shape = {&table, 0, NULL, NULL};
    double y = 0.25, wave = 0.5;

    for (int i = 0; i < 12; i++)
        values[i] = 100.0 * (i / 6) + 10.0 * (i / 3 % 2) + i % 3 + 1.0;
    assert(ww_slit_profile(&shape, 2.0, 1, &y, &wave, &p, &by_y, &by_width) ==
           WW_OK);
    assert(fabs(p - (50.0 + 5.0 + 2.25)) < 1e-12);
    assert(fabs(by_y - 1.0) < 1e-12 && fabs(by_width - 50.0) < 1e-12);
    assert(ww_slit_profile(&shape, 9.0, 1, &y, &wave, &p, &by_y, &by_width) ==
           WW_OK);
    assert(fabs(p - (100.0 + 5.0 + 2.25)) < 1e-12 && by_width == 0.0);
    y = 1.0; /* the last row, and beyond it */
    assert(ww_slit_profile(&shape, 1.0, 1, &y, &wave, &p, NULL, NULL) == WW_OK);
    assert(fabs(p - 8.0) < 1e-12);
    y = 1.001;
    assert(ww_slit_profile(&shape, 1.0, 1, &y, &wave, &p, NULL, NULL) == WW_OK);
    assert(p == 0.0);
    y = 0.0;
    wave = -0.1;
    assert(ww_slit_profile(&shape, 1.0, 1, &y, &wave, &p, NULL, NULL) == WW_OK);
    assert(p == 0.0);
    shape.n_wing = 1;
    p = -1.0;
    assert(ww_slit_profile(&shape, 1.0, 1, &y, &wave, &p, NULL, NULL) ==
           WW_ERR_ARGUMENT);
    assert(p == -1.0);
}

/* Two columns, of four pixels and of none, and a wing; the light of another nod
 * taken off. */
#define N 4
static const int64_t COLUMNS[3] = {0, N, N}, FIRST[3] = {0, 2 * N, 2 * N};
static const int64_t PIXEL[2 * N] = {0, 0, 1, 1, 2, 2, 3, 3};
static const double X[2] = {-0.5, 0.5}, DIFF[N] = {0.3, 2.0, 1.4, 90.0};
static const double INVERSE[N] = {9.0, 8.0, 7.0, 1.0}, WEIGHT[N] = {3, 2, 1, 0.1};
static const double Y[2 * N] = {-1, 4, 0, 5, 1, 6, 2, 7};
static const double SPREAD[2 * N] = {.3, .3, .3, .3, .31, .32, .3, .3};
static const double SHARE[2 * N] = {1, -1, 1, -1, 1, -1, 1, -1};

static ww_slit_samples
samples(void)
{
    return (ww_slit_samples){
        .n_column = 2,
        .n_pixel = N,
        .n_sample = 2 * N,
        .column_start = COLUMNS,
        .sample_start = FIRST,
        .x = X,
        .diff = DIFF,
        .inverse_error = INVERSE,
        .weight = WEIGHT,
        .pixel = PIXEL,
        .y = Y,
        .spread = SPREAD,
        .share = SHARE,
        .huber = 7.0,
    };
}

static double
by_hand(double width, double a, double b)
{
    double p[N], num = 0.0, den = 0.0, sum = 0.0;

    for (int i = 0; i < N; i++) {
        p[i] = direct(Y[2 * i] - (a * X[0] + b),
                      sqrt(SPREAD[2 * i] + width * width)) -
               direct(Y[2 * i + 1], sqrt(SPREAD[2 * i + 1] + width * width));
        num += DIFF[i] * p[i] * WEIGHT[i];
        den += p[i] * p[i] * WEIGHT[i];
    }
    for (int i = 0; i < N; i++) {
        double chi = fabs(DIFF[i] - num / den * p[i]) * INVERSE[i];

        sum += chi < 7.0 ? 0.5 * chi * chi : 7.0 * (chi - 3.5);
    }
    return sum;
}

static void
test_objective(void)
{
    ww_slit_samples in = samples();
    double trace[2] = {0.2, -0.1}, value, gradient[6], wing[3] = {.2, 2., .5};
    ww_profile_shape winged = {NULL, 1, wing, nodes};
    double par[6] = {0.6, 0.2, -0.1, 0.2, 2.0, 0.5}, high, low, h = 1e-6;

    assert(ww_slit_objective(&in, &GAUSS, 0.6, 2, trace, &value, NULL,
                             NULL) == WW_OK);
    assert(fabs(value - by_hand(0.6, 0.2, -0.1)) < 1e-10);
    assert(ww_slit_objective(&in, &winged, 0.6, 2, trace, &value, gradient,
                             NULL) == WW_OK);
    for (int k = 0; k < 6; k++) {
        double side[2];

        for (int sign = 0; sign < 2; sign++) {
            double moved[6];

            for (int m = 0; m < 6; m++)
                moved[m] = par[m] + (m == k ? (sign ? h : -h) : 0.0);
            winged.wings = moved + 3;
            assert(ww_slit_objective(&in, &winged, moved[0], 2, moved + 1,
                                     &side[sign], NULL, NULL) == WW_OK);
        }
        low = side[0];
        high = side[1];
        assert(fabs(gradient[k] - (high - low) / (2.0 * h)) <
               1e-6 * (1.0 + fabs(gradient[k])));
    }
}

static void
test_slopes(void)
{
    ww_slit_samples in = samples();
    double trace[2] = {0.2, -0.1}, p[N], slopes[3 * N], moved[N], h = 1e-6;
    double far = 5.0;

    assert(ww_slit_slopes(&in, &GAUSS, 0.6, 2, trace, p, slopes) == WW_OK);
    trace[0] += h;
    assert(ww_slit_slopes(&in, &GAUSS, 0.6, 2, trace, moved, NULL) == WW_OK);
    for (int i = 0; i < N; i++)
        assert(fabs(slopes[3 * i + 1] - (moved[i] - p[i]) / h) < 1e-5);
    in.positive = 1;
    assert(ww_slit_slopes(&in, &GAUSS, 0.6, 1, &far, p, slopes) == WW_OK);
    assert(p[0] == 0.0 && slopes[0] == 0.0 && slopes[1] == 0.0);
}

/* Where the model is the data, the second derivatives are those of Gauss and
 * Newton. */
static void
test_bend(void)
{
    ww_slit_samples in = samples();
    double trace[2] = {0.2, -0.1}, p[N], gradient[3], bend[3], value;
    double par[3] = {0.6, 0.2, -0.1}, h = 1e-3;

    assert(ww_slit_slopes(&in, &GAUSS, 0.6, 2, trace, p, NULL) == WW_OK);
    for (int i = 0; i < N; i++)
        p[i] *= 20.0;
    in.diff = p;
    assert(ww_slit_objective(&in, &GAUSS, 0.6, 2, trace, &value, gradient,
                             bend) == WW_OK);
    assert(value < 1e-20);
    for (int k = 0; k < 3; k++) {
        double sum = 0.0;

        for (int sign = -1; sign < 2; sign += 2) {
            double moved[3] = {par[0], par[1], par[2]}, side;

            moved[k] += sign * h;
            assert(ww_slit_objective(&in, &GAUSS, moved[0], 2, moved + 1,
                                     &side, NULL, NULL) == WW_OK);
            sum += side;
        }
        assert(fabs(gradient[k]) < 1e-9);
        assert(bend[k] > 1.0);
        assert(fabs(sum / (h * h) / bend[k] - 1.0) < 1e-4);
    }
}

/* The order of samples is of no consequence, nor are those that are far off. */
static void
test_order(void)
{
    ww_slit_samples in = samples();
    int64_t pixel[2 * N + 1];
    const int64_t first[3] = {0, 2 * N + 1, 2 * N + 1};
    double y[2 * N + 1], spread[2 * N + 1], share[2 * N + 1];
    double trace[2] = {0.2, -0.1}, one[2], two[2], gradient[3], other[3];

    for (int i = 0; i < 2 * N; i++) {
        int to = i % 2 * N + i / 2;

        pixel[to] = PIXEL[i];
        y[to] = Y[i];
        spread[to] = SPREAD[i];
        share[to] = SHARE[i];
    }
    pixel[2 * N] = 2;
    y[2 * N] = 30.0;
    spread[2 * N] = 0.3;
    share[2 * N] = 1.0;
    assert(ww_slit_objective(&in, &GAUSS, 0.6, 2, trace, one, gradient, NULL) ==
           WW_OK);
    in.n_sample = 2 * N + 1;
    in.sample_start = first;
    in.pixel = pixel;
    in.y = y;
    in.spread = spread;
    in.share = share;
    assert(ww_slit_samples_check(&in) == WW_OK);
    assert(ww_slit_objective(&in, &GAUSS, 0.6, 2, trace, two, other, NULL) ==
           WW_OK);
    assert(one[0] == two[0]);
    for (int k = 0; k < 3; k++)
        assert(gradient[k] == other[k]);
}

static void
test_errors(void)
{
    const int64_t stray[2 * N] = {0, 0, 1, 1, 2, 2, 3, N};
    const int64_t back[3] = {0, 2 * N + 1, 2 * N};
    ww_slit_samples in = samples();
    double value = -1.0;

    assert(ww_slit_samples_check(&in) == WW_OK);
    in.n_sample = 7;
    assert(ww_slit_samples_check(&in) == WW_ERR_RANGE);
    in = samples();
    in.pixel = stray;
    assert(ww_slit_samples_check(&in) == WW_ERR_RANGE);
    in = samples();
    in.sample_start = back;
    assert(ww_slit_samples_check(&in) == WW_ERR_RANGE);
    in = samples();
    in.n_column = 0;
    in.n_pixel = in.n_sample = 0;
    assert(ww_slit_samples_check(&in) == WW_OK);
    assert(ww_slit_objective(&in, &GAUSS, 0.6, 0, NULL, &value, NULL, NULL) ==
           WW_OK);
    assert(value == 0.0);
}

int
main(void)
{
    ww_erf_table(nodes);
    test_gaussian();
    test_table();
    test_objective();
    test_bend();
    test_order();
    test_slopes();
    test_errors();
    return 0;
}
