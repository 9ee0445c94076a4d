/* Gaussians of any width come out exactly; missing pixels do not matter. */
#undef NDEBUG
#include <assert.h>
#include <math.h>
#include <stdint.h>

#include "star_refine.h"

enum { NY = 11, NX = 13, N = NY * NX };

static float value[N];
static uint8_t mask[N];
static const ww_star_image IMAGE = {NY, NX, value, mask};

static void
draw(double x, double y, double sigma, double height)
{
    for (int k = 0; k < N; k++) {
        double r2 = pow(k % NX - x, 2.0) + pow(k / NX - y, 2.0);

        value[k] = (float)(height * exp(-0.5 * r2 / (sigma * sigma)) - 2.0);
        mask[k] = 0;
    }
}

static void
check(double x, double y, double sigma, double from_x, double from_y)
{
    double place[2] = {from_x, from_y}, out[WW_REFINED_COLUMNS];

    assert(ww_star_refine(&IMAGE, 2, 1.06, place, 0, 1, out) == WW_OK);
    assert(fabs(out[WW_REFINED_X] - x) < 1e-5);
    assert(fabs(out[WW_REFINED_Y] - y) < 1e-5);
    assert(fabs(out[WW_REFINED_SIGMA] - sigma) < 1e-4);
}

static void
test_exact(void)
{
    for (int k = 0; k < 25; k++) {
        double x = 6.0 + 0.25 * (k % 5 - 2), y = 5.0 + 0.25 * (k / 5 - 2);
        double sigma = 0.6 + 0.05 * k;

        draw(x, y, sigma, 30.0);
        check(x, y, sigma, 6.0, 5.0);
    }
}

static void
test_missing(void)
{
    draw(6.2, 4.9, 0.9, 30.0);
    value[4 * NX + 6] = NAN;
    value[5 * NX + 7] = 1e8f;
    mask[5 * NX + 7] = 1;
    check(6.2, 4.9, 0.9, 6.0, 5.0);
    draw(6.2, 4.9, 0.9, 30.0);
    value[5 * NX + 6] = NAN; /* the brightest */
    check(6.2, 4.9, 0.9, 6.0, 5.0);
    draw(0.3, 10.1, 1.2, 30.0); /* in a corner of the image */
    check(0.3, 10.1, 1.2, 0.0, 10.0);
}

/* Twice the height, half the error; and with many pixels it is the Cramer-Rao
 * limit: the sum of (dmodel/dx)^2 is pi height^2 / 2. */
static void
test_error(void)
{
    double place[2] = {6.0, 5.0}, low[WW_REFINED_COLUMNS];
    double high[WW_REFINED_COLUMNS], limit = sqrt(2.0 / acos(-1.0)) / 30.0;

    draw(6.0, 5.0, 1.0, 30.0);
    assert(ww_star_refine(&IMAGE, 4, 1.0, place, 0, 1, low) == WW_OK);
    draw(6.0, 5.0, 1.0, 60.0);
    assert(ww_star_refine(&IMAGE, 4, 1.0, place, 0, 1, high) == WW_OK);
    assert(fabs(high[WW_REFINED_ERROR] / low[WW_REFINED_ERROR] - 0.5) < 1e-4);
    assert(fabs(low[WW_REFINED_ERROR] / limit - 1.0) < 0.01);
}

static void
test_no_answer(void)
{
    double place[8] = {6.0, 5.0, 0.0, 0.0, -3.0, 5.0, 6.0, 20.0};
    double out[4 * WW_REFINED_COLUMNS];

    draw(6.0, 5.0, 1.0, 30.0);
    for (int k = 0; k < N; k++)
        mask[k] = k / NX >= 4 && k / NX <= 6; /* too few pixels are left */
    assert(ww_star_refine(&IMAGE, 1, 1.0, place, 0, 4, out) == WW_OK);
    for (int k = 0; k < 4; k++)
        assert(isnan(out[k * WW_REFINED_COLUMNS + WW_REFINED_X]));
    draw(6.0, 5.0, 1.0, -30.0); /* a hole */
    assert(ww_star_refine(&IMAGE, 2, 1.0, place, 0, 1, out) == WW_OK);
    assert(isnan(out[WW_REFINED_X]));
    for (int k = 0; k < N; k++)
        value[k] = 1.0f; /* nothing */
    assert(ww_star_refine(&IMAGE, 2, 1.0, place, 0, 1, out) == WW_OK);
    assert(isnan(out[WW_REFINED_X]));
}

static void
test_refusals(void)
{
    double place[2] = {6.0, 5.0}, out[WW_REFINED_COLUMNS];
    ww_star_image empty = {0, NX, value, mask};

    assert(ww_star_refine(&empty, 2, 1.0, place, 0, 1, out) == WW_ERR_SHAPE);
    assert(ww_star_refine(&IMAGE, 0, 1.0, place, 0, 1, out) ==
           WW_ERR_ARGUMENT);
    assert(ww_star_refine(&IMAGE, 2, 0.0, place, 0, 1, out) ==
           WW_ERR_ARGUMENT);
    assert(ww_star_refine(&IMAGE, 2, 1.0, place, 1, 0, out) == WW_ERR_RANGE);
}

int
main(void)
{
    test_exact();
    test_missing();
    test_error();
    test_no_answer();
    test_refusals();
    return 0;
}
