/* Stars that are the kernel's own Gaussian: found where they are, with their
 * amplitude, also next to missing pixels and at the rim of the image. */
#undef NDEBUG
#include <assert.h>
#include <math.h>
#include <stdint.h>

#include "star_finder.h"
#include "star_measure.h"

enum { SIDE = 5, NY = 17, NX = 21, N = NY * NX };

static const double SIGMA = 1.0;

typedef struct {
    double gauss[SIDE * SIDE], kernel[SIDE * SIDE];
    uint8_t inside[SIDE * SIDE], mask[N];
    float value[N], correlation[N];
    ww_star_kernel shape;
    ww_star_image image;
    uint64_t pixel[N];
    double out[N][WW_STAR_COLUMNS];
} scene;

static int
is_near(double found, double expected, double tolerance)
{
    return fabs(found - expected) <= tolerance;
}

/* An empty image at level 3, and the kernel with its corners cut. */
static void
start(scene *s)
{
    double n = 0.0, sg = 0.0, sgg = 0.0;

    for (int t = 0; t < SIDE * SIDE; t++) {
        double r2 = pow(t / SIDE - 2, 2.0) + pow(t % SIDE - 2, 2.0);

        s->gauss[t] = exp(-0.5 * r2 / (SIGMA * SIGMA));
        s->inside[t] = r2 <= 4.0;
        n += s->inside[t];
        sg += s->inside[t] * s->gauss[t];
        sgg += s->inside[t] * s->gauss[t] * s->gauss[t];
    }
    for (int t = 0; t < SIDE * SIDE; t++)
        s->kernel[t] =
            s->inside[t] * (s->gauss[t] - sg / n) / (sgg - sg * sg / n);
    for (int k = 0; k < N; k++) {
        s->value[k] = 3.0f;
        s->mask[k] = 0;
    }
    s->shape = (ww_star_kernel){2, SIGMA, s->gauss, s->kernel, s->inside};
    s->image = (ww_star_image){NY, NX, s->value, s->mask};
}

static void
add_star(scene *s, double x, double y, double height)
{
    for (int k = 0; k < N; k++) {
        double r2 = pow(k % NX - x, 2.0) + pow(k / NX - y, 2.0);

        s->value[k] += (float)(height * exp(-0.5 * r2 / (SIGMA * SIGMA)));
    }
}

static void
spoil(scene *s, int x, int y, int by_mask)
{
    if (by_mask) {
        s->mask[y * NX + x] = 1;
        s->value[y * NX + x] = 1e6f;
    } else {
        s->value[y * NX + x] = NAN;
    }
}

static size_t
find(scene *s, int missing, double threshold)
{
    size_t n;

    assert(ww_star_correlate(&s->image, &s->shape, missing, 0, NY,
                             s->correlation) == WW_OK);
    assert(ww_star_peaks(s->correlation, s->mask, NY, NX, threshold, 2,
                         WW_TIES_FIRST, 0, NY, s->pixel, N, &n) == WW_OK);
    return n;
}

static void
measure(scene *s, int method, int missing, size_t n)
{
    assert(ww_star_measure(&s->image, &s->shape, s->correlation, method,
                           missing, s->pixel, 0, n, s->out[0]) == WW_OK);
}

static void
test_the_correlation_is_the_amplitude(void)
{
    for (int missing = 0; missing < 2; missing++) {
        scene s;

        start(&s);
        add_star(&s, 8.0, 6.0, 50.0);
        assert(find(&s, missing, 10.0) == 1);
        assert(s.pixel[0] == 6 * NX + 8);
        assert(is_near((double)s.correlation[6 * NX + 8], 50.0, 1e-4));
        assert(is_near((double)s.correlation[12 * NX + 17], 0.0, 1e-4));
    }
}

static void
test_measures_of_a_centred_star(void)
{
    for (int method = 0; method < 2; method++) {
        scene s;

        start(&s);
        add_star(&s, 8.0, 6.0, 50.0);
        measure(&s, method, WW_MISSING_FIT, find(&s, WW_MISSING_FIT, 10.0));
        assert(is_near(s.out[0][WW_STAR_X], 8.0, 1e-6));
        assert(is_near(s.out[0][WW_STAR_Y], 6.0, 1e-6));
        assert(is_near(s.out[0][WW_STAR_ROUNDNESS], 0.0, 1e-6));
        assert(is_near(s.out[0][WW_STAR_ROUNDNESS2], 0.0, 1e-6));
        assert(s.out[0][WW_STAR_FLUX] > 150.0);
        assert(s.out[0][WW_STAR_SHARPNESS] > 0.4);
        assert(s.out[0][WW_STAR_SHARPNESS] < 1.0);
        assert(
            is_near(s.out[0][WW_STAR_PEAK], method == 0 ? 53.0 : 47.0, 1.0));
    }
}

/* Small shifts come out in full; the sign is right on both axes. */
static void
test_positions(void)
{
    scene s;

    start(&s);
    add_star(&s, 8.1, 5.95, 50.0);
    measure(&s, WW_STAR_DAOFIND, WW_MISSING_FIT,
            find(&s, WW_MISSING_FIT, 10.0));
    assert(is_near(s.out[0][WW_STAR_X], 8.1, 0.002));
    assert(is_near(s.out[0][WW_STAR_Y], 5.95, 0.002));
}

/* One pixel of a star is missing: the star is there, in its place, with its
 * amplitude. With the other rule it is lost, or is elsewhere. */
static void
test_a_missing_pixel(void)
{
    for (int by_mask = 0; by_mask < 2; by_mask++)
        for (int k = 0; k < SIDE * SIDE; k++) {
            int dx = k % SIDE - 2, dy = k / SIDE - 2;
            scene s;

            if (dx == 0 && dy == 0)
                continue;
            start(&s);
            add_star(&s, 8.2, 6.1, 50.0);
            measure(&s, WW_STAR_DAOFIND, WW_MISSING_FIT,
                    find(&s, WW_MISSING_FIT, 10.0));
            double x = s.out[0][WW_STAR_X], y = s.out[0][WW_STAR_Y];

            spoil(&s, 8 + dx, 6 + dy, by_mask);
            assert(find(&s, WW_MISSING_FIT, 10.0) == 1);
            assert(s.pixel[0] == 6 * NX + 8);
            measure(&s, WW_STAR_DAOFIND, WW_MISSING_FIT, 1);
            assert(is_near(s.out[0][WW_STAR_X], x, 0.02));
            assert(is_near(s.out[0][WW_STAR_Y], y, 0.02));
            if (by_mask || dx * dx + dy * dy > 4)
                continue;
            for (size_t n = find(&s, WW_MISSING_POISON, 10.0); n > 0; n--)
                assert(s.pixel[n - 1] != 6 * NX + 8);
        }
}

/* A star without its core is none, and its rim is none either. */
static void
test_a_missing_core(void)
{
    for (int radius = 0; radius < 4; radius++)
        for (int method = 0; method < 2; method++) {
            scene s;
            size_t n;

            start(&s);
            add_star(&s, 8.0, 6.0, 5000.0);
            for (int k = 0; k < N; k++)
                if (pow(k % NX - 8, 2.0) + pow(k / NX - 6, 2.0) <=
                    radius * radius)
                    spoil(&s, k % NX, k / NX, 0);
            for (int k = 0; k < N; k++)
                s.mask[k] = isnan(s.value[k]) ? 1u : 0u;
            n = find(&s, WW_MISSING_FIT, 10.0);
            measure(&s, method, WW_MISSING_FIT, n);
            for (size_t k = 0; k < n; k++)
                assert(isnan(s.out[k][WW_STAR_X]));
        }
}

/* At the rim of the image, all around. */
static void
test_the_rim(void)
{
    double places[4][2] = {{0.1, 8.0}, {20.0, 7.9}, {9.0, 0.1}, {9.1, 16.0}};

    for (int k = 0; k < 4; k++) {
        scene s;

        start(&s);
        add_star(&s, places[k][0], places[k][1], 50.0);
        assert(find(&s, WW_MISSING_FIT, 10.0) == 1);
        measure(&s, WW_STAR_DAOFIND, WW_MISSING_FIT, 1);
        assert(is_near(s.out[0][WW_STAR_X], places[k][0], 0.02));
        assert(is_near(s.out[0][WW_STAR_Y], places[k][1], 0.02));
    }
}

static void
test_ties_and_capacity(void)
{
    float c[5 * 5] = {0};
    uint8_t mask[5 * 5] = {0};
    uint64_t pixel[2] = {99, 99};
    size_t n;

#define PEAKS(threshold, radius, ties, room)                                  \
    ww_star_peaks(c, mask, 5, 5, threshold, radius, ties, 0, 5, pixel, room,  \
                  &n)
    c[6] = c[7] = 2.0f, c[24] = 1.0f, c[8] = NAN;
    assert(PEAKS(0.5, 1, WW_TIES_FIRST, 2) == WW_OK && n == 2);
    assert(pixel[0] == 6 && pixel[1] == 24);
    assert(PEAKS(0.5, 1, WW_TIES_ALL, 1) == WW_OK && n == 3);
    assert(PEAKS(1.0, 1, WW_TIES_FIRST, 2) == WW_OK && n == 1);
    mask[6] = 1;
    assert(PEAKS(1.0, 1, WW_TIES_ALL, 2) == WW_OK && n == 1);
    assert(pixel[0] == 7);
    c[7] = INFINITY;
    assert(PEAKS(0.5, 4, WW_TIES_ALL, 2) == WW_OK && n == 0);
    for (int k = 0; k < 25; k++)
        c[k] = -1.0f;
    c[12] = -0.5f; /* beyond the image all is 0, within it is not */
    assert(PEAKS(-2.0, 3, WW_TIES_FIRST, 2) == WW_OK && n == 0);
    assert(PEAKS(-2.0, 2, WW_TIES_FIRST, 2) == WW_OK && n == 1);
    assert(PEAKS(0.0, 2, 7, 2) == WW_ERR_ARGUMENT);
#undef PEAKS
}

static void
test_ranges(void)
{
    scene s, whole;
    float rows[N];

    start(&s);
    add_star(&s, 8.0, 6.0, 50.0);
    spoil(&s, 3, 3, 1);
    whole = s;
    whole.image = (ww_star_image){NY, NX, whole.value, whole.mask};
    whole.shape = s.shape;
    (void)find(&whole, WW_MISSING_FIT, 10.0);
    for (size_t y = 0; y < NY; y++)
        assert(ww_star_correlate(&s.image, &s.shape, WW_MISSING_FIT, y, y + 1,
                                 rows) == WW_OK);
    for (int k = 0; k < N; k++)
        assert(rows[k] == whole.correlation[k]);
}

static void
test_refusals(void)
{
    scene s;
    size_t n;

    start(&s);
    assert(ww_star_correlate(&s.image, &s.shape, 5, 0, NY, s.correlation) ==
           WW_ERR_ARGUMENT);
    assert(ww_star_correlate(&s.image, &s.shape, 0, 2, 1, s.correlation) ==
           WW_ERR_RANGE);
    assert(ww_star_correlate(&s.image, &s.shape, 0, 0, NY + 1,
                             s.correlation) == WW_ERR_RANGE);
    assert(ww_star_peaks(s.correlation, NULL, NY, NX, 0.0, 2, 0, 0, NY + 1,
                         s.pixel, N, &n) == WW_ERR_RANGE);
    s.pixel[0] = N;
    assert(ww_star_measure(&s.image, &s.shape, s.correlation, 0, 0, s.pixel, 0,
                           1, s.out[0]) == WW_ERR_RANGE);
    assert(ww_star_measure(&s.image, &s.shape, s.correlation, 2, 0, s.pixel, 0,
                           0, s.out[0]) == WW_ERR_ARGUMENT);
    assert(ww_star_measure(&s.image, &s.shape, s.correlation, 0, 0, s.pixel, 1,
                           0, s.out[0]) == WW_ERR_RANGE);
    s.image.ny = 0;
    assert(ww_star_correlate(&s.image, &s.shape, 0, 0, 0, s.correlation) ==
           WW_ERR_SHAPE);
    assert(ww_star_measure(&s.image, &s.shape, s.correlation, 0, 0, s.pixel, 0,
                           0, s.out[0]) == WW_ERR_SHAPE);
}

int
main(void)
{
    test_the_correlation_is_the_amplitude();
    test_measures_of_a_centred_star();
    test_positions();
    test_a_missing_pixel();
    test_a_missing_core();
    test_the_rim();
    test_ties_and_capacity();
    test_ranges();
    test_refusals();
    return 0;
}
