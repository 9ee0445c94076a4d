#undef NDEBUG
#include <assert.h>
#include <math.h>

#include "slit_profile.h"

static const ww_profile_shape GAUSS = {NULL, 0, NULL};

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
    ww_profile_shape shape = {&table, 0, NULL};
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
static const int64_t COLUMNS[3] = {0, N, N}, FIRST[N + 1] = {0, 2, 4, 6, 8};
static const double X[2] = {-0.5, 0.5}, DIFF[N] = {0.3, 2.0, 1.4, 90.0};
static const double INVERSE[N] = {9.0, 8.0, 7.0, 1.0}, WEIGHT[N] = {3, 2, 1, 0.1};
static const double Y[2 * N] = {-1, 4, 0, 5, 1, 6, 2, 7};
static const double SPREAD[2 * N] = {.3, .3, .3, .3, .31, .32, .3, .3};
static const double SHARE[2 * N] = {1, -1, 1, -1, 1, -1, 1, -1};

static ww_slit_samples
samples(void)
{
    return (ww_slit_samples){2,    N,       2 * N,  COLUMNS, FIRST, X,
                             DIFF, INVERSE, WEIGHT, Y,       SPREAD, SHARE,
                             0,    7.0};
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
    ww_profile_shape winged = {NULL, 1, wing};
    double par[6] = {0.6, 0.2, -0.1, 0.2, 2.0, 0.5}, high, low, h = 1e-6;

    assert(ww_slit_objective(&in, &GAUSS, 0.6, 2, trace, &value, NULL) ==
           WW_OK);
    assert(fabs(value - by_hand(0.6, 0.2, -0.1)) < 1e-10);
    assert(ww_slit_objective(&in, &winged, 0.6, 2, trace, &value, gradient) ==
           WW_OK);
    for (int k = 0; k < 6; k++) {
        double side[2];

        for (int sign = 0; sign < 2; sign++) {
            double moved[6];

            for (int m = 0; m < 6; m++)
                moved[m] = par[m] + (m == k ? (sign ? h : -h) : 0.0);
            winged.wings = moved + 3;
            assert(ww_slit_objective(&in, &winged, moved[0], 2, moved + 1,
                                     &side[sign], NULL) == WW_OK);
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

static void
test_errors(void)
{
    ww_slit_samples in = samples();
    double value = -1.0;

    in.n_sample = 7;
    assert(ww_slit_objective(&in, &GAUSS, 0.6, 0, NULL, &value, NULL) ==
           WW_ERR_RANGE);
    in = samples();
    in.n_column = 0;
    in.n_pixel = in.n_sample = 0;
    assert(ww_slit_objective(&in, &GAUSS, 0.6, 0, NULL, &value, NULL) == WW_OK);
    assert(value == 0.0);
}

int
main(void)
{
    test_gaussian();
    test_table();
    test_objective();
    test_slopes();
    test_errors();
    return 0;
}
