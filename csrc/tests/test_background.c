/* Boxes with known statistics, splines that are polynomials, medians. */
#undef NDEBUG
#include <assert.h>
#include <math.h>
#include <stdint.h>

#include "background.h"

enum { NY = 5, NX = 7, N = NY * NX };

static int
is_close(double found, double expected)
{
    return fabs(found - expected) <= 1e-12 * (1.0 + fabs(expected));
}

/* The values 1 .. 9 in a box, negative in the next one. */
static void
test_boxes_of_known_values(void)
{
    float value[3 * 6];
    double median[2], rms[2];
    uint32_t count[2];

    for (int k = 0; k < 18; k++) {
        int j = k / 6, i = k % 6, n = 3 * j + i % 3 + 1;

        value[k] = (float)(i < 3 ? n : -2 * n);
    }
    assert(ww_background_boxes(value, NULL, 3, 6, 3, 3.0, 10, 0, 2, median,
                               rms, count) == WW_OK);
    assert(median[0] == 5.0 && median[1] == -10.0);
    assert(is_close(rms[0], sqrt(60.0 / 9.0)));
    assert(is_close(rms[1], 2.0 * sqrt(60.0 / 9.0)));
    assert(count[0] == 9 && count[1] == 9);
}

/* Clipping goes on until nothing changes, or as often as it may. */
static void
test_boxes_clip(void)
{
    float value[20] = {0};
    double median, rms;
    uint32_t count;

    for (int k = 0; k < 16; k++)
        value[k] = (float)(k % 2);
    value[16] = 1000.0f, value[17] = -30.0f;
    value[18] = NAN, value[19] = -INFINITY;
    assert(ww_background_boxes(value, NULL, 1, 20, 20, 3.0, 0, 0, 1, &median,
                               &rms, &count) == WW_OK);
    assert(count == 18 && rms > 200.0);
    assert(ww_background_boxes(value, NULL, 1, 20, 20, 3.0, 1, 0, 1, &median,
                               &rms, &count) == WW_OK);
    assert(count == 17 && rms > 5.0);
    assert(ww_background_boxes(value, NULL, 1, 20, 20, 3.0, 10, 0, 1, &median,
                               &rms, &count) == WW_OK);
    assert(count == 16 && median == 0.5 && is_close(rms, 0.5));
}

/* Boxes at the end are smaller; what is masked does not count. */
static void
test_boxes_partial_and_masked(void)
{
    float value[N];
    uint8_t mask[N] = {0};
    double median[4], rms[4];
    uint32_t count[4];

    for (int k = 0; k < N; k++)
        value[k] = (float)(k % NX);
    for (int j = 0; j < 4; j++)
        mask[NX * j] = mask[NX * j + 1] = 1;
    mask[NX * 4 + 4] = mask[NX * 4 + 5] = mask[NX * 4 + 6] = 1;
    assert(ww_background_boxes(value, mask, NY, NX, 4, 3.0, 10, 0, 4, median,
                               rms, count) == WW_OK);
    assert(median[0] == 2.5 && count[0] == 8 && rms[0] == 0.5);
    assert(median[1] == 5.0 && count[1] == 12);
    assert(median[2] == 1.5 && count[2] == 4);
    assert(isnan(median[3]) && isnan(rms[3]) && count[3] == 0);
    /* A range leaves the others alone; a box may be larger than the image. */
    median[0] = -1.0;
    assert(ww_background_boxes(value, mask, NY, NX, 4, 3.0, 10, 1, 2, median,
                               rms, count) == WW_OK);
    assert(median[0] == -1.0);
    assert(ww_background_boxes(value, NULL, NY, NX, 100, 3.0, 10, 0, 1, median,
                               rms, count) == WW_OK);
    assert(median[0] == 3.0 && count[0] == N);
}

static void
test_boxes_refuse(void)
{
    float value[N] = {0};
    double m[4], r[4];
    uint32_t n[4];

#define BOXES(ny, box, clip, first, last)                                     \
    ww_background_boxes(value, NULL, ny, NX, box, clip, 10, first, last, m,   \
                        r, n)
    assert(BOXES(0, 4, 3.0, 0, 1) == WW_ERR_SHAPE);
    assert(BOXES(NY, 0, 3.0, 0, 1) == WW_ERR_ARGUMENT);
    assert(BOXES(NY, 4, 0.0, 0, 1) == WW_ERR_ARGUMENT);
    assert(BOXES(NY, 4, (double)NAN, 0, 1) == WW_ERR_ARGUMENT);
    assert(BOXES(NY, 4, 3.0, 2, 1) == WW_ERR_RANGE);
    assert(BOXES(NY, 4, 3.0, 0, 5) == WW_ERR_RANGE);
    assert(BOXES(NY, 4, 3.0, 4, 4) == WW_OK);
#undef BOXES
}

/* Weights that pick one coefficient, or add two of them. */
static void
test_rows(void)
{
    double coef[6] = {1.0, 2.0, 3.0, 10.0, 20.0, 30.0};
    uint32_t iy[8] = {0, 1, 0, 0, 1, 0, 0, 0};
    uint32_t ix[8] = {0, 1, 2, 2, 2, 0, 0, 1};
    double wy[8] = {1.0, 0.0, 0.0, 0.0, 1.0, 0.5, 0.5, 0.0};
    double wx[8] = {1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, -1.0};
    float value[4] = {100.0f, 100.0f, NAN, 100.0f}, out[4];
    uint8_t mask[4] = {0, 1, 0, 0};
    ww_spline s = {2, 3, coef, 2, 2, iy, ix, wy, wx, -1e9, 1e9};

    assert(ww_background_rows(&s, NULL, NULL, 0, 2, out) == WW_OK);
    assert(out[0] == 1.0f && out[1] == 1.0f);
    assert(out[2] == 11.0f && out[3] == 11.0f);
    s.low = 2.0, s.high = 10.5;
    assert(ww_background_rows(&s, NULL, mask, 0, 2, out) == WW_OK);
    assert(out[0] == 2.0f && out[1] == 0.0f);
    assert(out[2] == 10.5f && out[3] == 10.5f);
    assert(ww_background_rows(&s, value, mask, 0, 2, out) == WW_OK);
    assert(out[0] == 98.0f && out[1] == 100.0f);
    assert(isnan(out[2]) && out[3] == 89.5f);
    out[0] = -5.0f;
    assert(ww_background_rows(&s, NULL, NULL, 1, 2, out) == WW_OK);
    assert(out[0] == -5.0f);
    assert(ww_background_rows(&s, NULL, NULL, 0, 3, out) == WW_ERR_RANGE);
    assert(ww_background_rows(&s, NULL, NULL, 2, 1, out) == WW_ERR_RANGE);
    ix[3] = 3;
    assert(ww_background_rows(&s, NULL, NULL, 0, 2, out) == WW_ERR_RANGE);
    s.mesh_ny = 0;
    assert(ww_background_rows(&s, NULL, NULL, 0, 2, out) == WW_ERR_SHAPE);
}

static void
test_median(void)
{
    float value[6] = {3.0f, -1.5f, 0.0f, 2.0f, -0.0f, 1e30f};
    float equal[4] = {2.0f, 2.0f, 2.0f, 7.0f};
    uint8_t mask[6] = {0, 0, 1, 0, 0, 0}, all[6] = {1, 1, 1, 1, 1, 1};

    assert(ww_background_median(value, NULL, 6) == 1.0);
    assert(ww_background_median(value, mask, 6) == 2.0);
    mask[5] = 1;
    assert(ww_background_median(value, mask, 6) == 1.0);
    assert(ww_background_median(equal, NULL, 4) == 2.0);
    assert(ww_background_median(equal + 2, NULL, 2) == 4.5);
    assert(ww_background_median(value, NULL, 1) == 3.0);
    assert(isnan(ww_background_median(value, all, 6)));
    assert(isnan(ww_background_median(value, NULL, 0)));
}

int
main(void)
{
    test_boxes_of_known_values();
    test_boxes_clip();
    test_boxes_partial_and_masked();
    test_boxes_refuse();
    test_rows();
    test_median();
    return 0;
}
